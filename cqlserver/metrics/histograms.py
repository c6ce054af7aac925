"""Distributions of the last minutes (metrics/DecayingEstimatedHistogramReservoir.java): buckets that grow by a fifth, in
which a value weighs half as much after a minute.

The weights grow with time instead of shrinking (forward decay), so nothing is done while nobody looks; every half hour they
are taken back to where they began, before they grow too large.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from storage.sstable.histograms import offsets

BUCKETS: Final = 127
"""Of latencies in microseconds, as Cassandra's timers have them: up to half an hour."""
COUNT_BUCKETS: Final = 164
"""Of other numbers."""
MEAN_LIFETIME_S: Final = 60 / math.log(2)
LANDMARK_S: Final = 1_800.0
QUANTILES: Final = (0.5, 0.75, 0.95, 0.98, 0.99, 0.999)
"""Those that Cassandra tells of."""


class Snapshot(NamedTuple):
    """A distribution as it is now. `bounds`: upper ones of the buckets that have something; `weights`: of these, rounded."""

    bounds: tuple[int, ...]
    weights: tuple[int, ...]
    least: int
    """Of the bucket of the least value."""

    def quantile(self, share: float) -> int:
        """The upper bound of the bucket that it is in; 0 where there is nothing."""
        wanted = math.ceil(sum(self.weights) * share)
        for bound, weight in zip(self.bounds, self.weights, strict=True):
            wanted -= weight
            if wanted <= 0:
                return bound
        return 0

    @property
    def max(self) -> int:
        return self.bounds[-1] if self.bounds else 0

    @property
    def mean(self) -> float:
        """Not a number where there is nothing."""
        count = sum(self.weights)
        total = sum(bound * weight for bound, weight in zip(self.bounds, self.weights, strict=True))
        return total / count if count else math.nan

    def percentiles(self) -> list[float]:
        """What nodetool prints of it: 50, 75, 95, 98 and 99 %, least and greatest (NodeProbe.metricPercentilesAsArray)."""
        return [*(float(self.quantile(share)) for share in QUANTILES[:5]), float(self.least), float(self.max)]


class DecayingHistogram:
    """See the module. Values are whole and not negative; with `has_zero` 0 has a bucket of its own."""

    __slots__ = ("_bounds", "_landmark_s", "_weights")

    def __init__(self, now_s: float, count: int = BUCKETS, has_zero: bool = False) -> None:
        self._bounds = (0, *offsets(count)) if has_zero else offsets(count)
        self._landmark_s = now_s
        self._weights: dict[int, float] = {}  # by bucket; the last is of what is larger than all

    def record(self, value: int, times: int, now_s: float) -> None:
        age_s = now_s - self._landmark_s
        if age_s > LANDMARK_S:
            self._rescale(now_s)
            age_s = 0.0
        bucket = bisect_left(self._bounds, value)
        weights = self._weights
        weights[bucket] = weights.get(bucket, 0.0) + times * math.exp(age_s / MEAN_LIFETIME_S)

    def snapshot(self, now_s: float) -> Snapshot:
        return merged((self,), now_s)

    def weights(self, now_s: float) -> dict[int, float]:
        """What the values in each bucket weigh now."""
        factor = math.exp((self._landmark_s - now_s) / MEAN_LIFETIME_S)
        return {bucket: weight * factor for bucket, weight in self._weights.items()}

    @property
    def bounds(self) -> tuple[int, ...]:
        return self._bounds

    def _rescale(self, now_s: float) -> None:
        self._weights = {bucket: weight for bucket, weight in self.weights(now_s).items() if weight >= 0.001}
        self._landmark_s = now_s


class Merging:
    """Several of the same buckets as one, as they are at one moment. What has decayed to less than a half is not there any
    more."""

    __slots__ = ("_bounds", "_now_s", "_weights")

    def __init__(self, now_s: float) -> None:
        self._now_s = now_s
        self._bounds: Sequence[int] = ()
        self._weights: dict[int, float] = {}

    def add(self, histogram: DecayingHistogram) -> None:
        self._bounds, weights = histogram.bounds, self._weights
        for bucket, weight in histogram.weights(self._now_s).items():
            weights[bucket] = weights.get(bucket, 0.0) + weight

    def snapshot(self) -> Snapshot:
        bounds = self._bounds
        found = sorted((bucket, math.floor(weight + 0.5)) for bucket, weight in self._weights.items() if weight >= 0.5)
        if not found:
            return NOTHING
        least = 1 + bounds[found[0][0] - 1] if found[0][0] else 0
        return Snapshot(
            tuple(bounds[min(bucket, len(bounds) - 1)] for bucket, _ in found), tuple(weight for _, weight in found), least
        )


def merged(histograms: Iterable[DecayingHistogram], now_s: float) -> Snapshot:
    """Several at once."""
    merging = Merging(now_s)
    for histogram in histograms:
        merging.add(histogram)
    return merging.snapshot()


NOTHING: Final = Snapshot((), (), 0)
