"""Materialized views through the whole node, without sockets: against scans of the base table, across restarts, flushes and
compactions, while they are built."""

import random
from dataclasses import replace

import pytest

from cqlserver.ddl.apply import apply_ddl
from cqlserver.ddl.context import DdlContext
from cqlserver.guardrails import Guarded
from cqlserver.pending import Pending
from grammar.parser import parse
from protocol.errors import InvalidRequest
from protocol.requests import Query, QueryOptions
from storage.background import Lane
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk
from storage.indexes.derived_writer import DerivedWriter
from storage.views import build
from tests.cqlserver.small_server import KEYSPACE, small_node
from tests.cqlserver.small_session import SmallSession
from tests.cqlserver.test_secondary_indexes import Client, number, restarted

TABLE = "CREATE TABLE ks.t (k int, c int, v int, w int, m map<int, int>, s int static, PRIMARY KEY (k, c))"
NOT_NULL = "k IS NOT NULL AND c IS NOT NULL"
WHERE = f"FROM ks.t WHERE {NOT_NULL} AND v IS NOT NULL"
VIEW = f"CREATE MATERIALIZED VIEW ks.m AS SELECT k, c, v, w {WHERE} PRIMARY KEY (v, k, c)"
BUILT = "SELECT view_name FROM system.built_views"
Rows = list[tuple[bytes | None, ...]]


def view_names(client: Client) -> Rows:
    return client.run(BUILT)


def flush_and_compact(client: Client, rng: random.Random) -> None:
    engine = client.node.engine
    tasks = engine.flush() if rng.random() < 0.7 else engine.compact()
    engine.background.finish()
    assert not [task for task in tasks if task.error is not None]


@pytest.mark.parametrize("seed", range(3))
def test_a_view_has_what_a_scan_of_its_table_finds(seed: int) -> None:
    rng = random.Random(seed)
    print(f"seed {seed}")
    disk, clock = FaultyDisk(), ManualClock()
    client = Client(small_node(disk, clock))
    client.run(KEYSPACE)
    client.run(TABLE)
    client.run(VIEW)
    client.run(f"CREATE MATERIALIZED VIEW ks.n AS SELECT k, c, w FROM ks.t WHERE {NOT_NULL} PRIMARY KEY (c, k)")
    client.run(f"CREATE MATERIALIZED VIEW ks.o AS SELECT k, c, m FROM ks.t WHERE {NOT_NULL} AND c > 1 PRIMARY KEY (k, c)")
    found = 0
    for step in range(200):
        client.run(random_write(rng))
        if rng.random() < 0.1:
            flush_and_compact(client, rng)
        if rng.random() < 0.02:
            client = restarted(client.node, disk, clock)
        if step % 4:
            continue
        base = [row for row in client.run("SELECT k, c, v, w, m FROM ks.t") if row[1] is not None]
        assert sorted(client.run("SELECT k, c, v, w FROM ks.m"), key=str) == sorted(
            [row[:4] for row in base if row[2] is not None], key=str
        ), step
        expected = sorted([(row[0], row[1], row[3]) for row in base], key=str)
        assert sorted(client.run("SELECT k, c, w FROM ks.n"), key=str) == expected, step
        expected = sorted([(row[0], row[1], row[4]) for row in base if int.from_bytes(row[1] or b"", "big") > 1], key=str)
        assert sorted(client.run("SELECT k, c, m FROM ks.o"), key=str) == expected, step
        found += len(base)
    assert found > 50


