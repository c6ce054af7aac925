"""The ring as it is and as it will be: pending replicas of those who join, leave, move and replace."""

from types import MappingProxyType
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.consistency import Consistency
from cluster.coordinator import Coordinator, RequestKind
from cluster.replication import SimpleStrategy
from cluster.ring import Node, Ring
from cluster.topology import Member, Standing, Topology
from protocol.errors import Unavailable
from storage.memtable.memtable import token_position
from storage.schema.metadata import KeyspaceMetadata, KeyspaceParams

RF2 = SimpleStrategy(2)


def node(number: int, *tokens: int) -> Node:
    return Node(UUID(int=number), f"10.0.0.{number}", "dc1", "r1", tokens)


A, B, C, D = node(1, 0), node(2, 100), node(3, 200), node(4, 150)


def normal(*nodes: Node) -> list[Member]:
    return [Member(member, Standing.NORMAL) for member in nodes]


def test_a_stable_ring_has_nobody_pending() -> None:
    topology = Topology(normal(A, B, C))
    assert topology.replicas(50, RF2, A) == (B, C)
    assert topology.pending(50, RF2, A) == ()


def test_who_joins_is_pending_where_it_will_be_a_replica_and_owns_nothing_yet() -> None:
    topology = Topology([*normal(A, B, C), Member(D, Standing.JOINING)])
    assert topology.replicas(120, RF2, A) == (C, A)
    assert topology.pending(120, RF2, A) == (D,)
    assert topology.pending(50, RF2, A) == (D,)  # the second replica behind B
    assert topology.pending(180, RF2, A) == ()


def test_who_leaves_still_answers_and_its_heirs_are_pending() -> None:
    topology = Topology([*normal(A, B), Member(C, Standing.LEAVING)])
    assert topology.replicas(150, RF2, A) == (C, A)
    assert topology.pending(150, RF2, A) == (B,)


def test_who_moves_is_pending_at_its_new_place() -> None:
    topology = Topology([*normal(A, B, C), Member(D, Standing.MOVING, (50,))])
    one = SimpleStrategy(1)
    assert topology.replicas(20, one, A) == (B,)
    assert topology.pending(20, one, A) == (D,)
    assert topology.replicas(120, one, A) == (D,)
    assert topology.pending(120, one, A) == (C,)  # who inherits what it moves away from


def test_a_replacement_is_pending_for_all_that_the_dead_one_has() -> None:
    replacement = node(5, 100)
    topology = Topology([*normal(A, B, C), Member(replacement, Standing.JOINING, replaces=B)])
    assert topology.replicas(50, RF2, A) == (B, C)
    assert topology.pending(50, RF2, A) == (replacement,)
    assert topology.pending(150, RF2, A) == ()


def test_one_token_has_one_owner() -> None:
    with pytest.raises(ValueError, match="owned by"):
        Topology(normal(A, node(9, 0)))


@given(st.integers(0, 300), st.integers(1, 3), st.sampled_from([Standing.JOINING, Standing.LEAVING, Standing.MOVING]))
def test_whoever_answers_later_is_a_replica_or_pending_now(token: int, factor: int, standing: Standing) -> None:
    """No write is missed by whom the ring will ask once the change is done."""
    strategy = SimpleStrategy(factor)
    during = Topology([*normal(A, B, C), Member(D, standing, (50,) if standing is Standing.MOVING else ())])
    arrived = {Standing.JOINING: [D], Standing.LEAVING: [], Standing.MOVING: [node(4, 50)]}[standing]
    after = Ring([A, B, C, *arrived])
    written = {*during.replicas(token, strategy, A), *during.pending(token, strategy, A)}
    assert set(strategy.replicas(token, after, A)) <= written


def keyspace(copies: int) -> KeyspaceMetadata:
    replication = {"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": str(copies)}
    return KeyspaceMetadata("ks", KeyspaceParams(MappingProxyType(replication)))


