"""A member and what carries its messages: gives it what came, writes the log, hands on what is outgoing; and its time.

No message leaves before the log has what stands behind it. Where commitlog_sync says that answers wait for the disk, what
says that something is kept, to others or to clients, is sealed with the log's position and leaves when that is synced; the
listener has it synced beside the loop, once for all that came meanwhile, and in group mode after its window.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Final, NamedTuple

import trio

from cluster.gossip.encoding import VERBS as GOSSIP_VERBS
from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Message
from cluster.internode.verbs import Verb
from cqlserver.clustering.late_answers import Told
from cqlserver.clustering.member import Member
from cqlserver.node import Node
from protocol.errors import CorruptionError, PeerError, StorageError

log = logging.getLogger("cqlserver.cluster")

Carry = Callable[[Endpoint, Sequence[Message]], None]
"""(to whom, messages): takes them on, or loses them."""
LATE_S: Final = 0.001
"""How late a deadline may be met."""
PROMISING_NOTHING: Final = GOSSIP_VERBS | {
    Verb.MUTATE, Verb.MUTATE_EACH, Verb.READ, Verb.READ_DIGEST, Verb.READ_EACH, Verb.PREPARE, Verb.COUNT, Verb.STORE_BATCH,
    Verb.SCHEMA_WANTED, Verb.DATA, Verb.DIGEST, Verb.DIGESTS, Verb.FAILED, Verb.REFUSAL,
}  # fmt: skip
"""What only asks for something, and answers that nobody relies on later. PROPOSE and COMMIT count what this node has
promised and accepted."""


class Sealed(NamedTuple):
    """What may leave when the log is synced up to a position: messages, and what clients are told."""

    position: int
    outgoing: dict[Endpoint, list[Message]]
    told: list[Told]


class Station:
    """See the module. `carry` takes messages for others."""

    def __init__(self, node: Node, member: Member, carry: Carry) -> None:
        self._node, self._member, self._carry = node, member, carry
        self._cluster = member.cluster
        self._clock = node.environment.clock.monotonic
        self._time_wanted = trio.Event()
        self._wakes_at_s = inf
        self._sealed: deque[Sealed] = deque()
        self._token: trio.lowlevel.TrioToken | None = None  # while there is a task that keeps time
        node.before_turn, node.after_turn = self._begin_turn, self.flush
        self._cluster.has_turn, self._cluster.on_turn_wanted = False, self._flush_soon
        if member.held_answers is not None:
            node.after_sync = self._release

    @property
    def endpoint(self) -> Endpoint:
        return self._cluster.endpoint

    def start(self) -> None:
        """Calls the seeds."""
        self._begin_turn()
        self._cluster.start()
        self.flush()

    def shut_down(self) -> None:
        """Says to the others that this node stops."""
        self._begin_turn()
        self._cluster.shut_down()
        self.flush()

    def take(self, sender: Endpoint, messages: Sequence[Message]) -> bool:
        """Messages that came; whether they are such as nodes send. What one of them brings about ends no other. To be
        flushed behind the last of them."""
        self._begin_turn()
        receive = self._cluster.receive
        for message in messages:
            try:
                receive(sender, message)
            except (PeerError, CorruptionError) as error:
                log.error("%s: %s", sender, error)
                return False
            except Exception as error:  # noqa: BLE001 - told
                self._node.border.tell(error)
        return True

    def _begin_turn(self) -> None:
        """`flush` comes behind what is done now."""
        self._cluster.has_turn = True

    def _flush_soon(self) -> None:
        """Something is to be sent that was begun in nobody's turn: in the background, by the control port. In any thread."""
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self.flush, idempotent=True)

    def flush(self) -> None:
        """Writes the log, has what is outgoing carried away, and answers clients who waited for others. What is raised is
        told, and ends no more than this."""
        self._begin_turn()
        self._node.border.attempt(self._flush)
        self._cluster.has_turn = False

    def _flush(self) -> None:
        held = self._member.held_answers
        if self._cluster.has_outgoing or (held is not None and held.has_told):
            self._send()
        else:
            self._write_log()
        self.answer_clients()
        if self._cluster.wake_s < self._wakes_at_s:
            self._time_wanted.set()

    def answer_clients(self) -> None:
        """Those who waited for what came; within a go of the listener when that writes the log."""
        self._member.late_answers.send()

    def _send(self) -> None:
        is_logged = self._write_log()
        outgoing = self._cluster.take_outgoing()
        if not (is_logged and self._write_log()):
            self._release()
            return  # nothing of it leaves: who waits for an answer takes this node for slow
        held, commit_log = self._member.held_answers, self._node.commit_log
        if held is None or commit_log is None:
            self._carry_all(outgoing)
            return
        told = held.take_told()
        if commit_log.failure is not None:
            self._without_promises(outgoing)
            self._refuse(told)
        elif self._sealed or commit_log.written_position > commit_log.synced_position:
            outgoing = self._without_promises(outgoing)
            self._sealed.append(Sealed(commit_log.written_position, outgoing, told))
            self._want_sync()
        else:
            self._leave(outgoing, told)

    def _carry_all(self, outgoing: Mapping[Endpoint, Sequence[Message]]) -> None:
        for endpoint, messages in outgoing.items():
            self._hand_on(endpoint, messages)

    def _hand_on(self, endpoint: Endpoint, messages: Sequence[Message]) -> None:
        self._member.traffic.sent += len(messages)
        self._carry(endpoint, messages)

    def _without_promises(self, outgoing: dict[Endpoint, list[Message]]) -> dict[Endpoint, list[Message]]:
        """Has what promises nothing carried away; the rest."""
        left = {}
        for endpoint, messages in outgoing.items():
            asking = [message for message in messages if message.verb in PROMISING_NOTHING]
            if asking:
                self._hand_on(endpoint, asking)
            if len(asking) < len(messages):
                left[endpoint] = [message for message in messages if message.verb not in PROMISING_NOTHING]
        return left

    def _want_sync(self) -> None:
        if self._node.want_sync is not None:
            self._node.want_sync()
            return
        assert self._node.commit_log is not None
        try:
            self._node.commit_log.sync()  # nobody else does: there is no listener yet
        except (StorageError, OSError) as error:
            log.error("writes are refused from now on, reads go on: %s", error)
        self._release()

    def _release(self) -> None:
        """What is sealed and synced leaves; if the log has failed nothing does."""
        commit_log = self._node.commit_log
        if commit_log is None:
            return
        if commit_log.failure is not None:
            sealed, self._sealed = self._sealed, deque()
            for _, _, told in sealed:
                self._refuse(told)
        while self._sealed and self._sealed[0].position <= commit_log.synced_position:
            _, outgoing, told = self._sealed.popleft()
            self._leave(outgoing, told)
        self.answer_clients()

    def _refuse(self, told: Sequence[Told]) -> None:
        """They are served once more, the general way, which says what is the matter."""
        for one in told:
            self._member.late_answers.again(one.waiters)

    def _leave(self, outgoing: Mapping[Endpoint, Sequence[Message]], told: Sequence[Told]) -> None:
        self._carry_all(outgoing)
        for one in told:
            one.tell()

    def _write_log(self) -> bool:
        commit_log = self._node.commit_log
        if commit_log is None or not commit_log.gathered:
            return True
        try:
            commit_log.write()
        except (StorageError, OSError) as error:
            log.error("writes are refused from now on, reads go on: %s", error)
            return False
        return True

    async def keep_time(self) -> None:
        """Ticks when something is due, until cancelled."""
        self._token = trio.lowlevel.current_trio_token()
        try:
            while True:
                self._begin_turn()
                self._node.border.attempt(self._cluster.tick)
                self.flush()
                self._time_wanted = trio.Event()
                self._wakes_at_s = self._cluster.wake_s
                with trio.move_on_after(max(LATE_S, self._wakes_at_s - self._clock())):
                    await self._time_wanted.wait()
        finally:
            self._token = None
