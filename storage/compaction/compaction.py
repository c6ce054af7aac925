"""One compaction: some SSTables are merged into one that takes their place.

The exchange is a transaction (storage/files/transaction.py): a crash leaves the old ones or the new one. What is
merged is read and written with pauses; a table that is truncated or dropped meanwhile ends it.
"""

from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from storage.background import Cancelled, Task
from storage.compaction.purging import Purger
from storage.dropped import DroppedFilter
from storage.environment.environment import Disk
from storage.environment.strands import beside
from storage.files.flush import stored_rows
from storage.files.table_files import TableFiles
from storage.files.transaction import Transaction
from storage.memtable.memtable import TIMESTAMP_MAX_US, Memtable
from storage.merged import SourcePartition
from storage.mutation import NO_TIMESTAMP
from storage.sstable.reader import SSTableReader
from storage.sstable.unfiltered import PartitionData
from storage.sstable.writer import SSTableWriter, WriterOptions

POINT_PARTITIONS: Final = 16


class Compaction:
    """Of `inputs`, which are SSTables of one table. `purges`: whether anything may be left out."""

    def __init__(
        self,
        disk: Disk,
        files: TableFiles,
        inputs: Sequence[SSTableReader],
        now_s: int,
        new_id: Callable[[], UUID],
        kind: str = "compaction",
    ) -> None:
        self.files = files
        self.inputs = sorted(inputs, key=lambda reader: -reader.max_timestamp_us)
        self._disk, self._now_s, self._new_id, self._kind = disk, now_s, new_id, kind

    @property
    def is_wanted(self) -> bool:
        return all(reader in self.files.readers for reader in self.inputs)

    def run(self, task: Task) -> None:
        """Raises OSError, CorruptionError; then the inputs are there still, and nothing else."""
        if not self.is_wanted:
            return
        files, inputs = self.files, self.inputs
        task.total = sum(reader.data_bytes for reader in inputs)
        descriptor = files.next_descriptor()
        folder = files.folder
        transaction = Transaction(self._disk, folder, self._kind, self._new_id())
        writer = None
        is_decided = True
        try:
            beside(lambda: transaction.add(descriptor.file_name("")))
            writer = SSTableWriter(self._disk, folder, descriptor, files.store.table, files.store.layouts, self._options())
            self._merge(writer, task)
            made: tuple[SSTableReader, ...] = ()
            if writer.partition_count:
                beside(writer.finish)
                made = (beside(lambda: files.open(descriptor)),)
            else:
                writer.abort()
            if not self.is_wanted:
                raise Cancelled
            beside(lambda: transaction.remove([reader.descriptor.file_name("") for reader in inputs]))
            if not self.is_wanted:
                raise Cancelled
            is_decided = False
            transaction.commit()  # not beside the loop: what is truncated from here on is the new one
            files.replace(inputs, made)
        except BaseException:
            if not is_decided:
                # whether the decision reached the disk can't be known: nothing is removed till the next start finds out
                files.is_stuck = True
                raise
            if writer is not None:
                writer.abort()
            transaction.abort()
            raise
        beside(transaction.finish)

    def _options(self) -> WriterOptions:
        inputs = self.inputs
        hosts = {reader.originating_host for reader in inputs}
        intervals = sorted({interval for reader in inputs for interval in reader.commit_log_intervals})
        return WriterOptions(
            sum(reader.key_count for reader in inputs),
            repaired_at_ms=min(reader.repaired_at_ms for reader in inputs),
            originating_host=hosts.pop() if len(hosts) == 1 else None,
            commit_log_intervals=tuple(intervals) if len(hosts) <= 1 else (),
        )

    def _merge(self, writer: SSTableWriter, task: Task) -> None:
        store = self.files.store
        kept = DroppedFilter(store.table, store.layouts)
        gc_before_s = self._now_s - store.table.params.gc_grace_seconds
        for number, (position, partition) in enumerate(store.merged_partitions(self.inputs)):
            if not number % POINT_PARTITIONS:
                task.completed = min(task.total, writer.bytes_written)
                task.point()
                if not self.is_wanted:
                    raise Cancelled
            key = position[8:]
            purger = Purger(store.layouts, self._now_s, gc_before_s, self._purgeable_us(key))
            writer.append(key, self._kept(partition, purger, kept, task))

    def _kept(self, partition: SourcePartition, purger: Purger, kept: DroppedFilter, task: Task) -> PartitionData:
        static = kept.static(partition.static)
        return PartitionData(
            purger.deletion(partition.deletion),
            purger.row(static) if static is not None else None,
            purger.tombstones(partition.range_tombstones(b"", b"\xff")),
            purger.rows(kept.rows(stored_rows(partition, task))),
        )

    def _purgeable_us(self, key: bytes) -> int:
        """Below which timestamp nothing of a partition lies anywhere else."""
        least = TIMESTAMP_MAX_US
        store = self.files.store
        for source in (store.memtable, *store.flushed):
            if isinstance(source, Memtable):
                if source.get(key) is not None:
                    return NO_TIMESTAMP
            elif isinstance(source, SSTableReader):
                if source not in self.inputs and source.min_timestamp_us < least and source.may_contain(key):
                    least = source.min_timestamp_us
            else:  # one that is damaged may hold anything
                return NO_TIMESTAMP
        return least
