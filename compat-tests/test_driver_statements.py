"""Statements through the Python driver: simple, prepared, batches, paging, LWT, errors, warnings, tracing."""

import threading
import uuid
from collections import OrderedDict
from typing import Any

import pytest
from cassandra import (
    AlreadyExists,
    ConsistencyLevel,
    InvalidRequest,
    Unavailable,
    UnsupportedOperation,
)
from cassandra.cluster import EXEC_PROFILE_DEFAULT, NoHostAvailable, Session
from cassandra.policies import FallthroughRetryPolicy
from cassandra.protocol import ConfigurationException, ProtocolException, SyntaxException
from cassandra.query import (
    UNSET_VALUE,
    BatchStatement,
    BatchType,
    SimpleStatement,
    ValueSequence,
    dict_factory,
    named_tuple_factory,
    ordered_dict_factory,
    tuple_factory,
)
from clients.python_driver import VERSIONS, connected, new_keyspace, unique
from harness.runner import Address


@pytest.fixture(scope="module")
def kv(session: Session) -> str:
    """A table with a key, a text and an int, to which a test adds keys of its own."""
    session.execute("CREATE TABLE kv (k text PRIMARY KEY, v text, n int)")
    return "kv"


@pytest.fixture(scope="module")
def wide(session: Session) -> str:
    """Two partitions of a hundred rows."""
    session.execute("CREATE TABLE wide (k int, c int, v text, PRIMARY KEY (k, c))")
    insert = session.prepare("INSERT INTO wide (k, c, v) VALUES (?, ?, ?)")
    batch = BatchStatement(BatchType.UNLOGGED)
    for k in range(2):
        for c in range(100):
            batch.add(insert, (k, c, f"{k}/{c}"))
    session.execute(batch)
    return "wide"


# simple statements


def test_literals_and_values(any_session: Session, kv: str) -> None:
    key = unique("literal")
    any_session.execute(f"INSERT INTO {kv} (k, v, n) VALUES ('{key}', 'it''s', -3)")
    assert any_session.execute(f"SELECT * FROM {kv} WHERE k = %s", (key,)).one()._asdict() == {
        "k": key,
        "n": -3,
        "v": "it's",
    }
    any_session.execute(f"UPDATE {kv} SET n = %(n)s WHERE k = %(k)s", {"n": 9, "k": key})
    assert any_session.execute(f"SELECT n FROM {kv} WHERE k = %(k)s", {"k": key}).one().n == 9
    any_session.execute(f"DELETE FROM {kv} WHERE k = %s", (key,))
    assert any_session.execute(f"SELECT n FROM {kv} WHERE k = %s", (key,)).one() is None


def test_in_with_a_sequence(session: Session, wide: str) -> None:
    rows = session.execute("SELECT c FROM wide WHERE k = 0 AND c IN %s", (ValueSequence([5, 1, 99, 100]),))
    assert [row.c for row in rows] == [1, 5, 99]


def test_async_calls_back(any_session: Session, wide: str) -> None:
    done = threading.Event()
    seen: list[Any] = []

    def on_rows(rows: list[Any], table: str) -> None:
        seen.append((len(rows), table))
        done.set()

    any_session.execute_async("SELECT * FROM wide WHERE k = 1").add_callback(on_rows, wide)
    assert done.wait(20)
    assert seen == [(100, "wide")]


def test_async_errs_back(any_session: Session) -> None:
    done = threading.Event()
    seen: list[Exception] = []

    def on_error(error: Exception) -> None:
        seen.append(error)
        done.set()

    any_session.execute_async("SELECT * FROM absent").add_errback(on_error)
    assert done.wait(20)
    assert isinstance(seen[0], InvalidRequest)


def test_row_factories(session: Session, wide: str) -> None:
    query = "SELECT k, c, v AS text FROM wide WHERE k = 1 AND c = 7"
    expected: dict[Any, Any] = {
        tuple_factory: (1, 7, "1/7"),
        dict_factory: {"k": 1, "c": 7, "text": "1/7"},
        ordered_dict_factory: OrderedDict([("k", 1), ("c", 7), ("text", "1/7")]),
        named_tuple_factory: (1, 7, "1/7"),
    }
    for factory, row in expected.items():
        profile = session.execution_profile_clone_update(EXEC_PROFILE_DEFAULT, row_factory=factory)
        (found,) = session.execute(query, execution_profile=profile)
        assert found == row
        assert type(found) is type(row) or factory is named_tuple_factory


