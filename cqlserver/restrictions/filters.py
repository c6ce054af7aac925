"""Row filters: restrictions that no key or slice answers, tested value by value (db/filter/RowFilter.java)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cqlserver.guarding import guarding
from cqlserver.restrictions.relations import (
    ContainsRestriction,
    EqRestriction,
    InRestriction,
    Restriction,
    SliceBound,
    SliceRestriction,
)
from cqlserver.terms.binding import Values
from cqlserver.terms.packing import split_collection
from protocol.errors import InvalidRequest, ServerError
from protocol.primitives import UNSET, Value
from protocol.types import DECIMAL, CqlType, ListType, MapType, SetType
from storage.environment.strands import paused
from storage.schema.metadata import ColumnKind, ColumnMetadata

Test = Callable[[bytes], bool]

_MIGHT_FILTER = "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. "
_ALLOW = "If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"
_DISABLED = (
    "Executing this query despite the performance unpredictability with ALLOW FILTERING has been disabled by the "
    "allow_filtering_enabled property in cassandra.yaml"
)


@dataclass(frozen=True, slots=True)
class FilterExpression:
    """`test` is given the column's serialised value; a column without a value never passes."""

    column: ColumnMetadata
    test: Test

    @property
    def is_of_partition(self) -> bool:
        return self.column.kind in (ColumnKind.PARTITION_KEY, ColumnKind.STATIC)


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


def filter_expressions(
    restriction: Restriction, values: Values, analyze: Callable[[bytes], bytes] | None = None
) -> list[FilterExpression]:
    """The restriction, with the values of one execution; values are equal if what `analyze` makes of them is. Raises
    InvalidRequest for null and unset values."""
    match restriction:
        case EqRestriction():
            found = _equal(restriction, values)
            if analyze is None:
                return found
            term = restriction.term.bind(values)
            assert isinstance(term, bytes)
            return [FilterExpression(restriction.first, _analyzed(analyze, term))]
        case InRestriction():
            return [_in(restriction, values)]
        case SliceRestriction():
            return _slice(restriction, values)
        case ContainsRestriction():
            return _contains(restriction, values, analyze)
    raise TypeError(restriction)


def like_expression(
    column: ColumnMetadata, value: Value, likes: frozenset[str], analyze: Callable[[bytes], bytes] | None
) -> FilterExpression:
    """LIKE: which form it has, its wildcards tell. Raises InvalidRequest for one that is not among `likes`."""
    if value is None:
        raise ServerError("java.lang.NullPointerException")
    pattern = _checked(value, column)
    form = LIKE_MATCHES
    term = pattern
    if pattern.endswith(b"%"):
        form, term = (LIKE_CONTAINS, pattern[1:-1]) if pattern.startswith(b"%") else (LIKE_PREFIX, pattern[:-1])
    elif pattern.startswith(b"%"):
        form, term = LIKE_SUFFIX, pattern[1:]
    if not term:
        raise InvalidRequest("LIKE value can't be empty.")
    if form not in likes:
        raise InvalidRequest(
            f"{column.name} {form} {column.type.to_text(term)} is only supported on properly indexed columns"
        )
    wanted = term if analyze is None else analyze(term)
    found = _LIKE_TESTS[form]
    return FilterExpression(column, lambda data: found(data if analyze is None else analyze(data), wanted))


LIKE_PREFIX, LIKE_SUFFIX, LIKE_CONTAINS = "LIKE '<term>%'", "LIKE '%<term>'", "LIKE '%<term>%'"
LIKE_MATCHES = "LIKE '<term>'"
_LIKE_TESTS: Mapping[str, Callable[[bytes, bytes], bool]] = {
    LIKE_PREFIX: bytes.startswith,
    LIKE_SUFFIX: bytes.endswith,
    LIKE_CONTAINS: bytes.__contains__,
    LIKE_MATCHES: bytes.__eq__,
}


def _analyzed(analyze: Callable[[bytes], bytes], wanted: bytes) -> Test:
    term = analyze(wanted)
    return lambda value: analyze(value) == term


