"""The commit log's bytes: names, headers, checksums, and the reader of a segment (docs/formats/commitlog.md).

Every checksum is a CRC-32. A section's header checksum covers the segment's id and the section's offset too, so that
bytes of an older file or of another place are never taken for a section.
"""

import re
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from sys import byteorder
from typing import NewType

from protocol.crc32 import crc32

CommitLogPosition = NewType("CommitLogPosition", int)
"""`segment id << 32 | offset`: positions compare in the order in which records were written."""

POSITION_SHIFT = 32

VERSION = 1
"""Cassandra's own formats have 2 to 7 here."""
MAGIC = b"CQCL"

_HEADER_FIELDS = struct.Struct(">4sIQQI")  # magic, version, id, id of the segment before (0: none), its length
U32 = struct.Struct(">I")
SEGMENT_HEADER_BYTES = _HEADER_FIELDS.size + U32.size
SECTION_HEADER = struct.Struct(">III")  # length of the payload, checksum of the header, checksum of the payload
_SECTION_SEED = struct.Struct(">QII")  # segment id, offset, length of the payload

_FILE_NAME = re.compile(r"CommitLog-(\d+)-(\d+)\.log")


def segment_file_name(segment_id: int) -> str:
    return f"CommitLog-{VERSION}-{segment_id}.log"


def maybe_segment_id(name: str) -> int | None:
    """The id in the name of a segment of this version; None for every other name."""
    match = _FILE_NAME.fullmatch(name)
    return int(match[2]) if match and int(match[1]) == VERSION else None


def is_foreign_segment(name: str) -> bool:
    """A commit log segment, but not of this version."""
    match = _FILE_NAME.fullmatch(name)
    return match is not None and int(match[1]) != VERSION


def segment_header(segment_id: int, previous_id: int, previous_length: int) -> bytes:
    fields = _HEADER_FIELDS.pack(MAGIC, VERSION, segment_id, previous_id, previous_length)
    return fields + U32.pack(crc32(fields))


def segment_predecessor(data: bytes) -> int:
    """The id of the segment before the one with these bytes; 0 where there was none, or it can't be told."""
    return int(_HEADER_FIELDS.unpack_from(data)[3]) if len(data) >= SEGMENT_HEADER_BYTES else 0


def section_header_checksum(segment_id: int, offset: int, length: int) -> int:
    return crc32(_SECTION_SEED.pack(segment_id, offset, length))


RECORD_SYNCED = 0x84
SYNCED_RECORD = struct.Struct(">BQ")
"""RECORD_SYNCED and an id: all segments before the one with it are durable. The only record of its section."""


def maybe_synced(section: list[bytes]) -> int:
    """The id, of a section that says so; 0 of others."""
    if len(section) != 1 or len(section[0]) != SYNCED_RECORD.size or section[0][0] != RECORD_SYNCED:
        return 0
    _, segment_id = SYNCED_RECORD.unpack(section[0])
    return int(segment_id)


@dataclass(frozen=True, slots=True)
class Damage:
    """Why reading a segment stopped. `at_tail`: it looks like a write that never was completed, nothing follows it."""

    text: str
    at_tail: bool


class SectionReader:
    """The sections of one segment. After the iteration `valid_length` is where the last good section ends, and
    `damage` says what is there, if that is not the end of the file. `is_readable`: whether there are bytes at all."""

    def __init__(self, data: bytes, segment_id: int) -> None:
        self.data, self.segment_id = data, segment_id
        self.valid_length = 0
        self.damage: Damage | None = None
        self.previous_id = self.previous_length = 0
        self.is_readable = True

    def __iter__(self) -> Iterator[tuple[list[bytes], CommitLogPosition]]:
        """Each section's records and the position behind it."""
        if not self.is_readable or not self._read_header():
            return
        data, segment_id = self.data, self.segment_id
        offset = SEGMENT_HEADER_BYTES
        while True:
            self.valid_length = offset
            start = offset + SECTION_HEADER.size
            if start > len(data):
                if offset < len(data):
                    self._stop("the section's header is incomplete", at_tail=True)
                return
            length, header_checksum, payload_checksum = SECTION_HEADER.unpack_from(data, offset)
            if header_checksum != section_header_checksum(segment_id, offset, length):
                self._stop("the section's header has a wrong checksum", at_tail=self._only_zeros_from(start))
                return
            end = start + length
            if end > len(data):
                self._stop("the section is incomplete", at_tail=True)
                return
            payload = data[start:end]
            if crc32(payload) != payload_checksum:
                self._stop("the section has a wrong checksum", at_tail=self._only_zeros_from(end))
                return
            yield self.records_of(payload, offset), CommitLogPosition(segment_id << POSITION_SHIFT | end)
            offset = end

    @staticmethod
    def records_of(payload: bytes, offset: int) -> list[bytes]:
        """[u32 count][u32 length each][records] -> the records. The checksum was right, so it is as it was written."""
        (count,) = U32.unpack_from(payload)
        first = 4 + 4 * count
        lengths = array("I", payload[4:first])
        if byteorder == "little":
            lengths.byteswap()
        ends = list(accumulate(lengths, initial=first))
        if ends[-1] != len(payload):
            raise ValueError(f"the lengths of the section at {offset} add up to {ends[-1]}, not {len(payload)}")
        return [payload[start:end] for start, end in pairwise(ends)]

    def _read_header(self) -> bool:
        data = self.data
        if len(data) < SEGMENT_HEADER_BYTES or not any(data[:SEGMENT_HEADER_BYTES]):
            self._stop("the segment's header is incomplete", at_tail=self._only_zeros_from(SEGMENT_HEADER_BYTES))
            return False
        magic, version, segment_id, previous_id, previous_length = _HEADER_FIELDS.unpack_from(data)
        (checksum,) = U32.unpack_from(data, _HEADER_FIELDS.size)
        if checksum != crc32(data[: _HEADER_FIELDS.size]):
            self._stop("the segment's header has a wrong checksum", at_tail=False)
        elif (magic, version, segment_id) != (MAGIC, VERSION, self.segment_id):
            self._stop(f"the header is that of segment {segment_id}, version {version}", at_tail=False)
        else:
            self.previous_id, self.previous_length = previous_id, previous_length
            return True
        return False

    def _stop(self, text: str, at_tail: bool) -> None:
        self.damage = Damage(text, at_tail)

    def _only_zeros_from(self, offset: int) -> bool:
        """A file may be longer than what reached the disk; the rest reads as zeros."""
        rest = self.data[offset:]
        return rest.count(0) == len(rest)
