"""The short way of INSERT ... IF NOT EXISTS leaves and answers what the general one does, and gives up where it must."""

import struct

import pytest
from small_session import SmallSession

from protocol import responses
from protocol.primitives import UNSET, Value
from protocol.requests import Query

SCHEMA = (
    "CREATE KEYSPACE f WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE f.t (k int, c int, s int static, v text, PRIMARY KEY (k, c))",
)
READ = "SELECT * FROM f.t"
INSERT = "INSERT INTO f.t (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS"
LOCAL_SERIAL, ONE = 9, 1


def integer(number: int) -> bytes:
    return struct.pack(">i", number)


def both() -> tuple[SmallSession, SmallSession]:
    return SmallSession(True, SCHEMA), SmallSession(False, SCHEMA)


def test_a_row_that_is_not_there_is_inserted_the_short_way_and_one_that_is_is_shown() -> None:
    fast, general = both()
    for client in (fast, general):
        client.ask(Query("INSERT INTO f.t (k, s) VALUES (2, 7)"))
    for k, c, v in ((1, 1, b"a"), (1, 2, b"b"), (1, 1, b"c"), (2, 1, b"d"), (2, 1, b"e")):
        answers = [client.execute(INSERT, integer(k), integer(c), v) for client in (fast, general)]
        assert str(answers[0]) == str(answers[1])
    assert fast.taken == [False, True, False, True, False]  # the first learns that no other node has a say
    assert fast.rows(READ) == general.rows(READ)


def test_a_row_that_was_deleted_or_has_expired_is_not_there() -> None:
    fast, general = both()
    for client in (fast, general):
        client.execute(INSERT, integer(1), integer(1), b"a")
        client.ask(Query("DELETE FROM f.t WHERE k = 1 AND c = 1"))
        answer = client.execute(INSERT, integer(1), integer(1), b"b")
        assert isinstance(answer, responses.RowsResult)
        assert answer.content == integer(1) + b"\1"
    assert fast.taken == [False, True]
    assert fast.rows(READ) == general.rows(READ)


def test_the_timestamp_of_the_client_does_not_count() -> None:
    fast, general = both()
    for client in (fast, general):
        for c in (1, 2):
            client.execute(INSERT, integer(1), integer(c), b"a", timestamp_us=5)
        (times,) = client.rows("SELECT writetime(v) FROM f.t WHERE k = 1 AND c = 2")
        assert struct.unpack(">iq", times)[1] > 5
    assert fast.taken == [False, True]


@pytest.mark.parametrize("serial", [LOCAL_SERIAL, ONE])
def test_other_serial_levels_are_answered_as_the_general_way_answers_them(serial: int) -> None:
    fast, general = both()
    for c in (1, 2):
        answers = [client.execute(INSERT, integer(1), integer(c), b"a", serial=serial) for client in (fast, general)]
        assert str(answers[0]) == str(answers[1])
    assert fast.taken == [False, serial == LOCAL_SERIAL]


@pytest.mark.parametrize("values", [(None, b"a"), (integer(1), None), (UNSET, b"a"), (b"", b"a"), (integer(1), b"\xff")])
def test_odd_values_are_answered_as_the_general_way_answers_them(values: tuple[Value, Value]) -> None:
    fast, general = both()
    for parameters in ((integer(5), b"x"), values):
        answers = [client.execute(INSERT, integer(1), *parameters) for client in (fast, general)]
        assert str(answers[0]) == str(answers[1])
    assert fast.taken == [False, False]
    assert fast.rows(READ) == general.rows(READ)
