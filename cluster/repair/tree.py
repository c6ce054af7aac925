"""A Merkle tree of one token range: digests of what lies in equal parts of it (utils/MerkleTree.java).

All trees of a range are cut alike: leaf i of 2^depth is the i-th of so many parts of equal width. A leaf's digest is the XOR
of the digests of its partitions, so neither the order nor the number of sources matters, and the digest of two leaves
together, which a tree that is less deep has, is the XOR of theirs. So replicas may choose their depths for themselves.

As bytes, of fixed size per leaf that holds anything:

    0   8   start of the range, exclusive; signed
    8   8   its end, inclusive; signed
    16  1   depth
    17  ..  2^depth bits, from the highest of each byte on: whether the leaf holds anything
        ..  of each that does: digest (16), partitions (4), bytes (8)
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from cluster.streaming.ranges import TokenRange
from protocol.errors import PeerError
from storage.memtable.memtable import Position, token_position

DIGEST_BYTES: Final = 16
DEPTH_MAX: Final = 20
"""repair_session_max_tree_depth."""
_TOKENS: Final = 1 << 64
_HALF: Final = 1 << 63
_TOKEN_BYTES: Final = 8
_from_bytes = int.from_bytes
_HEAD = struct.Struct(">qqB")
_LEAF = struct.Struct(">16sIQ")


def width(range_: TokenRange) -> int:
    """How many tokens it holds."""
    return (range_.end - range_.start) % _TOKENS or _TOKENS


def depth_for(range_: TokenRange, partitions: int, depth_max: int = DEPTH_MAX) -> int:
    """So deep that a leaf holds about one of so many partitions."""
    return min(max(partitions - 1, 0).bit_length(), depth_max, width(range_).bit_length() - 1)


class MerkleTree:
    """See the module. `digests`, `partitions` and `sizes` are by leaf; a size is what its partitions' content takes."""

    __slots__ = ("_width", "depth", "digests", "partitions", "range", "sizes")

    def __init__(self, range_: TokenRange, depth: int) -> None:
        self.range, self.depth = range_, depth
        self._width = width(range_)
        leaves = 1 << depth
        assert leaves <= self._width, (range_, depth)
        self.digests = [0] * leaves
        self.partitions = [0] * leaves
        self.sizes = [0] * leaves

    def add(self, token: int, digest: int, size: int) -> None:
        """A partition, whose token lies in the range."""
        self.add_at(token_position(token), digest, size)

    def add_at(self, position: Position, digest: int, size: int) -> None:
        """The same of one by its position."""
        token = _from_bytes(position[:_TOKEN_BYTES], "big") - _HALF
        leaf = (((token - self.range.start - 1) % _TOKENS) << self.depth) // self._width
        self.digests[leaf] ^= digest
        self.partitions[leaf] += 1
        self.sizes[leaf] += size

    @property
    def partition_count(self) -> int:
        return sum(self.partitions)

    def reduced(self, depth: int) -> "MerkleTree":
        """The same tree, less deep."""
        if depth == self.depth:
            return self
        made = MerkleTree(self.range, depth)
        shift = self.depth - depth
        for leaf, digest in enumerate(self.digests):
            made.digests[leaf >> shift] ^= digest
            made.partitions[leaf >> shift] += self.partitions[leaf]
            made.sizes[leaf >> shift] += self.sizes[leaf]
        return made

    def leaf_range(self, first: int, behind: int) -> TokenRange:
        """Of some leaves that lie side by side."""
        low, high = (-(-(leaf * self._width) >> self.depth) for leaf in (first, behind))
        return TokenRange(_wrapped(self.range.start + low), _wrapped(self.range.start + high))

    def size_of(self, range_: TokenRange) -> int:
        """About how many bytes lie in a part of the tree's range."""
        first, last = (self._leaf(token) for token in (_wrapped(range_.start + 1), range_.end))
        return sum(self.sizes[first : last + 1])

    def _leaf(self, token: int) -> int:
        return (((token - self.range.start - 1) % _TOKENS) << self.depth) // self._width

    # --- as bytes ------------------------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        leaves = len(self.digests)
        bits = 0
        body: list[bytes] = []
        for digest, count, size in zip(self.digests, self.partitions, self.sizes, strict=True):
            bits = bits << 1 | (count > 0)
            if count:
                body.append(_LEAF.pack(digest.to_bytes(DIGEST_BYTES, "big"), count, size))
        padded = -leaves % 8
        bitmap = (bits << padded).to_bytes((leaves + padded) // 8, "big")
        return _HEAD.pack(self.range.start, self.range.end, self.depth) + bitmap + b"".join(body)

    @classmethod
    def decode(cls, data: bytes) -> "MerkleTree":
        """Raises PeerError."""
        if len(data) < _HEAD.size:
            raise PeerError(f"a tree of {len(data)} bytes")
        start, end, depth = _HEAD.unpack_from(data)
        found = TokenRange(start, end)
        if depth > DEPTH_MAX or 1 << depth > width(found):
            raise PeerError(f"a tree of depth {depth} of the range {found}")
        tree = cls(found, depth)
        at = _HEAD.size + (len(tree.digests) + 7) // 8
        held = [leaf for leaf in _set_bits(data[_HEAD.size : at]) if leaf < len(tree.digests)]
        if len(data) != at + len(held) * _LEAF.size:
            raise PeerError(f"a tree of {len(held)} leaves in {len(data)} bytes")
        for leaf, (digest, count, size) in zip(held, _LEAF.iter_unpack(data[at:]), strict=True):
            tree.digests[leaf] = int.from_bytes(digest, "big")
            tree.partitions[leaf], tree.sizes[leaf] = count, size
        return tree


def differences(one: MerkleTree, other: MerkleTree) -> list[TokenRange]:
    """Where two trees of one range differ: parts of it, those side by side as one."""
    assert one.range == other.range, (one.range, other.range)
    depth = min(one.depth, other.depth)
    left, right = one.reduced(depth), other.reduced(depth)
    pairs = zip(left.digests, left.partitions, right.digests, right.partitions, strict=True)
    found = [leaf for leaf, (a, m, b, n) in enumerate(pairs) if a != b or m != n]
    return [left.leaf_range(first, last + 1) for first, last in _runs(found)]


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as (first, last) of those without a gap."""
    if not numbers:
        return
    first = numbers[0]
    for before, number in pairwise(numbers):
        if number != before + 1:
            yield first, before
            first = number
    yield first, numbers[-1]


def _set_bits(data: bytes) -> Iterator[int]:
    for index, byte in enumerate(data):
        if byte:
            yield from (index * 8 + bit for bit in range(8) if byte & 0x80 >> bit)


def _wrapped(token: int) -> int:
    """A sum of tokens as a token."""
    return (token + _HALF) % _TOKENS - _HALF
