"""java.util: lists, queues, iterators, comparators."""

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from cqlserver.java.classes import ClassSource
from cqlserver.java.containers import (
    ArrayDeque,
    ArrayList,
    FixedList,
    FrozenList,
    JavaIterator,
    JavaList,
    JavaSet,
    LinkedList,
    SingletonList,
    checked_index,
    index_of,
    iterate,
    sorted_items,
)
from cqlserver.java.errors import thrown
from cqlserver.java.library.collection_parts import (
    COLLECTION,
    ELEMENT_BYTES,
    GROWS,
    of_kind,
    required,
    writable,
)
from cqlserver.java.run import Run
from cqlserver.java.values import compare

# --- lists -------------------------------------------------------------------------------------------------------------


def get(items: Any, index: int) -> Any:
    if 0 <= index < len(items):
        return items[index]
    return items[checked_index(items, index)]


def _set(items: Any, index: int, item: Any) -> Any:
    writable(items, resizes=False)
    old = items[checked_index(items, index)]
    items[index] = item
    return old


def _insert(run: Run, items: Any, index: int, item: Any) -> None:
    writable(items)
    if not 0 <= index <= len(items):
        raise thrown("IndexOutOfBoundsException", f"Index: {index}, Size: {len(items)}")
    run.take(ELEMENT_BYTES)
    items.insert(index, item)


def _insert_all(run: Run, items: Any, index: int, others: Any) -> bool:
    writable(items)
    if not 0 <= index <= len(items):
        raise thrown("IndexOutOfBoundsException", f"Index: {index}, Size: {len(items)}")
    added = list(iterate(required(others)))
    run.take(ELEMENT_BYTES * len(added))
    items[index:index] = added
    return bool(added)


def _remove_at(items: Any, index: int) -> Any:
    writable(items)
    return items.pop(checked_index(items, index))


def _last_index_of(items: Any, wanted: Any) -> int:
    found = index_of(items[::-1], wanted)
    return -1 if found < 0 else len(items) - 1 - found


def _sub_list(items: Any, start: int, end: int) -> FrozenList:
    if start < 0:
        raise thrown("IndexOutOfBoundsException", f"fromIndex = {start}")
    if end > len(items):
        raise thrown("IndexOutOfBoundsException", f"toIndex = {end}")
    if start > end:
        raise thrown("IllegalArgumentException", f"fromIndex({start}) > toIndex({end})")
    return FrozenList(items[start:end])


def _sort(items: Any, order: Any = None) -> None:
    writable(items, resizes=False)
    items[:] = _ordered(items, order)


def _ordered(items: Any, order: Any) -> list[Any]:
    found = sorted_items(items) if order is None or order.key is None else sorted(items, key=cmp_to_key(order.compare))
    return found[::-1] if order is not None and order.key is None and order.is_reversed else found


class Comparator:
    """The few that Java's library gives: natural and reversed order."""

    java_class = "java.util.Comparator"
    key: Any = None

    def __init__(self, is_reversed: bool) -> None:
        self.is_reversed = is_reversed

    def compare(self, one: Any, other: Any) -> int:
        found = compare(one, other)
        return -found if self.is_reversed else found


def _frozen_list(items: list[Any]) -> FrozenList:
    if any(item is None for item in items):
        raise thrown("NullPointerException")
    return FrozenList(items)


_LIST: dict[str, Any] = {
    "E get(int)": get,
    "E set(int,E)": _set,
    "void add(int,E)": _insert,
    "boolean addAll(int,Collection<? extends E>)": _insert_all,
    "E remove(int)": _remove_at,
    "int indexOf(Object)": index_of,
    "int lastIndexOf(Object)": _last_index_of,
    "List<E> subList(int,int)": _sub_list,
    "void sort(Comparator<? super E>)": _sort,
    "static <T> List<T> of(T...)": _frozen_list,
    "static <T> List<T> copyOf(Collection<? extends T>)": lambda items: _frozen_list(list(iterate(items))),
}


def _first(items: Any) -> Any:
    if not items:
        raise thrown("java.util.NoSuchElementException")
    return items[0]


def _last(items: Any) -> Any:
    if not items:
        raise thrown("java.util.NoSuchElementException")
    return items[-1]


