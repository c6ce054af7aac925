"""A read command as Cassandra prints it in warnings and failures (db/AbstractReadQuery.java, toCQLString)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from cqlserver.paging import NO_LIMIT
from cqlserver.restrictions.stated import Clusterings, Slice
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


class Limits(NamedTuple):
    """`rows`: of a command, or of groups; `read`: of rows where groups are counted; `are_told`: whether there are any."""

    rows: int = NO_LIMIT
    per_partition: int = NO_LIMIT
    read: int | None = None
    are_told: bool = False

    @property
    def text(self) -> str:
        """db/filter/DataLimits.java."""
        if not self.are_told:
            return ""
        counted = "" if self.read is None else "GROUP "
        limits = [
            (f"{counted}LIMIT", self.rows),
            (f"{counted}PER PARTITION LIMIT", self.per_partition),
            ("LIMIT", NO_LIMIT if self.read is None else self.read),
        ]
        return " " + " ".join(f"{name} {count}" for name, count in limits if count != NO_LIMIT)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a SELECT asks of rows: clusterings, and `expressions`, which may name some of these again. `reverse`: against the
    clustering order."""

    table: TableMetadata
    clusterings: Clusterings
    expressions: Sequence[FilterExpression] = ()
    reverse: bool = False

    def of_partition(self, key: bytes) -> str:
        """db/SinglePartitionReadCommand.java."""
        columns = self.table.partition_key
        pairs = zip(columns, split_key(key, len(columns)), strict=True)
        text = " AND ".join(f"{quoted_identifier(column.name)} = {column.type.to_literal(value)}" for column, value in pairs)
        filters = self._filters
        joint = "" if not filters or (self._takes_all and not self.expressions) else " AND "
        return f" WHERE {text}{joint}{filters}"

    def of_range(self, bounds: Sequence[str]) -> str:
        """Of partitions within the bounds, as `start_text` and `end_text` have them (db/DataRange.java)."""
        if not bounds and (self._takes_all or not self.table.clustering):
            filters = _filter_text(self.expressions)
        else:
            filters = self._filters
        found = [*bounds, *([filters] if filters else ())]
        return f" WHERE {' AND '.join(found)}" if found else ""

    @property
    def _takes_all(self) -> bool:
        return self.clusterings.are_all

    @property
    def _filters(self) -> str:
        clusterings, table = self.clusterings, self.table
        if clusterings.rows is None:
            texts, met = _slice_texts(table, clusterings.slices)
        elif table.clustering and clusterings.rows:
            texts, met = _row_texts(table, clusterings.rows)
        else:
            return _filter_text(self.expressions)
        left = [e for e in self.expressions if (e.column, e.condition, e.values) not in met]
        order = ""
        if self.reverse:
            columns = (f"{quoted_identifier(c.name)} {'ASC' if c.reversed else 'DESC'}" for c in table.clustering)
            order = f" ORDER BY {', '.join(columns)}"
        return " AND ".join([*texts, *map(_expression_text, left)]) + order


def _filter_text(expressions: Sequence[FilterExpression]) -> str:
    return " AND ".join(map(_expression_text, expressions))


_Met = list[tuple[ColumnMetadata, Condition, tuple[bytes, ...]]]
"""What expressions are that say the same."""


def _row_texts(table: TableMetadata, rows: Sequence[tuple[bytes, ...]]) -> tuple[list[str], _Met]:
    columns = table.clustering
    names = ", ".join(quoted_identifier(column.name) for column in columns)
    told = [", ".join(c.type.to_literal(value) for c, value in zip(columns, row, strict=True)) for row in rows]
    if len(columns) > 1:
        names, told = f"({names})", [f"({row})" for row in told]
    text = f"{names} = {told[0]}" if len(rows) == 1 else f"{names} IN ({', '.join(told)})"
    met: _Met = [(column, Condition.EQUAL, (row[at],)) for row in rows for at, column in enumerate(columns)]
    return [text], met


def _slice_texts(table: TableMetadata, slices: Sequence[Slice]) -> tuple[list[str], _Met]:
    """Column by column, as if all slices were alike in it but for the values that it equals."""
    texts: list[str] = []
    met: _Met = []
    for at, column in enumerate(table.clustering):
        found = [slice_ for slice_ in slices if at < len(slice_.start) or at < len(slice_.end)]
        if not found:
            break
        name, literal = quoted_identifier(column.name), column.type.to_literal
        first = found[0]
        start, end = _maybe(first.start, at), _maybe(first.end, at)
        if start == end:
            values = list(dict.fromkeys(_maybe(slice_.start, at) for slice_ in found))
            told = [literal(value) for value in values]
            texts.append(f"{name} = {told[0]}" if len(told) == 1 else f"{name} IN ({', '.join(told)})")
            met += [(column, Condition.EQUAL, (value,)) for value in values if value is not None]
            continue
        for value, is_inclusive, is_lower in (
            (start, first.includes_start, not column.reversed),
            (end, first.includes_end, column.reversed),
        ):
            if value is not None:
                condition = _SIDES[is_lower, is_inclusive]
                texts.append(f"{name} {_OPERATORS[condition]} {literal(value)}")
                met.append((column, condition, (value,)))
    return texts, met


_SIDES: Final[Mapping[tuple[bool, bool], Condition]] = MappingProxyType(
    {
        (True, True): Condition.GREATER_OR_EQUAL,
        (True, False): Condition.GREATER,
        (False, True): Condition.LESS_OR_EQUAL,
        (False, False): Condition.LESS,
    }
)


def _maybe(values: tuple[bytes, ...], at: int) -> bytes | None:
    return values[at] if at < len(values) else None


def start_text(table: TableMetadata, bound: int | bytes, inclusive: bool) -> str:
    """Where a range begins: a token, or a partition's."""
    return f"{_token_of_columns(table)} {'>=' if inclusive else '>'} {_bound_text(table, bound)}"


def end_text(table: TableMetadata, bound: int | bytes, inclusive: bool) -> str:
    return f"{_token_of_columns(table)} {'<=' if inclusive else '<'} {_bound_text(table, bound)}"


def _token_of_columns(table: TableMetadata) -> str:
    return f"token({', '.join(quoted_identifier(column.name) for column in table.partition_key)})"


def _bound_text(table: TableMetadata, bound: int | bytes) -> str:
    if isinstance(bound, int):
        return str(bound)
    columns = table.partition_key
    pairs = zip(columns, split_key(bound, len(columns)), strict=True)
    return f"token({', '.join(column.type.to_literal(value) for column, value in pairs)})"


def command_text(table: TableMetadata, columns: Sequence[ColumnMetadata], where: str, limits: Limits) -> str:
    """`columns`: those that are read; `where`: of `Conditions`."""
    cells = [quoted_identifier(column.name) for column in columns if column.kind not in _NO_CELLS]
    is_everything = not cells or len(columns) == len(table.columns)
    return (
        f"SELECT {'*' if is_everything else ', '.join(sorted(cells))} FROM {table}{where}{limits.text} ALLOW FILTERING"
    )


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
