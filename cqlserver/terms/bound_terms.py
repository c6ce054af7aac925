"""Compiled terms: they know their type and turn the values of one execution into serialised bytes.

`bind` gives the value, None for null, or UNSET; it raises InvalidRequest with Cassandra's text when what was bound
does not fit. `elements` gives the parts of a list, tuple or user type instead, without packing them first.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from cqlserver.terms.binding import Values
from cqlserver.terms.packing import (
    EMPTY_IS_NULL,
    normalise,
    pack_collection,
    pack_items,
    pack_map,
    pack_vector,
    sort_map,
    sort_set,
    split_tuple,
    split_vector,
)
from protocol.errors import InvalidRequest, ServerError
from protocol.primitives import UNSET, Value
from protocol.types import (
    CqlType,
    ListType,
    MapType,
    MarshalError,
    SetType,
    TupleType,
    UserType,
    VectorType,
)
from storage.collection_items import split_collection, split_items
from storage.environment.strands import paused

Parts = list[Value]
NULL_ELEMENT = "Null value read when not allowed"
"""What validating a collection says that is well-formed but for a null in it."""


class Term:
    """`is_constant`: bind gives the same for all executions (and needs no values); `markers`: the bind markers used."""

    __slots__ = ()
    is_constant = False
    markers: tuple[int, ...] = ()

    def bind(self, values: Values) -> Value:
        raise NotImplementedError

    def elements(self, values: Values) -> Parts | None:
        """The parts of a value of several: list, vector, tuple, user type. None for null."""
        raise NotImplementedError


def split_value(data: bytes, type_: CqlType) -> Parts:
    if isinstance(type_, UserType):
        return list(split_tuple(data, len(type_.field_types)))
    if isinstance(type_, TupleType):
        return list(split_items(data))  # as many as were given
    if isinstance(type_, VectorType):
        return list(split_vector(data, type_))
    return list(split_collection(data))


class Constant(Term):
    """A literal, or null."""

    __slots__ = ("type", "value")
    is_constant = True

    def __init__(self, value: Value, type_: CqlType) -> None:
        self.value, self.type = value, type_

    def bind(self, values: Values) -> Value:
        return self.value

    def elements(self, values: Values) -> Parts | None:
        return split_value(self.value, self.type) if isinstance(self.value, bytes) else None


def _validator(type_: CqlType, is_descending: bool = False) -> Callable[[bytes], bytes]:
    """What a bound value goes through: it is checked, collections get their stored form. `is_descending`: that of a
    clustering column in that order, whose marker is no UserTypes.Marker in Cassandra."""
    validate = type_.validate
    is_user_type = isinstance(type_, UserType)
    has_stored_form = type_.is_collection or is_user_type

    def check(value: bytes) -> bytes:
        try:
            validate(value)
        except MarshalError as error:
            if is_user_type and not is_descending:  # the one kind of marker that does not translate it (UserTypes.Marker)
                raise ServerError(f"org.apache.cassandra.serializers.MarshalException: {error}") from None
            raise InvalidRequest(str(error)) from None
        return normalise(value, type_) if has_stored_form else value

    return check


def _list_validator(type_: ListType) -> Callable[[bytes], bytes]:
    """For a list: nulls in it are no error yet (Lists.Value.fromSerialized)."""
    check_all, check_one = _validator(type_), _validator(type_.elements)
    empty_is_null, recoded = type_.elements in EMPTY_IS_NULL, type_.elements.recoded

    def check(value: bytes) -> bytes:
        try:
            return check_all(value)
        except InvalidRequest as error:
            if error.message != NULL_ELEMENT:
                raise
        items = [
            None if item is None or (empty_is_null and not item) else recoded(check_one(item))
            for item in split_collection(value)
        ]
        return pack_collection(items, len(items))

    return check


class MarkerTerm(Term):
    """A bind marker. `unset_error`: the message for UNSET where Cassandra's tuple markers refuse it. `is_descending`: of a
    clustering column in that order."""

    __slots__ = ("_check", "index", "markers", "type", "unset_error")

    def __init__(self, index: int, type_: CqlType, unset_error: str | None = None, is_descending: bool = False) -> None:
        self.index, self.type, self.unset_error = index, type_, unset_error
        self.markers = (index,)
        self._check = _list_validator(type_) if isinstance(type_, ListType) else _validator(type_, is_descending)

    def bind(self, values: Values) -> Value:
        value: Value = values[self.index]
        if isinstance(value, bytes):
            return self._check(value)
        if value is not None and self.unset_error is not None:
            raise InvalidRequest(self.unset_error)
        return value

    def elements(self, values: Values) -> Parts | None:
        value = self.bind(values)
        if value is None:
            return None
        if not isinstance(value, bytes):
            raise InvalidRequest(f"Invalid unset value for {self.index}")
        return split_value(value, self.type)


class LiteralTerm(Term):
    """A literal that the shape cache cut out: its text comes with the values, `parse` makes the value of it."""

    __slots__ = ("parse", "position")

    def __init__(self, position: int, parse: Callable[[str], bytes]) -> None:
        self.position, self.parse = position, parse

    def bind(self, values: Values) -> Value:
        try:
            return self.parse(values[self.position])
        except MarshalError as error:
            raise InvalidRequest(str(error)) from None


class _Composite(Term):
    __slots__ = ("markers", "terms", "type")
    type: CqlType

    def __init__(self, terms: Sequence[Term], type_: CqlType) -> None:
        self.terms, self.type = tuple(terms), type_
        self.markers = tuple(index for term in paused(terms) for index in term.markers)


class ListTerm(_Composite):
    __slots__ = ()

    def bind(self, values: Values) -> Value:
        parts: list[bytes | None] = []
        for term in paused(self.terms):
            value = term.bind(values)
            if value is None:
                raise InvalidRequest("null is not supported inside collections")
            if value is UNSET:
                return UNSET
            assert isinstance(value, bytes)
            parts.append(value)
        return pack_collection(parts, len(parts))

    def elements(self, values: Values) -> Parts | None:
        data = self.bind(values)
        return split_value(data, self.type) if isinstance(data, bytes) else None


class SetTerm(_Composite):
    __slots__ = ()

    def bind(self, values: Values) -> Value:
        assert isinstance(self.type, SetType)
        parts: list[bytes] = []
        for term in paused(self.terms):
            value = term.bind(values)
            if value is None:
                raise InvalidRequest("null is not supported inside collections")
            if value is UNSET:
                return UNSET
            assert isinstance(value, bytes)
            parts.append(value)
        parts = sort_set(parts, self.type.elements)
        return pack_collection(parts, len(parts))


class MapTerm(Term):
    __slots__ = ("entries", "markers", "type")

    def __init__(self, entries: Sequence[tuple[Term, Term]], type_: MapType) -> None:
        self.entries, self.type = tuple(entries), type_
        self.markers = tuple(index for entry in entries for term in entry for index in term.markers)

    def bind(self, values: Values) -> Value:
        parts: list[tuple[bytes, bytes]] = []
        for key_term, value_term in paused(self.entries):
            key = key_term.bind(values)
            if key is None:
                raise InvalidRequest("null is not supported inside collections")
            if key is UNSET:
                raise InvalidRequest("unset value is not supported for map keys")
            value = value_term.bind(values)
            if value is None:
                raise InvalidRequest("null is not supported inside collections")
            if value is UNSET:
                return UNSET
            assert isinstance(key, bytes)
            assert isinstance(value, bytes)
            parts.append((key, value))
        return pack_map(sort_map(parts, self.type.keys))


class TupleTerm(_Composite):
    """`(a, b)`: a tuple, or the values of several columns."""

    __slots__ = ()

    def elements(self, values: Values) -> Parts | None:
        parts: Parts = []
        for i, term in enumerate(paused(self.terms)):
            value = term.bind(values)
            if value is UNSET:
                raise InvalidRequest(f"Invalid unset value for tuple field number {i}")
            parts.append(value)
        return parts

    def bind(self, values: Values) -> Value:
        parts = self.elements(values) or []
        return pack_items([part if isinstance(part, bytes) else None for part in parts])


class UserTypeTerm(_Composite):
    """`{field: value}`: one term per field of the type."""

    __slots__ = ()

    def elements(self, values: Values) -> Parts | None:
        assert isinstance(self.type, UserType)
        parts: Parts = []
        for name, term in zip(self.type.field_names, self.terms, strict=True):
            value = term.bind(values)
            if value is UNSET and not self.type.is_multicell:
                raise InvalidRequest(f"Invalid unset value for field '{name}' of user defined type {self.type.name}")
            parts.append(value)
        return parts

    def bind(self, values: Values) -> Value:
        parts = self.elements(values) or []
        return pack_items([part if isinstance(part, bytes) else None for part in parts])


class VectorTerm(_Composite):
    __slots__ = ()

    def elements(self, values: Values) -> Parts | None:
        parts: Parts = []
        for term in paused(self.terms):
            value = term.bind(values)
            if value is UNSET or (not value and not (value == b"" and self._empty_is_value)):
                raise InvalidRequest("null is not supported inside vectors")
            parts.append(value)
        return parts

    @property
    def _empty_is_value(self) -> bool:
        assert isinstance(self.type, VectorType)
        return self.type.elements.cql() in ("text", "ascii", "blob")

    def bind(self, values: Values) -> Value:
        assert isinstance(self.type, VectorType)
        parts = self.elements(values) or []
        return pack_vector([part for part in parts if isinstance(part, bytes)], self.type)


class ScalarFunction(Protocol):
    """What a term needs of a function that was resolved."""

    @property
    def name(self) -> str: ...

    def execute(self, arguments: Sequence[bytes | None]) -> bytes | None: ...


class FunctionTerm(Term):
    """A call; also arithmetic and casts. Never constant: now() is not."""

    __slots__ = ("arguments", "function", "markers", "return_type")

    def __init__(self, function: ScalarFunction, arguments: Sequence[Term], return_type: CqlType) -> None:
        self.function, self.arguments, self.return_type = function, tuple(arguments), return_type
        self.markers = tuple(index for term in arguments for index in term.markers)

    def bind(self, values: Values) -> Value:
        arguments: list[bytes | None] = []
        for term in self.arguments:
            value = term.bind(values)
            if value is not None and not isinstance(value, bytes):
                raise InvalidRequest(f"Invalid unset value for argument in call to function {self.function.name}")
            arguments.append(value)
        return self.function.execute(arguments)

    def elements(self, values: Values) -> Parts | None:
        value = self.bind(values)
        return split_value(value, self.return_type) if isinstance(value, bytes) else None
