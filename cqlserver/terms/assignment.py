"""May a value of this kind go there: Cassandra's AssignmentTestable and the compatibility of types (db/marshal/*.java).

Terms, selectables and types all can be tested against a receiver (`ColumnSpec`). An exact match beats a weak one where
a function has several signatures, otherwise both will do.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Protocol, TypeAlias

from protocol.errors import InvalidRequest
from protocol.responses import ColumnSpec
from protocol.types import (
    ASCII,
    BIGINT,
    BLOB,
    DATE,
    INT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    UUID,
    VARINT,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)


class Match(Enum):
    EXACT = "EXACT_MATCH"
    WEAK = "WEAKLY_ASSIGNABLE"
    NONE = "NOT_ASSIGNABLE"


class Assignable(Protocol):
    """What can be tested against a receiver: an argument of a function, an element of a literal. `str()` of it is its
    text in messages."""

    def match(self, receiver: ColumnSpec) -> Match: ...

    def maybe_compatible_type(self) -> CqlType | None:
        """The type that it would have, left to itself; None if that is open."""


_VALUE_COMPATIBLE: dict[CqlType, frozenset[CqlType]] = {
    TEXT: frozenset((ASCII,)),
    VARINT: frozenset((INT, BIGINT, TIMESTAMP)),
    BIGINT: frozenset((TIMESTAMP,)),
    TIMESTAMP: frozenset((BIGINT,)),
    UUID: frozenset((TIMEUUID,)),
    DATE: frozenset((INT,)),
    TIME: frozenset((BIGINT,)),
}
_SORTS_ALIKE: dict[CqlType, frozenset[CqlType]] = {
    TEXT: frozenset((ASCII,)),
    BLOB: frozenset((ASCII, TEXT)),
    UUID: frozenset((TIMEUUID,)),
}
_COLLECTIONS = (ListType, SetType, MapType)
Collection: TypeAlias = ListType | SetType | MapType


def is_value_compatible(reader: CqlType, written: CqlType) -> bool:
    """AbstractType.isValueCompatibleWith: values of `written` can be read as `reader`."""
    if reader in (written, BLOB):
        return True
    if isinstance(reader, UserType):
        return _is_user_type_compatible(reader, written)
    if isinstance(reader, _COLLECTIONS):
        if reader.is_multicell:
            return is_compatible(reader, written)
        return _is_frozen_compatible(reader, written, is_value_compatible)
    if isinstance(reader, TupleType):
        return _is_tuple_compatible(reader, written, is_value_compatible)
    return written in _VALUE_COMPATIBLE.get(reader, ())


def is_compatible(reader: CqlType, written: CqlType) -> bool:
    """AbstractType.isCompatibleWith: readable, and sorted alike."""
    if reader == written:
        return True
    if isinstance(reader, _COLLECTIONS):
        if not reader.is_multicell:
            return _is_frozen_compatible(reader, written, is_compatible)
        if type(reader) is not type(written) or not written.is_multicell:
            return False
        return _is_multicell_compatible(reader, written)
    if is_tuple(reader):
        return _is_tuple_compatible(reader, written, is_compatible)
    return written in _SORTS_ALIKE.get(reader, ())


class _Test(Protocol):
    def __call__(self, reader: CqlType, written: CqlType) -> bool: ...


def _is_multicell_compatible(reader: Collection, written: CqlType) -> bool:
    if isinstance(reader, MapType) and isinstance(written, MapType):
        return is_compatible(reader.keys, written.keys) and is_value_compatible(reader.values, written.values)
    if isinstance(reader, SetType) and isinstance(written, SetType):
        return is_compatible(reader.elements, written.elements)
    if isinstance(reader, ListType) and isinstance(written, ListType):
        return is_value_compatible(reader.elements, written.elements)
    return False


def _is_frozen_compatible(reader: Collection, written: CqlType, test: _Test) -> bool:
    if type(reader) is not type(written) or written.is_multicell:
        return False
    if isinstance(reader, MapType) and isinstance(written, MapType):
        return is_compatible(reader.keys, written.keys) and test(reader.values, written.values)
    if isinstance(reader, SetType) and isinstance(written, SetType):
        return is_compatible(reader.elements, written.elements)
    if isinstance(reader, ListType) and isinstance(written, ListType):
        return test(reader.elements, written.elements)
    return False


def _is_tuple_compatible(reader: CqlType, written: CqlType, test: _Test) -> bool:
    """A tuple may get longer; a user type is a tuple here."""
    if not is_tuple(written):
        return False
    mine, theirs = tuple_types(reader), tuple_types(written)
    return len(mine) >= len(theirs) and all(test(a, b) for a, b in zip(mine, theirs, strict=False))


def _is_user_type_compatible(reader: UserType, written: CqlType) -> bool:
    if not isinstance(written, UserType) or reader.keyspace != written.keyspace:
        return False
    if reader.is_multicell != written.is_multicell or len(reader.field_types) < len(written.field_types):
        return False
    return all(is_compatible(a, b) for a, b in zip(reader.field_types, written.field_types, strict=False))


def match_type(provided: CqlType, receiver: CqlType) -> Match:
    """AbstractType.testAssignment: a value of type `provided` where `receiver` is wanted; frozen or not is all one."""
    if not provided.is_multicell:
        receiver = receiver.frozen_form()
    if provided == receiver:
        return Match.EXACT
    return Match.WEAK if is_value_compatible(receiver, provided) else Match.NONE


def match_all(receiver: ColumnSpec, values: Iterable[Assignable]) -> Match:
    found = Match.EXACT
    for value in values:
        one = value.match(receiver)
        if one is Match.NONE:
            return one
        if one is Match.WEAK:
            found = one
    return found


def common_type(types: Iterable[CqlType | None]) -> CqlType | None:
    """The first of the known types that all the others can be assigned to."""
    known = list(dict.fromkeys(t for t in types if t is not None))
    for candidate in known:
        if all(match_type(t, candidate) is not Match.NONE for t in known):
            return candidate
    return None


# --- receivers of parts --------------------------------------------------------------------------------------------


def _part(receiver: ColumnSpec, name: str, part: CqlType) -> ColumnSpec:
    return ColumnSpec(receiver.keyspace, receiver.table, name, part)


def value_spec(receiver: ColumnSpec) -> ColumnSpec:
    """`value(c)`: an element of a list, set or vector, a value of a map."""
    holder = receiver.type
    if isinstance(holder, MapType):
        return _part(receiver, f"value({receiver.name})", holder.values)
    assert isinstance(holder, ListType | SetType | VectorType), holder
    return _part(receiver, f"value({receiver.name})", holder.elements)


def key_spec(receiver: ColumnSpec) -> ColumnSpec:
    """`key(c)`: a key of a map."""
    assert isinstance(receiver.type, MapType), receiver.type
    return _part(receiver, f"key({receiver.name})", receiver.type.keys)


def component_spec(receiver: ColumnSpec, index: int) -> ColumnSpec:
    """`c[i]`: a component of a tuple."""
    return _part(receiver, f"{receiver.name}[{index}]", tuple_types(receiver.type)[index])


def field_spec(receiver: ColumnSpec, index: int) -> ColumnSpec:
    """`c.field`: a field of a user type."""
    assert isinstance(receiver.type, UserType), receiver.type
    return _part(receiver, f"{receiver.name}.{receiver.type.field_names[index]}", receiver.type.field_types[index])


def is_tuple(type_: CqlType) -> bool:
    """Tuples, and user types: in Cassandra, UserType is a TupleType."""
    return isinstance(type_, TupleType | UserType)


def tuple_types(type_: CqlType) -> tuple[CqlType, ...]:
    if isinstance(type_, UserType):
        return type_.field_types
    assert isinstance(type_, TupleType), type_
    return type_.elements


# --- literals of collections, shared by terms and selectables --------------------------------------------------------


def match_list(receiver: ColumnSpec, items: Sequence[Assignable]) -> Match:
    if not isinstance(receiver.type, ListType):
        return Match.NONE
    return match_all(value_spec(receiver), items) if items else Match.WEAK


def match_vector(receiver: ColumnSpec, items: Sequence[Assignable]) -> Match:
    if not isinstance(receiver.type, VectorType):
        return Match.NONE
    return match_all(value_spec(receiver), items) if items else Match.WEAK


def match_set(receiver: ColumnSpec, items: Sequence[Assignable]) -> Match:
    if not isinstance(receiver.type, SetType):
        return Match.WEAK if isinstance(receiver.type, MapType) and not items else Match.NONE
    return match_all(value_spec(receiver), items) if items else Match.WEAK


def match_map(receiver: ColumnSpec, entries: Sequence[tuple[Assignable, Assignable]]) -> Match:
    if not isinstance(receiver.type, MapType):
        return Match.NONE
    key, value = key_spec(receiver), value_spec(receiver)
    found = Match.EXACT
    for k, v in entries:
        matches = (k.match(key), v.match(value))
        if Match.NONE in matches:
            return Match.NONE
        if Match.WEAK in matches:
            found = Match.WEAK
    return found


def check_tuple(receiver: ColumnSpec, items: Sequence[Assignable]) -> None:
    """Raises InvalidRequest where the items make no value of the receiver's tuple type."""
    if not is_tuple(receiver.type):
        raise InvalidRequest(f"Invalid tuple type literal for {receiver.name} of type {receiver.type.cql()}")
    types = tuple_types(receiver.type)
    for i, item in enumerate(items):
        if i >= len(types):
            raise InvalidRequest(
                f"Invalid tuple literal for {receiver.name}: too many elements. "
                f"Type {receiver.type.cql()} expects {len(types)} but got {len(items)}"
            )
        spec = component_spec(receiver, i)
        if item.match(spec) is Match.NONE:
            raise InvalidRequest(
                f"Invalid tuple literal for {receiver.name}: component {i} is not of type {spec.type.cql()}"
            )


