"""A partition in memory: rows in clustering order in blocks, the static row, and the deletions over them.

Rows are kept in blocks of at most BLOCK_ROWS_MAX: per block a sorted list of order keys and the parallel list of rows.
An insert is two binary searches and a short move, whatever the partition's size; a slice is a copy of list slices.

Invariants
- Nothing here is covered by a deletion that is here: a new deletion removes what it covers at once, a late write below
  a deletion does not enter. So a reader of this partition alone need not look at deletions.
- `fulls[i]` counts the `Row` objects of block i: where it is 0, all rows are packed, hence live at any time.
- No block is empty.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import lt
from typing import Final

from storage.counters.rows import merge_counter_rows
from storage.memtable.packed import TIMESTAMP, VALUES, Layouts, StoredRow, timestamp_of
from storage.memtable.range_tombstones import RangeTombstones
from storage.mutation import LIVE, NO_TIMESTAMP, Cell, ComplexColumn, Deletion, RangeTombstone, Row
from storage.reconcile import Resolve, Turns, merge_rows, reconcile_deletion, uncovered_row

# Larger blocks make inserts in the middle dearer, and the garbage collector's young collections, which look at every row
# of a new block; smaller ones scans and memory.
BLOCK_ROWS_MAX: Final = 128

# What objects cost in CPython, rounded: for the estimate of memory only.
ROW_OVERHEAD_BYTES: Final = 33 + 33 + 16
FULL_ROW_BYTES: Final = 400
CELL_BYTES: Final = 150
CELLS_LOOKED_AT_MAX: Final = 500


def estimated_bytes(row: StoredRow) -> int:
    """About what a stored row takes in memory, its place in the lists included, its order key not."""
    if type(row) is bytes:
        return len(row) + ROW_OVERHEAD_BYTES
    assert isinstance(row, Row)
    size = FULL_ROW_BYTES + sum(map(len, row.clustering))
    for data in row.columns.values():
        if type(data) is ComplexColumn:
            size += CELL_BYTES + _cells_bytes(data.cells)
        else:
            size += CELL_BYTES + len(data[1] or b"")
    return size


def _no_pause() -> None:
    pass


def _cells_bytes(cells: Mapping[bytes, Cell]) -> int:
    """Of very many, as the first of them say."""
    count = len(cells)
    looked_at: Iterable[tuple[bytes, Cell]] = cells.items()
    if count > CELLS_LOOKED_AT_MAX:
        looked_at, count = islice(looked_at, CELLS_LOOKED_AT_MAX), CELLS_LOOKED_AT_MAX
    size = sum(CELL_BYTES + len(path) + len(cell.value or b"") for path, cell in looked_at)
    return size * len(cells) // count if count else 0


def _may_replace(row: bytes, layouts: Layouts, resolve: Resolve) -> bool:
    """Whether a packed row just takes the place of an older one of its layout. These are those between its layout and its
    values: rows of one layout compare as their timestamps do, if the newer one's is positive."""
    return row[TIMESTAMP] < 128 and not (resolve.keeps_clustering or layouts.are_counters)


