"""How long reads of a table take, and when one more replica is asked because of it (service/reads/*RetryPolicy.java)."""

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Final
from uuid import UUID

SAMPLES_MAX: Final = 256
SAMPLES_MIN: Final = 16
"""Fewer say nothing of a percentile: half the timeout is waited, as Cassandra does with none at all."""
_SORTED_EVERY: Final = 32


class Latencies:
    """The latest samples, in seconds."""

    __slots__ = ("_samples", "_since_sorted", "_sorted")

    def __init__(self) -> None:
        self._samples: deque[float] = deque(maxlen=SAMPLES_MAX)
        self._sorted: list[float] = []
        self._since_sorted = 0

    def took(self, seconds: float) -> None:
        self._samples.append(seconds)
        self._since_sorted += 1

    def maybe_percentile(self, percentile: float) -> float | None:
        """None where there are too few samples."""
        if len(self._samples) < SAMPLES_MIN:
            return None
        if not self._sorted or self._since_sorted >= _SORTED_EVERY:
            self._sorted, self._since_sorted = sorted(self._samples), 0
        return self._sorted[min(len(self._sorted) - 1, int(len(self._sorted) * percentile / 100))]


LatenciesOf = Callable[[UUID], Latencies]
"""Those of a table's reads."""


def speculation_s(policy: str, latencies: Latencies, timeout_s: float) -> float:
    """How long is waited before one more replica is asked; infinity: for ever. `policy` as a table's parameters have it."""
    if policy == "NEVER":
        return inf
    if policy == "ALWAYS":
        return 0.0
    if policy.startswith(("MIN(", "MAX(")):
        parts = [speculation_s(part, latencies, timeout_s) for part in policy[4:-1].split(",")]
        return min(parts) if policy.startswith("MIN") else max(parts)
    if policy.endswith("ms"):
        return float(policy[:-2]) / 1000
    found = latencies.maybe_percentile(float(policy[:-1]))
    return timeout_s / 2 if found is None else found