def test_column_names_and_types_of_a_result(session: Session, wide: str) -> None:
    result = session.execute("SELECT k, count(*), max(v), CAST(k AS text), writetime(v) AS written FROM wide WHERE k = 0")
    assert result.column_names == ["k", "count", "system.max(v)", "cast(k as text)", "written"]
    assert [t.typename for t in result.column_types] == ["int", "bigint", "varchar", "varchar", "bigint"]
    assert result.one()[:4] == (0, 100, "0/99", "0")


# prepared statements


def test_prepared_by_position_and_name(any_session: Session, kv: str) -> None:
    key = unique("prepared")
    insert = any_session.prepare(f"INSERT INTO {kv} (k, v, n) VALUES (?, ?, ?)")
    any_session.execute(insert, (key, "text", 1))
    any_session.execute(insert, {"n": 2, "k": key + "2", "v": "by name"})
    select = any_session.prepare(f"SELECT v, n FROM {kv} WHERE k = :key")
    assert any_session.execute(select, (key,)).one() == ("text", 1)
    assert any_session.execute(select, {"key": key + "2"}).one() == ("by name", 2)
    assert [column.name for column in insert.column_metadata] == ["k", "v", "n"]
    assert [column.name for column in select.column_metadata] == ["key"]


def test_null_makes_a_tombstone_and_unset_leaves_alone(any_session: Session, kv: str) -> None:
    key = unique("null")
    insert = any_session.prepare(f"INSERT INTO {kv} (k, v, n) VALUES (?, ?, ?)")
    select = any_session.prepare(f"SELECT v, n FROM {kv} WHERE k = ?")
    any_session.execute(insert, (key, "text", 1))
    any_session.execute(insert, (key, None, 2))
    assert any_session.execute(select, (key,)).one() == (None, 2)
    if any_session.cluster.protocol_version < 4:
        with pytest.raises(ValueError, match="Attempt to bind UNSET_VALUE"):
            insert.bind((key, UNSET_VALUE, 3))
        return
    any_session.execute(insert, (key, "again", UNSET_VALUE))
    assert any_session.execute(select, (key,)).one() == ("again", 2)
    any_session.execute(insert, (key, "short"))
    assert any_session.execute(select, (key,)).one() == ("short", 2)
    by_keys = any_session.prepare(f"SELECT v, n FROM {kv} WHERE k IN ?")
    with pytest.raises(InvalidRequest, match="Invalid unset value for column k"):
        any_session.execute(by_keys, (UNSET_VALUE,))


def test_routing_key_indexes_come_from_the_server(any_session: Session) -> None:
    table = f"routed_{any_session.cluster.protocol_version}"
    any_session.execute(f"CREATE TABLE {table} (a int, b text, c int, v int, PRIMARY KEY ((a, b), c))")
    insert = any_session.prepare(f"INSERT INTO {table} (v, c, b, a) VALUES (?, ?, ?, ?)")
    assert insert.routing_key_indexes == [3, 2]
    assert insert.bind((1, 2, "bee", 7)).routing_key == b"\x00\x04\x00\x00\x00\x07\x00\x00\x03bee\x00"


def test_prepared_with_timestamp_ttl_and_limit(any_session: Session, kv: str) -> None:
    key = unique("using")
    insert = any_session.prepare(f"INSERT INTO {kv} (k, v) VALUES (?, ?) USING TIMESTAMP ? AND TTL ?")
    assert [column.name for column in insert.column_metadata] == ["k", "v", "[timestamp]", "[ttl]"]
    any_session.execute(insert, (key, "kept", 1_000_000, 1000))
    row = any_session.execute(f"SELECT v, writetime(v), ttl(v) FROM {kv} WHERE k = %s", (key,)).one()
    assert (row.v, row.writetime_v) == ("kept", 1_000_000)
    assert 900 < row.ttl_v <= 1000
    select = any_session.prepare(f"SELECT k FROM {kv} WHERE k IN ? LIMIT ?")
    assert any_session.execute(select, ([key, "absent"], 1)).all() == [(key,)]


