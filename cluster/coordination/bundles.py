"""Plain writes of one go, by the replicas that they have in common: one message to each, one answer from each, one deadline.

A write is one record (storage/packed_records.py) and whoever waits for it; there is no object, no timer and no message of
its own. What a bundle comes to is what each of its writes would have come to alone (writing.py): records that a replica
could not take are counted apart from then on.

    open --the go ends, its log is written--> SENT --enough have acknowledged--> those who wait are told
                                               |--too many failed: WriteFailure, for the records that failed
                                               |--time is over: WriteTimeout; who has not answered gets hints
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from cluster.coordination.acknowledgements import Acknowledgements
from cluster.coordination.errors import write_failure, write_timeout
from cluster.coordination.plans import WritePlan
from cluster.coordination.requests import Requests
from cluster.coordination.writing import REASON_BYTES, Hints
from cluster.internode.frames import Message
from cluster.internode.records import decode_failures, encode_records
from cluster.internode.verbs import FailureReason, Verb
from cluster.ring import Node
from storage.engine import Engine
from storage.packed_records import mutations_of

BUNDLE_BYTES_MAX: Final = 1 << 20
"""Of records in one message: a go that writes more sends several."""
WRITE_TYPE: Final = "SIMPLE"

Waiter = object
"""Whoever waits for a write; None: nobody."""
Tell = Callable[[Sequence[Waiter], Exception | None], None]
"""(who waits, what went wrong): their writes have come to an end."""


class WriteBundle:
    """See the module. `waiters` has one entry for each of `records`."""

    __slots__ = ("_acks", "_apart", "_bundles", "_told", "_waited_for", "plan", "records", "size", "waiters", "wake_s")

    def __init__(self, plan: WritePlan, bundles: "Bundles") -> None:
        self.plan, self._bundles = plan, bundles
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
            self._bundles.tell((self.waiters[index],), self._timeout(acks))
        self._apart.clear()

    def _timeout(self, acks: Acknowledgements) -> Exception:
        return write_timeout(self.plan.level, acks.received, acks.required, WRITE_TYPE)

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
            if acks.are_enough:
                error = None
            elif acks.cannot_be_enough:
                error = write_failure(self.plan.level, acks, WRITE_TYPE)
            else:
                continue
            del self._apart[index]
            self._bundles.tell((self.waiters[index],), error)

    def _tell_all(self, error: Exception | None) -> None:
        """All but those apart."""
        self._told = True
        waiters = self.waiters
        if self._apart:
            waiters = [waiter for index, waiter in enumerate(waiters) if index not in self._apart]
        else:
            self.waiters = []  # what they hold is not needed until the last replica has answered
        self._bundles.tell(waiters, error)

    def _keep_hints(self, node: Node, indexes: "range | dict[int, int]") -> None:
        for index in indexes:
            self._bundles.keep_hint(node, self.records[index])


class Bundles:
    """One node's. `tell` is the one who waits for writes; `clock` the monotonic one."""

    def __init__(
        self, local: Node, engine: Engine, requests: Requests, clock: Callable[[], float], write_s: float, hints: Hints
    ) -> None:
        self._local, self._engine, self._requests = local, engine, requests
        self._clock, self._write_s, self._hints = clock, write_s, hints
        self._open: dict[WritePlan, WriteBundle] = {}
        self._full: list[WriteBundle] = []
        self._last: WriteBundle | None = None
        self.tell: Tell = lambda waiters, error: None

    def __len__(self) -> int:
        """How many are to be sent."""
        return len(self._open) + len(self._full)

    def add(self, plan: WritePlan, record: bytes) -> None:
        """A write that the local node has logged and applied, where it is a replica; it is sent at the end of the go."""
        bundle = self._open.get(plan)
        if bundle is None:
            bundle = self._open[plan] = WriteBundle(plan, self)
        bundle.records.append(record)
        bundle.waiters.append(None)
        bundle.size += len(record)
        self._last = bundle
        if bundle.size > BUNDLE_BYTES_MAX:
            self._full.append(self._open.pop(plan))

    def claim(self, waiter: Waiter) -> None:
        """Has somebody told of the write that was added last."""
        assert self._last is not None
        self._last.waiters[-1] = waiter

    def send(self) -> None:
        """All there are; the local log is written."""
        bundles, self._open = [*self._full, *self._open.values()], {}
        self._full = []
        requests, commit_log = self._requests, self._engine.commit_log
        is_kept = commit_log is None or commit_log.failure is None
        deadline_s = self._clock() + self._write_s
        for bundle in bundles:
            operation_id = requests.next_id()

            def send(node: Node, body: bytes, operation_id: int = operation_id) -> None:
                requests.send(node, Verb.MUTATE_EACH, operation_id, body)

            bundle.start(self._local, is_kept, deadline_s, send)
            requests.begun(operation_id, bundle)

    def keep_hint(self, node: Node, record: bytes) -> None:
        try:
            mutations = mutations_of(self._engine.stores, record)
        except KeyError:  # the table is gone
            return
        self._hints.keep(node, mutations)
