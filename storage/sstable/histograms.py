"""The histograms in Statistics.db: of sizes and counts in buckets that grow by a fifth (utils/EstimatedHistogram.java),
and of the times at which tombstones may be dropped (utils/streamhist/StreamingTombstoneHistogramBuilder.java)."""

import math
import struct
from bisect import bisect_left
from functools import lru_cache
from typing import Final

from protocol.errors import CorruptionError

SIZE_BUCKETS: Final = 155
CELLS_BUCKETS: Final = 118
TOMBSTONE_BINS: Final = 100
TOMBSTONE_SPOOL: Final = 100_000
ROUND_S: Final = 60

_I32 = struct.Struct(">i")


@lru_cache(maxsize=8)
def offsets(count: int) -> tuple[int, ...]:
    """The upper bounds of the buckets: each a fifth more than the one before, at least one more."""
    found = [1]
    while len(found) < count:
        last = found[-1]
        following = (last * 12 + 5) // 10  # Math.round: halves go up
        found.append(following if following != last else last + 1)
    return tuple(found)


class EstimatedHistogram:
    """`buckets[i]` counts values up to offsets[i], the last bucket what is larger than all."""

    __slots__ = ("buckets", "offsets")

    def __init__(self, count: int, buckets: list[int] | None = None) -> None:
        self.offsets = offsets(count)
        self.buckets = buckets if buckets is not None else [0] * (count + 1)

    def add(self, value: int, count: int = 1) -> None:
        self.buckets[bisect_left(self.offsets, value)] += count

    def merge(self, other: "EstimatedHistogram", share: float = 1.0) -> None:
        """Adds a share of another's counts."""
        for bound, count in zip((*other.offsets, other.offsets[-1] + 1), other.buckets, strict=True):
            if count:
                self.buckets[bisect_left(self.offsets, bound)] += round(count * share)

    @property
    def count(self) -> int:
        return sum(self.buckets)

    def min(self) -> int:
        """Of the bucket that the least value is in; 0 where there is none."""
        first = next((i for i, count in enumerate(self.buckets) if count), 0)
        return 1 + self.offsets[first - 1] if first else 0

    def max(self) -> int:
        """Of the bucket that the greatest value is in; 0 where there is none."""
        last = next((i for i in range(len(self.buckets) - 1, -1, -1) if self.buckets[i]), -1)
        if last == len(self.offsets):
            return (1 << 63) - 1
        return self.offsets[last] if last >= 0 else 0

    def percentile(self, share: float) -> int:
        """The upper bound of the bucket that it is in; 0 where there are no values."""
        left = math.ceil(self.count * share)
        if not left:
            return 0
        for bound, count in zip(self.offsets, self.buckets, strict=False):
            left -= count
            if left <= 0:
                return bound
        return self.max()

    def mean(self) -> int:
        """Rounded up; 0 where there are no values. What is larger than all buckets is left out."""
        counts = self.buckets[:-1]
        count = sum(counts)
        total = sum(bound * n for bound, n in zip(self.offsets, counts, strict=True))
        return -(-total // count) if count else 0

    def encode(self) -> bytes:
        numbers = [0] * (2 * len(self.buckets))
        numbers[::2] = (self.offsets[0], *self.offsets)
        numbers[1::2] = self.buckets
        return _I32.pack(len(self.buckets)) + struct.pack(f">{len(numbers)}q", *numbers)

    @staticmethod
    def decode(data: bytes, at: int) -> "tuple[EstimatedHistogram, int]":
        size = _I32.unpack_from(data, at)[0]
        end = at + 4 + 16 * size
        if size < 2 or end > len(data):
            raise CorruptionError(f"histogram of {size} buckets at {at} of {len(data)}")
        numbers = struct.unpack_from(f">{2 * size}q", data, at + 4)
        histogram = EstimatedHistogram(1, list(numbers[1::2]))
        bounds = tuple(numbers[2::2])
        usual = offsets(len(bounds)) if len(bounds) in (SIZE_BUCKETS, CELLS_BUCKETS) else bounds
        histogram.offsets = usual if usual == bounds else bounds  # shared: all files' own would take 9 kB each
        return histogram, end


class TombstoneHistogramBuilder:
    """Counts local deletion times, rounded up to a minute. Beyond 100 different ones the two that are closest become one."""

    __slots__ = ("_bins", "_spool")

    def __init__(self) -> None:
        self._bins: dict[int, int] = {}
        self._spool: dict[int, int] = {}

    def add(self, local_deletion_s: int, count: int = 1) -> None:
        point = -(-local_deletion_s // ROUND_S) * ROUND_S
        spool = self._spool
        if point in spool:
            spool[point] += count
        else:
            if len(spool) >= TOMBSTONE_SPOOL:
                self._flush()
            spool[point] = count

    def points(self) -> dict[int, int]:
        """Time -> number of tombstones, sorted."""
        self._flush()
        return dict(sorted(self._bins.items()))

    def _flush(self) -> None:
        bins = dict(sorted(self._bins.items()))
        for point, count in self._spool.items():
            bins[point] = bins.get(point, 0) + count
            if len(bins) > TOMBSTONE_BINS:
                _merge_nearest(bins)
        self._spool.clear()
        self._bins = bins


def _merge_nearest(bins: dict[int, int]) -> None:
    """The two neighbours with the smallest distance, the first of equals, become their weighted mean."""
    points = sorted(bins)
    index = min(range(len(points) - 1), key=lambda i: points[i + 1] - points[i])
    first, second = points[index], points[index + 1]
    left, right = bins.pop(first), bins.pop(second)
    mean = (first * left + second * right) // (left + right)
    mean = min(max(mean, first + 1), second)
    mean = -(-mean // ROUND_S) * ROUND_S
    bins[mean] = bins.get(mean, 0) + left + right
