"""The encoding of mutations: round trips, the worked examples of docs/formats/mutation.md, and damage."""

import re
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from storage_strategies import updates

from protocol.errors import CorruptionError
from storage.memtable.memtable import single
from storage.memtable.packed import Layouts, join_wire_values
from storage.mutation import (
    LIVE,
    Cell,
    ComplexColumn,
    Deletion,
    Liveness,
    PartitionUpdate,
    RangeTombstone,
    Row,
    maybe_packed,
    packed_prefix,
    packed_record,
    parse_packed_prefix,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats" / "mutation.md"
TABLE_ID = UUID("00112233-4455-6677-8899-aabbccddeeff")

PACKED = PartitionUpdate(
    TABLE_ID, b"k1", rows={b"\x02\x80\0\0\1": Row((b"\0\0\0\1",), Liveness(1000), LIVE, {"v": Cell(1000, b"hi")})}
)
FULL = PartitionUpdate(
    TABLE_ID,
    b"k1",
    static=Row((), columns={"s": Cell(5, None, 0, 100)}),
    rows={
        b"\x02\x80\0\0\1": Row(
            (b"\0\0\0\1",),
            Liveness(7, 60, 160),
            Deletion(6, 100),
            {"v": Cell(7, b"hi", 60, 160), "m": ComplexColumn(Deletion(6, 100), {b"p": Cell(7, b"x")})},
        )
    },
    range_tombstones=(RangeTombstone(b"\x02", b"\x02\xff", Deletion(4, 100), (b"a",), (b"a",)),),
)


def packed_example() -> bytes:
    prefix = packed_prefix(TABLE_ID, 1, ("v",), True)
    body = (1000).to_bytes(8, "big") + join_wire_values((b"\0\0\0\1", b"hi"))
    return packed_record(prefix, b"k1", single(b"\x02\x80\0\0\1", b"\0\7" + body))


def hex_blocks() -> list[bytes]:
    """The worked examples: the hex digits in front of each line's remark."""
    blocks = re.findall(r"```hex\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [bytes.fromhex("".join(line.split("|")[0] for line in block.splitlines())) for block in blocks]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(updates())
def test_updates_survive_the_round_trip(update: PartitionUpdate) -> None:
    assert PartitionUpdate.decode(update.encode()) == update


@settings(max_examples=15, deadline=None, derandomize=True)
@given(updates())
def test_truncated_or_extended_update_is_corruption(update: PartitionUpdate) -> None:
    data = update.encode()
    for length in range(len(data)):
        with pytest.raises(CorruptionError):
            PartitionUpdate.decode(data[:length])
    with pytest.raises(CorruptionError):
        PartitionUpdate.decode(data + b"\0")


@settings(max_examples=15, deadline=None, derandomize=True)
@given(updates())
def test_flipped_bytes_never_raise_anything_but_corruption(update: PartitionUpdate) -> None:
    data = update.encode()
    for at in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        with suppress(CorruptionError):
            PartitionUpdate.decode(bytes(damaged))


def test_packed_record_decodes_to_the_row_it_stands_for() -> None:
    assert PartitionUpdate.decode(packed_example()) == PACKED


def test_truncated_packed_record_is_corruption() -> None:
    data = packed_example()
    for length in range(len(data)):
        with pytest.raises(CorruptionError):
            PartitionUpdate.decode(data[:length])
    with pytest.raises(CorruptionError):
        PartitionUpdate.decode(data + b"\0\0\0\0")


def test_packed_record_replays_through_its_layout() -> None:
    record = maybe_packed(packed_example())
    assert record is not None
    layouts = Layouts(TABLE_ID, 1)
    layout = layouts.maybe_of_record(record.prefix)
    assert layout is not None
    assert layouts.maybe_of_record(record.prefix) is layout
    assert layout is layouts.maybe_layout(("v",), True)
    assert layouts.explode(layout.row_prefix + record.body) == PACKED.rows[record.ck]
    assert Layouts(UUID(int=1), 1).maybe_of_record(record.prefix) is None
    assert Layouts(TABLE_ID, 2).maybe_of_record(record.prefix) is None
    assert maybe_packed(FULL.encode()) is None


def test_packed_prefix_says_what_follows() -> None:
    prefix = packed_prefix(TABLE_ID, 2, ("a", "é"), False)
    assert parse_packed_prefix(prefix) == (TABLE_ID, 2, ("a", "é"), False)
    with pytest.raises(CorruptionError):
        parse_packed_prefix(prefix[:-1])


def test_unknown_version_and_kind_are_corruption() -> None:
    with pytest.raises(CorruptionError, match="version 9"):
        PartitionUpdate.decode(b"\x09\x01")
    with pytest.raises(CorruptionError, match="kind 7"):
        PartitionUpdate.decode(b"\x01\x07")


def test_the_pages_examples_are_what_is_written() -> None:
    packed, full = hex_blocks()
    assert packed == packed_example()
    assert full == FULL.encode()
    assert PartitionUpdate.decode(full) == FULL
