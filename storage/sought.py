"""A partition that is looked for, and which of many sources may have it.

What is reckoned of a key (its place on the ring, the bits of bloom filters) is reckoned once for all sources, and not
before the first one asks. Of many sources with a key range each only those are asked whose range has the key: they are
dealt into layers, in each of which no two overlap, so one bisection a layer finds them. Leveled and disjoint SSTables make
a few layers; thousands that cover the whole ring are a layer each, and the bloom filters have to tell.
"""

from bisect import bisect_right
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

from storage.environment.strands import paused
from storage.memtable.memtable import Position, placed
from storage.token import KeyHashes, key_hashes

S = TypeVar("S")

_SIGN: Final = 1 << 63
_WHOLE: Final = 1 << 64


class Sought:
    """A key's partition."""

    __slots__ = ("_hashes", "_probes", "key", "position")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.position: Position = b""
        """Empty until `place` was asked for."""
        self._hashes: KeyHashes = (0, 0)
        self._probes: Sequence[int] = ()

    def place(self) -> Position:
        """Its position."""
        if not self.position:
            self._hashes = hashes = key_hashes(self.key)
            self.position = placed(self.key, hashes[0])
        return self.position

    def probes(self, count: int) -> Sequence[int]:
        """The hashes that a bloom filter of so many looks at: each is one modulo its bits."""
        if len(self._probes) != count:
            self.place()
            self._probes = probes(self._hashes, count)
        return self._probes


def probes(hashes: KeyHashes, count: int) -> list[int]:
    """|second + i * first|, in 64 bits with a sign, of the halves of a key's hash (utils/BloomFilter.java)."""
    step, base = hashes
    found = []
    for _ in range(count):
        found.append(base if base >= 0 else -base)
        base += step
        if base >= _SIGN:
            base -= _WHOLE
        elif base < -_SIGN:
            base += _WHOLE
    return found


class Layers(Generic[S]):
    """See the module. `sources` in an order that is kept; those without `first_position` and `last_position` may have any
    key."""

    __slots__ = ("_anywhere", "_layers", "sources")

    def __init__(self, sources: Sequence[S]) -> None:
        self.sources = sources
        self._anywhere: list[tuple[int, S]] = []
        ranged: list[tuple[Position, int, Position, S]] = []
        for number, source in enumerate(paused(sources)):
            first = getattr(source, "first_position", None)
            if first is None:
                self._anywhere.append((number, source))
            else:
                ranged.append((first, number, source.last_position, source))  # type: ignore[attr-defined]
        ranged.sort()
        self._layers: list[tuple[list[Position], list[tuple[Position, int, S]]]] = []
        ends: list[tuple[Position, int]] = []  # where each layer ends, and its number
        for first, number, last, source in paused(ranged):
            if ends and ends[0][0] < first:
                layer = heappop(ends)[1]
            else:
                layer = len(self._layers)
                self._layers.append(([], []))
            firsts, entries = self._layers[layer]
            firsts.append(first)
            entries.append((last, number, source))
            heappush(ends, (last, layer))

    def around(self, position: Position) -> list[S]:
        """Those that may have something at a position, in their order; with pauses in a strand."""
        found = self._anywhere.copy()
        for firsts, entries in paused(self._layers):
            at = bisect_right(firsts, position) - 1
            if at >= 0:
                last, number, source = entries[at]
                if position <= last:
                    found.append((number, source))
        found.sort()
        return [source for _, source in found]
