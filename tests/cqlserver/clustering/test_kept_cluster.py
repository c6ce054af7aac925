"""snapshot and restore of a cluster in one process that keeps its data: all nodes as they were, also behind a kill."""

from pathlib import Path

import pytest

from cqlserver.control.client import ControlError
from cqlserver.launcher import Server, start
from protocol.client import connect
from protocol.requests import QueryOptions
from protocol.responses import RowsResult

pytestmark = pytest.mark.slow
SCHEMA = """
    CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3};
    CREATE KEYSPACE one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
    CREATE TABLE ks.t (k int PRIMARY KEY, v text);
    CREATE TABLE one.t (k int PRIMARY KEY, v text)
"""
KEYS = range(12)
ONE = 1


def write(server: Server, value: str) -> None:
    tables = ("ks.t", "one.t")
    server.execute("; ".join(f"INSERT INTO {table} (k, v) VALUES ({key}, '{value}')" for table in tables for key in KEYS))


def fill(server: Server) -> None:
    """Rows in two SSTables of each node, and in memory."""
    server.execute(SCHEMA)
    for value in ("oldest", "older"):
        write(server, value)
        for node in server.nodes:
            node.nodetool("flush")
    write(server, "before")


def assure_as_before(server: Server) -> None:
    expected = [{"k": key, "v": "before"} for key in KEYS]
    for name in ("one", "ks"):
        assert sorted(server.execute(f"SELECT * FROM {name}.t"), key=lambda row: row["k"]) == expected
    for node in server.nodes:  # each has all of it, without asking the others
        with connect(node.host, node.port) as connection:
            for key in KEYS:
                reply = connection.query(f"SELECT v FROM ks.t WHERE k = {key}", QueryOptions(consistency=ONE)).response
                assert isinstance(reply, RowsResult)
                assert reply.content[4:] == b"before"


def links(data: Path) -> list[Path]:
    return [path for node in (1, 2, 3) for path in (data / f"node{node}" / "saved").glob("*")]


def test_all_nodes_have_again_what_they_had(tmp_path: Path) -> None:
    with start(data=tmp_path, nodes=3) as server:
        fill(server)
        server.snapshot("a")
        server.snapshot("a")  # instead of the one before
        assert len(links(tmp_path)) == 3
        for change in ("TRUNCATE ks.t; TRUNCATE one.t", "ALTER TABLE ks.t ADD w int", "DROP KEYSPACE ks; DROP KEYSPACE one"):
            server.execute(change)
            server.restore("a")
            assure_as_before(server)
        for node in server.nodes:
            node.nodetool("compact", "ks")
        assure_as_before(server)
        write(server, "after")
        server.restore("a", schema=False)
        server.kill()
    with start(data=tmp_path, nodes=3) as server:
        assure_as_before(server)
        assert not links(tmp_path)


def test_a_snapshot_is_of_these_lives_of_the_nodes(tmp_path: Path) -> None:
    with start(data=tmp_path, nodes=3) as server:
        fill(server)
        server.snapshot("a")
        server.nodes[2].stop()
        with pytest.raises(ControlError, match="all nodes have to run"):
            server.restore("a")
        server.nodes[2].start()
        with pytest.raises(ControlError, match="to be those that the snapshot is of"):
            server.restore("a")
        assure_as_before(server)
        server.snapshot("b")
        server.reset()
        assert server.execute("SELECT * FROM ks.t") == []
        server.restore("b")
        assure_as_before(server)
        server.forget("b")
        server.forget("a")
        assert not links(tmp_path)
