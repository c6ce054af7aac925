"""Rows and markers -> the bytes of Data.db (db/rows/UnfilteredSerializer.java, db/rows/Cell.java).

    row     flags [extended flags] clustering vint size, vint size of the unfiltered before;
            [timestamp] [ttl, local deletion time] [deletion] [subset of columns] cells
    marker  02, bound; vint size, vint size of the one before; closing deletion [opening deletion]
    cell    flags [timestamp] [local deletion time] [ttl] [path] [value]
    complex [deletion] vint count, cells

Timestamps, local deletion times and TTLs are vint deltas from the header's. The size of the one before counts into the
size; a static row writes 0. Packed rows take a short way where they can (packed_encoder.py).
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from protocol.types import CqlType, ListType, MapType, SetType
from storage.memtable.packed import TIMESTAMP, VALUES, Layouts
from storage.mutation import LIVE, NEVER, NO_TIMESTAMP, Cell, ComplexColumn, Deletion, Row
from storage.sstable.collector import MetadataCollector
from storage.sstable.columns import encode_subset
from storage.sstable.constants import (
    CELL_DELETED,
    CELL_EMPTY,
    CELL_EXPIRING,
    CELL_ROW_TIMESTAMP,
    CELL_ROW_TTL,
    DELETION_MAX_I32,
    DELETION_MAX_U32,
    EXTENSION,
    HAS_ALL_COLUMNS,
    HAS_COMPLEX_DELETION,
    HAS_DELETION,
    HAS_TIMESTAMP,
    HAS_TTL,
    IS_MARKER,
    IS_STATIC,
    Version,
)
from storage.sstable.header import HeaderColumn, SerializationHeader
from storage.sstable.packed_encoder import PackedPlan, maybe_plan, misfit
from storage.sstable.prefixes import Prefix, PrefixCodec
from storage.sstable.unfiltered import Marker
from storage.sstable.vints import unsigned, unsigned32

_I64 = struct.Struct(">q")
_MARKER: Final = bytes((IS_MARKER,))
_CELL_HEADS: Final = tuple(bytes((flags,)) for flags in range(32))


ColumnsByName = Mapping[str, tuple[int, HeaderColumn]]
"""The columns that there may be, each with its place among them."""


class Bases(NamedTuple):
    """What a file's or a message's numbers are relative to."""

    timestamp_us: int
    deletion_s: int
    ttl_s: int


class ContentsEncoder:
    """What rows hold behind their flags and clustering, in a file as in a message: liveness, deletion, cells."""

    __slots__ = ("_base_s", "_base_ttl_s", "_base_us", "_deletion_max_s")

    def __init__(self, bases: Bases, has_uint_deletion_times: bool) -> None:
        self._base_us, self._base_s, self._base_ttl_s = bases
        self._deletion_max_s = DELETION_MAX_U32 if has_uint_deletion_times else DELETION_MAX_I32

    def row(self, out: list[bytes], row: Row, columns: ColumnsByName) -> int:
        """The flags of the row. HAS_COMPLEX_DELETION has to be known first: with it every complex column writes a deletion,
        live or not."""
        data = sorted(((columns[name], value) for name, value in row.columns.items() if name in columns), key=_place)
        liveness = row.liveness
        flags = 0
        if liveness.timestamp_us != NO_TIMESTAMP:
            flags |= HAS_TIMESTAMP
            out.append(unsigned(liveness.timestamp_us - self._base_us))
            if liveness.ttl_s:
                flags |= HAS_TTL
                out.append(unsigned32(liveness.ttl_s - self._base_ttl_s))
                out.append(self._local_deletion(liveness.local_deletion_s))
        if row.deletion != LIVE:
            flags |= HAS_DELETION
            out.append(self.deletion(row.deletion))
        if len(data) == len(columns):
            flags |= HAS_ALL_COLUMNS
        else:
            out.append(encode_subset([index for (index, _), _ in data], len(columns)))
        if any(type(value) is ComplexColumn and value.deletion != LIVE for _, value in data):
            flags |= HAS_COMPLEX_DELETION
        for (_, column), value in data:
            if type(value) is Cell:
                self._cell(out, value, row, b"", column.type.fixed_length)
            else:
                assert type(value) is ComplexColumn, value
                self._complex(out, value, row, column, bool(flags & HAS_COMPLEX_DELETION))
        return flags

    def _complex(self, out: list[bytes], data: ComplexColumn, row: Row, column: HeaderColumn, has_deletion: bool) -> None:
        if has_deletion:
            out.append(self.deletion(data.deletion))
        out.append(unsigned(len(data.cells)))
        key = path_order(column.type)
        for path in sorted(data.cells, key=key):
            self._cell(out, data.cells[path], row, unsigned(len(path)) + path, None)

    def _cell(self, out: list[bytes], cell: Cell, row: Row, path: bytes, fixed_length: int | None) -> None:
        timestamp_us, value, ttl_s, local_deletion_s = cell
        flags = 0 if value else CELL_EMPTY
        liveness = row.liveness
        if value is None:
            flags |= CELL_DELETED
        elif ttl_s:
            flags |= CELL_EXPIRING
            if liveness.ttl_s == ttl_s and liveness.local_deletion_s == local_deletion_s:
                flags |= CELL_ROW_TTL
        if liveness.timestamp_us == timestamp_us:
            flags |= CELL_ROW_TIMESTAMP
        out.append(_CELL_HEADS[flags])
        if not flags & CELL_ROW_TIMESTAMP:
            out.append(unsigned(timestamp_us - self._base_us))
        if flags & (CELL_DELETED | CELL_EXPIRING) and not flags & CELL_ROW_TTL:
            out.append(self._local_deletion(local_deletion_s))
            if flags & CELL_EXPIRING:
                out.append(unsigned32(ttl_s - self._base_ttl_s))
        out.append(path)
        if value:
            if fixed_length is None:
                out.append(unsigned(len(value)))
            elif len(value) != fixed_length:
                raise misfit(len(value), fixed_length)
            out.append(value)

    def deletion(self, deletion: Deletion) -> bytes:
        return unsigned(deletion.timestamp_us - self._base_us) + self._local_deletion(deletion.local_deletion_s)

    def _local_deletion(self, seconds: int) -> bytes:
        if seconds != NEVER:
            seconds = min(seconds, self._deletion_max_s)
        return unsigned32(seconds - self._base_s)


class RowEncoder:
    """Of one file. `row` and `marker` give the bytes of an unfiltered and count what they write."""

    def __init__(
        self, header: SerializationHeader, layouts: Layouts, version: Version, collector: MetadataCollector
    ) -> None:
        self._layouts = layouts
        self._collector = collector
        self.codec = PrefixCodec(header.clustering)
        self._base_us = header.min_timestamp_us
        bases = Bases(header.min_timestamp_us, header.min_deletion_s, header.min_ttl_s)
        self._contents = ContentsEncoder(bases, version.has_uint_deletion_times)
        self._regulars = by_name(header.regular_columns)
        self._statics = by_name(header.static_columns)
        self._plans: dict[int, PackedPlan | None] = {}

    # -- rows ---------------------------------------------------------------------------------------------------------

    def packed_row(self, stored: bytes, before: int, at: int = 0) -> bytes:
        """The packed row that stands in `stored` from `at` on. `before`: the size of the unfiltered before (of the first
        one: its offset)."""
        index = stored[at] << 8 | stored[at + 1]
        try:
            plan = self._plans[index]
        except KeyError:
            plan = self._plans[index] = maybe_plan(self._layouts.all[index], self.codec, self._regulars)
        timestamp_us: int = _I64.unpack_from(stored, at + TIMESTAMP)[0]
        encoded = None
        if plan is not None:
            encoded = plan.encode(stored, at + VALUES, unsigned(timestamp_us - self._base_us), before)
        if plan is None or encoded is None:
            return self.row(self._layouts.explode(stored[at:]), before)
        self._collector.packed_row(timestamp_us, plan.cells)
        return encoded

    def row(self, row: Row, before: int) -> bytes:
        """A row in its full form."""
        self._collector.row(row)
        return self._row(row, self._regulars, b"", self.codec.encode_clustering(row.clustering), before)

    def static_row(self, row: Row | None) -> bytes:
        """The static row of a partition, of a header with static columns: there is always one."""
        if row is None:
            row = Row(())
        elif not _is_empty(row):
            self._collector.row(row)
        return self._row(row, self._statics, bytes((IS_STATIC,)), b"", 0)

    def _row(
        self, row: Row, columns: ColumnsByName, extension: bytes, clustering: bytes, before: int
    ) -> bytes:
        out = [unsigned(before)]
        flags = self._contents.row(out, row, columns)
        if extension:
            flags |= EXTENSION
        body = b"".join(out)
        return bytes((flags,)) + extension + clustering + unsigned(len(body)) + body

    # -- markers ------------------------------------------------------------------------------------------------------

    def marker(self, marker: Marker, before: int) -> bytes:
        out = [unsigned(before)]
        for deletion in (marker.closing, marker.opening):
            if deletion is not None:
                out.append(self._contents.deletion(deletion))
                self._collector.deletion(deletion)
        body = b"".join(out)
        bound = self.codec.encode_bound(Prefix(marker.kind, marker.values))
        return _MARKER + bound + unsigned(len(body)) + body


def by_name(columns: Sequence[HeaderColumn]) -> ColumnsByName:
    """`columns` in the order of their data."""
    return {column.name: (index, column) for index, column in enumerate(columns)}


def _place(item: tuple[tuple[int, HeaderColumn], object]) -> int:
    return item[0][0]


def _is_empty(row: Row) -> bool:
    return not row.columns and row.deletion == LIVE and row.liveness.timestamp_us == NO_TIMESTAMP


def path_order(type_: CqlType) -> Callable[[bytes], bytes] | None:
    """How the paths of a complex column are sorted: sets by their elements, maps by keys, lists by time; None: as bytes."""
    if isinstance(type_, SetType):
        return type_.elements.order_key
    if isinstance(type_, MapType):
        return type_.keys.order_key
    if isinstance(type_, ListType):
        from protocol.types import TIMEUUID

        return TIMEUUID.order_key
    return None

