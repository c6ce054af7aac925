"""The hot path of writes to tables with views: a packed row that is new, or takes the place of an older one of its kind.

Its row in a view is a packed row too. Where a view's row moves, the one that was there gets a marker that was never live in
the log, and is forgotten in memory: nothing older can come there, because what a view gets follows from its base row as it
is. What does not fit (other columns than the row that is there, an older timestamp, a deletion in the partition, one that
files have, too, a view that is being built or takes some rows only) goes the general way (indexed_tables.py).
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeAlias

from storage.commitlog.log import RecordTooLarge
from storage.commitlog.records import group_record
from storage.indexes.local import forget_entry
from storage.indexes.table_indexes import stored_row
from storage.keys import KEY_LENGTH_MAX, component_order_keys, compose_key, split_key
from storage.memtable.memtable import CK_LENGTH_MAX
from storage.memtable.packed import TIMESTAMP, VALUES, Layout
from storage.memtable.partition import Partition
from storage.mutation import PartitionUpdate, Row, packed_record, split_wire_values
from storage.reads import TableStore
from storage.schema.metadata import ColumnMetadata
from storage.views.table_views import TableViews
from storage.views.view import TableView, gone_marker

if TYPE_CHECKING:
    from storage.engine import Engine

PackedWriter: TypeAlias = Callable[[bytes, bytes, bytes, bytes], None]
_length = Struct(">i").pack
_u16 = Struct(">H").pack
_i64 = Struct(">q").unpack
_KEY_BYTES_MAX: Final = KEY_LENGTH_MAX - 100
"""Of the values of a view's partition key; what is longer is looked at in the general way."""
Place: TypeAlias = tuple[bytes, bytes, bytes]
"""Of a view's row: its partition key, its order key, the wire values of its clustering."""


class _ViewWriter:
    """What rows of one layout are in one view. All values of a base row: those of its layout, then those of its key."""

    __slots__ = ("_clustering", "_key", "_order_keys", "_values", "has_extra", "layout", "store")

    def __init__(self, view: TableView, store: TableStore, base: TableStore, layout: Layout, view_layout: Layout) -> None:
        self.store, self.layout = store, view_layout
        in_row = [*(column.name for column in base.table.clustering), *layout.columns]
        names = [*in_row, *(column.name for column in base.table.partition_key)]

        def places(columns: Sequence[ColumnMetadata]) -> list[int]:
            return [names.index(column.name) for column in columns]

        self._key, self._clustering = places(view.table.partition_key), places(view.table.clustering)
        self._values = [names.index(name) for name in view_layout.columns]
        self._order_keys = component_order_keys(view.table)
        self.has_extra = view.extra is not None

    def maybe_place(self, values: list[bytes]) -> Place | None:
        """None where it is too long."""
        key_values = [values[at] for at in self._key]
        clustering = [values[at] for at in self._clustering]
        if sum(map(len, key_values)) > _KEY_BYTES_MAX:
            return None
        ck = b"".join([order_key(value) for order_key, value in zip(self._order_keys, clustering, strict=True)])
        if len(ck) > CK_LENGTH_MAX:
            return None
        key = key_values[0] if len(key_values) == 1 else compose_key(key_values)
        return key, ck, b"".join([_length(len(value)) + value for value in clustering])

    def wire_values(self, values: list[bytes]) -> bytes:
        return b"".join([_length(len(value)) + value for value in [values[at] for at in self._values]])

    def clustering(self, values: list[bytes]) -> tuple[bytes, ...]:
        return tuple([values[at] for at in self._clustering])


def _writers(store: TableStore, layout: Layout, views: TableViews) -> list[_ViewWriter] | None:
    """For each view that gets rows of such; None where the general way has to be gone."""
    table = store.table
    extras = [table.by_name[view.extra] for view, _ in views.views.values() if view.extra is not None]
    if table.dropped_columns or not all(column.type.has_one_form for column in (*table.clustering, *extras)):
        return None
    found = []
    for view, view_store in views.views.values():
        if view.extra is not None and view.extra not in layout.columns:
            continue
        columns = tuple(name for name in layout.columns if name in view.columns)
        view_layout = view_store.layouts.maybe_layout(columns, view.has_marker(layout))
        if view_layout is None or views.row_filter(view.metadata.name) is not None:
            return None
        found.append(_ViewWriter(view, view_store, store, layout, view_layout))
    return found


