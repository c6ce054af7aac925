"""CREATE and DROP AGGREGATE (cql3/statements/schema/CreateAggregateStatement.java, DropAggregateStatement.java)."""

from uuid import UUID

from cqlserver.ddl.context import (
    AGGREGATE,
    CREATED,
    DROPPED,
    UPDATED,
    DdlContext,
    DdlResult,
    check_keyspace_name,
)
from cqlserver.ddl.functions import (
    BOTH_DIRECTIVES,
    check_ambiguous,
    check_frozen,
    find_keyspace,
    is_valid_name,
    shown_signature,
    signature,
)
from cqlserver.ddl.masks import FixedCalls
from cqlserver.terms.assignment import is_value_compatible
from cqlserver.terms.terms import BindContext, raw_term
from cqlserver.terms.type_names import resolve_type, type_text
from grammar.tree import CreateAggregate, DropAggregate, Null
from protocol.errors import ConfigurationError, InvalidRequest, ServerError
from protocol.responses import ColumnSpec, SchemaChange
from protocol.types import CqlType, MarshalError
from storage.schema.metadata import AggregateMetadata, FunctionMetadata, KeyspaceMetadata, Schema, TableMetadata

_NO_TABLE_ID = UUID(int=0)


def create_aggregate(schema: Schema, statement: CreateAggregate, context: DdlContext) -> DdlResult:
    place, name = context.keyspace_of(statement.name), statement.name.name
    check_keyspace_name(place)
    if statement.if_not_exists and statement.or_replace:
        raise InvalidRequest(BOTH_DIRECTIVES)
    if not is_valid_name(name):
        raise InvalidRequest(f"Aggregate name '{name}' is invalid")
    for type_name in statement.argument_types:
        check_frozen(type_name, "Argument")
    check_frozen(statement.state_type, "State type")
    if place not in schema.keyspaces:
        raise ConfigurationError(f"Keyspace {place} doesn't exist")
    keyspace = find_keyspace(schema, place)
    types = tuple(resolve_type(type_name, place, schema) for type_name in statement.argument_types)
    state_type = resolve_type(statement.state_type, place, schema)
    state = _state_function(keyspace, statement, types, state_type)
    final = _final_function(keyspace, statement, state_type)
    initial = _initial_value(schema, statement, place, state_type, context)
    if initial is None and not state.called_on_null_input:
        raise InvalidRequest(
            f"Cannot create aggregate '{name}' without INITCOND because state function {place}.{state.name} does not accept "
            "'null' arguments"
        )
    made = AggregateMetadata(
        place,
        name,
        types,
        state.return_type if final is None else final.return_type,
        state.name,
        state_type,
        None if final is None else final.name,
        None if initial is None else state_type.to_literal(initial),
    )
    return _added(schema, keyspace, statement, made)


def _state_function(
    keyspace: KeyspaceMetadata, statement: CreateAggregate, types: tuple[CqlType, ...], state_type: CqlType
) -> FunctionMetadata:
    written = ", ".join(map(type_text, (statement.state_type, *statement.argument_types)))
    shown = f"{keyspace.name}.{statement.state_function}({written})"
    wanted = signature(statement.state_function, (state_type, *types))
    if wanted in keyspace.aggregates:
        raise InvalidRequest(f"State function {shown} isn't a scalar function")
    found = keyspace.functions.get(wanted)
    if found is None:
        raise InvalidRequest(f"State function {shown} doesn't exist")
    if found.return_type != state_type:
        raise InvalidRequest(
            f"State function {shown} return type must be the same as the first argument type - check STYPE, argument and "
            "return types"
        )
    return found


def _final_function(keyspace: KeyspaceMetadata, statement: CreateAggregate, state_type: CqlType) -> FunctionMetadata | None:
    name = statement.final_function
    if name is None:
        return None
    shown = f"{keyspace.name}.{name}({type_text(statement.state_type)})"
    wanted = signature(name, (state_type,))
    if wanted in keyspace.aggregates:
        raise InvalidRequest(f"Final function {shown} isn't a scalar function")
    found = keyspace.functions.get(wanted)
    if found is None:
        raise InvalidRequest(f"Final function {shown} doesn't exist")
    return found


def _initial_value(
    schema: Schema, statement: CreateAggregate, place: str, state_type: CqlType, context: DdlContext
) -> bytes | None:
    if statement.initial_value is None:
        return None
    table = TableMetadata(place, "--dummy--", _NO_TABLE_ID, ())
    binding = BindContext(table, schema, (), FixedCalls(context))
    receiver = ColumnSpec(place, "--dummy--", "(dummy)", state_type)
    if statement.markers:
        raise ServerError("java.lang.IndexOutOfBoundsException: Index: 0")  # nobody binds them, and Cassandra looks
    found = raw_term(statement.initial_value, binding).prepare(receiver).bind(())
    value = found if isinstance(found, bytes) else None
    if value is not None:
        try:
            state_type.validate(value)
        except MarshalError:
            raise InvalidRequest(f"Invalid value for INITCOND of type {state_type.cql()}") from None
    if not isinstance(statement.initial_value, Null) and (value is None or (not value and state_type.empty_is_null)):
        raise InvalidRequest("INITCOND must not be empty for all types except TEXT, ASCII, BLOB")
    return value


def _added(schema: Schema, keyspace: KeyspaceMetadata, statement: CreateAggregate, made: AggregateMetadata) -> DdlResult:
    if made.signature in keyspace.functions:
        raise InvalidRequest(f"Aggregate '{made.name}' cannot replace a function")
    before = keyspace.aggregates.get(made.signature)
    if before is not None:
        if statement.if_not_exists:
            return schema, None
        if not statement.or_replace:
            raise InvalidRequest(f"Aggregate '{made.name}' already exists")
        if not is_value_compatible(made.return_type, before.return_type):
            raise InvalidRequest(
                f"Cannot replace aggregate '{made.name}', the new return type {made.return_type.cql()} isn't compatible "
                f"with the return type {before.return_type.cql()} of existing function"
            )
        if before == made:
            return schema, None
    types = tuple(type_text(type_name, keyspace=keyspace.name) for type_name in statement.argument_types)
    change = SchemaChange(CREATED if before is None else UPDATED, AGGREGATE, keyspace.name, made.name, types)
    return schema.with_keyspace(keyspace.with_aggregate(made)), change


def drop_aggregate(schema: Schema, statement: DropAggregate, context: DdlContext) -> DdlResult:
    place, name = context.keyspace_of(statement.name), statement.name.name
    check_keyspace_name(place)
    shown = shown_signature(place, name, statement.argument_types)
    keyspace = schema.keyspaces.get(place)
    found: AggregateMetadata | None = None
    if keyspace is not None:
        wanted = check_ambiguous(keyspace, name, statement.argument_types, "AGGREGATE", schema)
        found = next((a for s, a in keyspace.aggregates.items() if s[0] == name and wanted in (None, s)), None)
    if keyspace is None or found is None:
        if statement.if_exists:
            return schema, None
        raise InvalidRequest(f"Aggregate '{shown}' doesn't exist")
    types = tuple(t.cql() for t in found.argument_types)
    changed = schema.with_keyspace(keyspace.without_aggregate(found.signature))
    return changed, SchemaChange(DROPPED, AGGREGATE, place, name, types)