def _pop(at: int, is_gentle: bool) -> Callable[[Any], Any]:
    def run(items: Any) -> Any:
        if not items:
            if is_gentle:
                return None
            raise thrown("java.util.NoSuchElementException")
        return items.pop(at)

    return run


def _push_first(run: Run, items: Any, item: Any) -> None:
    run.take(ELEMENT_BYTES)
    items.insert(0, item)


def _push_last(run: Run, items: Any, item: Any) -> None:
    run.take(ELEMENT_BYTES)
    items.append(item)


def _offer(run: Run, items: Any, item: Any) -> bool:
    _push_last(run, items, item)
    return True


_DEQUE: dict[str, Any] = {
    "void addFirst(E)": _push_first,
    "void addLast(E)": _push_last,
    "void push(E)": _push_first,
    "boolean offer(E)": _offer,
    "E getFirst()": _first,
    "E getLast()": _last,
    "E element()": _first,
    "E peek()": lambda items: items[0] if items else None,
    "E peekFirst()": lambda items: items[0] if items else None,
    "E peekLast()": lambda items: items[-1] if items else None,
    "E poll()": _pop(0, True),
    "E pollFirst()": _pop(0, True),
    "E pollLast()": _pop(-1, True),
    "E pop()": _pop(0, False),
    "E remove()": _pop(0, False),
    "E removeFirst()": _pop(0, False),
    "E removeLast()": _pop(-1, False),
}


def _sized_list(kind: Callable[..., Any]) -> Callable[[int], Any]:
    def make(capacity: int) -> Any:
        if capacity < 0:
            raise thrown("IllegalArgumentException", f"Illegal Capacity: {capacity}")
        return kind()

    return make


def sources() -> list[ClassSource]:
    new_list = frozenset(("new",)) | GROWS
    lists = [
        ClassSource(
            "java.util.Collection<E> : Iterable<E>",
            COLLECTION,
            of_kind((JavaList, JavaSet)),
            is_abstract=True,
            needs_run=GROWS,
            hides={"stream": "java.util.stream.Stream", "removeIf": "java.util.function.Predicate"},
        ),
        ClassSource(
            "java.util.List<E> : Collection<E>",
            _LIST,
            of_kind((ArrayList, LinkedList, FixedList, FrozenList, SingletonList)),
            is_abstract=True,
            needs_run=GROWS,
            hides={"replaceAll": "java.util.function.UnaryOperator"},
        ),
        ClassSource("java.util.Queue<E> : Collection<E>", {}, of_kind((LinkedList, ArrayDeque)), is_abstract=True),
        ClassSource(
            "java.util.Deque<E> : Queue<E>", _DEQUE, of_kind((LinkedList, ArrayDeque)), is_abstract=True, needs_run=GROWS
        ),
    ]
    for header, kind in (
        ("java.util.ArrayList<E> : List<E>", ArrayList),
        ("java.util.LinkedList<E> : List<E>, Deque<E>", LinkedList),
        ("java.util.ArrayDeque<E> : Deque<E>", ArrayDeque),
    ):
        members: dict[str, Any] = {
            "new()": lambda run, kind=kind: kind(),
            "new(Collection<? extends E>)": lambda run, items, kind=kind: _copied(run, kind, items),
        }
        if kind is not LinkedList:
            members["new(int)"] = lambda run, capacity, kind=kind: _sized_list(kind)(capacity)
        lists.append(ClassSource(header, members, of_kind(kind), needs_run=new_list))
    return [*lists, *_iterators()]


def _copied(run: Run, kind: Callable[..., Any], items: Any) -> Any:
    run.take(8 * len(required(items)))
    return kind(iterate(items))


def _iterators() -> list[ClassSource]:
    return [
        ClassSource(
            "java.util.Iterator<E>",
            {
                "boolean hasNext()": JavaIterator.has_next,
                "E next()": JavaIterator.next,
                "void remove()": JavaIterator.remove,
            },
            of_kind(JavaIterator),
            is_abstract=True,
        ),
        ClassSource(
            "java.util.Comparator<T>",
            {
                "int compare(T,T)": Comparator.compare,
                "Comparator<T> reversed()": lambda order: Comparator(not order.is_reversed),
                "static <T> Comparator<T> naturalOrder()": lambda: Comparator(False),
                "static <T> Comparator<T> reverseOrder()": lambda: Comparator(True),
            },
            of_kind(Comparator),
            is_abstract=True,
        ),
    ]
