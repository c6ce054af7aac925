"""Three nodes in one process, through real ports: statements through any of them, and what is told when some are gone."""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from cqlserver.control.client import ControlError
from cqlserver.launcher import Server, start
from protocol.client import Connection, connect
from protocol.errors import CasWriteUnknown, ReadTimeout, RequestError, TruncateError, Unavailable, WriteTimeout
from protocol.requests import Query, QueryOptions
from protocol.responses import Error, Response, RowsResult

pytestmark = pytest.mark.slow
ANY, ONE, TWO, QUORUM, ALL = 0, 1, 2, 4, 5
PATIENCE_S = 30.0


def wire_values(content: bytes) -> list[bytes]:
    """Those of all rows; nulls are left out."""
    values, at = [], 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big", signed=True)
        at += 4
        if length >= 0:
            values.append(content[at : at + length])
            at += length
    return values


@dataclass
class Cluster:
    server: Server
    connections: list[Connection]

    def ask(self, node: int, cql: str, level: int = QUORUM) -> Response:
        """Raises what the node answers."""
        response = self.connections[node - 1].query(cql, QueryOptions(consistency=level)).response
        if isinstance(response, Error):
            raise response.error
        return response

    def rows(self, node: int, cql: str, level: int = QUORUM) -> list[bytes]:
        response = self.ask(node, cql, level)
        assert isinstance(response, RowsResult)
        return wire_values(response.content)

    def error(self, node: int, cql: str, level: int) -> RequestError:
        with pytest.raises(RequestError) as caught:
            self.ask(node, cql, level)
        return caught.value


