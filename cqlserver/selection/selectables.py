"""Expressions between SELECT and FROM, resolved against the table (cql3/selection/Selectable.java).

`selectable(expression, context)` resolves columns and functions; `compile(expected, fetched)` makes the selector: columns
that it reads are added to `fetched`, and bind markers in it become known to the context. `expected` is the type that
the surroundings want (an argument's, an element's), None where nobody does.
"""

from collections.abc import Callable, Sequence

from cqlserver.functions.model import AggregateFunction, Function, ScalarFunction
from cqlserver.functions.resolution import resolve
from cqlserver.restrictions.relations import existing_column
from cqlserver.selection.fetched import Fetched
from cqlserver.selection.selectors import (
    AggregateSelector,
    CallSelector,
    ColumnSelector,
    Combine,
    ComposedSelector,
    ElementSelector,
    FieldSelector,
    MaskedSelector,
    Selector,
    SliceSelector,
    TermSelector,
    TimestampSelector,
    combine_map,
    elements_of,
    vector_elements,
)
from cqlserver.terms.assignment import (
    Match,
    common_type,
    field_spec,
    is_value_compatible,
    key_spec,
    list_text,
    map_text,
    match_list,
    match_map,
    match_set,
    match_tuple,
    match_type,
    match_user_type,
    match_vector,
    set_text,
    tuple_text,
    tuple_types,
    value_spec,
)
from cqlserver.terms.binding import BindContext
from cqlserver.terms.packing import pack_collection, pack_items, pack_vector, sort_set
from cqlserver.terms.raw_terms import RawLiteral, RawLiteralMarker, RawTerm
from cqlserver.terms.terms import NEGATION_NAME, OPERATION_NAMES, raw_term
from cqlserver.terms.type_names import type_text
from grammar import tree
from protocol.errors import InvalidRequest
from protocol.responses import ColumnSpec
from protocol.types import (
    DURATION,
    NATIVE_TYPES,
    TIMEUUID,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)
from storage.schema.metadata import ColumnMetadata


class Selectable:
    """The root; `str()` is its text in messages."""

    __slots__ = ("context",)

    def __init__(self, context: BindContext) -> None:
        self.context = context

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        """Raises InvalidRequest."""
        raise NotImplementedError

    def maybe_exact_type(self) -> CqlType | None:
        return None

    def maybe_compatible_type(self) -> CqlType | None:
        return self.maybe_exact_type()

    @property
    def is_reversed(self) -> bool:
        """A DESC column: in Cassandra its type is a ReversedType, which is no collection, vector or user type."""
        return False

    @property
    def needs_own_type(self) -> bool:
        """Whether it is a literal of several values: assignable to a collection, tuple, vector or user type only."""
        return isinstance(self, ArraySelectable | SetSelectable | MapSelectable)

    def match(self, receiver: ColumnSpec) -> Match:
        exact = self.maybe_exact_type()
        return Match.NONE if exact is None else match_type(exact, receiver.type)

    def selects(self, predicate: Callable[[ColumnMetadata], bool]) -> bool:
        """Whether a column in it is such."""
        return any(child.selects(predicate) for child in self._children)

    @property
    def _children(self) -> Sequence["Selectable"]:
        return ()

    def spec(self, name: str, type_: CqlType) -> ColumnSpec:
        return ColumnSpec(self.context.table.keyspace, self.context.table.name, name, type_)

    def _type_or(self, expected: CqlType | None) -> CqlType:
        found = self.maybe_exact_type() or expected
        if found is None:
            raise InvalidRequest(f"Cannot infer type for term {self} in selection clause (try using a cast to force a type)")
        return found


def _names(selectors: Sequence[Selector]) -> list[str]:
    return [selector.name for selector in selectors]


class ColumnSelectable(Selectable):
    __slots__ = ("column",)

    def __init__(self, column: ColumnMetadata, context: BindContext) -> None:
        super().__init__(context)
        self.column = column

    def __str__(self) -> str:
        return self.column.name

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        index = fetched.place(self.column)
        if self.context.shows_masks and self.column.mask is not None:
            from cqlserver.selection.masks import column_mask

            return MaskedSelector(self.column, index, column_mask(self.column, self.context))
        return ColumnSelector(self.column, index)

    def maybe_exact_type(self) -> CqlType | None:
        return self.column.type

    @property
    def is_reversed(self) -> bool:
        return self.column.reversed

    def selects(self, predicate: Callable[[ColumnMetadata], bool]) -> bool:
        return predicate(self.column)


