"""Column metadata of results and prepared statements (native_protocol_v5.spec, sections 4.2.5.2 and 4.2.5.4).

A `ResultMetadata` belongs to a plan and is sent with each of its results: its bytes are made once per version. What
changes from result to result (the paging state, the flags of this one answer) is added by `head`.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from protocol import primitives
from protocol.errors import ProtocolError
from protocol.primitives import Reader

if TYPE_CHECKING:
    from protocol.types import CqlType

GLOBAL_TABLES_SPEC: Final = 0x0001
HAS_MORE_PAGES: Final = 0x0002
NO_METADATA: Final = 0x0004
METADATA_CHANGED: Final = 0x0008

# The least that a column takes: an empty name and a type. A column count beyond what is left is a lie.
_COLUMN_BYTES_MIN = 4


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """A column of a result, or a bind marker of a prepared statement."""

    keyspace: str
    table: str
    name: str
    type: "CqlType"


Paused = Callable[[Iterable[ColumnSpec]], Iterable[ColumnSpec]]
"""The same columns, with pauses in between."""


def in_one_table(columns: Sequence[ColumnSpec], paused: Paused = iter) -> bool:
    """Whether keyspace and table can be said once for all columns."""
    if not columns:
        return False
    first = columns[0]
    return all(column.keyspace == first.keyspace and column.table == first.table for column in paused(columns))


def _encode_columns(columns: Iterable[ColumnSpec], version: int, global_spec: bool) -> bytes:
    parts: list[bytes] = []
    for column in columns:
        if not global_spec:
            parts += [primitives.string(column.keyspace), primitives.string(column.table)]
        elif not parts:
            parts = [primitives.string(column.keyspace), primitives.string(column.table)]
        parts += [primitives.string(column.name), column.type.option(version)]
    return b"".join(parts)


def _read_columns(reader: Reader, count: int, global_spec: bool) -> tuple[ColumnSpec, ...]:
    from protocol.type_options import read_type

    if not 0 <= count * _COLUMN_BYTES_MIN <= reader.remaining:
        raise ProtocolError(f"Not enough bytes to read {count} columns")
    if global_spec:
        keyspace, table = reader.string(), reader.string()
        return tuple([ColumnSpec(keyspace, table, reader.string(), read_type(reader)) for _ in range(count)])
    return tuple([ColumnSpec(reader.string(), reader.string(), reader.string(), read_type(reader)) for _ in range(count)])


@dataclass(frozen=True, slots=True)
class ResultMetadata:
    """The columns of a result. Without columns it is what statements have that return nothing.

    `column_count` differs from `len(columns)` only in a client, where a server left the columns out.
    """

    columns: tuple[ColumnSpec, ...] = ()
    column_count: int = -1
    _encoded: dict[tuple[int, bool], bytes] = field(default_factory=dict, init=False, compare=False, repr=False)
    _ids: list[bytes] = field(default_factory=list, init=False, compare=False, repr=False)
    _column_bytes: dict[int, bytes] = field(default_factory=dict, init=False, compare=False, repr=False)
    _one_table: list[bool] = field(default_factory=list, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.column_count < 0:
            object.__setattr__(self, "column_count", len(self.columns))

    @property
    def id(self) -> bytes:
        """The result_metadata_id of v5: 16 bytes, of names and types alone (ResultSet.computeResultMetadataId)."""
        if not self._ids:
            self._ids.append(self._computed_id(self.columns))
        return self._ids[0]

    @staticmethod
    def _computed_id(columns: Iterable[ColumnSpec]) -> bytes:
        digest = hashlib.md5(usedforsecurity=False)
        for column in columns:
            digest.update(column.name.encode() + b"\x00" + column.type.java().encode() + b"\x00\x00")
        return digest.digest()

    def encoded(self, version: int, skip: bool = False) -> bytes:
        """The metadata of a result that is neither paged nor changed; with `skip`, only the number of columns."""
        data = self._encoded.get((version, skip))
        if data is None:
            data = self._encoded[version, skip] = self._encode(version, skip, None, False)
        return data

    def head(self, version: int, skip: bool, paging_state: bytes | None, changed: bool) -> bytes:
        """The metadata of one result. `changed` (v5) carries the new id, and the columns in spite of `skip`."""
        if paging_state is None and not changed:
            return self.encoded(version, skip)
        return self._encode(version, skip and not changed, paging_state, changed and version >= 5)

    def _encode(self, version: int, skip: bool, paging_state: bytes | None, changed: bool) -> bytes:
        flags = GLOBAL_TABLES_SPEC if self.is_of_one_table else 0
        skip = skip or not self.columns
        parts = []
        if paging_state is not None:
            flags |= HAS_MORE_PAGES
            parts.append(primitives.value(paging_state))
        if changed:
            flags |= METADATA_CHANGED
            parts.append(primitives.short_bytes(self.id))
        if skip:
            flags |= NO_METADATA
        else:
            parts.append(self._columns_encoded(version, self.columns))
        return primitives.integer(flags) + primitives.integer(self.column_count) + b"".join(parts)

    def _columns_encoded(self, version: int, columns: Iterable[ColumnSpec]) -> bytes:
        """`columns`: those of this metadata, perhaps with pauses in between."""
        data = self._column_bytes.get(version)
        if data is None:
            data = self._column_bytes[version] = _encode_columns(columns, version, self.is_of_one_table)
        return data

    def make_ready(self, version: int, paused: Paused) -> None:
        """Does in advance what takes long for thousands of columns, with pauses in between."""
        if not self._one_table and self.columns:
            self._one_table.append(in_one_table(self.columns, paused))
        self._columns_encoded(version, paused(self.columns))
        if version >= 5 and not self._ids:
            self._ids.append(self._computed_id(paused(self.columns)))

    @property
    def is_of_one_table(self) -> bool:
        """Whether keyspace and table can be said once for all columns."""
        if not self._one_table:
            self._one_table.append(in_one_table(self.columns))
        return self._one_table[0]


EMPTY_METADATA: Final = ResultMetadata()


def read_result_metadata(reader: Reader) -> tuple[ResultMetadata, int, bytes | None, bytes | None]:
    """Metadata, flags, paging state and new id, as a client gets them."""
    flags, count = reader.integer(), reader.integer()
    if count < 0:
        raise ProtocolError(f"Invalid column count {count}")
    paging_state = reader.nullable_bytes() if flags & HAS_MORE_PAGES else None
    new_id = reader.short_bytes() if flags & METADATA_CHANGED else None
    columns: tuple[ColumnSpec, ...] = ()
    if not flags & NO_METADATA:
        columns = _read_columns(reader, count, bool(flags & GLOBAL_TABLES_SPEC))
    return ResultMetadata(columns, count), flags, paging_state, new_id


@dataclass(frozen=True, slots=True)
class PreparedMetadata:
    """The bind markers of a prepared statement.

    `partition_key_indexes`: for each column of the partition key, which marker binds it; empty when not all are bound.
    """

    columns: tuple[ColumnSpec, ...] = ()
    partition_key_indexes: tuple[int, ...] = ()

    def encode(self, version: int) -> bytes:
        global_spec = in_one_table(self.columns)
        parts = [primitives.integer(GLOBAL_TABLES_SPEC if global_spec else 0), primitives.integer(len(self.columns))]
        if version >= 4:
            indexes = self.partition_key_indexes if global_spec else ()
            parts.append(primitives.integer(len(indexes)))
            parts += map(primitives.short, indexes)
        parts.append(_encode_columns(self.columns, version, global_spec))
        return b"".join(parts)

    @classmethod
    def decode(cls, reader: Reader, version: int) -> "PreparedMetadata":
        flags, count = reader.integer(), reader.integer()
        indexes: tuple[int, ...] = ()
        if version >= 4:
            index_count = reader.integer()
            if not 0 <= 2 * index_count <= reader.remaining:
                raise ProtocolError(f"Not enough bytes to read {index_count} partition key indexes")
            indexes = tuple([reader.short() for _ in range(index_count)])
        return cls(_read_columns(reader, count, bool(flags & GLOBAL_TABLES_SPEC)), indexes)


_DIGESTED_CHARS = 1 << 18
"""Of a text at once: half a millisecond's work."""


def prepared_id(query: str, keyspace: str | None, pause: Callable[[], None] | None = None) -> bytes:
    """The id of a prepared statement, 16 bytes (QueryProcessor.computeId).

    `keyspace` is the session's for a statement that does not name its own, None for a fully qualified one. `pause` is
    called now and then, of a long one.
    """
    text = (keyspace or "") + query
    digest = hashlib.md5(text[:_DIGESTED_CHARS].encode(), usedforsecurity=False)
    for start in range(_DIGESTED_CHARS, len(text), _DIGESTED_CHARS):
        digest.update(text[start : start + _DIGESTED_CHARS].encode())
        if pause is not None:
            pause()
    return digest.digest()
