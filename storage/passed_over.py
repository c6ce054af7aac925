"""What a reader passes over of tombstones, as Cassandra counts it (db/ReadCommand.java, withMetricsRecording): dead cells,
deleted rows that have none, ends of ranges; but nothing that may have been purged already."""

from collections.abc import Sequence
from itertools import pairwise

from storage.memtable.packed import StoredRow
from storage.mutation import LIVE, Cell, RangeTombstone, Row


def hides(row: StoredRow, live: StoredRow | None) -> bool:
    """Whether something of a row is dead, which is not packed; `live`: what is left of it."""
    return live is None or _cell_count(row) != _cell_count(live)


def _cell_count(row: StoredRow) -> int:
    columns = row.columns  # type: ignore[union-attr]
    count = len(columns)
    for data in columns.values():
        if type(data) is not Cell:
            count += len(data.cells) - 1  # type: ignore[union-attr]
    return count


def passed_over(row: Row | None, is_live: bool) -> int:
    """Of a row; of it what a purge leaves, in which what has expired is a tombstone."""
    if row is None:
        return 0
    count = 0
    for data in row.columns.values():
        if type(data) is Cell:
            count += data.value is None
        else:
            count += sum(cell.value is None for cell in data.cells.values())  # type: ignore[union-attr]
    return count or int(not is_live and _has_deletion(row))


def _has_deletion(row: Row) -> bool:
    """Whether a row without anything live and without dead cells hides something all the same."""
    if row.deletion != LIVE or row.liveness.ttl_s:
        return True
    return any(type(data) is not Cell and data.deletion != LIVE for data in row.columns.values())  # type: ignore[union-attr]


def marker_count(found: Sequence[RangeTombstone]) -> int:
    """Of the ends of range tombstones, in their order: where one begins as another one ends it is one, and none where the
    two are pieces of one."""
    count = 2 * len(found)
    if count > 2:
        count -= sum(1 + (a.deletion == b.deletion) for a, b in pairwise(found) if a.end == b.start)
    return count
