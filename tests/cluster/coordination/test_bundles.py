"""Writes of one go, sent together: each comes to what it would have come to alone."""

import pytest
from small_cluster import TABLE, SmallCluster, SmallNode

from cluster.consistency import Consistency
from cluster.coordination.bundles import BUNDLE_BYTES_MAX
from cluster.coordination.outcome import Outcome
from cluster.internode.frames import Message
from cluster.internode.records import decode_failures, decode_records, encode_failures, encode_records
from cluster.internode.verbs import FailureReason, Verb
from protocol.errors import PeerError, Unavailable, WriteFailure, WriteTimeout
from storage.mutation import Cell, Deletion, Liveness, PartitionUpdate, Row

ONE, QUORUM, ALL = Consistency.ONE, Consistency.QUORUM, Consistency.ALL


def update(key: bytes = b"k", value: bytes = b"v", ttl_s: int = 0) -> PartitionUpdate:
    cell = Cell(1, value, ttl_s, 1_000_000) if ttl_s else Cell(1, value)
    row = Row((b"c",), Liveness(1), columns={"v": cell})
    return PartitionUpdate(TABLE.id, key, rows={TABLE.clustering[0].type.order_key(b"c"): row})


def holders(cluster: SmallCluster, key: bytes) -> list[SmallNode]:
    return [node for node in cluster.nodes if node.engine.stores[TABLE.id].maybe_stored(key) is not None]


def test_writes_of_one_go_are_one_message_to_each_replica_and_one_from_it() -> None:
    cluster = SmallCluster()
    outcomes = [cluster.nodes[0].add(update(b"%d" % number), QUORUM) for number in range(20)]
    assert not any(outcome.is_done for outcome in outcomes)
    cluster.nodes[0].bundles.send()
    assert len(cluster.queue) == 2
    cluster.deliver()
    assert cluster.sent == 4
    assert all(outcome.is_done and outcome.error is None for outcome in outcomes)
    assert all(len(holders(cluster, b"%d" % number)) == 3 for number in range(20))
    assert not any(len(node.requests) for node in cluster.nodes)


def test_levels_have_messages_of_their_own() -> None:
    cluster = SmallCluster()
    one, every = cluster.nodes[0].add(update(), ONE), cluster.nodes[0].add(update(), ALL)
    cluster.nodes[0].bundles.send()
    assert one.is_done
    assert not every.is_done
    cluster.deliver()
    assert every.is_done


def test_a_coordinator_that_is_no_replica_keeps_nothing() -> None:
    cluster = SmallCluster({"dc1": 4})
    replicas = cluster.nodes[0].plans_of_write(QUORUM, b"k").replicas
    coordinator = next(node for node in cluster.nodes if node.node not in replicas)
    outcome = coordinator.write_bundled(update(), QUORUM)
    cluster.deliver()
    assert outcome.is_done
    assert coordinator not in holders(cluster, b"k")
    assert len(holders(cluster, b"k")) == 3


@pytest.mark.parametrize("ttl_s", [0, 60])
def test_records_that_are_not_packed_go_the_same_way(ttl_s: int) -> None:
    cluster = SmallCluster()
    outcome = cluster.nodes[0].write_bundled(update(ttl_s=ttl_s), ALL)
    cluster.deliver()
    assert outcome.is_done
    assert outcome.error is None
    assert len(holders(cluster, b"k")) == 3


def test_unavailable_is_said_before_anything_is_done() -> None:
    cluster = SmallCluster()
    for node in cluster.nodes[1:]:
        cluster.take_down(node)
    with pytest.raises(Unavailable):
        cluster.nodes[0].add(update(), QUORUM)
    assert not cluster.nodes[0].bundles
    assert not holders(cluster, b"k")


def test_a_node_that_is_down_gets_a_hint_for_each() -> None:
    cluster = SmallCluster()
    cluster.take_down(cluster.nodes[2])
    outcomes = [cluster.nodes[0].add(update(b"%d" % number), QUORUM) for number in range(3)]
    cluster.nodes[0].bundles.send()
    cluster.deliver()
    assert all(outcome.error is None for outcome in outcomes)
    kept = cluster.nodes[0].hints.kept
    assert [node for node, _ in kept] == [cluster.nodes[2].node] * 3
    assert [PartitionUpdate.decode(mutations[0]).key for _, mutations in kept] == [b"0", b"1", b"2"]


def test_who_does_not_answer_in_time_gets_hints_and_clients_a_timeout() -> None:
    cluster = SmallCluster()
    for node in cluster.nodes[1:]:
        cluster.deaf[node.node] = None
    outcomes = [cluster.nodes[0].add(update(b"%d" % number), QUORUM) for number in range(2)]
    cluster.nodes[0].bundles.send()
    cluster.deliver()
    cluster.advance(1.9)
    assert not outcomes[0].is_done
    cluster.advance(0.2)
    for outcome in outcomes:
        with pytest.raises(WriteTimeout, match=r"Operation timed out - received only 1 responses\.") as caught:
            outcome.result  # noqa: B018
        error = caught.value
        assert (error.consistency, error.received, error.block_for, error.write_type) == (QUORUM, 1, 2, "SIMPLE")
    assert len(cluster.nodes[0].hints.kept) == 4
    assert not len(cluster.nodes[0].requests)


