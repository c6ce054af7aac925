"""Envelopes and segments: whole, in pieces, spread over several segments, damaged, too large, of the wrong version."""

import zlib

import crcmod
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import frames, responses, segments
from protocol.compression import compressor
from protocol.errors import InvalidRequest, ProtocolError
from protocol.frames import EnvelopeDecoder, SegmentDecoder, SegmentEncoder, encoder, negotiated, pack_envelope

STARTUP_BODY = b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0"
OPTIONS_V5 = pack_envelope(5, 0, 7, 5, b"")

crc24_reference = crcmod.mkCrcFun(0x1974F0B, initCrc=0x875060, rev=False)
crc32_reference = crcmod.mkCrcFun(0x104C11DB7, initCrc=0, xorOut=0xFFFFFFFF)

bodies = st.binary(max_size=300)
envelopes = st.lists(
    st.tuples(st.integers(0, 255), st.integers(-1, 32767), st.sampled_from([5, 7, 9, 10, 13]), bodies), max_size=8
)


def server(version: int, compression: str | None) -> frames.Decoder:
    """A server's decoder right after STARTUP."""
    decoder = EnvelopeDecoder()
    assert len(decoder.receive_data(pack_envelope(version, 0, 0, 1, STARTUP_BODY))) == 1
    return negotiated(decoder, version, compression)


MODES = [(3, None), (3, "lz4"), (3, "snappy"), (4, None), (4, "lz4"), (4, "snappy"), (5, None), (5, "lz4")]


@pytest.mark.parametrize(("version", "compression"), MODES)
@given(wanted=envelopes)
@settings(derandomize=True, max_examples=25, deadline=None)
def test_envelopes_survive_whole_and_byte_by_byte(
    version: int, compression: str | None, wanted: list[tuple[int, int, int, bytes]]
) -> None:
    flags_mask = 0xE6 if version < 5 else 0xFF
    sent = [pack_envelope(version, flags & flags_mask, stream, op, body) for flags, stream, op, body in wanted]
    data = encoder(version, compression).encode(sent)
    expected = [(version, stream, opcode, body) for _, stream, opcode, body in wanted]

    whole = server(version, compression)
    assert [(v, s, o, b) for v, _, s, o, b in whole.receive_data(data)] == expected
    assert (whole.buffered, whole.refusals) == (0, [])

    bytewise = server(version, compression)
    got = [e for byte in data for e in bytewise.receive_data(bytes((byte,)))]
    assert [(v, s, o, b) for v, _, s, o, b in got] == expected
    assert bytewise.refusals == []


@pytest.mark.parametrize(("version", "compression"), MODES)
def test_trailing_bytes_wait_for_the_rest(version: int, compression: str | None) -> None:
    data = encoder(version, compression).encode([pack_envelope(version, 0, 1, 7, b"abcdefgh" * 9)])
    decoder = server(version, compression)
    assert len(decoder.receive_data(data + data[:-1])) == 1
    assert decoder.buffered == len(data) - 1
    assert decoder.receive_data(data[-1:])[0][4] == b"abcdefgh" * 9


@pytest.mark.parametrize(("version", "compression"), MODES)
@given(data=st.binary(max_size=200), cut=st.integers(0, 200))
@settings(derandomize=True, max_examples=40, deadline=None)
def test_random_bytes_give_refusals_only(version: int, compression: str | None, data: bytes, cut: int) -> None:
    for decoder in (EnvelopeDecoder(), server(version, compression)):
        decoder.receive_data(data[:cut])
        decoder.receive_data(data[cut:])
        assert all(isinstance(r.error, ProtocolError | InvalidRequest) for r in decoder.refusals)
        assert decoder.closed == any(refusal.fatal for refusal in decoder.refusals)


def test_bytes_behind_startup_are_read_in_the_negotiated_way() -> None:
    decoder = EnvelopeDecoder()
    data = pack_envelope(5, 0, 0, 1, STARTUP_BODY) + SegmentEncoder().encode([OPTIONS_V5])
    assert [e[3] for e in decoder.receive_data(data)] == [1]
    assert negotiated(decoder, 5).receive_data(b"") == [(5, 0, 7, 5, b"")]


