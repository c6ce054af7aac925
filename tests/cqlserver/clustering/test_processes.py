"""Nodes in processes of their own, which speak over TCP: they find each other, survive each other, and refuse strangers."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from cluster.gossip.endpoint import Endpoint
from cluster.internode.handshake import Compression, Hello, Kind, Verdict, encode_hello, maybe_answer
from cqlserver.launcher import Server, launch
from protocol.client import Connection, connect
from protocol.errors import Unavailable
from protocol.requests import QueryOptions
from protocol.responses import Error, RowsResult

pytestmark = pytest.mark.slow
STORAGE_PORT = 17_000
QUORUM, ALL = 4, 5
SEEDS = f"127.0.0.1:{STORAGE_PORT}"


def start_node(number: int, folder: Path, port: int) -> Server:
    host = f"127.0.0.{number}"
    command = [sys.executable, "-P", "-m", "cqlserver", "--host", host, "--port", str(port), "--control-port", "0"]
    command += ["--seeds", SEEDS, "--storage-port", str(STORAGE_PORT), "--data", str(folder / host)]
    command += ["--set", "write_request_timeout=30s"]  # a busy machine is no fault of theirs
    return launch([*command, "--rack", f"rack{number}", "--ready-file", "-", "--until-stdin-ends", "--log-level", "info"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nodes")


@pytest.fixture(scope="module")
def servers(folder: Path) -> Iterator[list[Server]]:
    started = [start_node(1, folder, 0)]
    try:
        started += [start_node(number, folder, started[0].port) for number in (2, 3)]
        yield started
    finally:
        for server in started:
            server.stop()


def ask(server: Server, cql: str, level: int = QUORUM) -> Error | RowsResult | None:
    with connect(server.host, server.port, timeout_s=30) as connection:
        return asked(connection, cql, level)


def asked(connection: Connection, cql: str, level: int) -> Error | RowsResult | None:
    response = connection.query(cql, QueryOptions(consistency=level)).response
    return response if isinstance(response, Error | RowsResult) else None


def count(server: Server, cql: str, level: int = QUORUM) -> int:
    found = ask(server, cql, level)
    assert isinstance(found, RowsResult), found
    return found.row_count


def test_they_are_one_cluster_and_one_may_die_and_come_back(servers: list[Server], folder: Path) -> None:
    first, second, third = servers
    replication = "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}"
    assert ask(first, f"CREATE KEYSPACE ks WITH replication = {replication}") is None
    assert ask(second, "CREATE TABLE ks.t (k int PRIMARY KEY, v text)") is None
    for key in range(10):
        assert ask(servers[key % 3], f"INSERT INTO ks.t (k, v) VALUES ({key}, 'v')", ALL) is None
    assert [count(server, "SELECT * FROM ks.t") for server in servers] == [10, 10, 10]
    seen = "SELECT peer FROM system.peers WHERE rack = 'rack2' ALLOW FILTERING"
    assert [count(server, seen) for server in servers] == [1, 0, 1]

    third.stop()
    refused = ask(first, "INSERT INTO ks.t (k, v) VALUES (10, 'v')", ALL)
    assert isinstance(refused, Error)
    assert isinstance(refused.error, Unavailable)
    assert ask(second, "INSERT INTO ks.t (k, v) VALUES (11, 'v')") is None
    servers[2] = start_node(3, folder, first.port)
    assert ask(servers[2], "INSERT INTO ks.t (k, v) VALUES (12, 'v')", ALL) is None
    assert count(servers[2], "SELECT * FROM ks.t", ALL) == 12


def test_garbage_and_strangers_are_turned_away(servers: list[Server]) -> None:
    with socket.create_connection(("127.0.0.1", STORAGE_PORT), 10) as garbage:
        garbage.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert garbage.recv(100) == b""
    callee = Endpoint("127.0.0.1", STORAGE_PORT)
    hello = Hello("Another Cluster", UUID(int=1), Endpoint("127.0.0.9", 1), callee, Kind.SMALL, Compression.NONE)
    with socket.create_connection(("127.0.0.1", STORAGE_PORT), 10) as stranger:
        stranger.sendall(encode_hello(hello))
        answer = maybe_answer(stranger.recv(1000))
        assert answer is not None
        assert answer[0].verdict is Verdict.WRONG_CLUSTER
    assert "Another Cluster" in servers[0].log
    assert count(servers[0], "SELECT * FROM system.local", 1) == 1
