"""Whom to ask first: the snitch's order, unless somebody is much worse than who would stand at his place."""

from uuid import UUID

import pytest

from cluster.coordination.scores import Scores
from cluster.ring import Node

LOCAL, NEAR, OTHER, FAR = (
    Node(UUID(int=number), f"10.0.0.{number}", "dc2" if number == 4 else "dc1", "r1" if number < 3 else "r2", (number,))
    for number in range(1, 5)
)
ALL = [FAR, OTHER, NEAR, LOCAL]


class Told:
    """`scores` with a clock that is set by hand; `changes` counts what was told of them."""

    def __init__(self) -> None:
        self.now_s, self.changes = 0.0, 0
        self.scores = Scores(LOCAL, lambda: self.now_s, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def took(self, node: Node, ms: float, times: int = 10) -> None:
        for _ in range(times):
            self.now_s += 0.1
            self.scores.took(node, ms / 1000)


@pytest.fixture
def told() -> Told:
    return Told()


def test_the_nearest_come_first_where_nothing_is_known(told: Told) -> None:
    assert told.scores.by_proximity(ALL) == [LOCAL, NEAR, OTHER, FAR]


def test_healthy_nodes_keep_the_snitchs_order_and_nothing_changes(told: Told) -> None:
    for node, ms in ((NEAR, 0.9), (OTHER, 0.2), (FAR, 0.4)):
        told.took(node, ms)
    assert told.scores.by_proximity(ALL) == [LOCAL, NEAR, OTHER, FAR]
    assert told.changes == 3  # one for each node that something is known of now


def test_who_is_bad_comes_last(told: Told) -> None:
    for node, ms in ((NEAR, 50), (OTHER, 2), (FAR, 3)):
        told.took(node, ms)
    assert told.scores.by_proximity(ALL) == [LOCAL, OTHER, FAR, NEAR]


def test_the_threshold_says_how_bad(told: Told) -> None:
    for node, ms in ((NEAR, 30), (OTHER, 20), (FAR, 40)):
        told.took(node, ms)
    assert told.scores.by_proximity(ALL) == [LOCAL, NEAR, OTHER, FAR]
    told.scores.badness_threshold = 0.1
    assert told.scores.by_proximity(ALL) == [LOCAL, OTHER, NEAR, FAR]
    told.scores.badness_threshold = 0
    assert told.scores.by_proximity(ALL) == [LOCAL, OTHER, NEAR, FAR]


def test_the_coordinator_comes_first_whatever_it_takes(told: Told) -> None:
    told.took(LOCAL, 500)
    assert told.scores.by_proximity(ALL)[0] == LOCAL


def test_all_is_forgotten_from_time_to_time(told: Told) -> None:
    for node, ms in ((NEAR, 50), (OTHER, 1), (FAR, 5)):
        told.took(node, ms)
    assert told.scores.by_proximity(ALL)[1] == OTHER
    told.now_s += 600
    told.took(FAR, 0)
    assert told.scores.by_proximity(ALL)[1] == NEAR


def test_none_of_it_where_it_is_off(told: Told) -> None:
    told.scores.is_enabled = False
    told.took(NEAR, 50)
    assert told.scores.by_proximity(ALL)[1] == NEAR
    assert told.changes == 0
