"""Replay: the commit log's records back into the stores, in their order.

The schema is in the log too, as mutations of system_schema, and a table's rows come behind those that made the table.
Building the schema anew at each of them would cost the square of their number, so records of tables that are not known
yet are kept aside until there are many of them (more each time, up to DEFERRED_BYTES_MAX), or the log ends; then the
schema is built and they are applied. A table that was dropped says so in the log, and takes what is before with it, so that
one with the same id that is made later starts empty; what belongs to no table at all is told.

What SSTables have already is left out: by table, everything that the log has up to a position.

A record that does not fit its table (or is none of ours) goes to `misfit`, which refuses the start or says that it may be
lost.

Packed records, nearly all there are in a large log, take a way of their own: their prefix says everything but the row.
"""

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import replace
from typing import Final, Protocol
from uuid import UUID

from protocol.errors import CorruptionError
from storage.commitlog.format import CommitLogPosition
from storage.commitlog.records import (
    RECORD_DROP,
    RECORD_GROUP,
    RECORD_ROWS,
    RECORD_TRUNCATE,
    Truncation,
    rows_table,
    split_drop,
    split_group,
    split_rows,
    split_truncate,
)
from storage.keys import clustering_order_key
from storage.memtable.memtable import single
from storage.memtable.packed import VALUES
from storage.mutation import FORMAT_VERSION, KIND_FULL, KIND_PACKED, PartitionUpdate, maybe_packed, packed_record
from storage.reads import TableStore
from storage.schema.definitions import schema_tables
from storage.schema.writes import apply_schema_write

DEFERRED_BYTES_FIRST: Final = 1 << 16
DEFERRED_BYTES_MAX: Final = 16 << 20
"""More costs memory during a start, less builds the schema more often."""

# where the table's id is in a record (mutation.py): version, kind, in packed records the prefix's length
_TABLE_ID_OFFSETS: Final = {KIND_PACKED: 4, KIND_FULL: 2}

_NO_LAYOUT: Final = bytes(2)

_ApplyPacked = Callable[[bytes, bytes, bytes], None]
_NO_TARGETS: Final[dict[bytes, tuple[_ApplyPacked, bytes]]] = {}


class ReplayFiles(Protocol):
    """What a replay asks of SSTables."""

    def written_until(self) -> dict[UUID, CommitLogPosition]:
        """By table: everything that the log has before is in its SSTables."""

    def forget_replayed(self, table_id: UUID, position: CommitLogPosition) -> None:
        """The table was truncated or dropped there: its older SSTables go."""


