"""One execution of a SELECT: partitions and rows from the store, limits, pages, and a generator that pauses.

The rules of pages are Cassandra's (service/pager/*.java): a page that is just full says that there may be more, even if
there is not, unless a limit is used up; the state names the last partition and row returned, and what is left of the
limits. With GROUP BY, limits and pages count groups.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from cqlserver.paging import NO_LIMIT, PagingState
from cqlserver.plans.read_trace import ReadTrace
from cqlserver.plans.select_rows import GroupSink, Sink
from cqlserver.plans.tombstones import TombstoneGuard
from cqlserver.restrictions.restrictions import TokenRange
from storage.indexes.reading import IndexedStore
from storage.memtable.memtable import Position, position_of, rows_of_singles, split_single, token_position
from storage.memtable.packed import StoredRow
from storage.memtable.partition import estimated_bytes
from storage.reads import Chunk, PartitionView, Singles, Slice, TableStore
from storage.row_filter import RowFilter

STEP_WORK = 400
"""Copied rows (or partitions without rows) between two pauses, dearer rows weighed: two milliseconds at most."""
COMPUTED_BYTES = 1 << 20
"""Of rows whose values are copied at once, to be tested or computed with."""
TOKEN_MAX = (1 << 63) - 1
AFTER = b"\xff"

Found = tuple[bytes, PartitionView | None, bool]
"""(key, view, whether an earlier page had rows of it)."""
Steps = Generator[None, None, None]


@dataclass(frozen=True, slots=True)
class ReadShape:
    """What one execution reads. `keys` None: a scan of `token_range`."""

    keys: Sequence[bytes] | None
    token_range: TokenRange | None
    slices: tuple[Slice, ...]
    reverse: bool
    now_s: int
    returns_static: bool
    per_partition_limit: int
    row_limit: int
    """Of rows or groups in all pages."""
    page_limit: int
    """Of rows or groups in this page; at most `row_limit`."""
    state: PagingState | None
    is_distinct: bool = False
    """A partition is one row, also where rows are grouped."""
    counts_rows: bool = True
    """The limits are of rows, not of groups."""


class Reading:
    """Drives one page into a sink. `steps` is exhausted when the page is done; then `paging_state` is known."""

    def __init__(
        self,
        store: TableStore | IndexedStore,
        shape: ReadShape,
        sink: Sink,
        row_filter: RowFilter | None,
        trace: ReadTrace | None = None,
        guard: TombstoneGuard | None = None,
    ) -> None:
        self.store, self.shape, self.sink, self.filter, self.trace = store, shape, sink, row_filter, trace
        self._guard = guard
        self._is_by_key = shape.keys is not None
        self.paging_state: PagingState | None = None
        state = shape.state
        self._remaining = shape.row_limit if state is None else state.remaining
        self._page_left = min(shape.page_limit, self._remaining)
        self._is_full = False
        self._counted = 0
        self._grouped_rows = 0
        self._last_key: bytes | None = None
        self._last_ck: bytes | None = None
        self._left_in_partition = shape.per_partition_limit
        self._work = 0
        self._looks_at_each = False
        self._row_cost = sink.row_cost + (3 if row_filter is not None else 0)

    # --- partitions ------------------------------------------------------------------------------------------------------

    def _resumed_slices(self, ck: bytes) -> tuple[Slice, ...]:
        """What is left of the slices behind the last row."""
        slices = []
        for whole in self.shape.slices:
            if self.shape.reverse:
                left = Slice(whole.start, min(whole.end, ck))
            else:
                left = Slice(max(whole.start, ck + AFTER), whole.end)
            if left.start < left.end:
                slices.append(left)
        return tuple(slices)

    def _partitions(self) -> Iterator[Found | Singles]:
        if self.shape.keys is None:
            yield from self._scanned()
            return
        state, keys = self.shape.state, self.shape.keys
        read, slices, now_s, reverse = self.store.read, self.shape.slices, self.shape.now_s, self.shape.reverse
        begin = 0
        if state is not None and len(keys) > 1:
            if state.key not in keys:
                return
            begin = keys.index(state.key)
        if not isinstance(self.store, IndexedStore):
            self.store.assure_turns_for_read()
            if len(keys) > begin + 1:
                resumes = state is not None and state.clustering is not None
                self.store.expect(keys[begin + 1 if resumes else begin :], slices, now_s, reverse)
        for index in range(begin, len(keys)):
            key = keys[index]
            if self.trace is not None:
                self.trace.query()
            if index == begin and state is not None and state.clustering is not None:
                if state.remaining_in_partition > 0:
                    yield key, read(key, self._resumed_slices(state.clustering), now_s, reverse), True
            else:
                yield key, read(key, slices, now_s, reverse), False

    def _scanned(self) -> Iterator[Found | Singles]:
        shape = self.shape
        wanted = shape.token_range
        if wanted is None:
            return
        start: Position = token_position(wanted.start)
        end = None if wanted.end == TOKEN_MAX else token_position(wanted.end + 1)
        state = shape.state
        if state is not None and state.key is not None:
            start = position_of(state.key) + b"\0"
            if state.clustering is not None and state.remaining_in_partition > 0:
                slices = self._resumed_slices(state.clustering)
                yield state.key, self.store.read(state.key, slices, shape.now_s, shape.reverse), True
        if self._looks_at_each:
            for view in self.store.scan(shape.now_s, start, end, shape.slices, shape.reverse):
                yield view.key, view, False
            return
        for found in self.store.scan_batches(shape.now_s, start, end, shape.slices, shape.reverse):
            yield found if isinstance(found, Singles) else (found.key, found, False)

    # --- rows ------------------------------------------------------------------------------------------------------------

    def steps(self) -> Steps:
        """Raises InvalidRequest and what functions raise."""
        shape, sink = self.shape, self.sink
        grouped = sink if isinstance(sink, GroupSink) and not sink.grouping.is_everything else None
        filters_partitions = self.filter is not None and not self.filter.is_of_rows_alone
        samples = self._guard is not None and self._guard.samples
        self._looks_at_each = grouped is not None or filters_partitions or self.trace is not None or samples
        if shape.keys is None or isinstance(self.store, IndexedStore):
            while not self.store.prepare_scan():
                yield
        trace = self.trace
        last: bytes | None = None
        if self._page_left > 0:
            for found in self._partitions():
                if isinstance(found, Singles):
                    self._take_singles(found)
                    if self._is_full:
                        break
                    if self._work > STEP_WORK:
                        self._work = 0
                        sink.pack()
                        yield
                    continue
                key, view, resumed = found
                self._work += 1
                row_count = self._counted if grouped is None else self._grouped_rows
                if self._guard is not None and view is not None and view.static is not None:
                    self._guard.read_static()
                if view is not None and (self.filter is None or self.filter.partition(key, view.static)):
                    begin = self._left_of(resumed)
                    if grouped is None:
                        yield from self._take_rows(key, view, resumed, begin)
                    else:
                        yield from self._take_groups(key, view, resumed, begin, grouped)
                if trace is not None:
                    tombstones = 0 if view is None else view.tombstones
                    counted = self._counted if grouped is None else self._grouped_rows
                    passed = None if self._guard is None or self.filter is None else self._guard.rows
                    trace.partition(counted - row_count, tombstones, view is not None, passed)
                if self._guard is not None and view is not None:
                    self._guard.partition(key, view.tombstones, self._is_by_key)
                    self._guard.counted = self._counted
                    last = key
                if self._is_full:
                    break
                if self._work > STEP_WORK:
                    self._work = 0
                    sink.pack()
                    yield
        if self._guard is not None:
            self._guard.finish(last, self._is_by_key)
        if grouped is not None and grouped.is_open and not self._is_full:
            self._close_group(grouped)
        if trace is not None:
            trace.end()
        yield from sink.finish()
        if self._counted == min(shape.page_limit, self._remaining):
            self.paging_state = self._next_state()

    def _pieces(self, view: PartitionView) -> Iterator[Chunk]:
        """The partition's chunks, none of them more than a step's work."""
        size = STEP_WORK // self._row_cost
        guard, dead = self._guard, 0
        for cks, rows in view.chunks():
            if guard is not None and view.tombstones != dead:
                self._work += view.tombstones - dead
                dead = view.tombstones
                guard.check(view.key, dead, self._is_by_key)
            count = size if self._row_cost == 1 else min(size, _computed_at_once(rows))
            if len(rows) <= count:
                yield cks, rows
            else:
                for at in range(0, len(rows), count):
                    yield cks[at : at + count], rows[at : at + count]

    def _left_of(self, resumed: bool) -> int:
        return self.shape.state.remaining_in_partition if resumed and self.shape.state else self.shape.per_partition_limit

    def _take_singles(self, singles: Singles) -> None:
        positions, partitions = singles
        self._work += len(partitions) * self._row_cost
        if self.filter is not None:
            if self._guard is not None:
                self._guard.rows += len(partitions)
            positions, partitions = self.filter.singles(positions, partitions)
            if not partitions:
                return
        if self._page_left < len(partitions):
            positions, partitions = positions[: self._page_left], partitions[: self._page_left]
        count = len(partitions)
        self.sink.add_singles([position[8:] for position in positions], rows_of_singles(partitions))
        if self._guard is not None and self.filter is None:
            self._guard.rows += count
        self._count(count)
        self._mark(positions[-1][8:], split_single(partitions[-1])[0], self.shape.per_partition_limit - 1)

    def _take_rows(self, key: bytes, view: PartitionView, resumed: bool, left: int) -> Steps:
        sink = self.sink
        begun = False
        for cks, rows in self._pieces(view):
            found_cks, found_rows = (cks, rows) if self.filter is None else self.filter.rows(cks, rows)
            self._work += len(rows) * self._row_cost
            count = min(len(found_rows), left, self._page_left)
            if self._guard is not None:
                self._guard.rows += count if self.filter is None else len(rows)
            if count:
                if not begun:
                    begun = True
                    sink.partition(key, view.static)
                sink.add(found_rows if count == len(found_rows) else found_rows[:count])
                left -= count
                self._count(count)
                self._mark(key, found_cks[count - 1], left)
                if self._is_full or not left:
                    return
            if self._work > STEP_WORK:
                self._work = 0
                sink.pack()
                yield
        if not begun and self._gives_static(view, resumed):
            sink.partition(key, view.static)
            sink.add([None])
            self._count(1)
            self._mark(key, None, 0)

    def _gives_static(self, view: PartitionView, resumed: bool) -> bool:
        return (
            view.static is not None
            and not resumed
            and self.shape.returns_static
            and (self.filter is None or not self.filter.has_row_tests)
        )

    def _count(self, count: int) -> None:
        self._counted += count
        if self._page_left != NO_LIMIT:
            self._page_left -= count
            self._is_full = self._page_left <= 0

    def _mark(self, key: bytes, ck: bytes | None, left: int) -> None:
        """The last row returned; a row without clustering ends its partition."""
        self._last_key, self._last_ck = key, ck
        self._left_in_partition = left if ck else 0

    # --- groups ----------------------------------------------------------------------------------------------------------

    def _close_group(self, sink: GroupSink) -> None:
        """Of the last row's partition."""
        sink.close_group()
        self._count(1)
        self._left_in_partition = max(0, self._left_in_partition - 1)

    def _take_groups(self, key: bytes, view: PartitionView, resumed: bool, left: int, sink: GroupSink) -> Steps:
        if sink.is_open:
            self._close_group(sink)
            if self._is_full:
                return
        group: tuple[bytes | None, ...] | None = None
        for cks, rows in self._pieces(view):
            found_cks, found_rows = (cks, rows) if self.filter is None else self.filter.rows(cks, rows)
            self._work += len(rows) * self._row_cost
            self._grouped_rows += len(found_rows)
            if self._guard is not None:
                self._guard.rows += len(rows)
            for row_group, begin, end in sink.runs(found_rows):
                if row_group != group:
                    if group is not None:
                        self._close_group(sink)
                        left = self._left_in_partition
                        if self._is_full or not left:
                            return
                    else:
                        sink.partition(key, view.static)
                    group = row_group
                last = begin if self.shape.is_distinct else end - 1
                sink.add(found_rows[begin : last + 1])
                self._mark(key, found_cks[last], left)
                if self.shape.is_distinct:
                    self._left_in_partition = 0
                    return
            if self._work > STEP_WORK:
                self._work = 0
                sink.pack()
                yield
        if group is None and self._gives_static(view, resumed):
            sink.partition(key, view.static)
            sink.add([None])
            self._mark(key, None, 0)

    # --- where the next page begins --------------------------------------------------------------------------------------

    def _next_state(self) -> PagingState | None:
        """After a full page; None where nothing can follow."""
        remaining = self._remaining if self._remaining == NO_LIMIT else self._remaining - self._counted
        if remaining <= 0:
            return None
        keys = self.shape.keys
        if keys is None:
            if self._last_key is None:
                return None
            return PagingState(self._last_key, self._last_ck, remaining, self._left_in_partition)
        if len(keys) == 1:
            if not self._left_in_partition or self._last_ck is None:
                return None
            return PagingState(None, self._last_ck, remaining, self._left_in_partition)
        if self._last_key is None:
            return None
        if self._left_in_partition:
            return PagingState(self._last_key, self._last_ck, remaining, self._left_in_partition)
        following = keys.index(self._last_key) + 1
        if following >= len(keys):
            return None
        return PagingState(keys[following], None, remaining, self.shape.per_partition_limit)


def _computed_at_once(rows: Sequence[StoredRow]) -> int:
    """Of so many rows the values may be taken out at once: they are copies."""
    is_packed = set(map(type, rows)) == {bytes}
    largest = max(map(len if is_packed else estimated_bytes, rows), default=1)
    return max(1, COMPUTED_BYTES // largest)
