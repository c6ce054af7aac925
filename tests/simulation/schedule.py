"""A world without a clock: a heap of (time, number, action), run one by one. The same seed gives the same run."""

import hashlib
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Action = Callable[[], None]


class Schedule:
    """`trace` is a hash over all that was noted: two runs are the same if theirs are."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._heap: list[tuple[float, int, Action]] = []
        self._numbers = count()
        self._hash = hashlib.sha256()

    def at(self, time_s: float, action: Action) -> None:
        heappush(self._heap, (time_s, next(self._numbers), action))

    def after(self, delay_s: float, action: Action) -> None:
        self.at(self.now_s + delay_s, action)

    def every(self, interval_s: float, action: Action, first_s: float) -> None:
        def again() -> None:
            action()
            self.after(interval_s, again)

        self.after(first_s, again)

    def run_until(self, time_s: float) -> None:
        while self._heap and self._heap[0][0] <= time_s:
            self.now_s, _, action = heappop(self._heap)
            action()
        self.now_s = time_s

    def note(self, *what: object) -> None:
        self._hash.update(f"{self.now_s:.6f} {what!r}\n".encode())

    @property
    def trace(self) -> str:
        return self._hash.hexdigest()
