"""Every metric that /metrics has: its name, its type, its unit, what it means. docs/operations.md has this table too.

Names and labels are those of Cassandra's exporters (instaclustr's cassandra-exporter, which dashboards know); what only this
server has is called cqlserver_..., and what every process has process_....
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

COUNTER, GAUGE, SUMMARY = "counter", "gauge", "summary"


class Family(NamedTuple):
    """`unit`: of a value; `labels`: names, those of summaries without quantile."""

    name: str
    type: str
    unit: str
    labels: tuple[str, ...]
    meaning: str


_TABLE: Final = ("keyspace", "table")
_ALL: Final = (
    Family(
        "cassandra_client_request_latency_seconds",
        SUMMARY,
        "seconds",
        ("operation",),
        "How long requests took: read, write, rangeslice, casread, caswrite. Quantiles fade with a half-life of a minute",
    ),
    Family(
        "cassandra_client_request_timeouts_total", COUNTER, "requests", ("operation",), "Requests whose replicas were late"
    ),
    Family(
        "cassandra_client_request_unavailable_exceptions_total",
        COUNTER,
        "requests",
        ("operation",),
        "Requests refused because too few replicas were up",
    ),
    Family("cassandra_client_request_failures_total", COUNTER, "requests", ("operation",), "Requests that replicas failed"),
    Family("cassandra_client_native_connections", GAUGE, "connections", (), "Clients that are connected"),
    Family("cqlserver_client_requests_in_flight_bytes", GAUGE, "bytes", (), "Requests that have come and are not answered"),
    Family("cqlserver_client_unsent_bytes", GAUGE, "bytes", (), "Answers that clients have not taken yet"),
    Family("cassandra_cql_prepared_statements", GAUGE, "statements", (), "Prepared statements that are kept"),
    Family("cassandra_cql_prepared_statements_evicted_total", COUNTER, "statements", (), "Those that had to make room"),
    Family(
        "cassandra_cql_statements_executed_total", COUNTER, "statements", ("statement_type",), "Executed: prepared, regular"
    ),
    Family(
        "cassandra_table_operation_latency_seconds",
        SUMMARY,
        "seconds",
        (*_TABLE, "operation"),
        "How long operations on a table took: read, range_read, write, cas_read, cas_write; of tables that had any",
    ),
    Family("cassandra_table_live_rows_scanned", SUMMARY, "rows", _TABLE, "Rows in the answer to a read"),
    Family("cassandra_table_tombstones_scanned", SUMMARY, "tombstones", _TABLE, "Tombstones that a read passed over"),
    Family("cassandra_table_sstables_per_read", SUMMARY, "SSTables", _TABLE, "SSTables that had something of what was read"),
    Family("cassandra_table_live_sstables", GAUGE, "SSTables", _TABLE, "SSTables of a table"),
    Family("cassandra_table_live_disk_space_bytes", GAUGE, "bytes", _TABLE, "What they take on disk"),
    Family("cassandra_table_memtable_live_bytes", GAUGE, "bytes", _TABLE, "What its memtable holds"),
    Family("cassandra_table_memtable_switches_total", COUNTER, "flushes", _TABLE, "How often a new memtable took over"),
    Family("cassandra_table_pending_flushes", GAUGE, "flushes", _TABLE, "Flushes that wait or go on"),
    Family("cassandra_table_estimated_pending_compactions", GAUGE, "compactions", _TABLE, "Compactions that wait or go on"),
    Family("cassandra_table_estimated_partitions", GAUGE, "partitions", _TABLE, "Partitions, those in several files twice"),
    Family("cassandra_table_partition_size_maximum_bytes", GAUGE, "bytes", _TABLE, "Its largest partition in one file"),
    Family(
        "cassandra_table_repaired_ratio", GAUGE, "ratio", _TABLE, "Share of its bytes on disk that were repaired; 1: all"
    ),
    Family(
        "cassandra_table_repair_jobs_started_total",
        COUNTER,
        "repairs",
        _TABLE,
        "Comparisons with other replicas, in some ranges, that this node has begun",
    ),
    Family("cassandra_table_repair_jobs_completed_total", COUNTER, "repairs", _TABLE, "Those that have ended well"),
    Family("cassandra_compaction_pending_tasks", GAUGE, "compactions", (), "Compactions that wait or go on"),
    Family("cassandra_compaction_completed_tasks_total", COUNTER, "compactions", (), "Compactions that have ended well"),
    Family("cassandra_compaction_bytes_compacted_total", COUNTER, "bytes", (), "What they read"),
    Family("cassandra_cache_capacity_bytes", GAUGE, "bytes", ("cache",), "What a cache may hold: key, row, chunk"),
    Family("cassandra_cache_estimated_size_bytes", GAUGE, "bytes", ("cache",), "What it holds"),
    Family("cassandra_cache_entries", GAUGE, "entries", ("cache",), "How many entries it has"),
    Family("cassandra_cache_hits_total", COUNTER, "requests", ("cache",), "What was found in it"),
    Family("cassandra_cache_requests_total", COUNTER, "requests", ("cache",), "What was looked for in it"),
    Family("cassandra_commit_log_size_bytes", GAUGE, "bytes", (), "Segments of the commit log on disk"),
    Family("cassandra_commit_log_completed_tasks_total", COUNTER, "records", (), "Records that were appended to it"),
    Family("cqlserver_commit_log_failed", GAUGE, "0 or 1", (), "1: writing it has failed, and writes are refused"),
    Family("cassandra_storage_load_bytes", GAUGE, "bytes", (), "What all SSTables take on disk"),
    Family("cassandra_storage_exceptions_total", COUNTER, "errors", (), "Bugs of the server that were met"),
    Family(
        "cassandra_dropped_messages_total",
        COUNTER,
        "messages",
        ("message_type",),
        "Messages to other nodes that were given up, because these could not be reached or did not keep up",
    ),
    Family("cassandra_storage_hints_total", COUNTER, "hints", (), "Hints that were kept for nodes that were away"),
    Family("cqlserver_nodes", GAUGE, "nodes", ("state",), "Nodes of the cluster that are up, and down"),
    Family("cassandra_thread_pool_active_tasks", GAUGE, "tasks", ("pool",), "What goes on, by Cassandra's pool for it"),
    Family("cassandra_thread_pool_pending_tasks", GAUGE, "tasks", ("pool",), "What waits for its turn"),
    Family("cassandra_thread_pool_completed_tasks_total", COUNTER, "tasks", ("pool",), "What was done"),
    Family("cqlserver_loop_stalls_total", COUNTER, "stalls", (), "Goes of the loop that took more than 5 ms"),
    Family("cqlserver_loop_stall_seconds_total", COUNTER, "seconds", (), "What these took together"),
    Family("cqlserver_uptime_seconds", GAUGE, "seconds", (), "Since the node was started"),
    Family("cqlserver_info", GAUGE, "1", ("release_version", "datacenter", "rack", "host_id"), "Who this node is"),
    Family("process_resident_memory_bytes", GAUGE, "bytes", (), "Memory of the process"),
    Family("process_cpu_seconds_total", COUNTER, "seconds", (), "Processor time of the process"),
    Family("process_open_fds", GAUGE, "descriptors", (), "Open files and sockets"),
    Family("process_max_fds", GAUGE, "descriptors", (), "As many may be open"),
)

FAMILIES: Final[Mapping[str, Family]] = {family.name: family for family in _ALL}
