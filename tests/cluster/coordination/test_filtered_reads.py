"""Replicas filter, each what it has; what a client gets is what it would get of all that they have together."""

from dataclasses import replace
from types import MappingProxyType

import pytest
from small_cluster import TABLE, SmallCluster, SmallNode
from test_reads import ORDER_KEY, Rows, random_updates, read_all

from cluster.consistency import Consistency
from cluster.reading.command import ReadCommand
from cluster.reading.criteria import Criteria
from cluster.reading.protection import Protection
from storage.environment.environment import Rng
from storage.indexes.lookups import Indexed, IndexedRange, IndexedValue
from storage.keys import row_end
from storage.memtable.memtable import position_of
from storage.mutation import Cell, Deletion, Liveness, PartitionUpdate, Row
from storage.reads import EVERYTHING, Slice, TableStore
from storage.row_filter import Condition, FilterExpression, RowFilter
from storage.schema.metadata import ColumnKind, IndexMetadata

ONE, QUORUM, ALL = Consistency.ONE, Consistency.QUORUM, Consistency.ALL
COLUMNS = {column.name: column for column in TABLE.columns}
INDEXES = (
    IndexMetadata("by_v", "COMPOSITES", {"target": "v"}),
    IndexMetadata("by_s", "COMPOSITES", {"target": "s"}),
    IndexMetadata("sai_w", "CUSTOM", {"target": "w", "class_name": "StorageAttachedIndex"}),
)
INDEXED = replace(TABLE, indexes=MappingProxyType({index.name: index for index in INDEXES}))
BY_INDEX = {"v": "by_v", "s": "by_s", "w": "sai_w"}


def equal(name: str, value: bytes) -> FilterExpression:
    return FilterExpression(COLUMNS[name], Condition.EQUAL, (value,))


def cell_update(name: str, value: bytes, timestamp_us: int, ck: bytes = b"a", key: bytes = b"k") -> PartitionUpdate:
    columns = {name: Cell(timestamp_us, value)}
    if COLUMNS[name].kind is ColumnKind.STATIC:
        return PartitionUpdate(TABLE.id, key, static=Row((), columns=columns))
    return PartitionUpdate(TABLE.id, key, rows={ORDER_KEY(ck): Row((ck,), Liveness(timestamp_us), columns=columns)})


def two_of_three(first: list[PartitionUpdate], second: list[PartitionUpdate]) -> SmallCluster:
    """The third node is down, so a quorum are the first two."""
    cluster = SmallCluster(table=INDEXED)
    for node, updates in zip(cluster.nodes, (first, second), strict=False):
        for update in updates:
            node.apply(update)
    cluster.take_down(cluster.nodes[2])
    return cluster


def filtered(cluster: SmallCluster, node: SmallNode, command: ReadCommand, level: int) -> Rows:
    """As a client's coordinator does: what the replicas give is filtered again."""
    assert command.criteria is not None
    return passing(node.engine.stores[TABLE.id], read_all(cluster, node, command, level), command)


def passing(store: TableStore, found: Rows, command: ReadCommand) -> Rows:
    assert command.criteria is not None
    row_filter = RowFilter(store, command.criteria.expressions)
    kept = []
    for key, ck, row in found:
        # of a static column the newest that is there: these tests ask after it was repaired
        view = store.read(key, EVERYTHING, command.now_s)
        if row_filter.partition(key, None if view is None else view.static) and row_filter.takes(row):
            kept.append((key, ck, row))
    return kept


def scan(
    cluster: SmallCluster, *expressions: FilterExpression, limit: int = 100, lookup: Indexed | None = None
) -> ReadCommand:
    criteria = Criteria(expressions, lookup)
    return ReadCommand(TABLE.id, b"\0" * 8, None, cluster.clock.now_s(), limit, criteria=criteria)


@pytest.mark.parametrize("lookup", [None, IndexedValue("by_v", b"1")], ids=["filter", "index"])
def test_a_match_that_is_none_any_more_does_not_come_back(lookup: Indexed | None) -> None:
    cluster = two_of_three([cell_update("v", b"1", 1)], [cell_update("v", b"1", 1), cell_update("v", b"2", 2)])
    for node in cluster.nodes[:2]:
        assert filtered(cluster, node, scan(cluster, equal("v", b"1"), lookup=lookup), QUORUM) == []


