"""Nodes in processes of their own, which speak over TCP: they find each other, survive each other, and refuse strangers."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from process_ring import ALL, ONE, READY_S, ProcessRing, ask, count, free_port, response

from cluster.gossip.endpoint import Endpoint
from cluster.internode.handshake import Compression, Hello, Kind, Verdict, encode_hello, maybe_answer
from cqlserver.launcher import Server, launch
from protocol.errors import Unavailable
from protocol.responses import Error

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessRing]:
    with ProcessRing(tmp_path_factory.mktemp("nodes")) as found:
        for number in (1, 2, 3):
            start(found, number)
        yield found


def start(ring: ProcessRing, number: int) -> Server:
    # a busy machine is no fault of theirs
    return ring.start(number, "--rack", f"rack{number}", "--set", "write_request_timeout=30s")


def test_they_are_one_cluster_and_one_may_die_and_come_back(ring: ProcessRing) -> None:
    first, second, third = servers = list(ring.servers)
    replication = "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}"
    assert ask(first, f"CREATE KEYSPACE ks WITH replication = {replication}") is None
    assert ask(second, "CREATE TABLE ks.t (k int PRIMARY KEY, v text)") is None
    for key in range(10):
        assert ask(servers[key % 3], f"INSERT INTO ks.t (k, v) VALUES ({key}, 'v')", ALL) is None
    assert [count(server, "SELECT * FROM ks.t") for server in servers] == [10, 10, 10]
    seen = "SELECT peer FROM system.peers WHERE rack = 'rack2' ALLOW FILTERING"
    assert [count(server, seen) for server in servers] == [1, 0, 1]

    third.stop()
    refused = response(first, "INSERT INTO ks.t (k, v) VALUES (10, 'v')", ALL)
    assert isinstance(refused, Error)
    assert isinstance(refused.error, Unavailable)
    assert ask(second, "INSERT INTO ks.t (k, v) VALUES (11, 'v')") is None
    third = start(ring, 3)
    assert ask(third, "INSERT INTO ks.t (k, v) VALUES (12, 'v')", ALL) is None
    assert count(third, "SELECT * FROM ks.t", ALL) == 12


def test_garbage_and_strangers_are_turned_away(ring: ProcessRing) -> None:
    with socket.create_connection(("127.0.0.1", ring.storage_port), 10) as garbage:
        garbage.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert garbage.recv(100) == b""
    callee = Endpoint("127.0.0.1", ring.storage_port)
    hello = Hello("Another Cluster", UUID(int=1), Endpoint("127.0.0.9", 1), callee, Kind.SMALL, Compression.NONE)
    with socket.create_connection(("127.0.0.1", ring.storage_port), 10) as stranger:
        stranger.sendall(encode_hello(hello))
        answer = maybe_answer(stranger.recv(1000))
        assert answer is not None
        assert answer[0].verdict is Verdict.WRONG_CLUSTER
    assert "Another Cluster" in ring.servers[0].log
    assert count(ring.servers[0], "SELECT * FROM system.local", 1) == 1


def test_nodes_that_are_started_at_once_are_together_when_clients_may_come(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "cqlserver", "cluster", "--nodes", "3", "--data", str(tmp_path / "data")]
    control = free_port()
    ports = ("--port", free_port(), "--storage-port", free_port(), "--control-port", control)
    command += [*map(str, ports), "--ready-file", "-"]
    for life in range(2):
        server = launch(command, READY_S)
        try:
            assert [count(node, "SELECT * FROM system.peers", ONE) for node in server.nodes] == [2, 2, 2]
            assert server.control_port == server.nodes[0].control_port == control
            if life == 0:
                replication = "{'class': 'SimpleStrategy', 'replication_factor': 3}"
                ask(server.nodes[0], f"CREATE KEYSPACE ks WITH replication = {replication}", ONE)
                ask(server.nodes[1], "CREATE TABLE ks.t (k int PRIMARY KEY)", ONE)
                ask(server.nodes[2], "INSERT INTO ks.t (k) VALUES (1)", ALL)
            assert [count(node, "SELECT * FROM ks.t", ALL) for node in server.nodes] == [1, 1, 1]
        finally:
            server.stop()
