"""Slow queries, told as Cassandra's MonitoringTask tells them (slow_queries.txt: its debug.log), with what they read."""

import logging
import re
from pathlib import Path

import pytest
from small_session import SmallSession

from cqlserver import slow_queries
from cqlserver.program.config import Config, apply_setting
from cqlserver.slow_queries import Slow, SlowQueries
from cqlserver.state import ReadWork
from protocol import requests
from protocol.requests import Execute, Prepare, Query, QueryOptions
from protocol.responses import PreparedResult

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))",
)
FILTERED = "SELECT c FROM ks.t WHERE v = 'x' ALLOW FILTERING"
RECORDED = (Path(__file__).parent / "slow_queries.txt").read_text()


class Slowly(SmallSession):
    """`told()`: what the log says of slow queries now."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        super().__init__(True, SCHEMA)
        self._caplog = caplog
        caplog.set_level(logging.INFO, "cqlserver.slow")
        for k in range(500):
            self.ask(Query(f"INSERT INTO ks.t (k, c, v) VALUES ({k}, 1, 'y')"))
        self.ask(Query("DELETE FROM ks.t WHERE k = 7 AND c = 1"))

    def ask_slowly(self, request: requests.Request, seconds: float) -> None:
        """It takes several steps, and began so long ago."""
        self.session.receive(requests.encode(request, 4, 0))
        (unanswered,) = self.session._pending
        unanswered.began -= seconds
        self.session.finish()
        self.session.forget_served()
        assert self.session.take_later() + self.session.take_output()

    def told(self) -> list[str]:
        self._caplog.clear()
        self.node.tick()
        return [record.getMessage() for record in self._caplog.records if record.name == "cqlserver.slow"]


@pytest.fixture
def slowly(caplog: pytest.LogCaptureFixture) -> Slowly:
    return Slowly(caplog)


def test_what_took_long_is_told_once_with_what_it_read(slowly: Slowly) -> None:
    slowly.ask_slowly(Query(FILTERED), 0.4)
    assert slowly.told() == []
    assert slowly.node.slow_queries is None, "nothing is made for those that are quick"
    slowly.ask_slowly(Query(FILTERED), 0.7)
    slowly.ask_slowly(Query(FILTERED.replace("c FROM", "* FROM")), 1.5)
    slowly.ask_slowly(Query(FILTERED), 2.7)
    (text,) = slowly.told()
    head, first, second = text.splitlines()
    assert re.fullmatch(r"2 operations were slow in the last \d+ msecs:", head)
    assert re.fullmatch(
        rf"<{re.escape(FILTERED)}>, was slow 2 times: avg/min/max 17\d\d/7\d\d/27\d\d msec - slow timeout 500 msec, "
        "read 998 live rows and 2 tombstone cells",
        first,
    )
    assert re.fullmatch(
        r"<SELECT \* FROM ks.t WHERE v = 'x' ALLOW FILTERING>, time 15\d\d msec - slow timeout 500 msec, "
        "read 499 live rows and 1 tombstone cells",
        second,
    )
    assert slowly.told() == []


def test_prepared_ones_are_told_with_their_values(slowly: Slowly) -> None:
    prepared = slowly.ask(Prepare("SELECT c FROM ks.t WHERE v = ? AND c > ? ALLOW FILTERING"))
    assert isinstance(prepared, PreparedResult)
    for value in (b"it's", b"x" * 300, None):
        options = QueryOptions(values=(value, (5).to_bytes(4, "big")))
        if value is None:
            slowly.ask(Execute(prepared.statement_id, None, options))  # refused: it is not slow
        else:
            slowly.ask_slowly(Execute(prepared.statement_id, None, options), 0.6)
    (text,) = slowly.told()
    assert [line[line.index("[") : line.index(">,")] for line in text.splitlines()[1:]] == [
        "['it''s', 5]",
        "[(300 bytes), 5]",
    ]


def test_a_timeout_of_nothing_tells_nothing(slowly: Slowly) -> None:
    object.__setattr__(slowly.node.config, "slow_query_log_timeout_ms", 0)
    slowly.ask_slowly(Query(FILTERED), 100)
    assert slowly.told() == []
    assert apply_setting(Config(), "slow_query_log_timeout=2s").slow_query_log_timeout_ms == 2_000
    assert apply_setting(Config(), "slow_query_log_timeout_in_ms=7").slow_query_log_timeout_ms == 7


def test_texts_are_bounded(slowly: Slowly, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_queries, "OPERATIONS_MAX", 3)
    monkeypatch.setattr(slow_queries, "TEXT_CHARS_MAX", 30)
    found = SlowQueries(500, slowly.node.statements, 0.0)
    for number in range(5):
        body = requests.encode(Query(f"SELECT {number} " + "x" * 100), 4, 0)[9:]
        found.note((4, 0, 0, requests.QUERY, body), 1.0, ReadWork())
    found.note((4, 0, 0, requests.QUERY, b"nothing"), 1.0, ReadWork())
    caplog.clear()
    found.tell(5.0)
    head, *lines = caplog.records[0].getMessage().splitlines()
    assert head == "6 operations were slow in the last 5000 msecs:"
    assert [len(line.split(">")[0]) for line in lines[:3]] == [31, 31, 31]
    assert lines[3:] == ["... (3 were dropped)"]


def test_lines_are_cassandras() -> None:
    """But for what was read, which stands behind them."""
    slow = Slow()
    slow.add(0.0125, ReadWork(1, 2))
    once = slow.line("T", 1).partition(", read")[0]
    slow.add(0.02, ReadWork())
    twice = slow.line("T", 1).partition(", read")[0]

    def form(line: str) -> str:
        return re.sub(r"\d+", "N", re.sub("^<.*>", "<T>", line))

    recorded = {form(line) for line in RECORDED.splitlines() if line.startswith("<")}
    assert recorded == {form(once), form(twice)}
    assert re.search(r"\d+ operations were slow in the last \d+ msecs:$", RECORDED, re.MULTILINE)
