"""java.util: Arrays, Collections, Objects."""

from collections.abc import Callable
from typing import Any

from cqlserver.java.classes import ClassSource
from cqlserver.java.containers import (
    ArrayList,
    FixedList,
    FrozenList,
    FrozenMap,
    FrozenSet,
    SingletonList,
    iterate,
    sorted_items,
)
from cqlserver.java.errors import thrown
from cqlserver.java.library.collection_parts import add_all, required, writable
from cqlserver.java.library.lists import Comparator, _sort, get
from cqlserver.java.library.maps import frozen_map, frozen_set
from cqlserver.java.run import Run
from cqlserver.java.values import compare, equals, hash_code, to_int, to_string


def _unmodifiable(kind: type) -> Callable[[Any], Any]:
    def run(items: Any) -> Any:
        required(items)
        if kind is FrozenList:
            return FrozenList(items)
        made = kind()
        made.update((key, items[key]) for key in items.ordered())
        return made

    return run


# --- Arrays and Collections --------------------------------------------------------------------------------------------


def _array_text(array: list[Any] | None, text: Callable[[Any], str] = to_string) -> str:
    return "null" if array is None else f"[{', '.join(map(text, array))}]"


def _sort_array(array: list[Any], start: int = 0, end: int | None = None) -> None:
    stop = len(array) if end is None else end
    array[start:stop] = sorted_items(array[start:stop])


def _copies(default: Any) -> tuple[Any, Any]:
    def copy(run: Run, array: list[Any], size: int) -> list[Any]:
        if size < 0:
            raise thrown("NegativeArraySizeException", str(size))
        run.take(8 * size)
        return array[:size] + [default] * (size - len(array))

    def copy_range(run: Run, array: list[Any], start: int, end: int) -> list[Any]:
        if start > end:
            raise thrown("IllegalArgumentException", f"{start} > {end}")
        if not 0 <= start <= len(array):
            raise thrown("ArrayIndexOutOfBoundsException", f"Array index out of range: {start}")
        run.take(8 * (end - start))
        return array[start:end] + [default] * (end - max(len(array), start))

    return copy, copy_range


def _fill(array: list[Any], value: Any) -> None:
    array[:] = [value] * len(array)


def _array_hash(array: list[Any] | None) -> int:
    if array is None:
        return 0
    total = 1
    for item in array:
        total = to_int(31 * total + hash_code(item))
    return total


