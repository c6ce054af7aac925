"""Compiled selectors: what a SELECT computes of each row, or of each group of rows (cql3/selection/*Selector.java).

A selector is compiled once (`name`, `type`) and bound per execution. `bind(values)` gives a function of one row;
`run(values)` what gathers a group of rows: aggregates over all of them, everything else from the first.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import TypeAlias

from cqlserver.functions.model import AggregateFunction, ScalarFunction
from cqlserver.terms.binding import Values
from cqlserver.terms.bound_terms import Term
from cqlserver.terms.packing import pack_collection, pack_map, split_tuple
from protocol.errors import InvalidRequest, ServerError
from protocol.primitives import UNSET, Value
from protocol.types import ASCII, BIGINT, BLOB, INT, TEXT, TIMEUUID, CqlType, ListType, MapType, SetType, UserType
from storage.collection_items import split_collection
from storage.environment.strands import paused
from storage.mutation import Cell, ComplexColumn
from storage.projection import in_order
from storage.schema.metadata import ColumnMetadata

_LONG, _INT = Struct(">q"), Struct(">i")


class InputRow:
    """One row: the fetched columns' serialised values, and where timestamps are selected their cells."""

    __slots__ = ("cells", "now_s", "values")

    def __init__(
        self,
        values: Sequence[bytes | None],
        cells: Sequence[Cell | ComplexColumn | None] = (),
        now_s: int = 0,
    ) -> None:
        self.values, self.cells, self.now_s = values, cells, now_s


Evaluate: TypeAlias = Callable[[InputRow], bytes | None]
Combine: TypeAlias = Callable[[Sequence[bytes | None]], bytes | None]
Timestamps: TypeAlias = "int | list[int | None] | None"
"""Of a simple value, of each element of a complex one; None where there is none."""
OfCell: TypeAlias = Callable[[Cell, int], "int | None"]


class Running:
    """A selector at work on one group of rows."""

    __slots__ = ()

    def add(self, row: InputRow) -> None:
        raise NotImplementedError

    def add_rows(self, rows: Sequence[Sequence[bytes | None]], now_s: int) -> None:
        """Rows of which nobody asks for the cells."""
        for values in paused(rows):
            self.add(InputRow(values, (), now_s))

    def add_many(self, row: InputRow, count: int) -> None:
        """The same row so many times."""
        for _ in paused(range(count)):
            self.add(row)

    def output(self) -> bytes | None:
        raise NotImplementedError

    def reset(self) -> None:
        raise NotImplementedError


class Selector:
    """`name` and `type` are those of the result's column."""

    __slots__ = ("name", "type")
    is_aggregate = False
    is_constant = False
    maybe_column: ColumnMetadata | None = None
    uses_timestamps = False

    def __init__(self, name: str, type_: CqlType) -> None:
        self.name, self.type = name, type_

    def bind(self, values: Values) -> Evaluate:
        raise NotImplementedError

    def run(self, values: Values, empty: InputRow) -> Running:
        """`empty` stands for the row of a group without rows."""
        return _FirstRow(self.bind(values), empty)

    def bind_timestamps(self, values: Values, of_cell: OfCell) -> Callable[[InputRow], Timestamps]:
        """For columns and what is selected inside of them."""
        raise InvalidRequest(f"Cannot retrieve timestamps of {self.name}")


class _FirstRow(Running):
    __slots__ = ("_empty", "_evaluate", "_row")

    def __init__(self, evaluate: Evaluate, empty: InputRow) -> None:
        self._evaluate, self._empty = evaluate, empty
        self._row: InputRow | None = None

    def add(self, row: InputRow) -> None:
        if self._row is None:
            self._row = row

    def add_rows(self, rows: Sequence[Sequence[bytes | None]], now_s: int) -> None:
        if self._row is None and rows:
            self._row = InputRow(rows[0], (), now_s)

    def output(self) -> bytes | None:
        return self._evaluate(self._row or self._empty)

    def reset(self) -> None:
        self._row = None