class Partition:
    """See the module. `live_bytes` is an estimate of what the rows take; `owner` is whose it is to change
    (memtable.Memtable.copy)."""

    __slots__ = ("cks", "deletion", "firsts", "fulls", "guarded", "live_bytes", "owner", "rows", "static", "tombstones")

    def __init__(self) -> None:
        self.firsts: list[bytes] = []
        self.cks: list[list[bytes]] = []
        self.rows: list[list[StoredRow]] = []
        self.fulls: list[int] = []
        self.static: Row | None = None
        self.deletion = LIVE
        self.tombstones: RangeTombstones | None = None
        self.guarded = False  # a deletion exists: what enters must be checked against it
        self.live_bytes = 0
        self.owner: object = None

    def copy(self) -> "Partition":
        """With the same rows, which nobody changes in place."""
        made = Partition()
        made.firsts, made.fulls = self.firsts[:], self.fulls[:]
        made.cks = [block[:] for block in self.cks]
        made.rows = [block[:] for block in self.rows]
        made.static, made.deletion = self.static, self.deletion
        made.tombstones = self.tombstones.copy() if self.tombstones is not None else None
        made.guarded, made.live_bytes = self.guarded, self.live_bytes
        return made

    def row_count(self) -> int:
        """Of stored rows, tombstones among them."""
        return sum(map(len, self.cks))

    def covering(self, ck: bytes) -> Deletion:
        """The deletion over a clustering: the partition's or a range's."""
        if self.tombstones is None:
            return self.deletion
        return reconcile_deletion(self.deletion, self.tombstones.covering(ck))

    # -- writing ------------------------------------------------------------------------------------------------------

    def put(self, ck: bytes, row: StoredRow, layouts: Layouts, resolve: Resolve) -> None:
        """Merges one row in: a packed one, or a Row straight from an update."""
        packed = type(row) is bytes
        if self.guarded or not packed:
            entering = self._entering(ck, row, layouts, resolve.turns)
            if entering is None:
                return
            row = entering
            packed = type(row) is bytes
        cks = self.cks
        if not cks or ck > cks[-1][-1]:
            self._append(ck, row, packed)
            return
        index = max(bisect_right(self.firsts, ck) - 1, 0) if len(cks) > 1 else 0
        block = cks[index]
        at = bisect_left(block, ck)
        if at < len(block) and block[at] == ck:
            if type(row) is bytes and _may_replace(row, layouts, resolve):
                rows = self.rows[index]
                old = rows[at]
                if type(old) is bytes and row[:TIMESTAMP] < old < row[:VALUES]:
                    rows[at] = row
                    self.live_bytes += len(row) - len(old)
                    return
            self._merge(index, at, row, layouts, resolve)
            return
        block.insert(at, ck)
        self.rows[index].insert(at, row)
        if at == 0:
            self.firsts[index] = ck
        if packed:
            self.live_bytes += len(ck) + len(row) + ROW_OVERHEAD_BYTES
        else:
            self.fulls[index] += 1
            self.live_bytes += len(ck) + estimated_bytes(row)
        if len(block) > BLOCK_ROWS_MAX:
            self._split(index)

    def put_packed(self, head: bytes, cks: list[bytes], values: Iterable[bytes], layouts: Layouts, resolve: Resolve) -> None:
        """Merges packed rows of one layout and timestamp in: `head` is how they begin, `values` the wire values of each.
        Rows in order that come behind all others, or each in the place of an older one, go in together."""
        rows = [head + wire_values for wire_values in values]
        count, at = len(cks), 0
        may_replace = _may_replace(head, layouts, resolve)
        if not self.guarded:
            while at < count and (taken := self._put_run(cks[at:], rows[at:], head, may_replace)):
                at += taken
        for ck, row in zip(cks[at:], rows[at:], strict=True):
            self.put(ck, row, layouts, resolve)

    def _put_run(self, cks: list[bytes], rows: list[bytes], head: bytes, may_replace: bool) -> int:
        """Puts as many of the packed rows in as can go into one block together, and gives their number; 0 where they are to
        be merged one by one."""
        first = cks[0]
        if not self.cks or first > self.cks[-1][-1]:
            return self._append_run(cks, rows)
        index = max(bisect_right(self.firsts, first) - 1, 0)
        if self.fulls[index] or not may_replace:
            return 0
        block, stored = self.cks[index], self.rows[index]
        at = bisect_left(block, first)
        replaced: list[bytes] = stored[at : at + len(cks)]  # type: ignore[assignment]  # there are no full rows
        count = len(replaced)
        if not count or block[at : at + count] != cks[:count]:
            return 0
        if not (head[:TIMESTAMP] < min(replaced) and max(replaced) < head):
            return 0
        stored[at : at + count] = rows[:count]
        self.live_bytes += sum(map(len, rows[:count])) - sum(map(len, replaced))
        return count

    def _append_run(self, cks: list[bytes], rows: list[bytes]) -> int:
        """The same of rows of which the first comes behind all that there are."""
        if not all(map(lt, cks, cks[1:])):
            return 0
        blocks = self.cks
        if not blocks or len(blocks[-1]) >= BLOCK_ROWS_MAX:
            self.firsts.append(cks[0])
            blocks.append([])
            self.rows.append([])
            self.fulls.append(0)
        count = min(len(cks), BLOCK_ROWS_MAX - len(blocks[-1]))
        blocks[-1] += cks[:count]
        self.rows[-1] += rows[:count]
        self.live_bytes += sum(map(len, cks[:count])) + sum(map(len, rows[:count])) + count * ROW_OVERHEAD_BYTES
        return count

    def _entering(self, ck: bytes, row: StoredRow, layouts: Layouts, turns: Turns = iter) -> StoredRow | None:
        """What of a new row no deletion covers, in its smallest form."""
        covering = self.covering(ck) if self.guarded else LIVE
        if type(row) is bytes:
            return row if timestamp_of(row) > covering.timestamp_us else None
        assert isinstance(row, Row)
        uncovered = uncovered_row(row, covering, turns)
        if uncovered is None:
            return None
        return layouts.maybe_pack(uncovered) or uncovered

    def _append(self, ck: bytes, row: StoredRow, packed: bool) -> None:
        cks = self.cks
        if cks and len(cks[-1]) < BLOCK_ROWS_MAX:
            cks[-1].append(ck)
            self.rows[-1].append(row)
        else:
            self.firsts.append(ck)
            cks.append([ck])
            self.rows.append([row])
            self.fulls.append(0)
        if packed:
            self.live_bytes += len(ck) + len(row) + ROW_OVERHEAD_BYTES
        else:
            self.fulls[-1] += 1
            self.live_bytes += len(ck) + estimated_bytes(row)

    def _merge(self, index: int, at: int, row: StoredRow, layouts: Layouts, resolve: Resolve) -> None:
        rows = self.rows[index]
        old = rows[at]
        merged = merge_stored(old, row, layouts, resolve)
        if merged is None:  # only a covering deletion makes nothing of something, and there is none here
            self._remove(index, at, at + 1)
            return
        rows[at] = merged
        self.fulls[index] += (type(merged) is not bytes) - (type(old) is not bytes)
        self.live_bytes += estimated_bytes(merged) - estimated_bytes(old)

    def _split(self, index: int) -> None:
        cks, rows = self.cks[index], self.rows[index]
        half = len(cks) // 2
        self.cks[index : index + 1] = [cks[:half], cks[half:]]
        self.rows[index : index + 1] = [rows[:half], rows[half:]]
        self.firsts.insert(index + 1, cks[half])
        full_count = sum(type(row) is not bytes for row in rows[:half]) if self.fulls[index] else 0
        self.fulls[index : index + 1] = [full_count, self.fulls[index] - full_count]

    def put_static(self, row: Row, resolve: Resolve) -> None:
        """Merges changes of static columns in."""
        old = self.static
        if old is None:
            self.static = uncovered_row(row, self.deletion, resolve.turns)
        else:
            self.static = merge_rows(old, row, self.deletion, resolve)
            self.live_bytes -= estimated_bytes(old)
        if self.static is not None:
            self.live_bytes += estimated_bytes(self.static)

    def delete(self, deletion: Deletion, pause: Callable[[], None] = _no_pause) -> None:
        """Deletes the whole partition, static row included, up to the deletion's timestamp."""
        if deletion <= self.deletion:
            return
        self.deletion = deletion
        self.guarded = True
        if self.static is not None:
            self.live_bytes -= estimated_bytes(self.static)
            self.static = uncovered_row(self.static, deletion)
            if self.static is not None:
                self.live_bytes += estimated_bytes(self.static)
        if self.tombstones is not None:
            self.tombstones.drop_covered(deletion)
        for index in range(len(self.cks) - 1, -1, -1):
            self._cover(index, 0, len(self.cks[index]), deletion)
            pause()

    def rows_between(self, start: bytes, end: bytes) -> int:
        """About how many rows are there: whole blocks count."""
        first = max(bisect_right(self.firsts, start) - 1, 0)
        return (bisect_left(self.firsts, end) - first) * BLOCK_ROWS_MAX

    def delete_range(self, tombstone: RangeTombstone, pause: Callable[[], None] = _no_pause) -> None:
        """Deletes the rows of a range up to the tombstone's timestamp."""
        deletion = tombstone.deletion
        if deletion <= self.deletion or tombstone.start >= tombstone.end:
            return
        if self.tombstones is None:
            self.tombstones = RangeTombstones()
        self.tombstones.add(tombstone)
        self.guarded = True
        self.cover_range(tombstone, pause)

    def cover_range(self, tombstone: RangeTombstone, pause: Callable[[], None] = _no_pause) -> None:
        """Deletes what is there now, and does not keep the deletion: for where nothing older can come."""
        first = max(bisect_right(self.firsts, tombstone.start) - 1, 0)
        behind = bisect_left(self.firsts, tombstone.end)
        for index in range(behind - 1, first - 1, -1):
            block = self.cks[index]
            low, high = bisect_left(block, tombstone.start), bisect_left(block, tombstone.end)
            if low < high:
                self._cover(index, low, high, tombstone.deletion)
            pause()

    def _cover(self, index: int, low: int, high: int, deletion: Deletion) -> None:
        """Applies a deletion to the rows low..high of one block, which disappears when nothing is left in it."""
        cks, rows = self.cks[index], self.rows[index]
        kept_cks: list[bytes] = []
        kept_rows: list[StoredRow] = []
        full_change = bytes_change = 0
        for ck, row in zip(cks[low:high], rows[low:high], strict=True):
            kept: StoredRow | None
            if type(row) is bytes:
                kept = row if timestamp_of(row) > deletion.timestamp_us else None
            else:
                assert isinstance(row, Row)
                kept = uncovered_row(row, deletion)
                full_change -= kept is None
            if kept is row:
                kept_cks.append(ck)
                kept_rows.append(kept)
                continue
            bytes_change -= estimated_bytes(row)
            if kept is None:
                bytes_change -= len(ck)
            else:
                kept_cks.append(ck)
                kept_rows.append(kept)
                bytes_change += estimated_bytes(kept)
        cks[low:high] = kept_cks
        rows[low:high] = kept_rows
        self.fulls[index] += full_change
        self.live_bytes += bytes_change
        self._tidy(index)

    def _remove(self, index: int, low: int, high: int) -> None:
        for ck, row in zip(self.cks[index][low:high], self.rows[index][low:high], strict=True):
            self.live_bytes -= len(ck) + estimated_bytes(row)
            self.fulls[index] -= type(row) is not bytes
        del self.cks[index][low:high], self.rows[index][low:high]
        self._tidy(index)

    def _tidy(self, index: int) -> None:
        if self.cks[index]:
            self.firsts[index] = self.cks[index][0]
        else:
            del self.firsts[index], self.cks[index], self.rows[index], self.fulls[index]

    # -- reading ------------------------------------------------------------------------------------------------------

    def get(self, ck: bytes) -> StoredRow | None:
        """The stored row of a clustering: possibly a tombstone."""
        index = bisect_right(self.firsts, ck) - 1
        if index < 0:
            return None
        block = self.cks[index]
        at = bisect_left(block, ck)
        if at < len(block) and block[at] == ck:
            return self.rows[index][at]
        return None

    def range_tombstones(self, start: bytes, end: bytes) -> Sequence[RangeTombstone]:
        """Those that touch [start, end)."""
        return self.tombstones.overlapping(start, end) if self.tombstones is not None else ()

    def chunks(self, start: bytes, end: bytes, reverse: bool) -> Iterator[tuple[list[bytes], list[StoredRow], bool]]:
        """The stored rows of [start, end): order keys, rows, and whether all of them are packed. Non-empty lists.

        The place is found anew by order key for each chunk, so that writes in between do no harm.
        """
        if reverse:
            yield from self._chunks_reversed(start, end)
            return
        index = max(bisect_right(self.firsts, start) - 1, 0)
        while index < len(self.cks):
            block = self.cks[index]
            low = bisect_left(block, start) if block[0] < start else 0
            if block[-1] < end:
                if low == 0:
                    start = block[-1] + b"\0"
                    yield block[:], self.rows[index][:], not self.fulls[index]
                elif low < len(block):
                    start = block[-1] + b"\0"
                    yield block[low:], self.rows[index][low:], not self.fulls[index]
                else:
                    index += 1
                    continue
                if index < len(self.cks) and self.cks[index] is block and block[-1] < start:
                    index += 1
                else:  # rows came in or went meanwhile
                    index = max(bisect_right(self.firsts, start) - 1, 0)
            else:
                high = bisect_left(block, end)
                if low < high:
                    yield block[low:high], self.rows[index][low:high], not self.fulls[index]
                return

    def _chunks_reversed(self, start: bytes, end: bytes) -> Iterator[tuple[list[bytes], list[StoredRow], bool]]:
        while (index := bisect_left(self.firsts, end) - 1) >= 0:
            block = self.cks[index]
            low = bisect_left(block, start) if block[0] < start else 0
            high = len(block) if block[-1] < end else bisect_left(block, end)
            if low >= high:
                return
            end = block[low]
            yield block[low:high][::-1], self.rows[index][low:high][::-1], not self.fulls[index]
            if low:
                return


