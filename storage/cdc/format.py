"""The bytes of a segment in cdc_raw: Cassandra's commit log (db/commitlog/CommitLogDescriptor.java, CommitLogSegment.java).

    header   i32 version, i64 id, u16 length, parameters as JSON; CRC-32 over these numbers and the parameters
    section  i32 offset of the next section, CRC-32 of (id, own offset); then entries up to there
    entry    i32 size, CRC-32 of the size; the mutation, CRC-32 of both

Of the id the checksums take the lower half first. All integers are big-endian, checksums zlib's. The file ends behind its
last section, or goes on with zeros.
"""

import re
import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from protocol.crc32 import crc32

VERSION_40: Final = 7
VERSION_50: Final = 8
"""With messages of 4.0 (while storage_compatibility_mode is CASSANDRA_4), and of 5.0."""

_PARAMETERS: Final = b"{}"
_NUMBERS = struct.Struct(">iqH")
_SUMMED = struct.Struct(">iIIi")  # version, the halves of the id, length of the parameters
_MARKER_SUMMED = struct.Struct(">IIi")
_MARKER = struct.Struct(">iI")
_I32 = struct.Struct(">i")
_U32 = struct.Struct(">I")
MARKER_BYTES: Final = _MARKER.size
ENTRY_OVERHEAD_BYTES: Final = 12
_NAME: Final = re.compile(r"CommitLog-(\d+)-(\d+)\.log")
_COMPLETED: Final = b"\nCOMPLETED"


def segment_name(version: int, segment_id: int) -> str:
    return f"CommitLog-{version}-{segment_id}.log"


def index_name(name: str) -> str:
    """Of the file beside a segment of that name that says how far it is durable."""
    return f"{name.removesuffix('.log')}_cdc.idx"


def maybe_segment_id(name: str) -> int | None:
    """None for a name that no segment has."""
    match = _NAME.fullmatch(name)
    return int(match[2]) if match else None


def index_text(offset: int, is_completed: bool) -> bytes:
    """Of an index: up to where the segment is durable, and whether nothing more will come."""
    return str(offset).encode() + (_COMPLETED if is_completed else b"")


def is_completed(index: bytes) -> bool:
    return index.endswith(_COMPLETED)


# -- writing ----------------------------------------------------------------------------------------------------------


def segment_header(version: int, segment_id: int) -> bytes:
    high, low = divmod(segment_id, 1 << 32)
    checksum = crc32(_PARAMETERS, crc32(_SUMMED.pack(version, low, high, len(_PARAMETERS))))
    return _NUMBERS.pack(version, segment_id, len(_PARAMETERS)) + _PARAMETERS + _U32.pack(checksum)


def section(segment_id: int, offset: int, mutations: Iterable[bytes]) -> bytes:
    """Encoded mutations as the section that begins at `offset`."""
    parts: list[bytes] = []
    for mutation in mutations:
        size = _I32.pack(len(mutation))
        checksum = crc32(size)
        parts += (size, _U32.pack(checksum), mutation, _U32.pack(crc32(mutation, checksum)))
    entries = b"".join(parts)
    end = offset + MARKER_BYTES + len(entries)
    return _MARKER.pack(end, _marker_checksum(segment_id, offset)) + entries


def _marker_checksum(segment_id: int, offset: int) -> int:
    high, low = divmod(segment_id, 1 << 32)
    return crc32(_MARKER_SUMMED.pack(low, high, offset))


# -- reading ----------------------------------------------------------------------------------------------------------


class Section(NamedTuple):
    """A whole section: its mutations, and where it ends."""

    mutations: Sequence[bytes]
    end: int


class SegmentContents(NamedTuple):
    """What is whole of a segment. `version` 0: not even the header is. `start`: where sections begin."""

    version: int
    segment_id: int
    parameters: bytes
    start: int
    sections: Sequence[Section]

    @property
    def end(self) -> int:
        """Of the last whole section."""
        return self.sections[-1].end if self.sections else self.start

    @property
    def mutations(self) -> list[bytes]:
        return [mutation for section in self.sections for mutation in section.mutations]


NOTHING: Final = SegmentContents(0, 0, b"", 0, ())


def read_segment(data: bytes) -> SegmentContents:
    """The whole sections of a segment, up to the first that is not. Of uncompressed segments."""
    if len(data) < _NUMBERS.size:
        return NOTHING
    version, segment_id, length = _NUMBERS.unpack_from(data)
    start = _NUMBERS.size + length + 4
    if len(data) < start or segment_id < 0:
        return NOTHING
    parameters = data[_NUMBERS.size : start - 4]
    high, low = divmod(segment_id, 1 << 32)
    if crc32(parameters, crc32(_SUMMED.pack(version, low, high, length))) != _U32.unpack_from(data, start - 4)[0]:
        return NOTHING
    sections = []
    at = start
    while (found := _maybe_section(data, segment_id, at)) is not None:
        sections.append(found)
        at = found.end
    return SegmentContents(version, segment_id, parameters, start, tuple(sections))


def _maybe_section(data: bytes, segment_id: int, offset: int) -> Section | None:
    if offset + MARKER_BYTES > len(data):
        return None
    end, checksum = _MARKER.unpack_from(data, offset)
    if checksum != _marker_checksum(segment_id, offset) or not offset + MARKER_BYTES <= end <= len(data):
        return None
    mutations = []
    at = offset + MARKER_BYTES
    while at < end:
        mutation = _maybe_mutation(data, at, end)
        if mutation is None:
            return None
        mutations.append(mutation)
        at += len(mutation) + ENTRY_OVERHEAD_BYTES
    return Section(tuple(mutations), end)


def _maybe_mutation(data: bytes, at: int, end: int) -> bytes | None:
    if at + ENTRY_OVERHEAD_BYTES > end:
        return None
    (size,) = _I32.unpack_from(data, at)
    checksum = crc32(data[at : at + 4])
    if size < 0 or at + size + ENTRY_OVERHEAD_BYTES > end or checksum != _U32.unpack_from(data, at + 4)[0]:
        return None
    mutation = data[at + 8 : at + 8 + size]
    return mutation if crc32(mutation, checksum) == _U32.unpack_from(data, at + 8 + size)[0] else None