class ColumnSelector(Selector):
    """A column as it is: value `index` of the row."""

    __slots__ = ("column", "index", "maybe_column")

    def __init__(self, column: ColumnMetadata, index: int) -> None:
        super().__init__(column.name, column.type)
        self.column, self.index, self.maybe_column = column, index, column

    def bind(self, values: Values) -> Evaluate:
        index = self.index
        return lambda row: row.values[index]

    def bind_timestamps(self, values: Values, of_cell: OfCell) -> Callable[[InputRow], Timestamps]:
        index, type_ = self.index, self.type

        def timestamps(row: InputRow) -> Timestamps:
            data = row.cells[index]
            if isinstance(data, ComplexColumn):
                cells = paused(ordered_cells(data, type_))
                return [None if cell is None else of_cell(cell, row.now_s) for cell in cells]
            return None if data is None else of_cell(data, row.now_s)

        return timestamps


class MaskedSelector(ColumnSelector):
    """A column as a mask shows it. Its timestamps are no secret."""

    __slots__ = ("_mask",)

    def __init__(self, column: ColumnMetadata, index: int, mask: Callable[[bytes | None], bytes | None]) -> None:
        super().__init__(column, index)
        self.maybe_column, self._mask = None, mask

    def bind(self, values: Values) -> Evaluate:
        index, mask = self.index, self._mask
        return lambda row: mask(row.values[index])


def ordered_cells(data: ComplexColumn, type_: CqlType) -> list[Cell | None]:
    """The cells in the order in which the column's value has its elements; None for a user type's missing field."""
    cells = data.cells
    if isinstance(type_, UserType):
        return [cells.get(index.to_bytes(2, "big")) for index in range(len(type_.field_types))]
    order = TIMEUUID if isinstance(type_, ListType) else type_.keys if isinstance(type_, MapType) else None
    if isinstance(type_, SetType):
        order = type_.elements
    assert order is not None, type_
    return [cells[path] for path in in_order(cells, order.order_key)]


class TermSelector(Selector):
    """A term: computed once for all rows, even where there are none."""

    __slots__ = ("term",)
    is_constant = True

    def __init__(self, name: str, type_: CqlType, term: Term) -> None:
        super().__init__(name, type_)
        self.term = term

    def bind(self, values: Values) -> Evaluate:
        value = self.term.bind(values)
        given = b"" if value is UNSET else value
        return lambda row: given

    def is_unset(self, values: Values) -> bool:
        return bool(self.term.markers) and self.term.bind(values) is UNSET


class ComposedSelector(Selector):
    """Something made of other selectors' values: a call, a literal, an element, a field."""

    __slots__ = ("children", "combine", "is_aggregate", "is_constant", "uses_timestamps")

    def __init__(
        self, name: str, type_: CqlType, children: Sequence[Selector], combine: Callable[[Values], Combine]
    ) -> None:
        super().__init__(name, type_)
        self.children, self.combine = tuple(children), combine
        self.is_aggregate = any(child.is_aggregate for child in children)
        self.is_constant = all(child.is_constant for child in children)
        self.uses_timestamps = any(child.uses_timestamps for child in children)

    def bind(self, values: Values) -> Evaluate:
        evaluates = [child.bind(values) for child in self.children]
        combine = self.combine(values)
        return lambda row: combine([evaluate(row) for evaluate in evaluates])

    def run(self, values: Values, empty: InputRow) -> Running:
        if not self.is_aggregate:
            return _FirstRow(self.bind(values), empty)
        return _Composed([child.run(values, empty) for child in self.children], self.combine(values))


class CallSelector(ComposedSelector):
    """A scalar function. Where its arguments are constant it is called once, even where there are no rows."""

    __slots__ = ("function",)

    def __init__(
        self, name: str, function: ScalarFunction, arguments: Sequence[Selector], execute: Combine
    ) -> None:
        super().__init__(name, function.return_type, arguments, lambda values: execute)
        self.function = function
        self.is_constant = self.is_constant and function.is_deterministic and bool(arguments)

    def bind(self, values: Values) -> Evaluate:
        evaluate = super().bind(values)  # what is wrong with the arguments' own arguments is told first
        self._check_unset(values)
        if not self.is_constant:
            self._check_constants(values)
            return evaluate
        value = evaluate(InputRow(()))
        return lambda row: value

    def run(self, values: Values, empty: InputRow) -> Running:
        running = super().run(values, empty)
        self._check_unset(values)
        self._check_constants(values)
        return running

    def _check_unset(self, values: Values) -> None:
        for argument in self.children:
            if isinstance(argument, TermSelector) and argument.is_unset(values):
                raise InvalidRequest(f"Invalid unset value for argument in call to function {self.function.name}")

    def _check_constants(self, values: Values) -> None:
        if self.function.check_constants is not None and not self.is_constant:
            no_row = InputRow(())
            constants = [child.bind(values)(no_row) if child.is_constant else None for child in self.children]
            self.function.check_constants(constants)


