"""How messages pass between processes: a connection to each peer for what is sent, one from each for what comes.

Frames and handshake are cluster/internode's. What one go of the loop has for a peer leaves in one frame. Large messages have
a connection of their own, so that gossip never waits behind them. What waits for a peer is bounded: more is dropped, and
whoever waits for an answer takes the peer for slow, as he does where it can't be reached.
"""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import trio

from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import FrameEncoder, Message
from cluster.internode.handshake import (
    Answer,
    Compression,
    Hello,
    Kind,
    Verdict,
    encode_answer,
    encode_hello,
    judged,
    maybe_answer,
    maybe_hello,
    not_encrypted,
    version_of,
    wrong_version,
)
from cqlserver.clustering.connecting import PLAIN, TLS_HANDSHAKE, Connecting, TlsEnd, WireTls, lz4
from cqlserver.clustering.incoming import RECEIVE_BYTES, Caller, Incoming
from cqlserver.clustering.traffic import Traffic
from protocol.errors import PeerError

log = logging.getLogger("cqlserver.cluster")

QUEUE_BYTES_MAX: Final = 64 << 20
"""For one peer, in memory: a few times what it takes in while it is merely slow."""
LARGE_BYTES: Final = 1 << 16
CONNECT_S: Final = 2.0
"""internode_tcp_connect_timeout."""
HANDSHAKE_S: Final = 5.0
RETRY_S: Final = 0.2
"""How long a peer that can't be reached is left alone; what is for it meanwhile is dropped."""
BACKLOG: Final = 128
_BROKEN: Final = (OSError, trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError)
"""What the other end of a connection can do."""


