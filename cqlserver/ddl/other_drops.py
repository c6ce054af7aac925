"""DROP of what this server can't create yet: materialized views, triggers.

As nothing of the kind exists, the answer is Cassandra's for what isn't there (statements/schema/Drop*Statement.java).
One that came with the data of another server is found, and refused as not supported.
"""

from cqlserver.ddl.context import DdlContext, DdlResult, check_keyspace_name
from grammar.tree import (
    DropMaterializedView,
    DropTrigger,
    QualifiedName,
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
