"""Damage of every kind to valid traffic: nothing but protocol errors comes out, and memory stays bounded."""

import contextlib
import random
import tracemalloc

import pytest

from protocol import requests
from protocol.errors import ProtocolError
from protocol.frames import Decoder, EnvelopeDecoder, SegmentDecoder, encoder, negotiated
from protocol.requests import Batch, BatchEntry, Execute, Prepare, Query, QueryOptions, Register, Request, Startup

MEMORY_MAX = 4 << 20  # far below what the lengths that are claimed would take
MODES = [(3, None), (4, None), (4, "lz4"), (4, "snappy"), (5, None), (5, "lz4")]

OPTIONS = QueryOptions(values=(b"abc", None, b""), page_size=10, paging_state=b"p", timestamp_us=5, keyspace="ks")
REQUESTS: list[Request] = [
    Startup({"CQL_VERSION": "3.0.0"}),
    Query("SELECT * FROM t", OPTIONS),
    Prepare("SELECT * FROM t"),
    Execute(b"i" * 16, b"m" * 16, OPTIONS),
    Batch(1, (BatchEntry("INSERT", (b"x",)), BatchEntry(b"i" * 16)), OPTIONS),
    Register(("SCHEMA_CHANGE",)),
]


def fresh(version: int, compression: str | None) -> Decoder:
    return negotiated(EnvelopeDecoder(), version, compression)


def feed(decoder: Decoder, data: bytes) -> None:
    for got_version, flags, _, opcode, body in decoder.receive_data(data):
        with contextlib.suppress(ProtocolError):
            requests.decode(got_version, flags, opcode, body)


@pytest.mark.parametrize(("version", "compression"), MODES)
def test_damaged_traffic_gives_protocol_errors_in_bounded_memory(version: int, compression: str | None) -> None:
    dice = random.Random(version)
    envelopes = [requests.encode(request, version, index) for index, request in enumerate(REQUESTS)]
    whole = encoder(version, compression).encode(envelopes)
    fresh(version, compression)  # imports and tables are not what is measured
    tracemalloc.start()
    try:
        for _ in range(150):
            damaged = bytearray(whole)
            for _ in range(dice.randrange(1, 4)):
                damaged[dice.randrange(len(damaged))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
            cut = dice.randrange(len(damaged))
            decoder = fresh(version, compression)
            feed(decoder, bytes(damaged[:cut]))
            feed(decoder, bytes(damaged[cut:]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_MAX


@pytest.mark.parametrize("version", [3, 4, 5])
def test_damaged_bodies_give_protocol_errors(version: int) -> None:
    """Checksums keep damage from bodies in v5: here it reaches them."""
    dice = random.Random(version)
    for request in REQUESTS:
        body = request.encode(version)
        for _ in range(100):
            damaged = bytearray(body)
            damaged[dice.randrange(len(damaged))] = dice.choice((0, 0x7F, 0x80, 0xFF))
            with contextlib.suppress(ProtocolError):
                requests.decode(version, dice.choice((0, requests.CUSTOM_PAYLOAD)), request.opcode, bytes(damaged))


@pytest.mark.parametrize("version", [4, 5])
def test_claimed_counts_in_bodies_take_no_memory(version: int) -> None:
    flags = b"\x00\x00\x00\x01" if version >= 5 else b"\x01"
    named = b"\x00\x00\x00\x41" if version >= 5 else b"\x41"
    bodies = [
        (requests.QUERY, b"\x7f\xff\xff\xffx"),
        (requests.QUERY, b"\x00\x00\x00\x00\x00\x01" + flags + b"\xff\xff\x7f\xff\xff\xff"),
        (requests.QUERY, b"\x00\x00\x00\x00\x00\x01" + named + b"\xff\xff\xff\xff"),
        (requests.BATCH, b"\x00\xff\xff\x00\x7f\xff\xff\xff"),
        (requests.REGISTER, b"\xff\xff"),
        (requests.STARTUP, b"\xff\xff"),
    ]
    tracemalloc.start()
    try:
        for opcode, body in bodies:
            with pytest.raises(ProtocolError):
                requests.decode(version, 0, opcode, body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_MAX


def test_large_envelope_is_held_once_while_it_comes() -> None:
    body = bytes(4 << 20)
    data = requests.encode(requests.AuthResponse(body), 4, 1)
    decoder = EnvelopeDecoder(4)
    tracemalloc.start()
    try:
        got = [e for start in range(0, len(data), 65536) for e in decoder.receive_data(data[start : start + 65536])]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(got[0][4]) == len(body) + 4
    assert peak < 4 * len(body)  # the growing buffer, its frozen copy, the body


def test_segments_that_never_complete_a_message_are_bounded() -> None:
    """Segments of an envelope that claims 16 MiB: only what has come is held."""
    large = encoder(5).encode([requests.encode(requests.AuthResponse(bytes(1 << 20)), 5, 1)])
    decoder = SegmentDecoder(5, False)
    decoder.receive_data(large[:300_000])
    assert decoder.buffered <= 300_000