class Wire:
    """One node's. `incoming` is set before `run`; `dropped`: messages that were given up, by their verb."""

    def __init__(self, local: Endpoint, cluster_name: str, host_id: UUID, how: Connecting = PLAIN) -> None:
        self._local, self._cluster_name, self._host_id, self._how = local, cluster_name, host_id, how
        self.incoming: Incoming | None = None
        self.traffic = Traffic(pending=self._pending)
        self.route: Callable[[Endpoint], Endpoint] = lambda endpoint: endpoint
        """Where a node is reached that others know by this endpoint."""
        self.tell: Callable[[BaseException], None] = log.exception
        """Hears of what no connection should raise, which ends that one."""
        self._peers: dict[tuple[Endpoint, Kind], _Peer] = {}
        self._nursery: trio.Nursery | None = None

    def carry(self, endpoint: Endpoint, messages: Sequence[Message]) -> None:
        """Has them sent, or loses them. What is large in itself goes beside the others."""
        size = sum(len(message.body) for message in messages)
        if size > LARGE_BYTES and len(messages) > 1:
            large = [message for message in messages if len(message.body) > LARGE_BYTES]
            if 0 < len(large) < len(messages):
                self.carry(endpoint, large)
                self.carry(endpoint, [message for message in messages if len(message.body) <= LARGE_BYTES])
                return
        kind = Kind.SMALL
        if size > LARGE_BYTES:
            kind = Kind.LARGE
            self.traffic.large += len(messages)
        peer = self._peers.get((endpoint, kind))
        if peer is None:
            if self._nursery is None:
                return
            hello = Hello(self._cluster_name, self._host_id, self._local, endpoint, kind, Compression.NONE)
            peer = self._peers[endpoint, kind] = _Peer(hello, self.route, self._how, self.traffic, self.tell)
            self._nursery.start_soon(peer.run)
        peer.add(messages, size)

    async def run(
        self, listeners: Sequence[trio.SocketListener], task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Sends and receives until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.serve_listeners(self._receive, [*listeners], handler_nursery=nursery)

    def follow_routes(self) -> None:
        """Connections that go elsewhere than they would now end when what is queued has left, and are made anew."""
        for peer in self._peers.values():
            peer.follow_route()

    def _pending(self) -> tuple[int, int]:
        large = sum(peer.pending for (_, kind), peer in self._peers.items() if kind is Kind.LARGE)
        return large, sum(peer.pending for peer in self._peers.values()) - large

    async def flushed(self) -> None:
        """Until what is queued has left, where peers take it."""
        while any(peer.has_something for peer in self._peers.values()):
            await trio.sleep(0.001)

    async def _receive(self, stream: trio.SocketStream) -> None:
        """One connection of a peer that sends."""
        async with stream:
            try:
                greeted = await self._greet(stream)
                if greeted is not None:
                    assert self.incoming is not None
                    await self.incoming.receive(stream, greeted)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            except PeerError as error:
                log.warning("a connection on the storage port is closed: %s", error)
            except Exception as error:  # noqa: BLE001 - told
                self.tell(error)

    async def _greet(self, stream: trio.SocketStream) -> Caller | None:
        """Who calls, and what came behind the Hello. Raises PeerError."""
        with trio.move_on_after(HANDSHAKE_S):
            received = await stream.receive_some(RECEIVE_BYTES)
            tls = None
            if received.startswith(TLS_HANDSHAKE):
                tls = await self._accept_encrypted(stream, received)
                received = tls.decrypted(b"")
            return await self._answer(stream, received, tls)
        return None

    async def _accept_encrypted(self, stream: trio.SocketStream, received: bytes) -> TlsEnd:
        """Raises PeerError."""
        settings = self._how.tls
        if settings is None:
            raise PeerError(f"{_address(stream)} encrypts, and this node does not (server_encryption_options)")
        tls = TlsEnd(settings.accepting, is_caller=False)
        await _agree(tls, stream, received)
        if settings.verifies_endpoint and _address(stream) not in (addresses := tls.addresses()):
            told = ", ".join(addresses) or "none"
            raise PeerError(f"the certificate of {_address(stream)} is for other addresses: {told}")
        return tls

    async def _answer(self, stream: trio.SocketStream, data: bytes, tls: TlsEnd | None) -> Caller | None:
        """Raises PeerError."""

        async def send(answer: Answer) -> None:
            encoded = encode_answer(answer)
            await stream.send_all(encoded if tls is None else tls.encrypted(encoded))

        while True:
            version = version_of(data)
            try:
                found = maybe_hello(data)
            except PeerError:
                if version is not None:
                    await send(wrong_version(version))
                raise
            if found is not None:
                break
            received = await stream.receive_some(RECEIVE_BYTES)
            if not received:
                return None
            data += received if tls is None else tls.decrypted(received)
        hello, end = found
        answer = judged(hello, self._cluster_name, self._local)
        settings = self._how.tls
        if tls is None and settings is not None and not settings.is_optional:
            answer = not_encrypted(self._local)
        is_welcome = answer.verdict is Verdict.WELCOME
        if not is_welcome:
            log.warning("refused %s: %s", hello.caller, answer.reason)
        await send(answer)
        decompress = lz4()[1] if hello.compression is Compression.LZ4 else None
        return Caller(hello.caller, data[end:], decompress, tls) if is_welcome else None


async def _agree(tls: TlsEnd, stream: trio.SocketStream, received: bytes = b"") -> None:
    """Shakes hands. Raises PeerError."""
    while True:
        to_send = tls.shake_hands(received)
        if to_send:
            await stream.send_all(to_send)
        if tls.is_ready:
            return
        received = await stream.receive_some(RECEIVE_BYTES)
        if not received:
            raise PeerError(f"{_address(stream)} ends the connection instead of agreeing on how to encrypt it")


def _address(stream: trio.SocketStream) -> str:
    """Of the other end."""
    return str(stream.socket.getpeername()[0])


class _Peer:
    """What is for one peer, and the connection to it."""

    def __init__(
        self,
        hello: Hello,
        route: Callable[[Endpoint], Endpoint],
        how: Connecting,
        traffic: Traffic,
        tell: Callable[[BaseException], None],
    ) -> None:
        self._endpoint, self._hello, self._route, self._how, self._tell = hello.callee, hello, route, how, tell
        self._traffic = traffic
        self._reached_at = hello.callee
        self._queue: list[Message] = []
        self._queued_bytes = 0
        self._wanted = trio.Event()
        self._is_sending = False
        self._refusal = ""
        self._encode: Callable[[Sequence[Message]], bytes] = FrameEncoder().encode
        self._fd = -1  # of a connection that is idle: what it takes at once is sent without a task
        self._rest = b""  # of a frame that it did not take wholly
        self._is_astray = False
        self._is_gone = False  # it could not be reached when that was tried last

    @property
    def has_something(self) -> bool:
        return not self._is_gone and (bool(self._queue) or self._is_sending)

    @property
    def pending(self) -> int:
        """So many messages wait."""
        return len(self._queue)

    def add(self, messages: Sequence[Message], size: int) -> None:
        if self._queued_bytes + size > QUEUE_BYTES_MAX:
            self._drop(messages)
            return
        if self._fd >= 0:
            self._rest = self._written(self._encode(messages))
            if not self._rest:
                return
            self._fd = -1
        else:
            self._queue += messages
            self._queued_bytes += size
        self._wanted.set()

    def _written(self, frames: bytes) -> bytes:
        """Gives the connection what it takes at once; the rest."""
        try:
            return frames[os.write(self._fd, frames) :]
        except OSError:  # what is the matter the task finds out
            return frames

    def follow_route(self) -> None:
        if self._reached_at != self._route(self._endpoint):
            self._is_astray, self._fd = True, -1
            self._wanted.set()

    async def run(self) -> None:
        """Connects when there is something to send, and again when that broke."""
        while True:
            self._is_sending = False
            await self._wanted.wait()
            self._is_sending, self._is_astray = True, False
            self._reached_at = self._route(self._endpoint)
            try:
                with trio.fail_after(CONNECT_S):
                    stream = await trio.open_tcp_stream(self._reached_at.address, self._reached_at.port)
                async with stream:
                    tls = await self._shake_hands(stream)
                    if await self._send(stream, tls):
                        continue
            except PeerError as error:
                if str(error) != self._refusal:
                    self._refusal = str(error)
                    log.error("%s: %s", self._endpoint, error)
            except Exception as error:  # noqa: BLE001 - told
                if _is_broken(error):
                    log.debug("%s: %s", self._endpoint, error)
                else:
                    self._tell(error)
            self._is_gone = True
            self._drop(self._take())
            await trio.sleep(RETRY_S)

    async def _shake_hands(self, stream: trio.SocketStream) -> TlsEnd | None:
        """Agrees on how to speak. Raises PeerError."""
        how, compression = self._how, Compression.NONE
        encoder = FrameEncoder()
        if how.compresses(self._endpoint):
            compression, encoder = Compression.LZ4, FrameEncoder(lz4()[0])
        tls = None
        with trio.fail_after(HANDSHAKE_S):
            if how.tls is not None and how.encrypts(self._endpoint):
                tls = await self._call_encrypted(stream, how.tls)
            hello = encode_hello(self._hello._replace(compression=compression))
            await stream.send_all(hello if tls is None else tls.encrypted(hello))
            data = b""
            while (found := maybe_answer(data)) is None:
                received = await stream.receive_some(RECEIVE_BYTES)
                if not received:
                    raise trio.BrokenResourceError
                data += received if tls is None else tls.decrypted(received)
        answer: Answer = found[0]
        if answer.verdict is not Verdict.WELCOME:
            raise PeerError(f"refuses this node: {answer.reason}")
        self._refusal, self._is_gone = "", False
        encode = encoder.encode
        self._encode = encode if tls is None else lambda messages: tls.encrypted(encode(messages))
        return tls

    async def _call_encrypted(self, stream: trio.SocketStream, settings: WireTls) -> TlsEnd:
        hostname = self._reached_at.address if settings.verifies_endpoint else None
        tls = TlsEnd(settings.calling, is_caller=True, hostname=hostname)
        await _agree(tls, stream)
        return tls

    async def _send(self, stream: trio.SocketStream, tls: TlsEnd | None) -> bool:
        """Until the connection breaks, or goes astray: whether everything has left that was to."""
        has_left = False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, stream, tls, nursery.cancel_scope)
                while True:
                    if not self._queue:
                        if self._is_astray:
                            has_left = True
                            nursery.cancel_scope.cancel()
                            break
                        self._is_sending, self._fd = False, stream.socket.fileno()
                        self._wanted = trio.Event()
                        await self._wanted.wait()
                        self._is_sending = True
                    frames, self._rest = self._rest, b""
                    messages = self._take()
                    try:
                        await stream.send_all(frames + self._encode(messages))
                    except (trio.BrokenResourceError, trio.Cancelled):
                        self._drop(messages)  # nobody knows how much of it arrived
                        raise
        finally:
            self._fd, self._rest = -1, b""  # before the number may be another's
        return has_left

    def _take(self) -> list[Message]:
        queue, self._queue, self._queued_bytes = self._queue, [], 0
        self._wanted = trio.Event()
        return queue

    def _drop(self, messages: Sequence[Message]) -> None:
        self._traffic.lose(messages, self._hello.kind is Kind.LARGE)

    async def _watch(self, stream: trio.SocketStream, tls: TlsEnd | None, scope: trio.CancelScope) -> None:
        """The peer says nothing on this connection, but for what belongs to its encryption: what else comes is its end."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, PeerError):
            while (received := await stream.receive_some(RECEIVE_BYTES)) and tls is not None:
                if tls.decrypted(received) or tls.has_ended:
                    break
        self._fd = -1  # what is sent from here on waits for the next connection
        scope.cancel()


def _is_broken(error: BaseException) -> bool:
    """Whether it is about the connection, and nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_broken, error.exceptions))
    return isinstance(error, _BROKEN)