def test_prepared_survives_a_change_of_schema(any_session: Session) -> None:
    """v5 tells of new result columns by result_metadata_id; v3 and v4 clients keep the columns they were told of."""
    version = any_session.cluster.protocol_version
    table = f"changing_{version}"
    any_session.execute(f"CREATE TABLE {table} (k int PRIMARY KEY, a int)")
    insert = any_session.prepare(f"INSERT INTO {table} (k, a) VALUES (?, ?)")
    select = any_session.prepare(f"SELECT * FROM {table} WHERE k = ?")
    any_session.execute(insert, (1, 10))
    assert any_session.execute(select, (1,)).one()._asdict() == {"k": 1, "a": 10}
    any_session.execute(f"ALTER TABLE {table} ADD b int")
    any_session.execute(insert, (2, 20))
    any_session.execute(f"UPDATE {table} SET b = 21 WHERE k = 2")
    if version >= 5:
        assert any_session.execute(select, (2,)).one()._asdict() == {"k": 2, "a": 20, "b": 21}
    again = any_session.prepare(f"SELECT k, a, b FROM {table} WHERE k = ?")
    assert any_session.execute(again, (2,)).one() == (2, 20, 21)
    any_session.execute(f"ALTER TABLE {table} DROP a")
    with pytest.raises(InvalidRequest, match="Undefined column name a in table"):
        any_session.execute(insert, (3, 30))


def test_prepared_survives_drop_and_create(any_session: Session) -> None:
    """The server forgets the statement with its table; the driver prepares it anew when it hears Unprepared."""
    table = f"recreated_{any_session.cluster.protocol_version}"
    any_session.execute(f"CREATE TABLE {table} (k int PRIMARY KEY, v int)")
    insert = any_session.prepare(f"INSERT INTO {table} (k, v) VALUES (?, ?)")
    any_session.execute(insert, (1, 1))
    any_session.execute(f"DROP TABLE {table}")
    with pytest.raises(InvalidRequest, match=f"(table|unconfigured table) {table}"):
        any_session.execute(insert, (1, 1))
    any_session.execute(f"CREATE TABLE {table} (k int PRIMARY KEY, v int)")
    any_session.execute(insert, (2, 2))
    assert any_session.execute(f"SELECT * FROM {table}").all() == [(2, 2)]


def test_prepared_in_another_keyspace(server_address: Address, session: Session, keyspace: str, kv: str) -> None:
    """v5 takes the keyspace with PREPARE, whatever the connection uses."""
    with connected(server_address, 5) as own:
        insert = own.prepare(f"INSERT INTO {kv} (k, n) VALUES (?, ?)", keyspace=keyspace)
        own.execute(insert, ("elsewhere", 5))
        assert own.execute(SimpleStatement(f"SELECT n FROM {kv} WHERE k = 'elsewhere'", keyspace=keyspace)).one().n == 5
        with pytest.raises(InvalidRequest, match="No keyspace has been specified"):
            own.execute(f"SELECT n FROM {kv}")


def test_prepared_errors(any_session: Session, kv: str) -> None:
    with pytest.raises(SyntaxException, match="line 1:"):
        any_session.prepare("SELEC * FROM kv")
    with pytest.raises(InvalidRequest, match="Undefined column name nope"):
        any_session.prepare(f"SELECT nope FROM {kv}")
    insert = any_session.prepare(f"INSERT INTO {kv} (k, n) VALUES (?, ?)")
    with pytest.raises(InvalidRequest, match="Key may not be empty"):
        any_session.execute(insert, ("", 1))


# batches


@pytest.mark.parametrize("kind", [BatchType.LOGGED, BatchType.UNLOGGED], ids=str)
def test_batch_mixes_simple_and_prepared(any_session: Session, kv: str, kind: BatchType) -> None:
    key = unique("batch")
    insert = any_session.prepare(f"INSERT INTO {kv} (k, v) VALUES (?, ?)")
    batch = BatchStatement(kind)
    batch.add(insert, (key + "1", "prepared"))
    batch.add(SimpleStatement(f"INSERT INTO {kv} (k, v) VALUES (%s, %s)"), (key + "2", "simple"))
    batch.add(f"INSERT INTO {kv} (k, v) VALUES ('{key}3', 'literal')")
    any_session.execute(batch)
    rows = any_session.execute(f"SELECT v FROM {kv} WHERE k IN ('{key}1', '{key}2', '{key}3')").all()
    assert sorted(row.v for row in rows) == ["literal", "prepared", "simple"]


