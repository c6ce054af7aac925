"""The engine's side of indexes, materialized views and change data capture: the tables that have some, and what it does for
them.

A write to such a table and what it changes in the hidden tables of its indexes and in its views are one record of the log
and take effect together. Tables without either do not come here: the engine asks once, with a lookup in a set.

Which indexes are built is told by rows of system."IndexInfo", as in Cassandra, and by the same rows in a table of our own.
One that lacks either when the program starts is built anew: it was being built when the program ended, or a Cassandra built
it, whose files are others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from protocol.types import TEXT
from storage.background import Lane, Task
from storage.environment.strands import paused, undisturbed
from storage.indexes.attached import TERM_BYTES_MAX, AttachedIndex, Change, TermKind, attached_indexes
from storage.indexes.derived import maybe_applied
from storage.indexes.derived_writer import DerivedWriter
from storage.indexes.local import apply_entries, local_indexes
from storage.indexes.table_indexes import TableIndexes
from storage.indexes.term_budget import TermBudget
from storage.memtable.drafts import Seen
from storage.memtable.packed import Layout
from storage.mutation import LIVE, NO_LIVENESS, Deletion, Liveness, PartitionUpdate, Row
from storage.reads import EVERYTHING, TableStore
from storage.reconcile import merge_rows, resolver
from storage.schema.changes import ChangedTables
from storage.schema.definitions import built_here_table
from storage.schema.elements import differences
from storage.schema.metadata import KeyspaceMetadata, KeyspaceParams, Schema, TableMetadata, ViewMetadata
from storage.views.placement import Placed

if TYPE_CHECKING:
    from storage.engine import Engine, PackedWriter
    from storage.views.placement import Placement
    from storage.views.view import FilterOf, RowFilter
    from storage.views.viewed_tables import ViewedTables

_NO_KEYSPACE = KeyspaceMetadata("", KeyspaceParams({}))
PackedRow: TypeAlias = tuple[TableStore, bytes, bytes, bytes]
"""(store, key, order key, packed row)."""


class IndexedTables:
    """See the module. `tables`: the ids of the tables that have indexes or views; `hidden`: those of the indexes' tables.
    `filter_of` understands the WHERE clauses of views: it is set by whoever can read CQL."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.tables: set[UUID] = set()
        self.hidden: set[UUID] = set()
        self.filter_of: FilterOf = lambda view, base: None
        self.budget = TermBudget(self._attached)
        self._term_bytes_max: Mapping[TermKind, int] = TERM_BYTES_MAX
        self.placement: Placement | None = None
        """Where rows of views go; None: they stay here."""
        self._builds: dict[UUID, Task] = {}

    def any_of(self, table_ids: Iterable[UUID]) -> bool:
        return any(table_id in self.tables for table_id in table_ids)

    # -- writing ------------------------------------------------------------------------------------------------------

    def apply(self, updates: Sequence[PartitionUpdate], seen: Seen | None = None) -> bool:
        """Logs and applies updates, each of another partition, and what follows from them, as one record, if what was `seen`
        is current; whether it was. Raises InvalidRequest, CommitLogFailed, and TooLong in a go of the loop."""
        applied = maybe_applied(self._engine, updates, seen)
        if applied is not None:
            return applied

        def apply() -> bool:
            if seen is not None and not seen.is_current:
                return False
            self._apply(updates)
            return True

        return undisturbed(apply)

    def _apply(self, updates: Sequence[PartitionUpdate]) -> None:
        engine = self._engine
        now_s = engine.environment.clock.now_s()
        following: list[PartitionUpdate] = []
        in_views: list[PartitionUpdate] = []
        send: list[Callable[[], None]] = []
        attached: list[Change] = []
        for update in updates:
            store = engine.stores[update.table_id]
            if store.indexes is not None:
                hidden, others = store.indexes.changes(update, now_s)
                following += hidden
                attached += others
            if store.views is not None:
                placed = self.placed(store, update.key, store.views.changes(update, now_s))
                in_views += (*placed.here, *placed.kept)
                send.append(placed.send)
        engine.log_updates([*updates, *following, *in_views])
        for update in updates:
            engine.stores[update.table_id].apply(update)
        for update in following:
            apply_entries(engine.stores[update.table_id], update)
        for update in in_views:
            engine.stores[update.table_id].apply(update)
        for index, key, ck, gone, come in attached:
            index.apply(key, ck, gone, come)
        for begin in send:
            begin()

    def placed(self, store: TableStore, key: bytes, rows: Sequence[PartitionUpdate]) -> Placed:
        """What follows in views from a change of a partition of a table, by where it goes."""
        placement, keyspace = self.placement, store.table.keyspace
        if placement is None or not rows or placement.is_here(keyspace):
            return Placed(rows)
        return placement.place(keyspace, key, rows)

    def apply_packed(self, rows: Sequence[PackedRow]) -> None:
        """The same of packed rows, some of which may be of one partition, or one row."""
        by_partition: dict[tuple[UUID, bytes], dict[bytes, Row]] = {}
        for store, key, ck, packed in paused(rows):
            changed = by_partition.setdefault((store.table.id, key), {})
            row = store.layouts.explode(packed)
            before = changed.get(ck)
            changed[ck] = row if before is None else merge_rows(before, row, LIVE, resolver(store.table)) or row
        self.apply([PartitionUpdate(table_id, key, rows=changed) for (table_id, key), changed in by_partition.items()])

    def packed_writer(self, store: TableStore, layout: Layout) -> "PackedWriter":
        """A function that writes one packed row of a layout."""
        row_prefix = layout.row_prefix

        def write(key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> None:
            self.apply_packed([(store, key, ck, row_prefix + timestamp + values)])

        capture = self._engine.capture
        if capture is not None and any(table.params.cdc for table in (store.table, *self._views_of(store))):
            has_others = store.indexes is not None or store.views is not None
            return write if has_others else capture.packed_writer(store, layout, write)
        return DerivedWriter(self._engine, store, layout, write).write

    @staticmethod
    def _views_of(store: TableStore) -> list[TableMetadata]:
        return [] if store.views is None else [view.table for view, _ in store.views.views.values()]

    def with_derived(self, table_ids: Sequence[UUID]) -> Sequence[UUID]:
        """The tables, and those of their indexes and views."""
        if not self.any_of(table_ids):
            return table_ids
        stores = self._engine.stores
        hidden = [
            index.table.id
            for table_id in table_ids
            if (indexes := stores[table_id].indexes) is not None
            for index, _ in indexes.local.values()
        ]
        views = [
            view.table.id
            for table_id in table_ids
            if (found := stores[table_id].views) is not None
            for view, _ in found.views.values()
        ]
        return tuple(dict.fromkeys((*table_ids, *hidden, *views)))

    def _attached(self) -> Iterator[AttachedIndex]:
        for table_id in self.tables:
            indexes = self._engine.stores[table_id].indexes
            if indexes is not None:
                yield from indexes.attached.values()

    def limit_terms(self, bytes_max: Mapping[TermKind, int]) -> None:
        """How large terms of attached indexes may be, from now on."""
        self._term_bytes_max = bytes_max
        for index in self._attached():
            index.bytes_max = bytes_max[index.term_kind]

    # -- schema -------------------------------------------------------------------------------------------------------

    def install(self, changed: ChangedTables, schema: Schema) -> None:
        """Gives the tables that changed their indexes and views; all stores, hidden ones too, have changed already."""
        stores = self._engine.stores
        for table in changed.dropped:
            self.tables.discard(table.id)
            self.hidden.discard(table.id)
        for table in changed.installed:
            store = stores[table.id]
            before, store.indexes = store.indexes, None
            self._install_views(store, schema)
            store.has_derived = store.views is not None or self._engine.captures(table)
            self.tables.discard(table.id)
            if store.has_derived:
                self.tables.add(table.id)
            local = {index.metadata.name: (index, stores[index.table.id]) for index in local_indexes(table)}
            attached = {index.metadata.name: index for index in attached_indexes(table, self._term_bytes_max)}
            if not local and not attached:
                continue
            for index in attached.values():
                index.grown = self.budget.grown
            self.tables.add(table.id)
            self.hidden.update(index.table.id for index, _ in local.values())
            store.indexes = TableIndexes(store, local, attached)
            store.has_derived = True
            if before is not None:
                store.indexes.take_builds(before)

    def _install_views(self, store: TableStore, schema: Schema) -> None:
        views = schema.keyspaces[store.table.keyspace].views_of(store.table)
        if views:
            self._views.install(store, views)
        else:
            store.views = None

    @cached_property
    def _views(self) -> "ViewedTables":
        from storage.views.viewed_tables import ViewedTables

        return ViewedTables(self._engine, self._filter_of)

    def _filter_of(self, view: ViewMetadata, base: TableMetadata) -> "RowFilter | None":
        return self.filter_of(view, base)

    def started(self) -> None:
        """The log has been replayed: what was being built when the program ended is built anew."""
        for table_id in self.tables:
            store = self._engine.stores[table_id]
            if store.indexes is not None:
                built = self._built_names(store.table.keyspace)
                for name in store.indexes.local:
                    if name not in built:
                        self._begin_build(store, name)
                unbuilt = [name for name in store.indexes.attached if name not in built]
                self._mark(store.table.keyspace, unbuilt, is_built=True)
            if store.views is not None:
                self._views.started(store)

    def hand_over(self) -> None:
        """Forgets that indexes are built: whoever opens the data folder next, a Cassandra maybe, which has its own files of
        them, builds them anew."""
        for table_id in self.tables:
            store = self._engine.stores[table_id]
            if store.indexes is not None:
                self._mark(store.table.keyspace, [*store.indexes.local, *store.indexes.attached], is_built=False)

    def schema_changed(self, old: Schema, new: Schema) -> None:
        """Has new indexes built, and forgets that those which are gone were."""
        for keyspace in differences(old.keyspaces, new.keyspaces):
            before, after = old.keyspaces.get(keyspace, _NO_KEYSPACE), new.keyspaces.get(keyspace, _NO_KEYSPACE)
            for name in differences(before.tables, after.tables):
                tables = before.tables.get(name), after.tables.get(name)
                indexes = [{} if table is None else dict.fromkeys(table.indexes, table.id) for table in tables]
                gone = [i for i, table_id in indexes[0].items() if indexes[1].get(i) != table_id]
                self._mark(keyspace, gone, is_built=False)
                table = tables[1]
                store = self._engine.stores.get(table.id) if table is not None else None
                if store is None or store.indexes is None:
                    continue
                made = [i for i in store.indexes.attached if indexes[0].get(i) != store.table.id]
                self._mark(keyspace, made, is_built=True)
                for index in store.indexes.local:
                    if indexes[0].get(index) != store.table.id:
                        self._begin_build(store, index)
            for name in differences(before.views, after.views):
                self._views.changed(before.views.get(name), after.views.get(name))

    def build_all_beside(self) -> None:
        """Of all tables, after a change of the schema for which no client waits here."""
        for table_id in sorted(self.tables):
            store = self._engine.stores[table_id]
            if store.indexes is not None and store.indexes.unbuilt:
                self.build_beside(store)

    def build_beside(self, store: TableStore) -> Task:
        """Builds, in the background, the indexes of a table that are not built: what others look up here is not to be made
        while they wait, nor while everybody does."""
        task = self._builds.get(store.table.id)
        if task is not None and not task.has_ended:
            return task

        def run(task: Task) -> None:
            while (indexes := store.indexes) is not None and indexes.unbuilt:
                undisturbed(partial(indexes.build_step, indexes.unbuilt[0]))
                task.point()

        task = Task(Lane.INDEX_BUILD, "Secondary index build", str(store.table), run, unit="rows")
        self._builds[store.table.id] = task
        return self._engine.background.add(task)

    def rebuild(self, store: TableStore, names: Sequence[str]) -> None:
        """Begins to build indexes of a table anew; names that it has not are left out."""
        if store.indexes is None:
            return
        self._mark(store.table.keyspace, [name for name in names if name in store.indexes.local], is_built=False)
        for name in names:
            if name in store.indexes.local:
                self._begin_build(store, name)
            elif name in store.indexes.attached:
                store.indexes.attached[name].reset()

    # -- built indexes ------------------------------------------------------------------------------------------------

    def _now_us(self) -> int:
        return self._engine.environment.clock.wall_us()

    def _begin_build(self, store: TableStore, name: str) -> None:
        assert store.indexes is not None
        done = partial(self._mark, store.table.keyspace, [name], is_built=True)
        now_s = self._engine.environment.clock.now_s()
        store.indexes.begin_build(name, self._engine.apply_plain, done, now_s)

    def _info_stores(self) -> list[TableStore]:
        """What clients see, and what only we know."""
        table = self._engine.schema.maybe_table("system", "IndexInfo")
        return [] if table is None else [self._engine.stores[of.id] for of in (table, built_here_table())]

    def _built_names(self, keyspace: str) -> set[str]:
        now_s = self._engine.environment.clock.now_s()
        found: list[set[str]] = []
        for store in self._info_stores():
            view = store.read(TEXT.encode(keyspace), EVERYTHING, now_s)
            found.append({TEXT.decode(store.clustering(row)[0]) for row in view.rows()} if view is not None else set())
        return set.intersection(*found) if found else set()

    def _mark(self, keyspace: str, names: Sequence[str], is_built: bool) -> None:
        """Writes into system."IndexInfo" that indexes are built, or that they are no more."""
        if not names:
            return
        now_us = self._now_us()
        rows = {}
        for name in names:
            clustering = (TEXT.encode(name),)
            gone = Deletion(now_us, now_us // 1_000_000)
            row = Row(clustering, Liveness(now_us)) if is_built else Row(clustering, NO_LIVENESS, gone)
            rows[TEXT.order_key(clustering[0])] = row
        key = TEXT.encode(keyspace)
        self._engine.apply_plain([PartitionUpdate(store.table.id, key, rows=rows) for store in self._info_stores()])
