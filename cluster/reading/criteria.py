"""Which rows of a command's partitions are wanted: what a replica filters by, and what it looks up in its indexes.

Replicas may each have a part of what makes a row a match. So where answers of several are merged, a replica leaves out
only what no other can make a match of: of conditions on several columns that change, meeting one is enough, and whoever
asked filters what was merged (RowFilter.isStrict in db/filter/RowFilter.java; reading/protection.py has the rest).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from cluster.internode.texts import decode_texts, encode_texts
from protocol.errors import PeerError
from storage.indexes.lookups import Indexed, IndexedRange, IndexedText, IndexedValue
from storage.row_filter import Condition, FilterExpression
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata

_STRICT, _TAKES_STATICS = 1, 2
_KEY_KINDS: Final = frozenset((ColumnKind.PARTITION_KEY, ColumnKind.CLUSTERING))


@dataclass(frozen=True, slots=True)
class Nearest:
    """The rows whose vectors are nearest, as many as the command's limit."""

    index: str
    vector: bytes


Lookup: TypeAlias = Indexed | Nearest


@dataclass(frozen=True, slots=True)
class Criteria:
    """`lookup`: rows are found by it, else all are looked at; `takes_statics`: what it finds of a static row counts for
    whatever rows are asked for of its partition; `is_strict`: what one replica finds is the answer."""

    expressions: tuple[FilterExpression, ...]
    lookup: Lookup | None = None
    takes_statics: bool = True
    is_strict: bool = False

    @property
    def is_of_one_column(self) -> bool:
        """Whether what one replica has of a row decides whether it is a match."""
        mutable = {expression.column for expression in self.expressions if expression.column.kind not in _KEY_KINDS}
        if any(column.kind is ColumnKind.STATIC for column in mutable):
            return len(self.expressions) == 1
        return len(mutable) <= 1

    def asked_of(self, replicas: int) -> "Criteria":
        """As so many of them are asked, whose answers are merged."""
        return replace(self, is_strict=replicas == 1 or self.is_of_one_column)

    def sifted(self, table: TableMetadata) -> tuple[FilterExpression, ...]:
        """Those that a replica tests. What an index found by a column that changes is told whatever its other such columns
        hold, unless that is for the replica to decide."""
        name = None if self.is_strict or self.lookup is None else _maybe_column(table, self.lookup.index)
        if name is None or not any(e.column.name == name and e.column.kind not in _KEY_KINDS for e in self.expressions):
            return self.expressions
        return tuple(e for e in self.expressions if e.column.kind in _KEY_KINDS or e.column.name == name)

    @property
    def of_keys(self) -> "Criteria | None":
        """What of it is the same at all replicas."""
        found = tuple(expression for expression in self.expressions if expression.column.kind in _KEY_KINDS)
        return Criteria(found, is_strict=True) if found else None


def _maybe_column(table: TableMetadata, index: str) -> str | None:
    from storage.indexes.target import maybe_target

    metadata = table.indexes.get(index)
    target = None if metadata is None else maybe_target(table, metadata)
    return None if target is None else target.column.name


# --- as bytes (docs/formats/internode.md) ----------------------------------------------------------------------------------

_VALUE, _RANGE, _TEXT, _NEAREST = b"v", b"r", b"t", b"n"


def encode_criteria(criteria: Criteria) -> bytes:
    flags = (_STRICT if criteria.is_strict else 0) | (_TAKES_STATICS if criteria.takes_statics else 0)
    lookup = b"" if criteria.lookup is None else encode_texts(_lookup_texts(criteria.lookup))
    expressions = map(_encode_expression, criteria.expressions)
    return encode_texts((bytes((flags,)), lookup, *expressions))


def _lookup_texts(lookup: Lookup) -> Sequence[bytes]:
    name = lookup.index.encode()
    match lookup:
        case IndexedValue(value=value, map_key=map_key):
            return (_VALUE, name, value, *(() if map_key is None else (map_key,)))
        case IndexedRange(start=start, start_inclusive=start_in, end=end, end_inclusive=end_in):
            kinds = bytes((start is not None, start_in, end is not None, end_in))
            return (_RANGE, name, kinds, start or b"", end or b"")
        case IndexedText(condition=condition, text=text):
            return (_TEXT, name, bytes((condition,)), text)
        case Nearest(vector=vector):
            return (_NEAREST, name, vector)


def _encode_expression(expression: FilterExpression) -> bytes:
    index = b"" if expression.index is None else expression.index.encode()
    name = expression.column.name.encode()
    return encode_texts((bytes((expression.condition,)), name, index, *expression.values))


def decode_criteria(data: bytes, table: TableMetadata) -> Criteria:
    """Raises PeerError; KeyError where the table has no such column."""
    try:
        head, lookup, *expressions = decode_texts(data)
        (flags,) = head
        columns = MappingProxyType({column.name: column for column in table.columns})
        found = tuple(_decode_expression(text, columns) for text in expressions)
        wanted = _decode_lookup(lookup) if lookup else None
        return Criteria(found, wanted, bool(flags & _TAKES_STATICS), bool(flags & _STRICT))
    except ValueError as error:
        raise PeerError(f"a read command whose criteria can't be: {error}") from None


def _decode_lookup(data: bytes) -> Lookup:
    kind, name, first, *rest = decode_texts(data)
    if kind == _VALUE:
        return IndexedValue(name.decode(), first, rest[0] if rest else None)
    if kind == _NEAREST:
        return Nearest(name.decode(), first)
    if kind == _TEXT:
        (condition,), (text,) = first, rest
        return IndexedText(name.decode(), Condition(condition), text)
    if kind != _RANGE:
        raise PeerError(f"a lookup of kind {kind!r}")
    has_start, start_in, has_end, end_in = first
    start, end = rest
    lower, upper = start if has_start else None, end if has_end else None
    return IndexedRange(name.decode(), lower, bool(start_in), upper, bool(end_in))


def _decode_expression(data: bytes, columns: Mapping[str, ColumnMetadata]) -> FilterExpression:
    (condition,), name, index, *values = decode_texts(data)
    found = Condition(condition)
    wanted = None if found is Condition.IN else 2 if found is Condition.ENTRY else 1
    if wanted is not None and len(values) != wanted:
        raise PeerError(f"an expression of kind {found.name} with {len(values)} values")
    return FilterExpression(columns[name.decode()], found, tuple(values), index.decode() or None)
