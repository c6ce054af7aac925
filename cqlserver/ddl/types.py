"""CREATE, ALTER and DROP TYPE (cql3/statements/schema/*TypeStatement.java)."""

from collections import Counter
from dataclasses import replace
from types import MappingProxyType

from cqlserver.ddl.context import (
    CREATED,
    DROPPED,
    TYPE,
    UPDATED,
    DdlContext,
    DdlResult,
    authorize,
    check_keyspace_name,
)
from cqlserver.ddl.type_walk import is_counter_name, qualified, references_user_type, with_user_type
from cqlserver.terms.type_names import check_component_count, resolve_type, type_text
from grammar.tree import (
    AlterType,
    AlterTypeAdd,
    AlterTypeFieldType,
    AlterTypeRename,
    CreateType,
    DropType,
    TypeName,
    UserTypeName,
)
from protocol.errors import InvalidRequest
from protocol.responses import SchemaChange
from protocol.types import UserType, quoted_identifier
from storage.environment.strands import ITEMS_PER_GO_MAX, long_work, paused
from storage.schema.metadata import KeyspaceMetadata, Schema, TableMetadata


def create_type(schema: Schema, statement: CreateType, context: DdlContext) -> DdlResult:
    keyspace_name, name = context.keyspace_of(statement.name), statement.name.name
    authorize(keyspace_name, "CREATE", f"<all tables in {keyspace_name}>")
    check_keyspace_name(keyspace_name)
    keyspace = schema.keyspaces.get(keyspace_name)
    if keyspace is None:
        raise InvalidRequest(f"Keyspace '{keyspace_name}' doesn't exist")
    if name in keyspace.types:
        if statement.if_not_exists:
            return schema, None
        raise InvalidRequest(f"A user type with name '{name}' already exists")
    check_component_count("user type", len(statement.fields))
    names: dict[str, None] = {}
    for field, _ in paused(statement.fields):
        if field in names:
            raise InvalidRequest(f"Duplicate field name '{field}' in type '{name}'")
        names[field] = None
    for _, type_name in paused(statement.fields):
        _check_field_type(type_name)
    types = tuple([resolve_type(type_name, keyspace_name, schema) for _, type_name in paused(statement.fields)])
    created = UserType(keyspace_name, name, tuple(names), types, True)
    return schema.with_keyspace(keyspace.with_type(created)), SchemaChange(CREATED, TYPE, keyspace_name, name)


def _check_field_type(name: TypeName) -> None:
    if is_counter_name(name):
        raise InvalidRequest("A user type cannot contain counters")
    if isinstance(name, UserTypeName):
        raise InvalidRequest("A user type cannot contain non-frozen UDTs")


def alter_type(schema: Schema, statement: AlterType, context: DdlContext) -> DdlResult:
    keyspace_name, name = context.keyspace_of(statement.name), statement.name.name
    authorize(keyspace_name, "ALTER", f"<all tables in {keyspace_name}>")
    check_keyspace_name(keyspace_name)
    keyspace = schema.keyspaces.get(keyspace_name)
    before = keyspace.types.get(name) if keyspace else None
    if keyspace is None or before is None:
        if statement.if_exists:
            return schema, None
        raise InvalidRequest(f"Type {keyspace_name}.{name} doesn't exist")
    if len(before.field_names) > ITEMS_PER_GO_MAX:
        long_work()
    if isinstance(statement, AlterTypeAdd):
        after = _with_field(schema, keyspace, before, statement, context)
    elif isinstance(statement, AlterTypeRename):
        after = _with_renamed_fields(keyspace, before, statement)
    else:
        assert isinstance(statement, AlterTypeFieldType), statement
        raise InvalidRequest("Altering field types is no longer supported")
    if after == before:
        return schema, None
    changed = with_updated_type(keyspace, after)
    return schema.with_keyspace(changed), SchemaChange(UPDATED, TYPE, keyspace_name, name)


def _written(user_type: UserType) -> str:
    return f"{quoted_identifier(user_type.keyspace)}.{quoted_identifier(user_type.name)}"


def _with_field(
    schema: Schema, keyspace: KeyspaceMetadata, before: UserType, statement: AlterTypeAdd, context: DdlContext
) -> UserType:
    field = statement.field
    _check_field_type(statement.type)
    if field in before.field_names:
        if statement.if_field_not_exists:
            return before
        raise InvalidRequest(
            f"Cannot add field {field} to type {_written(before)}: a field with name {field} already exists"
        )
    check_component_count("user type", len(before.field_names) + 1)
    if context.guarded is not None:
        context.guarded.fields(before.name, len(before.field_names) + 1)
    field_type = resolve_type(statement.type, keyspace.name, schema)
    subject = f"Cannot add new field {field} of type {type_text(qualified(statement.type, keyspace.name))}"
    if references_user_type(field_type, before.name):
        raise InvalidRequest(f"{subject} to user type {_written(before)} as it would create a circular reference")
    tables = [t for t in _tables_and_views(keyspace) if _is_in_partition_key(t, before.name)]
    if tables:
        raise InvalidRequest(
            f"{subject} to user type {_written(before)} as the type is being used in partition key by the following "
            f"tables: {', '.join(map(str, tables))}"
        )
    names, types = (*before.field_names, field), (*before.field_types, field_type)
    return replace(before, field_names=names, field_types=types)


