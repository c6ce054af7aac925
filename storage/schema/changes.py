"""What a change of the schema means for the tables that have data: two schemas compared, at the cost of what changed."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from storage.environment.strands import paused
from storage.indexes.local import local_indexes
from storage.schema.elements import differences
from storage.schema.metadata import KeyspaceMetadata, KeyspaceParams, Schema, TableMetadata

_NO_KEYSPACE: Final = KeyspaceMetadata("", KeyspaceParams({}))


class ChangedTables(NamedTuple):
    """What a change of the schema means for the stores. A table may be dropped in one keyspace and be made, with the same
    id, in another: what is dropped goes first. A table whose views changed counts as changed."""

    dropped: list[TableMetadata]
    installed: list[TableMetadata]
    durable: list[TableMetadata]
    unlogged: list[TableMetadata]


def changed_tables(old: Schema, new: Schema) -> ChangedTables:
    """Costs as much as what changed: the rest is the same objects."""
    changed = ChangedTables([], [], [], [])
    for name in differences(old.keyspaces, new.keyspaces):
        before = old.keyspaces.get(name, _NO_KEYSPACE)
        after = new.keyspaces.get(name, _NO_KEYSPACE)
        if before is after or before.is_virtual or after.is_virtual:
            continue
        names = dict.fromkeys(differences(before.tables, after.tables))
        views = [(before.views.get(view), after.views.get(view)) for view in differences(before.views, after.views)]
        names |= dict.fromkeys(view.base_table_name for pair in views for view in pair if view is not None)
        pairs = [(before.tables.get(name), after.tables.get(name)) for name in paused(names)]
        pairs += [(old.table if old else None, new.table if new else None) for old, new in views]
        pairs += [hidden for pair in paused(pairs) for hidden in _hidden_pairs(*pair)]
        changed.dropped.extend([old for old, new in paused(pairs) if old is not None and (new is None or new.id != old.id)])
        installed = [new for _, new in paused(pairs) if new is not None]
        changed.installed.extend(installed)
        durable = after.params.durable_writes
        if before.params.durable_writes != durable:
            installed = list(stored_tables(after))
        (changed.durable if durable else changed.unlogged).extend(installed)
    return changed


def _hidden_pairs(
    old: TableMetadata | None, new: TableMetadata | None
) -> Iterator[tuple[TableMetadata | None, TableMetadata | None]]:
    """The tables of the indexes of a table that changed, before and after."""
    before, after = (
        {index.table.id: index.table for index in local_indexes(table)} if table else {} for table in (old, new)
    )
    for table_id in dict.fromkeys((*before, *after)):
        yield before.get(table_id), after.get(table_id)


def stored_tables(keyspace: KeyspaceMetadata) -> Iterator[TableMetadata]:
    """The tables of a keyspace that have a store, unless they are virtual: tables, what their indexes are in, and views."""
    if keyspace.is_virtual:
        return
    for table in keyspace.tables.values():
        yield table
        yield from (index.table for index in local_indexes(table))
    for view in keyspace.views.values():
        yield view.table
