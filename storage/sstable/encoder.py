"""Rows and markers -> the bytes of Data.db (db/rows/UnfilteredSerializer.java, db/rows/Cell.java).

    row     flags [extended flags] clustering vint size, vint size of the unfiltered before;
            [timestamp] [ttl, local deletion time] [deletion] [subset of columns] cells
    marker  02, bound; vint size, vint size of the one before; closing deletion [opening deletion]
    cell    flags [timestamp] [local deletion time] [ttl] [path] [value]
    complex [deletion] vint count, cells

Timestamps, local deletion times and TTLs are vint deltas from the header's. The size of the one before counts into the
size; a static row writes 0. Packed rows take a short way: all that is the same for a layout is made once.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from protocol.errors import InternalError
from protocol.types import CqlType, ListType, MapType, SetType
from storage.memtable.packed import VALUES, Layouts
from storage.mutation import LIVE, NEVER, NO_TIMESTAMP, Cell, ComplexColumn, Deletion, Row, split_wire_values
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
from storage.sstable.prefixes import Prefix, PrefixCodec
from storage.sstable.unfiltered import Marker
from storage.sstable.vints import unsigned, unsigned32

_HEAD = struct.Struct(">Hq")
_MARKER: Final = bytes((IS_MARKER,))
_CELL_HEADS: Final = tuple(bytes((flags,)) for flags in range(32))


class _PackedPlan(NamedTuple):
    """What all packed rows of a layout have in common. `values`: index of the value and fixed length, in the header's
    order."""

    flags: bytes
    has_marker: bool
    subset: bytes
    values: tuple[tuple[int, int | None], ...]


class RowEncoder:
    """Of one file. `row` and `marker` give the bytes of an unfiltered and count what they write."""

    def __init__(
        self, header: SerializationHeader, layouts: Layouts, version: Version, collector: MetadataCollector
    ) -> None:
        self._layouts = layouts
        self._collector = collector
        self._clustering_count = len(header.clustering_types)
        self.codec = PrefixCodec(header.clustering)
        self._base_us = header.min_timestamp_us
        self._base_s = header.min_deletion_s
        self._base_ttl_s = header.min_ttl_s
        self._deletion_max_s = DELETION_MAX_U32 if version.has_uint_deletion_times else DELETION_MAX_I32
        self._regulars = _by_name(header.regular_columns)
        self._statics = _by_name(header.static_columns)
        self._plans: dict[int, _PackedPlan] = {}

    # -- rows ---------------------------------------------------------------------------------------------------------

    def packed_row(self, row: bytes, before: int) -> bytes:
        """`before`: the size of the unfiltered before (of the first one: its offset)."""
        index, timestamp_us = _HEAD.unpack_from(row)
        plan = self._plans.get(index) or self._plan(index)
        values = split_wire_values(row, VALUES)
        timestamp = unsigned(timestamp_us - self._base_us)
        size_before = unsigned(before)
        out = [size_before]
        if plan.has_marker:
            out.append(timestamp)
            full, empty = _CELL_HEADS[CELL_ROW_TIMESTAMP], _CELL_HEADS[CELL_ROW_TIMESTAMP | CELL_EMPTY]
        else:
            full, empty = _CELL_HEADS[0] + timestamp, _CELL_HEADS[CELL_EMPTY] + timestamp
        out.append(plan.subset)
        for position, fixed_length in plan.values:
            value = values[position]
            if not value:
                out.append(empty)
            elif fixed_length is None:
                out.append(full + unsigned(len(value)) + value)
            elif len(value) == fixed_length:
                out.append(full + value)
            else:
                raise _misfit(value, fixed_length)
        body = b"".join(out)
        clustering = self.codec.encode_values(values[: self._clustering_count]) if self._clustering_count else b""
        collector = self._collector
        collector.min_timestamp_us = min(collector.min_timestamp_us, timestamp_us)
        collector.max_timestamp_us = max(collector.max_timestamp_us, timestamp_us)
        collector.saw_live = True
        collector.cells += len(plan.values)
        collector.columns_set += len(plan.values)
        collector.rows += 1
        return plan.flags + clustering + unsigned(len(body)) + body

    def _plan(self, index: int) -> _PackedPlan:
        layout = self._layouts.all[index]
        indexes = sorted(
            (self._regulars[name][0], self._clustering_count + position, self._regulars[name][1])
            for position, name in enumerate(layout.columns)
            if name in self._regulars
        )
        flags = HAS_TIMESTAMP if layout.has_marker else 0
        subset = b""
        if len(indexes) == len(self._regulars):
            flags |= HAS_ALL_COLUMNS
        else:
            subset = encode_subset([column for column, _, _ in indexes], len(self._regulars))
        values = tuple((position, column.type.fixed_length) for _, position, column in indexes)
        plan = self._plans[index] = _PackedPlan(bytes((flags,)), layout.has_marker, subset, values)
        return plan

    def row(self, row: Row, before: int) -> bytes:
        """A row in its full form."""
        self._collector.row(row)
        return self._row(row, self._regulars, b"", self.codec.encode_values(row.clustering), before)

    def static_row(self, row: Row | None) -> bytes:
        """The static row of a partition, of a header with static columns: there is always one."""
        if row is None:
            row = Row(())
        elif not _is_empty(row):
            self._collector.row(row)
        return self._row(row, self._statics, bytes((IS_STATIC,)), b"", 0)

    def _row(
        self, row: Row, columns: "Mapping[str, tuple[int, HeaderColumn]]", extension: bytes, clustering: bytes, before: int
    ) -> bytes:
        """HAS_COMPLEX_DELETION has to be known first: with it every complex column writes a deletion, live or not."""
        data = sorted(((columns[name], value) for name, value in row.columns.items() if name in columns), key=_place)
        liveness = row.liveness
        flags = EXTENSION if extension else 0
        out = [unsigned(before)]
        if liveness.timestamp_us != NO_TIMESTAMP:
            flags |= HAS_TIMESTAMP
            out.append(unsigned(liveness.timestamp_us - self._base_us))
            if liveness.ttl_s:
                flags |= HAS_TTL
                out.append(unsigned32(liveness.ttl_s - self._base_ttl_s))
                out.append(self._local_deletion(liveness.local_deletion_s))
        if row.deletion != LIVE:
            flags |= HAS_DELETION
            out.append(self._deletion(row.deletion))
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
        body = b"".join(out)
        return bytes((flags,)) + extension + clustering + unsigned(len(body)) + body

    def _complex(self, out: list[bytes], data: ComplexColumn, row: Row, column: HeaderColumn, has_deletion: bool) -> None:
        if has_deletion:
            out.append(self._deletion(data.deletion))
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
                raise _misfit(value, fixed_length)
            out.append(value)

    # -- markers ------------------------------------------------------------------------------------------------------

    def marker(self, marker: Marker, before: int) -> bytes:
        out = [unsigned(before)]
        for deletion in (marker.closing, marker.opening):
            if deletion is not None:
                out.append(self._deletion(deletion))
                self._collector.deletion(deletion)
        body = b"".join(out)
        bound = self.codec.encode_bound(Prefix(marker.kind, marker.values))
        return _MARKER + bound + unsigned(len(body)) + body

    def _deletion(self, deletion: Deletion) -> bytes:
        return unsigned(deletion.timestamp_us - self._base_us) + self._local_deletion(deletion.local_deletion_s)

    def _local_deletion(self, seconds: int) -> bytes:
        if seconds != NEVER:
            seconds = min(seconds, self._deletion_max_s)
        return unsigned32(seconds - self._base_s)


def _by_name(columns: Sequence[HeaderColumn]) -> dict[str, tuple[int, HeaderColumn]]:
    return {column.name: (index, column) for index, column in enumerate(columns)}


def _misfit(value: bytes, fixed_length: int) -> InternalError:
    """A value whose length is not its type's would make everything behind it unreadable."""
    return InternalError(f"a value of {len(value)} bytes in a column of {fixed_length}")


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

