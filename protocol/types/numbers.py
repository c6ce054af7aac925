"""Booleans and numbers of a fixed size: boolean, tinyint, smallint, int, bigint, counter, float, double."""

import struct
from typing import Any, ClassVar

from protocol.types.base import ORDER_EMPTY, MarshalError, NativeType
from protocol.types.java_floats import double_text, float_text
from protocol.types.java_text import (
    java_class,
    java_string,
    parse_java_double,
    parse_java_float,
    parse_java_int,
    to_float32,
)

_F32 = struct.Struct(">f")
_F64 = struct.Struct(">d")

# The first byte with its sign bit flipped, behind the byte that says "not empty".
SIGN_FLIPPED = tuple(bytes((2, i ^ 0x80)) for i in range(256))
_INVERTED = bytes(255 - i for i in range(256))


class BooleanType(NativeType):
    __slots__ = ()
    name = "boolean"
    java_name = "BooleanType"
    option_id = 0x0004
    fixed_length = 1
    has_one_form = False  # every byte but 00 is true
    recodes = True

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, bool):
            raise TypeError(f"no bool: {value!r}")
        return b"\x01" if value else b"\x00"

    def decode(self, data: bytes) -> bool | None:
        return data[0] != 0 if data else None

    def recoded(self, data: bytes) -> bytes:
        return b"\x01" if data and data != b"\x00" else data

    def validate(self, data: bytes) -> None:
        if len(data) > 1:
            raise MarshalError(f"Expected 1 or 0 byte value ({len(data)})")

    def order_key(self, data: bytes) -> bytes:
        if not data:
            return ORDER_EMPTY
        return b"\x03" if data[0] else b"\x02"

    def from_text(self, text: str) -> bytes:
        lowered = text.lower()
        if lowered in ("", "false"):
            return b"\x00"
        if lowered == "true":
            return b"\x01"
        raise MarshalError(f"Unable to make boolean from '{text}'")

    def to_text(self, data: bytes) -> str:
        return ("true" if data[0] else "false") if data else ""

    def to_json(self, data: bytes) -> str:
        return ("true" if data[0] else "false") if data else "null"

    def from_json(self, value: Any) -> bytes:
        if isinstance(value, str):
            return self.from_text(value)
        if not isinstance(value, bool):
            raise MarshalError(f"Expected a boolean value, but got a {java_class(value)}: {java_string(value)}")
        return b"\x01" if value else b"\x00"

    def masked_value(self) -> bytes:
        return b"\x00"


class IntegerNumberType(NativeType):
    """Two's complement, big-endian, of `width` bytes."""

    __slots__ = ()
    width: ClassVar[int]
    noun: ClassVar[str]

    def encode(self, value: Any) -> bytes:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"no int: {value!r}")
        try:
            return value.to_bytes(self.width, "big", signed=True)
        except OverflowError as error:
            raise ValueError(f"{value} is out of the range of {self.name}") from error

    def decode(self, data: bytes) -> int | None:
        """What is longer than it may be (a literal of hexadecimal digits in a call) counts as far as the type goes."""
        return int.from_bytes(data[: self.width], "big", signed=True) if data else None

    def order_key(self, data: bytes) -> bytes:
        return SIGN_FLIPPED[data[0]] + data[1:] if data else ORDER_EMPTY

    sort_key = order_key

    def from_text(self, text: str) -> bytes:
        if not text:
            return b""
        try:
            return parse_java_int(text, self.width * 8).to_bytes(self.width, "big", signed=True)
        except ValueError:
            raise MarshalError(f"Unable to make {self.noun} from '{text}'") from None

    def to_text(self, data: bytes) -> str:
        return str(self.decode(data)) if data else ""

    def to_json(self, data: bytes) -> str:
        return str(self.decode(data)) if data else '""'

    def masked_value(self) -> bytes:
        return bytes(self.width)


class TinyIntType(IntegerNumberType):
    __slots__ = ()
    name = "tinyint"
    java_name = "ByteType"
    option_id = 0x0014
    option_version = 4
    width = 1
    noun = "byte"
    allows_empty = False
    empty_is_null = False

    def validate(self, data: bytes) -> None:
        if len(data) != 1:
            raise MarshalError(f"Expected 1 byte for a tinyint ({len(data)})")

    def from_json(self, value: Any) -> bytes:
        return _small_from_json(self, value)


class SmallIntType(IntegerNumberType):
    __slots__ = ()
    name = "smallint"
    java_name = "ShortType"
    option_id = 0x0013
    option_version = 4
    width = 2
    noun = "short"
    allows_empty = False
    empty_is_null = False

    def validate(self, data: bytes) -> None:
        if len(data) != 2:
            raise MarshalError(f"Expected 2 bytes for a smallint ({len(data)})")

    def from_json(self, value: Any) -> bytes:
        return _small_from_json(self, value)