def test_batch_timestamps(any_session: Session, kv: str) -> None:
    key = unique("stamped")
    any_session.execute(
        f"BEGIN BATCH USING TIMESTAMP 5000 INSERT INTO {kv} (k, v) VALUES ('{key}', 'a');"
        f" UPDATE {kv} SET n = 1 WHERE k = '{key}'; APPLY BATCH"
    )
    assert any_session.execute(f"SELECT writetime(v), writetime(n) FROM {kv} WHERE k = '{key}'").one() == (5000, 5000)


def test_counter_batch(any_session: Session) -> None:
    table = f"hits_{any_session.cluster.protocol_version}"
    any_session.execute(f"CREATE TABLE {table} (k text PRIMARY KEY, n counter, m counter)")
    add = any_session.prepare(f"UPDATE {table} SET n = n + ? WHERE k = ?")
    batch = BatchStatement(BatchType.COUNTER)
    for step in (1, 10, -3):
        batch.add(add, (step, "a"))
    batch.add(f"UPDATE {table} SET m = m - 4 WHERE k = 'a'")
    any_session.execute(batch)
    assert any_session.execute(f"SELECT n, m FROM {table}").one() == (8, -4)
    logged = BatchStatement(BatchType.LOGGED)
    logged.add(add, (1, "a"))
    with pytest.raises(InvalidRequest, match="Cannot include a counter statement in a logged batch"):
        any_session.execute(logged)


def test_conditional_batch(any_session: Session) -> None:
    table = f"cas_batch_{any_session.cluster.protocol_version}"
    any_session.execute(f"CREATE TABLE {table} (k int, c int, v int, PRIMARY KEY (k, c))")
    insert = any_session.prepare(f"INSERT INTO {table} (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS")

    def batch() -> BatchStatement:
        made = BatchStatement()
        made.add(insert, (1, 1, 10))
        made.add(insert, (1, 2, 20))
        return made

    first = any_session.execute(batch())
    assert first.was_applied
    second = any_session.execute(batch())
    assert not second.was_applied
    assert [(row.k, row.c, row.v) for row in second] == [(1, 1, 10), (1, 2, 20)]


# paging


@pytest.mark.parametrize("fetch_size", [1, 7, 50, 100, 1000])
def test_pages_join_up(any_session: Session, wide: str, fetch_size: int) -> None:
    result = any_session.execute(SimpleStatement("SELECT c FROM wide WHERE k = 0", fetch_size=fetch_size))
    assert len(result.current_rows) == min(fetch_size, 100)
    assert [row.c for row in result] == list(range(100))


def test_paging_state_resumes_in_another_session(
    session: Session, server_address: Address, keyspace: str, wide: str
) -> None:
    """A state may travel: it is good for the same query on any connection, prepared or not, backwards too."""
    query = "SELECT c FROM wide WHERE k = 1 ORDER BY c DESC"
    first = session.execute(SimpleStatement(query, fetch_size=30))
    assert [row.c for row in first.current_rows] == list(range(99, 69, -1))
    with connected(server_address, 5, keyspace) as own:
        rest = own.execute(SimpleStatement(query, fetch_size=1000), paging_state=first.paging_state)
        assert [row.c for row in rest] == list(range(69, -1, -1))
        assert rest.paging_state is None
        prepared = own.prepare(query)
        prepared.fetch_size = 40
        page = own.execute(prepared, paging_state=first.paging_state)
        assert [row.c for row in page.current_rows] == list(range(69, 29, -1))
        assert page.has_more_pages


