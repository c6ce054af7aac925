"""A memtable becomes an SSTable, or one for each shard of the ring where its table has UnifiedCompactionStrategy.

The memtable has left its place before (TableStore.switch_memtable): nobody writes to it, and it stays a source until the
SSTable takes its place, in one go. Between the two it is read as it is written, with pauses. A table that is truncated or
dropped meanwhile takes the memtable with it, and the flush ends.
"""

from collections.abc import Callable, Iterator
from uuid import UUID

from storage.background import Task
from storage.commitlog.format import POSITION_SHIFT, CommitLogPosition
from storage.compaction.unified import boundaries
from storage.dropped import DroppedFilter
from storage.environment.environment import Disk
from storage.environment.strands import beside, let_go_piecewise
from storage.files.sharded_writer import ShardedWriter
from storage.files.table_files import TableFiles
from storage.files.transaction import Transaction
from storage.memtable.memtable import Memtable
from storage.memtable.packed import Layouts, StoredRow
from storage.merged import SourcePartition
from storage.schema.metadata import TableMetadata
from storage.sstable.reader import SSTableReader
from storage.sstable.unfiltered import PartitionData
from storage.sstable.writer import SSTableWriter, WriterOptions

POINT_ROWS = 64
"""So many rows lie between two points where others may run."""


class Flush:
    """Of one memtable; it holds what the log had from `lower` to `upper`."""

    def __init__(
        self,
        disk: Disk,
        files: TableFiles,
        memtable: Memtable,
        lower: CommitLogPosition,
        upper: CommitLogPosition,
        host_id: UUID | None,
        new_id: Callable[[], UUID],
        shards: int = 1,
    ) -> None:
        """`shards`: at how many pieces of the ring SSTables are cut."""
        self.files, self.memtable, self.lower, self.upper = files, memtable, lower, upper
        self._shards = shards
        self._disk, self._host_id, self._new_id = disk, host_id, new_id

    @property
    def is_wanted(self) -> bool:
        return self.memtable in self.files.store.flushed

    def run(self, task: Task) -> tuple[SSTableReader, ...]:
        """The new SSTables, none where there was nothing to keep. Raises OSError; then nothing of it is left, and the
        memtable is a source still."""
        files, memtable = self.files, self.memtable
        task.total = memtable.live_bytes
        while not memtable.place_keys():
            task.point()
        if not self.is_wanted:
            return ()
        transaction = Transaction(self._disk, files.folder, "flush", self._new_id())
        writer = None
        try:
            writer = self._open(transaction)
            write_memtable(writer, memtable, files.store.table, files.store.layouts, task, lambda: self.is_wanted)
            readers: tuple[SSTableReader, ...] = ()
            if writer.partition_count and self.is_wanted:
                writer.finish()
                written = writer.descriptors if isinstance(writer, ShardedWriter) else [writer.descriptor]
                readers = tuple(files.open(descriptor) for descriptor in written)
                for reader in readers:
                    reader.prepare()
                files.assure_schema(task)
                beside(transaction.commit)
            if not self.is_wanted or not readers:
                writer.abort()
                transaction.abort()
                if self.is_wanted:
                    files.replace((memtable,), ())
                return ()
            files.replace((memtable,), readers)
        except BaseException:
            if writer is not None:
                writer.abort()
            transaction.abort()
            raise
        beside(transaction.finish)
        let_go_piecewise(memtable.pieces())
        return readers

    def _open(self, transaction: Transaction) -> SSTableWriter | ShardedWriter:
        if self._shards == 1:
            return self._open_writer(transaction)
        return ShardedWriter(boundaries(self._shards), lambda: self._open_writer(transaction))

    def _open_writer(self, transaction: Transaction) -> SSTableWriter:
        files = self.files
        descriptor = files.next_descriptor()
        beside(lambda: transaction.add(descriptor.file_name("")))
        interval = divmod(self.lower, 1 << POSITION_SHIFT), divmod(self.upper, 1 << POSITION_SHIFT)
        key_count = -(-len(self.memtable) // self._shards)
        options = WriterOptions(
            key_count,
            originating_host=self._host_id,
            commit_log_intervals=(interval,),
            index_block_bytes=files.index_block_bytes,
            written=files.partition_written,
        )
        return SSTableWriter(self._disk, files.folder, descriptor, files.store.table, files.store.layouts, options)


def write_memtable(
    writer: SSTableWriter | ShardedWriter,
    memtable: Memtable,
    table: TableMetadata,
    layouts: Layouts,
    task: Task,
    is_wanted: Callable[[], bool],
) -> None:
    """All that a memtable holds, with points where others may run; ends early where it `is_wanted` no more."""
    kept = DroppedFilter(table, layouts)
    takes_singles = not table.dropped_columns
    number = 0
    for positions, partitions in memtable.batches():
        for position, stored in zip(positions, partitions, strict=True):
            number += 1
            if not number % POINT_ROWS:
                task.completed = min(task.total, writer.bytes_written)
                task.point()
                if not is_wanted():
                    return
            if takes_singles and type(stored) is bytes:
                writer.append_single(position, stored)
                continue
            partition = memtable.general(stored)
            rows = kept.rows(stored_rows(partition, task.point))
            tombstones = partition.range_tombstones(b"", b"\xff")
            data = PartitionData(partition.deletion, kept.static(partition.static), tombstones, rows)
            writer.append(position[8:], data)


def stored_rows(partition: SourcePartition, point: Callable[[], None]) -> Iterator[tuple[bytes, StoredRow]]:
    """All rows of a partition; where they are many, `point` is called in between."""
    behind = False
    for cks, rows, _ in partition.chunks(b"", b"\xff", False):
        if behind:
            point()
        behind = True
        yield from zip(cks, rows, strict=True)
