"""Relations of a WHERE clause, compiled one by one into restrictions of columns, and what happens where two meet.

(cql3/SingleColumnRelation.java, MultiColumnRelation, TokenRelation; restrictions/SingleColumnRestriction,
MultiColumnRestriction, TokenRestriction.) A restriction gives the values of one execution; putting several together
into keys and slices is restrictions.py's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cqlserver.terms.assignment import key_spec, list_text, tuple_text, value_spec
from cqlserver.terms.binding import BindContext, Values, column_spec
from cqlserver.terms.terms import (
    Term,
    compile_in_marker,
    compile_multi_in_marker,
    compile_multi_term,
    compile_term,
    raw_term,
)
from grammar.tree import (
    ColumnRelation,
    Expression,
    InRelation,
    IsNotNullRelation,
    MapEntryRelation,
    Marker,
    MultiColumnInRelation,
    MultiColumnRelation,
    Operator,
    Relation,
    TokenRelation,
)
from protocol.errors import InvalidRequest
from protocol.primitives import UNSET, Value
from protocol.responses import ColumnSpec
from protocol.types import (
    BIGINT,
    DURATION,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)
from protocol.types import quoted_identifier as cql_name
from storage.collection_items import split_items
from storage.environment.strands import let_go_later, long_work, paused
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata

COLLECTIONS = (ListType, SetType, MapType)
TERMS_PER_GO = 500
"""Of an IN (...) with more terms than this others must be able to interrupt the work."""
SLICE_OPERATORS = frozenset((Operator.LT, Operator.LTE, Operator.GT, Operator.GTE))


@dataclass(frozen=True, slots=True)
class Restriction:
    """The root. `columns` in the order of the primary key; several in multi-column relations only."""

    columns: tuple[ColumnMetadata, ...]
    is_multi: bool = False

    @property
    def first(self) -> ColumnMetadata:
        return self.columns[0]

    @property
    def last(self) -> ColumnMetadata:
        return self.columns[-1]


@dataclass(frozen=True, slots=True)
class EqRestriction(Restriction):
    term: Term = None  # type: ignore[assignment]  # always given; dataclass order

    def rows(self, values: Values, takes_short: bool = False) -> list[list[bytes]]:
        """The one combination of values for the columns. `takes_short`: a tuple may have fewer values; then none."""
        if not self.is_multi:
            return [[_plain(self.term.bind(values), self.first)]]
        parts = self.term.elements(values)
        given = len(parts or ())
        if parts is None or (given < len(self.columns) and not takes_short):
            raise InvalidRequest(f"Invalid null value for column {self.columns[given].name}")
        row = [_component(part, column) for part, column in zip(parts, self.columns, strict=False)]
        return [row] if _names_rows(row, self.columns) else []


@dataclass(frozen=True, slots=True)
class InRestriction(Restriction):
    """`terms` for IN (...), `marker` for IN ?."""

    terms: tuple[Term, ...] = ()
    marker: Term | None = None

    def candidates(self, values: Values) -> list[list[Value]]:
        """One list per alternative, one value per column."""
        if not self.is_multi:
            if self.marker is None:
                return [[term.bind(values)] for term in paused(self.terms)]
            name = self.first.name
            bound = self.marker.bind(values)
            if bound is None:
                raise InvalidRequest(f"Invalid null value for column {name}")
            if bound is UNSET:
                raise InvalidRequest(f"Invalid unset value for column {name}")
            return [[part] for part in paused(self.marker.elements(values) or ())]
        if self.marker is None:
            return [self._parts(term.elements(values)) for term in paused(self.terms)]
        packed = self.marker.elements(values)
        if packed is None:
            raise InvalidRequest("Invalid null value for IN restriction")
        return [self._parts(split_items(part) if isinstance(part, bytes) else None) for part in paused(packed)]

    def _parts(self, parts: Sequence[Value] | None) -> list[Value]:
        return list(parts) if parts is not None else [None] * len(self.columns)

    def rows(self, values: Values, takes_short: bool = False) -> list[list[bytes]]:
        """All combinations of values for the columns, in the order of the statement. `takes_short`: see EqRestriction."""
        rows = []
        if len(self.terms) > TERMS_PER_GO:
            long_work()
        candidates = self.candidates(values)
        for candidate in paused(candidates):
            row: list[bytes] = []
            is_cut = len(candidate) < len(self.columns) and not takes_short
            for value in (*candidate, None) if is_cut else candidate:
                if value is UNSET and [None] in candidates:  # nulls are told first
                    raise InvalidRequest(f"Invalid null value in condition for column {self.first.name}")
                if value is None and self.is_multi:
                    names = list_text(column.name for column in self.columns)
                    raise InvalidRequest(f"Invalid null value in condition for columns: {names}")
                row.append(_plain(value, self.first))
            if _names_rows(row, self.columns):
                rows.append(row)
        return rows


@dataclass(frozen=True, slots=True)
class SliceBound:
    """One end of a slice. `is_multi`: the term holds a tuple of values."""

    term: Term
    inclusive: bool
    is_multi: bool = False

    def components(self, values: Values, columns: Sequence[ColumnMetadata]) -> list[bytes | None]:
        """The bound's values, as many as were written. Null is taken of a single column only: it stands before all
        clusterings, DESC or not."""
        if not self.is_multi:
            value = self.term.bind(values)
            if value is UNSET:
                raise InvalidRequest(f"Invalid unset value for column {columns[0].name}")
            return [value]
        parts = self.term.elements(values)
        if parts is None:
            raise InvalidRequest(f"Invalid null value in condition for column {columns[0].name}")
        return [_plain(part, column) for part, column in zip(parts, columns, strict=False)]


@dataclass(frozen=True, slots=True)
class SliceRestriction(Restriction):
    """Between two bounds in the order of values; an end that is None is open."""

    start: SliceBound | None = None
    end: SliceBound | None = None


@dataclass(frozen=True, slots=True)
class ContainsRestriction(Restriction):
    """CONTAINS, CONTAINS KEY and `map[key] = value`, all of one column."""

    values: tuple[Term, ...] = ()
    keys: tuple[Term, ...] = ()
    entries: tuple[tuple[Term, Term], ...] = ()


@dataclass(frozen=True, slots=True)
class LikeRestriction(Restriction):
    """LIKE, which an index has to answer."""

    term: Term = None  # type: ignore[assignment]  # always given; dataclass order


@dataclass(frozen=True, slots=True)
class AnnRestriction(Restriction):
    """`ORDER BY column ANN OF ...`: it stands beside no other on its column."""

    term: Term | None = None


@dataclass(frozen=True, slots=True)
class TokenRestriction(Restriction):
    """`token(...)`: `equal`, or a slice."""

    equal: Term | None = None
    start: SliceBound | None = None
    end: SliceBound | None = None


def _plain(value: Value, column: ColumnMetadata) -> bytes:
    if value is None:
        raise InvalidRequest(f"Invalid null value in condition for column {column.name}")
    if value is UNSET:
        raise InvalidRequest(f"Invalid unset value for column {column.name}")
    return value


def _component(value: Value, column: ColumnMetadata) -> bytes:
    if value is None:
        raise InvalidRequest(f"Invalid null value for column {column.name}")
    return _plain(value, column)


def _names_rows(row: Sequence[bytes], columns: Sequence[ColumnMetadata]) -> bool:
    """A clustering that is cut short is no row's; without any value it is that of all rows."""
    return not row or len(row) == len(columns)


