"""The machine of one write: mutations of one token, sent to its replicas, acknowledged by as many as the level wants.

    SENT --enough acknowledged--> the client is told, what is still under way is waited for
         --too many failed-----> WriteFailure
         --time is over--------> WriteTimeout; who has not answered gets a hint

A replica that is down is not asked: a hint is kept for it. A hint counts for no level but ANY: one that is kept at once,
and, but for logged batches, those that are kept because all replicas have failed, or none has answered in time.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Final, Protocol

from cluster.consistency import Consistency
from cluster.coordination.errors import write_failure, write_timeout
from cluster.coordination.outcome import Outcome
from cluster.coordination.plans import WritePlan
from cluster.internode.frames import Message
from cluster.internode.texts import encode_texts
from cluster.internode.verbs import Verb
from cluster.replica import Failed
from cluster.ring import Node
from protocol.errors import RequestError

REASON_BYTES: Final = 2
BATCH: Final = "BATCH"


class Hints(Protocol):
    """What is kept for nodes that missed a write."""

    def keep(self, node: Node, mutations: Sequence[bytes]) -> bool:
        """Whether it is: nothing is for a node that has been down for too long, or where hints are switched off."""


class WriteOperation:
    """See the module. `apply` is the local replica's, `ask` sends a message with this operation's id."""

    def __init__(
        self,
        plan: WritePlan,
        mutations: Sequence[bytes],
        write_type: str,
        deadline_s: float,
        hints: Hints | None,
    ) -> None:
        self._plan, self._mutations, self._write_type, self._hints = plan, mutations, write_type, hints
        self.wake_s = deadline_s
        self.outcome: Outcome[None] = Outcome()
        self._acks = plan.acknowledgements()
        self._waited_for: dict[Node, None] = {}
        self._is_hinted = False

    @property
    def is_over(self) -> bool:
        return self.outcome.is_done and not self._waited_for

    def start(self, local: Node, apply: Callable[[Sequence[bytes]], None], ask: Callable[[Node, int, bytes], None]) -> None:
        """Sends it off, and applies it here where the local node is a replica."""
        plan = self._plan
        body = encode_texts(self._mutations)
        for node in plan.live:
            if node != local:
                self._waited_for[node] = None
                ask(node, Verb.MUTATE, body)
        for node in plan.replicas:
            if node not in plan.live:
                self._keep_hint(node)
        if local in plan.live:
            try:
                apply(self._mutations)
            except Failed as failure:
                self._acks.fail(local, failure.reason)
            else:
                self._acks.add(local)
        if self._is_hinted and plan.level is Consistency.ANY:
            self.outcome.settle(None)
        self._judge()

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if sender not in self._waited_for:
            return
        del self._waited_for[sender]
        if message.verb == Verb.DONE:
            self._acks.add(sender)
        else:
            self._acks.fail(sender, int.from_bytes(message.body[:REASON_BYTES], "big"))
            self._keep_hint(sender)
        self._judge()

    def tick(self, now_s: float) -> None:
        """The time is over."""
        self.wake_s = inf
        missing, self._waited_for = self._waited_for, {}
        for node in missing:
            self._keep_hint(node)
        acks = self._acks
        self._fail(write_timeout(self._plan.level, acks.received, acks.required, self._write_type))

    def _judge(self) -> None:
        if self._acks.are_enough:
            self.outcome.settle(None)
        elif self._acks.cannot_be_enough and self._acks.failures:
            self._fail(write_failure(self._plan.level, self._acks, self._write_type))

    def _fail(self, error: RequestError) -> None:
        """Unless there are hints, and these are enough."""
        if self._is_hinted and self._plan.level is Consistency.ANY and self._write_type != BATCH:
            self.outcome.settle(None)
        else:
            self.outcome.fail(error)

    def _keep_hint(self, node: Node) -> None:
        if self._hints is not None and self._hints.keep(node, self._mutations):
            self._is_hinted = True
