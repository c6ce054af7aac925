"""The constants of SSTables that readers and writers share: versions and what they have, components, flags, kinds of bounds.

Mirrors io/sstable/format/big/BigFormat.java and bti/BtiFormat.java (versions), db/rows/UnfilteredSerializer.java,
db/rows/Cell.java and db/ClusteringPrefix.java (flags, kinds) of Cassandra 5.0.8. docs/formats/sstable.md has the tables.
"""

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from protocol.errors import CorruptionError

BIG: Final = "big"
BTI: Final = "bti"


class Version(NamedTuple):
    """What the files of a version have."""

    name: str
    format: str
    has_originating_host: bool
    has_uint_deletion_times: bool
    """Improved min/max, marker of partition deletions, key range, unsigned deletion times, token space coverage: all came
    together."""


VERSIONS: Final = {
    version.name: version
    for version in (
        Version("na", BIG, False, False),
        Version("nb", BIG, True, False),
        Version("oa", BIG, True, True),
        Version("da", BTI, True, True),
    )
}

# components
DATA: Final = "Data.db"
INDEX: Final = "Index.db"
SUMMARY: Final = "Summary.db"
FILTER: Final = "Filter.db"
STATISTICS: Final = "Statistics.db"
COMPRESSION_INFO: Final = "CompressionInfo.db"
CRC: Final = "CRC.db"
DIGEST: Final = "Digest.crc32"
TOC: Final = "TOC.txt"
CHECKSUMS: Final = "Checksums.db"  # our own
PARTITIONS: Final = "Partitions.db"
ROWS: Final = "Rows.db"

# an unfiltered (a row or a marker of a range tombstone) begins with these
END_OF_PARTITION: Final = 0x01
IS_MARKER: Final = 0x02
HAS_TIMESTAMP: Final = 0x04
HAS_TTL: Final = 0x08
HAS_DELETION: Final = 0x10
HAS_ALL_COLUMNS: Final = 0x20
HAS_COMPLEX_DELETION: Final = 0x40
EXTENSION: Final = 0x80
# the byte behind EXTENSION
IS_STATIC: Final = 0x01
HAS_SHADOWABLE_DELETION: Final = 0x02

# a cell begins with these
CELL_DELETED: Final = 0x01
CELL_EXPIRING: Final = 0x02
CELL_EMPTY: Final = 0x04
CELL_ROW_TIMESTAMP: Final = 0x08
CELL_ROW_TTL: Final = 0x10


class BoundKind(IntEnum):
    """Of a clustering prefix: ordinals of ClusteringPrefix.Kind."""

    EXCL_END = 0
    INCL_START = 1
    EXCL_END_INCL_START = 2
    STATIC = 3
    CLUSTERING = 4
    INCL_END_EXCL_START = 5
    INCL_END = 6
    EXCL_START = 7


KINDS_BEFORE: Final = frozenset((BoundKind.EXCL_END, BoundKind.INCL_START, BoundKind.EXCL_END_INCL_START))
"""Bounds that stand before the rows that begin with their values; the others, behind."""
KINDS_OPENING: Final = frozenset(
    (BoundKind.INCL_START, BoundKind.EXCL_START, BoundKind.EXCL_END_INCL_START, BoundKind.INCL_END_EXCL_START)
)
KINDS_CLOSING: Final = frozenset(
    (BoundKind.INCL_END, BoundKind.EXCL_END, BoundKind.EXCL_END_INCL_START, BoundKind.INCL_END_EXCL_START)
)
KINDS_BOUNDARY: Final = KINDS_OPENING & KINDS_CLOSING

TIMESTAMP_EPOCH_US: Final = 1_442_880_000_000_000
"""2015-09-22: what a header's encoding stats are relative to (db/rows/EncodingStats.java)."""
DELETION_EPOCH_S: Final = 1_442_880_000

NEVER_I32: Final = 0x7FFFFFFF
NEVER_U32: Final = 0xFFFFFFFF
DELETION_MAX_I32: Final = NEVER_I32 - 1
DELETION_MAX_U32: Final = NEVER_U32 - 1

PARTITIONER: Final = "org.apache.cassandra.dht.Murmur3Partitioner"
INDEX_BYTES: Final = {BIG: 64 * 1024, BTI: 16 * 1024}
"""By format, column_index_size where nothing is set: a wide partition's index has an entry for each."""
UNCOMPRESSED_CHUNK_BYTES: Final = 64 * 1024
KEY_LENGTH_MAX: Final = 65535


def corrupted(path: str, reason: str) -> CorruptionError:
    """The error about a damaged file, which it names."""
    return CorruptionError(f"{_PREFIX}{path}: {reason}")


def named(error: Exception, path: str) -> CorruptionError:
    """The same of whatever went wrong while a file's bytes were decoded; an error that names a file already stays what it
    is."""
    if isinstance(error, CorruptionError):
        text = str(error)
        return error if text.startswith(_PREFIX) else CorruptionError(f"{_PREFIX}{path}: {text}")
    return CorruptionError(f"{_PREFIX}{path}: {type(error).__name__}: {error}")


DAMAGE: Final = (CorruptionError, IndexError, struct.error, ValueError, OverflowError)
"""What decoding damaged bytes may raise."""
_PREFIX: Final = "Corrupted: "
