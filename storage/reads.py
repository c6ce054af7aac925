"""Reads of one table: sources merged, deletions applied, the dead left out, lazily.

A `TableStore` holds a table's sources: the memtable, memtables that are being flushed, and SSTables. One source is the fast
way: a partition in memory has its deletions applied already (partition.py), so its packed rows go to the reader as they are.
A partition of several sources is merged (merged.py). A row whose every column a newer source has is not looked for further.

A row is live when its marker is live or any of its cells is, whichever columns are selected. Expired is dead: a cell
with `local_deletion_s <= now_s`. Cells of a dropped column that are older than its dropping do not exist.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from storage.batches import SOURCES_PER_GO_MAX, Batch, Item, in_order
from storage.compaction.purging import Purger
from storage.environment.strands import ITEMS_PER_GO_MAX, let_go_piecewise, long_work, paused, undisturbed
from storage.memtable.counter_cache import CounterCache, has_deletions
from storage.memtable.memtable import TIMESTAMP_MAX_US, Memtable, Position, SingleRow, position_of, split_single
from storage.memtable.merging import memtable_of
from storage.memtable.packed import TIMESTAMP, VALUES, Layouts, StoredRow, timestamp_of
from storage.memtable.partition import Partition
from storage.merged import MergedPartition, SourcePartition, maybe_newer, merged_row
from storage.mutation import LIVE, NO_TIMESTAMP, Cell, ComplexColumn, Deletion, PartitionUpdate, Row
from storage.passed_over import hides, marker_count, passed_over
from storage.projection import PartitionProjector, Projector
from storage.reconcile import Resolve, live_row, resolver
from storage.schema.metadata import ColumnMetadata, TableMetadata
from storage.sought import Layers, Sought

if TYPE_CHECKING:
    from storage.indexes.table_indexes import TableIndexes
    from storage.views.table_views import TableViews

Chunk = tuple[list[bytes], list[StoredRow]]
Stored = bytes | SingleRow | SourcePartition
"""A partition as a source has it."""
_position = itemgetter(0)

BYTES_DROPPED_PER_GO_MAX: Final = 1 << 20
"""Of rows in memory: to free more takes milliseconds."""


class Slice(NamedTuple):
    """Clusterings with start <= ck < end, in order keys (keys.before, keys.after, keys.row_end)."""

    start: bytes
    end: bytes


ASKED_EACH_MAX: Final = 16
"""Of more sources than these it is looked first which of them may have a key."""
ALL_ROWS: Final = Slice(b"", b"\xff")
EVERYTHING: Final = (ALL_ROWS,)
FIRST_POSITION: Final[Position] = b""
_BYTES: Final = {bytes}
_NOTHING: Final = (0,)


class Source(Protocol):
    """What holds partitions of a table: a memtable, an SSTable. Nothing in it is newer than `max_timestamp_us`. `stored`
    gives a partition as it has it, `maybe_partition` in its general form."""

    @property
    def max_timestamp_us(self) -> int: ...
    def stored(self, sought: Sought) -> Stored | None: ...
    def maybe_partition(self, key: bytes) -> SourcePartition | None: ...
    def batches(self, start: Position = FIRST_POSITION) -> Iterator[Batch[Stored]]: ...


class Singles(NamedTuple):
    """Partitions of just one row, which is live and packed, without a static row: each as a memtable has it
    (memtable.split_single)."""

    positions: Sequence[Position]
    partitions: Sequence[bytes]


class SavedData(NamedTuple):
    """A table's data at a moment; nobody writes to it."""

    memtable: Memtable
    flushed: tuple[Source, ...]
    counter_cache: CounterCache


