"""Bind values as a script writes them: `int 1`, `list<text> ['a', 'b']`, `null`, `unset`, `bigint 0x00` (raw bytes),
`blob 0x61*70000` (the same bytes again and again)."""

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from protocol.primitives import UNSET, Unset
from protocol.types import (
    NATIVE_TYPES,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    VectorType,
)

Bound = bytes | None | Unset

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|[<>\[\](){},=:]|[^\s<>\[\](){},=:']+)")


@dataclass(frozen=True, slots=True)
class BoundValue:
    name: str | None
    value: Bound


def parse_values(text: str) -> tuple[BoundValue, ...]:
    """The values of a `@ values` line. ValueError where the text is malformed."""
    tokens = _Tokens(_tokenize(text))
    if tokens.peek() is None:
        return ()
    values = [_value(tokens)]
    while tokens.take_if(","):
        values.append(_value(tokens))
    if tokens.peek() is not None:
        raise ValueError(f"{tokens.peek()!r} after the last value of {text!r}")
    return tuple(values)


def _tokenize(text: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ValueError(f"can't read {text[position:]!r}")
        tokens.append(found[1])
        position = found.end()
    return tokens


class _Tokens:
    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._position = 0

    def peek(self, ahead: int = 0) -> str | None:
        index = self._position + ahead
        return self._tokens[index] if index < len(self._tokens) else None

    def take(self) -> str:
        token = self.peek()
        if token is None:
            raise ValueError("the line ends too early")
        self._position += 1
        return token

    def take_if(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self._position += 1
        return True

    def expect(self, token: str) -> None:
        if not self.take_if(token):
            raise ValueError(f"{token!r} expected, not {self.peek()!r}")


def _value(tokens: _Tokens) -> BoundValue:
    name = None
    if tokens.peek(1) == "=":
        name = tokens.take()
        tokens.take()
    if tokens.take_if("null"):
        return BoundValue(name, None)
    if tokens.take_if("unset"):
        return BoundValue(name, UNSET)
    return BoundValue(name, _literal(tokens, _type(tokens)))


def _type(tokens: _Tokens) -> CqlType:
    name = tokens.take()
    if name == "frozen":
        tokens.expect("<")
        inner = _type(tokens)
        tokens.expect(">")
        return inner.frozen_form()
    if name in NATIVE_TYPES:
        return NATIVE_TYPES[name]
    tokens.expect("<")
    first = _type(tokens)
    if name == "vector":
        tokens.expect(",")
        dimension = int(tokens.take())
        tokens.expect(">")
        return VectorType(first, dimension)
    arguments = [first]
    while tokens.take_if(","):
        arguments.append(_type(tokens))
    tokens.expect(">")
    if name == "list":
        return ListType(first, False)
    if name == "set":
        return SetType(first, False)
    if name == "map":
        return MapType(first, arguments[1], False)
    if name == "tuple":
        return TupleType(tuple(arguments))
    raise ValueError(f"unknown type {name!r}")


def _sized(value: bytes | None) -> bytes:
    return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value


def _element(tokens: _Tokens, cql_type: CqlType) -> bytes | None:
    return None if tokens.take_if("null") else _literal(tokens, cql_type)


def _literal(tokens: _Tokens, cql_type: CqlType) -> bytes:
    following = tokens.peek()
    if following is not None and following.startswith("0x"):
        digits, _, times = tokens.take()[2:].partition("*")
        return bytes.fromhex(digits) * int(times or 1)
    if isinstance(cql_type, ListType | SetType):
        closing = {"[": "]", "{": "}"}[tokens.take()]
        items = _items(tokens, closing, lambda: _sized(_element(tokens, cql_type.elements)))
        return struct.pack(">i", len(items)) + b"".join(items)
    if isinstance(cql_type, MapType):
        tokens.expect("{")

        def entry() -> bytes:
            key = _sized(_element(tokens, cql_type.keys))
            tokens.expect(":")
            return key + _sized(_element(tokens, cql_type.values))

        items = _items(tokens, "}", entry)
        return struct.pack(">i", len(items)) + b"".join(items)
    if isinstance(cql_type, TupleType):
        tokens.expect("(")
        types = iter(cql_type.elements)
        return b"".join(_items(tokens, ")", lambda: _sized(_element(tokens, next(types)))))
    if isinstance(cql_type, VectorType):
        tokens.expect("[")
        return b"".join(_items(tokens, "]", lambda: _element(tokens, cql_type.elements) or b""))
    token = tokens.take()
    if token.startswith("'"):
        token = token[1:-1].replace("''", "'")
    return cql_type.from_text(token)


def _items(tokens: _Tokens, closing: str, read: Callable[[], bytes]) -> list[bytes]:
    items: list[bytes] = []
    if tokens.take_if(closing):
        return items
    items.append(read())
    while tokens.take_if(","):
        items.append(read())
    tokens.expect(closing)
    return items
