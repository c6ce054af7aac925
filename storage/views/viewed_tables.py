"""The engine's side of views: which tables have some, their builds, what is kept of these. Imported with the first view."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from storage.reads import TableStore
from storage.schema.metadata import ViewMetadata
from storage.views.build import ViewBuild
from storage.views.progress import BuildProgress
from storage.views.table_views import TableViews
from storage.views.view import FilterOf, TableView

if TYPE_CHECKING:
    from storage.engine import Engine


class ViewedTables:
    """See the module. `filter_of` understands the WHERE clauses of views."""

    def __init__(self, engine: "Engine", filter_of: FilterOf) -> None:
        self._engine, self._filter_of = engine, filter_of
        self._progress = BuildProgress(engine)

    def install(self, store: TableStore, views: Sequence[ViewMetadata]) -> None:
        """Gives a table these views, whose stores are there; of those that it had, builds go on."""
        before, stores = store.views, self._engine.stores
        by_name = {view.name: (TableView(store.table, view), stores[view.table.id]) for view in views}
        store.views = TableViews(store, by_name, self._filter_of)
        if before is not None:
            store.views.builds = {name: build for name, build in before.builds.items() if name in by_name}

    def started(self, store: TableStore) -> None:
        """What was being built when the program ended goes on."""
        assert store.views is not None
        for view, _ in store.views.views.values():
            if not self._progress.is_built(view.metadata):
                self._begin(store, view.metadata)

    def changed(self, old: ViewMetadata | None, new: ViewMetadata | None) -> None:
        """A view was made, altered or dropped."""
        if old is not None and new is not None and old.table.id == new.table.id:
            return
        if old is not None:
            self._progress.forget(old)
        if new is not None:
            self._progress.started(new)
            self._begin(self._engine.stores[new.base_table_id], new)

    def _begin(self, store: TableStore, view: ViewMetadata) -> None:
        assert store.views is not None

        def done() -> None:
            if store.views is not None:
                store.views.builds.pop(view.name, None)

        build = ViewBuild(self._engine, self._progress, store.table.id, view, done)
        store.views.builds[view.name] = build
        build.go_on()
