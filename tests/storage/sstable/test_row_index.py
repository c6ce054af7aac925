"""Indexes of wide partitions in Rows.db: what separates blocks, tries over many pages, what can't be ordered."""

from dataclasses import replace

import pytest
from sstable_files import FOLDER, contents, written
from storage_tables import bigint_value, wide_table

from protocol.types import TEXT, CqlType, CustomType, TupleType
from storage.environment.memory import MemoryDisk
from storage.keys import clustering_order_key
from storage.mutation import LIVE, Cell, Liveness, PartitionUpdate, Row
from storage.reads import TableStore
from storage.schema.metadata import ColumnKind, TableMetadata
from storage.sstable.comparable import ClusteringForm
from storage.sstable.constants import ROWS, BoundKind
from storage.sstable.index import Block
from storage.sstable.pages import PAGE_BYTES
from storage.sstable.prefixes import Prefix
from storage.sstable.row_index import Mark, marks_of


def table_of(type_: CqlType) -> TableMetadata:
    table = wide_table()
    columns = (replace(c, type=type_) if c.kind is ColumnKind.CLUSTERING else c for c in table.columns)
    return replace(table, columns=tuple(columns))


def store_of(type_: CqlType, values: list[bytes]) -> TableStore:
    table = table_of(type_)
    store = TableStore(table)
    order_key = clustering_order_key(table)
    rows = {order_key((value,)): Row((value,), Liveness(1), LIVE, {"b": Cell(1, value)}) for value in values}
    store.apply(PartitionUpdate(table.id, bigint_value(1), rows=rows))
    return store


def block(first: bytes, last: bytes, offset: int) -> Block:
    prefixes = (Prefix(BoundKind.CLUSTERING, (value,)) for value in (first, last))
    return Block(*prefixes, offset, 10)


def test_what_separates_blocks_is_short_and_the_last_one_no_longer() -> None:
    path = ClusteringForm((TEXT,), (False,)).path
    blocks = [block(b"aa", b"abcd", 5), block(b"abx", b"b", 15), block(b"b\xc3\xbf", b"b\xff\xff", 25)]
    found = marks_of(blocks, 35, path)
    assert found == [
        Mark(b"", 5, LIVE),
        Mark(b"\x40abd", 15, LIVE),
        Mark(b"\x40b\x01", 25, LIVE),
        Mark(b"\x40b\xff\xff\x01", 35, LIVE),
    ]


def test_what_is_out_of_order_has_no_index() -> None:
    path = ClusteringForm((TEXT,), (False,)).path
    assert marks_of([block(b"a", b"c", 5), block(b"b", b"d", 15)], 25, path) == []
    assert marks_of([block(b"a", b"b", 5), block(b"b", b"d", 15)], 25, path) == []


@pytest.mark.parametrize("length", [3, 200, 5000])
def test_a_trie_of_long_paths_over_many_pages(length: int) -> None:
    values = [b"p" * length + b"%04d" % number for number in range(400)]
    store = store_of(TEXT, values)
    disk = MemoryDisk()
    reader = written(disk, store, version="da", index_block_bytes=256)
    assert reader is not None
    (index,) = [index for stretch in reader.stretches() for index in stretch.wide.values()]
    assert len(index) > 25
    assert length < 5000 or disk.size(f"{FOLDER}/{reader.descriptor.file_name(ROWS)}") > PAGE_BYTES
    assert contents(reader, store) == contents(store.memtable, store)
    partition = reader.maybe_partition(bigint_value(1))
    assert partition is not None
    order_key = clustering_order_key(store.table)
    for value in values:
        assert partition.get(order_key((value,))) is not None


def test_values_that_are_none_of_their_type_and_unknown_classes_are_read_without_an_index() -> None:
    nested = TupleType((TupleType((TEXT,)),))
    texts = [b"\0\0\0\1" + bytes((number,)) for number in range(97, 120)]
    for type_, values in (
        (nested, [b"\0\0\0\5" + each for each in (b"\0\0\0\x02a", *texts)]),
        (CustomType("org.example.Mine"), [b"%d" % number for number in range(50)]),
    ):
        store = store_of(type_, values)
        reader = written(MemoryDisk(), store, version="da", index_block_bytes=64)
        assert reader is not None
        assert not any(stretch.wide for stretch in reader.stretches())
        assert contents(reader, store) == contents(store.memtable, store)
