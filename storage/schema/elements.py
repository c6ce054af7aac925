"""The elements of a schema by name, as a value: a dict that nobody changes, and that knows what it was made from.

A change of the schema makes new `Elements` that share the elements themselves; `differences` then costs what changed, not
what there is. The copy of the dict is the one thing that grows with it (a microsecond for a hundred elements).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Elements(dict[K, V]):
    """`changed`: the keys at which it may differ from the Elements whose `mark` is `parent`."""

    __slots__ = ("changed", "mark", "parent")

    def __init__(
        self, items: Mapping[K, V] | Iterable[tuple[K, V]] = (), parent: object = None, changed: tuple[K, ...] = ()
    ) -> None:
        super().__init__(items)
        self.mark, self.parent, self.changed = object(), parent, changed


def with_element(elements: Mapping[K, V], key: K, value: V) -> Elements[K, V]:
    made = Elements(elements, _mark(elements), (key,))
    made[key] = value
    return made


def without_element(elements: Mapping[K, V], key: K) -> Elements[K, V]:
    made = Elements(elements, _mark(elements), (key,))
    made.pop(key, None)
    return made


def differences(old: Mapping[K, V], new: Mapping[K, V]) -> Collection[K]:
    """The keys at which `new` may have another element than `old`, those that are only in `old` first."""
    if old is new:
        return ()
    if isinstance(old, Elements) and isinstance(new, Elements) and new.parent is old.mark:
        return new.changed
    gone = [key for key in old if key not in new]
    return gone + [key for key, value in new.items() if old.get(key) is not value]


def _mark(elements: Mapping[K, V]) -> object:
    return elements.mark if isinstance(elements, Elements) else None
