"""Handshakes and frames between nodes: there and back, byte by byte, and every byte of them damaged."""

import re
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import COMPRESS_BYTES_MIN, FRAME_BYTES_MAX, FrameDecoder, FrameEncoder, Message
from cluster.internode.handshake import (
    Answer,
    Compression,
    Hello,
    Kind,
    Verdict,
    encode_answer,
    encode_hello,
    judged,
    maybe_answer,
    maybe_hello,
    version_of,
)
from cluster.internode.verbs import Verb
from cluster.reading.answer import DataAnswer, decode_digest, encode_passed
from cluster.reading.answer import decode_answer as decode_data
from cluster.reading.answer import encode_answer as encode_data
from cluster.reading.command import Boundary, ReadCommand, decode_command, encode_command
from cluster.reading.criteria import Criteria
from cluster.reading.passing import NONE, PassedOver
from cluster.streaming.messages import (
    Chunk,
    Cursor,
    Offer,
    Pull,
    Reason,
    TableRanges,
    decode_chunk,
    decode_offer,
    decode_pull,
    encode_chunk,
    encode_offer,
    encode_pull,
)
from cluster.streaming.ranges import Interval, TokenRange
from protocol.compression import ALGORITHMS
from protocol.errors import PeerError
from storage.indexes.lookups import IndexedValue
from storage.reads import Slice
from storage.row_filter import Condition, FilterExpression
from storage.sstable.copied import CopiedRun
from tests.cluster.coordination.small_cluster import TABLE

PAGE = (Path(__file__).parents[3] / "docs" / "formats" / "internode.md").read_text()
HELLO = Hello("Test", UUID(int=1), Endpoint("10.0.0.1", 7000), Endpoint("10.0.0.2", 7000), Kind.SMALL, Compression.NONE)
MESSAGES = st.lists(st.builds(Message, st.integers(0, 255), st.integers(0, 2**64 - 1), st.binary(max_size=600)), min_size=1)


def example(name: str) -> bytes:
    (block,) = re.findall(rf"```{name}\n(.*?)```", PAGE, re.DOTALL)
    return bytes.fromhex("".join(line.split("|")[0] for line in block.splitlines()))


def lz4_compress(data: bytes) -> bytes:
    import cramjam

    return bytes(cramjam.lz4.compress_block(data, store_size=False))


def lz4_decompress(data: bytes, plain_length: int) -> bytes:
    import cramjam

    try:
        return bytes(cramjam.lz4.decompress_block(data, output_len=plain_length))
    except cramjam.DecompressionError as error:
        raise ValueError(str(error)) from None


@given(MESSAGES, st.booleans())
def test_frames_there_and_back(messages: list[Message], compressed: bool) -> None:
    data = FrameEncoder(lz4_compress if compressed else None).encode(messages)
    assert FrameDecoder(lz4_decompress if compressed else None).receive_data(data) == messages


@given(MESSAGES, MESSAGES)
def test_frames_byte_by_byte(first: list[Message], second: list[Message]) -> None:
    encoder, decoder = FrameEncoder(), FrameDecoder()
    data = encoder.encode(first) + encoder.encode(second)
    received = [message for at in range(len(data)) for message in decoder.receive_data(data[at : at + 1])]
    assert received == first + second


def test_compression_is_used_where_it_helps() -> None:
    encoder = FrameEncoder(lz4_compress)
    assert len(encoder.encode([Message(1, 2, bytes(10_000))])) < 200
    assert encoder.encode([Message(1, 2, bytes(COMPRESS_BYTES_MIN - 10))])[0] == 0


