"""Values as the columns of a row: what tables of repairs keep."""

from collections.abc import Mapping
from typing import Any

from protocol.types import MapType, SetType
from storage.mutation import Cell, ComplexColumn, Deletion
from storage.schema.metadata import TableMetadata


def columns_of(table: TableMetadata, values: Mapping[str, Any], timestamp_us: int) -> dict[str, Cell | ComplexColumn]:
    """Of values as the columns' types take them; sets and maps replace what was there."""
    return {name: _column(table, name, value, timestamp_us) for name, value in values.items()}


def _column(table: TableMetadata, name: str, value: Any, timestamp_us: int) -> Cell | ComplexColumn:
    type_ = table.by_name[name].type
    before = Deletion(timestamp_us - 1, timestamp_us // 1_000_000)
    if isinstance(type_, SetType):
        return ComplexColumn(before, {type_.elements.encode(item): Cell(timestamp_us, b"") for item in value})
    if isinstance(type_, MapType):
        pairs = ((type_.keys.encode(key), type_.values.encode(item)) for key, item in value.items())
        return ComplexColumn(before, {key: Cell(timestamp_us, item) for key, item in pairs})
    return Cell(timestamp_us, type_.encode(value))
