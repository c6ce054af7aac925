"""Reads that pass over many tombstones: a warning, then a failure. The texts are Cassandra's."""

import pytest
from small_session import SmallSession

from protocol import requests, responses
from protocol.envelopes import EnvelopeDecoder
from protocol.errors import ReadFailure
from protocol.requests import Query, QueryOptions
from storage.reads import EVERYTHING

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE ks.t (k int, c int, v int, s int static, PRIMARY KEY (k, c))",
)
VERSION = 4


class Asking(SmallSession):
    def __init__(self, is_fast: bool, warn: int, fail: int, is_tracked: bool = False) -> None:
        super().__init__(is_fast, SCHEMA)
        storage = self.node.config.storage
        object.__setattr__(storage, "tombstone_warn_threshold", warn)
        object.__setattr__(storage, "tombstone_failure_threshold", fail)
        object.__setattr__(storage, "read_thresholds_enabled", is_tracked)

    def told(self, text: str, page_size: int = -1) -> tuple[responses.Response, tuple[str, ...]]:
        query = Query(text, QueryOptions(page_size=page_size))
        self.session.receive(requests.encode(query, VERSION, 0))
        self.session.finish()
        self.session.forget_served()
        output = self.session.take_later() + self.session.take_output()
        ((version, flags, _, opcode, body),) = EnvelopeDecoder(VERSION, responses=True).receive_data(output)
        found = responses.decode(version, flags, opcode, body)
        return found.response, found.warnings

    def delete_cells(self, k: int, count: int) -> None:
        for c in range(count):
            self.ask(Query(f"DELETE v FROM ks.t WHERE k = {k} AND c = {c}"))


@pytest.fixture
def asking() -> Asking:
    session = Asking(False, 10, 100)
    session.delete_cells(1, 10)
    session.ask(Query("INSERT INTO ks.t (k, c, v) VALUES (1, 5000, 1)"))
    return session


TOLD = " ALLOW FILTERING; token -4069959284402364209 (see tombstone_warn_threshold)"


def test_more_than_the_threshold_are_told_by_command(asking: Asking) -> None:
    assert asking.told("SELECT * FROM ks.t WHERE k = 1")[1] == ()
    asking.ask(Query("DELETE v FROM ks.t WHERE k = 1 AND c = 10"))
    head = "Read 1 live rows and 11 tombstone cells for query"
    for text, told in (
        ("SELECT * FROM ks.t WHERE k = 1", "SELECT * FROM ks.t WHERE k = 1"),
        ("SELECT v FROM ks.t", "SELECT v FROM ks.t"),
        ("SELECT v FROM ks.t WHERE k IN (1, 2)", "SELECT v FROM ks.t WHERE k = 1"),
        ("SELECT v FROM ks.t WHERE k = 1 LIMIT 1", "SELECT v FROM ks.t WHERE k = 1 LIMIT 1"),
    ):
        assert asking.told(text)[1] == (f"{head} {told}{TOLD}",), text
    assert asking.told("SELECT v FROM ks.t WHERE k = 1 ORDER BY c DESC LIMIT 1")[1] == ()
    assert asking.told("SELECT v FROM ks.t WHERE k = 1", 10)[1] == (f"{head} SELECT v FROM ks.t WHERE k = 1 LIMIT 10{TOLD}",)
    (warning,) = asking.told("SELECT count(*) FROM ks.t WHERE k = 1 AND c < 3000")[1]
    told = "SELECT * FROM ks.t WHERE k = 1 AND c < 3000 "
    assert warning == f"Read 0 live rows and 11 tombstone cells for query {told}{TOLD}"


def test_the_log_says_the_same(asking: Asking, caplog: pytest.LogCaptureFixture) -> None:
    asking.delete_cells(1, 101)
    assert isinstance(asking.told("SELECT * FROM ks.t WHERE k = 1")[0], responses.Error)
    passed, scanned = (record.getMessage() for record in caplog.records if record.name == "cqlserver.reads")
    assert passed == f"Read 0 live rows and 101 tombstone cells for query SELECT * FROM ks.t WHERE k = 1{TOLD}"
    assert scanned == (
        "Scanned over 101 tombstones during query 'SELECT * FROM ks.t WHERE k = 1 ALLOW FILTERING' (last scanned row token "
        "was -4069959284402364209 and partion key was (1)); query aborted"
    )


