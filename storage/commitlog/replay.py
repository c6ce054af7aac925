"""Replay: the commit log's records back into the stores, in two readings.

The schema is in the log too, as mutations of system_schema, and a crash may have come between the flushes of its tables:
what their SSTables say is a schema only together with the log. So the first reading (`SchemaReplay`) takes from the log
what it says of the schema, and where tables were dropped; then the schema is built, once. The second (`Replay`) applies the
rows, in their order, to the tables that there are in the end. A table that was dropped says so in the log, and takes what
is before with it, so that one with the same id that was made later starts empty; what belongs to no table at all is told.

What SSTables have already is left out: by table, everything that the log has up to a position.

A record that does not fit its table (or is none of ours) goes to `misfit`, which refuses the start or says that it may be
lost.

Packed records, nearly all there are in a large log, take a way of their own: their prefix says everything but the row.
"""

from collections import deque
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from protocol.errors import CorruptionError
from storage.commitlog.format import CommitLogPosition
from storage.commitlog.records import (
    RECORD_ADOPTED,
    RECORD_DROP,
    RECORD_GROUP,
    RECORD_KEPT,
    RECORD_ROWS,
    RECORD_SNAPSHOT,
    RECORD_TRACKED,
    RECORD_TRUNCATE,
    PackedRowsRecord,
    SnapshotOrder,
    Truncation,
    rows_table,
    split_adopted,
    split_drop,
    split_group,
    split_kept,
    split_rows,
    split_snapshot,
    split_tracked,
    split_truncate,
)
from storage.keys import clustering_order_key
from storage.memtable.memtable import single
from storage.memtable.packed import VALUES
from storage.mutation import FORMAT_VERSION, KIND_FULL, KIND_PACKED, PartitionUpdate, maybe_packed, packed_record
from storage.reads import TableStore
from storage.schema.definitions import schema_tables
from storage.schema.writes import apply_schema_write

# where the table's id is in a record (mutation.py): version, kind, in packed records the prefix's length
_TABLE_ID_OFFSETS: Final = {KIND_PACKED: 4, KIND_FULL: 2}

_NO_LAYOUT: Final = bytes(2)

_ApplyPacked = Callable[[bytes, bytes, bytes], None]


class _Target(NamedTuple):
    """Of packed records with one prefix: where their rows go, unless the log has them before `written`."""

    apply_packed: _ApplyPacked
    row_prefix: bytes
    written: int


_NO_TARGETS: Final[dict[bytes, _Target]] = {}
_ALWAYS: Final = CommitLogPosition(1 << 96)
"""Behind every position."""


class ReplayFiles(Protocol):
    """What a replay asks of SSTables."""

    def written_until(self) -> dict[UUID, CommitLogPosition]:
        """By table: everything that the log has before is in its SSTables."""

    def forget_replayed(self, table_id: UUID, position: CommitLogPosition) -> None:
        """The table was truncated or dropped there: its older SSTables go."""

    def forget_dropped(self, table_id: UUID) -> None:
        """The table was dropped for good: its SSTables go."""

    def take_ordered(self, order: SnapshotOrder, store: TableStore) -> None:
        """A snapshot was ordered here: of a table's older SSTables, and of what the log has, which is in `store`."""


class Ordered(NamedTuple):
    """A snapshot that has to be taken when the replay comes to record `number`, of rows that `store` takes meanwhile."""

    number: int
    order: SnapshotOrder
    store: TableStore


_Misfit = Callable[[CommitLogPosition, str], None]


