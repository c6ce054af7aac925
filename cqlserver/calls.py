"""What CQL functions take from the node: its time, its timeuuids, its randomness (functions/model.py, CallContext)."""

from storage.environment.environment import Clock, Rng, TimeUuidSource

CURRENT_VERSION = 5


class NodeCalls:
    """The outside of function calls. `version`: no function's result hangs on the connection's version any more."""

    __slots__ = ("_clock", "_rng", "_timeuuids", "version")

    def __init__(self, clock: Clock, timeuuids: TimeUuidSource, rng: Rng) -> None:
        self._clock, self._timeuuids, self._rng = clock, timeuuids, rng
        self.version = CURRENT_VERSION

    def now_ms(self) -> int:
        return self._clock.wall_us() // 1000

    def now_ns_of_day(self) -> int:
        return self._clock.wall_us() * 1000 % 86_400_000_000_000

    def next_timeuuid(self) -> bytes:
        return self._timeuuids.bytes()

    def random_uuid(self) -> bytes:
        return self._rng.uuid4().bytes
