"""All client sockets of a node, served by one trio task.

A wake-up takes the sockets that have something to read, hands the bytes to their sessions (synchronous: session.py),
writes the commit log once for all of them, and sends once per socket. A task, a cancel scope or a checkpoint per request
would cost several times what the request costs. Work in steps (Pending: big scans) is done by a second task, a step of
each in turn.

Invariants:
- No byte of an answer leaves before the promise behind it holds. In the commit log's batch and group modes the output of
  a session that wrote waits until the log is synced; if writing or syncing the log fails, what the waiting sessions
  received is served again, now that the log refuses writes, and those answers leave instead.
- Whatever is raised for a client ends at worst that client's connection (`_for`), and what belongs to none ends one round
  of a task, which goes on (cqlserver/border.py).
- A go lasts GO_S and one request at most; what is left has its turn in the next one, after everybody else.
- A client that does not take its answers, or has too much under way, is not read from, so what it can make the server
  hold is bounded: RECEIVE_BYTES or one frame of requests, UNSENT_BYTES_MAX and one go's answers, HELD_MAX goes that wait
  for a sync, and what Session.is_busy allows of requests in steps.
"""

import errno
import logging
import math
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import trio

from cqlserver.connections.channel import UNSENT_BYTES_MAX, Channel
from cqlserver.connections.limits import UNSENT_PATIENCE_S
from cqlserver.connections.poller import Poller, Readiness, open_poller
from cqlserver.connections.session import Session
from cqlserver.connections.turns import Turns
from cqlserver.connections.unanswered import Unanswered
from cqlserver.metrics.ticking import tick_forever
from cqlserver.node import Node
from protocol.errors import StorageError
from storage.commitlog.log import CommitLog

if TYPE_CHECKING:
    from cqlserver.connections.tls import Tls, TlsSocket

log = logging.getLogger("cqlserver")

T = TypeVar("T")
P = ParamSpec("P")

RECEIVE_BYTES = 1 << 16
"""Read from one socket in one go: enough for hundreds of requests, small enough that all sockets get their turn."""
UNSENT_EVENT_BYTES_MAX = 2 * UNSENT_BYTES_MAX
"""A client that lets this much pile up and still has events coming is closed."""
BACKLOG = 1024
ACCEPTED_PER_GO_MAX = 64
ACCEPT_PAUSE_S = 0.1
"""How long nobody is accepted after the system ran out of descriptors."""
GO_S = 0.002
"""How long requests are served before the log is written and the answers leave."""
TURN_S = 0.004
"""How long busy sockets keep trio's other tasks waiting."""
LEAVING_S = 0.002
"""How long the work for a client that has left is let go of at a time."""
LAST_ANSWERS_S = 1.0
"""How long what is under way is waited for before clients are left."""
LINGER_S = 0.001
"""How long the next request is waited for, where one was just served, before trio waits for it: a way through trio's loop
costs as much as ten requests."""