def _array_equals(one: list[Any] | None, other: list[Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(
        a is b or (a is not None and equals(a, b)) for a, b in zip(one, other, strict=True)
    )


def search(items: list[Any], wanted: Any) -> int:
    low, high = 0, len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        order = compare(items[middle], wanted)
        if order == 0:
            return middle
        if order < 0:
            low = middle + 1
        else:
            high = middle - 1
    return -(low + 1)


def _arrays() -> dict[str, Any]:
    members: dict[str, Any] = {
        "static <T> List<T> asList(T...)": lambda array: FixedList(required(array)),
        "static void sort(Object[])": _sort_array,
        "static String deepToString(Object[])": _deep_text,
        "static <T> void sort(T[],Comparator<? super T>)": _sort,
    }
    for name, default in (
        ("int", 0),
        ("long", 0),
        ("short", 0),
        ("byte", 0),
        ("char", 0),
        ("double", 0.0),
        ("float", 0.0),
        ("boolean", False),
        ("T", None),
    ):
        copy, copy_range = _copies(default)
        prefix = "static <T> " if name == "T" else "static "
        text = chr if name == "char" else to_string
        members |= {
            f"{prefix}String toString({name}[])": lambda array, text=text: _array_text(array, text),
            f"{prefix}void fill({name}[],{name})": _fill,
            f"{prefix}{name}[] copyOf({name}[],int)": copy,
            f"{prefix}{name}[] copyOfRange({name}[],int,int)": copy_range,
            f"{prefix}boolean equals({name}[],{name}[])": _array_equals,
            f"{prefix}int hashCode({name}[])": _array_hash,
        }
        if name not in ("boolean", "T"):
            members[f"static void sort({name}[])"] = _sort_array
            members[f"static void sort({name}[],int,int)"] = _sort_array
            members[f"static int binarySearch({name}[],{name})"] = search
    return members


def _deep_text(array: list[Any] | None) -> str:
    return _array_text(array, lambda item: _deep_text(item) if type(item) is list else to_string(item))


def _extreme(sign: int) -> Callable[..., Any]:
    def run(items: Any, order: Any = None) -> Any:
        found = list(iterate(items))
        if not found:
            raise thrown("java.util.NoSuchElementException")
        best = found[0]
        for item in found[1:]:
            if (compare(item, best) if order is None else order.compare(item, best)) * sign > 0:
                best = item
        return best

    return run


def _reverse(items: Any) -> None:
    writable(items, resizes=False)[:] = items[::-1]


def _swap(items: Any, a: int, b: int) -> None:
    one, other = get(items, a), get(items, b)
    items[a], items[b] = other, one


def _rotate(items: Any, by: int) -> None:
    if items:
        by %= len(items)
        items[:] = items[-by:] + items[:-by] if by else list(items)


def _n_copies(run: Run, count: int, item: Any) -> FrozenList:
    if count < 0:
        raise thrown("IllegalArgumentException", f"List length = {count}")
    run.take(8 * count)
    return FrozenList([item] * count)


def _collections() -> dict[str, Any]:
    return {
        "static <T> void sort(List<T>)": _sort,
        "static <T> void sort(List<T>,Comparator<? super T>)": _sort,
        "static void reverse(List<?>)": _reverse,
        "static void swap(List<?>,int,int)": _swap,
        "static void rotate(List<?>,int)": _rotate,
        "static <T> T max(Collection<? extends T>)": _extreme(1),
        "static <T> T min(Collection<? extends T>)": _extreme(-1),
        "static <T> T max(Collection<? extends T>,Comparator<? super T>)": _extreme(1),
        "static <T> T min(Collection<? extends T>,Comparator<? super T>)": _extreme(-1),
        "static int frequency(Collection<?>,Object)": lambda items, wanted: sum(
            item is wanted or (item is not None and equals(item, wanted)) for item in iterate(items)
        ),
        "static <T> boolean addAll(Collection<? super T>,T...)": _add_each,
        "static <T> int binarySearch(List<? extends T>,T)": search,
        "static <T> List<T> nCopies(int,T)": _n_copies,
        "static <T> List<T> emptyList()": FrozenList,
        "static <T> Set<T> emptySet()": FrozenSet,
        "static <K,V> Map<K,V> emptyMap()": FrozenMap,
        "static <T> List<T> singletonList(T)": lambda item: SingletonList([item]),
        "static <T> Set<T> singleton(T)": lambda item: frozen_set([item]),
        "static <K,V> Map<K,V> singletonMap(K,V)": frozen_map,
        "static <T> List<T> unmodifiableList(List<? extends T>)": _unmodifiable(FrozenList),
        "static <T> Set<T> unmodifiableSet(Set<? extends T>)": _unmodifiable(FrozenSet),
        "static <K,V> Map<K,V> unmodifiableMap(Map<? extends K,? extends V>)": _unmodifiable(FrozenMap),
        "static <T> Comparator<T> reverseOrder()": lambda: Comparator(True),
    }


def _add_each(run: Run, items: Any, added: list[Any]) -> bool:
    return add_all(run, items, ArrayList(added))


def _null_checked(value: Any, message: str | None = None) -> Any:
    if value is None:
        raise thrown("NullPointerException", message)
    return value


_OBJECTS: dict[str, Any] = {
    "static boolean equals(Object,Object)": lambda a, b: a is b or (a is not None and equals(a, b)),
    "static int hashCode(Object)": hash_code,
    "static int hash(Object...)": _array_hash,
    "static String toString(Object)": to_string,
    "static String toString(Object,String)": lambda value, default: default if value is None else to_string(value),
    "static boolean isNull(Object)": lambda value: value is None,
    "static boolean nonNull(Object)": lambda value: value is not None,
    "static <T> T requireNonNull(T)": _null_checked,
    "static <T> T requireNonNull(T,String)": _null_checked,
    "static <T> T requireNonNullElse(T,T)": lambda value, default: (
        _null_checked(default, "defaultObj") if value is None else value
    ),
}


def sources() -> list[ClassSource]:
    return [
        ClassSource("java.util.Arrays", _arrays(), is_abstract=True, needs_run=frozenset(("copyOf", "copyOfRange"))),
        ClassSource("java.util.Collections", _collections(), is_abstract=True, needs_run=frozenset(("addAll", "nCopies"))),
        ClassSource("java.util.Objects", _OBJECTS, is_abstract=True),
    ]
