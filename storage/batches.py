"""Partitions by the batch: what a scan or a compaction reads, from several sources in one order.

An item is (position, number of its source, content), the newest source first. Batches of several sources are cut where the
one that is behind ends, put together and sorted, which Python does faster than a heap can name the next one.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import itemgetter
from typing import TypeVar

from storage.memtable.memtable import Position

Content = TypeVar("Content")
Item = tuple[Position, int, Content]
Batch = tuple[Sequence[Position], Sequence[Content]]
"""Positions in order, and what lies there."""

_position = itemgetter(0)


def in_order(sources: Sequence[Iterator[Batch[Content]]]) -> Iterator[list[Item[Content]]]:
    """The items of all sources in order, in lists that are never empty: all of one position stand in one list. Each list is
    to be used before the next one is asked for."""
    waiting: dict[int, list[Item[Content]]] = {number: [] for number in range(len(sources))}
    while True:
        for number in [number for number, items in waiting.items() if not items]:
            items = _next(sources[number], number)
            if items:
                waiting[number] = items
            else:
                del waiting[number]
        if len(waiting) < 2:
            break
        bound = min(items[-1][0] for items in waiting.values())
        taken: list[Item[Content]] = []
        for number, items in waiting.items():
            cut = len(items) if items[-1][0] == bound else bisect_right(items, bound, key=_position)
            taken += items[:cut]
            waiting[number] = items[cut:]
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
