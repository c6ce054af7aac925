"""After a storm: nodes are healed and repaired; then replicas have the same, byte for byte."""

from collections.abc import Sequence
from typing import Final

from cluster.reading.command import ReadCommand
from cluster.reading.execution import execute
from cluster.repair.coordinator import RepairCommand
from cluster.repair.options import RepairOptions
from simulation.cluster_world import VALUES, World, WorldNode
from storage.reads import FIRST_POSITION
from storage.schema.metadata import TableMetadata

REPAIR_S_MAX: Final = 300.0
CLOCKS_S: Final = 5
"""No clock was further ahead of the latest."""


def stored(node: WorldNode, table: TableMetadata = VALUES, now_s: int = 0) -> tuple[bytes, ...]:
    """All that a node has of a table, tombstones too, as it is told to others; nothing has expired yet at time 0."""
    command = ReadCommand(table.id, FIRST_POSITION, None, now_s, 10_000)
    return execute(node.engine.stores[table.id], command).partitions


def repaired(world: World, node: WorldNode, options: RepairOptions) -> RepairCommand:
    command = node.cluster.repairs.begin(world.keyspace, options)
    assert command is not None
    node.settle()
    until_s = world.schedule.now_s + REPAIR_S_MAX
    while not command.is_over and world.schedule.now_s < until_s:
        world.run(0.1)
    assert command.is_over, f"{command.lines}"
    return command


def disagreements(world: World, *tables: TableMetadata) -> Sequence[str]:
    """After a repair of tables of which every node has everything: those whose replicas differ."""
    world.happened["repair"] += 1
    # what has expired is a tombstone where it was flushed since, and a value elsewhere: the same by the latest clock
    now_s = max(node.clock.now_s() for node in world.nodes) + CLOCKS_S

    def differing(table: TableMetadata) -> int:
        return len({stored(node, table, now_s) for node in world.nodes}) - 1

    for table in tables:
        world.happened["replicas that differed"] += differing(table)
    options = RepairOptions(tables=tuple(table.name for table in tables))
    command = repaired(world, world.nodes[world.rng.fork("repair").int_below(len(world.nodes))], options)
    if command.error is not None:
        return [f"the repair failed: {command.error}"]
    return [f"{table} differs" for table in tables if differing(table)]
