"""What a change of the schema means for permissions: what has a creator now, what nobody can be granted any more."""

from collections.abc import Iterator

from cqlserver.auth.resources import Resource, all_tables, function, keyspace, keyspace_functions, table
from protocol.responses import SchemaChange
from storage.schema.metadata import AggregateMetadata, FunctionMetadata, KeyspaceMetadata, Schema


def created(change: SchemaChange, schema: Schema) -> Iterator[Resource]:
    """`schema`: after the change."""
    of, name = change.keyspace, change.name or ""
    match change.target:
        case "KEYSPACE":
            yield keyspace(of)
            yield keyspace_functions(of)
        case "TABLE":
            if name in schema.keyspaces[of].tables:  # a view is its base table's
                yield table(of, name)
        case "FUNCTION" | "AGGREGATE":
            yield from _changed_function(schema, change)


def dropped(before: Schema, change: SchemaChange) -> Iterator[Resource]:
    of, name = change.keyspace, change.name or ""
    match change.target:
        case "KEYSPACE":
            gone = before.keyspaces[of]
            yield from (table(of, name) for name in gone.tables)
            yield from functions_of(gone)
            yield keyspace(of)
            yield all_tables(of)
            yield keyspace_functions(of)
        case "TABLE":
            yield table(of, name)
        case "FUNCTION" | "AGGREGATE":
            yield from _changed_function(before, change)


def functions_of(of: KeyspaceMetadata) -> Iterator[Resource]:
    """The functions and aggregates of a keyspace."""
    defined: list[FunctionMetadata | AggregateMetadata] = [*of.functions.values(), *of.aggregates.values()]
    for one in defined:
        yield function(of.name, one.name, one.argument_types)


def _changed_function(schema: Schema, change: SchemaChange) -> Iterator[Resource]:
    for resource in functions_of(schema.keyspaces[change.keyspace]):
        if resource.of == change.name and tuple(of.cql() for of in resource.argument_types) == change.argument_types:
            yield resource
