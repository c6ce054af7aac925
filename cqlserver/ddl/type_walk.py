"""Types looked through and rebuilt: what DDL asks of the types inside a type."""

from collections.abc import Callable
from dataclasses import replace

from grammar.tree import (
    FrozenTypeName,
    ListTypeName,
    MapTypeName,
    NativeTypeName,
    SetTypeName,
    TupleTypeName,
    TypeName,
    UserTypeName,
    VectorTypeName,
)
from protocol.types import (
    DURATION,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)


def references_duration(cql_type: CqlType) -> bool:
    """Not what is in vectors: Cassandra does not look there."""
    if isinstance(cql_type, VectorType):
        return False
    return cql_type is DURATION or any(references_duration(t) for t in cql_type.referenced_types)


def references_user_type(cql_type: CqlType, name: str) -> bool:
    """Is it, or does it hold, the user type of that name?"""
    if isinstance(cql_type, UserType) and cql_type.name == name:
        return True
    return any(references_user_type(t, name) for t in cql_type.referenced_types)


def with_user_type(cql_type: CqlType, changed: UserType) -> CqlType:
    """The type with `changed` in place of the user type of its name, frozen or not as it was."""
    if not references_user_type(cql_type, changed.name):
        return cql_type
    if isinstance(cql_type, UserType):
        if cql_type.name == changed.name:
            return replace(changed, frozen=cql_type.frozen)
        fields = tuple(with_user_type(t, changed) for t in cql_type.field_types)
        return replace(cql_type, field_types=fields)
    return _rebuilt(cql_type, lambda t: with_user_type(t, changed))


def without_user_types(cql_type: CqlType) -> CqlType:
    """The type with tuples in place of its user types: how dropped columns are remembered, so that the types may go."""
    if isinstance(cql_type, UserType):
        return TupleType(tuple(without_user_types(t) for t in cql_type.field_types))
    return _rebuilt(cql_type, without_user_types)


def _rebuilt(cql_type: CqlType, change: Callable[[CqlType], CqlType]) -> CqlType:
    if isinstance(cql_type, ListType | SetType | VectorType):
        return replace(cql_type, elements=change(cql_type.elements))
    if isinstance(cql_type, MapType):
        return replace(cql_type, keys=change(cql_type.keys), values=change(cql_type.values))
    if isinstance(cql_type, TupleType):
        return TupleType(tuple(change(t) for t in cql_type.elements))
    return cql_type


def is_counter_name(name: TypeName) -> bool:
    return isinstance(name, NativeTypeName) and name.name == "counter"


def qualified(name: TypeName, keyspace: str) -> TypeName:
    """The type's name with the keyspace before each user type that says none."""
    match name:
        case FrozenTypeName(inner=inner):
            return FrozenTypeName(qualified(inner, keyspace))
        case ListTypeName(element=element):
            return ListTypeName(qualified(element, keyspace))
        case SetTypeName(element=element):
            return SetTypeName(qualified(element, keyspace))
        case MapTypeName(key=key, value=value):
            return MapTypeName(qualified(key, keyspace), qualified(value, keyspace))
        case TupleTypeName(elements=elements):
            return TupleTypeName(tuple(qualified(element, keyspace) for element in elements))
        case VectorTypeName(element=element, dimension=dimension):
            return VectorTypeName(qualified(element, keyspace), dimension)
        case UserTypeName(keyspace=None, name=text):
            return UserTypeName(keyspace, text)
    return name
