"""DROP of what this server can't create yet: materialized views, functions, aggregates, triggers.

As nothing of the kind exists, the answer is Cassandra's for what isn't there (statements/schema/Drop*Statement.java).
One that came with the data of another server is found, and refused as not supported.
"""

from cqlserver.ddl.context import DdlContext, DdlResult, check_keyspace_name
from cqlserver.terms.type_names import type_text
from grammar.tree import (
    DropAggregate,
    DropFunction,
    DropMaterializedView,
    DropTrigger,
    QualifiedName,
    TypeName,
)
from protocol.errors import InvalidRequest
from storage.schema.metadata import KeyspaceMetadata, Schema


def _missing(schema: Schema, found: bool, if_exists: bool, message: str, words: str) -> DdlResult:
    if found:
        raise InvalidRequest(f"{words} is not supported yet")
    if if_exists:
        return schema, None
    raise InvalidRequest(message)


def _place(schema: Schema, name: QualifiedName, context: DdlContext) -> tuple[str, KeyspaceMetadata | None]:
    keyspace_name = context.keyspace_of(name)
    check_keyspace_name(keyspace_name)
    return keyspace_name, schema.keyspaces.get(keyspace_name)


def drop_view(schema: Schema, statement: DropMaterializedView, context: DdlContext) -> DdlResult:
    place, keyspace = _place(schema, statement.name, context)
    name = statement.name.name
    found = keyspace is not None and name in keyspace.views
    message = f"Materialized view '{place}.{name}' doesn't exist"
    return _missing(schema, found, statement.if_exists, message, "DROP MATERIALIZED VIEW")


def drop_trigger(schema: Schema, statement: DropTrigger, context: DdlContext) -> DdlResult:
    place, keyspace = _place(schema, statement.table, context)
    table = keyspace.tables.get(statement.table.name) if keyspace else None
    found = table is not None and statement.name in table.triggers
    message = f"Trigger '{statement.name}' on '{place}.{statement.table.name}' doesn't exist"
    return _missing(schema, found, statement.if_exists, message, "DROP TRIGGER")


def drop_function(schema: Schema, statement: DropFunction, context: DdlContext) -> DdlResult:
    place, keyspace = _place(schema, statement.name, context)
    found = keyspace is not None and any(f.name == statement.name.name for f in keyspace.functions.values())
    message = f"Function '{_signature(place, statement.name, statement.argument_types)}' doesn't exist"
    return _missing(schema, found, statement.if_exists, message, "DROP FUNCTION")


def drop_aggregate(schema: Schema, statement: DropAggregate, context: DdlContext) -> DdlResult:
    place, keyspace = _place(schema, statement.name, context)
    found = keyspace is not None and any(a.name == statement.name.name for a in keyspace.aggregates.values())
    message = f"Aggregate '{_signature(place, statement.name, statement.argument_types)}' doesn't exist"
    return _missing(schema, found, statement.if_exists, message, "DROP AGGREGATE")


def _signature(keyspace: str, name: QualifiedName, types: tuple[TypeName, ...] | None) -> str:
    written = f"{keyspace}.{name.name}"
    return written if types is None else f"{written}({', '.join(map(type_text, types))})"
