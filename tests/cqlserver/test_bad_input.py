"""Texts and frames that are made to hurt: answered in bounded time, by an error of the client's, and nobody else notices."""

import logging
import random
import struct
import time
from collections.abc import Iterator

import pytest
from small_server import KEYSPACE, SmallServer, done, serving

from protocol import requests
from protocol.client import Connection
from protocol.errors import PeerError, RequestError
from protocol.primitives import UNSET, Value
from protocol.requests import Batch, BatchEntry, Execute, Prepare, Query, QueryOptions, Request
from protocol.responses import Error, PreparedResult, RowsResult

TABLES = (
    "CREATE TABLE ks.t (k int PRIMARY KEY, l list<int>, n varint, d decimal, m map<text, int>, v text)",
    "CREATE TABLE ks.c (k int, c text, v int, PRIMARY KEY (k, c))",
)
SECONDS_MAX = 2.0
"""By the thread's processor; on a machine of one's own a tenth of it."""


@pytest.fixture(scope="module")
def server() -> Iterator[SmallServer]:
    with serving() as server, server.connect() as connection:
        for text in (KEYSPACE, *TABLES):
            done(connection.query(text))
        yield server


@pytest.fixture
def connection(server: SmallServer, caplog: pytest.LogCaptureFixture) -> Iterator[Connection]:
    """Alive when the test is over, the server's log without a bug."""
    caplog.set_level(logging.ERROR)
    with server.connect(4) as connection:
        yield connection
        assert isinstance(connection.query("SELECT key FROM system.local").response, RowsResult)
    assert "a bug in this server" not in caplog.text


NESTED = {
    "lists": "INSERT INTO ks.t (k, l) VALUES (1, " + "[" * 10_000 + "1" + "]" * 10_000 + ")",
    "parentheses": "SELECT " + "(" * 10_000 + "k" + ")" * 10_000 + " FROM ks.t",
    "functions": "SELECT " + "abs(" * 5_000 + "k" + ")" * 5_000 + " FROM ks.t",
    "types": "CREATE TABLE ks.x (k int PRIMARY KEY, v " + "frozen<list<" * 5_000 + "int" + ">>" * 5_000 + ")",
    "sums": "SELECT k" + "+1" * 10_000 + " FROM ks.t",
    "open": "SELECT " + "[" * 100_000,
}


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_deep_nesting_is_refused_as_by_cassandra(connection: Connection, text: str) -> None:
    response = connection.query(text).response
    assert isinstance(response, Error)
    assert (response.error.code, response.error.message) == (0, "java.lang.StackOverflowError")


def test_deep_json_is_refused(connection: Connection) -> None:
    text = '{"k": 1, "l": ' + "[" * 20_000 + "]" * 20_000 + "}"
    response = connection.query(f"INSERT INTO ks.t JSON '{text}'").response
    assert isinstance(response, Error)
    assert "Document nesting depth (1001) exceeds the maximum allowed" in response.error.message


LONG = {
    "assignments to one column": "UPDATE ks.t SET " + ",".join(["v = 'a'"] * 10_000) + " WHERE k = 1",
    "assignments to many columns": "UPDATE ks.t SET " + ",".join(f"a{n} = 1" for n in range(10_000)) + " WHERE k = 1",
    "conditions": "UPDATE ks.t SET v = 'a' WHERE k = 1 IF " + " AND ".join(["v = 'b'"] * 5_000),
    "relations": "SELECT k FROM ks.t WHERE " + " AND ".join(["k = 1"] * 5_000),
    "keys": "SELECT k FROM ks.t WHERE k IN (" + ",".join(map(str, range(10_000))) + ")",
    "quotes": "'" * 1_000_000,
    "minuses": "-" * 1_000_000,
    "digits of an int": "INSERT INTO ks.t (k) VALUES (" + "9" * 100_000 + ")",
    "digits of a varint": "INSERT INTO ks.t (k, n) VALUES (1, " + "9" * 50_000 + ")",
    "digits of a decimal": "INSERT INTO ks.t (k, d) VALUES (1, 0." + "9" * 50_000 + ")",
    "exponent": "INSERT INTO ks.t (k, d) VALUES (1, 1e-100000000)",
    "digits in JSON": "INSERT INTO ks.t JSON '{\"k\": 1, \"n\": " + "9" * 100_000 + "}'",
    "a limit": "SELECT k FROM ks.t LIMIT " + "9" * 10_000,
    "a comment": "SELECT k FROM ks.t /*" + "x" * 1_000_000 + "*/",
    "a name": "SELECT " + "a" * 1_000_000 + " FROM ks.t",
}


@pytest.mark.slow
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_texts_take_bounded_time(connection: Connection, text: str) -> None:
    began = time.process_time()
    connection.query(text)
    assert time.process_time() - began < SECONDS_MAX


@pytest.mark.slow
def test_long_texts_are_not_kept(server: SmallServer, connection: Connection) -> None:
    statements = server.node.statements
    for number in range(40):
        text = f"SELECT k FROM ks.t WHERE k = {number} /*{'x' * 1_000_000}*/"
        assert isinstance(connection.query(text).response, RowsResult)
        assert isinstance(connection.prepare(text).response, PreparedResult)
    assert sum(len(key[1]) for cache in (statements._texts, statements._shapes) for key in cache) < 100_000
    assert sum(len(prepared.text) for prepared in statements._prepared.values()) <= 32 << 20


