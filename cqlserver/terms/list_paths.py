"""The paths of list items: timeuuids that put an item behind all others, or before them (cql3/Lists.java)."""

from storage.environment.environment import UUID_EPOCH_OFFSET_US, Clock, TimeUuidSource

REFERENCE_MS = 1_262_304_000_000
"""2010-01-01: prepended items get times mirrored at it, so that later ones sort before earlier ones."""
_TICKS_PER_MS = 10_000


class ListPaths:
    """`next()`: behind all paths made so far. `before(count)`: `count` paths before all of them, in order."""

    __slots__ = ("_clock", "_last_ticks", "_timeuuids", "next")

    def __init__(self, clock: Clock, timeuuids: TimeUuidSource) -> None:
        self._clock, self._timeuuids = clock, timeuuids
        self.next = timeuuids.bytes
        self._last_ticks = 1 << 60

    def before(self, count: int) -> list[bytes]:
        now_ms = self._clock.wall_us() // 1000
        mirrored_ms = REFERENCE_MS - (now_ms - REFERENCE_MS)
        ticks = (mirrored_ms * 1000 + UUID_EPOCH_OFFSET_US) * 10 + _TICKS_PER_MS - 1
        last = min(ticks, self._last_ticks - 1)
        first = self._last_ticks = last - count + 1
        return [self._path(first + place) for place in range(count)]

    def _path(self, ticks: int) -> bytes:
        low, mid, high = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF | 0x1000
        # clock sequence and node of this node's own timeuuids
        return (low << 32 | mid << 16 | high).to_bytes(8, "big") + self._timeuuids.bytes()[8:]
