"""The metrics of a node as they are now: values for the families of families.py, drawn from what requests, storage and the
process keep. `draw` gives way after each table, so that its caller decides how long a turn is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cqlserver.metrics import process
from cqlserver.metrics.dropped import dropped_by_type
from cqlserver.metrics.histograms import QUANTILES, DecayingHistogram, Merging, Snapshot, merged
from cqlserver.metrics.meters import FAILURES, TIMEOUTS, UNAVAILABLE, Kind, RequestMeter, Tally
from cqlserver.metrics.pools import pools
from cqlserver.node import Node
from cqlserver.system.tables import RELEASE_VERSION
from storage.background import Lane, TaskState
from storage.reads import TableStore

if TYPE_CHECKING:
    from storage.sstable.caches import Generations
    from storage.sstable.reader import SSTableReader

_OPERATIONS: Final = {
    Kind.READ: "read",
    Kind.RANGE: "rangeslice",
    Kind.WRITE: "write",
    Kind.CAS_READ: "casread",
    Kind.CAS_WRITE: "caswrite",
}
_OF_TABLES: Final = {
    Kind.READ: "read",
    Kind.RANGE: "range_read",
    Kind.WRITE: "write",
    Kind.CAS_READ: "cas_read",
    Kind.CAS_WRITE: "cas_write",
}
_ERRORS: Final = (
    ("cassandra_client_request_timeouts_total", TIMEOUTS),
    ("cassandra_client_request_unavailable_exceptions_total", UNAVAILABLE),
    ("cassandra_client_request_failures_total", FAILURES),
)
_MICROS: Final = 1e-6
METERS_AT_ONCE: Final = 50


class Summary(NamedTuple):
    """`values`: in the order of QUANTILES."""

    values: Sequence[float]
    times: int
    total: float


Labels = Sequence[str]
"""Values, in the order of the family's names."""
Sink = Callable[[str, Labels, float | Summary], None]


def draw(node: Node, sink: Sink) -> Iterator[None]:
    """Hands all values over, family by labels, in any order."""
    yield from _requests(node, sink)
    _server(node, sink)
    yield
    _storage(node, sink)
    for name, read in process.VALUES.items():
        sink(name, (), read())
    yield
    flushes, compactions = _waiting(node, Lane.FLUSH), _waiting(node, Lane.COMPACTION)
    for store in list(node.engine.stores.values()):
        _table(node, store, flushes, compactions, sink)
        yield


def latency_of(meters: Sequence[RequestMeter], now_s: float) -> Snapshot:
    """Of several meters together, in microseconds."""
    return merged((meter.latency(now_s) for meter in meters), now_s)


def sstables_read(store: TableStore, reads: int, now_s: float) -> "tuple[DecayingHistogram, int, int]":
    """By how many SSTables had something of what a read was for: the distribution, the reads, the sum."""
    tally = Tally()
    for count, times in store.sources_read.items():
        tally.note(count, times)
    if reads > tally.count:  # of what lay in memory alone
        tally.note(0, reads - tally.count)
    return tally.histogram(now_s), tally.count, tally.total


def _requests(node: Node, sink: Sink) -> Iterator[None]:
    metering, now_s = node.metering, node.metering.clock()
    by_kind: dict[Kind, list[RequestMeter]] = {kind: [] for kind in Kind}
    for meter in metering.meters():
        by_kind[meter.kind].append(meter)
    for kind, meters in by_kind.items():
        labels = (_OPERATIONS[kind],)
        count, total_s = sum(meter.count - meter.shared for meter in meters), sum(meter.total_s for meter in meters)
        merging = Merging(now_s)
        for number, meter in enumerate(meters, 1):
            merging.add(meter.latency(now_s))
            if not number % METERS_AT_ONCE:
                yield
        summary = _summary(merging.snapshot(), count, total_s, _MICROS)
        sink("cassandra_client_request_latency_seconds", labels, summary)
        for name, errors in _ERRORS:
            sink(name, labels, sum(metering.errors.get((kind, error), 0) for error in errors))
    sink("cassandra_cql_statements_executed_total", ("prepared",), metering.prepared_count)
    sink("cassandra_cql_statements_executed_total", ("regular",), metering.text_count + metering.other_text_count)
    sink("cqlserver_loop_stalls_total", (), metering.stalls.count)
    sink("cqlserver_loop_stall_seconds_total", (), metering.stalls.total / 1000)


