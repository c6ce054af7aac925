"""What the control port tells of requests: distributions of latencies and sizes, and what goes on as Cassandra's pools."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Final

from cqlserver.control.context import BadArgument, Control
from cqlserver.control.storing import readers
from cqlserver.metrics.drawing import latency_of, sstables_read
from cqlserver.metrics.dropped import dropped_by_type
from cqlserver.metrics.histograms import QUANTILES, Snapshot, merged
from cqlserver.metrics.meters import Kind
from cqlserver.metrics.pools import pools
from cqlserver.node import Node
from storage.reads import TableStore
from storage.sstable.histograms import EstimatedHistogram

READS: Final = (Kind.READ,)
RANGES: Final = (Kind.RANGE,)
WRITES: Final = (Kind.WRITE, Kind.CAS_WRITE)
_VIEW_WRITE: Final = "ViewWrite"


async def thread_pools(control: Control) -> object:
    """`dropped`: messages to other nodes, by type; what is too late is answered as a timeout."""
    member = control.node.member
    dropped = dropped_by_type(member.traffic.dropped if member is not None else {})
    return {"pools": [pool._asdict() for pool in pools(control.node)], "dropped": dropped}


async def proxy_histograms(control: Control) -> object:
    """By kind of request, in microseconds: 50, 75, 95, 98, 99 %, least, greatest."""
    metering = control.node.metering
    now_s, meters = metering.clock(), metering.meters()
    told = {
        kind.value: latency_of([meter for meter in meters if meter.kind is kind], now_s).percentiles() for kind in Kind
    }
    return {**told, _VIEW_WRITE: [0.0] * 7}  # a view is written with its base


async def table_histograms(control: Control, *, keyspace: str | None, table: str | None) -> object:
    """The same of a table, or of all; sizes and cells of partitions are null where there is no SSTable."""
    node = control.node
    stores = [
        store
        for store in node.engine.stores.values()
        if keyspace is None or (store.table.keyspace == keyspace and store.table.name == table)
    ]
    if not stores:
        raise BadArgument(f"Unknown table {keyspace}.{table}")
    return {"tables": [_histograms(node, store) for store in stores]}


def _histograms(node: Node, store: TableStore) -> Mapping[str, object]:
    now_s = node.metering.clock()
    found = [reader.statistics.stats for reader in readers(node.engine, store)]
    of_reads = [meter for kind in READS if (meter := node.metering.maybe_meter(store.table.id, kind)) is not None]
    per_read, _, _ = sstables_read(store, sum(meter.count for meter in of_reads), now_s)
    return {
        "keyspace": store.table.keyspace,
        "table": store.table.name,
        "read_us": latencies(node, store, READS).percentiles(),
        "write_us": latencies(node, store, WRITES).percentiles(),
        "sstables": per_read.snapshot(now_s).percentiles(),
        "partition_bytes": _percentiles([stats.partition_sizes for stats in found]),
        "cells": _percentiles([stats.cells_per_partition for stats in found]),
    }


def latencies(node: Node, store: TableStore, kinds: Sequence[Kind]) -> Snapshot:
    """Of a table's requests of some kinds, in microseconds."""
    meters = [meter for kind in kinds if (meter := node.metering.maybe_meter(store.table.id, kind)) is not None]
    return latency_of(meters, node.metering.clock())


def request_facts(node: Node, store: TableStore) -> dict[str, object]:
    """What tablestats has of a table's requests: means of the last minutes in milliseconds, null where there were none."""
    metering, now_s = node.metering, node.metering.clock()
    facts: dict[str, object] = {}
    for name, kinds in (("read", READS), ("write", WRITES)):
        meters = [meter for kind in kinds if (meter := metering.maybe_meter(store.table.id, kind)) is not None]
        mean = latency_of(meters, now_s).mean
        facts[f"{name}_count"] = sum(meter.count for meter in meters)
        facts[f"{name}_total_ms"] = sum(meter.total_s for meter in meters) * 1000
        facts[f"{name}_latency_ms"] = None if isnan(mean) else mean / 1000
    reads = [meter for kind in (*READS, *RANGES) if (meter := metering.maybe_meter(store.table.id, kind)) is not None]
    for name, tallies in (
        ("live_cells", [meter.all_rows() for meter in reads]),
        ("tombstones", [meter.all_tombstones() for meter in reads]),
    ):
        snapshot = merged((tally.histogram(now_s) for tally in tallies), now_s)
        facts[f"{name}_mean"] = None if isnan(snapshot.mean) else snapshot.mean
        facts[f"{name}_max"] = snapshot.max
    return facts


def _percentiles(histograms: Sequence[EstimatedHistogram]) -> list[int] | None:
    if not histograms:
        return None
    together = EstimatedHistogram(max(len(histogram.offsets) for histogram in histograms))
    for histogram in histograms:
        together.merge(histogram)
    return [*(together.percentile(share) for share in QUANTILES[:5]), together.min(), together.max()]
