"""What a client may get wrong, through bare frames: the answer, and that the connection lives or closes as Cassandra's.

The same tests pass against Apache Cassandra (`--contact`), so they hold nothing that it does not survive: texts that nest
deeply keep its parser busy for ever, and are tried on our server alone (tests/cqlserver/test_bad_input.py).
"""

import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest
from harness.runner import Address

from protocol.client import Connection, connect
from protocol.primitives import UNSET, Value
from protocol.requests import Batch, BatchEntry, QueryOptions
from protocol.responses import Error, PreparedResult, RowsResult

KEYSPACE = "bad_input_compat"
QUERY, PREPARE, EXECUTE, REGISTER, BATCH = 0x07, 0x09, 0x0A, 0x0B, 0x0D
TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def tables(server_address: Address) -> Iterator[None]:
    with connect(server_address.host, server_address.port, 4, timeout_s=TIMEOUT_S) as connection:
        connection.query(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
        for text in (
            f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
            f"CREATE TABLE {KEYSPACE}.t (k int PRIMARY KEY, v text, n varint, d decimal, l list<int>)",
            f"CREATE TABLE {KEYSPACE}.s (k text PRIMARY KEY, v int)",
            f"CREATE TABLE {KEYSPACE}.c (k int, c text, v int, PRIMARY KEY (k, c))",
        ):
            assert not isinstance(connection.query(text).response, Error)
        yield
        connection.query(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")


@pytest.fixture(params=[4, 5])
def connection(server_address: Address, tables: None, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """One in the tests' keyspace, which must be alive when the test is over."""
    with connect(server_address.host, server_address.port, request.param, timeout_s=TIMEOUT_S) as connection:
        assert not isinstance(connection.query(f"USE {KEYSPACE}").response, Error)
        yield connection
        assert isinstance(connection.query("SELECT key FROM system.local").response, RowsResult)


def error(connection: Connection, text: str, *values: Value) -> str:
    response = connection.query(text, QueryOptions(values=values)).response
    assert isinstance(response, Error), response
    return f"{response.error.code:04x} {response.error.message}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT", "2000 line 0:-1 no viable alternative at input '<EOF>'"),
        ("", "2000 line 0:-1 no viable alternative at input '<EOF>'"),
        ("SELECT * FROM nothing", "2200 table nothing does not exist"),
        ("SELECT * FROM t LIMIT 0", "2200 LIMIT must be strictly positive"),
        ("SELECT * FROM t LIMIT -1", "2200 LIMIT must be strictly positive"),
        ("INSERT INTO t (v) VALUES ('x')", "2200 Some partition key parts are missing: k"),
        ("INSERT INTO s (k, v) VALUES ('', 1)", "2200 Key may not be empty"),
        ("INSERT INTO t (k) VALUES (1) USING TTL 999999999", "2200 ttl is too large."),
        (f"INSERT INTO s (k, v) VALUES ('{'a' * 65536}', 1)", "2200 Key length of 65536 is longer than maximum of 65535"),
        (f"SELECT v FROM s WHERE k = '{'a' * 70000}'", "2200 Key length of 70000 is longer than maximum of 65535"),
        (f"INSERT INTO t (k) VALUES ({'9' * 30})", f"2200 Unable to make int from '{'9' * 30}'"),
    ],
)
def test_wrong_statements(connection: Connection, text: str, expected: str) -> None:
    assert error(connection, text).startswith(expected)


def test_long_numbers(connection: Connection) -> None:
    for text in (
        f"INSERT INTO t (k, n) VALUES (1, {'9' * 5000})",
        "INSERT INTO t (k, d) VALUES (1, 1e-100000000)",
    ):
        assert not isinstance(connection.query(text).response, Error)
    assert "NumberFormatException" in error(connection, "INSERT INTO t (k, d) VALUES (1, 1e100000)")


