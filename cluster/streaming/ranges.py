"""Token ranges: what is streamed, and what a node owns (dht/Range.java).

A range goes from its start (exclusive) to its end (inclusive) and may go around the ring's end; one that ends where it
starts is the whole ring. As positions (storage/memtable/memtable.py) ranges are intervals [start, end), sorted and disjoint.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from cluster.replication import ReplicationStrategy
from cluster.ring import TOKEN_MIN, Node, Ring
from storage.memtable.memtable import Position, token_position
from storage.token import MAX_TOKEN


class TokenRange(NamedTuple):
    start: int
    end: int

    def __str__(self) -> str:
        return f"({self.start},{self.end}]"


class Interval(NamedTuple):
    """Partitions with start <= position < end (None: to the ring's end)."""

    start: Position
    end: Position | None


WHOLE_RING: Final = TokenRange(TOKEN_MIN, TOKEN_MIN)
_FIRST: Final[Position] = token_position(TOKEN_MIN)


def intervals(ranges: Iterable[TokenRange]) -> tuple[Interval, ...]:
    """The ranges as intervals of positions, those that touch as one."""
    pieces: list[Interval] = []
    for start, end in ranges:
        low = token_position(start + 1) if start != MAX_TOKEN else None
        high = token_position(end + 1) if end not in (MAX_TOKEN, TOKEN_MIN) else None
        if start < end or end == TOKEN_MIN:
            pieces += [] if low is None else [Interval(low, high)]
            if start == end:
                pieces.append(Interval(_FIRST, low))
        else:
            pieces += [Interval(_FIRST, high), *([] if low is None else [Interval(low, None)])]
    return joined(pieces)


def joined(pieces: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sorted; those that overlap or touch as one."""
    found: list[Interval] = []
    for start, end in sorted(pieces, key=lambda piece: piece.start):
        if end is not None and end <= start:
            continue
        if not found or (found[-1].end is not None and found[-1].end < start):
            found.append(Interval(start, end))
            continue
        before = found.pop()
        last = None if before.end is None or end is None else max(before.end, end)
        found.append(Interval(before.start, last))
    return tuple(found)


def left_from(pieces: Sequence[Interval], position: Position) -> tuple[Interval, ...]:
    """What of intervals lies from a position on."""
    behind = [piece for piece in pieces if piece.end is None or piece.end > position]
    return tuple(Interval(max(piece.start, position), piece.end) for piece in behind)


def holds(pieces: Sequence[Interval], position: Position) -> bool:
    return any(start <= position and (end is None or position < end) for start, end in pieces)


def owned_ranges(strategy: ReplicationStrategy, ring: Ring, node: Node) -> tuple[TokenRange, ...]:
    """Of which the node is a replica, by their ends."""
    return tuple(
        TokenRange(start, end) for start, end, _ in ring.ranges() if node in strategy.replicas(end, ring, node)
    )


def cut(ranges: Iterable[TokenRange], tokens: Iterable[int]) -> tuple[TokenRange, ...]:
    """The same ranges, cut at these tokens, so that none of them holds one but at its end."""
    points = sorted(set(tokens))
    found: list[TokenRange] = []
    for start, end in ranges:
        inner = [token for token in points if contains(TokenRange(start, end), token) and token != end]
        inner.sort(key=lambda token: (token <= start, token))  # those behind the ring's end come last
        bounds = [start, *inner, end]
        found += [TokenRange(low, high) for low, high in pairwise(bounds)]
    return tuple(found)


def contains(one: TokenRange, token: int) -> bool:
    if one.start < one.end:
        return one.start < token <= one.end
    return token > one.start or token <= one.end
