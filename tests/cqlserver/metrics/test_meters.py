"""What requests leave in the meters: the same by the fast paths and by the general ones."""

import pytest

from cqlserver.metrics.meters import LOGGED, UNLOGGED, Kind, Metering, RequestMeter
from cqlserver.metrics.rates import TICK_S, Rates
from protocol.requests import Batch, BatchEntry, Query, QueryOptions
from protocol.responses import Error
from tests.cqlserver.small_session import SmallSession

SCHEMA = (
    "CREATE KEYSPACE m WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE m.t (k int, c int, v text, PRIMARY KEY (k, c))",
    "CREATE TABLE m.u (k int PRIMARY KEY, v text)",
    "CREATE TABLE m.n (k int PRIMARY KEY, n counter)",
)
ONE, TWO = (1).to_bytes(4, "big"), (2).to_bytes(4, "big")


@pytest.fixture(params=(True, False), ids=("fast", "general"))
def small(request: pytest.FixtureRequest) -> SmallSession:
    return SmallSession(request.param, SCHEMA)


def counts(small: SmallSession) -> dict[tuple[str, Kind], int]:
    return {(m.table, m.kind): m.count for m in small.node.metering.meters() if m.keyspace == "m" and m.count}


def meter(small: SmallSession, table: str, kind: Kind) -> RequestMeter:
    found = small.node.schema.maybe_table("m", table)
    assert found is not None
    return small.node.metering.meter(found, kind)


def test_prepared_requests_are_counted_by_table_and_kind(small: SmallSession) -> None:
    for _ in range(3):
        small.execute("INSERT INTO m.t (k, c, v) VALUES (?, ?, ?)", ONE, ONE, b"x")
    small.execute("SELECT k, c, v FROM m.t WHERE k = ? AND c = ?", ONE, ONE)
    small.execute("SELECT k, c, v FROM m.t WHERE k = ?", ONE)
    small.execute("SELECT k, c, v FROM m.t")
    small.execute("INSERT INTO m.u (k, v) VALUES (?, ?) IF NOT EXISTS", ONE, b"x")
    small.execute("UPDATE m.n SET n = n + 1 WHERE k = ?", ONE)
    assert any(small.taken) == small.is_fast
    assert counts(small) == {
        ("t", Kind.WRITE): 3,
        ("t", Kind.READ): 2,
        ("t", Kind.RANGE): 1,
        ("u", Kind.CAS_WRITE): 1,
        ("n", Kind.WRITE): 1,
    }
    metering = small.node.metering
    assert metering.prepared_count == 8, "all of them were prepared"


def test_texts_are_counted_whichever_way_they_take(small: SmallSession) -> None:
    for number in range(4):
        small.ask(Query(f"INSERT INTO m.t (k, c, v) VALUES ({number}, 1, 'hello')"))
        small.ask(Query(f"SELECT k, c, v FROM m.t WHERE k = {number} AND c = 1"))
    assert counts(small) == {("t", Kind.WRITE): 4, ("t", Kind.READ): 4}
    metering = small.node.metering
    assert metering.text_count == 8
    assert metering.request_count == 8


def test_reads_at_a_serial_level_are_counted_apart(small: SmallSession) -> None:
    small.ask(Query("SELECT v FROM m.u WHERE k = 1", QueryOptions(consistency=8)))
    assert counts(small) == {("u", Kind.CAS_READ): 1}


def test_a_batch_of_two_tables_is_one_request(small: SmallSession) -> None:
    small.ask(Query("BEGIN BATCH INSERT INTO m.t (k, c) VALUES (1, 1); INSERT INTO m.u (k) VALUES (1); APPLY BATCH"))
    assert counts(small) == {("t", Kind.WRITE): 1, ("u", Kind.WRITE): 1}
    assert small.node.metering.request_count == 1


