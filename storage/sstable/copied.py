"""Partitions of an SSTable as the bytes that they are, on their way into another one of the same version and header."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from protocol.errors import CorruptionError
from storage.schema.metadata import TableMetadata
from storage.sstable.constants import END_OF_PARTITION, Version
from storage.sstable.header import encode as encode_header
from storage.sstable.header import header_of

_LENGTH_BYTES: Final = 2


class CopiedRun(NamedTuple):
    """Neighbours: `data` holds them one behind the other, of `sizes` bytes each. `wide`: the indexes of wide ones, by
    number, as Index.db has them."""

    sizes: Sequence[int]
    data: bytes
    wide: Mapping[int, bytes]

    def keys(self) -> list[bytes]:
        """Of the partitions. Raises CorruptionError where there are none."""
        data, at, found, length = self.data, 0, list[bytes](), len(self.data)
        for size in self.sizes:
            start = at + _LENGTH_BYTES
            if start > length:
                raise CorruptionError(f"copied partitions, of which one at {at} of {length} bytes is none")
            end = start + (data[at] << 8 | data[at + 1])
            at += size
            if not end < at <= length or data[at - 1] != END_OF_PARTITION:
                raise CorruptionError(f"copied partitions, of which one at {at - size} of {length} bytes is none")
            found.append(data[start:end])
        return found


def accepted(table: TableMetadata, version: Version) -> bytes:
    """What a server that writes SSTables of this version can take as bytes: equal where partitions may be copied."""
    return version.name.encode() + b"\0" + encode_header(header_of(table))
