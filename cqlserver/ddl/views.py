"""CREATE, ALTER and DROP MATERIALIZED VIEW (cql3/statements/schema/CreateViewStatement.java, AlterViewStatement.java,
DropViewStatement.java)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from cqlserver.ddl.context import (
    CREATED,
    DROPPED,
    TABLE,
    UPDATED,
    DdlContext,
    DdlResult,
    authorize,
    check_keyspace_name,
    written_name,
)
from cqlserver.ddl.masks import FixedCalls
from cqlserver.ddl.properties import Properties
from cqlserver.ddl.table_params import build_params, check_properties, maybe_table_id
from cqlserver.ddl.tables import check_id, check_table
from cqlserver.ddl.type_walk import references_duration
from cqlserver.java_order import hash_ordered
from cqlserver.restrictions.relations import existing_column
from cqlserver.restrictions.view_filter import relation_columns, view_restrictions, where_text
from grammar.tree import (
    AlterMaterializedView,
    Column,
    CreateMaterializedView,
    DropMaterializedView,
    Property,
    Statement,
    TokenRelation,
)
from protocol.errors import AlreadyExists, ConfigurationError, InvalidRequest
from protocol.responses import SchemaChange
from protocol.types import COUNTER, ListType, MapType, SetType
from storage.schema.metadata import (
    ColumnKind,
    ColumnMetadata,
    KeyspaceMetadata,
    Schema,
    TableMetadata,
    ViewMetadata,
    ordered_columns,
)

USAGE_WARNING: Final = "Materialized views are experimental and are not recommended for production use."


def create_view(schema: Schema, statement: CreateMaterializedView, context: DdlContext) -> DdlResult:
    name = statement.name.name
    keyspace_name = _check_shape(statement, context)
    authorize(keyspace_name, "ALTER", f"<table {keyspace_name}.{statement.table.name}>")
    check_keyspace_name(keyspace_name)
    if not context.materialized_views_enabled:
        raise InvalidRequest("Materialized views are disabled. Enable in cassandra.yaml to use.")
    keyspace = schema.keyspaces.get(keyspace_name)
    if keyspace is None:
        raise InvalidRequest(f"Keyspace '{keyspace_name}' doesn't exist")
    base = keyspace.tables.get(statement.table.name)
    if base is None:
        raise InvalidRequest(f"Base table '{statement.table.name}' doesn't exist")
    if name in keyspace.tables:
        raise InvalidRequest(f"Cannot create materialized view '{name}' - a table with the same name already exists")
    if name in keyspace.views:
        if statement.if_not_exists:
            context.warn(USAGE_WARNING)
            return schema, None
        raise AlreadyExists(f'Cannot add already existing table "{name}" to keyspace "{keyspace_name}"', keyspace_name, name)
    if context.guarded is not None:
        context.guarded.views(f"{name} on table {base.name}", len(keyspace.views_of(base)) + 1)
    if base.is_counter:
        raise InvalidRequest("Materialized views are not supported on counter tables")
    properties = _properties(statement.properties, context)
    if context.guarded is not None:
        context.guarded.views(f"{name} on table {base.name}", len(keyspace.views_of(base)) + 1)
    if base.params.gc_grace_seconds == 0:
        raise InvalidRequest(
            f"Cannot create materialized view '{name}' for base table '{base.name}' with gc_grace_seconds of 0, since this "
            "value is used to TTL undelivered updates. Setting gc_grace_seconds too low might cause undelivered updates to "
            "expire before being replayed."
        )
    columns = _Columns(statement, base).columns()
    where_clause = _where_clause(schema, statement, base, context)
    params = context.kept(check_properties(properties, context.memtables))
    if "default_time_to_live" in properties and params.default_time_to_live != 0:
        raise InvalidRequest(
            "Cannot set default_time_to_live for a materialized view. Data in a materialized view always expire at the same "
            "time than the corresponding data in the parent table."
        )
    table_id = maybe_table_id(properties) or context.new_timeuuid()
    view = ViewMetadata.of(
        TableMetadata(keyspace_name, name, table_id, columns, params), base, not statement.selectors, where_clause
    )
    check_table(view.table)
    if "id" in properties:
        check_id(schema, view.table)
    context.warn(USAGE_WARNING)
    return schema.with_keyspace(keyspace.with_view(view)), SchemaChange(CREATED, TABLE, keyspace_name, name)


def _check_shape(statement: CreateMaterializedView, context: DdlContext) -> str:
    """What Cassandra refuses while it reads the statement; returns the keyspace."""
    ordered: set[str] = set()
    for order in statement.clustering_order:
        if order.column in ordered:
            raise InvalidRequest(
                f"Duplicate column '{order.column}' in CLUSTERING ORDER BY clause for view '{written_name(statement.name)}'"
            )
        ordered.add(order.column)
    keyspace = context.keyspace_of(statement.name)
    if statement.table.keyspace is not None and statement.table.keyspace != keyspace:
        raise InvalidRequest("Cannot create a materialized view on a table in a different keyspace")
    return keyspace


def _properties(written: tuple[Property, ...], context: DdlContext) -> Properties:
    """Without those that a guardrail ignores."""
    if context.guarded is None:
        return Properties(written)
    from cqlserver.ddl.guards import kept_properties

    return Properties(kept_properties(context.guarded, written))


class _Columns:
    """The columns of a view, checked in Cassandra's order."""

    def __init__(self, statement: CreateMaterializedView, base: TableMetadata) -> None:
        self._name, self._base, self._key = statement.name.name, base, statement.primary_key
        self._order = statement.clustering_order
        self._selectors = statement.selectors

    def columns(self) -> tuple[ColumnMetadata, ...]:
        selected = self._selected()
        self._check_key(selected)
        clustering = list(self._key.clustering)
        if self._order and clustering != [order.column for order in self._order]:
            raise InvalidRequest("Clustering key columns must exactly match columns in CLUSTERING ORDER BY directive")
        self._check_against_base_key()
        by_name = self._base.by_name
        descending = {order.column: order.descending for order in self._order}
        keys = (*self._key.partition, *clustering)
        made = [
            replace(by_name[name], kind=ColumnKind.PARTITION_KEY, position=at) for at, name in enumerate(self._key.partition)
        ]
        made += [
            replace(by_name[name], kind=ColumnKind.CLUSTERING, position=at) for at, name in enumerate(self._key.clustering)
        ]
        made += [replace(by_name[name], kind=ColumnKind.REGULAR, position=-1) for name in selected if name not in keys]
        return ordered_columns(replace(column, reversed=descending.get(column.name, column.reversed)) for column in made)

    def _selected(self) -> list[str]:
        base, selected = self._base, []
        if not self._selectors:
            selected = [column.name for column in base.columns]
        for selector in self._selectors:
            if selector.alias is not None:
                raise InvalidRequest(f"Cannot use aliases when defining a materialized view (got alias {selector.alias})")
            if not isinstance(selector.expression, Column):
                raise InvalidRequest("Can only select columns by name when defining a materialized view")
            selected.append(existing_column(base, selector.expression.name).name)
        for name in hash_ordered(selected):
            if base.by_name[name].kind is ColumnKind.STATIC:
                raise InvalidRequest(f"Cannot include static column '{name}' in materialized view '{self._name}'")
        return list(dict.fromkeys(selected))

    def _check_key(self, selected: list[str]) -> None:
        seen: set[str] = set()
        for name in (*self._key.partition, *self._key.clustering):
            column = self._base.by_name.get(name)
            if column is None or name not in selected:
                raise InvalidRequest(
                    f"Unknown column '{name}' referenced in PRIMARY KEY for materialized view '{self._name}'"
                )
            if name in seen:
                raise InvalidRequest(f"Duplicate column '{name}' in PRIMARY KEY clause for materialized view '{self._name}'")
            seen.add(name)
            type_ = column.type
            if type_.is_multicell:
                kind = "collection" if isinstance(type_, ListType | SetType | MapType) else "user-defined"
                raise InvalidRequest(f"Invalid non-frozen {kind} type '{type_.java()}' for PRIMARY KEY column '{name}'")
            if type_ is COUNTER:
                raise InvalidRequest(f"counter type is not supported for PRIMARY KEY column '{name}'")
            if references_duration(type_):
                raise InvalidRequest(f"duration type is not supported for PRIMARY KEY column '{name}'")

    def _check_against_base_key(self) -> None:
        keys = (*self._key.partition, *self._key.clustering)
        base_keys = [column.name for column in (*self._base.partition_key, *self._base.clustering)]
        missing = [name for name in base_keys if name not in keys]
        if missing:
            raise InvalidRequest(
                f"Cannot create materialized view '{self._name}' without primary key columns {', '.join(missing)} from base "
                f"table '{self._base.name}'"
            )
        others = [name for name in hash_ordered(keys) if name not in base_keys]
        if len(others) > 1:
            raise InvalidRequest(
                "Cannot include more than one non-primary key column in materialized view primary key "
                f"(got {', '.join(others)})"
            )


