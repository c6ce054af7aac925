"""Who is down: Hayashibara's phi accrual failure detector, as gms/FailureDetector.java has it.

Phi says how unlikely it is, in powers of ten, that a node which is alive has been silent for so long, by how regularly it
was heard of before. Above the threshold a node is convicted. Pure: the time comes with each call.
"""

from collections import deque
from collections.abc import Hashable
from math import log
from typing import Final, Generic, TypeVar

Peer = TypeVar("Peer", bound=Hashable)

SAMPLES_MAX: Final = 1_000
INITIAL_INTERVAL_S: Final = 2.0
"""What is assumed of a node that was heard of once: twice the time between two rounds of gossip."""
INTERVAL_MAX_S: Final = 2.0
"""A longer silence is no sample: who is often away that long is to be found down, not to be got used to."""
PHI_FACTOR: Final = 1 / log(10)
PHI_CONVICT_THRESHOLD: Final = 8.0
PAUSE_S_MAX: Final = 5.0
"""Whoever did not run himself for so long (a stopped process, a machine asleep) judges nobody for that."""


class _Arrivals:
    """When one node was heard of."""

    __slots__ = ("intervals", "last_s", "sum_s")

    def __init__(self, now_s: float) -> None:
        self.intervals = deque((INITIAL_INTERVAL_S,))
        self.sum_s = INITIAL_INTERVAL_S
        self.last_s = now_s

    def add(self, now_s: float) -> None:
        interval = now_s - self.last_s
        if interval <= INTERVAL_MAX_S:
            if len(self.intervals) == SAMPLES_MAX:
                self.sum_s -= self.intervals.popleft()
            self.intervals.append(interval)
            self.sum_s += interval
        self.last_s = now_s

    def phi(self, now_s: float) -> float:
        mean_s = self.sum_s / len(self.intervals)
        return PHI_FACTOR * (now_s - self.last_s) / mean_s if mean_s > 0 else 0.0


class FailureDetector(Generic[Peer]):
    """Of one node, about all others."""

    def __init__(self, threshold: float = PHI_CONVICT_THRESHOLD) -> None:
        self.threshold = threshold
        self._arrivals: dict[Peer, _Arrivals] = {}
        self._interpreted_s: float | None = None
        self._paused_until_s = 0.0

    def report(self, peer: Peer, now_s: float) -> None:
        """Something new was heard of it."""
        arrivals = self._arrivals.get(peer)
        if arrivals is None:
            self._arrivals[peer] = _Arrivals(now_s)
        else:
            arrivals.add(now_s)

    def forget(self, peer: Peer) -> None:
        self._arrivals.pop(peer, None)

    def phi(self, peer: Peer, now_s: float) -> float:
        """0 for a node that nothing is known of."""
        arrivals = self._arrivals.get(peer)
        return 0.0 if arrivals is None else arrivals.phi(now_s)

    def convicted(self, now_s: float) -> list[Peer]:
        """Who is to be taken for down, to be asked at each round of gossip."""
        before_s, self._interpreted_s = self._interpreted_s, now_s
        if before_s is not None and now_s - before_s > PAUSE_S_MAX:
            self._paused_until_s = now_s + PAUSE_S_MAX
        if now_s < self._paused_until_s:
            return []
        return [peer for peer, arrivals in self._arrivals.items() if arrivals.phi(now_s) > self.threshold]
