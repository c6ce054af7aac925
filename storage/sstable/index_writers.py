"""Writes the index files of an SSTable: Index.db and Summary.db of a big one, Partitions.db and Rows.db of a trie-indexed
one."""

import zlib
from array import array
from collections.abc import Callable
from typing import Final, Protocol

from storage.environment.environment import AppendFile
from storage.environment.strands import beside
from storage.memtable.memtable import position_of, position_token
from storage.sstable import checksums, summary
from storage.sstable.constants import CHECKSUMS, INDEX, PARTITIONS, ROWS, SUMMARY
from storage.sstable.index import encode_entry
from storage.sstable.trie import comparable_key
from storage.sstable.trie_writer import TrieWriter, sized_bytes

FLUSH_BYTES: Final = 64 * 1024
_HAS_HASH: Final = 8

Open = Callable[[str], AppendFile]
"""Makes a component."""
Put = Callable[[str, bytes], None]
"""Writes a whole component, durably."""


class IndexWriter(Protocol):
    def add(self, key: bytes, hashes: tuple[int, int], start: int, promoted: bytes) -> None:
        """The next partition: the halves of its key's hash, where it begins in Data.db, the index of its blocks (b"":
        narrow)."""

    def finish(self, put: Put, filter_bytes: bytes) -> None:
        """Completes the files, durably."""

    def abandon(self) -> None: ...


class GrowingFile:
    """A component that grows: bytes go to the file by the 64 KiB."""

    __slots__ = ("_file", "_parts", "_size", "position")

    def __init__(self, file: AppendFile) -> None:
        self._file = file
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
        self._file.write(b"".join(self._parts))
        self._parts, self._size = [], 0

    def finish(self) -> None:
        self._flush()
        beside(self._file.sync)
        self._file.close()

    def abandon(self) -> None:
        self._file.close()


class BigIndexWriter:
    """See index.py, summary.py, checksums.py."""

    def __init__(self, open_file: Open, interval: int) -> None:
        self._file = GrowingFile(open_file(INDEX))
        self._interval = interval
        self._keys: list[bytes] = []
        self._positions: list[int] = []
        self._piece: list[bytes] = []  # entries that are not in the file yet
        self._pieces = array("I")
        self._checksum = 0
        self._count = 0
        self._last_key = b""

    def add(self, key: bytes, hashes: tuple[int, int], start: int, promoted: bytes) -> None:
        if self._count % self._interval == 0:
            self._end_piece()
            self._keys.append(key)
            self._positions.append(self._file.position)
        self._piece.append(encode_entry(key, start, promoted))
        self._last_key = key
        self._count += 1

    def _end_piece(self) -> None:
        if self._piece:
            piece = b"".join(self._piece)
            self._pieces.append(zlib.crc32(piece))
            self._checksum = zlib.crc32(piece, self._checksum)
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
        own = checksums.Checksums(zlib.crc32(filter_bytes), zlib.crc32(data), self._checksum, self._pieces)
        put(CHECKSUMS, checksums.encode(own))

    def abandon(self) -> None:
        self._file.abandon()


class BtiIndexWriter:
    """See bti_index.py. Each path is cut where it differs from its neighbours'. Rows.db stays empty: a wide partition has
    no index, and is read from its begin on; what separates its blocks would have to be in Cassandra's byte-comparable
    form of each type."""

    def __init__(self, open_file: Open) -> None:
        self._file = GrowingFile(open_file(PARTITIONS))
        self._rows = GrowingFile(open_file(ROWS))
        self._trie = TrieWriter(self._file.write)
        self._last: tuple[bytes, int, bytes] | None = None  # path, flags, payload
        self._last_length = 0
        self._count = 0
        self._first_key = self._last_key = b""

    def add(self, key: bytes, hashes: tuple[int, int], start: int, promoted: bytes) -> None:
        path = comparable_key(position_token(position_of(key)), key)
        if self._last is None:
            self._first_key = key
        else:
            length = 1
            for left, right in zip(self._last[0], path, strict=False):
                if left != right:
                    break
                length += 1
            self._put(max(length, self._last_length))
            self._last_length = length
        position = sized_bytes(~start)
        self._last = path, _HAS_HASH + len(position) - 1, bytes((hashes[1] & 0xFF,)) + position
        self._last_key = key

    def _put(self, length: int) -> None:
        assert self._last is not None
        path, flags, payload = self._last
        self._trie.add(path[:length], flags, payload)
        self._count += 1

    def finish(self, put: Put, filter_bytes: bytes) -> None:
        self._put(self._last_length)
        root = self._trie.complete()
        first = self._file.position
        for key in (self._first_key, self._last_key):
            self._file.write(len(key).to_bytes(2, "big") + key)
        self._file.write(b"".join(number.to_bytes(8, "big") for number in (first, self._count, root)))
        self._file.finish()
        self._rows.finish()

    def abandon(self) -> None:
        self._file.abandon()
        self._rows.abandon()
