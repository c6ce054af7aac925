"""The Python driver and three nodes of ours: it finds them, sends to replicas, follows who goes down and comes back, and the
schema that another node changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cassandra import ConsistencyLevel, Unavailable
from cassandra.cluster import NoHostAvailable, Session
from cassandra.policies import ConstantReconnectionPolicy, HostStateListener
from cassandra.pool import Host
from clients.python_driver import connected, new_keyspace, wait_until
from harness.runner import Address

import cqlserver
from cqlserver.launcher import Server

REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 3}"
PATIENCE_S = 30.0


class Told(HostStateListener):  # type: ignore[misc]
    """What the driver hears of nodes: (what, last number of the address)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def on_up(self, host: Host) -> None:
        self.events.append(("up", _number(host)))

    def on_down(self, host: Host) -> None:
        self.events.append(("down", _number(host)))

    def on_add(self, host: Host) -> None:
        self.events.append(("add", _number(host)))

    def on_remove(self, host: Host) -> None:
        self.events.append(("remove", _number(host)))


def _number(host: Host) -> int:
    return int(host.address.rpartition(".")[2])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with cqlserver.start(nodes=3, memory=True, config=Path(__file__).parent / "cassandra.yaml") as started:
        yield started


@pytest.fixture
def session(server: Server) -> Iterator[Session]:
    first = server.nodes[0]
    reconnection = ConstantReconnectionPolicy(0.2, max_attempts=None)
    with connected(
        Address(first.host, first.port), reconnection_policy=reconnection, status_event_refresh_window=0.5
    ) as found:
        yield found
    for node in server.nodes:
        node.start()


@pytest.fixture
def keyspace(session: Session) -> Iterator[str]:
    with new_keyspace(session, "cluster", REPLICATION) as name:
        session.set_keyspace(name)
        session.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
        yield name


def up(session: Session) -> set[int]:
    return {_number(host) for host in session.cluster.metadata.all_hosts() if host.is_up}


def test_it_finds_all_nodes_and_what_each_owns(session: Session, keyspace: str) -> None:
    wait_until(lambda: up(session) == {1, 2, 3}, "all nodes are up")
    hosts = session.cluster.metadata.all_hosts()
    assert {(host.datacenter, host.rack, host.release_version) for host in hosts} == {("datacenter1", "rack1", "5.0.8")}
    assert len({host.host_id for host in hosts}) == 3
    token_map = session.cluster.metadata.token_map
    assert set(token_map.token_to_host_owner.values()) == set(hosts)
    assert len(session.cluster.metadata.get_replicas(keyspace, b"\0\0\0\1")) == 3


def test_requests_go_to_all_nodes_and_see_what_the_others_wrote(session: Session, keyspace: str) -> None:
    insert = session.prepare("INSERT INTO t (k, v) VALUES (?, ?)")
    select = session.prepare("SELECT v FROM t WHERE k = ?")
    insert.consistency_level = select.consistency_level = ConsistencyLevel.QUORUM
    for key in range(60):
        session.execute(insert, (key, key + 1))
    asked: set[int] = set()
    for key in range(60):
        found = session.execute(select, (key,))
        assert found.one().v == key + 1
        asked.add(_number(found.response_future.coordinator_host))
    assert asked == {1, 2, 3}


def test_it_hears_who_goes_and_who_comes_back(server: Server, session: Session, keyspace: str) -> None:
    wait_until(lambda: up(session) == {1, 2, 3}, "all nodes are up")
    told = Told()
    session.cluster.register_listener(told)
    insert = session.prepare("INSERT INTO t (k, v) VALUES (?, ?)")
    insert.consistency_level = ConsistencyLevel.QUORUM
    server.nodes[2].stop()
    wait_until(lambda: ("down", 3) in told.events, "node 3 is down", PATIENCE_S)
    asked = {_number(session.execute(insert, (key, 1)).response_future.coordinator_host) for key in range(20)}
    assert asked == {1, 2}
    server.nodes[2].start()
    wait_until(lambda: ("up", 3) in told.events, "node 3 is up again", PATIENCE_S)

    def is_asked() -> bool:
        found = [session.execute(insert, (key, 2)) for key in range(20)]
        return 3 in {_number(result.response_future.coordinator_host) for result in found}

    wait_until(is_asked, "node 3 is sent to again", PATIENCE_S)


def test_a_quorum_that_is_not_there_is_told_as_such(server: Server, session: Session, keyspace: str) -> None:
    session.execute("INSERT INTO t (k, v) VALUES (1, 1)")
    server.nodes[1].stop()
    server.nodes[2].stop()
    wait_until(lambda: up(session) == {1}, "one node is left", PATIENCE_S)
    statement = session.prepare("SELECT v FROM t WHERE k = 1")
    statement.consistency_level = ConsistencyLevel.QUORUM
    with pytest.raises((Unavailable, NoHostAvailable)) as caught:
        session.execute(statement)
    error = caught.value
    if isinstance(error, NoHostAvailable):
        (error,) = [one for one in error.errors.values() if isinstance(one, Unavailable)]
    assert (error.required_replicas, error.alive_replicas) == (2, 1)
    statement.consistency_level = ConsistencyLevel.ONE
    assert session.execute(statement).one().v == 1


def test_it_hears_of_a_change_of_the_schema_at_another_node(server: Server, session: Session, keyspace: str) -> None:
    third = server.nodes[2]
    with connected(Address(third.host, third.port), keyspace=keyspace) as other:
        other.execute("CREATE TABLE made_elsewhere (k int PRIMARY KEY)")
    wait_until(
        lambda: "made_elsewhere" in session.cluster.metadata.keyspaces[keyspace].tables,
        "the table is known",
        PATIENCE_S,
    )


def test_the_node_that_tells_it_of_all_this_may_go_too(server: Server, session: Session, keyspace: str) -> None:
    """The control connection moves to another node, and hears from there."""
    wait_until(lambda: up(session) == {1, 2, 3}, "all nodes are up")
    server.nodes[0].stop()
    insert = session.prepare("INSERT INTO t (k, v) VALUES (1, 2)")
    insert.consistency_level = ConsistencyLevel.QUORUM
    wait_until(lambda: up(session) == {2, 3}, "node 1 is down", PATIENCE_S)
    session.execute(insert)
    server.nodes[0].start()
    wait_until(lambda: up(session) == {1, 2, 3}, "node 1 is up again", PATIENCE_S)
