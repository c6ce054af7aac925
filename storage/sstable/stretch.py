"""Partitions that lie one behind the other in Data.db, as an index says. What is read through is read by the stretch: a
partition at a time costs several times as much."""

from collections.abc import Sequence
from itertools import islice
from operator import lt
from typing import NamedTuple

from storage.memtable.memtable import Position, hashes_and_positions
from storage.sstable.constants import corrupted
from storage.sstable.partition import BlockIndex
from storage.token import KeyHashes


class Stretch(NamedTuple):
    """`starts` has one more than the others: where the last one ends. `wide`: the indexes of wide ones, by number."""

    positions: Sequence[Position]
    hashes: Sequence[KeyHashes]
    starts: Sequence[int]
    wide: dict[int, BlockIndex]


class StretchMaker:
    """Makes stretches of keys and where they begin, as an index gives them: where one ends only the next ones tell. What is
    out of order is damage."""

    def __init__(self, path: str, data_bytes: int, start: Position) -> None:
        """`start`: what lies before that is left out."""
        self._path, self._data_bytes, self._from = path, data_bytes, start
        self._before: tuple[list[Position], list[KeyHashes], list[int], dict[int, BlockIndex]] | None = None
        self._last: Position = b""

    def add(self, keys: Sequence[bytes], starts: Sequence[int], wide: dict[int, BlockIndex]) -> Stretch | None:
        """The next keys; those before as a stretch."""
        made = self._made(starts[0])
        hashes, positions = hashes_and_positions(keys)
        if positions[0] <= self._last or not all(map(lt, positions, islice(positions, 1, None))):
            raise corrupted(self._path, f"keys out of order behind {self._last.hex()}")
        self._last = positions[-1]
        self._before = positions, hashes, list(starts), wide
        return made

    def end(self) -> Stretch | None:
        return self._made(self._data_bytes)

    def _made(self, end: int) -> Stretch | None:
        if self._before is None:
            return None
        positions, hashes, starts, wide = self._before
        starts.append(end)
        if not all(map(lt, starts, islice(starts, 1, None))):
            raise corrupted(self._path, f"partitions out of order before {end}")
        if positions[0] >= self._from:
            return Stretch(positions, hashes, starts, wide)
        skipped = sum(position < self._from for position in positions)
        if skipped == len(positions):
            return None
        wide = {number - skipped: index for number, index in wide.items() if number >= skipped}
        return Stretch(positions[skipped:], hashes[skipped:], starts[skipped:], wide)
