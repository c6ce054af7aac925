"""What an index holds of a row: its indexed values, each with the path that it has in a collection.

`entries(row)` gives (value, path) -> liveness, of a row as it is stored, dead cells left out. Values are the very bytes: of
decimals that are equal (1.0 and 1.00) an index finds the one that was asked for, as in Cassandra. An entry lives as long
as its cell; one of a column of the primary key never expires, because a row that lost what made it live may come to life
again by an older write: readers look at the row itself anyway.
"""

import struct
from collections.abc import Callable, Mapping
from typing import TypeAlias

from protocol.types import ListType, MapType
from storage.indexes.target import IndexTarget, TargetKind
from storage.keys import split_key
from storage.mutation import NO_TIMESTAMP, Cell, ComplexColumn, Liveness, Row
from storage.schema.metadata import ColumnKind, TableMetadata

Entry: TypeAlias = tuple[bytes, bytes]
Entries: TypeAlias = Mapping[Entry, Liveness]
RowEntries: TypeAlias = Callable[[bytes, Row], Entries]
"""(partition key, row) -> its entries."""

_NONE: Entries = {}
_LENGTH = struct.Struct(">I")


def entry_value(key: bytes, value: bytes) -> bytes:
    """What an index on entries holds of a map's entry."""
    return _LENGTH.pack(len(key)) + key + value


def row_entries(table: TableMetadata, target: IndexTarget) -> RowEntries:
    """For rows of the kind that the target's column is in; of a partition key's column for static rows, too."""
    column = target.column
    if column.kind is ColumnKind.PARTITION_KEY:
        return _of_key(len(table.partition_key), column.position)
    if column.kind is ColumnKind.CLUSTERING:
        return _of_clustering(column.position)
    if target.is_of_elements:
        return _of_elements(target)
    name = column.name

    def of_cell(key: bytes, row: Row) -> Entries:
        cell = row.columns.get(name)
        if type(cell) is not Cell or cell.value is None:
            return _NONE
        return {(cell.value, b""): _liveness(cell)}

    return of_cell


def _liveness(cell: Cell) -> Liveness:
    return Liveness(cell.timestamp_us, cell.ttl_s, cell.local_deletion_s)


def _newest_us(row: Row) -> int:
    """The timestamp of what makes a row live; NO_TIMESTAMP: nothing does."""
    newest = row.liveness.timestamp_us
    for data in row.columns.values():
        for cell in (data,) if type(data) is Cell else data.cells.values():  # type: ignore[union-attr]
            if cell.value is not None and cell.timestamp_us > newest:
                newest = cell.timestamp_us
    return newest


def _of_key(count: int, position: int) -> RowEntries:
    def of_key(key: bytes, row: Row) -> Entries:
        newest_us = _newest_us(row)
        if newest_us == NO_TIMESTAMP:
            return _NONE
        return {(split_key(key, count)[position], b""): Liveness(newest_us)}

    return of_key


def _of_clustering(position: int) -> RowEntries:
    def of_clustering(key: bytes, row: Row) -> Entries:
        newest_us = _newest_us(row)
        if newest_us == NO_TIMESTAMP or position >= len(row.clustering):
            return _NONE
        return {(row.clustering[position], b""): Liveness(newest_us)}

    return of_clustering


def has_path(target: IndexTarget) -> bool:
    """Whether one row may have an indexed value more than once."""
    return target.is_of_elements and target.kind is TargetKind.VALUES and isinstance(target.column.type, ListType | MapType)


def _of_elements(target: IndexTarget) -> RowEntries:
    name = target.column.name
    with_path, with_key = has_path(target), target.kind is TargetKind.ENTRIES

    def element(path: bytes, cell: Cell) -> Entry:
        assert cell.value is not None
        if with_key:
            return entry_value(path, cell.value), b""
        return (cell.value, path) if with_path else (path, b"")

    def of_elements(key: bytes, row: Row) -> Entries:
        data = row.columns.get(name)
        if type(data) is not ComplexColumn:
            return _NONE
        return {element(path, cell): _liveness(cell) for path, cell in data.cells.items() if cell.value is not None}

    return of_elements
