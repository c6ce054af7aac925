"""The schema among nodes: a change travels as the mutations of system_schema that it is, and who finds that another's
version differs from his own asks for all of it (schema/DefaultSchemaUpdateHandler.java, MigrationCoordinator.java).

Both are merged by the timestamps of rows and deletions, as any table's mutations are. So what is changed on both sides of a
cut holds on both afterwards: tables made on either are there, what was dropped is gone, and of two changes of the same the
later one holds. For that, nodes of a cluster keep what was deleted of it (EngineOptions.is_schema_shared).

Rows may come together that are no schema; a Cassandra refuses to merge those, and the nodes never agree:

    two tables of one name    made on both sides: the one whose row is later, whole
    a table without a key     altered on one side, dropped on the other before: it is dropped
    rows without a keyspace   made on one side, where the other dropped the keyspace: they go
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from protocol.errors import CorruptionError
from storage.engine import Engine
from storage.merged import SourcePartition
from storage.mutation import (
    Cell,
    ComplexColumn,
    Deletion,
    Liveness,
    PartitionUpdate,
    RangeTombstone,
    Row,
)
from storage.reads import EVERYTHING, TableStore
from storage.schema.definitions import schema_tables
from storage.schema.elements import Elements
from storage.schema.loading import load_schema
from storage.schema.metadata import KeyspaceMetadata, Schema, is_local_system_keyspace, is_system_keyspace
from storage.schema.writes import PackedRows, SchemaWrite
from storage.stored_values import stored_values

K = TypeVar("K")
V = TypeVar("V")
Scratch = dict[UUID, TableStore]
"""Tables of system_schema by id, of some keyspaces."""
_PARTS: Final = ("columns", "column_masks", "dropped_columns", "dropped_times", "triggers", "indexes")
"""What has rows of a table by its name."""
_WITH_PARTS: Final = ("tables", "views")


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
    return max(map(latest_us, _stored(engine)), default=0)


def latest_us(update: PartitionUpdate) -> int:
    deleted = (tombstone.deletion.timestamp_us for tombstone in update.range_tombstones)
    rows = (max(row.liveness.timestamp_us, row.deletion.timestamp_us) for row in update.rows.values())
    return max((0, update.deletion.timestamp_us, *deleted, *rows))


class Merged(NamedTuple):
    """A schema, and what has to be written so that system_schema has it: nothing where it did before."""

    schema: Schema
    writes: list[PartitionUpdate]


class NotEnough(Exception):
    """One change, with which the schema is none: only the whole of it tells what becomes of that."""


def merged_schema(engine: Engine, updates: Sequence[PartitionUpdate], is_whole: bool) -> Merged:
    """The schema with what another node has of it: all, or one change. Raises CorruptionError, NotEnough."""
    keys = list(dict.fromkeys(update.key for update in updates))
    ours, theirs = _scratch(), _scratch()
    for store in _stores(engine):
        for key in keys:
            partition = store.maybe_stored(key)
            if partition is not None:
                ours[store.table.id].apply(_update(store, key, partition))
    _apply(theirs, updates)
    now_s = engine.environment.clock.now_s()
    before = _contents(ours, keys)
    settled = [update for key in keys for update in _settled(ours, theirs, key, now_s)]
    incoming = [*updates, *settled]
    _apply(ours, incoming)
    leftovers = [update for key in keys for update in _leftovers(ours, key, now_s)]
    if (settled or leftovers) and not is_whole:
        raise NotEnough
    _apply(ours, leftovers)
    after = _contents(ours, keys)
    names = [key.decode() for key in keys]
    found = _loaded(engine, ours, [keyspace for keyspace in engine.built_in if keyspace.name in names])
    schema = engine.schema
    for name in names:
        keyspace = found.keyspaces.get(name)
        schema = schema.without_keyspace(name) if keyspace is None else schema.with_keyspace(_sharing(schema, keyspace))
    changed = {place for place, update in after.items() if before.get(place) != update}
    writes = [update for update in (*incoming, *leftovers) if (update.table_id, update.key) in changed]
    return Merged(schema, writes)


def _contents(scratch: Scratch, keys: Iterable[bytes]) -> dict[tuple[UUID, bytes], PartitionUpdate]:
    found = {}
    for store in scratch.values():
        for key in keys:
            partition = store.maybe_stored(key)
            if partition is not None:
                found[store.table.id, key] = _update(store, key, partition)
    return found


# --- rows that come together, and are no schema ----------------------------------------------------------------------------


def _settled(ours: Scratch, theirs: Scratch, key: bytes, now_s: int) -> Iterator[PartitionUpdate]:
    """Of tables of the same name with different ids the later one, whole: written once more at its row's time, behind a
    deletion of the other one. Whoever meets the two does the same."""
    tables = schema_tables()
    for kind in _WITH_PARTS:
        here, there = _rows(ours, kind, key, now_s), _rows(theirs, kind, key, now_s)
        for ck, row in here.items():
            other = there.get(ck)
            if other is None or _id(row) == _id(other):
                continue
            winner, won = (ours, row) if _rank(row) > _rank(other) else (theirs, other)
            written_us = won.liveness.timestamp_us
            for name in (kind, *_PARTS):
                rows = {
                    place: _stamped(each, written_us)
                    for place, each in _rows(winner, name, key, now_s).items()
                    if place.startswith(ck)
                }
                gone = _without(ck, won.clustering, Deletion(written_us - 1, written_us // 1_000_000))
                yield PartitionUpdate(tables[name].id, key, rows=rows, range_tombstones=(gone,))


def _leftovers(scratch: Scratch, key: bytes, now_s: int) -> Iterator[PartitionUpdate]:
    """Deletions of what is of no use alone. They are as old as what they delete, so whoever meets it deletes the same."""
    tables = schema_tables()
    if not _rows(scratch, "keyspaces", key, now_s) and not is_system_keyspace(key.decode()):
        for table in tables.values():
            rows = _rows(scratch, table.name, key, now_s)
            if rows:
                latest = max(row.liveness.timestamp_us for row in rows.values())
                yield PartitionUpdate(table.id, key, Deletion(latest, latest // 1_000_000))
        return
    columns = _rows(scratch, "columns", key, now_s).items()
    # a column's row is the table's and its own name behind
    keys = sorted(place for place, row in columns if _value(row, "kind") == b"partition_key")
    for kind in _WITH_PARTS:
        for ck, row in _rows(scratch, kind, key, now_s).items():
            at = bisect_left(keys, ck)
            if at < len(keys) and keys[at].startswith(ck):
                continue
            for name in (kind, *_PARTS):
                rows = _rows(scratch, name, key, now_s)
                times = [each.liveness.timestamp_us for place, each in rows.items() if place.startswith(ck)]
                if times:
                    gone = _without(ck, row.clustering, Deletion(max(times), max(times) // 1_000_000))
                    yield PartitionUpdate(tables[name].id, key, range_tombstones=(gone,))


def _rows(scratch: Scratch, name: str, key: bytes, now_s: int) -> dict[bytes, Row]:
    """What is live of a keyspace in one of the tables."""
    store = scratch[schema_tables()[name].id]
    view = store.read(key, EVERYTHING, now_s)
    return {} if view is None else {ck: store.layouts.explode(row) for ck, row in view.items()}


def _id(row: Row) -> bytes:
    return _value(row, "id")


def _rank(row: Row) -> tuple[int, bytes]:
    return row.liveness.timestamp_us, _id(row)


def _value(row: Row, column: str) -> bytes:
    cell = row.columns.get(column)
    return cell.value or b"" if isinstance(cell, Cell) else b""


def _stamped(row: Row, written_us: int) -> Row:
    def stamped(column: Cell | ComplexColumn) -> Cell:
        assert isinstance(column, Cell), "system_schema has frozen values alone"
        return Cell(written_us, column.value)

    columns = {name: stamped(column) for name, column in row.columns.items()}
    return Row(row.clustering, Liveness(written_us), columns=columns)


def _without(ck: bytes, clustering: tuple[bytes, ...], deletion: Deletion) -> RangeTombstone:
    """All that begins with the name of a table, of which this is the row."""
    return RangeTombstone(ck, ck + b"\xff", deletion, clustering, clustering)


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


def _apply(scratch: Scratch, updates: Iterable[PartitionUpdate]) -> None:
    for update in updates:
        if update.table_id not in scratch or is_local_system_keyspace(update.key.decode(errors="replace")):
            raise CorruptionError(f"table {update.table_id}, key {update.key!r} is nothing that nodes tell each other")
        scratch[update.table_id].apply(update)


def _loaded(engine: Engine, scratch: Scratch, built_in: Sequence[KeyspaceMetadata]) -> Schema:
    tables, now_s = schema_tables(), engine.environment.clock.now_s()
    return load_schema(lambda name: stored_values(scratch[tables[name].id], now_s), built_in)


def _scratch() -> Scratch:
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
