"""java.util: sets and maps."""

from collections.abc import Callable
from typing import Any

from cqlserver.java.classes import ClassSource
from cqlserver.java.containers import (
    Entry,
    FrozenList,
    FrozenMap,
    FrozenSet,
    HashMap,
    HashSet,
    JavaMap,
    JavaSet,
    LinkedHashMap,
    LinkedHashSet,
    TreeMap,
    TreeSet,
    iterate,
    new_hash_map,
    new_hash_set,
    sized,
    sorted_items,
    unsupported,
)
from cqlserver.java.errors import thrown
from cqlserver.java.library.collection_parts import ELEMENT_BYTES, GROWS, clear, of_kind, required, writable
from cqlserver.java.library.lists import Comparator
from cqlserver.java.run import Run
from cqlserver.java.values import compare

# --- sets --------------------------------------------------------------------------------------------------------------


def _linked_set(items: Any = None) -> LinkedHashSet:
    made = LinkedHashSet()
    if items is not None:
        made.update(dict.fromkeys(iterate(items)))
    return made


def _tree_set(items: Any = None) -> TreeSet:
    made = TreeSet()
    if isinstance(items, Comparator):
        made.is_reversed = items.is_reversed
    elif items is not None:
        made.update(dict.fromkeys(sorted_items(iterate(items))))
    return made


def _end(at: int) -> Callable[[Any], Any]:
    def run(items: Any) -> Any:
        if not items:
            raise thrown("java.util.NoSuchElementException")
        return list(items.ordered())[at]

    return run


def _near(test: Callable[[int], bool], last: bool) -> Callable[[Any, Any], Any]:
    """floor, ceiling, lower, higher."""

    def run(items: Any, wanted: Any) -> Any:
        found = [item for item in items.ordered() if test(compare(item, wanted) * (-1 if items.is_reversed else 1))]
        return None if not found else found[-1 if last else 0]

    return run


_NEAR: dict[str, Callable[[Any, Any], Any]] = {
    "floor": _near(lambda order: order <= 0, True),
    "lower": _near(lambda order: order < 0, True),
    "ceiling": _near(lambda order: order >= 0, False),
    "higher": _near(lambda order: order > 0, False),
}


def _poll(at: int) -> Callable[[Any], Any]:
    def run(items: Any) -> Any:
        if not items:
            return None
        found = list(items.ordered())[at]
        del items[found]
        return found

    return run


# --- maps --------------------------------------------------------------------------------------------------------------


def _put(run: Run, entries: Any, key: Any, value: Any) -> Any:
    writable(entries)
    if isinstance(entries, TreeMap):
        compare(key, key if not entries else next(iter(entries)))
    if key in entries:
        old = entries[key]
        entries[key] = value
        return old
    run.take(ELEMENT_BYTES * 2)
    entries[key] = value
    entries.added()
    return None


def _put_if_absent(run: Run, entries: Any, key: Any, value: Any) -> Any:
    old = entries.get(key)
    if old is None:
        _put(run, entries, key, value)
    return old


def _put_all(run: Run, entries: Any, others: Any) -> None:
    writable(entries)
    if isinstance(entries, HashMap):
        entries.make_room(len(required(others)))
    for key in others.ordered():
        _put(run, entries, key, others[key])


def _remove_key(entries: Any, key: Any) -> Any:
    return writable(entries).pop(key, None)


def _get_or_default(entries: Any, key: Any, default: Any) -> Any:
    return entries.get(key, default)


def _replaced(entries: Any, key: Any, value: Any) -> Any:
    if key not in entries:
        return None
    old = entries[key]
    entries[key] = value
    return old


def _entry(entries: Any, key: Any) -> Entry:
    return Entry(key, entries[key], entries)


def _entries(entries: Any) -> FrozenSet:
    found = FrozenSet()
    for key in entries.ordered():
        found[_entry(entries, key)] = None
    return found


def _keys(entries: Any) -> FrozenSet:
    found = FrozenSet()
    found.update(dict.fromkeys(entries.ordered()))
    return found


def _values(entries: Any) -> FrozenList:
    return FrozenList([entries[key] for key in entries.ordered()])


def _set_value(entry: Entry, value: Any) -> Any:
    old, entry.value = entry.value, value
    if entry.map is None:
        raise unsupported()
    entry.map[entry.key] = value
    return old


def _linked_map(others: Any = None) -> LinkedHashMap:
    made = LinkedHashMap()
    if others is not None:
        made.update((key, others[key]) for key in others.ordered())
    return made


def _tree_map(others: Any = None) -> TreeMap:
    made = TreeMap()
    if isinstance(others, Comparator):
        made.is_reversed = others.is_reversed
    elif others is not None:
        made.update((key, others[key]) for key in others.ordered())
    return made


def _end_entry(at: int) -> Callable[[Any], Any]:
    def run(entries: Any) -> Any:
        return _entry(entries, list(entries.ordered())[at]) if entries else None

    return run


def frozen_map(*parts: Any) -> FrozenMap:
    made = FrozenMap()
    made.update(zip(parts[::2], parts[1::2], strict=True))
    return made


