"""Row filters: what rows have to meet that no key and no slice decides, value by value (db/filter/RowFilter.java).

An expression is a value, so that it travels between nodes; what it tests follows from it and from the table.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from protocol.types import DECIMAL, INET, CqlType, ListType, MapType, SetType
from storage.collection_items import split_collection
from storage.environment.strands import paused
from storage.memtable.memtable import rows_of_singles
from storage.mutation import Row
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata

if TYPE_CHECKING:
    from storage.indexes.analysis import Analyze
    from storage.projection import BoundProjector
    from storage.reads import TableStore

Test = Callable[[bytes], bool]


class Condition(IntEnum):
    """What is asked of a value. The numbers are those of docs/formats/internode.md."""

    EQUAL = 0
    LESS = 1
    LESS_OR_EQUAL = 2
    GREATER = 3
    GREATER_OR_EQUAL = 4
    IN = 5
    CONTAINS = 6
    CONTAINS_KEY = 7
    ENTRY = 8
    LIKE_PREFIX = 9
    LIKE_SUFFIX = 10
    LIKE_CONTAINS = 11
    LIKE_MATCHES = 12


@dataclass(frozen=True, slots=True)
class FilterExpression:
    """`values`: what a column's serialised value is compared with: any number for IN, key and value for ENTRY, else one.
    `index`: values are alike if what the analyzer of this index makes of them is. A column without a value never passes."""

    column: ColumnMetadata
    condition: Condition
    values: tuple[bytes, ...]
    index: str | None = None

    @property
    def is_of_partition(self) -> bool:
        return self.column.kind in (ColumnKind.PARTITION_KEY, ColumnKind.STATIC)

    @property
    def compared_type(self) -> CqlType:
        """Of what the value is compared with."""
        type_ = self.column.type
        if self.condition is Condition.CONTAINS_KEY:
            assert isinstance(type_, MapType), type_
            return type_.keys
        if self.condition is Condition.CONTAINS:
            assert isinstance(type_, ListType | SetType | MapType), type_
            return type_.values if isinstance(type_, MapType) else type_.elements
        return type_


def test_of(expression: FilterExpression, table: TableMetadata) -> Test:
    """Whether a serialised value of the expression's column meets it. An address has to meet it as an index compares
    addresses, and as it is, for Cassandra tests both."""
    test = _test_of(expression, table)
    if expression.index is None or expression.compared_type != INET:
        return test
    plain = _test_of(replace(expression, index=None), table)
    return lambda value: test(value) and plain(value)


def _test_of(expression: FilterExpression, table: TableMetadata) -> Test:
    analyze = None if expression.index is None else _analyzer(table, expression.index, expression.compared_type)
    column, condition, values = expression.column, expression.condition, expression.values
    if condition in _LIKE_TESTS:
        return _like(_LIKE_TESTS[condition], values[0], analyze)
    if condition in _CONTAINED:
        return _contains(column.type, condition, values, analyze)
    if condition is Condition.IN:
        tests = [_equals(column.type, value) for value in values]
        return lambda value: any(test(value) for test in tests)
    wanted = values[0]
    if condition is Condition.EQUAL:
        return _equals(column.type, wanted) if analyze is None else _analyzed(analyze, wanted)
    return _compares(column.type, condition, wanted, analyze)


def _analyzer(table: TableMetadata, index: str, type_: CqlType) -> "Analyze | None":
    from storage.indexes.attached import analyzer_of

    metadata = table.indexes.get(index)
    return None if metadata is None else analyzer_of(metadata, type_)


def _equals(type_: CqlType, wanted: bytes) -> Test:
    if type_.has_one_form:
        return wanted.__eq__
    compare = type_.compare
    return lambda value: value == wanted or compare(value, wanted) == 0


def _analyzed(analyze: "Analyze", wanted: bytes) -> Test:
    term = analyze(wanted)
    return lambda value: analyze(value) == term


def _compares(type_: CqlType, condition: Condition, wanted: bytes, analyze: "Analyze | None") -> Test:
    sort_key = type_.sort_key
    key = sort_key if analyze is None else lambda value: sort_key(analyze(value)[0])
    limit = key(wanted)
    match condition:
        case Condition.GREATER_OR_EQUAL:
            return lambda value: key(value) >= limit
        case Condition.GREATER:
            return lambda value: key(value) > limit
        case Condition.LESS_OR_EQUAL:
            return lambda value: key(value) <= limit
    return lambda value: key(value) < limit


_LIKE_TESTS: Final[dict[Condition, Callable[[bytes, bytes], bool]]] = {
    Condition.LIKE_PREFIX: bytes.startswith,
    Condition.LIKE_SUFFIX: bytes.endswith,
    Condition.LIKE_CONTAINS: bytes.__contains__,
    Condition.LIKE_MATCHES: bytes.__eq__,
}


def _like(found: Callable[[bytes, bytes], bool], term: bytes, analyze: "Analyze | None") -> Test:
    if analyze is None:
        return lambda value: found(value, term)
    wanted = analyze(term)
    if not wanted:
        return lambda value: True
    return lambda value: any(found(given, one) for given in analyze(value) for one in wanted)


_CONTAINED: Final = frozenset((Condition.CONTAINS, Condition.CONTAINS_KEY, Condition.ENTRY))


def _contains(type_: CqlType, condition: Condition, values: Sequence[bytes], analyze: "Analyze | None") -> Test:
    if condition is Condition.ENTRY:
        assert isinstance(type_, MapType), type_
        return _entry(_equals(type_.keys, values[0]), _equals(type_.values, values[1]))
    wanted = values[0]
    if analyze is not None:
        test = _analyzed(analyze, wanted)
    elif condition is Condition.CONTAINS_KEY:
        assert isinstance(type_, MapType), type_
        test = _equals(type_.keys, wanted)
    else:
        assert isinstance(type_, ListType | SetType | MapType), type_
        test = _equals_inside(type_, type_.values if isinstance(type_, MapType) else type_.elements, wanted)
    if not isinstance(type_, MapType):
        return _any_element(test, 0, 1)
    return _any_element(test, 0 if condition is Condition.CONTAINS_KEY else 1, 2)


def _equals_inside(collection: CqlType, element: CqlType, wanted: bytes) -> Test:
    """In frozen collections Cassandra compares Java objects: decimals by their scale, too (1 is not 1.0); but
    not keys."""
    if element == DECIMAL and not collection.is_multicell:
        return lambda value: value == wanted
    return _equals(element, wanted)


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


class RowFilter:
    """Filter expressions at work: those of the partition first, then those of each row."""

    __slots__ = ("_bound", "_projector", "_row_tests", "_static_tests", "has_row_tests")

    def __init__(self, store: "TableStore", expressions: Sequence[FilterExpression]) -> None:
        columns = list(dict.fromkeys(expression.column for expression in expressions))
        self._projector = store.partition_projector(columns)
        self._bound: BoundProjector | None = None
        tests = [(columns.index(e.column), test_of(e, store.table), e.is_of_partition) for e in expressions]
        self._static_tests = [(index, test) for index, test, of_partition in tests if of_partition]
        self._row_tests = [(index, test) for index, test, of_partition in tests if not of_partition]
        self.has_row_tests = bool(self._row_tests)

    def partition(self, key: bytes, static: Row | None) -> bool:
        """Whether rows of the partition may pass."""
        self._bound = self._projector.bind(key, static)
        return not self._static_tests or self._passes(None, self._static_tests)

    def _passes(self, row: Row | bytes | None, tests: Sequence[tuple[int, Test]]) -> bool:
        assert self._bound is not None
        values = self._bound.values(row)
        for index, test in tests:
            value = values[index]
            if value is None or not test(value):
                return False
        return True

    @property
    def is_of_rows_alone(self) -> bool:
        """Whether nothing of a partition counts but its rows."""
        return not self._static_tests

    def singles(self, positions: Sequence[bytes], partitions: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """Those of partitions of one row each (reads.Singles) that pass, if it is of rows alone."""
        self._bound = self._projector.bind(positions[0][8:], None)
        return self.rows(positions, rows_of_singles(partitions), partitions)

    def takes(self, row: Row | bytes) -> bool:
        """Of the partition that was given last."""
        return not self._row_tests or self._passes(row, self._row_tests)

    def rows(
        self, cks: Sequence[bytes], rows: Sequence[Any], told: Sequence[Any] | None = None
    ) -> tuple[Sequence[bytes], Sequence[Any]]:
        """Those that pass, of the partition that was given last; `told`: what stands for each row in the answer."""
        told = rows if told is None else told
        if not self._row_tests or not rows:
            return cks, told
        assert self._bound is not None
        values_of_rows = self._bound.values_of(rows)
        kept: Iterable[int] = range(len(rows))
        for index, test in self._row_tests:
            kept = [at for at in kept if (value := values_of_rows[at][index]) is not None and test(value)]
        return [cks[at] for at in kept], [told[at] for at in kept]