def _small_from_json(type_: IntegerNumberType, value: Any) -> bytes:
    if isinstance(value, bool | list | dict):
        raise MarshalError(f"Expected a {type_.noun} value, but got a {java_class(value)}: {java_string(value)}")
    return type_.from_text(java_string(value))


class IntType(IntegerNumberType):
    __slots__ = ()
    name = "int"
    java_name = "Int32Type"
    option_id = 0x0009
    width = 4
    fixed_length = 4
    noun = "int"

    def validate(self, data: bytes) -> None:
        if len(data) != 4 and data:
            raise MarshalError(f"Expected 4 or 0 byte int ({len(data)})")

    def from_json(self, value: Any) -> bytes:
        if isinstance(value, str):
            return self.from_text(value)
        if java_class(value) != "Integer":
            raise MarshalError(f"Expected an int value, but got a {java_class(value)}: {java_string(value)}")
        return self.encode(value)


class BigIntType(IntegerNumberType):
    __slots__ = ()
    name = "bigint"
    java_name = "LongType"
    option_id = 0x0002
    width = 8
    fixed_length: int | None = 8
    noun = "long"

    def validate(self, data: bytes) -> None:
        if len(data) != 8 and data:
            raise MarshalError(f"Expected 8 or 0 byte long ({len(data)})")

    def from_json(self, value: Any) -> bytes:
        if isinstance(value, str):
            return self.from_text(value)
        if java_class(value) not in ("Integer", "Long"):
            raise MarshalError(f"Expected a bigint value, but got a {java_class(value)}: {java_string(value)}")
        return self.encode(value)


class CounterType(BigIntType):
    """The total of a counter; what replicas keep of it is storage's affair."""

    __slots__ = ()
    name = "counter"
    java_name = "CounterColumnType"
    option_id = 0x0005
    fixed_length = None

    @property
    def is_counter(self) -> bool:
        return True


class FloatingType(NativeType):
    __slots__ = ()
    has_one_form = False  # NaN

    def order_key(self, data: bytes) -> bytes:
        if not data:
            return ORDER_EMPTY
        if data[0] & 0x7F == 0x7F and self.decode(data) != self.decode(data):
            data = self.encode(float("nan"))
        if data[0] & 0x80:
            return b"\x02" + data.translate(_INVERTED)
        return SIGN_FLIPPED[data[0]] + data[1:]

    def to_json(self, data: bytes) -> str:
        if not data:
            return '""'
        value = self.decode(data)
        return self.to_text(data) if value - value == 0 else "null"

    def from_json(self, value: Any) -> bytes:
        if isinstance(value, str):
            return self.from_text(value)
        if isinstance(value, bool | list | dict):
            raise MarshalError(f"Expected a {self.name} value, but got a {java_class(value)}: {java_string(value)}")
        try:
            return self.encode(float(value))
        except OverflowError:
            return self.encode(float("inf") if value > 0 else float("-inf"))


class FloatType(FloatingType):
    __slots__ = ()
    name = "float"
    java_name = "FloatType"
    option_id = 0x0008
    fixed_length = 4

    def encode(self, value: Any) -> bytes:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"no number: {value!r}")
        try:
            return _F32.pack(value)
        except OverflowError:
            return _F32.pack(to_float32(float(value)))

    def decode(self, data: bytes) -> Any:
        return _F32.unpack(data)[0] if data else None

    def validate(self, data: bytes) -> None:
        if len(data) != 4 and data:
            raise MarshalError(f"Expected 4 or 0 byte value for a float ({len(data)})")

    def from_text(self, text: str) -> bytes:
        if not text:
            return b""
        try:
            return self.encode(parse_java_float(text))
        except ValueError:
            raise MarshalError(f"Unable to make float from '{text}'") from None

    def to_text(self, data: bytes) -> str:
        return float_text(_F32.unpack(data)[0]) if data else ""

    def masked_value(self) -> bytes:
        return bytes(4)


class DoubleType(FloatingType):
    __slots__ = ()
    name = "double"
    java_name = "DoubleType"
    option_id = 0x0007
    fixed_length = 8

    def encode(self, value: Any) -> bytes:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"no number: {value!r}")
        return _F64.pack(value)

    def decode(self, data: bytes) -> Any:
        return _F64.unpack(data)[0] if data else None

    def validate(self, data: bytes) -> None:
        if len(data) != 8 and data:
            raise MarshalError(f"Expected 8 or 0 byte value for a double ({len(data)})")

    def from_text(self, text: str) -> bytes:
        if not text:
            return b""
        try:
            return _F64.pack(parse_java_double(text))
        except ValueError:
            raise MarshalError(f"Unable to make double from '{text}'") from None

    def to_text(self, data: bytes) -> str:
        return double_text(_F64.unpack(data)[0]) if data else ""

    def masked_value(self) -> bytes:
        return bytes(8)
