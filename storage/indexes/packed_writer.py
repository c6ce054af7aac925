"""The hot path of writes to tables with indexes: a packed row that is new, or takes the place of an older one of its kind.

Its entries are packed rows of the hidden tables, and terms of attached indexes. No cell is made; all of it is one record of
the log. What does not fit (other columns than the row that is there, an older timestamp) goes the general way
(indexed_tables.py).
"""

from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from storage.commitlog.log import RecordTooLarge
from storage.commitlog.records import group_record
from storage.indexes.attached import AttachedIndex
from storage.indexes.local import VALUE_BYTES_MAX, blob_key, forget_entry, gone_entry
from storage.indexes.table_indexes import stored_row
from storage.indexes.target import IndexTarget
from storage.keys import split_key
from storage.memtable.memtable import CK_LENGTH_MAX, position_of
from storage.memtable.packed import TIMESTAMP, VALUES, Layout
from storage.mutation import packed_record, split_wire_values
from storage.reads import TableStore
from storage.schema.metadata import ColumnKind

if TYPE_CHECKING:
    from storage.engine import Engine

PackedWriter: TypeAlias = Callable[[bytes, bytes, bytes, bytes], None]
_length = Struct(">i").pack
_u16 = Struct(">H").pack


class _Place(NamedTuple):
    """Where an indexed value is: at `wire` among the row's wire values, or part `of_key` of the key."""

    wire: int
    of_key: int


class IndexedWriter:
    """Writes packed rows of one layout. `general` takes what does not fit."""

    __slots__ = ("_attached", "_engine", "_general", "_key_count", "_layout", "_local", "_logged", "_store")

    def __init__(self, engine: "Engine", store: TableStore, layout: Layout, general: PackedWriter) -> None:
        indexes = store.indexes
        assert indexes is not None
        self._engine, self._store, self._layout, self._general = engine, store, layout, general
        self._key_count, self._logged = len(store.table.partition_key), engine.is_logged(store.table.id)
        self._local: list[tuple[TableStore, Layout, _Place]] = []
        self._attached: list[tuple[AttachedIndex, _Place]] = []
        for index, hidden in indexes.local.values():
            place, entry_layout = self._place(index.target), hidden.layouts.maybe_layout((), True)
            if place is not None and entry_layout is not None:
                self._local.append((hidden, entry_layout, place))
        for attached in indexes.attached.values():
            place = self._place(attached.target)
            if place is not None:
                self._attached.append((attached, place))

    def _place(self, target: IndexTarget) -> _Place | None:
        """None where such a row has nothing that the index holds."""
        column = target.column
        if column.kind is ColumnKind.PARTITION_KEY:
            return _Place(-1, column.position)
        if column.kind is ColumnKind.CLUSTERING:
            return _Place(column.position, 0)
        if column.name not in self._layout.columns:
            return None
        return _Place(len(self._store.table.clustering) + self._layout.columns.index(column.name), 0)

    def write(self, key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> None:
        """A PackedWriter."""
        store, layout = self._store, self._layout
        found = store.memtable.get(key)
        before = None if found is None else stored_row(found, ck)
        fits = before is None or (
            type(before) is bytes and before[:TIMESTAMP] == layout.row_prefix and before[TIMESTAMP:VALUES] < timestamp
        )
        hidden_ck = position = b""
        if self._local:
            position = position_of(key)
            hidden_ck = blob_key(position) + blob_key(ck)
        if not fits or timestamp[0] > 127 or max(len(ck), len(hidden_ck)) > CK_LENGTH_MAX:
            self._general(key, ck, timestamp, values)
            return
        parts = split_wire_values(values)
        old = split_wire_values(before, VALUES) if type(before) is bytes else None
        head = _u16(len(ck)) + ck + layout.row_prefix + timestamp
        records = [packed_record(layout.record_prefix, key, head + values)] if self._logged else []
        put: list[tuple[TableStore, bytes, bytes, bytes]] = []
        gone: list[tuple[TableStore, bytes]] = []
        tail = timestamp + _length(len(position)) + position + _length(len(ck)) + ck
        hidden_head = _u16(len(hidden_ck)) + hidden_ck
        for hidden, entry, (wire, of_key) in self._local:
            value = parts[wire] if wire >= 0 else split_key(key, self._key_count)[of_key]
            if len(value) > VALUE_BYTES_MAX:
                self._general(key, ck, timestamp, values)
                return
            if old is not None:
                if wire < 0 or old[wire] == value:
                    continue
                gone.append((hidden, old[wire]))
                if self._logged:
                    records.append(gone_entry(hidden.table.id, old[wire], hidden_ck, (position, ck), before).encode())
            whole = hidden_head + entry.row_prefix + tail
            put.append((hidden, value, hidden_head + entry.row_prefix + timestamp, whole))
            if self._logged:
                records.append(packed_record(entry.record_prefix, value, whole))
        if records and not self._append(records):
            self._general(key, ck, timestamp, values)
            return
        store.memtable.apply_packed(key, head, head + values)
        for hidden, value in gone:
            forget_entry(hidden, value, hidden_ck)
        for hidden, value, begin, whole in put:
            hidden.memtable.apply_packed(value, begin, whole)
        for attached, place in self._attached:
            if attached.is_begun:
                self._attach(attached, place, key, ck, parts, old)

    def _append(self, records: list[bytes]) -> bool:
        assert self._engine.commit_log is not None
        try:
            self._engine.commit_log.append(records[0] if len(records) == 1 else group_record(records))
        except RecordTooLarge:
            return False
        return True

    def _attach(
        self, index: AttachedIndex, place: _Place, key: bytes, ck: bytes, parts: list[bytes], old: list[bytes] | None
    ) -> None:
        value = parts[place.wire] if place.wire >= 0 else split_key(key, self._key_count)[place.of_key]
        if old is None:
            index.apply(key, ck, (), (index.term(value),))
        elif place.wire >= 0 and old[place.wire] != value:
            index.apply(key, ck, (index.term(old[place.wire]),), (index.term(value),))
