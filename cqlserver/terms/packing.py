"""Collections and tuples as serialised values: taken apart and put together without decoding their elements.

`[i32 count]`, then per element (key and value alternating in a map) `[i32 length][bytes]`, length -1 for null; tuples
and user types are the same without the count, and may end early (then the rest is null). Callers validate first what
comes from clients: here, lengths are trusted.
"""

from collections.abc import Iterable, Sequence
from functools import cmp_to_key
from struct import Struct
from typing import TypeVar

from protocol.types import NATIVE_TYPES, CqlType, ListType, MapType, SetType, UserType, VectorType
from storage.collection_items import split_collection, split_items
from storage.environment.strands import pause, paused, sorted_in_turns

Value = TypeVar("Value", bytes, bytes | None)

_LENGTH = Struct(">i")
_pack = _LENGTH.pack
ITEMS_PER_TURN = 500
"""Of a set or map: more elements than this are sorted by keys, with pauses."""
_ITEMS_AT_ONCE = 500
_NULL = _pack(-1)
_NO_LENGTH = _pack(0)

_NUMBERS = "bigint counter decimal double float int varint"
EMPTY_IS_NULL = frozenset(NATIVE_TYPES[name] for name in f"{_NUMBERS} boolean inet timestamp timeuuid uuid".split())
"""Types whose empty value is read as null where a list is taken apart."""


def pack_items(items: Sequence[bytes | None]) -> bytes:
    """Elements one behind the other: the value of a tuple."""
    parts: list[bytes] = []
    for start in range(0, len(items), _ITEMS_AT_ONCE):
        some = items[start : start + _ITEMS_AT_ONCE]
        parts.append(b"".join([_NULL if item is None else _pack(len(item)) + item for item in some]))
        pause()
    return b"".join(parts)


def pack_collection(items: Sequence[bytes | None], count: int) -> bytes:
    """`items` are keys and values in turn for a map; `count` is the number of entries."""
    return _pack(count) + pack_items(items)


def split_tuple(data: bytes, count: int) -> list[bytes | None]:
    """Always `count` elements: what the value leaves out is null."""
    items = split_items(data)[:count]
    return items + [None] * (count - len(items))


def split_vector(data: bytes, type_: VectorType) -> list[bytes | None]:
    """The elements of a vector: side by side if they have a fixed length, else each behind its length as a vint."""
    length = type_.elements.fixed_length
    if length is not None:
        return [data[i : i + length] for i in range(0, len(data), length)]
    items: list[bytes | None] = []
    offset = 0
    while offset < len(data):
        size, offset = _unsigned_vint(data, offset)
        items.append(data[offset : offset + size])
        offset += size
    return items


def pack_vector(items: Sequence[bytes], type_: VectorType) -> bytes:
    if type_.elements.fixed_length is not None:
        return b"".join(items)
    return b"".join([_pack_unsigned_vint(len(item)) + item for item in items])


def _unsigned_vint(data: bytes, offset: int) -> tuple[int, int]:
    first = data[offset]
    extra = 0
    while extra < 8 and first & (0x80 >> extra):
        extra += 1
    value = first & (0xFF >> extra)
    for byte in data[offset + 1 : offset + 1 + extra]:
        value = value << 8 | byte
    return value, offset + 1 + extra


def _pack_unsigned_vint(value: int) -> bytes:
    extra = max(0, (max(value, 1).bit_length() - 1) // 7)
    if extra >= 8:
        return b"\xff" + value.to_bytes(8, "big")
    return (value | (0xFF00 >> extra & 0xFF) << 8 * extra).to_bytes(extra + 1, "big")


def sort_set(items: Sequence[bytes], element: CqlType) -> list[bytes]:
    """Sorted by the element type, each value once (the first of equal ones stays)."""
    if len(items) < 2:
        return list(items)
    found: list[bytes] = []
    compare = element.compare
    in_order: Iterable[bytes]
    if len(items) > ITEMS_PER_TURN:
        keyed = [(element.order_key(item), index) for index, item in enumerate(paused(items))]
        in_order = (items[index] for _, index in sorted_in_turns(keyed))
    else:
        in_order = sorted(items, key=cmp_to_key(compare))
    for item in paused(in_order):
        if not found or compare(found[-1], item) != 0:
            found.append(item)
    return found


def sort_map(entries: Sequence[tuple[bytes, Value]], key: CqlType) -> list[tuple[bytes, Value]]:
    """Sorted by key; of equal keys the last entry's value stays."""
    if len(entries) < 2:
        return list(entries)
    compare = key.compare
    found: list[tuple[bytes, Value]] = []
    in_order: Iterable[tuple[bytes, Value]]
    if len(entries) > ITEMS_PER_TURN:
        keyed = [(key.order_key(entry[0]), index) for index, entry in enumerate(paused(entries))]
        in_order = (entries[index] for _, index in sorted_in_turns(keyed))
    else:
        in_order = sorted(entries, key=lambda e: cmp_to_key(compare)(e[0]))
    for entry in paused(in_order):
        if found and compare(found[-1][0], entry[0]) == 0:
            found[-1] = (found[-1][0], entry[1])
        else:
            found.append(entry)
    return found


def pack_map(entries: Sequence[tuple[bytes, Value]]) -> bytes:
    return pack_collection([part for entry in entries for part in entry], len(entries))


def normalise(data: bytes, type_: CqlType) -> bytes:
    """A valid value that was bound, as Cassandra stores it: what collections hold is decoded and encoded again, sets and
    maps are sorted and without repetition; numbers and the like that are empty become nulls in a list. The nulls of user
    types get the length -1."""
    if isinstance(type_, ListType):
        elements = type_.elements
        if elements in EMPTY_IS_NULL and _NO_LENGTH in data:
            items = [elements.recoded(item) if item else None for item in split_collection(data)]
            return pack_collection(items, len(items))
        return type_.recoded(data) if elements.recodes else data
    if isinstance(type_, SetType | MapType):
        return type_.recoded(data)
    return pack_items(split_items(data)) if isinstance(type_, UserType) else data
