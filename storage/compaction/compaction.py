"""One compaction: some SSTables are merged into one, or several, which take their place. What is rewritten for another
reason (a newer format, damage, deletions elsewhere) goes the same way, by other rules.

The exchange is a transaction (storage/files/transaction.py): a crash leaves the old ones or the new one. What is
merged is read and written with pauses; a table that is truncated or dropped meanwhile ends it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Final, NamedTuple
from uuid import UUID

from protocol.errors import CorruptionError
from storage.background import Cancelled, Task
from storage.batches import Batch, in_order
from storage.compaction.choices import Choice, overlapping
from storage.compaction.outputs import ApartOutputs, Outputs
from storage.compaction.purging import Purger, uncovered_partition
from storage.compaction.tombstones import fully_expired
from storage.compaction.validating import Validator
from storage.dropped import DroppedFilter
from storage.environment.environment import Disk
from storage.environment.strands import beside
from storage.files.flush import stored_rows
from storage.files.table_files import TableFiles
from storage.files.transaction import Transaction
from storage.memtable.memtable import TIMESTAMP_MAX_US, Memtable, Position
from storage.memtable.range_tombstones import melted
from storage.merged import SourcePartition
from storage.mutation import NO_TIMESTAMP
from storage.reads import Stored
from storage.schema.metadata import TableMetadata
from storage.sstable.constants import Version
from storage.sstable.reader import SSTableReader
from storage.sstable.statistics import merged_intervals
from storage.sstable.stretch import Stretch
from storage.sstable.unfiltered import PartitionData
from storage.sstable.writer import SSTableWriter, WriterOptions

log = logging.getLogger("cqlserver.compaction")

POINT_PARTITIONS: Final = 16
HELD_ROWS: Final = 64
"""Of a partition that is to be read to its end before it is written so many are held at most."""


Place = tuple[Stretch, int]
"""A partition in an input: the number of it in a stretch."""


class _Input:
    """An SSTable that is compacted into one of `version` (None: nothing is to be copied). `can_copy`: its partitions may be
    copied as bytes, for nothing in it is ever purged. `alone`: each partition is read by itself. `at`: how many bytes of it
    have been read (up to where, for it is read in order). `is_cut`: its end could not be read."""

    def __init__(self, reader: SSTableReader, version: Version | None, alone: bool) -> None:
        self._reader, self._alone = reader, alone
        self._read_through = reader.read_through()
        self._stretch: Stretch | None = None
        self._contents: Sequence[Stored] = ()
        self.can_copy = (
            reader.is_current
            and not reader.is_by_data  # without its index, where its wide partitions have their blocks
            and reader.descriptor.version == version
            and not reader.decoder.may_have_deletions
        )
        self.at = 0
        self.is_cut = False

    def _read(self, start: int, end: int) -> bytes:
        self.at = max(self.at, end)
        return self._read_through(start, end)

    def places(self) -> Iterator[Batch[Place]]:
        try:
            for stretch in self._reader.stretches():
                yield stretch.positions, list(zip(repeat(stretch), range(len(stretch.positions)), strict=False))
        except CorruptionError as error:
            if not (self._alone and self._reader.is_by_data):
                raise
            log.warning("%s: all that lies behind it is left out", error)
            self.is_cut = True

    def content(self, place: Place) -> Stored:
        stretch, number = place
        if self._alone:
            return self._reader.alone(stretch, number)
        if stretch is not self._stretch:
            self._stretch, self._contents = stretch, self._reader.contents(stretch, self._read)
        return self._contents[number]

    def copy(self, place: Place, writer: SSTableWriter, point: Callable[[], None]) -> None:
        stretch, number = place
        index = stretch.wide.get(number)
        pieces = _with_points(self._reader.raw(stretch, number, self._read), point)
        promoted = index.data if index is not None else b""
        writer.append_raw(stretch.positions[number], stretch.hashes[number], pieces, promoted, self._reader.statistics)


class Apart(NamedTuple):
    """What an incremental repair sets apart: what lies in some intervals of positions (the end exclusive, None: the ring's)
    comes into an SSTable of its own, which says that it waits for that session's end."""

    session_id: UUID
    intervals: tuple[tuple[Position, Position | None], ...]

    def holds(self, position: Position) -> bool:
        return any(start <= position and (end is None or position < end) for start, end in self.intervals)

    def has_all_of(self, reader: SSTableReader) -> bool:
        first, last = reader.first_position, reader.last_position
        return any(start <= first and (end is None or last < end) for start, end in self.intervals)

    def has_some_of(self, reader: SSTableReader) -> bool:
        first, last = reader.first_position, reader.last_position
        return any(start <= last and (end is None or first < end) for start, end in self.intervals)


class Rules(NamedTuple):
    """What is left out: `purges`: tombstones that hide nothing any more; `ranges`: what lies in none of them (first and last
    position); `removes_covered`: what newer deletions in other SSTables cover (`by_cells`: or newer cells); `skips_damaged`:
    partitions that can't be read (`validates`: or have what are no values of their types). And what comes into SSTables of
    its own: `apart`."""

    purges: bool = True
    ranges: tuple[tuple[Position, Position], ...] | None = None
    removes_covered: bool = False
    by_cells: bool = False
    skips_damaged: bool = False
    validates: bool = False
    apart: Apart | None = None


USUAL: Final = Rules()
Pace = Callable[[Task, int], None]
"""(task, bytes read so far): waits where that went too fast."""


class Compacted(NamedTuple):
    """What a compaction did. Bytes are those of Data.db on the disk; `merged`: of how many partitions so many versions
    became one."""

    id: UUID
    table: TableMetadata
    kind: str
    bytes_in: int
    bytes_out: int
    merged: Mapping[int, int]


class Compaction:
    """Of the inputs of `choice`, which are SSTables of one table. `id` is its transaction's, too; `kind`: what it is called
    (OperationType). `host_id`: this node's: the log that SSTables of others speak of is not ours."""

    def __init__(
        self,
        disk: Disk,
        files: TableFiles,
        choice: Choice[SSTableReader],
        now_s: int,
        id: UUID,
        host_id: UUID | None,
        kind: str = "Compaction",
        rules: Rules = USUAL,
        pace: Pace = lambda task, done: None,
    ) -> None:
        self.files, self.choice, self.rules = files, choice, rules
        self.inputs = sorted(choice.inputs, key=lambda reader: -reader.max_timestamp_us)
        self.skipped = 0
        """Partitions that could not be read; the end of an SSTable that could not counts as one."""
        self._host_id = host_id
        self._disk, self._now_s, self._id, self._kind, self._pace = disk, now_s, id, kind, pace
        self._merged = [0] * (len(self.inputs) + 1)
        params = files.store.table.params
        only_repaired = params.compaction.get("only_purge_repaired_tombstones", "false").lower() == "true"
        self._validator = Validator(files.store.table, files.store.layouts) if rules.validates else None
        self._may_purge = rules.purges and not (only_repaired and not all(r.repaired_at_ms for r in self.inputs))
        self._gc_before_s = now_s - params.gc_grace_seconds

    @property
    def is_wanted(self) -> bool:
        return all(reader in self.files.readers for reader in self.inputs)

    def run(self, task: Task) -> Compacted | None:
        """None where the inputs are gone. Raises OSError, CorruptionError; then they are there still, and nothing else."""
        if not self.is_wanted:
            return None
        files, inputs = self.files, self.inputs
        task.id, task.sstables, task.target = str(self._id), len(inputs), files.folder
        task.total = sum(reader.data_bytes for reader in inputs)
        transaction = Transaction(self._disk, files.folder, self._kind.lower().replace(" ", ""), self._id)
        keys = sum(reader.key_count for reader in inputs)
        outputs = self._outputs(transaction, keys)
        is_decided = True
        try:
            self._merge(outputs, task)
            outputs.end()
            made = tuple(files.open(writer.descriptor) for writer in outputs.complete)
            for reader in made:
                reader.prepare()
                if self.skipped and reader.repaired_at_ms:
                    reader.mark(self._disk, 0, reader.pending_repair)  # so that a repair looks for what is missing
            files.assure_schema(task)
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
            outputs.abort()
            transaction.abort()
            raise
        beside(transaction.finish)
        bytes_in, bytes_out = (sum(reader.data_disk_bytes for reader in readers) for readers in (inputs, made))
        merged = {versions: count for versions, count in enumerate(self._merged) if count}
        return Compacted(self._id, files.store.table, self._kind, bytes_in, bytes_out, merged)

    def _outputs(self, transaction: Transaction, keys: int) -> Outputs | ApartOutputs:
        pending_repair = self.inputs[0].pending_repair

        def outputs(pending: UUID | None) -> Outputs:
            return Outputs(
                self.choice, keys, lambda level, count: self._open_writer(transaction, level, count, pending)
            )

        apart = self.rules.apart
        if apart is None:
            return outputs(pending_repair)
        return ApartOutputs(outputs(apart.session_id), outputs(pending_repair), apart.holds)

    def _open_writer(
        self, transaction: Transaction, level: int, key_count: int, pending_repair: UUID | None
    ) -> SSTableWriter:
        files, inputs = self.files, self.inputs
        descriptor = files.next_descriptor()
        beside(lambda: transaction.add(descriptor.file_name("")))
        own = [reader for reader in inputs if reader.originating_host == self._host_id]
        options = WriterOptions(
            key_count,
            level,
            repaired_at_ms=min(reader.repaired_at_ms for reader in inputs),
            pending_repair=pending_repair,
            originating_host=self._host_id,
            commit_log_intervals=merged_intervals(interval for reader in own for interval in reader.commit_log_intervals),
            index_block_bytes=files.index_block_bytes,
            written=files.partition_written,
        )
        return SSTableWriter(self._disk, files.folder, descriptor, files.store.table, files.store.layouts, options)

    def _merge(self, outputs: Outputs | ApartOutputs, task: Task) -> None:
        store, rules, merged = self.files.store, self.rules, self._merged
        copies = not (rules.removes_covered or rules.skips_damaged)
        expired = self._fully_expired()
        inputs = [
            _Input(reader, self.files.version if copies else None, rules.skips_damaged)
            for reader in self.inputs
            if reader not in expired
        ]

        def point() -> None:
            task.completed = min(task.total, sum(source.at for source in inputs))
            self._pace(task, task.completed)
            task.point()
            if not self.is_wanted:
                raise Cancelled

        for items in in_order([source.places() for source in inputs]):
            number = 0
            while number < len(items):
                if not number % POINT_PARTITIONS:
                    point()
                position, source, place = items[number]
                number += 1
                several: list[Stored] | None = None
                while number < len(items) and items[number][0] == position:
                    if several is None:
                        several = [inputs[source].content(place)]
                    several.append(inputs[items[number][1]].content(items[number][2]))
                    number += 1
                merged[1 if several is None else len(several)] += 1
                if rules.ranges is not None and not any(first <= position <= last for first, last in rules.ranges):
                    continue
                if several is None and inputs[source].can_copy:
                    inputs[source].copy(place, outputs.writer(position), point)
                    continue
                try:
                    found = several or [inputs[source].content(place)]
                    stored = found[0] if len(found) == 1 else store.combined(found)
                    if type(stored) is bytes and copies:
                        outputs.writer(position).append_single(position, stored)
                    else:
                        self._append(position, store.general(stored), outputs, point)
                except CorruptionError as error:
                    if not rules.skips_damaged:
                        raise
                    log.warning("%s: the partition %s is left out", error, position[8:].hex())
                    self.skipped += 1
        self.skipped += sum(source.is_cut for source in inputs)

    def _append(
        self,
        position: Position,
        partition: SourcePartition,
        outputs: Outputs | ApartOutputs,
        point: Callable[[], None],
    ) -> None:
        store, rules = self.files.store, self.rules
        key = position[8:]
        purgeable_us = self._purgeable_us(key) if self._may_purge else NO_TIMESTAMP
        purger = Purger(store.layouts, self._now_s, self._gc_before_s, purgeable_us)
        kept = DroppedFilter(store.table, store.layouts)
        if rules.removes_covered:
            partition = uncovered_partition(partition, self._newer(key), store.layouts, rules.by_cells)

        def data() -> PartitionData:
            return self._kept(partition, purger, kept, point)

        found = _readable(key, data, self._validator) if rules.skips_damaged else data()
        outputs.writer(position).append(key, found)

    def _newer(self, key: bytes) -> list[SourcePartition]:
        """The partition in SSTables that are not compacted, and may have something newer."""
        oldest_us = min(reader.min_timestamp_us for reader in self.inputs)
        readers = [r for r in self.files.readers if r not in self.inputs and r.max_timestamp_us > oldest_us]
        return [partition for reader in readers if (partition := reader.maybe_partition(key)) is not None]

    def _kept(
        self, partition: SourcePartition, purger: Purger, kept: DroppedFilter, point: Callable[[], None]
    ) -> PartitionData:
        static = kept.static(partition.static)
        return PartitionData(
            purger.deletion(partition.deletion),
            purger.row(static) if static is not None else None,
            purger.tombstones(melted(partition.range_tombstones(b"", b"\xff"))),  # of an index's blocks each has its piece
            purger.rows(kept.rows(stored_rows(partition, point))),
        )

    def _fully_expired(self) -> list[SSTableReader]:
        """The inputs that go without a look: all in them has expired, and what they hide is nowhere else, but for what has
        expired itself (CompactionController.getFullyExpiredSSTables)."""
        store = self.files.store
        if not self._may_purge or self.rules.ranges is not None or any(isinstance(s, Memtable) for s in store.flushed):
            return []
        if len(store.memtable) or len(store.flushed) != len(self.files.readers):  # one that is damaged may hold anything
            return []
        others = [reader for reader in self.files.readers if reader not in self.inputs]
        others = [r for r in overlapping(self.inputs, others) if r.max_local_deletion_s >= self._gc_before_s]
        return fully_expired(self.inputs, self._gc_before_s, others)

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


def _readable(key: bytes, data: Callable[[], PartitionData], validator: Validator | None) -> PartitionData:
    """What can be read to its end, before anything of it is written: a long partition is read twice, and never held. Raises
    CorruptionError, also where the validator does."""
    found = data()
    tombstones, rows = list(found.tombstones), iter(found.rows)
    if validator is not None:
        rows = validator.checked(key, found.static, rows)
    first = list(islice(rows, HELD_ROWS))
    if len(first) < HELD_ROWS:
        return found._replace(tombstones=tombstones, rows=first)
    for _ in rows:
        pass
    return data()


def _with_points(pieces: Iterator[bytes], point: Callable[[], None]) -> Iterator[bytes]:
    """The same pieces; `point` is called before each but the first."""
    behind = False
    for piece in pieces:
        if behind:
            point()
        behind = True
        yield piece
