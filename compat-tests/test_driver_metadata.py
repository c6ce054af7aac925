"""The Python driver's picture of the schema: read at connect, refreshed by events, and written out as CQL again."""

from typing import Any

import pytest
from cassandra.cluster import Session
from cassandra.metadata import KeyspaceMetadata, TableMetadata
from clients.python_driver import VERSIONS, connected, new_keyspace, unique, wait_until
from harness.runner import Address

SCHEMA = """
    CREATE TYPE address (street text, zip int)
    CREATE TYPE person (name text, homes map<text, frozen<address>>)
    CREATE TABLE events (
        tenant uuid, day date, at timestamp, seq int, kind text STATIC, payload blob, tags set<text>,
        who frozen<person>, place address, position tuple<double, double>, embedding vector<float, 3>,
        PRIMARY KEY ((tenant, day), at, seq)
    ) WITH CLUSTERING ORDER BY (at DESC, seq ASC) AND comment = 'what''s on' AND default_time_to_live = 86400
      AND gc_grace_seconds = 3600 AND compaction = {'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': '10'}
      AND compression = {'class': 'ZstdCompressor', 'chunk_length_in_kb': '64'}
      AND caching = {'keys': 'ALL', 'rows_per_partition': '10'} AND speculative_retry = '50MS'
      AND bloom_filter_fp_chance = 0.05
    CREATE TABLE hits (page text PRIMARY KEY, n counter)
    CREATE TABLE "Mixed" ("Key" int PRIMARY KEY, "select" list<frozen<list<int>>>)
"""


@pytest.fixture(scope="module")
def schema(session: Session, keyspace: str) -> KeyspaceMetadata:
    statements = SCHEMA.strip().split("\n    CREATE ")
    for statement in statements:
        session.execute(statement if statement.startswith("CREATE") else f"CREATE {statement}")
    return session.cluster.metadata.keyspaces[keyspace]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schema_read_at_connect(server_address: Address, schema: KeyspaceMetadata, version: int) -> None:
    with connected(server_address, version) as own:
        read = own.cluster.metadata.keyspaces[schema.name]
        assert set(read.tables) >= {"events", "hits", "Mixed"}
        for name in ("events", "hits", "Mixed"):
            assert read.tables[name].export_as_string() == schema.tables[name].export_as_string()
        assert read.user_types["person"].as_cql_query() == schema.user_types["person"].as_cql_query()
        assert set(read.user_types) == {"address", "person"}


def test_the_keyspace(schema: KeyspaceMetadata) -> None:
    assert schema.durable_writes
    assert schema.replication_strategy.export_for_schema() == "{'class': 'SimpleStrategy', 'replication_factor': '1'}"
    assert schema.as_cql_query() == (
        f"CREATE KEYSPACE {schema.name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': '1'}} "
        " AND durable_writes = true"
    )


def test_columns_and_keys(schema: KeyspaceMetadata) -> None:
    events = schema.tables["events"]
    assert [column.name for column in events.partition_key] == ["tenant", "day"]
    assert [(column.name, column.is_reversed) for column in events.clustering_key] == [("at", True), ("seq", False)]
    assert {name: (column.cql_type, column.is_static) for name, column in events.columns.items()} == {
        "tenant": ("uuid", False),
        "day": ("date", False),
        "at": ("timestamp", False),
        "seq": ("int", False),
        "kind": ("text", True),
        "payload": ("blob", False),
        "tags": ("set<text>", False),
        "who": ("frozen<person>", False),
        "place": ("address", False),
        "position": ("frozen<tuple<double, double>>", False),
        "embedding": ("vector<float, 3>", False),
    }
    assert list(events.columns)[:4] == ["tenant", "day", "at", "seq"]
    assert events.is_cql_compatible
    assert not events.virtual
    assert schema.tables["hits"].columns["n"].cql_type == "counter"
    assert schema.tables["Mixed"].columns["select"].cql_type == "list<frozen<list<int>>>"


def test_options(schema: KeyspaceMetadata) -> None:
    options = schema.tables["events"].options
    expected: dict[str, Any] = {
        "comment": "what's on",
        "default_time_to_live": 86400,
        "gc_grace_seconds": 3600,
        "bloom_filter_fp_chance": 0.05,
        "speculative_retry": "50ms",
        "additional_write_policy": "99p",
        "crc_check_chance": 1.0,
        "max_index_interval": 2048,
        "min_index_interval": 128,
        "memtable_flush_period_in_ms": 0,
        "read_repair": "BLOCKING",
        "cdc": None,
        "memtable": None,
    }
    assert {name: options.get(name) for name in expected} == expected
    assert dict(options["compaction"]) == {
        "class": "org.apache.cassandra.db.compaction.LeveledCompactionStrategy",
        "max_threshold": "32",
        "min_threshold": "4",
        "sstable_size_in_mb": "10",
    }
    assert dict(options["compression"]) == {
        "class": "org.apache.cassandra.io.compress.ZstdCompressor",
        "chunk_length_in_kb": "64",
    }
    assert dict(options["caching"]) == {"keys": "ALL", "rows_per_partition": "10"}


