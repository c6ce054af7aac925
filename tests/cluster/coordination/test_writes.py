"""Writes through the machines: who acknowledges, who gets a hint, what a client is told."""

import pytest
from small_cluster import TABLE, SmallCluster

from cluster.consistency import Consistency
from cluster.internode.frames import Message
from cluster.internode.verbs import FailureReason, Verb
from protocol.errors import Unavailable, WriteFailure, WriteTimeout
from storage.mutation import Cell, Liveness, PartitionUpdate, Row

ONE, QUORUM, ALL, ANY = Consistency.ONE, Consistency.QUORUM, Consistency.ALL, Consistency.ANY


def update(value: bytes = b"v", key: bytes = b"k") -> PartitionUpdate:
    row = Row((b"c",), Liveness(1), columns={"v": Cell(1, value)})
    return PartitionUpdate(TABLE.id, key, rows={TABLE.clustering[0].type.order_key(b"c"): row})


def test_a_quorum_is_the_coordinator_and_one_more() -> None:
    cluster = SmallCluster()
    outcome = cluster.nodes[0].write(update(), QUORUM)
    assert not outcome.is_done
    cluster.deliver()
    assert outcome.is_done
    assert outcome.error is None
    assert all(node.engine.stores[TABLE.id].maybe_stored(b"k") is not None for node in cluster.nodes)
    assert not any(len(node.requests) for node in cluster.nodes)


def test_one_is_met_at_once_where_the_coordinator_is_a_replica() -> None:
    cluster = SmallCluster()
    assert cluster.nodes[0].write(update(), ONE).is_done
    assert len(cluster.nodes[0].requests) == 1  # the others are waited for, for the sake of hints


def test_unavailable_is_said_before_anything_is_done() -> None:
    cluster = SmallCluster()
    for node in cluster.nodes[1:]:
        cluster.take_down(node)
    with pytest.raises(Unavailable) as caught:
        cluster.nodes[0].write(update(), QUORUM)
    assert (caught.value.required, caught.value.alive) == (2, 1)
    assert cluster.nodes[0].engine.stores[TABLE.id].is_empty
    assert not cluster.queue
    assert not cluster.nodes[0].hints.kept


@pytest.mark.parametrize("level", [ANY, ONE])
def test_a_minority_takes_no_writes_where_it_is_told_so(level: int) -> None:
    cluster = SmallCluster()
    first = cluster.nodes[0]
    first.coordinator.minority_refuses_writes = True
    cluster.take_down(cluster.nodes[1])
    assert first.write(update(), level).is_done
    cluster.take_down(cluster.nodes[2])
    with pytest.raises(Unavailable) as caught:
        first.write(update(), level)
    assert (caught.value.required, caught.value.alive) == (2, 1)
    first.coordinator.minority_refuses_writes = False
    first.coordinator.liveness_changed()
    assert first.write(update(), level).is_done


def test_a_node_that_is_down_gets_a_hint() -> None:
    cluster = SmallCluster()
    cluster.take_down(cluster.nodes[2])
    outcome = cluster.nodes[0].write(update(), QUORUM)
    cluster.deliver()
    assert outcome.is_done
    assert [node for node, _ in cluster.nodes[0].hints.kept] == [cluster.nodes[2].node]


def test_who_does_not_answer_in_time_gets_a_hint_and_the_client_a_timeout() -> None:
    cluster = SmallCluster()
    for node in cluster.nodes[1:]:
        cluster.deaf[node.node] = None
    outcome = cluster.nodes[0].write(update(), QUORUM, "BATCH")
    cluster.deliver()
    cluster.advance(1.9)
    assert not outcome.is_done
    cluster.advance(0.2)
    with pytest.raises(WriteTimeout, match=r"Operation timed out - received only 1 responses\.") as caught:
        outcome.result  # noqa: B018
    error = caught.value
    assert (error.consistency, error.received, error.block_for, error.write_type) == (QUORUM, 1, 2, "BATCH")
    assert len(cluster.nodes[0].hints.kept) == 2
    assert not len(cluster.nodes[0].requests)