def random_write(rng: random.Random) -> str:
    k, c, v = rng.randrange(3), rng.randrange(4), rng.randrange(3)
    place = f"k = {k} AND c = {c}"
    return rng.choice(
        (
            f"INSERT INTO ks.t (k, c, v, w, m) VALUES ({k}, {c}, {v}, {c}, {{{v}: {c}}})",
            f"INSERT INTO ks.t (k, c, v) VALUES ({k}, {c}, {v})",
            f"INSERT INTO ks.t (k, c) VALUES ({k}, {c})",
            f"INSERT INTO ks.t (k, s) VALUES ({k}, {v})",
            f"UPDATE ks.t SET v = {v} WHERE {place}",
            f"UPDATE ks.t SET w = {v}, m[{v}] = {c} WHERE {place}",
            f"UPDATE ks.t SET v = {v} WHERE {place} IF v = {c}",
            f"DELETE v FROM ks.t WHERE {place}",
            f"DELETE m[{v}], w FROM ks.t WHERE {place}",
            f"DELETE FROM ks.t WHERE {place}",
            f"DELETE FROM ks.t WHERE k = {k} AND c > {c}",
            f"DELETE FROM ks.t WHERE k = {k}",
            f"BEGIN BATCH DELETE FROM ks.t WHERE k = {k}; UPDATE ks.t SET v = {c} WHERE k = {v} AND c = {c} APPLY BATCH",
        )
    )


def client_with_rows(count: int, disk: FaultyDisk | None = None, clock: ManualClock | None = None) -> Client:
    client = Client(small_node(disk, clock))
    client.run(KEYSPACE)
    client.run(TABLE)
    for k in range(count):
        client.run(f"INSERT INTO ks.t (k, c, v) VALUES ({k}, 0, 1)")
    return client


def begun_build(client: Client, steps: int) -> Pending[object]:
    building = client.start(VIEW)
    assert isinstance(building, Pending)
    for _ in range(steps):
        assert not building.step()
    return building


def test_a_build_that_a_stop_interrupted_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "CHECKPOINT_KEYS", 50)
    disk, clock = FaultyDisk(), ManualClock()
    client = client_with_rows(300, disk, clock)
    begun_build(client, 4).close()
    assert view_names(client) == []
    assert len(client.run("SELECT * FROM system.view_builds_in_progress")) == 1
    client = restarted(client.node, disk, clock)
    background = client.node.engine.background
    background.finish()
    (task,) = [task for task in background.finished if task.lane is Lane.VIEW_BUILD]
    assert 0 < task.completed < 300
    assert len(client.run("SELECT * FROM ks.m")) == 300
    assert view_names(client) == [(b"m",)]
    assert client.run("SELECT * FROM system.view_builds_in_progress") == []
    assert client.run("SELECT status FROM system_distributed.view_build_status") == [(b"SUCCESS",)]


def test_a_build_that_nobody_waits_for_goes_on_beside_requests() -> None:
    client = client_with_rows(300)
    begun_build(client, 1).close()
    assert len(client.run("SELECT * FROM ks.m")) < 300
    assert client.run("SELECT status FROM system_distributed.view_build_status") == [(b"STARTED",)]
    client.node.engine.background.finish()
    assert len(client.run("SELECT * FROM ks.m")) == 300


def test_writes_between_the_steps_of_a_build_are_found() -> None:
    client = client_with_rows(300)
    building = begun_build(client, 0)
    k = 0
    while not building.step():
        client.run(f"UPDATE ks.t SET v = 2 WHERE k = {k} AND c = 0")
        client.run(f"DELETE FROM ks.t WHERE k = {299 - k}")
        k += 1
    assert k > 1
    rows = client.run("SELECT v FROM ks.m")
    assert rows.count((number(2),)) == k
    assert rows.count((number(1),)) == 300 - 2 * k


def test_rows_that_are_truncated_during_a_build_do_not_come_back() -> None:
    client = client_with_rows(300)
    building = begun_build(client, 2)
    client.run("TRUNCATE ks.t")
    client.run("INSERT INTO ks.t (k, c, v) VALUES (1, 1, 1)")
    building.finish()
    assert len(client.run("SELECT k FROM ks.m")) == 1
    assert view_names(client) == [(b"m",)]


def test_a_view_that_is_dropped_during_its_build_leaves_nothing() -> None:
    client = client_with_rows(300)
    building = begun_build(client, 1)
    client.run("DROP MATERIALIZED VIEW ks.m")
    building.close()
    client.node.engine.background.finish()
    assert view_names(client) == []
    assert client.run("SELECT * FROM system_distributed.view_build_status") == []
    client.run(VIEW)
    client.node.engine.background.finish()
    assert len(client.run("SELECT * FROM ks.m")) == 300


