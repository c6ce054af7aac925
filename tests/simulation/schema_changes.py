"""A workload: tables are made, altered and dropped through all nodes, some of which are down or cut off."""

from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

from protocol.types import BLOB
from simulation.cluster_world import VALUES, Bugs, World, WorldNode
from simulation.network import Weather
from simulation.storms import Storm
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata

ADDED = ColumnMetadata("w", ColumnKind.REGULAR, BLOB)


class SchemaChanges:
    """`made`, `dropped`: names of tables; a name is of one table, so there is one right end, but for changes that
    no client was told to be made: their node may have lost them. `told` has the others."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng.fork("schema changes")
        self.made: list[str] = []
        self.dropped: set[str] = set()
        self.told: set[tuple[str, str]] = set()
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
        there = sorted(name for name in self._tables(node) if name in self.made)
        luck = self.rng.float()
        if luck < 0.5 or not there:
            name = f"t{len(self.made) + 1}"
            self.made.append(name)
            self._put(node, replace(VALUES, name=name, id=UUID(int=1_000 + len(self.made))))
            self._tell(node, "made", name)
            return
        name = there[self.rng.int_below(len(there))]
        table = self._tables(node)[name]
        if luck < 0.75:
            self.dropped.add(name)
            self._set(node, {each: found for each, found in self._tables(node).items() if each != name})
            self._tell(node, "dropped", name)
        elif len(table.columns) == len(VALUES.columns):
            self._put(node, replace(table, columns=(*table.columns, ADDED)))
            self._tell(node, "altered", name)

    def _tell(self, node: WorldNode, what: str, name: str) -> None:
        node.tell(lambda: self.told.add((what, name)))
        node.settle()

    @staticmethod
    def _tables(node: WorldNode) -> dict[str, TableMetadata]:
        return dict(node.engine.schema.keyspaces["ks"].tables)

    def _put(self, node: WorldNode, table: TableMetadata) -> None:
        self._set(node, {**self._tables(node), table.name: table})

    @staticmethod
    def _set(node: WorldNode, tables: dict[str, TableMetadata]) -> None:
        schema = node.engine.schema
        keyspace = replace(schema.keyspaces["ks"], tables=MappingProxyType(tables))
        node.change_schema(schema.with_keyspace(keyspace))

    def _look(self, node: WorldNode) -> None:
        for name, table in self._tables(node).items():
            if name in self.made and len(table.columns) not in (len(VALUES.columns), len(VALUES.columns) + 1):
                self.faults.append(f"{node.endpoint} has {table.name} with {len(table.columns)} columns")

    def judge(self) -> None:
        """After healing: all have the same, and each change that was made."""
        versions = {node.engine.schema.version for node in self.world.nodes}
        if len(versions) != 1:
            self.faults.append(f"nodes have {len(versions)} versions of the schema")
        must = {name for name in self.made if ("made", name) in self.told and name not in self.dropped}
        may = {name for name in self.made if ("dropped", name) not in self.told}
        for node in self.world.nodes:
            self._look(node)
            tables = self._tables(node)
            found = {name for name in self.made if name in tables}
            if not must <= found <= may:
                self.faults.append(f"{node.endpoint} lacks {sorted(must - found)}, and has {sorted(found - may)}")
            altered = {name for name in found if ("altered", name) in self.told}
            lost = sorted(name for name in altered if len(tables[name].columns) == len(VALUES.columns))
            if lost:
                self.faults.append(f"{node.endpoint} lacks columns of {lost}")


def changed(seed: int, bugs: Bugs | None = None, seconds: float = 12.0) -> SchemaChanges:
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03, duplicate=0.02), bugs)
    changes = SchemaChanges(world)
    Storm(world, world.schedule.now_s + seconds)
    world.run(seconds)
    changes.is_over = True
    world.heal(20)
    changes.judge()
    return changes