# --- two restrictions on one column --------------------------------------------------------------------------------


def merge(existing: Restriction, added: Restriction) -> Restriction:
    """Both hold. Raises InvalidRequest where Cassandra does not combine them."""
    is_multi = existing.is_multi or added.is_multi
    if is_multi and (isinstance(existing, ContainsRestriction) or isinstance(added, ContainsRestriction)):
        is_multi = existing.is_multi
    names = _common_names(existing, added) if is_multi else existing.first.name
    match existing:
        case EqRestriction():
            raise InvalidRequest(f"{names} cannot be restricted by more than one relation if it includes an Equal")
        case InRestriction():
            raise InvalidRequest(f"{names} cannot be restricted by more than one relation if it includes a IN")
        case LikeRestriction():
            raise InvalidRequest(f"{names} cannot be restricted by more than one relation if it includes a LIKE")
        case ContainsRestriction():
            return _merge_contains(existing, added)
        case SliceRestriction():
            return _merge_slices(existing, added, names, is_multi)
    raise TypeError(existing)


def _common_names(existing: Restriction, added: Restriction) -> str:
    return " ,".join(column.name for column in existing.columns if column in added.columns)


def _merge_contains(existing: ContainsRestriction, added: Restriction) -> Restriction:
    if not isinstance(added, ContainsRestriction):
        raise InvalidRequest(
            f"Collection column {existing.first.name} can only be restricted by CONTAINS, CONTAINS KEY, "
            "or map-entry equality"
        )
    return replace(
        existing,
        values=existing.values + added.values,
        keys=existing.keys + added.keys,
        entries=existing.entries + added.entries,
    )


