"""IF conditions on columns, elements and fields (cql3/conditions/ColumnCondition.java).

A condition is compiled once and evaluated against the live row that a compare-and-set reads (None: there is none).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cqlserver.plans.operations import EMPTY, class_cast, element_specs, existing_column, field_path
from cqlserver.terms.packing import pack_items, split_tuple
from cqlserver.terms.terms import BindContext, Term, Value, Values, column_spec, compile_in_marker, compile_term
from cqlserver.terms.unreadable import UNREADABLE, unreadable
from grammar import tree
from grammar.tree import Operator
from protocol.errors import InvalidRequest, ServerError
from protocol.primitives import UNSET
from protocol.responses import ColumnSpec
from protocol.types import (
    COUNTER,
    DECIMAL,
    DOUBLE,
    FLOAT,
    TIMEUUID,
    TINYINT,
    UUID,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)
from storage.collection_items import split_collection
from storage.environment.strands import in_turns, paused
from storage.mutation import Cell, ComplexColumn, Row
from storage.projection import in_order
from storage.schema.metadata import ColumnKind, ColumnMetadata

UUID_BYTES: Final = 16
SCALE_BYTES: Final = 4

_ORDER_HOLDS = {
    Operator.EQ: lambda c: c == 0,
    Operator.NEQ: lambda c: c != 0,
    Operator.LT: lambda c: c < 0,
    Operator.LTE: lambda c: c <= 0,
    Operator.GT: lambda c: c > 0,
    Operator.GTE: lambda c: c >= 0,
}


@dataclass(frozen=True, slots=True)
class BoundCondition:
    """A condition with the values of one execution."""

    condition: "ColumnCondition"
    element: Value
    values: tuple[Value, ...]

    def applies_to(self, row: Row | None) -> bool:
        """Whether it holds for a row. Raises InvalidRequest for comparisons that have no meaning."""
        return self.condition.holds(row, self.element, self.values)


@dataclass(frozen=True, slots=True)
class ColumnCondition:
    """`column operator values` (IN: any of them), on the whole column, on `[element]` or on `.field` (its position)."""

    column: ColumnMetadata
    operator: Operator
    terms: tuple[Term, ...]
    in_marker: Term | None = None
    element: Term | None = None
    field: int | None = None

    def bind(self, values: Values) -> BoundCondition:
        element = self.element.bind(values) if self.element is not None else None
        bound: Sequence[Value]
        if self.in_marker is not None:
            given = self.in_marker.bind(values)
            if given is None:
                raise InvalidRequest("Invalid null list in IN condition")
            if given is UNSET:
                raise InvalidRequest("Invalid 'unset' value in condition")
            bound = self.in_marker.elements(values) or ()
        else:
            bound = [term.bind(values) for term in self.terms]
        if self.operator is Operator.IN:
            bound = [value for value in bound if value is not UNSET]
        return BoundCondition(self, element, tuple(bound))

    def holds(self, row: Row | None, element: Value, values: tuple[Value, ...]) -> bool:
        """What can't be compared is refused only now: a condition behind one that fails is never looked at."""
        operator = Operator.EQ if self.operator is Operator.IN else self.operator
        type_ = self.column.type
        data = row.columns.get(self.column.name) if row is not None else None
        if self.element is not None:
            value, value_type = self._element(data, element)
        elif self.field is not None:
            value, value_type = self._field(data, self.field)
        elif type_.is_multicell and not isinstance(type_, UserType):
            return self._collection_holds(data, operator, values)
        else:
            value, value_type = _whole(data, type_), type_
        if self.element is not None and isinstance(type_, MapType):
            return any(_compare_as_key(operator, value_type, wanted, value) for wanted in values)
        return any(_compare(operator, value_type, wanted, value) for wanted in values)

    def _element(self, data: Cell | ComplexColumn | None, element: Value) -> tuple[bytes | None, CqlType]:
        type_ = self.column.type
        if element is None:
            kind = "map" if isinstance(type_, MapType) else "list"
            raise InvalidRequest(f"Invalid null value for {kind} element access")
        if not isinstance(element, bytes):
            element = b""  # an unset value is taken for an empty one
        if isinstance(type_, MapType):
            # the keys' type compares the values too, in Cassandra (ElementAccessBound.appliesTo)
            if isinstance(data, ComplexColumn):
                cell = _cell_at(data, element, type_.keys)
                return (cell.value if cell is not None else None), type_.keys
            if data is None or data.value is None:
                return None, type_.keys
            parts = split_collection(data.value)
            for key, value in paused(zip(parts[::2], parts[1::2], strict=True)):
                if key is not None and type_.keys.compare(key, element) == 0:
                    return value, type_.keys
            return None, type_.keys
        assert isinstance(type_, ListType)
        if not element:
            raise ServerError("java.lang.IndexOutOfBoundsException")
        index = int.from_bytes(element, "big", signed=True)
        if index < 0:
            raise InvalidRequest(f"Invalid negative list index {index}")
        items = _items(data, type_)
        return (items[index] if index < len(items) else None), type_.elements

    def _field(self, data: Cell | ComplexColumn | None, position: int) -> tuple[bytes | None, CqlType]:
        type_ = self.column.type
        assert isinstance(type_, UserType)
        field_type = type_.field_types[position]
        if isinstance(data, ComplexColumn):
            cell = data.cells.get(field_path(position))
            return (cell.value if cell is not None else None), field_type
        if data is None or data.value is None:
            return None, field_type
        return split_tuple(data.value, len(type_.field_types))[position], field_type

    def _collection_holds(self, data: Cell | ComplexColumn | None, operator: Operator, values: tuple[Value, ...]) -> bool:
        """On all of a non-frozen collection (MultiCellCollectionBound)."""
        type_ = self.column.type
        items = _items(data, type_)
        contains = operator in (Operator.CONTAINS, Operator.CONTAINS_KEY)
        for given in values:
            value = given if given is None or isinstance(given, bytes) else EMPTY
            if value is not given and not contains:
                kind = type(type_).__name__.removesuffix("Type") + "s"
                raise class_cast("org.apache.cassandra.cql3.Constants$Value", f"org.apache.cassandra.cql3.{kind}$Value")
            if value is None or (not contains and not split_collection(value)):
                if operator is Operator.EQ:
                    if not items:
                        return True
                    continue
                if operator is Operator.NEQ:
                    return bool(items)
                if value is None:
                    raise InvalidRequest(f'Invalid comparison with null for operator "{operator.value}"')
                kind = type(type_).__name__.removesuffix("Type").lower()
                raise InvalidRequest(f'Invalid comparison with an empty {kind} for operator "{operator.value}"')
            if not items and operator is not Operator.NEQ:
                continue
            if contains:
                if _contains(type_, items, value, operator):
                    return True
            elif _ORDER_HOLDS[operator](_compare_items(type_, items, split_collection(value))):
                return True
        return False


