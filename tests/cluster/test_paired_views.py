"""Which replica of a view's row each replica of its base row writes to."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.paired_views import maybe_paired
from cluster.replication import NetworkTopologyStrategy, SimpleStrategy
from cluster.ring import Node, Ring


def node(number: int, *tokens: int, datacenter: str = "dc1") -> Node:
    return Node(UUID(int=number), f"10.0.0.{number}", datacenter, "r1", tokens)


NODES = [node(number, number * 10) for number in range(1, 7)]
SIMPLE = SimpleStrategy(3)


def test_a_replica_of_both_writes_to_itself() -> None:
    base, view = NODES[:3], NODES[1:4]
    assert maybe_paired(SIMPLE, base, view, NODES[1]) is NODES[1]


def test_others_are_paired_by_their_places() -> None:
    """db/view/ViewUtils.java has this example."""
    base, view = NODES[:3], NODES[3:6]
    assert [maybe_paired(SIMPLE, base, view, local) for local in base] == view
    assert [maybe_paired(SIMPLE, NODES[:3], NODES[2:5], local) for local in NODES[:2]] == NODES[3:5]


def test_who_has_no_base_row_writes_to_nobody() -> None:
    assert maybe_paired(SIMPLE, NODES[:3], NODES[2:5], NODES[5]) is None


def test_pairs_are_of_one_datacenter() -> None:
    near, far = NODES[:4], [node(10 + number, datacenter="dc2") for number in range(4)]
    strategy = NetworkTopologyStrategy({"dc1": 2, "dc2": 2})
    base, view = [far[0], near[0], near[1], far[1]], [near[2], far[2], far[3], near[3]]
    assert [maybe_paired(strategy, base, view, local) for local in base] == [far[2], near[2], near[3], far[3]]


@pytest.mark.parametrize("factor", [1, 2, 3])
@given(base_token=st.integers(0, 70), view_token=st.integers(0, 70))
def test_each_replica_of_the_view_is_written_to_by_one(factor: int, base_token: int, view_token: int) -> None:
    ring, strategy = Ring(NODES), SimpleStrategy(factor)
    base, view = (strategy.replicas(token, ring, NODES[0]) for token in (base_token, view_token))
    paired = [maybe_paired(strategy, base, view, local) for local in base]
    assert sorted(paired, key=NODES.index) == sorted(view, key=NODES.index)  # type: ignore[arg-type]
