"""The schema among nodes: a change travels as the mutations of system_schema that it is, and who finds that another's
version differs from his own asks for all of it (schema/DefaultSchemaUpdateHandler.java, MigrationCoordinator.java).

A change is merged by the timestamps of its rows, so that changes made on two nodes at once both hold. Deletions are not kept
in system_schema; so of two whole schemas that differ, the one that was changed last replaces the other. Where the last
change is the same one, somebody has missed another one before: then both become what they have together, so that no table
is lost.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from protocol.errors import CorruptionError
from storage.engine import Engine
from storage.memtable.packed import timestamp_of
from storage.merged import SourcePartition
from storage.mutation import PartitionUpdate, Row
from storage.reads import TableStore
from storage.schema.definitions import schema_tables
from storage.schema.elements import Elements
from storage.schema.loading import load_schema
from storage.schema.metadata import KeyspaceMetadata, Schema, is_local_system_keyspace
from storage.schema.writes import PackedRows, SchemaWrite
from storage.stored_values import stored_values

K = TypeVar("K")
V = TypeVar("V")


def change_mutations(engine: Engine, writes: Iterable[SchemaWrite]) -> list[PartitionUpdate]:
    """What a change of the schema writes, as any other table's mutations."""
    updates = []
    for write in writes:
        if isinstance(write, PackedRows):
            scratch = TableStore(engine.stores[write.table_id].table)
            layout = scratch.layouts.maybe_layout(write.columns, True)
            assert layout is not None, write.columns
            explode, head = scratch.layouts.explode, layout.row_prefix + write.timestamp
            rows = {ck: explode(head + values) for ck, values in write.rows}
            updates.append(PartitionUpdate(write.table_id, write.key, rows=rows))
        else:
            updates.append(write)
    return updates


def whole_schema(engine: Engine) -> list[PartitionUpdate]:
    """All that clients made of it: the keyspaces of the program are the same everywhere."""
    return list(_stored(engine))


def last_change_us(engine: Engine) -> int:
    """The latest timestamp in it; 0 where nobody changed anything yet."""
    latest = 0
    for store in _stores(engine):
        for _, partition in store.stored_partitions():
            for _, rows, _ in partition.chunks(b"", b"\xff", False):
                for row in rows:
                    timestamp_us = timestamp_of(row) if isinstance(row, bytes) else row.liveness.timestamp_us
                    latest = max(latest, timestamp_us)
    return latest


def merged_schema(engine: Engine, updates: Sequence[PartitionUpdate]) -> Schema:
    """The schema with a change that another node made. Raises CorruptionError."""
    names = {update.key: update.key.decode() for update in updates}
    scratch = _scratch()
    for store in _stores(engine):
        for key in names:
            partition = store.maybe_stored(key)
            if partition is not None:
                scratch[store.table.id].apply(_update(store, key, partition))
    _apply(scratch, updates)
    built_in = [keyspace for keyspace in engine.built_in if keyspace.name in names.values()]
    found = _loaded(engine, scratch, built_in)
    schema = engine.schema
    for name in names.values():
        keyspace = found.keyspaces.get(name)
        schema = schema.without_keyspace(name) if keyspace is None else schema.with_keyspace(_sharing(schema, keyspace))
    return schema


def replaced_schema(engine: Engine, updates: Sequence[PartitionUpdate]) -> Schema:
    """The schema that another node has, as a whole. Raises CorruptionError."""
    scratch = _scratch()
    _apply(scratch, updates)
    found = _loaded(engine, scratch, engine.built_in)
    return Schema.of(_sharing(engine.schema, keyspace) for keyspace in found.keyspaces.values())


def _sharing(schema: Schema, keyspace: KeyspaceMetadata) -> KeyspaceMetadata:
    """The keyspace, with what is the same in it as in the schema being the very same: a change is about the rest alone."""
    known = schema.keyspaces.get(keyspace.name)
    if known is None or known == keyspace:
        return known or keyspace
    return replace(
        keyspace,
        tables=_shared(known.tables, keyspace.tables),
        types=_shared(known.types, keyspace.types),
        views=_shared(known.views, keyspace.views),
        functions=_shared(known.functions, keyspace.functions),
        aggregates=_shared(known.aggregates, keyspace.aggregates),
    )


def _shared(known: Mapping[K, V], found: Mapping[K, V]) -> Elements[K, V]:
    return Elements((key, known[key] if known.get(key) == value else value) for key, value in found.items())


def _apply(scratch: dict[UUID, TableStore], updates: Iterable[PartitionUpdate]) -> None:
    for update in updates:
        if update.table_id not in scratch or is_local_system_keyspace(update.key.decode(errors="replace")):
            raise CorruptionError(f"table {update.table_id}, key {update.key!r} is nothing that nodes tell each other")
        scratch[update.table_id].apply(update)


def _loaded(engine: Engine, scratch: dict[UUID, TableStore], built_in: Sequence[KeyspaceMetadata]) -> Schema:
    tables, now_s = schema_tables(), engine.environment.clock.now_s()
    return load_schema(lambda name: stored_values(scratch[tables[name].id], now_s), built_in)


def _scratch() -> dict[UUID, TableStore]:
    return {table.id: TableStore(table) for table in schema_tables().values()}


def _stores(engine: Engine) -> list[TableStore]:
    return [engine.stores[table.id] for table in schema_tables().values()]


def _stored(engine: Engine) -> Iterator[PartitionUpdate]:
    for store in _stores(engine):
        for position, partition in store.stored_partitions():
            key = position[8:]
            if not is_local_system_keyspace(key.decode()):
                yield _update(store, key, partition)


def _update(store: TableStore, key: bytes, partition: SourcePartition) -> PartitionUpdate:
    rows: dict[bytes, Row] = {}
    for cks, stored, _ in partition.chunks(b"", b"\xff", False):
        rows |= {ck: store.layouts.explode(row) for ck, row in zip(cks, stored, strict=True)}
    tombstones = tuple(partition.range_tombstones(b"", b"\xff"))
    return PartitionUpdate(store.table.id, key, partition.deletion, partition.static, rows, tombstones)