def _merge_slices(existing: SliceRestriction, added: Restriction, names: str, is_multi: bool) -> Restriction:
    if not isinstance(added, SliceRestriction):
        raise InvalidRequest(f'Column "{names}" cannot be restricted by both an equality and an inequality relation')
    if is_multi and existing.first != added.first:
        later = max(existing.first, added.first, key=lambda column: column.position)
        raise InvalidRequest(
            f'Column "{later.name}" cannot be restricted by two inequalities not starting with the same column'
        )
    start, end = _merge_bounds(existing, added, names)
    columns = existing.columns if len(existing.columns) >= len(added.columns) else added.columns
    return SliceRestriction(columns, is_multi, start, end)


def _merge_bounds(
    existing: SliceRestriction | TokenRestriction, added: SliceRestriction | TokenRestriction, names: str
) -> tuple[SliceBound | None, SliceBound | None]:
    for which, both in (
        ("start", existing.start is not None and added.start is not None),
        ("end", existing.end is not None and added.end is not None),
    ):
        if both:
            raise InvalidRequest(f"More than one restriction was found for the {which} bound on {names}")
    return existing.start or added.start, existing.end or added.end


def merge_tokens(existing: TokenRestriction, added: TokenRestriction) -> TokenRestriction:
    names = ", ".join(column.name for column in existing.columns)
    if existing.equal is not None:
        raise InvalidRequest(f"{names} cannot be restricted by more than one relation if it includes an Equal")
    if added.equal is not None:
        raise InvalidRequest(f'Columns "{names}" cannot be restricted by both an equality and an inequality relation')
    start, end = _merge_bounds(existing, added, names)
    return replace(existing, start=start, end=end)


# --- relations -----------------------------------------------------------------------------------------------------


def relation_text(relation: Relation, context: BindContext) -> str:
    """As Cassandra's messages print it."""

    def text(expression: Expression) -> str:
        return str(raw_term(expression, context))

    def columns_text(names: Sequence[str]) -> str:
        return tuple_text(map(cql_name, names))

    match relation:
        case ColumnRelation(column=column, operator=operator, value=value):
            return f"{cql_name(column)} {operator.value} {text(value)}"
        case InRelation(column=column, values=values):
            inner = "?" if isinstance(values, Marker) else tuple_text(map(text, values))
            return f"{cql_name(column)} IN {inner}"
        case IsNotNullRelation(column=column):
            return f"{cql_name(column)} IS NOT NULL"
        case MapEntryRelation(column=column, key=key, operator=operator, value=value):
            return f"{cql_name(column)}[{text(key)}] {operator.value} {text(value)}"
        case TokenRelation(columns=columns, operator=operator, value=value):
            return f"token{columns_text(columns)} {operator.value} {text(value)}"
        case MultiColumnRelation(columns=columns, operator=operator, value=value):
            return f"{columns_text(columns)} {operator.value} {text(value)}"
        case MultiColumnInRelation(columns=columns, values=values):
            inner = "?" if isinstance(values, Marker) else tuple_text(map(text, values))
            return f"{columns_text(columns)} IN {inner}"
    raise TypeError(relation)


def existing_column(table: TableMetadata, name: str) -> ColumnMetadata:
    column = table.visible_by_name.get(name)
    if column is None:
        raise InvalidRequest(f"Undefined column name {cql_name(name)} in table {table}")
    return column


def references_duration(type_: CqlType) -> bool:
    match type_:
        case ListType(elements=element) | SetType(elements=element) | VectorType(elements=element):
            return references_duration(element)
        case MapType(keys=keys, values=values):
            return references_duration(keys) or references_duration(values)
        case TupleType(elements=elements):
            return any(map(references_duration, elements))
        case UserType(field_types=types):
            return any(map(references_duration, types))
    return type_ == DURATION


