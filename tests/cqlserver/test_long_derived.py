"""Large changes of tables with indexes and views are made in turns, while others write: the indexes and the views have what
the table has, whoever leaves or stops meanwhile."""

import random

import pytest

from cqlserver.node import Node
from protocol.requests import Batch, BatchEntry, Query, QueryOptions, Request
from protocol.responses import Error
from storage.environment.memory import FaultyDisk
from storage.indexes import derived
from storage.memtable import drafts
from storage.reads import TableStore
from tests.cqlserver.small_server import KEYSPACE
from tests.cqlserver.test_long_requests import Client, new_node

ROWS = 60
VALUES = 5
SCHEMA = (
    KEYSPACE,
    "USE ks",
    "CREATE TABLE t (k int, c int, v int, w int, PRIMARY KEY (k, c))",
    "CREATE INDEX ON t (v)",
    "CREATE INDEX ON t (w) USING 'sai'",
    "CREATE MATERIALIZED VIEW m AS SELECT * FROM t WHERE k IS NOT NULL AND c IS NOT NULL AND v IS NOT NULL "
    "PRIMARY KEY (v, k, c)",
)
PADDING = f"/* {'x' * 3_000} */"
"""Makes a statement one that is worked on in turns from the start."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "ROWS_MIN", 10)
    monkeypatch.setattr(derived, "_UPDATES_PER_PAUSE", 4)


def client(node: Node) -> Client:
    made = Client(node)
    made.ask("USE ks")
    return made


def begun(disk: FaultyDisk) -> Client:
    made = Client(new_node(disk=disk))
    for text in SCHEMA:
        response = made.ask(text)
        assert not isinstance(response, Error), response
    made.rows("SELECT c FROM t WHERE w = 1")  # from now on its index follows
    return made


def check(some: Client) -> int:
    """That all agree; how many rows there are."""
    rows = some.rows("SELECT k, c, v, w FROM t")
    for value in range(VALUES):
        for column, at in (("v", 2), ("w", 3)):
            expected = sorted(row for row in rows if row[at] == value.to_bytes(4, "big"))
            assert sorted(some.rows(f"SELECT k, c, v, w FROM t WHERE {column} = {value}")) == expected, (column, value)
    expected = sorted(row for row in rows if row[2] is not None)
    assert sorted(some.rows("SELECT k, c, v, w FROM m"), key=str) == sorted(expected, key=str)
    return len(rows)


def large(rng: random.Random) -> Request:
    kind = rng.randrange(4)
    if kind == 0:
        texts = [f"INSERT INTO t (k, c, v, w) VALUES (1, {c}, {rng.randrange(VALUES)}, {c % VALUES})" for c in range(ROWS)]
        return Batch(1, tuple(BatchEntry(text, ()) for text in texts), QueryOptions())
    some = ", ".join(map(str, rng.sample(range(ROWS), ROWS // 2)))
    value = rng.randrange(VALUES)
    text = {
        1: f"UPDATE t SET v = {value}, w = {rng.randrange(VALUES)} WHERE k = 1 AND c IN ({some})",
        2: f"DELETE FROM t WHERE k = 1 AND c > {rng.randrange(ROWS)}",
        3: "DELETE FROM t WHERE k = 1",
    }[kind]
    return Query(text + PADDING)


def small(rng: random.Random) -> str:
    c = rng.randrange(ROWS)
    return rng.choice(
        [
            f"INSERT INTO t (k, c, v, w) VALUES (1, {c}, {rng.randrange(VALUES)}, {rng.randrange(VALUES)})",
            f"UPDATE t SET v = {rng.randrange(VALUES)} WHERE k = 1 AND c = {c}",
            f"DELETE v FROM t WHERE k = 1 AND c = {c}",
            f"DELETE FROM t WHERE k = 1 AND c = {c}",
        ]
    )


def store_of(some: Client, table: str) -> TableStore:
    engine = some.session.node.engine
    found = engine.schema.maybe_table("ks", table) or engine.schema.keyspaces["ks"].views[table].table
    return engine.stores[found.id]


@pytest.mark.parametrize("seed", range(4))
def test_indexes_and_views_have_what_the_table_has_though_others_write_meanwhile(seed: int) -> None:
    print(f"seed {seed}")
    rng, disk = random.Random(seed), FaultyDisk()
    long = begun(disk)
    other = client(long.session.node)
    rows = turns = 0
    for _ in range(12):
        unanswered = long.begin(large(rng))
        for _ in long.steps(unanswered):
            turns += 1
            if rng.random() < 0.1:
                other.ask(small(rng))
            if rng.random() < 0.005:
                long.session.node.engine.flush()
            if rng.random() < 0.3:
                long.session.node.engine.background.step(0.0)
        response = long.answer()
        assert not isinstance(response, Error), response
        rows += check(other)
    assert rows > ROWS // 2
    assert turns > 300


def test_an_entry_that_another_write_brought_back_stays() -> None:
    """Entries go when the change has been made: by then a row may have its old value again."""
    long = begun(FaultyDisk())
    other = client(long.session.node)
    for c in range(ROWS):
        other.ask(f"INSERT INTO t (k, c, v, w) VALUES (1, {c}, 1, 1)")
    keys = ", ".join(map(str, range(ROWS)))
    unanswered = long.begin(Query(f"UPDATE t SET v = 2, w = 2 WHERE k = 1 AND c IN ({keys}) {PADDING}"))
    written = 0
    for _ in long.steps(unanswered):
        if not written and other.rows("SELECT v FROM t WHERE k = 1 AND c = 0") == [(b"\0\0\0\2",)]:
            written = 1
            other.ask(f"UPDATE t SET v = 1, w = 1 WHERE k = 1 AND c = {ROWS - 1}")
    assert written
    assert len(other.rows("SELECT c FROM t WHERE v = 1")) == len(other.rows("SELECT c FROM t WHERE w = 1")) == 1
    assert check(other) == ROWS


def until_awaited(long: Client) -> "tuple[object, TableStore]":
    unanswered = long.begin(
        Batch(
            1,
            tuple(BatchEntry(f"INSERT INTO t (k, c, v) VALUES (1, {c}, {c})", ()) for c in range(ROWS)),
            QueryOptions(),
        )
    )
    view = store_of(long, "m")
    for _ in long.steps(unanswered):
        if view.awaited:
            break
    assert view.awaited
    return unanswered, view


def test_a_view_that_is_still_to_change_is_not_flushed() -> None:
    """The SSTable would say that it has all of the log until then."""
    disk = FaultyDisk()
    long = begun(disk)
    unanswered, view = until_awaited(long)
    node, before = long.session.node, view.memtable
    node.engine.flush()
    for _ in range(50):
        node.engine.background.step(0.0)
    assert view.memtable is before
    for _ in long.steps(unanswered):  # type: ignore[arg-type]
        pass
    node.engine.background.finish()
    assert view.memtable is not before
    node.engine.close()
    assert len(Client(new_node(disk=disk)).rows("SELECT * FROM ks.m")) == ROWS


def test_a_view_changes_though_its_client_leaves() -> None:
    long = begun(FaultyDisk())
    unanswered, view = until_awaited(long)
    long.session.close()
    unanswered.close()  # type: ignore[attr-defined]
    assert not view.awaited
    assert len(client(long.session.node).rows("SELECT * FROM m")) == ROWS


@pytest.mark.parametrize("hurries", [False, True])
def test_entries_of_a_change_that_is_not_made_go_with_its_client(hurries: bool) -> None:
    long = begun(FaultyDisk())
    other = client(long.session.node)
    other.ask(f"INSERT INTO t (k, c, v, w) VALUES (1, {ROWS - 1}, 7, 7)")
    indexes = store_of(long, "t").indexes
    assert indexes is not None
    (_, hidden), (attached,) = next(iter(indexes.local.values())), indexes.attached.values()
    before = len(hidden.memtable), attached.postings.size
    entries = [f"INSERT INTO t (k, c, v, w) VALUES (1, {c}, {c % VALUES + 7}, {c % VALUES + 7})" for c in range(1_000)]
    unanswered = long.begin(Batch(1, tuple(BatchEntry(text, ()) for text in entries), QueryOptions()))
    for _ in long.steps(unanswered):
        if attached.postings.size > before[1] + 100:
            break
    assert attached.postings.size < 1_000
    assert len(hidden.memtable) > before[0]
    long.session.close()
    if hurries:
        unanswered.close()
    else:
        while not unanswered.leave(0.0):
            pass
    assert (len(hidden.memtable), attached.postings.size) == before
    assert check(other) == 1
    assert other.rows("SELECT c FROM t WHERE v = 7") == other.rows("SELECT c FROM t WHERE w = 7") != []


def test_what_is_truncated_meanwhile_does_not_come_back() -> None:
    long = begun(FaultyDisk())
    unanswered, _ = until_awaited(long)
    other = client(long.session.node)
    assert not isinstance(other.ask("TRUNCATE t"), Error)
    for _ in long.steps(unanswered):  # type: ignore[arg-type]
        pass
    assert check(other) == 0