_MAP: dict[str, Any] = {
    "int size()": len,
    "boolean isEmpty()": lambda entries: not entries,
    "V get(Object)": dict.get,
    "V getOrDefault(Object,V)": _get_or_default,
    "boolean containsKey(Object)": lambda entries, key: key in entries,
    "boolean containsValue(Object)": lambda entries, value: value in entries.values(),
    "V put(K,V)": _put,
    "V putIfAbsent(K,V)": _put_if_absent,
    "void putAll(Map<? extends K,? extends V>)": _put_all,
    "V remove(Object)": _remove_key,
    "V replace(K,V)": _replaced,
    "void clear()": clear,
    "Set<K> keySet()": _keys,
    "Collection<V> values()": _values,
    "Set<Map.Entry<K,V>> entrySet()": _entries,
    "static <K,V> Map<K,V> of()": frozen_map,
    "static <K,V> Map<K,V> of(K,V)": frozen_map,
    "static <K,V> Map<K,V> of(K,V,K,V)": frozen_map,
    "static <K,V> Map<K,V> of(K,V,K,V,K,V)": frozen_map,
}


def _sets() -> list[ClassSource]:
    sorted_members: dict[str, Any] = {
        "E first()": _end(0),
        "E last()": _end(-1),
        "E pollFirst()": _poll(0),
        "E pollLast()": _poll(-1),
        **{f"E {name}(E)": function for name, function in _NEAR.items()},
    }
    return [
        ClassSource(
            "java.util.Set<E> : Collection<E>",
            {"static <T> Set<T> of(T...)": frozen_set},
            of_kind(JavaSet),
            is_abstract=True,
            needs_run=GROWS,
        ),
        ClassSource(
            "java.util.HashSet<E> : Set<E>",
            {
                "new()": HashSet,
                "new(int)": lambda capacity: sized(HashSet(), capacity),
                "new(Collection<? extends E>)": lambda items: new_hash_set(required(items)),
            },
            of_kind((HashSet, LinkedHashSet)),
        ),
        ClassSource(
            "java.util.LinkedHashSet<E> : HashSet<E>",
            {
                "new()": LinkedHashSet,
                "new(int)": lambda capacity: LinkedHashSet(),
                "new(Collection<? extends E>)": lambda items: _linked_set(required(items)),
            },
            of_kind(LinkedHashSet),
        ),
        ClassSource("java.util.SortedSet<E> : Set<E>", sorted_members, of_kind(TreeSet), is_abstract=True),
        ClassSource("java.util.NavigableSet<E> : SortedSet<E>", {}, of_kind(TreeSet), is_abstract=True),
        ClassSource(
            "java.util.TreeSet<E> : NavigableSet<E>",
            {
                "new()": TreeSet,
                "new(Collection<? extends E>)": lambda items: _tree_set(required(items)),
                "new(Comparator<? super E>)": _tree_set,
            },
            of_kind(TreeSet),
        ),
    ]


def _maps() -> list[ClassSource]:
    sorted_members: dict[str, Any] = {
        "K firstKey()": _end(0),
        "K lastKey()": _end(-1),
        "Map.Entry<K,V> firstEntry()": _end_entry(0),
        "Map.Entry<K,V> lastEntry()": _end_entry(-1),
        **{f"K {name}Key(K)": function for name, function in _NEAR.items()},
    }
    hidden = {
        "forEach": "java.util.function.BiConsumer",
        "computeIfAbsent": "java.util.function.Function",
        "computeIfPresent": "java.util.function.BiFunction",
        "compute": "java.util.function.BiFunction",
        "merge": "java.util.function.BiFunction",
        "replaceAll": "java.util.function.BiFunction",
    }
    return [
        ClassSource("java.util.Map<K,V>", _MAP, of_kind(JavaMap), is_abstract=True, needs_run=GROWS, hides=hidden),
        ClassSource(
            "java.util.Map$Entry<K,V>",
            {
                "K getKey()": lambda entry: entry.key,
                "V getValue()": lambda entry: entry.value,
                "V setValue(V)": _set_value,
            },
            of_kind(Entry),
            is_abstract=True,
        ),
        ClassSource(
            "java.util.HashMap<K,V> : Map<K,V>",
            {
                "new()": HashMap,
                "new(int)": lambda capacity: sized(HashMap(), capacity),
                "new(Map<? extends K,? extends V>)": lambda others: new_hash_map(required(others)),
            },
            of_kind((HashMap, LinkedHashMap)),
        ),
        ClassSource(
            "java.util.LinkedHashMap<K,V> : HashMap<K,V>",
            {
                "new()": LinkedHashMap,
                "new(int)": lambda capacity: LinkedHashMap(),
                "new(Map<? extends K,? extends V>)": lambda others: _linked_map(required(others)),
            },
            of_kind(LinkedHashMap),
        ),
        ClassSource("java.util.SortedMap<K,V> : Map<K,V>", sorted_members, of_kind(TreeMap), is_abstract=True),
        ClassSource("java.util.NavigableMap<K,V> : SortedMap<K,V>", {}, of_kind(TreeMap), is_abstract=True),
        ClassSource(
            "java.util.TreeMap<K,V> : NavigableMap<K,V>",
            {
                "new()": TreeMap,
                "new(Map<? extends K,? extends V>)": lambda others: _tree_map(required(others)),
                "new(Comparator<? super K>)": _tree_map,
            },
            of_kind(TreeMap),
        ),
    ]


def sources() -> list[ClassSource]:
    return [*_sets(), *_maps()]


def frozen_set(items: list[Any]) -> FrozenSet:
    made = FrozenSet()
    made.update(dict.fromkeys(items))
    return made
