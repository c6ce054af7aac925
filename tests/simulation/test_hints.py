"""Hints of a node that leaves, and for a node that has left: no write that was acknowledged waits for nobody."""

from dataclasses import replace
from uuid import UUID

import pytest

from cluster.consistency import Consistency
from cluster.movements.mode import Mode
from cluster.replication import SimpleStrategy
from simulation.cluster_world import VALUES, World, WorldNode, stored_value
from simulation.network import Weather
from simulation.overwrites import put
from storage.token import token

pytestmark = pytest.mark.slow
QUORUM = Consistency.QUORUM
KEYS = [b"key %d" % number for number in range(300)]


def with_hints(paused: bool = False) -> tuple[World, WorldNode, WorldNode, list[bytes]]:
    """Of four nodes one that was down, and one that alone keeps what it missed: the keys that it lacks."""
    world = World(7, Weather(0.002), count=4)
    down, keeper = world.nodes[2], world.nodes[3]
    down.crash()
    world.run(25)
    keeper.cluster.hints.is_paused = paused
    ring = keeper.coordinator.ring
    missed = [key for key in KEYS if down.node in SimpleStrategy(3).replicas(token(key), ring, keeper.node)]
    outcomes = [keeper.write(put(key, b"v", number + 1), QUORUM) for number, key in enumerate(missed)]
    world.run(2)
    assert missed
    assert all(outcome.is_done and outcome.error is None for outcome in outcomes)
    assert keeper.cluster.hints.count(down.node.host_id) == len(missed)
    return world, down, keeper, missed


def lacking(node: WorldNode, keys: list[bytes]) -> list[bytes]:
    store = node.engine.stores[VALUES.id]
    return [key for key in keys if stored_value(store, key, node.clock.now_s()) is None]


def leave(world: World, node: WorldNode) -> None:
    outcome = node.cluster.movements.decommission()
    node.settle()
    until_s = world.schedule.now_s + 120
    while not outcome.is_done:
        world.run(0.5)
        assert world.schedule.now_s < until_s
    assert outcome.error is None
    assert node.cluster.movements.mode is Mode.DECOMMISSIONED
    world.run(2)
    world.take_away(node)


@pytest.mark.parametrize("are_transferred", [True, False])
def test_hints_are_handed_over_by_who_leaves(are_transferred: bool) -> None:
    world, down, keeper, missed = with_hints(paused=True)
    down.start()
    world.run(5)
    assert lacking(down, missed) == missed
    keeper.cluster.transfers_hints = are_transferred
    leave(world, keeper)
    world.run(60)
    assert lacking(down, missed) == ([] if are_transferred else missed)
    assert all(not node.cluster.hints.pending() for node in world.nodes)


def test_who_takes_hints_over_and_dies_has_them_again() -> None:
    world, down, keeper, missed = with_hints(paused=True)
    for node in world.nodes:
        node.cluster.hints.is_paused = True
    down.start()
    world.run(5)
    leave(world, keeper)
    (heir,) = [node for node in world.nodes if node.cluster.hints.pending()]
    assert heir.cluster.hints.count(down.node.host_id) == len(missed)
    heir.crash()
    heir.start()
    world.run(40)
    assert lacking(down, missed) == []


def test_hints_for_a_node_that_was_removed_are_dropped() -> None:
    world, down, keeper, _ = with_hints()
    outcome = world.nodes[0].cluster.movements.remove(down.node.host_id)
    world.nodes[0].settle()
    until_s = world.schedule.now_s + 120
    while not outcome.is_done:
        world.run(0.5)
        assert world.schedule.now_s < until_s
    world.run(5)
    assert outcome.error is None
    assert keeper.cluster.hints.pending() == []


def test_hints_for_a_node_that_was_replaced_at_its_own_address_are_dropped() -> None:
    world, down, keeper, _ = with_hints()
    down.node = replace(down.node, host_id=UUID(int=99))
    down.start_empty()
    until_s = world.schedule.now_s + 120
    while down.cluster.movements.mode is not Mode.NORMAL:
        world.run(0.5)
        assert world.schedule.now_s < until_s
    world.run(5)
    assert keeper.cluster.hints.pending() == []
    assert UUID(int=3) not in {node.host_id for node in keeper.coordinator.ring.nodes}
