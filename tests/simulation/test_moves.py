"""Moves, removals and rebuilds of nodes of one token, while nothing else happens: everybody has what he holds."""


import pytest

from cluster.coordination.outcome import Outcome
from cluster.membership import MemberEvent, MemberMoved
from cluster.movements.mode import Mode
from protocol.errors import MovementRefused
from simulation.cluster_world import WorldNode
from simulation.moving import Moving

pytestmark = pytest.mark.slow


@pytest.fixture
def moving(monkeypatch: pytest.MonkeyPatch) -> Moving:
    """Of nodes with one token each."""
    monkeypatch.setattr("simulation.cluster_world.TOKENS", 1)
    return Moving(5)


def wait(moving: Moving, outcome: Outcome[None]) -> None:
    for node in moving.world.nodes:
        if node.is_up:
            node.settle()
    moving.until(lambda: outcome.is_done, "it has ended")
    assert outcome.error is None
    moving.world.run(8)


def test_a_node_moves_to_another_token(moving: Moving) -> None:
    node = moving.world.nodes[1]
    other = moving.world.nodes[2].cluster.local.tokens[0]
    with pytest.raises(MovementRefused, match=f"target token {other} is already owned by another node"):
        node.cluster.movements.move(other)
    moved: list[MemberEvent] = []
    moving.world.nodes[0].members_changed = moved.extend  # type: ignore[method-assign]
    wait(moving, node.cluster.movements.move(other - 1_000))
    assert [event for event in moved if isinstance(event, MemberMoved)] == [MemberMoved(node.cluster.local)]
    assert node.cluster.movements.mode is Mode.NORMAL
    for each in moving.world.nodes:
        assert other - 1_000 in each.coordinator.ring.tokens
        assert len(each.coordinator.ring.tokens) == 4
    assert moving.faults + moving.stale() == []


def test_what_a_dead_node_had_is_fetched_by_who_holds_it_then(moving: Moving) -> None:
    dead = moving.world.nodes[3]
    moving.world.run(1)
    dead.crash()
    moving.world.run(25)
    moving.once.clear()  # of these one copy may be missing
    movements = moving.world.nodes[0].cluster.movements
    wait(moving, movements.remove(dead.node.host_id))
    moving.world.nodes.remove(dead)
    assert all(len(each.coordinator.ring.nodes) == 3 for each in moving.world.nodes)
    assert [key for key in moving.old if moving.lacking(key)] == []


def test_a_node_that_lost_everything_gets_it_again(moving: Moving) -> None:
    node = moving.world.nodes[2]
    held = [key for key in moving.old if node in moving.replicas(key)]
    assert len(held) > 10
    for load in moving.loads:
        load.acknowledged = 0
    node.engine.truncate(node.engine.schema.keyspaces["ks"].tables["t"], 1)
    assert all(moving.lacking(key) for key in held)
    wait(moving, node.cluster.movements.rebuild(keyspace="ks"))
    assert not any(moving.lacking(key) for key in held)


def test_a_node_that_is_assassinated_is_forgotten(moving: Moving) -> None:
    dead: WorldNode = moving.world.nodes[3]
    first = moving.world.nodes[0]
    moving.world.run(1)
    alive = first.cluster.movements.assassinate(dead.node.address)
    moving.until(lambda: alive.is_done, "it is refused")
    assert "Endpoint still alive: /10.0.0.4:7000 heartbeat changed" in str(alive.error)
    dead.crash()
    moving.world.run(25)
    wait(moving, first.cluster.movements.assassinate(dead.node.address))
    moving.world.nodes.remove(dead)
    assert all(len(each.coordinator.ring.nodes) == 3 for each in moving.world.nodes)


