"""One table's metadata as records of system_schema: in a record of the log that outlives the table."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from protocol.errors import CorruptionError
from storage.commitlog.format import CommitLogPosition
from storage.commitlog.records import RECORD_ROWS, SnapshotOrder, rows_table, split_rows
from storage.commitlog.replay import apply_rows, apply_schema_mutation, mutation_table
from storage.reads import TableStore
from storage.schema.definitions import schema_tables
from storage.schema.loading import Values, load_schema
from storage.schema.metadata import KeyspaceMetadata, Schema, TableMetadata
from storage.schema.tables import keyspace_mutations
from storage.schema.writes import schema_record
from storage.stored_values import stored_values

_TIMESTAMP_US = 1
_NOW_S = 1


class WantedSnapshot(NamedTuple):
    """Of a table, before it is truncated or dropped; `cql` makes the table anew."""

    table: TableMetadata
    name: str
    created_ms: int
    expires_ms: int | None
    cql: str


def orders_of(
    wanted: Iterable[WantedSnapshot],
    position: CommitLogPosition,
    schema: Schema,
    stores: Mapping[UUID, TableStore],
) -> dict[UUID, SnapshotOrder]:
    """What orders snapshots in the log, by table: each of all that the table has by now."""
    return {
        one.table.id: SnapshotOrder(
            one.table.id,
            position,
            one.name,
            one.created_ms,
            one.expires_ms,
            one.cql,
            records_of_table(schema.keyspaces[one.table.keyspace], one.table, stores),
        )
        for one in wanted
    }


def records_of_table(
    keyspace: KeyspaceMetadata, table: TableMetadata, stores: Mapping[UUID, TableStore]
) -> tuple[bytes, ...]:
    """Of the table, its keyspace's types, and of a view the table that it is of. `stores`: those of system_schema."""
    views = {table.name: keyspace.views[table.name]} if table.is_view else {}
    tables = [keyspace.tables[view.base_table_name] for view in views.values()] or [table]
    own = {found.name: found for found in tables}
    alone = KeyspaceMetadata(keyspace.name, keyspace.params, own, keyspace.types, views=views)
    writes = keyspace_mutations(None, alone, _TIMESTAMP_US)
    return tuple(schema_record(write, stores[write.table_id]) for write in writes)


def table_of_records(table_id: UUID, records: tuple[bytes, ...]) -> TableMetadata:
    """Raises CorruptionError."""
    stores = {table.id: TableStore(table) for table in schema_tables().values()}
    for record in records:
        if record[0] == RECORD_ROWS:
            apply_rows(stores[UUID(bytes=rows_table(record))], split_rows(record))
        else:
            apply_schema_mutation(stores[UUID(bytes=mutation_table(record))], record)

    def rows(name: str) -> Iterator[Values]:
        return stored_values(stores[schema_tables()[name].id], _NOW_S)

    for keyspace in load_schema(rows).keyspaces.values():
        for table in (*keyspace.tables.values(), *(view.table for view in keyspace.views.values())):
            if table.id == table_id:
                return table
    raise CorruptionError(f"a snapshot was ordered of a table (id {table_id}) that its record does not tell of")
