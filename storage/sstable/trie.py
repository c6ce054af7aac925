"""Nodes of the tries in Partitions.db and Rows.db (io/tries/TrieNode.java).

A node's first byte is its type and four bits that say what payload it has; children are pointed to by how far back they are.

    0      payload only
    1, 3   single, no payload: 4 or 12 bits of distance (the first 4 in place of the payload's bits), transition byte
    2, 4   single: transition byte, 8 or 16 bits of distance
    5-9    sparse: u8 count, count transition bytes, count distances of 8, 12, 16, 24, 40 bits
    10-15  dense: u8 first transition byte, u8 last - first, distances of 12, 16, 24, 32, 40, 64 bits; 0: no child

The payload stands behind. Children stand before their parents, and no node lies across a page of 4,096 bytes.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from protocol.errors import CorruptionError
from storage.sstable.pages import PAGE_BYTES, PagedFile

_DISTANCE_BITS: Final = (0, 4, 8, 12, 16, 8, 12, 16, 24, 40, 12, 16, 24, 32, 40, 64)
_DEPTH_MAX: Final = 4 * 65536
_PAGES_MAX: Final = 64


class Node(NamedTuple):
    """`children`: transition byte and place, ascending. `flags`: of the payload, which stands at `payload_at` of `data`."""

    children: list[tuple[int, int]]
    flags: int
    data: bytes
    payload_at: int


class TrieFile:
    """Nodes by place. The pages that they were on last are kept."""

    __slots__ = ("_file", "_pages")

    def __init__(self, file: PagedFile) -> None:
        self._file = file
        self._pages: dict[int, bytes] = {}

    def _page(self, place: int) -> tuple[bytes, int]:
        """The page of a place, and where it is there."""
        number, at = divmod(place, PAGE_BYTES)
        page = self._pages.get(number)
        if page is None:
            if not 0 <= place < self._file.size:
                raise CorruptionError(f"a trie leads to {place} of {self._file.size}")
            if len(self._pages) >= _PAGES_MAX:
                self._pages.clear()
            page = self._pages[number] = self._file.page(number)
        return page, at

    def node(self, place: int) -> Node:
        data, at = self._page(place)
        kind = data[at] >> 4
        flags = data[at] & 15
        bits = _DISTANCE_BITS[kind]
        if kind == 0:
            return Node([], flags, data, at + 1)
        if kind in (1, 3):
            if kind == 1:
                return Node([(data[at + 1], place - flags)], 0, data, at + 2)
            return Node([(data[at + 2], place - (flags << 8 | data[at + 1]))], 0, data, at + 3)
        if kind < 5:
            end = at + 2 + bits // 8
            return Node([(data[at + 1], place - int.from_bytes(data[at + 2 : end], "big"))], flags, data, end)
        if kind < 10:
            count = data[at + 1]
            start = at + 2 + count
            distances = _distances(data, start, count, bits)
            transitions = data[at + 2 : start]
            children = [(byte, place - distance) for byte, distance in zip(transitions, distances, strict=True)]
            return Node(children, flags, data, start + (count * bits + 7) // 8)
        first, count = data[at + 1], data[at + 2] + 1
        distances = _distances(data, at + 3, count, bits)
        children = [(first + i, place - distance) for i, distance in enumerate(distances) if distance]
        return Node(children, flags, data, at + 3 + (count * bits + 7) // 8)

    def payloads(self, root: int) -> Iterator[Node]:
        """The nodes with a payload, in the order of their keys."""
        stack = [root]
        while stack:
            node = self.node(stack.pop())
            if len(stack) > _DEPTH_MAX:
                raise CorruptionError("a trie that is too deep")
            if node.flags:
                yield node
            stack += [place for _, place in reversed(node.children)]

    def paths(self, root: int) -> Iterator[tuple[bytes, Node]]:
        """The same, with what leads to each."""
        path = bytearray()
        stack = [(0, b"", root)]
        while stack:
            depth, transition, place = stack.pop()
            if len(stack) > _DEPTH_MAX:
                raise CorruptionError("a trie that is too deep")
            path[depth - 1 if depth else 0 :] = transition
            node = self.node(place)
            if node.flags:
                yield bytes(path), node
            stack += [(depth + 1, bytes((byte,)), child) for byte, child in reversed(node.children)]


def _distances(data: bytes, start: int, count: int, bits: int) -> list[int]:
    if bits == 12:
        number = int.from_bytes(data[start : start + (count * 12 + 7) // 8], "big")
        padding = -count * 12 % 8
        return [number >> padding + 12 * (count - 1 - i) & 0xFFF for i in range(count)]
    size = bits // 8
    return [int.from_bytes(data[at : at + size], "big") for at in range(start, start + count * size, size)]


def sized_int(data: bytes, at: int, size: int) -> int:
    """Signed, big-endian, in 1 to 8 bytes."""
    return int.from_bytes(data[at : at + size], "big", signed=True)


def sized_bytes(number: int) -> bytes:
    """The same, in as few bytes as it takes."""
    return number.to_bytes(((number if number >= 0 else ~number).bit_length() // 8) + 1, "big", signed=True)


def comparable_key(token: int, key: bytes) -> bytes:
    """A partition's place on the ring as the bytes of its path (DecoratedKey.asComparableBytes)."""
    biased = (token + (1 << 63)).to_bytes(8, "big")
    return b"\x40" + biased + b"\x40" + escaped(key) + b"\x38"


def escaped(value: bytes) -> bytes:
    """Zeros as 00, FE for each further one, FF; at the end 00, and FE for each zero there (ByteSource.AbstractEscaper)."""
    body = value.rstrip(b"\0")
    parts = []
    zeros = 0
    for byte in body:
        if byte:
            if zeros:
                parts.append(b"\0" + b"\xfe" * (zeros - 1) + b"\xff")
                zeros = 0
            parts.append(bytes((byte,)))
        else:
            zeros += 1
    return b"".join(parts) + b"\0" + b"\xfe" * (len(value) - len(body))
