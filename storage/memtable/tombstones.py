"""Counting what a read passes over because it is dead: for traces only, reads themselves never look at it.

What counts is what Cassandra counts (db/ReadCommand.java): dead cells; a deleted row that has none; both ends of a range.
"""

from collections.abc import Iterable

from storage.mutation import LIVE, Cell, Row
from storage.reads import Slice, TableStore
from storage.reconcile import live_row


def tombstone_count(store: TableStore, key: bytes, slices: Iterable[Slice], now_s: int) -> int:
    """The tombstones in slices of one partition. Takes as long as reading it."""
    partition = store.memtable.maybe_partition(key)
    if partition is None:
        return 0
    count = 0
    for start, end in slices:
        count += 2 * len(partition.range_tombstones(start, end))
        for _, rows, is_packed in partition.chunks(start, end, False):
            if not is_packed:
                count += sum(_dead(row, now_s) for row in rows if isinstance(row, Row))
    return count


def _dead(row: Row, now_s: int) -> int:
    cells = [cell for data in row.columns.values() for cell in ((data,) if isinstance(data, Cell) else data.cells.values())]
    dead = sum(cell.value is None or (cell.ttl_s > 0 and cell.local_deletion_s <= now_s) for cell in cells)
    return dead or int(row.deletion != LIVE and live_row(row, now_s) is None)
