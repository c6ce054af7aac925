"""Statistics.db: what an SSTable knows about itself (io/sstable/metadata/MetadataSerializer.java and its components).

    i32 n, CRC32; n x (i32 type, i32 offset), CRC32 over all before; then each component's body and its CRC32

Types: 0 validation (partitioner, bloom chance), 1 compaction (cardinality), 2 stats, 3 serialization header. The second
checksum goes on from the first. Local deletion times are i32 in na and nb, u32 since oa.
"""

import struct
from collections.abc import Iterable
from itertools import takewhile
from typing import Final, NamedTuple
from uuid import UUID

from protocol.crc32 import crc32
from protocol.errors import CorruptionError
from storage.mutation import NEVER
from storage.sstable import header as headers
from storage.sstable.constants import (
    DELETION_MAX_I32,
    DELETION_MAX_U32,
    NEVER_I32,
    NEVER_U32,
    PARTITIONER,
    BoundKind,
    Version,
    corrupted,
)
from storage.sstable.header import SerializationHeader
from storage.sstable.histograms import EstimatedHistogram
from storage.sstable.prefixes import Prefix, PrefixCodec
from storage.sstable.vints import read_unsigned, unsigned

VALIDATION: Final = 0
COMPACTION: Final = 1
STATS: Final = 2
HEADER: Final = 3
SHORT_BYTES_MAX: Final = 0xFFFF

_I32 = struct.Struct(">i")
_U32 = struct.Struct(">I")
_I64 = struct.Struct(">q")
_F64 = struct.Struct(">d")
_POSITION = struct.Struct(">qi")
_TIMES = struct.Struct(">qqIIiid")
_OLD_BIN = struct.Struct(">dq")
_BIN = struct.Struct(">qi")

LogPosition = tuple[int, int]
"""Segment id and offset in it."""
NO_POSITION: Final[LogPosition] = (-1, 0)