# --- random frames ---------------------------------------------------------------------------------------------------------

TEXTS = (
    "SELECT * FROM ks.t WHERE k = 1",
    "INSERT INTO ks.t (k, l, m) VALUES (1, [1, 2], {'a': 1}) USING TTL 10",
    "UPDATE ks.t SET l = l + [1], m['a'] = 2 WHERE k = 1 IF d = 1.5",
    "BEGIN BATCH INSERT INTO ks.c (k, c, v) VALUES (1, 'a', 2); DELETE FROM ks.c WHERE k = 1 AND c > 'a' APPLY BATCH",
    "SELECT count(*), max(v), writetime(v) FROM ks.c WHERE k IN (1, 2) AND (c) > ('a') ORDER BY c DESC LIMIT 3",
    "CREATE TABLE ks.z (a int, b frozen<map<text, int>>, c tuple<int, text>, PRIMARY KEY ((a), b))",
    "INSERT INTO ks.t JSON '{\"k\": 1, \"d\": 2.5}'",
    "SELECT token(k), cast(v AS text), k + v * 2 - 1 FROM ks.c",
    "SELECT k FROM ks.t WHERE k = ? AND d = ? ALLOW FILTERING",
    "DESCRIBE KEYSPACE ks",
)
WORDS = [
    "SELECT", "FROM", "WHERE", "ks.t", "ks.c", "k", "c", "v", "l", "[", "]", "(", ")", "{", "}", ",", ";", "=",
    ">", "<", "IN", "LIMIT", "ORDER", "BY", "1", "-1", "1.5", "'a'", "0xff", "?", ":x", "NULL", "IF", "NOT",
    "EXISTS", "USING", "TTL", "TIMESTAMP", "AND", "+", "-", "*", "/", "token", "CAST", "AS", "text", "int",
    "frozen<", "list<", ">", "JSON", "INSERT", "INTO", "VALUES", "UPDATE", "SET", "DELETE", "BATCH", "count(*)",
    "ttl", "DISTINCT", "GROUP", "PER", "PARTITION", "ALLOW", "FILTERING", "CONTAINS", "NaN", "true", "P1Y",
    "now()", "$$x$$",
]  # fmt: skip


def random_text(rng: random.Random) -> str:
    characters = list(rng.choice(TEXTS))
    for _ in range(rng.choice((0, 1, 2, 5))):
        at = rng.randrange(len(characters) + 1)
        match rng.randrange(3):
            case 0:
                del characters[at : at + 3]
            case 1:
                characters.insert(at, rng.choice("()[]{}'\"$;,.:?=<>+-*/ 09aZ_\0\u00e9\U0001f600\n"))
            case _:
                characters.insert(at, f" {rng.choice(WORDS)} ")
    return "".join(characters)


def random_request(rng: random.Random, prepared: list[PreparedResult]) -> Request:
    choices: list[Value] = [None, UNSET, b"", b"\0\0\0\1", b"\xff\xfe", rng.randbytes(8)]
    options = QueryOptions(
        values=tuple(rng.choice(choices) for _ in range(rng.choice((0, 0, 1, 2, 5)))),
        page_size=rng.choice((-1, 1, 5000)),
        paging_state=rng.choice((None, None, rng.randbytes(10))),
    )
    kind = rng.random()
    if kind < 0.5:
        return Query(random_text(rng), options)
    if kind < 0.7:
        return Prepare(random_text(rng))
    if kind < 0.9 and prepared:
        chosen = rng.choice(prepared)
        return Execute(chosen.statement_id, chosen.result_metadata_id, options)
    return Batch(rng.randrange(3), tuple(BatchEntry(random_text(rng), ()) for _ in range(rng.randrange(4))), QueryOptions())


def damaged(rng: random.Random, envelope: bytes) -> bytes:
    """An envelope of the right length whose body is not what it was."""
    body = bytearray(envelope[9:])
    for _ in range(rng.randint(1, 4)):
        if body:
            body[rng.randrange(len(body))] = rng.randrange(256)
    if rng.random() < 0.3:
        del body[rng.randint(0, len(body)) :]
    return envelope[:5] + struct.pack(">I", len(body)) + bytes(body)


@pytest.mark.slow
@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("seed", range(3))
def test_random_requests_are_answered(
    server: SmallServer, version: int, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    rng = random.Random(seed)
    prepared: list[PreparedResult] = []
    with server.connect(version, rng.choice([None, "lz4"])) as connection:
        for number in range(300):
            envelope = requests.encode(random_request(rng, prepared), version, number)
            connection.send_envelopes(damaged(rng, envelope) if rng.random() < 0.3 else envelope)
            response = connection.receive(number).response
            if isinstance(response, PreparedResult):
                prepared = [*prepared[-20:], response]
    assert "a bug in this server" not in caplog.text


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_end_only_their_connection(
    server: SmallServer, connection: Connection, seed: int
) -> None:
    rng = random.Random(seed)
    with server.connect(rng.choice((3, 4, 5))) as victim:
        victim.send_bytes(rng.randbytes(rng.choice((9, 100, 5_000))) + bytes([255]) * 200)
        with pytest.raises((PeerError, RequestError, OSError)):
            while True:
                victim.receive(1)
    assert isinstance(connection.query("SELECT key FROM system.local").response, RowsResult)
