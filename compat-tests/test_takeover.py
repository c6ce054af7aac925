"""A Cassandra started on our data folder answers the same rows, and we on the one that it leaves, drained or killed.

Needs a Cassandra that may be started: CASSANDRA_ORACLE names the program that does (`oracle start --node K`), and
CASSANDRA_ORACLE_NODE the node to take, whose data is wiped.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sstables.inspector import HOME

import cqlserver
from cqlserver.nodetool import program
from protocol.client import Connection, connect
from protocol.responses import Error, RowsResult

pytestmark = pytest.mark.slow

CLUSTER = "takeover"
SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TYPE ks.address (street text, number int)",
    "CREATE TABLE ks.t (k int, c int, v text, a frozen<address>, l list<int>, m map<text, int>, s int static, d int, "
    "PRIMARY KEY (k, c)) WITH comment = 'of all kinds' AND CLUSTERING ORDER BY (c DESC)",
    "CREATE INDEX by_v ON ks.t (v)",
    "CREATE TABLE ks.counted (k text PRIMARY KEY, n counter)",
    "CREATE TABLE ks.cas (k int PRIMARY KEY, v int)",
    "CREATE TABLE ks.dropped (k int PRIMARY KEY)",
    "CREATE FUNCTION ks.plus_one (a int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return a + 1;'",
)
WRITES = (
    "INSERT INTO ks.t (k, c, v, a, l, m, s, d) VALUES (1, 2, 'x', {street: 'a', number: 1}, [1, 2], {'a': 1}, 5, 6)",
    "INSERT INTO ks.t (k, c, v) VALUES (1, 3, 'y') USING TTL 100000",
    "INSERT INTO ks.t (k, c, v) VALUES (2, 1, 'gone')",
    "INSERT INTO ks.t (k, c, v) VALUES (3, 1, 'x')",
    "DELETE FROM ks.t WHERE k = 2",
    "UPDATE ks.t SET l = l + [3], m['b'] = 2 WHERE k = 1 AND c = 2",
    "ALTER TABLE ks.t DROP d",
    "UPDATE ks.counted SET n = n + 5 WHERE k = 'a'",
    "UPDATE ks.counted SET n = n - 2 WHERE k = 'a'",
    "INSERT INTO ks.cas (k, v) VALUES (1, 1) IF NOT EXISTS",
    "UPDATE ks.cas SET v = 2 WHERE k = 1 IF v = 1",
    "DROP TABLE ks.dropped",
)
QUERIES = (
    "SELECT * FROM ks.t",
    "SELECT k, c, writetime(v), writetime(s) FROM ks.t",
    "SELECT * FROM ks.t WHERE v = 'x'",
    "SELECT * FROM ks.counted",
    "SELECT k, v, ks.plus_one(v) FROM ks.cas",
    "SELECT host_id, tokens, cluster_name, data_center, rack FROM system.local",
    "SELECT keyspace_name, table_name, id, comment FROM system_schema.tables WHERE keyspace_name = 'ks'",
    "SELECT * FROM system_schema.columns WHERE keyspace_name = 'ks'",
    "SELECT * FROM system_schema.dropped_columns WHERE keyspace_name = 'ks'",
)
LATER = (
    "INSERT INTO ks.t (k, c, v) VALUES (4, 1, 'x')",
    "UPDATE ks.counted SET n = n + 100 WHERE k = 'a'",
    "UPDATE ks.cas SET v = 3 WHERE k = 1 IF v = 2",
    "DELETE FROM ks.t WHERE k = 3",
    "CREATE TABLE ks.made (k int PRIMARY KEY, v text)",
    "INSERT INTO ks.made (k, v) VALUES (1, 'one')",
)


class Cassandra:
    """Node `number` of the program that starts Cassandras."""

    def __init__(self, command: str, number: str) -> None:
        self._command, self.number = command, number
        self.home = HOME / f"node{number}"

    def start(self) -> Connection:
        provider = "org.apache.cassandra.locator.SimpleSeedProvider"
        seeds = f"[{{'class_name':'{provider}','parameters':[{{'seeds':'{self.host}'}}]}}]"
        settings = {"cluster_name": f"'{CLUSTER}'", "seed_provider": seeds}
        given = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        self._run("start", "--heap", "512M", *given)
        return connect(self.host, 9142, timeout_s=60)

    def nodetool(self, *words: str) -> None:
        subprocess.run([self._command, "tool", "nodetool", "-p", str(7198 + int(self.number)), *words], check=True)

    def stop(self, *options: str) -> None:
        self._run("stop", *options)

    def kill(self) -> None:
        """As kill -9 does, a while after what was written: the log's sections are closed every tenth of a second."""
        time.sleep(1)
        os.kill(int((self.home / "pid").read_text()), signal.SIGKILL)
        time.sleep(1)

    @property
    def host(self) -> str:
        return f"127.0.0.{self.number}"

    def _run(self, verb: str, *options: str) -> None:
        subprocess.run([self._command, verb, "--node", self.number, *options], check=True)


