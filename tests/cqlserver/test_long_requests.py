"""Requests that are long are worked on in turns: same answers, nobody waits, nothing is seen half done."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cqlserver.connections.bounds import LONG_BODY_BYTES, PENDING_BYTES_MAX
from cqlserver.connections.session import Session
from cqlserver.connections.unanswered import Unanswered
from cqlserver.node import Node
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder
from protocol.requests import Batch, BatchEntry, Prepare, Query, QueryOptions, Request, Startup
from protocol.responses import Error, PreparedResult, Response, RowsResult, VoidResult
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers, ThreadWorkers
from storage.memtable.drafts import ROWS_MIN
from tests.cqlserver.small_server import KEYSPACE, TABLE

SCHEMA = (
    KEYSPACE,
    "USE ks",
    TABLE,
    "CREATE TABLE l (k int PRIMARY KEY, f frozen<list<int>>, m map<int, int>, s set<int>)",
    "CREATE TABLE p (a int, b int, c int, d int, v int, PRIMARY KEY ((a, b), c, d))",
    "CREATE TABLE n (k int PRIMARY KEY, v counter)",
)


class HastyClock(ManualClock):
    """Each look at it takes a second: every turn ends at the first pause."""

    def monotonic(self) -> float:
        self.advance(1)
        return super().monotonic()


def new_node(hasty: bool = True, disk: FaultyDisk | None = None) -> Node:
    clock = HastyClock() if hasty else ManualClock()
    workers = ThreadWorkers(clock.monotonic) if hasty else InlineWorkers()
    config = Config(port=0, data=None if disk is None else Path("/data"))
    return open_node(config, Environment(clock, Rng(b"long"), disk or FaultyDisk(), workers))


class Client:
    def __init__(self, node: Node) -> None:
        self.session = Session(node, "127.0.0.1", 1)
        self.ask(Startup({"CQL_VERSION": "3.0.0"}))

    def begin(self, request: Request) -> Unanswered:
        """Sends what will take several steps."""
        self.session.receive(requests.encode(request, 4, 7))
        (unanswered,) = self.session.take_pending()
        return unanswered

    def answer(self) -> Response:
        output = self.session.take_later() + self.session.take_output()
        self.session.forget_served()
        ((version, flags, _, opcode, body),) = EnvelopeDecoder(4, responses=True).receive_data(output)
        return responses.decode(version, flags, opcode, body).response

    def ask(self, request: Request | str) -> Response:
        self.session.receive(requests.encode(Query(request) if isinstance(request, str) else request, 4, 1))
        self.session.finish()
        return self.answer()

    def rows(self, text: str) -> list[tuple[bytes | None, ...]]:
        response = self.ask(text)
        assert isinstance(response, RowsResult), response
        return list(response.rows())

    def steps(self, unanswered: Unanswered) -> Iterator[None]:
        while not self.session.step(unanswered):
            yield


def client(hasty: bool = True, disk: FaultyDisk | None = None) -> Client:
    made = Client(new_node(hasty, disk))
    for text in SCHEMA:
        assert not isinstance(made.ask(text), Error)
    return made


def integer(number: int) -> bytes:
    return number.to_bytes(4, "big")


def numbers(count: int, text: str = "{}") -> str:
    return ", ".join(text.format(number) for number in range(count))


def shown(response: Response) -> object:
    return repr(response.error) if isinstance(response, Error) else response


INSERT = "INSERT INTO t (k, c, v) VALUES ({}, {}, 'x')"


def batch(count: int, partition: int = 1, kind: str = "UNLOGGED") -> str:
    return f"BEGIN {kind} BATCH {'; '.join(INSERT.format(partition, c) for c in range(count))}; APPLY BATCH"


STATEMENTS = {
    "list": f"INSERT INTO l (k, f) VALUES (1, [{numbers(700)}])",
    "map": f"INSERT INTO l (k, m) VALUES (1, {{{numbers(400, '{0}: {0}')}}})",
    "set": f"INSERT INTO l (k, s) VALUES (1, {{{numbers(700)}}})",
    "columns": f"SELECT {numbers(400, 'c AS c{}')} FROM t",
    "IN": f"SELECT * FROM p WHERE a IN ({numbers(700)}) AND b IN ({numbers(5)})",
    "updates": f"UPDATE p SET v = 1 WHERE a IN ({numbers(700)}) AND b = 1 AND c = 1 AND d = 1",
    "rows": f"UPDATE p SET v = 1 WHERE a = 1 AND b = 1 AND c IN (1, 2) AND d IN ({numbers(700)})",
    "batch": batch(150),
    "partitions": "BEGIN UNLOGGED BATCH " + " ".join(INSERT.format(k, 1) for k in range(150)) + " APPLY BATCH",
    "syntax": f"INSERT INTO l (k, f) VALUES (1, [{numbers(100, '1000000000000000000000000000000{}')}",
    "characters": f"INSERT INTO l (k, f) VALUES (1, [{numbers(100, '1000000000000000000000000000000{}')}, ^",
    "wrong value": f"INSERT INTO l (k, f) VALUES (1, [{numbers(700)}, 'x'])",
    "wrong column": f"SELECT {numbers(400, 'c AS c{}')}, wrong FROM t",
    "table": f"CREATE TABLE w (k int PRIMARY KEY, {numbers(500, 'c{} int')})",
    "counters": f"UPDATE n SET v = v + 1 WHERE k IN ({numbers(700)})",
    "conditions": batch(150, kind="").replace("'x')", "'x') IF NOT EXISTS"),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_answers_are_the_same_in_many_turns(name: str) -> None:
    text = STATEMENTS[name]
    assert len(text) > LONG_BODY_BYTES
    hasty, at_once = client(), client(hasty=False)
    unanswered = hasty.begin(Query(text))
    assert sum(1 for _ in hasty.steps(unanswered)) > 1
    assert shown(hasty.answer()) == shown(at_once.ask(text))
    assert hasty.session.pending_count == hasty.session.pending_bytes == 0
    for table in ("t", "l", "p", "n"):
        assert hasty.rows(f"SELECT * FROM {table}") == at_once.rows(f"SELECT * FROM {table}")


@pytest.mark.parametrize("name", STATEMENTS)
def test_prepared_statements_are_the_same_in_many_turns(name: str) -> None:
    text = STATEMENTS[name]
    hasty, at_once = client(), client(hasty=False)
    prepared = hasty.ask(Prepare(text))
    assert shown(prepared) == shown(at_once.ask(Prepare(text)))
    if isinstance(prepared, PreparedResult):
        execute = requests.Execute(prepared.statement_id, None, QueryOptions())
        assert shown(hasty.ask(execute)) == shown(at_once.ask(execute))
    for table in ("t", "l", "p", "n"):
        assert hasty.rows(f"SELECT * FROM {table}") == at_once.rows(f"SELECT * FROM {table}")


def test_others_are_served_between_the_turns() -> None:
    long = client()
    other = Client(long.session.node)
    unanswered = long.begin(Query(STATEMENTS["list"]))
    for step, _ in enumerate(long.steps(unanswered)):
        assert isinstance(other.ask(f"INSERT INTO ks.t (k, c, v) VALUES (2, {step}, 'x')"), VoidResult)
    assert isinstance(long.answer(), VoidResult)
    assert len(other.rows("SELECT c FROM ks.t WHERE k = 2")) > 5


@pytest.mark.parametrize("request_", [Query(batch(220)), "message", "texts"], ids=["text", "message", "texts"])
def test_a_batch_is_never_seen_half_done(request_: Query | str) -> None:
    long = client()
    other = Client(long.session.node)
    if request_ == "message":
        prepared = long.ask(Prepare("INSERT INTO t (k, c, v) VALUES (1, ?, 'x')"))
        assert isinstance(prepared, PreparedResult)
        entries = tuple(BatchEntry(prepared.statement_id, (integer(c),)) for c in range(220))
        unanswered = long.begin(Batch(1, entries, QueryOptions()))
    elif request_ == "texts":
        entries = tuple(BatchEntry(INSERT.format(1, c), ()) for c in range(220))
        unanswered = long.begin(Batch(1, entries, QueryOptions()))
    else:
        assert isinstance(request_, Query)
        unanswered = long.begin(request_)
    for _ in long.steps(unanswered):
        assert len(other.rows("SELECT c FROM ks.t WHERE k = 1")) in (0, 220)
    assert isinstance(long.answer(), VoidResult)
    assert len(other.rows("SELECT c FROM ks.t WHERE k = 1")) == 220


def test_counters_that_others_increment_meanwhile_lose_nothing() -> None:
    long = client()
    other = Client(long.session.node)
    unanswered = long.begin(Query(STATEMENTS["counters"]))
    steps = 0
    for steps, _ in enumerate(long.steps(unanswered), 1):  # noqa: B007
        other.ask("UPDATE ks.n SET v = v + 1 WHERE k = 5")
    long.answer()
    ((value,),) = other.rows("SELECT v FROM ks.n WHERE k = 5")
    assert value == (steps + 1).to_bytes(8, "big")


def test_a_statement_that_a_change_of_the_schema_overtakes_begins_again() -> None:
    long = client()
    other = Client(long.session.node)
    unanswered = long.begin(Query(f"SELECT {numbers(400, 'v AS v{}')} FROM t"))
    for step, _ in enumerate(long.steps(unanswered)):
        if step == 20:
            other.ask("DROP TABLE ks.t")
    response = long.answer()
    assert isinstance(response, Error)
    assert response.error.message == "table t does not exist"


def test_use_does_not_confuse_what_is_under_way() -> None:
    long = client()
    long.ask(KEYSPACE.replace("ks", "other"))
    unanswered = long.begin(Query(STATEMENTS["batch"]))
    assert not long.session.step(unanswered)
    long.ask("USE other")
    for _ in long.steps(unanswered):
        assert long.session.state.keyspace == "other"
    assert isinstance(long.answer(), VoidResult)
    assert len(long.rows("SELECT c FROM ks.t WHERE k = 1")) == 150


def test_a_closed_connection_gives_its_work_up() -> None:
    long = client()
    unanswered = long.begin(Query(STATEMENTS["batch"]))
    for _ in range(10):
        assert not long.session.step(unanswered)
    long.session.close()
    unanswered.close()
    other = Client(long.session.node)
    assert other.rows("SELECT c FROM ks.t WHERE k = 1") == []
    assert isinstance(other.ask(STATEMENTS["batch"].replace("INTO t", "INTO ks.t")), VoidResult)


def test_what_a_client_that_left_had_under_way_is_let_go_of_in_turns() -> None:
    long = client()
    unanswered = long.begin(Query(f"INSERT INTO l (k, f) VALUES (1, [{numbers(5_000)}])"))
    for _ in range(300):
        assert not long.session.step(unanswered)
    long.session.close()
    turns = 1
    while not unanswered.leave(0.0):
        turns += 1
    assert turns > 20
    assert unanswered.pending is None
    assert Client(long.session.node).rows("SELECT f FROM ks.l WHERE k = 1") == []


def test_requests_under_way_are_bounded_in_bytes() -> None:
    long = client()
    text = f"INSERT INTO t (k, c, v) VALUES (1, 1, '{'x' * (PENDING_BYTES_MAX // 2)}')"
    envelope = requests.encode(Query(text), 4, 1)
    long.session.receive(envelope)
    assert not long.session.is_busy
    long.session.receive(envelope)
    assert long.session.is_busy
    long.session.finish()
    assert not long.session.is_busy


def test_the_answer_to_a_long_write_waits_for_the_log() -> None:
    long = client(disk=FaultyDisk())
    session = long.session
    session.wrote = False
    unanswered = long.begin(Query(STATEMENTS["batch"]))
    for _ in long.steps(unanswered):
        assert not session.wrote
    assert session.wrote
    assert not session.take_later()
    assert session.take_output()
    served = session.take_served()
    assert served.messages == [unanswered.envelope]
    session.serve_again(served)  # the log has failed
    session.finish()
    assert isinstance(long.answer(), VoidResult)


def test_a_long_read_waits_for_nothing() -> None:
    long = client(disk=FaultyDisk())
    long.session.wrote = False
    unanswered = long.begin(Query(STATEMENTS["columns"]))
    for _ in long.steps(unanswered):
        pass
    assert not long.session.wrote
    assert long.session.take_later()


@pytest.mark.parametrize("writes_until", [0, 3, 1_000_000], ids=["nobody", "some", "always"])
@pytest.mark.parametrize("is_plain", [True, False])
def test_a_large_change_of_a_partition_takes_place_at_once(writes_until: int, is_plain: bool) -> None:
    """Others change the partition while it is drafted: a few times, and so often that the draft is given up."""
    long = client()
    other = Client(long.session.node)
    count = ROWS_MIN + 100
    for c in range(-50, 0):
        long.ask(INSERT.format(1, c))
    prepared = long.ask(Prepare("INSERT INTO t (k, c, v) VALUES (1, ?, ?)" + ("" if is_plain else " USING TTL 100000000")))
    assert isinstance(prepared, PreparedResult)
    entries = tuple(BatchEntry(prepared.statement_id, (integer(c), b"new")) for c in range(count))
    unanswered = long.begin(Batch(1, entries, QueryOptions()))
    written = 0
    for step, _ in enumerate(long.steps(unanswered)):
        if step % 8 == 0:
            assert len(other.rows("SELECT c FROM ks.t WHERE k = 1 AND c < 1000000")) in (50, 50 + count)
        if written < writes_until:
            written += 1
            other.ask(f"INSERT INTO ks.t (k, c, v) VALUES (1, {1_000_000 + step}, 'y')")
    assert isinstance(long.answer(), VoidResult)
    assert len(other.rows("SELECT c FROM ks.t WHERE k = 1")) == 50 + count + written
