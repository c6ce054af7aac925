"""Tables of system_views about requests (db/virtual/TableMetricTables.java, BatchMetricsTable.java, CQLMetricsTable.java,
ThreadPoolsTable.java), drawn from what cqlserver/metrics has."""

from collections.abc import Callable, Iterator, Mapping
from math import floor
from typing import TYPE_CHECKING, Any, Final

from cqlserver.metrics.drawing import latency_of
from cqlserver.metrics.histograms import Snapshot, merged
from cqlserver.metrics.meters import COUNTER, LOGGED, UNLOGGED, Kind, Tally
from cqlserver.metrics.pools import pools
from cqlserver.system.network_views import access_counts, latencies
from cqlserver.system.storage_views import tables
from storage.reads import TableStore

if TYPE_CHECKING:
    from cqlserver.system.virtual_tables import ServerFacts

Rows = Iterator[Mapping[str, Any]]

_READS: Final = (Kind.READ, Kind.CAS_READ, Kind.CAS_WRITE)
"""What reads one partition: a compare-and-set does before it writes."""
_SCANS: Final = (Kind.RANGE,)
_WRITES: Final = (Kind.WRITE,)
_FIVE_MINUTES: Final = 1


def _stores(server: "ServerFacts") -> Iterator[TableStore]:
    """Of the schema's tables and views: hidden ones, of indexes and of what this server keeps for itself, are left out."""
    stores = server.engine.stores
    for table in tables(server.schema):
        if table.id in stores:
            yield stores[table.id]


def _latency(server: "ServerFacts", kinds: tuple[Kind, ...]) -> Rows:
    """Of each table; milliseconds."""
    metering, now_s = server.metering, server.metering.clock()
    for store in _stores(server):
        meters = [meter for kind in kinds if (meter := metering.maybe_meter(store.table.id, kind)) is not None]
        snapshot = latency_of(meters, now_s)
        yield {
            "keyspace_name": store.table.keyspace,
            "table_name": store.table.name,
            "count": sum(meter.count for meter in meters),
            "p50th_ms": _rounded(snapshot.quantile(0.5) / 1000),
            "p99th_ms": _rounded(snapshot.quantile(0.99) / 1000),
            "max_ms": _rounded(snapshot.max / 1000),
            "per_second": _rounded(sum(meter.rates.per_s[_FIVE_MINUTES] for meter in meters)),
        }


def _per_read(server: "ServerFacts", is_rows: bool) -> Rows:
    metering, now_s = server.metering, server.metering.clock()
    for store in _stores(server):
        kinds = (Kind.READ, Kind.CAS_READ, Kind.RANGE)
        meters = [meter for kind in kinds if (meter := metering.maybe_meter(store.table.id, kind)) is not None]
        tallies = [meter.all_rows() if is_rows else meter.all_tombstones() for meter in meters]
        snapshot = merged((tally.histogram(now_s) for tally in tallies), now_s)
        yield {
            "keyspace_name": store.table.keyspace,
            "table_name": store.table.name,
            "count": sum(tally.count for tally in tallies),
            "p50th": float(snapshot.quantile(0.5)),
            "p99th": float(snapshot.quantile(0.99)),
            "max": float(snapshot.max),
        }


def _batches(server: "ServerFacts") -> Rows:
    now_s = server.metering.clock()
    for kind, name in ((LOGGED, "logged"), (UNLOGGED, "unlogged"), (COUNTER, "counter")):
        tally: Tally = server.metering.partitions_of(kind)
        snapshot: Snapshot = tally.histogram(now_s).snapshot(now_s)
        yield {
            "name": f"partitions_per_{name}_batch",
            "p50th": float(snapshot.quantile(0.5)),
            "p99th": float(snapshot.quantile(0.99)),
            "p999th": float(snapshot.quantile(0.999)),
            "max": snapshot.max,
        }


def _statements(server: "ServerFacts") -> Rows:
    metering, statements = server.metering, server.statements
    prepared, regular = metering.prepared_count, metering.text_count + metering.other_text_count
    executed = prepared + regular
    values = {
        "prepared_statements_count": statements.prepared_count,
        "prepared_statements_evicted": statements.evicted_count,
        "prepared_statements_executed": prepared,
        "prepared_statements_ratio": prepared / executed if executed else 0,
        "regular_statements_executed": regular,
    }
    for name, value in values.items():
        yield {"name": name, "value": float(value)}


def _pools(server: "ServerFacts") -> Rows:
    for pool in pools(server):
        yield {
            "name": pool.name,
            "active_tasks": pool.active,
            "active_tasks_limit": pool.limit,
            "pending_tasks": pool.pending,
            "completed_tasks": pool.completed,
            "blocked_tasks": 0,
            "blocked_tasks_all_time": 0,
        }


def _rounded(value: float) -> float:
    return floor(value * 1000 + 0.5) / 1000


VIEWS: Final[Mapping[str, Callable[["ServerFacts"], Rows]]] = {
    # what a node does for its own clients and what it does as a replica is told of together
    "coordinator_read_latency": lambda server: _latency(server, _READS),
    "coordinator_scan_latency": lambda server: _latency(server, _SCANS),
    "coordinator_write_latency": lambda server: _latency(server, _WRITES),
    "local_read_latency": lambda server: _latency(server, _READS),
    "local_scan_latency": lambda server: _latency(server, _SCANS),
    "local_write_latency": lambda server: _latency(server, _WRITES),
    "rows_per_read": lambda server: _per_read(server, is_rows=True),
    "tombstones_per_read": lambda server: _per_read(server, is_rows=False),
    "batch_metrics": _batches,
    "cidr_filtering_metrics_counts": access_counts,
    "cidr_filtering_metrics_latencies": latencies,
    "cql_metrics": _statements,
    "thread_pools": _pools,
}
