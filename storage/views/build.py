"""A view comes to hold what was in its base table before it was made (db/view/ViewBuilder.java, ViewBuilderTask.java).

A build goes through the partitions in token order, in steps; meanwhile writes change the view as always. Which of the two
comes later does not matter: a view's row has the timestamps of its base row, and one that is gone is gone at these. How
far a build has got is kept (progress.py), so that one which the program's end interrupted goes on there.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from storage.background import Lane, Task
from storage.environment.strands import undisturbed
from storage.mutation import PartitionUpdate
from storage.reads import FIRST_POSITION, TableStore
from storage.schema.metadata import ViewMetadata
from storage.token import token
from storage.views.progress import BuildProgress
from storage.views.table_views import TableViews

if TYPE_CHECKING:
    from storage.engine import Engine

BUILD_STEP_ROWS: Final = 64
"""Rows looked at between two steps: two milliseconds or so."""
CHECKPOINT_KEYS: Final = 1000
"""Partitions between two marks of how far it has got (ViewBuilderTask.ROWS_BETWEEN_CHECKPOINTS)."""


class ViewBuild:
    """See the module. It goes on beside requests; whoever waits for it may do some of the steps, too."""

    def __init__(
        self, engine: "Engine", progress: BuildProgress, base_id: UUID, view: ViewMetadata, done: Callable[[], None]
    ) -> None:
        self._engine, self._progress, self._base_id, self._view, self._done = engine, progress, base_id, view, done
        self._steps: Iterator[bool] | None = None
        self._start = progress.position(view)
        self.is_done = False
        self.keys = 0

    def step(self) -> bool:
        """A step; whether it is done."""
        if self.is_done:
            return True
        if self._steps is None:
            self._steps = self._run()
        if undisturbed(partial(next, self._steps, True)):
            self.is_done = True
            self._done()
        return self.is_done

    def restart(self) -> None:
        """The base table has other rows at once."""
        self._steps, self._start, self.keys = None, FIRST_POSITION, 0

    def go_on(self) -> None:
        def run(task: Task) -> None:
            while not self.step():
                task.completed = self.keys
                task.point()

        subject = f"{self._view.table.keyspace}.{self._view.name}"
        self._engine.background.add(Task(Lane.VIEW_BUILD, "View build", subject, run, unit="keys"))

    def _views(self) -> TableViews | None:
        """None: the view is no more."""
        store = self._engine.stores.get(self._base_id)
        views = store.views if store is not None else None
        return views if views is not None and views.has(self._view.table.id) else None

    def _apply(self, store: TableStore, key: bytes, rows: Sequence[PartitionUpdate]) -> None:
        placed = self._engine.indexed.placed(store, key, rows)
        self._engine.apply_plain([*placed.here, *placed.kept])
        placed.send()

    def _run(self) -> Iterator[bool]:
        """Gives False after each step."""
        engine, name = self._engine, self._view.name
        store = engine.stores.get(self._base_id)
        if store is None:
            return
        while not store.prepare_scan():
            yield False
        work = 0
        placement = engine.indexed.placement
        for position, partition in store.stored_partitions(self._start):
            key = position[8:]
            if placement is not None and not placement.is_owner(store.table.keyspace, key):
                continue
            for cks, _, _ in partition.chunks(b"", b"\xff", False):
                views = self._views()
                if views is None:
                    return
                self._apply(store, key, views.standing(name, key, partition, cks, engine.environment.clock.now_s()))
                work += len(cks)
                if work >= BUILD_STEP_ROWS:
                    work = 0
                    yield False
            self.keys += 1
            work += 1
            if not self.keys % CHECKPOINT_KEYS:
                self._progress.reached(self._view, token(key), self.keys)
        if self._views() is not None:
            self._progress.finished(self._view)