def test_base_and_views_come_back_from_the_log_together() -> None:
    disk, clock = FaultyDisk(), ManualClock()
    client = client_with_rows(3, disk, clock)
    client.run(VIEW)
    client.run("UPDATE ks.t SET v = 5 WHERE k = 1 AND c = 0")
    client.run("DELETE FROM ks.t WHERE k = 2")
    client = restarted(client.node, disk, clock)
    assert sorted(client.run("SELECT v, k FROM ks.m")) == [(number(1), number(0)), (number(5), number(1))]
    client.run("TRUNCATE ks.t")
    client.run("INSERT INTO ks.t (k, c, v) VALUES (7, 7, 7)")
    client = restarted(client.node, disk, clock)
    assert client.run("SELECT v, k FROM ks.m") == [(number(7), number(7))]
    client.run("DROP MATERIALIZED VIEW ks.m")
    client.run("DROP TABLE ks.t")
    client = restarted(client.node, disk, clock)
    assert client.run("SELECT * FROM system_schema.views") == []
    assert view_names(client) == []


def test_what_expired_is_there_to_those_who_live_in_the_past_and_what_moved_is_not() -> None:
    clock = ManualClock()
    client = client_with_rows(1, clock=clock)
    client.run(VIEW)
    client.run("UPDATE ks.t USING TTL 10 SET v = 2 WHERE k = 0 AND c = 0")
    client.run("UPDATE ks.t SET w = 2 WHERE k = 0 AND c = 0")
    assert client.run("SELECT v, w FROM ks.m") == [(number(2), number(2))]
    clock.advance(11)
    assert client.run("SELECT v, w FROM ks.m") == []
    client.run("UPDATE ks.t SET v = 3 WHERE k = 0 AND c = 0")
    client.run("UPDATE ks.t SET v = 4 WHERE k = 0 AND c = 0")
    past = QueryOptions(consistency=1, now_s=clock.now_s() - 5)
    result = client.node.statements.query(client.state, "SELECT v, w FROM ks.m", past)
    assert sorted(result.rows()) == [(number(2), number(2)), (number(4), number(2))]  # type: ignore[union-attr]


def test_a_key_that_is_too_long_for_a_view_is_only_in_its_table() -> None:
    client = Client(small_node())
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
    where = "k IS NOT NULL AND v IS NOT NULL"
    client.run(f"CREATE MATERIALIZED VIEW ks.m AS SELECT * FROM ks.t WHERE {where} PRIMARY KEY (v, k)")
    client.run(f"INSERT INTO ks.t (k, v) VALUES (1, '{'x' * 65536}')")
    client.run("INSERT INTO ks.t (k, v) VALUES (2, '')")
    assert len(client.run("SELECT k FROM ks.t")) == 2
    assert client.run("SELECT k FROM ks.m") == [(number(2),)]
    client.run("UPDATE ks.t SET v = 'y' WHERE k = 1")
    assert len(client.run("SELECT k FROM ks.m")) == 2


def test_a_snapshot_of_the_node_has_its_views() -> None:
    from cqlserver.control.saved_state import bring_back, save

    client = client_with_rows(2)
    client.run(VIEW)
    saved = save(client.node)
    client.run("DELETE FROM ks.t WHERE k = 0")
    client.run("DROP MATERIALIZED VIEW ks.m")
    client.run("INSERT INTO ks.t (k, c, v) VALUES (9, 9, 9)")
    bring_back(client.node, saved)
    client.node.engine.background.finish()
    assert len(client.run("SELECT * FROM ks.m")) == 2
    client.run("UPDATE ks.t SET v = 2 WHERE k = 1 AND c = 0")
    assert (number(2), number(1)) in client.run("SELECT v, k FROM ks.m")


