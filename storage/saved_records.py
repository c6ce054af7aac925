"""Partitions as records of the commit log that lead to them, tombstones and all: what is kept of a table, written again."""

from collections.abc import Iterator

from storage.memtable.memtable import CK_LENGTH_MAX, single
from storage.memtable.packed import TIMESTAMP, Layouts
from storage.merged import SourcePartition
from storage.mutation import LIVE, PartitionUpdate, Row, packed_record
from storage.reads import Stored, TableStore

ROWS_PER_RECORD = 500


def records_of(store: TableStore, key: bytes, stored: Stored) -> Iterator[bytes]:
    """Of a partition that the store, or a copy of its memtable, has."""
    if type(stored) is bytes:
        ck_end = 2 + (stored[0] << 8 | stored[1])
        layout = store.layouts.all[int.from_bytes(stored[ck_end : ck_end + TIMESTAMP], "big")]
        yield packed_record(layout.record_prefix, key, stored)
        return
    yield from _records(store.layouts, key, store.general(stored))


def _records(layouts: Layouts, key: bytes, partition: SourcePartition) -> Iterator[bytes]:
    table_id = layouts.table_id
    tombstones = tuple(partition.range_tombstones(b"", b"\xff"))
    if partition.deletion != LIVE or partition.static is not None or tombstones:
        yield PartitionUpdate(table_id, key, partition.deletion, partition.static, {}, tombstones).encode()
    others: dict[bytes, Row] = {}
    for cks, rows, _ in partition.chunks(b"", b"\xff", False):
        for ck, row in zip(cks, rows, strict=True):
            if type(row) is bytes and len(ck) <= CK_LENGTH_MAX:
                yield packed_record(layouts.of(row).record_prefix, key, single(ck, row))
                continue
            others[ck] = layouts.explode(row)
            if len(others) == ROWS_PER_RECORD:
                yield PartitionUpdate(table_id, key, rows=others).encode()
                others = {}
    if others:
        yield PartitionUpdate(table_id, key, rows=others).encode()
