"""What INSERT, UPDATE and DELETE do to one column of one row (cql3/Operation.java, Constants, Lists, Sets, Maps, UserTypes).

An operation is compiled once and then applied to a `RowChange`, which gathers the cells that one execution writes to one
row. Sets and maps come from terms in their order and without duplicates; what a bound value may be is checked by terms.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cqlserver.terms.bound_terms import Parts
from cqlserver.terms.packing import split_tuple
from cqlserver.terms.terms import BindContext, Constant, Term, Value, Values, column_spec, compile_term
from grammar import tree
from protocol.errors import InvalidRequest, ServerError
from protocol.primitives import UNSET
from protocol.responses import ColumnSpec
from protocol.types import (
    COUNTER,
    INT,
    TIMEUUID,
    CqlType,
    ListType,
    MapType,
    NativeType,
    SetType,
    TupleType,
    UserType,
    quoted_identifier,
)
from storage.collection_items import split_collection
from storage.environment.strands import paused, sorted_in_turns
from storage.mutation import LIVE, NEVER, Cell, ComplexColumn, Deletion, Liveness, Row
from storage.reconcile import Identity, distinct_cells, reconcile
from storage.schema.metadata import ColumnKind, ColumnMetadata

if TYPE_CHECKING:
    from cqlserver.guardrails import Guarded

_NUMBERS = frozenset(("tinyint", "smallint", "int", "bigint", "varint", "float", "double", "decimal"))
_STRINGS = frozenset(("ascii", "text"))
EMPTY = b""
EXPIRY_MAX_S = 0x7FFFFFFE
"""The last second at which a cell may expire: 2038, for as long as a cluster keeps to the storage format of 4.x
(storage_compatibility_mode, ExpirationDateOverflowHandling)."""


@dataclass(slots=True)
class WriteContext:
    """One execution: its time, TTL, bound values, and what operations need from the node.

    `overwrite_timestamp_us` is that of the deletion which precedes a collection's new content: just below the write's.
    """

    timestamp_us: int
    ttl_s: int
    now_s: int
    values: Values
    new_list_path: Callable[[], bytes]
    new_prepend_paths: Callable[[int], list[bytes]]
    guarded: "Guarded | None" = None

    def cell(self, value: bytes) -> Cell:
        if self.ttl_s:
            return Cell(self.timestamp_us, value, self.ttl_s, min(self.now_s + self.ttl_s, EXPIRY_MAX_S))
        return Cell(self.timestamp_us, value)

    def liveness(self) -> Liveness:
        if self.ttl_s:
            return Liveness(self.timestamp_us, self.ttl_s, min(self.now_s + self.ttl_s, EXPIRY_MAX_S))
        return Liveness(self.timestamp_us)

    def tombstone(self) -> Cell:
        return Cell(self.timestamp_us, None, 0, self.now_s)

    def deletion(self) -> Deletion:
        return Deletion(self.timestamp_us, self.now_s)


@dataclass(slots=True)
class RowChange:
    """The cells that an execution writes to one row; `existing` is the row before, for operations that read."""

    context: WriteContext
    existing: Row | None = None
    simple: dict[str, Cell] = field(default_factory=dict)
    complex: dict[str, tuple[Deletion, dict[bytes, Cell]]] = field(default_factory=dict)
    increments: dict[str, int] = field(default_factory=dict)

    def set(self, column: str, value: bytes | None) -> None:
        if self.context.guarded is not None and value is not None:
            self.context.guarded.value(column, value)
        self.simple[column] = self.context.tombstone() if value is None else self.context.cell(value)

    def set_path(self, column: str, path: bytes, value: bytes | None) -> None:
        cells = self.complex.setdefault(column, (LIVE, {}))[1]
        if self.context.guarded is not None:
            if value is not None:
                self.context.guarded.value(column, value)
            self.context.guarded.value(column, path)
        cell = self.context.tombstone() if value is None else self.context.cell(value)
        cells[path] = reconcile(cells[path], cell) if path in cells else cell

    def delete_complex(self, column: str) -> None:
        self.complex[column] = (self.context.deletion(), self.complex.get(column, (LIVE, {}))[1])

    def overwrite_complex(self, column: str) -> None:
        deletion = Deletion(self.context.timestamp_us - 1, self.context.now_s)
        self.complex[column] = (deletion, self.complex.get(column, (LIVE, {}))[1])

    def existing_cells(self, column: str) -> list[tuple[bytes, Cell]]:
        """The live cells of a list column, in order: of the row before, and what this change has done to it so far."""
        data = self.existing.columns.get(column) if self.existing is not None else None
        cells = dict(data.cells) if isinstance(data, ComplexColumn) else {}
        pending = self.complex.get(column)
        if pending is not None:
            deletion, changed = pending
            cells = {path: cell for path, cell in paused(cells.items()) if cell.timestamp_us > deletion.timestamp_us}
            for path, cell in paused(changed.items()):
                cells[path] = reconcile(cells[path], cell) if path in cells else cell
        now_s = self.context.now_s
        live = [
            (path, cell)
            for path, cell in paused(cells.items())
            if cell.value is not None and (cell.local_deletion_s == NEVER or cell.local_deletion_s > now_s)
        ]
        keyed = [(TIMEUUID.order_key(item[0]), index) for index, item in enumerate(paused(live))]
        return [live[index] for _, index in paused(sorted_in_turns(keyed))]

    def existing_value(self, column: str) -> bytes | None:
        """The value of a column of one cell, as it is with this change so far."""
        pending = self.simple.get(column)
        if pending is not None:
            return pending.value
        data = self.existing.columns.get(column) if self.existing is not None else None
        return data.value if isinstance(data, Cell) else None

    def columns(self, identities: Mapping[str, Identity]) -> dict[str, Cell | ComplexColumn]:
        """What is to be written. `identities`: the table's, as `Resolve` has them."""
        merged: dict[str, Cell | ComplexColumn] = dict(self.simple)
        for name, (deletion, cells) in self.complex.items():
            if cells or deletion is not LIVE:
                is_distinct = len(cells) < 2 or name not in identities
                merged[name] = ComplexColumn(
                    deletion, cells if is_distinct else distinct_cells(cells.items(), identities[name])
                )
        return merged