class ViewedWriter:
    """Writes packed rows of one layout. `general` takes what does not fit."""

    __slots__ = ("_engine", "_general", "_key_count", "_layout", "_logged", "_store", "_views", "_writers")

    def __init__(self, engine: "Engine", store: TableStore, layout: Layout, general: PackedWriter) -> None:
        views = store.views
        assert views is not None
        self._engine, self._store, self._layout, self._general, self._views = engine, store, layout, general, views
        self._key_count, self._logged = len(store.table.partition_key), engine.is_logged(store.table.id)
        self._writers = None if store.indexes is not None else _writers(store, layout, views)
        """None: nothing fits."""

    def write(self, key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> None:
        """A PackedWriter."""
        if not self._maybe_write(key, ck, timestamp, values):
            self._general(key, ck, timestamp, values)

    def _maybe_write(self, key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> bool:
        store, layout, writers = self._store, self._layout, self._writers
        if writers is None or self._views.builds or timestamp[0] > 127 or len(ck) > CK_LENGTH_MAX:
            return False
        if store.flushed and any(source.maybe_partition(key) is not None for source in store.flushed):
            return False
        found = store.memtable.get(key)
        if type(found) is Partition and found.guarded:
            return False
        before = None if found is None else stored_row(found, ck)
        if before is not None and not (
            type(before) is bytes and before[:TIMESTAMP] == layout.row_prefix and before[TIMESTAMP:VALUES] < timestamp
        ):
            return False
        key_values = split_key(key, self._key_count)
        new = [*split_wire_values(values), *key_values]
        old = [*split_wire_values(before, VALUES), *key_values] if before is not None else None
        put: list[tuple[TableStore, bytes, bytes, bytes, bytes]] = []
        gone: list[tuple[_ViewWriter, Place, list[bytes]]] = []
        for writer in writers:
            place = writer.maybe_place(new)
            if place is None:
                return False
            if old is not None and writer.has_extra:
                before_place = writer.maybe_place(old)
                if before_place is None:
                    return False
                if before_place != place:
                    gone.append((writer, before_place, old))
            view_key, view_ck, clustering = place
            head = _u16(len(view_ck)) + view_ck + writer.layout.row_prefix + timestamp
            prefix = writer.layout.record_prefix
            put.append((writer.store, view_key, head, head + clustering + writer.wire_values(new), prefix))
        head = _u16(len(ck)) + ck + layout.row_prefix + timestamp
        removals = [self._removal(*each, before) for each in gone]
        if self._logged:
            records = [packed_record(layout.record_prefix, key, head + values)]
            records += [packed_record(prefix, view_key, whole) for _, view_key, _, whole, prefix in put]
            records += [removal.encode() for removal in removals]
            if not self._append(records):
                return False
        store.memtable.apply_packed(key, head, head + values)
        for (writer, (view_key, view_ck, _), _), removal in zip(gone, removals, strict=True):
            if writer.store.flushed:
                writer.store.apply(removal)
            else:
                forget_entry(writer.store, view_key, view_ck)
        for view_store, view_key, view_head, whole, _ in put:
            view_store.memtable.apply_packed(view_key, view_head, whole)
        return True

    def _removal(self, writer: _ViewWriter, place: Place, old: list[bytes], before: object) -> PartitionUpdate:
        """That the view's row of the older row goes."""
        assert isinstance(before, bytes), before
        (timestamp_us,) = _i64(before[TIMESTAMP:VALUES])
        marker = gone_marker(timestamp_us, self._engine.environment.clock.now_s())
        row = Row(writer.clustering(old), marker)
        return PartitionUpdate(writer.store.table.id, place[0], rows={place[1]: row})

    def _append(self, records: list[bytes]) -> bool:
        assert self._engine.commit_log is not None
        try:
            self._engine.commit_log.append(records[0] if len(records) == 1 else group_record(records))
        except RecordTooLarge:
            return False
        return True


