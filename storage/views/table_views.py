"""The views of one table: what a write to the table changes in them (db/view/TableViews.java).

Asked before the write is applied, with no pause in between (how of a large one, says storage/indexes/derived.py): it reads
the rows that the write touches as they are, from memtable and files, and compares them with what they become. Deletions of
partitions and ranges touch all rows that they cover: each has a row in the views.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING
from uuid import UUID

from storage.dropped import DroppedFilter
from storage.environment.strands import paused
from storage.keys import split_key
from storage.memtable.range_tombstones import RangeTombstones
from storage.merged import SourcePartition
from storage.mutation import LIVE, NO_LIVENESS, Deletion, PartitionUpdate, Row
from storage.reconcile import Resolve, merge_rows, resolver, uncovered_row
from storage.views.view import BaseRow, Changes, FilterOf, RowFilter, TableView

if TYPE_CHECKING:
    from storage.reads import TableStore
    from storage.views.build import ViewBuild


class TableViews:
    """See the module. `views`: by name, each with the store of its table; `builds`: by name, those under way."""

    __slots__ = ("_filter_of", "_filters", "_key_count", "_resolve", "_store", "builds", "views")

    def __init__(
        self, store: "TableStore", views: Mapping[str, tuple[TableView, "TableStore"]], filter_of: FilterOf
    ) -> None:
        self._store, self.views, self._filter_of = store, views, filter_of
        self.builds: dict[str, ViewBuild] = {}
        self._filters: dict[str, RowFilter | None] = {}
        self._key_count = len(store.table.partition_key)
        self._resolve: Resolve = resolver(store.table)

    def changes(self, update: PartitionUpdate, now_s: int) -> list[PartitionUpdate]:
        """What the update, once applied, changes in the views' tables."""
        found = self._store.maybe_stored(update.key)
        changed = _ChangedRows(self._store, self._resolve, found, update)
        return self._followed(self.views, update.key, changed.rows(), now_s)

    def standing(
        self, name: str, key: bytes, partition: SourcePartition, cks: Iterable[bytes], now_s: int
    ) -> list[PartitionUpdate]:
        """What some rows of a partition, as they are stored, have in one view."""
        changed = _ChangedRows(self._store, self._resolve, partition, PartitionUpdate(self._store.table.id, key))
        return self._followed((name,), key, changed.standing_rows(cks), now_s)

    def has(self, view_id: UUID) -> bool:
        return any(view.table.id == view_id for view, _ in self.views.values())

    def reset(self) -> None:
        """The table has other rows at once; the views' tables have theirs by the same way."""
        for build in self.builds.values():
            build.restart()

    def _followed(
        self, names: Iterable[str], key: bytes, rows: Iterator[tuple[bytes, Row | None, Row]], now_s: int
    ) -> list[PartitionUpdate]:
        values = split_key(key, self._key_count)
        views = [(self.views[name][0], self.row_filter(name), Changes()) for name in names]
        clustering_count = len(self._store.table.clustering)
        for ck, before, after in paused(rows):
            if len(after.clustering) < clustering_count:
                continue  # a null, of the time when the table was compact: no view takes it
            row = BaseRow(values, before, after)
            for view, row_filter, changes in views:
                if row_filter is None or row_filter(key, ck, after.clustering):
                    view.add_changes(changes, row, now_s)
        return [
            PartitionUpdate(view.table.id, view_key, rows=of_key)
            for view, _, changes in views
            for view_key, of_key in paused(changes.items())
        ]

    def row_filter(self, name: str) -> RowFilter | None:
        """None: the view takes every row."""
        if name not in self._filters:
            self._filters[name] = self._filter_of(self.views[name][0].metadata, self._store.table)
        return self._filters[name]


class _ChangedRows:
    """The rows that an update changes, before and after; each as Cassandra reads them, with what deletes it as its own."""

    def __init__(
        self, store: "TableStore", resolve: Resolve, found: SourcePartition | None, update: PartitionUpdate
    ) -> None:
        self._explode, self._resolve, self._found, self._update = store.layouts.explode, resolve, found, update
        dropped = DroppedFilter(store.table, store.layouts)
        self._kept = dropped.row if store.table.dropped_columns else None
        self._tombstones = RangeTombstones(update.range_tombstones)

    def rows(self) -> Iterator[tuple[bytes, Row | None, Row]]:
        """(order key, before, after)."""
        update = self._update
        for ck, written in update.rows.items():
            after = _below(written, self._deleting(ck))
            changed = self._changed(self._before(ck, written), after)
            if changed is not None:
                yield ck, *changed
        for ck in self._deleted():
            before = self._before(ck, None)
            if before is not None:
                changed = self._changed(before, Row(before.clustering, NO_LIVENESS, self._deleting(ck)))
                if changed is not None:
                    yield ck, *changed

    def standing_rows(self, cks: Iterable[bytes]) -> Iterator[tuple[bytes, Row | None, Row]]:
        """Those that are stored there, as if they came now."""
        for ck in cks:
            row = self._before(ck, None)
            if row is not None:
                yield ck, None, row

    def _changed(self, before: Row | None, written: Row) -> tuple[Row | None, Row] | None:
        after = uncovered_row(written) if before is None else merge_rows(before, written, LIVE, self._resolve)
        return None if after is None else (before, after)

    def _before(self, ck: bytes, written: Row | None) -> Row | None:
        """The row as it is stored; where it is not, the deletion that is over its place."""
        found = self._found
        if found is None:
            return None
        covering = found.deletion
        for tombstone in found.range_tombstones(ck, ck + b"\0"):
            covering = max(covering, tombstone.deletion)
        stored = found.get(ck)
        row = None if stored is None else self._explode(stored)
        if row is not None and self._kept is not None:
            row = self._kept(row)
        if row is not None:
            return _below(row, covering)
        if written is None or covering == LIVE:
            return None
        return Row(written.clustering, NO_LIVENESS, covering)

    def _deleting(self, ck: bytes) -> Deletion:
        """What the update deletes at a place."""
        if not self._tombstones:
            return self._update.deletion
        return max(self._update.deletion, self._tombstones.covering(ck))

    def _deleted(self) -> Iterator[bytes]:
        """The places of rows that the update deletes without naming them."""
        found, update = self._found, self._update
        if found is None:
            return
        slices = [(tombstone.start, tombstone.end) for tombstone in update.range_tombstones]
        if update.deletion != LIVE:
            slices = [(b"", b"\xff")]
        seen = set(update.rows)
        for start, end in slices:
            for cks in [cks for cks, _, _ in found.chunks(start, end, False)]:  # at once: others may change it meanwhile
                for ck in cks:
                    if ck not in seen:
                        seen.add(ck)
                        yield ck


def _below(row: Row, deletion: Deletion) -> Row:
    """A row with what deletes it, where that is newer, as its own deletion."""
    return row._replace(deletion=deletion) if deletion > row.deletion else row
