"""What a change of the schema means for the tables that have data: two schemas compared, at the cost of what changed."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from storage.schema.elements import differences
from storage.schema.metadata import KeyspaceMetadata, KeyspaceParams, Schema, TableMetadata

_NO_KEYSPACE: Final = KeyspaceMetadata("", KeyspaceParams({}))


class ChangedTables(NamedTuple):
    """What a change of the schema means for the stores. A table may be dropped in one keyspace and be made, with the same
    id, in another: what is dropped goes first."""

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
        pairs = [(before.tables.get(name), after.tables.get(name)) for name in differences(before.tables, after.tables)]
        for view in differences(before.views, after.views):
            views = before.views.get(view), after.views.get(view)
            pairs.append((views[0].table if views[0] else None, views[1].table if views[1] else None))
        changed.dropped.extend(old for old, new in pairs if old is not None and (new is None or new.id != old.id))
        installed = [new for _, new in pairs if new is not None]
        changed.installed.extend(installed)
        durable = after.params.durable_writes
        if before.params.durable_writes != durable:
            installed = list(stored_tables(after))
        (changed.durable if durable else changed.unlogged).extend(installed)
    return changed


def stored_tables(keyspace: KeyspaceMetadata) -> Iterator[TableMetadata]:
    """The tables of a keyspace that have a store: tables and views, unless they are virtual."""
    if keyspace.is_virtual:
        return
    yield from keyspace.tables.values()
    for view in keyspace.views.values():
        yield view.table
