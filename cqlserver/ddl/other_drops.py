"""DROP of what this server can't create yet: triggers.

As nothing of the kind exists, the answer is Cassandra's for what isn't there (statements/schema/DropTriggerStatement.java).
One that came with the data of another server is found, and refused as not supported.
"""

from cqlserver.ddl.context import DdlContext, DdlResult, check_keyspace_name
from grammar.tree import DropTrigger
from protocol.errors import InvalidRequest
from storage.schema.metadata import Schema


def drop_trigger(schema: Schema, statement: DropTrigger, context: DdlContext) -> DdlResult:
    place, name = context.keyspace_of(statement.table), statement.table.name
    check_keyspace_name(place)
    keyspace = schema.keyspaces.get(place)
    table = keyspace.tables.get(name) if keyspace else None
    if table is not None and statement.name in table.triggers:
        raise InvalidRequest("DROP TRIGGER is not supported yet")
    if statement.if_exists:
        return schema, None
    raise InvalidRequest(f"Trigger '{statement.name}' on '{place}.{name}' doesn't exist")
