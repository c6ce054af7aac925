"""A mutation: what one write changes in one partition of one table, and its one encoding.

Commit log, hints, batch log and messages between nodes all carry what `PartitionUpdate.encode` makes. The encoding is
self-describing (table id, column names) and versioned; docs/formats/mutation.md has its offsets. It comes in two
kinds: `full`, and `packed` for the common write of one row whose cells share one timestamp, which the hot path builds
by one concatenation behind a prefix that is constant per statement (packed.Layout.record_prefix).

Values are named tuples: they are made by the million, compare as a whole, and tuples of bytes and ints leave the
garbage collector by themselves. Nobody changes the dicts inside after construction.

Invariants: a timestamp is in [-2**63 + 1, 2**63 - 1]; NO_TIMESTAMP stands below all of them, so that "deleted at
NO_TIMESTAMP" and "alive since NO_TIMESTAMP" need no special case. Local times are unsigned 32-bit seconds or NEVER.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from protocol.errors import CorruptionError
from storage.environment.strands import in_turns, paused

NO_TIMESTAMP: Final = -(1 << 63)
NEVER: Final = (1 << 63) - 1
NO_TTL: Final = 0


class Cell(NamedTuple):
    """The value of a column (or of one path of a complex column) at a timestamp.

    `value` None: a tombstone, written at `local_deletion_s`. `ttl_s` not 0: an expiring cell, dead from
    `local_deletion_s` on. Otherwise `local_deletion_s` is NEVER.
    """

    timestamp_us: int
    value: bytes | None
    ttl_s: int = NO_TTL
    local_deletion_s: int = NEVER


class Liveness(NamedTuple):
    """The row marker: that an INSERT made the row exist, apart from its cells (db/LivenessInfo.java)."""

    timestamp_us: int
    ttl_s: int = NO_TTL
    local_deletion_s: int = NEVER


class Deletion(NamedTuple):
    """Covers everything below it that was written at or before `timestamp_us`; `local_deletion_s` is the wall clock."""

    timestamp_us: int
    local_deletion_s: int


NO_LIVENESS: Final = Liveness(NO_TIMESTAMP)
LIVE: Final = Deletion(NO_TIMESTAMP, NEVER)


class ComplexColumn(NamedTuple):
    """A non-frozen collection or UDT: its deletion, and its cells by path, in no order.

    Paths: of a list a timeuuid (16 bytes), of a set the element (the cell's value is empty), of a map the key,
    of a UDT the field's position as two bytes.
    """

    deletion: Deletion
    cells: Mapping[bytes, Cell]


NO_COLUMNS: Final[Mapping[str, Cell | ComplexColumn]] = MappingProxyType({})


class Row(NamedTuple):
    """A row, or the changes to one. `clustering` holds the serialised values, without those of the last columns where they
    are null (keys.py); a static row has ().

    `deletion` covers the whole row; what it covers is not in the row any more once the row went through
    reconcile.merge_rows.
    """

    clustering: tuple[bytes, ...]
    liveness: Liveness = NO_LIVENESS
    deletion: Deletion = LIVE
    columns: Mapping[str, Cell | ComplexColumn] = NO_COLUMNS


class RangeTombstone(NamedTuple):
    """Deletes the clusterings with start <= ck < end (order keys). The prefixes of values behind both bounds are
    kept for whoever needs them in the open: the bound includes its prefix's rows or not as the order key says."""

    start: bytes
    end: bytes
    deletion: Deletion
    start_values: tuple[bytes, ...] = ()
    end_values: tuple[bytes, ...] = ()


FORMAT_VERSION: Final = 1
KIND_FULL: Final = 2
KIND_PACKED: Final = 3
_NEVER_U32: Final = 0xFFFFFFFF

# packed: flags
FLAG_MARKER: Final = 1
# full: flags of the update
_HAS_DELETION: Final = 1
_HAS_STATIC: Final = 2
# full: flags of a row
_ROW_LIVENESS: Final = 1
_ROW_EXPIRING: Final = 2
_ROW_DELETION: Final = 4
# full: flags of a cell, and of a complex column
_CELL_TOMBSTONE: Final = 1
_CELL_EXPIRING: Final = 2
_COLUMN_COMPLEX: Final = 4
_COLUMN_DELETION: Final = 8

_U8 = struct.Struct(">B")
_U16 = struct.Struct(">H")
_U16_MAX: Final = 0xFFFF
_U32 = struct.Struct(">I")
_I32 = struct.Struct(">i")
_I64 = struct.Struct(">q")
_DELETION = struct.Struct(">qI")
_CELL_HEAD = struct.Struct(">HBq")  # column name's index, flags, timestamp
_ELEMENT_HEAD = struct.Struct(">Bq")
_EXPIRY = struct.Struct(">iI")
_PACKED_HEAD = struct.Struct(">BBH16sBHH")
_FULL_HEAD = struct.Struct(">BB16sB")


def fits_packed_prefix(columns: tuple[str, ...]) -> bool:
    """Whether the prefix's own length can be said in its two bytes."""
    return _PACKED_HEAD.size + sum(_U16.size + len(name.encode()) for name in columns) <= _U16_MAX


def packed_prefix(table_id: UUID, clustering_count: int, columns: tuple[str, ...], has_marker: bool) -> bytes:
    """What precedes the key in a packed record; constant per statement. The columns are such as `fits_packed_prefix`."""
    names = b"".join(_U16.pack(len(raw)) + raw for raw in (name.encode() for name in columns))
    return (
        _PACKED_HEAD.pack(
            FORMAT_VERSION,
            KIND_PACKED,
            _PACKED_HEAD.size + len(names),
            table_id.bytes,
            FLAG_MARKER if has_marker else 0,
            clustering_count,
            len(columns),
        )
        + names
    )


def packed_record(prefix: bytes, key: bytes, partition: bytes) -> bytes:
    """A packed record; `partition` is one of just one packed row (memtable.single), the key at most 65,535 bytes long.

    The hot path may spell this out in place.
    """
    return prefix + _U16.pack(len(key)) + key + partition


class PackedRecord(NamedTuple):
    """A packed record taken apart as far as a replay needs it. `body`: `[i64 timestamp_us][wire values]`, checked."""

    prefix: bytes
    key: bytes
    ck: bytes
    body: bytes


class PackedPrefix(NamedTuple):
    table_id: UUID
    clustering_count: int
    columns: tuple[str, ...]
    has_marker: bool


@dataclass(frozen=True, slots=True)
class PartitionUpdate:
    """Everything that one write changes in one partition. `rows` by order key; rows not yet merged with anything."""

    table_id: UUID
    key: bytes
    deletion: Deletion = LIVE
    static: Row | None = None
    rows: Mapping[bytes, Row] = field(default_factory=dict)
    range_tombstones: tuple[RangeTombstone, ...] = ()

    def is_empty(self) -> bool:
        return self.static is None and not self.rows and not self.range_tombstones and self.deletion is LIVE

    def encode(self) -> bytes:
        """The full kind. Everything fits; lengths are checked where the values come in (keys.py, the plans)."""
        return _encode_full(self)

    @staticmethod
    def decode(data: bytes) -> "PartitionUpdate":
        """Either kind. Raises CorruptionError where a length, kind or version can't be."""
        return _decode(data)


def maybe_packed(data: bytes) -> PackedRecord | None:
    """The parts of a packed record, None for a full one. Raises CorruptionError.

    The values are only walked through when the record is decoded: replay may compare `prefix` with those it knows.
    """
    if len(data) < 2:
        raise CorruptionError(f"mutation of {len(data)} bytes")
    if data[0] != FORMAT_VERSION:
        raise CorruptionError(f"mutation of unknown version {data[0]}")
    if data[1] != KIND_PACKED:
        return None
    reader = _Reader(data)
    reader.take(2)
    prefix = data[: reader.u16()]
    if len(prefix) < _PACKED_HEAD.size:
        raise CorruptionError("mutation: prefix shorter than its own head")
    reader.at = len(prefix)
    key = reader.take(reader.u16())
    ck = reader.take(reader.u16())
    body = data[reader.at + 2 :]  # layouts are numbered anew by each process
    if len(body) < 8:
        raise CorruptionError("mutation: no timestamp")
    clustering_count, column_count = _PACKED_HEAD.unpack_from(prefix)[5:7]
    at, end, wanted = 8, len(body), clustering_count + column_count
    while at + 4 <= end and wanted:
        length = _I32.unpack_from(body, at)[0]
        if length < 0:
            raise CorruptionError(f"mutation: value of length {length}")
        at += 4 + length
        wanted -= 1
    if wanted or at != end:
        raise CorruptionError(f"mutation: values end at {at} of {end}, {wanted} missing")
    return PackedRecord(prefix, key, ck, body)


def parse_packed_prefix(prefix: bytes) -> PackedPrefix:
    """Raises CorruptionError when the names do not fill the prefix."""
    _, _, length, table_id, flags, clustering_count, column_count = _PACKED_HEAD.unpack_from(prefix)
    reader = _Reader(prefix)
    reader.at = _PACKED_HEAD.size
    columns = tuple(reader.name() for _ in range(column_count))
    if reader.at != length or length != len(prefix):
        raise CorruptionError(f"mutation: prefix of {length} bytes, names end at {reader.at}")
    return PackedPrefix(UUID(bytes=table_id), clustering_count, columns, bool(flags & FLAG_MARKER))


def split_wire_values(data: bytes, at: int = 0) -> list[bytes]:
    """The values of `[i32 length][bytes]...` from offset `at` to the end, none of them null; our own bytes."""
    values = []
    end = len(data)
    unpack = _I32.unpack_from
    while at < end:
        start = at + 4
        at = start + unpack(data, at)[0]
        values.append(data[start:at])
    return values


# -- writing ----------------------------------------------------------------------------------------------------------


def _u32_time(local_deletion_s: int) -> int:
    return _NEVER_U32 if local_deletion_s == NEVER else local_deletion_s


_PARTS_MAX = 4_096
"""Of what is put together: so many are joined, and let go of, at once."""


def _encode_full(update: PartitionUpdate) -> bytes:
    has_deletion = update.deletion != LIVE
    flags = (_HAS_DELETION if has_deletion else 0) | (_HAS_STATIC if update.static is not None else 0)
    names: dict[str, int] = {}
    body: list[bytes] = []
    if update.static is not None:
        _encode_row(body, b"", update.static, names)
    body.append(_U32.pack(len(update.rows)))
    pieces: list[bytes] = []
    for ck, row in paused(update.rows.items()):
        _encode_row(body, ck, row, names)
        if len(body) > _PARTS_MAX:
            pieces.append(b"".join(body))
            body.clear()
    body.append(_U32.pack(len(update.range_tombstones)))
    for tombstone in paused(update.range_tombstones):
        for bound in (tombstone.start, tombstone.end):
            body += (_U32.pack(len(bound)), bound)
        body.append(_encode_deletion(tombstone.deletion))
        _encode_values(body, tombstone.start_values)
        _encode_values(body, tombstone.end_values)
    head = [
        _FULL_HEAD.pack(FORMAT_VERSION, KIND_FULL, update.table_id.bytes, flags),
        _U16.pack(len(update.key)),
        update.key,
    ]
    if has_deletion:
        head.append(_encode_deletion(update.deletion))
    head.append(_U16.pack(len(names)))
    for name in names:
        raw = name.encode()
        head += (_U16.pack(len(raw)), raw)
    return b"".join(head + pieces + body)


def _encode_deletion(deletion: Deletion) -> bytes:
    return _DELETION.pack(deletion.timestamp_us, _u32_time(deletion.local_deletion_s))


def _encode_values(out: list[bytes], values: tuple[bytes, ...]) -> None:
    out.append(_U16.pack(len(values)))
    for value in values:
        out += (_I32.pack(len(value)), value)


def _encode_row(out: list[bytes], ck: bytes, row: Row, names: dict[str, int]) -> None:
    liveness = row.liveness
    has_liveness = liveness.timestamp_us != NO_TIMESTAMP
    has_deletion = row.deletion != LIVE
    flags = (
        (_ROW_LIVENESS if has_liveness else 0)
        | (_ROW_EXPIRING if has_liveness and liveness.ttl_s else 0)
        | (_ROW_DELETION if has_deletion else 0)
    )
    out += (_U8.pack(flags), _U32.pack(len(ck)), ck)
    _encode_values(out, row.clustering)
    if has_liveness:
        out.append(_I64.pack(liveness.timestamp_us))
        if liveness.ttl_s:
            out.append(_EXPIRY.pack(liveness.ttl_s, _u32_time(liveness.local_deletion_s)))
    if has_deletion:
        out.append(_encode_deletion(row.deletion))
    out.append(_U16.pack(len(row.columns)))
    for name, data in row.columns.items():
        index = names.setdefault(name, len(names))
        if type(data) is Cell:
            out.append(_CELL_HEAD.pack(index, _cell_flags(data), data.timestamp_us))
            _encode_cell_tail(out, data)
        else:
            assert type(data) is ComplexColumn, data
            deleted = data.deletion != LIVE
            out.append(_U16.pack(index) + _U8.pack(_COLUMN_COMPLEX | (_COLUMN_DELETION if deleted else 0)))
            if deleted:
                out.append(_encode_deletion(data.deletion))
            out.append(_U32.pack(len(data.cells)))
            cells: list[bytes] = []
            for path, cell in paused(data.cells.items()):
                cells += (_U32.pack(len(path)), path, _ELEMENT_HEAD.pack(_cell_flags(cell), cell.timestamp_us))
                _encode_cell_tail(cells, cell)
                if len(cells) > _PARTS_MAX:
                    out.append(b"".join(cells))
                    cells.clear()
            out += cells


def _cell_flags(cell: Cell) -> int:
    return (_CELL_TOMBSTONE if cell.value is None else 0) | (_CELL_EXPIRING if cell.ttl_s else 0)


def _encode_cell_tail(out: list[bytes], cell: Cell) -> None:
    if cell.ttl_s:
        out.append(_EXPIRY.pack(cell.ttl_s, _u32_time(cell.local_deletion_s)))
    elif cell.value is None:
        out.append(_U32.pack(_u32_time(cell.local_deletion_s)))
    if cell.value is not None:
        out += (_I32.pack(len(cell.value)), cell.value)


# -- reading ----------------------------------------------------------------------------------------------------------


class _Reader:
    """A cursor over bytes that may be damaged: every step is checked against the end."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        end = self.at + length
        if length < 0 or end > len(self.data):
            raise self._ended(length)
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def u8(self) -> int:
        at = self.at
        if at >= len(self.data):
            raise self._ended(1)
        self.at = at + 1
        return self.data[at]

    def u16(self) -> int:
        return self._number(_U16)

    def u32(self) -> int:
        return self._number(_U32)

    def i32(self) -> int:
        return self._number(_I32)

    def i64(self) -> int:
        return self._number(_I64)

    def _number(self, form: struct.Struct) -> int:
        at = self.at
        try:
            number: int = form.unpack_from(self.data, at)[0]
        except struct.error:
            raise self._ended(form.size) from None
        self.at = at + form.size
        return number

    def _ended(self, length: int) -> CorruptionError:
        return CorruptionError(f"mutation: {length} bytes at {self.at} of {len(self.data)}")

    def name(self) -> str:
        try:
            return self.take(self.u16()).decode()
        except UnicodeDecodeError as error:
            raise CorruptionError(f"mutation: a column name is no UTF-8: {error}") from None

    def local_time(self) -> int:
        seconds = self.u32()
        return NEVER if seconds == _NEVER_U32 else seconds

    def deletion(self) -> Deletion:
        return Deletion(self.i64(), self.local_time())

    def values(self) -> tuple[bytes, ...]:
        return tuple(self.take(self.i32()) for _ in range(self.u16()))

    def cell(self, flags: int) -> Cell:
        timestamp_us = self.i64()
        ttl_s, local_deletion_s, value = NO_TTL, NEVER, None
        if flags & _CELL_EXPIRING:
            ttl_s, local_deletion_s = self.i32(), self.local_time()
        elif flags & _CELL_TOMBSTONE:
            local_deletion_s = self.local_time()
        if not flags & _CELL_TOMBSTONE:
            value = self.take(self.i32())
        return Cell(timestamp_us, value, ttl_s, local_deletion_s)

    def column(self) -> Cell | ComplexColumn:
        flags = self.u8()
        if not flags & _COLUMN_COMPLEX:
            return self.cell(flags)
        deletion = self.deletion() if flags & _COLUMN_DELETION else LIVE
        cells = {}
        for _ in in_turns(range(self.u32())):
            path = self.take(self.u32())
            cells[path] = self.cell(self.u8())
        return ComplexColumn(deletion, cells)

    def row(self, names: list[str]) -> tuple[bytes, Row]:
        flags = self.u8()
        ck = self.take(self.u32())
        clustering = self.values()
        liveness, deletion = NO_LIVENESS, LIVE
        if flags & _ROW_LIVENESS:
            timestamp_us = self.i64()
            liveness = Liveness(timestamp_us)
            if flags & _ROW_EXPIRING:
                liveness = Liveness(timestamp_us, self.i32(), self.local_time())
        if flags & _ROW_DELETION:
            deletion = self.deletion()
        columns = {}
        for _ in range(self.u16()):
            index = self.u16()
            if index >= len(names):
                raise CorruptionError(f"mutation: column {index} of {len(names)}")
            columns[names[index]] = self.column()
        return ck, Row(clustering, liveness, deletion, columns)

    def range_tombstone(self) -> RangeTombstone:
        start, end = self.take(self.u32()), self.take(self.u32())
        return RangeTombstone(start, end, self.deletion(), self.values(), self.values())


def _decode(data: bytes) -> PartitionUpdate:
    record = maybe_packed(data)
    if record is not None:
        return _explode_record(record)
    reader = _Reader(data)
    version, kind = reader.u8(), reader.u8()
    if kind != KIND_FULL:
        raise CorruptionError(f"mutation of unknown kind {kind} (version {version})")
    table_id = UUID(bytes=reader.take(16))
    flags = reader.u8()
    key = reader.take(reader.u16())
    deletion = reader.deletion() if flags & _HAS_DELETION else LIVE
    names = [reader.name() for _ in range(reader.u16())]
    static = reader.row(names)[1] if flags & _HAS_STATIC else None
    rows = dict(reader.row(names) for _ in in_turns(range(reader.u32())))
    tombstones = tuple(reader.range_tombstone() for _ in range(reader.u32()))
    if reader.at != len(data):
        raise CorruptionError(f"mutation: {len(data) - reader.at} bytes behind its end")
    return PartitionUpdate(table_id, key, deletion, static, rows, tombstones)


def _explode_record(record: PackedRecord) -> PartitionUpdate:
    prefix = parse_packed_prefix(record.prefix)
    timestamp_us = int.from_bytes(record.body[:8], "big", signed=True)
    values = split_wire_values(record.body, 8)
    count = prefix.clustering_count
    row = Row(
        tuple(values[:count]),
        Liveness(timestamp_us) if prefix.has_marker else NO_LIVENESS,
        LIVE,
        {name: Cell(timestamp_us, value) for name, value in zip(prefix.columns, values[count:], strict=True)},
    )
    return PartitionUpdate(prefix.table_id, record.key, LIVE, None, {record.ck: row})
