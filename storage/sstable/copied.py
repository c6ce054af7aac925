"""Partitions of an SSTable as the bytes that they are, on their way into another one of the same version and header."""

from collections.abc import Iterator, Mapping, Sequence
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

    def keys(self) -> Iterator[bytes]:
        """Of the partitions. Raises CorruptionError where there are none."""
        data, at = self.data, 0
        for size in self.sizes:
            start = at + _LENGTH_BYTES
            end = start + int.from_bytes(data[at:start], "big")
            at += size
            if not end < at <= len(data) or data[at - 1] != END_OF_PARTITION:
                raise CorruptionError(f"copied partitions, of which one at {at - size} of {len(data)} bytes is none")
            yield data[start:end]


def accepted(table: TableMetadata, version: Version) -> bytes:
    """What a server that writes SSTables of this version can take as bytes: equal where partitions may be copied."""
    return version.name.encode() + b"\0" + encode_header(header_of(table))
