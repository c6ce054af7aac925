"""Three nodes or more that coordinate for each other, without gossip: who is up, and whether messages arrive, is told.

Messages wait in one queue until `deliver`, or for ever where their receiver does not listen.
"""

from collections import deque
from collections.abc import Sequence
from types import MappingProxyType
from uuid import UUID

from cluster.coordination.bundles import Bundles
from cluster.coordination.decisions import Decisions
from cluster.coordination.outcome import Outcome
from cluster.coordination.plans import WritePlan
from cluster.coordination.proxy import Proxy, Timeouts
from cluster.coordination.requests import Requests
from cluster.coordinator import Coordinator, ReplicaPlan, RequestKind
from cluster.internode.frames import Message
from cluster.reading.command import ReadCommand
from cluster.reading.merging import Page
from cluster.reading.passing import Passing
from cluster.replica import VERBS, Replica
from cluster.ring import Node, Ring
from protocol.types import BLOB
from storage.engine import Engine, EngineOptions
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.memory import MemoryDisk
from storage.environment.strands import InlineWorkers
from storage.memtable.memtable import single
from storage.mutation import PartitionUpdate, packed_record
from storage.schema.metadata import (
    ColumnKind,
    ColumnMetadata,
    KeyspaceMetadata,
    KeyspaceParams,
    Schema,
    TableMetadata,
    TableParams,
)
from storage.token import token