def _cell_at(data: ComplexColumn, path: bytes, path_type: CqlType) -> Cell | None:
    """The cell of a map's key, which may be stored in other bytes."""
    found = data.cells.get(path)
    if found is not None or path_type.has_one_form:
        return found
    return next((cell for other, cell in in_turns(data.cells.items()) if path_type.compare(other, path) == 0), None)


def _whole(data: Cell | ComplexColumn | None, type_: CqlType) -> bytes | None:
    """The value of a column as one: a non-frozen user type is put together."""
    if isinstance(data, ComplexColumn):
        assert isinstance(type_, UserType)
        if not data.cells:
            return None
        cells = [data.cells.get(field_path(position)) for position in range(len(type_.field_types))]
        return pack_items([cell.value if cell is not None else None for cell in cells])
    return data.value if data is not None else None


def _items(data: Cell | ComplexColumn | None, type_: CqlType) -> list[bytes | None]:
    """The items of a list or set in order; of a map its keys and values in turn."""
    if isinstance(data, ComplexColumn):
        live = {path: cell for path, cell in in_turns(data.cells.items()) if cell.value is not None}
        if isinstance(type_, ListType):
            return [live[path].value for path in in_order(live, TIMEUUID.order_key)]
        if isinstance(type_, SetType):
            return list(in_order(live, type_.elements.order_key))
        assert isinstance(type_, MapType)
        return [part for path in in_order(live, type_.keys.order_key) for part in (path, live[path].value)]
    return list(split_collection(data.value)) if data is not None and data.value is not None else []


