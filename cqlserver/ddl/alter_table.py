"""ALTER TABLE in all forms (cql3/statements/schema/AlterTableStatement.java)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isnan
from types import MappingProxyType
from typing import Any, Final

from cqlserver.ddl.context import (
    TABLE,
    UPDATED,
    DdlContext,
    DdlResult,
    authorize,
    check_keyspace_name,
)
from cqlserver.ddl.index_classes import standing_warnings
from cqlserver.ddl.masks import check_masking_enabled, prepare_mask
from cqlserver.ddl.properties import Properties
from cqlserver.ddl.table_params import build_params, check_properties, maybe_table_id
from cqlserver.ddl.tables import STATIC_WITHOUT_CLUSTERING, check_nested, check_table
from cqlserver.ddl.type_walk import without_user_types
from cqlserver.java_order import hash_ordered
from cqlserver.terms.assignment import is_value_compatible
from cqlserver.terms.type_names import resolve_type
from grammar.tree import (
    AlterTable,
    AlterTableAdd,
    AlterTableColumnType,
    AlterTableDrop,
    AlterTableDropCompactStorage,
    AlterTableMask,
    AlterTableRename,
    AlterTableWith,
    ColumnDefinition,
)
from protocol.errors import ConfigurationError, InvalidRequest, ServerError
from protocol.responses import SchemaChange
from protocol.types import BLOB, CqlType, ListType, MapType, UserType, quoted_identifier
from storage.environment.strands import ITEMS_PER_GO_MAX, long_work, paused
from storage.schema.metadata import (
    ColumnKind,
    ColumnMetadata,
    DroppedColumn,
    KeyspaceMetadata,
    Schema,
    TableMetadata,
    ordered_columns,
)


def alter_table(schema: Schema, statement: AlterTable, context: DdlContext) -> DdlResult:
    keyspace_name, name = context.keyspace_of(statement.name), statement.name.name
    authorize(keyspace_name, "ALTER", f"<table {keyspace_name}.{name}>")
    if isinstance(statement, AlterTableWith):
        build_params(Properties(statement.properties), None, context.memtables)
    if isinstance(statement, AlterTableMask) and statement.mask:
        check_masking_enabled(context)
    check_keyspace_name(keyspace_name)
    keyspace = schema.keyspaces.get(keyspace_name)
    table = keyspace.tables.get(name) if keyspace else None
    if keyspace is not None and name in keyspace.views:
        raise InvalidRequest("Cannot use ALTER TABLE on a materialized view; use ALTER MATERIALIZED VIEW instead")
    if keyspace is None or table is None:
        if statement.if_exists:
            return schema, None
        raise InvalidRequest(f"Table '{keyspace_name}.{name}' doesn't exist")
    if len(table.columns) + len(table.dropped_columns) > ITEMS_PER_GO_MAX:
        long_work()
    altered = _FORMS[type(statement)](schema, keyspace, table, statement, context)
    if altered is table or (len(altered.columns) == len(table.columns) and altered == table):
        is_told = isnan(table.params.crc_check_chance) and not isinstance(statement, AlterTableRename)
        return schema, SchemaChange(UPDATED, TABLE, keyspace_name, name) if is_told else None  # NaN is not what it was
    followed = keyspace.with_table(altered)
    if keyspace.views_of(table):
        from cqlserver.ddl.view_following import views_follow

        renames = statement.renames if isinstance(statement, AlterTableRename) else ()
        followed = views_follow(followed, table, altered, renames)
    return schema.with_keyspace(followed), SchemaChange(UPDATED, TABLE, keyspace_name, name)


def _alter_type(
    schema: Schema,
    keyspace: KeyspaceMetadata,
    table: TableMetadata,
    statement: AlterTableColumnType,
    context: DdlContext,
) -> TableMetadata:
    raise InvalidRequest("Altering column types is no longer supported")


def _mask(
    schema: Schema, keyspace: KeyspaceMetadata, table: TableMetadata, statement: AlterTableMask, context: DdlContext
) -> TableMetadata:
    column = table.by_name.get(statement.column)
    if column is None:
        if statement.if_column_exists:
            return table
        raise InvalidRequest(f"Column with name '{statement.column}' doesn't exist on table '{table.name}'")
    mask = None
    if statement.mask:
        mask = prepare_mask(statement.mask, column.name, column.type, schema, keyspace.name, context)
    changed = replace(column, mask=mask)
    return replace(table, columns=tuple(changed if c is column else c for c in table.columns))


def _add(
    schema: Schema, keyspace: KeyspaceMetadata, table: TableMetadata, statement: AlterTableAdd, context: DdlContext
) -> TableMetadata:
    _guard_change(context)
    if context.guarded is not None:
        from cqlserver.ddl.guards import guard_type

        for definition in statement.columns:
            guard_type(context.guarded, definition.type, f"Column {definition.name}")
    columns = dict(table.by_name)
    for definition in paused(statement.columns):
        column_type = resolve_type(definition.type, keyspace.name, schema)
        mask = None
        if definition.mask:
            mask = prepare_mask(definition.mask, definition.name, column_type, schema, keyspace.name, context)
        if definition.name in columns:
            if statement.if_column_not_exists:
                continue
            raise InvalidRequest(f"Column with name '{definition.name}' already exists")
        _check_added(table, definition, column_type)
        kind = ColumnKind.STATIC if definition.is_static else ColumnKind.REGULAR
        columns[definition.name] = ColumnMetadata(definition.name, kind, column_type, mask=mask)
    if len(columns) == len(table.columns):
        return table
    altered = replace(table, columns=ordered_columns(columns.values()))
    if context.guarded is not None:
        context.guarded.columns(table.name, len(columns))
    check_table(altered)
    for warning in standing_warnings(table):
        context.warn(warning)
    return altered


def _guard_change(context: DdlContext) -> None:
    if context.guarded is not None:
        context.guarded.alters_columns()


def _check_added(table: TableMetadata, definition: ColumnDefinition, column_type: CqlType) -> None:
    name, is_static = definition.name, definition.is_static
    if table.is_compact:
        raise InvalidRequest("Cannot add new column to a COMPACT STORAGE table")
    if is_static and not table.clustering:
        raise InvalidRequest(STATIC_WITHOUT_CLUSTERING)
    nested = f"Non-frozen UDTs with nested non-frozen collections are not supported for column {name}"
    check_nested(column_type, nested)
    dropped = table.dropped_columns.get(name)
    if dropped is None:
        return
    if not _is_serialization_compatible(column_type, dropped.type):
        raise InvalidRequest(
            f"Cannot add a column '{name}' of type {column_type.cql()}, incompatible with previously dropped column "
            f"'{name}' of type {dropped.type.cql()}"
        )
    if (dropped.kind is ColumnKind.STATIC) != is_static:
        raise InvalidRequest(
            f"Cannot re-add previously dropped column '{name}' of kind {'STATIC' if is_static else 'REGULAR'}, "
            f"incompatible with previous kind {dropped.kind.name}"
        )
    if table.is_counter:
        raise InvalidRequest(f"Cannot re-add previously dropped counter column {name}")


def _is_serialization_compatible(added: CqlType, dropped: CqlType) -> bool:
    """AbstractType.isSerializationCompatibleWith: cells of the one can be read as cells of the other."""
    if added is BLOB:
        return dropped.fixed_length is None and not dropped.is_collection
    if added.is_multicell != dropped.is_multicell or added.fixed_length != dropped.fixed_length:
        return False
    if not is_value_compatible(added, dropped):
        return False
    if isinstance(added, ListType) and isinstance(dropped, ListType):
        return _is_serialization_compatible(added.elements, dropped.elements)
    if isinstance(added, MapType) and isinstance(dropped, MapType):
        return _is_serialization_compatible(added.values, dropped.values)
    return True


def _drop(
    schema: Schema, keyspace: KeyspaceMetadata, table: TableMetadata, statement: AlterTableDrop, context: DdlContext
) -> TableMetadata:
    _guard_change(context)
    columns, dropped = dict(table.by_name), dict(table.dropped_columns)
    timestamp_us = statement.timestamp_us if statement.timestamp_us is not None else context.now_us()
    for name in paused(hash_ordered(statement.columns)):
        column = table.by_name.get(name)
        if column is None:
            if statement.if_column_exists:
                continue
            raise InvalidRequest(f"Column {name} was not found in table '{table}'")
        _check_dropped(keyspace, table, column)
        if table.is_compact and column in table.regulars:
            raise ServerError("java.lang.IndexOutOfBoundsException: 0 not in range [0..0)")
        columns.pop(name, None)
        dropped[name] = DroppedColumn(name, without_user_types(column.type), timestamp_us, column.kind)
    if len(columns) == len(table.columns):
        return table
    return replace(table, columns=tuple(columns.values()), dropped_columns=MappingProxyType(dropped))


def _check_dropped(keyspace: KeyspaceMetadata, table: TableMetadata, column: ColumnMetadata) -> None:
    name = column.name
    if column.is_primary_key:
        raise InvalidRequest(f"Cannot drop PRIMARY KEY column {name}")
    if isinstance(column.type, UserType) and column.type.is_multicell:
        raise InvalidRequest(f"Cannot drop non-frozen column {name} of user type {column.type.cql()}")
    indexes = _indexes_on(table, name)
    if indexes:
        raise InvalidRequest(f"Cannot drop column {name} because it has dependent secondary indexes ({', '.join(indexes)})")
    if keyspace.views_of(table):
        raise InvalidRequest(f"Cannot drop column {name} on base table {table.name} with materialized views")


def _indexes_on(table: TableMetadata, column: str) -> list[str]:
    quoted = quoted_identifier(column)
    targets = (column, quoted, *(f"{word}({quoted})" for word in ("keys", "values", "entries", "full")))
    return [index.name for index in table.indexes.values() if index.options.get("target") in targets]


def _rename(
    schema: Schema, keyspace: KeyspaceMetadata, table: TableMetadata, statement: AlterTableRename, context: DdlContext
) -> TableMetadata:
    _guard_change(context)
    columns, renames, taken = list(table.columns), dict(statement.renames), set[str]()
    for old in hash_ordered(renames):
        new, column = renames[old], table.by_name.get(old)
        if column is None or old in table.hidden_columns:
            raise InvalidRequest(f"Undefined column name {quoted_identifier(old)} in table {table}")
        if not column.is_primary_key:
            raise InvalidRequest(f"Cannot rename non PRIMARY KEY column {old}")
        if new in table.by_name:
            raise InvalidRequest(
                f"Cannot rename column {old} to {new} in table '{table}'; another column with that name already exists"
            )
        indexes = _indexes_on(table, old)
        if indexes:
            raise InvalidRequest(
                f"Can't rename column {old} because it has dependent secondary indexes ({', '.join(indexes)})"
            )
        if new in taken:
            raise ServerError("java.lang.IllegalArgumentException")
        taken.add(new)
        columns[columns.index(column)] = replace(column, name=new)
    return replace(table, columns=tuple(columns))


def _alter_params(
    schema: Schema, keyspace: KeyspaceMetadata, table: TableMetadata, statement: AlterTableWith, context: DdlContext
) -> TableMetadata:
    properties = Properties(statement.properties)
    check_properties(properties, context.memtables)
    if maybe_table_id(properties) is not None:
        raise ConfigurationError("Cannot alter table id.")
    params = context.kept(build_params(properties, table.params, context.memtables))
    if table.is_counter and params.default_time_to_live > 0:
        raise InvalidRequest("Cannot set default_time_to_live on a table with counters")
    if keyspace.views_of(table) and params.gc_grace_seconds == 0:
        raise InvalidRequest(
            "Cannot alter gc_grace_seconds of the base table of a materialized view to 0, since this value is used to "
            "TTL undelivered updates. Setting gc_grace_seconds too low might cause undelivered updates to expire "
            "before being replayed."
        )
    if context.guarded is not None:
        context.guarded.compression(params.compression)
    return replace(table, params=params)


def _drop_compact_storage(
    schema: Schema,
    keyspace: KeyspaceMetadata,
    table: TableMetadata,
    statement: AlterTableDropCompactStorage,
    context: DdlContext,
) -> TableMetadata:
    if not context.drop_compact_storage_enabled:
        raise InvalidRequest("DROP COMPACT STORAGE is disabled. Enable in cassandra.yaml to use.")
    if not table.is_compact:
        raise InvalidRequest("Cannot DROP COMPACT STORAGE on table without COMPACT STORAGE")
    return replace(table, is_dense=False, is_compound=True)


_Form = Callable[[Schema, KeyspaceMetadata, TableMetadata, Any, DdlContext], TableMetadata]
_FORMS: Final[Mapping[type[AlterTable], _Form]] = MappingProxyType(
    {
        AlterTableColumnType: _alter_type,
        AlterTableMask: _mask,
        AlterTableAdd: _add,
        AlterTableDrop: _drop,
        AlterTableRename: _rename,
        AlterTableWith: _alter_params,
        AlterTableDropCompactStorage: _drop_compact_storage,
    }
)
