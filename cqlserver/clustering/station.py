"""A member and what carries its messages: gives it what came, writes the log, hands on what is outgoing; and its time.

No message leaves before the log has what stands behind it, and is synced where commitlog_sync says so before answers.
"""

import logging
from collections.abc import Callable, Sequence
from math import inf
from typing import Final

import trio

from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Message
from cqlserver.clustering.member import Member
from cqlserver.node import Node
from protocol.errors import CorruptionError, PeerError, StorageError

log = logging.getLogger("cqlserver.cluster")

Carry = Callable[[Endpoint, Sequence[Message]], None]
"""(to whom, messages): takes them on, or loses them."""
LATE_S: Final = 0.001
"""How late a deadline may be met."""


class Station:
    """See the module. `carry` takes messages for others."""

    def __init__(self, node: Node, member: Member, carry: Carry) -> None:
        self._node, self._member, self._carry = node, member, carry
        self._cluster = member.cluster
        self._clock = node.environment.clock.monotonic
        self._time_wanted = trio.Event()
        self._wakes_at_s = inf
        node.after_turn = self._cluster.when_ready = self.flush

    @property
    def endpoint(self) -> Endpoint:
        return self._cluster.endpoint

    def start(self) -> None:
        """Calls the seeds."""
        self._cluster.start()
        self.flush()

    def shut_down(self) -> None:
        """Says to the others that this node stops."""
        self._cluster.shut_down()
        self.flush()

    def take(self, sender: Endpoint, messages: Sequence[Message]) -> None:
        """Messages that came. Raises PeerError, CorruptionError for what no node says."""
        self._cluster.receive(sender, messages)

    def take_or_tell(self, sender: Endpoint, messages: Sequence[Message]) -> bool:
        """The same; whether they were such as nodes send, and nothing went wrong with them."""
        try:
            self.take(sender, messages)
        except (PeerError, CorruptionError) as error:
            log.error("%s: %s", sender, error)
        except Exception as error:  # noqa: BLE001 - told
            self._node.border.tell(error)
        else:
            return True
        return False

    def flush(self) -> None:
        """Writes the log, has what is outgoing carried away, and answers clients who waited for others."""
        if self._cluster.has_outgoing:
            self._send()
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
            return  # nothing of it leaves: who waits for an answer takes this node for slow
        for endpoint, messages in outgoing.items():
            self._carry(endpoint, messages)

    def _write_log(self) -> bool:
        commit_log = self._node.commit_log
        if commit_log is None or not commit_log.gathered:
            return True
        try:
            commit_log.write()
            if self._node.sync_before_reply:
                commit_log.sync()
        except (StorageError, OSError) as error:
            log.error("writes are refused from now on, reads go on: %s", error)
            return False
        return True

    async def keep_time(self) -> None:
        """Ticks when something is due, until cancelled."""
        while True:
            self._node.border.attempt(self._cluster.tick)
            self.flush()
            self._time_wanted = trio.Event()
            self._wakes_at_s = self._cluster.wake_s
            with trio.move_on_after(max(LATE_S, self._wakes_at_s - self._clock())):
                await self._time_wanted.wait()
