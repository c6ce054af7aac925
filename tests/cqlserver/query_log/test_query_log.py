"""The query log in this process: what is recorded, filters, bounds; and what strict mode finds."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from small_session import SmallSession

from cqlserver.connections.session import Session
from cqlserver.query_log import recording
from cqlserver.query_log.entries import Entry, Filter, described, entries
from cqlserver.query_log.habits import findings
from cqlserver.query_log.recording import QueryLog
from protocol.frames import encoder
from protocol.requests import Batch, BatchEntry, Query, QueryOptions, Request, Startup, encode
from protocol.responses import PreparedResult, Response

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))",
    "CREATE TABLE ks.u (k int PRIMARY KEY, n int)",
)
AT_5 = "INSERT INTO ks.u (k, n) VALUES (1, 1) USING TIMESTAMP 5"
INSERT = "INSERT INTO ks.t (k, c, v) VALUES (?, ?, ?)"


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


class Recorded(SmallSession):
    """A session whose log is on. `entries()`: what it recorded since."""

    def __init__(self) -> None:
        self.log = QueryLog({})
        super().__init__(True, SCHEMA)
        self.log = QueryLog(self.node.statements.prepared_texts())
        self.node.sessions[self.session] = None
        self.node.record(self.log)

    def ask(self, request: Request) -> Response:
        response = super().ask(request)
        self.log.seal()  # as the listener does behind each go
        return response

    def entries(self, **wanted: str) -> list[Entry]:
        return [entry for entry in entries(self.log, 0) if Filter(**wanted).takes(entry)]  # type: ignore[arg-type]

    def told(self) -> list[dict[str, object]]:
        return [described(entry, self.node.schema) for entry in self.entries()]

    def habits(self) -> list[str]:
        return [finding.habit for finding in findings(self.entries(), self.node.schema)]


@pytest.fixture
def session() -> Recorded:
    return Recorded()


def test_statements_values_and_outcomes(session: Recorded) -> None:
    session.execute(INSERT, number(1), number(2), b"x")
    session.ask(Query("SELECT v FROM ks.t WHERE k = 1", QueryOptions(page_size=5)))
    session.ask(Query("SELECT nope FROM ks.t"))
    session.ask(Query("SELECT key FROM system.local"))
    prepare, insert, select, wrong = session.told()
    assert (prepare["kind"], insert["kind"], select["kind"]) == ("PREPARE", "EXECUTE", "QUERY")
    assert insert["cql"] == INSERT
    assert insert["statements"] == [{"cql": INSERT, "values": [1, 2, "x"], "prepared": True}]
    assert (insert["consistency"], insert["rows"], insert["error"]) == ("ONE", None, None)
    assert (select["rows"], select["page_size"], select["tables"]) == (1, 5, ["ks.t"])
    assert wrong["error"] == {"code": "InvalidRequest", "message": "Undefined column name nope in table ks.t"}
    assert session.taken == [True], "the log must not keep EXECUTE from its short way"


def test_rows_read_and_tombstones(session: Recorded) -> None:
    """Of the general way, and of both fast paths, which leave to it what may have tombstones."""
    for k in range(6):
        session.execute(INSERT, number(1), number(k), b"x" if k < 2 else b"y")
    session.execute(INSERT, number(1), number(6), None)
    session.ask(Query("DELETE FROM ks.t WHERE k = 1 AND c = 5"))
    session.ask(Query("SELECT * FROM ks.t WHERE k = 1 AND v = 'x' ALLOW FILTERING"))
    session.ask(Query("SELECT count(*) FROM ks.t"))
    session.ask(Query("SELECT c FROM ks.t WHERE k = 1 LIMIT 2"))
    session.execute("SELECT v FROM ks.t WHERE k = ?", number(1))
    for k, c in ((1, 5), (1, 0), (9, 9)):
        session.execute("SELECT v FROM ks.t WHERE k = ? AND c = ?", number(k), number(c))
    session.ask(Query("SELECT v FROM ks.t WHERE k = 1 AND c < 'a'"))
    told = [entry for entry in session.told() if entry["kind"] != "PREPARE"]
    assert [(entry["rows"], entry["rows_read"], entry["tombstones"]) for entry in told[-8:]] == [
        (2, 6, 2), (1, 6, 2), (2, 2, 0), (6, 6, 2), (0, 0, 1), (1, 1, 0), (0, 0, 0), (None, None, None)
    ]  # fmt: skip
    assert {entry["rows_read"] for entry in told[:-8]} == {None}, "what writes reads nothing"
    assert session.taken[-4:] == [False, False, True, True], "fast paths take what has none for sure"


def test_rows_read_and_tombstones_where_there_are_sstables(session: Recorded) -> None:
    """A row that one source has, and nothing over it, is a matter for the fast path there, too."""
    for k in (1, 2):
        session.execute(INSERT, number(k), number(1), b"x")
    session.ask(Query("DELETE FROM ks.t WHERE k = 2 AND c > 0"))
    table = session.node.schema.maybe_table("ks", "t")
    assert table is not None
    session.node.engine.stores[table.id].switch_memtable()
    for k in (3, 4):
        session.execute(INSERT, number(k), number(1), b"x")
    session.ask(Query("DELETE FROM ks.t WHERE k = 4"))
    for k in (1, 2, 3, 4, 5):
        session.execute("SELECT v FROM ks.t WHERE k = ? AND c = ?", number(k), number(1))
    told = session.told()[-5:]
    assert [(entry["rows"], entry["rows_read"], entry["tombstones"]) for entry in told] == [
        (1, 1, 0), (0, 0, 2), (1, 1, 0), (0, 0, 0), (0, 0, 0)
    ]  # fmt: skip
    assert session.taken[-5:] == [True, False, True, False, True]


@pytest.mark.parametrize("version", [4, 5])
def test_each_request_of_a_go_is_an_entry_of_its_own(version: int) -> None:
    """Many in one piece; in pieces that end within one; with one among them that takes the general way."""
    session = Recorded()
    session.execute(INSERT, number(0), number(0), b"")
    with_select = [Query(f"INSERT INTO ks.u (k, n) VALUES ({k}, {k})") for k in range(20)]
    with_select.insert(7, Query("SELECT count(*) FROM ks.t"))
    other = Session(session.node, "127.0.0.1", 2)
    session.node.sessions[other] = None
    other.receive(encode(Startup({"CQL_VERSION": "3.0.0", "DRIVER_NAME": "a driver"}), version, 0))
    other.take_later()
    packed = encoder(version)
    for asked in (with_select[:5], with_select):
        data = packed.encode([encode(one, version, stream) for stream, one in enumerate(asked)])
        for pieces in ([data], [data[:50], data[50:]]):
            before = session.log.next_number
            for piece in pieces:
                other.receive(piece)
            told = [described(entry, session.node.schema) for entry in entries(session.log, before)]
            assert [entry["cql"] for entry in told] == [one.query for one in asked]
            assert [entry["number"] for entry in told] == list(range(before, before + len(asked)))
            assert {(entry["client"], entry["driver"]) for entry in told} == {("127.0.0.1:2", "a driver")}
            assert not any(entry["error"] for entry in told)
            assert [entry["rows"] for entry in told] == [None if "INSERT" in one.query else 1 for one in asked]


def test_what_fast_paths_answered_is_kept_as_it_came(session: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each request would be put together again, which costs several times as much."""
    text = "INSERT INTO ks.u (k, n) VALUES (1, 1)"
    session.ask(Query(text))
    with monkeypatch.context() as patch:
        patch.delattr(QueryLog, "served")
        session.ask(Query(text))
    assert [entry["cql"] for entry in session.told()] == [text, text]


