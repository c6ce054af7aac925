"""The state of a whole node as a value: schema and data of all keyspaces but the system's, emptied, kept and brought back.

All of it happens between two requests, and clients notice nothing but the change: sessions and prepared statements live
on; where a table is another one than before, its statements are forgotten and those who listen for it are told, as after
the DDL that would have led there. Keeping costs a copy of the memtables' dicts (storage/memtable), not of the rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from cqlserver.ddl.context import AGGREGATE, CREATED, DROPPED, FUNCTION, KEYSPACE, TABLE, TYPE, UPDATED
from cqlserver.node import Node
from cqlserver.plans.schema_plans import forget
from protocol.responses import SchemaChange
from storage.reads import SavedData, TableStore
from storage.schema.elements import differences
from storage.schema.metadata import KeyspaceMetadata, KeyspaceParams, Schema, Signature, is_system_keyspace

E = TypeVar("E")

_NONE: Final = KeyspaceMetadata("", KeyspaceParams({}))


@dataclass(frozen=True, slots=True)
class SavedState:
    """Stores are kept with their data: packed rows hang on the numbers of their table's layouts. `only`: the one keyspace
    that it is about, None for all."""

    only: str | None
    keyspaces: Mapping[str, KeyspaceMetadata]
    tables: Mapping[UUID, tuple[TableStore, SavedData]]


def _concerns(name: str, only: str | None) -> bool:
    return not is_system_keyspace(name) if only is None else name == only and not is_system_keyspace(name)


def user_keyspaces(schema: Schema, only: str | None = None) -> dict[str, KeyspaceMetadata]:
    return {name: keyspace for name, keyspace in schema.keyspaces.items() if _concerns(name, only)}


def user_stores(node: Node, only: str | None = None) -> list[TableStore]:
    """Of all tables that are not the system's."""
    return [store for store in node.engine.stores.values() if _concerns(store.table.keyspace, only)]


def empty(node: Node, only: str | None = None) -> None:
    """Removes all rows, as one record of the log. Raises CommitLogFailed."""
    node.truncate_all([store.table.id for store in user_stores(node, only) if not store.is_empty])


def drop_all(node: Node, only: str | None = None) -> None:
    """Drops all keyspaces. Raises CommitLogFailed."""
    node.assure_schema_changes()
    schema = node.schema
    for name in user_keyspaces(schema, only):
        schema = schema.without_keyspace(name)
    _change_schema(node, schema)


def save(node: Node, only: str | None = None) -> SavedState:
    tables = {store.table.id: (store, store.save()) for store in user_stores(node, only)}
    return SavedState(only, user_keyspaces(node.schema, only), tables)


def bring_back(node: Node, saved: SavedState, with_schema: bool = True, spreads: bool = True) -> None:
    """Has schema and data as they were, and nothing else; or the data alone, of the tables that are still there. Only for
    nodes that keep nothing on disk. `spreads`: other nodes are told of the schema."""
    if with_schema:
        bring_schema_back(node, saved, spreads)
    else:
        empty(node, saved.only)
    stores = node.engine.stores
    for table_id, (store, data) in saved.tables.items():
        if stores.get(table_id) is store:
            store.bring_back(data)


def bring_schema_back(node: Node, saved: SavedState, spreads: bool = True) -> None:
    """Drivers hear of what changed."""
    schema = node.schema
    for name in differences(user_keyspaces(schema, saved.only), saved.keyspaces):
        keyspace = saved.keyspaces.get(name)
        schema = schema.without_keyspace(name) if keyspace is None else schema.with_keyspace(keyspace)
    if schema is not node.schema:
        for table_id, (store, _) in saved.tables.items():
            node.engine.stores.setdefault(table_id, store)
        _change_schema(node, schema, spreads)


def _change_schema(node: Node, new: Schema, spreads: bool = True) -> None:
    old = node.schema
    node.change_schema(new, spreads=spreads)
    changes = [
        change
        for name in differences(user_keyspaces(old), user_keyspaces(new))
        for change in _changes(name, old.keyspaces.get(name), new.keyspaces.get(name))
    ]
    for change in changes:
        forget(node, change, old)
        node.publish(change)


def _changes(name: str, old: KeyspaceMetadata | None, new: KeyspaceMetadata | None) -> Iterator[SchemaChange]:
    """What drivers are to hear so that they know the keyspace as it is now."""
    if new is None:
        yield SchemaChange(DROPPED, KEYSPACE, name)
        return
    if old is None:
        yield SchemaChange(CREATED, KEYSPACE, name)
    elif old.params != new.params:
        yield SchemaChange(UPDATED, KEYSPACE, name)
    before = old or _NONE
    yield from _element_changes(name, TYPE, before.types, new.types)
    yield from _element_changes(name, TABLE, before.tables, new.tables)
    yield from _element_changes(name, TABLE, before.views, new.views)
    yield from _function_changes(name, FUNCTION, before.functions, new.functions)
    yield from _function_changes(name, AGGREGATE, before.aggregates, new.aggregates)


def _function_changes(
    keyspace: str, target: str, old: Mapping[Signature, E], new: Mapping[Signature, E]
) -> Iterator[SchemaChange]:
    for signature in differences(old, new):
        before, after = old.get(signature), new.get(signature)
        if before is not after:
            change = CREATED if before is None else DROPPED if after is None else UPDATED
            name, argument_types = signature
            yield SchemaChange(change, target, keyspace, name, argument_types)


def _element_changes(keyspace: str, target: str, old: Mapping[str, E], new: Mapping[str, E]) -> Iterator[SchemaChange]:
    for name in differences(old, new):
        before, after = old.get(name), new.get(name)
        if before is not after:
            change = CREATED if before is None else DROPPED if after is None else UPDATED
            yield SchemaChange(change, target, keyspace, name)
