"""Reads through the machines: what replicas differ in is found, merged, repaired; what is told when they don't answer."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from small_cluster import TABLE, SmallCluster, SmallNode

from cluster.consistency import Consistency
from cluster.reading.answer import DataAnswer
from cluster.reading.command import ReadCommand, slices_behind
from cluster.reading.criteria import Criteria, Nearest
from cluster.reading.passing import Counting
from protocol.errors import ReadTimeout
from storage.environment.environment import Rng
from storage.indexes.lookups import IndexedRange, IndexedText, IndexedValue
from storage.keys import row_end
from storage.memtable.memtable import Position, position_of
from storage.mutation import (
    LIVE,
    NO_LIVENESS,
    Cell,
    ComplexColumn,
    Deletion,
    Liveness,
    PartitionUpdate,
    RangeTombstone,
    Row,
)
from storage.reads import EVERYTHING, Slice, TableStore
from storage.row_filter import Condition, FilterExpression

ONE, QUORUM, ALL = Consistency.ONE, Consistency.QUORUM, Consistency.ALL
ORDER_KEY = TABLE.clustering[0].type.order_key
Rows = list[tuple[bytes, bytes, Row]]


def row_update(ck: bytes, timestamp_us: int, value: bytes | None = b"v", key: bytes = b"k") -> PartitionUpdate:
    cell = Cell(timestamp_us, value) if value is not None else Cell(timestamp_us, None, 0, 1_700_000_000)
    return PartitionUpdate(TABLE.id, key, rows={ORDER_KEY(ck): Row((ck,), Liveness(timestamp_us), columns={"v": cell})})


def whole(cluster: SmallCluster, limit: int = 100, key: bytes = b"k", reverse: bool = False) -> ReadCommand:
    return ReadCommand.of_partition(TABLE.id, key, cluster.clock.now_s(), limit, EVERYTHING, reverse)


def values(store: TableStore, now_s: int) -> dict[bytes, bytes | None]:
    found = {}
    for view in store.scan(now_s):
        for ck, row in view.items():
            cell = store.layouts.explode(row).columns.get("v")
            assert not isinstance(cell, ComplexColumn)
            found[ck] = None if cell is None else cell.value
    return found


def test_what_a_replica_lacks_is_written_before_the_answer() -> None:
    cluster = SmallCluster()
    first, second, _ = cluster.nodes
    first.apply(row_update(b"a", 1))
    second.apply(row_update(b"a", 2, b"newer"))
    second.apply(row_update(b"b", 1))
    outcome = first.read(whole(cluster), QUORUM)
    cluster.deliver()
    found = {ORDER_KEY(b"a"): b"newer", ORDER_KEY(b"b"): b"v"}
    now_s = cluster.clock.now_s()
    assert values(outcome.result.store, now_s) == found
    assert values(first.engine.stores[TABLE.id], now_s) == found
    assert first.proxy.mismatches == 1
    assert first.read(whole(cluster), QUORUM)
    cluster.deliver()
    assert first.proxy.mismatches == 1


def test_a_deletion_that_one_missed_does_not_come_back() -> None:
    cluster = SmallCluster()
    first, second, third = cluster.nodes
    for node in cluster.nodes:
        node.apply(row_update(b"a", 1))
    second.apply(PartitionUpdate(TABLE.id, b"k", Deletion(5, cluster.clock.now_s())))
    cluster.take_down(third)
    outcome = first.read(whole(cluster), QUORUM)
    cluster.deliver()
    assert values(outcome.result.store, cluster.clock.now_s()) == {}
    assert values(first.engine.stores[TABLE.id], cluster.clock.now_s()) == {}


def test_equal_replicas_send_one_digest_and_nothing_else() -> None:
    cluster = SmallCluster()
    for node in cluster.nodes:
        node.apply(row_update(b"a", 1))
    outcome = cluster.nodes[0].read(whole(cluster), QUORUM)
    cluster.deliver()
    assert outcome.is_done
    assert cluster.sent == 2


def test_the_order_of_columns_is_no_difference() -> None:
    cluster = SmallCluster()
    columns = {"v": Cell(1, b"1"), "w": Cell(1, b"2")}
    for node, given in zip(cluster.nodes, (columns, dict(reversed(columns.items())), columns), strict=True):
        node.apply(PartitionUpdate(TABLE.id, b"k", rows={ORDER_KEY(b"a"): Row((b"a",), Liveness(1), columns=given)}))
    outcome = cluster.nodes[0].read(whole(cluster), ALL)
    cluster.deliver()
    assert outcome.is_done
    assert cluster.sent == 4


def test_a_slow_replica_is_helped_out() -> None:
    cluster = SmallCluster()
    cluster.deaf[cluster.nodes[1].node] = None
    outcome = cluster.nodes[0].read(whole(cluster), QUORUM)
    cluster.deliver()
    assert not outcome.is_done
    cluster.advance(0.006)
    assert outcome.is_done


def test_a_timeout_says_how_many_answered_and_whether_with_data() -> None:
    cluster = SmallCluster()
    for node in cluster.nodes[1:]:
        cluster.deaf[node.node] = None
    outcome = cluster.nodes[0].read(whole(cluster), QUORUM)
    for _ in range(3):
        cluster.advance(2)
    with pytest.raises(ReadTimeout, match=r"Operation timed out - received only 1 responses\.") as caught:
        outcome.result  # noqa: B018
    assert (caught.value.received, caught.value.block_for, caught.value.data_present) == (1, 2, True)


def test_a_short_answer_is_no_answer_for_what_lies_behind_it() -> None:
    """One has deleted the first rows, the other has them alone: with a limit, each tells only of its first row."""
    cluster = SmallCluster()
    first, second, third = cluster.nodes
    for at in range(6):
        row = row_update(bytes((at,)), 1)
        first.apply(row)
        second.apply(row)
    for at in range(3):
        ck = ORDER_KEY(bytes((at,)))
        dead = Row((bytes((at,)),), NO_LIVENESS, Deletion(2, cluster.clock.now_s()))
        second.apply(PartitionUpdate(TABLE.id, b"k", rows={ck: dead}))
    cluster.take_down(third)
    found = read_all(cluster, first, whole(cluster, limit=1), QUORUM)
    assert [ck for _, ck, _ in found] == [ORDER_KEY(bytes((at,))) for at in range(3, 6)]


def read_all(cluster: SmallCluster, node: SmallNode, command: ReadCommand, level: int) -> Rows:
    """All rows, from page to page as a client of the machines goes."""
    found: Rows = []
    end: Position | None = None
    while True:
        plans = node.plans_of_read(level, is_scan=not command.is_of_partition)
        if command.is_of_partition:
            outcome, end = node.proxy.read(plans, command), command.end
        else:
            outcome, end = node.proxy.scan(plans, command)
        cluster.deliver()
        page = outcome.result
        found += rows_of(page.store, command)
        if page.end is not None and page.end.ck is not None and not command.is_of_partition:
            found += read_all(cluster, node, command.behind(page.end), level)
            command = command.behind(page.end._replace(ck=None))
        elif page.end is not None:
            command = command.behind(page.end)
            if not command.slices:
                return found
        elif end == command.end:
            return found
        else:
            assert end is not None
            command = replace(command, start=end)


def rows_of(store: TableStore, command: ReadCommand) -> Rows:
    return [
        (view.key, ck, store.layouts.explode(row))
        for view in store.scan(command.now_s, command.start, command.end, command.slices, command.reverse)
        for ck, row in view.items()
    ]


def random_updates(rng: Rng, now_s: int, values: int = 256) -> Iterator[PartitionUpdate]:
    def value() -> bytes:
        return bytes((rng.int_below(values),))

    for _ in range(rng.int_below(60) + 20):
        key, timestamp_us = bytes((rng.int_below(4),)), rng.int_below(40) + 1
        ck = bytes((rng.int_below(12),))
        deletion = Deletion(timestamp_us, now_s - rng.int_below(10))
        luck = rng.float()
        rows: dict[bytes, Row] = {}
        static, partition, tombstones = None, LIVE, ()
        if luck < 0.04:
            partition = deletion
        elif luck < 0.12:
            low, high = sorted((rng.int_below(13), rng.int_below(13)))
            tombstones = (RangeTombstone(ORDER_KEY(bytes((low,))), row_end(ORDER_KEY(bytes((high,)))), deletion),)
        elif luck < 0.2:
            static = Row((), columns={"s": Cell(timestamp_us, value())})
        elif luck < 0.3:
            rows[ORDER_KEY(ck)] = Row((ck,), NO_LIVENESS, deletion)
        else:
            cell = Cell(timestamp_us, value())
            if luck < 0.4:
                cell = Cell(timestamp_us, None, 0, now_s)
            elif luck < 0.5:
                cell = Cell(timestamp_us, value(), 100, now_s + rng.int_below(200) - 100)
            liveness = Liveness(timestamp_us) if rng.float() < 0.5 else NO_LIVENESS
            rows[ORDER_KEY(ck)] = Row((ck,), liveness, columns={"v" if rng.float() < 0.5 else "w": cell})
        yield PartitionUpdate(TABLE.id, key, partition, static, rows, tombstones)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_read_is_what_all_replicas_know_together_and_then_each_does(seed: int) -> None:
    rng = Rng(seed.to_bytes(4, "big"))
    cluster = SmallCluster()
    now_s = cluster.clock.now_s()
    twin = TableStore(TABLE)
    for update in random_updates(rng, now_s):
        twin.apply(update)
        reached = [node for node in cluster.nodes if rng.float() < 0.6]
        for node in reached or cluster.nodes[:1]:
            node.apply(update)
    low, high = sorted((rng.int_below(13), rng.int_below(13)))
    slices = EVERYTHING if rng.float() < 0.5 else (Slice(ORDER_KEY(bytes((low,))), row_end(ORDER_KEY(bytes((high,))))),)
    reverse, limit = rng.float() < 0.4, rng.int_below(6) + 1
    command = ReadCommand(TABLE.id, b"\0" * 8, None, now_s, limit, slices, reverse)
    coordinator = cluster.nodes[rng.int_below(3)]
    assert read_all(cluster, coordinator, command, ALL) == rows_of(twin, command), f"seed {seed}"
    everything = ReadCommand(TABLE.id, b"\0" * 8, None, now_s, 1000)
    read_all(cluster, coordinator, everything, ALL)
    assert len({node.replica.read(everything).digest for node in cluster.nodes}) == 1, f"seed {seed}"
    for key in {position_of(bytes((at,)))[8:] for at in range(4)}:
        command = ReadCommand.of_partition(TABLE.id, key, now_s, limit, slices, reverse)
        assert read_all(cluster, coordinator, command, QUORUM) == rows_of(twin, command), f"seed {seed}"


def test_commands_survive_the_wire() -> None:
    from cluster.reading.command import decode_command, encode_command
    from protocol.errors import PeerError

    slices = (Slice(b"a", b"b"), Slice(b"", b"\xff"))
    column = TABLE.columns[3]
    expressions = (
        FilterExpression(column, Condition.EQUAL, (b"1",), "i"),
        FilterExpression(column, Condition.IN, (b"1", b"", b"2")),
        FilterExpression(column, Condition.ENTRY, (b"1", b"2")),
    )
    by_value = IndexedValue("i", b"1", b"key")
    by_range = IndexedRange("i", None, False, b"", True)
    for command in (
        ReadCommand(TABLE.id, b"\0" * 8, None, 5, 7),
        ReadCommand(TABLE.id, b"\0" * 8, b"\1" * 8, 1 << 40, 0, slices, True),
        ReadCommand.of_partition(TABLE.id, b"key", 5, 1, ()),
        replace(ReadCommand(TABLE.id, b"\0" * 8, None, 5, 7), partition_limit=1),
        replace(ReadCommand(TABLE.id, b"\0" * 8, None, 5, 7, slices), criteria=Criteria(expressions, by_value, False, True)),
        ReadCommand(TABLE.id, b"\0" * 8, None, 5, 7, criteria=Criteria(expressions[:1], by_range)),
        ReadCommand(TABLE.id, b"\0" * 8, None, 5, 7, criteria=Criteria((), Nearest("i", b"\0" * 8))),
        ReadCommand(TABLE.id, b"\0" * 8, None, 5, 7, criteria=Criteria((), IndexedText("i", Condition.LIKE_PREFIX, b"a"))),
    ):
        assert decode_command(encode_command(command), lambda table_id: TABLE) == (command, 0)
        encoded = encode_command(command, 70_000)
        assert decode_command(encoded, lambda table_id: TABLE) == (command, 70_000)
        for cut in range(len(encoded)):
            try:
                decode_command(encoded[:cut], lambda table_id: TABLE)
            except PeerError:
                continue
    assert slices_behind((Slice(b"a", b"c"), Slice(b"d", b"f")), b"d", reverse=True) == (Slice(b"a", b"c"),)


def test_answers_that_come_while_the_local_replica_is_at_work_count() -> None:
    """A read here may pause, and the others' answers were lost meanwhile: it waited until one more replica was asked."""
    cluster = SmallCluster()
    node = cluster.nodes[0]
    for other in cluster.nodes:
        other.apply(row_update(b"a", 1))
    read, delivered = node.replica.read, []

    def read_with_a_pause(command: ReadCommand, counting: Counting) -> DataAnswer:
        delivered.append(len(cluster.queue))
        cluster.deliver()
        return read(command, counting)

    node.replica.read = read_with_a_pause  # type: ignore[method-assign]
    assert node.read(whole(cluster), QUORUM).is_done
    assert delivered == [1]
