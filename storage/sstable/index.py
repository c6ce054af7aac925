"""Index.db of big SSTables: an entry for each partition, in token order (io/sstable/format/big/RowIndexEntry.java).

    u16 key length, key, vint position in Data.db, vint size of what follows (0: a narrow partition)
    vint length of the partition's head, deletion time, vint n; n x block; n x i32 offset of each block behind the head

A block is what lies between two cuts, 64 KiB or so of rows: its first and last clustering or bound, vint offset in the
partition, signed vint width - 64 KiB, and the deletion that is open where it ends, if there is one
(io/sstable/IndexInfo.java).
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from protocol.errors import CorruptionError
from storage.mutation import LIVE, Deletion
from storage.sstable.constants import Version
from storage.sstable.deletions import decode_deletion, encode_deletion
from storage.sstable.prefixes import Prefix, PrefixCodec
from storage.sstable.vints import read_signed, read_unsigned, signed, unsigned

WIDTH_BASE: Final = 64 * 1024
_I32 = struct.Struct(">i")


class Block(NamedTuple):
    """Some rows of a wide partition. `offset` counts from the partition's begin."""

    first: Prefix
    last: Prefix
    offset: int
    width: int
    open_deletion: Deletion = LIVE


def encode_entry(key: bytes, position: int, promoted: bytes = b"") -> bytes:
    return len(key).to_bytes(2, "big") + key + unsigned(position) + unsigned(len(promoted)) + promoted


def encode_entries(keys: Sequence[bytes], positions: Sequence[int]) -> list[bytes]:
    """Those of narrow partitions, which lie one behind the other."""
    width = len(unsigned(positions[0]))
    lengths = {*map(len, keys)}
    if len(lengths) != 1 or width != len(unsigned(positions[-1])) or not 1 < width < 9:
        return [encode_entry(key, position) for key, position in zip(keys, positions, strict=True)]
    head = len(keys[0]).to_bytes(2, "big")
    first_bits = (0xFF00 >> width - 1 & 0xFF) << 8 * (width - 1)
    return [
        head + key + (position | first_bits).to_bytes(width, "big") + b"\0"
        for key, position in zip(keys, positions, strict=True)
    ]


def encode_promoted(head_bytes: int, deletion: Deletion, blocks: list[bytes], version: Version) -> bytes:
    offsets, at = [], 0
    for block in blocks:
        offsets.append(_I32.pack(at))
        at += len(block)
    head = (unsigned(head_bytes), encode_deletion(deletion, version), unsigned(len(blocks)))
    return b"".join((*head, *blocks, *offsets))


def encode_block(block: Block, codec: PrefixCodec, version: Version) -> bytes:
    is_open = block.open_deletion != LIVE
    return b"".join(
        (
            codec.encode_prefix(block.first),
            codec.encode_prefix(block.last),
            unsigned(block.offset),
            signed(block.width - WIDTH_BASE),
            bytes((is_open,)),
            encode_deletion(block.open_deletion, version) if is_open else b"",
        )
    )


def decode_block(data: bytes, at: int, codec: PrefixCodec, version: Version) -> tuple[Block, int]:
    first, at = codec.decode_prefix(data, at)
    last, at = codec.decode_prefix(data, at)
    offset, at = read_unsigned(data, at)
    width, at = read_signed(data, at)
    is_open = data[at]
    at += 1
    deletion = LIVE
    if is_open:
        deletion, at = decode_deletion(data, at, version)
    return Block(first, last, offset, width + WIDTH_BASE, deletion), at


class PromotedIndex:
    """The blocks of one wide partition, decoded when they are looked at."""

    __slots__ = ("_blocks", "_codec", "_offsets", "_start", "_version", "data", "deletion", "head_bytes")

    def __init__(self, data: bytes, codec: PrefixCodec, version: Version) -> None:
        self.data, self._codec, self._version = data, codec, version
        self.head_bytes, at = read_unsigned(data, 0)
        self.deletion, at = decode_deletion(data, at, version)
        count, self._start = read_unsigned(data, at)
        end = len(data) - 4 * count
        if count < 1 or end < self._start:
            raise CorruptionError(f"an index of {count} blocks in {len(data)} bytes")
        self._offsets = struct.unpack_from(f">{count}i", data, end)
        self._blocks: list[Block | None] = [None] * count

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, index: int) -> Block:
        block = self._blocks[index]
        if block is None:
            at = self._start + self._offsets[index]
            block = self._blocks[index] = decode_block(self.data, at, self._codec, self._version)[0]
        return block


class Entry(NamedTuple):
    """An entry of Index.db; `end` is where the next one begins."""

    key: bytes
    position: int
    promoted: bytes
    end: int


def decode_entry(data: bytes, at: int) -> Entry:
    """Raises IndexError where it is cut off."""
    start = at + 2
    end = start + int.from_bytes(data[at:start], "big")
    key = data[start:end]
    position, at = read_unsigned(data, end)
    size, at = read_unsigned(data, at)
    end = at + size
    if end > len(data):
        raise IndexError(end)
    return Entry(key, position, data[at:end] if size else b"", end)
