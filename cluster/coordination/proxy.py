"""A node's coordinator at work: begins operations, and hands them what comes (service/StorageProxy.java)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final
from uuid import UUID

from cluster.coordination.latencies import Latencies, speculation_s
from cluster.coordination.outcome import Outcome, all_of
from cluster.coordination.plans import ReadPlan, WritePlan
from cluster.coordination.reading import ReadOperation
from cluster.coordination.requests import Requests
from cluster.coordination.writing import Hints, WriteOperation
from cluster.coordinator import ReplicaPlan
from cluster.reading.command import ReadCommand
from cluster.reading.merging import Page
from cluster.reading.passing import Passing
from cluster.replica import Replica
from cluster.ring import Node
from storage.engine import Engine
from storage.memtable.memtable import Position, position_token

COUNTER: Final = "COUNTER"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; cassandra.yaml's *_request_timeout."""

    read_s: float = 5.0
    range_s: float = 10.0
    write_s: float = 2.0
    counter_s: float = 5.0
    cas_contention_s: float = 1.8
    truncate_s: float = 60.0


class Proxy:
    """See the module. `clock` is the node's monotonic one."""

    def __init__(
        self,
        local: Node,
        engine: Engine,
        replica: Replica,
        requests: Requests,
        clock: Callable[[], float],
        timeouts: Timeouts,
        hints: Hints | None = None,
    ) -> None:
        self.local, self.replica, self.requests, self.timeouts = local, replica, requests, timeouts
        self._engine, self._clock, self._hints = engine, clock, hints
        self._latencies: dict[UUID, Latencies] = {}
        self.node_took: Callable[[Node, float], None] = lambda node, seconds: None
        """Hears how long nodes take for reads."""
        self.mismatches = 0
        """So many reads of partitions found that replicas differ, and had them repaired."""

    def _mismatched(self) -> None:
        self.mismatches += 1

    def _asking(self, operation_id: int) -> Callable[[Node, int, bytes], None]:
        send = self.requests.send
        return lambda node, verb, body: send(node, verb, operation_id, body)

    # --- writes --------------------------------------------------------------------------------------------------------

    def write(self, plan: WritePlan, mutations: Sequence[bytes], write_type: str) -> Outcome[None]:
        """Encoded mutations of one token, which each replica takes as one."""
        timeouts = self.timeouts
        deadline_s = self._clock() + (timeouts.counter_s if write_type == COUNTER else timeouts.write_s)
        operation = WriteOperation(plan, mutations, write_type, deadline_s, self._hints)
        operation_id = self.requests.next_id()
        with self.requests.beginning(operation_id, operation, plan.ring_number):
            operation.start(self.local, self.replica.apply, self._asking(operation_id))
        return operation.outcome

    def write_all(self, writes: Sequence[tuple[WritePlan, Sequence[bytes]]], write_type: str) -> Outcome[None]:
        """Of several tokens, each by itself; all must have been acknowledged."""
        return all_of([self.write(plan, mutations, write_type) for plan, mutations in writes])

    def latencies_of(self, table_id: UUID) -> Latencies:
        """How long reads of a table's partitions have taken."""
        latencies = self._latencies.get(table_id)
        if latencies is None:
            latencies = self._latencies[table_id] = Latencies()
        return latencies

    # --- reads ---------------------------------------------------------------------------------------------------------

    def read(self, plans: ReplicaPlan, command: ReadCommand, passing: Passing[Node] | None = None) -> Outcome[Page]:
        """The first page of one partition. Raises Unavailable."""
        return self._read_partition(plans.to_read(position_token(command.start)), command, passing)

    def scan(
        self, plans: ReplicaPlan, command: ReadCommand, passing: Passing[Node] | None = None
    ) -> tuple[Outcome[Page], Position | None]:
        """The first page of a range, and where the part of it ends that the replicas asked have in common: what is behind
        that is to be asked for then. Raises Unavailable."""
        plan, end = plans.to_scan(command.start, command.end)
        outcome = self._begin_read(plan, replace(command, end=end), self.timeouts.range_s, passing)
        return outcome, end

    def _read_partition(self, plan: ReadPlan, command: ReadCommand, passing: Passing[Node] | None) -> Outcome[Page]:
        latencies = self.latencies_of(command.table_id)
        began_s, timeout_s = self._clock(), self.timeouts.read_s
        policy = self._engine.stores[command.table_id].table.params.speculative_retry
        speculate_s = speculation_s(policy, latencies, timeout_s)
        outcome = self._begin_read(plan, command, timeout_s, passing, began_s + speculate_s)
        outcome.when_done(lambda: latencies.took(self._clock() - began_s))
        return outcome

    def _begin_read(
        self,
        plan: ReadPlan,
        command: ReadCommand,
        timeout_s: float,
        passing: Passing[Node] | None,
        speculate_s: float = inf,
    ) -> Outcome[Page]:
        store = self._engine.stores[command.table_id]
        if command.criteria is not None:
            command = replace(command, criteria=command.criteria.asked_of(plan.required))
        repairs = store.table.params.read_repair == "BLOCKING"
        deadline_s = self._clock() + timeout_s
        operation = ReadOperation(
            plan, command, store, deadline_s, speculate_s, repairs, self._clock, self.node_took, self._mismatched, passing
        )
        operation_id = self.requests.next_id()
        with self.requests.beginning(operation_id, operation):
            operation.start(self.local, self.replica, self._asking(operation_id))
        return operation.outcome
