"""For tests: after every go of the listener in which something was written, it is flushed, and after every third all
SSTables of a table are compacted into one. What a statement answers must not depend on where the rows are.

The tables of the system's keyspaces, of which each change of the schema writes several, have their turn more rarely."""

from typing import Final

from storage.engine import Engine
from storage.schema.metadata import is_system_keyspace

EXERCISE_VARIABLE: Final = "CQLSERVER_EXERCISE_STORAGE"
"""Environment variable; its value says how: `flush`, or `compact` (which flushes too)."""
COMPACTED_EVERY: Final = 3
SYSTEM_EVERY: Final = 50


class StorageExercise:
    def __init__(self, engine: Engine, compacts: bool) -> None:
        self._engine, self._compacts = engine, compacts
        self._count = 0

    def __call__(self) -> None:
        engine = self._engine
        has_turn = not (self._count + 1) % SYSTEM_EVERY
        written = [
            table_id
            for table_id, store in engine.stores.items()
            if len(store.memtable) and (has_turn or not is_system_keyspace(store.table.keyspace))
        ]
        if not written:
            return
        self._count += 1
        tasks = engine.flush(written)
        engine.background.finish()
        if self._compacts and not self._count % COMPACTED_EVERY:
            tasks += engine.compact(engine.stores if has_turn else written)
            engine.background.finish()
        failed = [task for task in tasks if task.error is not None]
        assert not failed, failed
