"""The bytes of Data.db -> rows and markers: encoder.py read backwards.

Rows become packed rows where they can. Most rows of a file have the same flags and the same columns: for these a function
is written when the first of them comes (`runs.py`), which takes row after row until one is different; that one goes the
general way here.

Columns are those of the file's header, matched by name with the table's. Cells of a column that was dropped, and are not
newer than that, do not exist: they are left out here, by source, because the file does not know of it.
"""

import struct
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from protocol.errors import CorruptionError
from storage.keys import clustering_order_key, row_order_key
from storage.memtable.packed import Layouts, StoredRow
from storage.mutation import (
    LIVE,
    NEVER,
    NO_LIVENESS,
    NO_TIMESTAMP,
    NO_TTL,
    Cell,
    ComplexColumn,
    Deletion,
    Liveness,
    Row,
)
from storage.reconcile import uncovered_row
from storage.schema.metadata import ColumnKind, TableMetadata
from storage.sstable.columns import decode_subset
from storage.sstable.constants import (
    CELL_DELETED,
    CELL_EMPTY,
    CELL_EXPIRING,
    CELL_ROW_TIMESTAMP,
    CELL_ROW_TTL,
    END_OF_PARTITION,
    EXTENSION,
    HAS_ALL_COLUMNS,
    HAS_COMPLEX_DELETION,
    HAS_DELETION,
    HAS_TIMESTAMP,
    HAS_TTL,
    IS_MARKER,
    IS_STATIC,
    KINDS_BOUNDARY,
    KINDS_CLOSING,
    NEVER_U32,
    BoundKind,
    Version,
)
from storage.sstable.deletions import decode_deletion
from storage.sstable.header import HeaderColumn, SerializationHeader
from storage.sstable.prefixes import Prefix, PrefixCodec, place_of
from storage.sstable.runs import RUN_FLAGS, PartitionRun, Run, compile_partition_run, compile_run
from storage.sstable.unfiltered import Marker
from storage.sstable.vints import read_unsigned, wrapped64

_I64 = struct.Struct(">q")
_ALWAYS: Final = NO_TIMESTAMP - 1


class Column(NamedTuple):
    """A column of the file. `gone_us`: cells up to that timestamp do not exist; None: the table has it no more, none
    does."""

    name: str
    is_complex: bool
    fixed_length: int | None
    gone_us: int | None


class Decoded(NamedTuple):
    """Some rows and markers of a partition, each in order. `all_packed`: as for reads.RawChunk."""

    cks: list[bytes]
    rows: list[StoredRow]
    markers: list[Marker]
    all_packed: bool


class Placed(NamedTuple):
    """Where some rows of a partition begin, in order."""

    cks: list[bytes]
    offsets: list[int]
    has_markers: bool


