"""What an ALTER TABLE changes in the materialized views of the table: they get its new columns, names and masks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cqlserver.restrictions.view_filter import parse_where, where_text
from grammar.tree import Relation, WhereClause
from storage.schema.metadata import (
    ColumnMetadata,
    KeyspaceMetadata,
    TableMetadata,
    ViewMetadata,
    ordered_columns,
)


def views_follow(
    keyspace: KeyspaceMetadata, before: TableMetadata, after: TableMetadata, renames: Sequence[tuple[str, str]]
) -> KeyspaceMetadata:
    """The keyspace with the views of a table as they are behind a change of it. `renames`: (old, new)."""
    for view in keyspace.views_of(before):
        changed = _followed(view, before, after, dict(renames))
        if changed is not view:
            keyspace = keyspace.with_view(changed)
    return keyspace


def _followed(view: ViewMetadata, before: TableMetadata, after: TableMetadata, names: Mapping[str, str]) -> ViewMetadata:
    columns = [_column(column, after, names) for column in view.table.columns]
    if view.include_all_columns:
        added = [column for column in after.regulars if column.name not in before.by_name]
        columns += [replace(column, position=-1) for column in added]
    where_clause = view.where_clause
    if any(column.name in names for column in view.table.columns):
        where_clause = _renamed_clause(where_clause, before, names)
    if where_clause == view.where_clause and tuple(columns) == view.table.columns:
        return view
    table = replace(view.table, columns=ordered_columns(columns))
    return replace(view, table=table, where_clause=where_clause)


def _column(column: ColumnMetadata, base: TableMetadata, names: Mapping[str, str]) -> ColumnMetadata:
    name = names.get(column.name, column.name)
    return replace(column, name=name, mask=base.by_name[name].mask)


def _renamed_clause(text: str, base: TableMetadata, names: Mapping[str, str]) -> str:
    relations = tuple(_renamed(relation, names) for relation in parse_where(text).relations)
    return where_text(WhereClause(relations), base)


def _renamed(relation: Relation, names: Mapping[str, str]) -> Relation:
    if (column := getattr(relation, "column", None)) is not None:
        return replace(relation, column=names.get(column, column))  # type: ignore[call-arg]
    columns: Sequence[str] = relation.columns  # type: ignore[attr-defined]
    return replace(relation, columns=tuple(names.get(c, c) for c in columns))  # type: ignore[call-arg]
