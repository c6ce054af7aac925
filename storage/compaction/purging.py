"""What a compaction may leave out (db/partitions/PurgeFunction.java, db/rows/BTreeRow.java purge).

A tombstone is kept for gc_grace, and longer where older data that it covers may lie in what is not compacted: in an SSTable
that overlaps, or in a memtable. What has expired becomes a tombstone of the time at which it was written.
"""

from collections.abc import Iterable, Iterator

from storage.memtable.packed import Layouts, StoredRow
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
            cells = {path: kept for path, cell in data.cells.items() if (kept := self._cell(cell)) is not None}
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
