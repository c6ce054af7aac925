"""Whole nodes in a simulated world: the engine, coordinator, replica, gossip, hints and Paxos that servers run, with
simulated clocks and disks, and a network that delays, loses, reorders and cuts.

A node's log is synced before anything of a go leaves it, answers to clients too, as a server with commitlog_sync batch does.
A crash forgets everything but the disk, a power cut what was not synced, too; the node is back at once, or a while later.
What befalls them, and when, is in storms.py. `Bugs` plants faults, to see that the checkers see them.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol, cast
from uuid import UUID

from cluster.coordination.outcome import Outcome
from cluster.coordination.plans import WritePlan
from cluster.coordination.proxy import Timeouts
from cluster.coordinator import Coordinator, RequestKind
from cluster.gossip.endpoint import Endpoint, Generation
from cluster.hint_table import HINTS_TABLE
from cluster.internode.frames import Message
from cluster.membership import MemberEvent, MemberJoined, MemberLeft
from cluster.movements.mode import BootstrapState
from cluster.node import ClusterNode, ClusterOptions
from cluster.owner import Owner
from cluster.paxos.encoding import PaxosKey
from cluster.paxos.messages import PaxosAnswer, PaxosRequest, Prepare
from cluster.paxos.replica import answered
from cluster.paxos.state import UNTOUCHED
from cluster.reading.command import ReadCommand
from cluster.reading.merging import Page
from cluster.reading.plain import ALL_ROWS, Digests, encode_plain, maybe_plain_rows
from cluster.ring import Node, Ring, random_tokens
from cluster.streaming.ranges import TokenRange
from cqlserver.system.definitions import stored_system_keyspaces
from cqlserver.system.movements import bootstrap_update, maybe_bootstrap_state, received_update, tokens_update
from cqlserver.system.peers import PeerFacts, peer_removal, peer_updates, saved_peers
from protocol.errors import MovementRefused, StorageError
from protocol.types import BLOB, COUNTER, INT
from simulation.network import Network, Weather
from simulation.schedule import Schedule
from storage.commitlog.log import CommitLogFailed
from storage.engine import Engine, EngineOptions
from storage.environment.environment import Environment, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers
from storage.memtable.packed import TIMESTAMP
from storage.memtable.packed import VALUES as VALUES_AT
from storage.mutation import Cell, PartitionUpdate
from storage.packed_records import record_maker, record_writer
from storage.reads import TableStore
from storage.schema.metadata import (
    ColumnKind,
    ColumnMetadata,
    IndexMetadata,
    KeyspaceMetadata,
    KeyspaceParams,
    Schema,
    TableMetadata,
    TableParams,
    ViewMetadata,
)
from storage.schema.tables import schema_mutations
from storage.token import token

Batch = tuple[Message, ...]
WALL_US = 1_800_000_000_000_000
RING_DELAY_S = 5.0
TOKENS = 8
"""Of each node."""
SKEW_S = 0.3
"""How far apart the nodes' clocks are, at most."""


_KEY = ColumnMetadata("k", ColumnKind.PARTITION_KEY, BLOB, 0)
_VALUE = ColumnMetadata("v", ColumnKind.REGULAR, BLOB)
PARAMS = TableParams(speculative_retry="20ms")


def _table(name: str, number: int, *columns: ColumnMetadata, is_counter: bool = False) -> TableMetadata:
    return TableMetadata("ks", name, UUID(int=number), (_KEY, *columns), PARAMS, is_counter)


