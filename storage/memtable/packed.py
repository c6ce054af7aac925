"""The packed row: one row as one bytes object, for rows whose cells share a timestamp and that hide nothing.

    offset  size  what
    0       2     index of the layout in the table's `Layouts`, unsigned, big-endian
    2       8     write timestamp in microseconds, signed
    10      ...   wire values `[i32 length][bytes]`: all clustering columns in order, then the layout's regular columns

Every value is present and not null, there is no TTL, no tombstone, no complex column. It is the very slice in which
values come from the client and go to it, so that writing and reading are copies. A row that does not fit is a
mutation.Row. Layout indexes are known to one `Layouts` only: they never leave the process; what goes to the commit log
carries names (mutation.packed_prefix).
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from storage.mutation import (
    LIVE,
    NEVER,
    NO_LIVENESS,
    NO_TIMESTAMP,
    NO_TTL,
    Cell,
    Liveness,
    Row,
    fits_packed_prefix,
    packed_prefix,
    parse_packed_prefix,
    split_wire_values,
)

TIMESTAMP: Final = 2
VALUES: Final = 10
# A table with more different column lists than this keeps the others as rows: memory stays bounded, speed drops.
LAYOUTS_MAX: Final = 4096

StoredRow = bytes | Row

_HEAD = struct.Struct(">Hq")
_I32 = struct.Struct(">i")
_I64 = struct.Struct(">q")


@dataclass(frozen=True, slots=True)
class Layout:
    """What a packed row holds: `columns` are the regular columns, in the order of their values.

    `row_prefix` begins every packed row, `record_prefix` every packed mutation record of this layout.
    """

    index: int
    columns: tuple[str, ...]
    has_marker: bool
    row_prefix: bytes
    record_prefix: bytes

    def row(self, timestamp_us: int, wire_values: bytes) -> bytes:
        return self.row_prefix + _I64.pack(timestamp_us) + wire_values


class Layouts:
    """The layouts that one table has seen, numbered in the order of their appearance."""

    __slots__ = ("_by_columns", "_by_record_prefix", "all", "are_counters", "clustering_count", "needs_marker", "table_id")

    def __init__(
        self, table_id: UUID, clustering_count: int, are_counters: bool = False, needs_marker: bool = False
    ) -> None:
        self.table_id = table_id
        self.clustering_count = clustering_count
        self.are_counters = are_counters  # a newer row does not replace an older one: counter_rows.py
        self.needs_marker = needs_marker  # without one a row may be dead, which no packed row is
        self.all: list[Layout] = []
        self._by_columns: dict[tuple[tuple[str, ...], bool], Layout] = {}
        self._by_record_prefix: dict[bytes, Layout] = {}

    def maybe_layout(self, columns: tuple[str, ...], has_marker: bool) -> Layout | None:
        """The layout of these regular columns in this order; None when there are too many layouts already, or when the
        names are longer than a packed record can say."""
        found = self._by_columns.get((columns, has_marker))
        if found is not None:
            return found
        index = len(self.all)
        if index >= LAYOUTS_MAX or not fits_packed_prefix(columns):
            return None
        record_prefix = packed_prefix(self.table_id, self.clustering_count, columns, has_marker)
        layout = Layout(index, columns, has_marker, index.to_bytes(2, "big"), record_prefix)
        self.all.append(layout)
        self._by_columns[columns, has_marker] = layout
        self._by_record_prefix[record_prefix] = layout
        return layout

    def maybe_of_record(self, prefix: bytes) -> Layout | None:
        """The layout for a packed record's prefix (mutation.PackedRecord). Raises CorruptionError.

        None where there are too many, or the record is of another table or another number of clustering columns.
        """
        found = self._by_record_prefix.get(prefix)
        if found is not None:
            return found
        parsed = parse_packed_prefix(prefix)
        if parsed.table_id != self.table_id or parsed.clustering_count != self.clustering_count:
            return None
        return self.maybe_layout(parsed.columns, parsed.has_marker)

    def of(self, row: bytes) -> Layout:
        return self.all[int.from_bytes(row[:TIMESTAMP], "big")]

    def clustering(self, row: StoredRow) -> tuple[bytes, ...]:
        """The serialised clustering values of a stored row."""
        if type(row) is not bytes:
            assert isinstance(row, Row)
            return row.clustering
        values = []
        at = VALUES
        for _ in range(self.clustering_count):
            start = at + 4
            at = start + _I32.unpack_from(row, at)[0]
            values.append(row[start:at])
        return tuple(values)

    def explode(self, row: StoredRow) -> Row:
        """A stored row as a Row."""
        if type(row) is not bytes:
            assert isinstance(row, Row)
            return row
        index, timestamp_us = _HEAD.unpack_from(row)
        layout = self.all[index]
        values = split_wire_values(row, VALUES)
        count = self.clustering_count
        new = tuple.__new__  # half the time of Cell(...)
        return Row(
            tuple(values[:count]),
            Liveness(timestamp_us) if layout.has_marker else NO_LIVENESS,
            LIVE,
            {
                name: new(Cell, (timestamp_us, value, NO_TTL, NEVER))
                for name, value in zip(layout.columns, values[count:] if count else values, strict=True)
            },
        )

    def maybe_pack(self, row: Row) -> bytes | None:
        """The row packed, None when it does not fit: tombstones, TTL, complex columns, several timestamps, nulls in
        its clustering."""
        if row.deletion != LIVE:
            return None
        timestamp_us, ttl_s, _ = row.liveness
        if ttl_s or len(row.clustering) != self.clustering_count:
            return None
        has_marker = timestamp_us != NO_TIMESTAMP
        values: list[bytes] = list(row.clustering)
        for data in row.columns.values():
            if type(data) is not Cell or data.value is None or data.ttl_s:
                return None
            if data.timestamp_us != timestamp_us:
                if timestamp_us != NO_TIMESTAMP:
                    return None
                timestamp_us = data.timestamp_us
            values.append(data.value)
        if timestamp_us == NO_TIMESTAMP or (self.needs_marker and not has_marker):
            return None
        layout = self.maybe_layout(tuple(row.columns), has_marker)
        if layout is None:
            return None
        return layout.row(timestamp_us, join_wire_values(values))


def timestamp_of(row: bytes) -> int:
    """The write timestamp of a packed row."""
    timestamp_us: int = _I64.unpack_from(row, TIMESTAMP)[0]
    return timestamp_us


def join_wire_values(values: Iterable[bytes]) -> bytes:
    return b"".join([_I32.pack(len(value)) + value for value in values])