class Operation:
    """One compiled operation; `requires_read`: the row before must be read."""

    requires_read = False
    is_plain_set = False

    def __init__(self, column: ColumnMetadata, term: Term) -> None:
        self.column, self.name, self.term = column, column.name, term

    def apply(self, change: RowChange) -> None:
        raise NotImplementedError


class Set(Operation):
    """`c = value` of a column that is one cell."""

    is_plain_set = True

    def apply(self, change: RowChange) -> None:
        value = self.term.bind(change.context.values)
        if value is None or isinstance(value, bytes):
            guarded = change.context.guarded
            if guarded is not None and value is not None and isinstance(self.column.type, ListType | SetType | MapType):
                guarded.frozen_collection(self.name, len(split_collection(value)) // _parts_each(self.column.type), value)
            change.set(self.name, value)


class SetCollection(Operation):
    """`c = value` of a non-frozen collection: all of the old content goes, then what the value holds is added."""

    def apply(self, change: RowChange) -> None:
        value = self.term.bind(change.context.values)
        if value is UNSET:
            return
        change.overwrite_complex(self.name)
        if isinstance(value, bytes):
            add_to_collection(self.column, value, change)


class AddToCollection(Operation):
    """`c = c + value`: adds to a set, puts into a map."""

    def apply(self, change: RowChange) -> None:
        value = self.term.bind(change.context.values)
        if isinstance(value, bytes):
            add_to_collection(self.column, value, change)


def _parts_each(type_: CqlType) -> int:
    """Of a serialised collection: how many values an item of it has."""
    return 2 if isinstance(type_, MapType) else 1


def add_to_collection(column: ColumnMetadata, value: bytes, change: RowChange) -> None:
    parts = split_collection(value)
    guarded = change.context.guarded
    if guarded is not None and parts:
        guarded.collection(column.name, parts, _parts_each(column.type), isinstance(column.type, ListType))
    match column.type:
        case ListType():
            for part in paused(parts):
                change.set_path(column.name, change.context.new_list_path(), _not_null(part))
        case SetType():
            for part in paused(parts):
                change.set_path(column.name, part or EMPTY, EMPTY)
        case MapType():
            for key, item in paused(zip(parts[::2], parts[1::2], strict=True)):
                change.set_path(column.name, key or EMPTY, item or EMPTY)


def class_cast(found: str, wanted: str) -> ServerError:
    """What clients get where Cassandra takes one Java class for another."""
    return ServerError(
        f"java.lang.ClassCastException: class {found} cannot be cast to class {wanted} "
        f"({found} and {wanted} are in unnamed module of loader 'app')"
    )


def _not_null(item: bytes | None) -> bytes:
    if item is None:
        raise ServerError("java.lang.NullPointerException")  # which is what Cassandra answers
    return item


class AppendToList(Operation):
    """`c = c + value` of a list."""

    def apply(self, change: RowChange) -> None:
        value = self.term.bind(change.context.values)
        if isinstance(value, bytes):
            add_to_collection(self.column, value, change)
        elif value is UNSET:
            # the one collection operation that forgets about unset values
            raise class_cast("org.apache.cassandra.cql3.Constants$Value", "org.apache.cassandra.cql3.Lists$Value")


class Prepend(Operation):
    """`c = value + c` of a list: paths before all others, by times that run backwards."""

    def apply(self, change: RowChange) -> None:
        value = self.term.bind(change.context.values)
        if not isinstance(value, bytes):
            return
        parts = split_collection(value)
        for path, part in paused(zip(change.context.new_prepend_paths(len(parts)), parts, strict=True)):
            change.set_path(self.name, path, _not_null(part))


class SetUserType(Operation):
    """`c = value` of a non-frozen user type."""

    def apply(self, change: RowChange) -> None:
        assert isinstance(self.column.type, UserType)
        values = change.context.values
        bound = self.term.bind(values)
        if bound is UNSET:
            return
        change.overwrite_complex(self.name)
        if bound is None:
            return
        parts: Sequence[Value] | None
        if isinstance(self.term, Constant) and isinstance(bound, bytes):
            parts = split_tuple(bound, len(self.column.type.field_names))
        else:
            parts = self.term.elements(values)
        for position, part in enumerate(parts or ()):
            if part is not None:
                # an unset value in a literal is written as an empty one
                change.set_path(self.name, field_path(position), part if isinstance(part, bytes) else EMPTY)


def field_path(position: int) -> bytes:
    """The path of a user type's field: its position as a smallint."""
    return position.to_bytes(2, "big")


class SetField(Operation):
    """`c.field = value`."""

    def __init__(self, column: ColumnMetadata, term: Term, position: int) -> None:
        super().__init__(column, term)
        self.path = field_path(position)

    def apply(self, change: RowChange) -> None:
        value = self.term.bind(change.context.values)
        if value is None or isinstance(value, bytes):
            change.set_path(self.name, self.path, value)


class DeleteField(Operation):
    """`DELETE c.field`."""

    def __init__(self, column: ColumnMetadata, position: int) -> None:
        super().__init__(column, _NOTHING)
        self.path = field_path(position)

    def apply(self, change: RowChange) -> None:
        change.set_path(self.name, self.path, None)


class DeleteColumn(Operation):
    """`DELETE c`."""

    def __init__(self, column: ColumnMetadata) -> None:
        super().__init__(column, _NOTHING)

    def apply(self, change: RowChange) -> None:
        if self.column.type.is_multicell:
            change.delete_complex(self.name)
        else:
            change.set(self.name, None)


class SetMapEntry(Operation):
    """`c[key] = value` of a map."""

    def __init__(self, column: ColumnMetadata, key: Term, term: Term) -> None:
        super().__init__(column, term)
        self.key = key

    def apply(self, change: RowChange) -> None:
        key = self.key.bind(change.context.values)
        value = self.term.bind(change.context.values)
        if key is None:
            raise InvalidRequest("Invalid null map key")
        if not isinstance(key, bytes):
            raise InvalidRequest("Invalid unset map key")
        if value is None or isinstance(value, bytes):
            change.set_path(self.name, key, value)


class SetListItem(Operation):
    """`c[index] = value` of a list: which cell that is, the row before says."""

    requires_read = True

    def __init__(self, column: ColumnMetadata, index: Term, term: Term) -> None:
        super().__init__(column, term)
        self.index = index

    def apply(self, change: RowChange) -> None:
        if change.context.guarded is not None:
            change.context.guarded.read_before_write("Setting of list items by index requiring read before write")
        index = self.index.bind(change.context.values)
        value = self.term.bind(change.context.values)
        if index is None:
            raise InvalidRequest("Invalid null value for list index")
        if not isinstance(index, bytes):
            raise InvalidRequest("Invalid unset value for list index")
        path = _path_at(change, self.name, index, "Attempted to set an element on a list which is null")
        if value is None or isinstance(value, bytes):
            change.set_path(self.name, path, value)


class DeleteListItem(Operation):
    """`DELETE c[index]` of a list."""

    requires_read = True

    def apply(self, change: RowChange) -> None:
        if change.context.guarded is not None:
            change.context.guarded.read_before_write("Removal of list items by index requiring read before write")
        index = self.term.bind(change.context.values)
        if index is None:
            raise InvalidRequest("Invalid null value for list index")
        if isinstance(index, bytes):
            missing = "Attempted to delete an element from a list which is null"
            change.set_path(self.name, _path_at(change, self.name, index, missing), None)


def _path_at(change: RowChange, column: str, index: bytes, missing: str) -> bytes:
    if not index:
        raise ServerError("java.lang.IndexOutOfBoundsException")
    position = int.from_bytes(index, "big", signed=True)
    cells = change.existing_cells(column)
    if not cells:
        raise InvalidRequest(missing)
    if not 0 <= position < len(cells):
        raise InvalidRequest(f"List index {position} out of bound, list has size {len(cells)}")
    return cells[position][0]


class DiscardFromList(Operation):
    """`c = c - [values]` of a list: every item that equals one of the values."""

    requires_read = True

    def apply(self, change: RowChange) -> None:
        if change.context.guarded is not None:
            change.context.guarded.read_before_write("Removal of list items requiring read before write")
        value = self.term.bind(change.context.values)
        if not isinstance(value, bytes):
            return
        unwanted = set(split_collection(value))
        for path, cell in paused(change.existing_cells(self.name)):
            if cell.value in unwanted:
                change.set_path(self.name, path, None)


class DiscardKeys(Operation):
    """`c = c - {values}` of a set or a map."""

    def apply(self, change: RowChange) -> None:
        value = self.term.bind(change.context.values)
        if isinstance(value, bytes):
            for part in paused(split_collection(value)):
                change.set_path(self.name, part or EMPTY, None)


class DeleteElement(Operation):
    """`DELETE c[element]` of a set or a map."""

    def apply(self, change: RowChange) -> None:
        element = self.term.bind(change.context.values)
        kind = "map key" if isinstance(self.column.type, MapType) else "set element"
        if element is None:
            raise InvalidRequest(f"Invalid null {kind}" if kind == "map key" else "Invalid null set element")
        if not isinstance(element, bytes):
            if kind == "set element":
                return
            raise InvalidRequest(f"Invalid unset {kind}")
        change.set_path(self.name, element, None)


class Increment(Operation):
    """`c = c + value` (sign 1) or `c = c - value` (sign -1) of a counter."""

    def __init__(self, column: ColumnMetadata, term: Term, sign: int) -> None:
        super().__init__(column, term)
        self.sign = sign

    def apply(self, change: RowChange) -> None:
        value = self.term.bind(change.context.values)
        if value is None:
            raise InvalidRequest("Invalid null value for counter increment")
        if not isinstance(value, bytes):
            return
        if not value:
            raise ServerError("java.lang.IndexOutOfBoundsException")
        delta = int.from_bytes(value, "big", signed=True)
        if self.sign < 0 and delta == -(1 << 63):
            raise InvalidRequest(f"The negation of {delta} overflows supported counter precision (signed 8 bytes integer)")
        change.increments[self.name] = change.increments.get(self.name, 0) + self.sign * delta


class AddToValue(Operation):
    """`c = c + value` of a number or a text, in conditional updates, where the row before is known."""

    requires_read = True

    def apply(self, change: RowChange) -> None:
        value = self.term.bind(change.context.values)
        existing = change.existing_value(self.name)
        if existing is None or not isinstance(value, bytes):
            return
        kind = self.column.type.cql()
        if kind in _STRINGS:
            change.set(self.name, existing + value)
        else:
            from cqlserver.functions.arithmetic import add_values

            if not existing or not value:
                raise ServerError("java.lang.NullPointerException")
            change.set(self.name, add_values(self.column.type, existing, value))


_NOTHING = Constant(None, INT)

# --- compiling -------------------------------------------------------------------------------------------------------


def compile_set_value(column: ColumnMetadata, value: tree.Expression, context: BindContext) -> Operation:
    term = compile_term(value, column_spec(context.table, column), context)
    if isinstance(column.type, UserType) and isinstance(value, tree.TupleLiteral):
        term = _ForeignTuple(term)
    return set_operation(column, term)


class _ForeignTuple(Term):
    """`(1, 'a')` as a whole user type: the literal suits, but Cassandra takes its value for one of another class."""

    __slots__ = ("markers",)

    def __init__(self, term: Term) -> None:
        self.markers = term.markers

    def bind(self, values: Values) -> Value:
        raise ServerError("java.lang.ClassCastException")

    def elements(self, values: Values) -> Parts | None:
        raise ServerError("java.lang.ClassCastException")


def set_operation(column: ColumnMetadata, term: Term) -> Operation:
    """`column = term`."""
    if column.type == COUNTER:
        raise InvalidRequest(
            f"Cannot set the value of counter column {column.name} (counters can only be incremented/decremented, not set)"
        )
    if not column.type.is_multicell:
        return Set(column, term)
    return SetUserType(column, term) if isinstance(column.type, UserType) else SetCollection(column, term)


def compile_assignment(assignment: tree.Assignment, context: BindContext, is_conditional: bool) -> Operation:
    """One assignment of UPDATE ... SET. Raises InvalidRequest with Cassandra's text."""
    column = existing_column(context, assignment.column)
    if column.kind in (ColumnKind.PARTITION_KEY, ColumnKind.CLUSTERING):
        raise InvalidRequest(f"PRIMARY KEY part {column.name} found in SET part")
    match assignment:
        case tree.SetValue(value=value):
            return compile_set_value(column, value, context)
        case tree.SetElement(key=key, value=value):
            return _compile_set_element(column, key, value, context)
        case tree.SetField(field=name, value=value):
            return _compile_set_field(column, name, value, context)
        case tree.AddValue(value=value):
            return _compile_add(column, value, context, is_conditional)
        case tree.SubtractValue(value=value):
            return _compile_subtract(column, value, context)
        case tree.PrependValue(value=value):
            term = compile_term(value, column_spec(context.table, column), context)
            text = f"{column.name} = {_text(value, context)} - {column.name}"
            if not isinstance(column.type, ListType):
                raise InvalidRequest(f"Invalid operation ({text}) for non list column {column.name}")
            if not column.type.is_multicell:
                raise InvalidRequest(f"Invalid operation ({text}) for frozen list column {column.name}")
            return Prepend(column, term)
    raise TypeError(assignment)


def existing_column(context: BindContext, name: str) -> ColumnMetadata:
    column = context.table.visible_by_name.get(name)
    if column is None:
        raise InvalidRequest(f"Undefined column name {quoted_identifier(name)} in table {context.table}")
    return column


def _text(expression: tree.Expression, context: BindContext) -> str:
    from cqlserver.terms.terms import raw_term

    return str(raw_term(expression, context))


def _part_spec(context: BindContext, column: ColumnMetadata, name: str, type_: CqlType) -> ColumnSpec:
    return ColumnSpec(context.table.keyspace, context.table.name, name, type_)


def element_specs(context: BindContext, column: ColumnMetadata) -> tuple[ColumnSpec, ColumnSpec]:
    """The receivers of `c[element]` and of its value, for a list or a map."""
    if isinstance(column.type, ListType):
        return (
            _part_spec(context, column, f"idx({column.name})", INT),
            _part_spec(context, column, f"value({column.name})", column.type.elements),
        )
    assert isinstance(column.type, MapType)
    return (
        _part_spec(context, column, f"key({column.name})", column.type.keys),
        _part_spec(context, column, f"value({column.name})", column.type.values),
    )


def _compile_set_element(
    column: ColumnMetadata, key: tree.Expression, value: tree.Expression, context: BindContext
) -> Operation:
    text = f"{column.name}[{_text(key, context)}] = {_text(value, context)}"
    if not isinstance(column.type, ListType | SetType | MapType):
        raise InvalidRequest(f"Invalid operation ({text}) for non collection column {column.name}")
    if not column.type.is_multicell:
        raise InvalidRequest(f"Invalid operation ({text}) for frozen collection column {column.name}")
    if isinstance(column.type, SetType):
        raise InvalidRequest(f"Invalid operation ({text}) for set column {column.name}")
    key_spec, value_spec = element_specs(context, column)
    key_term, term = compile_term(key, key_spec, context), compile_term(value, value_spec, context)
    if isinstance(column.type, ListType):
        return SetListItem(column, key_term, term)
    return SetMapEntry(column, key_term, term)


def field_spec(context: BindContext, column: ColumnMetadata, position: int) -> ColumnSpec:
    assert isinstance(column.type, UserType)
    name = f"{column.name}.{column.type.field_names[position]}"
    return _part_spec(context, column, name, column.type.field_types[position])


def _compile_set_field(column: ColumnMetadata, name: str, value: tree.Expression, context: BindContext) -> Operation:
    text = f"{column.name}.{name} = {_text(value, context)}"
    if not isinstance(column.type, UserType):
        raise InvalidRequest(f"Invalid operation ({text}) for non-UDT column {column.name}")
    if not column.type.is_multicell:
        raise InvalidRequest(f"Invalid operation ({text}) for frozen UDT column {column.name}")
    position = field_position(column, column.type, name)
    return SetField(column, compile_term(value, field_spec(context, column, position), context), position)


def field_position(column: ColumnMetadata, type_: UserType, name: str) -> int:
    if name not in type_.field_names:
        raise InvalidRequest(f"UDT column {column.name} does not have a field named {name}")
    return type_.field_names.index(name)


def _compile_add(column: ColumnMetadata, value: tree.Expression, context: BindContext, is_conditional: bool) -> Operation:
    type_, spec = column.type, column_spec(context.table, column)
    text = f"{column.name} = {column.name} + {_text(value, context)}"
    if not isinstance(type_, ListType | SetType | MapType):
        if isinstance(type_, TupleType | UserType):
            raise InvalidRequest(f"Invalid operation ({text}) for tuple column {column.name}")
        kind = type_.cql() if isinstance(type_, NativeType) else ""
        if type_ == COUNTER:
            return Increment(column, compile_term(value, spec, context), 1)
        if not is_conditional:
            raise InvalidRequest(f"Invalid operation ({text}) for non counter column {column.name}")
        if kind not in _NUMBERS and kind not in _STRINGS:
            raise InvalidRequest(f"Invalid operation ({text}) for non-numeric and non-text type {column.name}")
        return AddToValue(column, compile_term(value, spec, context))
    if not type_.is_multicell:
        raise InvalidRequest(f"Invalid operation ({text}) for frozen collection column {column.name}")
    if isinstance(type_, MapType):
        try:
            return AddToCollection(column, compile_term(value, spec, context))
        except InvalidRequest:
            raise InvalidRequest(f"Value for a map addition has to be a map, but was: '{_text(value, context)}'") from None
    kind_of_addition = AppendToList if isinstance(type_, ListType) else AddToCollection
    return kind_of_addition(column, compile_term(value, spec, context))


def _compile_subtract(column: ColumnMetadata, value: tree.Expression, context: BindContext) -> Operation:
    type_, spec = column.type, column_spec(context.table, column)
    text = f"{column.name} = {column.name} - {_text(value, context)}"
    if not isinstance(type_, ListType | SetType | MapType):
        if type_ != COUNTER:
            raise InvalidRequest(f"Invalid operation ({text}) for non counter column {column.name}")
        return Increment(column, compile_term(value, spec, context), -1)
    if not type_.is_multicell:
        raise InvalidRequest(f"Invalid operation ({text}) for frozen collection column {column.name}")
    if isinstance(type_, ListType):
        return DiscardFromList(column, compile_term(value, spec, context))
    if isinstance(type_, SetType):
        return DiscardKeys(column, compile_term(value, spec, context))
    keys_spec = _part_spec(context, column, column.name, SetType(type_.keys, False))
    try:
        return DiscardKeys(column, compile_term(value, keys_spec, context))
    except InvalidRequest:
        raise InvalidRequest(f"Value for a map substraction has to be a set, but was: '{_text(value, context)}'") from None


def compile_deletion(deletion: tree.Deletion, context: BindContext) -> Operation:
    """One item of DELETE's list. Raises InvalidRequest with Cassandra's text."""
    column = existing_column(context, deletion.column)
    if column.kind in (ColumnKind.PARTITION_KEY, ColumnKind.CLUSTERING):
        raise InvalidRequest(f"Invalid identifier {column.name} for deletion (should not be a PRIMARY KEY part)")
    if deletion.element is not None:
        return _compile_delete_element(column, deletion.element, context)
    if deletion.field is not None:
        if not isinstance(column.type, UserType):
            raise InvalidRequest(f"Invalid field deletion operation for non-UDT column {column.name}")
        if not column.type.is_multicell:
            raise InvalidRequest(f"Frozen UDT column {column.name} does not support field deletions")
        return DeleteField(column, field_position(column, column.type, deletion.field))
    return DeleteColumn(column)


def _compile_delete_element(column: ColumnMetadata, element: tree.Expression, context: BindContext) -> Operation:
    if not isinstance(column.type, ListType | SetType | MapType):
        raise InvalidRequest(f"Invalid deletion operation for non collection column {column.name}")
    if not column.type.is_multicell:
        raise InvalidRequest(f"Invalid deletion operation for frozen collection column {column.name}")
    if isinstance(column.type, SetType):
        spec = _part_spec(context, column, f"value({column.name})", column.type.elements)
        return DeleteElement(column, compile_term(element, spec, context))
    key_spec, _ = element_specs(context, column)
    term = compile_term(element, key_spec, context)
    return DeleteListItem(column, term) if isinstance(column.type, ListType) else DeleteElement(column, term)