class SchemaReplay:
    """The first reading: the stores of system_schema as they were. `dropped`: by table id, the number of the last record
    that dropped it; `adopted`: the adoptions that are decided; `ordered`: snapshots that are not said to be there, with the
    number of the record that orders each. Records are counted from 0; those of a group are one."""

    def __init__(self, stores: Mapping[UUID, TableStore], misfit: _Misfit, files: ReplayFiles | None = None) -> None:
        self.dropped: dict[UUID, int] = {}
        self.ordered: dict[tuple[UUID, str], tuple[int, SnapshotOrder]] = {}
        self.adopted: set[UUID] = set()
        self._stores = {table.id.bytes: stores[table.id] for table in schema_tables().values()}
        self._misfit = misfit
        self._written = files.written_until() if files is not None else {}
        self._number = -1

    def apply(self, records: list[bytes], position: CommitLogPosition) -> None:
        """One section of the log. Raises what `misfit` raises."""
        stores, first = self._stores, self._number + 1
        self._number += len(records)
        for number, record in enumerate(records, first):
            if record[1] == KIND_PACKED and record[4:20] not in stores and record[0] == FORMAT_VERSION:
                continue  # a row: nearly all are
            try:
                self._apply(record, position, number)
            except Exception as error:  # noqa: BLE001  bytes that are no record of this table may fail in any way
                self._misfit(position, f"a record of the schema: {error or type(error).__name__}")

    def _apply(self, record: bytes, position: CommitLogPosition, number: int) -> None:
        kind = record[0]
        if kind == RECORD_GROUP:
            for part in split_group(record):
                self._apply(part, position, number)
        elif kind == RECORD_DROP:
            self.dropped[split_drop(record)[0]] = number
        elif kind == RECORD_SNAPSHOT:
            order = split_snapshot(record)
            self.ordered[order.key] = number, order
        elif kind == RECORD_KEPT:
            self.ordered.pop(split_kept(record), None)
        elif kind == RECORD_ADOPTED:
            self.adopted.add(split_adopted(record))
        elif kind == RECORD_TRACKED:
            self._apply(split_tracked(record)[1], position, number)
        elif kind == RECORD_ROWS:
            store = self._stores.get(rows_table(record))
            if store is not None and position > self._written.get(store.table.id, 0):
                apply_rows(store, split_rows(record))
        elif kind == FORMAT_VERSION and (at := _TABLE_ID_OFFSETS.get(record[1])) is not None:
            store = self._stores.get(record[at : at + 16])
            if store is not None and position > self._written.get(store.table.id, 0):
                apply_schema_mutation(store, record)


def mutation_table(record: bytes) -> bytes:
    """The id of a mutation's table."""
    at = _TABLE_ID_OFFSETS[record[1]]
    return record[at : at + 16]


def apply_schema_mutation(store: TableStore, record: bytes) -> None:
    packed = maybe_packed(record)
    layout = store.layouts.maybe_of_record(packed.prefix) if packed is not None else None
    if packed is not None and layout is not None:
        store.apply_packed(packed.key, packed.ck, layout.row_prefix + packed.body)
    else:
        apply_schema_write(PartitionUpdate.decode(record), store)


def apply_rows(store: TableStore, record: PackedRowsRecord) -> None:
    """Rows of one partition that were logged together."""
    prefix, key, timestamp, rows = record
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