@pytest.mark.parametrize("version", [4, 5])
def test_what_several_clients_asked_in_one_round_of_the_listener(version: int) -> None:
    """One block has all of it, each go under its client and its keyspace."""
    session = Recorded()
    text = "INSERT INTO ks.u (k, n) VALUES (1, 1)"
    clients = [Session(session.node, "127.0.0.1", port) for port in (2, 3)]
    packed = encoder(version)
    for client in clients:
        session.node.sessions[client] = None
        client.receive(encode(Startup({"CQL_VERSION": "3.0.0"}), version, 0))
        client.take_later()
    session.log.seal()
    before = session.log.next_number
    for asked in ([text], [text, text], ["USE ks"], [text]):
        for client in clients:
            client.receive(packed.encode([encode(Query(one), version, stream) for stream, one in enumerate(asked)]))
    assert session.log.next_number == before + 10
    session.log.seal()
    assert session.log.next_number == before + 10
    told = [described(entry, session.node.schema) for entry in entries(session.log, before)]
    assert [(entry["client"], entry["keyspace"]) for entry in told] == [
        ("127.0.0.1:2", None), ("127.0.0.1:3", None), *[("127.0.0.1:2", None)] * 2, *[("127.0.0.1:3", None)] * 2,
        ("127.0.0.1:2", "ks"), ("127.0.0.1:3", "ks"), ("127.0.0.1:2", "ks"), ("127.0.0.1:3", "ks"),
    ]  # fmt: skip
    assert [entry["number"] for entry in told] == list(range(before, before + 10))
    assert len(session.log.goes(before + 9)) == 1


