"""A workload: tables are made through all nodes, some of which are down or cut off."""

from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

from simulation.cluster_world import VALUES, Bugs, World, WorldNode
from simulation.network import Weather


class SchemaChanges:
    """`made`: names of tables."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng.fork("schema changes")
        self.made: list[str] = []
        self.is_over = False
        self.faults: list[str] = []
        for node in world.nodes:
            node.schema_installed = self._look
        world.schedule.after(0.1, self._change)

    def _change(self) -> None:
        self.world.schedule.after(0.3 + self.rng.float() * 0.6, self._change)
        node = self.world.any_up(self.rng)
        if node is None or self.is_over:
            return
        number = len(self.made) + 1
        self.made.append(f"t{number}")
        keyspace = node.engine.schema.keyspaces["ks"]
        table = replace(VALUES, name=f"t{number}", id=UUID(int=1_000 + number))
        tables = MappingProxyType({**keyspace.tables, table.name: table})
        node.change_schema(node.engine.schema.with_keyspace(replace(keyspace, tables=tables)))

    def _look(self, node: WorldNode) -> None:
        for table in node.engine.schema.keyspaces["ks"].tables.values():
            if len(table.columns) != len(VALUES.columns):
                self.faults.append(f"{node.endpoint} has {table.name} with {len(table.columns)} columns")

    def judge(self) -> None:
        """After healing: all have the same. What two nodes changed at once while they were cut off may be there or not."""
        versions = {node.engine.schema.version for node in self.world.nodes}
        if len(versions) != 1:
            self.faults.append(f"nodes have {len(versions)} versions of the schema")
        for node in self.world.nodes:
            self._look(node)


def changed(seed: int, bugs: Bugs | None = None, seconds: float = 12.0) -> SchemaChanges:
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03), bugs)
    changes = SchemaChanges(world)
    world.trouble(world.schedule.now_s + seconds)
    world.run(seconds)
    changes.is_over = True
    world.heal(20)
    changes.judge()
    return changes
