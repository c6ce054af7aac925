"""What is written of many partitions at once is what is written of each: filter, index entries, sizes; and what is no run
of partitions is refused."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import CorruptionError
from storage.sought import probes
from storage.sstable.constants import END_OF_PARTITION
from storage.sstable.copied import CopiedRun
from storage.sstable.filter import maybe_filter
from storage.sstable.histograms import SIZE_BUCKETS, EstimatedHistogram
from storage.sstable.index import encode_entries, encode_entry
from storage.token import key_hashes, murmur3

I64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(I64, I64), max_size=50), st.sampled_from([0.5, 0.1, 0.01, 0.0001]))
def test_filter(hashes: list[tuple[int, int]], chance: float) -> None:
    one, all_at_once = maybe_filter(50, chance), maybe_filter(50, chance)
    assert one is not None
    assert all_at_once is not None
    for both in hashes:
        one.add(both)
    all_at_once.add_all(hashes)
    assert all_at_once.bits == one.bits
    assert all(all_at_once.may_contain(probes(both, all_at_once.hash_count)) for both in hashes)


@given(
    st.lists(st.binary(min_size=1, max_size=9), min_size=1) | st.lists(st.binary(min_size=4, max_size=4), min_size=1),
    st.sampled_from([0, 100, 16_300, 2**21 - 500, 2**28, 2**35 - 400, 2**49, 2**56]),
)
def test_index_entries(keys: list[bytes], first: int) -> None:
    positions = list(accumulate([first, *([130] * (len(keys) - 1))]))
    assert encode_entries(keys, positions) == [encode_entry(*pair) for pair in zip(keys, positions, strict=True)]


def test_sizes() -> None:
    one, many = EstimatedHistogram(SIZE_BUCKETS), EstimatedHistogram(SIZE_BUCKETS)
    for _ in range(7):
        one.add(130)
    many.add(130, 7)
    assert many.buckets == one.buckets


def test_keys_of_a_run() -> None:
    end = bytes((END_OF_PARTITION,))
    first, second = b"\0\1k" + b"row" + end, b"\0\2kk" + end
    assert CopiedRun((len(first), len(second)), first + second, {}).keys() == [b"k", b"kk"]
    for sizes, data in (
        ((len(first),), first[:-1]),
        ((len(first), 1), first + b"\0"),
        ((len(first) - 1,), first[:-1]),
        ((3,), b"\0\xff" + end),
    ):
        with pytest.raises(CorruptionError, match="copied partitions, of which one at"):
            CopiedRun(sizes, data, {}).keys()


def test_hashes_of_short_keys_are_those_of_the_slow_way() -> None:
    for length in range(1, 9):
        for number in range(256):
            key = bytes((number * (at + 1) + 0x7F) % 256 for at in range(length))
            assert key_hashes(key) == murmur3(key)