class TermSelectable(Selectable):
    __slots__ = ("raw",)

    def __init__(self, raw: RawTerm, context: BindContext) -> None:
        super().__init__(context)
        self.raw = raw

    def __str__(self) -> str:
        return str(self.raw)

    def match(self, receiver: ColumnSpec) -> Match:
        return self.raw.match(receiver)

    @property
    def is_marker(self) -> bool:
        return False  # Cassandra looks for markers among terms only, and this is a selectable

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        if isinstance(self.raw, RawLiteralMarker):
            raise InvalidRequest("a literal gives its column a name: it can't be left out")
        type_ = self._type_or(expected)
        return TermSelector(str(self.raw), type_, self.raw.prepare(self.spec("[selection]", type_)))

    def maybe_exact_type(self) -> CqlType | None:
        return self.raw.maybe_exact_type()

    def maybe_compatible_type(self) -> CqlType | None:
        return self.raw.maybe_compatible_type()


class TimestampSelectable(Selectable):
    """writetime, maxwritetime, ttl."""

    __slots__ = ("column", "function", "selected")

    def __init__(self, function: str, selected: Selectable, column: ColumnMetadata, context: BindContext) -> None:
        super().__init__(context)
        self.function, self.selected, self.column = function, selected, column

    def __str__(self) -> str:
        return f"{self.function}({self.selected})"

    @property
    def _children(self) -> Sequence[Selectable]:
        return (self.selected,)

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        if self.column.is_primary_key:
            raise InvalidRequest(f"Cannot use selection function {self.function} on PRIMARY KEY part {self.column.name}")
        return TimestampSelector(self.function, self.selected.compile(expected, fetched))

    def maybe_exact_type(self) -> CqlType | None:
        one = NATIVE_TYPES["int" if self.function == "ttl" else "bigint"]
        is_list = self.column.type.is_multicell and self.function != "maxwritetime"
        return ListType(one, True) if is_list else one


class CallSelectable(Selectable):
    """A function, an aggregate, an operation."""

    __slots__ = ("arguments", "function")

    def __init__(self, function: Function, arguments: Sequence[Selectable], context: BindContext) -> None:
        super().__init__(context)
        self.function, self.arguments = function, tuple(arguments)

    def __str__(self) -> str:
        return self.function.column_name([str(argument) for argument in self.arguments])

    @property
    def _children(self) -> Sequence[Selectable]:
        return self.arguments

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        pairs = zip(self.arguments, self.function.argument_types, strict=True)
        selectors = [argument.compile(type_, fetched) for argument, type_ in pairs]
        return compile_call(self.function, selectors, self.context)

    def maybe_exact_type(self) -> CqlType | None:
        return self.function.return_type


def compile_call(function: Function, arguments: Sequence[Selector], context: BindContext) -> Selector:
    name = function.column_name(_names(arguments))
    if isinstance(function, AggregateFunction):
        if any(argument.is_aggregate for argument in arguments):
            raise InvalidRequest("aggregate functions cannot be used as arguments of aggregate functions")
        return AggregateSelector(name, function, arguments)
    assert isinstance(function, ScalarFunction), function
    return CallSelector(name, function, arguments, function.bind(context.calls).execute)


class CastSelectable(Selectable):
    __slots__ = ("selected", "type", "type_name")

    def __init__(self, selected: Selectable, type_name: str, context: BindContext) -> None:
        super().__init__(context)
        self.selected, self.type_name = selected, type_name
        self.type = NATIVE_TYPES["text" if type_name == "varchar" else type_name]

    def __str__(self) -> str:
        return f"cast({self.selected} as {self.type_name})"

    @property
    def _children(self) -> Sequence[Selectable]:
        return (self.selected,)

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        selector = self.selected.compile(None, fetched)
        if selector.type == self.type and not self.selected.is_reversed:
            return selector
        name = ("system", f"cast_as_{self.type_name}")
        function = resolve(name, (self.selected,), None, self.context.table)
        if function is None:
            name_told = fetched.columns[0].name if fetched.columns else str(self.selected)
            raise InvalidRequest(f"{name_told} cannot be cast to {self.type_name}")
        return compile_call(function, (selector,), self.context)

    def maybe_exact_type(self) -> CqlType | None:
        return self.type


