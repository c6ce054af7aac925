"""All client sockets of a node, served by one trio task.

A wake-up takes every socket that has something to read, hands the bytes to its session (synchronous: session.py), writes
the commit log once for all of them, and sends once per socket. A task, a cancel scope or a checkpoint per request would
cost several times what the request costs; only what has to wait (a big scan, other replicas) gets a task.

Invariant: no byte of an answer leaves before the promise behind it holds. In the commit log's batch and group modes the
output of a session that wrote waits until the log is synced; if writing or syncing the log fails, what the waiting sessions
received is served again, now that the log refuses writes, and those answers leave instead.
"""

import errno
import logging
import math
import socket
from collections import deque
from collections.abc import Callable
from functools import partial

import trio

from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.poller import Poller, open_poller
from cqlserver.session import Session
from protocol.errors import StorageError
from protocol.responses import Response

log = logging.getLogger("cqlserver")

RECEIVE_BYTES = 1 << 16
"""Read from one socket in one wake-up: enough for hundreds of requests, small enough that all sockets get their turn."""
UNSENT_BYTES_MAX = 1 << 23
"""A client that lets more answers than this pile up is not read from until it has taken them."""
BACKLOG = 1024
ACCEPTED_PER_WAKE_MAX = 64
WAKES_PER_CHECKPOINT = 16
"""Busy wake-ups in a row before trio's other tasks get their turn."""


class Channel:
    """One client's socket, its session, and what waits to be sent."""

    __slots__ = ("closing", "fd", "held", "peer", "reading", "session", "sock", "unsent", "writing")

    def __init__(self, sock: socket.socket, session: Session, peer: str) -> None:
        self.sock, self.session, self.peer = sock, session, peer
        self.fd = sock.fileno()
        self.unsent = b""
        # (position of the commit log that must be synced first, the output)
        self.held: deque[tuple[int, bytes]] = deque()
        self.reading, self.writing, self.closing = True, False, False


