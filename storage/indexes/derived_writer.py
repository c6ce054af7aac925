"""The hot path of writes to tables with indexes and views: a packed row that is new, or takes the place of an older one of
its kind.

What follows from it (packed rows of hidden tables and views, terms of attached indexes) is planned by parts, one for the
indexes and one for the views; all of it is one record of the log, and takes effect together. What does not fit (other
columns than the row that is there, an older timestamp, what a part says) goes the general way (indexed_tables.py).
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Protocol, TypeAlias

from storage.commitlog.log import RecordTooLarge
from storage.commitlog.records import group_record
from storage.indexes.attached import AttachedIndex
from storage.indexes.local import forget_entry
from storage.indexes.packed_part import IndexesPart
from storage.indexes.table_indexes import stored_row
from storage.memtable.memtable import CK_LENGTH_MAX, StoredPartition
from storage.memtable.packed import TIMESTAMP, VALUES, Layout
from storage.mutation import PartitionUpdate, packed_record, split_wire_values
from storage.reads import TableStore

if TYPE_CHECKING:
    from storage.engine import Engine

PackedWriter: TypeAlias = Callable[[bytes, bytes, bytes, bytes], None]
_u16 = Struct(">H").pack


PackedChange: TypeAlias = tuple[
    bytes, bytes, bytes, StoredPartition | None, bytes | None, list[bytes], list[bytes] | None
]
"""(key, order key, timestamp, the partition as the memtable has it, the packed row that is replaced, the wire values of
the new row, of the old one)."""


class Effects:
    """`records` for the log, where it `is_logged`; `put`: (store, key, how a partition of just this row begins, that
    partition); `gone`: (store, key, order key, what says so where files have it, too, None: nobody looks there);
    `attached`: (index, terms that go, terms that come)."""

    __slots__ = ("attached", "gone", "is_logged", "put", "records")

    def __init__(self, is_logged: bool) -> None:
        self.is_logged = is_logged
        self.records: list[bytes] = []
        self.put: list[tuple[TableStore, bytes, bytes, bytes]] = []
        self.gone: list[tuple[TableStore, bytes, bytes, PartitionUpdate | None]] = []
        self.attached: list[tuple[AttachedIndex, Sequence[bytes], Sequence[bytes]]] = []


class Part(Protocol):
    def plan(self, change: PackedChange, effects: Effects) -> bool:
        """Adds what follows from a change; whether it fits."""
        ...


class DerivedWriter:
    """Writes packed rows of one layout. `general` takes what does not fit."""

    __slots__ = ("_engine", "_general", "_layout", "_logged", "_parts", "_store")

    def __init__(self, engine: "Engine", store: TableStore, layout: Layout, general: PackedWriter) -> None:
        self._engine, self._store, self._layout, self._general = engine, store, layout, general
        self._logged = engine.is_logged(store.table.id)
        self._parts: list[Part] = []
        if store.indexes is not None:
            self._parts.append(IndexesPart(store, layout))
        if store.views is not None:
            from storage.views.packed_part import ViewsPart

            self._parts.append(ViewsPart(engine, store, layout))

    def _has_others(self) -> bool:
        """Whether other nodes may bring here what this one forgets."""
        placement = self._engine.indexed.placement
        return placement is not None and placement.has_others()

    def write(self, key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> None:
        """A PackedWriter."""
        if not self._maybe_write(key, ck, timestamp, values):
            self._general(key, ck, timestamp, values)

    def _maybe_write(self, key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> bool:
        store, layout = self._store, self._layout
        if timestamp[0] > 127 or len(ck) > CK_LENGTH_MAX:
            return False
        found = store.memtable.get(key)
        before = None if found is None else stored_row(found, ck)
        if before is not None and not (
            type(before) is bytes and before[:TIMESTAMP] == layout.row_prefix and before[TIMESTAMP:VALUES] < timestamp
        ):
            return False
        old = split_wire_values(before, VALUES) if before is not None else None
        change = key, ck, timestamp, found, before, split_wire_values(values), old
        effects = Effects(self._logged)
        for part in self._parts:
            if not part.plan(change, effects):
                return False
        head = _u16(len(ck)) + ck + layout.row_prefix + timestamp
        if self._logged and not self._log(packed_record(layout.record_prefix, key, head + values), effects.records):
            return False
        store.memtable.apply_packed(key, head, head + values)
        for derived, derived_key, derived_ck, removal in effects.gone:
            if removal is not None and (derived.flushed or self._has_others()):
                derived.apply(removal)
            else:
                forget_entry(derived, derived_key, derived_ck)
        for derived, derived_key, derived_head, whole in effects.put:
            derived.memtable.apply_packed(derived_key, derived_head, whole)
        for index, gone, come in effects.attached:
            index.apply(key, ck, gone, come)
        return True

    def _log(self, record: bytes, records: list[bytes]) -> bool:
        commit_log = self._engine.commit_log
        assert commit_log is not None
        try:
            commit_log.append(group_record([record, *records]) if records else record)
        except RecordTooLarge:
            return False
        return True
