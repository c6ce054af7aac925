"""The deletion time of a partition, in Data.db and in its indexes (db/DeletionTime.java).

na, nb: i32 local deletion time, i64 timestamp; live is 7FFFFFFF and 2**63. Since oa: live is one byte 80, else i64 timestamp
and u32 local deletion time.
"""

import struct
from typing import Final

from protocol.errors import CorruptionError
from storage.mutation import LIVE, NEVER, NO_TIMESTAMP, Deletion
from storage.sstable.constants import DELETION_MAX_I32, DELETION_MAX_U32, NEVER_I32, NEVER_U32, Version

_OLD = struct.Struct(">iq")
_NEW = struct.Struct(">qI")
OLD_BYTES: Final = _OLD.size
_OLD_LIVE: Final = _OLD.pack(NEVER_I32, NO_TIMESTAMP)
_NEW_LIVE: Final = b"\x80"


def encode_deletion(deletion: Deletion, version: Version) -> bytes:
    timestamp_us, seconds = deletion
    if version.has_uint_deletion_times:
        if timestamp_us == NO_TIMESTAMP:
            return _NEW_LIVE
        # Cassandra has no room here for the sign: deletions before 1970 delete nothing that anybody writes
        return _NEW.pack(max(timestamp_us, 0), NEVER_U32 if seconds == NEVER else min(seconds, DELETION_MAX_U32))
    if timestamp_us == NO_TIMESTAMP:
        return _OLD_LIVE
    return _OLD.pack(NEVER_I32 if seconds == NEVER else min(seconds, DELETION_MAX_I32), timestamp_us)


def decode_deletion(data: bytes, at: int, version: Version) -> tuple[Deletion, int]:
    """Raises IndexError, struct.error, CorruptionError."""
    if version.has_uint_deletion_times:
        if data[at] & 0x80:
            if data[at] != 0x80:
                raise CorruptionError(f"a deletion time that begins with {data[at]:02x}")
            return LIVE, at + 1
        timestamp_us, seconds = _NEW.unpack_from(data, at)
        return Deletion(timestamp_us, NEVER if seconds == NEVER_U32 else seconds), at + _NEW.size
    seconds, timestamp_us = _OLD.unpack_from(data, at)
    if timestamp_us == NO_TIMESTAMP:
        return LIVE, at + OLD_BYTES
    return Deletion(timestamp_us, NEVER if seconds == NEVER_I32 else seconds), at + OLD_BYTES