class _Composed(Running):
    __slots__ = ("_children", "_combine")

    def __init__(self, children: Sequence[Running], combine: Combine) -> None:
        self._children, self._combine = children, combine

    def add(self, row: InputRow) -> None:
        for child in self._children:
            child.add(row)

    def add_rows(self, rows: Sequence[Sequence[bytes | None]], now_s: int) -> None:
        for child in self._children:
            child.add_rows(rows, now_s)

    def output(self) -> bytes | None:
        return self._combine([child.output() for child in self._children])

    def reset(self) -> None:
        for child in self._children:
            child.reset()


class AggregateSelector(Selector):
    __slots__ = ("arguments", "function", "uses_timestamps")
    is_aggregate = True

    def __init__(self, name: str, function: AggregateFunction, arguments: Sequence[Selector]) -> None:
        super().__init__(name, function.return_type)
        self.function, self.arguments = function, tuple(arguments)
        self.uses_timestamps = any(argument.uses_timestamps for argument in arguments)

    def run(self, values: Values, empty: InputRow) -> Running:
        unset = any(isinstance(argument, TermSelector) and argument.is_unset(values) for argument in self.arguments)
        return _Aggregating(self.function, [argument.bind(values) for argument in self.arguments], unset, self._maybe_index)

    @property
    def _maybe_index(self) -> int | None:
        """Of the fetched column that is its only argument, as it is."""
        argument = self.arguments[0] if len(self.arguments) == 1 else None
        return argument.index if type(argument) is ColumnSelector else None


class _Aggregating(Running):
    __slots__ = ("_arguments", "_function", "_has_unset", "_index", "_of_column", "_state")

    def __init__(
        self, function: AggregateFunction, arguments: Sequence[Evaluate], has_unset: bool, index: int | None = None
    ) -> None:
        self._function, self._arguments, self._has_unset, self._index = function, arguments, has_unset, index
        self._of_column = function.maybe_of_column if index is not None else None
        self._state = function.new_state()

    def add_rows(self, rows: Sequence[Sequence[bytes | None]], now_s: int) -> None:
        index, of_column = self._index, self._of_column
        if of_column is not None and index is not None:
            self._state = of_column.add_values(self._state, [values[index] for values in rows])
        elif not self._arguments:
            self.add_many(InputRow(()), len(rows))
        else:
            super().add_rows(rows, now_s)

    def add(self, row: InputRow) -> None:
        if self._has_unset:
            raise InvalidRequest(f"Invalid unset value for argument in call to function {self._function.name}")
        self._state = self._function.add(self._state, [argument(row) for argument in self._arguments])

    def add_many(self, row: InputRow, count: int) -> None:
        if self._arguments or self._has_unset:
            super().add_many(row, count)
            return
        of_column = self._function.maybe_of_column
        if of_column is not None:  # it counts them
            self._state = of_column.add_values(self._state, [b""] * count)
            return
        state, add = self._state, self._function.add
        for _ in paused(range(count)):
            state = add(state, ())
        self._state = state

    def output(self) -> bytes | None:
        return self._function.result(self._state)

    def reset(self) -> None:
        self._state = self._function.new_state()


# --- inside of collections and user types ----------------------------------------------------------------------------


def _find_key(items: Sequence[bytes | None], key: bytes, key_type: CqlType, step: int) -> int:
    """Which entry has the key; -1: none."""
    compare = key_type.compare
    for i, item in enumerate(paused(items[::step])):
        if item is not None and compare(item, key) == 0:
            return i
    return -1


