"""CREATE and DROP FUNCTION (cql3/statements/schema/CreateFunctionStatement.java, DropFunctionStatement.java)."""

from collections.abc import Sequence

from cqlserver.ddl.context import (
    CREATED,
    DROPPED,
    FUNCTION,
    UPDATED,
    DdlContext,
    DdlResult,
    check_keyspace_name,
)
from cqlserver.functions.user import assert_enabled, load_function
from cqlserver.terms.assignment import is_value_compatible
from cqlserver.terms.type_names import resolve_type, type_text
from grammar.tree import CreateFunction, DropFunction, FrozenTypeName, TupleTypeName, TypeName, VectorTypeName
from protocol.errors import InvalidRequest
from protocol.responses import SchemaChange
from protocol.types import CqlType
from storage.schema.metadata import ColumnMask, FunctionMetadata, KeyspaceMetadata, Schema, Signature

BOTH_DIRECTIVES = "Cannot use both 'OR REPLACE' and 'IF NOT EXISTS' directives"


def is_valid_name(name: str) -> bool:
    return not any(char in "/[]" for char in name)


def _inner(name: TypeName) -> TypeName:
    return _inner(name.inner) if isinstance(name, FrozenTypeName) else name


def check_frozen(name: TypeName, subject: str) -> None:
    """Functions take no frozen<> of their own making; tuples and vectors always are."""
    if isinstance(name, FrozenTypeName) and not isinstance(_inner(name), TupleTypeName | VectorTypeName):
        shown = type_text(name)
        raise InvalidRequest(f"{subject} '{shown}' cannot be frozen; remove frozen<> modifier from '{shown}'")


def find_keyspace(schema: Schema, name: str) -> KeyspaceMetadata:
    keyspace = schema.keyspaces.get(name)
    if keyspace is None:
        raise InvalidRequest(f"Keyspace '{name}' doesn't exist")
    return keyspace


def signature(name: str, types: Sequence[CqlType]) -> Signature:
    return name, tuple(t.cql() for t in types)


def _prepared(names: Sequence[TypeName], keyspace: str, schema: Schema) -> tuple[CqlType, ...]:
    return tuple(resolve_type(name, keyspace, schema) for name in names)


def create_function(schema: Schema, statement: CreateFunction, context: DdlContext) -> DdlResult:
    place, name = context.keyspace_of(statement.name), statement.name.name
    check_keyspace_name(place)
    if statement.if_not_exists and statement.or_replace:
        raise InvalidRequest(BOTH_DIRECTIVES)
    assert_enabled(context.user_defined_functions_enabled, statement.language)
    if not is_valid_name(name):
        raise InvalidRequest(f"Function name '{name}' is invalid")
    names = tuple(argument for argument, _ in statement.arguments)
    if len(set(names)) != len(names):
        shown = ", ".join(names)
        raise InvalidRequest(f"Duplicate argument names for given function {name} with argument names [{shown}]")
    for _, type_name in statement.arguments:
        check_frozen(type_name, "Argument")
    check_frozen(statement.return_type, "Return type")
    keyspace = find_keyspace(schema, place)
    made = FunctionMetadata(
        place,
        name,
        names,
        _prepared([type_name for _, type_name in statement.arguments], place, schema),
        resolve_type(statement.return_type, place, schema),
        statement.called_on_null,
        statement.language,
        statement.body,
    )
    load_function(made, keyspace.types)
    if made.signature in keyspace.aggregates:
        raise InvalidRequest(f"Function '{name}' cannot replace an aggregate")
    before = keyspace.functions.get(made.signature)
    if before is not None:
        if statement.if_not_exists:
            return schema, None
        _check_replaced(before, made, statement)
    change = CREATED if before is None else UPDATED
    if before == made:
        return schema, None
    types = tuple(type_text(type_name, keyspace=place) for _, type_name in statement.arguments)
    return schema.with_keyspace(keyspace.with_function(made)), SchemaChange(change, FUNCTION, place, name, types)


def _check_replaced(before: FunctionMetadata, made: FunctionMetadata, statement: CreateFunction) -> None:
    if not statement.or_replace:
        raise InvalidRequest(f"Function '{made.name}' already exists")
    if before.called_on_null_input != made.called_on_null_input:
        directive = "CALLED ON NULL INPUT" if made.called_on_null_input else "RETURNS NULL ON NULL INPUT"
        raise InvalidRequest(f"Function '{made.name}' must have {directive} directive")
    if not is_value_compatible(made.return_type, before.return_type):
        raise InvalidRequest(
            f"Cannot replace function '{made.name}', the new return type {made.return_type.cql()} is not compatible with "
            f"the return type {before.return_type.cql()} of existing function"
        )


def shown_signature(place: str, name: str, types: tuple[TypeName, ...] | None) -> str:
    written = f"{place}.{name}"
    return written if types is None else f"{written}({', '.join(map(type_text, types))})"


def candidates(keyspace: KeyspaceMetadata, name: str) -> list[Signature]:
    """Functions and aggregates of the name."""
    return [s for s in (*keyspace.functions, *keyspace.aggregates) if s[0] == name]


def check_ambiguous(
    keyspace: KeyspaceMetadata, name: str, types: tuple[TypeName, ...] | None, kind: str, schema: Schema
) -> Signature | None:
    """The signature that a DROP means; None: that of the only one of the name."""
    if types is None:
        if len(candidates(keyspace, name)) > 1:
            raise InvalidRequest(
                f"'DROP {kind} {name}' matches multiple function definitions; specify the argument types by issuing a "
                f"statement like 'DROP {kind} {name} (type, type, ...)'. You can use cqlsh 'DESCRIBE {kind} {name}' command "
                "to find all overloads"
            )
        return None
    for type_name in types:
        check_frozen(type_name, "Argument")
    return signature(name, _prepared(types, keyspace.name, schema))


def _is_masked_with(mask: ColumnMask | None, function: FunctionMetadata) -> bool:
    if mask is None or (mask.function_keyspace, mask.function_name) != (function.keyspace, function.name):
        return False
    return len(mask.argument_types) + 1 == len(function.argument_types)


def drop_function(schema: Schema, statement: DropFunction, context: DdlContext) -> DdlResult:
    place, name = context.keyspace_of(statement.name), statement.name.name
    check_keyspace_name(place)
    shown = shown_signature(place, name, statement.argument_types)
    keyspace = schema.keyspaces.get(place)
    found: FunctionMetadata | None = None
    if keyspace is not None:
        wanted = check_ambiguous(keyspace, name, statement.argument_types, "FUNCTION", schema)
        fitting = (f for s, f in keyspace.functions.items() if s[0] == name and wanted in (None, s))
        found = next(fitting, None)
    if keyspace is None or found is None:
        if statement.if_exists:
            return schema, None
        raise InvalidRequest(f"Function '{shown}' doesn't exist")
    users = [f"{place}.{a.name}" for a in keyspace.aggregates.values() if found.signature in a.function_signatures]
    if users:
        raise InvalidRequest(f"Function '{shown}' is still referenced by aggregates {', '.join(users)}")
    masked = [t.name for t in keyspace.tables.values() if any(_is_masked_with(c.mask, found) for c in t.columns)]
    if masked:
        raise InvalidRequest(f"Function '{shown}' is still referenced by column masks in tables {', '.join(masked)}")
    types = tuple(t.cql() for t in found.argument_types)
    changed = schema.with_keyspace(keyspace.without_function(found.signature))
    return changed, SchemaChange(DROPPED, FUNCTION, place, name, types)
