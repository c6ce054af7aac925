"""SSTables that Cassandra wrote, in each version: what our reader says of them is what sstabledump said.

compat-tests/sstables/record_samples.py records them.
"""

import json
from pathlib import Path

import pytest

from storage.environment.disk import RealDisk
from storage.environment.memory import MemoryDisk
from storage.keys import clustering_order_key
from storage.memtable.packed import Layouts
from storage.mutation import Row
from storage.sstable import statistics
from storage.sstable.caches import Caches
from storage.sstable.constants import DATA, STATISTICS
from storage.sstable.descriptor import Descriptor, descriptors
from storage.sstable.dump import Dump, table_of
from storage.sstable.reader import SSTableReader
from storage.sstable.unfiltered import PartitionData
from storage.sstable.verify import verify
from storage.sstable.writer import SSTableWriter, WriterOptions

SAMPLES = Path(__file__).parent / "samples"
FOLDERS = sorted(path.parent for path in SAMPLES.glob("*/*/dump.json"))
NOW_S = 1_800_000_000


def opened(folder: Path) -> tuple[Descriptor, SSTableReader]:
    disk = RealDisk()
    (descriptor,) = descriptors(disk.list(str(folder)), DATA)
    path = f"{folder}/{descriptor.file_name(STATISTICS)}"
    header = statistics.decode(disk.read_file(path), descriptor.version, path).header
    table = table_of(header)
    layouts = Layouts(table.id, len(table.clustering))
    return descriptor, SSTableReader.open(disk, str(folder), descriptor, table, layouts, Caches())


def test_there_are_samples_of_each_version() -> None:
    assert {folder.parent.name for folder in FOLDERS} >= {"nb", "oa", "da"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_dump_is_what_sstabledump_says(folder: Path) -> None:
    _, reader = opened(folder)
    ours = [json.loads(line, parse_float=str) for line in Dump(reader, NOW_S, True).partitions()]
    theirs = [json.loads(line, parse_float=str) for line in (folder / "dump.json").read_text().splitlines()]
    assert ours == theirs
    assert list(verify(RealDisk(), str(folder), reader))[-1].partitions == len(theirs)
    reader.close()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_without_its_index_an_sstable_says_the_same(folder: Path) -> None:
    descriptor, reader = opened(folder)
    table, layouts = reader.table, Layouts(reader.table.id, len(reader.table.clustering))
    alone = SSTableReader.open_by_data(RealDisk(), str(folder), descriptor, table, layouts, Caches())
    wanted, found = list(reader.stretches()), list(alone.stretches())
    positions = [position for stretch in wanted for position in stretch.positions]
    assert [position for stretch in found for position in stretch.positions] == positions
    assert [start for stretch in found for start in stretch.starts[:-1]] == [
        start for stretch in wanted for start in stretch.starts[:-1]
    ]
    assert (alone.first_position, alone.last_position) == (reader.first_position, reader.last_position)
    for position in positions:
        one, other = alone.maybe_partition(position[8:]), reader.maybe_partition(position[8:])
        assert one is not None and other is not None  # noqa: PT018
        assert list(one.rows()) == list(other.rows())
    dumps = [list(Dump(each, NOW_S, True).partitions()) for each in (reader, alone)]
    assert dumps[0] == dumps[1]
    alone.close()
    reader.close()


@pytest.mark.parametrize("version", ["nb", "oa", "da"])
def test_rows_of_a_wide_partition_are_found_by_its_index(version: str) -> None:
    _, reader = opened(SAMPLES / version / "wide")
    (promoted,) = [index for stretch in reader.stretches() for index in stretch.wide.values()]
    assert len(promoted) > 3
    assert promoted.data
    partition = reader.maybe_partition((1).to_bytes(4, "big"))
    assert partition is not None
    rows = dict(partition.rows())
    assert len(rows) == 600 - _deleted()
    order_key = clustering_order_key(reader._table)
    for c in range(600):
        ck = order_key((c.to_bytes(4, "big"),))
        assert partition.get(ck) == rows.get(ck), c
    backwards = [ck for cks, _, _ in partition.chunks(b"", b"\xff", True) for ck in cks]
    assert backwards == sorted(rows, reverse=True)
    assert len(partition.tombstones) == 3
    reader.close()


@pytest.mark.parametrize("version", ["nb", "oa", "da"])
def test_the_index_of_a_wide_partition_that_is_written_again_is_the_same(version: str) -> None:
    """Separators and all: Cassandra's, of 4 KiB."""
    descriptor, reader = opened(SAMPLES / version / "wide")
    disk, table = MemoryDisk(), reader._table
    disk.mkdirs("/t")
    layouts = Layouts(table.id, len(table.clustering))
    options = WriterOptions(reader.key_count, index_block_bytes=4096)
    writer = SSTableWriter(disk, "/t", descriptor, table, layouts, options, reader.statistics.header)
    order_key = clustering_order_key(table)
    for _, partition in reader.partitions():
        raw = partition.raw()
        rows = [(order_key(each.clustering), each) for _, each in raw.unfiltereds if isinstance(each, Row)]
        writer.append(partition.key, PartitionData(raw.deletion, raw.static, partition.tombstones, rows))
    writer.finish()
    again = SSTableReader.open(disk, "/t", descriptor, table, layouts, Caches())
    assert _indexes(again) == _indexes(reader)
    assert len(_indexes(again)) == 1
    reader.close()


def _indexes(reader: SSTableReader) -> list[bytes]:
    return [index.data for stretch in reader.stretches() for index in stretch.wide.values()]


def _deleted() -> int:
    """Rows that the range tombstones of the sample cover: written at 1000 + c."""
    return sum((50 < c <= 400 and 1000 + c <= 1100) or (400 < c < 450 and 1000 + c <= 1300) for c in range(600))
