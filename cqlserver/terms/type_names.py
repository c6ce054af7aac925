"""Type names of the statement tree -> `CqlType`, with Cassandra's checks and messages (cql3/CQL3Type.java, Raw)."""

from grammar.tree import (
    CustomTypeName,
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
from protocol.errors import ConfigurationError, CqlSyntaxError, InvalidRequest
from protocol.types import (
    NATIVE_TYPES,
    CqlType,
    CustomType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
    parse_java,
)
from storage.environment.strands import paused
from storage.schema.metadata import Schema

COMPONENTS_MAX = 65_535
_MARSHAL_PACKAGE = "org.apache.cassandra.db.marshal."
# Cassandra's types that have no name in CQL.
_CUSTOM_CLASSES = frozenset(
    (
        "CompositeType",
        "DateType",
        "DynamicCompositeType",
        "FrozenType",
        "LegacyTimeUUIDType",
        "LexicalUUIDType",
        "PartitionerDefinedOrder",
        "ReversedType",
    )
)
_FREEZABLE = ListTypeName | SetTypeName | MapTypeName | TupleTypeName | UserTypeName | FrozenTypeName | VectorTypeName


def resolve_type(name: TypeName, keyspace: str, schema: Schema) -> CqlType:
    """The type that `name` means in a statement on `keyspace`. Raises InvalidRequest."""
    return _resolve(name, keyspace, schema, False)


def check_component_count(noun: str, count: int) -> None:
    """Of a tuple's elements or a user type's fields: clients are told of them with a count of two bytes."""
    if count > COMPONENTS_MAX:
        raise InvalidRequest(f"A {noun} can't have more than {COMPONENTS_MAX} components, this one has {count}")


def type_text(name: TypeName, frozen: bool = False, keyspace: str | None = None) -> str:
    """`name` as Cassandra's messages print it; with `keyspace`, as after it was resolved there: user types qualified."""
    match name:
        case NativeTypeName(name=text):
            return text
        case FrozenTypeName(inner=inner):
            return type_text(inner, True, keyspace)
        case ListTypeName(element=element):
            text = f"list<{type_text(element, frozen, keyspace)}>"
        case SetTypeName(element=element):
            text = f"set<{type_text(element, frozen, keyspace)}>"
        case MapTypeName(key=key, value=value):
            text = f"map<{type_text(key, frozen, keyspace)}, {type_text(value, frozen, keyspace)}>"
        case TupleTypeName(elements=elements):
            return f"tuple<{', '.join(type_text(element, True, keyspace) for element in elements)}>"
        case VectorTypeName(element=element, dimension=dimension):
            return f"vector<{type_text(element, False, keyspace)}, {dimension}>"
        case UserTypeName(keyspace=own, name=text):
            place = own or keyspace
            text = text if place is None else f"{place}.{text}"
        case CustomTypeName(java_class=java_class):
            return f"'{_custom(java_class).java()}'"
        case _:
            raise TypeError(name)
    return f"frozen<{text}>" if frozen else text


def check_custom_types(name: TypeName) -> None:
    """Raises CqlSyntaxError for a Java class that is no type: Cassandra looks for it while it reads the text."""
    match name:
        case CustomTypeName(java_class=java_class):
            _custom(java_class)
        case FrozenTypeName(inner=inner):
            check_custom_types(inner)
        case ListTypeName(element=element) | SetTypeName(element=element) | VectorTypeName(element=element):
            check_custom_types(element)
        case MapTypeName(key=key, value=value):
            check_custom_types(key)
            check_custom_types(value)
        case TupleTypeName(elements=elements):
            for element in paused(elements):
                check_custom_types(element)


def _resolve(name: TypeName, keyspace: str, schema: Schema, frozen: bool) -> CqlType:
    match name:
        case NativeTypeName(name=text):
            return NATIVE_TYPES["text" if text == "varchar" else text]
        case FrozenTypeName(inner=inner):
            if not isinstance(inner, _FREEZABLE):
                raise InvalidRequest("frozen<> is only allowed on collections, tuples, and user-defined types")
            found = _resolve(inner, keyspace, schema, True)
            return found if isinstance(inner, VectorTypeName) else found.frozen_form()  # vectors are frozen as they are
        case ListTypeName() | SetTypeName() | MapTypeName():
            return _collection(name, keyspace, schema, frozen)
        case TupleTypeName(elements=elements):
            if any(_is_native(element, "counter") for element in paused(elements)):
                raise InvalidRequest("Counters are not allowed inside tuples")
            check_component_count("tuple", len(elements))
            return TupleType(tuple([_resolve(one, keyspace, schema, True).frozen_form() for one in paused(elements)]))
        case VectorTypeName(element=element, dimension=dimension):
            return _vector(element, dimension, keyspace, schema)
        case UserTypeName():
            return _user_type(name, keyspace, schema)
        case CustomTypeName(java_class=java_class):
            return _custom(java_class)
    raise TypeError(name)


def _is_native(name: TypeName, text: str) -> bool:
    return isinstance(name, NativeTypeName) and name.name == text


def _collection(name: ListTypeName | SetTypeName | MapTypeName, keyspace: str, schema: Schema, frozen: bool) -> CqlType:
    value = name.value if isinstance(name, MapTypeName) else name.element
    if not frozen:
        _check_frozen(value, name)
    if _is_native(value, "counter"):
        raise InvalidRequest(f"Counters are not allowed inside collections: {type_text(name, frozen)}")
    if isinstance(name, SetTypeName) and _is_native(value, "duration"):
        raise InvalidRequest(f"Durations are not allowed inside sets: {type_text(name, frozen)}")
    if isinstance(name, MapTypeName):
        if _is_native(name.key, "counter"):
            raise InvalidRequest(f"Counters are not allowed inside collections: {type_text(name, frozen)}")
        if _is_native(name.key, "duration"):
            raise InvalidRequest(f"Durations are not allowed as map keys: {type_text(name, frozen)}")
        if not frozen:
            _check_frozen(name.key, name)
        key = _resolve(name.key, keyspace, schema, frozen)
        return MapType(key, _resolve(value, keyspace, schema, frozen), False)
    element = _resolve(value, keyspace, schema, frozen)
    return ListType(element, False) if isinstance(name, ListTypeName) else SetType(element, False)


def _check_frozen(inner: TypeName, outer: TypeName) -> None:
    if isinstance(inner, ListTypeName | SetTypeName | MapTypeName):
        raise InvalidRequest(f"Non-frozen collections are not allowed inside collections: {type_text(outer)}")
    if isinstance(inner, UserTypeName):
        raise InvalidRequest(f"Non-frozen UDTs are not allowed inside collections: {type_text(outer)}")


def _vector(element: TypeName, dimension: int, keyspace: str, schema: Schema) -> CqlType:
    if dimension <= 0:
        raise InvalidRequest(f"vectors may only have positive dimensions; given {dimension}")
    return VectorType(_resolve(element, keyspace, schema, True), dimension)


def _user_type(name: UserTypeName, keyspace: str, schema: Schema) -> UserType:
    if name.keyspace is not None and name.keyspace != keyspace:
        raise InvalidRequest(
            f"Statement on keyspace {keyspace} cannot refer to a user type in keyspace {name.keyspace}; "
            "user types can only be used in the keyspace they are defined in"
        )
    owner = schema.keyspaces.get(keyspace)
    found = owner.types.get(name.name) if owner is not None else None
    if found is None:
        raise InvalidRequest(f"Unknown type {name.keyspace or keyspace}.{name.name}")
    return UserType(found.keyspace, found.name, found.field_names, found.field_types, False)


def _custom(java_class: str) -> CqlType:
    try:
        found = parse_java(java_class)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    name = java_class.partition("(")[0].strip()
    if "." not in name:
        name = _MARSHAL_PACKAGE + name
    if isinstance(found, CustomType) and name.removeprefix(_MARSHAL_PACKAGE) not in _CUSTOM_CLASSES:
        raise CqlSyntaxError(f"Error setting type {java_class}: Unable to find abstract-type class '{name}'")
    return found
