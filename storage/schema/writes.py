"""What a change of the schema writes into system_schema: packed rows, and deletions of ranges and partitions.

Nobody but a change of the schema writes into system_schema, one after the other. So on a node that is alone a deletion is
done when it has been applied: it isn't kept, and tables that come and go by the thousand leave nothing behind in memory.
Where older rows may lie in SSTables it is, and where other nodes may tell of them (TableStore.keeps_deletions).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias
from uuid import UUID

from storage.commitlog.records import rows_record
from storage.environment.strands import is_interruptible, paused
from storage.memtable.drafts import ROWS_MIN, Draft
from storage.memtable.memtable import Memtable, single
from storage.memtable.packed import Layout
from storage.mutation import LIVE, PartitionUpdate, packed_record
from storage.reads import TableStore


class PackedRows(NamedTuple):
    """Whole rows of one partition with the same columns, none of them null. `rows`: (order key, wire values of clustering
    and columns); `timestamp`: 8 bytes, as in a packed row."""

    table_id: UUID
    key: bytes
    timestamp: bytes
    columns: tuple[str, ...]
    rows: Sequence[tuple[bytes, bytes]]


SchemaWrite: TypeAlias = PartitionUpdate | PackedRows


def schema_record(write: SchemaWrite, store: TableStore) -> bytes:
    """Its record in the commit log."""
    if isinstance(write, PartitionUpdate):
        return write.encode()
    prefix = _layout(write, store).record_prefix
    if len(write.rows) == 1:
        ck, values = write.rows[0]
        row = _layout(write, store).row_prefix + write.timestamp + values
        return packed_record(prefix, write.key, single(ck, row))
    return rows_record(prefix, write.key, write.timestamp, [values for _, values in write.rows])


class PreparedWrites:
    """What to write into one partition. Where that is much it is drafted beside it, with pauses, when this is made."""

    def __init__(self, store: TableStore, writes: Sequence[SchemaWrite]) -> None:
        self._store, self._writes = store, writes
        self._draft: Draft | None = None
        if sum(map(_size, writes)) >= ROWS_MIN and is_interruptible() and type(store.memtable) is Memtable:
            self._draft = Draft(store, writes[0].key)
            for write in writes:
                _draft_write(self._draft, write, store)

    def apply(self) -> None:
        """In one piece."""
        if self._draft is not None and self._draft.is_current:
            self._draft.take_place()
            return
        for write in self._writes:
            apply_schema_write(write, self._store)


def prepared(writes: Iterable[SchemaWrite], stores: Mapping[UUID, TableStore]) -> list[PreparedWrites]:
    """By partition, in the order in which they come."""
    places: dict[tuple[UUID, bytes], list[SchemaWrite]] = {}
    for write in writes:
        places.setdefault((write.table_id, write.key), []).append(write)
    return [PreparedWrites(stores[table_id], grouped) for (table_id, _), grouped in places.items()]


def _size(write: SchemaWrite) -> int:
    if not isinstance(write, PartitionUpdate):
        return len(write.rows)
    return len(write.range_tombstones) if write.deletion is LIVE else 0


def _draft_write(draft: Draft, write: SchemaWrite, store: TableStore) -> None:
    """What `apply_schema_write` does."""
    if not isinstance(write, PartitionUpdate):
        head = _layout(write, store).row_prefix + write.timestamp
        draft.put((ck, head + values) for ck, values in paused(write.rows))
    elif store.flushed or store.keeps_deletions or write.rows:
        draft.update(write)
    else:
        draft.cover_ranges(paused(write.range_tombstones))


def apply_schema_write(write: SchemaWrite, store: TableStore) -> None:
    memtable = store.memtable
    if not isinstance(write, PartitionUpdate):
        head = _layout(write, store).row_prefix + write.timestamp
        memtable.apply_packed_rows(write.key, head, [ck for ck, _ in write.rows], [values for _, values in write.rows])
    elif store.flushed or store.keeps_deletions:
        memtable.apply(write)
    elif write.deletion is not LIVE:
        memtable.remove(write.key)
    elif write.range_tombstones:
        memtable.cover_ranges(write.key, write.range_tombstones)
    else:
        memtable.apply(write)


def _layout(write: PackedRows, store: TableStore) -> Layout:
    layout = store.layouts.maybe_layout(write.columns, True)
    assert layout is not None, write.columns  # there are not that many lists of columns
    return layout