def compile_relation(relation: Relation, context: BindContext) -> Restriction:
    """Raises InvalidRequest with Cassandra's text for a relation that its columns do not allow."""
    operator = getattr(relation, "operator", None)
    if operator is Operator.NEQ:
        raise InvalidRequest(f'Unsupported "!=" relation: {relation_text(relation, context)}')
    match relation:
        case ColumnRelation():
            return _compile_column(relation, context)
        case InRelation():
            return _compile_in(relation, context)
        case MapEntryRelation():
            return _compile_map_entry(relation, context)
        case TokenRelation():
            return _compile_token(relation, context)
        case MultiColumnRelation():
            return _compile_multi(relation, context)
        case MultiColumnInRelation():
            return _compile_multi_in(relation, context)
    raise TypeError(relation)


def _is_a(column: ColumnMetadata, types: type[CqlType] | tuple[type[CqlType], ...]) -> bool:
    """In Cassandra the type of a DESC column is a ReversedType, which is neither map nor list."""
    return isinstance(column.type, types) and not column.reversed


def _check_receiver(column: ColumnMetadata, operator: Operator) -> None:
    """SingleColumnRelation.toReceivers, without map entries."""
    type_ = column.type
    if operator is Operator.CONTAINS_KEY and not _is_a(column, MapType):
        raise InvalidRequest(f"Cannot use CONTAINS KEY on non-map column {column.name}")
    if operator is Operator.CONTAINS and not _is_a(column, COLLECTIONS):
        raise InvalidRequest(f"Cannot use CONTAINS on non-collection column {column.name}")
    _check_user_type(column)
    is_contains = operator in (Operator.CONTAINS, Operator.CONTAINS_KEY)
    if isinstance(type_, COLLECTIONS) and type_.is_multicell and not is_contains:
        raise InvalidRequest(
            f"Collection column '{column.name}' ({type_.cql()}) cannot be restricted by a '{operator.value}' relation"
        )


def _check_user_type(column: ColumnMetadata) -> None:
    if isinstance(column.type, UserType) and column.type.is_multicell:
        raise InvalidRequest(
            f"Non-frozen UDT column '{column.name}' ({column.type.cql()}) cannot be restricted by any relation"
        )


def _check_slice(column: ColumnMetadata) -> None:
    if not references_duration(column.type):
        return
    if isinstance(column.type, COLLECTIONS):
        raise InvalidRequest("Slice restrictions are not supported on collections containing durations")
    if isinstance(column.type, TupleType):
        raise InvalidRequest("Slice restrictions are not supported on tuples containing durations")
    if isinstance(column.type, UserType):
        raise InvalidRequest("Slice restrictions are not supported on UDTs containing durations")
    raise InvalidRequest("Slice restrictions are not supported on duration columns")


def _bound(operator: Operator, term: Term, is_multi: bool = False) -> tuple[SliceBound | None, SliceBound | None]:
    bound = SliceBound(term, operator in (Operator.LTE, Operator.GTE), is_multi)
    return (bound, None) if operator in (Operator.GT, Operator.GTE) else (None, bound)


def _compile_column(relation: ColumnRelation, context: BindContext) -> Restriction:
    operator = relation.operator
    column = existing_column(context.table, relation.column)
    if operator in SLICE_OPERATORS:
        _check_slice(column)
    _check_receiver(column, operator)
    receiver = column_spec(context.table, column)
    if operator in (Operator.CONTAINS, Operator.CONTAINS_KEY):
        is_key = operator is Operator.CONTAINS_KEY
        term = compile_term(relation.value, key_spec(receiver) if is_key else value_spec(receiver), context)
        return ContainsRestriction((column,), False, () if is_key else (term,), (term,) if is_key else ())
    term = compile_term(relation.value, receiver, context)
    if operator is Operator.LIKE:
        return LikeRestriction((column,), False, term)
    if operator is Operator.EQ:
        return EqRestriction((column,), False, term)
    return SliceRestriction((column,), False, *_bound(operator, term))


def _compile_in(relation: InRelation, context: BindContext) -> Restriction:
    column = existing_column(context.table, relation.column)
    _check_receiver(column, Operator.IN)
    receiver = column_spec(context.table, column)
    if isinstance(relation.values, Marker):
        return InRestriction((column,), False, (), compile_in_marker(relation.values, receiver, context))
    terms = tuple(compile_term(value, receiver, context) for value in paused(relation.values))
    let_go_later(relation.values, terms)
    if len(terms) == 1:
        return EqRestriction((column,), False, terms[0])
    return InRestriction((column,), False, terms)