class PartitionView:
    """What a reader sees of one partition: live data only, in the order asked for.

    The rows come once: use one of `chunks`, `rows` and `items`, and stop when there is enough. There may be none, with
    or without a `static` row: whether a partition with nothing but static columns counts is SELECT's rule.
    """

    __slots__ = ("_chunks", "_dead", "key", "static")

    def __init__(self, key: bytes, static: Row | None, chunks: Iterable[Chunk], dead: Sequence[int] = _NOTHING) -> None:
        """`dead`: of one number, which grows while the chunks are read."""
        self.key = key
        self.static = static
        self._chunks = chunks
        self._dead = dead

    @property
    def tombstones(self) -> int:
        """How many were passed over until now: dead cells, deleted rows that have none, both ends of ranges."""
        return self._dead[0]

    def chunks(self) -> Iterator[Chunk]:
        """(order keys, rows) in parallel lists, which are empty where nothing of a chunk lives."""
        return iter(self._chunks)

    def rows(self) -> Iterator[StoredRow]:
        return chain.from_iterable(rows for _, rows in self._chunks)

    def items(self) -> Iterator[tuple[bytes, StoredRow]]:
        """(order key, row)."""
        for cks, rows in self._chunks:
            yield from zip(cks, rows, strict=True)


class TableStore:
    """One table's data on this node."""

    __slots__ = (
        "_dropped_us", "_layers", "_merges_all", "_needs_liveness", "_resolve", "_whole", "awaited", "counter_cache",
        "flushed", "has_derived", "indexes", "keeps_deletions", "layouts", "memtable", "sources_read", "table", "views",
    )  # fmt: skip

    def __init__(self, table: TableMetadata) -> None:
        self.table = table
        self.keeps_deletions = False
        """Of a table of system_schema: others may tell of what was deleted (schema/writes.py)."""
        self.awaited = 0
        """Changes that are in the log, and will be in the memtable soon: until then it is not flushed."""
        self._needs_liveness = table.needs_liveness
        self.layouts = Layouts(
            table.id, len(table.clustering), are_counters=table.is_counter, needs_marker=table.needs_liveness
        )
        self._resolve = resolver(table)
        self._merges_all = self._resolve.keeps_clustering or self.layouts.are_counters
        self.memtable = memtable_of(self.layouts, self._resolve)
        self.flushed: tuple[Source, ...] = ()
        self._layers: Layers[Source] = Layers(())  # of `flushed`, as soon as it is asked for
        self.sources_read: dict[int, int] = {}
        """Reads of one partition or row by how many of `flushed` had it, where there are any; nobody takes it back."""
        self.counter_cache = CounterCache()
        self.indexes: TableIndexes | None = None
        self.views: TableViews | None = None
        self.has_derived = False
        """Whether writes change other tables, too: has indexes or views."""
        self._dropped_us: dict[str, int] = {}
        self._whole: dict[int, bool] = {}  # by layout
        self.set_table(table)

    def set_table(self, table: TableMetadata) -> None:
        """The table's schema changed: same id, same primary key. Columns came or went, or fields of their types."""
        self.table = table
        self._resolve = resolver(table)
        self.memtable.set_resolve(self._resolve)
        self._dropped_us = {name: column.dropped_time_us for name, column in table.dropped_columns.items()}
        self._whole = {}

    @property
    def resolve(self) -> Resolve:
        """How two versions of a row meet."""
        return self._resolve

    def truncate(self) -> None:
        """Forgets all data; views that are being read keep theirs."""
        self.truncate_memtable()
        self.flushed = ()

    def truncate_memtable(self) -> None:
        """Forgets what was not flushed."""
        self.let_go()
        self.memtable = memtable_of(self.layouts, self._resolve)
        self.counter_cache = CounterCache()
        self._reset_derived()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever written, or all of it was truncated."""
        return not self.flushed and not len(self.memtable)

    @property
    def is_being_flushed(self) -> bool:
        """Whether a memtable is a source beside the one that takes writes."""
        return any(isinstance(source, Memtable) for source in self.flushed)

    def save(self) -> SavedData:
        """What there is now. Costs the copy of the memtable's dicts."""
        return SavedData(self.memtable.copy(), self.flushed, self.counter_cache.copy())

    def bring_back(self, saved: SavedData) -> None:
        """Has again what there was then, and nothing else; views that are being read keep theirs."""
        self.memtable = saved.memtable.copy()
        self.flushed = saved.flushed
        self.counter_cache = saved.counter_cache.copy()
        self._reset_derived()

    def _reset_derived(self) -> None:
        if self.indexes is not None:
            self.indexes.reset()
        if self.views is not None:
            self.views.reset()

    def assure_turns(self) -> None:
        """Before all data is dropped: raises TooLong in a go of the loop where that takes a while."""
        if len(self.memtable) > ITEMS_PER_GO_MAX or self.memtable.live_bytes > BYTES_DROPPED_PER_GO_MAX:
            long_work()

    def assure_turns_for_read(self) -> None:
        """Before a partition is read: the same, where it may lie in so many SSTables that asking them takes a while. Such a
        read pauses; one that somebody begins without this does not."""
        if len(self.flushed) > ITEMS_PER_GO_MAX:
            long_work()

    def let_go(self) -> None:
        """This data is about to be dropped."""
        let_go_piecewise(self.memtable.pieces())

    def switch_memtable(self) -> Memtable:
        """A new memtable takes the writes; the one that did stays a source, the newest of those to be flushed."""
        before, self.memtable = self.memtable, memtable_of(self.layouts, self._resolve)
        self.flushed = (before, *self.flushed)
        return before

    # -- writing ------------------------------------------------------------------------------------------------------

    def apply_packed(self, key: bytes, ck: bytes, row: bytes) -> None:
        self.memtable.apply_packed_rows(key, row[:VALUES], [ck], [row[VALUES:]])

    def apply(self, update: PartitionUpdate) -> None:
        if self.layouts.are_counters and has_deletions(update):
            self.counter_cache.remember(update, self.maybe_stored(update.key), self.layouts.explode)
        undisturbed(partial(self.memtable.apply, update))

    # -- reading ------------------------------------------------------------------------------------------------------

    def row_at(self, key: bytes, ck: bytes, now_s: int) -> StoredRow | None:
        """The live row of one full clustering (b"" where the table has none), None when there is none."""
        if not self.flushed and not self._dropped_us:
            found = self.memtable.get(key)
            if type(found) is bytes:
                # full clusterings are prefix-free: to begin with ck is to be ck
                return found[2 + len(ck) :] if found.startswith(ck, 2) else None
            if found is None:
                return None
            if isinstance(found, Partition):
                row = found.get(ck)
                return row if row is None or type(row) is bytes else self.live(row, now_s)
            assert isinstance(found, SingleRow)
            return self.live(found.row, now_s) if found.ck == ck else None
        return self._row_of_sources(key, ck, now_s)

    def clear_row_at(self, key: bytes, ck: bytes, now_s: int) -> StoredRow | None:
        """The same, where it is plain that no tombstone is passed over on the way; else no bytes at all, which no row is."""
        if self._dropped_us:
            return b""
        if self.flushed:
            versions, covering = self._versions(key, ck)
            is_clear = covering == LIVE and all(type(version) is bytes for version in versions)
            return self._row_of_versions(versions, covering, now_s) if is_clear else b""
        found = self.memtable.get(key)
        if type(found) is bytes:
            return found[2 + len(ck) :] if found.startswith(ck, 2) else None
        if found is None:
            return None
        if not isinstance(found, Partition) or found.tombstones is not None:
            return b""
        row = found.get(ck)
        return row if row is None or type(row) is bytes else b""

    def _row_of_sources(self, key: bytes, ck: bytes, now_s: int) -> StoredRow | None:
        """The same from memtable and flushed sources."""
        return self._row_of_versions(*self._versions(key, ck), now_s)

    def _versions(self, key: bytes, ck: bytes) -> tuple[list[StoredRow], Deletion]:
        """What the sources have of a row, the newest first, and the newest deletion that they have over it."""
        covering = LIVE
        found = 0
        versions: list[StoredRow] = []
        whole_us = NO_TIMESTAMP
        sought = Sought(key)
        for source in chain((self.memtable,), self._around(sought)):
            if source.max_timestamp_us < whole_us:
                break  # this one, and all that follow
            stored = source.stored(sought)
            if stored is None:
                continue
            found += source is not self.memtable
            row: StoredRow | None
            if type(stored) is bytes:
                row = stored[2 + len(ck) :] if stored.startswith(ck, 2) else None  # as in row_at
            else:
                partition = self.general(stored)
                covering = max(covering, partition.deletion)
                for tombstone in partition.range_tombstones(ck, ck + b"\0"):
                    covering = max(covering, tombstone.deletion)
                row = partition.get(ck)
            if row is not None:
                versions.append(row)
                if type(row) is bytes and self._is_whole(row):
                    whole_us = max(whole_us, timestamp_of(row))
        self.sources_read[found] = self.sources_read.get(found, 0) + 1
        return versions, covering

    def _row_of_versions(self, versions: Sequence[StoredRow], covering: Deletion, now_s: int) -> StoredRow | None:
        if len(versions) == 1 and type(row := versions[0]) is bytes:
            return self.live(row, now_s) if timestamp_of(row) > covering.timestamp_us else None
        explode = self.layouts.explode
        merged = merged_row([explode(version) for version in versions], covering, self._resolve)
        live = None if merged is None else live_row(merged, now_s, self._dropped_us, self._needs_liveness)
        return None if live is None else self.layouts.maybe_pack(live) or live

    def _is_whole(self, row: bytes) -> bool:
        """Whether a packed row has all that there can be: nothing older is of interest."""
        index = int.from_bytes(row[:TIMESTAMP], "big")
        known = self._whole.get(index)
        if known is None:
            layout = self.layouts.of(row)
            regulars = {column.name for column in self.table.regulars}
            known = set(layout.columns) == regulars and layout.has_marker and not self.layouts.are_counters
            self._whole[index] = known
        return known

    def read(self, key: bytes, slices: Sequence[Slice], now_s: int, reverse: bool = False) -> PartitionView | None:
        """One partition's rows within the slices, which are disjoint and ascend (in either direction of reading).

        None when nothing was ever written to the partition.
        """
        if not self.flushed:
            found = self.memtable.get(key)
            if found is None:
                return None
            if isinstance(found, Partition):
                return self._view(key, found, slices, now_s, reverse)
            return self._view_of_single(key, found, slices, now_s)
        several = self._all_stored(key)
        if not several:
            return None
        stored = several[0] if len(several) == 1 else self.combined(several)
        if isinstance(stored, (bytes, SingleRow)):
            return self._view_of_single(key, stored, slices, now_s)
        return self._view(key, stored, slices, now_s, reverse)

    def expect(self, keys: Sequence[bytes], slices: Sequence[Slice], now_s: int, reverse: bool = False) -> None:
        """That `read` will be asked for these partitions, in this order: whoever has to fetch them may begin."""

    def maybe_stored(self, key: bytes) -> SourcePartition | None:
        """A partition as it is stored, tombstones and all, whatever sources it lies in."""
        several = self._all_stored(key)
        if not several:
            return None
        return self.general(several[0] if len(several) == 1 else self.combined(several))

    def merged(self, partitions: Sequence[SourcePartition]) -> SourcePartition:
        """Of one key, in several sources or in one."""
        return partitions[0] if len(partitions) == 1 else MergedPartition(partitions, self.layouts, self._resolve)

    @property
    def has_dropped_columns(self) -> bool:
        """Whether rows may hold what is not to be seen any more."""
        return bool(self._dropped_us)

    def prepare_scan(self) -> bool:
        """A step of what a scan needs first; whether that was the last. A scan that nobody prepared does it all at once."""
        return self.memtable.place_keys()

    def scan(
        self,
        now_s: int,
        start: Position = FIRST_POSITION,
        end: Position | None = None,
        slices: Sequence[Slice] = EVERYTHING,
        reverse: bool = False,
    ) -> Iterator[PartitionView]:
        """The partitions from position `start` on (inclusive) and before `end`, in token order, lazily.

        `memtable.token_position(token)` is the place before a token, `position_of(key)` a partition's own; behind it
        is `position + b"\\0"`, where a paged scan resumes. `reverse` is the order of rows within each partition.
        """
        for found in self.scan_batches(now_s, start, end, slices, reverse):
            if isinstance(found, PartitionView):
                yield found
                continue
            for position, partition in zip(*found, strict=True):
                ck, row = split_single(partition)
                yield PartitionView(position[8:], None, (([ck], [row]),))

    @property
    def keeps_singles(self) -> bool:
        """Whether a partition of one packed row is in memory, as bytes, and is what is read of it."""
        return not self.flushed and not self._dropped_us and not self.table.statics

    def scan_batches(
        self,
        now_s: int,
        start: Position = FIRST_POSITION,
        end: Position | None = None,
        slices: Sequence[Slice] = EVERYTHING,
        reverse: bool = False,
    ) -> Iterator[Singles | PartitionView]:
        """The same; partitions of one row each come together, if all of a partition is wanted."""
        takes_singles = slices == EVERYTHING and not self._dropped_us
        sources = (self.memtable, *self.flushed)
        if len(sources) > SOURCES_PER_GO_MAX:
            long_work()
        for items in in_order([source.batches(start) for source in sources]):
            is_last = end is not None and items[-1][0] >= end
            wanted = items[: bisect_left(items, end, key=_position)] if is_last else items
            if wanted:
                yield from self._views(wanted, takes_singles, slices, now_s, reverse)
            if is_last:
                return

    def _views(
        self, items: Sequence[Item[Stored]], takes_singles: bool, slices: Sequence[Slice], now_s: int, reverse: bool
    ) -> Iterator[Singles | PartitionView]:
        positions, stored = self._combined(items)
        if takes_singles and set(map(type, stored)) == _BYTES:
            yield Singles(positions, stored)  # type: ignore[arg-type]  # they are all bytes
            return
        first = 0
        for number, (position, partition) in enumerate(zip(positions, stored, strict=True)):
            if takes_singles and type(partition) is bytes:
                continue
            if first < number and takes_singles:
                yield Singles(positions[first:number], stored[first:number])  # type: ignore[arg-type]
            first = number + 1
            if isinstance(partition, (bytes, SingleRow)):
                yield self._view_of_single(position[8:], partition, slices, now_s)
            else:
                yield self._view(position[8:], partition, slices, now_s, reverse)
        if takes_singles and first < len(positions):
            yield Singles(positions[first:], stored[first:])  # type: ignore[arg-type]

    def _combined(self, items: Sequence[Item[Stored]]) -> tuple[Sequence[Position], Sequence[Stored]]:
        """What several sources have of a partition becomes one."""
        positions, _, stored = zip(*items, strict=True)
        if len(set(positions)) == len(positions):
            return positions, stored
        several: dict[Position, list[Stored]] = {}
        for position, _, partition in items:
            several.setdefault(position, []).append(partition)
        return list(several), [found[0] if len(found) == 1 else self.combined(found) for found in several.values()]

    def combined(self, several: Sequence[Stored]) -> Stored:
        """What two and more sources have of a partition as one, the newest source first."""
        newest: Stored | None = several[0] if not self._merges_all else None
        for other in several[1:]:
            newest = maybe_newer(newest, other)
        return newest if newest is not None else self.merged([self.general(each) for each in several])

    def stored_partitions(
        self, start: Position = FIRST_POSITION, end: Position | None = None
    ) -> Iterator[tuple[Position, SourcePartition]]:
        """All partitions of a range as they are stored, tombstones and all, in token order, lazily."""
        for position, stored in self._stored((self.memtable, *self.flushed), start):
            if end is not None and position >= end:
                return
            yield position, self.general(stored)

    def flushed_partitions(self, start: Position) -> Iterator[tuple[Position, SourcePartition]]:
        """The same of what the memtable does not have."""
        return ((position, self.general(stored)) for position, stored in self._stored(self.flushed, start))

    def stored_in(self, saved: SavedData) -> Iterator[tuple[Position, Stored]]:
        """The same of what this store had."""
        return self._stored((saved.memtable, *saved.flushed), FIRST_POSITION)

    def _stored(self, sources: Sequence[Source], start: Position) -> Iterator[tuple[Position, Stored]]:
        for items in in_order([source.batches(start) for source in sources]):
            yield from zip(*self._combined(items), strict=True)

    def general(self, stored: Stored) -> SourcePartition:
        return self.memtable.general(stored) if isinstance(stored, (bytes, SingleRow)) else stored

    def projector(self, columns: Sequence[ColumnMetadata]) -> Projector:
        """For clustering and regular columns."""
        return Projector(self.table, self.layouts, columns)

    def partition_projector(self, columns: Sequence[ColumnMetadata]) -> PartitionProjector:
        """For columns of any kind."""
        return PartitionProjector(self.table, self.layouts, columns)

    def clustering(self, row: StoredRow) -> tuple[bytes, ...]:
        """The serialised clustering values of a row."""
        return self.layouts.clustering(row)

    def maybe_cell(self, row: StoredRow, name: str) -> Cell | ComplexColumn | None:
        """A live row's cell(s) of a column, with timestamps and TTL: for writetime, ttl and conditions."""
        return self.layouts.explode(row).columns.get(name)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _all_stored(self, key: bytes) -> list[Stored]:
        """What each source has of a partition, the newest source first."""
        sought = Sought(key)
        of_memtable = self.memtable.get(key)
        found = [stored for source in self._around(sought) if (stored := source.stored(sought)) is not None]
        self.sources_read[len(found)] = self.sources_read.get(len(found), 0) + 1
        return found if of_memtable is None else [of_memtable, *found]

    def _around(self, sought: Sought) -> Iterable[Source]:
        """Which of `flushed` may have a partition; a few are asked themselves."""
        if len(self.flushed) <= ASKED_EACH_MAX:
            return self.flushed
        if self._layers.sources is not self.flushed:
            self._layers = Layers(self.flushed)
        return paused(self._layers.around(sought.place()))

    def live(self, row: StoredRow, now_s: int) -> StoredRow | None:
        if type(row) is bytes:
            if not self._dropped_us:
                return row
            row = self.layouts.explode(row)
        assert isinstance(row, Row)
        return live_row(row, now_s, self._dropped_us, self._needs_liveness)

    def _view_of_single(self, key: bytes, found: bytes | SingleRow, slices: Sequence[Slice], now_s: int) -> PartitionView:
        ck: bytes
        stored: StoredRow
        ck, stored = split_single(found) if isinstance(found, bytes) else found
        for start, end in slices:
            if start <= ck < end:
                row = self.live(stored, now_s)
                is_clear = type(stored) is bytes or not hides(stored, row)
                dead = _NOTHING if is_clear else (self._passed_over(stored, row, now_s),)
                return PartitionView(key, None, () if row is None else (([ck], [row]),), dead)
        return PartitionView(key, None, ())

    def _view(
        self, key: bytes, partition: SourcePartition, slices: Sequence[Slice], now_s: int, reverse: bool
    ) -> PartitionView:
        static = stored = partition.static
        dead = [0]
        if stored is not None:
            static = live_row(stored, now_s, self._dropped_us)
            if hides(stored, static):
                dead[0] = self._passed_over(stored, static, now_s)
        return PartitionView(key, static, self._live_chunks(partition, slices, now_s, reverse, dead), dead)

    def _live_chunks(
        self, partition: SourcePartition, slices: Sequence[Slice], now_s: int, reverse: bool, dead: list[int]
    ) -> Iterator[Chunk]:
        for start, end in reversed(slices) if reverse else slices:
            for cks, rows, all_packed in partition.chunks(start, end, reverse):
                if all_packed and not self._dropped_us:
                    yield cks, rows
                    continue
                live_cks: list[bytes] = []
                live_rows: list[StoredRow] = []
                for ck, row in zip(cks, rows, strict=True):
                    live = self.live(row, now_s)
                    if type(row) is not bytes and hides(row, live) and (count := self._passed_over(row, live, now_s)):
                        if live_cks:  # whoever has enough of those does not pass over this one
                            yield live_cks, live_rows
                            live_cks, live_rows = [], []
                        dead[0] += count
                    if live is not None:
                        live_cks.append(ck)
                        live_rows.append(live)
                yield live_cks, live_rows
            if ranges := partition.range_tombstones(start, end):
                dead[0] += marker_count([*self._purger(now_s).tombstones(ranges)])

    def _passed_over(self, row: StoredRow, live: StoredRow | None, now_s: int) -> int:
        assert isinstance(row, Row)
        return passed_over(self._purger(now_s).row(row), live is not None)

    def _purger(self, now_s: int) -> Purger:
        """Leaves out what any replica may have purged."""
        return Purger(self.layouts, now_s, now_s - self.table.params.gc_grace_seconds, TIMESTAMP_MAX_US)


__all__ = [
    "ALL_ROWS",
    "EVERYTHING",
    "FIRST_POSITION",
    "PartitionView",
    "Slice",
    "Source",
    "SourcePartition",
    "TableStore",
    "position_of",
]