class RowDecoder:
    """Of one file, for one version of the table. `may_have_deletions`: what the file's statistics say."""

    def __init__(
        self,
        header: SerializationHeader,
        version: Version,
        table: TableMetadata,
        layouts: Layouts,
        may_have_deletions: bool = True,
    ) -> None:
        self.header, self.version, self.layouts = header, version, layouts
        self.may_have_deletions = may_have_deletions
        self.codec = PrefixCodec(header.clustering)
        if self.codec.count != len(table.clustering):
            raise CorruptionError(f"{self.codec.count} clustering columns where {table} has {len(table.clustering)}")
        self.order_key: Callable[[Sequence[bytes]], bytes] = clustering_order_key(table)
        self.row_order_key: Callable[[Sequence[bytes]], bytes] = row_order_key(table)
        self.regulars = _columns(header.regular_columns, table, ColumnKind.REGULAR)
        self.statics = _columns(header.static_columns, table, ColumnKind.STATIC)
        self.table = table
        self.rebase(header.min_timestamp_us, header.min_deletion_s, header.min_ttl_s)
        self._runs: dict[int, Run | None] = {}

    def rebase(self, timestamp_us: int, deletion_s: int, ttl_s: int) -> None:
        """What numbers are relative to, from here on."""
        self._base_us, self._base_s, self._base_ttl_s = timestamp_us, deletion_s, ttl_s

    @cached_property
    def partition_run(self) -> PartitionRun | None:
        """Decodes partitions of one row each, where they can be packed."""
        return compile_partition_run(self)

    # -- a partition's head -------------------------------------------------------------------------------------------

    def head(self, data: bytes, at: int) -> tuple[bytes, Deletion, Row | None, int]:
        """Key, deletion, static row and where the rows begin."""
        start = at + 2
        end = start + int.from_bytes(data[at:start], "big")
        key = data[start:end]
        deletion, at = decode_deletion(data, end, self.version)
        static = None
        if self.statics:
            static, at = self._static_row(data, at)
        return key, deletion, static, at

    def _static_row(self, data: bytes, at: int) -> tuple[Row | None, int]:
        flags = data[at]
        if not flags & EXTENSION or not data[at + 1] & IS_STATIC:
            raise CorruptionError(f"no static row at {at}")
        row, at = self._body(data, at + 2, flags, (), self.statics)
        is_empty = not row.columns and row.deletion == LIVE and row.liveness.timestamp_us == NO_TIMESTAMP
        return None if is_empty else row, at

    # -- rows and markers ---------------------------------------------------------------------------------------------

    def unfiltereds(self, data: bytes, at: int, end: int, is_last: bool) -> Decoded:
        """All that stand from `at` to `end`. `is_last`: behind them stands the byte that ends the partition."""
        end -= is_last
        if is_last and data[end] != END_OF_PARTITION:
            raise CorruptionError("a partition without an end")
        cks: list[bytes] = []
        rows: list[StoredRow] = []
        markers: list[Marker] = []
        all_packed = True
        while at < end:
            flags = data[at]
            if flags & (END_OF_PARTITION | IS_MARKER):
                if flags & END_OF_PARTITION:
                    raise CorruptionError(f"the partition ends at {at}, not at {end}")
                marker, at = self._marker(data, at + 1)
                markers.append(marker)
                continue
            if flags in RUN_FLAGS:
                run = self._run(flags)
                if run is not None:
                    before = at
                    at = run(data, at, end, cks, rows)
                    if at != before:
                        continue
            ck, row, at = self.row(data, at)
            if row is None:
                continue
            all_packed &= type(row) is bytes
            cks.append(ck)
            rows.append(row)
        if at != end:
            raise CorruptionError(f"a row ends at {at}, its block at {end}")
        return Decoded(cks, rows, markers, all_packed)

    def _run(self, flags: int) -> Run | None:
        run = self._runs.get(flags, _MISSING)
        if run is _MISSING:
            run = self._runs[flags] = compile_run(self, flags)
        return run

    def raw(self, data: bytes, at: int) -> tuple[Row | Marker, int]:
        """The row or marker that begins there, and where it ends."""
        flags = data[at]
        if flags & IS_MARKER:
            return self._marker(data, at + 1)
        at += 2 if flags & EXTENSION else 1
        values, at = self.codec.decode_values(data, at, self.codec.count)
        return self._body(data, at, flags, values, self.regulars)

    def prefix(self, data: bytes, at: int) -> Prefix:
        """The clustering or bound of the row or marker that begins there; what follows may be cut off."""
        flags = data[at]
        if flags & IS_MARKER:
            return self.codec.decode_bound(data, at + 1)[0]
        values, _ = self.codec.decode_values(data, at + (2 if flags & EXTENSION else 1), self.codec.count)
        return Prefix(BoundKind.CLUSTERING, values)

    def places(self, data: bytes, at: int, end: int, is_last: bool) -> Placed:
        """Where the rows are, without a look into them. Arguments as those of `unfiltereds`."""
        end -= is_last
        cks: list[bytes] = []
        offsets: list[int] = []
        codec, order_key = self.codec, self.row_order_key
        has_markers = False
        while at < end:
            flags = data[at]
            if flags & (END_OF_PARTITION | IS_MARKER):
                if flags & END_OF_PARTITION:
                    raise CorruptionError(f"the partition ends at {at}, not at {end}")
                has_markers = True
                _, at = self._marker(data, at + 1)
                continue
            offsets.append(at)
            values, at = codec.decode_values(data, at + (2 if flags & EXTENSION else 1), codec.count)
            cks.append(order_key(values))
            size, at = read_unsigned(data, at)
            at += size
        if at != end:
            raise CorruptionError(f"a row ends at {at}, its block at {end}")
        return Placed(cks, offsets, has_markers)

    def one_row(self, data: bytes, at: int, end: int) -> StoredRow | None:
        """The row from `at` up to `end`; None: nothing of it exists."""
        run = self._run(data[at]) if data[at] in RUN_FLAGS else None
        if run is not None:
            rows: list[StoredRow] = []
            if run(data, at, end, [], rows) == end:
                return rows[0]
        return self.row(data, at)[1]

    def row(self, data: bytes, at: int) -> tuple[bytes, StoredRow | None, int]:
        """Order key, row (None: nothing of it exists) and where it ends."""
        flags = data[at]
        at += 1
        if flags & EXTENSION:
            if data[at] & IS_STATIC:
                raise CorruptionError(f"a static row at {at} among the others")
            at += 1  # a deletion that can be shadowed (of views before 4.0) is read as what it deletes
        values, at = self.codec.decode_values(data, at, self.codec.count)
        row, at = self._body(data, at, flags, values, self.regulars)
        ck = self.row_order_key(values)
        if flags & (HAS_DELETION | HAS_COMPLEX_DELETION):
            row = uncovered_row(row) or row._replace(columns={}, liveness=NO_LIVENESS)
        if not row.columns and row.deletion == LIVE and row.liveness.timestamp_us == NO_TIMESTAMP:
            return ck, None, at
        return ck, self.layouts.maybe_pack(row) or row, at

    def _body(
        self, data: bytes, at: int, flags: int, clustering: tuple[bytes, ...], columns: tuple[Column, ...]
    ) -> tuple[Row, int]:
        size, at = read_unsigned(data, at)
        end = at + size
        if end > len(data):
            raise CorruptionError(f"a row ends at {end} of {len(data)}")
        _, at = read_unsigned(data, at)
        row, at = self.contents(data, at, flags, clustering, columns)
        if at != end:
            raise CorruptionError(f"a row ends at {at}, not at {end}")
        return row, at

    def contents(
        self, data: bytes, at: int, flags: int, clustering: tuple[bytes, ...], columns: tuple[Column, ...]
    ) -> tuple[Row, int]:
        """What of a row follows its sizes, and where it ends."""
        liveness, deletion = NO_LIVENESS, LIVE
        if flags & HAS_TIMESTAMP:
            delta, at = read_unsigned(data, at)
            timestamp_us = wrapped64(delta + self._base_us)
            liveness = Liveness(timestamp_us)
            if flags & HAS_TTL:
                ttl_s, at = read_unsigned(data, at)
                local_s, at = self._local_deletion(data, at)
                liveness = Liveness(timestamp_us, ttl_s + self._base_ttl_s & 0x7FFFFFFF, local_s)
        if flags & HAS_DELETION:
            deletion, at = self.deletion(data, at)
        present: Sequence[int] = range(len(columns))
        if not flags & HAS_ALL_COLUMNS:
            present, at = decode_subset(data, at, len(columns))
        found: dict[str, Cell | ComplexColumn] = {}
        has_complex_deletion = bool(flags & HAS_COMPLEX_DELETION)
        for index in present:
            column = columns[index]
            if column.is_complex:
                complex_column, at = self._complex(data, at, column, liveness, has_complex_deletion)
                if complex_column is not None:
                    found[column.name] = complex_column
                continue
            _, cell, at = self._cell(data, at, column, liveness)
            if cell is not None:
                found[column.name] = cell
        return Row(clustering, liveness, deletion, found), at

    def _complex(
        self, data: bytes, at: int, column: Column, liveness: Liveness, has_deletion: bool
    ) -> tuple[ComplexColumn | None, int]:
        deletion = LIVE
        if has_deletion:
            deletion, at = self.deletion(data, at)
            if column.gone_us is None or deletion.timestamp_us <= column.gone_us:
                deletion = LIVE
        count, at = read_unsigned(data, at)
        cells = {}
        for _ in range(count):
            path, cell, at = self._cell(data, at, column, liveness)
            if cell is not None:
                cells[path] = cell
        return ComplexColumn(deletion, cells) if cells or deletion != LIVE else None, at

    def _cell(self, data: bytes, at: int, column: Column, liveness: Liveness) -> tuple[bytes, Cell | None, int]:
        flags = data[at]
        at += 1
        timestamp_us = liveness.timestamp_us
        if not flags & CELL_ROW_TIMESTAMP:
            delta, at = read_unsigned(data, at)
            timestamp_us = wrapped64(delta + self._base_us)
        ttl_s, local_s = NO_TTL, NEVER
        if flags & CELL_ROW_TTL:
            ttl_s, local_s = liveness.ttl_s, liveness.local_deletion_s
        elif flags & (CELL_DELETED | CELL_EXPIRING):
            local_s, at = self._local_deletion(data, at)
            if flags & CELL_EXPIRING:
                ttl_s, at = read_unsigned(data, at)
                ttl_s = ttl_s + self._base_ttl_s & 0x7FFFFFFF
        path = b""
        if column.is_complex:
            length, at = read_unsigned(data, at)
            path = data[at : at + length]
            at += length
        value: bytes | None = b""
        if not flags & CELL_EMPTY:
            size = column.fixed_length
            if size is None:
                size, at = read_unsigned(data, at)
            value = data[at : at + size]
            at += size
        if at > len(data):
            raise IndexError(at)
        if column.gone_us is None or timestamp_us <= column.gone_us:
            return path, None, at
        if flags & CELL_DELETED:
            value = None
        return path, Cell(timestamp_us, value, ttl_s, local_s), at

    def deletion(self, data: bytes, at: int) -> tuple[Deletion, int]:
        delta, at = read_unsigned(data, at)
        local_s, at = self._local_deletion(data, at)
        timestamp_us = wrapped64(delta + self._base_us)
        return LIVE if timestamp_us == NO_TIMESTAMP else Deletion(timestamp_us, local_s), at

    def _local_deletion(self, data: bytes, at: int) -> tuple[int, int]:
        delta, at = read_unsigned(data, at)
        seconds = delta + self._base_s & NEVER_U32
        return NEVER if seconds == NEVER_U32 else seconds, at

    def _marker(self, data: bytes, at: int) -> tuple[Marker, int]:
        prefix, at = self.codec.decode_bound(data, at)
        size, at = read_unsigned(data, at)
        end = at + size
        _, at = read_unsigned(data, at)
        marker, at = self.bounding(data, at, prefix)
        if at != end and prefix.kind not in KINDS_BOUNDARY:
            raise CorruptionError(f"a marker ends at {at}, not at {end}")
        return marker, at

    def bounding(self, data: bytes, at: int, prefix: Prefix) -> tuple[Marker, int]:
        """What of a marker follows its sizes, and where it ends."""
        if prefix.kind in (BoundKind.STATIC, BoundKind.CLUSTERING):
            raise CorruptionError(f"a marker of kind {prefix.kind}")
        first, at = self.deletion(data, at)
        closing: Deletion | None = first
        opening: Deletion | None = None
        if prefix.kind in KINDS_BOUNDARY:
            opening, at = self.deletion(data, at)
        elif prefix.kind not in KINDS_CLOSING:
            closing, opening = None, first
        return Marker(place_of(prefix, self.order_key), prefix.kind, prefix.values, closing, opening), at


def _columns(found: Sequence[HeaderColumn], table: TableMetadata, kind: ColumnKind) -> tuple[Column, ...]:
    columns = []
    for name, type_ in found:
        current = table.by_name.get(name)
        dropped = table.dropped_columns.get(name)
        gone_us: int | None
        if current is not None and current.kind is kind:
            gone_us = dropped.dropped_time_us if dropped is not None else _ALWAYS
        elif dropped is not None:
            gone_us = None
        else:
            raise CorruptionError(f"Unknown column {name} during deserialization")
        columns.append(Column(name, type_.is_multicell, type_.fixed_length, gone_us))
    return tuple(columns)


def _missing(data: bytes, at: int, end: int, cks: list[bytes], rows: list[StoredRow]) -> int:
    raise AssertionError


_MISSING: Final[Run] = _missing
