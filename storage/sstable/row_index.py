"""The index of one wide partition in Rows.db (io/sstable/format/bti/RowIndexWriter.java, TrieIndexEntry.java).

A trie leads from separators to marks: where a block begins in the partition and which deletion is open there. The first one
is the empty path; the next ones are the shortest that are greater than what is before and not greater than what follows; a
last one is where the rows end. Behind the trie stands the partition's entry, to which Partitions.db leads:

    u16 key length, key, vint position in Data.db, signed vint distance from here to the root, vint number of blocks,
    deletion time of the partition

What separates blocks is not looked at here when reading: they are taken in their order, and where one begins is asked of its
first row. It is kept, for partitions that are copied as bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from protocol.errors import CorruptionError
from protocol.types import MarshalError
from storage.mutation import LIVE, Deletion
from storage.sstable.constants import BoundKind, Version
from storage.sstable.deletions import decode_deletion, encode_deletion
from storage.sstable.index import Block
from storage.sstable.pages import PagedFile
from storage.sstable.prefixes import Prefix
from storage.sstable.trie import TrieFile, sized_bytes, sized_int
from storage.sstable.vints import read_signed, read_unsigned, unsigned

_HAS_OPEN_DELETION: Final = 8
_ENTRY_BYTES: Final = 2 + 65535 + 64
_NOWHERE: Final = Prefix(BoundKind.INCL_START, ())

FirstAt = Callable[[int], Prefix]
"""The clustering or bound that begins at a position of Data.db."""
PathOf = Callable[[Prefix], bytes]
"""Its place in the order of the table as bytes (comparable.py). Raises MarshalError."""


class Mark(NamedTuple):
    """`offset` counts from the partition's begin."""

    path: bytes
    offset: int
    open_deletion: Deletion


def encode_marks(deletion: Deletion, marks: Sequence[Mark], version: Version) -> bytes:
    """As a writer takes them; in no file: deletion of the partition, and for each mark vint length and path, payload's
    flags, vint length and payload."""
    parts = [encode_deletion(deletion, version)]
    for mark in marks:
        flags, payload = _payload(mark, version)
        parts += (unsigned(len(mark.path)), mark.path, bytes((flags, len(payload))), payload)
    return b"".join(parts)


def decode_marks(data: bytes, version: Version) -> tuple[bytes, list[tuple[bytes, int, bytes]]]:
    """The partition's deletion as bytes; path, payload's flags and payload of each mark."""
    _, at = decode_deletion(data, 0, version)
    deletion = data[:at]
    found = []
    while at < len(data):
        size, at = read_unsigned(data, at)
        path, at = data[at : at + size], at + size
        flags, size = data[at], data[at + 1]
        at += 2 + size
        found.append((path, flags, data[at - size : at]))
    return deletion, found


def _payload(mark: Mark, version: Version) -> tuple[int, bytes]:
    offset = sized_bytes(mark.offset)
    if mark.open_deletion == LIVE:
        return len(offset), offset
    return len(offset) | _HAS_OPEN_DELETION, offset + encode_deletion(mark.open_deletion, version)


def marks_of(blocks: Sequence[Block], end: int, path_of: PathOf) -> list[Mark]:
    """Of two blocks and more; `end`: where the partition's rows do. None of clusterings of which Cassandra's form has
    another order than they stand in: bytes that are no values of their type."""
    try:
        edges = [(path_of(block.first), path_of(block.last)) for block in blocks]
    except MarshalError:
        return []
    marks = [Mark(b"", blocks[0].offset, LIVE)]
    for (_, before), (first, _), (previous, block) in zip(edges, edges[1:], pairwise(blocks), strict=False):
        separator = _separator(before, first)
        if separator is None or separator <= marks[-1].path:
            return []
        marks.append(Mark(separator, block.offset, previous.open_deletion))
    last = edges[-1][1]
    if last < marks[-1].path:
        return []
    marks.append(Mark(_nudged(last, _common(last, marks[-1].path)), end, LIVE))
    return marks


def _common(left: bytes, right: bytes) -> int:
    """How many bytes two begin with alike."""
    for at, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return at
    return min(len(left), len(right))


def _separator(before: bytes, first: bytes) -> bytes | None:
    """ByteSource.separatorGt."""
    at = _common(before, first)
    if at == min(len(before), len(first)) or before[at] > first[at]:
        return None
    return before[:at] + bytes((before[at] + 1,))


def _nudged(path: bytes, at: int) -> bytes:
    """A little greater, about as long as `at` (RowIndexWriter.nudge)."""
    for end in range(at, len(path)):
        if path[end] < 0xFF:
            return path[:end] + bytes((path[end] + 1,))
    return path + b"\0"


class RowIndex:
    """The blocks of one wide partition, as index.PromotedIndex has them."""

    __slots__ = ("_blocks", "_first_at", "_marks", "_start", "_version", "deletion", "end", "head_bytes")

    def __init__(
        self, start: int, marks: Sequence[Mark], deletion: Deletion, first_at: FirstAt, version: Version
    ) -> None:
        if len(marks) < 2 or any(left.offset >= right.offset for left, right in pairwise(marks)):
            raise CorruptionError(f"an index of {len(marks)} marks out of order")
        self._start, self._marks, self._first_at, self._version = start, marks, first_at, version
        self._blocks: list[Block | None] = [None] * (len(marks) - 1)
        self.deletion, self.head_bytes = deletion, marks[0].offset
        self.end = start + marks[-1].offset + 1

    @property
    def data(self) -> bytes:
        """As a writer takes it."""
        return encode_marks(self.deletion, self._marks, self._version)

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, index: int) -> Block:
        block = self._blocks[index]
        if block is None:
            offset = self._marks[index].offset
            following = self._marks[index + 1]
            first = self._first_at(self._start + offset)
            block = Block(first, _NOWHERE, offset, following.offset - offset, following.open_deletion)
            self._blocks[index] = block
        return block


def read_row_index(file: PagedFile, place: int, first_at: FirstAt, version: Version) -> tuple[int, RowIndex]:
    """Where the partition begins in Data.db, and its index, of an entry of Rows.db. Raises what DAMAGE lists."""
    size = int.from_bytes(file.read(place, 2), "big")
    data = file.read(place, min(2 + size + 64, _ENTRY_BYTES))
    at = 2 + size
    base = place + at
    start, at = read_unsigned(data, at)
    distance, at = read_signed(data, at)
    count, at = read_unsigned(data, at)
    deletion, _ = decode_deletion(data, at, version)
    marks = list(_marks(file, base + distance, version))
    if len(marks) != count + 1:
        raise CorruptionError(f"{count} blocks of the partition at {start}, {len(marks)} marks")
    return start, RowIndex(start, marks, deletion, first_at, version)


def _marks(file: PagedFile, root: int, version: Version) -> Iterator[Mark]:
    for path, node in TrieFile(file).paths(root):
        size = node.flags & ~_HAS_OPEN_DELETION
        offset = sized_int(node.data, node.payload_at, size)
        opened = LIVE
        if node.flags & _HAS_OPEN_DELETION:
            opened = decode_deletion(node.data, node.payload_at + size, version)[0]
        yield Mark(path, offset, opened)
