"""Replicas count the tombstones that they pass over: each tells how many, over all parts of a command, and refuses too
many."""

from itertools import count

import pytest
from small_cluster import TABLE, SmallCluster, SmallNode

from cluster.consistency import Consistency
from cluster.internode.verbs import FailureReason
from cluster.reading.command import ReadCommand
from cluster.reading.execution import ANSWER_ROWS_MAX
from cluster.reading.merging import Page
from cluster.reading.passing import Passing, Thresholds
from cluster.ring import Node
from protocol.errors import ReadFailure
from storage.mutation import NO_LIVENESS, Deletion, PartitionUpdate, Row
from storage.reads import EVERYTHING

QUORUM, ALL = Consistency.QUORUM, Consistency.ALL
ORDER_KEY = TABLE.clustering[0].type.order_key


def cluster_with(warn: int, fail: int) -> SmallCluster:
    cluster = SmallCluster()
    for node in cluster.nodes:
        node.replica.thresholds = lambda: Thresholds(warn, fail)
    return cluster


def delete_rows(node: SmallNode, numbers: range) -> None:
    now_s = node.cluster.clock.now_s()
    for number in numbers:
        ck = number.to_bytes(4, "big")
        row = Row((ck,), NO_LIVENESS, Deletion(number + 1, now_s))
        node.apply(PartitionUpdate(TABLE.id, b"k", rows={ORDER_KEY(ck): row}))


def read_part(cluster: SmallCluster, command: ReadCommand, level: int, passing: Passing[Node]) -> Page:
    outcome = cluster.nodes[0].read(command, level, passing)
    cluster.deliver()
    return outcome.result


def read_all(cluster: SmallCluster, level: int, passing: Passing[Node]) -> int:
    """In how many parts."""
    command = ReadCommand.of_partition(TABLE.id, b"k", cluster.clock.now_s(), 100, EVERYTHING)
    for parts in count(1):
        page = read_part(cluster, command, level, passing)
        if page.end is None:
            return parts
        command = command.behind(page.end)
    raise AssertionError


def test_who_passes_over_many_says_so() -> None:
    cluster = cluster_with(10, 100)
    for node in cluster.nodes:
        delete_rows(node, range(11))
    passing: Passing[Node] = Passing()
    assert read_all(cluster, ALL, passing) == 1
    assert passing.warned == {node.node: 11 for node in cluster.nodes}
    assert passing.here is not None
    assert (passing.here.rows, passing.here.tombstones, passing.here.key) == (0, 11, b"k")


def test_those_of_the_parts_before_count() -> None:
    many = 2 * ANSWER_ROWS_MAX + 10
    cluster = cluster_with(many - 1, many)
    for node in cluster.nodes:
        delete_rows(node, range(many))
    passing: Passing[Node] = Passing()
    assert read_all(cluster, ALL, passing) == 3
    assert passing.before == passing.warned == {node.node: many for node in cluster.nodes}


def test_what_is_passed_over_twice_counts_once() -> None:
    """One replica's answer ends early, so the others are asked again for what they told from behind that."""
    many = 2 * ANSWER_ROWS_MAX
    cluster = cluster_with(10, many)
    delete_rows(cluster.nodes[0], range(many))
    delete_rows(cluster.nodes[1], range(many - 20, many))
    delete_rows(cluster.nodes[2], range(many - 20, many))
    passing: Passing[Node] = Passing()
    assert read_all(cluster, ALL, passing) == 3
    assert passing.before[cluster.nodes[0].node] == many
    assert passing.warned[cluster.nodes[1].node] == 20
    assert cluster.nodes[0].proxy.mismatches


@pytest.mark.parametrize("level", [QUORUM, ALL])
def test_who_meets_too_many_refuses_and_the_read_fails_at_once(level: Consistency) -> None:
    cluster = cluster_with(10, 20)
    for node in cluster.nodes:
        delete_rows(node, range(30))
    passing: Passing[Node] = Passing()
    with pytest.raises(ReadFailure) as caught:
        read_part(cluster, ReadCommand.of_partition(TABLE.id, b"k", cluster.clock.now_s(), 100, EVERYTHING), level, passing)
    assert caught.value.reasons == {b"\x0a\0\0\1": FailureReason.READ_TOO_MANY_TOMBSTONES}
    failure = caught.value
    assert (failure.received, failure.block_for, failure.data_present) == (0, {QUORUM: 2, ALL: 3}[level], False)
    assert passing.aborted == {cluster.nodes[0].node: 21}


def test_another_replica_may_be_the_one_that_refuses() -> None:
    cluster = cluster_with(10, 20)
    for node in cluster.nodes[1:]:
        delete_rows(node, range(30))
    told: list[int] = []
    for node in cluster.nodes[1:]:
        node.replica.told = lambda command, table, counting: told.append(counting.tombstones)
    passing: Passing[Node] = Passing()
    with pytest.raises(ReadFailure) as caught:
        read_all(cluster, QUORUM, passing)
    assert (caught.value.received, caught.value.data_present) == (1, True)
    assert list(caught.value.reasons.values()) == [FailureReason.READ_TOO_MANY_TOMBSTONES]
    assert list(passing.aborted.values()) == [21]
    assert told == [21]