TABLE = TableMetadata(
    "ks",
    "t",
    UUID(int=7),
    (
        ColumnMetadata("k", ColumnKind.PARTITION_KEY, BLOB, 0),
        ColumnMetadata("c", ColumnKind.CLUSTERING, BLOB, 0),
        ColumnMetadata("s", ColumnKind.STATIC, BLOB),
        ColumnMetadata("v", ColumnKind.REGULAR, BLOB),
        ColumnMetadata("w", ColumnKind.REGULAR, BLOB),
    ),
    TableParams(speculative_retry="5ms"),
)
SIMPLE_3 = {"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "3"}


class Outcomes:
    """Whoever waits for a bundled request is an outcome."""

    def written(self, waiters: Sequence[object]) -> None:
        self.read(waiters, [b""] * len(waiters))

    def read(self, waiters: Sequence[object], answers: Sequence[bytes]) -> None:
        for outcome, answer in zip(waiters, answers, strict=True):
            assert isinstance(outcome, Outcome)
            outcome.settle(answer or None)

    def refused(self, waiters: Sequence[object], error: Exception) -> None:
        for outcome in waiters:
            assert isinstance(outcome, Outcome)
            outcome.fail(error)

    def again(self, waiters: Sequence[object]) -> None:
        self.refused(waiters, Again())


class Again(Exception):
    """It is for the general way."""


class KeptHints:
    def __init__(self) -> None:
        self.kept: list[tuple[Node, list[bytes]]] = []

    def keep(self, node: Node, mutations: Sequence[bytes]) -> bool:
        self.kept.append((node, list(mutations)))
        return True


class SmallNode:
    def __init__(self, cluster: "SmallCluster", node: Node, ring: Ring) -> None:
        self.cluster, self.node = cluster, node
        environment = Environment(cluster.clock, Rng(node.host_id.bytes), MemoryDisk(), InlineWorkers())
        self.engine = Engine(environment, EngineOptions())
        self.engine.start()
        self.engine.change_schema(Schema.of((cluster.keyspace,)), [])
        self.replica = Replica(self.engine)
        self.requests = Requests(self._send)
        self.hints = KeptHints()
        self.coordinator = Coordinator(node, ring, lambda other: other not in cluster.down)
        clock = cluster.clock.monotonic
        self.proxy = Proxy(node, self.engine, self.replica, self.requests, clock, Timeouts(), self.hints)
        latencies_of = self.proxy.latencies_of
        nothing_is_decided = Decisions(None, node)  # type: ignore[arg-type]
        self.bundles = Bundles(
            node, self.engine, self.requests, clock, Timeouts(), self.hints, latencies_of, nothing_is_decided,
            self.proxy.node_took,
        )  # fmt: skip
        self.bundles.waiting = Outcomes()

    def _send(self, node: Node, verb: int, operation_id: int, body: bytes) -> None:
        self.cluster.queue.append((self.node, node, Message(verb, operation_id, body)))

    def receive(self, sender: Node, message: Message) -> None:
        if message.verb in VERBS:
            answer = self.replica.answer(message)
            self._send(sender, *answer)
        else:
            self.requests.receive(sender, message, self.cluster.clock.monotonic())

    def plans(self, kind: RequestKind, level: int) -> ReplicaPlan:
        plan = self.coordinator.levels(self.cluster.keyspace, kind)[level]
        assert plan is not None
        return plan

    def plans_of_write(self, level: int, key: bytes) -> WritePlan:
        return self.plans(RequestKind.WRITE, level).to_write(token(key))

    def write(self, update: PartitionUpdate, level: int, write_type: str = "SIMPLE") -> Outcome[None]:
        plan = self.plans_of_write(level, update.key)
        return self.proxy.write(plan, [update.encode()], write_type)

    def add(self, update: PartitionUpdate, level: int) -> Outcome[None]:
        """To the bundle of this go, which `bundles.send` ends; the record is packed where it can be."""
        plan = self.plans_of_write(level, update.key)
        ((ck, row),) = update.rows.items()
        packed = self.engine.stores[TABLE.id].layouts.maybe_pack(row)
        record = update.encode()
        if packed is not None:
            layouts = self.engine.stores[TABLE.id].layouts
            record = packed_record(layouts.of(packed).record_prefix, update.key, single(ck, packed))
        if plan.has_local:
            assert self.replica.apply_each([record]) == []
        self.bundles.add_write(plan, record)
        outcome: Outcome[None] = Outcome()
        self.bundles.claim(outcome)
        return outcome

    def write_bundled(self, update: PartitionUpdate, level: int) -> Outcome[None]:
        """In a go of its own."""
        outcome = self.add(update, level)
        self.bundles.send()
        return outcome

    def plans_of_read(self, level: int, is_scan: bool) -> ReplicaPlan:
        return self.plans(RequestKind.SCAN if is_scan else RequestKind.READ, level)

    def read(self, command: ReadCommand, level: int, passing: Passing[Node] | None = None) -> Outcome[Page]:
        return self.proxy.read(self.plans_of_read(level, is_scan=False), command, passing)

    def apply(self, update: PartitionUpdate) -> None:
        """Here alone."""
        self.replica.apply([update.encode()])


class SmallCluster:
    """`down`: who is known to be; `deaf`: who does not get what is sent to him, and nobody knows it yet."""

    def __init__(
        self,
        datacenters: dict[str, int] | None = None,
        replication: dict[str, str] | None = None,
        table: TableMetadata = TABLE,
    ) -> None:
        self.clock = ManualClock()
        self.queue: deque[tuple[Node, Node, Message]] = deque()
        self.down: dict[Node, None] = {}
        self.deaf: dict[Node, None] = {}
        self.sent = 0
        tables = MappingProxyType({table.name: table})
        self.keyspace = KeyspaceMetadata("ks", KeyspaceParams(MappingProxyType(replication or SIMPLE_3)), tables)
        nodes: list[Node] = []
        for datacenter, count in (datacenters or {"dc1": 3}).items():
            for _ in range(count):
                number = len(nodes) + 1
                tokens = tuple(at * (1 << 60) + number for at in range(-8, 8))
                nodes.append(Node(UUID(int=number), f"10.0.0.{number}", datacenter, "r1", tokens))
        ring = Ring(nodes)
        self.nodes = [SmallNode(self, node, ring) for node in nodes]

    def deliver(self) -> None:
        """All messages, and those that come of them."""
        by_node = {node.node: node for node in self.nodes}
        while self.queue:
            sender, receiver, message = self.queue.popleft()
            self.sent += 1
            if receiver not in self.down and receiver not in self.deaf:
                by_node[receiver].receive(sender, message)

    def take_down(self, node: SmallNode) -> None:
        self.down[node.node] = None
        for other in self.nodes:
            other.coordinator.liveness_changed()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for node in self.nodes:
            node.requests.tick(self.clock.monotonic())
        self.deliver()
