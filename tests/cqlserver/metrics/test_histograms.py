"""Decaying histograms against a dumb twin: all values, each with the time at which it came."""

import math
import random

import pytest

from cqlserver.metrics.histograms import BUCKETS, MEAN_LIFETIME_S, NOTHING, QUANTILES, DecayingHistogram, merged
from storage.sstable.histograms import offsets


class Twin:
    def __init__(self) -> None:
        self.values: list[tuple[int, int, float]] = []

    def quantile(self, share: float, now_s: float) -> int:
        bounds = offsets(BUCKETS)
        weights: dict[int, float] = {}
        for value, times, then_s in self.values:
            bound = next(bound for bound in bounds if value <= bound)
            weights[bound] = weights.get(bound, 0.0) + times * 0.5 ** ((now_s - then_s) / 60)
        rounded = {bound: math.floor(weight + 0.5) for bound, weight in sorted(weights.items())}
        wanted = math.ceil(sum(rounded.values()) * share)
        for bound, weight in rounded.items():
            wanted -= weight
            if weight and wanted <= 0:
                return bound
        return 0


@pytest.mark.parametrize("seed", range(4))
def test_quantiles_are_those_of_values_that_fade(seed: int) -> None:
    rng = random.Random(seed)
    print("seed", seed)
    histogram, twin, now_s = DecayingHistogram(0.0), Twin(), 0.0
    for _ in range(300):
        now_s += rng.expovariate(0.2)
        value, times = int(rng.lognormvariate(6, 2)), rng.randrange(1, 50)
        histogram.record(value, times, now_s)
        twin.values.append((value, times, now_s))
    assert now_s > 60 * 10, "it had time to fade"
    snapshot = histogram.snapshot(now_s)
    assert [snapshot.quantile(share) for share in QUANTILES] == [twin.quantile(share, now_s) for share in QUANTILES]


def test_buckets_are_cassandras() -> None:
    """What its tools showed of values in these buckets: 86, 124, 372, 20501, 454826 microseconds."""
    for bound in (86, 103, 124, 258, 372, 3973, 20501, 454826):
        histogram = DecayingHistogram(0.0)
        histogram.record(bound, 1, 0.0)
        assert histogram.snapshot(0.0).max == bound


def test_weights_halve_in_a_minute_and_survive_a_new_landmark() -> None:
    histogram = DecayingHistogram(0.0)
    histogram.record(100, 1_000, 0.0)
    assert histogram.snapshot(60.0).weights == (500,)
    histogram.record(5, 1_000, 1_801.0)  # beyond half an hour the weights begin anew
    assert histogram.snapshot(1_801.0).weights == (1_000,), "the first thousand have faded to nothing"
    assert math.isclose(MEAN_LIFETIME_S * math.log(2), 60)


def test_what_is_empty_is_zero() -> None:
    assert merged((), 0.0) == NOTHING
    assert DecayingHistogram(0.0).snapshot(5.0).percentiles() == [0.0] * 7


def test_zero_has_a_bucket_of_its_own_where_it_may_be() -> None:
    histogram = DecayingHistogram(0.0, has_zero=True)
    histogram.record(0, 3, 0.0)
    histogram.record(1, 1, 0.0)
    snapshot = histogram.snapshot(0.0)
    assert (snapshot.quantile(0.5), snapshot.max, snapshot.least) == (0, 1, 0)


def test_several_become_one() -> None:
    one, other = DecayingHistogram(0.0), DecayingHistogram(0.0)
    one.record(10, 5, 0.0)
    other.record(1_000, 5, 0.0)
    snapshot = merged((one, other), 0.0)
    assert (snapshot.quantile(0.5), snapshot.quantile(0.75)) == (10, 1109)