def test_who_is_late_after_enough_have_answered_gets_hints_and_nobody_is_told_twice() -> None:
    cluster = SmallCluster()
    cluster.deaf[cluster.nodes[2].node] = None
    outcome = cluster.nodes[0].write_bundled(update(), QUORUM)
    cluster.deliver()
    assert outcome.is_done
    assert not cluster.nodes[0].hints.kept
    cluster.advance(2.1)
    assert [node for node, _ in cluster.nodes[0].hints.kept] == [cluster.nodes[2].node]
    assert outcome.error is None


def test_an_acknowledgement_that_comes_twice_counts_once() -> None:
    cluster = SmallCluster()
    outcome = cluster.nodes[0].write_bundled(update(), ALL)
    for _ in range(2):
        cluster.nodes[0].requests.receive(cluster.nodes[1].node, Message(Verb.DONE, 1, b""), 0.0)
    assert not outcome.is_done


def failed_by(cluster: SmallCluster, outcomes: list[Outcome[None]], *told: tuple[int, Message]) -> list[Exception | None]:
    for sender, message in told:
        cluster.nodes[0].requests.receive(cluster.nodes[sender].node, message, 0.0)
    assert all(outcome.is_done for outcome in outcomes)
    return [outcome.error for outcome in outcomes]


def test_a_record_that_fails_fails_alone() -> None:
    cluster = SmallCluster()
    outcomes = [cluster.nodes[0].add(update(b"%d" % number), QUORUM) for number in range(3)]
    cluster.nodes[0].bundles.send()
    bad = Message(Verb.DONE_BUT, 1, encode_failures([(1, FailureReason.UNKNOWN)]))
    errors = failed_by(cluster, outcomes, (1, bad), (2, bad))
    assert errors[0] is errors[2] is None
    error = errors[1]
    assert isinstance(error, WriteFailure)
    assert error.message == (
        "Operation failed - received 1 responses and 2 failures: UNKNOWN from /10.0.0.2:7000, UNKNOWN from /10.0.0.3:7000"
    )
    assert (error.received, error.block_for, error.write_type) == (1, 2, "SIMPLE")
    assert len(cluster.nodes[0].hints.kept) == 2
    assert not len(cluster.nodes[0].requests)


def test_a_record_that_one_replica_fails_is_met_by_the_other() -> None:
    cluster = SmallCluster()
    outcomes = [cluster.nodes[0].add(update(b"%d" % number), QUORUM) for number in range(2)]
    cluster.nodes[0].bundles.send()
    bad = Message(Verb.DONE_BUT, 1, encode_failures([(0, FailureReason.UNKNOWN)]))
    assert failed_by(cluster, outcomes, (1, bad), (2, Message(Verb.DONE, 1, b""))) == [None, None]


def test_a_replica_without_the_table_fails_all() -> None:
    cluster = SmallCluster()
    del cluster.nodes[2].engine.stores[TABLE.id]
    outcome = cluster.nodes[0].write_bundled(update(), ALL)
    cluster.deliver()
    with pytest.raises(WriteFailure, match=r"INCOMPATIBLE_SCHEMA from /10\.0\.0\.3:7000"):
        outcome.result  # noqa: B018


def test_a_go_that_writes_much_sends_several_messages() -> None:
    cluster = SmallCluster()
    value = bytes(BUNDLE_BYTES_MAX // 4)
    outcomes = [cluster.nodes[0].add(update(b"%d" % number, value), QUORUM) for number in range(9)]
    cluster.nodes[0].bundles.send()
    assert len(cluster.queue) > 2
    cluster.deliver()
    assert all(outcome.is_done for outcome in outcomes)


def test_deletions_are_no_rows_and_are_taken_as_mutations() -> None:
    cluster = SmallCluster()
    deletion = PartitionUpdate(TABLE.id, b"k", Deletion(5, 5)).encode()
    assert cluster.nodes[0].replica.apply_each([deletion]) == []
    stored = cluster.nodes[0].engine.stores[TABLE.id].maybe_stored(b"k")
    assert stored is not None
    assert stored.deletion == Deletion(5, 5)


class FailedLog:
    failure = OSError("disk")


def test_what_the_local_log_refused_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = SmallCluster()
    first = cluster.nodes[0]
    outcomes = [first.add(update(), level) for level in (ONE, QUORUM, ALL)]
    monkeypatch.setattr(first.engine, "commit_log", FailedLog())
    first.bundles.send()
    assert not outcomes[0].is_done
    cluster.deliver()
    assert [outcome.error for outcome in outcomes[:2]] == [None, None]
    assert isinstance(outcomes[2].error, WriteFailure)


@pytest.mark.parametrize("records", [[], [b"one"], [b"", b"two", bytes(300)]])
def test_records_come_back_as_they_were(records: list[bytes]) -> None:
    assert decode_records(encode_records(records)) == records


def test_records_that_do_not_fill_their_message_are_refused() -> None:
    encoded = encode_records([b"one", b"two"])
    for damaged in (encoded[:-1], encoded + b"x", encoded[:5], b""):
        with pytest.raises(PeerError):
            decode_records(damaged)
    with pytest.raises(PeerError):
        decode_failures(b"123")
