"""The short way of counters leaves what the general one leaves, and gives up where it must."""

import struct
from random import Random

import pytest
from small_session import VERSION, SmallSession

from protocol import responses
from protocol.primitives import UNSET, Value
from protocol.requests import Prepare, Query

SCHEMA = (
    "CREATE KEYSPACE f WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE f.hits (k bigint PRIMARY KEY, n counter)",
    "CREATE TABLE f.wide (k int, l text, c int, d decimal, n counter, m counter, s counter static, "
    "PRIMARY KEY ((k, l), c, d)) WITH CLUSTERING ORDER BY (c DESC)",
)
READ = ("SELECT k, n, writetime(n) FROM f.hits", "SELECT k, l, c, d, s, n, m, writetime(n), writetime(m) FROM f.wide")
HIT = "UPDATE f.hits SET n = n + 1 WHERE k = ?"
WIDE = "WHERE k = ? AND l = ? AND c = ? AND d = ?"


def long(number: int) -> bytes:
    return struct.pack(">q", number)


def integer(number: int) -> bytes:
    return struct.pack(">i", number)


def both() -> tuple[SmallSession, SmallSession]:
    return SmallSession(True, SCHEMA), SmallSession(False, SCHEMA)


DECIMALS = (b"\0\0\0\0\1", b"\0\0\0\1\x0a", b"\0\0\0\0\2")
"""1, 1.0, 2: two of them are one row."""


def key(rng: Random) -> tuple[bytes, ...]:
    return integer(rng.randrange(2)), b"x", integer(rng.randrange(2)), rng.choice(DECIMALS)


STEPS = (
    f"UPDATE f.wide SET n = n + ? {WIDE}",
    f"UPDATE f.wide SET n = n + ? {WIDE}",
    f"UPDATE f.wide SET m -= ?, n += ? {WIDE}",
    f"UPDATE f.wide SET n = n - 2, m = m + ? {WIDE}",
    f"UPDATE f.wide SET s = s + ?, n = n + 1 {WIDE}",
    f"DELETE FROM f.wide {WIDE}",
    f"DELETE n FROM f.wide {WIDE}",
    "DELETE FROM f.wide WHERE k = ? AND l = ? AND c = ?",
    "DELETE FROM f.wide WHERE k = ? AND l = ?",
)


@pytest.mark.parametrize("seed", range(12))
def test_increments_and_deletions_leave_what_the_general_way_leaves(seed: int) -> None:
    fast, general = both()
    rng = Random(seed)
    steps = STEPS[: rng.choice((4, 5, 9))]
    for time in range(1, 40):
        text, values = rng.choice(steps), key(rng)
        delta = long(rng.choice((1, -7, 1 << 62, -(1 << 63))))
        timestamp_us = time if rng.randrange(9) else time - 3
        parameters = (delta,) * (text.split("WHERE", 1)[0].count("?")) + values[: text.split("WHERE", 1)[1].count("?")]
        answers = [client.execute(text, *parameters, timestamp_us=timestamp_us) for client in (fast, general)]
        assert str(answers[0]) == str(answers[1])
        assert fast.rows(*READ) == general.rows(*READ), text
    assert True in fast.taken


def test_one_counter_takes_the_short_way_from_its_first_increment_on() -> None:
    fast, general = both()
    for client in (fast, general):
        for number in (1, 2, 1, 1):
            assert client.execute(HIT, long(number), timestamp_us=number) == responses.VoidResult()
    assert fast.taken == [True] * 4
    assert fast.rows(*READ) == general.rows(*READ)
    store = next(store for store in fast.node.engine.stores.values() if store.table.name == "hits")
    assert type(store.memtable.get(long(1))) is bytes


def test_a_deleted_counter_takes_the_general_way_and_others_do_not() -> None:
    fast, general = both()
    for client in (fast, general):
        client.execute(HIT, long(1), timestamp_us=1)
        client.execute(HIT, long(2), timestamp_us=1)
        client.execute("DELETE FROM f.hits WHERE k = ?", long(1), timestamp_us=2)
        fast.taken.clear()
        client.execute(HIT, long(1), timestamp_us=3)
        client.execute(HIT, long(2), timestamp_us=3)
        if client is fast:
            assert client.taken == [False, True]
    assert fast.rows(*READ) == general.rows(*READ)


@pytest.mark.parametrize("delta", [None, UNSET, b"", b"\1", bytes(9), long(-(1 << 63))])
@pytest.mark.parametrize("sign", "+-")
def test_an_odd_delta_is_answered_as_the_general_way_answers_it(delta: Value, sign: str) -> None:
    fast, general = both()
    text = f"UPDATE f.hits SET n = n {sign} ? WHERE k = ?"
    for value in (long(5), delta, long(5)):
        answers = [client.execute(text, value, long(1), timestamp_us=1) for client in (fast, general)]
        assert str(answers[0]) == str(answers[1])
    assert fast.rows(*READ) == general.rows(*READ)


@pytest.mark.parametrize("number", [None, UNSET, b"", b"\1"])
def test_an_odd_key_is_answered_as_the_general_way_answers_it(number: Value) -> None:
    answers = [client.execute(HIT, number, timestamp_us=1) for client in both()]
    assert isinstance(answers[0], responses.Error)
    assert str(answers[0]) == str(answers[1])


def test_a_timestamp_that_can_not_be_is_refused() -> None:
    answers = [client.execute(HIT, long(1), timestamp_us=-(1 << 63)) for client in both()]
    assert isinstance(answers[0], responses.Error)
    assert str(answers[0]) == str(answers[1])


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE f.hits SET n = n + 1 WHERE k = 1",
        "UPDATE f.hits SET n = n + 1 WHERE k IN (?, ?)",
        "UPDATE f.hits SET n = n + 1, n = n + 1 WHERE k = ?",
        "UPDATE f.wide SET s = s + 1 WHERE k = ? AND l = ?",
        f"UPDATE f.wide SET s = s + 1, n = n + 1 {WIDE}",
    ],
)
def test_statements_that_are_not_plain_have_no_short_way(text: str) -> None:
    client = SmallSession(True, SCHEMA)
    prepared = client.ask(Prepare(text))
    paths = client.node.statements.fast_paths(VERSION)
    assert isinstance(prepared, responses.Error) or prepared.statement_id not in paths  # type: ignore[union-attr]


@pytest.mark.parametrize("deleted", ["n ", ""])
def test_what_a_batch_deletes_it_does_not_count_up(deleted: str) -> None:
    client = SmallSession(True, SCHEMA)
    where = "WHERE k = 1 AND l = 'x' AND c = 1 AND d = 1"
    statements = f"UPDATE f.wide SET n = n + 10 {where}", f"DELETE {deleted}FROM f.wide {where}"
    for ordered in (statements, statements[::-1]):
        batch = f"BEGIN COUNTER BATCH {'; '.join(ordered)}; APPLY BATCH"
        assert client.ask(Query(batch)) == responses.VoidResult()
    client.ask(Query(f"DELETE FROM f.wide {where}"))
    client.ask(Query(statements[0]))
    found = client.ask(Query("SELECT n FROM f.wide"))
    assert isinstance(found, responses.RowsResult)
    assert found.content == integer(8) + long(10)


def test_truncated_counters_begin_anew() -> None:
    client = SmallSession(True, SCHEMA)
    for _ in range(2):
        client.execute(HIT, long(1), timestamp_us=1)
        assert len(client.rows(*READ)[0]) == 4 + 8 + 4 + 8 + 4 + 8
        assert client.rows(*READ)[0][16:24] == long(1)
        client.ask(Query("TRUNCATE f.hits"))
