"""Rows of compact tables that name only the first clustering columns, where Cassandra fails: counters, and indexes and views
of a table that is compact no more. What it answers to the rest is in compat-tests/scripts/compact."""

from functools import partial

import pytest
from small_server import small_node
from test_modifications import Client

from protocol.types import COUNTER, INT

TABLE = "(k int, a int, b int, {}, PRIMARY KEY (k, a, b)) WITH COMPACT STORAGE"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr("test_modifications.small_node", partial(small_node, drop_compact_storage_enabled=True))
    return Client()


def ints(*values: int | None) -> tuple[bytes | None, ...]:
    return tuple(None if value is None else INT.encode(value) for value in values)


def test_counters_count(client: Client) -> None:
    client.run(f"CREATE TABLE n {TABLE.format('n counter')}")
    prepared = client.prepare("UPDATE n SET n = n + ? WHERE k = 1 AND a = ?")
    for a, delta in ((1, 5), (2, 1), (1, 2)):
        client.execute(prepared, COUNTER.encode(delta), INT.encode(a))
    client.run("UPDATE n SET n = n + 7 WHERE k = 1 AND a = 1 AND b = 1")
    client.run("BEGIN COUNTER BATCH UPDATE n SET n = n + 10 WHERE k = 1 AND a = 1; APPLY BATCH")
    counted = [(ints(1, None), 17), (ints(1, 1), 7), (ints(2, None), 1)]
    assert client.run("SELECT a, b, n FROM n") == [(*of, COUNTER.encode(count)) for of, count in counted]
    client.run("DELETE FROM n WHERE k = 1 AND a = 1")
    assert client.run("SELECT a, b, n FROM n") == [(*ints(2, None), COUNTER.encode(1))]


def test_indexes_and_views_hold_the_rows_that_have_what_they_are_about(client: Client) -> None:
    client.run(f"CREATE TABLE t {TABLE.format('v int')}")
    for names, values in (("a", "1"), ("a", "2"), ("a, b", "1, 1"), ("a, b", "2, 1")):
        client.run(f"INSERT INTO t (k, {names}, v) VALUES (1, {values}, 9)")
    client.run("ALTER TABLE t DROP COMPACT STORAGE")
    whole = [ints(1, 1), ints(2, 1)]
    client.run("CREATE INDEX by_b ON t (b)")
    assert client.run("SELECT a, b FROM t WHERE b = 1") == whole
    client.run("CREATE INDEX by_v ON t (v)")
    assert len(client.run("SELECT a, b FROM t WHERE v = 9")) == 4
    assert client.run("SELECT a, b FROM t WHERE v = 9 AND a = 2 ALLOW FILTERING") == [ints(2, None), ints(2, 1)]
    client.run("DROP INDEX by_b")
    client.run("CREATE INDEX sai_b ON t (b) USING 'sai'")
    assert client.run("SELECT a, b FROM t WHERE b > 0") == whole
    where = " AND ".join(f"{name} IS NOT NULL" for name in "kab")
    client.run(f"CREATE MATERIALIZED VIEW w AS SELECT * FROM t WHERE {where} PRIMARY KEY (b, k, a)")
    assert client.run("SELECT a, b FROM w") == whole
    client.run("DELETE FROM t WHERE k = 1 AND a = 2")
    assert client.run("SELECT a, b FROM w") == whole[:1]
    assert client.run("SELECT a, b FROM t WHERE v = 9") == [ints(1, None), ints(1, 1)]
