"""What is counted of checking from which networks roles come (metrics/CIDRAuthorizerMetrics.java)."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from cqlserver.metrics.histograms import COUNT_BUCKETS, DecayingHistogram, Snapshot

UNDEFINED: Final = "Undefined"
"""An address that lies in no group's network."""


class Latency:
    """How long something takes, in nanoseconds, and how often it was done."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._histogram = DecayingHistogram(clock(), COUNT_BUCKETS)
        self.count = 0

    @contextmanager
    def timed(self) -> Iterator[None]:
        began_s = self._clock()
        try:
            yield
        finally:
            now_s = self._clock()
            self.count += 1
            self._histogram.record(round((now_s - began_s) * 1e9), 1, now_s)

    def snapshot(self) -> Snapshot:
        return self._histogram.snapshot(self._clock())


class NetworkCounts:
    """`accepted`, `rejected`: accesses by group. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.accepted: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.checks, self.lookups, self.reloads = Latency(clock), Latency(clock), Latency(clock)

    def checked(self, groups: Iterable[str], is_accepted: bool) -> None:
        """Somebody came from a network of these groups."""
        (self.accepted if is_accepted else self.rejected).update(list(groups) or [UNDEFINED])
