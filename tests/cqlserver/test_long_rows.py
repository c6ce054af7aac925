"""What turns out to be long while it is worked on: others have their turn meanwhile, answers are the same, and nothing is
seen half done."""

import json
from decimal import Decimal

import pytest

from cqlserver.functions import logarithms
from cqlserver.functions.logarithms import decimal_logarithm, exponential, natural_logarithm, rounding_to
from protocol.requests import Batch, BatchEntry, Execute, Prepare, Query, QueryOptions
from protocol.responses import Error, PreparedResult, RowsResult
from storage import reads
from tests.cqlserver.test_long_requests import Client, client, integer

CELLS = 3_000
ROWS = 2_000
MAP = integer(CELLS) + b"".join(b"\0\0\0\4" + integer(n) + b"\0\0\0\4" + integer(2 * n) for n in range(CELLS))
ENOUGH_STEPS = 5


def with_map() -> Client:
    session = client()
    assert not isinstance(bound(session, "INSERT INTO l (k, m) VALUES (1, ?)", MAP), Error)
    return session


def bound(session: Client, text: str, *values: bytes) -> object:
    prepared = session.ask(Prepare(text))
    assert isinstance(prepared, PreparedResult), prepared
    return session.ask(Execute(prepared.statement_id, None, QueryOptions(values=values)))


def in_steps(session: Client, text: str) -> tuple[object, int]:
    """The answer, and in how many steps it came."""
    count = sum(1 for _ in session.steps(session.begin(Query(text))))
    return session.answer(), count


@pytest.mark.parametrize(
    "text",
    [
        "SELECT m FROM l WHERE k = 1",
        "SELECT JSON m FROM l WHERE k = 1",
        "SELECT to_json(m) FROM l WHERE k = 1",
        "SELECT m[7], writetime(m) FROM l WHERE k = 1",
        "SELECT k FROM l WHERE m CONTAINS 14 ALLOW FILTERING",
        "SELECT collection_count(m), map_keys(m), map_values(m) FROM l",
    ],
)
def test_rows_with_long_collections_are_read_in_turns(text: str) -> None:
    response, steps = in_steps(with_map(), text)
    assert isinstance(response, RowsResult)
    assert steps > ENOUGH_STEPS
    first = next(iter(response.rows()))[0]
    if text.startswith("SELECT m FROM"):
        assert first == MAP
    elif "JSON" in text or "json" in text:
        assert first is not None
        shown = json.loads(first)
        assert shown.get("m", shown) == {str(n): 2 * n for n in range(CELLS)}
    elif "CONTAINS" in text:
        assert first == integer(1)


def test_a_cell_that_joins_many_is_merged_in_turns_and_seen_at_once() -> None:
    session = with_map()
    other = Client(session.session.node)
    unanswered = session.begin(Query("UPDATE l SET m[5] = 6 WHERE k = 1"))
    steps = 0
    for _ in session.steps(unanswered):
        steps += 1
        if steps % 20 == 0:
            assert other.rows("SELECT m[5] FROM ks.l WHERE k = 1") == [(integer(10),)]
    assert not isinstance(session.answer(), Error)
    assert steps > ENOUGH_STEPS
    assert session.rows("SELECT m[5] FROM l WHERE k = 1") == [(integer(6),)]


@pytest.fixture(autouse=True)
def few_bytes_are_much_to_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "BYTES_DROPPED_PER_GO_MAX", 1_000)


def with_rows() -> Client:
    session = client()
    prepared = session.ask(Prepare("INSERT INTO t (k, c, v) VALUES (1, ?, 'x')"))
    assert isinstance(prepared, PreparedResult)
    entries = tuple(BatchEntry(prepared.statement_id, (integer(c),)) for c in range(ROWS))
    assert not isinstance(session.ask(Batch(1, entries, QueryOptions())), Error)
    return session


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("DELETE FROM t WHERE k = 1", 0),
        ("DELETE FROM t WHERE k = 1 AND c >= 100", 100),
        ("TRUNCATE t", 0),
    ],
)
def test_many_rows_are_deleted_in_turns_and_at_once(text: str, left: int) -> None:
    session = with_rows()
    other = Client(session.session.node)
    seen = set()
    steps = 0
    for _ in session.steps(session.begin(Query(text))):
        steps += 1
        if steps % 5 == 0:
            seen.add(other.rows("SELECT count(*) FROM ks.t WHERE k = 1")[0][0])
    assert "TRUNCATE" in text or steps > ENOUGH_STEPS
    assert seen <= {ROWS.to_bytes(8, "big"), left.to_bytes(8, "big")}
    assert other.rows("SELECT count(*) FROM ks.t WHERE k = 1") == [(left.to_bytes(8, "big"),)]