def merged_intervals(
    intervals: Iterable[tuple[LogPosition, LogPosition]],
) -> tuple[tuple[LogPosition, LogPosition], ...]:
    """Sorted; those that overlap or abut are one (db/commitlog/IntervalSet.java)."""
    merged: list[tuple[LogPosition, LogPosition]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return tuple(merged)


class Stats(NamedTuple):
    """The stats component. Ranges are (min, max); NEVER stands for "none" in local deletion times."""

    partition_sizes: EstimatedHistogram
    cells_per_partition: EstimatedHistogram
    timestamps_us: tuple[int, int]
    deletions_s: tuple[int, int]
    ttls_s: tuple[int, int]
    compression_ratio: float
    tombstones: dict[int, int]
    level: int
    repaired_at_ms: int
    min_clustering: Prefix
    max_clustering: Prefix
    columns_set: int
    rows: int
    commit_log_intervals: tuple[tuple[LogPosition, LogPosition], ...] = ()
    has_legacy_counters: bool = False
    pending_repair: UUID | None = None
    is_transient: bool = False
    originating_host: UUID | None = None
    has_partition_deletions: bool = True
    first_key: bytes = b""
    last_key: bytes = b""
    token_coverage: float = float("nan")


class Statistics(NamedTuple):
    """All of Statistics.db."""

    bloom_chance: float
    cardinality: bytes
    stats: Stats
    header: SerializationHeader
    partitioner: str = PARTITIONER


# -- writing ----------------------------------------------------------------------------------------------------------


def encode(statistics: Statistics, version: Version) -> bytes:
    """The file."""
    bodies = (
        _short_text(statistics.partitioner) + _F64.pack(statistics.bloom_chance),
        _I32.pack(len(statistics.cardinality)) + statistics.cardinality,
        _encode_stats(statistics.stats, statistics.header, version),
        headers.encode(statistics.header),
    )
    count = _I32.pack(len(bodies))
    checksum = crc32(count)
    table = []
    offset = 4 + 8 * len(bodies) + 8
    for kind, body in enumerate(bodies):
        table.append(_I32.pack(kind) + _I32.pack(offset))
        offset += len(body) + 4
    entries = b"".join(table)
    out = [count, _U32.pack(checksum), entries, _U32.pack(crc32(entries, checksum))]
    for body in bodies:
        out += (body, _U32.pack(crc32(body)))
    return b"".join(out)


def _short_text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


def _encode_stats(stats: Stats, header: SerializationHeader, version: Version) -> bytes:
    intervals = stats.commit_log_intervals
    upper = intervals[-1][1] if intervals else NO_POSITION
    lower = intervals[0][0] if intervals else NO_POSITION
    out = [
        stats.partition_sizes.encode(),
        stats.cells_per_partition.encode(),
        _POSITION.pack(*upper),
        _TIMES.pack(
            *stats.timestamps_us,
            *(_deletion_time(seconds, version) for seconds in stats.deletions_s),
            *stats.ttls_s,
            stats.compression_ratio,
        ),
        _I32.pack(len(stats.tombstones)) * 2,
    ]
    for point, count in stats.tombstones.items():
        if version.has_uint_deletion_times:
            out.append(_BIN.pack(point, min(count, NEVER_I32)))
        else:
            out.append(_OLD_BIN.pack(point, count))
    out.append(_I32.pack(stats.level) + _I64.pack(stats.repaired_at_ms))
    if version.has_uint_deletion_times:
        out.append(_covered_slice(stats, header))
    else:
        for bound in (stats.min_clustering, stats.max_clustering):
            values = _short_values(bound)
            out.append(_I32.pack(len(values)))
            out += (len(value).to_bytes(2, "big") + value for value in values)
    out += (
        bytes((stats.has_legacy_counters,)),
        _I64.pack(stats.columns_set) + _I64.pack(stats.rows),
        _POSITION.pack(*lower),
        _I32.pack(len(intervals)),
        *(_POSITION.pack(*begin) + _POSITION.pack(*end) for begin, end in intervals),
        _maybe_uuid(stats.pending_repair),
        bytes((stats.is_transient,)),
    )
    if version.has_originating_host:
        out.append(_maybe_uuid(stats.originating_host))
    if not version.has_uint_deletion_times:
        out.append(bytes(2 * sum(_nulls(prefix, header) for prefix in (stats.min_clustering, stats.max_clustering))))
    if version.has_uint_deletion_times:
        out.append(bytes((stats.has_partition_deletions,)))
        out += (unsigned(len(key)) + key for key in (stats.first_key, stats.last_key))
        out.append(_F64.pack(stats.token_coverage))
        # Cassandra 5.0 reserves 16 bytes for each of these points, writes 12, and leaves the rest behind
        out.append(bytes(4 * len(stats.tombstones)))
    return b"".join(out)


def _deletion_time(seconds: int, version: Version) -> int:
    if version.has_uint_deletion_times:
        return NEVER_U32 if seconds == NEVER else min(seconds, DELETION_MAX_U32)
    return NEVER_I32 if seconds == NEVER else min(seconds, DELETION_MAX_I32)


def _maybe_uuid(value: UUID | None) -> bytes:
    return b"\0" if value is None else b"\1" + value.bytes


def _covered_slice(stats: Stats, header: SerializationHeader) -> bytes:
    codec = PrefixCodec(header.clustering)
    types = [unsigned(len(raw)) + raw for raw in (text.encode() for text in header.clustering_types)]
    bounds = ((stats.min_clustering, BoundKind.INCL_START), (stats.max_clustering, BoundKind.INCL_END))
    return unsigned(len(types)) + b"".join(types) + b"".join(_bound(codec, prefix, kind) for prefix, kind in bounds)


def _bound(codec: PrefixCodec, prefix: Prefix, kind: BoundKind) -> bytes:
    if prefix.kind is not BoundKind.CLUSTERING:
        return codec.encode_bound(prefix)
    return bytes((kind,)) + codec.count.to_bytes(2, "big") + codec.encode_clustering(prefix.values)


def _short_values(bound: Prefix) -> list[bytes]:
    """Those before one that is too long for its length, which only slices may have (`c > ?`): with them alone the bound
    covers all that begins with them. A Cassandra can't flush such a table."""
    return list(takewhile(lambda value: len(value) <= SHORT_BYTES_MAX, bound.values))


def _nulls(prefix: Prefix, header: SerializationHeader) -> int:
    return len(header.clustering) - len(prefix.values) if prefix.kind is BoundKind.CLUSTERING else 0


# -- reading ----------------------------------------------------------------------------------------------------------


def decode(data: bytes, version: Version, path: str) -> Statistics:
    """Raises CorruptionError, which names `path`."""
    try:
        bodies = _bodies(data)
        header = headers.decode(bodies[HEADER])
        partitioner, chance = _validation(bodies[VALIDATION])
        stats = _StatsReader(bodies[STATS], version, header).stats()
        compaction = bodies[COMPACTION]
        if 4 + _I32.unpack_from(compaction)[0] != len(compaction):
            raise CorruptionError("the cardinality has another length")
        return Statistics(chance, compaction[4:], stats, header, partitioner)
    except CorruptionError as error:
        raise corrupted(path, str(error)) from None
    except (IndexError, KeyError, ValueError, struct.error, OverflowError) as error:
        raise corrupted(path, f"{type(error).__name__} {error}") from None


def _bodies(data: bytes) -> dict[int, bytes]:
    count = _I32.unpack_from(data)[0]
    checksum = crc32(data[:4])
    if checksum != _U32.unpack_from(data, 4)[0] or not 0 < count < 16:
        raise CorruptionError("Checksums do not match")
    end = 8 + 8 * count
    entries = data[8:end]
    if crc32(entries, checksum) != _U32.unpack_from(data, end)[0]:
        raise CorruptionError("Checksums do not match")
    table = [struct.unpack_from(">ii", entries, 8 * i) for i in range(count)]
    bodies = {}
    for index, (kind, offset) in enumerate(table):
        stop = (table[index + 1][1] if index + 1 < count else len(data)) - 4
        body = data[offset:stop]
        if crc32(body) != _U32.unpack_from(data, stop)[0]:
            raise CorruptionError(f"Checksums do not match (component {kind})")
        bodies[kind] = body
    return bodies


def _validation(body: bytes) -> tuple[str, float]:
    length = int.from_bytes(body[:2], "big")
    return body[2 : 2 + length].decode(), _F64.unpack_from(body, 2 + length)[0]


class _StatsReader:
    """A cursor over the stats component."""

    def __init__(self, data: bytes, version: Version, header: SerializationHeader) -> None:
        self.data, self.version, self.header, self.at = data, version, header, 0

    def take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        if len(taken) != count or count < 0:
            raise CorruptionError(f"stats: {count} bytes at {self.at} of {len(self.data)}")
        self.at += count
        return taken

    def i32(self) -> int:
        return int.from_bytes(self.take(4), "big", signed=True)

    def i64(self) -> int:
        return int.from_bytes(self.take(8), "big", signed=True)

    def position(self) -> LogPosition:
        return self.i64(), self.i32()

    def histogram(self) -> EstimatedHistogram:
        histogram, self.at = EstimatedHistogram.decode(self.data, self.at)
        return histogram

    def maybe_uuid(self) -> UUID | None:
        return UUID(bytes=self.take(16)) if self.take(1) != b"\0" else None

    def vint_bytes(self) -> bytes:
        length, self.at = read_unsigned(self.data, self.at)
        return self.take(length)

    def deletion_time(self, raw: int) -> int:
        return NEVER if raw == (NEVER_U32 if self.version.has_uint_deletion_times else NEVER_I32) else raw

    def tombstones(self) -> dict[int, int]:
        self.i32()
        layout = _BIN if self.version.has_uint_deletion_times else _OLD_BIN
        points = {}
        for _ in range(self.i32()):
            point, count = layout.unpack(self.take(layout.size))
            points[int(point)] = int(count)
        return points

    def old_bound(self, kind: BoundKind) -> Prefix:
        values = tuple(self.take(int.from_bytes(self.take(2), "big")) for _ in range(self.i32()))
        return Prefix(kind, values)

    def covered_slice(self) -> tuple[Prefix, Prefix]:
        count, self.at = read_unsigned(self.data, self.at)
        for _ in range(count):
            self.vint_bytes()
        codec = PrefixCodec(self.header.clustering)
        start, self.at = codec.decode_bound(self.data, self.at)
        end, self.at = codec.decode_bound(self.data, self.at)
        return start, end

    def stats(self) -> Stats:
        version = self.version
        partition_sizes, cells_per_partition = self.histogram(), self.histogram()
        self.position()  # the upper bound: the intervals have it
        times = _TIMES.unpack(self.take(_TIMES.size))
        tombstones = self.tombstones()
        level, repaired_at_ms = self.i32(), self.i64()
        if version.has_uint_deletion_times:
            low, high = self.covered_slice()
        else:
            low, high = self.old_bound(BoundKind.INCL_START), self.old_bound(BoundKind.INCL_END)
        has_legacy_counters = self.take(1) != b"\0"
        columns_set, rows = self.i64(), self.i64()
        self.position()
        intervals = tuple((self.position(), self.position()) for _ in range(self.i32()))
        pending_repair = self.maybe_uuid()
        is_transient = self.take(1) != b"\0"
        host = self.maybe_uuid() if version.has_originating_host else None
        deletions = (self.deletion_time(times[2]), self.deletion_time(times[3]))
        has_partition_deletions, first, last, coverage = deletions[0] != NEVER, b"", b"", float("nan")
        if version.has_uint_deletion_times:
            has_partition_deletions = self.take(1) != b"\0"
            first, last = self.vint_bytes(), self.vint_bytes()
            coverage = _F64.unpack(self.take(8))[0]
            self.take(4 * len(tombstones))
        rest = self.data[self.at :]  # na and nb: two bytes for each null of the bounds, which has no length there
        if any(rest) or len(rest) > 4 * len(self.header.clustering):
            raise CorruptionError(f"stats end at {self.at} of {len(self.data)}")
        return Stats(
            partition_sizes, cells_per_partition, times[:2], deletions, times[4:6], times[6], tombstones, level,
            repaired_at_ms, low, high, columns_set, rows, intervals, has_legacy_counters, pending_repair, is_transient,
            host, has_partition_deletions, first, last, coverage,
        )  # fmt: skip
