"""A table as its replicas have it together, in the place of this node's own store: who reads sees no difference.

What is wanted is asked for page by page, as the reader gets there: a limit that is met early costs one page. Waiting is for
strands alone (storage/environment/strands.py), whose caller has to say `long_work` before.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from cluster.coordination.outcome import Outcome
from cluster.coordination.proxy import Proxy
from cluster.coordinator import ReplicaPlan
from cluster.reading.command import ALL_ROWS, ReadCommand
from cluster.reading.criteria import Criteria
from cluster.reading.merging import Page
from cluster.reading.passing import Passing
from cluster.ring import Node
from protocol.errors import RequestError
from storage.environment.strands import wait_for
from storage.keys import row_end
from storage.memtable.memtable import Position, position_of
from storage.memtable.packed import StoredRow
from storage.reads import EVERYTHING, FIRST_POSITION, Chunk, PartitionView, Slice, TableStore

PAGE_ROWS: Final = 5_000
"""Asked for at once where nobody says how many are wanted."""
PARTITIONS_AHEAD: Final = 32
RANGES_AHEAD: Final = 16
"""As many are under way at once, each of them a page."""
_FIRST_TOKEN: Final[Position] = b"\0" * 8


class ReplicatedStore(TableStore):
    """See the module. `rows`: about how many will be wanted; `settle`, if any, is called with each key before it is read.
    Reads raise what the coordinator tells clients, as `refused` has it; `passings`: what replicas passed over for the
    commands that were read, those of the one that failed last; `partition_limit`: so many rows of each partition of a scan
    will be wanted."""

    __slots__ = (
        "_ahead", "_criteria", "_expected", "_plans", "_protected", "_proxy", "_rows", "_settle", "partition_limit",
        "passings", "refused",
    )  # fmt: skip

    def __init__(
        self, local: TableStore, proxy: Proxy, plans: ReplicaPlan, rows: int, settle: Callable[[bytes], None] | None
    ) -> None:
        super().__init__(local.table)
        self.layouts = local.layouts
        self._proxy, self._plans, self._settle = proxy, plans, settle
        self._rows = max(1, min(rows, PAGE_ROWS))
        self._expected: deque[ReadCommand] = deque()
        self._ahead: dict[ReadCommand, tuple[Outcome[Page], Passing[Node]]] = {}
        self.passings: list[tuple[ReadCommand, Passing[Node]]] = []
        self.refused: Callable[[RequestError], RequestError] = lambda error: error
        self._criteria: Criteria | None = None
        self.partition_limit = ALL_ROWS
        self._protected: Callable[[Page], None] = lambda page: None

    def seek(self, criteria: Criteria, protected: Callable[[Page], None]) -> None:
        """From now on gives rows that meet the criteria; others too, so its reader looks at each. `protected` is told of
        each page of several replicas, in which what one of them left out does no harm."""
        self._criteria, self._protected = criteria, protected

    def prepare_scan(self) -> bool:
        return True

    def row_at(self, key: bytes, ck: bytes, now_s: int) -> StoredRow | None:
        view = self.read(key, (Slice(ck, row_end(ck)),), now_s)
        return None if view is None else next(view.rows(), None)

    def read(self, key: bytes, slices: Sequence[Slice], now_s: int, reverse: bool = False) -> PartitionView | None:
        if self._settle is not None:
            self._settle(key)
        return self._read(self._of_partition(key, slices, now_s, reverse))

    def _of_partition(self, key: bytes, slices: Sequence[Slice], now_s: int, reverse: bool) -> ReadCommand:
        criteria, wanted = self._criteria, tuple(slices)
        if criteria is not None and criteria.lookup is not None:
            criteria = replace(criteria, takes_statics=criteria.takes_statics or wanted == EVERYTHING)
        return ReadCommand.of_partition(self.table.id, key, now_s, self._rows, wanted, reverse, criteria)

    def expect(self, keys: Sequence[bytes], slices: Sequence[Slice], now_s: int, reverse: bool = False) -> None:
        if self._settle is None:  # what has to be settled first is read one after the other
            self._expected = deque(self._of_partition(key, slices, now_s, reverse) for key in keys)

    def _first_page(self, command: ReadCommand) -> tuple[Page, Passing[Node]]:
        """With what is expected next under way, too."""
        expected, ahead = self._expected, self._ahead
        if expected and expected[0] == command:
            expected.popleft()
        outcome, passing = ahead.pop(command) if ahead and command in ahead else self._begun(command)
        while expected and len(ahead) < PARTITIONS_AHEAD:
            try:
                ahead[expected[0]] = self._begun(expected[0])
            except RequestError:
                break  # it is told when it is wanted
            expected.popleft()
        self.passings.append((command, passing))
        return self._result(outcome), passing

    def _begun(self, command: ReadCommand) -> tuple[Outcome[Page], Passing[Node]]:
        passing: Passing[Node] = Passing()
        return self._proxy.read(self._plans, command, passing), passing

    def _result(self, outcome: Outcome[Page]) -> Page:
        wait_for(outcome)
        try:
            page = outcome.result
        except RequestError as error:
            raise self.refused(error) from None
        if page.replicas:
            self._protected(page)
        return page

    def scan_batches(
        self,
        now_s: int,
        start: Position = FIRST_POSITION,
        end: Position | None = None,
        slices: Sequence[Slice] = (),
        reverse: bool = False,
    ) -> Iterator[PartitionView]:
        """Ranges of different replicas are asked for together, more of them with each that gave less than was wanted."""
        first, criteria = start or _FIRST_TOKEN, self._criteria
        limit, wanted = self.partition_limit, tuple(slices)
        command = ReadCommand(self.table.id, first, end, now_s, self._rows, wanted, reverse, criteria, limit)
        following: ReadCommand | None = command
        ahead: deque[tuple[ReadCommand, Outcome[Page], Passing[Node]]] = deque()
        window = 1
        while following is not None or ahead:
            while following is not None and len(ahead) < window:
                passing: Passing[Node] = Passing()
                try:
                    outcome, part_end = self._proxy.scan(self._plans, following, passing)
                except RequestError:
                    if ahead:
                        break  # it is told when it is wanted
                    raise
                ahead.append((replace(following, end=part_end), outcome, passing))
                following = None if part_end is None or part_end == end else replace(following, start=part_end)
            yield from self._part_views(*ahead.popleft())
            window = min(2 * window, RANGES_AHEAD)

    def _part_views(
        self, part: ReadCommand, outcome: Outcome[Page], passing: Passing[Node]
    ) -> Iterator[PartitionView]:
        """Of a range whose replicas are asked together, page by page."""
        whole_end = part.end
        self.passings.append((part, passing))
        while True:
            page = self._result(outcome)
            yield from self._partition_views(page, part, passing)
            if page.end is not None:
                start = page.end.position + b"\0"
            elif part.end == whole_end:
                return
            else:
                assert part.end is not None
                start = part.end
            outcome, end = self._proxy.scan(self._plans, replace(part, start=start, end=whole_end), passing)
            part = replace(part, start=start, end=end)

    def _partition_views(self, page: Page, command: ReadCommand, passing: Passing[Node]) -> Iterator[PartitionView]:
        """A page's partitions; of the last one, where the page ends within it, the rest too."""
        cut = page.end if page.end is not None and page.end.ck is not None else None
        is_cut_seen = False
        for view in page.store.scan(command.now_s, command.start, command.end, command.slices, command.reverse):
            if cut is not None and position_of(view.key) == cut.position:
                is_cut_seen = True
                rest = self._rest(command.behind(cut), passing)
                yield PartitionView(view.key, view.static, chain(view.chunks(), rest))
            else:
                yield view
        if cut is not None and not is_cut_seen:
            rest_of_it = self._whole_view(command.behind(cut), self._page(command.behind(cut), passing), passing)
            if rest_of_it is not None:
                yield rest_of_it

    def _read(self, command: ReadCommand) -> PartitionView | None:
        return self._whole_view(command, *self._first_page(command))

    def _whole_view(self, command: ReadCommand, page: Page, passing: Passing[Node]) -> PartitionView | None:
        view = page.store.read(command.key, command.slices, command.now_s, command.reverse)
        if page.end is None:
            return view
        chunks: Iterator[Chunk] = iter(()) if view is None else view.chunks()
        static = None if view is None else view.static
        return PartitionView(command.key, static, chain(chunks, self._rest(command.behind(page.end), passing)))

    def _rest(self, command: ReadCommand, passing: Passing[Node]) -> Iterator[Chunk]:
        """Of one partition, page by page."""
        while command.slices:
            page = self._page(command, passing)
            view = page.store.read(command.key, command.slices, command.now_s, command.reverse)
            if view is not None:
                yield from view.chunks()
            if page.end is None:
                return
            command = command.behind(page.end)

    def _page(self, command: ReadCommand, passing: Passing[Node]) -> Page:
        return self._result(self._proxy.read(self._plans, command, passing))
