"""Records of plain rows, as the log has them and as replicas send them to each other: made once, where a row is written, and
taken everywhere as they are.

A record is a packed mutation (storage/mutation.py), or packed rows of one partition, or a group of those, which are done
together (storage/commitlog/records.py). Neither side makes cells of it.
"""

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from struct import error as StructError
from typing import Final, NamedTuple
from uuid import UUID

from protocol.errors import StorageError
from storage.commitlog.log import RecordTooLarge
from storage.commitlog.packed_rows import PackedRows, RowsCutter
from storage.commitlog.records import RECORD_GROUP, RECORD_ROWS, group_record, rows_table, split_group, split_rows
from storage.engine import Engine
from storage.keys import OrderKey, clustering_order_key, component_order_keys
from storage.memtable.memtable import CK_LENGTH_MAX, single
from storage.memtable.packed import TIMESTAMP, VALUES, Layout
from storage.mutation import (
    FORMAT_VERSION,
    KIND_PACKED,
    PartitionUpdate,
    Row,
    packed_record,
    parse_packed_prefix,
)
from storage.reads import TableStore
from storage.schema.metadata import Schema

RecordWriter = Callable[[bytes, bytes, bytes, bytes], bytes | None]
"""(key, ck, timestamp, wire values) -> the record of one packed row; None: nothing was done, it is not that plain."""
LENGTHS: Final = 1024
"""Keys and order keys that are shorter are plain."""
_HEADS: Final = tuple(Struct(">H").pack(length) for length in range(LENGTHS))
_NO_LAYOUT: Final = bytes(TIMESTAMP)
_unpack_length = Struct(">I").unpack_from


