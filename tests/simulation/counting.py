"""A workload: one counter, incremented at QUORUM through all nodes, as prepared statements do it and the general way."""

from cluster.consistency import Consistency
from cluster.coordination.outcome import Outcome
from cluster.coordination.proxy import COUNTER
from cluster.coordinator import RequestKind
from cluster.counters import led
from cluster.reading.command import ReadCommand
from protocol.errors import RequestError
from simulation.cluster_world import COUNTS, KEYSPACE, Bugs, World, WorldNode
from simulation.network import Weather
from simulation.storms import Storm
from storage.counters.contexts import total
from storage.memtable.packed import TIMESTAMP, VALUES
from storage.mutation import Cell, PartitionUpdate, Row
from storage.packed_records import record_writer
from storage.token import token

KEY = b"k"
QUORUM, ALL = Consistency.QUORUM, Consistency.ALL


class Counts:
    """`fast`: how many went as prepared statements do."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng.fork("counts")
        self.acknowledged = self.attempted = self.fast = 0
        self.is_over = False
        self.faults: list[str] = []
        world.schedule.after(0.1, self._count)

    def _count(self) -> None:
        self.world.schedule.after(0.02 + self.rng.float() * 0.1, self._count)
        node = self.world.any_up(self.rng)
        if node is None or self.is_over:
            return
        self.attempted += 1
        try:
            outcome = self._increment_fast(node) if self.rng.float() < 0.6 else self._increment(node)
        except RequestError:
            return
        node.settle()

        def done() -> None:
            self.acknowledged += outcome.error is None

        node.tell_when(outcome, done)

    def _update(self, node: WorldNode) -> PartitionUpdate:
        row = Row((), columns={"v": Cell(node.clock.wall_us(), (1).to_bytes(8, "big"))})
        return PartitionUpdate(COUNTS.id, KEY, rows={b"": row})

    def _increment(self, node: WorldNode) -> Outcome[None]:
        return node.cluster.count("ks", token(KEY), [self._update(node).encode()], QUORUM)

    def _increment_fast(self, node: WorldNode) -> Outcome[None]:
        plans = node.coordinator.levels(KEYSPACE, RequestKind.COUNTER)[QUORUM]
        assert plans is not None
        plan, store = plans.to_write(token(KEY)), node.engine.stores[COUNTS.id]
        taken = led(node.engine, node.node.host_id.bytes, self._update(node))
        packed = store.layouts.maybe_pack(taken.rows[b""])
        assert packed is not None
        write = record_writer(node.engine, store, store.layouts.of(packed))
        record = write(KEY, b"", packed[TIMESTAMP:VALUES], packed[VALUES:])
        assert record is not None
        node.cluster.bundles.add_write(plan, record, COUNTER)
        outcome: Outcome[None] = Outcome()
        node.cluster.bundles.claim(outcome)
        self.fast += 1
        return outcome

    def judge(self) -> None:
        """After healing: every replica has the same, as much as was acknowledged, and no more than was asked for."""
        found = [self._total(node) for node in self.world.nodes]
        if len(set(found)) != 1:
            self.faults.append(f"replicas have {found}")
        if not self.acknowledged <= found[0] <= self.attempted:
            self.faults.append(f"it is {found[0]}, of {self.attempted} increments {self.acknowledged} were acknowledged")

    def _total(self, node: WorldNode) -> int:
        plans = node.coordinator.levels(KEYSPACE, RequestKind.READ)[ALL]
        assert plans is not None
        command = ReadCommand.of_partition(COUNTS.id, KEY, node.clock.now_s(), 10)
        outcome = node.cluster.proxy.read(plans, command)
        node.settle()
        self.world.run(2)
        row = outcome.result.store.row_at(KEY, b"", node.clock.now_s())
        if row is None:
            return 0
        cell = outcome.result.store.layouts.explode(row).columns["v"]
        assert isinstance(cell, Cell)
        assert cell.value is not None
        return total(cell.value)


def counted(seed: int, bugs: Bugs | None = None, seconds: float = 8.0) -> Counts:
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03, duplicate=0.02), bugs)
    counts = Counts(world)
    Storm(world, world.schedule.now_s + seconds)
    world.run(seconds)
    counts.is_over = True
    world.heal(10)
    counts.judge()
    return counts
