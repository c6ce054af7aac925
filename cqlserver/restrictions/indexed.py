"""Which restrictions the indexes of a table answer (index/Index.java: supportsExpression, QueryPlan; restrictions/
IndexRestrictions.java).

Indexes come in groups: those of one group answer a statement together, so that it needs no filtering where one group
supports all that is restricted.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cqlserver.restrictions.filters import filter_expressions, like_expression, like_form
from cqlserver.restrictions.relations import (
    SLICE_OPERATORS,
    AnnRestriction,
    ContainsRestriction,
    EqRestriction,
    InRestriction,
    LikeRestriction,
    Restriction,
    SliceBound,
    SliceRestriction,
)
from cqlserver.terms.binding import Values
from grammar.tree import Operator
from protocol.errors import InvalidRequest
from protocol.types import ASCII, BOOLEAN, INET, TEXT, UUID, MapType, SetType, VectorType
from storage.indexes.analysis import Analyze
from storage.indexes.attached import SAI_CLASS, analyzer_of, java_class
from storage.indexes.local import LOCAL_KINDS, VALUE_BYTES_MAX
from storage.indexes.lookups import Indexed, IndexedRange, IndexedText, IndexedValue
from storage.indexes.sasi import CONTAINS, SASI_CLASS, is_tokenizing, sasi_mode
from storage.indexes.target import CLASS_OPTION, IndexTarget, TargetKind, maybe_target, value_type
from storage.row_filter import Condition, FilterExpression
from storage.schema.metadata import ColumnMetadata, IndexMetadata, TableMetadata

IN: Final = "IN"
ANN: Final = "ANN"
_EQUALITY_ONLY: Final = (TEXT, ASCII, BOOLEAN, UUID)
Supports = Callable[[Operator | str], bool]


@dataclass(frozen=True, slots=True)
class QueryIndex:
    """One index as statements see it. `operators`: those that it answers for its column."""

    name: str
    target: IndexTarget
    operators: frozenset[Operator | str]
    filters_multiple_contains: bool = True
    analyze: Analyze | None = None
    likes: frozenset[Condition] = frozenset()
    """The forms of LIKE that it answers."""

    def supports(self, column: ColumnMetadata, operator: Operator | str) -> bool:
        return column == self.target.column and operator in self.operators


class IndexRegistry:
    """The indexes of a table that statements may use, in groups."""

    __slots__ = ("_attached", "groups")

    def __init__(self, groups: Sequence[Sequence[QueryIndex]] = (), attached: Sequence[QueryIndex] = ()) -> None:
        """`attached`: the group of those that are storage-attached."""
        self.groups, self._attached = groups, attached

    @property
    def all(self) -> Iterable[QueryIndex]:
        return (index for group in self.groups for index in group)

    def depends_on(self, column: ColumnMetadata) -> bool:
        return any(index.target.column == column for index in self.all)

    def supports(self, restriction: Restriction) -> bool:
        return bool(self.groups) and any(is_supported(restriction, index) for index in self.all)

    def supports_any(self, restrictions: Iterable[Restriction]) -> bool:
        return bool(self.groups) and any(map(self.supports, restrictions))

    def needs_filtering(self, restrictions: Sequence[Restriction]) -> bool:
        """Whether no group of indexes answers all of them."""
        return all(any(_needs_filtering(r, group) for r in restrictions) for group in self.groups)

    def maybe_attached(self, restrictions: Sequence[Restriction]) -> str | None:
        """A storage-attached index that is asked for some of them; None where another kind is asked, or none. Then addresses
        in all of them are compared as it compares them (Expression.isSatisfiedBy)."""
        for group in self.groups:
            for index in group:
                if any(is_supported(restriction, index) for restriction in restrictions):
                    return index.name if group is self._attached else None
        return None

    def expressions(self, restriction: Restriction, values: Values, attached: str | None) -> list[FilterExpression]:
        """A restriction tested row by row, by the index's understanding of values where it answers it. `attached`: what
        maybe_attached says of all restrictions."""
        if isinstance(restriction, AnnRestriction):
            return []
        if isinstance(restriction, LikeRestriction):
            able = [index for index in self.all if is_supported(restriction, index)]
            return [like_expression(restriction.first, restriction.term.bind(values), [(i.name, i.likes) for i in able])]
        analyzed = next((i for i in self.all if i.analyze is not None and is_supported(restriction, i)), None)
        found = filter_expressions(restriction, values, None if analyzed is None else analyzed.name)
        if attached is None:
            return found
        return [replace(each, index=attached) if each.compared_type == INET else each for each in found]

    def values(self, restrictions: Iterable[Restriction], values: Values) -> list[Indexed]:
        """Of one execution, what can be looked up: any of it will do."""
        return [found for r in restrictions for index in self.all for found in _indexed_values(r, index, values)]


NO_INDEXES: Final = IndexRegistry()


def index_registry(table: TableMetadata) -> IndexRegistry:
    """Of the indexes that the table has."""
    if not table.indexes:
        return NO_INDEXES
    groups: list[Sequence[QueryIndex]] = []
    attached = []
    for metadata in table.indexes.values():
        target = maybe_target(table, metadata)
        if target is None:
            continue
        if metadata.kind in LOCAL_KINDS:
            groups.append((QueryIndex(metadata.name, target, _local_operators(target)),))
        elif java_class(metadata.options.get(CLASS_OPTION, "")) == SAI_CLASS:
            analyze = analyzer_of(metadata, value_type(target))
            attached.append(QueryIndex(metadata.name, target, _attached_operators(target), False, analyze))
        elif metadata.options.get(CLASS_OPTION) == SASI_CLASS:
            groups.append((_sasi_index(metadata, target),))
    if attached:
        groups.append(attached)
    return IndexRegistry(groups, attached)


def _local_operators(target: IndexTarget) -> frozenset[Operator | str]:
    """index/internal/composites/*.java, supportsOperator."""
    if not target.is_of_elements or target.kind is TargetKind.ENTRIES:
        return frozenset((Operator.EQ,))
    if isinstance(target.column.type, SetType):
        return frozenset((Operator.CONTAINS_KEY, Operator.CONTAINS))
    return frozenset((Operator.CONTAINS_KEY if target.kind is TargetKind.KEYS else Operator.CONTAINS,))


def _attached_operators(target: IndexTarget) -> frozenset[Operator | str]:
    """index/sai/utils/IndexTermType.java, supports."""
    type_ = value_type(target)
    if target.is_of_elements:
        if target.kind is TargetKind.ENTRIES:
            return frozenset((Operator.EQ,))
        return frozenset((Operator.CONTAINS_KEY if target.kind is TargetKind.KEYS else Operator.CONTAINS,))
    if isinstance(type_, VectorType):
        return frozenset((Operator.EQ, ANN))
    if target.kind is TargetKind.FULL or type_.referenced_types or type_ in _EQUALITY_ONLY:
        return frozenset((Operator.EQ,))
    return frozenset((Operator.EQ, *SLICE_OPERATORS))


def _sasi_index(metadata: IndexMetadata, target: IndexTarget) -> QueryIndex:
    """index/sasi/conf/ColumnIndex.java, supports."""
    mode = sasi_mode(metadata.options)
    if target.column.type not in (TEXT, ASCII) or target.column.reversed:
        ranges = () if mode == CONTAINS else SLICE_OPERATORS
        return QueryIndex(metadata.name, target, frozenset((Operator.EQ, *ranges)))
    cuts = is_tokenizing(metadata.options)
    likes = {Condition.LIKE_MATCHES}
    if mode == CONTAINS:
        likes |= {Condition.LIKE_SUFFIX, Condition.LIKE_CONTAINS}
    if not (cuts and mode == CONTAINS):
        likes.add(Condition.LIKE_PREFIX)
    operators = frozenset((Operator.LIKE,) if cuts else (Operator.EQ, Operator.LIKE))
    return QueryIndex(metadata.name, target, operators, True, analyzer_of(metadata, value_type(target)), frozenset(likes))


def is_supported(restriction: Restriction, index: QueryIndex) -> bool:
    return any(index.supports(column, operator) for column in restriction.columns for operator in _operators(restriction))


def _operators(restriction: Restriction) -> Iterable[Operator | str]:
    """What an index may answer of a restriction: any of it will do."""
    match restriction:
        case EqRestriction():
            return (Operator.EQ,)
        case AnnRestriction():
            return (ANN,)
        case LikeRestriction():
            return (Operator.LIKE,)
        case InRestriction():
            return (IN,)
        case SliceRestriction(start=start, end=end):
            lower = () if start is None else (_bound_operator(start, Operator.GT, Operator.GTE),)
            return lower if end is None else (*lower, _bound_operator(end, Operator.LT, Operator.LTE))
        case ContainsRestriction(values=values, keys=keys, entries=entries):
            given = ((values, Operator.CONTAINS), (keys, Operator.CONTAINS_KEY), (entries, Operator.EQ))
            return [operator for terms, operator in given if terms]
    return ()


def _bound_operator(bound: SliceBound, exclusive: Operator, inclusive: Operator) -> Operator:
    return inclusive if bound.inclusive else exclusive


def _needs_filtering(restriction: Restriction, group: Sequence[QueryIndex]) -> bool:
    if restriction.is_multi:
        operators = _operators(restriction)
        return not all(
            any(index.supports(column, operator) for index in group for operator in operators)
            for column in restriction.columns
        )
    several = False
    if isinstance(restriction, ContainsRestriction):
        several = len(restriction.values) + len(restriction.keys) + len(restriction.entries) > 1
    return not any(is_supported(restriction, i) and not (several and i.filters_multiple_contains) for i in group)


def _indexed_values(restriction: Restriction, index: QueryIndex, values: Values) -> Iterable[Indexed]:
    """The values are checked already, as the row filter has them too."""
    if not is_supported(restriction, index):
        return
    match restriction:
        case EqRestriction():
            if restriction.is_multi:
                at = restriction.columns.index(index.target.column)
                value = (restriction.term.elements(values) or ())[at]
            else:
                value = restriction.term.bind(values)
            yield _indexed_value(index, value)
        case LikeRestriction():
            condition, text = like_form(restriction.first, restriction.term.bind(values))
            if condition in index.likes:
                yield IndexedText(index.name, condition, text)
        case SliceRestriction(start=start, end=end):
            ends = [None if bound is None else bound.term.bind(values) for bound in (start, end)]
            yield IndexedRange(
                index.name,
                ends[0] if isinstance(ends[0], bytes) else None,
                start is not None and start.inclusive,
                ends[1] if isinstance(ends[1], bytes) else None,
                end is not None and end.inclusive,
            )
        case ContainsRestriction():
            for operator, terms in (
                (Operator.CONTAINS, restriction.values),
                (Operator.CONTAINS_KEY, restriction.keys),
            ):
                if operator in index.operators:
                    for term in terms:
                        yield _indexed_value(index, term.bind(values))
            if Operator.EQ in index.operators and isinstance(index.target.column.type, MapType):
                for key_term, value_term in restriction.entries:
                    yield _indexed_value(index, value_term.bind(values), key_term.bind(values))


def _indexed_value(index: QueryIndex, value: object, map_key: object = None) -> IndexedValue:
    assert isinstance(value, bytes), value
    size = len(value) + (len(map_key) if isinstance(map_key, bytes) else 0)
    if size > VALUE_BYTES_MAX:
        raise InvalidRequest("Index expression values may not be larger than 64K")
    return IndexedValue(index.name, value, map_key if isinstance(map_key, bytes) else None)
