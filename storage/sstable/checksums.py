"""Checksums.db: a component of our own, for the files to which Cassandra gives no checksum.

    big:  u32 checksum of Filter.db (0: there is none), u32 of Summary.db, u32 of Index.db; u32 n, n x u32: of the piece of
          Index.db from each entry of the summary up to the next; u32 checksum of all before
    bti:  u32 checksum of Filter.db; u32 n, n x u32: of the pages of Partitions.db, of 4,096 bytes; the same of Rows.db;
          u32 checksum of all before

A flipped bit in the filter or an index would make a row disappear. Cassandra does not know the component: it keeps and
deletes it with the others, and may write Filter.db and Summary.db anew. So one of these that is not what it was is not an
error: it is left unread, and what it would say is found out from the index. """

import struct
import sys
from array import array
from typing import NamedTuple

from protocol.crc32 import crc32
from protocol.errors import CorruptionError

_U32 = struct.Struct(">I")
_HEAD = struct.Struct(">III")


class Checksums(NamedTuple):
    """Of a big SSTable."""

    of_filter: int
    of_summary: int
    of_index: int
    pieces: "array[int]"


class TrieChecksums(NamedTuple):
    """Of a trie-indexed one."""

    of_filter: int
    partitions: "array[int]"
    rows: "array[int]"


def encode(checksums: Checksums | TrieChecksums) -> bytes:
    if isinstance(checksums, Checksums):
        head = _HEAD.pack(checksums.of_filter, checksums.of_summary, checksums.of_index)
        body = head + _encoded(checksums.pieces)
    else:
        body = _U32.pack(checksums.of_filter) + _encoded(checksums.partitions) + _encoded(checksums.rows)
    return body + _U32.pack(crc32(body))


def decode(data: bytes) -> Checksums:
    """Raises CorruptionError."""
    body = _checked(data, _HEAD.size)
    of_filter, of_summary, of_index = _HEAD.unpack_from(body)
    pieces, end = _decoded(body, _HEAD.size)
    return Checksums(of_filter, of_summary, of_index, _all(pieces, end, body))


def decode_trie(data: bytes) -> TrieChecksums:
    """Raises CorruptionError."""
    body = _checked(data, _U32.size)
    partitions, at = _decoded(body, _U32.size)
    rows, end = _decoded(body, at)
    return TrieChecksums(_U32.unpack_from(body)[0], partitions, _all(rows, end, body))


def _checked(data: bytes, size_min: int) -> bytes:
    if len(data) < size_min + 4 or crc32(data[:-4]) != _U32.unpack_from(data, len(data) - 4)[0]:
        raise CorruptionError("checksum does not match")
    return data[:-4]


def _encoded(numbers: "array[int]") -> bytes:
    numbers = array("I", numbers)
    if sys.byteorder == "little":
        numbers.byteswap()
    return _U32.pack(len(numbers)) + numbers.tobytes()


def _decoded(data: bytes, at: int) -> "tuple[array[int], int]":
    start = at + 4
    end = start + 4 * int.from_bytes(data[at:start], "big")
    if len(data) < end:
        raise CorruptionError(f"checksums up to {end} of {len(data)} bytes")
    numbers = array("I", data[start:end])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers, end


def _all(numbers: "array[int]", end: int, body: bytes) -> "array[int]":
    if end != len(body):
        raise CorruptionError(f"checksums up to {end} of {len(body)} bytes")
    return numbers