def test_rows_read_by_what_takes_several_steps(session: Recorded) -> None:
    for k in range(1_000):
        session.execute(INSERT, number(k), number(1), b"x")
    session.session.receive(_envelope(Query("SELECT * FROM ks.t WHERE v = 'y' ALLOW FILTERING")))
    assert session.told()[-1]["kind"] == "EXECUTE"
    session.session.finish()
    last = session.told()[-1]
    assert (last["kind"], last["rows"], last["rows_read"], last["tombstones"]) == ("QUERY", 0, 1_000, 0)


def test_a_batch_is_one_entry_with_all_its_statements(session: Recorded) -> None:
    session.execute(INSERT, number(1), number(2), b"x")
    session.ask(Batch(1, (BatchEntry(session.ids[INSERT], (number(1), number(3), None)),
                          BatchEntry("UPDATE ks.u SET n = 1 WHERE k = 2"))))  # fmt: skip
    told = session.told()[-1]
    assert (told["kind"], told["tables"]) == ("BATCH", ["ks.t", "ks.u"])
    assert told["statements"] == [
        {"cql": INSERT, "values": [1, 3, None], "prepared": True},
        {"cql": "UPDATE ks.u SET n = 1 WHERE k = 2", "values": [], "prepared": False},
    ]


def test_what_takes_several_steps_is_recorded_when_it_is_answered(session: Recorded) -> None:
    session.session.receive(_envelope(Query("SELECT * FROM ks.t WHERE v = '" + "x" * 4_000 + "' ALLOW FILTERING")))
    assert not session.entries()
    session.session.finish()
    assert len(session.entries()) == 1


def _envelope(request: Query) -> bytes:
    return encode(request, 4, 7)


def test_filters(session: Recorded) -> None:
    for text in ("SELECT * FROM ks.u", "INSERT INTO ks.u (k) VALUES (1)", "SELECT * FROM ks.t", "SELECT"):
        session.ask(Query(text))
    assert len(session.entries()) == 4
    assert len(session.entries(table="u")) == len(session.entries(table="ks.u")) == 2
    assert len(session.entries(keyspace="ks")) == 3
    assert len(session.entries(keyspace="other")) == 0
    assert len(session.entries(matching="^select .* from")) == 2
    assert len(session.entries(kind="batch")) == 0
    assert len(session.entries(client="127.0.0.1")) == 4


def test_texts_of_statements_that_were_prepared_before_or_are_forgotten(session: Recorded) -> None:
    text = "SELECT n FROM ks.u WHERE k = ?"
    session.execute(text, number(1))
    session.ask(Query("DROP TABLE ks.u"))
    assert [told["cql"] for told in session.told()][:2] == [text, text]
    prepared = session.ask(Query("SELECT * FROM ks.t"))
    assert not isinstance(prepared, PreparedResult)


