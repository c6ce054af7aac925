"""A replica reads: its store's data for a command, with the tombstones that others may not know of (db/ReadCommand.java,
executeLocally).

What any replica may have purged already is left out (`withoutPurgeableTombstones`), so that equal replicas give equal
answers whenever they compacted.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from cluster.reading.answer import DataAnswer
from cluster.reading.command import AFTER_ROW, Boundary, ReadCommand
from storage.compaction.purging import Purger
from storage.environment.strands import pause, sorted_in_turns
from storage.memtable.memtable import CK_LENGTH_MAX, TIMESTAMP_MAX_US, Position, single
from storage.memtable.packed import TIMESTAMP, Layouts, StoredRow
from storage.merged import SourcePartition
from storage.mutation import LIVE, ComplexColumn, Deletion, PartitionUpdate, RangeTombstone, Row, packed_record
from storage.reads import Slice, TableStore
from storage.reconcile import live_row

ANSWER_ROWS_MAX: Final = 1_000
"""Dead rows count too: an answer of many of them ends early, and whoever asked goes on from there. It is made in one turn of
the loop, but for rows that turn out to be long."""
CELLS_PER_ROW: Final = 8
"""A row counts once more for each of so many cells, where it is not packed."""
ANSWER_BYTES_MAX: Final = 4 << 20


def execute(store: TableStore, command: ReadCommand) -> DataAnswer:
    """The answer of this store to a command without criteria (those are for sifting.py)."""
    reading = Reading(store, command)
    found = _partitions(store, command)
    return told(reading, command, ((at, reading.partition(at[_TOKEN_BYTES:], whole)) for at, whole in found))


def told(reading: "Reading", command: ReadCommand, encoded: Iterable[tuple[Position, bytes | None]]) -> DataAnswer:
    """What a reading gives of each partition, until it is full."""
    partitions: list[bytes] = []
    for position, mutation in encoded:
        pause()
        if mutation is not None:
            partitions.append(mutation)
        if reading.cut_at is not None:
            return DataAnswer(tuple(partitions), Boundary(position, reading.cut_at))
        if reading.is_full:
            return DataAnswer(tuple(partitions), None if command.is_of_partition else Boundary(position, None))
    return DataAnswer(tuple(partitions))


_TOKEN_BYTES: Final = 8


def _partitions(store: TableStore, command: ReadCommand) -> Iterator[tuple[Position, SourcePartition]]:
    if command.is_of_partition:
        found = store.maybe_stored(command.key)
        if found is not None:
            yield command.start, found
        return
    yield from store.stored_partitions(command.start, command.end)


class Reading:
    """What is left of the limits from partition to partition. `cut_at`: the last row, of a partition that has more."""

    def __init__(self, store: TableStore, command: ReadCommand) -> None:
        self._store, self._command = store, command
        gc_before_s = command.now_s - store.table.params.gc_grace_seconds
        self._purger = Purger(store.layouts, command.now_s, gc_before_s, TIMESTAMP_MAX_US)
        self._dropped_us = {name: column.dropped_time_us for name, column in store.table.dropped_columns.items()}
        self.live_left, self._rows_left, self._bytes_left = command.limit, ANSWER_ROWS_MAX, ANSWER_BYTES_MAX
        self.cut_at: bytes | None = None

    @property
    def is_full(self) -> bool:
        return self.live_left <= 0 or self._rows_left <= 0 or self._bytes_left <= 0

    def lift_size_limits(self) -> None:
        """The command's limit is all that ends the answer."""
        self._rows_left = self._bytes_left = 1 << 62

    def partition(self, key: bytes, partition: SourcePartition) -> bytes | None:
        """The partition's mutation; None where there is nothing to tell."""
        purger = self._purger
        static = None if partition.static is None else purger.row(partition.static)
        rows, tombstones = self._rows(partition)
        update = encoded_partition(self._store, key, purger.deletion(partition.deletion), static, rows, tombstones)
        if not rows and static is not None and live_row(static, self._command.now_s, self._dropped_us) is not None:
            self.live_left -= 1  # a partition of static columns alone is a row to whoever reads
        self._rows_left -= 1
        self._bytes_left -= len(update or b"")
        return update

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
            tombstones += self._purger.tombstones(clipped(tombstone, read) for tombstone in found)
            if self.cut_at is not None:
                break
        return sorted(rows, key=lambda item: item[0]) if command.reverse else rows, tombstones

    def _take(self, partition: SourcePartition, piece: Slice, rows: list[tuple[bytes, StoredRow]]) -> None:
        now_s, dropped_us, purger = self._command.now_s, self._dropped_us, self._purger
        for cks, found, _ in partition.chunks(piece.start, piece.end, self._command.reverse):
            for ck, stored in zip(cks, found, strict=True):
                row: StoredRow | None = stored
                if type(stored) is bytes:
                    self.live_left -= 1
                    self._bytes_left -= len(stored)
                else:
                    assert isinstance(stored, Row)
                    row = purger.row(stored)
                    self.live_left -= live_row(stored, now_s, dropped_us) is not None
                    self._rows_left -= _cell_count(stored) // CELLS_PER_ROW
                self._rows_left -= 1
                if row is not None:
                    rows.append((ck, row))
                if self.is_full:
                    self.cut_at = ck
                    return


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
