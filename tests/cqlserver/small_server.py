"""A whole node behind real loopback sockets in this process, on a disk and a clock that tests command."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from cqlserver.connections.listener import Listener
from cqlserver.node import Node
from cqlserver.program.config import Config
from cqlserver.program.server import listen, make_tls, open_node, open_sockets
from protocol.client import Connection, connect
from protocol.responses import Error, Reply
from storage.environment.environment import Disk, Environment, ManualClock, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers

TIMEOUT_S = 10.0
KEYSPACE = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
TABLE = "CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))"


class GatedDisk(FaultyDisk):
    """A disk whose sync waits for the test. `syncing` is set while a sync waits for `go_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_gated = False
        self.syncing, self.go_on = threading.Event(), threading.Event()

    def before(self, operation: str, path: str) -> None:
        if operation == "sync" and self.is_gated:
            self.syncing.set()
            assert self.go_on.wait(TIMEOUT_S)
        super().before(operation, path)


@dataclass
class SmallServer:
    node: Node
    listener: Listener
    disk: Disk
    clock: ManualClock

    def connect(self, version: int = 5, compression: str | None = None) -> Connection:
        return connect("127.0.0.1", self.node.port, version, compression, timeout_s=TIMEOUT_S)


def small_node(disk: Disk | None = None, clock: ManualClock | None = None, **settings: object) -> Node:
    """A node in memory, or on `disk`; `settings` are those of Config."""
    config = Config(port=0, data=None if disk is None else Path("/data"), **settings)  # type: ignore[arg-type]
    environment = Environment(clock or ManualClock(), Rng(b"small"), disk or FaultyDisk(), InlineWorkers())
    return open_node(config, environment)


@contextmanager
def serving(disk: Disk | None = None, clock: ManualClock | None = None, **settings: object) -> Iterator[SmallServer]:
    """The node, served by a trio run of its own in a thread."""
    clock = clock or ManualClock()
    node = small_node(disk, clock, **settings)
    sockets = open_sockets(node.config)
    node.port = sockets[0].getsockname()[1]
    node.describe_itself()
    listen(sockets)
    listener = Listener(node, sockets, make_tls(node.config))
    ended = trio.CancelScope()
    tokens: list[trio.lowlevel.TrioToken] = []
    failures: list[BaseException] = []

    async def main() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        started.set()
        with ended:
            await listener.run()

    def run() -> None:
        try:
            trio.run(main)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    started = threading.Event()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(TIMEOUT_S)
    try:
        yield SmallServer(node, listener, node.environment.disk, clock)
    finally:
        if isinstance(disk, GatedDisk):
            disk.go_on.set()
        tokens[0].run_sync_soon(ended.cancel)
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()
        if failures:
            raise failures[0]


def done(reply: Reply) -> Reply:
    """The reply, which is no error."""
    assert not isinstance(reply.response, Error), reply.response
    return reply


def failed(reply: Reply) -> str:
    """Class and message of the error that the reply is."""
    assert isinstance(reply.response, Error), reply.response
    return f"{type(reply.response.error).__name__}: {reply.response.error.message}"