def test_a_large_value_and_a_large_statement(connection: Connection) -> None:
    assert not isinstance(connection.query(f"INSERT INTO t (k, v) VALUES (1, '{'x' * 1_000_000}')").response, Error)
    response = connection.query("SELECT v FROM t WHERE k = 1").response
    assert isinstance(response, RowsResult)
    assert len(response.content) == 1_000_004
    assert not isinstance(connection.query("SELECT v FROM t WHERE k = 2 /*" + "x" * 1_000_000 + "*/").response, Error)


def test_too_many_markers(connection: Connection) -> None:
    markers = ",".join("?" * 65_536)
    response = connection.prepare(f"SELECT k FROM t WHERE k IN ({markers})").response
    assert isinstance(response, Error)
    assert response.error.message == "Too many markers(?). 65536 markers exceed the allowed maximum of 65535"


def test_values_that_do_not_fit(connection: Connection) -> None:
    prepared = connection.prepare("INSERT INTO t (k, v) VALUES (?, ?)").response
    assert isinstance(prepared, PreparedResult)

    def executed(*values: Value) -> str:
        response = connection.execute(prepared, values).response
        assert isinstance(response, Error), response
        return response.error.message

    assert executed(b"\0\0\0\1") == "there were 2 markers(?) in CQL but 1 bound variables"
    assert executed(b"\0\0\1", b"x") == "Expected 4 or 0 byte int (3)"
    assert executed(None, b"x") == "Invalid null value in condition for column k"
    assert executed(UNSET, b"x") == "Invalid unset value for column k"
    assert executed(b"\0\0\0\1", b"\xff\xfe") == "String didn't validate."


def test_batches_of_what_does_not_belong(connection: Connection) -> None:
    batch = Batch(0, (BatchEntry("SELECT * FROM t", ()),), QueryOptions())
    response = connection.request(batch).response
    assert isinstance(response, Error)
    assert response.error.message == "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed."


@pytest.mark.parametrize("opcode", [QUERY, PREPARE, EXECUTE, REGISTER, BATCH])
@pytest.mark.parametrize("body", [b"", b"\xff\xff\xff\xff\xff", b"\x00\x00\x00\x05ab", bytes(3)], ids=len)
def test_bodies_that_are_no_message(connection: Connection, opcode: int, body: bytes) -> None:
    connection.send_envelopes(struct.pack(">BBhBI", connection.version, 0, 1000, opcode, len(body)) + body)
    response = connection.receive(1000).response
    if not (opcode == REGISTER and body[:2] == bytes(2)):  # a list of no events, and Cassandra looks no further
        assert isinstance(response, Error), response


def test_a_text_that_is_not_utf_8(server_address: Address, connection: Connection) -> None:
    text = b"SELECT '\xff\xfe' FROM t"
    tail = b"\x00\x01" + bytes(1 if connection.version < 5 else 4)
    body = struct.pack(">I", len(text)) + text + tail
    connection.send_envelopes(struct.pack(">BBhBI", connection.version, 0, 1000, QUERY, len(body)) + body)
    assert isinstance(connection.receive(1000).response, Error)


@pytest.mark.parametrize("first", [1, 2, 7, 0x47, 0x16])
def test_a_version_that_is_none_is_answered(server_address: Address, first: int) -> None:
    with socket.create_connection((server_address.host, server_address.port), timeout=TIMEOUT_S) as stream:
        stream.sendall(bytes((first, 0, 0, 5, 0, 0, 0, 0, 0)))
        assert b"Invalid or unsupported protocol version" in stream.recv(1000)


def test_a_damaged_segment_closes_the_connection(server_address: Address) -> None:
    with connect(server_address.host, server_address.port, 5, timeout_s=TIMEOUT_S) as connection:
        connection.send_bytes(b"\x05\x00\x02\x00\x00\x00" + bytes(9))
        stream = connection._stream
        assert b"CRC mismatch" in stream.recv(1000)
        with contextlib.suppress(ConnectionResetError):  # it had not read all that we sent
            assert stream.recv(1000) == b""
