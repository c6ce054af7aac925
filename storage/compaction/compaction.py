"""One compaction: some SSTables are merged into one that takes their place.

The exchange is a transaction (storage/files/transaction.py): a crash leaves the old ones or the new one. What is
merged is read and written with pauses; a table that is truncated or dropped meanwhile ends it.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Final
from uuid import UUID

from storage.background import Cancelled, Task
from storage.batches import Batch, in_order
from storage.compaction.purging import Purger
from storage.dropped import DroppedFilter
from storage.environment.environment import Disk
from storage.environment.strands import beside
from storage.files.flush import stored_rows
from storage.files.table_files import TableFiles
from storage.files.transaction import Transaction
from storage.memtable.memtable import TIMESTAMP_MAX_US, Memtable, Position
from storage.merged import SourcePartition
from storage.mutation import NO_TIMESTAMP
from storage.reads import Stored
from storage.sstable.constants import Version
from storage.sstable.reader import SSTableReader
from storage.sstable.stretch import Stretch
from storage.sstable.unfiltered import PartitionData
from storage.sstable.writer import SSTableWriter, WriterOptions

POINT_PARTITIONS: Final = 16


Place = tuple[Stretch, int]
"""A partition in an input: the number of it in a stretch."""


class _Input:
    """An SSTable that is compacted into one of `version`. `can_copy`: its partitions may be copied as bytes, for nothing in
    it is ever purged. `at`: how many bytes of it have been read."""

    def __init__(self, reader: SSTableReader, version: Version) -> None:
        self._reader = reader
        self._read = reader.read_through()
        self._stretch: Stretch | None = None
        self._contents: Sequence[Stored] = ()
        self.can_copy = (
            reader.is_current and reader.descriptor.version == version and not reader.decoder.may_have_deletions
        )
        self.at = 0

    def places(self) -> Iterator[Batch[Place]]:
        for stretch in self._reader.stretches():
            yield stretch.positions, list(zip(repeat(stretch), range(len(stretch.positions)), strict=False))
            self.at = stretch.starts[-1]

    def content(self, place: Place) -> Stored:
        stretch, number = place
        if stretch is not self._stretch:
            self._stretch, self._contents = stretch, self._reader.contents(stretch, self._read)
        return self._contents[number]

    def copy(self, place: Place, writer: SSTableWriter) -> None:
        stretch, number = place
        index = stretch.wide.get(number)
        pieces = self._reader.raw(stretch, number, self._read)
        promoted = index.data if index is not None else b""
        writer.append_raw(stretch.positions[number], stretch.hashes[number], pieces, promoted, self._reader.statistics)


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
                writer.finish()
                made = (files.open(descriptor),)
                made[0].prepare()
            else:
                writer.abort()
            if not self.is_wanted:
                raise Cancelled
            beside(lambda: transaction.remove([reader.descriptor.file_name("") for reader in inputs]))
            if not self.is_wanted:
                raise Cancelled
            is_decided = False
            files.exchange = inputs, made  # what is truncated from here on is the new one
            beside(transaction.commit)
            if self.is_wanted:
                files.replace(inputs, made)
            files.exchange = None
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
        inputs = [_Input(reader, writer.descriptor.version) for reader in self.inputs]
        for items in in_order([source.places() for source in inputs]):
            number = 0
            while number < len(items):
                if not number % POINT_PARTITIONS:
                    task.completed = min(task.total, sum(source.at for source in inputs))
                    task.point()
                    if not self.is_wanted:
                        raise Cancelled
                position, source, place = items[number]
                number += 1
                several: list[Stored] | None = None
                while number < len(items) and items[number][0] == position:
                    if several is None:
                        several = [inputs[source].content(place)]
                    several.append(inputs[items[number][1]].content(items[number][2]))
                    number += 1
                if several is None:
                    if inputs[source].can_copy:
                        inputs[source].copy(place, writer)
                        continue
                    several = [inputs[source].content(place)]
                stored = several.pop() if len(several) == 1 else store.combined(several)
                if type(stored) is bytes:
                    writer.append_single(position, stored)
                else:
                    self._append(position, store.general(stored), writer, task)

    def _append(self, position: Position, partition: SourcePartition, writer: SSTableWriter, task: Task) -> None:
        store = self.files.store
        gc_before_s = self._now_s - store.table.params.gc_grace_seconds
        purger = Purger(store.layouts, self._now_s, gc_before_s, self._purgeable_us(position[8:]))
        kept = DroppedFilter(store.table, store.layouts)
        writer.append(position[8:], self._kept(partition, purger, kept, task))

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
