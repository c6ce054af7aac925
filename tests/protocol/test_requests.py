"""Requests: round trips, what each version can say, and Cassandra's words for malformed bodies."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import requests
from protocol.errors import ProtocolError
from protocol.primitives import UNSET
from protocol.requests import (
    AuthResponse,
    Batch,
    BatchEntry,
    Execute,
    Options,
    Prepare,
    Query,
    QueryOptions,
    Register,
    Request,
    Startup,
)

VERSIONS = (3, 4, 5, 6)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ids = st.binary(max_size=20)
versions = st.sampled_from(VERSIONS)


@st.composite
def query_options(draw: st.DrawFn, version: int) -> QueryOptions:
    value = st.none() | st.binary(max_size=12) | (st.just(UNSET) if version >= 4 else st.nothing())
    values = tuple(draw(st.lists(value, max_size=5)))
    named = bool(values) and draw(st.booleans())
    names = tuple(draw(st.lists(texts, min_size=len(values), max_size=len(values)))) if named else None
    return QueryOptions(
        consistency=draw(st.integers(0, 11)),
        values=values,
        names=names,
        flags=draw(st.sampled_from([0, requests.SKIP_METADATA])),
        page_size=draw(st.integers(-1, 2**31 - 1)),
        paging_state=draw(st.none() | st.binary(max_size=9)),
        serial_consistency=draw(st.sampled_from([8, 9])),
        timestamp_us=draw(st.none() | st.integers(-(2**63) + 1, 2**63 - 1)),
        keyspace=draw(st.none() | texts) if version >= 5 else None,
        now_s=draw(st.none() | st.integers(0, 2**32 - 1)) if version >= 5 else None,
    )


@st.composite
def versioned_requests(draw: st.DrawFn) -> tuple[int, Request]:
    version = draw(versions)
    options = query_options(version)
    entry = st.builds(BatchEntry, texts | ids, st.lists(st.none() | st.binary(max_size=5), max_size=3).map(tuple))
    request = draw(
        st.builds(Startup, st.dictionaries(texts.map(str.upper), texts, max_size=3))
        | st.just(Options())
        | st.builds(Query, texts, options)
        | st.builds(Prepare, texts, st.none() | texts if version >= 5 else st.none())
        | st.builds(Execute, ids, ids if version >= 5 else st.none(), options)
        | st.builds(Batch, st.integers(0, 2), st.lists(entry, max_size=4).map(tuple), options)
        | st.builds(Register, st.lists(st.sampled_from(requests.EVENT_TYPES), max_size=3).map(tuple))
        | st.builds(AuthResponse, ids)
    )
    return version, request


def without_flags(request: Request) -> Request:
    """The flags as received hold more bits than those that encode was told."""
    if isinstance(request, Query | Execute | Batch):
        return replace(request, options=request.options._replace(flags=request.options.flags & requests.SKIP_METADATA))
    return request


payloads = st.none() | st.dictionaries(texts, st.none() | st.binary(max_size=5), max_size=2)


@given(versioned=versioned_requests(), tail=st.binary(max_size=3), tracing=st.booleans(), payload=payloads)
@settings(derandomize=True, deadline=None, max_examples=40)
def test_requests_survive_a_round_trip_and_trailing_bytes(
    versioned: tuple[int, Request], tail: bytes, tracing: bool, payload: dict[str, bytes | None] | None
) -> None:
    version, request = versioned
    payload = payload if version >= 4 else None
    envelope = requests.encode(request, version, 77, tracing, payload)
    assert envelope[0] == version
    assert envelope[1] == 2 * tracing | 4 * (payload is not None) | 0x10 * (version == 6)
    assert int.from_bytes(envelope[5:9], "big") == len(envelope) - 9
    decoded, got_payload = requests.decode(version, envelope[1], envelope[4], envelope[9:] + tail)
    assert without_flags(decoded) == request
    assert got_payload == payload


@given(versioned=versioned_requests(), data=st.data())
@settings(derandomize=True, deadline=None, max_examples=40)
def test_truncated_bodies_are_protocol_errors(versioned: tuple[int, Request], data: st.DataObject) -> None:
    version, request = versioned
    body = request.encode(version)
    cut = data.draw(st.integers(0, len(body)))
    if cut < len(body):
        with pytest.raises(ProtocolError):
            requests.decode(version, 0, request.opcode, body[:cut])


@given(version=versions, flags=st.integers(0, 255), opcode=st.integers(0, 20), body=st.binary(max_size=80))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_random_bodies_are_requests_or_protocol_errors(version: int, flags: int, opcode: int, body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        requests.decode(version, flags, opcode, body)


# Recorded: bodies, and what Cassandra 5.0.8 said to them in v4.
@pytest.mark.parametrize(
    ("opcode", "body", "message"),
    [
        (
            7,
            b"\x00\x00\x00\x05ab",
            "Not enough bytes to read an UTF8 serialized string preceded by its 4 bytes length",
        ),
        (
            7,
            b"\xff\xff\xff\xf5abcde\x00\x01\x00",
            "Not enough bytes to read an UTF8 serialized string preceded by its 4 bytes length",
        ),
        (
            7,
            b"\x00\x00\x00\x05ab\xffcd\x00\x01\x00",
            "Cannot decode string as UTF8: 'ff6364'; java.nio.charset.MalformedInputException: Input length = 1",
        ),
        (
            7,
            b"\x00\x00\x00\x05ab\xe2\x82\xe2\x00\x01\x00",
            "Cannot decode string as UTF8: 'e282e2'; java.nio.charset.MalformedInputException: Input length = 2",
        ),
        (
            7,
            b"\x00\x00\x00\x05abc\xe2\x82\x00\x01\x00",
            "Cannot decode string as UTF8: 'e282'; java.nio.charset.MalformedInputException: Input length = 2",
        ),
        (7, b"\x00\x00\x00\x01a\x00\x63\x00", "Unknown code 99 for a consistency level"),
        (7, b"\x00\x00\x00\x01a\x00\x01\x01\x00\x01\xff\xff\xff\xfd", "Invalid ByteBuf length -3"),
        (
            7,
            b"\x00\x00\x00\x01a\x00\x01\x20\x80" + bytes(7),
            "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807] (got -9223372036854775808)",
        ),
        (13, b"\x07\x00\x00\x00\x01\x00", "Invalid BATCH message type 7"),
        (
            13,
            b"\x00\x00\x01\x05\x00\x01\x00",
            "Invalid query kind in BATCH messages. Must be 0 or 1 but got 5",
        ),
        (11, b"\x00\x01\x00\x03foo", "Invalid value 'foo' for Type"),
        (4, b"\x00\x01\x00\x03foo", "Unsupported message"),
    ],
)
def test_malformed_bodies_have_cassandras_message(opcode: int, body: bytes, message: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        requests.decode(4, 0, opcode, body)
    assert caught.value.message == message


@pytest.mark.parametrize("length", [-1, -2, -3, -(2**31)])
def test_negative_lengths_are_null_before_v4(length: int) -> None:
    body = b"\x00\x00\x00\x01a\x00\x01\x01\x00\x01" + length.to_bytes(4, "big", signed=True)
    request, _ = requests.decode(3, 0, 7, body)
    assert isinstance(request, Query)
    assert request.options.values == (None,)


def test_custom_payload_is_no_part_of_v3() -> None:
    with pytest.raises(ProtocolError, match="Received frame with CUSTOM_PAYLOAD flag for native protocol version < 4"):
        requests.decode(3, requests.CUSTOM_PAYLOAD, 5, b"\x00\x00")


@pytest.mark.parametrize(
    ("options", "version", "expected"),
    [
        ({}, 4, None),
        ({"COMPRESSION": "LZ4"}, 5, "lz4"),
        ({"COMPRESSION": "snappy"}, 4, "snappy"),
        ({"COMPRESSION": "snappy"}, 5, "Snappy compression is not supported in protocol V5"),
        ({"COMPRESSION": "Foo"}, 4, "Unknown compression algorithm: foo"),
    ],
)
def test_startup_names_the_compression(options: dict[str, str], version: int, expected: str | None) -> None:
    startup = Startup(options)
    if expected is None or expected in ("lz4", "snappy"):
        assert startup.compression(version) == expected
    else:
        with pytest.raises(ProtocolError, match=expected):
            startup.compression(version)


@pytest.mark.parametrize("version", VERSIONS)
def test_execute_head_unpacks_the_fixed_beginning(version: int) -> None:
    options = QueryOptions(consistency=6, values=(b"ab", None))
    body = Execute(b"i" * 16, b"m" * 16, options).encode(version)
    head = requests.EXECUTE_HEAD[version]
    fields = head.unpack_from(body)
    assert fields[:2] == (16, b"i" * 16)
    assert fields[-3:] == (6, requests.VALUES, 2)
    assert requests.read_values(body, head.size, 2, version) == ([b"ab", None], len(body))
