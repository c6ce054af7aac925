"""What CQL functions take from the node: its time, its timeuuids, its randomness (functions/model.py, CallContext)."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from cqlserver.functions.model import Function
from cqlserver.program.config import Config
from storage.environment.environment import Clock, Rng, TimeUuidSource
from storage.schema.metadata import KeyspaceMetadata, Schema

if TYPE_CHECKING:
    from cqlserver.functions.user import UserFunctions

CURRENT_VERSION = 5


class NodeCalls:
    """The outside of function calls. `version`: no function's result hangs on the connection's version any more."""

    __slots__ = ("_clock", "_rng", "_timeuuids", "_users", "version")

    def __init__(
        self, clock: Clock, timeuuids: TimeUuidSource, rng: Rng, schema: Callable[[], Schema], settings: Config
    ) -> None:
        self._clock, self._timeuuids, self._rng = clock, timeuuids, rng
        self._users: Callable[[], UserFunctions] = cache(lambda: _user_functions(schema, settings, self))
        self.version = CURRENT_VERSION

    def now_ms(self) -> int:
        return self._clock.wall_us() // 1000

    def now_ns_of_day(self) -> int:
        return self._clock.wall_us() * 1000 % 86_400_000_000_000

    def next_timeuuid(self) -> bytes:
        return self._timeuuids.bytes()

    def random_uuid(self) -> bytes:
        return self._rng.uuid4().bytes

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def user_functions(self, keyspace: KeyspaceMetadata, name: str) -> Sequence[Function]:
        return self._users().named(keyspace, name) if keyspace.functions else ()


def _user_functions(schema: Callable[[], Schema], settings: Config, calls: NodeCalls) -> "UserFunctions":
    """The interpreter is loaded when a function is first called."""
    from cqlserver.functions.user import UserFunctions

    return UserFunctions(schema, settings, calls)
