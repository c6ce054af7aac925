"""Statements about thousands of columns or fields: right answers, in a time that grows as they do."""

import time
from collections.abc import Sequence
from operator import itemgetter

import pytest

from protocol.requests import Query
from protocol.responses import Error
from storage.environment.memory import FaultyDisk
from tests.cqlserver.test_long_requests import Client, client, integer, new_node, shown

COLUMNS = [f"column_{number:05}" for number in range(4_000)]
LONG_NAMES = [f"{'x' * 43}{number:05}" for number in range(1_400)]
"""More than 64 kB together."""
GROWTH_MAX = 12.0
"""Of the time for four times as many: 4 if it is linear, 16 if it is quadratic."""


def wide_table(name: str, columns: Sequence[str]) -> str:
    return f"CREATE TABLE ks.{name} (k int PRIMARY KEY, {', '.join(f'{column} int' for column in columns)})"


def test_rows_whose_names_are_longer_than_a_packed_record_can_say_are_written_and_kept() -> None:
    """Their record's prefix has a length of 16 bits: such an INSERT ended in a ServerError."""
    disk, names = FaultyDisk(), LONG_NAMES
    session = client(hasty=False, disk=disk)
    values = [integer(number) for number in range(len(names))]
    texts = ", ".join(map(str, range(len(names))))
    sets = ", ".join(f"{name} = {number}" for number, name in enumerate(names))
    for statement in (
        wide_table("w", names),
        f"INSERT INTO ks.w (k, {', '.join(names)}) VALUES (1, {texts})",
        f"UPDATE ks.w SET {sets} WHERE k = 2",
        f"INSERT INTO ks.w (k, {names[0]}) VALUES (3, 7)",
    ):
        assert not isinstance(session.ask(statement), Error), statement[:40]
    expected = [(integer(1), *values), (integer(2), *values), (integer(3), integer(7), *[None] * (len(names) - 1))]
    assert sorted(session.rows("SELECT * FROM ks.w"), key=itemgetter(0)) == expected
    session.session.node.engine.close()
    again = Client(new_node(hasty=False, disk=disk))
    assert sorted(again.rows("SELECT * FROM ks.w"), key=itemgetter(0)) == expected


@pytest.mark.parametrize("kind", ["select", "type"])
def test_time_grows_with_the_number_of_columns_and_fields_not_with_its_square(kind: str) -> None:
    session = client(hasty=False)

    def took_s(count: int, attempt: int) -> float:
        name = f"{kind}_{count}_{attempt}"
        if kind == "select":
            statement = f"SELECT * FROM ks.{name}"
            session.ask(wide_table(name, COLUMNS[:count]))
        else:
            statement = f"CREATE TYPE ks.{name} ({', '.join(f'{column} int' for column in COLUMNS[:count])})"
        began = time.process_time()
        response = session.ask(statement)
        took = time.process_time() - began
        assert not isinstance(response, Error)
        return took

    few, many = (min(took_s(count, attempt) for attempt in range(3)) for count in (1_000, 4_000))
    assert many < GROWTH_MAX * few


@pytest.mark.parametrize("statement", ["CREATE TABLE ks.x (k int PRIMARY KEY, t tuple<{}>)", "CREATE TYPE ks.x ({})"])
def test_more_components_than_clients_can_be_told_of_are_refused(statement: str) -> None:
    """The count of two bytes overflowed while an answer was encoded, which closed the connection."""
    one = "int" if "tuple" in statement else "f{} int"
    components = ", ".join(one.format(number) for number in range(65_536))
    assert "can't have more than 65535 components" in str(shown(client(hasty=False).ask(statement.format(components))))


WIDE = COLUMNS[:1_500]
CHANGES = {
    "made": (wide_table("w", WIDE),),
    "added": (wide_table("w", WIDE[:2]), f"ALTER TABLE ks.w ADD ({', '.join(f'{name} text' for name in WIDE[2:])})"),
    "dropped": (wide_table("w", WIDE), f"ALTER TABLE ks.w DROP ({', '.join(WIDE[5:])}) USING TIMESTAMP 5"),
    "type": (f"CREATE TYPE ks.w ({', '.join(f'{column} int' for column in WIDE)})",),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_large_change_of_the_schema_is_made_in_turns_and_loses_none_that_others_make_meanwhile(kind: str) -> None:
    disk = FaultyDisk()
    long, at_once = client(disk=disk), client(hasty=False)
    other = Client(long.session.node)
    *before, change = CHANGES[kind]
    for session in (long, at_once):
        for text in before:
            assert not isinstance(session.ask(text), Error)
    unanswered = long.begin(Query(change))
    steps = 0
    for steps, _ in enumerate(long.steps(unanswered), 1):
        if steps == 20:
            assert not isinstance(other.ask("CREATE TABLE ks.others (k int PRIMARY KEY)"), Error)
    assert steps > 40
    assert shown(long.answer()) == shown(at_once.ask(change))
    assert not isinstance(at_once.ask("CREATE TABLE ks.others (k int PRIMARY KEY)"), Error)
    found = _schema_rows(long)
    assert found == _schema_rows(at_once)
    assert any(b"others" in row for row in found["columns"])
    long.session.node.engine.close()
    assert _schema_rows(Client(new_node(hasty=False, disk=disk))) == found


def _schema_rows(session: Client) -> dict[str, list[tuple[bytes | None, ...]]]:
    return {
        table: session.rows(f"SELECT * FROM system_schema.{table} WHERE keyspace_name = 'ks'")
        for table in ("columns", "dropped_columns", "types")
    }
