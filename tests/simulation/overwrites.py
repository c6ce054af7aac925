"""A workload: registers that are overwritten with growing numbers at QUORUM, and read, or searched by their value; and what
is wrong with what was read."""

from collections.abc import Callable
from dataclasses import replace

from cluster.consistency import Consistency
from cluster.coordinator import RequestKind
from cluster.reading.criteria import Criteria
from protocol.errors import RequestError
from simulation.cluster_world import TWO_DATACENTERS, VALUES, Bugs, World, value_of
from simulation.network import Weather
from simulation.storms import Storm
from storage.indexes.lookups import IndexedValue
from storage.mutation import Cell, Liveness, PartitionUpdate, Row
from storage.row_filter import Condition, FilterExpression
from storage.schema.metadata import TableMetadata

QUORUM = Consistency.QUORUM


def put(key: bytes, value: bytes, timestamp_us: int, table: TableMetadata = VALUES) -> PartitionUpdate:
    row = Row((), Liveness(timestamp_us), columns={"v": Cell(timestamp_us, value)})
    return PartitionUpdate(table.id, key, rows={b"": row})


class Overwrites:
    """One client writes growing numbers to a key of a table, through any node; others read it. `levels`: of writes and
    reads, which have a replica in common. `moves`: nodes come and go meanwhile; then what was seen, but not acknowledged,
    may not be seen again, as in Cassandra: a quorum before and one after may have no replica in common that has it."""

    def __init__(
        self,
        world: World,
        number: int,
        table: TableMetadata = VALUES,
        levels: tuple[int, int] = (QUORUM, QUORUM),
        moves: bool = False,
    ) -> None:
        self.world, self.key, self.table = world, b"key %d" % number, table
        self._write_level, self._read_level = levels
        # at LOCAL_QUORUM what one datacenter has seen another one may not have yet
        self._counts_seen = self._read_level == QUORUM and not moves
        self.is_over = False
        self.rng = world.rng.fork(f"overwrites {number}")
        self.acknowledged = self.attempted = self.seen = 0
        self.reads = 0
        self.faults: list[str] = []
        world.schedule.after(self.rng.float() * 0.1, self._write)
        for _ in range(2):
            world.schedule.after(self.rng.float() * 0.1, self._read)

    def _later(self, action: Callable[[], None]) -> None:
        self.world.schedule.after(0.01 + self.rng.float() * 0.2, action)

    def _write(self) -> None:
        node = self.world.any_up(self.rng)
        if self.is_over:
            return
        self._later(self._write)
        if node is None:
            return
        self.attempted += 1
        value = self.attempted
        try:
            # a client's timestamps: the clocks of nodes say nothing of what came first
            write = node.write_plain if self.rng.float() < 0.7 else node.write
            outcome = write(put(self.key, b"%d" % value, value, self.table), self._write_level)
        except RequestError:
            return

        def done() -> None:
            if outcome.error is None:
                self.acknowledged = max(self.acknowledged, value)

        node.tell_when(outcome, done)

    def _read(self) -> None:
        node = self.world.any_up(self.rng)
        if self.is_over:
            return
        self._later(self._read)
        if node is None:
            return
        at_least = max(self.acknowledged, self.seen if self._counts_seen else 0)
        is_plain = self.rng.float() < 0.7
        try:
            outcome = (node.read_plain if is_plain else node.read_value)(self.key, self._read_level, self.table)
        except RequestError:
            return

        def done() -> None:
            if outcome.error is not None:
                return
            found = int(outcome.result or b"0")
            self.reads += 1
            self.seen = max(self.seen, found)
            if found < at_least:
                self.faults.append(f"{self.key!r} was {at_least} and is {found} at {self.world.schedule.now_s}")

        node.tell_when(outcome, done)


class Searches(Overwrites):
    """Others ask for the register by a value that it had, with a filter that replicas test, or by an index where the table
    has one: a value that was overwritten finds nothing, the last one finds it."""

    def __init__(self, world: World, number: int, table: TableMetadata = VALUES) -> None:
        super().__init__(world, number, table)
        self.found = 0
        for _ in range(3):
            world.schedule.after(self.rng.float() * 0.1, self._search)

    def _search(self) -> None:
        if self.is_over:
            return
        self._later(self._search)
        node = self.world.any_up(self.rng)
        at_least, is_settled = self.acknowledged, self.attempted == self.acknowledged
        if node is None or not at_least:
            return
        wanted = max(1, at_least - self.rng.int_below(3))
        value = b"%d" % wanted
        expression = FilterExpression(self.table.columns[1], Condition.EQUAL, (value,))
        lookup = next((IndexedValue(name, value) for name in self.table.indexes), None)
        command = replace(node.command(self.key, self.table), criteria=Criteria((expression,), lookup))
        try:
            if self.rng.float() < 0.5:
                plans = node.coordinator.levels(node.world.keyspace, RequestKind.READ)[QUORUM]
                assert plans is not None
                outcome = node.cluster.proxy.read(plans, command)
            else:
                plans = node.coordinator.levels(node.world.keyspace, RequestKind.SCAN)[QUORUM]
                assert plans is not None
                outcome, _ = node.cluster.proxy.scan(plans, replace(command, end=command.start + b"\1"))
        except RequestError:
            return

        def done() -> None:
            if outcome.error is not None:
                return
            found = value_of(outcome.result, self.key, node.clock.now_s())
            is_match = found == b"%d" % wanted  # whoever asks filters again
            self.found += is_match
            if is_match and wanted < at_least:
                self.faults.append(f"{self.key!r} was {at_least} and is found as {wanted}")
            if not is_match and wanted == at_least and is_settled and self.attempted == at_least:
                self.faults.append(f"{self.key!r} is {at_least} and is not found")

        node.tell_when(outcome, done)


def overwritten(seed: int, bugs: Bugs | None = None, seconds: float = 8.0) -> tuple[World, list[Overwrites]]:
    """Three keys in a storm; of every fourth seed in two datacenters."""
    if seed % 4 == 3:
        return _apart(seed, bugs, seconds)
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03, duplicate=0.02), bugs)
    overwrites = [Overwrites(world, number) for number in range(3)]
    Storm(world, world.schedule.now_s + seconds)
    world.run(seconds)
    return world, overwrites


def _apart(seed: int, bugs: Bugs | None, seconds: float) -> tuple[World, list[Overwrites]]:
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03, duplicate=0.02), bugs, 5, TWO_DATACENTERS)
    world.happened["two datacenters"] += 1
    all_over, each = (QUORUM, QUORUM), (Consistency.EACH_QUORUM, Consistency.LOCAL_QUORUM)
    overwrites = [Overwrites(world, number, levels=levels) for number, levels in enumerate((all_over, each))]
    Storm(world, world.schedule.now_s + seconds)
    world.run(seconds)
    return world, overwrites