def _where_clause(schema: Schema, statement: CreateMaterializedView, base: TableMetadata, context: DdlContext) -> str:
    """Checks the WHERE clause, and gives it as system_schema.views has it."""
    where = statement.where
    if any(isinstance(relation, TokenRelation) for relation in where.relations):
        raise InvalidRequest("Cannot use token relation when defining a materialized view")
    if where.expressions:
        raise InvalidRequest(
            f"WHERE clause for materialized view '{statement.name.name}' cannot contain custom index expressions"
        )
    restrictions = view_restrictions(where, base, schema, FixedCalls(context))
    restricted = {name for relation in where.relations for name in relation_columns(relation)}
    keys = hash_ordered((*statement.primary_key.partition, *statement.primary_key.clustering))
    unrestricted = [name for name in keys if name not in restricted]
    if unrestricted:
        raise InvalidRequest(
            f"Primary key columns {', '.join(unrestricted)} must be restricted with 'IS NOT NULL' or otherwise"
        )
    columns = restrictions.filtered_columns if restrictions is not None else ()
    filtered = dict.fromkeys(column.name for column in columns if not column.is_primary_key)
    if filtered:
        raise InvalidRequest(
            "Non-primary key columns can only be restricted with 'IS NOT NULL' "
            f"(got: {','.join(filtered)} restricted illegally)"
        )
    return where_text(where, base)


