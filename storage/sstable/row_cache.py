"""The row cache: what an SSTable has of a partition, decoded (row_cache_size; caching = {'rows_per_partition': ...}).

Cassandra caches partitions as they are, and forgets those that are written to. Here each SSTable's part of one is cached: it
never changes, so nothing has to be forgotten, and what memtables have is merged with it as always. Of a partition its first
rows are kept, as many as the table says; who reads on behind them goes on in the SSTable.

A reader whose table wants it looks here first (`Cached.stored` in place of its own); the others know nothing of it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol
from weakref import ref

from protocol.errors import CorruptionError
from storage.batches import Batch
from storage.memtable.packed import StoredRow
from storage.merged import RawChunk, SourcePartition
from storage.mutation import Cell, Deletion, RangeTombstone, Row
from storage.sought import Sought
from storage.sstable.caches import Generations

ROWS_MAX: Final = 1_000
"""Of a partition no more are kept, whatever the table says: to read them all for one of them would take too long."""
_ENTRY_BYTES: Final = 400
_SINGLE_BYTES: Final = 250
_ROW_BYTES: Final = 100
_GENERAL_ROW_BYTES: Final = 400
_CELL_BYTES: Final = 150
"""What things take beside their bytes."""
_END: Final = b"\xff" * 2

RowCache = Generations[tuple[int, bytes], "bytes | CachedRows"]
"""A partition of one packed row is kept as a memtable has it."""


class Reader(Protocol):
    """What is asked of an SSTable."""

    def own_stored(self, sought: Sought) -> bytes | SourcePartition | None:
        """What it has of a partition, from its file."""

    def maybe_partition(self, key: bytes) -> SourcePartition | None:
        """The same in its general form."""


class Batches(Protocol):
    """An SSTable that is read through."""

    def batches(self) -> Iterator[Batch[bytes | SourcePartition]]: ...


def rows_wanted(caching: str) -> int:
    """How many rows of a partition `rows_per_partition` wants to be kept."""
    return 0 if caching == "NONE" else ROWS_MAX if caching == "ALL" else min(int(caching), ROWS_MAX)


class CachedRows:
    """The first rows of a partition in an SSTable. `limit`: an order key, behind which there are more; None: that is all."""

    __slots__ = ("all_packed", "cks", "deletion", "limit", "rows", "static", "tombstones")

    def __init__(self, partition: SourcePartition, rows_max: int) -> None:
        """Raises CorruptionError."""
        self.deletion, self.static = partition.deletion, partition.static
        self.cks: list[bytes] = []
        self.rows: list[StoredRow] = []
        self.limit: bytes | None = None
        for cks, rows, _ in partition.chunks(b"", _END, False):
            self.cks += cks
            self.rows += rows
            if len(self.cks) > rows_max:
                del self.cks[rows_max:], self.rows[rows_max:]
                self.limit = self.cks[-1] + b"\0"
                break
        self.all_packed = set(map(type, self.rows)) == {bytes}
        self.tombstones = tuple(partition.range_tombstones(b"", self.limit or _END))

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        rows = [*self.rows, *([self.static] if self.static is not None else [])]
        return _ENTRY_BYTES * (1 + len(self.tombstones)) + sum(map(len, self.cks)) + sum(map(_size, rows))


class CachedPartition:
    """A partition of an SSTable, the first rows of which are cached. It keeps the SSTable for whoever reads on."""

    __slots__ = ("_cached", "_key", "_reader", "deletion", "static")

    def __init__(self, reader: Reader, key: bytes, cached: CachedRows) -> None:
        self._reader, self._key, self._cached = reader, key, cached
        self.deletion: Deletion = cached.deletion
        self.static: Row | None = cached.static

    def range_tombstones(self, start: bytes, end: bytes) -> Sequence[RangeTombstone]:
        cached = self._cached
        if cached.limit is not None and end > cached.limit:
            return self._itself().range_tombstones(start, end)
        return [tombstone for tombstone in cached.tombstones if tombstone.end > start and tombstone.start < end]

    def get(self, ck: bytes) -> StoredRow | None:
        cached = self._cached
        if cached.limit is not None and ck >= cached.limit:
            return self._itself().get(ck)
        index = bisect_left(cached.cks, ck)
        return cached.rows[index] if index < len(cached.cks) and cached.cks[index] == ck else None

    def chunks(self, start: bytes, end: bytes, reverse: bool) -> Iterator[RawChunk]:
        cached = self._cached
        is_short = cached.limit is not None and end > cached.limit
        if is_short and (reverse or start >= cached.limit):  # type: ignore[operator]
            yield from self._itself().chunks(start, end, reverse)
            return
        first, last = bisect_left(cached.cks, start), bisect_left(cached.cks, end)
        if first < last:
            cks, rows = cached.cks[first:last], cached.rows[first:last]
            if reverse:
                cks.reverse()
                rows.reverse()
            yield cks, rows, cached.all_packed
        if cached.limit is not None and is_short:
            yield from self._itself().chunks(cached.limit, end, False)

    def _itself(self) -> SourcePartition:
        found = self._reader.maybe_partition(self._key)
        assert found is not None, "the SSTable has the partition, whose rows were read from it"
        return found


class Cached:
    """An SSTable's partitions through the cache. `number` is the SSTable's in it, as its table is now. It does not keep the
    SSTable, which keeps it."""

    __slots__ = ("_cache", "_reader", "_rows_max", "is_loaded", "number")

    def __init__(self, cache: RowCache, number: int, rows_max: int, reader: Reader) -> None:
        self._cache, self.number, self._rows_max, self._reader = cache, number, rows_max, ref(reader)
        self.is_loaded = False
        """Whether all that there is room for is in the cache."""

    def stored(self, sought: Sought) -> bytes | SourcePartition | None:
        reader, key = self._reader(), sought.key
        assert reader is not None, "it is asked by way of it"
        known = self._cache.get((self.number, key))
        if known is None:
            found = reader.own_stored(sought)
            if found is None:
                return None
            self._cache.misses += 1
            try:
                known, size = self._made(key, found)
            except CorruptionError:  # which may concern rows that nobody has asked for
                return found
            self._cache.put((self.number, key), known, size)
        return CachedPartition(reader, key, known) if isinstance(known, CachedRows) else known

    def load(self, reader: Batches, point: Callable[[], None]) -> None:
        """Everything into the cache, as long as there is room; `point` is called in between. Raises CorruptionError."""
        cache = self._cache
        for positions, contents in reader.batches():
            point()
            for position, stored in zip(positions, contents, strict=True):
                made, size = self._made(position[8:], stored)
                if not cache.has_room(size):
                    self.is_loaded = True
                    return
                cache.put((self.number, position[8:]), made, size)
        self.is_loaded = True

    def _made(self, key: bytes, stored: bytes | SourcePartition) -> tuple[bytes | CachedRows, int]:
        """What is kept of a partition, and how much it takes. Raises CorruptionError."""
        if isinstance(stored, bytes):
            return stored, len(stored) + len(key) + _SINGLE_BYTES
        made = CachedRows(stored, self._rows_max)
        return made, made.size + len(key)


def _size(row: StoredRow) -> int:
    if isinstance(row, bytes):
        return len(row) + _ROW_BYTES
    return _GENERAL_ROW_BYTES + sum(
        _cell_size(cell)
        for column in row.columns.values()
        for cell in ((column,) if isinstance(column, Cell) else column.cells.values())
    )


def _cell_size(cell: Cell) -> int:
    return _CELL_BYTES + len(cell.value or b"")
