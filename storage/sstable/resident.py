"""Small SSTables that are kept as a whole, decoded: of the tables that every client reads when it connects, by key or from
end to end. Others are read from their files, or by way of the row cache."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Protocol
from weakref import ref

from storage.batches import Batch
from storage.memtable.memtable import Position
from storage.merged import SourcePartition
from storage.sought import Sought
from storage.sstable import row_cache
from storage.sstable.row_cache import ROWS_MAX, CachedPartition, CachedRows


class Reader(row_cache.Reader, Protocol):
    """What is asked of an SSTable."""

    def partitions(self) -> Iterator[tuple[Position, SourcePartition]]:
        """All of them."""


class Resident:
    """All of an SSTable, read when it is first asked for something. It does not keep the SSTable, which keeps it."""

    __slots__ = ("_known", "_positions", "_reader")

    def __init__(self, reader: Reader) -> None:
        self._reader = ref(reader)
        self._positions: list[Position] = []
        self._known: dict[bytes, CachedRows] | None = None

    def stored(self, sought: Sought) -> SourcePartition | None:
        known = self._read().get(sought.key)
        return None if known is None else CachedPartition(self._there(), sought.key, known)

    def batches(self, start: Position = b"") -> Iterator[Batch[SourcePartition]]:
        known, reader = self._read(), self._there()
        positions = self._positions[bisect_left(self._positions, start) :]
        yield positions, [CachedPartition(reader, position[8:], known[position[8:]]) for position in positions]

    def _there(self) -> Reader:
        reader = self._reader()
        assert reader is not None, "it is asked by way of it"
        return reader

    def _read(self) -> dict[bytes, CachedRows]:
        """Raises CorruptionError."""
        if self._known is None:
            found = {position: CachedRows(partition, ROWS_MAX) for position, partition in self._there().partitions()}
            self._positions = list(found)
            self._known = {position[8:]: rows for position, rows in found.items()}
        return self._known
