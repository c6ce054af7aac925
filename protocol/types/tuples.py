"""Tuples and user types: `[i32 length][bytes]` for each component, -1 for null; trailing components may be missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cmp_to_key
from typing import Any

from protocol.errors import ServerError
from protocol.types.base import FROZEN, JAVA_PACKAGE, ORDER_EMPTY, CqlType, MarshalError, byte_order_key, compare_next
from protocol.types.collections import decode_json
from protocol.types.identifiers import quoted_identifier
from protocol.types.java_text import java_class, java_string, json_quoted

_SHORT_MAX = 0xFFFF


def pack_components(components: Iterable[bytes | None]) -> bytes:
    parts = []
    for component in components:
        if component is None:
            parts.append(b"\xff\xff\xff\xff")
        else:
            parts.append(len(component).to_bytes(4, "big"))
            parts.append(component)
    return b"".join(parts)


def _count(components: Sequence[object]) -> bytes:
    """As a [short]. Cassandra writes the lowest 16 bits of a greater number, which no client can read."""
    if len(components) > _SHORT_MAX:
        raise ServerError(f"A type of {len(components)} components can't be told: the protocol has two bytes for it")
    return len(components).to_bytes(2, "big")


def _component_key(type_: CqlType, component: bytes) -> bytes:
    try:
        return b"\x02" + type_.order_key(component)
    except MarshalError:
        return b"\x01\xfe" + byte_order_key(component)  # a null is followed by 01, 02, or this


class _ComponentsType(CqlType):
    """What tuples and user types share; `component_types` are their types in order."""

    __slots__ = ()

    fixed_length = None
    empty_is_null = False
    allows_empty = True
    component_types: tuple[CqlType, ...]

    @property
    def referenced_types(self) -> tuple[CqlType, ...]:
        return self.component_types

    @property
    def has_one_form(self) -> bool:
        return False  # nulls at the end may be left out

    def split(self, data: bytes) -> list[bytes | None]:
        """The components that are there, None for null. MarshalError."""
        components: list[bytes | None] = []
        offset, end = 0, len(data)
        types = self.component_types
        while offset < end:
            index = len(components)
            if index == len(types):
                noun = "value" if index == 1 else "values"
                raise MarshalError(f"Expected {index} {noun} for {self.cql()} column, but got more")
            if offset + 4 > end:
                raise MarshalError(f"Not enough bytes to read {index}th component")
            length = int.from_bytes(data[offset : offset + 4], "big", signed=True)
            offset += 4
            if length < 0:
                components.append(None)
                continue
            if offset + length > end:
                raise MarshalError(f"Not enough bytes to read {index}th component")
            components.append(data[offset : offset + length])
            offset += length
        return components

    def pack(self, components: Iterable[bytes | None]) -> bytes:
        return pack_components(components)

    def validate(self, data: bytes) -> None:
        offset, end = 0, len(data)
        for index, type_ in enumerate(self.component_types):
            if offset == end:
                return
            if end - offset < 4:
                raise MarshalError(f"Not enough bytes to read size of {self._ordinal(index, 'component')}")
            length = int.from_bytes(data[offset : offset + 4], "big", signed=True)
            offset += 4
            if length < 0:
                continue
            if end - offset < length:
                raise MarshalError(f"Not enough bytes to read {self._ordinal(index, 'component')}")
            self._validate_component(index, type_, data[offset : offset + length])
            offset += length
        if offset < end:
            raise MarshalError(f"Invalid remaining data after end of {self._noun()} value")

    def _ordinal(self, index: int, noun: str) -> str:
        return f"{index}th {noun}"

    def _noun(self) -> str:
        return "tuple"

    def _validate_component(self, index: int, type_: CqlType, data: bytes) -> None:
        type_.validate(data)

    def order_key(self, data: bytes) -> bytes:
        """Null components sort first, and missing ones at the end are null; then come those that are no values of their
        type: literals of hexadecimal digits put anything into tuples."""
        if not data:
            return ORDER_EMPTY
        components = self.split(data)
        while components and components[-1] is None:
            components.pop()
        parts = [
            b"\x01" if c is None else _component_key(t, c) for c, t in zip(components, self.component_types, strict=False)
        ]
        return b"\x02" + b"".join(parts) + b"\x00"

    def compare(self, a: bytes, b: bytes) -> int:
        try:
            return super().compare(a, b)
        except MarshalError:
            return self._compare_components(a, b)

    def sort_key(self, data: bytes) -> Any:
        return cmp_to_key(self.compare)(data)

    def _compare_components(self, a: bytes, b: bytes) -> int:
        """Of values that are none: no more is read than is needed (TupleType.compareCustom). MarshalError."""
        if not a or not b:
            return (not b) - (not a)
        at_a = at_b = 0
        for type_ in self.component_types:
            if at_a >= len(a) or at_b >= len(b):
                break
            order, at_a, at_b = compare_next(type_, a, at_a, b, at_b)
            if order:
                return order
        if at_a >= len(a):
            return 0 if _is_null_from(b, at_b) else -1
        return 0 if _is_null_from(a, at_a) else 1  # whatever the other has

    def to_text(self, data: bytes) -> str:
        out = []
        for component, type_ in zip(self.split(data), self.component_types, strict=False):
            if component is None:
                out.append("@")
            else:
                out.append(type_.to_text(component).replace(":", "\\:").replace("@", "\\@"))
        return ":".join(out)

    def from_text(self, text: str) -> bytes:
        fields = _split_text(text)
        types = self.component_types
        if len(fields) > len(types):
            raise MarshalError(
                f"Invalid tuple literal: too many elements. Type {self.cql()} expects {len(types)} but got {len(fields)}"
            )
        return pack_components(
            None if f == "@" else t.from_text(f.replace("\\:", ":").replace("\\@", "@"))
            for f, t in zip(fields, types, strict=False)
        )

    def masked_value(self) -> bytes:
        return pack_components(t.masked_value() for t in self.component_types)

    def _padded(self, data: bytes) -> list[bytes | None]:
        components = self.split(data)
        return components + [None] * (len(self.component_types) - len(components))

    def _encode_all(self, values: Sequence[Any]) -> bytes:
        if len(values) > len(self.component_types):
            raise ValueError(f"more than {len(self.component_types)} components: {values!r}")
        types = self.component_types
        return pack_components(None if v is None else t.encode(v) for v, t in zip(values, types, strict=False))


def _split_text(text: str) -> list[str]:
    """At colons that no backslash precedes."""
    if not text:
        return []
    fields, start = [], 0
    for i, char in enumerate(text):
        if char == ":" and not (i and text[i - 1] == "\\"):
            fields.append(text[start:i])
            start = i + 1
    return [*fields, text[start:]]


def _is_null_from(data: bytes, at: int) -> bool:
    """Whether what is left are nulls (TupleType.allRemainingComponentsAreNull). MarshalError where it breaks off."""
    while at < len(data):
        if at + 4 > len(data):
            raise MarshalError("Not enough bytes to read a component's size")
        if int.from_bytes(data[at : at + 4], "big", signed=True) >= 0:
            return False
        at += 4
    return True


@dataclass(frozen=True, slots=True)
class TupleType(_ComponentsType):
    """Always frozen, and so are its elements."""

    elements: tuple[CqlType, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", tuple(e.frozen_form() for e in self.elements))

    @property
    def component_types(self) -> tuple[CqlType, ...]:  # type: ignore[override]
        return self.elements

    def cql(self) -> str:
        return f"frozen<tuple<{', '.join(e.cql() for e in self.elements)}>>"

    def java(self, ignore_freezing: bool = False) -> str:
        return f"{JAVA_PACKAGE}TupleType({','.join(e.java(True) for e in self.elements)})"

    def option(self, version: int) -> bytes:
        return b"\x00\x31" + _count(self.elements) + b"".join(e.option(version) for e in self.elements)

    def encode(self, value: Any) -> bytes:
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise TypeError(f"no tuple: {value!r}")
        return self._encode_all(value)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        components = self._padded(data)
        return tuple(None if c is None else t.decode(c) for c, t in zip(components, self.elements, strict=True))

    def to_literal(self, data: bytes | None) -> str:
        if data is None:
            return "null"
        return f"({', '.join(t.to_literal(c) for c, t in zip(self.split(data), self.elements, strict=False))})"

    def to_json(self, data: bytes) -> str:
        components = self._padded(data)
        texts = ("null" if c is None else t.to_json(c) for c, t in zip(components, self.elements, strict=True))
        return f"[{', '.join(texts)}]"

    def from_json(self, value: Any) -> bytes:
        if isinstance(value, str):
            value = decode_json(value)
        if not isinstance(value, list):
            raise MarshalError(
                f"Expected a list representation of a tuple, but got a {java_class(value)}: {java_string(value)}"
            )
        count = len(self.elements)
        if len(value) > count:
            raise MarshalError(f"Tuple contains extra items (expected {count}): {java_string(value)}")
        if len(value) < count:
            raise MarshalError(f"Tuple is missing items (expected {count}): {java_string(value)}")
        return pack_components(None if v is None else t.from_json(v) for v, t in zip(value, self.elements, strict=True))

    def __str__(self) -> str:
        return self.cql()


@dataclass(frozen=True, slots=True)
class UserType(_ComponentsType):
    """A user-defined type of a keyspace. Not frozen, a column of it is kept field by field."""

    keyspace: str
    name: str
    field_names: tuple[str, ...]
    field_types: tuple[CqlType, ...]
    frozen: bool = False

    @property
    def component_types(self) -> tuple[CqlType, ...]:  # type: ignore[override]
        return self.field_types

    @property
    def is_multicell(self) -> bool:
        return not self.frozen

    def frozen_form(self) -> "UserType":
        return self if self.frozen else replace(self, frozen=True)

    def cql(self) -> str:
        name = quoted_identifier(self.name)
        return f"frozen<{name}>" if self.frozen else name

    def java(self, ignore_freezing: bool = False) -> str:
        ignored = ignore_freezing or self.frozen
        fields = "".join(
            f",{n.encode().hex()}:{t.java(ignored)}" for n, t in zip(self.field_names, self.field_types, strict=True)
        )
        text = f"{JAVA_PACKAGE}UserType({self.keyspace},{self.name.encode().hex()}{fields})"
        return f"{FROZEN}({text})" if self.frozen and not ignore_freezing else text

    def option(self, version: int) -> bytes:
        parts = [b"\x00\x30", _string(self.keyspace), _string(self.name), _count(self.field_names)]
        for name, type_ in zip(self.field_names, self.field_types, strict=True):
            parts.append(_string(name))
            parts.append(type_.option(version))
        return b"".join(parts)

    def encode(self, value: Any) -> bytes:
        """Of a mapping of field names (missing ones are null), or of a sequence."""
        if isinstance(value, Mapping):
            unknown = [k for k in value if k not in self.field_names]
            if unknown:
                raise ValueError(f"{self.name} has no field {unknown[0]}")
            value = [value.get(n) for n in self.field_names]
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise TypeError(f"no user type: {value!r}")
        return self._encode_all(value)

    def decode(self, data: bytes) -> dict[str, Any]:
        """All fields by name."""
        return {
            n: None if c is None else t.decode(c)
            for n, t, c in zip(self.field_names, self.field_types, self._padded(data), strict=True)
        }

    def _ordinal(self, index: int, noun: str) -> str:
        return f"{index}th field {self.field_names[index]}"

    def _noun(self) -> str:
        return "UDT"

    def _validate_component(self, index: int, type_: CqlType, data: bytes) -> None:
        try:
            type_.validate(data)
        except MarshalError as error:
            raise MarshalError(f"Failure validating the {self._ordinal(index, 'field')}; {error}") from None

    def to_literal(self, data: bytes | None) -> str:
        if data is None:
            return "null"
        fields = zip(self.split(data), self.field_names, self.field_types, strict=False)
        return f"{{{', '.join(f'{quoted_identifier(n)}: {t.to_literal(c)}' for c, n, t in fields)}}}"

    def to_json(self, data: bytes) -> str:
        out = []
        for name, type_, component in zip(self.field_names, self.field_types, self._padded(data), strict=True):
            shown = name if name == name.lower() else f'"{name}"'
            out.append(f"{json_quoted(shown)}: {'null' if component is None else type_.to_json(component)}")
        return f"{{{', '.join(out)}}}"

    def from_json(self, value: Any) -> bytes:
        if isinstance(value, str):
            value = decode_json(value)
        if not isinstance(value, dict):
            raise MarshalError(f"Expected a map, but got a {java_class(value)}: {java_string(value)}")
        given = json_names(value)
        unknown = [n for n in given if n not in self.field_names]
        parts = []
        for name, type_ in zip(self.field_names, self.field_types, strict=True):
            field = given.get(name)
            parts.append(None if field is None else type_.from_json(field))
        if unknown:
            raise MarshalError(f"Unknown field '{unknown[0]}' in value of user defined type {self.name}")
        return pack_components(parts)

    def __str__(self) -> str:
        return self.cql()


def json_names(value: Mapping[str, Any]) -> dict[str, Any]:
    """Names in JSON objects: lower-cased, unless in double quotes of their own."""
    return {k[1:-1] if len(k) > 1 and k.startswith('"') and k.endswith('"') else k.lower(): v for k, v in value.items()}


def _string(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded
