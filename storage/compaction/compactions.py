"""When tables are compacted: after a flush, if their strategy says so, and on command."""

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from storage.background import Background, Lane, Task
from storage.compaction.compaction import Compaction
from storage.compaction.strategies import next_to_compact
from storage.environment.environment import Environment
from storage.files.table_files import TableFiles
from storage.sstable.reader import SSTableReader


class Compactions:
    """Those of one node. `are_automatic` may be switched off (nodetool disableautocompaction)."""

    def __init__(self, environment: Environment, background: Background) -> None:
        self._disk, self._clock, self._background = environment.disk, environment.clock, background
        self._rng = environment.rng.fork("compactions")
        self.are_automatic = True

    def consider(self, files: TableFiles) -> None:
        """The SSTables of a table have changed."""
        if self.are_automatic and not files.is_stuck and self._next(files):
            self._add(files, "Compaction", self._next)

    def compact(self, tables: Iterable[TableFiles]) -> list[Task]:
        """All SSTables of each into one (a major compaction)."""
        return [
            self._add(files, "Major compaction", lambda files: files.readers)
            for files in tables
            if files.readers and not files.is_stuck
        ]

    def _add(self, files: TableFiles, kind: str, choose: Callable[[TableFiles], Sequence[SSTableReader]]) -> Task:
        def run(task: Task) -> None:
            inputs = choose(files)
            if not inputs:
                return
            file_kind = kind.lower().replace(" ", "")
            Compaction(self._disk, files, inputs, self._clock.now_s(), self._new_id, file_kind).run(task)
            if kind == "Compaction":
                self.consider(files)

        return self._background.add(Task(Lane.COMPACTION, kind, str(files.store.table), run))

    def _new_id(self) -> UUID:
        return self._rng.uuid4()

    def _next(self, files: TableFiles) -> Sequence[SSTableReader]:
        return next_to_compact(files.readers, files.store.table.params.compaction)
