"""Processes that come into a ring that has data, leave it, and take the place of dead ones."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cqlserver.launcher import Server, StartError, launch
from protocol.client import connect
from protocol.requests import QueryOptions
from protocol.responses import Error, RowsResult

pytestmark = pytest.mark.slow
STORAGE_PORT = 17_100
ONE, QUORUM, ALL = 1, 4, 5
ROWS = 200
READY_S = 120.0


class Ring:
    """Nodes on 127.0.0.1 and so on, the first of which is the seed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.servers: list[Server] = []

    def start(self, number: int, *options: str) -> Server:
        host = f"127.0.0.{number}"
        command = [sys.executable, "-P", "-m", "cqlserver", "--host", host, "--port", str(self.port), "--control-port", "0"]
        command += ["--seeds", f"127.0.0.1:{STORAGE_PORT}", "--storage-port", str(STORAGE_PORT)]
        command += ["--data", str(self.folder / host), "--log-level", "info", "-Dcassandra.ring_delay_ms=8000", *options]
        server = launch([*command, "--ready-file", "-", "--until-stdin-ends"], READY_S)
        self.port = server.port
        self.servers.append(server)
        return server


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    ring = Ring(tmp_path)
    try:
        yield ring
    finally:
        for server in ring.servers:
            server.stop()


def ask(server: Server, cql: str, level: int = QUORUM) -> RowsResult | None:
    with connect(server.host, server.port, timeout_s=60) as connection:
        response = connection.query(cql, QueryOptions(consistency=level)).response
    if isinstance(response, Error):
        raise response.error
    return response if isinstance(response, RowsResult) else None


def count(server: Server, cql: str = "SELECT k FROM ks.t", level: int = ONE) -> int:
    found = ask(server, cql, level)
    assert found is not None
    return found.row_count


def fill(server: Server, copies: int) -> None:
    ask(server, f"CREATE KEYSPACE ks WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {copies}}}")
    ask(server, "CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
    with connect(server.host, server.port, timeout_s=60) as connection:
        for key in range(ROWS):
            reply = connection.query(f"INSERT INTO ks.t (k, v) VALUES ({key}, 'v')", QueryOptions(consistency=ALL))
            assert not isinstance(reply.response, Error), reply


def test_a_node_joins_leaves_and_does_not_come_back(ring: Ring) -> None:
    first = ring.start(1)
    fill(first, copies=1)
    first.call("flush", keyspace="ks")
    second = ring.start(2)
    for line in (
        "JOINING: waiting for ring information",
        "JOINING: schema complete, ready to bootstrap",
        "JOINING: Starting to bootstrap...",
        "Bootstrap completed for tokens",
        "Startup complete",
    ):
        assert line in second.log
    assert [count(server) for server in (first, second)] == [ROWS, ROWS]
    found = ask(second, "SELECT bootstrapped FROM system.local", ONE)
    assert found is not None
    assert b"COMPLETED" in found.content
    first.call("flush", keyspace="ks")
    second.call("decommission", force=True)
    assert "DECOMMISSIONED" in second.log
    assert count(first) == ROWS
    second.stop()
    with pytest.raises(StartError, match="This node was decommissioned and will not rejoin the ring unless"):
        ring.start(2)


def test_a_node_takes_the_place_of_a_dead_one(ring: Ring) -> None:
    first, second = ring.start(1), ring.start(2)
    fill(first, copies=2)
    second.kill()
    with pytest.raises(StartError, match=r"Cannot replace_address /127\.0\.0\.9 because it doesn't exist in gossip"):
        ring.start(3, "-Dcassandra.replace_address_first_boot=127.0.0.9")
    with pytest.raises(StartError, match="Cannot replace a live node"):
        ring.start(3, "-Dcassandra.replace_address_first_boot=127.0.0.1")
    third = ring.start(3, "-Dcassandra.replace_address_first_boot=127.0.0.2")
    assert count(third, level=ALL) == ROWS
    assert count(first, "SELECT peer FROM system.peers") == 1
    first.kill()
    assert count(third) == ROWS
