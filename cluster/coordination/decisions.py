"""Conditional writes, and serial reads of one row, that a fast path leaves to the replicas: each is an operation
(deciding.py) that nobody waits for in a strand. What a condition is about is one row; where a quorum has the same of it,
which they say with their promises, the condition is asked here and now, of the local replica's store.

    QUEUED     another one of this partition is under way here: it would only be in its way
      -> ASKED --replicas agree----> `decide` says what to propose -> decided: the client is told
           ^   --they do not-------> nothing was proposed: that request goes the general way, which reads, and repairs
           |---others were faster: the condition is asked once more
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from cluster.coordination.deciding import DecidingOperation
from cluster.coordination.plans import Deciders
from cluster.coordination.write_bundle import Waiter, Waiting
from cluster.paxos.encoding import PaxosKey
from cluster.paxos.proposer import Decided
from cluster.ring import Node

Decide = Callable[[int], tuple[bytes | None, bytes]]
"""(microseconds of the ballot) -> (the mutation that it leads to, None: the condition does not hold; what the client is told
when that is decided). Raises RequestError."""


class GeneralWay(Exception):
    """What `decide` raises where it can't say here and now."""


class Decision:
    """One conditional write; `ck`: order key of the row that its condition is about. `is_read`: a serial read of that row,
    which leads to nothing."""

    __slots__ = ("about", "answer", "ck", "deadline_s", "decide", "deciders", "is_read", "operation", "waiters")

    def __init__(
        self, about: PaxosKey, deciders: Deciders, ck: bytes, decide: Decide, is_read: bool = False
    ) -> None:
        self.is_read = is_read
        self.about, self.deciders, self.ck, self.decide = about, deciders, ck, decide
        self.waiters: list[Waiter] = [None]
        self.answer = b""
        self.deadline_s = 0.0
        self.operation: DecidingOperation | None = None


class Deciding(Protocol):
    """What a node does for it."""

    def decide(
        self, about: PaxosKey, deciders: Deciders, is_read: bool, ck: bytes | None, deadline_s: float
    ) -> DecidingOperation: ...
    def propose(self, operation: DecidingOperation, update: bytes | None) -> None: ...


class Decisions:
    """One node's."""

    def __init__(self, node: Deciding, local: Node) -> None:
        self._node, self._local = node, local
        self._under_way: dict[PaxosKey, deque[Decision]] = {}
        """By partition: what waits until the one under way is over."""

    def begin(self, decision: Decision, waiting: Waiting, deadline_s: float) -> None:
        decision.deadline_s = deadline_s
        queue = self._under_way.get(decision.about)
        if queue is not None:
            queue.append(decision)  # its turn comes in time: none before it has a later deadline
            return
        self._under_way[decision.about] = deque()
        self._ask(decision, waiting)

    def _ask(self, decision: Decision, waiting: Waiting) -> None:
        operation = self._node.decide(
            decision.about, decision.deciders, decision.is_read, decision.ck, decision.deadline_s
        )
        decision.operation = operation
        self._follow(decision, operation, waiting)

    def _follow(self, decision: Decision, operation: DecidingOperation, waiting: Waiting) -> None:
        event = operation.event
        event.when_done(lambda: self._happened(decision, operation, waiting))

    def _happened(self, decision: Decision, operation: DecidingOperation, waiting: Waiting) -> None:
        event = operation.event
        if event.error is not None:
            self._end(decision, waiting)
            waiting.refused(decision.waiters, event.error)
        elif isinstance(event.result, Decided):
            self._end(decision, waiting)
            waiting.decided(decision.waiters, (decision.answer,))
        elif self._local not in event.result.agreeing:
            self._leave(decision, operation, waiting)
        else:
            try:
                update, decision.answer = decision.decide(event.result.ballot.timestamp_us)
            except GeneralWay:
                self._leave(decision, operation, waiting)
                return
            except Exception as error:  # noqa: BLE001 - told to the client
                operation.abandon()
                self._end(decision, waiting)
                waiting.refused(decision.waiters, error)
                return
            self._node.propose(operation, update)
            self._follow(decision, operation, waiting)

    def _leave(self, decision: Decision, operation: DecidingOperation, waiting: Waiting) -> None:
        """To the general way."""
        operation.abandon()
        self._end(decision, waiting)
        waiting.again(decision.waiters)

    def _end(self, decision: Decision, waiting: Waiting) -> None:
        queue = self._under_way[decision.about]
        if queue:
            self._ask(queue.popleft(), waiting)
        else:
            del self._under_way[decision.about]
