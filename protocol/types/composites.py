"""CompositeType and DynamicCompositeType: several values in one, nameless in CQL (db/marshal/AbstractCompositeType.java).

    value     := component*
    component := [what it is, dynamic ones only] [u16 length] [value] [i8 end: 0; 1 or -1 in bounds of slices]
    what      := [u16 8000 + alias] | [u16 length] [class name]

As text the components stand apart by colons (`\\:` is a colon in one); `alias@` or `class@` begins each of a dynamic one.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from protocol.types.base import CqlType, MarshalError, byte_order_key
from protocol.types.custom import CustomType

_COLON = re.compile(r"(?<!\\):")
_ORDER_END = b"\x00"
_ALIAS = 0x8000


@dataclass(frozen=True, slots=True)
class Component:
    """The type of a component; `is_reversed`: it sorts the other way round."""

    type: CqlType
    is_reversed: bool = False

    def order_key(self, data: bytes) -> bytes:
        key = self.type.order_key(data)
        return bytes(255 - byte for byte in key) if self.is_reversed else key


class _Composite(CustomType):
    """What both kinds share. Each says how a component begins, in bytes and in text."""

    __slots__ = ()

    def _component(self, data: bytes, at: int, index: int) -> tuple[Component, int]:
        """What stands at `at`, and where its length does. MarshalError."""
        raise NotImplementedError

    def _parsed(self, text: str, index: int) -> tuple[Component, bytes, str]:
        """The same of a text: what it is, the bytes that say so, and its value. MarshalError."""
        raise NotImplementedError

    def _parts(self, data: bytes) -> list[tuple[Component, bytes, int]]:
        """Components with value and end. MarshalError."""
        found: list[tuple[Component, bytes, int]] = []
        at = 0
        while at < len(data):
            index = len(found)
            component, at = self._component(data, at, index)
            if at + 2 > len(data):
                raise MarshalError(f"Not enough bytes to read value size of component {index}")
            begin = at + 2
            at = begin + int.from_bytes(data[at:begin], "big")
            if at > len(data):
                raise MarshalError(f"Not enough bytes to read value of component {index}")
            if at == len(data):
                raise MarshalError(f"Not enough bytes to read the end-of-component byte of component{index}")
            end = int.from_bytes(data[at : at + 1], "big", signed=True)
            if end and at + 1 < len(data):
                raise MarshalError(f"Invalid bytes remaining after an end-of-component at component{index}")
            found.append((component, data[begin:at], end))
            at += 1
        return found

    def validate(self, data: bytes) -> None:
        for component, value, _ in self._parts(data):
            component.type.validate(value)

    def order_key(self, data: bytes) -> bytes:
        """Component by component; what begins another comes before it. Bytes that are none of the type come last."""
        try:
            keys = [component.order_key(value) + bytes([end + 128]) for component, value, end in self._parts(data)]
        except MarshalError:
            return b"\xfe" + byte_order_key(data)
        return b"\x01" + b"".join(keys) + _ORDER_END

    def from_text(self, text: str) -> bytes:
        made, end = b"", 0
        for index, part in enumerate(_COLON.split(text) if text else ()):
            if part in ("!", "_"):
                end = 1 if part == "!" else -1
                break
            component, begin, rest = self._parsed(part, index)
            value = component.type.from_text(_unescaped(rest))
            component.type.validate(value)
            made += begin + struct.pack(">H", len(value)) + value + b"\x00"
        return made[:-1] + struct.pack(">b", end) if made else made

    def to_json(self, data: bytes) -> str:
        _no_json()

    def from_json(self, value: object) -> bytes:
        _no_json()


class CompositeType(_Composite):
    """The components one after the other; values may end early."""

    __slots__ = ("components",)
    components: tuple[Component, ...]

    def __init__(self, java_class: str, components: tuple[Component, ...]) -> None:
        super().__init__(java_class)
        object.__setattr__(self, "components", components)

    def _component(self, data: bytes, at: int, index: int) -> tuple[Component, int]:
        return self._at(index), at

    def _parsed(self, text: str, index: int) -> tuple[Component, bytes, str]:
        return self._at(index), b"", text

    def _at(self, index: int) -> Component:
        if index >= len(self.components):
            raise MarshalError(f"Too many bytes for comparator {self.java_class}")
        return self.components[index]


class DynamicCompositeType(_Composite):
    """Each component says what it is, by an alias or by the name of a class."""

    __slots__ = ("aliases",)
    aliases: Mapping[int, Component]

    def __init__(self, java_class: str, aliases: Mapping[int, Component]) -> None:
        super().__init__(java_class)
        object.__setattr__(self, "aliases", aliases)

    def _component(self, data: bytes, at: int, index: int) -> tuple[Component, int]:
        header = int.from_bytes(data[at : at + 2], "big")
        at += 2
        if header & _ALIAS:
            return self._aliased(header & 0xFF), at
        return _named(data[at : at + header].decode("ascii", "replace")), at + header

    def _parsed(self, text: str, index: int) -> tuple[Component, bytes, str]:
        name, _, rest = text.partition("@")
        if len(name) == 1:
            return self._aliased(ord(name)), struct.pack(">H", _ALIAS | ord(name) & 0xFF), rest
        return _named(name), struct.pack(">H", len(name)) + name.encode(), rest

    def _aliased(self, alias: int) -> Component:
        found = self.aliases.get(alias)
        if found is None:
            raise MarshalError(f"Cannot find comparator for alias {chr(alias)!r} of {self.java_class}")
        return found


def _named(name: str) -> Component:
    from protocol.types.java_names import parse_component

    try:
        return parse_component(name)
    except ValueError as error:
        raise MarshalError(str(error)) from None


def _unescaped(text: str) -> str:
    return text.replace("\\:", ":").removesuffix("!")


def _no_json() -> NoReturn:
    raise MarshalError("Composite types have no JSON form")
