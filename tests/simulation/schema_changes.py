"""A workload: tables are made, altered and dropped through all nodes, some of which are down or cut off."""

from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

from protocol.types import BLOB
from simulation.cluster_world import VALUES, Bugs, World, WorldNode
from simulation.network import Weather
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata

ADDED = ColumnMetadata("w", ColumnKind.REGULAR, BLOB)


class SchemaChanges:
    """`made`, `altered`, `dropped`: names of tables; a name is of one table, so there is one right end."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng.fork("schema changes")
        self.made: list[str] = []
        self.altered: set[str] = set()
        self.dropped: set[str] = set()
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
            return
        name = there[self.rng.int_below(len(there))]
        table = self._tables(node)[name]
        if luck < 0.75:
            self.dropped.add(name)
            self._set(node, {each: found for each, found in self._tables(node).items() if each != name})
        elif len(table.columns) == len(VALUES.columns):
            self.altered.add(name)
            self._put(node, replace(table, columns=(*table.columns, ADDED)))

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
        for table in self._tables(node).values():
            if len(table.columns) not in (len(VALUES.columns), len(VALUES.columns) + 1):
                self.faults.append(f"{node.endpoint} has {table.name} with {len(table.columns)} columns")

    def judge(self) -> None:
        """After healing: all have the same, and each change that was made."""
        versions = {node.engine.schema.version for node in self.world.nodes}
        if len(versions) != 1:
            self.faults.append(f"nodes have {len(versions)} versions of the schema")
        right = {name for name in self.made if name not in self.dropped}
        for node in self.world.nodes:
            self._look(node)
            tables = self._tables(node)
            found = {name for name in self.made if name in tables}
            if found != right:
                self.faults.append(f"{node.endpoint} lacks {sorted(right - found)}, and has {sorted(found - right)}")
            lost = sorted(name for name in found & self.altered if len(tables[name].columns) == len(VALUES.columns))
            if lost:
                self.faults.append(f"{node.endpoint} lacks columns of {lost}")


def changed(seed: int, bugs: Bugs | None = None, seconds: float = 12.0) -> SchemaChanges:
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03), bugs)
    changes = SchemaChanges(world)
    world.trouble(world.schedule.now_s + seconds)
    world.run(seconds)
    changes.is_over = True
    world.heal(20)
    changes.judge()
    return changes
