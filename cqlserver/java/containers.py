"""java.util's collections: lists are Python lists, sets and maps Python dicts, with Java's order, text and exceptions.

A HashMap gives its entries in the order of its table: by the hash's low bits for the table's size, which grows with what
is put in and never shrinks. Elements of one bucket stand in the order in which they came, which is a dict's own.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any, Final

from cqlserver.java.errors import thrown
from cqlserver.java.values import JavaObject, compare, equals, hash_code, to_int, to_string
from storage.environment.strands import sorted_in_turns

LOAD: Final = 0.75


def _index_failure(index: int, size: int) -> Exception:
    return thrown("IndexOutOfBoundsException", f"Index {index} out of bounds for length {size}")


class JavaList(list[Any], JavaObject):
    """What all lists share. `__eq__` and `__hash__` are Java's, so that lists can be keys."""

    __slots__ = ()
    java_class = "java.util.ArrayList"
    is_fixed = False
    is_frozen = False

    def __hash__(self) -> int:  # type: ignore[override]
        return self.hash_code()

    def hash_code(self) -> int:
        total = 1
        for item in self:
            total = to_int(31 * total + hash_code(item))
        return total

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JavaList) or len(self) != len(other):
            return False
        return all(a is b or (a is not None and equals(a, b)) for a, b in zip(self, other, strict=True))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def to_string(self) -> str:
        return f"[{', '.join('(this Collection)' if item is self else to_string(item) for item in self)}]"


class ArrayList(JavaList):
    __slots__ = ()


class LinkedList(JavaList):
    __slots__ = ()
    java_class = "java.util.LinkedList"


class ArrayDeque(JavaList):
    __slots__ = ()
    java_class = "java.util.ArrayDeque"


class FixedList(JavaList):
    """Arrays.asList: elements may change, their number may not."""

    __slots__ = ()
    java_class = "java.util.Arrays$ArrayList"
    is_fixed = True


class SingletonList(JavaList):
    __slots__ = ()
    java_class = "java.util.Collections$SingletonList"
    is_fixed = True
    is_frozen = True


class FrozenList(JavaList):
    """List.of, Collections.unmodifiableList, and views that this server does not write through."""

    __slots__ = ()
    java_class = "java.util.ImmutableCollections$ListN"
    is_fixed = True
    is_frozen = True


class VectorList(FrozenList):
    """What a vector is read as."""

    __slots__ = ()
    java_class = "com.google.common.collect.RegularImmutableList"


class _Table(dict[Any, Any], JavaObject):
    """What maps and sets share; of a set the values are None."""

    __slots__ = ()
    is_frozen = False

    def ordered(self) -> Iterable[Any]:
        return self

    def added(self) -> None:
        """There is one more."""


def _table_size_for(count: int) -> int:
    return 1 if count <= 1 else 1 << (count - 1).bit_length()


class _Hashed(_Table):
    __slots__ = ("capacity",)

    def __init__(self, capacity: int = 16) -> None:
        super().__init__()
        self.capacity = capacity

    def added(self) -> None:
        while len(self) > self.capacity * LOAD:
            self.capacity *= 2

    def make_room(self, count: int) -> None:
        """As putAll does before it begins."""
        if not self:
            self.capacity = max(_table_size_for(int(count / LOAD + 1.0)), 1) if count else self.capacity
        elif count > self.capacity * LOAD:
            self.capacity *= 2

    def ordered(self) -> Iterable[Any]:
        mask = self.capacity - 1

        def bucket(key: Any) -> int:
            found = hash_code(key) & 0xFFFFFFFF
            return (found ^ (found >> 16)) & mask

        return sorted(self, key=bucket)


class _Sorted(_Table):
    """By compareTo, or against it."""

    __slots__ = ("is_reversed", "keys_in_order")

    def __init__(self) -> None:
        super().__init__()
        self.is_reversed = False

    def ordered(self) -> Iterable[Any]:
        from functools import cmp_to_key

        return sorted(self, key=cmp_to_key(compare), reverse=self.is_reversed)


class JavaMap(_Table):
    __slots__ = ()

    def to_string(self) -> str:
        parts = []
        for key in self.ordered():
            value = self[key]
            parts.append(f"{to_string(key)}={'(this Map)' if value is self else to_string(value)}")
        return "{" + ", ".join(parts) + "}"

    def hash_code(self) -> int:
        return to_int(sum(hash_code(key) ^ hash_code(value) for key, value in self.items()))

    def __hash__(self) -> int:  # type: ignore[override]
        return self.hash_code()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JavaMap) and dict.__eq__(self, other)


class HashMap(_Hashed, JavaMap):
    __slots__ = ()
    java_class = "java.util.HashMap"


class LinkedHashMap(JavaMap):
    __slots__ = ()
    java_class = "java.util.LinkedHashMap"


class TreeMap(_Sorted, JavaMap):
    __slots__ = ()
    java_class = "java.util.TreeMap"


class FrozenMap(JavaMap):
    __slots__ = ()
    java_class = "java.util.Collections$UnmodifiableMap"
    is_frozen = True


