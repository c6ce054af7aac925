"""Memtables written as SSTables, and what a source holds, in one form."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from storage.environment.environment import Disk
from storage.memtable.memtable import position_of
from storage.memtable.partition import Partition
from storage.mutation import LIVE, Row
from storage.reads import Source, TableStore
from storage.sstable.caches import Caches
from storage.sstable.constants import VERSIONS
from storage.sstable.descriptor import Descriptor
from storage.sstable.reader import SSTableReader
from storage.sstable.unfiltered import PartitionData
from storage.sstable.writer import SSTableWriter, WriterOptions

FOLDER = "/data/ks/t"
ALL = (b"", b"\xff")


def written(
    disk: Disk,
    store: TableStore,
    generation: int = 1,
    version: str = "nb",
    compression: dict[str, str] | None = None,
    index_block_bytes: int | None = None,
) -> SSTableReader | None:
    """The memtable as an SSTable, opened; None where nothing is in it."""
    disk.mkdirs(FOLDER)
    table = store.table
    if compression is not None:
        table = replace(table, params=replace(table.params, compression=MappingProxyType(compression)))
    descriptor = Descriptor(VERSIONS[version], generation)
    keys = sorted(store.memtable.keys(), key=position_of)
    options = WriterOptions(len(keys), index_block_bytes=index_block_bytes)
    writer = SSTableWriter(disk, FOLDER, descriptor, table, store.layouts, options)
    for key in keys:
        partition = store.memtable.maybe_partition(key)
        assert partition is not None
        writer.append(key, data_of(partition))
    if not writer.partition_count:
        writer.abort()
        assert not disk.list(FOLDER)
        return None
    writer.finish()
    return SSTableReader.open(disk, FOLDER, descriptor, table, store.layouts, Caches())


def data_of(partition: Partition) -> PartitionData:
    rows = (item for cks, rows, _ in partition.chunks(*ALL, False) for item in zip(cks, rows, strict=True))
    return PartitionData(partition.deletion, partition.static, partition.range_tombstones(*ALL), rows)


def contents(source: Source, store: TableStore) -> dict[bytes, tuple[Any, ...]]:
    """By key: deletion, static row, rows, range tombstones; () of a partition without any of them."""
    found: dict[bytes, tuple[Any, ...]] = {}
    for position in [position for positions, _ in source.batches() for position in positions]:
        partition = source.maybe_partition(position[8:])
        assert partition is not None
        rows = {
            ck: _plain(store.layouts.explode(row))
            for cks, rows, _ in partition.chunks(*ALL, False)
            for ck, row in zip(cks, rows, strict=True)
        }
        static = partition.static and _plain(partition.static)
        tombstones = list(partition.range_tombstones(*ALL))
        is_empty = partition.deletion == LIVE and not static and not rows and not tombstones
        found[position[8:]] = () if is_empty else (partition.deletion, static, rows, tombstones)
    return found


def _plain(row: Row) -> Row:
    return row._replace(columns=dict(row.columns))
