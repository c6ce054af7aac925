"""A read command as Cassandra prints it in warnings and failures (db/AbstractReadQuery.java, toCQLString)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from cqlserver.paging import NO_LIMIT
from protocol.types import CqlType, ListType, MapType, SetType, quoted_identifier
from storage.keys import split_key
from storage.row_filter import Condition, FilterExpression
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata

_NO_CELLS: Final = frozenset((ColumnKind.PARTITION_KEY, ColumnKind.CLUSTERING))
_OPERATORS: Final[Mapping[Condition, str]] = MappingProxyType(
    {
        Condition.EQUAL: "=",
        Condition.LESS: "<",
        Condition.LESS_OR_EQUAL: "<=",
        Condition.GREATER: ">",
        Condition.GREATER_OR_EQUAL: ">=",
        Condition.IN: "IN",
        Condition.CONTAINS: "CONTAINS",
        Condition.CONTAINS_KEY: "CONTAINS KEY",
        Condition.LIKE_PREFIX: "LIKE '<term>%'",
        Condition.LIKE_SUFFIX: "LIKE '%<term>'",
        Condition.LIKE_CONTAINS: "LIKE '%<term>%'",
        Condition.LIKE_MATCHES: "LIKE '<term>'",
    }
)


def command_text(
    table: TableMetadata,
    columns: Sequence[ColumnMetadata],
    limit: int,
    key: bytes | None = None,
    expressions: Sequence[FilterExpression] = (),
    reverse: bool = False,
    groups: bool = False,
) -> str:
    """`columns`: those that are read; `key`: of the one partition; `reverse`: against the clustering order; `groups`: rows
    are grouped, or all are one group; slices and token ranges are left out."""
    cells = [quoted_identifier(column.name) for column in columns if column.kind not in _NO_CELLS]
    is_everything = not cells or len(columns) == len(table.columns)
    conditions = []
    if key is not None:
        pairs = zip(table.partition_key, split_key(key, len(table.partition_key)), strict=True)
        conditions += [f"{quoted_identifier(column.name)} = {column.type.to_literal(value)}" for column, value in pairs]
    conditions += map(_expression_text, expressions)
    text = f"SELECT {'*' if is_everything else ', '.join(sorted(cells))} FROM {table}"
    if conditions:
        text += " WHERE " + " AND ".join(conditions)
    if reverse and key is not None:
        order = [f"{quoted_identifier(c.name)} {'ASC' if c.reversed else 'DESC'}" for c in table.clustering]
        text += f" ORDER BY {', '.join(order)}"
    if limit != NO_LIMIT:
        text += f" LIMIT {limit}"
    elif groups:
        text += " "  # what limits of groups are printed as
    return f"{text} ALLOW FILTERING"


def _expression_text(expression: FilterExpression) -> str:
    name, type_, values = quoted_identifier(expression.column.name), expression.column.type, expression.values
    if expression.condition is Condition.ENTRY:
        assert isinstance(type_, MapType), type_
        return f"{name}[{type_.keys.to_literal(values[0])}] = {type_.values.to_literal(values[1])}"
    if expression.condition is Condition.IN:
        return f"{name} IN [{', '.join(map(type_.to_literal, values))}]"
    return f"{name} {_OPERATORS[expression.condition]} {_compared(type_, expression.condition).to_literal(values[0])}"


def _compared(type_: CqlType, condition: Condition) -> CqlType:
    """The type of what a column's values are compared with."""
    if condition is Condition.CONTAINS_KEY:
        assert isinstance(type_, MapType), type_
        return type_.keys
    if condition is Condition.CONTAINS:
        assert isinstance(type_, ListType | SetType | MapType), type_
        return type_.values if isinstance(type_, MapType) else type_.elements
    return type_