def test_batch_messages_and_their_partitions(small: SmallSession) -> None:
    text = "INSERT INTO m.t (k, c, v) VALUES (?, ?, ?)"
    small.execute(text, ONE, ONE, b"x")
    entries = tuple(BatchEntry(small.ids[text], (ONE, bytes((0, 0, 0, row)), b"x")) for row in range(4))
    small.ask(Batch(1, entries))
    small.ask(Batch(0, (*entries, BatchEntry(small.ids[text], (TWO, ONE, b"x")))))
    logged, unlogged = (small.node.metering.partitions_of(kind) for kind in (LOGGED, UNLOGGED))
    assert (unlogged.count, unlogged.total) == (1, 1)
    assert (logged.count, logged.total) == (1, 2)
    assert counts(small) == {("t", Kind.WRITE): 3}
    assert small.node.metering.batch_count == 2


def test_what_is_refused_is_not_counted(small: SmallSession) -> None:
    assert isinstance(small.ask(Query("SELECT nosuch FROM m.t")), Error)
    assert isinstance(small.ask(Query("INSERT INTO m.t (k, c) VALUES (1, 1) USING TTL -5")), Error)
    assert counts(small) == {}


def test_each_request_stands_in_the_distributions(small: SmallSession) -> None:
    for row in range(10):
        small.execute("INSERT INTO m.t (k, c, v) VALUES (?, ?, ?)", ONE, row.to_bytes(4, "big"), b"x")
    for _ in range(7):
        small.execute("SELECT c, v FROM m.t WHERE k = ?", ONE)
    metering = small.node.metering
    now_s = metering.clock()
    reads = meter(small, "t", Kind.READ)
    assert sum(reads.latency(now_s).snapshot(now_s).weights) == 7
    assert sum(meter(small, "t", Kind.WRITE).latency(now_s).snapshot(now_s).weights) == 10
    assert reads.total_s > 0
    rows = reads.all_rows()
    assert (rows.count, rows.total) == (7, 70)
    assert reads.all_tombstones().count == 7


def test_tombstones_are_counted(small: SmallSession) -> None:
    for row in range(5):
        small.execute("INSERT INTO m.t (k, c, v) VALUES (?, ?, ?)", ONE, row.to_bytes(4, "big"), b"x")
    for row in range(3):
        small.execute("DELETE FROM m.t WHERE k = ? AND c = ?", ONE, row.to_bytes(4, "big"))
    small.execute("SELECT c, v FROM m.t WHERE k = ?", ONE)
    small.execute("SELECT c, v FROM m.t WHERE k = ?", TWO)
    tombstones = meter(small, "t", Kind.READ).all_tombstones()
    assert (tombstones.count, tombstones.total) == (2, 3)


def test_one_in_many_is_timed_and_stands_for_all() -> None:
    now_s = 0.0
    metering = Metering(lambda: now_s)
    one = RequestMeter("k", "t", Kind.READ)
    one.count = 100
    one.took(0.001, now_s, rows=4)
    one.count = 150
    one.took(0.002, now_s)
    assert one.total_s == pytest.approx(0.1 + 0.1)
    assert one.latency(now_s).snapshot(now_s).weights == (100, 50)
    assert (one.all_rows().count, one.all_rows().total) == (150, 600)
    assert {metering.choose(10) for _ in range(64)} == set(range(1, 11)), "each request of a go has its turn"
    assert metering.choose(0) == 0, "a go that has no request whole yet"


def test_meters_of_dropped_tables_go(small: SmallSession) -> None:
    small.ask(Query("INSERT INTO m.u (k) VALUES (1)"))
    small.ask(Query("DROP TABLE m.u"))
    small.node.metering.tick(small.node.engine.stores)
    assert counts(small) == {}
    assert small.node.metering.request_count == 1, "what they counted is not forgotten"


def test_rates_follow_what_happens() -> None:
    rates = Rates()
    for tick in range(1, 200):
        rates.tick(int(tick * 10 * TICK_S))
    assert rates.per_s == pytest.approx((10, 10, 10))
    for _ in range(12):
        rates.tick(int(199 * 10 * TICK_S))
    one, five, fifteen = rates.per_s
    assert one == pytest.approx(10 / 2.71828, rel=0.01)
    assert one < five < fifteen < 10