def _server(node: Node, sink: Sink) -> None:
    limits, statements = node.limits, node.statements
    sink("cassandra_client_native_connections", (), limits.connections)
    sink("cqlserver_client_requests_in_flight_bytes", (), sum(session.in_flight_bytes for session in node.sessions))
    sink("cqlserver_client_unsent_bytes", (), limits.unsent)
    sink("cassandra_cql_prepared_statements", (), statements.prepared_count)
    sink("cassandra_cql_prepared_statements_evicted_total", (), statements.evicted_count)
    sink("cassandra_storage_exceptions_total", (), node.border.bug_count)
    sink("cqlserver_uptime_seconds", (), node.environment.clock.monotonic() - node.started_s)
    place = node.ring_node
    sink("cqlserver_info", (RELEASE_VERSION, place.datacenter, place.rack, str(place.host_id)), 1)
    cluster = node.member.cluster if node.member is not None else None
    up = 1 + (len(cluster.live_peers) if cluster is not None else 0)
    known = 1 + (len(cluster.peers) if cluster is not None else 0)
    sink("cqlserver_nodes", ("up",), up)
    sink("cqlserver_nodes", ("down",), known - up)
    for message_type, count in dropped_by_type(node.member.traffic.dropped if node.member is not None else {}).items():
        sink("cassandra_dropped_messages_total", (message_type,), count)
    sink("cassandra_storage_hints_total", (), cluster.hints.kept_count if cluster is not None else 0)
    for pool in pools(node):
        sink("cassandra_thread_pool_active_tasks", (pool.name,), pool.active)
        sink("cassandra_thread_pool_pending_tasks", (pool.name,), pool.pending)
        sink("cassandra_thread_pool_completed_tasks_total", (pool.name,), pool.completed)


def _storage(node: Node, sink: Sink) -> None:
    engine, background = node.engine, node.engine.background
    sink("cassandra_compaction_pending_tasks", (), sum(task.lane is Lane.COMPACTION for task in background.tasks))
    sink("cassandra_compaction_completed_tasks_total", (), background.tallies[Lane.COMPACTION, TaskState.DONE])
    sink("cassandra_compaction_bytes_compacted_total", (), background.total_done[Lane.COMPACTION])
    commit_log = engine.commit_log
    sink("cassandra_commit_log_size_bytes", (), commit_log.size if commit_log is not None else 0)
    sink("cassandra_commit_log_completed_tasks_total", (), commit_log.appended if commit_log is not None else 0)
    sink("cqlserver_commit_log_failed", (), commit_log is not None and commit_log.failure is not None)
    files = engine.maybe_files
    caches = files.caches if files is not None else None
    for name, attribute, configured in (
        ("key", "keys", engine.options.key_cache_bytes),
        ("row", "rows", engine.options.row_cache_bytes),
        ("chunk", "chunks", node.config.file_cache_bytes),
    ):
        cache: Generations[Any, Any] | None = getattr(caches, attribute, None)
        capacity = cache.capacity if cache is not None else configured
        hits, misses = (cache.hits, cache.misses) if cache is not None else (0, 0)
        sink("cassandra_cache_capacity_bytes", (name,), capacity)
        sink("cassandra_cache_estimated_size_bytes", (name,), cache.size if cache is not None else 0)
        sink("cassandra_cache_entries", (name,), len(cache) if cache is not None else 0)
        sink("cassandra_cache_hits_total", (name,), hits)
        sink("cassandra_cache_requests_total", (name,), hits + misses)
    load = 0
    if files is not None:
        load = sum(reader.disk_bytes for table_id in engine.stores for reader in files.readers_of(table_id))
    sink("cassandra_storage_load_bytes", (), load)