class Listener:
    """Accepts and serves clients on `sockets` until cancelled; see the module's text."""

    def __init__(self, node: Node, sockets: list[socket.socket]) -> None:
        self._node = node
        self._poller: Poller = open_poller()
        self._listening = {sock.fileno(): sock for sock in sockets}
        self._channels: dict[int, Channel] = {}
        self._held: set[Channel] = set()
        self._spawn: Callable[[Channel, int, Pending[Response]], None] = self._refuse_pending
        self._sync_wanted = trio.Event()
        self.longest_stall_ms = 0.0

    @property
    def sessions(self) -> list[Session]:
        return [channel.session for channel in self._channels.values()]

    async def run(self) -> None:
        """Serves until cancelled, then closes every socket."""
        for fd in self._listening:
            self._poller.watch(fd, read=True, write=False)
        try:
            async with trio.open_nursery() as nursery:
                self._spawn = lambda channel, stream, pending: nursery.start_soon(
                    self._finish, channel, stream, pending
                )
                if self._node.durable:
                    nursery.start_soon(self._sync_forever)
                await self._serve_forever()
        finally:
            for channel in list(self._channels.values()):
                self._close(channel)
            for sock in self._listening.values():
                sock.close()
            self._poller.close()

    async def _serve_forever(self) -> None:
        clock = self._node.environment.clock.monotonic
        descriptor = self._poller.fileno()
        busy = 0
        while True:
            events = self._poller.ready()
            if not events:
                busy = 0
                await trio.lowlevel.wait_readable(descriptor)
                continue
            began = clock()
            self._serve(events)
            stall_ms = (clock() - began) * 1000
            self.longest_stall_ms = max(self.longest_stall_ms, stall_ms)
            busy += 1
            if busy >= WAKES_PER_CHECKPOINT:
                busy = 0
                await trio.lowlevel.checkpoint()

    def _serve(self, events: list[tuple[int, bool, bool]]) -> None:
        """One wake-up."""
        touched: list[Channel] = []
        channels = self._channels
        for fd, readable, writable in events:
            channel = channels.get(fd)
            if channel is None:
                self._accept(fd)
                continue
            if writable:
                self._flush(channel)
            if readable and channel.reading and not channel.closing:
                try:
                    data = channel.sock.recv(RECEIVE_BYTES)
                except BlockingIOError:
                    continue
                except OSError as error:
                    log.debug("%s: %s", channel.peer, error)
                    data = b""
                if not data:
                    self._close(channel)
                    continue
                channel.session.receive(data)
                touched.append(channel)
        if touched:
            self._settle(touched)

    def _settle(self, touched: list[Channel]) -> None:
        """Writes the commit log for all of `touched`, then sends, or holds what must wait for a sync."""
        node = self._node
        if node.commit_log is not None and node.commit_log.gathered:
            try:
                node.commit_log.write()
            except (StorageError, OSError) as error:
                log.error("the commit log can't be written, this node takes no more writes: %s", error)
                for channel in touched:
                    channel.session.serve_again()
        held = False
        for channel in touched:
            session = channel.session
            for stream, pending in session.take_pending():
                self._spawn(channel, stream, pending)
            output = session.take_output()
            if session.closing:
                channel.closing = True
            if session.wrote:
                session.wrote = False
                if node.sync_before_reply and node.commit_log is not None:
                    channel.held.append((node.commit_log.written_position, output))
                    self._held.add(channel)
                    held = True
                    continue
            if channel.held:
                channel.held.append((channel.held[-1][0], output))
                continue
            session.forget_served()
            if output or channel.closing:
                self._send(channel, output)
        if held:
            self._sync_wanted.set()

    # --- sockets ---------------------------------------------------------------------------------------------------

    def _accept(self, fd: int) -> None:
        listening = self._listening.get(fd)
        if listening is None:
            return
        for _ in range(ACCEPTED_PER_WAKE_MAX):
            try:
                sock, address = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                # out of descriptors, or the client left again: those who are here are served on
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    log.error("a client can't be accepted: %s; raise the limit of open files (ulimit -n)", error)
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            channel = Channel(sock, Session(self._node, address[0], address[1]), f"{address[0]}:{address[1]}")
            channel.session.on_push = partial(self._push, channel)
            self._channels[channel.fd] = channel
            self._node.sessions[channel.session] = None
            self._poller.watch(channel.fd, read=True, write=False)

    def _push(self, channel: Channel) -> None:
        """Sends what a session has to say by itself (events); answers that wait are not overtaken."""
        if channel.fd in self._channels and not channel.session.receiving:
            self._settle([channel])

    def _send(self, channel: Channel, output: bytes) -> None:
        if channel.unsent:
            channel.unsent += output
        elif output:
            try:
                sent = channel.sock.send(output)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                log.debug("%s: %s", channel.peer, error)
                self._close(channel)
                return
            if sent < len(output):
                channel.unsent = output[sent:]
        if channel.unsent:
            self._watch(channel)
        elif channel.closing:
            self._close(channel)

    def _flush(self, channel: Channel) -> None:
        unsent, channel.unsent = channel.unsent, b""
        if unsent:
            self._send(channel, unsent)
        if channel.fd in self._channels and not channel.unsent:
            self._watch(channel)

    def _watch(self, channel: Channel) -> None:
        reading, writing = len(channel.unsent) < UNSENT_BYTES_MAX and not channel.closing, bool(channel.unsent)
        if (reading, writing) != (channel.reading, channel.writing):
            channel.reading, channel.writing = reading, writing
            self._poller.watch(channel.fd, read=reading, write=writing)

    def _close(self, channel: Channel) -> None:
        if self._channels.pop(channel.fd, None) is None:
            return
        self._poller.forget(channel.fd)
        self._held.discard(channel)
        self._node.sessions.pop(channel.session, None)
        channel.session.close()
        channel.sock.close()

    # --- what waits ------------------------------------------------------------------------------------------------

    def _refuse_pending(self, channel: Channel, stream: int, pending: Pending[Response]) -> None:
        raise RuntimeError("the listener is not running")

    async def _finish(self, channel: Channel, stream: int, pending: Pending[Response]) -> None:
        await channel.session.finish(stream, pending)
        if channel.fd in self._channels:
            self._settle([channel])

    async def _sync_forever(self) -> None:
        """Makes the commit log durable as commitlog_sync says: every period, or before the answers that wait for it."""
        node = self._node
        period_s = node.sync_period_s
        while True:
            with trio.move_on_after(period_s if not node.sync_before_reply else math.inf):
                await self._sync_wanted.wait()
            self._sync_wanted = trio.Event()
            if node.sync_before_reply and period_s:
                await trio.sleep(period_s)  # commitlog_sync_group_window: others may join
            await self._sync_once()

    async def _sync_once(self) -> None:
        commit_log = self._node.commit_log
        if commit_log is None:
            return
        try:
            position = await trio.to_thread.run_sync(commit_log.sync)
        except (StorageError, OSError) as error:
            log.error("the commit log can't be synced, this node takes no more writes: %s", error)
            for channel in list(self._held):
                # what it received since the last sync is answered anew; the first answers never left
                channel.held.clear()
                channel.session.serve_again()
                self._held.discard(channel)
                self._send(channel, channel.session.take_output())
            return
        for channel in list(self._held):
            outputs = []
            while channel.held and channel.held[0][0] <= position:
                outputs.append(channel.held.popleft()[1])
            if not channel.held:
                self._held.discard(channel)
                channel.session.forget_served()
            if outputs:
                self._send(channel, b"".join(outputs))
