"""CREATE TRIGGER and DROP TRIGGER (cql3/statements/schema/CreateTriggerStatement.java, DropTriggerStatement.java).

A trigger is a Java class in a folder of the server. There is none here, so none is ever loaded, which Cassandra tells of a
class that its folder lacks. A trigger that came with the schema of another server is kept, and can be dropped.
"""

from dataclasses import replace

from cqlserver.ddl.context import TABLE, UPDATED, DdlContext, DdlResult, check_keyspace_name
from grammar.tree import CreateTrigger, DropTrigger
from protocol.errors import InvalidRequest
from protocol.responses import SchemaChange
from storage.schema.elements import without_element
from storage.schema.metadata import Schema


def create_trigger(schema: Schema, statement: CreateTrigger, context: DdlContext) -> DdlResult:
    place, name = context.keyspace_of(statement.table), statement.table.name
    check_keyspace_name(place)
    keyspace = schema.keyspaces.get(place)
    if keyspace is None:
        raise InvalidRequest(f"Keyspace '{place}' doesn't exist")
    table = schema.maybe_table(place, name)
    if table is None:
        raise InvalidRequest(f"Table '{name}' doesn't exist")
    if table.is_view:
        raise InvalidRequest("Cannot CREATE TRIGGER for a materialized view")
    if statement.name in table.triggers:
        if statement.if_not_exists:
            return schema, None
        raise InvalidRequest(f"Trigger '{statement.name}' already exists")
    raise InvalidRequest(f"Trigger class '{statement.java_class}' couldn't be loaded")


def drop_trigger(schema: Schema, statement: DropTrigger, context: DdlContext) -> DdlResult:
    place, name = context.keyspace_of(statement.table), statement.table.name
    check_keyspace_name(place)
    keyspace = schema.keyspaces.get(place)
    table = keyspace.tables.get(name) if keyspace else None
    if keyspace is None or table is None or statement.name not in table.triggers:
        if statement.if_exists:
            return schema, None
        raise InvalidRequest(f"Trigger '{statement.name}' on '{place}.{name}' doesn't exist")
    changed = replace(table, triggers=without_element(table.triggers, statement.name))
    return schema.with_keyspace(keyspace.with_table(changed)), SchemaChange(UPDATED, TABLE, place, name)