# What Cassandra 5.0.8 answered to the same bytes.
UNSUPPORTED = "Invalid or unsupported protocol version ({}); supported versions are (3/v3, 4/v4, 5/v5, 6/v6-beta)"


@pytest.mark.parametrize(
    ("data", "answer_head", "message"),
    [
        (b"\x01", "8100000000000067", UNSUPPORTED.format(1)),
        (b"\x02\x00\x00\x01\x00\x00\x00\x16", "8200000000000067", UNSUPPORTED.format(2)),
        (pack_envelope(7, 0, 5, 1, STARTUP_BODY), "850000000000000067", UNSUPPORTED.format(7)),
        (pack_envelope(66, 0, 5, 1, STARTUP_BODY), "850000000000000068", UNSUPPORTED.format(66)),
        (b"GET / HTTP/1.1\r\n\r\n", "850000000000000068", UNSUPPORTED.format(71)),
        (
            pack_envelope(6, 0, 5, 1, STARTUP_BODY),
            "86100000000000004f",
            "Beta version of the protocol used (6/v6-beta), but USE_BETA flag is unset",
        ),
        (
            pack_envelope(0x84, 0, 5, 1, STARTUP_BODY),
            "850000050000000056",
            "Wrong protocol direction (expected REQUEST, got RESPONSE) for opcode 1 (STARTUP)",
        ),
        (
            pack_envelope(4, 0, 5, 2, b""),
            "850000050000000054",
            "Wrong protocol direction (expected RESPONSE, got REQUEST) for opcode 2 (READY)",
        ),
        (pack_envelope(4, 0, 5, 0x20, b""), "850000050000000017", "Unknown opcode 32"),
    ],
)
def test_unacceptable_first_bytes_are_answered_as_cassandra_does(data: bytes, answer_head: str, message: str) -> None:
    decoder = EnvelopeDecoder()
    assert decoder.receive_data(data) == []
    (refusal,) = decoder.refusals
    assert refusal.fatal
    assert decoder.closed
    answer = responses.encode_refusal(refusal)
    assert answer[: len(answer_head) // 2].hex() == answer_head
    assert answer.endswith(b"\x00\x00\x00\x0a\x00" + bytes((len(message),)) + message.encode())


def test_beta_version_is_taken_with_its_flag() -> None:
    decoder = EnvelopeDecoder()
    assert len(decoder.receive_data(pack_envelope(6, 0x10, 5, 1, STARTUP_BODY))) == 1
    data = SegmentEncoder().encode([pack_envelope(6, 0x10, 1, 5, b""), pack_envelope(6, 0, 2, 5, b"")])
    decoder2 = negotiated(decoder, 6)
    assert [e[2] for e in decoder2.receive_data(data)] == [1]
    assert not decoder2.closed


def test_other_version_after_startup_is_answered_and_the_connection_lives() -> None:
    decoder = server(4, None)
    got = decoder.receive_data(pack_envelope(3, 0, 6, 5, b"") + pack_envelope(4, 0, 7, 5, b""))
    assert [e[2] for e in got] == [7]
    (refusal,) = decoder.refusals
    assert (refusal.version, refusal.stream, refusal.fatal) == (4, 6, False)
    assert refusal.error.message == (
        "Invalid message version. Got 3/v3 but previous messages on this connection had version 4/v4"
    )


def test_too_large_envelope_is_discarded_as_it_comes_and_answered_at_its_end() -> None:
    decoder = server(4, None)
    size = frames.ENVELOPE_BYTES_MAX
    head = pack_envelope(4, 0, 6, 7, b"")[:5] + size.to_bytes(4, "big")
    assert decoder.receive_data(head) == []
    for _ in range(size // 2**20):
        assert decoder.refusals == []
        assert decoder.receive_data(bytes(2**20)) == []
        assert decoder.buffered == 0
    (refusal,) = decoder.refusals
    assert isinstance(refusal.error, InvalidRequest)
    assert refusal.error.message == "Request is too big: length 16777225 exceeds maximum allowed length 16777216."
    assert decoder.receive_data(pack_envelope(4, 0, 7, 5, b"")) == [(4, 0, 7, 5, b"")]


@pytest.mark.parametrize("name", ["lz4", "snappy"])
def test_body_that_would_grow_beyond_the_limit_takes_no_memory(name: str) -> None:
    bomb = compressor(name).compress(bytes(frames.ENVELOPE_BYTES_MAX + 1))
    decoder = server(4, name)
    assert decoder.receive_data(pack_envelope(4, frames.COMPRESSED, 6, 7, bomb)) == []
    assert decoder.refusals[0].error.message.startswith("Request is too big: length 16777217")
    assert decoder.closed


@given(header=st.integers(0, 2**40 - 1))
@settings(derandomize=True)
def test_crc24_equals_an_independent_one(header: int) -> None:
    assert segments.crc24(header, 5) == crc24_reference(header.to_bytes(5, "little"))
    assert segments.crc24(header & 0xFFFFFF, 3) == crc24_reference((header & 0xFFFFFF).to_bytes(3, "little"))


@given(payload=st.binary(min_size=1, max_size=200))
@settings(derandomize=True)
def test_segments_carry_independent_checksums(payload: bytes) -> None:
    segment = SegmentEncoder().encode([payload])
    assert int.from_bytes(segment[3:6], "little") == crc24_reference(segment[:3])
    assert int.from_bytes(segment[-4:], "little") == crc32_reference(b"\xfa\x2d\x55\xca" + payload)
    assert segment[6:-4] == payload


def test_segment_recorded_from_cassandra() -> None:
    recorded = bytes.fromhex("2000023902e58500000600000000170000000a0011556e6b6e6f776e206f70636f6465203531c672c454")
    decoder = SegmentDecoder(5, False, responses=True)
    envelope = (5, 0, 6, 0, b"\x00\x00\x00\x0a\x00\x11Unknown opcode 51")
    assert decoder.receive_data(recorded) == [envelope]
    version, *rest = envelope
    assert SegmentEncoder().encode([pack_envelope(version | 0x80, *rest)]) == recorded


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("size", [131050, 131051, 131052, 131053, 131072, 400_000])
def test_large_envelope_takes_segments_of_its_own(compressed: bool, size: int) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    small = pack_envelope(5, 0, 1, 5, b"")
    data = SegmentEncoder(compressed).encode([small, pack_envelope(5, 0, 2, 7, body), small])
    decoder = SegmentDecoder(5, compressed)
    got = [e for start in range(0, len(data), 5000) for e in decoder.receive_data(data[start : start + 5000])]
    assert [(e[2], len(e[4])) for e in got] == [(1, 0), (2, size), (1, 0)]
    assert got[1][4] == body
    assert decoder.refusals == []


def test_many_envelopes_take_few_segments() -> None:
    sent = [pack_envelope(5, 0, n, 7, bytes(1000)) for n in range(300)]
    data = SegmentEncoder().encode(sent)
    assert len(data) - sum(map(len, sent)) == 3 * 10
    assert len(SegmentDecoder(5, False).receive_data(data)) == 300


def test_self_contained_segment_may_come_amid_a_large_message() -> None:
    large = pack_envelope(5, 0, 2, 7, bytes(100))
    plain = SegmentEncoder()
    data = plain._segment(large[:50], False) + plain.encode([OPTIONS_V5]) + plain._segment(large[50:], False)
    assert [e[2] for e in SegmentDecoder(5, False).receive_data(data)] == [7, 2]


@pytest.mark.parametrize(("index", "part"), [(0, "header"), (3, "header"), (6, "body"), (10, "body"), (-1, "body")])
def test_flipped_bit_in_a_segment_closes_the_connection(index: int, part: str) -> None:
    damaged = bytearray(SegmentEncoder().encode([OPTIONS_V5]))
    damaged[index] ^= 1
    decoder = SegmentDecoder(5, False, connection_id="4ed53bca")
    assert decoder.receive_data(bytes(damaged)) == []
    assert decoder.closed
    assert decoder.refusals[0].error.message.startswith(
        f"4ed53bca invalid, unrecoverable CRC mismatch detected in frame {part}. Read "
    )
    assert decoder.receive_data(SegmentEncoder().encode([OPTIONS_V5])) == []


def test_crc_numbers_are_printed_as_cassandra_prints_them() -> None:
    """Recorded: an OPTIONS on stream 7 with its last bit, and a bit of the header's checksum, turned."""
    for index, numbers in ((3, "Read 12699813, Computed 12699812"), (-1, "Read 1361950376, Computed 1345173160")):
        damaged = bytearray(SegmentEncoder().encode([OPTIONS_V5]))
        damaged[index] ^= 1
        decoder = SegmentDecoder(5, False)
        decoder.receive_data(bytes(damaged))
        assert decoder.refusals[0].error.message.endswith(numbers)


def test_second_bad_envelope_in_a_segment_closes_the_connection() -> None:
    bad = [pack_envelope(5, 0, stream, 0x33, b"abc") for stream in (6, 7)]
    decoder = SegmentDecoder(5, False)
    assert decoder.receive_data(SegmentEncoder().encode([bad[0], OPTIONS_V5])) == [(5, 0, 7, 5, b"")]
    assert not decoder.closed
    assert decoder.receive_data(SegmentEncoder().encode([*bad, OPTIONS_V5])) == []
    assert [(r.stream, r.fatal) for r in decoder.refusals] == [(6, False), (6, False), (7, True)]


def test_too_large_message_in_segments_is_refused_at_its_end() -> None:
    data = SegmentEncoder().encode([pack_envelope(5, 0, 6, 7, bytes(300_000)), OPTIONS_V5])
    decoder = SegmentDecoder(5, False, message_max=299_999)
    assert [e[2] for e in decoder.receive_data(data)] == [7]
    (refusal,) = decoder.refusals
    assert (refusal.stream, refusal.fatal) == (6, False)
    assert refusal.error.message == "CQL Message of size 300000 bytes exceeds allowed maximum of 299999 bytes"


def test_large_message_before_authentication_closes_the_connection() -> None:
    decoder = SegmentDecoder(5, False)
    decoder.single_segments_only = True
    decoder.receive_data(SegmentEncoder().encode([pack_envelope(5, 0, 6, 15, bytes(300_000))]))
    assert decoder.closed
    assert decoder.refusals[0].error.message.endswith("type = AUTH_RESPONSE, size = 300000")


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"abc", "Undersized buffer supplied. Expected 9, actual 3"),
        (OPTIONS_V5[:5] + b"\xff\x00\x01\x00abc", "Invalid value for envelope header body length field: -16776960"),
        (OPTIONS_V5[:5] + b"\x00\x00\x01\x00abc", "Message of 256 bytes exceeds its self-contained segment"),
    ],
)
def test_torn_envelope_in_a_segment_closes_the_connection(payload: bytes, message: str) -> None:
    decoder = SegmentDecoder(5, False)
    assert decoder.receive_data(SegmentEncoder().encode([payload])) == []
    assert decoder.closed
    assert decoder.refusals[0].error.message == message


def test_incompressible_payload_is_sent_as_it_is() -> None:
    payload = pack_envelope(5, 0, 1, 7, zlib.compress(bytes(range(256))))
    segment = SegmentEncoder(compressed=True).encode([payload])
    assert segment[8:-4] == payload
    assert int.from_bytes(segment[:5], "little") == len(payload) | 1 << 34


def test_second_startup_does_not_hold_back_what_follows() -> None:
    decoder = server(4, None)
    data = pack_envelope(4, 0, 6, 1, STARTUP_BODY) + pack_envelope(4, 0, 7, 5, b"")
    assert [e[2] for e in decoder.receive_data(data)] == [6, 7]


def test_refused_startup_leaves_the_decoder_usable() -> None:
    decoder = EnvelopeDecoder()
    data = pack_envelope(4, 0, 6, 1, STARTUP_BODY)
    assert [e[2] for e in decoder.receive_data(data + data)] == [6]
    assert [e[2] for e in decoder.receive_data(b"")] == [6]