def test_a_row_written_while_a_partition_is_deleted_in_turns_survives() -> None:
    session = with_rows()
    other = Client(session.session.node)
    unanswered = session.begin(Query("DELETE FROM t WHERE k = 1"))
    steps = session.steps(unanswered)
    for _ in range(ENOUGH_STEPS):
        next(steps)
    other.ask("INSERT INTO ks.t (k, c, v) VALUES (1, 5, 'later')")
    for _ in steps:
        pass
    assert not isinstance(session.answer(), Error)
    assert session.rows("SELECT c, v FROM t WHERE k = 1") == [(integer(5), b"later")]


def test_drops_of_large_tables_are_done_by_strands() -> None:
    session = with_rows()
    response, _ = in_steps(session, "DROP TABLE t")  # which asserts that it did not end in the loop's go
    assert not isinstance(response, Error)
    assert isinstance(session.ask("SELECT * FROM t"), Error)


@pytest.mark.parametrize("digits", [1, 32, 120, 301, 700])
def test_logarithms_in_pieces_are_those_of_the_decimal_module(digits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logarithms, "DIRECT_DIGITS", 0)
    context = rounding_to(digits)
    for text in ("2", "7.25", "0.0001", "1.000000000000000000003", "0.99999999999999999999", "31415926e300", "5e-400"):
        number = Decimal(text)
        assert natural_logarithm(number, digits).as_tuple() == number.ln(context).as_tuple(), text
        wider = rounding_to(digits + 2)
        quotient = wider.divide(number.ln(wider), Decimal(10).ln(wider))
        assert decimal_logarithm(number, digits).as_tuple() == context.plus(quotient).as_tuple(), text
    for text in ("1", "-1", "0.5", "-700.125", "1e-30", "-3e-200", "12345.678"):
        assert exponential(Decimal(text), digits).as_tuple() == Decimal(text).exp(context).as_tuple(), text


@pytest.mark.parametrize("condition", ["IF m[5] = 10", "IF m CONTAINS KEY 5", "IF EXISTS"])
def test_a_condition_on_many_cells_is_decided_in_turns(condition: str) -> None:
    session, at_once = with_map(), client(hasty=False)
    bound(at_once, "INSERT INTO l (k, m) VALUES (1, ?)", MAP)
    text = f"UPDATE l SET m[6] = 1 WHERE k = 1 {condition}"
    response, steps = in_steps(session, text)
    assert steps > ENOUGH_STEPS
    assert response == at_once.ask(text)
    assert session.rows("SELECT m[6] FROM l WHERE k = 1") == [(integer(1),)]


def test_a_condition_that_ceases_to_hold_while_it_is_looked_at_is_refused() -> None:
    session = with_map()
    other = Client(session.session.node)
    unanswered = session.begin(Query("UPDATE l SET m[6] = 1 WHERE k = 1 IF m[5] = 10"))
    for steps, _ in enumerate(session.steps(unanswered)):
        if steps == ENOUGH_STEPS:
            other.ask("UPDATE ks.l SET m[5] = 11 WHERE k = 1")
    response = session.answer()
    assert isinstance(response, RowsResult)
    value_at = 4 + 5 * 16 + 12
    assert response.rows() == [(b"\0", MAP[:value_at] + integer(11) + MAP[value_at + 4 :])]
    assert session.rows("SELECT m[6] FROM l WHERE k = 1") == [(integer(12),)]


def test_a_condition_on_what_others_change_all_the_time_is_decided_in_the_end() -> None:
    session = with_map()
    other = Client(session.session.node)
    unanswered = session.begin(Query("UPDATE l SET m[6] = 1 WHERE k = 1 IF m[5] = 10"))
    written = 0
    for written, _ in enumerate(session.steps(unanswered), 1):
        other.ask("UPDATE ks.l SET s = s + {%d} WHERE k = 1" % written)  # noqa: UP031
    response = session.answer()
    assert isinstance(response, RowsResult)
    assert response.rows() == [(b"\1",)]
    ((found, count),) = session.rows("SELECT m[6], collection_count(s) FROM l WHERE k = 1")
    assert (found, count) == (integer(1), integer(written))
    assert written > ENOUGH_STEPS