def test_a_single_node_writes_to_the_one_that_joins_too() -> None:
    coordinator = Coordinator(A, Ring([A]))
    assert coordinator.levels(keyspace(1), RequestKind.WRITE)[Consistency.ONE] is None
    coordinator.know(Topology([*normal(A), Member(D, Standing.JOINING)]), lambda node: True)
    plans = coordinator.levels(keyspace(1), RequestKind.WRITE)[Consistency.ONE]
    assert plans is not None
    plan = plans.to_write(120)
    assert (plan.replicas, plan.pending, plan.required) == ((A, D), (D,), 2)
    assert plans.to_write(180).pending == ()


def test_who_held_a_range_before_takes_writes_for_a_while_as_long_as_he_is_up() -> None:
    before = Topology([*normal(A, B, C), Member(D, Standing.JOINING)])
    after = Topology(normal(A, B, C, D))
    assert after.has_arrived(before)
    assert not before.has_arrived(after)
    coordinator = Coordinator(A, after.ring)
    alive = [A, B, C, D]
    coordinator.know(after.remembering([before.ring]), lambda node: node in alive)
    plans = coordinator.levels(keyspace(2), RequestKind.WRITE)[Consistency.ONE]
    assert plans is not None
    plan = plans.to_write(120)
    assert (plan.replicas, plan.pending, plan.required) == ((D, C, A), (A,), 2)
    alive.remove(C)
    coordinator.liveness_changed()
    plans = coordinator.levels(keyspace(2), RequestKind.WRITE)[Consistency.ONE]
    assert plans is not None
    assert plans.to_write(60).pending == ()  # C held it, and is down
    coordinator.know(after, lambda node: True)
    plans = coordinator.levels(keyspace(2), RequestKind.WRITE)[Consistency.ONE]
    assert plans is not None
    assert plans.to_write(120).pending == ()


def test_ranges_are_read_together_but_while_they_change_hands() -> None:
    """The one replica of two ranges may hold one of them no more, where each alone has another one to be asked."""
    coordinator = Coordinator(D, Ring([A, B, C]))
    start, all_ranges = token_position(50), []
    for topology in (Topology(normal(A, B, C)), Topology([*normal(A, B, C), Member(D, Standing.JOINING)])):
        coordinator.know(topology, lambda node: True)
        plans = coordinator.levels(keyspace(2), RequestKind.SCAN)[Consistency.ONE]
        assert plans is not None
        all_ranges.append(plans.to_scan(start, None))
    (together, end), (alone, end_of_first) = all_ranges
    assert ({*together.contacts, *together.spares}, end) == ({C}, token_position(201))
    assert ({*alone.contacts, *alone.spares}, end_of_first) == ({B, C}, token_position(101))


@given(st.integers(-50, 300), st.integers(0, 300), st.booleans())
def test_a_replica_holds_what_its_ring_says(start: int, width: int, has_end: bool) -> None:
    coordinator = Coordinator(A, Ring([A, B, C]))
    coordinator.know(Topology(normal(A, B, C)), lambda node: True)
    end = token_position(start + width + 1) if has_end else None
    held = [A in RF2.replicas(token, coordinator.ring, A) for token in range(start, start + width + 1)]
    held += [] if has_end else [A in RF2.replicas(token, coordinator.ring, A) for token in range(start, 1_000)]
    holder = coordinator.maybe_holder(keyspace(2))
    assert holder is not None
    assert holder.holds(token_position(start), end) == all(held)


def test_conditional_writes_are_decided_by_who_joins_too_but_not_by_two() -> None:
    coordinator = Coordinator(A, Ring([A, B, C]))
    coordinator.know(Topology([*normal(A, B, C), Member(D, Standing.JOINING)]), lambda node: True)
    deciders = coordinator.assure_cas(keyspace(2), Consistency.SERIAL, Consistency.QUORUM, 120)
    assert deciders is not None
    assert (deciders.voters, deciders.quorum, deciders.committed) == ((C, A, D), 2, 3)
    other = node(5, 140)
    joining = [Member(one, Standing.JOINING) for one in (D, other)]
    coordinator.know(Topology([*normal(A, B, C), *joining]), lambda node: True)
    with pytest.raises(Unavailable, match=r"more than one \(4\) pending range movement"):
        coordinator.assure_cas(keyspace(2), Consistency.SERIAL, Consistency.QUORUM, 120)