class JavaSet(_Table):
    __slots__ = ()

    def to_string(self) -> str:
        return f"[{', '.join(map(to_string, self.ordered()))}]"

    def hash_code(self) -> int:
        return to_int(sum(map(hash_code, self)))

    def __hash__(self) -> int:  # type: ignore[override]
        return self.hash_code()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JavaSet) and self.keys() == other.keys()


class HashSet(_Hashed, JavaSet):
    __slots__ = ()
    java_class = "java.util.HashSet"


class LinkedHashSet(JavaSet):
    __slots__ = ()
    java_class = "java.util.LinkedHashSet"


class TreeSet(_Sorted, JavaSet):
    __slots__ = ()
    java_class = "java.util.TreeSet"


class FrozenSet(JavaSet):
    __slots__ = ()
    java_class = "java.util.Collections$UnmodifiableSet"
    is_frozen = True


class Entry(JavaObject):
    """Of a map: setValue writes through."""

    __slots__ = ("key", "map", "value")
    java_class = "java.util.HashMap$Node"

    def __init__(self, key: Any, value: Any, of: JavaMap | None) -> None:
        self.key, self.value, self.map = key, value, of

    def to_string(self) -> str:
        return f"{to_string(self.key)}={to_string(self.value)}"

    def hash_code(self) -> int:
        return hash_code(self.key) ^ hash_code(self.value)

    def __hash__(self) -> int:
        return self.hash_code()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self.key == other.key and self.value == other.value


def iterate(items: Any) -> Iterator[Any]:
    """As a for-each does: what changes the collection meanwhile is noticed at the next element."""
    expected = len(items)
    if isinstance(items, list):
        at = 0
        while at != len(items):
            if len(items) != expected:
                raise thrown("java.util.ConcurrentModificationException")
            yield items[at]
            at += 1
        return
    for item in list(items.ordered()):
        if len(items) != expected:
            raise thrown("java.util.ConcurrentModificationException")
        yield item


class JavaIterator(JavaObject):
    __slots__ = ("_at", "_expected", "_items", "_order")
    java_class = "java.util.Iterator"

    def __init__(self, items: Any) -> None:
        self._items, self._at = items, 0
        self._order = items if isinstance(items, list) else list(items.ordered())
        self._expected = len(items)

    def has_next(self) -> bool:
        return self._at != len(self._order)

    def next(self) -> Any:
        if len(self._items) != self._expected:
            raise thrown("java.util.ConcurrentModificationException")
        if self._at >= len(self._order):
            raise thrown("java.util.NoSuchElementException")
        self._at += 1
        return self._order[self._at - 1]

    def remove(self) -> None:
        if getattr(self._items, "is_frozen", False) or getattr(self._items, "is_fixed", False):
            raise unsupported()
        if self._at == 0:
            raise thrown("IllegalStateException")
        if self._order is self._items:
            self._at -= 1
            del self._items[self._at]
        else:
            del self._items[self._order[self._at - 1]]
        self._expected = len(self._items)


def unsupported() -> Exception:
    return thrown("UnsupportedOperationException")


def checked_index(items: JavaList, index: int) -> int:
    if not 0 <= index < len(items):
        if isinstance(items, LinkedList | SingletonList):
            raise thrown("IndexOutOfBoundsException", f"Index: {index}, Size: {len(items)}")
        if isinstance(items, FixedList):
            raise thrown("ArrayIndexOutOfBoundsException", f"Index {index} out of bounds for length {len(items)}")
        raise _index_failure(index, len(items))
    return index


def index_of(items: list[Any], wanted: Any) -> int:
    for index, item in enumerate(items):
        if item is wanted or (item is not None and equals(item, wanted)):
            return index
    return -1


def sorted_items(items: Iterable[Any]) -> list[Any]:
    """In natural order; what can't be compared is complained about as Java does."""
    found = list(items)
    if all(type(item) is int for item in found) or all(type(item) is str for item in found):
        return sorted_in_turns(found)
    from functools import cmp_to_key

    return sorted(found, key=cmp_to_key(compare))


def binary_search(items: list[Any], wanted: Any) -> int:
    at = bisect_left(items, wanted)
    return at if at < len(items) and items[at] == wanted else -at - 1


def new_hash_map(items: Any = None) -> HashMap:
    made = HashMap()
    if items:
        made.make_room(len(items))
        for key in items.ordered():
            made[key] = items[key]
            made.added()
    return made


def new_hash_set(items: Any = None) -> HashSet:
    made = HashSet()
    if items is not None:
        made.capacity = _table_size_for(max(int(len(items) / LOAD) + 1, 16))
        for item in iterate(items):
            made[item] = None
            made.added()
    return made


def sized(made: Any, capacity: int) -> Any:
    """new HashMap(capacity), new HashSet(capacity)."""
    if capacity < 0:
        raise thrown("IllegalArgumentException", f"Illegal initial capacity: {capacity}")
    made.capacity = _table_size_for(min(capacity, 1 << 30))
    return made
