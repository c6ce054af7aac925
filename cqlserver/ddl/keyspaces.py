"""CREATE, ALTER and DROP KEYSPACE (cql3/statements/schema/*KeyspaceStatement.java)."""

from collections.abc import Mapping
from dataclasses import replace

from cqlserver.ddl.context import (
    CREATED,
    DROPPED,
    KEYSPACE,
    UPDATED,
    DdlContext,
    DdlResult,
    authorize,
    check_keyspace_name,
)
from cqlserver.ddl.properties import Properties
from cqlserver.ddl.replication import check_replication, prepare_replication, replica_count
from grammar.tree import AlterKeyspace, CreateKeyspace, DropKeyspace, Property
from protocol.errors import AlreadyExists, ConfigurationError, InvalidRequest
from protocol.responses import SchemaChange
from storage.schema.metadata import KeyspaceMetadata, KeyspaceParams, Schema

_KNOWN = frozenset({"durable_writes", "replication"})


def _read(properties: tuple[Property, ...]) -> tuple[Properties, Mapping[str, str]]:
    """Checked properties, and the replication options among them."""
    read = Properties(properties)
    read.check_names(_KNOWN)
    replication = read.map("replication")
    if replication and "class" not in replication:
        raise ConfigurationError("Missing replication strategy class")
    return read, replication


def create_keyspace(schema: Schema, statement: CreateKeyspace, context: DdlContext) -> DdlResult:
    name = statement.name
    check_keyspace_name(name)
    properties, replication = _read(statement.properties)
    if "replication" not in properties:
        raise InvalidRequest("Missing mandatory option 'replication'")
    if name in schema.keyspaces:
        if statement.if_not_exists:
            return schema, None
        raise AlreadyExists(f'Cannot add existing keyspace "{name}"', name)
    durable_writes = properties.boolean("durable_writes") if "durable_writes" in properties else True
    params = KeyspaceParams(prepare_replication(replication, {}, context), durable_writes)
    check_replication(name, params.replication, context)
    return schema.with_keyspace(KeyspaceMetadata(name, params)), SchemaChange(CREATED, KEYSPACE, name)


def alter_keyspace(schema: Schema, statement: AlterKeyspace, context: DdlContext) -> DdlResult:
    name = statement.name
    authorize(name, "ALTER", f"<keyspace {name}>", allows_replicated=True)
    check_keyspace_name(name)
    properties, replication = _read(statement.properties)
    keyspace = schema.keyspaces.get(name)
    if keyspace is None:
        if statement.if_exists:
            return schema, None
        raise InvalidRequest(f"Keyspace '{name}' doesn't exist")
    before = keyspace.params
    durable_writes = properties.boolean("durable_writes") if "durable_writes" in properties else before.durable_writes
    after = before.replication
    if replication:
        after = prepare_replication(replication, before.replication, context)
    check_replication(name, after, context)
    params = KeyspaceParams(after, durable_writes)
    if params == before:
        return schema, None
    if replica_count(before.replication) < replica_count(after):
        context.warn("When increasing replication factor you need to run a full (-full) repair to distribute the data.")
    return schema.with_keyspace(replace(keyspace, params=params)), SchemaChange(UPDATED, KEYSPACE, name)


def drop_keyspace(schema: Schema, statement: DropKeyspace, context: DdlContext) -> DdlResult:
    name = statement.name
    authorize(name, "DROP", f"<keyspace {name}>")
    check_keyspace_name(name)
    if context.guarded is not None:
        context.guarded.drops_keyspaces()
    if name in schema.keyspaces:
        return schema.without_keyspace(name), SchemaChange(DROPPED, KEYSPACE, name)
    if statement.if_exists:
        return schema, None
    raise InvalidRequest(f"Keyspace '{name}' doesn't exist")
