"""Writes a trie of trie.py, node by node as its paths come in order (io/tries/IncrementalTrieWriterBase.java).

Only the nodes of the last path are kept: what lies before it is on the disk. A node that would lie across a page begins
at the next. """

from typing import Final, Protocol

from storage.sstable.pages import PAGE_BYTES

# by what distances have to fit in: bits, type of a single, of a sparse node and its bits, of a dense node and its bits
_LEVELS: Final = (
    (4, 1, (5, 8), (10, 12)),
    (8, 2, (5, 8), (10, 12)),
    (12, 3, (6, 12), (10, 12)),
    (16, 4, (7, 16), (11, 16)),
    (24, 0, (8, 24), (12, 24)),
    (32, 0, (9, 40), (13, 32)),
    (40, 0, (9, 40), (14, 40)),
    (64, 0, (15, 64), (15, 64)),
)
_FIRST_DENSE: Final = 10


class TrieOutput(Protocol):
    """A file that grows."""

    @property
    def position(self) -> int: ...
    def write(self, data: bytes) -> None: ...


class _Node:
    __slots__ = ("children", "flags", "payload")

    def __init__(self) -> None:
        self.children: list[tuple[int, int]] = []
        self.flags = 0
        self.payload = b""


class TrieWriter:
    """At the end of a file."""

    def __init__(self, file: TrieOutput) -> None:
        self._file = file
        self._path = b""
        self._stack = [_Node()]

    def add(self, path: bytes, flags: int, payload: bytes) -> None:
        """A path behind all before."""
        common = 0
        for left, right in zip(self._path, path, strict=False):
            if left != right:
                break
            common += 1
        assert path > self._path or len(self._stack) == 1, (self._path, path)
        self._complete_to(common)
        self._stack += [_Node() for _ in range(len(path) - common)]
        self._path = path
        self._stack[-1].flags, self._stack[-1].payload = flags, payload

    def complete(self) -> int:
        """The place of the root."""
        self._complete_to(0)
        return self._put(self._stack[0])

    def _complete_to(self, depth: int) -> None:
        stack = self._stack
        while len(stack) > depth + 1:
            node = stack.pop()
            stack[-1].children.append((self._path[len(stack) - 1], self._put(node)))

    def _put(self, node: _Node) -> int:
        file = self._file
        data = _encoded(node, file.position)
        offset = file.position % PAGE_BYTES
        if offset + len(data) > PAGE_BYTES:
            file.write(bytes(PAGE_BYTES - offset))
            data = _encoded(node, file.position)
        place = file.position
        file.write(data)
        return place


def _encoded(node: _Node, place: int) -> bytes:
    children, flags, payload = node.children, node.flags, node.payload
    if not children:
        return bytes((flags,)) + payload
    distances = [place - child for _, child in children]
    level = next(i for i, (bits, *_) in enumerate(_LEVELS) if max(distances) < 1 << bits)
    if len(children) == 1:
        if flags and level in (0, 2):
            level += 1  # these have no room for a payload
        single = _LEVELS[level][1]
        if single:
            return _single(single, children[0][0], distances[0], flags) + payload
        return _dense(*_LEVELS[level][3], children, distances, flags) + payload
    sparse = _sparse(*_LEVELS[level][2], children, distances, flags)
    dense = _dense(*_LEVELS[level][3], children, distances, flags)
    return (sparse if len(sparse) < len(dense) else dense) + payload


def _single(kind: int, transition: int, distance: int, flags: int) -> bytes:
    if kind == 1:
        return bytes((kind << 4 | distance, transition))
    if kind == 3:
        return bytes((kind << 4 | distance >> 8, distance & 0xFF, transition))
    return bytes((kind << 4 | flags, transition)) + distance.to_bytes(kind // 2, "big")


def _sparse(kind: int, bits: int, children: list[tuple[int, int]], distances: list[int], flags: int) -> bytes:
    if kind >= _FIRST_DENSE:
        return _dense(kind, bits, children, distances, flags)
    transitions = bytes(transition for transition, _ in children)
    return bytes((kind << 4 | flags, len(children) & 0xFF)) + transitions + _numbers(distances, bits)


def _dense(kind: int, bits: int, children: list[tuple[int, int]], distances: list[int], flags: int) -> bytes:
    first, last = children[0][0], children[-1][0]
    numbers = [0] * (last - first + 1)
    for (transition, _), distance in zip(children, distances, strict=True):
        numbers[transition - first] = distance
    return bytes((kind << 4 | flags, first, last - first)) + _numbers(numbers, bits)


def _numbers(numbers: list[int], bits: int) -> bytes:
    if bits != 12:
        return b"".join(number.to_bytes(bits // 8, "big") for number in numbers)
    joined = 0
    for number in numbers:
        joined = joined << 12 | number
    padding = -12 * len(numbers) % 8
    return (joined << padding).to_bytes((12 * len(numbers) + padding) // 8, "big")

