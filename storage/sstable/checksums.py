"""Checksums.db: a component of our own, for the files of a big SSTable to which Cassandra gives no checksum.

    u32 checksum of Filter.db (0: there is none), u32 of Summary.db, u32 of Index.db; u32 n, n x u32: of the piece of
    Index.db from each entry of the summary up to the next; u32 checksum of all before

A flipped bit in the filter or the index would make a row disappear. Cassandra does not know the component: it keeps and
deletes it with the others, and may write Filter.db and Summary.db anew. So one of these that is not what it was is not an
error: it is left unread, and what it would say is found out from Index.db. """

import struct
import sys
import zlib
from array import array
from typing import NamedTuple

from protocol.errors import CorruptionError

_U32 = struct.Struct(">I")
_HEAD = struct.Struct(">IIII")


class Checksums(NamedTuple):
    of_filter: int
    of_summary: int
    of_index: int
    pieces: "array[int]"


def encode(checksums: Checksums) -> bytes:
    pieces = array("I", checksums.pieces)
    if sys.byteorder == "little":
        pieces.byteswap()
    body = _HEAD.pack(checksums.of_filter, checksums.of_summary, checksums.of_index, len(pieces)) + pieces.tobytes()
    return body + _U32.pack(zlib.crc32(body))


def decode(data: bytes) -> Checksums:
    """Raises CorruptionError."""
    if len(data) < _HEAD.size + 4 or zlib.crc32(data[:-4]) != _U32.unpack_from(data, len(data) - 4)[0]:
        raise CorruptionError("checksum does not match")
    of_filter, of_summary, of_index, count = _HEAD.unpack_from(data)
    pieces = array("I", data[_HEAD.size : -4])
    if sys.byteorder == "little":
        pieces.byteswap()
    if len(pieces) != count:
        raise CorruptionError(f"{len(pieces)} checksums of {count}")
    return Checksums(of_filter, of_summary, of_index, pieces)