def _waiting(node: Node, lane: Lane) -> Mapping[str, int]:
    """Tasks that wait or go on, by table."""
    found: dict[str, int] = {}
    for task in node.engine.background.tasks:
        if task.lane is lane:
            found[task.subject] = found.get(task.subject, 0) + 1
    return found


def _table(
    node: Node, store: TableStore, flushes: Mapping[str, int], compactions: Mapping[str, int], sink: Sink
) -> None:
    table, files = store.table, node.engine.maybe_files
    found: Sequence[SSTableReader] = files.readers_of(table.id) if files is not None else ()
    labels, name = (table.keyspace, table.name), str(table)
    sink("cassandra_table_live_sstables", labels, len(found))
    sink("cassandra_table_live_disk_space_bytes", labels, sum(reader.disk_bytes for reader in found))
    sink("cassandra_table_memtable_live_bytes", labels, store.memtable.live_bytes)
    sink("cassandra_table_memtable_switches_total", labels, files.switches[table.id] if files is not None else 0)
    sink("cassandra_table_pending_flushes", labels, flushes.get(name, 0))
    sink("cassandra_table_estimated_pending_compactions", labels, compactions.get(name, 0))
    partitions = len(store.memtable) + sum(reader.key_count for reader in found)
    sink("cassandra_table_estimated_partitions", labels, partitions)
    largest = max((reader.statistics.stats.partition_sizes.max() for reader in found), default=0)
    sink("cassandra_table_partition_size_maximum_bytes", labels, largest)
    whole = sum(reader.data_bytes for reader in found)
    repaired = sum(reader.data_bytes for reader in found if reader.repaired_at_ms)
    sink("cassandra_table_repaired_ratio", labels, repaired / whole if whole else 1)
    started, completed = node.metering.repairs_of(table.id)
    sink("cassandra_table_repair_jobs_started_total", labels, started)
    sink("cassandra_table_repair_jobs_completed_total", labels, completed)
    _operations(node, store, labels, sink)


def _operations(node: Node, store: TableStore, labels: Labels, sink: Sink) -> None:
    """Of a table that was asked for anything."""
    metering, now_s = node.metering, node.metering.clock()
    for kind, operation in _OF_TABLES.items():
        meter = metering.maybe_meter(store.table.id, kind)
        if meter is not None and meter.count:
            latency = meter.latency(now_s).snapshot(now_s)
            summary = _summary(latency, meter.count, meter.total_s, _MICROS)
            sink("cassandra_table_operation_latency_seconds", (*labels, operation), summary)
    reads = [m for kind in (Kind.READ, Kind.RANGE) if (m := metering.maybe_meter(store.table.id, kind)) and m.count]
    if not reads:
        return
    rows, tombstones = [m.all_rows() for m in reads], [m.all_tombstones() for m in reads]
    sink("cassandra_table_live_rows_scanned", labels, _of_tallies(rows, now_s))
    sink("cassandra_table_tombstones_scanned", labels, _of_tallies(tombstones, now_s))
    if store.sources_read:
        histogram, count, total = sstables_read(store, reads[0].count, now_s)
        sink("cassandra_table_sstables_per_read", labels, _summary(histogram.snapshot(now_s), count, total))


def _of_tallies(tallies: Sequence[Tally], now_s: float) -> Summary:
    snapshot = merged((tally.histogram(now_s) for tally in tallies), now_s)
    return _summary(snapshot, sum(tally.count for tally in tallies), sum(tally.total for tally in tallies))


def _summary(snapshot: Snapshot, count: int, total: float, unit: float = 1) -> Summary:
    return Summary([snapshot.quantile(share) * unit for share in QUANTILES], count, total)
