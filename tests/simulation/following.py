"""A workload: registers of a table with an index and a view, overwritten at QUORUM and looked up by their value meanwhile;
in the end the view has what the table has, and nothing else."""

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


def followed(seed: int, bugs: Bugs | None = None, seconds: float = 8.0) -> tuple[World, list[Searches]]:
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03, duplicate=0.02), bugs)
    searches = [Searches(world, number, INDEXED) for number in range(3)]
    Storm(world, world.schedule.now_s + seconds)
    world.run(seconds)
    for one in searches:
        one.is_over = True
    world.heal(12)
    searches[0].faults += disagreements(world, INDEXED)
    node = world.nodes[0]
    in_table, in_view = pairs(node, INDEXED), pairs(node, VIEW.table)
    if in_table is None or in_view is None or in_table != in_view:
        searches[0].faults.append(f"the table has {in_table}, the view has {in_view}")
    return world, searches
