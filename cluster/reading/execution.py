"""A replica reads: its store's data for a command, with the tombstones that others may not know of (db/ReadCommand.java,
executeLocally).

What any replica may have purged already is left out (`withoutPurgeableTombstones`), so that equal replicas give equal
answers whenever they compacted.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from cluster.reading.answer import DataAnswer
from cluster.reading.command import AFTER_ROW, Boundary, ReadCommand
from cluster.reading.passing import Counting
from storage.compaction.purging import Purger
from storage.environment.strands import pause, sorted_in_turns
from storage.memtable.memtable import CK_LENGTH_MAX, TIMESTAMP_MAX_US, Position, single
from storage.memtable.packed import TIMESTAMP, Layouts, StoredRow
from storage.merged import SourcePartition
from storage.mutation import LIVE, ComplexColumn, Deletion, PartitionUpdate, RangeTombstone, Row, packed_record
from storage.passed_over import marker_count
from storage.reads import Slice, TableStore
from storage.reconcile import live_row

ANSWER_ROWS_MAX: Final = 1_000
"""Dead rows count too: an answer of many of them ends early, and whoever asked goes on from there. It is made in one turn of
the loop, but for rows that turn out to be long."""
CELLS_PER_ROW: Final = 8
"""A row counts once more for each of so many cells, where it is not packed."""
ANSWER_BYTES_MAX: Final = 4 << 20


def execute(store: TableStore, command: ReadCommand, counting: Counting | None = None) -> DataAnswer:
    """The answer of this store to a command without criteria (those are for sifting.py). Raises TooManyTombstones where
    `counting` allows no more."""
    reading = Reading(store, command, counting)
    found = _partitions(store, command)
    return told(reading, command, ((at, reading.partition(at[_TOKEN_BYTES:], whole)) for at, whole in found))


def told(reading: "Reading", command: ReadCommand, encoded: Iterable[tuple[Position, bytes | None]]) -> DataAnswer:
    """What a reading gives of each partition, until it is full."""
    partitions: list[bytes] = []
    end = None
    for position, mutation in encoded:
        pause()
        if mutation is not None:
            partitions.append(mutation)
        if reading.cut_at is not None:
            end = Boundary(position, reading.cut_at)
            break
        if reading.is_full:
            end = None if command.is_of_partition else Boundary(position, None)
            break
    return DataAnswer(tuple(partitions), end)


_TOKEN_BYTES: Final = 8


def _partitions(store: TableStore, command: ReadCommand) -> Iterator[tuple[Position, SourcePartition]]:
    if command.is_of_partition:
        found = store.maybe_stored(command.key)
        if found is not None:
            yield command.start, found
        return
    yield from store.stored_partitions(command.start, command.end)


class Reading:
    """What is left of the limits from partition to partition. `cut_at`: the last row, of a partition that has more;
    `counting` hears what it passes over."""

    def __init__(self, store: TableStore, command: ReadCommand, counting: Counting | None = None) -> None:
        self._store, self._command = store, command
        self._counting = counting or Counting()
        gc_before_s = command.now_s - store.table.params.gc_grace_seconds
        self._purger = Purger(store.layouts, command.now_s, gc_before_s, TIMESTAMP_MAX_US)
        self._dropped_us = {name: column.dropped_time_us for name, column in store.table.dropped_columns.items()}
        self.live_left, self._rows_left, self._bytes_left = command.limit, ANSWER_ROWS_MAX, ANSWER_BYTES_MAX
        self.cut_at: bytes | None = None
        self._stop_at = 0  # of live rows, in the partition that is read

    @property
    def is_full(self) -> bool:
        return self.live_left <= 0 or self._rows_left <= 0 or self._bytes_left <= 0

    def lift_size_limits(self) -> None:
        """The command's limit is all that ends the answer."""
        self._rows_left = self._bytes_left = 1 << 62

    def partition(self, key: bytes, partition: SourcePartition) -> bytes | None:
        """The partition's mutation; None where there is nothing to tell."""
        purger = self._purger
        self._counting.key = key
        self._stop_at = self._counting.rows + self._command.partition_limit
        static, is_static_live = self._static(partition)
        rows, tombstones = self._rows(partition)
        update = encoded_partition(self._store, key, purger.deletion(partition.deletion), static, rows, tombstones)
        if not rows and is_static_live:
            self.live_left -= 1  # a partition of static columns alone is a row to whoever reads
        self._rows_left -= 1
        self._bytes_left -= len(update or b"")
        return update

    def _static(self, partition: SourcePartition) -> tuple[Row | None, bool]:
        """As it is told, and whether it is live."""
        if partition.static is None:
            return None, False
        is_live = live_row(partition.static, self._command.now_s, self._dropped_us) is not None
        static = self._purger.row(partition.static)
        self._counting.statics += is_live
        self._counting.add_row(static, is_live)
        return static, is_live

    def _rows(self, partition: SourcePartition) -> tuple[list[tuple[bytes, StoredRow]], list[RangeTombstone]]:
        command = self._command
        rows: list[tuple[bytes, StoredRow]] = []
        tombstones: list[RangeTombstone] = []
        for piece in reversed(command.slices) if command.reverse else command.slices:
            self._take(partition, piece, rows)
            read = piece
            if self.cut_at is not None:
                cut_at = self.cut_at
                read = Slice(cut_at, piece.end) if command.reverse else Slice(piece.start, cut_at + AFTER_ROW)
            found = partition.range_tombstones(read.start, read.end)
            tombstones += self._told_of(read, found)
            if self.cut_at is not None:
                break
        return sorted(rows, key=lambda item: item[0]) if command.reverse else rows, tombstones

    def _take(self, partition: SourcePartition, piece: Slice, rows: list[tuple[bytes, StoredRow]]) -> None:
        now_s, dropped_us, purger, counting = self._command.now_s, self._dropped_us, self._purger, self._counting
        stop_at = self._stop_at
        for cks, found, _ in partition.chunks(piece.start, piece.end, self._command.reverse):
            for ck, stored in zip(cks, found, strict=True):
                if counting.rows >= stop_at:
                    counting = Counting()  # what comes now is of no interest
                row: StoredRow | None = stored
                if type(stored) is bytes:
                    self.live_left -= 1
                    counting.rows += 1
                    self._bytes_left -= len(stored)
                else:
                    assert isinstance(stored, Row)
                    row = purger.row(stored)
                    is_live = live_row(stored, now_s, dropped_us) is not None
                    self.live_left -= is_live
                    counting.rows += is_live
                    counting.add_row(row, is_live)
                    self._rows_left -= _cell_count(stored) // CELLS_PER_ROW
                self._rows_left -= 1
                if row is not None:
                    rows.append((ck, row))
                if self.is_full:
                    self.cut_at = ck
                    return


    def _told_of(self, piece: Slice, found: Iterable[RangeTombstone]) -> list[RangeTombstone]:
        """Range tombstones over a piece of a partition, whose ends were passed over."""
        told = [*self._purger.tombstones(clipped(tombstone, piece) for tombstone in found)]
        if told:
            self._counting.add(marker_count(told))
        return told


