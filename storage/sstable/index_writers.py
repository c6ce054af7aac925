"""Writes the index files of a big SSTable, Index.db and Summary.db; bti_writer.py those of a trie-indexed one."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from protocol.crc32 import crc32
from storage.environment.environment import AppendFile
from storage.environment.strands import beside
from storage.mutation import Deletion
from storage.sstable import checksums, summary
from storage.sstable.constants import CHECKSUMS, INDEX, SUMMARY, Version
from storage.sstable.index import Block, encode_block, encode_entries, encode_entry, encode_promoted
from storage.sstable.pages import PageSums
from storage.sstable.prefixes import PrefixCodec

FLUSH_BYTES: Final = 64 * 1024

Open = Callable[[str], AppendFile]
"""Makes a component."""
Put = Callable[[str, bytes], None]
"""Writes a whole component, durably."""


class IndexWriter(Protocol):
    def promoted(self, head_bytes: int, deletion: Deletion, blocks: Sequence[Block], end: int) -> bytes:
        """The index of a partition's blocks, for `add`; b"" of one that is narrow. `head_bytes`: what lies before its rows;
        `end`: where these end, from the partition's begin."""

    def add(self, key: bytes, hashes: tuple[int, int], start: int, promoted: bytes) -> None:
        """The next partition: the halves of its key's hash, where it begins in Data.db, the index of its blocks (b"":
        narrow)."""

    def add_run(
        self, keys: Sequence[bytes], hashes: Sequence[tuple[int, int]], starts: Sequence[int], wide: Mapping[int, bytes]
    ) -> None:
        """The same of the next ones; `wide`: the indexes of those that have one, by number."""

    def finish(self, put: Put, filter_bytes: bytes) -> None:
        """Completes the files, durably."""

    def abandon(self) -> None: ...


class GrowingFile:
    """A component that grows: bytes go to the file by the 64 KiB. `sums`: what is told of its pages."""

    __slots__ = ("_file", "_parts", "_size", "_sums", "position")

    def __init__(self, file: AppendFile, sums: PageSums | None = None) -> None:
        self._file, self._sums = file, sums
        self._parts: list[bytes] = []
        self._size = 0
        self.position = 0

    def write(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        self.position += len(data)
        if self._size >= FLUSH_BYTES:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._parts)
        if self._sums is not None:
            self._sums.add(data)
        self._file.write(data)
        self._parts, self._size = [], 0

    def finish(self) -> None:
        self._flush()
        beside(self._file.sync)
        self._file.close()

    def abandon(self) -> None:
        self._file.close()


class BigIndexWriter:
    """See index.py, summary.py, checksums.py."""

    def __init__(self, open_file: Open, interval: int, codec: PrefixCodec, version: Version) -> None:
        self._file = GrowingFile(open_file(INDEX))
        self._codec, self._version = codec, version
        self._interval = interval
        self._keys: list[bytes] = []
        self._positions: list[int] = []
        self._piece: list[bytes] = []  # entries that are not in the file yet
        self._pieces = array("I")
        self._checksum = 0
        self._count = 0
        self._last_key = b""

    def promoted(self, head_bytes: int, deletion: Deletion, blocks: Sequence[Block], end: int) -> bytes:
        if len(blocks) < 2:
            return b""
        codec, version = self._codec, self._version
        return encode_promoted(head_bytes, deletion, [encode_block(block, codec, version) for block in blocks], version)

    def add(self, key: bytes, hashes: tuple[int, int], start: int, promoted: bytes) -> None:
        if self._count % self._interval == 0:
            self._end_piece()
            self._keys.append(key)
            self._positions.append(self._file.position)
        self._piece.append(encode_entry(key, start, promoted))
        self._last_key = key
        self._count += 1

    def add_run(
        self, keys: Sequence[bytes], hashes: Sequence[tuple[int, int]], starts: Sequence[int], wide: Mapping[int, bytes]
    ) -> None:
        if wide:
            for number, (key, both, start) in enumerate(zip(keys, hashes, starts, strict=True)):
                self.add(key, both, start, wide.get(number, b""))
            return
        first, count = 0, len(keys)
        while first < count:
            if self._count % self._interval == 0:
                self._end_piece()
                self._keys.append(keys[first])
                self._positions.append(self._file.position)
            last = min(count, first + self._interval - self._count % self._interval)
            self._piece += encode_entries(keys[first:last], starts[first:last])
            self._count += last - first
            first = last
        self._last_key = keys[-1]

    def _end_piece(self) -> None:
        if self._piece:
            piece = b"".join(self._piece)
            self._pieces.append(crc32(piece))
            self._checksum = crc32(piece, self._checksum)
            self._file.write(piece)
            self._piece = []

    def finish(self, put: Put, filter_bytes: bytes) -> None:
        self._end_piece()
        self._file.finish()
        full_count = -(-self._count // self._interval)
        samples = summary.Summary(
            self._interval, self._keys, self._positions, self._keys[0], self._last_key, full_count
        )
        data = summary.encode(samples)
        put(SUMMARY, data)
        own = checksums.Checksums(crc32(filter_bytes), crc32(data), self._checksum, self._pieces)
        put(CHECKSUMS, checksums.encode(own))

    def abandon(self) -> None:
        self._file.abandon()