class Replay:
    """The second reading. `stores` are those of the schema that the first one found, `dropped` is what it found, and
    `ordered`, in the log's order, but such as are there. `truncations` are those of the tables that there are;
    `misfit(position, what)` raises where a record must not be left out. `skipped` counts mutations of tables that are no
    more, `unknown` by id those of tables that never were."""

    def __init__(
        self,
        stores: Mapping[UUID, TableStore],
        dropped: Mapping[UUID, int],
        truncations: MutableMapping[UUID, Truncation],
        misfit: _Misfit,
        files: ReplayFiles | None = None,
        ordered: Sequence[Ordered] = (),
    ) -> None:
        self._ordered: dict[UUID, deque[Ordered]] = {}
        for one in ordered:
            self._ordered.setdefault(one.order.table_id, deque()).append(one)
        self._stores, self._dropped, self._truncations, self._misfit = stores, dropped, truncations, misfit
        self._position = CommitLogPosition(0)  # of what is applied just now
        self._number = -1
        self._last_drop = max(dropped.values(), default=-1)
        self._targets: dict[bytes, _Target] = {}
        self._files = files
        self._written = files.written_until() if files is not None else {}
        self._written |= {table.id: _ALWAYS for table in schema_tables().values()}  # the first reading took theirs
        self.skipped = 0
        self.unknown: dict[UUID, int] = {}

    def apply(self, records: list[bytes], position: CommitLogPosition) -> None:
        """One section of the log. Raises what `misfit` raises."""
        self._position = position
        targets = self._targets if self._number >= self._last_drop else _NO_TARGETS
        for record in records:
            self._number += 1
            if record[1] == KIND_PACKED and record[0] == FORMAT_VERSION:
                length = record[2] << 8 | record[3]
                target = targets.get(record[:length])
                if target is not None:
                    apply_packed, row_prefix, written = target
                    if position <= written:
                        continue
                    key_end = length + 2 + (record[length] << 8 | record[length + 1])
                    layout_at = key_end + 2 + (record[key_end] << 8 | record[key_end + 1])
                    head = record[key_end:layout_at] + row_prefix + record[layout_at + 2 : layout_at + VALUES]
                    apply_packed(record[length + 2 : key_end], head, head + record[layout_at + VALUES :])
                    continue
            try:
                self._apply(record)
            except OSError:  # of a snapshot, or of files that go: the log is as it should be
                raise
            except Exception as error:  # noqa: BLE001  bytes that are no record of this table may fail in any way
                self._misfit(self._position, f"{self._table_text(record)}: {error or type(error).__name__}")

    def finish(self) -> None:
        """The log has ended."""
        for table_id in [table_id for table_id in self._truncations if table_id not in self._stores]:
            del self._truncations[table_id]
        for table_id in self._dropped:
            if table_id not in self._stores and self._files is not None:
                self._files.forget_dropped(table_id)

    def _apply(self, record: bytes) -> None:
        kind = record[0]
        if kind == RECORD_GROUP:
            for part in split_group(record):
                self._apply(part)
        elif kind == RECORD_TRUNCATE:
            self._truncate(*split_truncate(record))
        elif kind == RECORD_DROP:
            table_id, position = split_drop(record)
            self._truncations.pop(table_id, None)
            self._empty_ordered(table_id)
            if self._files is not None:
                self._files.forget_replayed(table_id, position)
        elif kind == RECORD_SNAPSHOT:
            self._take_snapshot(split_snapshot(record))
        elif kind in (RECORD_KEPT, RECORD_ADOPTED):
            pass  # the first reading knows
        elif kind == RECORD_TRACKED:
            self._apply(split_tracked(record)[1])
        elif kind == RECORD_ROWS:
            table_id = UUID(bytes=rows_table(record))
            store = self._maybe_store(table_id)
            if store is not None and self._position > self._written.get(table_id, 0):
                apply_rows(store, split_rows(record))
        else:
            self._apply_mutation(record)

    def _maybe_store(self, table_id: UUID) -> TableStore | None:
        """The table of a record; None where it is no more."""
        if ordered := self._ordered.get(table_id):  # what takes the rows away comes with the order
            return ordered[0].store
        store, dropped = self._stores.get(table_id), self._dropped.get(table_id)
        if dropped is not None and (store is None or self._number < dropped):
            self.skipped += 1
            return None
        if store is None:
            self.unknown[table_id] = self.unknown.get(table_id, 0) + 1
            return None
        return store

    def _apply_mutation(self, record: bytes) -> None:
        at = _TABLE_ID_OFFSETS.get(record[1])
        if at is None or record[0] != FORMAT_VERSION:
            raise CorruptionError(f"the commit log holds a record of unknown kind {record[:2].hex()}")
        table_id = UUID(bytes=record[at : at + 16])
        store, written = self._maybe_store(table_id), self._written.get(table_id, 0)
        if store is None:
            return
        packed = maybe_packed(record)
        layout = store.layouts.maybe_of_record(packed.prefix) if packed is not None else None
        if packed is not None and layout is not None:
            self._targets[packed.prefix] = _Target(store.memtable.apply_packed, layout.row_prefix, written)
        if self._position <= written:
            return  # an SSTable has it, or the first reading took it
        if packed is not None and layout is not None:
            store.apply_packed(packed.key, packed.ck, layout.row_prefix + packed.body)
        else:
            store.memtable.apply(PartitionUpdate.decode(record))

    def _take_snapshot(self, order: SnapshotOrder) -> None:
        ordered = self._ordered.get(order.table_id)
        if ordered and ordered[0].order.key == order.key and self._files is not None:
            self._files.take_ordered(order, ordered.popleft().store)
            self._targets.clear()

    def _empty_ordered(self, table_id: UUID) -> None:
        if ordered := self._ordered.get(table_id):
            ordered[0].store.truncate()

    def _truncate(self, table_id: UUID, truncation: Truncation) -> None:
        self._truncations[table_id] = truncation
        self._empty_ordered(table_id)
        if self._files is not None:
            self._files.forget_replayed(table_id, truncation.position)
        store = self._stores.get(table_id)
        if store is not None and self._number >= self._dropped.get(table_id, -1):
            store.truncate_memtable()
            self._targets.clear()  # they hold the memtable that was

    def _table_text(self, record: bytes) -> str:
        at = _TABLE_ID_OFFSETS.get(record[1], 0) if record[0] == FORMAT_VERSION else 5 if record[0] == RECORD_ROWS else 0
        if not at or len(record) < at + 16:
            return "a record"
        table_id = UUID(bytes=record[at : at + 16])
        store = self._stores.get(table_id)
        name = f"{store.table.keyspace}.{store.table.name}" if store is not None else "an unknown table"
        return f"a record of {name} (id {table_id})"
