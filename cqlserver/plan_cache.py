"""Plans (or what is made of plans) by key, bounded in bytes, those used longest ago leaving first, and found by the tables
that they were compiled for.

So that a change of one table costs nothing to the statements about the others: neither the change has to look at them,
nor have they to be compiled again.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Tables = Iterable[tuple[str, str]]
"""(keyspace, table)"""


class PlanCache(Generic[K, V]):
    """Values, none of them None, of at most `bytes_max` together, as those who keep them reckon. `get` is the plain dict's,
    and no use; `use` is. `on_leave`: told the key of each value that has to make room."""

    def __init__(self, bytes_max: int, on_leave: Callable[[K], None] | None = None) -> None:
        self.bytes_max = bytes_max
        self.bytes = 0
        self._on_leave = on_leave
        self._sizes: dict[K, int] = {}
        self._values: dict[K, V] = {}
        self._tables: dict[K, tuple[tuple[str, str], ...]] = {}
        self._keys: dict[str, dict[str, dict[K, None]]] = {}  # keyspace -> table -> keys
        self.get = self._values.get
        self.values = self._values.values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[K]:
        return iter(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def use(self, key: K) -> V | None:
        """The value, which from now on is the one used last."""
        value = self._values.pop(key, None)
        if value is not None:
            self._values[key] = value
        return value

    def keep(self, key: K, value: V, tables: Tables, size: int) -> None:
        """In place of what the key may have had; `size` in bytes, at most `bytes_max`."""
        if key in self._values:
            self.pop(key)
        self._make_room(size)
        self._values[key] = value
        self._sizes[key] = size
        self.bytes += size
        self._tables[key] = distinct = tuple(dict.fromkeys(tables))
        for keyspace, table in distinct:
            self._keys.setdefault(keyspace, {}).setdefault(table, {})[key] = None

    def size_of(self, key: K) -> int:
        return self._sizes[key]

    def grow(self, key: K, size: int) -> None:
        """The value takes so many bytes more. It should be the one used last, which stays."""
        self._sizes[key] += size
        self.bytes += size
        self._make_room(0)

    def _make_room(self, size: int) -> None:
        while self._values and self.bytes + size > self.bytes_max:
            oldest = next(iter(self._values))
            if not size and len(self._values) == 1:
                return
            self.pop(oldest)
            if self._on_leave is not None:
                self._on_leave(oldest)

    def oldest_share(self, share: float) -> Iterator[K]:
        """The keys of those used longest ago, that take so much of `bytes_max`, where all take more than half of it."""
        left = int(self.bytes_max * share) if self.bytes * 2 > self.bytes_max else 0
        for key in self._values:
            left -= self._sizes[key]
            if left < 0:
                return
            yield key

    def pop(self, key: K) -> V:
        value = self._values.pop(key)
        self.bytes -= self._sizes.pop(key)
        for keyspace, table in self._tables.pop(key):
            by_table = self._keys[keyspace]
            del by_table[table][key]
            if not by_table[table]:
                del by_table[table]
                if not by_table:
                    del self._keys[keyspace]
        return value

    def keys_about(self, keyspace: str, table: str | None) -> list[K]:
        """The keys whose values were compiled for a table (None: any of the keyspace)."""
        by_table = self._keys.get(keyspace, {})
        if table is not None:
            return list(by_table.get(table, ()))
        return list(dict.fromkeys(key for keys in by_table.values() for key in keys))

    def forget(self, keyspace: str, table: str | None) -> None:
        if keyspace in self._keys:
            for key in self.keys_about(keyspace, table):
                self.pop(key)