def test_pages_over_partitions(any_session: Session, wide: str) -> None:
    everything = SimpleStatement("SELECT k, c FROM wide", fetch_size=30)
    rows = [(row.k, row.c) for row in any_session.execute(everything)]
    assert sorted(rows) == [(k, c) for k in range(2) for c in range(100)]
    limited = SimpleStatement("SELECT k, c FROM wide PER PARTITION LIMIT 15 LIMIT 20", fetch_size=4)
    assert [(row.k, row.c) for row in any_session.execute(limited)] == rows[:15] + rows[100:105]
    distinct = SimpleStatement("SELECT DISTINCT k FROM wide", fetch_size=1)
    assert [row.k for row in any_session.execute(distinct)] == [rows[0][0], rows[100][0]]


def test_pages_with_filtering_and_aggregates(any_session: Session, wide: str) -> None:
    filtered = SimpleStatement("SELECT c FROM wide WHERE k = 0 AND v > '0/5' ALLOW FILTERING", fetch_size=3)
    expected = [c for c in range(100) if f"0/{c}" > "0/5"]
    assert [row.c for row in any_session.execute(filtered)] == expected
    count = SimpleStatement("SELECT count(*) FROM wide", fetch_size=9)
    assert any_session.execute(count).one().count == 200
    grouped = SimpleStatement("SELECT k, count(c) AS n FROM wide GROUP BY k", fetch_size=1)
    assert sorted((row.k, row.n) for row in any_session.execute(grouped)) == [(0, 100), (1, 100)]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_damaged_paging_state_is_refused(server_address: Address, keyspace: str, wide: str, version: int) -> None:
    """A protocol error: the driver gives the connection up, so it has one of its own."""
    query = SimpleStatement("SELECT c FROM wide WHERE k = 1", fetch_size=5)
    refused = pytest.raises(ProtocolException, match="Invalid value for the paging state")
    with connected(server_address, version, keyspace) as own, refused:
        own.execute(query, paging_state=b"\x01nonsense")


def test_manual_fetching_of_pages(session: Session, wide: str) -> None:
    result = session.execute(SimpleStatement("SELECT c FROM wide WHERE k = 1", fetch_size=60))
    assert result.has_more_pages
    assert len(result.current_rows) == 60
    result.fetch_next_page()
    assert [row.c for row in result.current_rows] == list(range(60, 100))
    assert not result.has_more_pages


# light-weight transactions


def test_lwt_rows(any_session: Session, kv: str) -> None:
    key = unique("lwt")
    insert = any_session.prepare(f"INSERT INTO {kv} (k, v, n) VALUES (?, ?, ?) IF NOT EXISTS")
    first = any_session.execute(insert, (key, "a", 1))
    assert first.column_names == ["[applied]"]
    assert first.was_applied
    second = any_session.execute(insert, (key, "b", 2))
    assert second.column_names == ["[applied]", "k", "n", "v"]
    assert tuple(second.one()) == (False, key, 1, "a")
    assert not second.was_applied
    update = any_session.prepare(f"UPDATE {kv} SET v = ? WHERE k = ? IF n = ? AND v IN ?")
    refused = any_session.execute(update, ("c", key, 5, ["a", "b"]))
    assert refused.column_names == ["[applied]", "n", "v"]
    assert tuple(refused.one()) == (False, 1, "a")
    assert any_session.execute(update, ("c", key, 1, ["a", "b"])).was_applied
    assert any_session.execute(f"UPDATE {kv} SET v = 'z' WHERE k = %s IF EXISTS", (key,)).was_applied
    assert not any_session.execute(f"DELETE FROM {kv} WHERE k = %s IF v = 'no'", (key,)).was_applied
    assert any_session.execute(f"DELETE FROM {kv} WHERE k = %s IF EXISTS", (key,)).was_applied
    assert any_session.execute(f"DELETE FROM {kv} WHERE k = %s IF EXISTS", (key,)).one() == (False,)


def test_serial_consistency(any_session: Session, kv: str) -> None:
    key = unique("serial")
    statement = SimpleStatement(
        f"INSERT INTO {kv} (k, n) VALUES (%s, 1) IF NOT EXISTS",
        consistency_level=ConsistencyLevel.QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
    )
    assert any_session.execute(statement, (key,)).was_applied
    read = SimpleStatement(f"SELECT n FROM {kv} WHERE k = %s", consistency_level=ConsistencyLevel.SERIAL)
    assert any_session.execute(read, (key,)).one().n == 1


