"""Prepared statements are bounded in bytes, and those that are used stay, though fast paths tell nobody of their uses."""

import gc

import pytest
from small_server import KEYSPACE, TABLE, done, serving

from cqlserver.plan_cache import reckoned_bytes
from protocol.errors import Unprepared
from protocol.requests import Execute, Prepare, QueryOptions
from protocol.responses import Error, PreparedResult, VoidResult

TEXT = "INSERT INTO ks.t (k, c, v) VALUES (?, ?, 'x') /* {} */"
VALUES = (b"\0\0\0\1", b"\0\0\0\1")


def test_prepared_statements_that_are_used_stay_and_others_make_room(caplog: pytest.LogCaptureFixture) -> None:
    room = 20
    with serving(prepared_statements_bytes_max=room * reckoned_bytes(TEXT.format(10))) as server, server.connect() as client:
        done(client.query(KEYSPACE))
        done(client.query(TABLE))

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


def test_a_statement_larger_than_the_cache_is_not_prepared() -> None:
    with serving(prepared_statements_bytes_max=1 << 20) as server, server.connect() as client:
        response = client.request(Prepare(f"SELECT key{', key' * 3_000} FROM system.local")).response
        assert isinstance(response, Error)
        assert "is larger than allowed maximum of 1 MB: SELECT key, key" in response.error.message


@pytest.mark.parametrize("text", [TEXT, "SELECT v FROM ks.t WHERE k = ? AND c = ? /* {} */"], ids=["INSERT", "SELECT"])
def test_what_makes_room_is_freed_without_the_garbage_collector(text: str) -> None:
    """There are no full collections under load, so that a cycle in a plan or its fast path would stay for ever."""
    room = 20
    with serving(prepared_statements_bytes_max=room * reckoned_bytes(text.format(10))) as server, server.connect() as client:
        done(client.query(KEYSPACE))
        done(client.query(TABLE))
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