class Replay:
    """`reload` brings `stores` up to what the stores of system_schema say; `truncations` are those of the tables that
    there are; `misfit(position, what)` raises where a record must not be left out. `skipped` counts mutations of tables that
    are no more, `unknown` by id those of tables that never were."""

    def __init__(
        self,
        stores: MutableMapping[UUID, TableStore],
        truncations: MutableMapping[UUID, Truncation],
        reload: Callable[[], None],
        misfit: Callable[[CommitLogPosition, str], None],
        files: "ReplayFiles | None" = None,
    ) -> None:
        self._stores, self._truncations, self._reload, self._misfit = stores, truncations, reload, misfit
        self._schema_ids = {table.id for table in schema_tables().values()}
        self._schema_changed = False
        self._deferred: dict[bytes, list[tuple[bytes, CommitLogPosition]]] = {}  # by table id
        self._position = CommitLogPosition(0)  # of what is applied just now
        self._deferred_bytes = 0
        self._deferred_bytes_max = DEFERRED_BYTES_FIRST
        self._targets: dict[bytes, tuple[_ApplyPacked, bytes]] = {}
        self._files = files
        self._written = files.written_until() if files is not None else {}
        self._written_max = max(self._written.values(), default=0)
        self.skipped = 0
        self.unknown: dict[UUID, int] = {}

    def apply(self, records: list[bytes], position: CommitLogPosition) -> None:
        """One section of the log. Raises what `misfit` raises."""
        self._position = position
        self._apply_records(records)
        if self._deferred_bytes > self._deferred_bytes_max:
            self._deferred_bytes_max = min(2 * self._deferred_bytes_max, DEFERRED_BYTES_MAX)
            self._apply_deferred()

    def finish(self) -> None:
        """The log has ended."""
        self._apply_deferred()
        for table_id in [table_id for table_id in self._truncations if table_id not in self._stores]:
            del self._truncations[table_id]

    def _apply_records(self, records: Iterable[bytes]) -> None:
        targets = self._targets if self._position > self._written_max else _NO_TARGETS
        for record in records:
            if record[1] == KIND_PACKED and record[0] == FORMAT_VERSION:
                length = record[2] << 8 | record[3]
                target = targets.get(record[:length])
                if target is not None:
                    key_end = length + 2 + (record[length] << 8 | record[length + 1])
                    layout_at = key_end + 2 + (record[key_end] << 8 | record[key_end + 1])
                    apply_packed, row_prefix = target
                    head = record[key_end:layout_at] + row_prefix + record[layout_at + 2 : layout_at + VALUES]
                    apply_packed(record[length + 2 : key_end], head, head + record[layout_at + VALUES :])
                    continue
            try:
                self._apply(record)
            except Exception as error:  # noqa: BLE001  bytes that are no record of this table may fail in any way
                self._misfit(self._position, f"{self._table_text(record)}: {error or type(error).__name__}")

    def _apply(self, record: bytes) -> None:
        kind = record[0]
        if kind == RECORD_GROUP:
            for part in split_group(record):
                self._apply(part)
        elif kind == RECORD_TRUNCATE:
            self._truncate(*split_truncate(record))
        elif kind == RECORD_DROP:
            self._drop(*split_drop(record))
        elif kind == RECORD_ROWS:
            store = self._store_or_defer(rows_table(record), record)
            if store is not None:
                self._apply_rows(store, record)
        else:
            self._apply_mutation(record)

    def _store_or_defer(self, raw_id: bytes, record: bytes) -> TableStore | None:
        """The table of a record; None where it is not known yet, and the record is kept aside, or has it in an SSTable."""
        deferred = self._deferred.get(raw_id)
        table_id = UUID(bytes=raw_id)
        store = self._stores.get(table_id) if deferred is None else None
        if store is not None and self._position <= self._written.get(table_id, 0):
            return None
        if store is None:
            self._deferred.setdefault(raw_id, []).append((record, self._position))
            self._deferred_bytes += len(record)
        return store

    def _apply_rows(self, store: TableStore, record: bytes) -> None:
        if store.table.id in self._schema_ids:
            self._schema_changed = True
        prefix, key, timestamp, rows = split_rows(record)
        order_key = clustering_order_key(store.table)
        layout = store.layouts.maybe_of_record(prefix)
        if layout is not None:
            cks = [order_key(clustering) for clustering, _ in rows]
            store.memtable.apply_packed_rows(key, layout.row_prefix + timestamp, cks, [values for _, values in rows])
            return
        for clustering, values in rows:
            row = single(b"", _NO_LAYOUT + timestamp + values)
            update = PartitionUpdate.decode(packed_record(prefix, key, row))
            store.memtable.apply(replace(update, rows={order_key(clustering): update.rows[b""]}))

    def _apply_mutation(self, record: bytes) -> None:
        at = _TABLE_ID_OFFSETS.get(record[1])
        if at is None or record[0] != FORMAT_VERSION:
            raise CorruptionError(f"the commit log holds a record of unknown kind {record[:2].hex()}")
        raw_id = record[at : at + 16]
        store = self._store_or_defer(raw_id, record)
        if store is None:
            return
        table_id = store.table.id
        if table_id in self._schema_ids:
            self._schema_changed = True
        packed = maybe_packed(record)
        if packed is not None:
            layout = store.layouts.maybe_of_record(packed.prefix)
            if layout is not None:
                if table_id not in self._schema_ids:
                    self._targets[packed.prefix] = (store.memtable.apply_packed, layout.row_prefix)
                store.apply_packed(packed.key, packed.ck, layout.row_prefix + packed.body)
                return
        update = PartitionUpdate.decode(record)
        if table_id in self._schema_ids:
            apply_schema_write(update, store)
        else:
            store.memtable.apply(update)

    def _truncate(self, table_id: UUID, truncation: Truncation) -> None:
        self._truncations[table_id] = truncation
        if self._files is not None:
            self._files.forget_replayed(table_id, truncation.position)
        store = self._stores.get(table_id)
        if store is not None:
            store.truncate_memtable()
            self._targets.clear()  # they hold the memtable that was
        self._forget_deferred(table_id)

    def _drop(self, table_id: UUID, position: CommitLogPosition) -> None:
        if self._files is not None:
            self._files.forget_replayed(table_id, position)
        self._truncations.pop(table_id, None)
        self._stores.pop(table_id, None)
        self._targets.clear()
        self.skipped += self._forget_deferred(table_id)

    def _forget_deferred(self, table_id: UUID) -> int:
        """How many records of a table were kept aside, and are not any more."""
        records = self._deferred.pop(table_id.bytes, ())
        self._deferred_bytes -= sum(len(record) for record, _ in records)
        return len(records)

    def _table_text(self, record: bytes) -> str:
        at = _TABLE_ID_OFFSETS.get(record[1], 0) if record[0] == FORMAT_VERSION else 5 if record[0] == RECORD_ROWS else 0
        if not at or len(record) < at + 16:
            return "a record"
        table_id = UUID(bytes=record[at : at + 16])
        store = self._stores.get(table_id)
        name = f"{store.table.keyspace}.{store.table.name}" if store is not None else "an unknown table"
        return f"a record of {name} (id {table_id})"

    def _apply_deferred(self) -> None:
        if self._schema_changed:
            self._reload()
            self._schema_changed = False
            if self._files is not None:
                self._written = self._files.written_until()
                self._written_max = max(self._written.values(), default=0)
            self._targets.clear()  # a changed table may have other stores or layouts
        deferred, self._deferred, self._deferred_bytes = self._deferred, {}, 0
        for raw_id, records in deferred.items():
            table_id = UUID(bytes=raw_id)
            if table_id not in self._stores:
                self.unknown[table_id] = self.unknown.get(table_id, 0) + len(records)
                continue
            for record, position in records:
                self._position = position
                self._apply_records((record,))