def test_types(schema: KeyspaceMetadata) -> None:
    address, person = schema.user_types["address"], schema.user_types["person"]
    assert (address.field_names, address.field_types) == (["street", "zip"], ["text", "int"])
    assert person.field_types == ["text", "map<text, frozen<address>>"]
    assert address.as_cql_query() == f"CREATE TYPE {schema.name}.address (street text, zip int)"


def test_the_exported_schema_makes_the_same_schema(session: Session, schema: KeyspaceMetadata) -> None:
    text = schema.export_as_string()
    assert f"CREATE TABLE {schema.name}.events" in text
    assert "CLUSTERING ORDER BY (at DESC, seq ASC)" in text
    copy = unique("copy")
    try:
        for statement in text.replace(schema.name, copy).split(";\n"):
            if statement.strip():
                session.execute(statement)
        made = session.cluster.metadata.keyspaces[copy]
        assert made.export_as_string() == text.replace(schema.name, copy)
    finally:
        session.execute(f"DROP KEYSPACE IF EXISTS {copy}")


def test_system_keyspaces(session: Session) -> None:
    keyspaces = session.cluster.metadata.keyspaces
    assert {
        "system",
        "system_auth",
        "system_distributed",
        "system_schema",
        "system_traces",
        "system_views",
        "system_virtual_schema",
    } <= keyspaces.keys()
    assert keyspaces["system_views"].virtual
    assert keyspaces["system_virtual_schema"].tables["tables"].virtual
    assert [column.name for column in keyspaces["system"].tables["local"].primary_key] == ["key"]
    assert keyspaces["system_schema"].tables["columns"].columns["clustering_order"].cql_type == "text"


def test_schema_agreement(session: Session) -> None:
    assert session.cluster.control_connection.wait_for_schema_agreement(wait_time=10)
    future = session.execute_async(f"CREATE TABLE {unique('agreed')} (k int PRIMARY KEY)")
    assert future.result().response_future.is_schema_agreed


@pytest.mark.parametrize("version", VERSIONS)
def test_events_of_another_session_refresh_the_picture(server_address: Address, session: Session, version: int) -> None:
    with connected(server_address, version) as watcher, new_keyspace(session, "watched") as name:
        metadata = watcher.cluster.metadata

        def table(table_name: str = "t") -> TableMetadata | None:
            keyspace = metadata.keyspaces.get(name)
            return keyspace.tables.get(table_name) if keyspace else None

        wait_until(lambda: name in metadata.keyspaces, "the keyspace is there")
        session.execute(f"CREATE TYPE {name}.pair (a int)")
        wait_until(lambda: "pair" in metadata.keyspaces[name].user_types, "the type is there")
        session.execute(f"ALTER TYPE {name}.pair ADD b int")
        wait_until(lambda: metadata.keyspaces[name].user_types["pair"].field_names == ["a", "b"], "the type has two fields")
        session.execute(f"CREATE TABLE {name}.t (k int PRIMARY KEY)")
        wait_until(table, "the table is there")
        session.execute(f"ALTER TABLE {name}.t ADD v text")
        wait_until(lambda: (found := table()) and "v" in found.columns, "the column is there")
        session.execute(f"ALTER TABLE {name}.t WITH comment = 'new'")
        wait_until(lambda: (found := table()) and found.options["comment"] == "new", "the comment is new")
        session.execute(f"DROP TABLE {name}.t")
        wait_until(lambda: table() is None, "the table is gone")
        session.execute(f"DROP TYPE {name}.pair")
        wait_until(lambda: not metadata.keyspaces[name].user_types, "the type is gone")
        session.execute(f"ALTER KEYSPACE {name} WITH durable_writes = false")
        wait_until(lambda: not metadata.keyspaces[name].durable_writes, "the keyspace is altered")
        session.execute(f"DROP KEYSPACE {name}")
        wait_until(lambda: name not in metadata.keyspaces, "the keyspace is gone")


def test_refresh_on_demand(server_address: Address, session: Session, keyspace: str) -> None:
    with connected(server_address, 5, schema_metadata_enabled=False) as own:
        assert own.cluster.metadata.keyspaces == {}
        table = unique("on_demand")
        session.execute(f"CREATE TABLE {table} (k int PRIMARY KEY)")
        own.cluster.schema_metadata_enabled = True
        own.cluster.refresh_table_metadata(keyspace, table)
        own.cluster.refresh_schema_metadata()
        assert table in own.cluster.metadata.keyspaces[keyspace].tables
