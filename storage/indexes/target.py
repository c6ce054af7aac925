"""What an index is on: a column, and which part of it (index/TargetParser.java, IndexTarget.java).

An index's target is kept in system_schema.indexes as CQL would write it: `v`, `"V"`, `keys(m)`, `entries("M")`.
"""

from dataclasses import dataclass
from enum import Enum
from re import compile as pattern

from protocol.types import CqlType, ListType, MapType, SetType, quoted_identifier
from storage.schema.metadata import ColumnMetadata, IndexMetadata, TableMetadata

TARGET_OPTION = "target"
CLASS_OPTION = "class_name"
_FUNCTION = pattern(r"(keys|values|entries|full)\((.*)\)")


class TargetKind(Enum):
    """The value: the word around the column."""

    SIMPLE = ""
    VALUES = "values"
    KEYS = "keys"
    ENTRIES = "entries"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class IndexTarget:
    column: ColumnMetadata
    kind: TargetKind

    @property
    def text(self) -> str:
        return target_text(self.column.name, self.kind)

    @property
    def is_of_elements(self) -> bool:
        """Whether the index holds each element of a collection by itself."""
        return isinstance(self.column.type, ListType | SetType | MapType) and self.column.type.is_multicell


def target_text(column: str, kind: TargetKind) -> str:
    name = quoted_identifier(column)
    return name if kind is TargetKind.SIMPLE else f"{kind.value}({name})"


def maybe_target(table: TableMetadata, index: IndexMetadata) -> IndexTarget | None:
    """What the index is on; None where it is no single column of the table."""
    text = index.options.get(TARGET_OPTION, "")
    found = _FUNCTION.fullmatch(text)
    kind, name = (TargetKind(found[1]), found[2]) if found else (TargetKind.SIMPLE, text)
    if name.startswith('"'):
        name = name[1:-1].replace('""', '"')
    column = table.by_name.get(name)
    if column is None:
        return None
    if kind is TargetKind.SIMPLE and isinstance(column.type, ListType | SetType | MapType):
        kind = TargetKind.VALUES
    return IndexTarget(column, kind)


def value_type(target: IndexTarget) -> CqlType:
    """The type of what is indexed; of entries that of the map's values."""
    type_ = target.column.type
    if not target.is_of_elements:
        return type_
    if isinstance(type_, MapType):
        return type_.keys if target.kind is TargetKind.KEYS else type_.values
    assert isinstance(type_, ListType | SetType), type_
    return type_.elements
