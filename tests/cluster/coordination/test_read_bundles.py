"""Plain reads of one go: the coordinator's rows, digests of the others; what is not plain, or differs, is put back."""

import pytest
from small_cluster import TABLE, Again, SmallCluster, SmallNode

from cluster.consistency import Consistency
from cluster.coordination.outcome import Outcome
from cluster.internode.frames import Message
from cluster.internode.verbs import FailureReason, Verb
from cluster.reading.plain import ALL_ROWS, NOT_PLAIN, Digests, decode_plain, encode_plain, maybe_plain_rows
from protocol.errors import PeerError, ReadTimeout
from storage.mutation import Cell, Deletion, Liveness, PartitionUpdate, RangeTombstone, Row
from storage.token import token

QUORUM, ALL = Consistency.QUORUM, Consistency.ALL


def order_key(clustering: bytes) -> bytes:
    return TABLE.clustering[0].type.order_key(clustering)


def update(key: bytes = b"k", value: bytes = b"v", at_us: int = 1, columns: tuple[str, ...] = ("v",)) -> PartitionUpdate:
    row = Row((b"c",), Liveness(at_us), columns={name: Cell(at_us, value) for name in columns})
    return PartitionUpdate(TABLE.id, key, rows={order_key(b"c"): row})


def apply(node: SmallNode, change: PartitionUpdate) -> None:
    """As the hot path does: packed, if it can be."""
    node.engine.apply(change)


def read(node: SmallNode, level: int, *keys: bytes) -> list[Outcome[bytes]]:
    """In one go; what they come to is the key."""
    store = node.engine.stores[TABLE.id]
    outcomes = []
    for key in keys:
        rows = maybe_plain_rows(store, key, b"", ALL_ROWS)
        assert rows is not None
        plan = node.plans_of_read(level, is_scan=False).to_read(token(key))
        node.bundles.add_read(plan, store, encode_plain(key, b"", ALL_ROWS), Digests(store.layouts).of(rows), key)
        outcome: Outcome[bytes] = Outcome()
        node.bundles.claim(outcome)
        outcomes.append(outcome)
    node.bundles.send()
    return outcomes


def errors(outcomes: list[Outcome[bytes]]) -> list[type | None]:
    assert all(outcome.is_done for outcome in outcomes)
    return [None if outcome.error is None else type(outcome.error) for outcome in outcomes]


@pytest.mark.parametrize(("level", "asked"), [(QUORUM, 1), (ALL, 2)])
def test_reads_of_one_go_are_one_message_to_each_that_is_needed(level: int, asked: int) -> None:
    cluster = SmallCluster()
    keys = [b"%d" % number for number in range(20)]
    for node in cluster.nodes:
        for key in keys[:15]:
            apply(node, update(key))
    first = cluster.nodes[0]
    outcomes = read(first, level, *keys)
    assert not any(outcome.is_done for outcome in outcomes)
    cluster.deliver()
    assert [outcome.result for outcome in outcomes] == keys
    assert cluster.sent <= 4 * asked  # the others are nearest in turn, by the ring
    assert not any(len(node.requests) for node in cluster.nodes)


def test_the_same_row_has_the_same_digest_however_its_columns_came() -> None:
    cluster = SmallCluster()
    apply(cluster.nodes[1], update(b"other", columns=("w",)))  # layouts are numbered otherwise there
    apply(cluster.nodes[0], update(columns=("v", "w")))
    apply(cluster.nodes[1], update(columns=("w", "v")))
    apply(cluster.nodes[2], update(columns=("w", "v")))
    outcomes = read(cluster.nodes[0], ALL, b"k")
    cluster.deliver()
    assert errors(outcomes) == [None]


@pytest.mark.parametrize(
    "difference",
    [
        update(value=b"z"),
        update(at_us=2),
        update(columns=("w",)),
        PartitionUpdate(TABLE.id, b"k", rows={order_key(b"d"): Row((b"d",), Liveness(1), columns={"v": Cell(1, b"v")})}),
        PartitionUpdate(TABLE.id, b"k", Deletion(0, 5)),
        PartitionUpdate(TABLE.id, b"k", static=Row((), columns={"s": Cell(1, b"s")})),
        PartitionUpdate(TABLE.id, b"k", range_tombstones=(RangeTombstone(b"x", b"y", Deletion(1, 5)),)),
        PartitionUpdate(TABLE.id, b"k", rows={order_key(b"c"): Row((b"c",), columns={"w": Cell(1, None, 0, 5)})}),
    ],
)
def test_what_differs_goes_the_general_way_alone(difference: PartitionUpdate) -> None:
    cluster = SmallCluster()
    for node in cluster.nodes:
        apply(node, update())
        apply(node, update(b"same"))
    for node in cluster.nodes[1:]:
        apply(node, difference)
    outcomes = read(cluster.nodes[0], QUORUM, b"k", b"same")
    cluster.deliver()
    assert errors(outcomes) == [Again, None]


