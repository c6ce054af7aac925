"""Nodes in processes of their own on 127.0.0.1, 127.0.0.2, ..., at ports that are free when the ring is made: two runs of
the tests at once don't meet."""

import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from cqlserver.launcher import ClusterNode, Server, launch
from protocol.client import connect
from protocol.requests import QueryOptions
from protocol.responses import Error, RowsResult

ONE, QUORUM, ALL = 1, 4, 5
READY_S = 120.0
PATIENCE_S = 90.0
"""It takes up to 12 s until nodes are taken for down."""
NODES_MAX = 4
_TRIES = 50


def wait_until(condition: Callable[[], bool], what: str) -> None:
    ends_s, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while not condition():
        assert time.monotonic() < ends_s, what
        pause.wait(0.1)


def free_port() -> int:
    """One that is free at the addresses of all nodes."""
    for _ in range(_TRIES):
        with ExitStack() as stack:
            port = 0
            try:
                for number in range(1, NODES_MAX + 1):
                    sock = stack.enter_context(socket.socket())
                    sock.bind((f"127.0.0.{number}", port))
                    port = sock.getsockname()[1]
            except OSError:
                continue
            return port
    raise AssertionError("no port is free at all addresses")


class ProcessRing:
    """See the module. The first node is the seed; leaving the `with` block stops all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.storage_port = free_port(), free_port()
        self.servers: list[Server] = []

    def start(self, number: int, *options: str) -> Server:
        """Returns when it is one of the ring. Raises StartError."""
        host = f"127.0.0.{number}"
        command = [sys.executable, "-P", "-m", "cqlserver", "--host", host, "--port", str(self.port), "--control-port", "0"]
        command += ["--seeds", "127.0.0.1", "--storage-port", str(self.storage_port), "--data", str(self.folder / host)]
        command += ["--log-level", "info", "-Dcassandra.ring_delay_ms=4000"]
        command += ["--set", "phi_convict_threshold=5", *options]
        server = launch([*command, "--ready-file", "-", "--until-stdin-ends"], READY_S)
        self.servers.append(server)
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for server in self.servers:
            server.stop()


def response(server: Server | ClusterNode, cql: str, level: int = QUORUM) -> Error | RowsResult | None:
    with connect(server.host, server.port, timeout_s=60) as connection:
        found = connection.query(cql, QueryOptions(consistency=level)).response
        return found if isinstance(found, Error | RowsResult) else None


def ask(server: Server | ClusterNode, cql: str, level: int = QUORUM) -> RowsResult | None:
    """Raises what it is refused with."""
    found = response(server, cql, level)
    if isinstance(found, Error):
        raise found.error
    return found


def count(server: Server | ClusterNode, cql: str, level: int = QUORUM) -> int:
    """Of the rows that are found."""
    found = ask(server, cql, level)
    assert found is not None, cql
    return found.row_count
