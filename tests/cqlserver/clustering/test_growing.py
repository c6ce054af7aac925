"""A cluster in one process that grows and shrinks: the data goes along, and clients are told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cqlserver.control.client import ControlError
from cqlserver.launcher import ClusterNode, Server, start
from protocol.client import Connection, connect
from protocol.requests import QueryOptions
from protocol.responses import Error, RowsResult, TopologyChange

pytestmark = pytest.mark.slow
ONE, QUORUM, ALL = 1, 4, 5
ROWS = 400


@pytest.fixture(params=["memory", "disk"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    data = None if request.param == "memory" else tmp_path / "data"
    with start(nodes=3, data=data, log_level="info") as server:
        with connected(server.nodes[0]) as connection:
            ask(connection, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}")
            ask(connection, "CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
            for key in range(ROWS):
                ask(connection, f"INSERT INTO ks.t (k, v) VALUES ({key}, 'v{key}')", ALL)
                if key == ROWS // 2 and data is not None:
                    server.call("flush", keyspace="ks")
        yield server


def connected(node: ClusterNode) -> Connection:
    return connect(node.host, node.port, timeout_s=30)


def ask(connection: Connection, cql: str, level: int = QUORUM) -> RowsResult | None:
    response = connection.query(cql, QueryOptions(consistency=level)).response
    if isinstance(response, Error):
        raise response.error
    return response if isinstance(response, RowsResult) else None


def count(node: ClusterNode, cql: str = "SELECT k FROM ks.t", level: int = ONE) -> int:
    with connected(node) as connection:
        found = ask(connection, cql, level)
        assert found is not None
        return found.row_count


def test_nodes_come_with_their_data_and_go_without_losing_it(server: Server) -> None:
    with connected(server.nodes[0]) as watcher:
        watcher.register("TOPOLOGY_CHANGE")
        node = server.add_node()
        assert node.number == 4
        assert [count(each) for each in server.nodes] == [ROWS] * 4
        assert count(server.nodes[0], "SELECT peer FROM system.peers") == 3
        assert count(node, "SELECT k FROM ks.t", ALL) == ROWS
        told = server.call("netstats", node=4)
        assert (told["mode"], told["sessions"]) == ("NORMAL", [])
        with connected(node) as connection:
            for key in range(ROWS, ROWS + 100):
                ask(connection, f"INSERT INTO ks.t (k, v) VALUES ({key}, 'v{key}')")
        for each in server.nodes:
            each.nodetool("flush", "ks")
            each.nodetool("cleanup", "ks")
        assert [count(each) for each in server.nodes] == [ROWS + 100] * 4
        server.nodes[1].decommission()
        with pytest.raises(ControlError, match=r"Not enough live nodes to maintain replication factor in keyspace"):
            server.nodes[2].decommission()
        server.nodes[2].decommission(force=True)
        left = [server.nodes[0], node]
        assert [count(each) for each in left] == [ROWS + 100] * 2
        assert count(server.nodes[0], "SELECT peer FROM system.peers") == 1
        events = [watcher.next_event(10) for _ in range(3)]
        assert [event.change for event in events if isinstance(event, TopologyChange)] == [
            "NEW_NODE", "REMOVED_NODE", "REMOVED_NODE"
        ]  # fmt: skip


def test_what_is_a_node_s_own_no_more_is_cleaned_up(tmp_path: Path) -> None:
    with start(nodes=1, data=tmp_path / "data") as server:
        first = server.nodes[0]
        with connected(first) as connection:
            ask(connection, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
            ask(connection, "CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
            for key in range(ROWS):
                ask(connection, f"INSERT INTO ks.t (k, v) VALUES ({key}, 'v')", ONE)
        first.nodetool("flush", "ks")
        second = server.add_node()
        assert keys_on_disk(first) == ROWS
        first.nodetool("cleanup", "ks")
        assert 0 < keys_on_disk(first) < ROWS
        assert [count(node) for node in (first, second)] == [ROWS, ROWS]


def keys_on_disk(node: ClusterNode) -> int:
    told = node.nodetool("tablestats", "ks.t")
    return int(next(line for line in told.splitlines() if "Number of partitions" in line).split(":")[1])


def test_what_a_dead_node_had_is_made_up_for(server: Server) -> None:
    with connected(server.nodes[2]) as connection:
        found = ask(connection, "SELECT host_id FROM system.local")
        assert found is not None
        host_id = found.content[4:20].hex()
    with pytest.raises(ControlError, match=r"is alive and owns this ID\. Use decommission command to remove it from"):
        server.call("removenode", host_id=host_id)
    with pytest.raises(ControlError, match=r"Host ID not found\."):
        server.call("removenode", host_id="0" * 32)
    server.nodes[2].stop()
    assert server.call("removenode_status") == {"status": "No token removals in process."}
    server.call("removenode", host_id=host_id)
    for node in server.nodes[:2]:
        assert count(node) == ROWS
        assert count(node, "SELECT peer FROM system.peers") == 1
    server.nodes[1].stop()
    assert count(server.nodes[0]) == ROWS  # it has all of it now