def test_nothing_here_and_a_deletion_there_is_a_difference() -> None:
    cluster = SmallCluster()
    for node in cluster.nodes[1:]:
        apply(node, PartitionUpdate(TABLE.id, b"k", Deletion(1, 5)))
    outcomes = read(cluster.nodes[0], QUORUM, b"k", b"nowhere")
    cluster.deliver()
    assert errors(outcomes) == [Again, None]


def test_all_of_three_must_agree() -> None:
    cluster = SmallCluster()
    for number, node in enumerate(cluster.nodes):
        apply(node, update())
        apply(node, update(b"old", at_us=1 + (number == 2)))
    outcomes = read(cluster.nodes[0], ALL, b"k", b"old")
    cluster.deliver()
    assert errors(outcomes) == [None, Again]


def test_one_more_is_asked_where_the_first_is_slow() -> None:
    cluster = SmallCluster()
    for node in cluster.nodes:
        apply(node, update())
    first = cluster.nodes[0]
    (asked,) = first.plans_of_read(QUORUM, is_scan=False).to_read(token(b"k")).contacts[1:]
    cluster.deaf[asked] = None
    outcomes = read(first, QUORUM, b"k")
    cluster.deliver()
    assert not outcomes[0].is_done
    cluster.advance(0.006)
    assert errors(outcomes) == [None]


def test_a_timeout_tells_of_the_data_that_was_here() -> None:
    cluster = SmallCluster()
    for node in cluster.nodes[1:]:
        cluster.deaf[node.node] = None
    outcomes = read(cluster.nodes[0], QUORUM, b"k")
    cluster.deliver()
    cluster.advance(4.9)
    assert not outcomes[0].is_done
    cluster.advance(0.2)
    with pytest.raises(ReadTimeout) as caught:
        outcomes[0].result  # noqa: B018
    error = caught.value
    assert (error.consistency, error.received, error.block_for, error.data_present) == (QUORUM, 1, 2, True)
    assert not len(cluster.nodes[0].requests)


@pytest.mark.parametrize(
    "message",
    [
        Message(Verb.FAILED, 1, FailureReason.UNKNOWN.to_bytes(2, "big")),
        Message(Verb.DIGESTS, 1, b"short"),
        Message(Verb.DIGESTS, 1, NOT_PLAIN),
    ],
)
def test_who_can_not_say_leaves_it_to_the_general_way(message: Message) -> None:
    cluster = SmallCluster()
    first = cluster.nodes[0]
    outcomes = read(first, QUORUM, b"k")
    (asked,) = first.plans_of_read(QUORUM, is_scan=False).to_read(token(b"k")).contacts[1:]
    first.requests.receive(asked, message, 0.0)
    assert errors(outcomes) == [Again]


def test_a_table_that_a_replica_does_not_have_is_for_the_general_way() -> None:
    cluster = SmallCluster()
    for node in cluster.nodes[1:]:
        del node.engine.stores[TABLE.id]
    outcomes = read(cluster.nodes[0], QUORUM, b"k")
    cluster.deliver()
    assert errors(outcomes) == [Again]


def test_commands_come_back_as_they_were() -> None:
    assert decode_plain(encode_plain(b"key", b"ck", 7)) == (b"key", b"ck", 7)
    for damaged in (b"", encode_plain(b"key", b"", 7)[:-1], encode_plain(b"", b"ck", 7)):
        with pytest.raises(PeerError):
            decode_plain(damaged)


def test_only_so_many_rows_are_looked_at_as_are_wanted() -> None:
    cluster = SmallCluster()
    node = cluster.nodes[0]
    for number in range(5):
        row = Row((b"%d" % number,), Liveness(1), columns={"v": Cell(1, b"v")})
        apply(node, PartitionUpdate(TABLE.id, b"k", rows={order_key(b"%d" % number): row}))
    store = node.engine.stores[TABLE.id]
    assert len(maybe_plain_rows(store, b"k", b"", 3) or ()) == 3
    assert len(maybe_plain_rows(store, b"k", order_key(b"2"), ALL_ROWS) or ()) == 1
    dead = Row((b"4",), deletion=Deletion(9, 5))
    apply(node, PartitionUpdate(TABLE.id, b"k", rows={order_key(b"4"): dead}))
    assert len(maybe_plain_rows(store, b"k", b"", 3) or ()) == 3
    assert maybe_plain_rows(store, b"k", b"", 5) is None
