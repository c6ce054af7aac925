"""--log-table: the log's lines in system_views.system_logs."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from small_session import SmallSession

from cqlserver.program import log_table
from cqlserver.program.log_table import LogTable, rows_of
from protocol.requests import Query
from protocol.responses import Error, RowsResult, VoidResult

AT_S = 1_700_000_000.25


@pytest.fixture
def log() -> Iterator[LogTable]:
    handler = LogTable()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def record(message: str, at_s: float = AT_S, level: int = logging.INFO) -> logging.LogRecord:
    made = logging.LogRecord("storage", level, "/x/server.py", 1, "%s", (message,), None)
    made.created = at_s
    return made


def messages(session: SmallSession, where: str = "") -> list[str]:
    result = session.ask(Query(f"SELECT message FROM system_views.system_logs {where}"))
    assert isinstance(result, RowsResult), result
    found, at = [], 0
    for _ in range(result.row_count):
        size = int.from_bytes(result.content[at : at + 4], "big")
        found.append(result.content[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return found


def test_rows_come_from_the_newest_on_and_truncate_empties_them(log: LogTable) -> None:
    session = SmallSession(True, ())
    for message, at_s in (("first", AT_S), ("second", AT_S), ("later", AT_S + 1)):
        log.emit(record(message, at_s))
    later, *same = rows_of(log.lines())
    assert [(row["order_in_millisecond"], row["message"]) for row in same] == [(0, "second"), (1, "first")]
    of_all = {"logger": "storage", "level": "INFO", "timestamp": int(AT_S * 1000) + 1000}
    assert later == {**of_all, "order_in_millisecond": 0, "message": "later"}
    assert messages(session) == ["later", "second", "first"]
    assert messages(session, "WHERE timestamp = 1700000000250 AND order_in_millisecond = 1") == ["first"]
    assert isinstance(session.ask(Query("TRUNCATE system_views.system_logs")), VoidResult)
    assert messages(session) == []


def test_changes_are_refused_in_cassandras_words() -> None:
    session = SmallSession(True, ())
    where = "WHERE timestamp = 1"
    for text, told in (
        ("INSERT INTO system_views.system_logs (timestamp, order_in_millisecond, message) VALUES (1, 1, 'a')",
         "Column modification"),
        (f"DELETE FROM system_views.system_logs {where}", "Partition deletion"),
        (f"DELETE FROM system_views.system_logs {where} AND order_in_millisecond = 1", "Row deletion"),
        (f"DELETE FROM system_views.system_logs {where} AND order_in_millisecond > 1", "Range deletion"),
        (f"DELETE message FROM system_views.system_logs {where} AND order_in_millisecond = 1", "Column deletion"),
    ):  # fmt: skip
        answer = session.ask(Query(text))
        assert isinstance(answer, Error), text
        assert answer.error.message == f"{told} is not supported by table system_views.system_logs"
    assert messages(session) == [], "nobody asked for lines"


def test_many_rows_are_put_together_in_turns(log: LogTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_table, "ROWS_MAX", 2_000)
    for number in range(3_000):
        log.emit(record(f"line {number}", AT_S + number / 1000))
    session = SmallSession(True, ())
    session.session.receive(_envelope(Query("SELECT message FROM system_views.system_logs")))
    assert session.session.pending_count == 1
    log.emit(record("while it is put together", AT_S + 10))
    session.session.finish()
    assert not session.session.pending_count
    assert [row["message"] for row in rows_of(log.lines())][:2] == ["while it is put together", "line 2999"]
    assert len(log.lines()) == 2_000


def test_long_messages_are_cut_and_all_together_bounded(log: LogTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_table, "CHARS_MAX", 25_000)
    for _ in range(4):
        log.emit(record("x" * 20_000))
    assert [len(line.message) for line in log.lines()] == [10_000, 10_000]


def _envelope(request: Query) -> bytes:
    from protocol.requests import encode

    return encode(request, 4, 7)