def _tables_and_views(keyspace: KeyspaceMetadata) -> list[TableMetadata]:
    return [*keyspace.tables.values(), *(view.table for view in keyspace.views.values())]


def _is_in_partition_key(table: TableMetadata, name: str) -> bool:
    return any(references_user_type(column.type, name) for column in table.partition_key)


def _with_renamed_fields(keyspace: KeyspaceMetadata, before: UserType, statement: AlterTypeRename) -> UserType:
    aggregates = [
        f"{a.keyspace}.{a.name}"
        for a in keyspace.aggregates.values()
        if a.initcond is not None and references_user_type(a.state_type, before.name)
    ]
    if aggregates:
        raise InvalidRequest(
            f"Cannot alter user type {_written(before)} as it is still used in INITCOND by aggregates "
            f"{', '.join(aggregates)}"
        )
    names = list(before.field_names)
    places = {name: place for place, name in enumerate(names)}
    for old, new in statement.renames:
        if old in places:
            names[places[old]] = new
        elif not statement.if_field_exists:
            raise InvalidRequest(f"Unkown field {old} in user type {_written(before)}")
    counts = Counter(names)
    for name in names:
        if counts[name] > 1:
            raise InvalidRequest(f"Duplicate field name {name} in type {keyspace.name}")
    return replace(before, field_names=tuple(names))


def with_updated_type(keyspace: KeyspaceMetadata, changed: UserType) -> KeyspaceMetadata:
    """The keyspace with `changed` wherever the type of its name is used: types, tables, views and functions."""
    types = {n: with_user_type(t, changed) for n, t in keyspace.types.items()}
    tables = {n: _table_with(t, changed) for n, t in keyspace.tables.items()}
    views = {n: replace(v, table=_table_with(v.table, changed)) for n, v in keyspace.views.items()}
    functions = {
        signature: replace(
            function,
            argument_types=tuple(with_user_type(t, changed) for t in function.argument_types),
            return_type=with_user_type(function.return_type, changed),
        )
        for signature, function in keyspace.functions.items()
    }
    aggregates = {
        signature: replace(
            aggregate,
            argument_types=tuple(with_user_type(t, changed) for t in aggregate.argument_types),
            return_type=with_user_type(aggregate.return_type, changed),
            state_type=with_user_type(aggregate.state_type, changed),
        )
        for signature, aggregate in keyspace.aggregates.items()
    }
    return replace(
        keyspace,
        types=MappingProxyType({n: t for n, t in types.items() if isinstance(t, UserType)}),
        tables=MappingProxyType(tables),
        views=MappingProxyType(views),
        functions=MappingProxyType(functions),
        aggregates=MappingProxyType(aggregates),
    )


def _table_with(table: TableMetadata, changed: UserType) -> TableMetadata:
    columns = tuple(
        replace(c, type=with_user_type(c.type, changed)) if references_user_type(c.type, changed.name) else c
        for c in table.columns
    )
    return table if columns == table.columns else replace(table, columns=columns)


def drop_type(schema: Schema, statement: DropType, context: DdlContext) -> DdlResult:
    keyspace_name, name = context.keyspace_of(statement.name), statement.name.name
    authorize(keyspace_name, "DROP", f"<all tables in {keyspace_name}>")
    check_keyspace_name(keyspace_name)
    keyspace = schema.keyspaces.get(keyspace_name)
    if keyspace is None or name not in keyspace.types:
        if statement.if_exists:
            return schema, None
        raise InvalidRequest(f"Type '{keyspace_name}.{name}' doesn't exist")
    subject = f"Cannot drop user type '{keyspace_name}.{name}' as it is still used by"
    functions = _functions_using(keyspace, name)
    if functions:
        raise InvalidRequest(f"{subject} functions {', '.join(functions)}")
    types = sorted(n for n, t in keyspace.types.items() if n != name and references_user_type(t, name))
    if types:
        raise InvalidRequest(f"{subject} user types {', '.join(types)}")
    tables = [t.name for t in keyspace.tables.values() if any(references_user_type(c.type, name) for c in t.columns)]
    if tables:
        raise InvalidRequest(f"{subject} tables {', '.join(tables)}")
    return schema.with_keyspace(keyspace.without_type(name)), SchemaChange(DROPPED, TYPE, keyspace_name, name)


def _functions_using(keyspace: KeyspaceMetadata, name: str) -> list[str]:
    found = []
    for function in keyspace.functions.values():
        if any(references_user_type(t, name) for t in (*function.argument_types, function.return_type)):
            found.append(f"{function.keyspace}.{function.name}")
    for aggregate in keyspace.aggregates.values():
        types = (*aggregate.argument_types, aggregate.return_type, aggregate.state_type)
        if any(references_user_type(t, name) for t in types):
            found.append(f"{aggregate.keyspace}.{aggregate.name}")
    return found
