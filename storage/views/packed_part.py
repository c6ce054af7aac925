"""What a packed row changes in the views of its table, on the hot path of writes (storage/indexes/derived_writer.py).

Its row in a view is a packed row too. Where a view's row moves, the one that was there gets a marker that was never live in
the log, and is forgotten in memory: nothing older can come there, because what a view gets follows from its base row as it
is; from other nodes it may, so where there are some the marker is kept. What does not fit (a deletion in the partition,
one that files have, too, a view that is being built, takes some rows only, or has rows on other nodes) goes the general way
(indexed_tables.py).
"""

from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeAlias

from storage.keys import KEY_LENGTH_MAX, component_order_keys, compose_key, split_key
from storage.memtable.memtable import CK_LENGTH_MAX
from storage.memtable.packed import TIMESTAMP, VALUES, Layout
from storage.memtable.partition import Partition
from storage.mutation import PartitionUpdate, Row, packed_record
from storage.reads import TableStore
from storage.schema.metadata import ColumnMetadata
from storage.views.table_views import TableViews
from storage.views.view import TableView, gone_marker

if TYPE_CHECKING:
    from storage.engine import Engine
    from storage.indexes.derived_writer import Effects, PackedChange

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


class ViewsPart:
    """Of rows of one layout."""

    __slots__ = ("_engine", "_key_count", "_store", "_views", "_writers")

    def __init__(self, engine: "Engine", store: TableStore, layout: Layout) -> None:
        views = store.views
        assert views is not None
        self._engine, self._store, self._views = engine, store, views
        self._key_count = len(store.table.partition_key)
        self._writers = _writers(store, layout, views)
        """None: nothing fits."""

    def plan(self, change: "PackedChange", effects: "Effects") -> bool:
        """Whether it fits."""
        key, _, timestamp, found, before, new, old = change
        store, writers = self._store, self._writers
        if writers is None or self._views.builds:
            return False
        placement = self._engine.indexed.placement
        if placement is not None and not placement.is_here(store.table.keyspace):
            return False
        if store.flushed and any(source.maybe_partition(key) is not None for source in store.flushed):
            return False
        if type(found) is Partition and found.guarded:
            return False
        key_values = split_key(key, self._key_count)
        values = [*new, *key_values]
        old_values = [*old, *key_values] if old is not None else None
        for writer in writers:
            place = writer.maybe_place(values)
            if place is None:
                return False
            if old_values is not None and writer.has_extra:
                before_place = writer.maybe_place(old_values)
                if before_place is None:
                    return False
                if before_place != place:
                    assert before is not None
                    removal = self._removal(writer, before_place, old_values, before)
                    if effects.is_logged:
                        effects.records.append(removal.encode())
                    effects.gone.append((writer.store, before_place[0], before_place[1], removal))
            view_key, view_ck, clustering = place
            head = _u16(len(view_ck)) + view_ck + writer.layout.row_prefix + timestamp
            whole = head + clustering + writer.wire_values(values)
            if effects.is_logged:
                effects.records.append(packed_record(writer.layout.record_prefix, view_key, whole))
            effects.put.append((writer.store, view_key, head, whole))
        return True

    def _removal(self, writer: _ViewWriter, place: Place, old: list[bytes], before: bytes) -> PartitionUpdate:
        """That the view's row of the older row goes."""
        (timestamp_us,) = _i64(before[TIMESTAMP:VALUES])
        marker = gone_marker(timestamp_us, self._engine.environment.clock.now_s())
        row = Row(writer.clustering(old), marker)
        return PartitionUpdate(writer.store.table.id, place[0], rows={place[1]: row})
