"""SSTables of a table that are made of what another node has, partition by partition as bytes: written beside those that
count, and added to them all at once.

Each lane becomes one SSTable; of a lane the partitions come in order. A crash before the end leaves nothing of them
(storage/files/transaction.py). A table that is truncated or dropped meanwhile ends it. They say that they stand behind what
SSTables have of the node's own log, so that a start that finds them and the record of a later TRUNCATE knows which is older.
"""

from collections.abc import Callable
from uuid import UUID

from storage.background import Cancelled, Task
from storage.environment.environment import Disk
from storage.environment.strands import beside
from storage.files.table_files import TableFiles
from storage.files.transaction import Transaction
from storage.sstable.copied import CopiedRun
from storage.sstable.reader import SSTableReader
from storage.sstable.statistics import LogPosition, Statistics
from storage.sstable.writer import SSTableWriter, WriterOptions


class ReceivedTable:
    """See the module. `is_wanted`: whether the table is still the one that it was. Up to `end` SSTables have of the log of
    `host_id`, this node, all that is the table's."""

    def __init__(
        self,
        disk: Disk,
        files: TableFiles,
        new_id: Callable[[], UUID],
        is_wanted: Callable[[], bool],
        host_id: UUID | None,
        end: LogPosition,
    ) -> None:
        self.files = files
        self._host_id, self._end = host_id, end
        self._disk, self._new_id, self._is_wanted = disk, new_id, is_wanted
        self._transaction: Transaction | None = None
        self._lanes: dict[bytes, tuple[SSTableWriter, Statistics]] = {}

    def __len__(self) -> int:
        """How many SSTables there are going to be."""
        return len(self._lanes)

    def append(self, lane: bytes, run: CopiedRun) -> None:
        """Partitions behind all before of their lane, which has been begun. Raises CorruptionError, OSError."""
        writer, statistics = self._lanes[lane]
        writer.append_run(run, statistics)

    def begin(self, lane: bytes, statistics: Statistics, key_count: int) -> None:
        """A lane, of the SSTable that says this of itself, of which about so many partitions will come. Raises OSError."""
        files, stats = self.files, statistics.stats
        if self._transaction is None:
            self._transaction = Transaction(self._disk, files.folder, "stream", self._new_id())
        descriptor = files.next_descriptor()
        self._transaction.add(descriptor.file_name(""))
        options = WriterOptions(
            max(1, min(key_count, stats.partition_sizes.count)),
            stats.level,
            repaired_at_ms=stats.repaired_at_ms,
            pending_repair=stats.pending_repair,
            originating_host=self._host_id,
            commit_log_intervals=((self._end, self._end),),
            index_block_bytes=files.index_block_bytes,
            written=files.partition_written,
        )
        writer = SSTableWriter(self._disk, files.folder, descriptor, files.store.table, files.store.layouts, options)
        self._lanes[lane] = writer, statistics

    def finish(self, task: Task) -> tuple[SSTableReader, ...]:
        """Has them count, durably; for a strand. Raises Cancelled, OSError, CorruptionError; then nothing of it is left."""
        transaction = self._transaction
        if transaction is None:
            return ()
        files = self.files
        try:
            descriptors = []
            while self._lanes:
                self._go_on(task)
                _, (writer, _) = self._lanes.popitem()
                writer.finish()
                descriptors.append(writer.descriptor)
            made = tuple(files.open(descriptor) for descriptor in descriptors)
            for reader in made:
                reader.prepare()
            files.assure_schema(task)
            self._go_on(task)
            beside(transaction.commit)
            self._go_on(task)
        except BaseException:
            self.abort()
            raise
        files.replace((), made)
        self._transaction = None
        beside(transaction.finish)
        return made

    def _go_on(self, task: Task) -> None:
        task.point()
        if not self._is_wanted():
            raise Cancelled

    def abort(self) -> None:
        """Gives up what was written."""
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        for writer, _ in self._lanes.values():
            writer.abandon()
        self._lanes = {}
        transaction.abort()
