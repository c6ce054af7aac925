"""CQL type names -> `CqlType`: the texts of system_schema's `type` columns and of built-in table definitions.

This reads only the canonical form that `CqlType.cql()` prints (plus free spacing); what users write in statements goes
through the grammar. User types are resolved against those of the keyspace, since system_schema names them bare.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from protocol.types import (
    NATIVE_TYPES,
    CqlType,
    CustomType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)
from protocol.types import parse_java as parse_java_type

_TOKEN = re.compile(r"""\s*(?:("(?:[^"]|"")+")|('(?:[^']|'')*')|([\w.]+)|([<>,]))""")
_NO_TYPES: Mapping[str, UserType] = {}


def parse_type(text: str, user_types: Mapping[str, UserType] = _NO_TYPES) -> CqlType:
    """The type named by `text`; ValueError when it is none. Native types win over `user_types` of their name."""
    native = NATIVE_TYPES.get(text)
    if native is not None:
        return native
    return _Parser(text, user_types).parse()


class _Parser:
    def __init__(self, text: str, user_types: Mapping[str, UserType]) -> None:
        self.text = text
        self.user_types = user_types
        self.tokens = _tokens(text)
        self.index = 0

    def parse(self) -> CqlType:
        parsed = self._type()
        if self.index != len(self.tokens):
            raise ValueError(f"Invalid type {self.text!r}")
        return parsed

    def _next(self) -> str:
        if self.index >= len(self.tokens):
            raise ValueError(f"Invalid type {self.text!r}")
        self.index += 1
        return self.tokens[self.index - 1]

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise ValueError(f"Invalid type {self.text!r}")

    def _elements(self) -> list[CqlType]:
        """The types between < and >."""
        self._expect("<")
        found = [self._type()]
        while (token := self._next()) == ",":
            found.append(self._type())
        if token != ">":
            raise ValueError(f"Invalid type {self.text!r}")
        return found

    def _element_pair(self) -> tuple[CqlType, CqlType]:
        elements = self._elements()
        if len(elements) != 2:
            raise ValueError(f"Invalid type {self.text!r}")
        return elements[0], elements[1]

    def _vector(self) -> CqlType:
        self._expect("<")
        element = self._type()
        self._expect(",")
        dimension = self._next()
        self._expect(">")
        if not dimension.isdecimal():
            raise ValueError(f"Invalid type {self.text!r}")
        return VectorType(element, int(dimension))

    def _type(self) -> CqlType:
        word = self._next()
        if word[0] == "'":
            return _java(word[1:-1].replace("''", "'"))
        if word[0] == '"':
            return self._user_type(word[1:-1].replace('""', '"'))
        is_generic = self.index < len(self.tokens) and self.tokens[self.index] == "<"
        if is_generic:
            if word == "frozen":
                return self._elements()[0].frozen_form()
            if word == "list":
                return ListType(self._elements()[0], False)
            if word == "set":
                return SetType(self._elements()[0], False)
            if word == "map":
                return MapType(*self._element_pair(), False)
            if word == "tuple":
                return TupleType(tuple(self._elements()))
            if word == "vector":
                return self._vector()
        native = NATIVE_TYPES.get(word)
        return native if native is not None else self._user_type(word)

    def _user_type(self, name: str) -> CqlType:
        found = self.user_types.get(name)
        if found is None:
            raise ValueError(f"Unknown type {name!r}")
        return UserType(found.keyspace, found.name, found.field_names, found.field_types, False)


def _java(name: str) -> CqlType:
    try:
        return parse_java_type(name)
    except ValueError:
        return CustomType(name)


@lru_cache(maxsize=512)
def _tokens(text: str) -> tuple[str, ...]:
    tokens, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"Invalid type {text!r}")
        tokens.append(match[match.lastindex or 0])
        position = match.end()
    return tuple(tokens)
