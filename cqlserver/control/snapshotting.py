"""Snapshots on disk on command: taken, listed, removed (`nodetool snapshot`, `listsnapshots`, `clearsnapshot`)."""

from collections.abc import Sequence
from functools import partial

import trio

from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.control.storing import NothingKept, flush_stores, wait_for
from cqlserver.snapshots import taking
from storage.files.snapshots import Snapshot, instant
from storage.files.tables import StoredTables
from storage.reads import TableStore

TTL_S_MIN = 60


class SnapshotExists(Refused):
    code = "SnapshotExists"


async def take_snapshot(
    control: Control, *, name: str, keyspaces: list[str], tables: list[str], skip_flush: bool, ttl_s: int | None
) -> object:
    """Of the tables (keyspace.table) that are named, of some keyspaces, or of all."""
    node, files = control.node, _files(control, "snapshot")
    if ttl_s is not None and ttl_s < TTL_S_MIN:
        raise BadArgument(f"ttl for snapshot must be at least {TTL_S_MIN} seconds")
    if not name or "/" in name or name in (".", ".."):
        raise Refused("Snapshot name cannot contain /" if name else "You must supply a snapshot name.")
    stores = _stores(control, keyspaces, tables)
    if any(files.has_snapshot(store, name) for store in stores):
        raise SnapshotExists(f"Snapshot {name} already exists.")
    if not skip_flush:
        await flush_stores(node.engine, stores)
    there = [store for store in stores if node.engine.stores.get(store.table.id) is store]
    await trio.to_thread.run_sync(taking(node, there, lambda _: name, ttl_s))
    return {}


def _stores(control: Control, keyspaces: Sequence[str], tables: Sequence[str]) -> list[TableStore]:
    schema, engine = control.node.schema, control.node.engine
    for name in keyspaces:
        if name not in schema.keyspaces or schema.keyspaces[name].is_virtual:
            raise BadArgument(f"Keyspace {name} does not exist")
    found = [
        table
        for name, keyspace in schema.keyspaces.items()
        if not keyspace.is_virtual and not tables and (not keyspaces or name in keyspaces)
        for table in (*keyspace.tables.values(), *(view.table for view in keyspace.views.values()))
    ]
    for text in tables:
        keyspace_name, _, table_name = text.partition(".")
        keyspace = schema.keyspaces.get(keyspace_name)
        if keyspace is None or keyspace.is_virtual:
            raise BadArgument(f"Keyspace {keyspace_name} does not exist")
        table = keyspace.tables.get(table_name) or next(
            (view.table for name, view in keyspace.views.items() if name == table_name), None
        )
        if table is None:
            raise BadArgument(f"Unknown keyspace/cf pair ({text})")
        found.append(table)
    return [engine.stores[table.id] for table in found]


async def list_snapshots(control: Control) -> object:
    if not control.node.durable:
        return {"snapshots": []}
    files = _files(control, "listsnapshots")
    await _ordered(files)
    return {"snapshots": [_facts(found) for found in await trio.to_thread.run_sync(files.all_snapshots)]}


def _facts(snapshot: Snapshot) -> dict[str, object]:
    created_ms, expires_ms = snapshot.created_ms, snapshot.expires_ms
    return {
        "name": snapshot.name,
        "keyspace": snapshot.keyspace,
        "table": snapshot.table,
        "true_bytes": snapshot.true_bytes,
        "disk_bytes": snapshot.disk_bytes,
        "created_at": instant(created_ms) if created_ms is not None else None,
        "expires_at": instant(expires_ms) if expires_ms is not None else None,
    }


async def clear_snapshots(
    control: Control, *, name: str | None, keyspaces: list[str], before_ms: int | None
) -> object:
    """All, those of one name, those that are older; of some keyspaces or of all. What is not there need not be removed."""
    if not control.node.durable:
        return {"removed": 0}
    files = _files(control, "clearsnapshot")
    await _ordered(files)
    found = [
        snapshot
        for snapshot in await trio.to_thread.run_sync(files.all_snapshots)
        if (name is None or snapshot.name == name)
        and (not keyspaces or snapshot.keyspace in keyspaces)
        and (before_ms is None or (snapshot.created_ms is not None and snapshot.created_ms < before_ms))
    ]
    for snapshot in found:
        await trio.to_thread.run_sync(partial(files.remove_snapshot, snapshot.folder))
    return {"removed": len(found)}


async def _ordered(files: StoredTables) -> None:
    """Those of tables that were truncated or dropped before are there when this returns."""
    while (task := files.ordered.task) is not None:
        await wait_for((task,))


def _files(control: Control, verb: str) -> StoredTables:
    if not control.node.durable:
        raise NothingKept(f"{verb} works on servers that keep their data on disk: this one keeps nothing")
    return control.node.engine.files
