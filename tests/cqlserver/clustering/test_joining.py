"""Processes that come into a ring that has data, leave it, and take the place of dead ones."""

from shutil import rmtree

import pytest
from process_ring import ALL, ONE, ProcessRing, ask, count

from cqlserver.launcher import Server, StartError
from protocol.client import connect
from protocol.requests import QueryOptions
from protocol.responses import Error

pytestmark = pytest.mark.slow
ROWS = 200
EVERYTHING = "SELECT k FROM ks.t"


def fill(server: Server, copies: int) -> None:
    ask(server, f"CREATE KEYSPACE ks WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {copies}}}")
    ask(server, "CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
    with connect(server.host, server.port, timeout_s=60) as connection:
        for key in range(ROWS):
            reply = connection.query(f"INSERT INTO ks.t (k, v) VALUES ({key}, 'v')", QueryOptions(consistency=ALL))
            assert not isinstance(reply.response, Error), reply


def test_a_node_joins_leaves_and_does_not_come_back(ring: ProcessRing) -> None:
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
    assert [count(server, EVERYTHING, ONE) for server in (first, second)] == [ROWS, ROWS]
    found = ask(second, "SELECT bootstrapped FROM system.local", ONE)
    assert found is not None
    assert b"COMPLETED" in found.content
    first.call("flush", keyspace="ks")
    second.call("decommission", force=True)
    assert "DECOMMISSIONED" in second.log
    assert count(first, EVERYTHING, ONE) == ROWS
    second.stop()
    with pytest.raises(StartError, match="This node was decommissioned and will not rejoin the ring unless"):
        ring.start(2)


def test_a_node_takes_the_place_of_a_dead_one(ring: ProcessRing) -> None:
    first, second = ring.start(1), ring.start(2)
    fill(first, copies=2)
    second.kill()
    with pytest.raises(StartError, match=r"Cannot replace_address /127\.0\.0\.9 because it doesn't exist in gossip"):
        ring.start(3, "-Dcassandra.replace_address_first_boot=127.0.0.9")
    with pytest.raises(StartError, match="Cannot replace a live node"):
        ring.start(3, "-Dcassandra.replace_address_first_boot=127.0.0.1")
    third = ring.start(3, "-Dcassandra.replace_address_first_boot=127.0.0.2")
    assert count(third, EVERYTHING, ALL) == ROWS
    assert count(first, "SELECT peer FROM system.peers", ONE) == 1
    first.kill()
    assert count(third, EVERYTHING, ONE) == ROWS


def test_a_node_whose_disk_is_lost_takes_its_own_place(ring: ProcessRing) -> None:
    first, second = ring.start(1), ring.start(2)
    fill(first, copies=2)
    host_id = "SELECT host_id FROM system.local"
    before = ask(second, host_id, ONE)
    assert before is not None
    second.kill()
    ask(first, "INSERT INTO ks.t (k, v) VALUES (-1, 'while it was away')", ONE)
    rmtree(ring.folder / "127.0.0.2")
    with pytest.raises(StartError, match=r"A node with address 127\.0\.0\.2:\d+ already exists, cancelling join"):
        ring.start(2)
    rmtree(ring.folder / "127.0.0.2")
    second = ring.start(2, "-Dcassandra.replace_address_first_boot=127.0.0.2")
    assert "Writes will not be forwarded to this node during replacement" in second.log
    assert count(second, EVERYTHING, ALL) == ROWS + 1
    again = ask(second, host_id, ONE)
    assert again is not None
    assert again.content == before.content
    second.stop()
    second = ring.start(2, "-Dcassandra.replace_address_first_boot=127.0.0.2")  # it is no first boot any more
    first.kill()
    assert count(second, EVERYTHING, ONE) == ROWS + 1
