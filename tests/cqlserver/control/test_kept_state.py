"""snapshot and restore of a node that keeps its data: with SSTables, under a kill, whole or not at all after any crash."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from kept_node import OPERATIONS, Kept, insert
from small_server import KEYSPACE, TABLE, done

import cqlserver
from cqlserver.control import kept_state
from protocol.client import connect
from protocol.responses import PreparedResult, RowsResult
from storage.environment.memory import FaultyDisk

ROWS = [{"k": 1, "c": 1, "v": "flushed"}, {"k": 2, "c": 1, "v": "newer"}, {"k": 3, "c": 1, "v": "in memory"}]


def fill(server: cqlserver.Server) -> None:
    """A table with rows in two SSTables and in memory, one with rows in memory, one that is empty."""
    server.execute(f"{KEYSPACE}; {TABLE}; CREATE TABLE ks.u (k int PRIMARY KEY); CREATE TABLE ks.w (k int PRIMARY KEY)")
    for statement in (
        "INSERT INTO ks.t (k, c, v) VALUES (1, 1, 'flushed'); INSERT INTO ks.t (k, c, v) VALUES (2, 1, 'older')",
        "INSERT INTO ks.t (k, c, v) VALUES (2, 1, 'newer'); INSERT INTO ks.t (k, c, v) VALUES (4, 1, 'deleted')",
        "DELETE FROM ks.t WHERE k = 4",
    ):
        server.execute(statement)
        server.call("flush", keyspace="ks", tables=["t"])
    server.execute("INSERT INTO ks.t (k, c, v) VALUES (3, 1, 'in memory'); INSERT INTO ks.u (k) VALUES (7)")


def rows(server: cqlserver.Server) -> list[dict[str, object]]:
    return sorted(server.execute("SELECT * FROM ks.t"), key=lambda row: row["k"])


@pytest.mark.slow
def test_what_was_flushed_compacted_dropped_and_altered_comes_back(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server, connect(server.host, server.port) as connection:
        fill(server)
        server.snapshot("a")
        select = done(connection.prepare("SELECT v FROM ks.t WHERE k = ?")).response
        assert isinstance(select, PreparedResult)
        for statement in (
            "TRUNCATE ks.t",
            "INSERT INTO ks.t (k, c, v) VALUES (9, 9, 'x')",
            "ALTER TABLE ks.t ADD w int; INSERT INTO ks.t (k, c, w) VALUES (1, 1, 5); DROP TABLE ks.u",
            "DROP KEYSPACE ks",
        ):
            server.execute(statement)
            server.restore("a")
            assert rows(server) == ROWS
            assert server.execute("SELECT * FROM ks.u") == [{"k": 7}]
            server.call("compact", keyspace="ks", tables=["t"])
            assert rows(server) == ROWS
            if statement.startswith(("TRUNCATE", "INSERT")):  # the schema is the same: statements live on
                found = done(connection.execute(select, [(2).to_bytes(4, "big")])).response
                assert isinstance(found, RowsResult)
                assert found.row_count == 1
        server.execute("INSERT INTO ks.t (k, c, v) VALUES (5, 1, 'later')")
        server.kill()
    with cqlserver.start(data=tmp_path) as server:
        assert rows(server) == [*ROWS, {"k": 5, "c": 1, "v": "later"}]
        assert server.execute("SELECT * FROM ks.u") == [{"k": 7}]
        assert not list((tmp_path / "saved").glob("*"))
        assert not list((tmp_path / "adoptions").glob("*"))


@pytest.mark.slow
def test_the_rows_alone_come_back_where_the_schema_stays(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server:
        fill(server)
        server.snapshot("a")
        server.snapshot("a")  # instead of the one before
        server.execute("DROP TABLE ks.u; ALTER TABLE ks.t ADD w int; TRUNCATE ks.t; CREATE TABLE ks.n (k int PRIMARY KEY)")
        server.restore("a", schema=False)
        assert rows(server) == [{**row, "w": None} for row in ROWS]
        assert server.execute("SELECT * FROM ks.n") == []
        server.forget("a")
        assert not list((tmp_path / "saved").glob("*"))
        server.kill()
    with cqlserver.start(data=tmp_path) as server:
        assert rows(server) == [{**row, "w": None} for row in ROWS]


@pytest.mark.slow
def test_large_memtables_are_flushed_before(tmp_path: Path) -> None:
    config = tmp_path / "cassandra.yaml"
    config.write_text("commitlog_segment_size: 1MiB\n")
    with cqlserver.start(data=tmp_path / "data", config=config) as server:
        server.execute(f"{KEYSPACE}; {TABLE}")
        text = "x" * 1000
        server.execute("; ".join(f"INSERT INTO ks.t (k, c, v) VALUES ({k}, 1, '{text}')" for k in range(1_500)))
        server.snapshot("a")
        assert list((tmp_path / "data").glob("data/ks/t-*/nb-*-Data.db"))
        server.execute("INSERT INTO ks.t (k, c, v) VALUES (0, 2, 'more')")
        server.reset()
        server.restore("a")
        assert server.execute("SELECT count(*) AS n FROM ks.t") == [{"n": 1_500}]


BEFORE = {"t": ["later", "newer"], "n": []}
AFTER = {"t": ["flushed", "in memory", "newer"], "u": [""]}


def begun(disk: FaultyDisk) -> tuple[Kept, kept_state.KeptState]:
    """A node whose state was kept and has changed since: BEFORE a restore."""
    kept = Kept(disk)
    kept.ask(KEYSPACE, TABLE, "CREATE TABLE ks.u (k int PRIMARY KEY)", insert(1, "flushed"), insert(2, "older"))
    kept.flush()
    kept.ask(insert(2, "newer"))
    kept.flush()
    kept.ask(insert(3, "in memory"), "INSERT INTO ks.u (k) VALUES (1)")
    state = kept.run(lambda control: kept_state.save(control, "a", None))
    assert isinstance(state, kept_state.KeptState)
    assert kept.state() == AFTER
    changes: Sequence[str] = ("DELETE FROM ks.t WHERE k = 1", "DELETE FROM ks.t WHERE k = 3", insert(4, "later"))
    kept.ask(*changes, "DROP TABLE ks.u", "CREATE TABLE ks.n (k int PRIMARY KEY)")
    kept.flush()
    kept.node.engine.compact()
    kept.finish()
    kept.log.sync()
    assert kept.state() == BEFORE
    return kept, state


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("names_kept", [False, True])
def test_a_crash_at_any_step_leaves_all_of_it_or_nothing(operation: str, names_kept: bool) -> None:
    """The machine stops at the nth operation of its kind, for all n, and again while it starts."""
    crashes = 0
    for after in range(200):
        disk = FaultyDisk()
        kept, state = begun(disk)
        disk.fail(operation, after)
        is_done = failed = False
        try:
            kept.run(lambda control, state=state: kept_state.bring_back(control, state, True))  # type: ignore[misc]
            kept.log.sync()
            is_done = True
            kept.finish()
            failed = any(task.error for task in kept.node.engine.background.finished)
        except Exception:  # noqa: BLE001  whatever: the machine stops
            failed = True
        disk.heal()
        disk.crash(names_kept=names_kept)
        if after % 2:
            disk.fail(operation, after // 2)
            with contextlib.suppress(Exception):
                Kept(disk)
            disk.heal()
            disk.crash(names_kept=names_kept)
        found = Kept(disk)
        where = (operation, after, is_done)
        assert found.state() in (BEFORE, AFTER), where
        assert found.state() == AFTER or not is_done, where
        found.flush()
        disk.crash(names_kept=names_kept)
        assert Kept(disk).state() == found.state(), where
        if not failed:
            break
        crashes += 1
    assert crashes >= {"rename": 0, "remove_folder": 0, "link": 0}.get(operation, 3)  # without links there are copies
