"""The serialization header of an SSTable: which columns of which types it holds, and what its numbers are relative to.

Mirrors db/SerializationHeader.java and db/rows/EncodingStats.java. It stands in Statistics.db. The columns of a file are
those of the table when it was written: they are matched by name with those of today.

All SSTables of a table that are written here have the same header as long as the table's columns stay: the base of
timestamps is the time of the table's id, and deltas wrap. So a partition may be copied from one to another as bytes.
"""

from functools import cached_property
from typing import Final, NamedTuple

from protocol.errors import CorruptionError
from protocol.types import CqlType, parse_java
from storage.environment.environment import UUID_EPOCH_OFFSET_US
from storage.schema.metadata import ColumnMetadata, TableMetadata
from storage.sstable.constants import DELETION_EPOCH_S, TIMESTAMP_EPOCH_US
from storage.sstable.vints import read_unsigned, unsigned, unsigned32, wrapped64

_REVERSED: Final = "org.apache.cassandra.db.marshal.ReversedType("
_COMPOSITE: Final = "org.apache.cassandra.db.marshal.CompositeType("
_TICKS_PER_US: Final = 10


class HeaderColumn(NamedTuple):
    """A column of the file. `type` is what it was written with."""

    name: str
    type: CqlType

    @property
    def is_complex(self) -> bool:
        return self.type.is_multicell


class _Parts(NamedTuple):
    min_timestamp_us: int
    min_deletion_s: int
    min_ttl_s: int
    key_type: str
    clustering_types: tuple[str, ...]
    statics: tuple[tuple[str, str], ...]
    regulars: tuple[tuple[str, str], ...]


class SerializationHeader(_Parts):
    """See the module. Types are Java names; columns as they stand in the file."""

    @cached_property
    def clustering(self) -> tuple[CqlType, ...]:
        return tuple(parse_java(text) for text in self.clustering_types)

    @cached_property
    def reversed(self) -> tuple[bool, ...]:
        return tuple(text.startswith(_REVERSED) for text in self.clustering_types)

    @cached_property
    def static_columns(self) -> tuple[HeaderColumn, ...]:
        """In the order of their data: simple ones before complex ones, each by name."""
        return _ordered(self.statics)

    @cached_property
    def regular_columns(self) -> tuple[HeaderColumn, ...]:
        return _ordered(self.regulars)


def _ordered(columns: tuple[tuple[str, str], ...]) -> tuple[HeaderColumn, ...]:
    parsed = [HeaderColumn(name, parse_java(text)) for name, text in columns]
    return tuple(sorted(parsed, key=lambda column: (column.is_complex, column.name.encode())))


def header_of(table: TableMetadata) -> SerializationHeader:
    """The header of what is written of a table now."""
    keys = [column.type.java() for column in table.partition_key]
    return SerializationHeader(
        _base_timestamp_us(table),
        DELETION_EPOCH_S,
        0,
        keys[0] if len(keys) == 1 else f"{_COMPOSITE}{','.join(keys)})",
        tuple(_clustering_type(column) for column in table.clustering),
        _named(table.statics),
        _named(table.regulars),
    )


def _named(columns: tuple[ColumnMetadata, ...]) -> tuple[tuple[str, str], ...]:
    ordered = sorted(columns, key=lambda column: (column.type.is_multicell, column.name.encode()))
    return tuple((column.name, column.type.java()) for column in ordered)


def _clustering_type(column: ColumnMetadata) -> str:
    return f"{_REVERSED}{column.type.java()})" if column.reversed else column.type.java()


def _base_timestamp_us(table: TableMetadata) -> int:
    if table.id.version != 1:
        return TIMESTAMP_EPOCH_US
    created_us = table.id.time // _TICKS_PER_US - UUID_EPOCH_OFFSET_US
    return max(created_us, TIMESTAMP_EPOCH_US)


# -- its bytes --------------------------------------------------------------------------------------------------------


def encode(header: SerializationHeader) -> bytes:
    out = [
        unsigned(header.min_timestamp_us - TIMESTAMP_EPOCH_US),
        unsigned32(header.min_deletion_s - DELETION_EPOCH_S),
        unsigned32(header.min_ttl_s),
        _text(header.key_type),
        unsigned(len(header.clustering_types)),
        *(_text(text) for text in header.clustering_types),
    ]
    for columns in (header.statics, header.regulars):
        out.append(unsigned(len(columns)))
        for name, type_text in columns:
            out += (_text(name), _text(type_text))
    return b"".join(out)


def _text(text: str) -> bytes:
    raw = text.encode()
    return unsigned(len(raw)) + raw


def decode(data: bytes) -> SerializationHeader:
    """Raises CorruptionError, IndexError, ValueError."""
    timestamp, at = read_unsigned(data, 0)
    deletion, at = read_unsigned(data, at)
    ttl, at = read_unsigned(data, at)
    key_type, at = _read_text(data, at)
    count, at = read_unsigned(data, at)
    clustering = []
    for _ in range(count):
        text, at = _read_text(data, at)
        clustering.append(text)
    parts = []
    for _ in range(2):
        count, at = read_unsigned(data, at)
        columns = []
        for _ in range(count):
            name, at = _read_text(data, at)
            text, at = _read_text(data, at)
            columns.append((name, text))
        parts.append(tuple(columns))
    if at != len(data):
        raise CorruptionError(f"serialization header ends at {at} of {len(data)}")
    return SerializationHeader(
        wrapped64(timestamp + TIMESTAMP_EPOCH_US),
        wrapped64(deletion + DELETION_EPOCH_S),
        ttl,
        key_type,
        tuple(clustering),
        parts[0],
        parts[1],
    )


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    length, at = read_unsigned(data, at)
    raw = data[at : at + length]
    if len(raw) != length:
        raise CorruptionError("serialization header: a name is cut off")
    return raw.decode(), at + length
