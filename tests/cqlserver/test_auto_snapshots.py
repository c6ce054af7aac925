"""TRUNCATE and DROP of tables that hold something: no client waits for the snapshot, and it is there in the end."""

from pathlib import Path

import pytest

import cqlserver
from protocol.client import Connection, connect
from protocol.responses import Error

pytestmark = pytest.mark.slow

TIMEOUT_S = 30.0
CONFIG = "commitlog_sync: periodic\ncommitlog_sync_period: 1h\n"
KEYSPACE = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"


SCHEMA = (KEYSPACE, "CREATE TABLE ks.t (k int PRIMARY KEY)")
FILES = "data/ks/t-*/snapshots/*/nb-*-Data.db"


def ask(client: Connection, *statements: str) -> None:
    for statement in statements:
        response = client.query(statement).response
        assert not isinstance(response, Error), response


@pytest.mark.parametrize("removal", ["TRUNCATE ks.t", "DROP TABLE ks.t", "DROP KEYSPACE ks"])
@pytest.mark.parametrize("is_killed", [False, True])
def test_what_is_removed_has_a_snapshot_whenever_the_server_ends(removal: str, is_killed: bool, tmp_path: Path) -> None:
    config = tmp_path / "cassandra.yaml"
    config.write_text(CONFIG)
    data = tmp_path / "data"
    with cqlserver.start(data=data, config=config) as server:
        with connect(server.host, server.port, timeout_s=TIMEOUT_S) as client:
            ask(client, *SCHEMA, "INSERT INTO ks.t (k) VALUES (1)", removal)
        if is_killed:
            server.kill()
    if is_killed:
        with cqlserver.start(data=data) as server:
            assert len(server.call("list_snapshots")["snapshots"]) == 1
    assert len(list(data.glob(FILES))) == 1


def test_many_removals_in_a_row_have_a_snapshot_each(tmp_path: Path) -> None:
    """Faster than snapshots are taken, and several in one millisecond."""
    count = 100
    with cqlserver.start(data=tmp_path) as server, connect(server.host, server.port, timeout_s=TIMEOUT_S) as client:
        ask(client, *SCHEMA)
        for number in range(count):
            ask(client, f"INSERT INTO ks.t (k) VALUES ({number})", "TRUNCATE ks.t")
        assert len(server.call("list_snapshots")["snapshots"]) == count
        assert len(list(tmp_path.glob(FILES))) == count
        assert server.call("clear_snapshots", keyspaces=[])["removed"] == count
        assert not list(tmp_path.glob(FILES))


def test_a_large_table_is_dropped_in_turns(tmp_path: Path) -> None:
    """What its strand gave the background to do was an error: a strand is no task of trio's."""
    with cqlserver.start(data=tmp_path) as server, connect(server.host, server.port) as client:
        server.execute(f"{SCHEMA[0]}; CREATE TABLE ks.large (k int PRIMARY KEY, v text)")
        for k in range(30):
            server.execute(f"INSERT INTO ks.large (k, v) VALUES ({k}, '{'x' * 100_000}')")
        response = client.query("DROP TABLE ks.large").response
        assert not isinstance(response, Error), response
