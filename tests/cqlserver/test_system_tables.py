"""The system keyspaces' definitions, the row of system.local, and what virtual tables hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from types import SimpleNamespace
from uuid import UUID

import pytest

from cqlserver.auth.network_counts import NetworkCounts
from cqlserver.metrics.meters import Metering
from cqlserver.program.config import Config
from cqlserver.state import ClientState
from cqlserver.system.definitions import stored_system_keyspaces
from cqlserver.system.tables import (
    LocalFacts,
    local_table,
    local_update,
    state_update,
)
from cqlserver.system.virtual_definitions import virtual_keyspaces
from cqlserver.system.virtual_tables import VirtualTables
from storage.commitlog.records import Truncation
from storage.engine import Engine, EngineOptions
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.memory import MemoryDisk
from storage.environment.strands import InlineWorkers
from storage.memtable.memtable import position_of, token_position
from storage.mutation import PartitionUpdate
from storage.reads import TableStore
from storage.schema.metadata import Schema, TableMetadata
from storage.stored_values import stored_values

HOST_ID = UUID("fe1e4cdb-198b-4417-973c-aa268a4acd4d")
TABLE_ID = UUID("176c39cd-b93d-33a5-a218-8eb06a56f66e")
FACTS = LocalFacts("Test Cluster", HOST_ID, (-5, 7), UUID(int=3), "127.0.0.1", "127.0.0.1", 9042, 7000, 1_700_000_000)


def local_row(*updates: PartitionUpdate) -> dict[str, object]:
    store = TableStore(local_table())
    for update in updates:
        store.apply(PartitionUpdate.decode(update.encode()))
    (values,) = stored_values(store, 1)
    return {
        name: None if value is None else local_table().by_name[name].type.decode(value) for name, value in values.items()
    }


def test_caches_tell_how_often_they_are_asked() -> None:
    server = Server()
    before = {row["name"]: row for row in rows(server, "system_views", "caches")}
    assert before["keys"]["recent_request_rate_per_second"] == 0
    server.metering.tick_caches({"keys": (450, 500), "rows": (0, 0)})
    found = {row["name"]: row for row in rows(server, "system_views", "caches")}
    assert [found["keys"][f"recent_{kind}_rate_per_second"] for kind in ("hit", "request")] == [90, 100]
    assert found["rows"]["recent_request_rate_per_second"] == 0
    for _ in range(180):
        server.metering.tick_caches({"keys": (450, 500)})
    (faded,) = [row for row in rows(server, "system_views", "caches") if row["name"] == "keys"]
    assert 30 < faded["recent_request_rate_per_second"] < 40  # a quarter of an hour later


def test_local_has_every_column_that_drivers_read() -> None:
    row = local_row(local_update(FACTS, 1000))
    assert {name for name, value in row.items() if value is None} == {"truncated_at"}
    assert row["key"] == "local"
    assert row["release_version"] == "5.0.8"
    assert row["cql_version"] == "3.4.7"
    assert row["native_protocol_version"] == "5"
    assert row["partitioner"] == "org.apache.cassandra.dht.Murmur3Partitioner"
    assert (row["data_center"], row["rack"], row["bootstrapped"]) == ("datacenter1", "rack1", "COMPLETED")
    assert row["host_id"] == HOST_ID
    assert sorted(map(str, row["tokens"])) == ["-5", "7"]  # type: ignore[call-overload]
    assert row["rpc_address"] == row["broadcast_address"] == row["listen_address"] == ip_address("127.0.0.1")
    assert (row["rpc_port"], row["broadcast_port"], row["listen_port"]) == (9042, 7000, 7000)


def test_local_forgets_old_tokens_and_takes_new_versions() -> None:
    later = replace(FACTS, tokens=(9,), generation=1_700_000_009)
    row = local_row(local_update(FACTS, 1000), local_update(later, 2000), state_update(UUID(int=4), {}, 3000))
    assert list(map(str, row["tokens"])) == ["9"]  # type: ignore[call-overload]
    assert row["schema_version"] == UUID(int=4)
    assert row["truncated_at"] is None


def test_truncations_are_remembered_by_table() -> None:
    before = {TABLE_ID: Truncation(7, 8, 9), UUID(int=9): Truncation(7, 8, 9)}
    now = {TABLE_ID: Truncation(5, 6, 2_000_000)}
    states = (state_update(FACTS.schema_version, truncations, time) for time, truncations in ((2000, before), (3000, now)))
    row = local_row(local_update(FACTS, 1000), *states)
    value = (5).to_bytes(8, "big") + (6).to_bytes(4, "big") + (2000).to_bytes(8, "big")
    assert row["truncated_at"] == {TABLE_ID: value}


@pytest.mark.parametrize(
    ("keyspace", "table", "table_id"),
    [
        ("system", "local", "7ad54392-bcdd-35a6-8417-4e047860b377"),
        ("system", "IndexInfo", "9f5c6374-d485-3229-9a0a-5094af9ad1e3"),
        ("system_auth", "roles", "5bc52802-de25-35ed-aeab-188eecebb090"),
        ("system_distributed", "repair_history", "759fffad-624b-3181-80ee-fa9a52d1f627"),
        ("system_traces", "events", "8826e8e9-e16a-3728-8753-3bc1fc713c25"),
        ("system_views", "settings", "5adfcadb-4407-3c1f-b97e-322735089073"),
        ("system_virtual_schema", "tables", "de8b2957-3de1-3570-8793-6dcbce2e5d6e"),
    ],
)
def test_system_tables_have_cassandras_ids(keyspace: str, table: str, table_id: str) -> None:
    found = everything().maybe_table(keyspace, table)
    assert found is not None
    assert found.id == UUID(table_id)


def everything() -> Schema:
    return Schema.of([*stored_system_keyspaces(), *virtual_keyspaces()])


@dataclass
class Client:
    state: ClientState


def node_in_memory() -> Engine:
    return Engine(Environment(ManualClock(), Rng(b"seed"), MemoryDisk(), InlineWorkers()), EngineOptions())


@dataclass
class Server:
    config: Config = field(default_factory=Config)
    schema: Schema = field(default_factory=everything)
    sessions: list[Client] = field(default_factory=list)
    engine: Engine = field(default_factory=node_in_memory)
    statements: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(prepared_count=0, evicted_count=0))
    metering: Metering = field(default_factory=lambda: Metering(lambda: 0.0))
    access: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(networks=SimpleNamespace(counts=NetworkCounts(lambda: 0.0)))
    )

    def gossip_rows(self) -> tuple[Mapping[str, object], ...]:
        """Nobody is heard of."""
        return ()


def rows(server: Server, keyspace: str, name: str) -> list[Mapping[str, object]]:
    table = table_of(keyspace, name)
    types = {column.name: column.type for column in table.columns}
    found: list[Mapping[str, object]] = []
    for values in stored_values(VirtualTables(server).store(table), 1):
        found.append({n: None if v is None else types[n].decode(v) for n, v in values.items()})
    return found


def table_of(keyspace: str, name: str) -> TableMetadata:
    table = everything().maybe_table(keyspace, name)
    assert table is not None
    return table


def test_virtual_schema_describes_all_virtual_tables_and_itself() -> None:
    keyspaces = rows(Server(), "system_virtual_schema", "keyspaces")
    assert {row["keyspace_name"] for row in keyspaces} == {"system_views", "system_virtual_schema"}
    tables = rows(Server(), "system_virtual_schema", "tables")
    assert len(tables) == sum(len(k.tables) for k in virtual_keyspaces())
    columns = rows(Server(), "system_virtual_schema", "columns")
    assert len(columns) == sum(len(t.columns) for k in virtual_keyspaces() for t in k.tables.values())


def test_clients_are_those_connected() -> None:
    state = ClientState("127.0.0.1", 40000, "ks", 5, {"DRIVER_NAME": "D", "CQL_VERSION": "3.4.7"})
    (row,) = rows(Server(sessions=[Client(state)]), "system_views", "clients")
    assert (row["address"], row["port"], row["hostname"]) == (ip_address("127.0.0.1"), 40000, "localhost")
    assert (row["keyspace_name"], row["protocol_version"], row["driver_name"]) == ("ks", 5, "D")
    assert row["client_options"] == {"DRIVER_NAME": "D", "CQL_VERSION": "3.4.7"}
    assert row["driver_version"] is None


def test_settings_have_cassandras_names_and_units() -> None:
    found = {row["name"]: row["value"] for row in rows(Server(), "system_views", "settings")}
    assert found["commitlog_sync_period"] == "10000ms"
    assert found["commitlog_segment_size"] == "32MiB"
    assert found["cluster_name"] == "Test Cluster"


def test_virtual_partitions_come_by_key_and_pages_go_on_there() -> None:
    store = VirtualTables(Server()).store(table_of("system_views", "settings"))
    keys = [view.key for view in store.scan(1)]
    assert keys == sorted(keys)
    assert [view.key for view in store.scan(1, position_of(keys[3]))] == keys[3:]
    assert [view.key for view in store.scan(1, position_of(keys[3]) + b"\0")] == keys[4:]
    assert [view.key for view in store.scan(1, token_position(-(1 << 63)))] == keys
    positive = [key for key in keys if position_of(key) >= token_position(0)]
    assert [view.key for view in store.scan(1, token_position(0))] == positive
    negative = [key for key in keys if key not in positive]
    assert [view.key for view in store.scan(1, end=token_position(0))] == negative
    gone = position_of(b"no such setting") + b"\0"
    assert [view.key for view in store.scan(1, gone)] == []


@pytest.mark.parametrize("name", sorted(virtual_keyspaces()[0].tables))
def test_every_virtual_table_can_be_read(name: str) -> None:
    rows(Server(), "system_views", name)
