"""The range tombstones of one partition, normalised: sorted by start, never overlapping, each place with the deletion
that wins there (db/RangeTombstoneList.java has the same shape).

Ranges are half-open in order keys. Where two ranges overlap, the later deletion keeps the overlap; neighbours that
touch and have the same deletion become one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from storage.mutation import LIVE, Deletion, RangeTombstone


class RangeTombstones:
    """A sorted list of disjoint tombstones. `add` costs a binary search and the move of what lies behind."""

    __slots__ = ("_ends", "_items", "_starts")

    def __init__(self, tombstones: Iterable[RangeTombstone] = ()) -> None:
        self._starts: list[bytes] = []
        self._ends: list[bytes] = []
        self._items: list[RangeTombstone] = []
        for tombstone in tombstones:
            self.add(tombstone)

    def __len__(self) -> int:
        return len(self._items)

    def copy(self) -> "RangeTombstones":
        made = RangeTombstones()
        made._starts, made._ends, made._items = self._starts[:], self._ends[:], self._items[:]
        return made

    def __iter__(self) -> Iterator[RangeTombstone]:
        return iter(self._items)

    def add(self, new: RangeTombstone) -> None:
        if new.start >= new.end:
            return
        first = bisect_right(self._ends, new.start)
        behind = bisect_left(self._starts, new.end)
        # neighbours that only touch take part, so that equal deletions melt together
        first -= first > 0 and self._ends[first - 1] == new.start
        behind += behind < len(self._items) and self._starts[behind] == new.end
        pieces: list[RangeTombstone] = []
        at, at_values = new.start, new.start_values
        for item in self._items[first:behind]:
            start, end, deletion, start_values, end_values = item
            if end <= new.start or start >= new.end:
                if start >= new.end and at < new.end:
                    pieces.append(RangeTombstone(at, new.end, new.deletion, at_values, new.end_values))
                    at, at_values = new.end, new.end_values
                pieces.append(item)
                continue
            if start < new.start:
                pieces.append(RangeTombstone(start, new.start, deletion, start_values, new.start_values))
            elif start > at:
                pieces.append(RangeTombstone(at, start, new.deletion, at_values, start_values))
                at, at_values = start, start_values
            stop, stop_values = (end, end_values) if end <= new.end else (new.end, new.end_values)
            pieces.append(RangeTombstone(at, stop, max(deletion, new.deletion), at_values, stop_values))
            at, at_values = stop, stop_values
            if end > new.end:
                pieces.append(RangeTombstone(new.end, end, deletion, new.end_values, end_values))
        if at < new.end:
            pieces.append(RangeTombstone(at, new.end, new.deletion, at_values, new.end_values))
        self._replace(first, behind, melted(pieces))

    def covering(self, ck: bytes) -> Deletion:
        """The deletion over one clustering; LIVE where there is none."""
        index = bisect_right(self._starts, ck) - 1
        if index >= 0 and ck < self._ends[index]:
            return self._items[index].deletion
        return LIVE

    def overlapping(self, start: bytes, end: bytes) -> list[RangeTombstone]:
        """The tombstones that touch [start, end), in order, not clipped."""
        return self._items[bisect_right(self._ends, start) : bisect_left(self._starts, end)]

    def drop_covered(self, deletion: Deletion) -> None:
        """Forgets the tombstones that a deletion of the whole partition supersedes."""
        self._replace(0, len(self._items), [item for item in self._items if item.deletion > deletion])

    def _replace(self, first: int, behind: int, items: list[RangeTombstone]) -> None:
        self._items[first:behind] = items
        self._starts[first:behind] = [item.start for item in items]
        self._ends[first:behind] = [item.end for item in items]


def melted(pieces: Iterable[RangeTombstone]) -> list[RangeTombstone]:
    """Pieces that touch and have the same deletion become one."""
    found: list[RangeTombstone] = []
    for piece in pieces:
        if found and found[-1].end == piece.start and found[-1].deletion == piece.deletion:
            found[-1] = found[-1]._replace(end=piece.end, end_values=piece.end_values)
        else:
            found.append(piece)
    return found
