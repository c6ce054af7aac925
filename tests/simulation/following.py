"""A workload: registers of a table with an index and a view, overwritten at QUORUM and looked up by their value meanwhile;
in the end the view has what the table has, and nothing else."""

import contextlib
from typing import Final

from cluster.consistency import Consistency
from cluster.coordinator import RequestKind
from cluster.reading.command import ReadCommand
from protocol.errors import RequestError
from simulation.agreement import disagreements
from simulation.cluster_world import INDEXED, VIEW, Bugs, World, WorldNode
from simulation.network import Weather
from simulation.overwrites import Searches
from simulation.scanning import FIRST
from simulation.storms import Storm
from storage.schema.metadata import TableMetadata

ALL: Final = Consistency.ALL
ROWS_MAX: Final = 10_000
KEYS: Final = range(2)


def pairs(node: WorldNode, table: TableMetadata) -> set[tuple[bytes, bytes]] | None:
    """(key, value) of all rows of the table or the view, as all their replicas have them; None: nobody knows."""
    found: set[tuple[bytes, bytes]] = set()
    start = FIRST
    while True:
        plans = node.coordinator.levels(node.world.keyspace, RequestKind.SCAN)[ALL]
        assert plans is not None
        command = ReadCommand(table.id, start, None, node.clock.now_s(), ROWS_MAX)
        try:
            outcome, end = node.cluster.proxy.scan(plans, command)
        except RequestError:
            return None
        node.settle()
        node.world.run(0.5)
        if not outcome.is_done or outcome.error is not None:
            return None
        store = outcome.result.store
        for view in store.scan(command.now_s):
            for stored in view.rows():
                row = store.layouts.explode(stored)
                value = row.columns.get("v")
                found.add((row.clustering[0], view.key) if table.is_view else (view.key, value.value or b""))  # type: ignore[union-attr]
        if end is None:
            return found
        start = end


class Follows(Searches):
    """The view is looked at meanwhile, too: what it has may be late, and what replicas lack of it is written there."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number, INDEXED)
        self.looks = 0
        world.schedule.after(self.rng.float() * 0.1, self._look)

    def _look(self) -> None:
        if self.is_over:
            return
        self._later(self._look)
        node = self.world.any_up(self.rng)
        if node is None:
            return
        value = b"%d" % max(1, self.attempted - self.rng.int_below(4))
        with contextlib.suppress(RequestError):
            node.read(value, Consistency.QUORUM, VIEW.table)
            self.looks += 1


def followed(seed: int, bugs: Bugs | None = None, seconds: float = 8.0) -> tuple[World, list[Follows]]:
    """Every second seed has five nodes, three of which have each row."""
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03, duplicate=0.02), bugs, (3, 5)[seed // 10 % 2])
    follows = [Follows(world, number) for number in KEYS]
    Storm(world, world.schedule.now_s + seconds)
    world.run(seconds)
    for one in follows:
        one.is_over = True
    world.heal(35)
    if len(world.nodes) == 3:
        follows[0].faults += disagreements(world, INDEXED)
    in_table, in_view = pairs(world.nodes[0], INDEXED), pairs(world.nodes[0], VIEW.table)
    if in_table is None or in_view is None or in_table != in_view:
        follows[0].faults.append(f"the table has {in_table}, the view has {in_view}")
    return world, follows