# errors


def test_syntax_error(any_session: Session) -> None:
    with pytest.raises(SyntaxException) as caught:
        any_session.execute("SELECT * FRM t")
    assert "line 1:9 no viable alternative at input 'FRM'" in str(caught.value) or "line 1:9" in str(caught.value)


def test_invalid_requests(any_session: Session, kv: str) -> None:
    for query, message in [
        ("SELECT * FROM absent", "table absent does not exist"),
        (f"INSERT INTO {kv} (v) VALUES ('x')", "Some partition key parts are missing: k"),
        (f"SELECT * FROM {kv} WHERE n = 1", "Cannot execute this query as it might involve data filtering"),
        (f"INSERT INTO {kv} (k, n) VALUES ('x', 'text')", 'Invalid STRING constant (text) for "n" of type int'),
        ("USE absent_keyspace", "Keyspace 'absent_keyspace' does not exist"),
    ]:
        with pytest.raises(InvalidRequest) as caught:
            any_session.execute(query)
        assert message in str(caught.value)


def test_already_exists(any_session: Session, keyspace: str, kv: str) -> None:
    with pytest.raises(AlreadyExists) as caught:
        any_session.execute(f"CREATE TABLE {kv} (k int PRIMARY KEY)")
    assert (caught.value.keyspace, caught.value.table) == (keyspace, kv)
    with pytest.raises(AlreadyExists) as caught:
        any_session.execute(
            f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
        )
    assert (caught.value.keyspace, caught.value.table) == (keyspace, "")


def test_configuration_error(any_session: Session) -> None:
    with pytest.raises(ConfigurationException, match="Unable to find replication strategy class"):
        any_session.execute("CREATE KEYSPACE wrong WITH replication = {'class': 'NoSuchStrategy'}")


@pytest.fixture(scope="module")
def three_replicas(session: Session) -> Any:
    """A table of which each row wants three replicas, where there is one node."""
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 3}"
    with new_keyspace(session, "three", replication) as name:
        session.execute(f"CREATE TABLE {name}.t (k int PRIMARY KEY, v int)")
        session.execute(f"CREATE TABLE {name}.hits (k int PRIMARY KEY, n counter)")
        yield f"{name}.t"


def test_unavailable(any_session: Session, three_replicas: str) -> None:
    one = SimpleStatement(f"INSERT INTO {three_replicas} (k, v) VALUES (1, 1)", consistency_level=ConsistencyLevel.ONE)
    any_session.execute(one)
    for query, level, required in [
        (f"INSERT INTO {three_replicas} (k, v) VALUES (1, 1)", ConsistencyLevel.QUORUM, 2),
        (f"INSERT INTO {three_replicas} (k, v) VALUES (1, 1)", ConsistencyLevel.ALL, 3),
        (f"INSERT INTO {three_replicas} (k, v) VALUES (1, 1)", ConsistencyLevel.LOCAL_QUORUM, 2),
        (f"SELECT * FROM {three_replicas} WHERE k = 1", ConsistencyLevel.TWO, 2),
        (f"SELECT * FROM {three_replicas} WHERE k = 1", ConsistencyLevel.THREE, 3),
        (f"SELECT * FROM {three_replicas}", ConsistencyLevel.QUORUM, 2),
        (f"UPDATE {three_replicas.replace('.t', '.hits')} SET n = n + 1 WHERE k = 1", ConsistencyLevel.QUORUM, 2),
    ]:
        with pytest.raises(Unavailable) as caught:
            any_session.execute(SimpleStatement(query, consistency_level=level, retry_policy=FallthroughRetryPolicy()))
        error = caught.value
        assert (error.consistency, error.required_replicas, error.alive_replicas) == (level, required, 1), query


def test_unavailable_serially(any_session: Session, three_replicas: str) -> None:
    with pytest.raises(Unavailable) as caught:
        any_session.execute(
            SimpleStatement(
                f"INSERT INTO {three_replicas} (k, v) VALUES (2, 2) IF NOT EXISTS", retry_policy=FallthroughRetryPolicy()
            )
        )
    error = caught.value
    assert (error.consistency, error.required_replicas, error.alive_replicas) == (ConsistencyLevel.QUORUM, 2, 1)


