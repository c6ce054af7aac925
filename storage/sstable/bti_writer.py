"""Writes the index files of a trie-indexed SSTable: Partitions.db (bti_index.py) and Rows.db (row_index.py)."""

from collections.abc import Mapping, Sequence
from typing import Final

from protocol.crc32 import crc32
from storage.memtable.memtable import position_of, position_token
from storage.mutation import Deletion
from storage.sstable import checksums
from storage.sstable.comparable import maybe_form
from storage.sstable.constants import CHECKSUMS, PARTITIONS, ROWS, Version
from storage.sstable.header import SerializationHeader
from storage.sstable.index import Block
from storage.sstable.index_writers import GrowingFile, Open, Put
from storage.sstable.pages import PageSums
from storage.sstable.row_index import decode_marks, encode_marks, marks_of
from storage.sstable.trie import comparable_key, sized_bytes
from storage.sstable.trie_writer import TrieWriter
from storage.sstable.vints import signed, unsigned

_HAS_HASH: Final = 8


class BtiIndexWriter:
    """Each path of Partitions.db is cut where it differs from its neighbours'. A wide partition has an entry in Rows.db, but
    where clusterings are of classes of which it is not known how Cassandra compares them: these have no index."""

    def __init__(self, open_file: Open, header: SerializationHeader, version: Version) -> None:
        self._sums = PageSums(), PageSums()
        self._file = GrowingFile(open_file(PARTITIONS), self._sums[0])
        self._rows = GrowingFile(open_file(ROWS), self._sums[1])
        self._version = version
        self._form = maybe_form(header.clustering, header.reversed)
        self._trie = TrieWriter(self._file)
        self._last: tuple[bytes, int, bytes] | None = None  # path, flags, payload
        self._last_length = 0
        self._count = 0
        self._first_key = self._last_key = b""

    def promoted(self, head_bytes: int, deletion: Deletion, blocks: Sequence[Block], end: int) -> bytes:
        if len(blocks) < 2 or self._form is None:
            return b""
        marks = marks_of(blocks, end, self._form.path)
        return encode_marks(deletion, marks, self._version) if marks else b""

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
        position = sized_bytes(self._put_rows(key, start, promoted) if promoted else ~start)
        self._last = path, _HAS_HASH + len(position) - 1, bytes((hashes[1] & 0xFF,)) + position
        self._last_key = key

    def add_run(
        self, keys: Sequence[bytes], hashes: Sequence[tuple[int, int]], starts: Sequence[int], wide: Mapping[int, bytes]
    ) -> None:
        for number, (key, both, start) in enumerate(zip(keys, hashes, starts, strict=True)):
            self.add(key, both, start, wide.get(number, b""))

    def _put_rows(self, key: bytes, start: int, promoted: bytes) -> int:
        """Where the entry of a wide partition stands in Rows.db."""
        rows = self._rows
        deletion, marks = decode_marks(promoted, self._version)
        trie = TrieWriter(rows)
        for path, flags, payload in marks:
            trie.add(path, flags, payload)
        root = trie.complete()
        place = rows.position
        rows.write(len(key).to_bytes(2, "big") + key)
        rows.write(unsigned(start) + signed(root - rows.position) + unsigned(len(marks) - 1) + deletion)
        return place

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
        own = checksums.TrieChecksums(crc32(filter_bytes), *(sums.complete() for sums in self._sums))
        put(CHECKSUMS, checksums.encode(own))

    def abandon(self) -> None:
        self._file.abandon()
        self._rows.abandon()
