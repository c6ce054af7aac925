"""list, set and map: `[i32 count]` and for each element, or key and value, `[i32 length][bytes]`.

Sets and maps are kept in the order of their elements' or keys' type, without duplicates.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import islice
from typing import Any

from protocol.types.base import FROZEN, JAVA_PACKAGE, ORDER_EMPTY, CqlType, MarshalError, compare_next
from protocol.types.java_text import java_class, java_string, json_quoted
from protocol.types.json_text import JsonError, parse_json
from protocol.types.text import hex_bytes
from protocol.types.turns import in_turns, pause, paused, sorted_in_turns

_VALUES_AT_ONCE = 500
_NULL = b"\xff\xff\xff\xff"


class CollectionType(CqlType):
    __slots__ = ()

    fixed_length = None
    empty_is_null = False
    allows_empty = False
    noun: str
    frozen: bool

    @property
    def is_multicell(self) -> bool:
        return not self.frozen

    @property
    def is_collection(self) -> bool:
        return True

    def to_text(self, data: bytes) -> str:
        return data.hex()

    def from_text(self, text: str) -> bytes:
        return hex_bytes(text)

    def masked_value(self) -> bytes:
        return bytes(4)

    def _cql(self, inner: str) -> str:
        return f"frozen<{inner}>" if self.frozen else inner

    def _java(self, name: str, inner: Iterable[CqlType], ignore_freezing: bool) -> str:
        ignored = ignore_freezing or self.frozen
        text = f"{JAVA_PACKAGE}{name}({','.join(t.java(ignored) for t in inner)})"
        return f"{FROZEN}({text})" if self.frozen and not ignore_freezing else text


def _compare_values(a: bytes, b: bytes, types: Sequence[CqlType]) -> int:
    """Value by value, of `types` in turn: no more is read than is needed (ListType.compareListOrSet, MapType.compareMaps).
    MarshalError."""
    if not a or not b:
        return bool(a) - bool(b)
    counts = _read_count(a), _read_count(b)
    at_a = at_b = 4
    for _ in in_turns(range(min(counts))):
        for type_ in types:
            order, at_a, at_b = compare_next(type_, a, at_a, b, at_b)
            if order:
                return order
    return (counts[0] > counts[1]) - (counts[0] < counts[1])


NULL_READ = "Null value read when not allowed"


def _read_count(data: bytes) -> int:
    if len(data) < 4:
        raise MarshalError("Not enough bytes to read a collection")
    return int.from_bytes(data[:4], "big", signed=True)


def _read_values(
    data: bytes, per_element: int, noun: str, checked: Sequence[CqlType] = (), ends: bool = True
) -> list[bytes | None]:
    """All values of a serialised collection; a negative length is a null. `checked`: types that take turns, of which the
    values must be, each before the next is read. `ends`: nothing may follow. MarshalError."""
    if len(data) < 4:
        raise MarshalError(f"Not enough bytes to read a {noun}")
    count = int.from_bytes(data[:4], "big", signed=True)
    if count < 0:
        raise MarshalError(f"The data cannot be deserialized as a {noun}")
    values: list[bytes | None] = []
    offset, end = 4, len(data)
    for index in paused(range(count * per_element)):
        start = offset + 4
        if start > end:
            raise MarshalError(f"Not enough bytes to read a {noun}")
        length = int.from_bytes(data[offset:start], "big", signed=True)
        if length < 0:
            if checked:
                raise MarshalError(NULL_READ)
            values.append(None)
            offset = start
            continue
        offset = start + length
        if offset > end:
            raise MarshalError(f"Not enough bytes to read a {noun}")
        values.append(data[start:offset])
        if checked:
            checked[index % per_element].validate(data[start:offset])
    if ends and offset < end:
        raise MarshalError(f"Unexpected extraneous bytes after {noun} value")
    return values


def _not_null(values: list[bytes | None]) -> list[bytes]:
    if None in values:
        raise MarshalError(NULL_READ)
    return values  # type: ignore[return-value]


def _or_null(function: Callable[[bytes], str], value: bytes | None) -> str:
    return "null" if value is None else function(value)


def pack_values(count: int, values: Iterable[bytes | None]) -> bytes:
    """A serialised collection of `count` elements; a map's values are key, value, key, value."""
    parts = [count.to_bytes(4, "big")]
    rest = iter(values)
    while some := list(islice(rest, _VALUES_AT_ONCE)):
        parts.append(b"".join([_NULL if value is None else len(value).to_bytes(4, "big") + value for value in some]))
        pause()
    return b"".join(parts)


def decode_json(text: str) -> Any:
    """A JSON text inside a JSON string (keys of maps are such). Numbers with a point become Decimal."""
    try:
        return parse_json(text)
    except JsonError as error:
        raise MarshalError(f"Error decoding JSON string: {error}") from None


def elements_from_json(type_: CqlType, values: list[Any], noun: str) -> list[bytes]:
    """The elements of a JSON list, none of them null."""
    elements = []
    for value in paused(values):
        if value is None:
            raise MarshalError(f"Invalid null element in {noun}")
        elements.append(type_.from_json(value))
    return elements