def test_levels_that_do_not_fit_the_statement(any_session: Session, kv: str) -> None:
    for query, level, message in [
        (f"SELECT * FROM {kv}", ConsistencyLevel.ANY, "ANY ConsistencyLevel is only supported for writes"),
        (
            f"INSERT INTO {kv} (k, n) VALUES ('x', 1)",
            ConsistencyLevel.SERIAL,
            "You must use conditional updates for serializable writes",
        ),
    ]:
        with pytest.raises(InvalidRequest, match=message):
            any_session.execute(SimpleStatement(query, consistency_level=level))
    any_session.execute(
        SimpleStatement(f"INSERT INTO {kv} (k, n) VALUES ('any', 1)", consistency_level=ConsistencyLevel.ANY)
    )


# warnings, tracing, payload, timestamps


def test_warnings(any_session: Session, kv: str) -> None:
    result = any_session.execute(f"SELECT count(*) FROM {kv}")
    expected = ["Aggregation query used without partition key"] if any_session.cluster.protocol_version >= 4 else None
    assert result.response_future.warnings == expected


def test_tracing(any_session: Session, kv: str) -> None:
    result = any_session.execute(f"INSERT INTO {kv} (k, n) VALUES ('traced', 1)", trace=True)
    trace = result.get_query_trace(max_wait_sec=20)
    assert isinstance(trace.trace_id, uuid.UUID)
    assert trace.request_type == "Execute CQL3 query"
    assert trace.coordinator == any_session.hosts[0].address
    assert trace.duration is not None
    assert trace.parameters["query"] == f"INSERT INTO {kv} (k, n) VALUES ('traced', 1)"
    assert trace.client == any_session.hosts[0].address
    assert trace.events
    assert all(event.description and event.source for event in trace.events)
    prepared = any_session.prepare(f"SELECT * FROM {kv} WHERE k = ?")
    trace = any_session.execute(prepared, ("traced",), trace=True).get_query_trace(max_wait_sec=20)
    assert trace.request_type == "Execute CQL3 prepared query"
    assert trace.parameters["query"] == f"SELECT * FROM {kv} WHERE k = ?"


def test_untraced_has_no_trace(session: Session, kv: str) -> None:
    assert session.execute(f"SELECT * FROM {kv} WHERE k = 'x'").get_query_trace() is None


def test_custom_payload_is_taken(any_session: Session, kv: str) -> None:
    """A stock server ignores what it knows no handler for, and sends none back."""
    if any_session.cluster.protocol_version < 4:
        with pytest.raises(NoHostAvailable) as caught:
            any_session.execute(f"SELECT * FROM {kv}", custom_payload={"a": b"1"})
        assert isinstance(next(iter(caught.value.errors.values())), UnsupportedOperation)
        return
    result = any_session.execute(f"SELECT * FROM {kv} WHERE k = 'x'", custom_payload={"a": b"1", "b": b""})
    assert result.response_future.custom_payload is None


@pytest.mark.parametrize("version", VERSIONS)
def test_client_timestamps_are_used(server_address: Address, keyspace: str, kv: str, version: int) -> None:
    key = unique("clock")
    with connected(server_address, version, keyspace, timestamp_generator=lambda: 123_456_789) as own:
        own.execute(f"INSERT INTO {kv} (k, v) VALUES (%s, 'x')", (key,))
        assert own.execute(f"SELECT writetime(v) FROM {kv} WHERE k = %s", (key,)).one()[0] == 123_456_789
        own.use_client_timestamp = False
        own.execute(f"INSERT INTO {kv} (k, v) VALUES (%s, 'y')", (key,))
        assert own.execute(f"SELECT writetime(v) FROM {kv} WHERE k = %s", (key,)).one()[0] > 1_600_000_000_000_000


def test_json(any_session: Session, kv: str) -> None:
    key = unique("json")
    any_session.execute(f"INSERT INTO {kv} JSON %s", (f'{{"k": "{key}", "n": 4}}',))
    row = any_session.execute(f"SELECT JSON k, v, n FROM {kv} WHERE k = %s", (key,)).one()
    assert row.json == f'{{"k": "{key}", "v": null, "n": 4}}'
