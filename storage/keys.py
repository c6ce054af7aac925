"""Partition keys and clustering order keys: how a primary key's values become the bytes that are stored and compared.

- A partition key of one column is the value itself; of several it is Cassandra's CompositeType: for each column
  `[u16 length][value][00]` (db/marshal/CompositeType.java).
- A clustering becomes one order key (ck): per column `type.order_key(value)`, complemented for DESC. Order keys compare
  by memcmp as the clustering order does; each component is prefix-free and begins with a byte in 01..FE. So the rows
  that begin with a prefix of values are exactly those in [before(prefix), after(prefix)).
- A row of a COMPACT STORAGE table may have no values for its last clustering columns: the tuple of its values is shorter,
  and in its order key 00 stands for each that it lacks: null comes first, whatever the order is.

All functions here are compiled per table, once: what they return is called per request.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Final

from protocol.errors import CorruptionError, InvalidRequest
from storage.schema.metadata import ColumnMetadata, TableMetadata

KEY_LENGTH_MAX: Final = 65535
AFTER: Final = b"\xff"
NULL: Final = b"\0"
"""Stands in a row's order key for a clustering column without a value; below every component."""

_U16 = struct.Struct(">H")
_COMPLEMENT: Final = bytes(255 - i for i in range(256))

OrderKey = Callable[[bytes], bytes]


def check_key_length(length: int) -> None:
    """Raises InvalidRequest with Cassandra's text for a partition key, or a clustering's values together, too long."""
    if length > KEY_LENGTH_MAX:
        raise InvalidRequest(f"Key length of {length} is longer than maximum of {KEY_LENGTH_MAX}")


def compose_key(values: Sequence[bytes]) -> bytes:
    """The partition key of serialised values, in the order of the key's columns. Raises InvalidRequest when too long.

    That a single-column key is not empty ("Key may not be empty") is the caller's check: it depends on the statement.
    """
    if len(values) == 1:
        key = values[0]
    else:
        parts: list[bytes] = []
        for value in values:
            if len(value) > KEY_LENGTH_MAX:
                check_key_length(sum(map(len, values)))
            parts += (_U16.pack(len(value)), value, b"\0")
        key = b"".join(parts)
        if len(key) > KEY_LENGTH_MAX:
            check_key_length(sum(map(len, values)))
    if len(key) > KEY_LENGTH_MAX:
        check_key_length(len(key))
    return key


def key_composer(table: TableMetadata) -> Callable[[Sequence[bytes]], bytes]:
    """`compose_key`, for this table's number of key columns."""
    if len(table.partition_key) > 1:
        return compose_key

    def compose_single(values: Sequence[bytes]) -> bytes:
        key = values[0]
        if len(key) > KEY_LENGTH_MAX:
            check_key_length(len(key))
        return key

    return compose_single


def split_key(key: bytes, count: int) -> tuple[bytes, ...]:
    """The values of a partition key of `count` columns. Raises CorruptionError when it is no well-formed composite."""
    if count == 1:
        return (key,)
    values = []
    at = 0
    for _ in range(count):
        start = at + 2
        if start > len(key):
            raise CorruptionError(f"composite key: no length at {at} of {len(key)}")
        end = start + _U16.unpack_from(key, at)[0]
        if end >= len(key):
            raise CorruptionError(f"composite key: component ends at {end} of {len(key)}")
        values.append(key[start:end])
        at = end + 1
    if at != len(key):
        raise CorruptionError(f"composite key: {len(key) - at} bytes too many")
    return tuple(values)


def component_order_key(column: ColumnMetadata) -> OrderKey:
    """Of one clustering column: serialised value -> its part of the order key."""
    order_key = column.type.order_key
    if not column.reversed:
        return order_key

    def descending(value: bytes) -> bytes:
        return order_key(value).translate(_COMPLEMENT)

    return descending


def component_order_keys(table: TableMetadata) -> tuple[OrderKey, ...]:
    return tuple(component_order_key(column) for column in table.clustering)


def clustering_order_key(table: TableMetadata) -> Callable[[Sequence[bytes]], bytes]:
    """Values of all clustering columns, or of the first few -> order key (of the prefix)."""
    components = component_order_keys(table)
    if not components:
        return lambda _values: b""
    if len(components) == 1:
        only = components[0]
        return lambda values: only(values[0]) if values else b""

    def joined(values: Sequence[bytes]) -> bytes:
        return b"".join([component(value) for component, value in zip(components, values, strict=False)])

    return joined


def row_order_key(table: TableMetadata) -> Callable[[Sequence[bytes]], bytes]:
    """Values of a row's clustering -> its order key; the last ones are null where there are fewer than columns."""
    order_key, count = clustering_order_key(table), len(table.clustering)

    def of_row(values: Sequence[bytes]) -> bytes:
        ck = order_key(values)
        return ck if len(values) == count else ck + NULL * (count - len(values))

    return of_row


def before(prefix: bytes) -> bytes:
    """The bound before all rows that begin with the order key `prefix`; b"" is the bound before everything."""
    return prefix


def after(prefix: bytes) -> bytes:
    """The bound behind all rows that begin with the order key `prefix`."""
    return prefix + AFTER


def row_end(ck: bytes) -> bytes:
    """The bound right behind one full clustering: the end of the slice that holds just this row."""
    return ck + AFTER


def key_text(table: TableMetadata, key: bytes) -> str:
    """A partition key as Cassandra prints it in messages: components separated by colons."""
    columns = table.partition_key
    if len(columns) == 1:
        return columns[0].type.to_text(key)
    values = split_key(key, len(columns))
    return ":".join(column.type.to_text(value) for column, value in zip(columns, values, strict=True))
