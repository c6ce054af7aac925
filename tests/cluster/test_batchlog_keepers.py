"""Who keeps a logged batch: other nodes of the coordinator's datacenter, and itself only where it is alone there."""

from uuid import UUID

import pytest

from cluster.batchlog import assure_keepers, keepers
from cluster.consistency import Consistency
from cluster.ring import Node
from protocol.errors import Unavailable
from storage.environment.environment import Rng


def node(number: int, datacenter: str = "dc1", rack: str = "r1") -> Node:
    return Node(UUID(int=number), f"10.0.0.{number}", datacenter, rack)


LOCAL, NEAR, FAR, ELSEWHERE = node(1), node(2), node(3, rack="r2"), node(4, "dc2")


def test_two_others_are_chosen_those_of_other_racks_first() -> None:
    for seed in range(10):
        chosen = keepers([NEAR, FAR, node(5), ELSEWHERE], LOCAL, Rng(b"%d" % seed))
        assert len(chosen) == 2
        assert chosen[0] == FAR
        assert LOCAL not in chosen
        assert ELSEWHERE not in chosen


def test_a_node_that_is_alone_in_its_datacenter_keeps_it_itself() -> None:
    assure_keepers([ELSEWHERE], [], LOCAL, Consistency.ONE)
    assert keepers([ELSEWHERE], LOCAL, Rng(b"")) == (LOCAL,)


def test_one_other_that_is_up_will_do() -> None:
    assure_keepers([NEAR, FAR], [FAR], LOCAL, Consistency.ONE)


@pytest.mark.parametrize(
    ("level", "message", "alive"),
    [
        (Consistency.ANY, "Cannot achieve consistency level TWO", 1),
        (
            Consistency.QUORUM,
            "Cannot achieve consistency level TWO for batchlog in local DC, required:2, available:0",
            0,
        ),
    ],
)
def test_nobody_keeps_it_where_all_others_are_down(level: Consistency, message: str, alive: int) -> None:
    with pytest.raises(Unavailable) as caught:
        assure_keepers([NEAR, FAR, ELSEWHERE], [ELSEWHERE], LOCAL, level)
    error = caught.value
    assert (error.message, error.consistency, error.required, error.alive) == (message, Consistency.TWO, 2, alive)