def test_the_oldest_go_first(session: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "QUERY_BYTES_MAX", 1_500)
    for k in range(30):
        session.ask(Query(f"SELECT * FROM ks.u WHERE k = {k}"))
    numbers = [entry.number for entry in session.entries()]
    assert numbers[-1] == 29
    assert 1 < len(numbers) < 10
    assert session.log.next_number == 30


def test_nothing_is_recorded_once_it_is_off(session: Recorded) -> None:
    session.node.record(None)
    session.ask(Query("SELECT * FROM ks.u"))
    assert not session.entries()


@pytest.mark.parametrize(
    ("texts", "habits"),
    [
        (["SELECT * FROM ks.t WHERE v = 'x' ALLOW FILTERING"], ["allow-filtering"]),
        (["SELECT * FROM ks.t"], ["full-scan"]),
        (["SELECT count(*) FROM ks.u"], ["full-scan"]),
        (["SELECT * FROM ks.t WHERE k = 1", "SELECT * FROM ks.t WHERE k IN (1, 2)"], []),
        (["SELECT * FROM ks.t WHERE token(k) > 1"], []),
        (["BEGIN BATCH UPDATE ks.u SET n = 1 WHERE k = 1; UPDATE ks.u SET n = 1 WHERE k = 2; APPLY BATCH"],
         ["multi-partition-batch"]),
        (["BEGIN UNLOGGED BATCH UPDATE ks.u SET n = 1 WHERE k = 1; UPDATE ks.u SET n = 1 WHERE k = 2; APPLY BATCH"], []),
        (["BEGIN BATCH INSERT INTO ks.t (k, c) VALUES (1, 1); INSERT INTO ks.t (k, c) VALUES (1, 2); APPLY BATCH"], []),
        ([f"SELECT * FROM ks.u WHERE k = {k}" for k in range(11)], ["unprepared"]),
        ([f"SELECT * FROM ks.u WHERE k = {k}" for k in range(10)], []),
        ([f"SELECT * FROM ks.u WHERE k IN ({', '.join(map(str, range(21)))})"], ["large-in"]),
        (["INSERT INTO ks.u (k, n) VALUES (1, null)"], ["null-insert"]),
        ([AT_5, "UPDATE ks.u USING TIMESTAMP 5 SET n = 2 WHERE k = 1"], ["equal-timestamps"]),
        ([AT_5, "UPDATE ks.u USING TIMESTAMP 6 SET n = 2 WHERE k = 1"], []),
        ([AT_5, "UPDATE ks.u USING TIMESTAMP 5 SET n = 2 WHERE k = 2"], []),
        (["CREATE TABLE ks.x (k int PRIMARY KEY)", "SELECT * FROM system.peers"], []),
    ],
)  # fmt: skip
def test_habits(session: Recorded, texts: list[str], habits: list[str]) -> None:
    for text in texts:
        session.ask(Query(text))
    assert session.habits() == habits


def test_habits_of_bound_values(session: Recorded) -> None:
    session.execute(INSERT, number(1), number(2), None, timestamp_us=5)
    session.execute(INSERT, number(1), number(2), b"x", timestamp_us=5)
    session.execute(INSERT, number(1), number(3), b"x", timestamp_us=5)
    many = len(range(21)).to_bytes(4, "big") + b"".join(number(4) + number(k) for k in range(21))
    session.execute("SELECT * FROM ks.u WHERE k IN ?", many)
    insert = BatchEntry(session.ids[INSERT], (number(1), number(2), b"x"))
    other = BatchEntry(session.ids[INSERT], (number(2), number(2), b"x"))
    session.ask(Batch(0, (insert, insert)))
    session.ask(Batch(0, (insert, other)))
    assert session.habits() == ["null-insert", "equal-timestamps", "large-in", "multi-partition-batch"]