class ElementSelector(ComposedSelector):
    """`m[key]`, `s[element]`."""

    __slots__ = ("collection", "key", "selected")

    def __init__(self, name: str, selected: Selector, collection: MapType | SetType, key: Term) -> None:
        type_ = collection.values if isinstance(collection, MapType) else collection.elements
        super().__init__(name, type_, (selected,), self._combine_of)
        self.selected, self.collection, self.key = selected, collection, key

    @property
    def _layout(self) -> tuple[CqlType, int]:
        if isinstance(self.collection, MapType):
            return self.collection.keys, 2
        return self.collection.elements, 1

    def _key(self, values: Values) -> bytes:
        key: Value = self.key.bind(values)
        if key is None:
            raise InvalidRequest(f"Invalid null value for element selection on {self.selected.name}")
        if key is UNSET:
            raise InvalidRequest(f"Invalid unset value for element selection on {self.selected.name}")
        return key

    def _combine_of(self, values: Values) -> Combine:
        key = self._key(values)
        key_type, step = self._layout

        def combine(parts: Sequence[bytes | None]) -> bytes | None:
            if parts[0] is None:
                return None
            items = split_collection(parts[0])
            found = _find_key(items, key, key_type, step)
            return None if found < 0 else items[found * step + step - 1]

        return combine

    def bind_timestamps(self, values: Values, of_cell: OfCell) -> Callable[[InputRow], Timestamps]:
        key = self._key(values)
        key_type, step = self._layout
        evaluate, inner = self.selected.bind(values), self.selected.bind_timestamps(values, of_cell)

        def timestamps(row: InputRow) -> Timestamps:
            data = evaluate(row)
            found = -1 if data is None else _find_key(split_collection(data), key, key_type, step)
            if found < 0:
                return None
            all_of_them = inner(row)
            return all_of_them[found] if isinstance(all_of_them, list) else all_of_them

        return timestamps


class SliceSelector(ComposedSelector):
    """`m[start..end]`, both ends inclusive; a None end is open."""

    __slots__ = ("collection", "end", "selected", "start")

    def __init__(
        self, name: str, selected: Selector, collection: MapType | SetType, start: Term | None, end: Term | None
    ) -> None:
        super().__init__(name, collection, (selected,), self._combine_of)
        self.selected, self.collection, self.start, self.end = selected, collection, start, end

    def _inside(self, values: Values) -> Callable[[Sequence[bytes | None]], list[int]]:
        """Items -> the entries within the slice."""
        bounds: list[bytes | None] = []
        for term in (self.start, self.end):
            value: Value = UNSET if term is None else term.bind(values)
            if value is None:
                raise InvalidRequest(f"Invalid null value for slice selection on {self.selected.name}")
            bounds.append(value if isinstance(value, bytes) else None)
        low, high = bounds
        is_map = isinstance(self.collection, MapType)
        key_type = self.collection.keys if isinstance(self.collection, MapType) else self.collection.elements
        compare = key_type.compare

        def inside(items: Sequence[bytes | None]) -> list[int]:
            return [
                i
                for i, item in enumerate(paused(items[:: 2 if is_map else 1]))
                if item is not None
                and (low is None or compare(item, low) >= 0)
                and (high is None or compare(item, high) <= 0)
            ]

        return inside

    def _combine_of(self, values: Values) -> Combine:
        inside = self._inside(values)
        step = 2 if isinstance(self.collection, MapType) else 1
        empty_is_null = self.collection.is_multicell

        def combine(parts: Sequence[bytes | None]) -> bytes | None:
            if parts[0] is None:
                return None
            items = split_collection(parts[0])
            found = inside(items)
            if not found and empty_is_null:
                return None
            return pack_collection([item for i in found for item in items[i * step : (i + 1) * step]], len(found))

        return combine

    def bind_timestamps(self, values: Values, of_cell: OfCell) -> Callable[[InputRow], Timestamps]:
        inside = self._inside(values)
        evaluate, inner = self.selected.bind(values), self.selected.bind_timestamps(values, of_cell)

        def timestamps(row: InputRow) -> Timestamps:
            data = evaluate(row)
            found = [] if data is None else inside(split_collection(data))
            all_of_them = inner(row)
            if not found or not isinstance(all_of_them, list):
                return all_of_them if found else None
            return [all_of_them[i] for i in found]

        return timestamps


