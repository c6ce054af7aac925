"""Merkle trees: where two differ, whatever their depths; the same as bytes; damaged ones are refused."""

import random
from itertools import pairwise
from pathlib import Path

import pytest

from cluster.repair.tree import DEPTH_MAX, MerkleTree, depth_for, differences, width
from cluster.streaming.ranges import TokenRange, contains
from protocol.errors import PeerError

RANGES = (
    TokenRange(0, 1000),
    TokenRange(-5, 3),
    TokenRange(5 << 60, -5 << 60),
    TokenRange(7, 7),
    TokenRange(-(1 << 63), -(1 << 63)),
    TokenRange(41, 42),
)


def token_in(range_: TokenRange, rng: random.Random) -> int:
    token = range_.start + 1 + rng.randrange(width(range_))
    return (token + (1 << 63)) % (1 << 64) - (1 << 63)


@pytest.mark.parametrize("range_", RANGES)
def test_leaves_are_parts_of_the_range_side_by_side(range_: TokenRange) -> None:
    depth = depth_for(range_, 100)
    tree = MerkleTree(range_, depth)
    leaves = [tree.leaf_range(leaf, leaf + 1) for leaf in range(1 << depth)]
    assert leaves[0].start == range_.start
    assert leaves[-1].end == range_.end
    assert all(left.end == right.start for left, right in pairwise(leaves))
    assert sum(width(leaf) for leaf in leaves) == width(range_)


@pytest.mark.parametrize("range_", RANGES)
def test_what_one_lacks_lies_in_what_differs(range_: TokenRange) -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    one, other = MerkleTree(range_, depth_for(range_, 64)), MerkleTree(range_, depth_for(range_, 16))
    lacking = []
    for number in range(200):
        token, digest = token_in(range_, rng), rng.getrandbits(128)
        one.add(token, digest, 10)
        if number % 40:
            other.add(token, digest, 10)
        else:
            lacking.append(token)
    found = differences(one, other)
    assert found == differences(other, one), seed
    assert all(any(contains(part, token) for part in found) for token in lacking), seed
    assert all(contains(range_, part.end) for part in found), seed
    assert one.partition_count == 200
    assert sum(one.size_of(part) for part in found) >= 10 * len(lacking), seed


@pytest.mark.parametrize("depths", [(6, 6), (6, 3), (0, 6)])
def test_equal_data_does_not_differ_at_any_depth_and_in_any_order(depths: tuple[int, int]) -> None:
    rng = random.Random(7)
    partitions = [(token_in(RANGES[0], rng), rng.getrandbits(128)) for _ in range(100)]
    one, other = (MerkleTree(RANGES[0], depth) for depth in depths)
    for token, digest in partitions:
        one.add(token, digest, 1)
    for token, digest in reversed(partitions):
        other.add(token, digest, 1)
    assert differences(one, other) == []


def test_the_same_partition_twice_is_not_nothing() -> None:
    """A digest XORed with itself is 0."""
    one, other = MerkleTree(RANGES[0], 0), MerkleTree(RANGES[0], 0)
    one.add(5, 1234, 1)
    one.add(6, 1234, 1)
    assert differences(one, other) == [RANGES[0]]


@pytest.mark.parametrize("range_", RANGES)
def test_a_tree_is_the_same_after_the_wire(range_: TokenRange) -> None:
    rng = random.Random(3)
    tree = MerkleTree(range_, depth_for(range_, 1 << 8))
    for _ in range(50):
        tree.add(token_in(range_, rng), rng.getrandbits(128), rng.randrange(1000))
    data = tree.encode()
    again = MerkleTree.decode(data)
    assert (again.range, again.depth) == (tree.range, tree.depth)
    assert (again.digests, again.partitions, again.sizes) == (tree.digests, tree.partitions, tree.sizes)
    for cut in range(len(data)):
        with pytest.raises(PeerError):
            MerkleTree.decode(data[:cut])
    with pytest.raises(PeerError):
        MerkleTree.decode(data + b"\0")


def test_a_tree_deeper_than_its_range_or_than_allowed_is_refused() -> None:
    data = bytearray(MerkleTree(RANGES[-1], 0).encode())
    data[16] = 1
    with pytest.raises(PeerError, match="depth 1 of the range"):
        MerkleTree.decode(bytes(data))
    data[16] = DEPTH_MAX + 1
    with pytest.raises(PeerError):
        MerkleTree.decode(bytes(data))


def test_the_documented_example() -> None:
    page = (Path(__file__).parents[3] / "docs" / "formats" / "internode.md").read_text()
    block = page.split("```tree\n")[1].split("```")[0]
    data = bytes.fromhex("".join(line.split("|")[0] for line in block.splitlines()))
    tree = MerkleTree(TokenRange(0, 8), 1)
    tree.add(5, 1234, 100)
    assert tree.encode() == data