def match_tuple(receiver: ColumnSpec, items: Sequence[Assignable]) -> Match:
    try:
        check_tuple(receiver, items)
    except InvalidRequest:
        return Match.NONE
    return Match.WEAK


def check_user_type(receiver: ColumnSpec, fields: Sequence[tuple[str, Assignable]]) -> None:
    """Raises InvalidRequest where a field's value does not fit; fields that the type lacks pass here."""
    if not isinstance(receiver.type, UserType):
        raise InvalidRequest(f"Invalid user type literal for {receiver.name} of type {receiver.type.cql()}")
    given = dict(fields)
    for i, name in enumerate(receiver.type.field_names):
        spec = field_spec(receiver, i)
        if name in given and given[name].match(spec) is Match.NONE:
            raise InvalidRequest(
                f"Invalid user type literal for {receiver.name}: field {name} is not of type {spec.type.cql()}"
            )


def match_user_type(receiver: ColumnSpec, fields: Sequence[tuple[str, Assignable]]) -> Match:
    try:
        check_user_type(receiver, fields)
    except InvalidRequest:
        return Match.NONE
    return Match.WEAK


def list_text(items: Iterable[object]) -> str:
    return f"[{', '.join(map(str, items))}]"


def set_text(items: Iterable[object]) -> str:
    return f"{{{', '.join(map(str, items))}}}"


def map_text(entries: Iterable[tuple[object, object]]) -> str:
    return f"{{{', '.join(f'{k}: {v}' for k, v in entries)}}}"


def tuple_text(items: Iterable[object]) -> str:
    return f"({', '.join(map(str, items))})"
