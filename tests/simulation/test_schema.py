"""Changes of the schema on both sides of a cut: when it is healed all nodes have the same, and of what clients were told is
done nothing is lost but what somebody has undone since (SchemaKeyspace's mutations, merged by their timestamps)."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

import pytest

from protocol.types import BLOB, TEXT
from simulation.cluster_world import KEYSPACE, VALUES, World, WorldNode
from simulation.network import Weather
from storage.schema.metadata import ColumnKind, ColumnMetadata, KeyspaceMetadata, TableMetadata

pytestmark = pytest.mark.slow
W = ColumnMetadata("w", ColumnKind.REGULAR, BLOB)


def table(name: str, number: int) -> TableMetadata:
    return replace(VALUES, name=name, id=UUID(int=number))


def keyspace(node: WorldNode) -> KeyspaceMetadata:
    return node.engine.schema.keyspaces["ks"]


def change(node: WorldNode, changed: KeyspaceMetadata) -> None:
    node.change_schema(node.engine.schema.with_keyspace(changed))


def create(node: WorldNode, made: TableMetadata) -> None:
    change(node, keyspace(node).with_table(made))


def drop(node: WorldNode, name: str) -> None:
    tables = {each: found for each, found in keyspace(node).tables.items() if each != name}
    change(node, replace(keyspace(node), tables=MappingProxyType(tables)))


def alter(node: WorldNode, name: str) -> None:
    before = keyspace(node).tables[name]
    create(node, replace(before, columns=(*before.columns, W)))


def cut_world(seed: int = 1) -> World:
    """Two nodes, and a third one that they can't reach; all have tables `old` and `other`."""
    world = World(seed, Weather(0.002))
    for number, name in ((101, "old"), (102, "other")):
        create(world.nodes[0], table(name, number))
        world.run(2)
    assert all({"old", "other"} <= set(keyspace(node).tables) for node in world.nodes)
    world.network.partition([world.nodes[2].endpoint], [node.endpoint for node in world.nodes[:2]])
    world.run(20)  # they know
    return world


def healed(world: World, restarts: bool = False) -> KeyspaceMetadata:
    if restarts:
        for node in world.nodes:
            node.flush()
            node.crash()
            node.start()
    world.heal(20)
    assert len({node.engine.schema.version for node in world.nodes}) == 1
    contents = {node.number: keyspace(node) for node in world.nodes}
    assert contents[1] == contents[2] == contents[3]
    return contents[1]


@pytest.mark.parametrize("restarts", [False, True])
def test_tables_made_altered_and_dropped_on_both_sides_of_a_cut(restarts: bool) -> None:
    world = cut_world()
    here, there = world.nodes[0], world.nodes[2]
    create(here, table("mine", 201))
    world.run(1)
    create(there, table("yours", 202))
    world.run(1)
    drop(there, "old")
    world.run(1)
    alter(here, "other")
    world.run(1)
    assert "yours" not in keyspace(here).tables
    assert "mine" not in keyspace(there).tables
    found = healed(world, restarts)
    assert set(found.tables) == {*KEYSPACE.tables, "mine", "yours", "other"}
    assert [column.name for column in found.tables["other"].columns] == ["k", "v", "w"]


@pytest.mark.parametrize("drops_first", [False, True])
def test_a_table_that_one_side_drops_and_the_other_alters_is_gone(drops_first: bool) -> None:
    world = cut_world()
    steps: list[Callable[[], None]] = [lambda: drop(world.nodes[2], "old"), lambda: alter(world.nodes[0], "old")]
    for step in steps if drops_first else reversed(steps):
        step()
        world.run(1)
    assert "old" in keyspace(world.nodes[1]).tables
    assert "old" not in healed(world).tables


def test_of_two_tables_of_one_name_the_later_one_stays_whole() -> None:
    world = cut_world()
    first = replace(VALUES, name="same", id=UUID(int=301), columns=(*VALUES.columns, W))
    key = ColumnMetadata("id", ColumnKind.PARTITION_KEY, TEXT, 0)
    second = replace(VALUES, name="same", id=UUID(int=300), columns=(key, VALUES.columns[1]))
    create(world.nodes[0], first)
    world.run(1)
    create(world.nodes[2], second)
    world.run(1)
    assert healed(world).tables["same"] == second


def test_a_table_that_is_altered_after_another_of_its_name_was_made_stays_whole() -> None:
    world = cut_world()
    create(world.nodes[0], table("same", 301))
    world.run(1)
    create(world.nodes[2], replace(table("same", 302), columns=(*VALUES.columns[:1], W)))
    world.run(1)
    alter(world.nodes[0], "same")
    world.run(1)
    found = healed(world).tables["same"]
    assert found.id.int == 301
    assert [column.name for column in found.columns] == ["k", "v", "w"]


def test_a_table_in_a_keyspace_that_the_other_side_dropped_goes_with_it() -> None:
    world = cut_world()
    world.nodes[2].change_schema(world.nodes[2].engine.schema.without_keyspace("ks"))
    world.run(1)
    create(world.nodes[0], table("mine", 201))
    world.heal(20)
    assert all("ks" not in node.engine.schema.keyspaces for node in world.nodes)
    assert len({node.engine.schema.version for node in world.nodes}) == 1


def test_a_node_whose_clock_is_behind_can_drop_what_others_made() -> None:
    world = World(3, Weather(0.002))
    late = min(world.nodes, key=lambda node: node.clock.wall_us())
    early = max(world.nodes, key=lambda node: node.clock.wall_us())
    assert early.clock.wall_us() - late.clock.wall_us() > 10_000
    create(early, table("mine", 201))
    world.run(0.005)
    assert "mine" in keyspace(late).tables
    drop(late, "mine")
    world.run(2)
    assert all("mine" not in keyspace(node).tables for node in world.nodes)


