"""What a change of the schema writes into system_schema: packed rows, and deletions of ranges and partitions.

Each node keeps system_schema for itself, and nobody but a change of the schema writes there, one after the other. So a
deletion is done when it has been applied: it isn't kept, and tables that come and go by the thousand leave nothing behind
in memory. (It must be kept as soon as older rows may lie in flushed files.)
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias
from uuid import UUID

from storage.mutation import LIVE, PartitionUpdate, packed_record
from storage.packed import Layout
from storage.partition import Partition
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


def schema_records(write: SchemaWrite, store: TableStore) -> list[bytes]:
    """Records of the commit log."""
    if isinstance(write, PartitionUpdate):
        return [write.encode()]
    prefix = _layout(write, store).record_prefix
    return [packed_record(prefix, write.key, ck, write.timestamp + values) for ck, values in write.rows]


def apply_schema_write(write: SchemaWrite, store: TableStore) -> None:
    memtable = store.memtable
    if isinstance(write, PartitionUpdate):
        memtable.apply(write)
        if write.range_tombstones or write.deletion is not LIVE:
            partition = memtable.get(write.key)
            assert isinstance(partition, Partition), write.key
            partition.forget_deletions()
        return
    head = _layout(write, store).row_prefix + write.timestamp
    for ck, values in write.rows:
        memtable.apply_packed(write.key, ck, head + values)


def _layout(write: PackedRows, store: TableStore) -> Layout:
    layout = store.layouts.maybe_layout(write.columns, True)
    assert layout is not None, write.columns  # there are not that many lists of columns
    return layout
