"""What peers send, read from all of their connections in one go: so the log is written once for all of it, and one frame to
each peer tells of it. A task of trio's for each connection would cost more than what a message asks for.

The listener serves it together with the clients' sockets, once there is one (`serve_with`); until then a task does.
"""

import os
from collections.abc import Callable
from typing import Final, NamedTuple

import trio

from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Decompress, FrameDecoder
from cqlserver.clustering.connecting import TlsEnd
from cqlserver.clustering.station import Station
from cqlserver.connections.listener import Listener
from cqlserver.connections.poller import open_poller

RECEIVE_BYTES: Final = 1 << 18
"""Read from one connection in one go."""


class Caller(NamedTuple):
    """A connection whose handshake is done. `rest`: what came behind it; `decompress` None: frames come as they are; `tls`
    None: the connection is not encrypted."""

    sender: Endpoint
    rest: bytes
    decompress: Decompress | None = None
    tls: TlsEnd | None = None


class Incoming:
    """One node's. `station` takes the messages."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._poller = open_poller()
        self._connections: dict[int, Callable[[], None]] = {}
        self._scope = trio.CancelScope()
        self._is_served = False

    async def run(self) -> None:
        """Serves until the listener does; then waits to be cancelled."""
        try:
            with self._scope:
                while not self._is_served:
                    await trio.lowlevel.wait_readable(self._poller.fileno())
                    self._serve()
                    self._station.flush()
            await trio.sleep_forever()
        finally:
            self._connections.clear()  # they end later, and have nothing to take out any more
            self._poller.close()

    def serve_with(self, listener: Listener) -> None:
        """From now on the listener does, and flushes the station behind its goes."""
        self._is_served = True
        self._scope.cancel()
        listener.also_serve(self._poller.fileno(), self._serve)

    async def receive(self, stream: trio.SocketStream, caller: Caller) -> None:
        """Takes what a peer sends on this connection until it ends. Raises PeerError."""
        decoder, sender, tls = FrameDecoder(caller.decompress), caller.sender, caller.tls
        fd = stream.socket.fileno()
        ended = trio.Event()
        failures: list[Exception] = []

        def take(plain: bytes) -> None:
            messages = decoder.receive_data(plain)
            if messages and not self._station.take(sender, messages):
                ended.set()

        def take_encrypted(received: bytes) -> None:
            assert tls is not None
            take(tls.decrypted(received))
            if tls.has_ended:
                ended.set()

        def attempt(take: Callable[[bytes], None], received: bytes) -> None:
            try:
                take(received)
            except Exception as error:  # noqa: BLE001 - raised by `receive`
                failures.append(error)
                ended.set()

        take_received = take if tls is None else take_encrypted

        def read() -> None:
            try:
                received = os.read(fd, RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                received = b""
            if received:
                attempt(take_received, received)
            else:
                ended.set()
            if ended.is_set():
                self._forget(fd)

        attempt(take, caller.rest)
        self._station.flush()
        if not ended.is_set():
            self._connections[fd] = read
            self._poller.watch(fd, read=True, write=False)
        try:
            await ended.wait()
        finally:
            self._forget(fd)
        for error in failures:
            raise error

    def _forget(self, fd: int) -> None:
        if self._connections.pop(fd, None) is not None:
            self._poller.forget(fd)

    def _serve(self) -> None:
        for fd, *_ in self._poller.ready():
            read = self._connections.get(fd)
            if read is not None:
                read()
        self._station.answer_clients()