def hashable(value: Any) -> Any:
    """Decoded values as elements of a Python set or keys of a dict."""
    if isinstance(value, list):
        return tuple(map(hashable, value))
    if isinstance(value, set):
        return frozenset(value)
    if isinstance(value, dict):
        return tuple((k, hashable(v)) for k, v in value.items())
    return value


class _ElementsType(CollectionType):
    """What list and set share."""

    __slots__ = ()
    elements: CqlType

    @property
    def referenced_types(self) -> tuple[CqlType, ...]:
        return (self.elements,)

    def split(self, data: bytes) -> list[bytes]:
        """The serialised elements. MarshalError."""
        return _not_null(_read_values(data, 1, self.noun))

    def pack(self, elements: Iterable[bytes | None]) -> bytes:
        """From serialised elements, which for a set must be sorted and distinct already."""
        listed = list(paused(elements))
        return pack_values(len(listed), listed)

    def validate(self, data: bytes) -> None:
        _read_values(data, 1, self.noun, (self.elements,))

    def items(self, data: bytes) -> list[bytes | None]:
        """The serialised elements of a stored value, among which there may be nulls. MarshalError."""
        return _read_values(data, 1, self.noun)

    def order_key(self, data: bytes) -> bytes:
        if not data:
            return ORDER_EMPTY
        order_key = self.elements.order_key
        return b"\x02" + b"".join([ORDER_EMPTY if e is None else order_key(e) for e in self.items(data)]) + b"\x00"

    def compare(self, a: bytes, b: bytes) -> int:
        return _compare_values(a, b, (self.elements,))

    def sort_key(self, data: bytes) -> Any:
        return cmp_to_key(self.compare)(data)

    def to_json(self, data: bytes) -> str:
        """Looks no further than the last element: what follows, as of writetime(m[k]), which is a number, is nobody's."""
        items = _read_values(data, 1, self.noun, ends=False)
        return f"[{', '.join([_or_null(self.elements.to_json, e) for e in paused(items)])}]"

    def _json_elements(self, value: Any, description: str) -> list[bytes]:
        if isinstance(value, str):
            value = decode_json(value)
        if not isinstance(value, list):
            raise MarshalError(f"Expected a {description}, but got a {java_class(value)}: {java_string(value)}")
        return elements_from_json(self.elements, value, self.noun)

    def _literals(self, data: bytes) -> str:
        return ", ".join(map(self.elements.to_literal, self.items(data)))


@dataclass(frozen=True, slots=True)
class ListType(_ElementsType):
    elements: CqlType
    frozen: bool = False
    noun = "list"

    def cql(self) -> str:
        return self._cql(f"list<{self.elements.cql()}>")

    def java(self, ignore_freezing: bool = False) -> str:
        return self._java("ListType", self.referenced_types, ignore_freezing)

    def option(self, version: int) -> bytes:
        return b"\x00\x20" + self.elements.option(version)

    def frozen_form(self) -> "ListType":
        return self if self.frozen else ListType(self.elements.frozen_form(), True)

    @property
    def recodes(self) -> bool:
        return self.elements.recodes

    def recoded(self, data: bytes) -> bytes:
        return self.pack(map(self.elements.recoded, self.split(data)))

    def encode(self, value: Any) -> bytes:
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise TypeError(f"no list: {value!r}")
        return self.pack(map(self.elements.encode, value))

    def decode(self, data: bytes) -> list[Any]:
        return list(map(self.elements.decode, self.split(data)))

    def to_literal(self, data: bytes | None) -> str:
        return "null" if data is None else f"[{self._literals(data)}]"

    def from_json(self, value: Any) -> bytes:
        return self.pack(self._json_elements(value, "list"))

    def __str__(self) -> str:
        return self.cql()


@dataclass(frozen=True, slots=True)
class SetType(_ElementsType):
    elements: CqlType
    frozen: bool = False
    noun = "set"

    def cql(self) -> str:
        return self._cql(f"set<{self.elements.cql()}>")

    def java(self, ignore_freezing: bool = False) -> str:
        return self._java("SetType", self.referenced_types, ignore_freezing)

    def option(self, version: int) -> bytes:
        return b"\x00\x22" + self.elements.option(version)

    def frozen_form(self) -> "SetType":
        return self if self.frozen else SetType(self.elements.frozen_form(), True)

    @property
    def recodes(self) -> bool:
        return True

    def recoded(self, data: bytes) -> bytes:
        """Sorted, and without repetition."""
        return self.pack_unsorted(map(self.elements.recoded, self.split(data)))

    def pack_unsorted(self, elements: Iterable[bytes]) -> bytes:
        """From serialised elements in any order; of equal ones the first stays."""
        by_order: dict[bytes, bytes] = {}
        for element in paused(elements):
            by_order.setdefault(self.elements.order_key(element), element)
        return self.pack(by_order[key] for key in sorted_in_turns(list(by_order)))

    def encode(self, value: Any) -> bytes:
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise TypeError(f"no set: {value!r}")
        return self.pack_unsorted(map(self.elements.encode, value))

    def decode(self, data: bytes) -> set[Any]:
        return {hashable(self.elements.decode(e)) for e in self.split(data)}

    def to_literal(self, data: bytes | None) -> str:
        return "null" if data is None else f"{{{self._literals(data)}}}"

    def from_json(self, value: Any) -> bytes:
        return self.pack_unsorted(self._json_elements(value, "list (representing a set)"))

    def __str__(self) -> str:
        return self.cql()