def _equal(restriction: EqRestriction, values: Values) -> list[FilterExpression]:
    if restriction.is_multi:
        parts: Sequence[Value] = restriction.term.elements(values) or [None] * len(restriction.columns)
    else:
        parts = [restriction.term.bind(values)]
    return [
        FilterExpression(column, _equals(column.type, _checked(part, column)))
        for column, part in zip(restriction.columns, parts, strict=False)
    ]


def _equals(type_: CqlType, wanted: bytes) -> Test:
    if type_.has_one_form:
        return wanted.__eq__
    compare = type_.compare
    return lambda value: value == wanted or compare(value, wanted) == 0


def _equals_inside(collection: CqlType, element: CqlType, wanted: bytes) -> Test:
    """In frozen collections Cassandra compares Java objects: decimals by their scale, too (1 is not 1.0); but
    not keys."""
    if element == DECIMAL and not collection.is_multicell:
        return lambda value: value == wanted
    return _equals(element, wanted)


def _in(restriction: InRestriction, values: Values) -> FilterExpression:
    if len(restriction.columns) > 1:
        raise InvalidRequest("Multicolumn IN filters are not supported")
    column = restriction.first
    wanted = [candidate[0] for candidate in restriction.candidates(values)]
    if None in wanted:  # Cassandra looks no further than the first null
        wanted = wanted[: wanted.index(None)]
    # and takes an unset value for an empty one
    tests = [_equals(column.type, value if isinstance(value, bytes) else b"") for value in wanted]
    return FilterExpression(column, lambda value: any(test(value) for test in tests))


def _slice(restriction: SliceRestriction, values: Values) -> list[FilterExpression]:
    if restriction.is_multi:
        raise InvalidRequest("Multi-column slice restrictions cannot be used for filtering.")
    column = restriction.first
    found = []
    for bound, is_start in ((restriction.start, True), (restriction.end, False)):
        if bound is not None:
            wanted = _checked(bound.term.bind(values), column)
            found.append(FilterExpression(column, _compares(column.type, wanted, bound, is_start)))
    return found


def _compares(type_: CqlType, wanted: bytes, bound: SliceBound, is_start: bool) -> Test:
    key = type_.sort_key
    limit = key(wanted)
    if is_start:
        return (lambda value: key(value) >= limit) if bound.inclusive else (lambda value: key(value) > limit)
    return (lambda value: key(value) <= limit) if bound.inclusive else (lambda value: key(value) < limit)


def _contains(
    restriction: ContainsRestriction, values: Values, analyze: Callable[[bytes], bytes] | None
) -> list[FilterExpression]:
    column = restriction.first
    type_ = column.type
    assert isinstance(type_, ListType | SetType | MapType)
    found = []
    for term in restriction.values:
        element = type_.values if isinstance(type_, MapType) else type_.elements
        value = _checked(term.bind(values), column)
        wanted = _equals_inside(type_, element, value) if analyze is None else _analyzed(analyze, value)
        offset, step = (1, 2) if isinstance(type_, MapType) else (0, 1)
        found.append(FilterExpression(column, _any_element(wanted, offset, step)))
    if isinstance(type_, MapType):
        for term in restriction.keys:
            value = _checked(term.bind(values), column)
            wanted = _equals(type_.keys, value) if analyze is None else _analyzed(analyze, value)
            found.append(FilterExpression(column, _any_element(wanted, 0, 2)))
        for key_term, value_term in restriction.entries:
            key_test = _equals(type_.keys, _checked_key(key_term.bind(values), column))
            value_test = _equals(type_.values, _checked(value_term.bind(values), column, "map "))
            found.append(FilterExpression(column, _entry(key_test, value_test)))
    return found


def _any_element(wanted: Test, offset: int, step: int) -> Test:
    return lambda data: any(item is not None and wanted(item) for item in paused(split_collection(data)[offset::step]))


def _entry(key_test: Test, value_test: Test) -> Test:
    def test(data: bytes) -> bool:
        items = split_collection(data)
        for key, value in paused(zip(items[::2], items[1::2], strict=True)):
            if key is not None and key_test(key):
                return value is not None and value_test(value)
        return False

    return test


def requires_filtering() -> InvalidRequest:
    """What a query is told that would have to filter, and does not say ALLOW FILTERING."""
    guarded = guarding.get()
    return InvalidRequest(_MIGHT_FILTER + (_ALLOW if guarded is None or guarded.may_filter() else _DISABLED))