VALUES = _table("t", 7, _VALUE)
COUNTS = _table("counts", 8, ColumnMetadata("v", ColumnKind.REGULAR, COUNTER), is_counter=True)
ROWS = _table("rows", 9, ColumnMetadata("c", ColumnKind.CLUSTERING, INT, 0), _VALUE)
INDEXED = replace(
    _table("indexed", 10, _VALUE),
    indexes=MappingProxyType({"by_v": IndexMetadata("by_v", "COMPOSITES", MappingProxyType({"target": "v"}))}),
)
VIEW = ViewMetadata.of(
    TableMetadata(
        "ks",
        "view",
        UUID(int=11),
        (replace(_VALUE, kind=ColumnKind.PARTITION_KEY, position=0), replace(_KEY, kind=ColumnKind.CLUSTERING)),
        PARAMS,
    ),
    INDEXED,
    True,
    "k IS NOT NULL AND v IS NOT NULL",
)
_TABLES = (VALUES, COUNTS, ROWS, INDEXED)
KEYSPACE = KeyspaceMetadata(
    "ks",
    KeyspaceParams(MappingProxyType({"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "3"})),
    MappingProxyType({table.name: table for table in _TABLES}),
    views=MappingProxyType({VIEW.name: VIEW}),
)
TWO_DATACENTERS = replace(
    KEYSPACE,
    params=KeyspaceParams(
        MappingProxyType({"class": "org.apache.cassandra.locator.NetworkTopologyStrategy", "dc1": "3", "dc2": "2"})
    ),
)
"""Of five nodes, every second one of which is in the other datacenter."""


@dataclass(frozen=True)
class Bugs:
    quorum_is_one: bool = False
    hints_are_lost: bool = False
    promises_are_forgotten: bool = False
    nothing_is_repaired: bool = False
    digests_are_ignored: bool = False
    the_log_is_not_written: bool = False
    batches_are_not_logged: bool = False
    the_ring_is_forgotten: bool = False


class Waiter(Protocol):
    """Whoever waits for a bundled request."""

    def answered(self, answer: bytes) -> None: ...
    def refused(self, error: Exception) -> None: ...
    def again(self) -> None:
        """It goes the general way."""


class Outcomes:
    """Of a write an outcome waits, of a read or a conditional write a `Waiter`."""

    def written(self, waiters: Sequence[object]) -> None:
        for outcome in waiters:
            assert isinstance(outcome, Outcome)
            outcome.settle(None)

    def read(self, waiters: Sequence[object], answers: Sequence[bytes]) -> None:
        for waiter, answer in zip(waiters, answers, strict=True):
            cast(Waiter, waiter).answered(answer)

    decided = read

    def refused(self, waiters: Sequence[object], error: Exception) -> None:
        for waiter in waiters:
            if isinstance(waiter, Outcome):
                waiter.fail(error)
            else:
                cast(Waiter, waiter).refused(error)

    def again(self, waiters: Sequence[object]) -> None:
        for waiter in waiters:
            cast(Waiter, waiter).again()


class PlainRead:
    """Its outcome is the row's value. `again`: does it the general way."""

    def __init__(self, node: "WorldNode", go_on: Callable[[], None]) -> None:
        self._node, self._go_on = node, go_on
        self.outcome: Outcome[bytes] = Outcome()

    def answered(self, answer: bytes) -> None:
        self._node.agreed += 1
        self.outcome.settle(answer)

    def refused(self, error: Exception) -> None:
        self.outcome.fail(error)

    def again(self) -> None:
        self._node.differed += 1
        self._go_on()


class SimulatedClock:
    def __init__(self, schedule: Schedule, skew_s: float) -> None:
        self._schedule, self._skew_us, self._last_us = schedule, int(skew_s * 1_000_000), 0

    def monotonic(self) -> float:
        return self._schedule.now_s

    def wall_us(self) -> int:
        now_us = WALL_US + int(self._schedule.now_s * 1_000_000) + self._skew_us
        self._last_us = max(now_us, self._last_us + 1)
        return self._last_us

    def jump(self, skew_s: float) -> None:
        """From now on it is so far off. What it has told it does not tell again before the node starts anew."""
        self._skew_us = int(skew_s * 1_000_000)

    def forget(self) -> None:
        self._last_us = 0

    def now_s(self) -> int:
        return (WALL_US + int(self._schedule.now_s * 1_000_000) + self._skew_us) // 1_000_000


class WorldNode(Owner):
    """One node, over all its lives."""

    def __init__(self, world: "World", number: int, joins: bool = False) -> None:
        self.world, self.number = world, number
        self.rng = world.rng.fork(f"node {number}")
        self.disk = FaultyDisk()
        self.clock = SimulatedClock(world.schedule, (self.rng.float() - 0.5) * SKEW_S)
        tokens = random_tokens(self.rng.fork("tokens"), TOKENS)
        self.node = Node(UUID(int=number), f"10.0.0.{number}", world.datacenter_of(number), "r1", tokens)
        self.endpoint = Endpoint(self.node.address, self.node.port)
        self.life = 0
        self.agreed = self.differed = 0
        self.is_up = self.is_settled = self.is_paused = False
        self.sync_s = 0.0
        """How long its disk takes to sync."""
        self._held: list[tuple[Endpoint, Batch]] = []
        self._told: list[Callable[[], None]] = []
        self.has_left = False
        self.begins_joining = joins
        self.takes_own_place = False
        self.schema_installed: Callable[[WorldNode], None] = lambda node: None
        self.start()

    def start(self) -> None:
        self.life += 1
        self._held, self._told = [], []
        environment = Environment(self.clock, self.rng.fork(f"life {self.life}"), self.disk, InlineWorkers())
        options = EngineOptions("data", is_schema_shared=True)
        self.engine = Engine(environment, options, stored_system_keyspaces(), (HINTS_TABLE,))
        self.engine.start()
        if "ks" not in self.engine.schema.keyspaces:
            schema = Schema.of((*self.engine.schema.keyspaces.values(), self.world.keyspace))
            self.engine.change_schema(schema, schema_mutations(self.engine.schema, schema, 1))
        self.coordinator = Coordinator(self.node, Ring((self.node,)))
        is_joining = self.begins_joining and maybe_bootstrap_state(self.engine) is not BootstrapState.COMPLETED
        cluster_options = ClusterOptions(
            "Test Cluster",
            self.world.seeds,
            Timeouts(),
            Generation(WALL_US // 1_000_000 + self.life),
            {},
            () if self.world.bugs.the_ring_is_forgotten else saved_peers(self.engine),
            is_joining,
            hibernates=is_joining and self.takes_own_place,
            ring_delay_s=RING_DELAY_S,
        )
        self.cluster = ClusterNode(self.coordinator, self.engine, cluster_options, self)
        self.cluster.bundles.waiting = Outcomes()
        if self.world.bugs.promises_are_forgotten:
            self.cluster.rounds.store.answer = self._forgetful_answer  # type: ignore[method-assign]
        if self.world.bugs.hints_are_lost:
            self.cluster.hints.keep = lambda node, mutations: True  # type: ignore[method-assign]
        self.is_up, self.is_settled = True, False
        self.world.network.receivers[self.endpoint] = self.receive
        self.cluster.start()
        if is_joining:
            self.join()
        self.settle()

    def join(self) -> None:
        """Into the ring; what can't be now is begun again a while later."""
        life = self.life

        def again() -> None:
            if self.is_up and self.life == life:
                self.join()
                self.settle()

        try:
            outcome = self.cluster.movements.join(self.node.address if self.takes_own_place else None)
        except MovementRefused:
            self.world.schedule.after(2.0, again)
            return
        outcome.when_done(lambda: self.world.schedule.after(2.0, again) if outcome.error is not None else None)

    @property
    def takes_clients(self) -> bool:
        """Whether it is a member of the ring, and has heard of it in this life."""
        if not self.is_settled:
            self.is_settled = self.is_up and bool(self.cluster.live_peers)
        return self.is_up and self.is_settled and not self.is_paused and self.node in self.coordinator.ring.nodes

    def _forgetful_answer(self, about: PaxosKey, request: PaxosRequest) -> PaxosAnswer:
        if isinstance(request, Prepare):
            return answered(UNTOUCHED, request)[1]
        return type(self.cluster.rounds.store).answer(self.cluster.rounds.store, about, request)

    def flush(self) -> None:
        """Whatever it has becomes SSTables, if there is room for them."""
        try:
            self.engine.flush()
        except (OSError, StorageError):
            self.crash()
        self.settle()

    def crash(self) -> None:
        """The process is gone; what it has given to the system is not."""
        self.is_up = self.is_paused = False
        self.world.network.receivers.pop(self.endpoint, None)
        lock = self.engine._lock
        if lock is not None:
            lock.release()

    def lose_power(self) -> None:
        """What was not synced is gone, too, or some of it."""
        self.crash()
        self.clock.forget()
        self.disk.crash(lambda unsynced: self.rng.int_below(unsynced + 1))

    def start_empty(self) -> None:
        """After a crash that has left nothing on its disk: it takes its own place."""
        self.disk = FaultyDisk()
        self.begins_joining = self.takes_own_place = True
        self.start()

    def pause(self) -> None:
        """As SIGSTOP does it: nobody hears of it, and what comes waits."""
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        held, self._held = self._held, []
        self._wake(self.life)
        for sender, messages in held:
            self.receive(sender, messages)

    def receive(self, sender: Endpoint, messages: Batch) -> None:
        if self.is_paused:
            self._held.append((sender, messages))
        elif self.is_up:
            for message in messages:
                self.cluster.receive(sender, message)
            self.settle()

    def tell(self, told: Callable[[], None]) -> None:
        """Tells a client something: after the next sync."""
        self._told.append(told)

    def tell_when(self, outcome: Outcome[Any], told: Callable[[], None]) -> None:
        """The same, when something is done."""
        outcome.when_done(partial(self.tell, told))
        if outcome.is_done:
            self.settle()

    def settle(self) -> None:
        """The end of a go: the log is written, then synced, then messages and answers leave."""
        if not self.is_up or self.is_paused:
            return
        log = self.engine.commit_log
        assert log is not None
        try:
            if not self.world.bugs.the_log_is_not_written:
                log.write()
            if not self.engine.background.is_idle:
                self.engine.background.finish()
            outgoing = self.cluster.take_outgoing()
            if not self.world.bugs.the_log_is_not_written:
                log.write()  # hints
        except CommitLogFailed:
            self._stop()
            return
        told, self._told = self._told, []
        if self.sync_s:
            self.world.schedule.after(self.sync_s, partial(self._leave, self.life, outgoing, told))
        else:
            self._leave(self.life, outgoing, told)
        life, wake_s = self.life, max(self.cluster.wake_s, self.world.schedule.now_s + 0.001)
        self.world.schedule.at(wake_s, lambda: self._wake(life))

    def _leave(self, life: int, outgoing: dict[Endpoint, list[Message]], told: list[Callable[[], None]]) -> None:
        log = self.engine.commit_log
        if self.life != life or not self.is_up or log is None:
            return
        try:
            if not self.world.bugs.the_log_is_not_written:
                log.sync()
        except CommitLogFailed:
            self._stop()
            return
        for receiver, messages in outgoing.items():
            self.world.network.send(self.endpoint, receiver, tuple(messages))
        for tell in told:
            tell()

    def _stop(self) -> None:
        """It can't keep what it is told."""
        self.world.happened["stopped by its disk"] += 1
        self.crash()

    def _wake(self, life: int) -> None:
        if self.is_up and not self.is_paused and life == self.life and self.cluster.wake_s <= self.world.schedule.now_s:
            self.cluster.tick()
            self.settle()

    def members_changed(self, events: Sequence[MemberEvent]) -> None:
        for event in events:
            if isinstance(event, MemberJoined):
                self.peer_changed(event.node)
            elif isinstance(event, MemberLeft):
                self.engine.apply_all(peer_removal(event.node, self.clock.wall_us()))

    def tokens_changed(self, node: Node) -> None:
        self.engine.apply(tokens_update(node.tokens, self.clock.wall_us()))

    def bootstrap_is(self, state: BootstrapState) -> None:
        self.has_left = state in (BootstrapState.NEEDS_BOOTSTRAP, BootstrapState.DECOMMISSIONED)
        self.engine.apply(bootstrap_update(state, self.clock.wall_us()))

    def ranges_received(self, keyspace: str, ranges: Sequence[TokenRange]) -> None:
        self.engine.apply(received_update(keyspace, ranges, self.clock.wall_us()))

    def peer_changed(self, node: Node) -> None:
        if node != self.node:
            self.engine.apply_all(peer_updates(PeerFacts(node, node.address, 9042, None), self.clock.wall_us()))

    def load_bytes(self) -> int:
        return 0

    def install_schema(self, schema: Schema, writes: Sequence[PartitionUpdate]) -> None:
        self.engine.change_schema(schema, writes)
        self.schema_installed(self)

    def change_schema(self, schema: Schema) -> None:
        """As a client does it."""
        now_us = self.cluster.schema_change_us()
        writes = schema_mutations(self.engine.schema, schema, now_us)
        self.engine.change_schema(schema, writes)
        self.cluster.schema_changed(writes, now_us)
        self.settle()

    # --- what clients do ------------------------------------------------------------------------------------------------

    def write(self, update: PartitionUpdate, level: int) -> Outcome[None]:
        """Raises Unavailable."""
        plan = self._plan(update, level)
        outcome = self.cluster.proxy.write(plan, [update.encode()], "SIMPLE")
        self.settle()
        return outcome

    def write_plain(self, update: PartitionUpdate, level: int) -> Outcome[None]:
        """The same for one row without deletions, as prepared statements write it. Raises Unavailable."""
        if self.engine.stores[update.table_id].has_derived:
            return self.write(update, level)
        plan = self._plan(update, level)
        layouts = self.engine.stores[update.table_id].layouts
        ((ck, row),) = update.rows.items()
        packed = layouts.maybe_pack(row)
        assert packed is not None
        layout, store = layouts.of(packed), self.engine.stores[update.table_id]
        make = record_writer(self.engine, store, layout) if plan.has_local else record_maker(layout)
        record = make(update.key, ck, packed[TIMESTAMP:VALUES_AT], packed[VALUES_AT:])
        assert record is not None
        self.cluster.bundles.add_write(plan, record)
        outcome: Outcome[None] = Outcome()
        self.cluster.bundles.claim(outcome)
        self.settle()
        return outcome

    def _plan(self, update: PartitionUpdate, level: int) -> WritePlan:
        plans = self.coordinator.levels(self.world.keyspace, RequestKind.WRITE)[level]
        assert plans is not None
        plan = plans.to_write(token(update.key))
        return replace(plan, required=1) if self.world.bugs.quorum_is_one else plan

    def write_batch(self, updates: Sequence[PartitionUpdate], level: int) -> Outcome[None]:
        """Logged. Raises Unavailable."""
        plans = self.coordinator.levels(self.world.keyspace, RequestKind.BATCH)[level]
        assert plans is not None
        writes = [(plans.to_write(token(update.key)), [update.encode()]) for update in updates]
        if self.world.bugs.batches_are_not_logged:
            outcome = self.cluster.proxy.write_all(writes, "BATCH")
        else:
            outcome = self.cluster.write_batch(writes)
        self.settle()
        return outcome

    def read(self, key: bytes, level: int, table: TableMetadata = VALUES) -> Outcome[Page]:
        """Raises Unavailable."""
        plans = self.coordinator.levels(self.world.keyspace, RequestKind.READ)[level]
        assert plans is not None
        outcome = self.cluster.proxy.read(plans, self.command(key, table))
        self.settle()
        return outcome

    def read_value(self, key: bytes, level: int, table: TableMetadata = VALUES) -> Outcome[bytes]:
        """A row's value: empty where there is none. Raises Unavailable."""
        outcome: Outcome[bytes] = Outcome()
        self._value_of(self.read(key, level, table), key, outcome)
        return outcome

    def _value_of(self, page: Outcome[Page], key: bytes, outcome: Outcome[bytes]) -> None:
        def done() -> None:
            if page.error is not None:
                outcome.fail(page.error)
            else:
                outcome.settle(value_of(page.result, key, self.clock.now_s()) or b"")

        page.when_done(done)

    def read_plain(self, key: bytes, level: int, table: TableMetadata = VALUES) -> Outcome[bytes]:
        """The same, as prepared statements read it."""
        plans = self.coordinator.levels(self.world.keyspace, RequestKind.READ)[level]
        assert plans is not None
        plan, store = plans.to_read(token(key)), self.engine.stores[table.id]

        def again() -> None:
            self._value_of(self.cluster.proxy.read(plans, self.command(key, table)), key, waiter.outcome)

        waiter = PlainRead(self, again)
        rows = maybe_plain_rows(store, key, b"", ALL_ROWS) if plan.has_local else None
        if rows is None:
            again()
        else:
            value = store.layouts.explode(rows[0]).columns["v"].value or b"" if rows else b""  # type: ignore[union-attr]
            digest = Digests(store.layouts).of(rows)
            self.cluster.bundles.add_read(plan, store, encode_plain(key, b"", ALL_ROWS), digest, value)
            self.cluster.bundles.claim(waiter)
        self.settle()
        return waiter.outcome

    def command(self, key: bytes, table: TableMetadata = VALUES) -> ReadCommand:
        return ReadCommand.of_partition(table.id, key, self.clock.now_s(), 10)


def value_of(page: Page, key: bytes, now_s: int) -> bytes | None:
    return stored_value(page.store, key, now_s)


def stored_value(store: TableStore, key: bytes, now_s: int) -> bytes | None:
    row = store.row_at(key, b"", now_s)
    if row is None:
        return None
    cell = store.layouts.explode(row).columns.get("v")
    assert cell is None or isinstance(cell, Cell)
    return None if cell is None else cell.value


class World:
    """`count` nodes, all members from the start; the first two are seeds. `happened` counts what befell them."""

    def __init__(
        self,
        seed: int,
        weather: Weather,
        bugs: Bugs | None = None,
        count: int = 3,
        keyspace: KeyspaceMetadata = KEYSPACE,
    ) -> None:
        self.rng = Rng(seed.to_bytes(8, "big"))
        self.bugs = bugs or Bugs()
        self.keyspace = keyspace
        self.schedule = Schedule()
        self.network: Network[Endpoint, Batch] = Network(self.schedule, self.rng.fork("network"), Weather(0.001))
        self.seeds = (Endpoint("10.0.0.1", 7000), Endpoint("10.0.0.2", 7000))
        self.happened: Counter[str] = Counter()
        self.last_number = count
        self.nodes = [WorldNode(self, number) for number in range(1, count + 1)]
        while not self.all_meet:
            self.run(0.1)
            assert self.schedule.now_s < 30, "the nodes do not find each other"
        self.network.weather = weather

    def datacenter_of(self, number: int) -> str:
        return "dc2" if self.keyspace is TWO_DATACENTERS and number % 2 == 0 else "dc1"

    @property
    def all_meet(self) -> bool:
        return all(node.is_up and len(node.cluster.live_peers) == len(self.nodes) - 1 for node in self.nodes)

    def add_node(self) -> WorldNode:
        """A new one, which comes into the ring."""
        self.last_number += 1
        node = WorldNode(self, self.last_number, joins=True)
        self.nodes.append(node)
        return node

    def take_away(self, node: WorldNode) -> None:
        """One that has left: its process ends."""
        node.crash()
        self.nodes.remove(node)

    def run(self, seconds: float) -> None:
        self.schedule.run_until(self.schedule.now_s + seconds)

    def any_up(self, rng: Rng) -> WorldNode | None:
        up = [node for node in self.nodes if node.takes_clients]
        return up[rng.int_below(len(up))] if up else None

    def heal(self, seconds: float) -> None:
        """Good weather, all up, and time to find that out."""
        self.network.heal()
        self.network.weather = Weather(0.001)
        for node in self.nodes:
            node.disk.heal()
            node.sync_s = 0.0
            if node.is_paused:
                node.resume()
            if not node.is_up:
                node.start()
        self.run(seconds)
