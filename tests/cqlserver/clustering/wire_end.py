"""One end of the wire between nodes, with what it takes kept, for tests."""

import socket
from collections.abc import Sequence
from typing import cast
from uuid import UUID

import trio

from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Message
from cqlserver.clustering.connecting import PLAIN, Connecting
from cqlserver.clustering.incoming import Incoming
from cqlserver.clustering.station import Station
from cqlserver.clustering.tcp import Wire


class Taker:
    """A station that keeps what comes."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.flushes = 0

    def take(self, sender: Endpoint, messages: Sequence[Message]) -> bool:
        self.taken += messages
        return not any(message.body == b"bad" for message in messages)

    def flush(self) -> None:
        self.flushes += 1

    def answer_clients(self) -> None:
        pass


class End:
    """One node's wire, on a port of its own. `known_as`: what others call it, where that is not where it listens."""

    def __init__(self, port: int = 0, known_as: Endpoint | None = None, how: Connecting = PLAIN) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen()
        self.endpoint = Endpoint("127.0.0.1", sock.getsockname()[1])
        self.listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        self.station = Taker()
        self.wire = Wire(known_as or self.endpoint, "Test", UUID(int=self.endpoint.port), how)
        self.wire.incoming = Incoming(cast(Station, self.station))

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        incoming = self.wire.incoming
        assert incoming is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(incoming.run)
            await nursery.start(self.wire.run, [self.listener])
            task_status.started()


async def wait_taken(end: End, count: int) -> list[Message]:
    with trio.fail_after(20):
        while len(end.station.taken) < count:
            await trio.sleep(0.001)
    return end.station.taken
