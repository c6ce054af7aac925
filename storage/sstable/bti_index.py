"""The index of a trie-indexed SSTable: Partitions.db and Rows.db (io/sstable/format/bti/PartitionIndex.java,
RowIndexReader.java).

Partitions.db is a trie from partitions (comparable_key) to where they are, each path cut where it is unique; its payload
has a byte of the key's hash and a position: from 0 on that of an entry in Rows.db, below 0 the complement of one in
Data.db. It ends with the first and the last key (u16 length, bytes), and 24 bytes: i64 place of the first key, i64 count,
i64 root. An entry of Rows.db is read by row_index.py. """

import struct
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Final

from protocol.errors import CorruptionError
from storage.environment.environment import Disk, ReadFile
from storage.memtable.memtable import Position, position_token
from storage.sstable.big_index import Found, PathOf
from storage.sstable.checksums import TrieChecksums
from storage.sstable.chunks import DataFile
from storage.sstable.constants import DAMAGE, PARTITIONS, ROWS, Version, corrupted, named
from storage.sstable.pages import PagedFile
from storage.sstable.partition import BlockIndex
from storage.sstable.prefixes import Prefix
from storage.sstable.row_index import FirstAt, RowIndex, read_row_index
from storage.sstable.small_files import open_read
from storage.sstable.stretch import Stretch, StretchMaker
from storage.sstable.trie import Node, TrieFile, comparable_key, sized_int
from storage.token import key_hashes

FOOTER_BYTES: Final = 24
STRETCH_PARTITIONS: Final = 64
_HAS_HASH: Final = 8


