"""Tokens, owners, and the replicas that the strategies choose."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.replication import LocalStrategy, NetworkTopologyStrategy, SimpleStrategy, strategy_of
from cluster.ring import Node, Ring, random_tokens
from protocol.errors import ConfigurationError
from storage.environment.environment import Rng


def node(number: int, *tokens: int, datacenter: str = "dc1", rack: str = "r1") -> Node:
    return Node(UUID(int=number), f"10.0.0.{number}", datacenter, rack, tokens)


def test_the_owner_of_a_token_is_the_first_at_or_behind_it() -> None:
    first, second = node(1, 0, 20), node(2, 10)
    ring = Ring([first, second])
    owners = {-100: first, 0: first, 1: second, 10: second, 11: first, 20: first, 21: first}
    assert {token: ring.owner(token) for token in owners} == owners


def test_two_nodes_with_one_token_are_refused() -> None:
    with pytest.raises(ValueError, match=r"token 5 is owned by 10\.0\.0\.1 and by 10\.0\.0\.2"):
        Ring([node(1, 5), node(2, 5)])


def test_ranges_cover_the_ring_once() -> None:
    ring = Ring([node(1, 0, 20), node(2, 10)])
    assert [(start, end, owner.address) for start, end, owner in ring.ranges()] == [
        (20, 0, "10.0.0.1"),
        (0, 10, "10.0.0.2"),
        (10, 20, "10.0.0.1"),
    ]


def test_random_tokens_are_different_sorted_and_repeatable() -> None:
    tokens = random_tokens(Rng(b"seed"), 16)
    assert len(set(tokens)) == 16
    assert list(tokens) == sorted(tokens)
    assert tokens == random_tokens(Rng(b"seed"), 16)
    assert tokens != random_tokens(Rng(b"other"), 16)


def test_simple_strategy_takes_the_next_different_nodes() -> None:
    nodes = [node(1, 0, 30), node(2, 10), node(3, 20)]
    ring = Ring(nodes)
    assert [n.address[-1] for n in SimpleStrategy(2).replicas(25, ring, nodes[0])] == ["1", "2"]
    assert [n.address[-1] for n in SimpleStrategy(5).replicas(5, ring, nodes[0])] == ["2", "3", "1"]


def test_topology_strategy_takes_another_rack_first() -> None:
    nodes = [node(1, 0), node(2, 10), node(3, 20, rack="r2"), node(4, 30, datacenter="dc2")]
    ring = Ring(nodes)
    strategy = NetworkTopologyStrategy({"dc1": 2, "dc2": 1})
    assert [n.address[-1] for n in strategy.replicas(0, ring, nodes[0])] == ["1", "3", "4"]


def test_topology_strategy_repeats_racks_when_there_are_more_copies_than_racks() -> None:
    nodes = [node(1, 0), node(2, 10), node(3, 20, rack="r2")]
    strategy = NetworkTopologyStrategy({"dc1": 3})
    assert [n.address[-1] for n in strategy.replicas(0, Ring(nodes), nodes[0])] == ["1", "2", "3"]


def test_local_strategy_is_whoever_asks() -> None:
    here, there = node(1, 0), node(2, 10)
    assert LocalStrategy().replicas(10, Ring([here, there]), here) == (here,)


def test_unknown_strategy_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Unable to find replication strategy class"):
        strategy_of({"class": "org.apache.cassandra.locator.Nowhere"})


@st.composite
def rings(draw: st.DrawFn) -> Ring:
    count = draw(st.integers(1, 7))
    tokens = draw(st.lists(st.integers(-1000, 1000), min_size=count * 2, max_size=count * 2, unique=True))
    nodes = [
        node(
            index + 1,
            *tokens[2 * index : 2 * index + 2],
            datacenter=draw(st.sampled_from(["dc1", "dc2"])),
            rack=draw(st.sampled_from(["r1", "r2", "r3"])),
        )
        for index in range(count)
    ]
    return Ring(nodes)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(rings(), st.integers(-1100, 1100), st.integers(0, 4), st.integers(0, 4))
def test_replicas_are_different_enough_and_spread(ring: Ring, token: int, first: int, second: int) -> None:
    local = ring.nodes[0]
    factors = {"dc1": first, "dc2": second}
    replicas = NetworkTopologyStrategy(factors).replicas(token, ring, local)
    assert len(set(replicas)) == len(replicas)
    for datacenter, factor in factors.items():
        there = [n for n in ring.nodes if n.datacenter == datacenter]
        chosen = [n for n in replicas if n.datacenter == datacenter]
        assert len(chosen) == min(factor, len(there))
        assert len({n.rack for n in chosen}) == min(len(chosen), len({n.rack for n in there}))
    simple = SimpleStrategy(first).replicas(token, ring, local)
    assert len(set(simple)) == len(simple) == min(first, len(ring.nodes))
    if simple:
        assert simple[0] == ring.owner(token)
