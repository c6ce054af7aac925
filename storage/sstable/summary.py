"""Summary.db: every 128th key of Index.db and where its entry is, so that a start need not read all of it
(io/sstable/indexsummary/IndexSummary.java).

    i32 interval, i32 entries n, i64 bytes of offsets and entries, i32 sampling level, i32 entries at full sampling
    n x i32 little-endian: where each entry begins; then the entries: key, i64 little-endian position in Index.db
    i32 length, first key; i32 length, last key
"""

import struct
from typing import Final, NamedTuple

from protocol.errors import CorruptionError
from storage.environment.strands import paused

SAMPLING_LEVEL: Final = 128
_HEAD = struct.Struct(">iiqii")
_POSITION = struct.Struct("<q")


class Summary(NamedTuple):
    """`keys[i]` is that of the entry at `positions[i]` of Index.db."""

    interval: int
    keys: list[bytes]
    positions: list[int]
    first: bytes
    last: bytes
    full_count: int
    sampling_level: int = SAMPLING_LEVEL


def encode(summary: Summary) -> bytes:
    offsets, entries, at = [], [], 4 * len(summary.keys)
    for key, position in paused(zip(summary.keys, summary.positions, strict=True)):
        offsets.append(at)
        entry = key + _POSITION.pack(position)
        entries.append(entry)
        at += len(entry)
    head = _HEAD.pack(summary.interval, len(summary.keys), at, summary.sampling_level, summary.full_count)
    keys = (len(key).to_bytes(4, "big") + key for key in (summary.first, summary.last))
    return b"".join((head, struct.pack(f"<{len(offsets)}i", *offsets), *entries, *keys))


def decode(data: bytes) -> Summary:
    """Raises CorruptionError, struct.error. The file has no checksum: its order is checked where it is used."""
    interval, count, size, level, full_count = _HEAD.unpack_from(data)
    start = _HEAD.size
    if count < 1 or not 4 * count <= size <= len(data) - start or interval < 1 or not 0 < level <= SAMPLING_LEVEL:
        raise CorruptionError(f"a summary of {count} entries in {size} of {len(data)} bytes")
    offsets = [*struct.unpack_from(f"<{count}i", data, start), size]
    keys, positions = [], []
    for i in paused(range(count)):
        begin, end = start + offsets[i], start + offsets[i + 1] - 8
        if not start <= begin <= end <= start + size:
            raise CorruptionError(f"summary entry {i} from {begin} to {end}")
        keys.append(data[begin:end])
        positions.append(_POSITION.unpack_from(data, end)[0])
    at = start + size
    ends = []
    for _ in range(2):
        length = int.from_bytes(data[at : at + 4], "big")
        ends.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    if at != len(data):
        raise CorruptionError(f"a summary that ends at {at} of {len(data)}")
    return Summary(interval, keys, positions, ends[0], ends[1], full_count, level)