class Listener:
    """Accepts and serves clients on `sockets` until cancelled; see the module's text. Where it `is_open`, they listen."""

    def __init__(
        self, node: Node, sockets: Sequence[socket.socket], tls: "Tls | None" = None, is_open: bool = True
    ) -> None:
        self._tls = tls
        self._node = node
        self._border, self._limits = node.border, node.limits
        self._stalled: dict[Channel, None] = {}  # not read from until there is room for their messages (limits.py)
        self._clock = node.environment.clock.monotonic
        self._commit_log, self._sync_before_reply = node.commit_log, node.sync_before_reply
        self._poller: Poller = open_poller()
        self._others: dict[int, Callable[[], None]] = {}
        self._listening = {sock.fileno(): sock for sock in sockets}
        self._left: list[tuple[int, tuple[object, ...]]] = []  # family and address of sockets that were closed
        self._channels: dict[int, Channel] = {}
        self._held: dict[Channel, None] = {}
        self._events: list[Readiness] = []  # not served yet
        self._behind: dict[int, None] = {}  # descriptors of channels whose sessions have requests waiting
        self._pushed: dict[Channel, None] = {}
        self._serving = False
        self._steps: Turns[Channel, Unanswered] = Turns()
        self._steps_wanted = trio.Event()
        self._sync_wanted = trio.Event()
        self._is_open = is_open
        self._accept_paused = trio.Event()
        self._waker, self._wakened = socket.socketpair()
        self._gate: trio.Event | None = None  # what is served waits for it
        self._held_up_s = 0.0
        self.longest_stall_ms = 0.0
        self.after_go: Callable[[], None] | None = None
        """For tests: called when what was written in a go is in the log."""

    @property
    def sessions(self) -> list[Session]:
        return [channel.session for channel in self._channels.values()]

    async def run(self) -> None:
        """Serves until cancelled, then closes every socket."""
        self._poller.watch(self._wakened.fileno(), read=True, write=False)
        if self._is_open:
            self.open()
        try:
            async with trio.open_nursery() as nursery:
                tasks: list[Callable[[], Awaitable[None]]]
                tasks = [self._step_forever, self._resume_accepting, partial(tick_forever, self._node)]
                if self._node.durable:
                    tasks.append(self._sync_forever)
                for task in tasks:
                    nursery.start_soon(self._border.forever, task)
                await self._border.forever(self._serve_forever)
        finally:
            for channel in list(self._channels.values()):
                self._close(channel)
            for unanswered in self._steps.take_all():
                self._border.attempt(unanswered.close)
            for sock in (*self._listening.values(), self._waker, self._wakened):
                sock.close()
            self._poller.close()

    def open(self) -> None:
        """Takes clients from now on: its sockets listen."""
        self._is_open = True
        for fd in self._listening:
            self._poller.watch(fd, read=True, write=False)

    def _for(self, channel: Channel, action: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> bool:
        """Does something for a client; whether it ended well. What is raised ends its connection, and nothing else."""
        try:
            action(*arguments, **named)
        except Exception as error:  # noqa: BLE001 - told
            self._border.tell(error)
            self._close(channel)
            return False
        return True

    async def _serve_forever(self) -> None:
        clock, poller = self._clock, self._poller
        descriptor = poller.fileno()
        turn_began = clock()
        has_served = False
        # what a round before this one left behind when it raised
        self._serving, self._events = False, []
        self._behind.update((fd, None) for fd, channel in self._channels.items() if channel.session.has_rest)
        while True:
            if not self._events:
                # other tasks that have something to do are not kept waiting, nor other nodes in this process
                lingers = has_served and not (self._behind or self._steps or self._held or self._held_up_s)
                lingers = lingers and (self._node.is_alone or bool(self._others))
                self._events = poller.ready(LINGER_S if lingers else 0)
                if self._behind:
                    reported = {event[0] for event in self._events}
                    self._events += [(fd, True, False, False) for fd in self._behind if fd not in reported]
                    self._behind.clear()
                elif not self._events:
                    has_served = False
                    await trio.lowlevel.wait_readable(descriptor)
                    turn_began = clock()
                    continue
            if self._gate is not None:
                await self._gate.wait()
            began = clock()
            if self._node.before_turn is not None:
                self._node.before_turn()
            self._serve(began + GO_S)
            if self._node.after_turn is not None:
                self._node.after_turn()
            has_served = True
            ended = clock()
            self.note_stall(ended - began)
            if ended - turn_began > TURN_S:
                if self._held_up_s:
                    await trio.sleep(self._held_up_s)
                else:
                    await trio.lowlevel.checkpoint()
                turn_began = clock()

    async def exclusively(self, action: Callable[[], T]) -> T:
        """Runs `action` while no request is under way: those that are get their answers first, the next ones wait. One
        such action at a time."""
        await trio.lowlevel.checkpoint()
        if not self._steps:
            return action()
        async with self.held():
            return action()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Within it no request is under way, and none begins."""
        self._gate = gate = trio.Event()
        try:
            while self._steps:
                await trio.lowlevel.checkpoint()
            yield
        finally:
            self._gate = None
            gate.set()

    @property
    def takes_clients(self) -> bool:
        """Whether anybody may connect."""
        return bool(self._listening)

    def also_serve(self, fd: int, action: Callable[[], None]) -> None:
        """Has `action` called in goes in which this descriptor, too, has something to read."""
        self._others[fd] = action
        self._poller.watch(fd, read=True, write=False)

    def turn_away(self) -> None:
        """Ends all connections, and takes no new ones. Not while a request is under way (`exclusively`)."""
        for fd, sock in self._listening.items():
            self._poller.forget(fd)
            self._left.append((sock.family, sock.getsockname()))
            sock.close()
        self._listening, self._events = {}, []
        for channel in list(self._channels.values()):
            self._close(channel)

    async def leave_clients(self) -> None:
        """Before other nodes are told that this one goes: a driver takes no node for down to which it is connected."""
        if self._is_open:
            with trio.move_on_after(LAST_ANSWERS_S):
                await self.exclusively(self.turn_away)

    def take_again(self) -> None:
        """Takes connections again where it did before `turn_away`. Raises OSError; what could be taken is then taken."""
        while self._left:
            family, address = self._left[-1]
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.setblocking(False)
                sock.bind(address)
                sock.listen(BACKLOG)
            except BaseException:
                sock.close()
                raise
            self._left.pop()
            self._listening[sock.fileno()] = sock
            self._poller.watch(sock.fileno(), read=True, write=False)

    def want_sync(self) -> None:
        """Has the commit log synced soon, whatever commitlog_sync says."""
        self._sync_wanted.set()

    def hold_up(self, seconds: float) -> None:
        """So long do clients wait after each of their turns from now on, because the background is behind; 0 for not."""
        self._held_up_s = seconds

    def note_stall(self, seconds: float) -> None:
        self.longest_stall_ms = max(self.longest_stall_ms, seconds * 1000)
        self._node.metering.note_stall(seconds)

    def _serve(self, deadline: float) -> None:
        """One go: what is ready, until the deadline."""
        touched: list[Channel] = []
        channels, clock = self._channels, self._clock
        served = 0
        self._serving = True
        for fd, readable, writable, broken in self._events:
            served += 1
            channel = channels.get(fd)
            if channel is None:
                self._serve_other(fd)
                continue
            if writable:
                self._for(channel, self._flush, channel)
            if not channel.reading and not (readable and channel in self._stalled and channel.session.has_rest):
                if broken and not channel.closed:
                    self._close(channel)
                continue
            if not readable:
                continue
            touched.append(channel)
            self._for(channel, self._receive, channel, deadline)
            if clock() > deadline:
                break
        self._events = self._events[served:] if served < len(self._events) else []
        self._serving = False
        if touched or self._pushed:
            self._settle(touched)

    def _receive(self, channel: Channel, deadline: float) -> None:
        """Has a session serve what waits, or what the socket has."""
        session = channel.session
        if session.has_rest:
            session.resume(deadline)
            return
        try:
            data = channel.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            log.debug("%s: %s", channel.peer, error)
            data = b""
        if not data:
            self._close(channel)
            return
        session.receive(data, deadline)

    def _settle(self, touched: list[Channel]) -> None:
        """Writes the commit log for all of `touched`, then sends, or holds what must wait for a sync."""
        if self._node.query_log is not None:
            self._node.query_log.seal()
        commit_log = self._commit_log
        if commit_log is not None and commit_log.gathered:
            self._write(commit_log, touched)
        for channel in touched:
            if not channel.closed:
                self._for(channel, self._settle_one, channel)
        if self._pushed:
            pushed, self._pushed = self._pushed, {}
            for channel in pushed:
                if not channel.closed:
                    self._for(channel, self._send_pushed, channel)
        if self._steps:
            self._steps_wanted.set()
        self._limits.made = 0
        if self._limits.lacks_room:
            self._make_room()
        if self.after_go is not None:
            self.after_go()

    def _write(self, commit_log: CommitLog, touched: list[Channel]) -> None:
        try:
            if commit_log.write():
                self._sync_wanted.set()
        except (StorageError, OSError) as error:
            log.error("writes are refused from now on, reads go on: %s", error)
            for channel in touched:
                if not channel.closed:
                    self._for(channel, self._serve_again, channel.session)
        except Exception as error:  # noqa: BLE001 - told
            self._border.tell(error)
            for channel in touched:  # nobody knows what became of their writes
                self._close(channel)

    def _serve_again(self, session: Session) -> None:
        session.take_output()
        session.serve_again(session.take_served())

    def _settle_one(self, channel: Channel) -> None:
        session = channel.session
        if session.is_odd or channel.unsent or (session.wrote and self._sync_before_reply):
            self._settle_odd(channel)
            return
        output = session.take_output()
        session.forget_served()
        session.wrote = False
        try:
            sent = channel.sock.send(output) if output else 0
        except OSError:
            sent = 0  # _send finds out what is the matter
        if sent < len(output):
            self._send(channel, output[sent:])

    def _send_pushed(self, channel: Channel) -> None:
        channel.closing = channel.closing or channel.session.closing
        for unanswered in channel.session.take_pending():
            self._go_on_later(channel, unanswered)
        self._account(channel, channel.session.in_flight_bytes)
        self._send(channel, channel.session.take_later())
        if channel.unsent_bytes > UNSENT_EVENT_BYTES_MAX:
            log.warning("%s does not read its events: the connection is closed", channel.peer)
            self._close(channel)

    def _settle_odd(self, channel: Channel) -> None:
        """Everything that can be with a channel after its session served."""
        session, node = channel.session, self._node
        if session.wrote and node.sync_before_reply and node.commit_log is not None:
            output = session.take_later()
            channel.held.append((node.commit_log.written_position, session.take_output(), session.take_served()))
            self._held[channel] = None
            self._sync_wanted.set()
        else:
            output = session.take_later() + session.take_output()
            session.forget_served()
        session.wrote = False
        for unanswered in session.take_pending():
            self._go_on_later(channel, unanswered)
        channel.closing = channel.closing or session.closing
        session.is_odd = session.has_rest
        self._account(channel, session.in_flight_bytes)
        self._send(channel, output)

    def _account(self, channel: Channel, in_flight: int) -> None:
        """Tells the limits what a connection has in flight now; where it is less, there may be room for others."""
        change = channel.session.account(in_flight)
        if change < 0 and self._stalled:
            stalled, self._stalled = self._stalled, {}
            for other in stalled:
                self._watch(other)
            self._wake()

    # --- sockets ---------------------------------------------------------------------------------------------------

    def _serve_other(self, fd: int) -> None:
        listening = self._listening.get(fd)
        if listening is not None:
            self._accept(listening)
        elif fd == self._wakened.fileno():
            self._wakened.recv(1024)
        elif fd in self._others:
            self._border.attempt(self._others[fd])

    def _wake(self) -> None:
        """Has the serving task look at `_behind`, should it be waiting for sockets."""
        self._waker.send(b"\0")

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_PER_GO_MAX):
            try:
                sock, address = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    # those who are here are served on; asking again at once would only burn the processor
                    log.error("clients can't be accepted: %s; raise the limit of open files (ulimit -n)", error.strerror)
                    for fd in self._listening:
                        self._poller.watch(fd, read=False, write=False)
                    self._accept_paused.set()
                return  # or the client left again
            refusal = self._limits.maybe_refusal(address[0])
            if refusal is not None:
                self._border.warn(refusal)
                sock.close()
            elif not self._border.attempt(self._welcome, sock, address):
                sock.close()

    def _welcome(self, sock: socket.socket, address: tuple[str, int]) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session(self._node, address[0], address[1])
        taken: socket.socket | TlsSocket = sock
        if self._tls is not None:
            taken = self._tls.welcome(sock)
            session.state.peer = taken.peer
        channel = Channel(taken, session, f"{address[0]}:{address[1]}")
        self._poller.watch(channel.fd, read=True, write=False)
        channel.session.on_push = partial(self._push, channel)
        self._channels[channel.fd] = channel
        self._limits.connected(address[0])
        self._node.sessions[channel.session] = None

    async def _resume_accepting(self) -> None:
        while True:
            await self._accept_paused.wait()
            await trio.sleep(ACCEPT_PAUSE_S)
            self._accept_paused = trio.Event()
            for fd in self._listening:
                self._poller.watch(fd, read=True, write=False)

    def _push(self, channel: Channel) -> None:
        """Sends what a session has to say by itself (events); within a go, when the log is written."""
        self._pushed[channel] = None
        if not self._serving:
            self._settle([])
            if self._behind:
                self._wake()

    def _send(self, channel: Channel, output: bytes) -> None:
        """Sends, or keeps what the socket does not take; closes where that was all and the session says so."""
        if output and not channel.unsent:
            try:
                sent = channel.sock.send(output)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                log.debug("%s: %s", channel.peer, error)
                self._close(channel)
                return
            if sent < len(output):
                channel.unsent.append(_rest(memoryview(output), sent))
                channel.moved_at = self._clock()
                self._count_unsent(channel, _held_bytes(channel.unsent[0]))
        elif output:
            channel.unsent.append(memoryview(output))
            self._count_unsent(channel, len(output))
        self._watch(channel)

    def _count_unsent(self, channel: Channel, change: int) -> None:
        channel.unsent_bytes += change
        self._limits.unsent += change

    def _make_room(self) -> None:
        """Disconnects clients that hold the room of others and read nothing."""
        self._limits.lacks_room = False
        before = self._clock() - UNSENT_PATIENCE_S
        for channel in [channel for channel in self._channels.values() if channel.unsent and channel.moved_at < before]:
            self._border.warn(f"clients at {channel.session.state.address} read no answers, others need the room: closed")
            self._close(channel)

    def _flush(self, channel: Channel) -> None:
        """Sends what the socket now takes of what waited."""
        unsent = channel.unsent
        try:
            while unsent:
                first = unsent[0]
                sent = channel.sock.send(first)
                channel.moved_at = self._clock()
                if sent < len(first):
                    unsent[0] = _rest(first, sent)
                    self._count_unsent(channel, _held_bytes(unsent[0]) - _held_bytes(first))
                    break
                unsent.popleft()
                self._count_unsent(channel, -_held_bytes(first))
        except BlockingIOError:
            pass
        except OSError as error:
            log.debug("%s: %s", channel.peer, error)
            self._close(channel)
            return
        self._watch(channel)

    def _watch(self, channel: Channel) -> None:
        """Watches the socket for what its channel can do now; closes it where nothing is left to do."""
        if channel.closing and not channel.unsent and not channel.held:
            self._close(channel)
            return
        session = channel.session
        may_serve = channel.may_serve(self._limits)
        reading, writing = may_serve and not session.is_stalled, bool(channel.unsent)
        if (reading, writing) != (channel.reading, channel.writing):
            channel.reading, channel.writing = reading, writing
            self._poller.watch(channel.fd, read=reading, write=writing)
        if session.is_stalled:
            self._stalled[channel] = None
        if may_serve and session.has_rest:
            self._behind[channel.fd] = None

    def _close(self, channel: Channel) -> None:
        if channel.closed:
            return
        channel.closed, channel.reading = True, False
        del self._channels[channel.fd]
        self._held.pop(channel, None)
        self._pushed.pop(channel, None)
        self._behind.pop(channel.fd, None)
        self._node.sessions.pop(channel.session, None)
        self._stalled.pop(channel, None)
        self._limits.unsent -= channel.unsent_bytes
        channel.unsent_bytes = 0
        channel.unsent.clear()
        channel.held.clear()
        self._account(channel, 0)
        self._limits.disconnected(channel.session.state.address)
        for release in (partial(self._poller.forget, channel.fd), channel.session.close, channel.sock.close):
            self._border.attempt(release)

    # --- what takes several steps, what waits for the disk ------------------------------------------------------------

    async def _step_forever(self) -> None:
        """Does the steps of requests that take several (turns.py), and lets the sockets have their turn in between."""
        steps = self._steps
        while True:
            if not steps:
                self._steps_wanted = trio.Event()
                await self._steps_wanted.wait()
            self._step(*steps.next())
            await trio.lowlevel.checkpoint()

    def _step(self, channel: Channel, unanswered: Unanswered) -> None:
        began = self._clock()
        if channel.closed:
            self._border.attempt(self._leave, channel, unanswered)
            self.note_stall(self._clock() - began)
            return
        self._serving = True
        is_done = False
        if self._node.before_turn is not None:
            self._node.before_turn()

        def step() -> None:
            nonlocal is_done
            is_done = channel.session.step(unanswered)

        self._for(channel, step)
        self._serving = False
        if channel.closed:
            self._border.attempt(self._leave, channel, unanswered)
        elif not is_done:
            unanswered.spent_s += self._clock() - began
            self._go_on_later(channel, unanswered)
        if is_done or self._pushed or channel.closed:
            self._settle([channel])
        if self._node.after_turn is not None:
            self._node.after_turn()
        if is_done and self._behind:
            self._wake()
        self.note_stall(self._clock() - began)

    def _leave(self, channel: Channel, unanswered: Unanswered) -> None:
        """Its client has left."""
        if not unanswered.leave(self._clock() + LEAVING_S):
            self._go_on_later(channel, unanswered)

    def _go_on_later(self, channel: Channel, unanswered: Unanswered) -> None:
        """Has the next step done in turn, or when what it awaits is done."""

        def go_on() -> None:
            self._steps.add(channel, unanswered, unanswered.spent_s)
            self._steps_wanted.set()

        awaited = unanswered.awaited
        if awaited is None:
            go_on()
        else:
            token = trio.lowlevel.current_trio_token()

            def tell() -> None:
                with suppress(trio.RunFinishedError):  # the server has stopped: nobody waits any more
                    token.run_sync_soon(go_on)

            awaited.when_done(tell)

    async def _sync_forever(self) -> None:
        """Makes the commit log durable as commitlog_sync says: every period, or before the answers that wait for it."""
        node = self._node
        period_s = node.sync_period_s
        node.want_sync = self.want_sync
        while True:
            with trio.move_on_after(period_s if not node.sync_before_reply else math.inf):
                await self._sync_wanted.wait()
            self._sync_wanted = trio.Event()
            if node.sync_before_reply and period_s:
                await trio.sleep(period_s)  # commitlog_sync_group_window: others may join
            await self._sync_once()

    def _send_held(self, channel: Channel, position: int) -> None:
        outputs = []
        while channel.held and channel.held[0][0] <= position:
            outputs.append(channel.held.popleft()[1])
        if not channel.held:
            self._held.pop(channel, None)
        self._send(channel, b"".join(outputs))

    async def _sync_once(self) -> None:
        commit_log = self._node.commit_log
        if commit_log is None:
            return
        had_failed = commit_log.failure is not None
        try:
            position = await trio.to_thread.run_sync(commit_log.sync)
        except (StorageError, OSError) as error:
            if not had_failed:
                log.error("writes are refused from now on, reads go on: %s", error)
            for channel in list(self._held):
                # the first answers never left
                held, channel.held = channel.held, deque()
                for _, _, served in held:
                    if not channel.closed:
                        self._for(channel, channel.session.serve_again, served)
                self._settle([channel])
            self._held.clear()
        except Exception:
            for channel in list(self._held):  # nobody knows what became of their writes
                self._close(channel)
            raise
        else:
            for channel in list(self._held):
                self._for(channel, self._send_held, channel, position)
        if self._node.after_sync is not None:
            self._border.attempt(self._node.after_sync)
        if self._behind:
            self._wake()


def _rest(data: memoryview, sent: int) -> memoryview:
    """What is still to be sent. Where that is less than half it is copied, and what has been sent is freed: so what is held
    is at most twice what is unsent, and no more is copied in all than there was."""
    rest = data[sent:]
    return memoryview(bytes(rest)) if 2 * len(rest) < _held_bytes(data) else rest


def _held_bytes(data: memoryview) -> int:
    held = data.obj
    assert isinstance(held, bytes)
    return len(held)
