"""Requests under way in steps, and whose turn it is: by connection, and those who have just begun more often.

A connection has a turn when all others had theirs, however many requests it has under way; its requests take turns among
themselves. What has worked for YOUNG_S is old: long anyway. Of YOUNG_IN_ROW + 1 turns the young have all but one, so that a
short request is through after a few turns though nine others count their megabytes, and those never stand still either.
"""

from collections import deque
from typing import Generic, TypeVar

C = TypeVar("C")
R = TypeVar("R")

YOUNG_S = 0.05
"""So much time a request may take before it is one of the old."""
YOUNG_IN_ROW = 3


class _Ring(Generic[C, R]):
    """Requests by connection, in the order of their turns."""

    def __init__(self) -> None:
        self.by_connection: dict[C, deque[R]] = {}

    def add(self, connection: C, request: R) -> None:
        self.by_connection.setdefault(connection, deque()).append(request)

    def next(self) -> tuple[C, R]:
        """Takes the next one out; there must be one."""
        connection = next(iter(self.by_connection))
        requests = self.by_connection.pop(connection)
        request = requests.popleft()
        if requests:
            self.by_connection[connection] = requests  # behind the others
        return connection, request


class Turns(Generic[C, R]):
    """See the module's text."""

    def __init__(self) -> None:
        self._young: _Ring[C, R] = _Ring()
        self._old: _Ring[C, R] = _Ring()
        self._young_in_row = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, connection: C, request: R, spent_s: float) -> None:
        """Once it has begun, and after each turn; `spent_s`: for how long it has worked."""
        (self._young if spent_s < YOUNG_S else self._old).add(connection, request)
        self._count += 1

    def next(self) -> tuple[C, R]:
        """Takes the one whose turn it is; there must be one."""
        young = self._young
        takes_young = bool(young.by_connection) and (self._young_in_row < YOUNG_IN_ROW or not self._old.by_connection)
        self._young_in_row = self._young_in_row + 1 if takes_young else 0
        self._count -= 1
        return (young if takes_young else self._old).next()

    def take_all(self) -> list[R]:
        """Nobody has a turn any more."""
        requests = [r for ring in (self._young, self._old) for rs in ring.by_connection.values() for r in rs]
        self._young, self._old, self._count = _Ring(), _Ring(), 0
        return requests
