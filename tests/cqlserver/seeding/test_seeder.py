"""Rows of files on a node in this process: what is written is what their texts would have written."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from small_session import SmallSession

from cqlserver.pending import Pending
from cqlserver.program.init_files import is_counter
from cqlserver.program.seeder import Seeder
from cqlserver.seeding.errors import SeedError
from cqlserver.seeding.files import Row, Statement
from cqlserver.seeding.tables import TableName
from cqlserver.state import SYSTEM, ClientState
from storage.environment.strands import TooLong, in_go

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TYPE ks.pair (a int, b text)",
    """CREATE TABLE ks.t (k int PRIMARY KEY, i bigint, f double, d decimal, t text, b blob, u uuid, w timestamp, day date,
       yes boolean, l list<int>, s set<text>, m map<text, int>, p frozen<pair>, n tuple<int, text>, v vector<float, 2>)""",
    "CREATE TABLE ks.hits (k int PRIMARY KEY, n counter)",
)
FILE = Path("ks.t.json")
VALUES: dict[str, object] = {
    "i": 9_007_199_254_740_993, "f": "1.5", "d": "1.10", "t": "it's \u20ac", "b": "0x00ff",
    "u": "11111111-2222-3333-4444-555555555555", "w": "2020-01-02 03:04:05.678Z", "day": "2020-01-02", "yes": True,
    "l": [3, 1], "s": ["b", "a"], "m": {"x": 1}, "p": {"a": 1, "b": "x"}, "n": [1, "y"], "v": ["1.5", 2],
}  # fmt: skip
TEXTS = {
    "i": "12", "f": "NaN", "yes": "true", "l": "[1, 2]", "s": '["a"]', "m": '{"x": 1}', "p": '{"a": 1}', "n": '[1, "z"]',
}  # fmt: skip


class Seeded(SmallSession):
    def __init__(self) -> None:
        super().__init__(True, SCHEMA)
        self.state = ClientState("127.0.0.1", 0, version=5, user=SYSTEM)

    def seeder(self, statements: Sequence[Statement]) -> Seeder:
        return Seeder(self.node, self.state, iter(statements))

    def seed(self, statements: Sequence[Statement]) -> int:
        seeder = self.seeder(statements)
        while outcome := seeder.take_turn(1):
            if isinstance(outcome, Pending):
                outcome.finish()
        return seeder.count

    def statement(self, line: int, table: str = "t", **values: object) -> Statement:
        return Statement(FILE, line, Row(TableName("ks", table), values, self.is_counter))

    def is_counter(self, table: TableName, column: str) -> bool:
        return is_counter(self.node, self.state, table, column)


def as_texts(statements: Sequence[Statement]) -> list[Statement]:
    return [Statement(one.file, one.line, one.text) for one in statements]


def test_values_of_all_types_as_their_texts_have_them() -> None:
    sides = Seeded(), Seeded()
    for session, texts in zip(sides, (False, True), strict=True):
        rows = [session.statement(1, k=0, **VALUES), session.statement(2, k="1", **TEXTS)]
        rows += [session.statement(n, k=n, **{name: value}) for n, (name, value) in enumerate(VALUES.items(), 3)]
        rows += [session.statement(40, "hits", k=1, n=2), session.statement(41, "hits", k=1, n="3")]
        assert session.seed(as_texts(rows) if texts else rows) == len(rows)
    quick, slow = (session.rows("SELECT * FROM ks.t", "SELECT * FROM ks.hits") for session in sides)
    assert quick == slow
    assert len(quick[0]) > 500


def test_rows_are_written_without_their_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each text would be parsed and compiled, which takes fifty times as long."""
    session = Seeded()
    monkeypatch.delattr(Row, "text")
    assert session.seed([session.statement(k, k=k, t="x") for k in range(1_000)]) == 1_000
    assert session.seed([session.statement(k, k=k, l=[1]) for k in range(10)]) == 10


def test_schema_changes_between_rows() -> None:
    session = Seeded()
    add, drop = (Statement(FILE, 2, f"ALTER TABLE ks.t {what}") for what in ("ADD x int", "DROP x"))
    row = session.statement(1, k=1, x=1)
    assert session.seed([add, row, drop, add, session.statement(3, k=2, x=2)]) == 5
    with pytest.raises(SeedError, match=r"ks.t.json:1: Undefined column name x in table ks.t"):
        session.seed([drop, row])


def test_what_is_long_is_done_by_itself_and_once() -> None:
    """A go of the loop raises TooLong; the strand that then works goes on with that row, and with no other."""
    session = Seeded()
    long = list(range(100_000))
    seeder = session.seeder([session.statement(k, k=k, l=long if k == 1 else [k]) for k in range(3)])
    with pytest.raises(TooLong):
        in_go(lambda _: seeder.take_turn(1), None)
    assert seeder.count == 1
    assert seeder.take_turn(1) is True
    assert seeder.count == 2
    assert seeder.take_turn(1) is False
    assert seeder.count == 3


def test_the_first_fault_ends_it() -> None:
    session = Seeded()
    seeder = session.seeder([session.statement(1, k=1), session.statement(2, k="x"), session.statement(3, k=3)])
    with pytest.raises(SeedError, match=r"ks.t.json:2: .*Unable to make int from 'x'") as caught:
        seeder.take_turn(1)
    assert "\n  in INSERT INTO" in str(caught.value)
    assert seeder.count == 1