def _compile_map_entry(relation: MapEntryRelation, context: BindContext) -> Restriction:
    column = existing_column(context.table, relation.column)
    type_ = column.type
    if relation.operator in SLICE_OPERATORS:
        _check_slice(column)
    if relation.operator is Operator.LIKE:
        raise InvalidRequest("LIKE can't be used with collections.")
    if _is_a(column, ListType):
        raise InvalidRequest(f"Indexes on list entries ({column.name}[index] = value) are not currently supported.")
    if not isinstance(type_, MapType) or column.reversed:
        raise InvalidRequest(f"Column {column.name} cannot be used as a map")
    if not type_.is_multicell:
        raise InvalidRequest(f"Map-entry equality predicates on frozen map column {column.name} are not supported")
    if relation.operator is not Operator.EQ:
        raise InvalidRequest("Only EQ relations are supported on map entries")
    receiver = column_spec(context.table, column)
    key = compile_term(relation.key, key_spec(receiver), context)
    value = compile_term(relation.value, value_spec(receiver), context)
    return ContainsRestriction((column,), False, entries=((key, value),))


def _compile_token(relation: TokenRelation, context: BindContext) -> Restriction:
    table = context.table
    if relation.operator is not Operator.EQ and relation.operator not in SLICE_OPERATORS:
        raise InvalidRequest(f"{relation.operator.value} cannot be used with the token function")
    columns = tuple(existing_column(table, name) for name in relation.columns)
    _check_token_columns(columns, table)
    receiver = ColumnSpec(table.keyspace, table.name, "partition key token", BIGINT)
    term = compile_term(relation.value, receiver, context)
    if relation.operator is Operator.EQ:
        return TokenRestriction(columns, True, term)
    return TokenRestriction(columns, True, None, *_bound(relation.operator, term))


def _check_token_columns(columns: tuple[ColumnMetadata, ...], table: TableMetadata) -> None:
    keys = table.partition_key
    if columns == keys:
        return
    if not all(key in columns for key in keys):
        raise InvalidRequest("The token() function must be applied to all partition key components or none of them")
    if len(set(columns)) != len(columns):
        raise InvalidRequest("The token() function contains duplicate partition key components")
    if not all(column in keys for column in columns):
        raise InvalidRequest("The token() function must contains only partition key components")
    names = ", ".join(column.name for column in keys)
    raise InvalidRequest(f"The token function arguments must be in the partition key order: {names}")


def _multi_columns(
    relation: MultiColumnRelation | MultiColumnInRelation, context: BindContext
) -> tuple[ColumnMetadata, ...]:
    columns: list[ColumnMetadata] = []
    seen: set[str] = set()
    for name in relation.columns:
        column = existing_column(context.table, name)
        if column.kind is not ColumnKind.CLUSTERING:
            raise InvalidRequest(
                f"Multi-column relations can only be applied to clustering columns but was applied to: {column.name}"
            )
        if name in seen:
            text = relation_text(relation, context)
            raise InvalidRequest(f'Column "{column.name}" appeared twice in a relation: {text}')
        if columns and column.position != columns[-1].position + 1:
            text = relation_text(relation, context)
            raise InvalidRequest(
                f"Clustering columns must appear in the PRIMARY KEY order in multi-column relations: {text}"
            )
        columns.append(column)
        seen.add(name)
    return tuple(columns)


def _compile_multi(relation: MultiColumnRelation, context: BindContext) -> Restriction:
    if relation.operator is not Operator.EQ and relation.operator not in SLICE_OPERATORS:
        raise InvalidRequest(f"{relation.operator.value} cannot be used for multi-column relations")
    columns = _multi_columns(relation, context)
    receivers = [column_spec(context.table, column) for column in columns]
    term = compile_multi_term(relation.value, receivers, context)
    if relation.operator is Operator.EQ:
        return EqRestriction(columns, True, term)
    return SliceRestriction(columns, True, *_bound(relation.operator, term, True))


def _compile_multi_in(relation: MultiColumnInRelation, context: BindContext) -> Restriction:
    columns = _multi_columns(relation, context)
    receivers = [column_spec(context.table, column) for column in columns]
    if isinstance(relation.values, Marker):
        return InRestriction(columns, True, (), compile_multi_in_marker(relation.values, receivers, context))
    terms = tuple(compile_multi_term(value, receivers, context) for value in paused(relation.values))
    if len(terms) == 1:
        return EqRestriction(columns, True, terms[0])
    return InRestriction(columns, True, terms)