@pytest.fixture
def cassandra() -> Iterator[Cassandra]:
    command, number = os.environ.get("CASSANDRA_ORACLE"), os.environ.get("CASSANDRA_ORACLE_NODE")
    if command is None or number is None:
        pytest.skip("needs a Cassandra that may be started: CASSANDRA_ORACLE and CASSANDRA_ORACLE_NODE")
    node = Cassandra(command, number)
    node.stop("--wipe")
    yield node
    node.stop("--wipe")


def done(connection: Connection, statement: str) -> Any:
    response = connection.query(statement).response
    assert not isinstance(response, Error), (statement, response)
    return response


def answers(connection: Connection) -> dict[str, list[tuple[bytes | None, ...]]]:
    found = {}
    for query in QUERIES:
        response = done(connection, query)
        assert isinstance(response, RowsResult)
        found[query] = [tuple(row) for row in response.rows()]
        assert found[query], query
    return found


def test_either_goes_on_where_the_other_stopped(cassandra: Cassandra, tmp_path: Path) -> None:
    data, config = tmp_path / "data", tmp_path / "cassandra.yaml"
    config.write_text(f"cluster_name: {CLUSTER}\n")
    with cqlserver.start(data=data, config=config) as server, connect(server.host, server.port) as connection:
        for statement in (*SCHEMA, *WRITES):
            done(connection, statement)
        ours = answers(connection)
        assert program.main(["-p", str(server.control_port), "drain"]) == 0
    cassandra.home.mkdir(parents=True, exist_ok=True)
    shutil.copytree(data / "data", cassandra.home / "data")
    with cassandra.start() as connection:
        assert answers(connection) == ours
        for statement in LATER:
            done(connection, statement)
        theirs = answers(connection)
        made = list(done(connection, "SELECT * FROM ks.made").rows())
        cassandra.nodetool("drain")
    cassandra.stop()
    shutil.rmtree(data / "data")
    shutil.copytree(cassandra.home / "data", data / "data")
    with cqlserver.start(data=data, config=config) as server, connect(server.host, server.port) as connection:
        assert answers(connection) == theirs
        assert theirs != ours
        assert list(done(connection, "SELECT * FROM ks.made").rows()) == made
        done(connection, "UPDATE ks.counted SET n = n + 1 WHERE k = 'a'")
        assert [row[1] for row in done(connection, "SELECT * FROM ks.counted").rows()] == [(104).to_bytes(8, "big")]


def test_a_cassandra_that_was_killed_is_taken_over(cassandra: Cassandra, tmp_path: Path) -> None:
    """Some of its data is in SSTables, compacted or truncated; the rest is in its log alone."""
    data, config = tmp_path / "data", tmp_path / "cassandra.yaml"
    config.write_text(f"cluster_name: {CLUSTER}\n")
    with cassandra.start() as connection:
        for statement in SCHEMA:
            done(connection, statement)
        done(connection, "CREATE TABLE ks.emptied (k int PRIMARY KEY)")
        done(connection, "INSERT INTO ks.emptied (k) VALUES (1)")
        done(connection, "UPDATE ks.counted SET n = n + 7 WHERE k = 'a'")
        done(connection, "INSERT INTO ks.t (k, c, v) VALUES (2, 7, 'gone')")
        cassandra.nodetool("flush", "ks", "counted", "t")
        done(connection, "TRUNCATE ks.emptied")
        for statement in (*WRITES, *LATER):
            done(connection, statement)
        done(connection, "INSERT INTO ks.emptied (k) VALUES (2)")
        theirs = answers(connection)
        others = ("SELECT * FROM ks.made", "SELECT * FROM ks.emptied")
        more = [list(done(connection, query).rows()) for query in others]
        cassandra.kill()
    assert list((cassandra.home / "commitlog").glob("CommitLog-7-*.log"))
    for folder in ("data", "commitlog"):
        shutil.copytree(cassandra.home / folder, data / folder)
    cassandra.stop()
    for _ in range(2):
        with cqlserver.start(data=data, config=config) as server, connect(server.host, server.port) as connection:
            assert answers(connection) == theirs
            assert [list(done(connection, query).rows()) for query in others] == more
            assert not list((data / "commitlog").glob("CommitLog-7-*.log"))
