"""CREATE INDEX and DROP INDEX (cql3/statements/schema/CreateIndexStatement.java, DropIndexStatement.java,
schema/IndexMetadata.java)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from re import ASCII
from re import compile as pattern
from types import MappingProxyType
from typing import Final

from cqlserver.ddl.context import (
    NAME_LENGTH_MAX,
    TABLE,
    UPDATED,
    DdlContext,
    DdlResult,
    authorize,
    check_keyspace_name,
    is_word,
)
from cqlserver.ddl.index_classes import check_class, standing_warnings
from cqlserver.ddl.properties import Properties
from cqlserver.ddl.type_walk import references_duration
from grammar.tree import CreateIndex, DropIndex, IndexTargetKind
from protocol.errors import ConfigurationError, InvalidRequest
from protocol.responses import SchemaChange
from protocol.types import ListType, MapType, SetType, TupleType, UserType, quoted_identifier
from storage.indexes.sasi import SASI_CLASS
from storage.indexes.target import CLASS_OPTION, TARGET_OPTION, IndexTarget, TargetKind
from storage.schema.elements import with_element, without_element
from storage.schema.metadata import ColumnKind, IndexMetadata, KeyspaceMetadata, Schema, TableMetadata

LOCAL_CLASS: Final = "legacy_local_table"
"""What USING calls the built-in kind, and the setting default_secondary_index."""
_OPTIONS: Final = "options"
_NON_WORD: Final = pattern(r"\W", ASCII)
_KINDS: Final = MappingProxyType(
    {
        IndexTargetKind.SIMPLE: TargetKind.SIMPLE,
        IndexTargetKind.VALUES: TargetKind.VALUES,
        IndexTargetKind.KEYS: TargetKind.KEYS,
        IndexTargetKind.ENTRIES: TargetKind.ENTRIES,
        IndexTargetKind.FULL: TargetKind.FULL,
    }
)
_COLLECTIONS: Final = (ListType, SetType, MapType)


def create_index(schema: Schema, statement: CreateIndex, context: DdlContext) -> DdlResult:
    result = _create_index(schema, statement, context)
    if _class_name(statement) == SASI_CLASS:
        context.warn("SASI indexes are experimental and are not recommended for production use.")
    return result


def _create_index(schema: Schema, statement: CreateIndex, context: DdlContext) -> DdlResult:
    keyspace_name, table_name = context.keyspace_of(statement.table), statement.table.name
    authorize(keyspace_name, "ALTER", f"<table {keyspace_name}.{table_name}>")
    check_keyspace_name(keyspace_name)
    class_name = _class_name(statement)
    options = _options(statement, class_name)
    if class_name == SASI_CLASS and not context.sasi_indexes_enabled:
        raise InvalidRequest("SASI indexes are disabled. Enable in cassandra.yaml to use.")
    keyspace = schema.keyspaces.get(keyspace_name)
    if keyspace is None:
        raise InvalidRequest(f"Keyspace '{keyspace_name}' doesn't exist")
    table = schema.maybe_table(keyspace_name, table_name)
    if table is None:
        raise InvalidRequest(f"Table '{table_name}' doesn't exist")
    if statement.name is not None and has_index(keyspace, statement.name):
        if statement.if_not_exists:
            return schema, None
        raise InvalidRequest(f"Index '{statement.name}' already exists")
    _check_table(keyspace, table)
    if context.guarded is not None:
        context.guarded.indexes(statement.name or f"on table {table_name}", len(table.indexes) + 1)
    targets = _targets(statement, table, is_custom=class_name is not None)
    name = statement.name or _available_name(keyspace, table_name, targets)
    text = ", ".join(target.text for target in targets)
    kind = "COMPOSITES" if class_name is None else "CUSTOM"
    index = IndexMetadata(name, kind, MappingProxyType({**options, TARGET_OPTION: text}))
    for existing in table.indexes.values():
        if existing.content()[1:] == index.content()[1:]:
            if statement.if_not_exists:
                return schema, None
            raise InvalidRequest(f"Index {name} is a duplicate of existing index {existing.name}")
    if not is_word(name):
        raise ConfigurationError(f"Illegal index name {name}")
    warnings = standing_warnings(table)
    if class_name is not None:
        check_class(table, index, warnings.append)
    for warning in dict.fromkeys(warnings):
        context.warn(warning)
    changed = replace(table, indexes=with_element(table.indexes, name, index))
    return schema.with_keyspace(keyspace.with_table(changed)), SchemaChange(UPDATED, TABLE, keyspace_name, table_name)


def has_index(keyspace: KeyspaceMetadata, name: str) -> bool:
    return any(name in table.indexes for table in keyspace.tables.values())


def _class_name(statement: CreateIndex) -> str | None:
    """What USING says, None for the built-in kind."""
    using = statement.using if statement.using is not None else LOCAL_CLASS
    return None if not statement.is_custom and using.lower() == LOCAL_CLASS else using


def _options(statement: CreateIndex, class_name: str | None) -> Mapping[str, str]:
    properties = Properties(statement.properties)
    properties.check_names(frozenset((_OPTIONS,)))
    if class_name is None:
        if len(properties):
            raise InvalidRequest("Cannot specify options for a non-CUSTOM index")
        return {}
    options = properties.map(_OPTIONS)
    for forbidden in (CLASS_OPTION, TARGET_OPTION):
        if forbidden in options:
            raise InvalidRequest(f"Cannot specify {forbidden} as a CUSTOM option")
    return {**options, CLASS_OPTION: class_name}


def _check_table(keyspace: KeyspaceMetadata, table: TableMetadata) -> None:
    if table.is_counter:
        raise InvalidRequest("Secondary indexes on counter tables aren't supported")
    if table.name in keyspace.views:
        raise InvalidRequest("Secondary indexes on materialized views aren't supported")


def _targets(statement: CreateIndex, table: TableMetadata, is_custom: bool) -> list[IndexTarget]:
    targets = []
    for written in statement.targets:
        column = table.visible_by_name.get(written.column)
        if column is None:
            raise InvalidRequest(f"Undefined column name {quoted_identifier(written.column)} in table {table}")
        kind = _KINDS[written.kind]
        # the type of a DESC column is none of a collection, to Cassandra
        if kind is TargetKind.SIMPLE and isinstance(column.type, _COLLECTIONS) and not column.reversed:
            kind = TargetKind.VALUES
        targets.append(IndexTarget(column, kind))
    if not targets and not is_custom:
        raise InvalidRequest("Only CUSTOM indexes can be created without specifying a target column")
    if len(targets) > 1:
        if not is_custom:
            raise InvalidRequest("Only CUSTOM indexes support multiple columns")
        names = [target.column.name for target in targets]
        for at, name in enumerate(names):
            if name in names[:at]:
                raise InvalidRequest(f"Duplicate column '{name}' in index target list")
    for target in targets:
        _check_target(table, target, is_custom)
    return targets


def _check_target(table: TableMetadata, target: IndexTarget, is_custom: bool) -> None:
    column, kind, type_ = target.column, target.kind, target.column.type
    if is_custom:
        if not is_word(column.name):
            raise InvalidRequest(f"Column '{column.name}' contains non-alphanumeric-underscore characters")
        if len(column.name) > NAME_LENGTH_MAX:
            raise InvalidRequest(
                f"Column '{column.name}' is longer than the permissible name length of {NAME_LENGTH_MAX} characters"
            )
    if references_duration(type_):
        raise InvalidRequest(f"Secondary indexes are not supported on {_with_durations(target)}")
    if table.is_compact and column.is_primary_key:
        raise InvalidRequest("Secondary indexes are not supported on PRIMARY KEY columns in COMPACT STORAGE tables")
    if table.is_compact and not table.is_static_compact and column in table.regulars:
        raise InvalidRequest("Secondary indexes are not supported on compact value column of COMPACT STORAGE tables")
    if column.kind is ColumnKind.PARTITION_KEY and len(table.partition_key) == 1:
        raise InvalidRequest(f"Cannot create secondary index on the only partition key column {column.name}")
    is_collection = isinstance(type_, _COLLECTIONS)
    is_frozen = is_collection and not type_.is_multicell
    if is_frozen and kind is not TargetKind.FULL:
        raise InvalidRequest(
            f"Cannot create {kind.value}() index on frozen column {column.name}. Frozen collections are immutable and must "
            f"be fully indexed by using the 'full({quoted_identifier(column.name)})' modifier"
        )
    if not is_frozen and kind is TargetKind.FULL:
        raise InvalidRequest("full() indexes can only be created on frozen collections")
    if not is_collection and kind is not TargetKind.SIMPLE:
        raise InvalidRequest(
            f"Cannot create {kind.value}() index on {column.name}. Non-collection columns only support simple indexes"
        )
    if kind in (TargetKind.KEYS, TargetKind.ENTRIES) and not isinstance(type_, MapType):
        raise InvalidRequest(f"Cannot create index on {kind.value} of column {column.name} with non-map type")
    if isinstance(type_, UserType) and type_.is_multicell:
        raise InvalidRequest(f"Cannot create index on non-frozen UDT column {column.name}")


def _with_durations(target: IndexTarget) -> str:
    type_ = target.column.type
    if isinstance(type_, _COLLECTIONS):
        return "collections containing durations"
    if isinstance(type_, TupleType):
        return "tuples containing durations"
    return "UDTs containing durations" if isinstance(type_, UserType) else "duration columns"


def _available_name(keyspace: KeyspaceMetadata, table: str, targets: Sequence[IndexTarget]) -> str:
    middle = f"_{targets[0].column.name}" if len(targets) == 1 else ""
    base = _NON_WORD.sub("", f"{table}{middle}_idx")
    name, number = base, 0
    while has_index(keyspace, name):
        number += 1
        name = f"{base}_{number}"
    return name


def drop_index(schema: Schema, statement: DropIndex, context: DdlContext) -> DdlResult:
    keyspace_name, name = context.keyspace_of(statement.name), statement.name.name
    keyspace = schema.keyspaces.get(keyspace_name)
    table = next((t for t in keyspace.tables.values() if name in t.indexes), None) if keyspace is not None else None
    if table is not None:
        authorize(keyspace_name, "ALTER", f"<table {keyspace_name}.{table.name}>")
    check_keyspace_name(keyspace_name)
    if keyspace is None or table is None:
        if statement.if_exists:
            return schema, None
        raise InvalidRequest(f"Index '{keyspace_name}.{name}' doesn't exist'")  # the odd quote is Cassandra's
    changed = replace(table, indexes=without_element(table.indexes, name))
    return schema.with_keyspace(keyspace.with_table(changed)), SchemaChange(UPDATED, TABLE, keyspace_name, table.name)