def merge_stored(old: StoredRow, new: StoredRow, layouts: Layouts, resolve: Resolve) -> StoredRow | None:
    """Two stored rows of one clustering, in the smallest form that holds the outcome."""
    if layouts.are_counters and type(new) is not bytes:
        new = layouts.maybe_pack(layouts.explode(new)) or new
    if type(old) is bytes and type(new) is bytes and old[:2] == new[:2]:
        if layouts.are_counters:
            return merge_counter_rows(old, new, layouts.clustering_count)
        old_us, new_us = timestamp_of(old), timestamp_of(new)
        if old_us != new_us:
            if new_us < old_us:
                return old
            return _with_clustering_of(old, new, layouts.clustering_count) if resolve.keeps_clustering else new
    merged = merge_rows(layouts.explode(old), layouts.explode(new), LIVE, resolve)
    if merged is None:
        return None
    return layouts.maybe_pack(merged) or merged


def _with_clustering_of(old: bytes, new: bytes, count: int) -> bytes:
    """A packed row with the clustering bytes of an older version of it."""
    old_end = new_end = VALUES
    for _ in range(count):
        old_end += 4 + int.from_bytes(old[old_end : old_end + 4], "big")
        new_end += 4 + int.from_bytes(new[new_end : new_end + 4], "big")
    return new[:VALUES] + old[VALUES:old_end] + new[new_end:]


def is_nothing(row: Row) -> bool:
    """Whether a Row holds neither data nor deletion."""
    return not row.columns and row.deletion is LIVE and row.liveness.timestamp_us == NO_TIMESTAMP