def test_a_match_that_one_has_is_completed_by_the_other() -> None:
    cluster = two_of_three([cell_update("v", b"1", 1)], [cell_update("w", b"9", 5)])
    found = filtered(cluster, cluster.nodes[0], scan(cluster, equal("v", b"1")), QUORUM)
    assert [row.columns for _, _, row in found] == [{"v": Cell(1, b"1"), "w": Cell(5, b"9")}]


@pytest.mark.parametrize("lookup", [None, IndexedValue("by_v", b"1"), IndexedValue("sai_w", b"9")])
def test_a_match_that_neither_has_alone_is_found(lookup: Indexed | None) -> None:
    cluster = two_of_three([cell_update("v", b"1", 1)], [cell_update("w", b"9", 5)])
    command = scan(cluster, equal("v", b"1"), equal("w", b"9"), lookup=lookup)
    for node in cluster.nodes[:2]:
        assert len(filtered(cluster, node, command, QUORUM)) == 1


def test_a_static_match_that_one_has_brings_the_rows_of_the_other() -> None:
    cluster = two_of_three([cell_update("s", b"1", 2)], [cell_update("s", b"0", 1), cell_update("v", b"7", 1)])
    found = filtered(cluster, cluster.nodes[0], scan(cluster, equal("s", b"1")), QUORUM)
    assert [row.columns for _, _, row in found] == [{"v": Cell(1, b"7")}]


def test_a_row_that_is_deleted_where_the_static_row_matches_stays_so() -> None:
    """Who is asked for all of a partition tells of rows that the others may know better."""
    deleted = Row((b"a",), deletion=Deletion(5, SmallCluster().clock.now_s()))
    cluster = two_of_three(
        [cell_update("s", b"1", 9), PartitionUpdate(TABLE.id, b"k", rows={ORDER_KEY(b"a"): deleted})],
        [cell_update("v", b"7", 1), cell_update("v", b"8", 1, b"b")],
    )
    found = filtered(cluster, cluster.nodes[0], scan(cluster, equal("s", b"1")), QUORUM)
    assert [ck for _, ck, _ in found] == [ORDER_KEY(b"b")]


def test_a_static_row_alone_that_was_deleted_does_not_come_back() -> None:
    deleted = PartitionUpdate(TABLE.id, b"k", Deletion(5, SmallCluster().clock.now_s()))
    cluster = two_of_three([cell_update("s", b"1", 1)], [deleted])
    node = cluster.nodes[0]
    outcome, _ = node.proxy.scan(node.plans_of_read(QUORUM, True), scan(cluster, equal("k", b"k")))
    cluster.deliver()
    assert [view.static for view in outcome.result.store.scan(cluster.clock.now_s())] in ([], [None])


def test_a_limit_is_met_by_what_is_behind_the_matches_that_are_none() -> None:
    many = [cell_update("v", b"1", 1, bytes((at,))) for at in range(20)]
    newer = [cell_update("v", b"2", 2, bytes((at,))) for at in range(15)]
    cluster = two_of_three(many, many + newer)
    found = filtered(cluster, cluster.nodes[0], scan(cluster, equal("v", b"1"), limit=3), QUORUM)
    assert [ck for _, ck, _ in found] == [ORDER_KEY(bytes((at,))) for at in range(15, 20)]


def test_equal_replicas_are_asked_once() -> None:
    cluster = SmallCluster()
    for node in cluster.nodes:
        node.apply(cell_update("v", b"1", 1))
        node.apply(cell_update("v", b"2", 1, b"b"))
    outcome, _ = cluster.nodes[0].proxy.scan(cluster.nodes[0].plans_of_read(QUORUM, True), scan(cluster, equal("v", b"1")))
    cluster.deliver()
    assert outcome.is_done
    assert cluster.sent == 2


