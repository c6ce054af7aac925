"""Guardrails of schema changes: what is asked before the schema is looked at, when a statement is prepared too.

(The `validate` methods of cql3/statements/schema; what is asked later stands where it is, in the modules beside this.)
"""

from collections.abc import Iterator
from dataclasses import replace

from cqlserver.ddl.properties import Properties
from cqlserver.ddl.table_params import build_params
from cqlserver.guardrails import (
    COLUMNS,
    COMPACT,
    DIMENSIONS,
    FIELDS,
    INDEX,
    KEYSPACES,
    SIMPLE_STRATEGY,
    TABLES,
    TWCS,
    VECTOR,
    Guarded,
)
from grammar.tree import (
    AlterKeyspace,
    AlterTableWith,
    CreateIndex,
    CreateKeyspace,
    CreateTable,
    CreateType,
    FrozenTypeName,
    ListTypeName,
    MapTypeName,
    Property,
    SetTypeName,
    Statement,
    TupleTypeName,
    TypeName,
    VectorTypeName,
)
from storage.schema.metadata import Schema, is_system_keyspace


def guard_statement(guarded: Guarded, statement: Statement, schema: Schema, memtables: frozenset[str]) -> Statement:
    """Warns, or raises InvalidRequest; returns the statement without the properties that are to be ignored."""
    match statement:
        case CreateTable():
            statement = replace(statement, properties=kept_properties(guarded, statement.properties))
            guarded.limit(COLUMNS, len(statement.columns), statement.name.name)
            users = [keyspace for keyspace in schema.keyspaces.values() if not is_system_keyspace(keyspace.name)]
            guarded.limit(TABLES, sum(len(keyspace.tables) for keyspace in users) + 1, statement.name.name)
            if statement.compact_storage:
                guarded.feature(COMPACT)
            _guard_time_windows(guarded, statement.properties, memtables)
            for column in statement.columns:
                guard_type(guarded, column.type, f"Column {column.name}")
            return statement
        case AlterTableWith():
            statement = replace(statement, properties=kept_properties(guarded, statement.properties))
            _guard_time_windows(guarded, statement.properties, memtables)
            return statement
        case CreateType():
            guarded.limit(FIELDS, len(statement.fields), statement.name.name)
            for name, type_name in statement.fields:
                guard_type(guarded, type_name, f"Field {name}")
        case CreateKeyspace():
            _guard_strategy(guarded, statement.properties)
            count = sum(not is_system_keyspace(name) for name in schema.keyspaces)
            guarded.limit(KEYSPACES, count + 1, statement.name)
        case AlterKeyspace():
            _guard_strategy(guarded, statement.properties)
        case CreateIndex():
            guarded.feature(INDEX)
    return statement


def guard_type(guarded: Guarded, name: TypeName, what: str) -> None:
    """The vectors in a type."""
    for vector in _vectors(name):
        guarded.feature(VECTOR, what)
        guarded.limit(DIMENSIONS, vector.dimension, what)


def _vectors(name: TypeName) -> Iterator[VectorTypeName]:
    match name:
        case VectorTypeName(element=element):
            yield name
            yield from _vectors(element)
        case FrozenTypeName(inner=inner) | ListTypeName(element=inner) | SetTypeName(element=inner):
            yield from _vectors(inner)
        case MapTypeName(key=key, value=value):
            yield from _vectors(key)
            yield from _vectors(value)
        case TupleTypeName(elements=elements):
            for element in elements:
                yield from _vectors(element)


def kept_properties(guarded: Guarded, properties: tuple[Property, ...]) -> tuple[Property, ...]:
    ignored = guarded.properties(each.name.lower() for each in properties)
    return tuple(each for each in properties if each.name.lower() not in ignored)


def _guard_time_windows(guarded: Guarded, properties: tuple[Property, ...], memtables: frozenset[str]) -> None:
    params = build_params(Properties(properties), None, memtables)
    if params.default_time_to_live == 0 and "TimeWindow" in params.compaction.get("class", ""):
        guarded.feature(TWCS)


def _guard_strategy(guarded: Guarded, properties: tuple[Property, ...]) -> None:
    for each in properties:
        if each.name != "replication" or isinstance(each.value, str):
            continue
        if each.value.get("class", "").rpartition(".")[2] == "SimpleStrategy":
            guarded.feature(SIMPLE_STRATEGY)