class FieldSelectable(Selectable):
    __slots__ = ("field", "selected")

    def __init__(self, selected: Selectable, field: str, context: BindContext) -> None:
        super().__init__(context)
        self.selected, self.field = selected, field

    def __str__(self) -> str:
        return f"{self.selected}.{self.field}"

    @property
    def _children(self) -> Sequence[Selectable]:
        return (self.selected,)

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        wanted = self.selected.items[0].maybe_exact_type() if isinstance(self.selected, TupleSelectable) else None
        selector = self.selected.compile(wanted, fetched)
        if not isinstance(selector.type, UserType):
            raise InvalidRequest(
                f"Invalid field selection: {self.selected} of type {selector.type.cql()} is not a user type"
            )
        if self.field not in selector.type.field_names:
            raise InvalidRequest(f"{self.selected} of type {selector.type.cql()} has no field {self.field}")
        index = selector.type.field_names.index(self.field)
        return FieldSelector(f"{selector.name}.{self.field}", selector, selector.type, index)

    def maybe_exact_type(self) -> CqlType | None:
        type_ = None if self.selected.is_reversed else self.selected.maybe_exact_type()
        if not isinstance(type_, UserType) or self.field not in type_.field_names:
            return None
        return type_.field_types[type_.field_names.index(self.field)]


class _PartSelectable(Selectable):
    """What `[...]` picks from a collection."""

    __slots__ = ("selected",)

    def __init__(self, selected: Selectable, context: BindContext) -> None:
        super().__init__(context)
        self.selected = selected

    @property
    def _children(self) -> Sequence[Selectable]:
        return (self.selected,)

    def _part_spec(self, selector: Selector, kind: str) -> tuple[MapType | SetType, ColumnSpec]:
        type_ = selector.type
        if not isinstance(type_, ListType | SetType | MapType):
            of_type = "is of type" if kind == "Element" else "of type"
            raise InvalidRequest(
                f"Invalid {kind.lower()} selection: {self.selected} {of_type} {type_.cql()} is not a collection"
            )
        if isinstance(type_, ListType):
            raise InvalidRequest(f"{kind} selection is only allowed on sets and maps, but {self.selected} is a list")
        spec = self.spec(selector.name, type_)
        return type_, key_spec(spec) if isinstance(type_, MapType) else value_spec(spec)


class ElementSelectable(_PartSelectable):
    __slots__ = ("key",)

    def __init__(self, selected: Selectable, key: RawTerm, context: BindContext) -> None:
        super().__init__(selected, context)
        self.key = key

    def __str__(self) -> str:
        return f"{self.selected}[{self.key}]"

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        selector = self.selected.compile(None, fetched)
        type_, spec = self._part_spec(selector, "Element")
        return ElementSelector(str(self), selector, type_, self.key.prepare(spec))

    def maybe_exact_type(self) -> CqlType | None:
        type_ = None if self.selected.is_reversed else self.selected.maybe_exact_type()
        if isinstance(type_, MapType):
            return type_.values
        if isinstance(type_, ListType):
            return TIMEUUID  # in Cassandra, that of the cells' paths; lists have no element selection anyway
        return type_.elements if isinstance(type_, SetType) else None


class SliceSelectable(_PartSelectable):
    __slots__ = ("end", "start")

    def __init__(self, selected: Selectable, start: RawTerm | None, end: RawTerm | None, context: BindContext) -> None:
        super().__init__(selected, context)
        self.start, self.end = start, end

    def __str__(self) -> str:
        return f"{self.selected}[{self.start or ''}..{self.end or ''}]"

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        selector = self.selected.compile(expected, fetched)
        type_, spec = self._part_spec(selector, "Slice")
        start = None if self.start is None else self.start.prepare(spec)
        end = None if self.end is None else self.end.prepare(spec)
        return SliceSelector(str(self), selector, type_, start, end)

    def maybe_exact_type(self) -> CqlType | None:
        type_ = None if self.selected.is_reversed else self.selected.maybe_exact_type()
        return type_ if isinstance(type_, ListType | SetType | MapType) else None


