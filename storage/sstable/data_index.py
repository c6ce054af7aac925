"""The index of an SSTable whose own can't be read, made of Data.db alone: partitions lie there one behind the other, each
with its key, and say where they end (BigTableScrubber and BtiTableScrubber do without an index likewise).

What can't be read in Data.db ends it: where the next partition would begin nobody can tell. What lies behind may be anywhere
there, so whoever asks for it hears of the damage.
"""

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from protocol.errors import CorruptionError
from storage.environment.strands import pause
from storage.memtable.memtable import Position, position_of
from storage.sstable.big_index import Found
from storage.sstable.chunks import DataFile
from storage.sstable.constants import (
    DAMAGE,
    END_OF_PARTITION,
    EXTENSION,
    IS_MARKER,
    IS_STATIC,
    Version,
    corrupted,
    named,
)
from storage.sstable.deletions import decode_deletion
from storage.sstable.prefixes import PrefixCodec
from storage.sstable.stretch import Stretch, StretchMaker
from storage.sstable.vints import EXTRA_BYTES, read_unsigned

SAMPLED: Final = 128
"""Partitions from one that is remembered to the next."""
STRETCH_PARTITIONS: Final = 64
READ_BYTES: Final = 256 * 1024
LAST_POSITION: Final[Position] = b"\xff" * 9

Decoded = TypeVar("Decoded")
Decode = Callable[[bytes, int], tuple[Decoded, int]]


class DataIndex:
    """See the module. `damage`: what ended it, if not the file's end."""

    def __init__(self, data: DataFile, codec: PrefixCodec, has_statics: bool, version: Version) -> None:
        """Reads all of Data.db, with pauses. Raises CorruptionError where not even the first partition can be read."""
        self.path = data.path
        self._data, self._codec, self._has_statics, self._version = data, codec, has_statics, version
        self._positions: list[Position] = []
        self._starts: list[int] = []
        self.damage: CorruptionError | None = None
        self._end, last = 0, b""
        count = 0
        try:
            for key, start, end in self._walk(0):
                position = position_of(key)
                if position <= last:
                    raise corrupted(self.path, f"keys out of order behind {last.hex()}")
                if not count % SAMPLED:
                    self._positions.append(position)
                    self._starts.append(start)
                    pause()
                self._end, last = end, position
                count += 1
            if not count:
                raise corrupted(self.path, "there is no partition")
        except DAMAGE as error:
            if not count:
                raise named(error, self.path) from None
            self.damage = named(error, self.path).with_traceback(None)
        self.first_key, self.last_key = self._positions[0][8:], last[8:]
        self.last_position = LAST_POSITION if self.damage is not None else last
        """Up to where something may lie."""

    def prepare(self) -> None:
        """There is nothing to do before the first read."""

    def close(self) -> None:
        """The data file is somebody else's."""

    def maybe_find(self, position: Position) -> Found | None:
        """The partition at a position of the ring, None where there is none. Raises CorruptionError where it may lie behind
        the damage."""
        sample = bisect_right(self._positions, position) - 1
        if sample < 0:
            return None
        key = position[8:]
        for found, start, end in self._walk(self._starts[sample]):
            if found == key:
                return Found(start, end, None)
            if position_of(found) > position:
                return None
        self._assure_whole()
        return None

    find_surely = maybe_find

    def stretches(self, start: Position, data_bytes: int) -> Iterator[Stretch]:
        """All from a position on, in order; then the damage, if there is any, is raised."""
        maker = StretchMaker(self.path, self._end, start)
        keys: list[bytes] = []
        starts: list[int] = []
        sample = max(bisect_right(self._positions, start) - 1, 0)
        for key, at, end in self._walk(self._starts[sample]):
            keys.append(key)
            starts.append(at)
            if len(keys) == STRETCH_PARTITIONS or end == self._end:
                stretch = maker.add(keys, starts, {})
                if stretch is not None:
                    yield stretch
                keys, starts = [], []
        stretch = maker.end()
        if stretch is not None:
            yield stretch
        self._assure_whole()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _assure_whole(self) -> None:
        if self.damage is not None:
            raise CorruptionError(str(self.damage))

    def _walk(self, at: int) -> Iterator[tuple[bytes, int, int]]:
        """Each partition's key, where it begins and where it ends, from one on up to what is known as the end."""
        window = _Window(self._data)
        end = self._end or self._data.size
        while at < end:
            start = at
            key, at = window.decoded(self._head, at)
            is_last = False
            while not is_last:
                is_last, at = window.decoded(self._skipped, at)
                if at > self._data.size:
                    raise corrupted(self.path, f"the partition at {start} ends behind the file")
            yield key, start, at

    def _head(self, data: bytes, at: int) -> tuple[bytes, int]:
        """A partition's key, and where its rows begin."""
        start = at + 2
        end = start + int.from_bytes(data[at:start], "big")
        if end > len(data):
            raise IndexError(end)
        _, at = decode_deletion(data, end, self._version)
        if self._has_statics:
            if not data[at] & EXTENSION or not data[at + 1] & IS_STATIC:
                raise CorruptionError(f"no static row behind the key {data[start:end].hex()}")
            size, at = _number(data, at + 2)
            at += size
        return data[start:end], at

    def _skipped(self, data: bytes, at: int) -> tuple[bool, int]:
        """Whether the partition ends there; and where what stands there ends."""
        flags = data[at]
        if flags & END_OF_PARTITION:
            return True, at + 1
        if flags & IS_MARKER:
            _, at = self._codec.decode_bound(data, at + 1)
        else:
            _, at = self._codec.decode_values(data, at + (2 if flags & EXTENSION else 1), self._codec.count)
        size, at = _number(data, at)
        return False, at + size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """One that is there wholly. Raises IndexError."""
    if at + EXTRA_BYTES[data[at]] >= len(data):
        raise IndexError(at)
    return read_unsigned(data, at)


class _Window:
    """A piece of Data.db, which goes along with who reads it."""

    __slots__ = ("_base", "_data", "_piece")

    def __init__(self, data: DataFile) -> None:
        self._data, self._base, self._piece = data, 0, b""

    def decoded(self, decode: Decode[Decoded], at: int) -> tuple[Decoded, int]:
        """What stands at a place, however long it is, and where it ends."""
        size = READ_BYTES
        if not self._base <= at < self._base + len(self._piece):
            self._read(at, size)
        while True:
            try:
                found, end = decode(self._piece, at - self._base)
                return found, self._base + end
            except (IndexError, struct.error):
                if self._base + len(self._piece) >= self._data.size:
                    raise corrupted(self._data.path, f"it ends within the partition at {at}") from None
            if self._base == at:
                size *= 4
            self._read(at, size)

    def _read(self, at: int, size: int) -> None:
        """As much as can be read of that. Raises CorruptionError where that is no more than there is already."""
        data = self._data
        end = min(at + size, data.size)
        try:
            piece = data.read(at, end, keep=False)
        except CorruptionError:
            piece = self._before_damage(at, end)
            if not piece or (at == self._base and len(piece) <= len(self._piece)):
                raise
        self._base, self._piece = at, piece

    def _before_damage(self, at: int, end: int) -> bytes:
        """Chunk by chunk."""
        data, parts = self._data, list[bytes]()
        while at < end:
            stop = min((at // data.chunk_bytes + 1) * data.chunk_bytes, end)
            try:
                parts.append(data.read(at, stop, keep=False))
            except CorruptionError:
                break
            at = stop
        return b"".join(parts)