@dataclass(frozen=True, slots=True)
class MapType(CollectionType):
    keys: CqlType
    values: CqlType
    frozen: bool = False
    noun = "map"

    @property
    def referenced_types(self) -> tuple[CqlType, ...]:
        return (self.keys, self.values)

    def cql(self) -> str:
        return self._cql(f"map<{self.keys.cql()}, {self.values.cql()}>")

    def java(self, ignore_freezing: bool = False) -> str:
        return self._java("MapType", self.referenced_types, ignore_freezing)

    def option(self, version: int) -> bytes:
        return b"\x00\x21" + self.keys.option(version) + self.values.option(version)

    def frozen_form(self) -> "MapType":
        return self if self.frozen else MapType(self.keys.frozen_form(), self.values.frozen_form(), True)

    def split(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """The serialised pairs. MarshalError."""
        values = _not_null(_read_values(data, 2, self.noun))
        return list(paused(zip(values[::2], values[1::2], strict=True)))

    def items(self, data: bytes) -> list[tuple[bytes, bytes | None]]:
        """The serialised pairs of a stored value, whose values may be null. MarshalError."""
        values = _read_values(data, 2, self.noun)
        return list(paused(zip(_not_null(values[::2]), values[1::2], strict=True)))

    def pack(self, pairs: Iterable[tuple[bytes, bytes | None]]) -> bytes:
        """From serialised pairs, sorted by key and distinct already."""
        listed = list(paused(pairs))
        return pack_values(len(listed), (part for pair in listed for part in pair))

    @property
    def recodes(self) -> bool:
        return True

    def recoded(self, data: bytes) -> bytes:
        """Sorted by key, and without repetition."""
        return self.pack_unsorted((self.keys.recoded(k), self.values.recoded(v)) for k, v in self.split(data))

    def pack_unsorted(self, pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
        """From serialised pairs in any order; of equal keys the first stays, with the last value."""
        by_order: dict[bytes, tuple[bytes, bytes]] = {}
        for key, value in paused(pairs):
            order = self.keys.order_key(key)
            existing = by_order.get(order)
            by_order[order] = (key if existing is None else existing[0], value)
        return self.pack(by_order[key] for key in sorted_in_turns(list(by_order)))

    def encode(self, value: Any) -> bytes:
        """Of a mapping, or of pairs."""
        pairs = value.items() if isinstance(value, Mapping) else value
        if isinstance(pairs, str | bytes) or not isinstance(pairs, Iterable):
            raise TypeError(f"no map: {value!r}")
        return self.pack_unsorted((self.keys.encode(k), self.values.encode(v)) for k, v in pairs)

    def decode(self, data: bytes) -> dict[Any, Any]:
        return {hashable(self.keys.decode(k)): self.values.decode(v) for k, v in self.split(data)}

    def validate(self, data: bytes) -> None:
        _read_values(data, 2, self.noun, (self.keys, self.values))

    def order_key(self, data: bytes) -> bytes:
        if not data:
            return ORDER_EMPTY
        parts = [
            self.keys.order_key(k) + (ORDER_EMPTY if v is None else self.values.order_key(v)) for k, v in self.items(data)
        ]
        return b"\x02" + b"".join(parts) + b"\x00"

    def compare(self, a: bytes, b: bytes) -> int:
        return _compare_values(a, b, (self.keys, self.values))

    def sort_key(self, data: bytes) -> Any:
        return cmp_to_key(self.compare)(data)

    def to_literal(self, data: bytes | None) -> str:
        if data is None:
            return "null"
        pairs = (f"{self.keys.to_literal(k)}: {self.values.to_literal(v)}" for k, v in self.items(data))
        return f"{{{', '.join(pairs)}}}"

    def to_json(self, data: bytes) -> str:
        pairs = []
        for key, value in paused(self.items(data)):
            name = self.keys.to_json(key)
            json_name = name if name.startswith('"') else json_quoted(name)
            pairs.append(f"{json_name}: {_or_null(self.values.to_json, value)}")
        return f"{{{', '.join(pairs)}}}"

    def from_json(self, value: Any) -> bytes:
        if isinstance(value, str):
            value = decode_json(value)
        if not isinstance(value, dict):
            raise MarshalError(f"Expected a map, but got a {java_class(value)}: {java_string(value)}")
        pairs = []
        for key, element in value.items():
            if element is None:
                raise MarshalError("Invalid null value in map")
            pairs.append((self.keys.from_json(key), self.values.from_json(element)))
        return self.pack_unsorted(pairs)

    def __str__(self) -> str:
        return self.cql()
