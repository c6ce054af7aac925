"""The machine of increments that another node leads: it does them or not, and nobody tries again."""

from math import inf

from cluster.consistency import Consistency
from cluster.coordination.acknowledgements import Acknowledgements
from cluster.coordination.errors import write_failure, write_timeout
from cluster.coordination.outcome import Outcome
from cluster.coordination.writing import REASON_BYTES
from cluster.internode.frames import Message
from cluster.internode.verbs import FailureReason, Verb
from cluster.replication import LocalStrategy
from cluster.ring import Node


class ForwardedCount:
    """Under way to its leader, who answers when the level is met."""

    def __init__(self, leader: Node, level: Consistency, required: int, deadline_s: float) -> None:
        self._leader, self._level, self._required = leader, level, required
        self.wake_s = deadline_s
        self.outcome: Outcome[None] = Outcome()

    @property
    def is_over(self) -> bool:
        return self.outcome.is_done

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if sender != self._leader:
            return
        if message.verb == Verb.DONE:
            self.outcome.settle(None)
            return
        reason = int.from_bytes(message.body[:REASON_BYTES], "big")
        if reason == FailureReason.TIMEOUT:
            self.tick(now_s)
            return
        acks = Acknowledgements(self._level, LocalStrategy(), self._leader.datacenter, self._required, (self._leader,))
        acks.fail(self._leader, reason)
        self.outcome.fail(write_failure(self._level, acks, "COUNTER"))

    def tick(self, now_s: float) -> None:
        self.wake_s = inf
        self.outcome.fail(write_timeout(self._level, 0, self._required, "COUNTER"))
