"""What a compaction may leave out (db/partitions/PurgeFunction.java, db/rows/BTreeRow.java purge).

A tombstone is kept for gc_grace, and longer where older data that it covers may lie in what is not compacted: in an SSTable
that overlaps, or in a memtable. What has expired becomes a tombstone of the time at which it was written.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from storage.environment.strands import in_turns, paused
from storage.memtable.packed import Layouts, StoredRow
from storage.merged import RawChunk, SourcePartition
from storage.mutation import (
    LIVE,
    NO_LIVENESS,
    NO_TIMESTAMP,
    Cell,
    ComplexColumn,
    Deletion,
    RangeTombstone,
    Row,
)
from storage.reconcile import uncovered_row


class Purger:
    """For one partition. Deletions of before `gc_before_s` may go where nothing that is not here is as old: below
    `purgeable_us`, a timestamp."""

    __slots__ = ("_gc_before_s", "_layouts", "_now_s", "_purgeable_us")

    def __init__(self, layouts: Layouts, now_s: int, gc_before_s: int, purgeable_us: int) -> None:
        self._layouts, self._now_s, self._gc_before_s, self._purgeable_us = layouts, now_s, gc_before_s, purgeable_us

    def deletion(self, deletion: Deletion) -> Deletion:
        return LIVE if deletion != LIVE and self._goes(*deletion) else deletion

    def tombstones(self, tombstones: Iterable[RangeTombstone]) -> Iterator[RangeTombstone]:
        return (tombstone for tombstone in tombstones if not self._goes(*tombstone.deletion))

    def rows(self, rows: Iterable[tuple[bytes, StoredRow]]) -> Iterator[tuple[bytes, StoredRow]]:
        for ck, row in rows:
            if type(row) is bytes:  # has neither tombstones nor TTL
                yield ck, row
                continue
            assert isinstance(row, Row)
            kept = self.row(row)
            if kept is not None:
                yield ck, self._layouts.maybe_pack(kept) or kept

    def row(self, row: Row) -> Row | None:
        liveness = row.liveness
        is_expired = liveness.ttl_s and liveness.local_deletion_s <= self._now_s
        if is_expired and self._goes(liveness.timestamp_us, liveness.local_deletion_s):
            liveness = NO_LIVENESS
        columns: dict[str, Cell | ComplexColumn] = {}
        for name, data in row.columns.items():
            if type(data) is Cell:
                cell = self._cell(data)
                if cell is not None:
                    columns[name] = cell
                continue
            assert isinstance(data, ComplexColumn)
            cells = {path: kept for path, cell in in_turns(data.cells.items()) if (kept := self._cell(cell)) is not None}
            deletion = self.deletion(data.deletion)
            if cells or deletion != LIVE:
                columns[name] = ComplexColumn(deletion, cells)
        deletion = self.deletion(row.deletion)
        if deletion == LIVE and liveness.timestamp_us == NO_TIMESTAMP and (not columns or self._layouts.needs_marker):
            return None
        return Row(row.clustering, liveness, deletion, columns)

    def _cell(self, cell: Cell) -> Cell | None:
        timestamp_us, value, ttl_s, local_deletion_s = cell
        if value is not None and not (ttl_s and local_deletion_s <= self._now_s):
            return cell
        if self._goes(timestamp_us, local_deletion_s):
            return None
        if not ttl_s:
            return cell
        tombstone = Cell(timestamp_us, None, 0, local_deletion_s - ttl_s)
        return None if self._goes(timestamp_us, tombstone.local_deletion_s) else tombstone

    def _goes(self, timestamp_us: int, local_deletion_s: int) -> bool:
        return local_deletion_s < self._gc_before_s and timestamp_us < self._purgeable_us


class _Uncovered(NamedTuple):
    """A partition without what is covered in `others`; its own deletions stay. It holds no rows: they are looked at when
    they are asked for."""

    whole: SourcePartition
    others: Sequence[SourcePartition]
    layouts: Layouts
    by_cells: bool

    @property
    def deletion(self) -> Deletion:
        return self.whole.deletion

    @property
    def static(self) -> Row | None:
        static = self.whole.static
        if static is None:
            return None
        newer = [other.static for other in self.others if other.static is not None]
        return _uncovered(static, self._covering, newer, self.by_cells)

    @property
    def _covering(self) -> Deletion:
        return max(other.deletion for other in self.others)

    def range_tombstones(self, start: bytes, end: bytes) -> Sequence[RangeTombstone]:
        return self.whole.range_tombstones(start, end)

    def get(self, ck: bytes) -> StoredRow | None:
        row = self.whole.get(ck)
        return None if row is None else self._maybe_kept(ck, row, self._covering)

    def chunks(self, start: bytes, end: bytes, reverse: bool) -> Iterator[RawChunk]:
        deletion = self._covering
        for cks, rows, _ in self.whole.chunks(start, end, reverse):
            found = {ck: self._maybe_kept(ck, row, deletion) for ck, row in paused(zip(cks, rows, strict=True))}
            kept = {ck: row for ck, row in found.items() if row is not None}
            if kept:
                yield list(kept), list(kept.values()), all(type(row) is bytes for row in kept.values())

    def _maybe_kept(self, ck: bytes, row: StoredRow, covering: Deletion) -> StoredRow | None:
        layouts, newer = self.layouts, []
        for other in self.others:
            for tombstone in other.range_tombstones(ck, ck + b"\0"):
                covering = max(covering, tombstone.deletion)
            theirs = other.get(ck)
            if theirs is not None:
                newer.append(layouts.explode(theirs))
        kept = _uncovered(layouts.explode(row), covering, newer, self.by_cells)
        return None if kept is None else layouts.maybe_pack(kept) or kept


def uncovered_partition(
    partition: SourcePartition, others: Sequence[SourcePartition], layouts: Layouts, by_cells: bool
) -> SourcePartition:
    """Without what deletions of the partition, of ranges and of rows in the others cover (provide_overlapping_tombstones
    ROW); `by_cells`: nor what newer cells and tombstones of cells replace (CELL)."""
    return _Uncovered(partition, others, layouts, by_cells) if others else partition


def _uncovered(row: Row, covering: Deletion, others: Sequence[Row], by_cells: bool) -> Row | None:
    for other in others:
        covering = max(covering, other.deletion)
    kept = uncovered_row(row, covering)
    if kept is None or not by_cells:
        return kept
    columns = dict(kept.columns)
    for other in others:
        for name, theirs in other.columns.items():
            ours = columns.get(name)
            if type(ours) is Cell and type(theirs) is Cell and theirs.timestamp_us > ours.timestamp_us:
                del columns[name]
    if not columns and kept.deletion == LIVE and kept.liveness == NO_LIVENESS:
        return None
    return kept._replace(columns=columns)