def test_a_quorum_that_fails_is_a_failure_with_its_reasons() -> None:
    cluster = SmallCluster()
    outcome = cluster.nodes[0].write(update(), QUORUM)
    reason = FailureReason.INCOMPATIBLE_SCHEMA.to_bytes(2, "big")
    for sender in cluster.nodes[1:]:
        cluster.nodes[0].requests.receive(sender.node, Message(Verb.FAILED, 1, reason), 0.0)
    with pytest.raises(WriteFailure) as caught:
        outcome.result  # noqa: B018
    assert caught.value.message == (
        "Operation failed - received 1 responses and 2 failures: "
        "INCOMPATIBLE_SCHEMA from /10.0.0.2:7000, INCOMPATIBLE_SCHEMA from /10.0.0.3:7000"
    )
    assert (caught.value.received, caught.value.block_for) == (1, 2)
    assert caught.value.reasons == {bytes((10, 0, 0, 2)): 3, bytes((10, 0, 0, 3)): 3}


def test_a_replica_without_the_table_says_so() -> None:
    cluster = SmallCluster()
    del cluster.nodes[2].engine.stores[TABLE.id]
    outcome = cluster.nodes[0].write(update(), ALL)
    cluster.deliver()
    with pytest.raises(WriteFailure, match=r"INCOMPATIBLE_SCHEMA from /10\.0\.0\.3:7000"):
        outcome.result  # noqa: B018


def test_any_is_content_with_a_hint() -> None:
    cluster = SmallCluster({"dc1": 4})
    replicas = cluster.nodes[0].plans_of_write(ANY, b"k").replicas
    coordinator = next(node for node in cluster.nodes if node.node not in replicas)
    for node in cluster.nodes:
        if node is not coordinator:
            cluster.take_down(node)
    assert coordinator.write(update(), ANY).is_done
    assert len(coordinator.hints.kept) == 3


@pytest.mark.parametrize(
    ("level", "write_type", "is_met"), [(ANY, "SIMPLE", True), (ANY, "BATCH", False), (ONE, "SIMPLE", False)]
)
def test_any_is_content_with_hints_for_those_who_failed(level: int, write_type: str, is_met: bool) -> None:
    cluster = SmallCluster()
    first, second, _ = cluster.nodes
    for node in cluster.nodes:
        del node.engine.stores[TABLE.id]
    outcome = first.proxy.write(first.plans_of_write(level, b"k"), [update().encode()], write_type)
    assert not outcome.is_done
    cluster.deliver()
    assert (outcome.error is None) is is_met
    assert isinstance(outcome.error, WriteFailure | None)
    assert second.node in [node for node, _ in first.hints.kept]


def test_any_is_content_with_hints_for_those_who_do_not_answer() -> None:
    cluster = SmallCluster()
    first = cluster.nodes[0]
    del first.engine.stores[TABLE.id]
    outcome = first.write(update(), ANY)
    cluster.queue.clear()
    assert not outcome.is_done
    cluster.advance(2.1)
    assert outcome.is_done
    assert outcome.error is None
    assert len(first.hints.kept) == 2


TWO_DATACENTERS = {"class": "org.apache.cassandra.locator.NetworkTopologyStrategy", "dc1": "3", "dc2": "3"}


@pytest.mark.parametrize(
    ("level", "answering", "is_met"),
    [
        (Consistency.LOCAL_QUORUM, (0, 1), True),
        (Consistency.LOCAL_QUORUM, (0, 3, 4), False),
        (Consistency.LOCAL_ONE, (0,), True),
        (Consistency.EACH_QUORUM, (0, 1, 2, 3), False),
        (Consistency.EACH_QUORUM, (0, 1, 3, 4), True),
        (Consistency.QUORUM, (0, 3, 4, 5), True),
    ],
)
def test_levels_over_datacenters(level: Consistency, answering: tuple[int, ...], is_met: bool) -> None:
    cluster = SmallCluster({"dc1": 3, "dc2": 3}, TWO_DATACENTERS)
    for at, node in enumerate(cluster.nodes):
        if at not in answering:
            cluster.deaf[node.node] = None
    outcome = cluster.nodes[0].write(update(), level)
    cluster.deliver()
    assert outcome.is_done is is_met