def _cell_count(row: Row) -> int:
    return sum(len(data.cells) if isinstance(data, ComplexColumn) else 1 for data in row.columns.values())


def clipped(tombstone: RangeTombstone, piece: Slice) -> RangeTombstone:
    """The part of it that lies in a slice: all replicas tell of the same parts."""
    start, end, deletion, start_values, end_values = tombstone
    if start < piece.start:
        start, start_values = piece.start, ()
    if end > piece.end:
        end, end_values = piece.end, ()
    return RangeTombstone(start, end, deletion, start_values, end_values)


_NO_LAYOUT: Final = b"\0\0"


def encoded_partition(
    store: TableStore,
    key: bytes,
    deletion: Deletion,
    static: Row | None,
    rows: list[tuple[bytes, StoredRow]],
    tombstones: list[RangeTombstone],
) -> bytes | None:
    """A partition as a mutation, equal bytes for equal data; None where there is nothing to tell."""
    layouts = store.layouts
    if len(rows) == 1 and deletion == LIVE and static is None and not tombstones:
        ck, row = rows[0]
        packed = packed_by_name(layouts, row)
        if packed is not None and len(ck) <= CK_LENGTH_MAX:
            unnumbered = _NO_LAYOUT + packed[TIMESTAMP:]  # each node numbers its layouts for itself
            return packed_record(layouts.of(packed).record_prefix, key, single(ck, unnumbered))
    if not rows and deletion == LIVE and static is None and not tombstones:
        return None
    by_name = {ck: by_column_name(layouts.explode(row)) for ck, row in rows}
    static = None if static is None else by_column_name(static)
    return PartitionUpdate(store.table.id, key, deletion, static, by_name, tuple(tombstones)).encode()


def by_column_name(row: Row) -> Row:
    """The row with its columns, and the cells of collections, in the order of their names and paths."""
    columns = dict(sorted(row.columns.items()))
    for name, data in columns.items():
        if isinstance(data, ComplexColumn):
            columns[name] = data._replace(cells=dict(sorted_in_turns([*data.cells.items()])))
    return row._replace(columns=columns)


def packed_by_name(layouts: Layouts, row: StoredRow) -> bytes | None:
    """The row packed, in the layout whose columns come by name, where it fits one."""
    if type(row) is bytes:
        columns = layouts.of(row).columns
        if columns == tuple(sorted(columns)):
            return row
    return layouts.maybe_pack(by_column_name(layouts.explode(row)))