def _compare_items(type_: CqlType, items: Sequence[bytes | None], wanted: Sequence[bytes | None]) -> int:
    """Item by item; the shorter one is less when it is a beginning of the other."""
    types: tuple[CqlType, ...]
    if isinstance(type_, MapType):
        types = (type_.keys, type_.values)
    else:
        assert isinstance(type_, ListType | SetType)
        types = (type_.elements,)
    for position, (item, other) in paused(enumerate(zip(items, wanted, strict=False))):
        comparison = types[position % len(types)].compare(item or b"", other or b"")
        if comparison:
            return comparison
    return (len(items) > len(wanted)) - (len(items) < len(wanted))


def _contains(type_: CqlType, items: Sequence[bytes | None], value: bytes, operator: Operator) -> bool:
    if isinstance(type_, MapType):
        keys = operator is Operator.CONTAINS_KEY
        of, candidates = (type_.keys, items[::2]) if keys else (type_.values, items[1::2])
    else:
        assert isinstance(type_, ListType | SetType)
        of, candidates = type_.elements, items
    return any(of.compare(candidate or b"", value) == 0 for candidate in in_turns(candidates))


def _compare(operator: Operator, type_: CqlType, wanted: Value, value: bytes | None) -> bool:
    """`value operator wanted` (Bound.compareWithOperator)."""
    if wanted is not None and not isinstance(wanted, bytes):
        raise InvalidRequest("Invalid 'unset' value in condition")
    if wanted is None:
        if operator is Operator.EQ:
            return value is None
        if operator is Operator.NEQ:
            return value is not None
        raise InvalidRequest(f'Invalid comparison with null for operator "{operator.value}"')
    if value is None:
        return operator is Operator.NEQ
    if operator in (Operator.CONTAINS, Operator.CONTAINS_KEY):
        return _contains(type_, split_collection(value), wanted, operator)
    return bool(_ORDER_HOLDS[operator](type_.compare(value, wanted)))


_READ_BYTES: Final[Mapping[CqlType, int]] = MappingProxyType({TINYINT: 1, FLOAT: 4, DOUBLE: 8})
"""Types that look no further than their own size."""


def _compare_as_key(operator: Operator, type_: CqlType, wanted: Value, value: bytes | None) -> bool:
    """The value of a map's key, which Cassandra compares by the type of the keys: that may not be able to."""
    if isinstance(wanted, bytes) and value is not None:
        read = _READ_BYTES.get(type_)
        if read is not None:
            value, wanted = value[:read], wanted[:read]
        if type_ in (UUID, TIMEUUID) and not len(value) == len(wanted) == UUID_BYTES:
            return bool(_ORDER_HOLDS[operator]((len(value) == UUID_BYTES) - (len(wanted) == UUID_BYTES)))
        if type_ == DECIMAL and SCALE_BYTES in (len(value), len(wanted)):
            raise ServerError("java.lang.NumberFormatException: Zero length BigInteger")
    try:
        return _compare(operator, type_, wanted, value)
    except UNREADABLE:
        raise unreadable() from None


# --- compiling -------------------------------------------------------------------------------------------------------


