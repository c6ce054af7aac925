"""The index of a big SSTable: Index.db, with the samples of Summary.db in memory.

Looking for a key: bisect in the samples' positions, one pread of the piece of Index.db between two of them, `find` of
`[u16 length][key]` in it: a tenth of the time of going through its entries. What `find` finds may be part of something
else; then another key stands at its position in Data.db, which whoever asks sees, and asks again (`find_surely`).
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from protocol.crc32 import crc32
from protocol.errors import CorruptionError
from storage.environment.environment import Disk, ReadFile
from storage.environment.strands import paused
from storage.memtable.memtable import Position, position_of
from storage.sstable import summary
from storage.sstable.checksums import Checksums
from storage.sstable.constants import DAMAGE, INDEX, SUMMARY, Version, corrupted, named
from storage.sstable.index import Entry, PromotedIndex, decode_entry
from storage.sstable.partition import BlockIndex
from storage.sstable.prefixes import PrefixCodec
from storage.sstable.small_files import open_read
from storage.sstable.stretch import Stretch, StretchMaker
from storage.sstable.summary import Summary
from storage.sstable.vints import EXTRA_BYTES, VALUE_MASKS, read_unsigned

ENTRY_BYTES: Final = 2 + 9 + 9
"""An entry is at most so long, its key and its index aside."""
PIECE_BYTES_MAX: Final = 256 * 1024
"""A piece between two samples that is longer has indexes of wide partitions in it, and is gone through instead of read."""
READ_BYTES: Final = 64 * 1024
"""As much is read together where it is gone through."""

from_bytes = int.from_bytes

PathOf = Callable[[str], str]


class Found(NamedTuple):
    """Where a partition is in Data.db. `following`: where the next one begins, None at the end."""

    start: int
    following: int | None
    promoted: BlockIndex | None

    def end(self, data_bytes: int) -> int:
        return data_bytes if self.following is None else self.following


class BigIndex:
    """See the module."""

    def __init__(
        self,
        path: str,
        file: ReadFile,
        samples: Summary,
        codec: PrefixCodec,
        version: Version,
        checksums: Sequence[int] | None = None,
    ) -> None:
        """`checksums`: of the pieces between samples, where they are known."""
        self.path, self.file, self._checksums = path, file, checksums
        self._samples, self._codec, self._version = samples, codec, version
        self.first_key, self.last_key = samples.first, samples.last
        self._positions: list[Position] | None = None
        self._placing = _Placing(samples.keys)

    @staticmethod
    def open(
        disk: Disk,
        path: PathOf,
        components: tuple[str, ...],
        interval: int,
        codec: PrefixCodec,
        version: Version,
        known: Checksums | None,
        key_count: int,
        faults: list[str],
    ) -> "BigIndex":
        """Without a Summary.db, or where it is not the one that was written, all of Index.db, which has `key_count` entries,
        is gone through once; `faults` gets what is wrong with one of which no checksum is known. Raises CorruptionError."""
        try:
            file = open_read(disk, path(INDEX))
        except FileNotFoundError:
            raise corrupted(path(INDEX), "the file is missing") from None
        try:
            data = disk.read_file(path(SUMMARY)) if SUMMARY in components else None
            samples, pieces = None, None
            if known is None:
                samples = _maybe_proven(path, file, data, faults) if data is not None else None
            elif data is not None and crc32(data) == known.of_summary:
                samples, pieces = _decoded(path, data, file.size), known.pieces
                if len(pieces) != len(samples.keys):
                    raise corrupted(path(INDEX), f"{len(samples.keys)} samples, {len(pieces)} checksums")
            elif _checksum(file, 0, file.size) != known.of_index:
                raise corrupted(path(INDEX), "checksum does not match")
            if samples is None:
                samples = _sampled(path(INDEX), file, interval, key_count)
            return BigIndex(path(INDEX), file, samples, codec, version, pieces)
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        self.file.close()

    def maybe_find(self, position: Position) -> Found | None:
        """The partition at a position of the ring, None where there is none."""
        key = position[8:]
        sample = self._sample_of(position)
        if sample < 0:
            return None
        try:
            start, size = self._piece(sample)
            if size > PIECE_BYTES_MAX:
                return self._found_by_walking(key, sample)
            piece = self.file.pread(start, size)
            self._verify(sample, piece)
            needle = _head(key)
            at = piece.find(needle)
            if at < 0:
                return None
            try:
                return self._entry_at(piece, at + len(needle))
            except DAMAGE:  # it is no entry, but a part of the index of a wide partition
                return self._found_by_walking(key, sample)
        except DAMAGE as error:
            raise named(error, self.path) from None

    def find_surely(self, position: Position) -> Found | None:
        """The same, entry by entry: for where what `maybe_find` found turns out to be something else."""
        try:
            return self._found_by_walking(position[8:], self._sample_of(position))
        except DAMAGE as error:
            raise named(error, self.path) from None

    def stretches(self, start: Position, data_bytes: int) -> Iterator[Stretch]:
        """All from a position on, in order. `data_bytes`: where the last one ends."""
        maker = StretchMaker(self.path, data_bytes, start)
        try:
            for keys, starts, wide in self._pieces(max(self._sample_of(start), 0) if start else 0):
                stretch = maker.add(keys, starts, wide)
                if stretch is not None:
                    yield stretch
        except DAMAGE as error:
            raise named(error, self.path) from None
        stretch = maker.end()
        if stretch is not None:
            yield stretch

    def _pieces(self, first: int) -> Iterator[tuple[list[bytes], list[int], dict[int, BlockIndex]]]:
        """Keys, where they begin in Data.db, and the indexes of wide ones, from a sample on."""
        positions = [*self._samples.positions, self.file.size]
        for sample in range(first, len(positions) - 1):
            start, end = positions[sample], positions[sample + 1]
            if end - start > PIECE_BYTES_MAX:
                self._verify_long(sample, start, end)
                for entry in _walk(self.path, self.file, start, end):
                    index = self._promoted(entry)
                    yield [entry.key], [entry.position], {} if index is None else {0: index}
                continue
            piece = self.file.pread(start, end - start)
            self._verify(sample, piece)
            keys, starts, promoted = _split(piece)
            yield keys, starts, {n: PromotedIndex(data, self._codec, self._version) for n, data in promoted.items()}

    def prepare(self) -> None:
        """Does what the first read would have to wait for; in a strand with pauses. Raises CorruptionError."""
        if self._positions is None:
            self._positions = self._placed()

    def _placed(self) -> list[Position]:
        found = [position_of(key) for key in paused(self._samples.keys)]
        if any(left >= right for left, right in paused(pairwise(found))):
            raise corrupted(self.path, f"the keys of {SUMMARY} are out of order")
        return found

    def _sample_of(self, position: Position) -> int:
        """The sample behind which a position of the ring lies, -1 where it lies before all."""
        positions: Sequence[Position] | None = self._positions
        if positions is None:
            if self._checksums is None:
                self.prepare()
                return self._sample_of(position)
            positions = self._placing  # it is what was written: so it is in order
        return bisect_right(positions, position) - 1

    def _piece(self, sample: int) -> tuple[int, int]:
        """Where the entries from a sample up to the next one stand, with the head of the next one."""
        positions = self._samples.positions
        start = positions[sample]
        if sample + 1 == len(positions):
            return start, self.file.size - start
        end = positions[sample + 1] + ENTRY_BYTES + len(self._samples.keys[sample + 1])
        return start, min(end, self.file.size) - start

    def _verify(self, sample: int, piece: bytes) -> None:
        """The bytes of a piece, and maybe the head of the next one behind them."""
        positions, checksums = self._samples.positions, self._checksums
        start = positions[sample]
        end = positions[sample + 1] if sample + 1 < len(positions) else self.file.size
        size = end - start
        if checksums is None:
            self._verify_key(sample, piece, 0)
            if size < len(piece):
                self._verify_key(sample + 1, piece, size)
        elif crc32(piece[:size] if size < len(piece) else piece) != checksums[sample]:
            raise corrupted(self.path, f"the entries at {start}: checksum does not match")

    def _verify_key(self, sample: int, piece: bytes, at: int) -> None:
        """That a sample's key stands where the summary says: of another server's SSTable nothing else is known of it."""
        if not piece.startswith(_head(self._samples.keys[sample]), at):
            position = self._samples.positions[sample]
            raise corrupted(self.path, f"the entry at {position} has another key than {SUMMARY} says")

    def _pieces_from(self, first: int) -> Iterator[Entry]:
        """The entries from a sample on, of pieces that are verified first."""
        positions = [*self._samples.positions, self.file.size]
        for sample in range(first, len(positions) - 1):
            start, end = positions[sample], positions[sample + 1]
            if end - start > PIECE_BYTES_MAX:
                self._verify_long(sample, start, end)
                yield from _walk(self.path, self.file, start, end)
                continue
            piece = self.file.pread(start, end - start)
            self._verify(sample, piece)
            at = 0
            while at < len(piece):
                entry = decode_entry(piece, at)
                at = entry.end
                yield entry._replace(end=start + at)

    def _verify_long(self, sample: int, start: int, end: int) -> None:
        if self._checksums is None:
            for number in range(sample, min(sample + 2, len(self._samples.keys))):
                head = self.file.pread(self._samples.positions[number], 2 + len(self._samples.keys[number]))
                self._verify_key(number, head, 0)
        elif _checksum(self.file, start, end) != self._checksums[sample]:
            raise corrupted(self.path, f"the entries at {start}: checksum does not match")

    def _entry_at(self, piece: bytes, at: int) -> Found:
        """The entry whose key ends there (decode_entry, of which this is the fast way). Raises IndexError."""
        start, at = read_unsigned(piece, at)
        size = piece[at]
        at += 1
        promoted = None
        if size:
            size, at = read_unsigned(piece, at - 1)
            promoted = PromotedIndex(piece[at : at + size], self._codec, self._version)
            at += size
        if at + 2 <= len(piece):
            return Found(start, read_unsigned(piece, at + 2 + (piece[at] << 8 | piece[at + 1]))[0], promoted)
        if at > len(piece):
            raise IndexError(at)
        return Found(start, None, promoted)

    def _found_by_walking(self, key: bytes, sample: int) -> Found | None:
        found: Entry | None = None
        for entry in self._pieces_from(sample):
            if found is not None:
                return Found(found.position, entry.position, self._promoted(found))
            if entry.key == key:
                found = entry
            elif sample + 1 < len(self._samples.positions) and entry.end >= self._samples.positions[sample + 1]:
                return None
        return None if found is None else Found(found.position, None, self._promoted(found))

    def _promoted(self, entry: Entry) -> PromotedIndex | None:
        return PromotedIndex(entry.promoted, self._codec, self._version) if entry.promoted else None


class _Placing(Sequence[Position]):
    """The positions of the samples of an SSTable that was there at the start: to hash all its keys would keep the first read
    waiting, so each is placed when a bisection comes by, and remembered."""

    __slots__ = ("_found", "_keys")

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys
        self._found: dict[int, Position] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, number: int) -> Position:  # type: ignore[override]  # nobody slices it
        position = self._found.get(number)
        if position is None:
            position = self._found[number] = position_of(self._keys[number])
        return position


def _split(piece: bytes) -> tuple[list[bytes], list[int], dict[int, bytes]]:
    """The entries of a piece: keys, positions, what is said of wide partitions, by number."""
    keys: list[bytes] = []
    positions: list[int] = []
    promoted: dict[int, bytes] = {}
    at, end = 0, len(piece)
    while at < end:
        start = at + 2
        at = start + (piece[at] << 8 | piece[at + 1])
        keys.append(piece[start:at])
        extra = EXTRA_BYTES[piece[at]]
        number = piece[at] & VALUE_MASKS[piece[at]]
        at += 1
        positions.append(number << 8 * extra | from_bytes(piece[at : at + extra], "big") if extra else number)
        at += extra
        size = piece[at]
        at += 1
        if size:
            size, at = read_unsigned(piece, at - 1)
            promoted[len(keys) - 1] = piece[at : at + size]
            at += size
    if at != end:
        raise CorruptionError(f"an entry ends {at - end} bytes behind its piece")
    return keys, positions, promoted


def _walk(path: str, file: ReadFile, start: int, end: int) -> Iterator[Entry]:
    """The entries from `start` up to `end`; `Entry.end` counts in the file."""
    data, base, at, size = b"", start, 0, READ_BYTES
    while base + at < end:
        try:
            entry = decode_entry(data, at)
        except IndexError:
            if at:
                base, at, size = base + at, 0, READ_BYTES
            elif base + len(data) >= file.size:
                raise corrupted(path, f"the entry at {base} is cut off") from None
            elif data:  # it is longer than what was read
                size *= 2
            data = file.pread(base, size)
            continue
        at = entry.end
        yield entry._replace(end=base + at)


def _checksum(file: ReadFile, start: int, end: int) -> int:
    found = 0
    for at in range(start, end, READ_BYTES):
        found = crc32(file.pread(at, min(READ_BYTES, end - at)), found)
    return found


def _head(key: bytes) -> bytes:
    """How its entry begins."""
    return len(key).to_bytes(2, "big") + key


def _decoded(path: PathOf, data: bytes, index_bytes: int) -> Summary:
    """Raises CorruptionError."""
    try:
        samples = summary.decode(data)
        _check(samples, index_bytes)
    except DAMAGE as error:
        raise named(error, path(SUMMARY)) from None
    return samples


def _maybe_proven(path: PathOf, file: ReadFile, data: bytes, faults: list[str]) -> Summary | None:
    """A summary of which no checksum is known; None where it can't be of this index. Its first and last key are looked at
    now, for keys beyond them are not looked for; the others when they are used."""
    try:
        samples = _decoded(path, data, file.size)
        first = _head(samples.first)
        if samples.positions[0] or samples.keys[0] != samples.first or file.pread(0, len(first)) != first:
            raise corrupted(path(SUMMARY), f"{samples.first.hex()} is not the first key")
        if not _is_last(path(INDEX), file, samples):
            raise corrupted(path(SUMMARY), f"{samples.last.hex()} is not the last key")
    except CorruptionError as error:
        faults.append(str(error))
        return None
    return samples


def _is_last(path: str, file: ReadFile, samples: Summary) -> bool:
    """Whether the last entry has the last key."""
    start = max(samples.positions[-1], file.size - READ_BYTES)
    tail = file.pread(start, file.size - start)
    at = tail.rfind(_head(samples.last))
    try:
        if at >= 0 and decode_entry(tail, at).end == len(tail):
            return True
    except IndexError:
        pass  # it is part of the index of a wide partition
    key = b""
    for entry in _walk(path, file, samples.positions[-1], file.size):
        key = entry.key
    return key == samples.last


def _check(samples: Summary, index_bytes: int) -> None:
    before = -1
    for position in paused(samples.positions):
        if not before < position < index_bytes:
            raise CorruptionError(f"a position of {position} behind {before}, in an index of {index_bytes} bytes")
        before = position


def _sampled(path: str, file: ReadFile, interval: int, key_count: int) -> Summary:
    samples = Summary(interval, [], [], b"", b"", 0)
    at = count = 0
    key = b""
    for count, entry in enumerate(_walk(path, file, 0, file.size), 1):
        key = entry.key
        if (count - 1) % interval == 0:
            samples.keys.append(key)
            samples.positions.append(at)
        at = entry.end
    if not count or count != key_count:
        raise corrupted(path, f"{count} entries, the statistics say {key_count}")
    return samples._replace(first=samples.keys[0], last=key, full_count=-(-count // interval))
