"""Since when which token ranges of a table are repaired, by what sessions of incremental repairs have finished
(repair/consistent/RepairedState.java): the later session counts where two have the same range."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from cluster.ring import TOKEN_MIN
from cluster.streaming.ranges import TokenRange

_RING_END: Final = 1 << 63
"""Behind all tokens; told as the least one, as ends of ranges are."""


class Span(NamedTuple):
    """start < token <= end; goes around nothing."""

    start: int
    end: int

    def __str__(self) -> str:
        return f"({self.start},{TOKEN_MIN if self.end == _RING_END else self.end}]"


class Section(NamedTuple):
    """`repaired_at_ms`: 0 where it never was."""

    span: Span
    repaired_at_ms: int

    def __str__(self) -> str:
        return f"{self.span}={self.repaired_at_ms}"


def spans(ranges: Iterable[TokenRange]) -> list[Span]:
    """Sorted and disjoint; those that touch are one (Range.normalize)."""
    pieces: list[Span] = []
    for start, end in ranges:
        if start < end:
            pieces.append(Span(start, end))
        else:
            pieces.append(Span(start, _RING_END))
            if end != TOKEN_MIN:
                pieces.append(Span(TOKEN_MIN, end))
    found: list[Span] = []
    for piece in sorted(pieces):
        if found and piece.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, piece.end))
        else:
            found.append(piece)
    return found


def without(pieces: Iterable[Span], gone: Sequence[Span]) -> list[Span]:
    """What of some is in none of the others; both are disjoint, the others sorted."""
    left: list[Span] = []
    for piece in pieces:
        at = piece.start
        for start, end in gone:
            if end <= at or start >= piece.end:
                continue
            if at < start:
                left.append(Span(at, start))
            at = end
        if at < piece.end:
            left.append(Span(at, piece.end))
    return left


def sections(repaired: Iterable[tuple[Iterable[TokenRange], int]], ranges: Iterable[TokenRange]) -> list[Section]:
    """Of sessions' ranges and times what is in the given ranges, by their starts; what no session had is there with 0."""
    left = spans(ranges)
    found: list[Section] = []
    for had, repaired_at_ms in sorted(repaired, key=lambda session: -session[1]):
        covered = spans(had)
        rest = without(left, covered)
        found += [Section(span, repaired_at_ms) for span in without(left, rest)]
        left = rest
    return sorted([*found, *(Section(span, 0) for span in left)])