class _ItemsSelectable(Selectable):
    __slots__ = ("items",)

    def __init__(self, items: Sequence[Selectable], context: BindContext) -> None:
        super().__init__(context)
        self.items = tuple(items)

    @property
    def _children(self) -> Sequence[Selectable]:
        return self.items

    def _first_exact(self) -> CqlType | None:
        return next((t for item in self.items if (t := item.maybe_exact_type()) is not None), None)

    def _common(self) -> CqlType | None:
        return common_type(item.maybe_compatible_type() for item in self.items)


class TupleSelectable(_ItemsSelectable):
    """`(a, b)`, or `(a)`: just parentheses."""

    __slots__ = ()

    def __str__(self) -> str:
        return tuple_text(self.items)

    @property
    def needs_own_type(self) -> bool:
        return len(self.items) > 1 or self.items[0].needs_own_type

    def match(self, receiver: ColumnSpec) -> Match:
        if len(self.items) == 1 and not isinstance(receiver.type, TupleType):
            return self.items[0].match(receiver)
        return match_tuple(receiver, self.items)

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        type_ = self._type_or(expected)
        if len(self.items) == 1 and not isinstance(type_, TupleType):
            inner = self.items[0].compile(expected, fetched)
            return ComposedSelector(f"({inner.name})", inner.type, (inner,), lambda values: lambda parts: parts[0])
        types = tuple_types(type_)
        selectors = [item.compile(types[i], fetched) for i, item in enumerate(self.items)]
        name = tuple_text(_names(selectors))
        return ComposedSelector(name, type_, selectors, lambda values: pack_items)

    def maybe_exact_type(self) -> CqlType | None:
        return self._tuple_of([item.maybe_exact_type() for item in self.items])

    def maybe_compatible_type(self) -> CqlType | None:
        return self._tuple_of([item.maybe_compatible_type() for item in self.items])

    def _tuple_of(self, types: Sequence[CqlType | None]) -> CqlType | None:
        known = tuple(type_ for type_ in types if type_ is not None)
        return TupleType(known) if len(types) > 1 and len(known) == len(types) else None


class ArraySelectable(_ItemsSelectable):
    """`[a, b]`: a list, or a vector where one is expected."""

    __slots__ = ()

    @property
    def array_size(self) -> int:
        """How many elements; what functions of vectors take the literal's dimension from."""
        return len(self.items)

    def __str__(self) -> str:
        return list_text(self.items)

    def match(self, receiver: ColumnSpec) -> Match:
        if isinstance(receiver.type, VectorType):
            return match_vector(receiver, self.items)
        return match_list(receiver, self.items)

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        if isinstance(expected, VectorType):
            return self._compile_vector(expected, fetched)
        type_ = self._type_or(expected)
        assert isinstance(type_, ListType), type_
        selectors = [item.compile(type_.elements, fetched) for item in self.items]

        def combine(parts: Sequence[bytes | None]) -> bytes | None:
            return pack_collection(parts, len(parts))

        return ComposedSelector(list_text(_names(selectors)), type_, selectors, lambda values: combine)

    def _compile_vector(self, type_: VectorType, fetched: Fetched) -> Selector:
        if type_.dimension != len(self.items):
            raise InvalidRequest(f"Unable to create a vector selector of type {type_.cql()} from {len(self.items)} elements")
        selectors = [item.compile(type_.elements, fetched) for item in self.items]

        def combine(parts: Sequence[bytes | None]) -> bytes | None:
            return pack_vector(vector_elements(parts, type_.elements), type_)

        return ComposedSelector(list_text(_names(selectors)), type_, selectors, lambda values: combine)

    def maybe_exact_type(self) -> CqlType | None:
        element = self._first_exact()
        return None if element is None else ListType(element, True)

    def maybe_compatible_type(self) -> CqlType | None:
        element = self._common()
        return None if element is None else ListType(element, True)


class SetSelectable(_ItemsSelectable):
    """`{a, b}`, `{}`."""

    __slots__ = ()

    def __str__(self) -> str:
        return set_text(self.items)

    def match(self, receiver: ColumnSpec) -> Match:
        return match_set(receiver, self.items)

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        type_ = self._type_or(expected)
        if isinstance(type_, MapType):
            return ComposedSelector("{}", type_, (), lambda values: combine_map(type_.keys))
        assert isinstance(type_, SetType), type_
        element = type_.elements
        if element == DURATION:
            raise InvalidRequest(f"Durations are not allowed inside sets: {type_.cql()}")
        selectors = [item.compile(element, fetched) for item in self.items]

        def combine(parts: Sequence[bytes | None]) -> bytes | None:
            found = sort_set(elements_of(parts), element)
            return pack_collection(found, len(found))

        return ComposedSelector(set_text(_names(selectors)), type_, selectors, lambda values: combine)

    def maybe_exact_type(self) -> CqlType | None:
        element = self._first_exact()
        return None if element is None else SetType(element, True)

    def maybe_compatible_type(self) -> CqlType | None:
        element = self._common()
        return None if element is None else SetType(element, True)