def record_maker(layout: Layout) -> RecordWriter:
    """Makes records of rows that are for others alone."""
    heads, prefix, row_prefix = _HEADS, layout.record_prefix, layout.row_prefix

    def make(key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> bytes | None:
        if len(key) >= LENGTHS or len(ck) >= LENGTHS:
            return None
        return prefix + heads[len(key)] + key + heads[len(ck)] + ck + row_prefix + timestamp + values

    return make


def record_writer(engine: Engine, store: TableStore, layout: Layout) -> RecordWriter:
    """Logs and applies rows, too. To be kept until the schema changes. Raises CommitLogFailed."""
    heads, prefix, row_prefix = _HEADS, layout.record_prefix, layout.row_prefix
    commit_log = engine.commit_log if engine.is_logged(store.table.id) else None
    append = None if commit_log is None else commit_log.append

    def write(key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> bytes | None:
        if len(key) >= LENGTHS or len(ck) >= LENGTHS:
            return None
        head = heads[len(ck)] + ck + row_prefix + timestamp
        partition = head + values
        record = prefix + heads[len(key)] + key + partition
        if append is not None:
            try:
                append(record)
            except RecordTooLarge:
                return None
        store.memtable.apply_packed(key, head, partition)
        return record

    return write


class _Target(NamedTuple):
    """Where packed records of one prefix go."""

    store: TableStore
    row_prefix: bytes
    values: range


_Parsed = tuple[TableStore, bytes, bytes, bytes]
"""(store, key, how a partition of just this row begins, that partition): what a memtable takes."""


def _parsed(target: _Target, record: bytes) -> _Parsed | None:
    """A packed record of that target; None where it does not end with its values."""
    store, row_prefix, values = target
    key_at = (record[2] << 8 | record[3]) + 2
    key_end = key_at + (record[key_at - 2] << 8 | record[key_at - 1])
    layout_at = key_end + 2 + (record[key_end] << 8 | record[key_end + 1])
    values_at = at = layout_at + VALUES
    for _ in values:
        at += 4 + _unpack_length(record, at)[0]
    if at != len(record):
        return None
    # layouts are numbered by each node for itself
    head = record[key_end:layout_at] + row_prefix + record[layout_at + TIMESTAMP : values_at]
    return store, record[key_at:key_end], head, head + record[values_at:]


class _RowsTarget(NamedTuple):
    """The same of rows of one partition."""

    store: TableStore
    row_prefix: bytes
    clustering_count: int
    value_count: int
    order_keys: tuple[OrderKey, ...]


class RecordTaker:
    """Of one node: takes what others made."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._schema: Schema | None = None
        self._targets: dict[bytes, _Target] = {}
        self._rows_targets: dict[bytes, _RowsTarget] = {}
        self._cutter = RowsCutter()

    def take_with(self, record: bytes, other: bytes) -> bool:
        """Logs two packed rows as one, and applies both. False: nothing was done, they are for the general way. Raises
        CorruptionError, CommitLogFailed."""
        self._follow_schema()
        try:
            first, second = self._maybe_parsed(record), self._maybe_parsed(other)
        except (StructError, IndexError):
            return False
        if first is None or second is None:
            return False
        logged = [one for one, (store, *_) in ((record, first), (other, second)) if self._is_logged(store)]
        if logged:
            assert self._engine.commit_log is not None
            try:
                self._engine.commit_log.append(logged[0] if len(logged) == 1 else group_record(logged))
            except RecordTooLarge:
                return False
        for store, key, head, partition in (first, second):
            store.memtable.apply_packed(key, head, partition)
        return True

    def _follow_schema(self) -> None:
        if self._schema is not self._engine.schema:
            self._schema = self._engine.schema
            self._targets.clear()
            self._rows_targets.clear()

    def take(self, records: Sequence[bytes]) -> list[int]:
        """Logs and applies each by itself. The indexes of those that are for the general way, because they are not plain or
        can't be taken: nothing was done with these. Raises CorruptionError."""
        self._follow_schema()
        left: list[int] = []
        targets = self._targets
        for index, record in enumerate(records):
            try:
                target = targets.get(record[: record[2] << 8 | record[3]])
                if target is None:
                    target = self._maybe_target(record)
                    if target is None:
                        if not self._take_rows(record):
                            left.append(index)
                        continue
                if not self._take_packed(target, record):
                    left.append(index)
            except (StorageError, RecordTooLarge, StructError, IndexError):
                left.append(index)
        return left

    def _take_packed(self, target: _Target, record: bytes) -> bool:
        parsed = _parsed(target, record)
        if parsed is None:
            return False
        store, key, head, partition = parsed
        self._log(store, record)
        store.memtable.apply_packed(key, head, partition)
        return True

    def _maybe_parsed(self, record: bytes) -> "_Parsed | None":
        target = self._targets.get(record[: record[2] << 8 | record[3]]) or self._maybe_target(record)
        return None if target is None else _parsed(target, record)

    def _is_logged(self, store: TableStore) -> bool:
        engine = self._engine
        return engine.commit_log is not None and engine.is_logged(store.table.id)

    def _log(self, store: TableStore, record: bytes) -> None:
        if self._is_logged(store):
            assert self._engine.commit_log is not None
            self._engine.commit_log.append(record)

    def _maybe_store(self, table_id: bytes) -> TableStore | None:
        store = self._engine.stores.get(UUID(bytes=table_id))
        return None if store is None or store.has_derived else store

    def _maybe_target(self, record: bytes) -> _Target | None:
        if record[0] != FORMAT_VERSION or record[1] != KIND_PACKED:
            return None
        prefix = record[: record[2] << 8 | record[3]]
        parsed = parse_packed_prefix(prefix)
        store = self._maybe_store(parsed.table_id.bytes)
        layout = None if store is None else store.layouts.maybe_of_record(prefix)
        if store is None or layout is None:
            return None
        target = _Target(store, layout.row_prefix, range(parsed.clustering_count + len(parsed.columns)))
        self._targets[prefix] = target
        return target

    def _take_rows(self, record: bytes) -> bool:
        """Rows of one partition of one table."""
        parts = split_group(record) if record[0] == RECORD_GROUP else [record]
        runs: list[tuple[_RowsTarget, PackedRows]] = []
        for part in parts:  # all that may be wrong is found before anything is done
            target = self._maybe_rows_target(part)
            if target is None or target.store is not (runs[0][0].store if runs else target.store):
                return False
            runs.append((target, self._cutter.cut(part, target.clustering_count, target.value_count)))
        if not runs:
            return False
        self._log(runs[0][0].store, record)
        for (store, row_prefix, _, _, order_keys), (key, timestamp, clusterings, rows) in runs:
            components = [map(order_key, column) for order_key, column in zip(order_keys, clusterings, strict=True)]
            if len(components) == 1:
                cks = list(components[0])
            else:  # of a table without clustering columns there are none
                cks = [b"".join(of_row) for of_row in zip(*components, strict=True)] or [b""] * len(rows)
            store.memtable.apply_packed_rows(key, row_prefix + timestamp, cks, rows)
        return True

    def _maybe_rows_target(self, record: bytes) -> _RowsTarget | None:
        if record[0] != RECORD_ROWS:
            return None
        prefix = record[1 : 1 + (record[3] << 8 | record[4])]
        target = self._rows_targets.get(prefix)
        if target is not None:
            return target
        store = self._maybe_store(rows_table(record))
        layout = None if store is None else store.layouts.maybe_of_record(prefix)
        if store is None or layout is None:
            return None
        parsed = parse_packed_prefix(prefix)
        value_count = parsed.clustering_count + len(parsed.columns)
        order_keys = component_order_keys(store.table)
        target = _RowsTarget(store, layout.row_prefix, parsed.clustering_count, value_count, order_keys)
        self._rows_targets[prefix] = target
        return target


def mutations_of(stores: Mapping[UUID, TableStore], record: bytes) -> list[bytes]:
    """What a record says, as mutations. Raises KeyError where a table is not there."""
    if record[0] == RECORD_GROUP:
        return [mutation for part in split_group(record) for mutation in mutations_of(stores, part)]
    if record[0] != RECORD_ROWS:
        return [record]
    prefix, key, timestamp, rows = split_rows(record)
    order_key = clustering_order_key(stores[UUID(bytes=rows_table(record))].table)
    return [_row_mutation(prefix, key, order_key(values), timestamp + row) for values, row in rows]


def _row_mutation(prefix: bytes, key: bytes, ck: bytes, body: bytes) -> bytes:
    if len(ck) <= CK_LENGTH_MAX:
        return packed_record(prefix, key, single(ck, _NO_LAYOUT + body))
    update = PartitionUpdate.decode(packed_record(prefix, key, single(b"", _NO_LAYOUT + body)))
    row: Row = update.rows[b""]
    return PartitionUpdate(update.table_id, key, rows={ck: row}).encode()
