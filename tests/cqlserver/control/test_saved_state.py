"""reset, snapshot and restore under sessions that are open: prepared statements, events, requests under way, the log."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_server import KEYSPACE, TABLE, done, failed, serving

import cqlserver
from cqlserver.control import saved_state
from protocol.client import Connection, connect
from protocol.requests import Query
from protocol.responses import Error, PreparedResult, RowsResult, SchemaChange
from storage.commitlog.log import CommitLogFailed
from storage.environment.memory import FaultyDisk

INSERT = "INSERT INTO ks.t (k, c, v) VALUES (1, 1, 'x')"


@pytest.fixture(scope="module", params=["memory", "disk"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[cqlserver.Server]:
    data = tmp_path_factory.mktemp("data") if request.param == "disk" else None
    with cqlserver.start(data=data) as server:
        yield server


@pytest.fixture
def connection(server: cqlserver.Server) -> Iterator[Connection]:
    """To the server, with one table and one row."""
    server.reset(schema=True)
    with connect(server.host, server.port, timeout_s=10) as connection:
        for text in (KEYSPACE, TABLE, INSERT):
            done(connection.query(text))
        yield connection


def count(connection: Connection, text: str = "SELECT * FROM ks.t") -> int:
    response = done(connection.query(text)).response
    assert isinstance(response, RowsResult)
    return response.row_count


def prepared(connection: Connection, text: str) -> PreparedResult:
    response = done(connection.prepare(text)).response
    assert isinstance(response, PreparedResult)
    return response


def test_reset_empties_the_tables_and_prepared_statements_live_on(
    server: cqlserver.Server, connection: Connection
) -> None:
    insert = prepared(connection, "INSERT INTO ks.t (k, c, v) VALUES (?, ?, 'y')")
    select = prepared(connection, "SELECT v FROM ks.t WHERE k = ?")
    number = (1).to_bytes(4, "big")
    for _ in range(3):
        done(connection.execute(insert, [number, number]))
        assert count(connection) == 1
        server.reset()
        assert count(connection) == 0
        response = done(connection.execute(select, [number])).response
        assert isinstance(response, RowsResult)
        assert response.row_count == 0


def test_a_row_of_an_older_timestamp_is_seen_after_a_reset(server: cqlserver.Server, connection: Connection) -> None:
    done(connection.query("DELETE FROM ks.t WHERE k = 1"))
    server.reset()
    done(connection.query("INSERT INTO ks.t (k, c) VALUES (1, 1) USING TIMESTAMP 1"))
    assert count(connection) == 1


def test_reset_of_the_schema_tells_drivers(server: cqlserver.Server, connection: Connection) -> None:
    select = prepared(connection, "SELECT v FROM ks.t WHERE k = ?")
    connection.register("SCHEMA_CHANGE")
    server.reset(schema=True)
    assert connection.next_event(5) == SchemaChange("DROPPED", "KEYSPACE", "ks")
    assert failed(connection.execute(select, [bytes(4)])).startswith("Unprepared: ")
    assert failed(connection.query("SELECT * FROM ks.t")) == "InvalidRequest: keyspace ks does not exist"
    assert count(connection, "SELECT * FROM system_schema.tables WHERE keyspace_name = 'ks'") == 0


def test_restore_brings_rows_back_as_often_as_it_is_asked_to(server: cqlserver.Server, connection: Connection) -> None:
    done(connection.query("CREATE TABLE ks.counts (k int PRIMARY KEY, n counter)"))
    done(connection.query("UPDATE ks.counts SET n = n + 5 WHERE k = 1"))
    server.snapshot("one row")
    for _ in range(2):
        done(connection.query("INSERT INTO ks.t (k, c) VALUES (1, 2)"))
        done(connection.query("DELETE FROM ks.t WHERE k = 1 AND c = 1"))
        done(connection.query("UPDATE ks.counts SET n = n + 1 WHERE k = 1"))
        assert server.execute("SELECT n FROM ks.counts") == [{"n": 6}]
        server.restore("one row")
        assert server.execute("SELECT k, c, v FROM ks.t") == [{"k": 1, "c": 1, "v": "x"}]
        assert server.execute("SELECT n FROM ks.counts") == [{"n": 5}]


def test_indexes_follow_a_restore(server: cqlserver.Server, connection: Connection) -> None:
    select = "SELECT c FROM ks.t WHERE v = '{}'"
    done(connection.query("CREATE INDEX ON ks.t (v)"))
    done(connection.query("INSERT INTO ks.t (k, c, v) VALUES (2, 2, 'y')"))
    server.snapshot("indexed")
    done(connection.query("INSERT INTO ks.t (k, c, v) VALUES (3, 3, 'x')"))
    done(connection.query("UPDATE ks.t SET v = 'z' WHERE k = 2 AND c = 2"))
    assert [count(connection, select.format(v)) for v in "xyz"] == [2, 0, 1]
    server.restore("indexed")
    assert [count(connection, select.format(v)) for v in "xyz"] == [1, 1, 0]
    server.reset()
    assert [count(connection, select.format(v)) for v in "xyz"] == [0, 0, 0]
    server.restore("indexed", schema=False)
    assert [count(connection, select.format(v)) for v in "xyz"] == [1, 1, 0]
    with server.clone() as clone:
        assert clone.execute(select.format("y")) == [{"c": 2}]


def test_restore_brings_the_schema_back_and_tells_what_changed(server: cqlserver.Server, connection: Connection) -> None:
    done(connection.query("CREATE TYPE ks.pair (a int, b int)"))
    done(connection.query("CREATE TABLE ks.kept (k int PRIMARY KEY)"))
    server.snapshot("before")
    kept = prepared(connection, "SELECT k FROM ks.kept")
    for text in (
        "DROP TABLE ks.t",
        "ALTER TABLE ks.kept ADD v int",
        "ALTER TABLE ks.kept DROP v",
        "CREATE TABLE ks.more (k int PRIMARY KEY)",
        "DROP TYPE ks.pair",
        "CREATE KEYSPACE other WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    ):
        done(connection.query(text))
    connection.register("SCHEMA_CHANGE")
    server.restore("before")
    told = [connection.next_event(5) for _ in range(5)]
    assert sorted(map(str, told)) == sorted(
        map(
            str,
            [
                SchemaChange("DROPPED", "KEYSPACE", "other"),
                SchemaChange("CREATED", "TYPE", "ks", "pair"),
                SchemaChange("CREATED", "TABLE", "ks", "t"),
                SchemaChange("UPDATED", "TABLE", "ks", "kept"),
                SchemaChange("DROPPED", "TABLE", "ks", "more"),
            ],
        )
    )
    assert connection.next_event(0.01) is None
    assert count(connection) == 1
    assert failed(connection.execute(kept)).startswith("Unprepared: ")
    done(connection.query(INSERT))
    tables = server.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'ks'")
    assert [row["table_name"] for row in tables] == ["kept", "t"]
    server.restore("before")  # nothing to change any more
    assert connection.next_event(0.01) is None


def test_functions_come_back_and_are_told_with_their_arguments() -> None:
    with cqlserver.start(settings={"user_defined_functions_enabled": True}) as server:
        function = "CREATE FUNCTION ks.twice (a int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return a * 2;'"
        server.execute(f"{KEYSPACE}; {TABLE}; {function}; {INSERT}")
        server.snapshot("with it")
        server.execute("DROP FUNCTION ks.twice")
        with connect(server.host, server.port, timeout_s=10) as connection:
            connection.register("SCHEMA_CHANGE")
            server.restore("with it")
            assert connection.next_event(5) == SchemaChange("CREATED", "FUNCTION", "ks", "twice", ("int",))
        assert server.execute("SELECT ks.twice(k) AS n FROM ks.t") == [{"n": 2}]


def test_a_whole_keyspace_comes_back_with_its_tables_told_one_by_one(
    server: cqlserver.Server, connection: Connection
) -> None:
    server.snapshot("all")
    server.reset(schema=True)
    connection.register("SCHEMA_CHANGE")
    server.restore("all")
    assert connection.next_event(5) == SchemaChange("CREATED", "KEYSPACE", "ks")
    assert connection.next_event(5) == SchemaChange("CREATED", "TABLE", "ks", "t")
    assert count(connection) == 1


def test_a_scan_under_way_answers_all_of_before(server: cqlserver.Server, connection: Connection) -> None:
    """A reset that came into the middle of a long scan cut its answer short."""
    rows = 6_000
    inserts = [Query(f"INSERT INTO ks.t (k, c) VALUES ({k}, 1)") for k in range(2, rows + 1)]
    for stream in connection.send_many(inserts):
        done(connection.receive(stream))
    for _ in range(5):
        server.snapshot("many")
        streams = connection.send_many([Query("SELECT count(v), count(k) FROM ks.t")] * 4)
        server.reset()
        counts = set()
        for stream in streams:
            response = done(connection.receive(stream)).response
            assert isinstance(response, RowsResult)
            counts.add(int.from_bytes(response.content[-8:], "big"))
        assert counts <= {0, rows}, counts
        assert count(connection) == 0
        server.restore("many")


def test_on_disk_a_reset_is_durable(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path / "data") as server:
        server.execute(f"{KEYSPACE}; {TABLE}; CREATE TABLE ks.u (k int PRIMARY KEY)")
        server.execute(f"{INSERT}; INSERT INTO ks.u (k) VALUES (1)")
        server.reset()
        server.execute("INSERT INTO ks.u (k) VALUES (2)")
        server.kill()
    with cqlserver.start(data=tmp_path / "data") as server:
        assert server.execute("SELECT * FROM ks.t") == []
        assert server.execute("SELECT * FROM ks.u") == [{"k": 2}]


def test_a_reset_is_one_record_of_the_log() -> None:
    """So that a crash finds all tables empty or none."""
    with serving(FaultyDisk()) as served, served.connect() as connection:
        for text in (KEYSPACE, TABLE, "CREATE TABLE ks.u (k int PRIMARY KEY)", INSERT, "INSERT INTO ks.u (k) VALUES (1)"):
            done(connection.query(text))
        log = served.node.commit_log
        assert log is not None
        before = log.appended
        saved_state.empty(served.node)
        assert log.appended == before + 1
        saved_state.empty(served.node)  # there is nothing to remove
        assert log.appended == before + 1


def test_a_failed_log_refuses_a_reset() -> None:
    disk = FaultyDisk()
    with serving(disk) as served, served.connect() as connection:
        for text in (KEYSPACE, TABLE, INSERT):
            done(connection.query(text))
        disk.fail("write")
        assert isinstance(connection.query(INSERT).response, Error)
        with pytest.raises(CommitLogFailed):
            saved_state.empty(served.node)
        assert count(connection) == 1