class MapSelectable(Selectable):
    """`{k: v}`: a map, or a user type where one is expected: then the keys are the names of fields."""

    __slots__ = ("entries",)

    def __init__(self, entries: Sequence[tuple[tree.Expression, tree.Expression]], context: BindContext) -> None:
        super().__init__(context)
        self.entries = tuple(entries)

    def __str__(self) -> str:
        return map_text((self._key_text(key), selectable(value, self.context)) for key, value in self.entries)

    def _key_text(self, key: tree.Expression) -> str:
        return key.name if isinstance(key, tree.Column) else str(selectable(key, self.context))

    def _map_entries(self) -> list[tuple[Selectable, Selectable]]:
        return [(selectable(k, self.context), selectable(v, self.context)) for k, v in self.entries]

    def _fields(self, type_: UserType) -> list[tuple[str, Selectable]]:
        fields = []
        for key, value in self.entries:
            if not isinstance(key, tree.Column):
                raise InvalidRequest(f"{self._key_text(key)} is not a valid field identifier of type {type_.name} ")
            if key.name not in type_.field_names:
                raise InvalidRequest(f"Unknown field '{key.name}' in value of user defined type {type_.name}")
            fields.append((key.name, selectable(value, self.context)))
        return fields

    def match(self, receiver: ColumnSpec) -> Match:
        if isinstance(receiver.type, UserType):
            return match_user_type(receiver, self._fields(receiver.type))
        return match_map(receiver, self._map_entries())

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        type_ = self._type_or(expected)
        if isinstance(type_, UserType):
            return self._compile_user_type(type_, fetched)
        assert isinstance(type_, MapType), type_
        if type_.keys == DURATION:
            raise InvalidRequest(f"Durations are not allowed as map keys: {type_.cql()}")
        pairs = [(k.compile(type_.keys, fetched), v.compile(type_.values, fetched)) for k, v in self._map_entries()]
        name = map_text((k.name, v.name) for k, v in pairs)
        children = [part for pair in pairs for part in pair]
        return ComposedSelector(name, type_, children, lambda values: combine_map(type_.keys))

    def _compile_user_type(self, type_: UserType, fetched: Fetched) -> Selector:
        spec = self.spec("", type_)
        given = {}
        for name, value in self._fields(type_):
            given[name] = value.compile(field_spec(spec, type_.field_names.index(name)).type, fetched)
        places = [list(given).index(name) if name in given else -1 for name in type_.field_names]

        def combine(parts: Sequence[bytes | None]) -> bytes | None:
            return pack_items([None if place < 0 else parts[place] for place in places])

        name = map_text((field, selector.name) for field, selector in given.items())
        return ComposedSelector(name, type_, list(given.values()), lambda values: combine)

    def selects(self, predicate: Callable[[ColumnMetadata], bool]) -> bool:
        """As Cassandra has it: a value that selects no such column counts (Selectable.WithMapOrUdt.selectColumns)."""
        for key, value in self.entries:
            if not isinstance(key, tree.Column) and selectable(key, self.context).selects(predicate):
                return True
            if not selectable(value, self.context).selects(predicate):
                return True
        return False


