"""Restrictions that no key or slice answers, as expressions of a row filter (storage/row_filter.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from cqlserver.guarding import guarding
from cqlserver.restrictions.relations import (
    ContainsRestriction,
    EqRestriction,
    InRestriction,
    Restriction,
    SliceRestriction,
)
from cqlserver.terms.binding import Values
from protocol.errors import InvalidRequest, ServerError
from protocol.primitives import UNSET, Value
from protocol.types import MapType
from storage.row_filter import Condition, FilterExpression
from storage.schema.metadata import ColumnMetadata

_MIGHT_FILTER = "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. "
_ALLOW = "If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"
_DISABLED = (
    "Executing this query despite the performance unpredictability with ALLOW FILTERING has been disabled by the "
    "allow_filtering_enabled property in cassandra.yaml"
)


def _checked(value: Value, column: ColumnMetadata, what: str = "") -> bytes:
    if value is None:
        raise InvalidRequest(f"Unsupported null {what}value for column {column.name}")
    if value is UNSET:
        raise InvalidRequest(f"Unsupported unset {what}value for column {column.name}")
    return value


def _checked_key(value: Value, column: ColumnMetadata) -> bytes:
    if value is None:
        raise InvalidRequest(f"Unsupported null map key for column {column.name}")
    if value is UNSET:
        raise InvalidRequest(f"Unsupported unset map key for column {column.name}")
    return value


def filter_expressions(restriction: Restriction, values: Values, index: str | None = None) -> list[FilterExpression]:
    """The restriction, with the values of one execution; those of EQ and CONTAINS are compared as the analyzer of `index`
    has them. Raises InvalidRequest for null and unset values."""
    match restriction:
        case EqRestriction():
            found = _equal(restriction, values)
            return found if index is None else [replace(found[0], index=index)]
        case InRestriction():
            return [_in(restriction, values)]
        case SliceRestriction():
            return _slice(restriction, values)
        case ContainsRestriction():
            return _contains(restriction, values, index)
    raise TypeError(restriction)


def like_expression(
    column: ColumnMetadata, value: Value, indexes: Sequence[tuple[str, frozenset[Condition]]]
) -> FilterExpression:
    """LIKE, by the first of the indexes that answers its form. Raises InvalidRequest where none does."""
    form, term = like_form(column, value)
    for name, likes in indexes:
        if form in likes:
            return FilterExpression(column, form, (term,), name)
    raise InvalidRequest(
        f"{column.name} {_LIKE_FORMS[form]} {column.type.to_text(term)} is only supported on properly indexed columns"
    )


def like_form(column: ColumnMetadata, value: Value) -> tuple[Condition, bytes]:
    """Which form LIKE has, its wildcards tell; and what is between them."""
    if value is None:
        raise ServerError("java.lang.NullPointerException")
    pattern = _checked(value, column)
    form, term = Condition.LIKE_MATCHES, pattern
    if pattern.endswith(b"%"):
        form, term = (
            (Condition.LIKE_CONTAINS, pattern[1:-1]) if pattern.startswith(b"%") else (Condition.LIKE_PREFIX, pattern[:-1])
        )
    elif pattern.startswith(b"%"):
        form, term = Condition.LIKE_SUFFIX, pattern[1:]
    if not term:
        raise InvalidRequest("LIKE value can't be empty.")
    return form, term


_LIKE_FORMS: Final[Mapping[Condition, str]] = MappingProxyType(
    {
        Condition.LIKE_PREFIX: "LIKE '<term>%'",
        Condition.LIKE_SUFFIX: "LIKE '%<term>'",
        Condition.LIKE_CONTAINS: "LIKE '%<term>%'",
        Condition.LIKE_MATCHES: "LIKE '<term>'",
    }
)


def _equal(restriction: EqRestriction, values: Values) -> list[FilterExpression]:
    if restriction.is_multi:
        parts: Sequence[Value] = restriction.term.elements(values) or [None] * len(restriction.columns)
    else:
        parts = [restriction.term.bind(values)]
    return [
        FilterExpression(column, Condition.EQUAL, (_checked(part, column),))
        for column, part in zip(restriction.columns, parts, strict=False)
    ]


def _in(restriction: InRestriction, values: Values) -> FilterExpression:
    if len(restriction.columns) > 1:
        raise InvalidRequest("Multicolumn IN filters are not supported")
    wanted = [candidate[0] for candidate in restriction.candidates(values)]
    if None in wanted:  # Cassandra looks no further than the first null
        wanted = wanted[: wanted.index(None)]
    # and takes an unset value for an empty one
    found = tuple(value if isinstance(value, bytes) else b"" for value in wanted)
    return FilterExpression(restriction.first, Condition.IN, found)


def _slice(restriction: SliceRestriction, values: Values) -> list[FilterExpression]:
    if restriction.is_multi:
        raise InvalidRequest("Multi-column slice restrictions cannot be used for filtering.")
    column = restriction.first
    found = []
    for bound, inclusive, exclusive in (
        (restriction.start, Condition.GREATER_OR_EQUAL, Condition.GREATER),
        (restriction.end, Condition.LESS_OR_EQUAL, Condition.LESS),
    ):
        if bound is not None:
            wanted = _checked(bound.term.bind(values), column)
            found.append(FilterExpression(column, inclusive if bound.inclusive else exclusive, (wanted,)))
    return found


def _contains(restriction: ContainsRestriction, values: Values, index: str | None) -> list[FilterExpression]:
    column = restriction.first
    found = []
    for condition, terms in ((Condition.CONTAINS, restriction.values), (Condition.CONTAINS_KEY, restriction.keys)):
        if condition is Condition.CONTAINS or isinstance(column.type, MapType):
            for term in terms:
                found.append(FilterExpression(column, condition, (_checked(term.bind(values), column),), index))
    if isinstance(column.type, MapType):
        for key_term, value_term in restriction.entries:
            entry = _checked_key(key_term.bind(values), column), _checked(value_term.bind(values), column, "map ")
            found.append(FilterExpression(column, Condition.ENTRY, entry))
    return found


def requires_filtering() -> InvalidRequest:
    """What a query is told that would have to filter, and does not say ALLOW FILTERING."""
    guarded = guarding.get()
    return InvalidRequest(_MIGHT_FILTER + (_ALLOW if guarded is None or guarded.may_filter() else _DISABLED))