class BtiIndex:
    """See the module."""

    def __init__(
        self, path: PathOf, file: ReadFile, rows: ReadFile, data: DataFile, version: Version, known: TrieChecksums | None
    ) -> None:
        """`known`: checksums of the pages, where there are some."""
        self.path, self._rows_path = path(PARTITIONS), path(ROWS)
        self._rows_file = _paged(self._rows_path, rows, known.rows if known is not None else None)
        self.file = _paged(self.path, file, known.partitions if known is not None else None)
        self._data, self._version = data, version
        self.first_at: FirstAt = _unknown
        try:
            self._read_ends()
        except DAMAGE as error:
            raise named(error, self.path) from None

    def _read_ends(self) -> None:
        file = self.file
        footer = file.read(max(file.size - FOOTER_BYTES, 0), FOOTER_BYTES)
        if len(footer) < FOOTER_BYTES:
            raise corrupted(self.path, f"{file.size} bytes")
        first, self.count, self._root = struct.unpack(">qqq", footer)
        if not (0 <= self._root < first < file.size and self.count > 0):
            raise corrupted(self.path, f"{self.count} keys, the root at {self._root}, the first key at {first}")
        keys = file.read(first, file.size - FOOTER_BYTES - first)
        self.first_key, at = _short_bytes(keys, 0)
        self.last_key, at = _short_bytes(keys, at)
        if at != len(keys):
            raise corrupted(self.path, f"the last key ends at {first + at} of {file.size}")

    @staticmethod
    def open(disk: Disk, path: PathOf, data: DataFile, version: Version, known: TrieChecksums | None) -> "BtiIndex":
        files: list[ReadFile] = []
        try:
            for component in (PARTITIONS, ROWS):
                files.append(open_read(disk, path(component)))
            return BtiIndex(path, files[0], files[1], data, version, known)
        except BaseException as error:
            for file in files:
                file.close()
            if isinstance(error, FileNotFoundError):
                raise corrupted(path((PARTITIONS, ROWS)[len(files)]), "the file is missing") from None
            raise

    def prepare(self) -> None:
        """There is nothing to do before the first read."""

    def close(self) -> None:
        self.file.close()
        self._rows_file.close()

    def maybe_find(self, position: Position) -> Found | None:
        """The partition at a position of the ring; it may be another one that begins alike, which its key shows."""
        try:
            return self._find(position)
        except DAMAGE as error:
            raise named(error, self.path) from None

    def find_surely(self, position: Position) -> Found | None:
        found = self.maybe_find(position)
        return found if found is not None and self._key_at(found.start) == position[8:] else None

    def stretches(self, start: Position, data_bytes: int) -> Iterator[Stretch]:
        """All from a position on, in order. `data_bytes`: where the last one ends."""
        maker = StretchMaker(self.path, data_bytes, start)
        nodes = self._from(TrieFile(self.file), start)
        try:
            while several := list(islice(nodes, STRETCH_PARTITIONS)):
                found = [self._resolved(_payload(node)) for node in several]
                keys = [self._key_at(at) for at, _ in found]
                wide: dict[int, BlockIndex] = {n: index for n, (_, index) in enumerate(found) if index is not None}
                stretch = maker.add(keys, [at for at, _ in found], wide)
                if stretch is not None:
                    yield stretch
        except DAMAGE as error:
            raise named(error, self.path) from None
        stretch = maker.end()
        if stretch is not None:
            yield stretch

    # -- inside -------------------------------------------------------------------------------------------------------

    def _find(self, position: Position) -> Found | None:
        key = position[8:]
        trie = TrieFile(self.file)
        node, greater, is_whole = _follow(trie, self._root, _path(position))
        if not node.flags or (node.children and not is_whole):
            return None
        if node.flags >= _HAS_HASH and node.data[node.payload_at] != key_hashes(key)[1] & 0xFF:
            return None
        start, index = self._resolved(_payload(node))
        if index is not None:
            return Found(start, index.end, index)
        following = None
        if greater:
            least = trie.node(greater[-1])
            while not least.flags:
                least = trie.node(least.children[0][1])
            following = self._resolved(_payload(least))[0]
        return Found(start, following, None)

    def _from(self, trie: TrieFile, start: Position) -> Iterator[Node]:
        """The nodes with a payload, from that on which may be the start's."""
        if not start:
            yield from trie.payloads(self._root)
            return
        node, greater, _ = _follow(trie, self._root, _path(start))
        if node.flags:
            yield node
        for place in reversed(greater):
            yield from trie.payloads(place)

    def _resolved(self, place: int) -> tuple[int, RowIndex | None]:
        """Where in Data.db; and the index of a wide partition."""
        if place < 0:
            return ~place, None
        try:
            return read_row_index(self._rows_file, place, self.first_at, self._version)
        except DAMAGE as error:
            raise named(error, self._rows_path) from None

    def _key_at(self, position: int) -> bytes:
        data = self._data
        length = int.from_bytes(data.read(position, min(position + 2, data.size)), "big")
        return data.read(position + 2, min(position + 2 + length, data.size))


def _path(position: Position) -> bytes:
    return comparable_key(position_token(position), position[8:])


def _follow(trie: TrieFile, root: int, path: bytes) -> tuple[Node, list[int], bool]:
    """The node where a path ends or the trie does, what branches off to greater paths on the way (the nearest last), and
    whether the whole path was followed."""
    node = trie.node(root)
    greater: list[int] = []
    for byte in path:
        child = None
        behind = []
        for transition, place in node.children:
            if transition == byte:
                child = place
            elif transition > byte:
                behind.append(place)
        greater += reversed(behind)
        if child is None:
            return node, greater, False
        node = trie.node(child)
    return node, greater, True


def _payload(node: Node) -> int:
    if node.flags >= _HAS_HASH:
        return sized_int(node.data, node.payload_at + 1, node.flags - _HAS_HASH + 1)
    return sized_int(node.data, node.payload_at, node.flags)


def _paged(path: str, file: ReadFile, sums: "array[int] | None") -> PagedFile:
    try:
        return PagedFile(file, sums)
    except CorruptionError as error:
        raise named(error, path) from None


def _short_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    start = at + 2
    end = start + int.from_bytes(data[at:start], "big")
    if end > len(data):
        raise CorruptionError(f"a key ends at {end} of {len(data)}")
    return data[start:end], end


def _unknown(position: int) -> Prefix:
    raise AssertionError(position)
