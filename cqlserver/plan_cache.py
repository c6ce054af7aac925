"""Plans (or what is made of plans) by key, the oldest leaving first, and found by the tables that they were compiled for.

So that a change of one table costs nothing to the statements about the others: neither the change has to look at them,
nor have they to be compiled again.
"""

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Tables = Iterable[tuple[str, str]]
"""(keyspace, table)"""


class PlanCache(Generic[K, V]):
    """At most `size_max` values, none of them None; `get` is the plain dict's."""

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
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

    def keep(self, key: K, value: V, tables: Tables) -> None:
        """In place of what the key may have had."""
        if key in self._values:
            self.pop(key)
        elif len(self._values) >= self._size_max:
            self.pop(self.oldest())
        self._values[key] = value
        self._tables[key] = distinct = tuple(dict.fromkeys(tables))
        for keyspace, table in distinct:
            self._keys.setdefault(keyspace, {}).setdefault(table, {})[key] = None

    def oldest(self) -> K:
        """The key of the oldest value; there must be one."""
        return next(iter(self._values))

    def pop(self, key: K) -> V:
        value = self._values.pop(key)
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
