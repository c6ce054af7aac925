"""Which partitions are read and written most, while somebody has asked (nodetool profileload; metrics/Sampler.java).

Nothing of it is on the way of requests otherwise: meanwhile sessions have no fast paths, and what answers them tells here
(Node.profile). What is counted is what this node coordinates.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from cqlserver.metrics.samplers import (
    CONTENTIONS,
    FREQUENCIES,
    READ_ROWS,
    READ_SSTABLES,
    READ_TIME,
    READ_TOMBSTONES,
    READS,
    WRITE_SIZE,
    WRITES,
)
from storage.keys import key_text
from storage.memtable.memtable import Memtable
from storage.mutation import ComplexColumn, PartitionUpdate, Row
from storage.schema.metadata import TableMetadata

if TYPE_CHECKING:
    from storage.reads import TableStore

_TIME, _SHORT, _DELETION = 8, 4, 12
"""Bytes that a timestamp or a time to come takes, a TTL, a deletion (Cassandra's dataSize methods)."""


class AlreadySampling(Exception):
    """Of a table and a sampler that somebody else has at work."""


class Sample(NamedTuple):
    """`error`: by how much the number may be too large."""

    table: str
    value: str
    number: int
    error: int


class StreamSummary:
    """The items that came most often, and about how often, of `capacity` that are remembered (Metwally's Space-Saving):
    a new one takes the place, and the count, of the rarest."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._counts: dict[str, tuple[int, int]] = {}
        """Count and error; of equal counts the one that came to it first stands first."""

    def offer(self, item: str, times: int) -> None:
        found = self._counts.pop(item, None)
        if found is None and len(self._counts) >= self._capacity:
            rarest = min(self._counts, key=lambda one: self._counts[one][0])
            count, _ = self._counts.pop(rarest)
            found = (count, count)
        count, error = found or (0, 0)
        self._counts[item] = (count + times, error)

    def top(self, count: int) -> list[tuple[str, int, int]]:
        found = sorted(self._counts.items(), key=lambda entry: -entry[1][0])
        return [(item, *numbers) for item, numbers in found[:count]]


class Largest:
    """The items with the largest values, `capacity` of them; one may come several times."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: list[tuple[str, int, int]] = []

    def offer(self, item: str, value: int) -> None:
        self._items.append((item, value, 0))
        if len(self._items) >= 2 * self._capacity:
            self._items = self.top(self._capacity)

    def top(self, count: int) -> list[tuple[str, int, int]]:
        return sorted(self._items, key=lambda one: -one[1])[:count]


class Profile:
    """What is sampled: of tables, by sampler, until a time. `clock`: seconds; `store_of`: a table's own."""

    def __init__(self, clock: Callable[[], float], store_of: "Callable[[UUID], TableStore]") -> None:
        self.clock = clock
        self._store_of = store_of
        self._summaries: dict[tuple[UUID, str], tuple[StreamSummary | Largest, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._summaries)

    def begin(self, tables: Iterable[TableMetadata], samplers: Iterable[str], capacity: int, seconds: float) -> None:
        """Raises AlreadySampling."""
        wanted = [(table.id, sampler) for table in tables for sampler in samplers]
        if any(key in self._summaries for key in wanted):
            raise AlreadySampling("Sampling already in progress")
        until_s = self.clock() + seconds
        for key in wanted:
            self._summaries[key] = (StreamSummary if key[1] in FREQUENCIES else Largest)(capacity), until_s

    def finish(self, tables: Sequence[TableMetadata], samplers: Iterable[str], count: int) -> dict[str, list[Sample]]:
        """By sampler, `count` of each."""
        told = {}
        for sampler in samplers:
            found = []
            for table in tables:
                summary, _ = self._summaries.pop((table.id, sampler), (None, 0.0))
                if summary is not None:
                    found += [Sample(str(table), *one) for one in summary.top(count)]
            told[sampler] = sorted(found, key=lambda sample: -sample.number)[:count]
        return told

    # --- what requests tell --------------------------------------------------------------------------------------------

    def read(self, table: TableMetadata, key: bytes, rows: int, tombstones: int) -> None:
        """A partition."""
        text = key_text(table, key)
        self._add(table, READ_ROWS, text, rows)
        self._add(table, READ_TOMBSTONES, text, tombstones)
        if self._takes(table, READ_SSTABLES):
            sources = self._store_of(table.id).flushed
            found = [one for one in sources if not isinstance(one, Memtable) and one.maybe_partition(key) is not None]
            self._add(table, READ_SSTABLES, text, len(found))

    def read_by_key(self, table: TableMetadata, key: bytes) -> None:
        """A partition that was asked for, and is there."""
        self._add(table, READS, key_text(table, key), 1)

    def read_before_write(self, table: TableMetadata, key: bytes) -> None:
        """What a write was to depend on."""
        if self._takes(table, READS) and self._store_of(table.id).maybe_stored(key) is not None:
            self.read_by_key(table, key)

    def read_took(self, table: TableMetadata, query: str, seconds: float) -> None:
        self._add(table, READ_TIME, query, int(seconds * 1e6))

    def wrote_all(self, updates: "Iterable[tuple[TableMetadata, PartitionUpdate]]") -> None:
        for table, update in updates:
            self._wrote(table, update.key, partial(update_size, update))

    def wrote_packed(self, store: "TableStore", key: bytes, row: bytes) -> None:
        self._wrote(store.table, key, lambda: packed_size(store.layouts.explode(row)))

    def _wrote(self, table: TableMetadata, key: bytes, size: Callable[[], int]) -> None:
        text = key_text(table, key)
        self._add(table, WRITES, text, 1)
        if self._takes(table, WRITE_SIZE):
            self._add(table, WRITE_SIZE, text, size())

    def contended(self, table: TableMetadata, key: bytes, count: int) -> None:
        """A conditional write began anew that often, because others were at it."""
        self._add(table, CONTENTIONS, key_text(table, key), count)

    def _takes(self, table: TableMetadata, sampler: str) -> bool:
        found = self._summaries.get((table.id, sampler))
        return found is not None and self.clock() <= found[1]

    def _add(self, table: TableMetadata, sampler: str, item: str, value: int) -> None:
        found = self._summaries.get((table.id, sampler))
        if found is not None and value > 0 and self.clock() <= found[1]:
            found[0].offer(item, value)


def update_size(update: PartitionUpdate) -> int:
    """In bytes (db/partitions/PartitionUpdate.java, dataSize)."""
    size = _TIME + row_size(update.static or Row(()))
    size += sum(row_size(row) for row in update.rows.values())
    if update.range_tombstones:
        size += _SHORT
    for tombstone in update.range_tombstones:
        size += sum(map(len, (*tombstone.start_values, *tombstone.end_values))) + _TIME + _SHORT
    return size


def row_size(row: Row) -> int:
    """In bytes (db/rows/BTreeRow.java, dataSize)."""
    size = sum(map(len, row.clustering)) + _TIME + (_SHORT + _TIME if row.liveness.ttl_s else 0) + _DELETION + 1
    for column in row.columns.values():
        cells = column.cells if isinstance(column, ComplexColumn) else {b"": column}
        size += _DELETION if isinstance(column, ComplexColumn) else 0
        size += sum(_TIME + _SHORT + _TIME + len(path) + len(cell.value or b"") for path, cell in cells.items())
    return size


def packed_size(row: Row) -> int:
    """Of an update that is that row alone."""
    return _TIME + row_size(Row(())) + row_size(row)
