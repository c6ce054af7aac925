"""docs/formats/sstable.md says what the code does: its example is written again, byte for byte, and read."""

import re
from pathlib import Path
from uuid import UUID

from storage_tables import bigint_value, column, int_value

from protocol.types import BIGINT, INT, TEXT
from storage.environment.memory import MemoryDisk
from storage.keys import clustering_order_key
from storage.memtable.packed import Layouts
from storage.mutation import LIVE, Cell, Deletion, Liveness, RangeTombstone, Row
from storage.schema.metadata import ColumnKind, TableMetadata, TableParams
from storage.sstable.caches import Caches
from storage.sstable.constants import CHECKSUMS, DATA, FILTER, INDEX, PARTITIONS, ROWS, SUMMARY, VERSIONS
from storage.sstable.descriptor import Descriptor
from storage.sstable.reader import SSTableReader
from storage.sstable.unfiltered import PartitionData
from storage.sstable.writer import SSTableWriter, WriterOptions

PAGE = (Path(__file__).parents[3] / "docs" / "formats" / "sstable.md").read_text()
BTI_PAGE = (Path(__file__).parents[3] / "docs" / "formats" / "sstable-bti.md").read_text()
BASE_US = 1_442_880_000_000_000
TABLE = TableMetadata(
    "ks",
    "t",
    UUID(int=7),
    (
        column("k", ColumnKind.PARTITION_KEY, BIGINT, 0),
        column("c", ColumnKind.CLUSTERING, INT, 0),
        column("s", ColumnKind.STATIC, TEXT),
        column("a", ColumnKind.REGULAR, INT),
        column("b", ColumnKind.REGULAR, TEXT),
    ),
    TableParams(compression={}),
)
ORDER_KEY = clustering_order_key(TABLE)


def example(component: str, page: str = PAGE) -> bytes:
    (block,) = re.findall(rf"```{re.escape(component)}\n(.*?)```", page, re.DOTALL)
    return bytes.fromhex("".join(line.partition("|")[0] for line in block.splitlines()))


def written(disk: MemoryDisk) -> Descriptor:
    disk.mkdirs("/t")
    descriptor = Descriptor(VERSIONS["nb"], 1)
    writer = SSTableWriter(disk, "/t", descriptor, TABLE, Layouts(TABLE.id, 1), WriterOptions(1))
    static = Row((), columns={"s": Cell(BASE_US + 1, b"st")})
    first = Row(
        (int_value(1),),
        Liveness(BASE_US + 2),
        LIVE,
        {"a": Cell(BASE_US + 2, int_value(5)), "b": Cell(BASE_US + 2, b"x")},
    )
    second = Row((int_value(2),), columns={"b": Cell(BASE_US + 300, None, 0, 1_442_880_016)})
    low, high = (int_value(3),), (int_value(9),)
    deletion = Deletion(BASE_US + 4, 1_442_880_032)
    tombstone = RangeTombstone(ORDER_KEY(low), ORDER_KEY(high) + b"\xff", deletion, low, high)
    rows = [(ORDER_KEY(row.clustering), row) for row in (first, second)]
    writer.append(bigint_value(1), PartitionData(LIVE, static, [tombstone], rows))
    writer.finish()
    return descriptor


def test_the_example_is_what_is_written() -> None:
    disk = MemoryDisk()
    descriptor = written(disk)
    for component in (DATA, INDEX, SUMMARY, FILTER, CHECKSUMS):
        assert disk.read_file(f"/t/{descriptor.file_name(component)}").hex() == example(component).hex(), component


def test_the_example_is_read() -> None:
    disk = MemoryDisk()
    descriptor = written(disk)
    reader = SSTableReader.open(disk, "/t", descriptor, TABLE, Layouts(TABLE.id, 1), Caches())
    partition = reader.maybe_partition(bigint_value(1))
    assert partition is not None
    assert partition.static == Row((), columns={"s": Cell(BASE_US + 1, b"st")})
    assert len(list(partition.rows())) == 2
    (tombstone,) = partition.tombstones
    assert tombstone.end == ORDER_KEY((int_value(9),)) + b"\xff"


def test_the_example_of_a_trie() -> None:
    expected = example(PARTITIONS, BTI_PAGE)
    disk = MemoryDisk()
    disk.mkdirs("/t")
    descriptor = Descriptor(VERSIONS["da"], 1)
    writer = SSTableWriter(disk, "/t", descriptor, TABLE, Layouts(TABLE.id, 1), WriterOptions(1))
    static = Row((), columns={"s": Cell(BASE_US + 1, b"st")})
    writer.append(bigint_value(1), PartitionData(LIVE, static, [], []))
    writer.finish()
    assert disk.read_file(f"/t/{descriptor.file_name(PARTITIONS)}").hex() == expected.hex()
    reader = SSTableReader.open(disk, "/t", descriptor, TABLE, Layouts(TABLE.id, 1), Caches())
    partition = reader.maybe_partition(bigint_value(1))
    assert partition is not None
    assert partition.static == static


def test_the_example_of_a_row_index() -> None:
    disk = MemoryDisk()
    disk.mkdirs("/t")
    descriptor = Descriptor(VERSIONS["da"], 1)
    options = WriterOptions(1, index_block_bytes=1)
    writer = SSTableWriter(disk, "/t", descriptor, TABLE, Layouts(TABLE.id, 1), options)
    rows = [Row((int_value(c),), Liveness(BASE_US)) for c in (1, 2, 768)]
    writer.append(bigint_value(1), PartitionData(LIVE, None, [], [(ORDER_KEY(row.clustering), row) for row in rows]))
    writer.finish()
    assert disk.read_file(f"/t/{descriptor.file_name(ROWS)}").hex() == example(ROWS, BTI_PAGE).hex()
    reader = SSTableReader.open(disk, "/t", descriptor, TABLE, Layouts(TABLE.id, 1), Caches())
    ((index,),) = (stretch.wide.values() for stretch in reader.stretches())
    assert [index[i].offset for i in range(len(index))] == [16, 26, 36]
