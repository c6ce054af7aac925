"""SSTables that Cassandra wrote, in each version: what our reader says of them is what sstabledump said.

compat-tests/sstables/record_samples.py records them.
"""

import json
from pathlib import Path

import pytest

from storage.environment.disk import RealDisk
from storage.keys import clustering_order_key
from storage.memtable.packed import Layouts
from storage.sstable import statistics
from storage.sstable.caches import Caches
from storage.sstable.constants import BIG, DATA, STATISTICS
from storage.sstable.descriptor import Descriptor, descriptors
from storage.sstable.dump import Dump, table_of
from storage.sstable.reader import SSTableReader
from storage.sstable.verify import verify

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


@pytest.mark.parametrize("version", ["nb", "oa", "da"])
def test_rows_of_a_wide_partition_are_found_by_its_index(version: str) -> None:
    descriptor, reader = opened(SAMPLES / version / "wide")
    (promoted,) = [index for stretch in reader.stretches() for index in stretch.wide.values()]
    assert len(promoted) > 3
    assert descriptor.version.format == BIG or promoted.data == b""
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


def _deleted() -> int:
    """Rows that the range tombstones of the sample cover: written at 1000 + c."""
    return sum((50 < c <= 400 and 1000 + c <= 1100) or (400 < c < 450 and 1000 + c <= 1300) for c in range(600))
