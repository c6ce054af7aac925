"""Rows without values for their last clustering columns, as compact tables have them."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from sstable_files import contents, written
from storage_tables import bigint_value, column, int_value

from protocol.types import BIGINT, INT, TEXT
from storage.environment.memory import MemoryDisk
from storage.keys import row_order_key
from storage.mutation import Cell, PartitionUpdate, Row
from storage.reads import TableStore
from storage.schema.metadata import ColumnKind, TableMetadata
from storage.sstable.constants import BoundKind
from storage.sstable.prefixes import Prefix, PrefixCodec
from storage.sstable.verify import verify_partitions

KEY = bigint_value(1)
Values = tuple[bytes, ...]


def table(is_reversed: bool) -> TableMetadata:
    return TableMetadata(
        "ks",
        "t",
        UUID(int=1),
        (
            column("k", ColumnKind.PARTITION_KEY, BIGINT, 0),
            column("a", ColumnKind.CLUSTERING, INT, 0),
            column("b", ColumnKind.CLUSTERING, TEXT, 1, reversed=is_reversed),
            column("c", ColumnKind.CLUSTERING, INT, 2),
            column("v", ColumnKind.REGULAR, TEXT),
        ),
        is_dense=True,
    )


def store_of(of: TableMetadata, clusterings: Sequence[Values]) -> TableStore:
    store, order_key = TableStore(of), row_order_key(of)
    rows = {order_key(values): Row(values, columns={"v": Cell(5, b"x" * 50)}) for values in clusterings}
    store.apply(PartitionUpdate(of.id, KEY, rows=rows))
    return store


CLUSTERINGS: list[Values] = [
    values
    for a in map(int_value, range(40))
    for values in ((a,), (a, b""), (a, b"", int_value(1)), (a, b"x"), (a, b"x", b""), (a, b"x", int_value(-1)))
]


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("version", ["nb", "oa", "da"])
@pytest.mark.parametrize("block_bytes", [1 << 30, 1000])
def test_what_is_read_is_what_was_written(version: str, is_reversed: bool, block_bytes: int) -> None:
    store = store_of(table(is_reversed), CLUSTERINGS)
    reader = written(MemoryDisk(), store, version=version, index_block_bytes=block_bytes)
    assert reader is not None
    assert bool(sum(len(stretch.wide) for stretch in reader.stretches())) == (block_bytes == 1000)
    assert contents(reader, store) == contents(store.memtable, store)
    assert len(list(verify_partitions(reader))) == 1
    partition = reader.maybe_partition(KEY)
    assert partition is not None
    order_key = row_order_key(store.table)
    for values in CLUSTERINGS:
        assert store.layouts.clustering(partition.get(order_key(values)) or b"") == values
        assert partition.get(order_key((*values, int_value(9))[:3])) is None or len(values) == 3


def test_null_is_told_from_empty_in_many_columns() -> None:
    codec = PrefixCodec([TEXT] * 40)
    for given in ((), (b"",), (b"a",) * 32, (b"a",) * 33, (b"",) * 39, (b"a",) * 40):
        data = codec.encode_clustering(given)
        assert codec.decode_values(data, 0, 40) == (given, len(data))


def test_bounds_are_about_all_that_begin_so() -> None:
    """Nulls that Cassandra writes in bounds: of the range of clusterings in Statistics.db."""
    codec = PrefixCodec([INT, INT])
    head = b"\0\2" + b"\x08" + int_value(7)  # two values, the second one null
    assert codec.decode_bound(bytes((BoundKind.INCL_START,)) + head, 0)[0] == Prefix(BoundKind.INCL_START, (int_value(7),))
    closing = Prefix(BoundKind.INCL_END, (int_value(7), b""))
    assert codec.decode_bound(bytes((BoundKind.INCL_END,)) + head, 0)[0] == closing
