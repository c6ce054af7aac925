"""The side of a stream that gets the data of one table: SSTables that are written beside, mutations that are applied.

What was taken up to a position stays when the stream breaks there: `complete` has it count. A table that is truncated or
dropped meanwhile takes it along.
"""

from collections.abc import Callable

from cluster.replica import Replica
from cluster.streaming.messages import Chunk
from protocol.errors import CorruptionError
from storage.background import Task, TaskState
from storage.engine import Engine
from storage.files.received import ReceivedTable
from storage.reads import TableStore
from storage.sstable import statistics
from storage.sstable.constants import VERSIONS, Version
from storage.sstable.copied import accepted


class TableTarget:
    """See the module. `key_count`: about how many partitions will come."""

    def __init__(self, engine: Engine, replica: Replica, store: TableStore, key_count: int) -> None:
        self._engine, self._replica, self._store, self._key_count = engine, replica, store, key_count
        self._version: Version | None = None
        self._received: ReceivedTable | None = None
        self._lanes: dict[bytes, None] = {}
        self._truncation = engine.truncations.get(store.table.id)
        if engine.commit_log is not None and not _goes_the_way_of_writes(engine, store):
            self._version = VERSIONS[engine.options.sstable_version]

    @property
    def accepts(self) -> bytes:
        """For a Pull."""
        return b"" if self._version is None else accepted(self._store.table, self._version)

    @property
    def is_there(self) -> bool:
        return self._engine.stores.get(self._store.table.id) is self._store

    @property
    def is_as_before(self) -> bool:
        """Whether it was not truncated since the begin."""
        return self._engine.truncations.get(self._store.table.id) is self._truncation

    def take(self, chunk: Chunk) -> None:
        """Raises Failed, CorruptionError, OSError."""
        for mutation in chunk.mutations:
            self._replica.apply((mutation,))
        for lane, encoded in chunk.lanes.items():
            if lane not in self._lanes:
                self._begin(lane, encoded)
        for lane, run in chunk.runs:
            if self._received is None or lane not in self._lanes:
                raise CorruptionError(f"a stream of {self._store.table} has an SSTable that it did not tell of")
            self._received.append(lane, run)

    def _begin(self, lane: bytes, encoded: bytes) -> None:
        assert self._version is not None, "partitions as bytes, which nobody asked for"
        found = statistics.decode(encoded, self._version, f"a stream of {self._store.table}")
        if self._received is None:
            self._received = self._engine.files.receive(self._store)
        self._received.begin(lane, found, self._key_count)
        self._lanes[lane] = None

    def complete(self, when_done: Callable[[BaseException | None], None]) -> None:
        """Has what was taken count; calls when it does, or with what went wrong."""
        received, self._received = self._received, None
        self._lanes.clear()
        if received is None:
            when_done(None)
            return

        def ended(task: Task) -> None:
            is_gone = task.state is TaskState.CANCELLED and not (self.is_there and self.is_as_before)
            error = None if is_gone or task.state is TaskState.DONE else task.error
            when_done(error or (None if is_gone or task.state is TaskState.DONE else InterruptedError("it was cancelled")))

        self._engine.files.complete(received, ended)

    def abandon(self) -> None:
        """Gives up what does not count yet."""
        received, self._received = self._received, None
        self._lanes.clear()
        if received is not None:
            received.abort()


def _goes_the_way_of_writes(engine: Engine, store: TableStore) -> bool:
    """Because something follows from it: in indexes, in views, in cdc_raw (cdc_on_repair_enabled)."""
    capture = engine.capture
    if capture is not None and store.table.params.cdc and not capture.options.on_repair:
        return store.indexes is not None or store.views is not None
    return store.has_derived