class FieldSelector(ComposedSelector):
    """`u.field`."""

    __slots__ = ("index", "selected")

    def __init__(self, name: str, selected: Selector, user_type: UserType, index: int) -> None:
        count = len(user_type.field_types)

        def combine(parts: Sequence[bytes | None]) -> bytes | None:
            return None if parts[0] is None else split_tuple(parts[0], count)[index]

        super().__init__(name, user_type.field_types[index], (selected,), lambda values: combine)
        self.selected, self.index = selected, index

    def bind_timestamps(self, values: Values, of_cell: OfCell) -> Callable[[InputRow], Timestamps]:
        index = self.index
        evaluate, inner = self.bind(values), self.selected.bind_timestamps(values, of_cell)

        def timestamps(row: InputRow) -> Timestamps:
            if evaluate(row) is None:
                return None
            all_of_them = inner(row)
            return all_of_them[index] if isinstance(all_of_them, list) else all_of_them

        return timestamps


# --- writetime, maxwritetime, ttl --------------------------------------------------------------------------------------


def _write_time(cell: Cell, now_s: int) -> int | None:
    return cell.timestamp_us


def _ttl(cell: Cell, now_s: int) -> int | None:
    if not cell.ttl_s:
        return None
    remaining = cell.local_deletion_s - now_s
    return remaining if remaining >= 0 else None


class TimestampSelector(Selector):
    """`function` of a column, element, slice or field: one number, or a list of them for what has many cells."""

    __slots__ = ("function", "selected")
    uses_timestamps = True

    def __init__(self, function: str, selected: Selector) -> None:
        one: CqlType = INT if function == "ttl" else BIGINT
        is_list = selected.type.is_multicell and function != "maxwritetime"
        super().__init__(f"{function}({selected.name})", ListType(one, True) if is_list else one)
        self.function, self.selected = function, selected

    def bind(self, values: Values) -> Evaluate:
        is_ttl, is_max = self.function == "ttl", self.function == "maxwritetime"
        timestamps = self.selected.bind_timestamps(values, _ttl if is_ttl else _write_time)
        pack = (_INT if is_ttl else _LONG).pack

        def evaluate(row: InputRow) -> bytes | None:
            found = timestamps(row)
            if isinstance(found, list):
                if is_max:
                    known = [one for one in found if one is not None]
                    return pack(max(known)) if known else None
                packed = [None if one is None else pack(one) for one in paused(found)]
                return pack_collection(packed, len(found)) if found else None
            return None if found is None else pack(found)

        return evaluate


def elements_of(parts: Sequence[bytes | None]) -> list[bytes]:
    """What becomes elements of a set or keys of a map. Cassandra fails on a null while it sorts them."""
    elements = [part for part in parts if part is not None]
    if len(elements) != len(parts):
        raise InvalidRequest("null is not supported inside collections")
    return elements


def vector_elements(parts: Sequence[bytes | None], type_: CqlType) -> list[bytes]:
    """What becomes elements, of `type_`, of a vector: the empty value is a null too, where the type has none
    (VectorType.VectorSerializer.check)."""
    takes_empty = type_ in (TEXT, ASCII, BLOB)
    elements: list[bytes] = []
    for part in parts:
        if part is None or not (part or takes_empty):
            sizes = [None if other is None else len(other) for other in parts]
            given = ["null" if n is None else f"java.nio.HeapByteBuffer[pos=0 lim={n} cap={n}]" for n in sizes]
            expected = type_.cql()
            if isinstance(type_, ListType | SetType | MapType) and type_.frozen:
                expected = expected.removeprefix("frozen<")[:-1]
            raise ServerError(
                f"org.apache.cassandra.serializers.MarshalException: Element at index {len(elements)} is null "
                f"(expected type {expected}); given [{', '.join(given)}]"
            )
        elements.append(part)
    return elements


def combine_map(key_type: CqlType) -> Combine:
    """Keys and values in turn -> a map's value."""
    from cqlserver.terms.packing import sort_map

    def combine(parts: Sequence[bytes | None]) -> bytes | None:
        entries = zip(elements_of(parts[::2]), parts[1::2], strict=True)
        return pack_map(sort_map(list(entries), key_type))

    return combine
