"""The records of the commit log: what a start does again, in order. Reader and writer share this module.

A record is a mutation (mutation.py: its first byte is the mutation format's version), or one of these:

    group     [80][u32 length, record] ...      several records that take effect together or not at all
    truncate  [81][16 bytes table id][u64 segment][u32 offset][i64 timestamp_us]
              the table's rows before this record are gone; when that was, and where the log stood
    drop      [83][16 bytes table id][u64 segment][u32 offset]
              the table is gone, and with it its rows before this record: one with the same id that comes later is another
    snapshot  [85][16 bytes table id][u64 segment][u32 offset][i64 created_ms][i64 expires_ms, -1: never]
              [u16 length, name][u32 length, schema.cql], then [u32 length, record] ... of the schema's rows
              what the table has before this record is to be kept under a name, whatever takes it away
    kept      [86][16 bytes table id][name]
              the snapshot of that name is on the disk
    adopted   [87][16 bytes id]
              the SSTables of an adoption (files/adoptions.py) count
    tracked   [88][u32 count][u32 length of each of Cassandra's mutations][the mutations][record]
              a record whose changes are in cdc_raw, too, as these mutations (storage/cdc)
    rows      [82][prefix][u16 length, key][i64 timestamp_us] then the wire values of each row
              packed rows of one partition; the prefix is that of packed mutations (mutation.packed_prefix)
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from protocol.errors import CorruptionError
from storage.commitlog.format import POSITION_SHIFT, CommitLogPosition
from storage.mutation import parse_packed_prefix

RECORD_GROUP: Final = 0x80
RECORD_TRUNCATE: Final = 0x81
RECORD_ROWS: Final = 0x82
RECORD_DROP: Final = 0x83
RECORD_SNAPSHOT: Final = 0x85
RECORD_KEPT: Final = 0x86
RECORD_ADOPTED: Final = 0x87
RECORD_TRACKED: Final = 0x88

_GROUP_HEAD: Final = bytes([RECORD_GROUP])
_ROWS_HEAD: Final = bytes([RECORD_ROWS])
_TABLE_ID_AT: Final = 5
_TRUNCATE = struct.Struct(">B16sQIq")
_DROP = struct.Struct(">B16sQI")
_SNAPSHOT = struct.Struct(">B16sQIqqHI")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")


class PackedRowsRecord(NamedTuple):
    """A rows record taken apart. `rows`: (clustering values, all wire values of the row)."""

    prefix: bytes
    key: bytes
    timestamp: bytes
    rows: list[tuple[tuple[bytes, ...], bytes]]


def rows_record(prefix: bytes, key: bytes, timestamp: bytes, rows: Iterable[bytes]) -> bytes:
    """`rows`: wire values, as many of each row as the prefix names; the key is at most 65,535 bytes long, the timestamp has
    8."""
    return b"".join((_ROWS_HEAD, prefix, _U16.pack(len(key)), key, timestamp, *rows))


def split_rows(record: bytes) -> PackedRowsRecord:
    """Raises CorruptionError when the values do not fill it."""
    end = len(record)
    rows: list[tuple[tuple[bytes, ...], bytes]] = []
    try:
        key_at = 1 + _U16.unpack_from(record, 3)[0]
        prefix = parse_packed_prefix(record[1:key_at])
        timestamp_at = key_at + 2 + _U16.unpack_from(record, key_at)[0]
        at = timestamp_at + 8
        value_count = prefix.clustering_count + len(prefix.columns)
        if not value_count:
            rows.append(((), b""))
        while at < end and value_count:
            start, values = at, []
            for _ in range(value_count):
                value_at = at + 4
                at = value_at + _U32.unpack_from(record, at)[0]
                values.append(record[value_at:at])
            rows.append((tuple(values[: prefix.clustering_count]), record[start:at]))
    except struct.error:
        at = end + 1
    if at != end:
        raise CorruptionError(f"rows record: rows do not end at {end}")
    timestamp = record[timestamp_at : timestamp_at + 8]
    return PackedRowsRecord(record[1:key_at], record[key_at + 2 : timestamp_at], timestamp, rows)


def rows_table(record: bytes) -> bytes:
    """The id of a rows record's table."""
    return record[_TABLE_ID_AT : _TABLE_ID_AT + 16]


def group_record(records: Iterable[bytes]) -> bytes:
    """Of mutations, rows records and drops."""
    parts = [_GROUP_HEAD]
    for record in records:
        parts += (_U32.pack(len(record)), record)
    return b"".join(parts)


def split_group(record: bytes) -> list[bytes]:
    """The records of a group. Raises CorruptionError when the lengths do not fill it."""
    records = []
    at, end = 1, len(record)
    while at + 4 <= end:
        start = at + 4
        at = start + _U32.unpack_from(record, at)[0]
        records.append(record[start:at])
    if at != end:
        raise CorruptionError(f"group record: records end at {at} of {end}")
    return records