def alter_view(schema: Schema, statement: AlterMaterializedView, context: DdlContext) -> DdlResult:
    keyspace_name, keyspace, view = _found(schema, statement, context)
    if keyspace is None or view is None:
        return schema, None
    check_properties(Properties(statement.properties), context.memtables)
    properties = _properties(statement.properties, context)
    if maybe_table_id(properties) is not None:
        raise ConfigurationError("Cannot alter table id.")
    params = context.kept(build_params(properties, view.table.params, context.memtables))
    if params.gc_grace_seconds == 0:
        raise InvalidRequest(
            "Cannot alter gc_grace_seconds of a materialized view to 0, since this value is used to TTL undelivered "
            "updates. Setting gc_grace_seconds too low might cause undelivered updates to expire before being replayed."
        )
    if params.default_time_to_live > 0:
        raise InvalidRequest(
            "Forbidden default_time_to_live detected for a materialized view. Data in a materialized view always expire at "
            "the same time than the corresponding data in the parent table. default_time_to_live must be set to zero, see "
            "CASSANDRA-12868 for more information"
        )
    if params == view.table.params:
        return schema, None
    changed = replace(view, table=replace(view.table, params=params))
    change = SchemaChange(UPDATED, TABLE, keyspace_name, view.name)
    return schema.with_keyspace(keyspace.with_view(changed)), change


def drop_view(schema: Schema, statement: DropMaterializedView, context: DdlContext) -> DdlResult:
    keyspace_name, keyspace, view = _found(schema, statement, context)
    if keyspace is None or view is None:
        return schema, None
    return schema.with_keyspace(keyspace.without_view(view.name)), SchemaChange(DROPPED, TABLE, keyspace_name, view.name)


def _found(
    schema: Schema, statement: AlterMaterializedView | DropMaterializedView, context: DdlContext
) -> tuple[str, KeyspaceMetadata | None, ViewMetadata | None]:
    """The keyspace and the view that are named. Raises InvalidRequest where IF EXISTS does not allow for none."""
    keyspace_name, name = context.keyspace_of(statement.name), statement.name.name
    keyspace = schema.keyspaces.get(keyspace_name)
    view = keyspace.views.get(name) if keyspace is not None else None
    if view is not None:
        authorize(keyspace_name, "ALTER", f"<table {keyspace_name}.{view.base_table_name}>")
    check_keyspace_name(keyspace_name)
    if view is None and not statement.if_exists:
        raise InvalidRequest(f"Materialized view '{keyspace_name}.{name}' doesn't exist")
    return keyspace_name, keyspace, view


VIEW_STATEMENTS: Final[Mapping[type[Statement], Callable[[Schema, Any, DdlContext], DdlResult]]] = MappingProxyType(
    {CreateMaterializedView: create_view, AlterMaterializedView: alter_view, DropMaterializedView: drop_view}
)