def compile_condition(condition: tree.Condition, context: BindContext) -> ColumnCondition:
    """Raises InvalidRequest with Cassandra's text."""
    column = existing_column(context, condition.column)
    type_ = column.type
    if type_ == COUNTER:
        raise InvalidRequest("Conditions on counters are not supported")
    receiver = column_spec(context.table, column)
    element: Term | None = None
    field: int | None = None
    if condition.element is not None:
        if not isinstance(type_, ListType | SetType | MapType):
            raise InvalidRequest(f"Invalid element access syntax for non-collection column {column.name}")
        if isinstance(type_, SetType):
            raise InvalidRequest(f"Invalid element access syntax for set column {column.name}")
        element_spec, receiver = element_specs(context, column)
        _refuse_durations(receiver.type, condition.operator)
        element = compile_term(condition.element, element_spec, context)
    elif condition.field is not None:
        if not isinstance(type_, UserType):
            package = "org.apache.cassandra.db.marshal."
            raise class_cast(type_.java().partition("(")[0], package + "UserType")
        if condition.field not in type_.field_names:
            raise InvalidRequest(f"Unknown field {condition.field} for column {column.name}")
        field = type_.field_names.index(condition.field)
        name = f"{column.name}.{condition.field}"
        receiver = ColumnSpec(receiver.keyspace, receiver.table, name, type_.field_types[field])
        _refuse_durations(receiver.type, condition.operator)
    else:
        _refuse_durations(type_, condition.operator)
    terms, in_marker = _compile_values(condition, column, receiver, context)
    if column.kind in (ColumnKind.PARTITION_KEY, ColumnKind.CLUSTERING):
        raise InvalidRequest(f"PRIMARY KEY column '{column.name}' cannot have IF conditions")
    return ColumnCondition(column, condition.operator, terms, in_marker, element, field)


def _compile_values(
    condition: tree.Condition, column: ColumnMetadata, receiver: ColumnSpec, context: BindContext
) -> tuple[tuple[Term, ...], Term | None]:
    operator, type_ = condition.operator, receiver.type
    if operator is Operator.CONTAINS_KEY and not isinstance(type_, MapType):
        raise InvalidRequest(f"Cannot use CONTAINS KEY on non-map column {receiver.name}")
    if operator is Operator.CONTAINS and not isinstance(type_, ListType | SetType | MapType):
        raise InvalidRequest(f"Cannot use CONTAINS on non-collection column {receiver.name}")
    if operator is Operator.IN:
        if isinstance(condition.value, tree.Marker):
            return (), compile_in_marker(condition.value, receiver, context)
        assert isinstance(condition.value, tuple)
        return tuple(compile_term(value, receiver, context) for value in condition.value), None
    assert isinstance(condition.value, tree.Expression)
    if operator in (Operator.CONTAINS, Operator.CONTAINS_KEY):
        prefix, part = ("key", "") if operator is Operator.CONTAINS_KEY else ("value", "")
        if isinstance(type_, MapType):
            inner = type_.keys if operator is Operator.CONTAINS_KEY else type_.values
        else:
            assert isinstance(type_, ListType | SetType)
            inner = type_.elements
        receiver = ColumnSpec(receiver.keyspace, receiver.table, f"{prefix}({column.name}){part}", inner)
    return (compile_term(condition.value, receiver, context),), None


def _refuse_durations(type_: CqlType, operator: Operator) -> None:
    """Slices of what has no order (Raw.validateOperationOnDurations)."""
    if operator in (Operator.EQ, Operator.NEQ, Operator.IN, Operator.CONTAINS, Operator.CONTAINS_KEY):
        return
    if not refers_to_duration(type_):
        return
    if isinstance(type_, TupleType | UserType):
        raise InvalidRequest("Slice conditions are not supported on tuples containing durations")
    if isinstance(type_, ListType | SetType | MapType):
        raise InvalidRequest("Slice conditions are not supported on collections containing durations")
    raise InvalidRequest(f"Slice conditions ( {operator.value} ) are not supported on durations")


def refers_to_duration(type_: CqlType) -> bool:
    match type_:
        case ListType(elements=elements) | SetType(elements=elements) | VectorType(elements=elements):
            return refers_to_duration(elements)
        case MapType(keys=keys, values=values):
            return refers_to_duration(keys) or refers_to_duration(values)
        case UserType(field_types=types):
            return any(map(refers_to_duration, types))
        case TupleType(elements=types):
            return any(map(refers_to_duration, types))
    return type_.cql() == "duration"
