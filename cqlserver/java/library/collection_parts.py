"""What the tables of collections share: checks that Java makes, and the methods of java.util.Collection."""

from collections.abc import Callable
from typing import Any

from cqlserver.java.containers import (
    TreeSet,
    index_of,
    iterate,
    unsupported,
)
from cqlserver.java.errors import thrown
from cqlserver.java.run import Run
from cqlserver.java.values import compare

ELEMENT_BYTES = 64


def of_kind(kind: type | tuple[type, ...]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


def required(value: Any) -> Any:
    if value is None:
        raise thrown("NullPointerException")
    return value


def writable(items: Any, resizes: bool = True) -> Any:
    if getattr(items, "is_frozen", False) or (resizes and getattr(items, "is_fixed", False)):
        raise unsupported()
    return items


# --- collections of any kind -------------------------------------------------------------------------------------------


def add(run: Run, items: Any, item: Any) -> bool:
    writable(items)
    run.take(ELEMENT_BYTES)
    if isinstance(items, list):
        items.append(item)
        return True
    if isinstance(items, TreeSet):
        compare(item, item)
        if items:
            compare(item, next(iter(items)))
    if item in items:
        return False
    items[item] = None
    items.added()
    return True


def add_all(run: Run, items: Any, others: Any) -> bool:
    writable(items)
    if isinstance(items, list):
        added = list(iterate(required(others)))
        run.take(ELEMENT_BYTES * len(added))
        items.extend(added)
        return bool(added)
    before = len(items)
    for other in list(iterate(required(others))):
        add(run, items, other)
    return len(items) != before


def _contains(items: Any, wanted: Any) -> bool:
    return index_of(items, wanted) >= 0 if isinstance(items, list) else wanted in items


def remove(items: Any, wanted: Any) -> bool:
    writable(items)
    if isinstance(items, list):
        at = index_of(items, wanted)
        if at >= 0:
            del items[at]
        return at >= 0
    if wanted in items:
        del items[wanted]
        return True
    return False


def _keep(items: Any, others: Any, wanted: bool) -> bool:
    writable(items)
    required(others)
    before = len(items)
    kept = [item for item in iterate(items) if _contains(others, item) is wanted]
    if isinstance(items, list):
        items[:] = kept
    else:
        for item in list(items):
            if _contains(others, item) is not wanted:
                del items[item]
    return len(items) != before


def clear(items: Any) -> None:
    writable(items).clear()


def _to_array(items: Any, *given: Any) -> list[Any]:
    return list(iterate(items))


COLLECTION: dict[str, Any] = {
    "int size()": len,
    "boolean isEmpty()": lambda items: not items,
    "boolean contains(Object)": _contains,
    "boolean add(E)": add,
    "boolean addAll(Collection<? extends E>)": add_all,
    "boolean remove(Object)": remove,
    "boolean removeAll(Collection<?>)": lambda items, others: _keep(items, others, False),
    "boolean retainAll(Collection<?>)": lambda items, others: _keep(items, others, True),
    "boolean containsAll(Collection<?>)": lambda items, others: all(_contains(items, o) for o in iterate(required(others))),
    "void clear()": clear,
    "Object[] toArray()": _to_array,
    "<T> T[] toArray(T[])": _to_array,
}


GROWS = frozenset(("add", "addAll", "addFirst", "addLast", "push", "offer", "put", "putAll", "putIfAbsent"))