def test_with_read_thresholds_the_words_are_those_of_many_replicas() -> None:
    asking = Asking(False, 10, 100, is_tracked=True)
    asking.delete_cells(1, 11)
    query = "query SELECT * FROM ks.t WHERE k = 1 ALLOW FILTERING"
    assert asking.told("SELECT * FROM ks.t WHERE k = 1")[1] == (
        f"1 nodes scanned up to 11 tombstones and issued tombstone warnings for {query} (see tombstone_warn_threshold) "
        "with token=-4069959284402364209",
    )
    (warning,) = asking.told("SELECT * FROM ks.t WHERE token(k) > -4069959284402364210")[1]
    assert warning.endswith(" with token range: (-4069959284402364210, -9223372036854775808]")
    asking.delete_cells(1, 101)
    response, warnings = asking.told("SELECT * FROM ks.t WHERE k = 1")
    refused = f"1 nodes scanned over 101 tombstones and aborted the {query} (see tombstone_failure_threshold)"
    assert isinstance(response, responses.Error)
    assert isinstance(response.error, ReadFailure)
    assert str(response.error) == f"Operation failed - {refused}: READ_TOO_MANY_TOMBSTONES from /127.0.0.1:7000"
    assert warnings == (f"{refused} with token=-4069959284402364209",)


def test_far_more_are_a_failure(asking: Asking) -> None:
    asking.delete_cells(2, 101)
    for text in ("SELECT * FROM ks.t WHERE k = 2", "SELECT v FROM ks.t", "SELECT count(*) FROM ks.t"):
        response, warnings = asking.told(text)
        assert isinstance(response, responses.Error)
        assert isinstance(response.error, ReadFailure)
        assert str(response.error) == (
            "Operation failed - received 0 responses and 1 failures: READ_TOO_MANY_TOMBSTONES from /127.0.0.1:7000"
        )
        assert (response.error.received, response.error.block_for, response.error.data_present) == (0, 1, False)
        assert any(" and 101 tombstone cells for query" in warning for warning in warnings), warnings
    assert asking.told("SELECT * FROM ks.t WHERE k = 1")[1] == ()


def test_what_counts() -> None:
    session = Asking(False, 0, 10_000)

    def count(text: str = "SELECT * FROM ks.t WHERE k = 1") -> int:
        _, warnings = session.told(text)
        return int(warnings[0].split(" and ")[1].split()[0]) if warnings else 0

    assert count() == 0
    for statement, expected in (
        ("INSERT INTO ks.t (k, c, v) VALUES (1, 1, 1)", 0),
        ("INSERT INTO ks.t (k, c, v) VALUES (1, 2, null)", 1),
        ("DELETE FROM ks.t WHERE k = 1 AND c = 3", 2),
        ("DELETE FROM ks.t WHERE k = 1 AND c > 10 AND c < 20", 4),
        ("DELETE FROM ks.t WHERE k = 1", 0),
        ("DELETE FROM ks.t WHERE k = 3 AND c = 1", 0),
        ("DELETE s FROM ks.t WHERE k = 1", 1),
        ("INSERT INTO ks.t (k, c) VALUES (1, 1)", 1),
        ("INSERT INTO ks.t (k, c, v) VALUES (1, 1, null)", 2),
    ):
        session.ask(Query(statement))
        assert count() == expected, statement
    assert count("SELECT * FROM ks.t") == 3


def test_what_may_have_been_purged_does_not_count() -> None:
    session = Asking(False, 0, 10_000)
    for what in ("v FROM ks.t WHERE k = 1 AND c = 1", "FROM ks.t WHERE k = 1 AND c > 5", "s FROM ks.t WHERE k = 1"):
        session.ask(Query(f"DELETE {what}"))
    (store,) = (store for store in session.node.engine.stores.values() if str(store.table) == "ks.t")

    def passed_over(now_s: int) -> int:
        view = store.read((1).to_bytes(4, "big"), EVERYTHING, now_s)
        assert view is not None
        assert list(view.rows()) == []
        return view.tombstones

    now_s = session.node.now_s()
    assert passed_over(now_s + 2) == 4
    session.ask(Query("ALTER TABLE ks.t WITH gc_grace_seconds = 0"))
    assert passed_over(now_s) == 4
    assert passed_over(now_s + 2) == 0


def test_a_short_way_does_not_hide_them() -> None:
    session = Asking(True, 5, 20)
    session.delete_cells(1, 5)
    text = "SELECT c, v, s FROM ks.t WHERE k = ?"
    one = (1).to_bytes(4, "big")
    session.execute(text, one)
    session.delete_cells(1, 21)
    response = session.execute(text, one)
    assert isinstance(response, responses.Error)
    assert isinstance(response.error, ReadFailure)
