"""What the fast paths of one go leave to other replicas: plain writes and reads, bundled by the replicas that they have in
common (`write_bundle`, `read_bundle`), and conditional writes (`decisions`), sent when the go has ended and its log is
written."""

from collections.abc import Callable
from typing import Final

from cluster.coordination.decisions import Decision, Decisions
from cluster.coordination.latencies import LatenciesOf, speculation_s
from cluster.coordination.plans import ReadPlan, WritePlan
from cluster.coordination.proxy import COUNTER, Timeouts
from cluster.coordination.read_bundle import ReadBundle
from cluster.coordination.requests import Requests
from cluster.coordination.write_bundle import SIMPLE, Waiter, Waiting, WriteBundle
from cluster.coordination.writing import Hints
from cluster.internode.verbs import Verb
from cluster.ring import Node
from storage.engine import Engine
from storage.packed_records import mutations_of
from storage.reads import TableStore

BUNDLE_BYTES_MAX: Final = 1 << 20
"""Of records or commands in one message: a go that has more sends several."""


class Bundles:
    """One node's. `clock` is the monotonic one; `waiting` has to be set before the first request."""

    waiting: Waiting

    def __init__(
        self,
        local: Node,
        engine: Engine,
        requests: Requests,
        clock: Callable[[], float],
        timeouts: Timeouts,
        hints: Hints,
        latencies: LatenciesOf,
        decisions: Decisions,
        node_took: Callable[[Node, float], None],
    ) -> None:
        self._node_took = node_took
        self._decisions, self._decided = decisions, list[Decision]()
        self._local, self._engine, self._requests = local, engine, requests
        self._clock, self._timeouts, self._hints, self._latencies = clock, timeouts, hints, latencies
        self._writes: dict[WritePlan, WriteBundle] = {}
        self._reads: dict[tuple[ReadPlan, TableStore], ReadBundle] = {}
        self._full_writes: list[WriteBundle] = []
        self._last: WriteBundle | ReadBundle | Decision | None = None
        self.last_answer_bytes = 0
        """Kept for the request that was added last."""

    def __bool__(self) -> bool:
        """Whether there is something to be sent."""
        return bool(self._writes or self._reads or self._full_writes or self._decided)

    def add_write(self, plan: WritePlan, record: bytes, write_type: str = SIMPLE) -> None:
        """A write that the local node has logged and applied, where it is a replica. A plan is for writes of one type."""
        bundle = self._writes.get(plan)
        if bundle is None:
            bundle = self._writes[plan] = WriteBundle(plan, self.waiting, self._keep_hint, write_type)
        bundle.records.append(record)
        bundle.waiters.append(None)
        bundle.size += len(record)
        self._last, self.last_answer_bytes = bundle, 0
        if bundle.size > BUNDLE_BYTES_MAX:
            self._full_writes.append(self._writes.pop(plan))

    def add_read(self, plan: ReadPlan, store: TableStore, command: bytes, digest: bytes, answer: bytes) -> None:
        """A read (reading/plain.py) that the local node has done: what it found, and what the client is told of it."""
        bundle = self._reads.get((plan, store))
        if bundle is None:
            bundle = self._reads[plan, store] = ReadBundle(plan, store.table.id.bytes, self.waiting)
        bundle.commands.append(command)
        bundle.digests.append(digest)
        bundle.answers.append(answer)
        bundle.waiters.append(None)
        self._last, self.last_answer_bytes = bundle, len(answer)

    def add_decision(self, decision: Decision) -> None:
        """A conditional write; the local node is one of those who decide."""
        self._decided.append(decision)
        self._last, self.last_answer_bytes = decision, 0

    def are_planned_by(self, ring_number: int) -> bool:
        """Whether nothing waits to be sent that was planned when less was known of the ring."""
        numbers = [plan.ring_number for plan in self._writes]
        numbers += [bundle.plan.ring_number for bundle in self._full_writes]
        numbers += [decision.deciders.ring_number for decision in self._decided]
        return all(number >= ring_number for number in numbers)

    def claim(self, waiter: Waiter) -> None:
        """Has somebody told of the request that was added last."""
        assert self._last is not None
        self._last.waiters[-1] = waiter

    def send(self) -> None:
        """All there are; the local log is written."""
        self._last = None
        if self._writes:
            self._send_writes()
        if self._reads:
            self._send_reads()
        if self._decided:
            decided, self._decided = self._decided, []
            deadline_s = self._clock() + self._timeouts.cas_contention_s
            for decision in decided:
                self._decisions.begin(decision, self.waiting, deadline_s)

    def _send_writes(self) -> None:
        bundles = [*self._full_writes, *self._writes.values()]
        self._writes, self._full_writes = {}, []
        requests, commit_log = self._requests, self._engine.commit_log
        is_kept = commit_log is None or commit_log.failure is None
        now_s, timeouts = self._clock(), self._timeouts
        for bundle in bundles:
            operation_id = requests.next_id()
            deadline_s = now_s + (timeouts.counter_s if bundle.write_type == COUNTER else timeouts.write_s)
            bundle.start(self._local, is_kept, deadline_s, self._asking(Verb.MUTATE_EACH, operation_id))
            requests.begun(operation_id, bundle, bundle.plan.ring_number)

    def _send_reads(self) -> None:
        bundles, self._reads = self._reads, {}
        now_s, timeout_s = self._clock(), self._timeouts.read_s
        for (_, store), bundle in bundles.items():
            latencies = self._latencies(store.table.id)
            wait_s = speculation_s(store.table.params.speculative_retry, latencies, timeout_s)
            operation_id = self._requests.next_id()
            ask = self._asking(Verb.READ_EACH, operation_id)
            bundle.start(now_s, timeout_s, wait_s, ask, latencies.took, self._node_took)
            self._requests.begun(operation_id, bundle)

    def _asking(self, verb: Verb, operation_id: int) -> Callable[[Node, bytes], None]:
        send = self._requests.send
        return lambda node, body: send(node, verb, operation_id, body)

    def _keep_hint(self, node: Node, record: bytes) -> None:
        try:
            mutations = mutations_of(self._engine.stores, record)
        except KeyError:  # the table is gone
            return
        self._hints.keep(node, mutations)
