"""The garbage collector, held so short that it never stops the loop for long.

Rows are bytes, which the collector does not look at, and what ends in the ordinary way is freed by its reference count.
What the collector would do in a full collection is look at everything that lives, data included: hundreds of milliseconds.
So automatic collections are young ones only, and `collect_forever` makes a full one of what has come lately as long as
that is little. What has become too much is taken from the collector's sight for good (gc.freeze); the price is the garbage
in cycles of such a busy second.
"""

import gc
import logging
from collections.abc import Callable

import trio

log = logging.getLogger("cqlserver")

YOUNG_OBJECTS_MAX, YOUNG_COLLECTIONS_MAX = 300, 2
"""The collector's first two thresholds: an automatic collection looks at a thousand objects at most, and at the
rows in them: a block of a partition has 128 (partition.py)."""
_NEVER = 1_000_000
PERIOD_S = 1.0
OBJECTS_MAX = 2_000
COLLECT_S_MAX = 0.002
"""A full collection that took longer (a dict of a million keys is one object, but large) is the last of its objects."""


def set_up() -> None:
    """To be called when the start is over: what there is now stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, YOUNG_COLLECTIONS_MAX, _NEVER)


class Collector:
    """Makes the full collections. `tick` is to be called once in PERIOD_S."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen = _young_collections()
        self._kept = 0

    def tick(self) -> None:
        young = _young_collections() - self._seen
        if not young:
            return
        if self._kept + young * YOUNG_OBJECTS_MAX <= OBJECTS_MAX:
            began = self._clock()
            gc.collect()
            self._kept = len(gc.get_objects(generation=2))
            if self._clock() - began > COLLECT_S_MAX:
                self._freeze()
        else:
            self._freeze()
        self._seen = _young_collections()

    def _freeze(self) -> None:
        gc.freeze()
        self._kept = 0


async def collect_forever(clock: Callable[[], float]) -> None:
    collector = Collector(clock)
    while True:
        await trio.sleep(PERIOD_S)
        collector.tick()


def _young_collections() -> int:
    collections: int = gc.get_stats()[0]["collections"]
    return collections
