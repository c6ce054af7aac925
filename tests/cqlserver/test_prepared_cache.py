"""Prepared statements are bounded in bytes, and those that are used stay, though fast paths tell nobody of their uses."""

import gc
import tracemalloc

import pytest
from small_server import KEYSPACE, TABLE, SmallServer, done, serving

from protocol.client import Connection
from protocol.errors import Unprepared
from protocol.requests import Execute, Prepare, QueryOptions
from protocol.responses import Error, PreparedResult, RowsResult, VoidResult

TEXT = "INSERT INTO ks.t (k, c, v) VALUES (?, ?, 'x') /* {} */"
VALUES = (b"\0\0\0\1", b"\0\0\0\1")

COLUMNS = [f"c{number}" for number in range(200)]
WIDE = f"CREATE TABLE ks.w (k int PRIMARY KEY, {', '.join(f'{name} int' for name in COLUMNS)})"
SUM = f"SELECT {' + '.join(['k'] * 50)} FROM ks.t WHERE k = ?"
BATCH = f"BEGIN BATCH {' '.join(['INSERT INTO ks.t (k, c, v) VALUES (?, ?, ?);'] * 30)} APPLY BATCH"


def limit(server: SmallServer, client: Connection, text: str, room: int) -> None:
    """Has room for so many like this one, which is prepared."""
    done(client.request(Prepare(text)))
    cache = server.node.statements._prepared
    cache.bytes_max = room * cache.bytes + cache.bytes // 2


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("/*", "IF NOT EXISTS /*"),
        "SELECT v FROM ks.t WHERE k = ? AND c = ? /* {} */",
        "SELECT * FROM ks.w WHERE k = ? /* {} */",
        f"INSERT INTO ks.w (k, {', '.join(COLUMNS)}) VALUES ({', '.join('?' * 201)}) /* {{}} */",
        f"SELECT * FROM ks.w WHERE {' AND '.join(f'{name} > ?' for name in COLUMNS)} ALLOW FILTERING /* {{}} */",
        f"SELECT * FROM ks.t WHERE k IN ({', '.join('?' * 200)}) /* {{}} */",
        SUM + " /* {} */",
        BATCH + " /* {} */",
        f"SELECT v FROM ks.t WHERE k = ? /* {'x' * 50_000} {{}} */",
    ],
)
def test_what_a_prepared_statement_takes_is_measured(text: str) -> None:
    """A SELECT * of thousands of columns was reckoned with 16 kB, and took megabytes."""
    with serving() as server, server.connect() as client:
        for statement in (KEYSPACE, TABLE, WIDE):
            done(client.query(statement))
        cache = server.node.statements._prepared
        count = 30
        for number in range(3):
            done(client.request(Prepare(text.format(number))))
        gc.collect()
        reckoned = cache.bytes
        tracemalloc.start()
        try:
            for number in range(3, 3 + count):
                done(client.request(Prepare(text.format(number))))
            gc.collect()
            taken = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert len(cache) == count + 3
        reckoned = cache.bytes - reckoned
        assert 0.75 * taken < reckoned < 1.5 * taken, f"reckoned {reckoned // count}, taken {taken // count}"


def test_prepared_statements_that_are_used_stay_and_others_make_room(caplog: pytest.LogCaptureFixture) -> None:
    room = 20
    with serving() as server, server.connect() as client:
        done(client.query(KEYSPACE))
        done(client.query(TABLE))
        limit(server, client, TEXT.format(999), room)

        def prepare(number: int) -> bytes:
            response = done(client.request(Prepare(TEXT.format(number)))).response
            assert isinstance(response, PreparedResult)
            return response.statement_id

        def execute(statement_id: bytes) -> object:
            return client.request(Execute(statement_id, None, QueryOptions(values=VALUES))).response

        used, unused = prepare(1000), prepare(1001)
        for number in range(3 * room):
            prepare(number)
            assert isinstance(execute(used), VoidResult)
        response = execute(unused)
        assert isinstance(response, Error)
        assert isinstance(response.error, Unprepared)
        cache = server.node.statements._prepared
        assert room // 2 < len(cache) <= room
        assert cache.bytes <= cache.bytes_max
    assert caplog.text.count("prepared statements are discarded because cache limit reached") == 1


def test_a_fast_path_for_another_version_of_the_protocol_is_made_at_its_first_use_and_counted() -> None:
    with serving() as server, server.connect(5) as client:
        done(client.query(KEYSPACE))
        done(client.query(TABLE))
        response = done(client.request(Prepare("SELECT v FROM ks.t WHERE k = ? AND c = ?"))).response
        assert isinstance(response, PreparedResult)
        statements = server.node.statements
        before = statements._prepared.bytes
        assert response.statement_id in statements.fast_paths(5)
        with server.connect(4) as other:
            assert response.statement_id not in statements.fast_paths(4)
            for _ in range(3):
                execute = Execute(response.statement_id, None, QueryOptions(values=VALUES))
                assert isinstance(other.request(execute).response, RowsResult)
            assert response.statement_id in statements.fast_paths(4)
        fast = statements._prepared.get(response.statement_id)
        assert fast is not None
        assert statements._prepared.bytes == before + fast.fast_size
        assert fast.fast_count == 2


def test_a_statement_larger_than_the_cache_is_not_prepared() -> None:
    with serving(prepared_statements_bytes_max=1 << 20) as server, server.connect() as client:
        response = client.request(Prepare(f"SELECT key{', key' * 8_000} FROM system.local")).response
        assert isinstance(response, Error)
        assert "is larger than allowed maximum of 1 MB: SELECT key, key" in response.error.message


@pytest.mark.parametrize("text", [TEXT, "SELECT v FROM ks.t WHERE k = ? AND c = ? /* {} */"], ids=["INSERT", "SELECT"])
def test_what_makes_room_is_freed_without_the_garbage_collector(text: str) -> None:
    """There are no full collections under load, so that a cycle in a plan or its fast path would stay for ever."""
    room = 20
    with serving() as server, server.connect() as client:
        done(client.query(KEYSPACE))
        done(client.query(TABLE))
        limit(server, client, text.format(999), room)
        for number in range(room):
            done(client.request(Prepare(text.format(number))))
        gc.collect()
        gc.disable()
        try:
            for number in range(room, 3 * room):
                done(client.request(Prepare(text.format(number))))
            assert server.node.statements.evicted_count >= 2 * room
            assert gc.collect() < room
        finally:
            gc.enable()
