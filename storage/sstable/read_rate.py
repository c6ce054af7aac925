"""How often an SSTable is read: an average over two hours, in which the past fades (metrics/RestorableMeter.java)."""

import math
from typing import Final

FADING_S: Final = 7_200.0
INTERVAL_S: Final = 5.0
"""What is told sooner than so long after the last time waits for the next time."""


class ReadRate:
    """Of a count that is told from time to time. `per_s`: reads a second."""

    __slots__ = ("_count", "_has_begun", "_noted_s", "per_s")

    def __init__(self) -> None:
        self._count, self._noted_s = 0, -math.inf
        self._has_begun = False
        self.per_s = 0.0

    def note(self, count: int, now_s: float) -> None:
        elapsed = now_s - self._noted_s
        if elapsed < INTERVAL_S:
            return
        if elapsed < math.inf:
            latest = (count - self._count) / elapsed
            share = 1 - math.exp(-elapsed / FADING_S) if self._has_begun else 1.0
            self.per_s += share * (latest - self.per_s)
            self._has_begun = True
        self._count, self._noted_s = count, now_s