def test_a_view_without_quotes_in_its_where_clause_is_read_again() -> None:
    disk, clock = FaultyDisk(), ManualClock()
    client = Client(small_node(disk, clock))
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k text PRIMARY KEY, v int)")
    client.run("CREATE MATERIALIZED VIEW ks.m AS SELECT * FROM ks.t WHERE k = 'it''s' AND v IS NOT NULL PRIMARY KEY (v, k)")
    client = restarted(client.node, disk, clock)
    client.run("INSERT INTO ks.t (k, v) VALUES ('it''s', 1)")
    client.run("INSERT INTO ks.t (k, v) VALUES ('other', 1)")
    assert client.run("SELECT k FROM ks.m") == [(b"it's",)]


SHORT_VIEWS = (
    "CREATE MATERIALIZED VIEW ks.m0 AS SELECT * FROM ks.t WHERE {} AND v IS NOT NULL PRIMARY KEY (v, c, a, b)",
    "CREATE MATERIALIZED VIEW ks.m1 AS SELECT a, b, c, w FROM ks.t WHERE {} AND w IS NOT NULL PRIMARY KEY ((a, w), b, c) "
    "WITH CLUSTERING ORDER BY (b DESC, c ASC)",
    "CREATE MATERIALIZED VIEW ks.m2 AS SELECT * FROM ks.t WHERE {} PRIMARY KEY (c, b, a)",
    "CREATE MATERIALIZED VIEW ks.m3 AS SELECT a, b, c, v FROM ks.t WHERE {} PRIMARY KEY (b, a, c)",
)