def test_at_one_a_replica_tells_what_it_takes_for_a_match_and_no_more() -> None:
    cluster = SmallCluster()
    node = cluster.nodes[0]
    node.apply(cell_update("v", b"1", 1))
    node.apply(cell_update("w", b"9", 1, b"b"))
    outcome, _ = node.proxy.scan(node.plans_of_read(ONE, True), scan(cluster, equal("v", b"1"), equal("w", b"9")))
    assert [view.key for view in outcome.result.store.scan(0)] == []


def random_criteria(rng: Rng) -> Criteria:
    names = [name for name in ("c", "s", "v", "w") if rng.float() < 0.4] or ["v"]
    expressions = []
    for name in names:
        value = bytes((rng.int_below(12 if name == "c" else 3),))
        condition = (Condition.EQUAL, Condition.EQUAL, Condition.GREATER, Condition.LESS_OR_EQUAL)[rng.int_below(4)]
        if rng.float() < 0.1:
            expressions.append(FilterExpression(COLUMNS[name], Condition.IN, (value, b"\0")))
        else:
            expressions.append(FilterExpression(COLUMNS[name], condition, (value,)))
    looked_up = [e for e in expressions if e.column.name in BY_INDEX and e.condition is Condition.EQUAL]
    lookup: Indexed | None = None
    if looked_up and rng.float() < 0.6:
        chosen = looked_up[rng.int_below(len(looked_up))]
        lookup = IndexedValue(BY_INDEX[chosen.column.name], chosen.values[0])
    ranged = [e for e in expressions if e.column.name == "w" and e.condition is Condition.GREATER]
    if ranged and lookup is None:
        lookup = IndexedRange("sai_w", ranged[0].values[0], False, None, False)
    return Criteria(tuple(expressions), lookup)


def random_reading(seed: int) -> tuple[Rows, Rows]:
    """What is found at ALL by criteria, and what there is, of writes that reached some."""
    rng = Rng(seed.to_bytes(4, "big"))
    cluster = SmallCluster(table=INDEXED)
    now_s = cluster.clock.now_s()
    twin = TableStore(INDEXED)
    for update in random_updates(rng, now_s, 3):
        twin.apply(update)
        reached = [node for node in cluster.nodes if rng.float() < 0.6]
        for node in reached or cluster.nodes[:1]:
            node.apply(update)
    low, high = sorted((rng.int_below(13), rng.int_below(13)))
    slices = EVERYTHING if rng.float() < 0.5 else (Slice(ORDER_KEY(bytes((low,))), row_end(ORDER_KEY(bytes((high,))))),)
    reverse, limit = rng.float() < 0.4, rng.int_below(6) + 1
    command = ReadCommand(TABLE.id, b"\0" * 8, None, now_s, limit, slices, reverse, random_criteria(rng))
    if rng.float() < 0.4:
        start = position_of(bytes((rng.int_below(4),)))
        command = replace(command, start=start, end=start + b"\0")
    coordinator = cluster.nodes[rng.int_below(3)]
    told = read_all(cluster, coordinator, command, ALL)
    there: Rows = [
        (view.key, ck, twin.layouts.explode(row))
        for view in twin.scan(now_s, command.start, command.end, slices, reverse)
        for ck, row in view.items()
    ]
    # the static row that decides is the twin's: that of what was told may lie in another page
    return passing(twin, told, command), passing(twin, there, command)


@pytest.mark.parametrize("seed", range(150))
def test_what_is_found_is_what_all_replicas_know_together(seed: int) -> None:
    found, there = random_reading(seed)
    assert found == there, f"seed {seed}"


def test_without_protection_that_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Protection, "wanted", lambda self: {})
    assert sum(found != there for found, there in map(random_reading, range(40))) > 5


def test_replicas_that_each_want_all_conditions_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Criteria, "asked_of", lambda self, replicas: replace(self, is_strict=True))
    cluster = two_of_three([cell_update("v", b"1", 1)], [cell_update("w", b"9", 5)])
    assert filtered(cluster, cluster.nodes[0], scan(cluster, equal("v", b"1"), equal("w", b"9")), QUORUM) == []
    assert any(found != there for found, there in map(random_reading, range(150)))
