"""Partitions by the batch: what a scan or a compaction reads, from several sources in one order.

An item is (position, number of its source, content), the newest source first. Batches of several sources are cut where the
one that is behind ends, put together and sorted, which Python does faster than a heap can name the next one. Heaps only
know which sources have anything up to there: of ten thousand SSTables few do.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush, heapreplace
from itertools import repeat
from operator import itemgetter
from typing import Final, TypeVar

from storage.environment.strands import pause
from storage.memtable.memtable import Position

Content = TypeVar("Content")
Item = tuple[Position, int, Content]
Batch = tuple[Sequence[Position], Sequence[Content]]
"""Positions in order, and what lies there."""

SOURCES_PER_GO_MAX: Final = 32
"""The first batches of so many sources are read in a go of the loop: of an SSTable that is 0.1 ms and more."""

_position = itemgetter(0)


def in_order(sources: Sequence[Iterator[Batch[Content]]]) -> Iterator[list[Item[Content]]]:
    """The items of all sources in order, in lists that are never empty: all of one position stand in one list. Each list is
    to be used before the next one is asked for."""
    waiting: dict[int, list[Item[Content]]] = {}
    firsts: list[tuple[Position, int]] = []  # heaps: where what waits of each source begins,
    lasts: list[tuple[Position, int]] = []  # and where it ends
    ended: Sequence[int] = range(len(sources))
    while True:
        are_many = len(ended) > SOURCES_PER_GO_MAX
        for number in ended:
            if are_many:
                pause()
            items = _next(sources[number], number)
            if items:
                waiting[number] = items
                heappush(firsts, (items[0][0], number))
                heappush(lasts, (items[-1][0], number))
        if len(waiting) < 2:
            break
        bound = lasts[0][0]
        ended = exhausted = []
        taken: list[Item[Content]] = []
        while firsts and firsts[0][0] <= bound:
            number = firsts[0][1]
            items = waiting[number]
            if items[-1][0] == bound:
                taken += items
                exhausted.append(number)
                del waiting[number]
                heappop(firsts)
            else:
                cut = bisect_right(items, bound, key=_position)
                taken += items[:cut]
                waiting[number] = items = items[cut:]
                heapreplace(firsts, (items[0][0], number))
        while lasts and lasts[0][0] == bound:
            heappop(lasts)
        taken.sort()  # never by content: no source has a position twice
        yield taken
    for number, items in waiting.items():
        yield items
        while further := _next(sources[number], number):
            yield further


def _next(source: Iterator[Batch[Content]], number: int) -> list[Item[Content]]:
    """Empty behind the last."""
    for positions, contents in source:
        if positions:
            return list(zip(positions, repeat(number), contents, strict=False))
    return []