def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, "it takes too long"


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with start(nodes=3) as server:
        connections = [connect(node.host, node.port, timeout_s=30) for node in server.nodes]
        cluster = Cluster(server, connections)
        cluster.ask(1, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
        cluster.ask(1, "CREATE KEYSPACE one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        cluster.ask(2, "CREATE TABLE ks.t (k int, c int, v text, s text static, l list<int>, PRIMARY KEY (k, c))")
        cluster.ask(3, "CREATE TABLE one.t (k int PRIMARY KEY, v text)")
        yield cluster
        for connection in connections:
            connection.close()


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """With empty tables, and everybody up again at the end."""
    running.ask(1, "TRUNCATE ks.t")
    running.ask(1, "TRUNCATE one.t")
    yield running
    running.server.heal()
    for number, node in enumerate(running.server.nodes, 1):
        node.resume()
        node.start()
        reconnect(running, number)


def test_filters_that_hold_many_rows_of_replicas_are_told(cluster: Cluster) -> None:
    rows = "; ".join(f"INSERT INTO ks.t (k, c, v) VALUES (77, {c}, 'held')" for c in range(1_001))
    cluster.ask(1, f"BEGIN UNLOGGED BATCH {rows}; APPLY BATCH", ALL)
    query = "SELECT c FROM ks.t WHERE v = 'held' ALLOW FILTERING"
    reply = cluster.connections[0].query(query, QueryOptions(consistency=QUORUM))
    told = "SELECT v FROM ks.t WHERE v = 'held' ALLOW FILTERING"
    assert list(reply.warnings) == [
        f"Replica filtering protection has cached over 2000 rows during query {told}. "
        "(See 'cached_replica_rows_warn_threshold' in cassandra.yaml.)"
    ]
    assert not cluster.connections[0].query(query, QueryOptions(consistency=ONE)).warnings
    cluster.ask(1, "DELETE FROM ks.t WHERE k = 77", ALL)


def test_a_snapshot_is_of_all_nodes_and_comes_back_at_all(running: Cluster) -> None:
    server = running.server
    running.ask(1, "CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}")
    running.ask(2, "CREATE TABLE kept.t (k int PRIMARY KEY, v text)")
    for key in range(20):
        running.ask(1 + key % 3, f"INSERT INTO kept.t (k, v) VALUES ({key}, 'before')")
    server.snapshot("twenty", keyspace="kept")
    running.ask(3, "ALTER TABLE kept.t ADD w int")
    for key in range(30):
        running.ask(1 + key % 3, f"INSERT INTO kept.t (k, v) VALUES ({key}, 'after')")
    server.restore("twenty")
    for node in (1, 2, 3):
        assert sorted(running.rows(node, "SELECT v FROM kept.t", ALL)) == [b"before"] * 20
        columns = running.rows(node, "SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'kept'")
        assert columns == [b"k", b"v"]
    running.ask(2, "DROP KEYSPACE kept")
    server.restore("twenty")
    assert sorted(running.rows(3, "SELECT v FROM kept.t", ALL)) == [b"before"] * 20
    server.nodes[2].stop()
    with pytest.raises(ControlError, match="all nodes have to run"):
        server.restore("twenty")
    server.nodes[2].start()
    reconnect(running, 3)
    running.ask(1, "DROP KEYSPACE kept")


def reconnect(cluster: Cluster, number: int) -> None:
    node = cluster.server.nodes[number - 1]
    cluster.connections[number - 1].close()
    cluster.connections[number - 1] = connect(node.host, node.port, timeout_s=30)


def test_what_is_written_through_one_is_read_through_the_others(cluster: Cluster) -> None:
    for number in range(1, 4):
        cluster.ask(number, f"INSERT INTO ks.t (k, c, v) VALUES (1, {number}, 'of {number}')")
    for number in range(1, 4):
        assert cluster.rows(number, "SELECT v FROM ks.t WHERE k = 1") == [b"of 1", b"of 2", b"of 3"]
        assert cluster.rows(number, "SELECT v FROM ks.t WHERE k = 1 ORDER BY c DESC LIMIT 2") == [b"of 3", b"of 2"]


def test_rows_of_one_replica_each_are_found_wherever_they_are(cluster: Cluster) -> None:
    for key in range(30):
        cluster.ask(key % 3 + 1, f"INSERT INTO one.t (k, v) VALUES ({key}, 'v{key}')", ONE)
    for number in range(1, 4):
        assert len(cluster.rows(number, "SELECT k FROM one.t", ONE)) == 30
        assert cluster.rows(number, "SELECT v FROM one.t WHERE k = 7", ALL) == [b"v7"]


def test_scans_page_over_all_ranges(cluster: Cluster) -> None:
    for key in range(20):
        cluster.ask(1, f"INSERT INTO one.t (k, v) VALUES ({key}, 'v{key}')", ONE)
    state, seen = None, 0
    for _ in range(8):
        options = QueryOptions(consistency=ONE, page_size=3, paging_state=state)
        response = cluster.connections[1].query("SELECT k FROM one.t", options).response
        assert isinstance(response, RowsResult)
        seen, state = seen + response.row_count, response.paging_state
        if state is None:
            break
    assert (seen, state) == (20, None)


def test_filters_groups_and_aggregates_see_all_replicas(cluster: Cluster) -> None:
    for c in range(10):
        cluster.ask(c % 3 + 1, f"INSERT INTO ks.t (k, c, v) VALUES ({c % 2}, {c}, 'x')")
    assert cluster.rows(2, "SELECT c FROM ks.t WHERE c > 7 ALLOW FILTERING") == [bytes((0, 0, 0, 9)), bytes((0, 0, 0, 8))]
    assert len(cluster.rows(3, "SELECT k, count(*) FROM ks.t GROUP BY k")) == 4
    assert cluster.rows(1, "SELECT max(c) FROM ks.t WHERE k = 1") == [bytes((0, 0, 0, 9))]


def test_lists_that_have_to_be_read_are_read_of_the_replicas(cluster: Cluster) -> None:
    cluster.ask(1, "INSERT INTO ks.t (k, c, l) VALUES (1, 1, [1, 2, 3])")
    cluster.ask(2, "UPDATE ks.t SET l[1] = 9 WHERE k = 1 AND c = 1")
    assert cluster.rows(3, "SELECT l FROM ks.t WHERE k = 1") == cluster.rows(3, "SELECT l FROM ks.t WHERE k = 1", ALL)
    assert bytes((0, 0, 0, 9)) in cluster.rows(3, "SELECT l FROM ks.t WHERE k = 1")[0]


def test_every_node_tells_of_the_others_and_agrees_on_the_schema(cluster: Cluster) -> None:
    versions, hosts = set(), []
    for number in range(1, 4):
        own = cluster.rows(number, "SELECT schema_version, host_id, rpc_address FROM system.local", ONE)
        peers = cluster.rows(number, "SELECT schema_version, host_id, native_address FROM system.peers_v2", ONE)
        versions |= {own[0], peers[0], peers[3]}
        hosts.append({own[1], peers[1], peers[4]})
        assert {own[2], peers[2], peers[5]} == {bytes((127, 0, 0, n)) for n in (1, 2, 3)}
    assert len(versions) == 1
    assert hosts[0] == hosts[1] == hosts[2]


def test_a_node_that_stops_leaves_its_clients_before_the_others_are_told(cluster: Cluster) -> None:
    """A driver takes no node for down to which it is connected."""
    first, third = cluster.server.nodes[0], cluster.server.nodes[2]
    with connect(first.host, first.port) as listening, socket.create_connection((third.host, third.port)) as client:
        listening.register("STATUS_CHANGE")
        client.sendall(bytes.fromhex("040000000500000000"))  # OPTIONS
        assert client.recv(1 << 16)
        third.stop()
        event = listening.next_event(PATIENCE_S)
        client.settimeout(0)
        assert client.recv(1) == b""
        assert event is not None
        assert "DOWN" in repr(event)


def test_levels_with_one_node_down(cluster: Cluster) -> None:
    cluster.server.nodes[2].stop()
    cluster.ask(1, "INSERT INTO ks.t (k, c, v) VALUES (1, 1, 'a')", QUORUM)
    assert cluster.rows(2, "SELECT v FROM ks.t WHERE k = 1", QUORUM) == [b"a"]
    for cql in ("INSERT INTO ks.t (k, c) VALUES (1, 1)", "SELECT * FROM ks.t WHERE k = 1", "SELECT * FROM ks.t"):
        error = cluster.error(1, cql, ALL)
        assert isinstance(error, Unavailable), cql
        assert error.message == "Cannot achieve consistency level ALL"
        assert (error.consistency, error.required, error.alive) == (ALL, 3, 2)
    truncation = cluster.error(1, "TRUNCATE ks.t", ONE)
    assert isinstance(truncation, TruncateError)
    assert truncation.message == "Error during truncate: Cannot achieve consistency level ALL"


def test_levels_with_two_nodes_down(cluster: Cluster) -> None:
    cluster.ask(1, "INSERT INTO ks.t (k, c, v) VALUES (1, 1, 'a')", ALL)
    for node in cluster.server.nodes[1:]:
        node.stop()
    assert cluster.rows(1, "SELECT v FROM ks.t WHERE k = 1", ONE) == [b"a"]
    for level, required in ((TWO, 2), (QUORUM, 2), (ALL, 3)):
        error = cluster.error(1, "INSERT INTO ks.t (k, c) VALUES (1, 1)", level)
        assert isinstance(error, Unavailable)
        assert (error.required, error.alive) == (required, 1)
    cluster.ask(1, "INSERT INTO one.t (k, v) VALUES (1, 'any')", ANY)


def test_a_node_that_was_down_gets_what_it_missed(cluster: Cluster) -> None:
    cluster.server.nodes[2].stop()
    for c in range(5):
        cluster.ask(1, f"INSERT INTO ks.t (k, c, v) VALUES (1, {c}, 'hinted')")
    cluster.server.nodes[2].start()
    reconnect(cluster, 3)
    assert wait_until(lambda: cluster.rows(3, "SELECT c FROM ks.t WHERE k = 1", ONE), 5)  # of itself alone


def wait_until(found: Callable[[], list[bytes]], count: int) -> bool:
    """Asks again and again: every question is a way through the server's loop."""
    return any(len(found()) == count for _ in range(2_000))


def test_a_schema_that_changed_while_a_node_was_down_is_there_when_it_is_back(cluster: Cluster) -> None:
    cluster.server.nodes[2].stop()
    cluster.ask(1, "CREATE TABLE ks.late (k int PRIMARY KEY)")
    cluster.server.nodes[2].start()
    reconnect(cluster, 3)

    def late() -> list[bytes]:
        return cluster.rows(3, "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'ks'", ONE)

    assert wait_until(late, 2)
    cluster.ask(3, "DROP TABLE ks.late")
    assert len(cluster.rows(1, "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'ks'", ONE)) == 1


def test_a_replica_that_says_nothing_is_waited_for_and_then_told(cluster: Cluster) -> None:
    for node in cluster.server.nodes[1:]:
        node.pause()
    error = cluster.error(1, "INSERT INTO ks.t (k, c) VALUES (1, 1)", QUORUM)
    assert isinstance(error, WriteTimeout)
    assert error.message == "Operation timed out - received only 1 responses."
    assert (error.received, error.block_for, error.write_type) == (1, 2, "SIMPLE")
    read = cluster.error(1, "SELECT * FROM ks.t WHERE k = 1", ALL)
    assert isinstance(read, ReadTimeout)
    assert (read.received, read.block_for, read.data_present) == (1, 3, True)


TRUE, FALSE = b"\x01", b"\x00"
SERIAL = 8


def test_counters_count_each_increment_once_wherever_it_comes_in(cluster: Cluster) -> None:
    for keyspace in ("ks", "one"):
        cluster.ask(1, f"CREATE TABLE IF NOT EXISTS {keyspace}.counts (k int PRIMARY KEY, n counter, m counter)")
        cluster.ask(2, f"TRUNCATE {keyspace}.counts")
        for at in range(30):
            cluster.ask(at % 3 + 1, f"UPDATE {keyspace}.counts SET n = n + {at}, m = m - 1 WHERE k = {at % 2}", ONE)
        for number in range(1, 4):
            found = cluster.rows(number, f"SELECT n, m FROM {keyspace}.counts WHERE k = 1", ALL)
            assert [int.from_bytes(value, "big", signed=True) for value in found] == [225, -15], (keyspace, number)


def test_conditions_are_decided_among_the_replicas(cluster: Cluster) -> None:
    insert = "INSERT INTO ks.t (k, c, v) VALUES (1, 1, '{}') IF NOT EXISTS"
    assert cluster.rows(1, insert.format("first")) == [TRUE]
    refused = cluster.rows(2, insert.format("second"))
    assert (refused[0], b"first" in refused) == (FALSE, True)
    assert cluster.rows(3, "UPDATE ks.t SET v = 'next' WHERE k = 1 AND c = 1 IF v = 'first'") == [TRUE]
    assert cluster.rows(1, "UPDATE ks.t SET v = 'lost' WHERE k = 1 AND c = 1 IF v = 'first'") == [FALSE, b"next"]
    assert cluster.rows(2, "SELECT v FROM ks.t WHERE k = 1", SERIAL) == [b"next"]
    batch = "UPDATE ks.t SET v = 'a' WHERE k = 1 AND c = 1 IF v = 'next'; INSERT INTO ks.t (k, c) VALUES (1, 2)"
    assert cluster.rows(3, f"BEGIN BATCH {batch}; APPLY BATCH") == [TRUE]
    assert cluster.rows(1, "SELECT v FROM ks.t WHERE k = 1 AND c = 1", ALL) == [b"a"]
    assert cluster.rows(1, "DELETE FROM ks.t WHERE k = 1 AND c = 1 IF EXISTS") == [TRUE]
    assert cluster.rows(2, "DELETE FROM ks.t WHERE k = 1 AND c = 1 IF EXISTS") == [FALSE]


def test_conditions_need_a_quorum_of_replicas(cluster: Cluster) -> None:
    cluster.server.nodes[2].stop()
    update = "UPDATE ks.t SET v = 'x' WHERE k = 1 AND c = 1 IF v = null"
    assert cluster.rows(1, update) == [TRUE]
    cluster.server.nodes[1].stop()
    error = cluster.error(1, update, QUORUM)
    assert isinstance(error, Unavailable)
    assert (error.message, error.required, error.alive) == ("Cannot achieve consistency level SERIAL", 2, 1)


def test_one_of_many_that_want_the_same_gets_it(cluster: Cluster) -> None:
    """At the same time, through all nodes."""
    insert = "INSERT INTO ks.t (k, c, v) VALUES (9, 9, '{}') IF NOT EXISTS"
    requests = [
        (connection, connection.send(Query(insert.format(f"{number}.{at}"), QueryOptions(consistency=QUORUM))))
        for at in range(5)
        for number, connection in enumerate(cluster.connections)
    ]
    applied = 0
    for connection, stream in requests:
        response = connection.receive(stream).response
        if isinstance(response, RowsResult):
            applied += wire_values(response.content)[0] == TRUE
        else:
            assert isinstance(response, Error)
            assert isinstance(response.error, WriteTimeout | CasWriteUnknown), response.error
    found = cluster.rows(1, "SELECT v FROM ks.t WHERE k = 9", SERIAL)
    assert len(found) == 1
    assert applied <= 1


def test_a_view_is_on_every_node_that_has_its_table(cluster: Cluster) -> None:
    view = "CREATE MATERIALIZED VIEW {}.by_v AS SELECT * FROM {} WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)"
    cluster.ask(1, "CREATE TABLE ks.base (k int PRIMARY KEY, v text)")
    cluster.ask(2, "INSERT INTO ks.base (k, v) VALUES (1, 'before')")
    cluster.ask(1, view.format("ks", "ks.base"))
    cluster.ask(3, "UPDATE ks.base SET v = 'behind' WHERE k = 2")
    cluster.ask(2, "DELETE FROM ks.base WHERE k = 1")
    cluster.ask(1, "INSERT INTO ks.base (k, v) VALUES (3, 'third')")
    for node in (1, 2, 3):
        found = cluster.rows(node, "SELECT v FROM ks.by_v", ALL)
        assert sorted(found) == [b"behind", b"third"], node


def test_rows_of_a_view_go_to_their_own_replicas(cluster: Cluster) -> None:
    """Where a node has only some of a keyspace, the row of a view may be for another one than its base row is."""
    cluster.ask(1, "CREATE TABLE one.base (k int PRIMARY KEY, v int)")
    for key in range(20):
        cluster.ask(1 + key % 3, f"INSERT INTO one.base (k, v) VALUES ({key}, {key + 100})", ALL)
    where = "WHERE v IS NOT NULL AND k IS NOT NULL"
    cluster.ask(1, f"CREATE MATERIALIZED VIEW one.by_v AS SELECT * FROM one.base {where} PRIMARY KEY (v, k)")
    for key in range(20, 40):
        cluster.ask(1 + key % 3, f"INSERT INTO one.base (k, v) VALUES ({key}, {key + 100})", ALL)
    for key in range(10):
        cluster.ask(1 + key % 3, f"UPDATE one.base SET v = {key + 200} WHERE k = {key}", ALL)
    cluster.ask(2, "DELETE FROM one.base WHERE k = 39", ALL)
    wanted = sorted([key + 200 for key in range(10)] + [key + 100 for key in range(10, 39)])

    def found(node: int) -> list[int]:
        return sorted(int.from_bytes(value, "big") for value in cluster.rows(node, "SELECT v FROM one.by_v", ALL))

    for node in (1, 2, 3):
        until(lambda node=node: found(node) == wanted)  # type: ignore[misc]
        assert cluster.rows(node, "SELECT k FROM one.by_v WHERE v = 203", ALL) == [(3).to_bytes(4, "big")]
        assert cluster.rows(node, "SELECT k FROM one.by_v WHERE v = 103", ALL) == []
    until(lambda: not any(cluster.rows(node, "SELECT id FROM system.batches") for node in (1, 2, 3)))
