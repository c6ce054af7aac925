"""Terms and where they are, sorted: the memory of an attached index.

Entries are (term, position, order key) in blocks of sorted lists; tuples of bytes leave the garbage collector's sight by
themselves. An insert is two binary searches and a short move.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Final, TypeAlias

Entry: TypeAlias = tuple[bytes, bytes, bytes]
BLOCK_MAX: Final = 512
ENTRY_BYTES: Final = 200
"""What an entry takes beside its bytes: a tuple, three objects' heads, its place in a block."""
AFTER: Final = b"\xff"
"""Stands behind every term: order keys begin lower. Positions do not: they begin with a token."""


def behind(term: bytes) -> tuple[bytes]:
    """The bound behind all entries of a term."""
    return (term + b"\0",)


def _bytes_of(entry: Entry) -> int:
    return ENTRY_BYTES + len(entry[0]) + len(entry[1]) + len(entry[2])


class SortedTerms:
    """See the module."""

    __slots__ = ("_blocks", "_firsts", "held_bytes", "size")

    def __init__(self) -> None:
        self._blocks: list[list[Entry]] = []
        self._firsts: list[Entry] = []
        self.size = self.held_bytes = 0

    def _block_of(self, entry: Entry) -> int:
        return max(bisect_right(self._firsts, entry) - 1, 0)

    def add(self, entry: Entry) -> None:
        """Nothing happens where it is there already."""
        if not self._blocks:
            self._blocks.append([entry])
            self._firsts.append(entry)
            self.size, self.held_bytes = 1, _bytes_of(entry)
            return
        index = self._block_of(entry)
        block = self._blocks[index]
        at = bisect_left(block, entry)
        if at < len(block) and block[at] == entry:
            return
        insort(block, entry, at, at)
        self.size += 1
        self.held_bytes += _bytes_of(entry)
        if at == 0:
            self._firsts[index] = entry
        if len(block) > BLOCK_MAX:
            half = len(block) // 2
            self._blocks.insert(index + 1, block[half:])
            self._firsts.insert(index + 1, block[half])
            del block[half:]

    def discard(self, entry: Entry) -> None:
        """Nothing happens where it is not there."""
        if not self._blocks:
            return
        index = self._block_of(entry)
        block = self._blocks[index]
        at = bisect_left(block, entry)
        if at == len(block) or block[at] != entry:
            return
        del block[at]
        self.size -= 1
        self.held_bytes -= _bytes_of(entry)
        if not block:
            del self._blocks[index], self._firsts[index]
        elif at == 0:
            self._firsts[index] = block[0]

    def between(self, start: Entry | tuple[bytes, ...], end: Entry | tuple[bytes, ...]) -> Iterator[Entry]:
        """Those with start <= entry < end, in order, as they are now."""
        index = max(bisect_right(self._firsts, start) - 1, 0)
        while index < len(self._blocks) and self._firsts[index] < end:
            block = self._blocks[index]
            at, stop = bisect_left(block, start), bisect_left(block, end)
            yield from block[at:stop]
            if stop < len(block):
                return
            index += 1

    def count(self, start: tuple[bytes, ...], end: tuple[bytes, ...]) -> int:
        """About how many there are from `start` on and before `end`: exactly so within a block."""
        first, last = (max(bisect_right(self._firsts, bound) - 1, 0) for bound in (start, end))
        if not self._blocks:
            return 0
        if first == last:
            block = self._blocks[first]
            return bisect_left(block, end) - bisect_left(block, start)
        return (last - first) * BLOCK_MAX // 2
