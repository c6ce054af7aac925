"""What moves when a ring becomes another one, and which tokens a new node takes."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.movements.plans import changes, having, to_fetch, to_push, without
from cluster.movements.tokens import TokensWanted, bootstrap_tokens
from cluster.replication import SimpleStrategy
from cluster.ring import Node, Ring, random_tokens
from cluster.streaming.ranges import TokenRange
from protocol.errors import MovementRefused
from storage.environment.environment import Rng


def node(number: int, *tokens: int) -> Node:
    return Node(UUID(int=number), f"10.0.0.{number}", tokens=tokens)


A, B, C, D = node(1, 0), node(2, 100), node(3, 200), node(4, 150)
RING = Ring([A, B, C])
RF2 = {"ks": SimpleStrategy(2)}


def everybody(_: Node) -> bool:
    return True


def test_who_joins_gets_a_range_from_who_loses_it() -> None:
    plan = to_fetch(RF2, RING, having(RING, D), D, everybody, is_strict=True)
    assert plan == {A: {"ks": [TokenRange(100, 150)]}, C: {"ks": [TokenRange(0, 100)]}}


def test_where_nobody_loses_it_anybody_will_do() -> None:
    plan = to_fetch({"ks": SimpleStrategy(4)}, RING, having(RING, D), D, lambda node: node == B, is_strict=True)
    assert list(plan) == [B]


def test_a_loser_that_is_down_is_in_the_way_unless_that_does_not_matter() -> None:
    def is_source(node: Node) -> bool:
        return node not in (A, D)

    with pytest.raises(MovementRefused, match=r"A node required to move the data consistently is down \(/10.0.0.1:7000\)"):
        to_fetch(RF2, RING, having(RING, D), D, is_source, is_strict=True)
    assert to_fetch(RF2, RING, having(RING, D), D, is_source, is_strict=False)
    with pytest.raises(MovementRefused, match=r"Unable to find sufficient sources for streaming range \(100,150\]"):
        to_fetch(RF2, RING, having(RING, D), D, lambda node: node == B, is_strict=False)


def test_who_leaves_gives_its_ranges_to_who_will_hold_them() -> None:
    assert to_push(RF2, RING, without(RING, C), C) == {
        A: {"ks": [TokenRange(0, 100)]},
        B: {"ks": [TokenRange(100, 200)]},
    }


@given(st.integers(0, 1_000), st.integers(1, 4))
def test_after_a_change_everybody_has_what_he_holds(seed: int, copies: int) -> None:
    """By looking at single tokens."""
    rng = Rng(seed.to_bytes(8, "big"))
    nodes = [node(number, *random_tokens(rng, 3)) for number in range(1, 6)]
    before, after = Ring(nodes[:4]), having(Ring(nodes[1:4]), nodes[4])
    strategy = SimpleStrategy(copies)
    found = list(changes(strategy, before, after, nodes[0]))
    for token in random_tokens(rng, 20):
        old, new = strategy.replicas(token, before, nodes[0]), strategy.replicas(token, after, nodes[0])
        told = [change for change in found if (token - change.range.start - 1) % (1 << 64) < (
            (change.range.end - change.range.start) % (1 << 64) or 1 << 64
        )]  # fmt: skip
        assert {each for change in told for each in change.gaining} == set(new) - set(old)
        assert {each for change in told for each in change.losing} == set(old) - set(new)


def test_tokens_that_are_told_must_be_free() -> None:
    assert bootstrap_tokens(TokensWanted((7, -7), 2), RING, D) == (-7, 7)
    with pytest.raises(MovementRefused, match=r"Bootstrapping to existing token 100 is not allowed \(decommission"):
        bootstrap_tokens(TokensWanted((100,), 1), RING, D)


def test_tokens_that_are_allocated_make_ranges_alike() -> None:
    nodes: list[Node] = []
    for number in range(1, 9):
        fresh = node(number, 1, 2)
        tokens = bootstrap_tokens(TokensWanted(count=16, local_replication_factor=3), Ring(nodes), fresh)
        assert len(set(tokens)) == 16
        nodes.append(node(number, *tokens))
    owned = dict.fromkeys(nodes, 0)
    for start, end, owner in Ring(nodes).ranges():
        owned[owner] += (end - start) % (1 << 64)
    assert max(owned.values()) / min(owned.values()) < 1.5