def content_of_views(is_short: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[list[bytes], int]:
    """What base and views have behind random EXECUTEs, and how many of them went the short way."""
    taken = 0
    write = DerivedWriter._maybe_write

    def maybe_write(writer: DerivedWriter, key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> bool:
        nonlocal taken
        has_taken = is_short and write(writer, key, ck, timestamp, values)
        taken += has_taken
        return has_taken

    monkeypatch.setattr(DerivedWriter, "_maybe_write", maybe_write)
    rng = random.Random(7)
    table = "CREATE TABLE ks.t (a int, b int, c int, v int, w text, x int, PRIMARY KEY ((a, b), c))"
    where = "a IS NOT NULL AND b IS NOT NULL AND c IS NOT NULL"
    session = SmallSession(True, [KEYSPACE, table, *(view.format(where) for view in SHORT_VIEWS)])
    texts = (
        "INSERT INTO ks.t (a, b, c, v, w, x) VALUES (?, ?, ?, ?, ?, ?)",
        "INSERT INTO ks.t (a, b, c, v, x) VALUES (?, ?, ?, ?, ?)",
        "INSERT INTO ks.t (a, b, c) VALUES (?, ?, ?)",
        "UPDATE ks.t SET x = ? WHERE a = ? AND b = ? AND c = ?",
    )
    for step in range(1, 500):
        text = rng.choice((*texts[:1] * 4, *texts))
        values = [number(rng.randrange(3)) for _ in range(text.count("?"))]
        session.execute(text, *values, timestamp_us=rng.choice((step, step, step, 100)))
        if step % 20 == 0:
            at = f"a = {rng.randrange(3)} AND b = {rng.randrange(3)}"
            session.ask(Query(f"DELETE FROM ks.t USING TIMESTAMP {step} WHERE {at} AND c = {rng.randrange(3)}"))
        if step == 250:
            session.ask(Query("TRUNCATE ks.t"))
    reads = ["a, b, c, v, w, x FROM ks.t", "v, c, a, b, w, x FROM ks.m0", "a, w, b, c FROM ks.m1"]
    reads += ["c, b, a, v, w, x FROM ks.m2", "b, a, c, v FROM ks.m3", "writetime(w), writetime(x) FROM ks.m0"]
    return session.rows(*(f"SELECT {read}" for read in reads)), taken


def test_the_short_way_of_writing_leaves_what_the_long_way_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        short, taken = content_of_views(True, patched)
    assert taken > 50
    with monkeypatch.context() as patched:
        long, taken = content_of_views(False, patched)
    assert not taken
    assert short == long
    assert all(short)


def test_what_the_short_way_logged_comes_back() -> None:
    disk, clock = FaultyDisk(), ManualClock()
    node = small_node(disk, clock)
    client = Client(node)
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k int PRIMARY KEY, v int, w int)")
    where = "k IS NOT NULL AND v IS NOT NULL"
    client.run(f"CREATE MATERIALIZED VIEW ks.m AS SELECT * FROM ks.t WHERE {where} PRIMARY KEY (v, k)")
    store = node.engine.stores[node.schema.keyspaces["ks"].tables["t"].id]
    layout = store.layouts.maybe_layout(("v", "w"), True)
    assert layout is not None
    long = 0

    def general(key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> None:
        nonlocal long
        long += 1
        node.engine.indexed.apply_packed([(store, key, ck, layout.row_prefix + timestamp + values)])

    write = DerivedWriter(node.engine, store, layout, general).write
    rng = random.Random(3)
    for step in range(1, 100):
        v, w = rng.randrange(5), rng.randrange(5)
        values = b"".join(number(4) + number(value) for value in (v, w))
        write(number(rng.randrange(4 if step < 50 else 8)), b"", step.to_bytes(8, "big"), values)
        if step == 50:
            assert not long
            node.engine.flush()
            node.engine.background.finish()
    assert 0 < long < 40
    before = sorted(client.run("SELECT v, k, w FROM ks.m"))
    assert before == sorted(client.run("SELECT v, k, w FROM ks.t"))
    assert len(before) == 8
    client = restarted(node, disk, clock)
    assert sorted(client.run("SELECT v, k, w FROM ks.m")) == before


def test_clients_are_told_of_what_a_change_changes_too() -> None:
    client = Client(small_node())
    told: list[tuple[str, str]] = []
    client.node.publish = lambda event: told.append((event.change, event.name))  # type: ignore[method-assign,union-attr]
    client.run(KEYSPACE)
    client.run("CREATE TYPE ks.u (a int)")
    client.run("CREATE TABLE ks.t (k int PRIMARY KEY, v int, u frozen<u>)")
    client.run("CREATE TABLE ks.other (k int PRIMARY KEY)")
    where = "k IS NOT NULL AND v IS NOT NULL"
    client.run(f"CREATE MATERIALIZED VIEW ks.m AS SELECT * FROM ks.t WHERE {where} PRIMARY KEY (v, k)")
    client.run(f"CREATE MATERIALIZED VIEW ks.n AS SELECT k, v FROM ks.t WHERE {where} PRIMARY KEY (v, k)")
    told.clear()
    client.run("ALTER TABLE ks.t ADD w int")
    assert told == [("UPDATED", "t"), ("UPDATED", "m")]
    told.clear()
    client.run("ALTER TYPE ks.u ADD b int")
    assert told == [("UPDATED", "u"), ("UPDATED", "t"), ("UPDATED", "m")]
    told.clear()
    client.run("ALTER MATERIALIZED VIEW ks.m WITH comment = 'x'")
    client.run("DROP MATERIALIZED VIEW ks.m")
    client.run("ALTER TABLE ks.t WITH comment = 'x'")
    assert told == [("UPDATED", "m"), ("DROPPED", "m"), ("UPDATED", "t")]


def test_a_guardrail_counts_the_views_of_a_table() -> None:
    client = client_with_rows(0)
    client.run(VIEW)
    node, warnings = client.node, list[str]()
    guarded = Guarded({"materialized_views_per_table_fail_threshold": 1}, warnings.append)
    clock = node.environment.clock.wall_us
    context = DdlContext(
        "ks", clock, node.new_timeuuid, {}, warnings.append, materialized_views_enabled=True, guarded=guarded
    )
    statement = parse(VIEW.replace("ks.m", "ks.n"))
    with pytest.raises(InvalidRequest, match="Tables cannot have more than 1 materialized views, aborting the creation of"):
        apply_ddl(node.schema, statement, context)
    apply_ddl(node.schema, statement, replace(context, guarded=None))


def test_views_can_be_switched_off() -> None:
    client = Client(small_node(materialized_views_enabled=False))
    client.run(KEYSPACE)
    client.run(TABLE)
    with pytest.raises(InvalidRequest, match="Materialized views are disabled"):
        client.run(VIEW)
