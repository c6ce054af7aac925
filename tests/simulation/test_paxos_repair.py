"""Repair of Paxos: what was half decided before is decided or never will be, and nothing that clients were told changes."""

import contextlib

import pytest

from cluster.paxos.encoding import PaxosKey
from cluster.paxos.messages import Accept, Prepare, Promise, Propose
from cluster.paxos.options import PaxosOptions
from cluster.paxos.proposer import Decided
from cluster.paxos.state import Ballot, Proposal
from cluster.paxos.store import PaxosStore
from cluster.repair.options import RepairOptions
from protocol.errors import Unavailable
from simulation.cluster_world import KEYSPACE, VALUES, World, WorldNode, stored_value
from simulation.conditional import LEVELS
from simulation.network import Weather
from simulation.overwrites import put
from simulation.test_repair import repaired
from storage.token import token

pytestmark = pytest.mark.slow
ONLY_PAXOS = RepairOptions(is_paxos_only=True)
KEYS = [b"key %d" % number for number in range(12)]


def unfinished(node: WorldNode) -> set[bytes]:
    return set(node.cluster.rounds.store.unfinished(VALUES.id, lambda position: True, lambda: None))


def half_decided(world: World, accepting: int) -> None:
    """Of each key a change that so many replicas have accepted, and of whose fate nobody heard."""
    for number, key in enumerate(KEYS):
        about = PaxosKey(VALUES.id.bytes, key)
        timestamp_us = world.nodes[0].clock.wall_us()
        ballot = Ballot.of(timestamp_us, b"%08d" % number)
        change = put(key, b"decided", timestamp_us).encode()
        voters = [world.nodes[(number + at) % 3] for at in range(3)]
        for node in voters[:2]:
            assert isinstance(node.cluster.rounds.store.answer(about, Prepare(ballot)), Promise)
        for node in voters[:accepting]:
            assert isinstance(node.cluster.rounds.store.answer(about, Propose(Proposal(ballot, change))), Accept)
        for node in world.nodes:
            node.settle()


def values(world: World) -> list[set[bytes | None]]:
    """Of each key what replicas have."""
    return [
        {stored_value(node.engine.stores[VALUES.id], key, node.clock.now_s()) for node in world.nodes} for key in KEYS
    ]


@pytest.mark.parametrize("flushes", [False, True])
def test_what_a_quorum_has_accepted_is_decided(flushes: bool) -> None:
    world = World(1, Weather(0.005))
    half_decided(world, 2)
    if flushes:
        for node in world.nodes:
            node.flush()
    assert set().union(*map(unfinished, world.nodes)) == set(KEYS)
    assert values(world) == [{None}] * len(KEYS)
    command = repaired(world, world.nodes[0], ONLY_PAXOS)
    world.run(1)
    assert command.error is None
    assert [unfinished(node) for node in world.nodes] == [set()] * 3
    assert values(world) == [{b"decided"}] * len(KEYS)


def test_what_one_has_accepted_is_decided_everywhere_or_nowhere() -> None:
    world = World(2, Weather(0.005))
    half_decided(world, 1)
    assert repaired(world, world.nodes[1], ONLY_PAXOS).error is None
    world.run(1)
    assert [unfinished(node) for node in world.nodes] == [set()] * 3
    assert all(len(found) == 1 for found in values(world))


def test_data_is_not_repaired_where_paxos_alone_is_asked_for_and_paxos_not_by_v1() -> None:
    world = World(3, Weather(0.005))
    half_decided(world, 2)
    world.nodes[0].engine.apply(put(b"here alone", b"v", 5))
    assert repaired(world, world.nodes[0], ONLY_PAXOS).error is None
    assert stored_value(world.nodes[1].engine.stores[VALUES.id], b"here alone", 0) is None
    half_decided(world, 2)
    assert repaired(world, world.nodes[0], RepairOptions()).error is None
    assert set().union(*map(unfinished, world.nodes)) == set(KEYS)
    for node in world.nodes:
        node.cluster.repairs.paxos = PaxosOptions(is_v2=True)
    assert repaired(world, world.nodes[0], RepairOptions(repairs_paxos=False)).error is None
    assert set().union(*map(unfinished, world.nodes)) == set(KEYS)
    assert repaired(world, world.nodes[0], RepairOptions()).error is None
    assert set().union(*map(unfinished, world.nodes)) == set()


def test_a_node_that_is_down_fails_it() -> None:
    world = World(4, Weather(0.005))
    half_decided(world, 2)
    world.nodes[2].crash()
    world.run(30)
    command = repaired(world, world.nodes[0], ONLY_PAXOS)
    assert str(command.error) == "Endpoint not alive: /10.0.0.3:7000"


