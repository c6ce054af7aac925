"""What a packed row changes in the indexes of its table, on the hot path of writes (derived_writer.py): entries that are
packed rows of the hidden tables, and terms of attached indexes. No cell is made.
"""

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from storage.indexes.attached import AttachedIndex
from storage.indexes.local import VALUE_BYTES_MAX, blob_key, gone_entry
from storage.indexes.target import IndexTarget
from storage.keys import split_key
from storage.memtable.memtable import CK_LENGTH_MAX, position_of
from storage.memtable.packed import Layout
from storage.mutation import packed_record
from storage.reads import TableStore
from storage.schema.metadata import ColumnKind

if TYPE_CHECKING:
    from storage.indexes.derived_writer import Effects, PackedChange

_length = Struct(">i").pack
_u16 = Struct(">H").pack


class _Place(NamedTuple):
    """Where an indexed value is: at `wire` among the row's wire values, or part `of_key` of the key."""

    wire: int
    of_key: int


class IndexesPart:
    """Of rows of one layout."""

    __slots__ = ("_attached", "_key_count", "_layout", "_local", "_store")

    def __init__(self, store: TableStore, layout: Layout) -> None:
        indexes = store.indexes
        assert indexes is not None
        self._store, self._layout = store, layout
        self._key_count = len(store.table.partition_key)
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

    def plan(self, change: "PackedChange", effects: "Effects") -> bool:
        """Whether it fits."""
        key, ck, timestamp, _, before, new, old = change
        if self._local:
            position = position_of(key)
            hidden_ck = blob_key(position) + blob_key(ck)
            if len(hidden_ck) > CK_LENGTH_MAX:
                return False
            tail = timestamp + _length(len(position)) + position + _length(len(ck)) + ck
            hidden_head = _u16(len(hidden_ck)) + hidden_ck
            for hidden, entry, (wire, of_key) in self._local:
                value = new[wire] if wire >= 0 else split_key(key, self._key_count)[of_key]
                if len(value) > VALUE_BYTES_MAX:
                    return False
                if old is not None:
                    if wire < 0 or old[wire] == value:
                        continue
                    assert before is not None
                    if effects.is_logged:
                        removal = gone_entry(hidden.table.id, old[wire], hidden_ck, (position, ck), before)
                        effects.records.append(removal.encode())
                    effects.gone.append((hidden, old[wire], hidden_ck, None))
                head = hidden_head + entry.row_prefix
                whole = head + tail
                if effects.is_logged:
                    effects.records.append(packed_record(entry.record_prefix, value, whole))
                effects.put.append((hidden, value, head + timestamp, whole))
        for attached, (wire, of_key) in self._attached:
            if attached.is_begun:
                value = new[wire] if wire >= 0 else split_key(key, self._key_count)[of_key]
                if old is None:
                    effects.attached.append((attached, (), attached.terms_of(value)))
                elif wire >= 0 and old[wire] != value:
                    effects.attached.append((attached, attached.terms_of(old[wire]), attached.terms_of(value)))
        return True