class TypeHintSelectable(Selectable):
    """`(type) selectable`."""

    __slots__ = ("selected", "text", "type")

    def __init__(self, type_name: tree.TypeName, selected: Selectable, context: BindContext) -> None:
        super().__init__(context)
        self.selected = selected
        self.type = context.resolve_type(type_name).frozen_form()
        self.text = type_text(type_name, keyspace=context.keyspace)

    def __str__(self) -> str:
        return f"({self.text}){self.selected}"

    @property
    def _children(self) -> Sequence[Selectable]:
        return (self.selected,)

    def match(self, receiver: ColumnSpec) -> Match:
        if receiver.type == self.type:
            return Match.EXACT
        return Match.WEAK if is_value_compatible(receiver.type, self.type) else Match.NONE

    def compile(self, expected: CqlType | None, fetched: Fetched) -> Selector:
        if self.selected.match(self.spec(str(self), self.type)) is Match.NONE:
            raise InvalidRequest(f"Cannot assign value {self} to {self} of type {self.type.cql()}")
        inner = self.selected.compile(self.type, fetched)
        if isinstance(inner, TermSelector):
            return TermSelector(f"({self.text}){inner.name}", self.type, inner.term)
        passed: Combine = lambda parts: parts[0]  # noqa: E731
        return ComposedSelector(f"({self.text}){inner.name}", self.type, (inner,), lambda values: passed)

    def maybe_exact_type(self) -> CqlType | None:
        return self.type


# --- resolving -------------------------------------------------------------------------------------------------------


def selectable(expression: tree.Expression, context: BindContext) -> Selectable:
    """Raises InvalidRequest for unknown columns and functions."""
    match expression:
        case tree.Column(name=name):
            return ColumnSelectable(existing_column(context.table, name), context)
        case tree.Literal() | tree.LiteralMarker() | tree.Null() | tree.Marker():
            return TermSelectable(raw_term(expression, context), context)
        case tree.FieldSelection(expression=inner, field=field):
            return FieldSelectable(selectable(inner, context), field, context)
        case tree.ElementSelection(expression=inner, key=key):
            return ElementSelectable(selectable(inner, context), raw_term(key, context), context)
        case tree.SliceSelection(expression=inner, start=start, end=end):
            ends = [None if end_ is None else raw_term(end_, context) for end_ in (start, end)]
            return SliceSelectable(selectable(inner, context), ends[0], ends[1], context)
        case tree.ColumnFunction(function=function, operand=operand):
            column = existing_column(context.table, _column_of(operand))
            return TimestampSelectable(function, selectable(operand, context), column, context)
        case tree.CountRows():
            return _call((None, "count_rows"), "count_rows", (), context)
        case tree.FunctionCall():
            return _function_call(expression, context)
        case tree.BinaryOperation(operator=operator, left=left, right=right):
            name = OPERATION_NAMES[operator]
            return _call(("system", name), f"system.{name}", (left, right), context)
        case tree.UnaryMinus(expression=inner):
            return _call(("system", NEGATION_NAME), f"system.{NEGATION_NAME}", (inner,), context)
        case tree.Cast(expression=inner, type=type_name):
            return CastSelectable(selectable(inner, context), type_name.name, context)
        case tree.TypeHint(type=hint, expression=inner):
            return TypeHintSelectable(hint, selectable(inner, context), context)
        case tree.TupleLiteral(items=items):
            return TupleSelectable([selectable(item, context) for item in items], context)
        case tree.ListLiteral(items=items):
            return ArraySelectable([selectable(item, context) for item in items], context)
        case tree.SetLiteral(items=items):
            return SetSelectable([selectable(item, context) for item in items], context)
        case tree.MapLiteral(entries=entries):
            return MapSelectable(entries, context)
    raise TypeError(f"no selectable: {expression!r}")


def _column_of(operand: tree.Expression) -> str:
    while not isinstance(operand, tree.Column):
        assert isinstance(operand, tree.FieldSelection | tree.ElementSelection | tree.SliceSelection), operand
        operand = operand.expression
    return operand.name


def _function_call(call: tree.FunctionCall, context: BindContext) -> Selectable:
    shown = call.name.name if call.name.keyspace is None else f"{call.name.keyspace}.{call.name.name}"
    if call.name.name == "count" and call.name.keyspace in (None, "system") and len(call.arguments) == 1:
        only = selectable(call.arguments[0], context)
        if isinstance(only, TermSelectable) and isinstance(only.raw, RawLiteral):
            return _call((None, "count_rows"), "count_rows", (), context)
    return _call((call.name.keyspace, call.name.name), shown, call.arguments, context)


def _call(
    name: tuple[str | None, str], shown: str, arguments: Sequence[tree.Expression], context: BindContext
) -> Selectable:
    before = len(context.called)
    selectables = [selectable(argument, context) for argument in arguments]
    function = resolve(name, selectables, None, context.table, context.user_functions)
    if function is None:
        raise InvalidRequest(f"Unknown function '{shown}'")
    context.call(function, before)
    return CallSelectable(function, selectables, context)
