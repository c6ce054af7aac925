"""The definitions of the stored system keyspaces: system, system_auth, system_distributed, system_traces.

Rows: name, partition key, clustering, other columns, comment; as Cassandra 5.0.8 has them (db/SystemKeyspace.java,
auth/AuthKeyspace.java, schema/SystemDistributedKeyspace.java, tracing/TraceKeyspace.java). system_schema stands in
storage/schema/definitions.py, since storage reads and writes it.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from protocol.types import TEXT
from storage.schema.definitions import LOCAL_REPLICATION, schema_keyspace
from storage.schema.metadata import (
    DroppedColumn,
    IndexMetadata,
    KeyspaceMetadata,
    KeyspaceParams,
    TableMetadata,
    TableParams,
)
from storage.schema.table_definitions import define_table

_Definitions = tuple[tuple[str, ...], ...]

_COMPACTION = "org.apache.cassandra.db.compaction."
_DEFAULT_COMPACTION = TableParams().compaction
_LONG_MAX = (1 << 63) - 1

_SYSTEM_PARAMS = TableParams(gc_grace_seconds=0, memtable_flush_period_in_ms=3600_000)
_AUTH_PARAMS = TableParams(gc_grace_seconds=90 * 86400)
_TRACE_PARAMS = TableParams(gc_grace_seconds=0)
_REPAIR_HISTORY_PARAMS = TableParams(
    default_time_to_live=30 * 86400,
    compaction=MappingProxyType(
        {
            "class": _COMPACTION + "TimeWindowCompactionStrategy",
            "compaction_window_size": "1",
            "compaction_window_unit": "DAYS",
            "max_threshold": "32",
            "min_threshold": "4",
        }
    ),
)

# Tables whose parameters are not those of their keyspace's others.
_SPECIAL_PARAMS: Mapping[str, TableParams] = MappingProxyType(
    {
        "batches": replace(_SYSTEM_PARAMS, compaction=MappingProxyType({**_DEFAULT_COMPACTION, "min_threshold": "2"})),
        "compaction_history": replace(_SYSTEM_PARAMS, default_time_to_live=7 * 86400),
        "paxos": replace(
            _SYSTEM_PARAMS,
            compaction=MappingProxyType({**_DEFAULT_COMPACTION, "class": _COMPACTION + "LeveledCompactionStrategy"}),
        ),
        "parent_repair_history": _REPAIR_HISTORY_PARAMS,
        "repair_history": _REPAIR_HISTORY_PARAMS,
    }
)

_SYSTEM: _Definitions = (
    ("IndexInfo", "table_name text", "index_name text", "value blob", "built column indexes"),
    (
        "available_ranges",
        "keyspace_name text",
        "",
        "ranges set<blob>",
        "available keyspace/ranges during bootstrap/replace that are ready to be served",
    ),
    (
        "available_ranges_v2",
        "keyspace_name text",
        "",
        "full_ranges set<blob>, transient_ranges set<blob>",
        "available keyspace/ranges during bootstrap/replace that are ready to be served",
    ),
    ("batches", "id timeuuid", "", "mutations list<blob>, version int", "batches awaiting replay"),
    ("built_views", "keyspace_name text", "view_name text", "status_replicated boolean", "built views"),
    (
        "compaction_history",
        "id timeuuid",
        "",
        "bytes_in bigint, bytes_out bigint, columnfamily_name text, compacted_at timestamp, "
        "compaction_properties frozen<map<text, text>>, keyspace_name text, rows_merged map<int, bigint>",
        "week-long compaction history",
    ),
    (
        "local",
        "key text",
        "",
        "bootstrapped text, broadcast_address inet, broadcast_port int, cluster_name text, cql_version text, "
        "data_center text, gossip_generation int, host_id uuid, listen_address inet, listen_port int, "
        "native_protocol_version text, partitioner text, rack text, release_version text, rpc_address inet, "
        "rpc_port int, schema_version uuid, tokens set<text>, truncated_at map<uuid, blob>",
        "information about the local node",
    ),
    (
        "paxos",
        "row_key blob",
        "cf_id uuid",
        "in_progress_ballot timeuuid, in_progress_read_ballot timeuuid, most_recent_commit blob, "
        "most_recent_commit_at timeuuid, most_recent_commit_version int, proposal blob, proposal_ballot "
        "timeuuid, proposal_version int",
        "in-progress paxos proposals",
    ),
    (
        "paxos_repair_history",
        "keyspace_name text",
        "table_name text",
        "points frozen<list<frozen<tuple<blob, timeuuid>>>>",
        "paxos repair history",
    ),
    ("peer_events", "peer inet", "", "hints_dropped map<timeuuid, int>", "events related to peers"),
    ("peer_events_v2", "peer inet", "peer_port int", "hints_dropped map<timeuuid, int>", "events related to peers"),
    (
        "peers",
        "peer inet",
        "",
        "data_center text, host_id uuid, preferred_ip inet, rack text, release_version text, rpc_address inet, "
        "schema_version uuid, tokens set<text>",
        "information about known peers in the cluster",
    ),
    (
        "peers_v2",
        "peer inet",
        "peer_port int",
        "data_center text, host_id uuid, native_address inet, native_port int, preferred_ip inet, "
        "preferred_port int, rack text, release_version text, schema_version uuid, tokens set<text>",
        "information about known peers in the cluster",
    ),
    ("prepared_statements", "prepared_id blob", "", "logged_keyspace text, query_string text", "prepared statements"),
    (
        "repairs",
        "parent_id timeuuid",
        "",
        "cfids set<uuid>, coordinator inet, coordinator_port int, last_update timestamp, participants "
        "set<inet>, participants_wp set<text>, ranges set<blob>, repaired_at timestamp, started_at timestamp, "
        "state int",
        "repairs",
    ),
    (
        "size_estimates",
        "keyspace_name text",
        "table_name text, range_start text, range_end text",
        "mean_partition_size bigint, partitions_count bigint",
        "per-table primary range size estimates, table is deprecated in favor of table_estimates",
    ),
    (
        "sstable_activity",
        "keyspace_name text, columnfamily_name text, generation int",
        "",
        "rate_120m double, rate_15m double",
        "historic sstable read rates",
    ),
    (
        "sstable_activity_v2",
        "keyspace_name text, table_name text, id text",
        "",
        "rate_120m double, rate_15m double",
        "historic sstable read rates",
    ),
    (
        "table_estimates",
        "keyspace_name text",
        "table_name text, range_type text, range_start text, range_end text",
        "mean_partition_size bigint, partitions_count bigint",
        "per-table range size estimates",
    ),
    (
        "top_partitions",
        "keyspace_name text",
        "table_name text, top_type text",
        "last_update timestamp, top frozen<list<frozen<tuple<text, bigint>>>>",
        "Stores the top partitions",
    ),
    (
        "transferred_ranges",
        "operation text, keyspace_name text",
        "peer inet",
        "ranges set<blob>",
        "record of transferred ranges for streaming operation",
    ),
    (
        "transferred_ranges_v2",
        "operation text, keyspace_name text",
        "peer inet, peer_port int",
        "ranges set<blob>",
        "record of transferred ranges for streaming operation",
    ),
    (
        "view_builds_in_progress",
        "keyspace_name text",
        "view_name text, start_token text, end_token text",
        "keys_built bigint, last_token text",
        "views builds current progress",
    ),
)

_AUTH: _Definitions = (
    (
        "cidr_groups",
        "cidr_group text",
        "",
        "cidrs frozen<set<frozen<tuple<inet, smallint>>>>",
        "cidr groups to cidrs mapping",
    ),
    ("cidr_permissions", "role text", "", "cidr_groups frozen<set<text>>", "user cidr permissions"),
    ("identity_to_role", "identity text", "", "role text", "mtls authorized identities lookup table"),
    ("network_permissions", "role text", "", "dcs frozen<set<text>>", "user network permissions"),
    (
        "resource_role_permissons_index",
        "resource text",
        "role text",
        "",
        "index of db roles with permissions granted on a resource",
    ),
    ("role_members", "role text", "member text", "", "role memberships lookup table"),
    ("role_permissions", "role text", "resource text", "permissions set<text>", "permissions granted to db roles"),
    (
        "roles",
        "role text",
        "",
        "can_login boolean, is_superuser boolean, member_of set<text>, salted_hash text",
        "role definitions",
    ),
)

_DISTRIBUTED: _Definitions = (
    (
        "parent_repair_history",
        "parent_id timeuuid",
        "",
        "columnfamily_names set<text>, exception_message text, exception_stacktrace text, finished_at "
        "timestamp, keyspace_name text, options map<text, text>, requested_ranges set<text>, started_at "
        "timestamp, successful_ranges set<text>",
        "Repair history",
    ),
    (
        "partition_denylist",
        "ks_name text, table_name text",
        "key blob",
        "",
        "Partition keys which have been denied access",
    ),
    (
        "repair_history",
        "keyspace_name text, columnfamily_name text",
        "id timeuuid",
        "coordinator inet, coordinator_port int, exception_message text, exception_stacktrace text, finished_at "
        "timestamp, parent_id timeuuid, participants set<inet>, participants_v2 set<text>, range_begin text, "
        "range_end text, started_at timestamp, status text",
        "Repair history",
    ),
    (
        "view_build_status",
        "keyspace_name text, view_name text",
        "host_id uuid",
        "status text",
        "Materialized View build status",
    ),
)

_TRACES: _Definitions = (
    (
        "events",
        "session_id uuid",
        "event_id timeuuid",
        "activity text, source inet, source_elapsed int, source_port int, thread text",
        "tracing events",
    ),
    (
        "sessions",
        "session_id uuid",
        "",
        "client inet, command text, coordinator inet, coordinator_port int, duration int, parameters map<text, "
        "text>, request text, started_at timestamp",
        "tracing sessions",
    ),
)


def _simple(replication_factor: int) -> KeyspaceParams:
    strategy = "org.apache.cassandra.locator.SimpleStrategy"
    return KeyspaceParams(MappingProxyType({"class": strategy, "replication_factor": str(replication_factor)}))


def _keyspace(
    name: str, params: KeyspaceParams, definitions: _Definitions, table_params: TableParams
) -> KeyspaceMetadata:
    tables: dict[str, TableMetadata] = {}
    for table, partition_key, clustering, others, comment in definitions:
        special = _SPECIAL_PARAMS.get(table, table_params)
        tables[table] = define_table(name, table, partition_key, clustering, others, params=special, comment=comment)
    return KeyspaceMetadata(name, params, MappingProxyType(tables))


def _system() -> KeyspaceMetadata:
    system = _keyspace("system", KeyspaceParams(LOCAL_REPLICATION), _SYSTEM, _SYSTEM_PARAMS)
    thrift_version = DroppedColumn("thrift_version", TEXT, _LONG_MAX)
    local = replace(system.tables["local"], dropped_columns=MappingProxyType({"thrift_version": thrift_version}))
    index_class = "org.apache.cassandra.service.paxos.uncommitted.PaxosUncommittedIndex"
    options = MappingProxyType({"class_name": index_class, "target": ""})
    index = IndexMetadata("PaxosUncommittedIndex", "CUSTOM", options)
    paxos = replace(system.tables["paxos"], indexes=MappingProxyType({index.name: index}))
    return system.with_table(local).with_table(paxos)


@lru_cache(maxsize=1)
def stored_system_keyspaces() -> tuple[KeyspaceMetadata, ...]:
    """system, system_schema, system_auth, system_distributed, system_traces."""
    return (
        _system(),
        schema_keyspace(),
        _keyspace("system_auth", _simple(1), _AUTH, _AUTH_PARAMS),
        _keyspace("system_distributed", _simple(3), _DISTRIBUTED, TableParams()),
        _keyspace("system_traces", _simple(2), _TRACES, _TRACE_PARAMS),
    )
