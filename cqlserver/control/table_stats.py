"""What a node says of its tables: the numbers of `nodetool tablestats`."""

from collections.abc import Sequence
from itertools import chain

from cqlserver.control.context import Control
from cqlserver.control.statistics import request_facts
from cqlserver.control.storing import readers
from storage.background import Lane
from storage.engine import Engine
from storage.environment.environment import Disk
from storage.reads import TableStore
from storage.schema.metadata import KeyspaceMetadata
from storage.sstable.constants import COMPRESSION_INFO, FILTER
from storage.sstable.histograms import EstimatedHistogram
from storage.sstable.reader import SSTableReader

LEVELS = 9


async def table_stats(control: Control) -> object:
    """Of all tables; what takes memory or space, in bytes."""
    engine, now_s = control.node.engine, control.node.now_s()
    flushing = [task.subject for task in engine.background.tasks if task.lane is Lane.FLUSH]
    tables = []
    for keyspace in control.node.schema.keyspaces.values():
        if not keyspace.is_virtual:
            tables += [
                {**_stats(engine, store, now_s, flushing), **request_facts(control.node, store)}
                for store in _stores(engine, keyspace)
            ]
    return {"tables": tables}


def _stores(engine: Engine, keyspace: KeyspaceMetadata) -> list[TableStore]:
    names = chain(keyspace.tables.values(), (view.table for view in keyspace.views.values()))
    stores = [engine.stores[table.id] for table in names]
    known = {store.table.id for store in stores}
    hidden = [s for id, s in engine.stores.items() if s.table.keyspace == keyspace.name and id not in known]
    return stores + hidden


def _stats(engine: Engine, store: TableStore, now_s: int, flushing: Sequence[str]) -> dict[str, object]:
    table, found, disk = store.table, readers(engine, store), engine.environment.disk
    kept = engine.maybe_files.snapshots_of(table.id) if engine.maybe_files is not None else ()
    switches = engine.maybe_files.switches[table.id] if engine.maybe_files is not None else 0
    sizes = _merged([reader.statistics.stats.partition_sizes for reader in found])
    repaired = sum(reader.data_bytes for reader in found if reader.repaired_at_ms)
    whole = sum(reader.data_bytes for reader in found)
    on_disk = sum(reader.disk_bytes for reader in found)
    return {
        "keyspace": table.keyspace,
        "table": table.name,
        "sstable_count": len(found),
        "max_sstable_size": max((reader.disk_bytes for reader in found), default=0),
        "levels": _levels(found) if table.params.compaction.get("class", "").endswith("LeveledCompactionStrategy") else [],
        "space_used_live": on_disk,
        "space_used_by_snapshots": sum(snapshot.true_bytes for snapshot in kept),
        "compression_ratio": _compression_ratio(found),
        "partitions": len(store.memtable) + sum(reader.key_count for reader in found),
        "memtable_partitions": len(store.memtable),
        "memtable_bytes": store.memtable.live_bytes,
        "memtable_switches": switches,
        "pending_flushes": flushing.count(str(table)),
        "repaired_bytes": repaired,
        "unrepaired_bytes": whole - repaired,
        "bloom_filter_bytes": sum(component_bytes(disk, reader, FILTER) for reader in found),
        "partition_bytes_min": min((_least(reader) for reader in found), default=0),
        "partition_bytes_max": max((reader.statistics.stats.partition_sizes.max() for reader in found), default=0),
        "partition_bytes_mean": sizes.mean() if sizes is not None else 0,
        "droppable_tombstone_ratio": _droppable_ratio(found, now_s - table.params.gc_grace_seconds),
    }


def component_bytes(disk: Disk, reader: SSTableReader, component: str) -> int:
    """What a component takes on the disk."""
    if component not in reader.components:
        return 0
    return disk.size(f"{reader.folder}/{reader.descriptor.file_name(component)}")


def _least(reader: SSTableReader) -> int:
    return reader.statistics.stats.partition_sizes.min()


def _levels(found: Sequence[SSTableReader]) -> list[dict[str, int]]:
    """Leveled compaction's: count and bytes of each."""
    levels = [{"count": 0, "bytes": 0} for _ in range(LEVELS)]
    for reader in found:
        level = levels[min(reader.level, LEVELS - 1)]
        level["count"] += 1
        level["bytes"] += reader.disk_bytes
    return levels


def _merged(histograms: Sequence[EstimatedHistogram]) -> EstimatedHistogram | None:
    if not histograms:
        return None
    merged = EstimatedHistogram(max(len(h.offsets) for h in histograms))
    for histogram in histograms:
        merged.merge(histogram)
    return merged


def _compression_ratio(found: Sequence[SSTableReader]) -> float:
    """Compressed to plain bytes; -1 where nothing is compressed."""
    compressed = [reader for reader in found if COMPRESSION_INFO in reader.components]
    plain = sum(reader.data_bytes for reader in compressed)
    whole = sum(reader.statistics.stats.compression_ratio * reader.data_bytes for reader in compressed)
    return whole / plain if plain else -1.0


def _droppable_ratio(found: Sequence[SSTableReader], gc_before_s: int) -> float:
    """Of tombstones that may go to cells."""
    droppable = cells = 0
    for reader in found:
        stats = reader.statistics.stats
        droppable += sum(count for time_s, count in stats.tombstones.items() if time_s <= gc_before_s)
        cells += stats.cells_per_partition.mean() * stats.cells_per_partition.count
    return droppable / cells if cells else 0.0
