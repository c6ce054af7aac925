"""The records of the commit log: what a start does again, in order. Reader and writer share this module.

A record is a mutation (mutation.py: its first byte is the mutation format's version), or one of these:

    group     [80][u32 length, mutation] ...    several mutations that take effect together or not at all
    truncate  [81][16 bytes table id]           the table's rows before this record are gone
"""

import struct
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from protocol.errors import CorruptionError

RECORD_GROUP: Final = 0x80
RECORD_TRUNCATE: Final = 0x81

_GROUP_HEAD: Final = bytes([RECORD_GROUP])
_U32 = struct.Struct(">I")


def group_record(mutations: Iterable[bytes]) -> bytes:
    parts = [_GROUP_HEAD]
    for mutation in mutations:
        parts += (_U32.pack(len(mutation)), mutation)
    return b"".join(parts)


def split_group(record: bytes) -> list[bytes]:
    """The mutations of a group. Raises CorruptionError when the lengths do not fill it."""
    mutations = []
    at, end = 1, len(record)
    while at + 4 <= end:
        start = at + 4
        at = start + _U32.unpack_from(record, at)[0]
        mutations.append(record[start:at])
    if at != end:
        raise CorruptionError(f"group record: mutations end at {at} of {end}")
    return mutations


def truncate_record(table_id: UUID) -> bytes:
    return bytes([RECORD_TRUNCATE]) + table_id.bytes


def truncated_table(record: bytes) -> UUID:
    """Raises CorruptionError."""
    if len(record) != 17:
        raise CorruptionError(f"truncate record of {len(record)} bytes")
    return UUID(bytes=record[1:])
