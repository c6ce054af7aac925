"""Plain writes of one go, by the replicas that they have in common: one message to each, one answer from each, one deadline.

A write is one record (storage/packed_records.py) and whoever waits for it; there is no object, no timer and no message of
its own. What a bundle comes to is what each of its writes would have come to alone (writing.py): records that a replica
could not take are counted apart from then on.

    open --the go ends, its log is written--> SENT --enough have acknowledged--> those who wait are told
                                               |--too many failed: WriteFailure, for the records that failed
                                               |--time is over: WriteTimeout; who has not answered gets hints
"""

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Final, Protocol

from cluster.coordination.acknowledgements import Acknowledgements
from cluster.coordination.errors import write_failure, write_timeout
from cluster.coordination.plans import WritePlan
from cluster.coordination.writing import REASON_BYTES
from cluster.internode.frames import Message
from cluster.internode.records import decode_failures, encode_records
from cluster.internode.verbs import FailureReason, Verb
from cluster.ring import Node

SIMPLE: Final = "SIMPLE"

Waiter = object
"""Whoever waits for a request; None: nobody."""


class Waiting(Protocol):
    """Who is told what becomes of requests that were bundled."""

    def written(self, waiters: Sequence[Waiter]) -> None:
        """Enough replicas have what they wrote."""

    def read(self, waiters: Sequence[Waiter], answers: Sequence[bytes]) -> None:
        """Enough replicas have the same: the answers may leave."""

    def decided(self, waiters: Sequence[Waiter], answers: Sequence[bytes]) -> None:
        """A conditional write has been decided."""

    def refused(self, waiters: Sequence[Waiter], error: Exception) -> None: ...

    def again(self, waiters: Sequence[Waiter]) -> None:
        """Nothing was promised: these are for the general way."""


KeepHint = Callable[[Node, bytes], None]
"""(for whom, record)."""


class WriteBundle:
    """See the module. `waiters` has one entry for each of `records`."""

    __slots__ = (
        "_acks", "_apart", "_hint", "_told", "_waited_for", "_waiting",
        "plan", "records", "size", "waiters", "wake_s", "write_type",
    )  # fmt: skip

    def __init__(self, plan: WritePlan, waiting: Waiting, hint: KeepHint, write_type: str = SIMPLE) -> None:
        self.plan, self.write_type, self._waiting, self._hint = plan, write_type, waiting, hint
        self.records: list[bytes] = []
        self.waiters: list[Waiter] = []
        self.size = 0
        self.wake_s = inf
        self._acks = plan.acknowledgements()
        self._apart: dict[int, Acknowledgements] = {}  # of those that some replica failed, which are not told yet
        self._told = False
        self._waited_for: dict[Node, None] = {}

    @property
    def is_over(self) -> bool:
        return self._told and not self._apart and not self._waited_for

    def start(self, local: Node, is_kept: bool, deadline_s: float, send: Callable[[Node, bytes], None]) -> None:
        """`is_kept`: whether the local node's log has them, where it is a replica."""
        self.wake_s = deadline_s
        body = encode_records(self.records)
        for node in self.plan.live:
            if node != local:
                self._waited_for[node] = None
                send(node, body)
        for node in self.plan.replicas:
            if node not in self.plan.live:
                self._keep_hints(node, range(len(self.records)))
        if self.plan.has_local:
            failed = () if is_kept else range(len(self.records))
            self._count(local, dict.fromkeys(failed, FailureReason.UNKNOWN))
        self._judge()

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if sender not in self._waited_for:
            return
        failed: dict[int, int] = {}
        if message.verb == Verb.DONE_BUT:
            failed = decode_failures(message.body)
        elif message.verb != Verb.DONE:
            failed = dict.fromkeys(range(len(self.records)), int.from_bytes(message.body[:REASON_BYTES], "big"))
        del self._waited_for[sender]
        self._count(sender, failed)
        self._keep_hints(sender, failed)
        self._judge()

    def tick(self, now_s: float) -> None:
        """The time is over."""
        self.wake_s = inf
        missing, self._waited_for = self._waited_for, {}
        for node in missing:
            self._keep_hints(node, range(len(self.records)))
        if not self._told:
            self._tell_all(self._timeout(self._acks))
        for index, acks in self._apart.items():
            self._waiting.refused((self.waiters[index],), self._timeout(acks))
        self._apart.clear()

    def _timeout(self, acks: Acknowledgements) -> Exception:
        return write_timeout(self.plan.level, acks.received, acks.required, self.write_type)

    def _count(self, node: Node, failed: dict[int, int]) -> None:
        if not self._told:
            for index in failed:
                if index not in self._apart:
                    self._apart[index] = self._acks.copy()
        self._acks.add(node)
        for index, acks in self._apart.items():
            reason = failed.get(index)
            if reason is None:
                acks.add(node)
            else:
                acks.fail(node, reason)

    def _judge(self) -> None:
        if not self._told and self._acks.are_enough:
            self._tell_all(None)
        for index, acks in list(self._apart.items()):
            waiters = (self.waiters[index],)
            if acks.are_enough:
                self._waiting.written(waiters)
            elif acks.cannot_be_enough:
                self._waiting.refused(waiters, write_failure(self.plan.level, acks, self.write_type))
            else:
                continue
            del self._apart[index]

    def _tell_all(self, error: Exception | None) -> None:
        """All but those apart."""
        self._told = True
        waiters = self.waiters
        if self._apart:
            waiters = [waiter for index, waiter in enumerate(waiters) if index not in self._apart]
        else:
            self.waiters = []  # what they hold is not needed until the last replica has answered
        if error is None:
            self._waiting.written(waiters)
        else:
            self._waiting.refused(waiters, error)

    def _keep_hints(self, node: Node, indexes: Iterable[int]) -> None:
        for index in indexes:
            self._hint(node, self.records[index])
