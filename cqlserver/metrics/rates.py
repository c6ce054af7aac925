"""How often something happens in a second: averages over 1, 5 and 15 minutes whose past fades (Dropwizard's Meter)."""

import math
from typing import Final

TICK_S: Final = 5.0
_MINUTES: Final = (1, 5, 15)
FIFTEEN_MINUTES: Final = 2
"""Its place in `per_s`."""
_SHARES: Final = tuple(1 - math.exp(-TICK_S / 60 / minutes) for minutes in _MINUTES)


class Rates:
    """Of a count that `tick` is told every TICK_S. `per_s`: over 1, 5 and 15 minutes."""

    __slots__ = ("_count", "_has_begun", "per_s")

    def __init__(self) -> None:
        self._count = 0
        self._has_begun = False
        self.per_s = (0.0, 0.0, 0.0)

    def tick(self, count: int) -> None:
        now = (count - self._count) / TICK_S
        self._count = count
        if not self._has_begun:
            self._has_begun = True
            self.per_s = (now, now, now)
            return
        one, five, fifteen = self.per_s
        self.per_s = (
            one + _SHARES[0] * (now - one),
            five + _SHARES[1] * (now - five),
            fifteen + _SHARES[2] * (now - fifteen),
        )