def test_more_than_a_frame_holds_goes_in_several() -> None:
    half = bytes(FRAME_BYTES_MAX // 2)
    messages = [Message(1, number, half) for number in range(3)]
    decoder = FrameDecoder()
    assert [message.id for message in decoder.receive_data(FrameEncoder().encode(messages))] == [0, 1, 2]
    with pytest.raises(ValueError, match="a frame holds"):
        FrameEncoder().encode([Message(1, 1, bytes(FRAME_BYTES_MAX))])


@pytest.mark.parametrize("compressed", [False, True])
def test_every_damaged_byte_is_noticed(compressed: bool) -> None:
    compress, decompress = (lz4_compress, lz4_decompress) if compressed else (None, None)
    data = FrameEncoder(compress).encode([Message(1, 300, b"hello" * 80)])
    for at in range(len(data)):
        damaged = data[:at] + bytes((data[at] ^ 0x10,)) + data[at + 1 :]
        with pytest.raises(PeerError):
            FrameDecoder(decompress).receive_data(damaged)


def test_memory_is_not_taken_for_what_a_header_claims() -> None:
    import struct
    from zlib import crc32

    head = struct.pack(">BII", 0, FRAME_BYTES_MAX + 1, FRAME_BYTES_MAX + 1)
    with pytest.raises(PeerError, match="at most"):
        FrameDecoder().receive_data(head + struct.pack(">I", crc32(head)))


def test_flags_that_were_not_agreed_on_are_refused() -> None:
    data = FrameEncoder(lz4_compress).encode([Message(1, 2, bytes(1000))])
    with pytest.raises(PeerError, match="not agreed on"):
        FrameDecoder().receive_data(data)


@pytest.mark.parametrize("body", [b"\x01", b"\x01\x05", b"\x01\x05\x06abc"], ids=["verb", "id", "body"])
def test_a_frame_that_ends_within_a_message(body: bytes) -> None:
    encoder = FrameEncoder()
    with pytest.raises(PeerError, match=r"ends within|are left"):
        FrameDecoder().receive_data(encoder._frame(body))


def test_hello_there_and_back() -> None:
    data = encode_hello(HELLO)
    assert maybe_hello(data + b"frames") == (HELLO, len(data))
    assert all(maybe_hello(data[:end]) is None for end in range(len(data)))


def test_answers_there_and_back() -> None:
    for answer in (Answer(Verdict.WELCOME), Answer(Verdict.WRONG_CLUSTER, "this is another cluster")):
        data = encode_answer(answer)
        assert maybe_answer(data) == (answer, len(data))
        assert all(maybe_answer(data[:end]) is None for end in range(len(data)))


def test_every_damaged_byte_of_a_hello_is_noticed() -> None:
    data = encode_hello(HELLO)
    for at in range(len(data)):
        damaged = data[:at] + bytes((data[at] ^ 0x01,)) + data[at + 1 :]
        try:
            assert maybe_hello(damaged) is None  # it claims to be longer
        except PeerError:
            continue
        assert at in (5, 6)


def test_strangers_are_told_apart() -> None:
    with pytest.raises(PeerError, match="no node of this kind"):
        maybe_hello(b"GET / HTTP/1.1\r\n")
    other = bytearray(encode_hello(HELLO))
    other[4] = 9
    assert version_of(bytes(other)) == 9
    with pytest.raises(PeerError, match="version 9"):
        maybe_hello(bytes(other))


@pytest.mark.parametrize(
    ("cluster_name", "local", "verdict"),
    [
        ("Test", HELLO.callee, Verdict.WELCOME),
        ("Other", HELLO.callee, Verdict.WRONG_CLUSTER),
        ("Test", Endpoint("10.0.0.3", 7000), Verdict.WRONG_ADDRESS),
    ],
)
def test_who_is_welcome(cluster_name: str, local: Endpoint, verdict: Verdict) -> None:
    answer = judged(HELLO, cluster_name, local)
    assert answer.verdict is verdict
    assert bool(answer.reason) == (verdict is not Verdict.WELCOME)


def test_the_page_says_what_the_code_does() -> None:
    assert example("hello") == encode_hello(HELLO)
    assert example("frame") == FrameEncoder().encode([Message(1, 300, b"hello"), Message(2, 7, b"")])
    assert "lz4" in ALGORITHMS


def test_the_examples_of_a_read_are_what_is_sent() -> None:
    command = ReadCommand.of_partition(UUID(int=7), b"k", 1_700_000_000, 100, (Slice(b"a", b"b\xff"),), True)
    assert encode_command(command) == example("command")
    assert decode_command(example("command"), {}.__getitem__) == (command, 0)
    found = FilterExpression(TABLE.columns[3], Condition.EQUAL, (b"1",))
    criteria = Criteria((found,), IndexedValue("i", b"1"), is_strict=True)
    sifted = ReadCommand(TABLE.id, b"\0" * 8, None, 1_700_000_000, 100, criteria=criteria)
    assert encode_command(sifted) == example("criteria")
    assert decode_command(example("criteria"), lambda table_id: TABLE) == (sifted, 0)
    answer = DataAnswer((b"\x01\x02\x03",), Boundary(command.start, b"b"))
    assert encode_data(answer) == example("answer")
    assert decode_data(example("answer")) == (answer, NONE)


def test_the_example_of_a_chunk_is_what_is_sent() -> None:
    run = CopiedRun((3, 2), b"abcde", {1: b"\xff"})
    lane = bytes(range(1, 9))
    chunk = Chunk(Cursor(bytes(7) + b"\x05"), None, (b"\x0a\x0b",), ((lane, run),), {})
    assert encode_chunk(chunk) == example("chunk")
    assert decode_chunk(example("chunk")) == chunk
    whole = replace(chunk, following=Cursor(b"12345678", b"row"), lanes={lane: b"statistics"})
    assert decode_chunk(encode_chunk(whole)) == whole


def test_what_is_asked_of_a_stream_comes_back_as_it_was() -> None:
    tasks = (TableRanges(UUID(int=7), (TokenRange(-5, 5), TokenRange(1 << 62, -(1 << 62)))), TableRanges(UUID(int=8), ()))
    offer = Offer(UUID(int=1), Reason.REPAIR, tasks, UUID(int=2))
    assert decode_offer(encode_offer(offer)) == offer
    pieces = (Interval(b"12345678", b"22345678"), Interval(b"32345678", None))
    pull = Pull(UUID(int=1), UUID(int=7), Cursor(b"12345678k", b"ck"), pieces, b"nb", (b"8 bytes.", b"8 others"), None)
    assert decode_pull(encode_pull(pull)) == pull
    for end in (0, 1, 10, 20, 40, len(encode_pull(pull)) - 2):
        with pytest.raises(PeerError):
            decode_pull(encode_pull(pull)[:end])


def test_what_was_passed_over_goes_with_an_answer_and_is_no_part_of_its_digest() -> None:
    answer, passed = DataAnswer((b"\x01\x02\x03",), Boundary(bytes(9), None)), PassedOver(70_000, True)
    encoded = encode_data(answer, passed)
    assert decode_data(encoded) == (answer, passed)
    assert len(encoded) == len(encode_data(answer)) + 5
    assert decode_digest(answer.digest + encode_passed(passed)) == (answer.digest, passed)
    assert decode_digest(answer.digest + encode_passed(NONE)) == (answer.digest, NONE)
    for end in range(17, 21):
        with pytest.raises(PeerError):
            decode_digest((answer.digest + encode_passed(passed))[:end])


def test_an_answer_that_is_cut_short_is_no_answer() -> None:
    encoded = example("answer")
    for end in (0, 1, 2, 5, 11, len(encoded) - 1):
        with pytest.raises(PeerError):
            decode_data(encoded[:end])
    with pytest.raises(PeerError):
        decode_data(encode_data(DataAnswer(()), PassedOver(1))[:6])


@pytest.mark.parametrize("verb", sorted(Verb))
def test_every_verb_has_a_line_on_the_page(verb: Verb) -> None:
    assert re.search(rf"\| [^|]*\b{verb.value} {verb.name}\b", PAGE), verb
