"""What was read of system_auth is believed for a while (auth/AuthCache.java).

Cassandra's caches keep an entry for `validity` and let changes made elsewhere be seen only then. So do these; what a
statement about roles changes on this node is seen at once, because the caches notice.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, Protocol, TypeVar

from cqlserver.program.auth_settings import CacheSettings

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Changing(Protocol):
    """What the entries were read of; `changes` counts what this node changed there."""

    @property
    def changes(self) -> int: ...


class AuthCache(Generic[Key, Value]):
    """`load` reads what is not known, or not believed any more."""

    def __init__(
        self, settings: CacheSettings, clock: Callable[[], float], of: Changing, load: Callable[[Key], Value]
    ) -> None:
        self.settings = settings
        self._clock, self._of, self._load = clock, of, load
        fresh_ms = settings.validity_ms if settings.update_interval_ms is None else settings.update_interval_ms
        self._fresh_s = min(fresh_ms, settings.validity_ms) / 1000
        self._entries: dict[Key, tuple[float, Value]] = {}
        self._seen = of.changes

    def get(self, key: Key) -> Value:
        if not self._fresh_s:
            return self._load(key)
        self._notice()
        now = self._clock()
        known = self._entries.pop(key, None)
        if known is None or known[0] <= now:
            known = now + self._fresh_s, self._load(key)
        while len(self._entries) >= self.settings.max_entries:
            del self._entries[next(iter(self._entries))]
        if self.settings.max_entries > 0:
            self._entries[key] = known  # the one that was asked for last is the last to go
        return known[1]

    def _notice(self) -> None:
        if self._seen != self._of.changes:
            self._seen = self._of.changes
            self._entries.clear()

    def keys(self) -> Iterator[Key]:
        """What is believed now."""
        self._notice()
        now = self._clock()
        return (key for key, (until, _) in self._entries.items() if until > now)

    def forget(self, key: Key) -> None:
        self._entries.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()
