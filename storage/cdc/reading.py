"""mutations.py read backwards: Cassandra's mutations as updates of the tables that there are."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from protocol.errors import CorruptionError
from storage.cdc.mutations import HAS_PARTITION_DELETION, HAS_ROW_ESTIMATE, HAS_STATIC_ROW, IS_EMPTY
from storage.memtable.packed import Layouts
from storage.mutation import LIVE, PartitionUpdate, Row
from storage.schema.metadata import ColumnKind, TableMetadata
from storage.sstable.constants import (
    DELETION_EPOCH_S,
    END_OF_PARTITION,
    EXTENSION,
    IS_MARKER,
    TIMESTAMP_EPOCH_US,
    VERSIONS,
)
from storage.sstable.decoder import RowDecoder
from storage.sstable.header import SerializationHeader, header_of
from storage.sstable.partition import pieces_between
from storage.sstable.unfiltered import Marker
from storage.sstable.vints import read_unsigned, wrapped64

_REVERSED_ROWS: Final = 0x02
_BEGIN: Final = (b"", ())
_END: Final = (b"\xff", ())
_NB: Final = VERSIONS["nb"]


class UnknownTable(CorruptionError):
    """A mutation is of a table that is not there: what follows in it can't be read."""


class MutationDecoder:
    """`table_of`: by id; None for a table that is not there."""

    def __init__(self, table_of: Callable[[UUID], TableMetadata | None]) -> None:
        self._table_of = table_of
        self._decoders: dict[tuple[UUID, tuple[str, ...], tuple[str, ...]], tuple[TableMetadata, RowDecoder]] = {}

    def decode(self, data: bytes) -> list[PartitionUpdate]:
        """Raises UnknownTable, and what DAMAGE names (sstable/constants.py)."""
        count, at = read_unsigned(data, 0)
        updates = []
        for _ in range(count):
            update, at = self._update(data, at)
            updates.append(update)
        if at != len(data):
            raise CorruptionError(f"a mutation ends at {at} of {len(data)}")
        return updates

    def _update(self, data: bytes, at: int) -> tuple[PartitionUpdate, int]:
        table_id = UUID(bytes=data[at : at + 16])
        table = self._table_of(table_id)
        if table is None:
            raise UnknownTable(f"a mutation of the table {table_id}, which is not there")
        length, at = read_unsigned(data, at + 16)
        key, at = data[at : at + length], at + length
        flags, at = data[at], at + 1
        if flags & IS_EMPTY:
            return PartitionUpdate(table_id, key), at
        if flags & _REVERSED_ROWS or not flags & HAS_ROW_ESTIMATE:
            raise CorruptionError(f"an update of {table} with flags {flags:02x}")
        timestamp_us, at = read_unsigned(data, at)
        deletion_s, at = read_unsigned(data, at)
        ttl_s, at = read_unsigned(data, at)
        statics, at = _names(data, at) if flags & HAS_STATIC_ROW else ((), at)
        regulars, at = _names(data, at)
        decoder = self._decoder(table, statics, regulars)
        decoder.rebase(wrapped64(timestamp_us + TIMESTAMP_EPOCH_US), deletion_s + DELETION_EPOCH_S, ttl_s)
        deletion, static = LIVE, None
        if flags & HAS_PARTITION_DELETION:
            deletion, at = decoder.deletion(data, at)
        if flags & HAS_STATIC_ROW:
            if not data[at] & EXTENSION:
                raise CorruptionError(f"no static row at {at}")
            static, at = decoder.contents(data, at + 2, data[at], (), decoder.statics)
        _, at = read_unsigned(data, at)
        rows: dict[bytes, Row] = {}
        markers: list[Marker] = []
        while not data[at] & END_OF_PARTITION:
            flags = data[at]
            if flags & IS_MARKER:
                prefix, at = decoder.codec.decode_bound(data, at + 1)
                marker, at = decoder.bounding(data, at, prefix)
                markers.append(marker)
                continue
            at += 2 if flags & EXTENSION else 1
            values, at = decoder.codec.decode_values(data, at, decoder.codec.count)
            rows[decoder.row_order_key(values)], at = decoder.contents(data, at, flags, values, decoder.regulars)
        tombstones = tuple(pieces_between(markers, LIVE, _BEGIN, _END))
        return PartitionUpdate(table_id, key, deletion, static, rows, tombstones), at + 1

    def _decoder(self, table: TableMetadata, statics: tuple[str, ...], regulars: tuple[str, ...]) -> RowDecoder:
        key = table.id, statics, regulars
        known = self._decoders.get(key)
        if known is None or known[0] is not table:
            columns = {
                kind: tuple((name, _type_text(table, name, kind)) for name in names)
                for kind, names in ((ColumnKind.STATIC, statics), (ColumnKind.REGULAR, regulars))
            }
            own = header_of(table)
            header = SerializationHeader(
                0, 0, 0, own.key_type, own.clustering_types, columns[ColumnKind.STATIC], columns[ColumnKind.REGULAR]
            )
            layouts = Layouts(table.id, len(table.clustering))
            known = self._decoders[key] = table, RowDecoder(header, _NB, table, layouts)
        return known[1]


def _names(data: bytes, at: int) -> tuple[tuple[str, ...], int]:
    count, at = read_unsigned(data, at)
    names = []
    for _ in range(count):
        length, at = read_unsigned(data, at)
        names.append(data[at : at + length].decode())
        at += length
    return tuple(names), at


def _type_text(table: TableMetadata, name: str, kind: ColumnKind) -> str:
    column = table.by_name.get(name)
    if column is not None and column.kind is kind:
        return column.type.java()
    dropped = table.dropped_columns.get(name)
    if dropped is None:
        raise CorruptionError(f"Unknown column {name} during deserialization")
    return dropped.type.java()
