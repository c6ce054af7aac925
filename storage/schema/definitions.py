"""The definitions of system_schema's own tables (schema/SchemaKeyspace.java of Cassandra 5.0.8).

Rows: name, partition key, clustering, other columns, comment.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from storage.schema.metadata import KeyspaceMetadata, KeyspaceParams, TableMetadata, TableParams
from storage.schema.table_definitions import define_table

LOCAL_REPLICATION = MappingProxyType({"class": "org.apache.cassandra.locator.LocalStrategy"})

_PARAMS = TableParams(gc_grace_seconds=7 * 86400, memtable_flush_period_in_ms=3600_000)

_TABLES = (
    (
        "aggregates",
        "keyspace_name text",
        "aggregate_name text, argument_types frozen<list<text>>",
        "final_func text, initcond text, return_type text, state_func text, state_type text",
        "user defined aggregate definitions",
    ),
    (
        "column_masks",
        "keyspace_name text",
        "table_name text, column_name text",
        "function_argument_nulls frozen<list<boolean>>, function_argument_types frozen<list<text>>, "
        "function_argument_values frozen<list<text>>, function_keyspace text, function_name text",
        "column dynamic data masks",
    ),
    (
        "columns",
        "keyspace_name text",
        "table_name text, column_name text",
        "clustering_order text, column_name_bytes blob, kind text, position int, type text",
        "column definitions",
    ),
    (
        "dropped_columns",
        "keyspace_name text",
        "table_name text, column_name text",
        "dropped_time timestamp, kind text, type text",
        "dropped column registry",
    ),
    (
        "functions",
        "keyspace_name text",
        "function_name text, argument_types frozen<list<text>>",
        "argument_names frozen<list<text>>, body text, called_on_null_input boolean, language text, return_type text",
        "user defined function definitions",
    ),
    (
        "indexes",
        "keyspace_name text",
        "table_name text, index_name text",
        "kind text, options frozen<map<text, text>>",
        "secondary index definitions",
    ),
    (
        "keyspaces",
        "keyspace_name text",
        "",
        "durable_writes boolean, replication frozen<map<text, text>>",
        "keyspace definitions",
    ),
    (
        "tables",
        "keyspace_name text",
        "table_name text",
        "additional_write_policy text, allow_auto_snapshot boolean, bloom_filter_fp_chance double, caching "
        "frozen<map<text, text>>, cdc boolean, comment text, compaction frozen<map<text, text>>, compression "
        "frozen<map<text, text>>, crc_check_chance double, dclocal_read_repair_chance double, "
        "default_time_to_live int, extensions frozen<map<text, blob>>, flags frozen<set<text>>, "
        "gc_grace_seconds int, id uuid, incremental_backups boolean, max_index_interval int, memtable text, "
        "memtable_flush_period_in_ms int, min_index_interval int, read_repair text, read_repair_chance double, "
        "speculative_retry text",
        "table definitions",
    ),
    (
        "triggers",
        "keyspace_name text",
        "table_name text, trigger_name text",
        "options frozen<map<text, text>>",
        "trigger definitions",
    ),
    (
        "types",
        "keyspace_name text",
        "type_name text",
        "field_names frozen<list<text>>, field_types frozen<list<text>>",
        "user defined type definitions",
    ),
    (
        "views",
        "keyspace_name text",
        "view_name text",
        "additional_write_policy text, allow_auto_snapshot boolean, base_table_id uuid, base_table_name text, "
        "bloom_filter_fp_chance double, caching frozen<map<text, text>>, cdc boolean, comment text, compaction "
        "frozen<map<text, text>>, compression frozen<map<text, text>>, crc_check_chance double, "
        "dclocal_read_repair_chance double, default_time_to_live int, extensions frozen<map<text, blob>>, "
        "gc_grace_seconds int, id uuid, include_all_columns boolean, incremental_backups boolean, "
        "max_index_interval int, memtable text, memtable_flush_period_in_ms int, min_index_interval int, "
        "read_repair text, read_repair_chance double, speculative_retry text, where_clause text",
        "view definitions",
    ),
)


@lru_cache(maxsize=1)
def schema_keyspace() -> KeyspaceMetadata:
    """The keyspace system_schema."""
    tables: dict[str, TableMetadata] = {}
    for name, partition_key, clustering, others, comment in _TABLES:
        tables[name] = define_table(
            "system_schema", name, partition_key, clustering, others, params=_PARAMS, comment=comment
        )
    return KeyspaceMetadata("system_schema", KeyspaceParams(LOCAL_REPLICATION), MappingProxyType(tables))


@lru_cache(maxsize=1)
def schema_tables() -> Mapping[str, TableMetadata]:
    """The tables that hold the schema: those of system_schema, and one of our own that no client sees.

    system_schema.dropped_columns has milliseconds, as Cassandra's, but what was deleted to the microsecond must stay deleted
    after a start: `dropped_times` has the rest."""
    dropped_times = define_table(
        "system", "dropped_times", "keyspace_name text", "table_name text, column_name text", "dropped_time_us bigint"
    )
    return MappingProxyType({**schema_keyspace().tables, "dropped_times": dropped_times})


@lru_cache(maxsize=1)
def built_here_table() -> TableMetadata:
    """Which of the indexes that system."IndexInfo" tells of are in files of ours."""
    return define_table("system", "indexes_built_here", "table_name text", "index_name text", "value blob")
