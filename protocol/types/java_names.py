"""Java names of types, as custom types, old schema tables and SSTable headers carry them (db/marshal/TypeParser.java).

    name := identifier [ '(' parameters ')' ]

ListType, SetType, MapType, TupleType and FrozenType take types; UserType a keyspace, its name in hex and hex:type for
each field; VectorType a type and a dimension; DynamicCompositeType alias=>type. ReversedType is dropped but in
composites: a column is reversed, not its type.
"""

import re
from typing import TYPE_CHECKING

from protocol.types.base import JAVA_PACKAGE, CqlType
from protocol.types.collections import ListType, MapType, SetType
from protocol.types.custom import CustomType, LexicalUUIDType
from protocol.types.natives import BLOB, JAVA_NATIVE_TYPES
from protocol.types.tuples import TupleType, UserType
from protocol.types.vectors import VectorType

if TYPE_CHECKING:
    from protocol.types.composites import Component  # imported late: few tables have one

_IDENTIFIER = re.compile(r"[0-9A-Za-z\-+._&]+")
_BLANK = re.compile(r"[ \t\n]*")
_BLANK_OR_COMMA = re.compile(r"[ \t\n,]*")

# In the order of Java's HashMap of bytes.
_ALIAS_BUCKETS = 16

# More nesting than any schema has, less than Python's stack.
NESTING_MAX = 100


def parse_java(text: str) -> CqlType:
    """The type of a Java name; ValueError if it can't be read. Unknown classes are custom types, '' is a blob."""
    if not text.strip():
        return BLOB
    parser = _Parser(text)
    parsed = parser.type(0)
    parser.skip(_BLANK)
    if parser.position < len(text):
        raise ValueError(f"Syntax error parsing '{text}' at char {parser.position}: unexpected rest")
    return parsed


def parse_component(text: str) -> "Component":
    """The type of a composite's component, which may be reversed; ValueError if it can't be read."""
    return _Parser(text).component(0)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.position)
        if found is not None:
            self.position = found.end()

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def expect(self, char: str) -> None:
        if self.peek() != char:
            raise ValueError(f"Syntax error parsing '{self.text}' at char {self.position}: expected '{char}'")
        self.position += 1

    def identifier(self) -> str:
        self.skip(_BLANK)
        found = _IDENTIFIER.match(self.text, self.position)
        if found is None:
            raise ValueError(f"Syntax error parsing '{self.text}' at char {self.position}: unexpected end of string")
        self.position = found.end()
        return found[0]

    def type(self, depth: int) -> CqlType:
        if depth > NESTING_MAX:
            raise ValueError("types are nested too deeply")
        self.skip(_BLANK)
        start = self.position
        name = self.identifier()
        short = name.removeprefix(JAVA_PACKAGE)
        self.skip(_BLANK)
        if short == "LexicalUUIDType":
            return LexicalUUIDType(JAVA_PACKAGE + short)
        if self.peek() != "(":
            native = JAVA_NATIVE_TYPES.get(short)
            return native if native is not None else CustomType(name if "." in name else JAVA_PACKAGE + name)
        if short == "UserType":
            return self.user_type(depth)
        if short == "VectorType":
            return self.vector(depth)
        if short in ("ListType", "SetType", "MapType", "TupleType", "FrozenType", "ReversedType"):
            return _made(short, self.parameters(depth))
        if short == "CompositeType":
            return self.composite(depth)
        if short == "DynamicCompositeType":
            return self.dynamic_composite(depth)
        self.skip_parentheses()
        text = self.text[start : self.position]
        return CustomType(text if "." in name else JAVA_PACKAGE + text)

    def parameters(self, depth: int) -> list[CqlType]:
        self.expect("(")
        types: list[CqlType] = []
        while True:
            self.skip(_BLANK_OR_COMMA)
            if self.peek() == ")":
                self.position += 1
                return types
            types.append(self.type(depth + 1))

    def component(self, depth: int) -> "Component":
        from protocol.types.composites import Component

        start = self.position
        is_reversed = self.identifier().removeprefix(JAVA_PACKAGE) == "ReversedType"
        self.position = start
        return Component(self.type(depth), is_reversed)

    def composite(self, depth: int) -> CqlType:
        from protocol.types.composites import CompositeType

        self.expect("(")
        components: list[Component] = []
        while True:
            self.skip(_BLANK_OR_COMMA)
            if self.peek() == ")":
                break
            components.append(self.component(depth + 1))
        self.position += 1
        if not components:
            raise ValueError("Nonsensical empty parameter list for CompositeType")
        name = ",".join(map(_component_name, components))
        return CompositeType(f"{JAVA_PACKAGE}CompositeType({name})", tuple(components))

    def dynamic_composite(self, depth: int) -> CqlType:
        from protocol.types.composites import DynamicCompositeType

        self.expect("(")
        aliases: dict[int, Component] = {}
        while True:
            self.skip(_BLANK_OR_COMMA)
            if self.peek() == ")":
                break
            alias = self.identifier()
            if len(alias) != 1:
                raise ValueError("An alias should be a single character")
            self.skip(_BLANK)
            self.expect("=")
            self.expect(">")
            aliases[ord(alias)] = self.component(depth + 1)
        self.position += 1
        ordered = sorted(aliases, key=lambda alias: alias % _ALIAS_BUCKETS)
        name = ",".join(f"{chr(alias)}=>{_component_name(aliases[alias])}" for alias in ordered)
        return DynamicCompositeType(f"{JAVA_PACKAGE}DynamicCompositeType({name})", aliases)

    def user_type(self, depth: int) -> UserType:
        self.expect("(")
        keyspace = self.identifier()
        self.skip(_BLANK_OR_COMMA)
        name = bytes.fromhex(self.identifier()).decode()
        names: list[str] = []
        types: list[CqlType] = []
        while True:
            self.skip(_BLANK_OR_COMMA)
            if self.peek() == ")":
                self.position += 1
                return UserType(keyspace, name, tuple(names), tuple(types), False)
            names.append(bytes.fromhex(self.identifier()).decode())
            self.skip(_BLANK)
            self.expect(":")
            types.append(self.type(depth + 1))

    def vector(self, depth: int) -> VectorType:
        self.expect("(")
        elements = self.type(depth + 1)
        self.skip(_BLANK_OR_COMMA)
        dimension = int(self.identifier())
        self.skip(_BLANK)
        self.expect(")")
        return VectorType(elements, dimension)

    def skip_parentheses(self) -> None:
        open_count = 0
        while True:
            char = self.peek()
            if not char:
                raise ValueError(f"Syntax error parsing '{self.text}': unexpected end of string")
            open_count += (char == "(") - (char == ")")
            self.position += 1
            if not open_count:
                return


def _component_name(component: "Component") -> str:
    name = component.type.java()
    return f"{JAVA_PACKAGE}ReversedType({name})" if component.is_reversed else name


def _made(name: str, types: list[CqlType]) -> CqlType:
    expected = {"MapType": 2, "TupleType": len(types)}.get(name, 1)
    if len(types) != expected:
        noun = "type parameter" if expected == 1 else "type parameters"
        raise ValueError(f"{name} takes exactly {expected} {noun}")
    if name == "TupleType":
        return TupleType(tuple(types))
    if name == "FrozenType":
        return types[0].frozen_form()
    if name == "ReversedType":
        return types[0]
    inner = [t.frozen_form() for t in types]
    if name == "MapType":
        return MapType(inner[0], inner[1])
    return ListType(inner[0]) if name == "ListType" else SetType(inner[0])