class Truncation(NamedTuple):
    """That a table was truncated at `timestamp_us`, when the log stood at `offset` of `segment`."""

    segment: int
    offset: int
    timestamp_us: int

    @property
    def position(self) -> CommitLogPosition:
        return CommitLogPosition(self.segment << POSITION_SHIFT | self.offset)


def truncate_record(table_id: UUID, truncation: Truncation) -> bytes:
    return _TRUNCATE.pack(RECORD_TRUNCATE, table_id.bytes, *truncation)


def split_truncate(record: bytes) -> tuple[UUID, Truncation]:
    """The table and its truncation. Raises CorruptionError."""
    if len(record) != _TRUNCATE.size:
        raise CorruptionError(f"truncate record of {len(record)} bytes")
    _, raw_id, *truncation = _TRUNCATE.unpack(record)
    return UUID(bytes=raw_id), Truncation(*truncation)


def drop_record(table_id: UUID, position: CommitLogPosition) -> bytes:
    """`position`: where the log stood before it."""
    return _DROP.pack(RECORD_DROP, table_id.bytes, *divmod(position, 1 << POSITION_SHIFT))


def split_drop(record: bytes) -> tuple[UUID, CommitLogPosition]:
    """Raises CorruptionError."""
    if len(record) != _DROP.size:
        raise CorruptionError(f"drop record of {len(record)} bytes")
    _, raw_id, segment, offset = _DROP.unpack(record)
    return UUID(bytes=raw_id), CommitLogPosition(segment << POSITION_SHIFT | offset)


class SnapshotOrder(NamedTuple):
    """That a snapshot is to be taken of what a table had when the log stood at `position`. `cql`: its schema.cql; `schema`:
    records of system_schema that say what the table was."""

    table_id: UUID
    position: CommitLogPosition
    name: str
    created_ms: int
    expires_ms: int | None
    cql: str
    schema: tuple[bytes, ...]

    @property
    def key(self) -> tuple[UUID, str]:
        return self.table_id, self.name


def snapshot_record(order: SnapshotOrder) -> bytes:
    expires_ms = -1 if order.expires_ms is None else order.expires_ms
    place = divmod(order.position, 1 << POSITION_SHIFT)
    name, cql = order.name.encode(), order.cql.encode()
    head = _SNAPSHOT.pack(
        RECORD_SNAPSHOT, order.table_id.bytes, *place, order.created_ms, expires_ms, len(name), len(cql)
    )
    return b"".join((head, name, cql, group_record(order.schema)))


def split_snapshot(record: bytes) -> SnapshotOrder:
    """Raises CorruptionError."""
    try:
        _, raw_id, segment, offset, created_ms, expires_ms, name_length, cql_length = _SNAPSHOT.unpack_from(record)
        cql_at = _SNAPSHOT.size + name_length
        schema_at = cql_at + cql_length
        return SnapshotOrder(
            UUID(bytes=raw_id),
            CommitLogPosition(segment << POSITION_SHIFT | offset),
            record[_SNAPSHOT.size : cql_at].decode(),
            created_ms,
            None if expires_ms < 0 else expires_ms,
            record[cql_at:schema_at].decode(),
            tuple(split_group(record[schema_at:])),
        )
    except (struct.error, UnicodeDecodeError) as error:
        raise CorruptionError(f"snapshot record of {len(record)} bytes: {error}") from error


def kept_record(order: SnapshotOrder) -> bytes:
    return bytes([RECORD_KEPT]) + order.table_id.bytes + order.name.encode()


def split_kept(record: bytes) -> tuple[UUID, str]:
    """The `key` of the order. Raises CorruptionError."""
    try:
        return UUID(bytes=record[1:17]), record[17:].decode()
    except ValueError as error:
        raise CorruptionError(f"kept record of {len(record)} bytes: {error}") from error


def adopted_record(adoption_id: UUID) -> bytes:
    return bytes([RECORD_ADOPTED]) + adoption_id.bytes


def split_adopted(record: bytes) -> UUID:
    """Raises CorruptionError."""
    if len(record) != 17:
        raise CorruptionError(f"adopted record of {len(record)} bytes")
    return UUID(bytes=record[1:])


def tracked_record(mutations: Sequence[bytes], record: bytes) -> bytes:
    """`mutations`: encoded as Cassandra has them."""
    lengths = b"".join(_U32.pack(len(mutation)) for mutation in mutations)
    return b"".join((bytes([RECORD_TRACKED]), _U32.pack(len(mutations)), lengths, *mutations, record))


def is_tracked(record: bytes) -> bool:
    return record[0] == RECORD_TRACKED


def split_tracked(record: bytes) -> tuple[list[bytes], bytes]:
    """The mutations, and the record that they are of. Raises CorruptionError."""
    try:
        (count,) = _U32.unpack_from(record, 1)
        at = 5 + 4 * count
        mutations = []
        for number in range(count):
            (length,) = _U32.unpack_from(record, 5 + 4 * number)
            mutations.append(record[at : at + length])
            at += length
    except struct.error:
        at = len(record)
    if at >= len(record):
        raise CorruptionError(f"tracked record of {len(record)} bytes: its mutations end at {at}")
    return mutations, record[at:]