class Change:
    """A conditional write of one key, whose condition always holds, through a node that may crash meanwhile."""

    def __init__(self, node: WorldNode, key: bytes) -> None:
        self.node, self.key, self.life, self.is_applied = node, key, node.life, False
        deciders = node.coordinator.assure_cas(*LEVELS, token(key))
        assert deciders is not None
        self.operation = node.cluster.rounds.decide(PaxosKey(VALUES.id.bytes, key), deciders)
        self.operation.event.when_done(self._happened)
        node.settle()

    def _happened(self) -> None:
        event = self.operation.event
        if self.node.life != self.life or event.error is not None:
            return
        if isinstance(event.result, Decided):
            self.is_applied = True
            return
        update = put(self.key, b"decided", event.result.ballot.timestamp_us)
        self.node.cluster.rounds.propose(self.operation, update.encode())
        self.operation.event.when_done(self._happened)


def stormy(seed: int) -> tuple[World, list[Change]]:
    world = World(seed, Weather(delay_s_max=0.02, loss=0.3))
    rng, changes = world.rng.fork("changes"), list[Change]()
    for number in range(30):
        node = world.nodes[rng.int_below(3)]
        with contextlib.suppress(Unavailable):
            changes.append(Change(node, b"%d" % number))
        world.run(rng.float() * 0.15)
        if rng.float() < 0.4:
            node.crash()
            node.start()
    world.run(3)
    world.heal(30)
    return world, changes


@pytest.mark.parametrize("seed", range(5))
def test_what_clients_left_unfinished_in_a_storm_is_finished(seed: int) -> None:
    world, changes = stormy(seed)
    left = set().union(*map(unfinished, world.nodes))
    assert left, f"seed {seed}: nothing was left unfinished"
    command = repaired(world, world.nodes[seed % 3], ONLY_PAXOS)
    world.run(2)
    assert command.error is None, f"seed {seed}"
    assert not any(map(unfinished, world.nodes)), f"seed {seed}"
    assert repaired(world, world.nodes[0], RepairOptions()).error is None
    for change in changes:
        found = {stored_value(node.engine.stores[VALUES.id], change.key, node.clock.now_s()) for node in world.nodes}
        assert len(found) == 1, f"seed {seed}: {change.key!r} is {found}"
        assert not change.is_applied or found == {b"decided"}, f"seed {seed}: {change.key!r} was decided, and is {found}"
    assert any(change.is_applied for change in changes)


def test_rounds_that_are_not_found_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    look = PaxosStore.unfinished
    world = World(1, Weather(0.005))
    half_decided(world, 2)
    monkeypatch.setattr(PaxosStore, "unfinished", lambda self, *rest: look(self, *rest)[1:])
    repaired(world, world.nodes[0], ONLY_PAXOS)
    monkeypatch.undo()
    assert any(map(unfinished, world.nodes))


@pytest.mark.parametrize(
    ("options", "is_repaired"),
    [
        (PaxosOptions(is_v2=True), True),
        (PaxosOptions(is_v2=True, unrepaired_keyspaces=frozenset({"other"})), True),
        (PaxosOptions(), False),
        (PaxosOptions(is_v2=True, skips_topology_repair=True), False),
        (PaxosOptions(is_v2=True, unrepaired_keyspaces=frozenset({"ks"})), False),
        (PaxosOptions(is_v2=True, is_repaired=False), False),
    ],
)
def test_a_node_that_leaves_has_nothing_half_decided_behind_it(options: PaxosOptions, is_repaired: bool) -> None:
    world = World(6, Weather(0.005), count=4)
    for node in world.nodes:
        node.cluster.paxos = options
    about = PaxosKey(VALUES.id.bytes, KEYS[0])
    timestamp_us = world.nodes[0].clock.wall_us()
    ballot = Ballot.of(timestamp_us, b"12345678")
    coordinator = world.nodes[0].coordinator
    replicas = coordinator.strategy(KEYSPACE).replicas(token(KEYS[0]), coordinator.ring, coordinator.local)
    voters = [node for node in world.nodes if node.node in replicas][:2]
    for node in voters:
        node.cluster.rounds.store.answer(about, Prepare(ballot))
        node.cluster.rounds.store.answer(about, Propose(Proposal(ballot, put(KEYS[0], b"decided", timestamp_us).encode())))
        node.settle()
    leaving = voters[0]
    outcome = leaving.cluster.movements.decommission()
    leaving.settle()
    world.run(60)
    assert outcome.is_done
    assert outcome.error is None
    world.take_away(leaving)
    assert bool(unfinished(voters[1])) is not is_repaired
