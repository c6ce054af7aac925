"""Numbers of any size: varint and decimal."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from protocol.types.base import ORDER_EMPTY, MarshalError, NativeType
from protocol.types.big_integers import (
    DIGITS_MAX,
    EXACT,
    NumberTooLong,
    check_length,
    decimal_to_int,
    int_text,
    int_to_decimal,
    minimal_bytes,
    text_int,
)
from protocol.types.java_floats import double_text
from protocol.types.java_text import java_string
from protocol.types.turns import long_work, pause

LONG_NUMBER_BYTES = 1_000
"""What is made of a longer one takes its time: others have their turn before."""
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?([0-9]*)|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,11}))?")
_EXPONENT = re.compile(r"[eE].*")
_PLUS_ONE = bytes((i + 1) & 0xFF for i in range(256))
_INVERTED = bytes(255 - i for i in range(256))

# Lengths of varints below this stand in the first byte of their order key, longer ones in four bytes behind it.
_SHORT_LENGTH_MAX = 100


class VarIntType(NativeType):
    """Two's complement, big-endian; leading sign bytes are allowed and mean nothing."""

    __slots__ = ()
    name = "varint"
    java_name = "IntegerType"
    option_id = 0x000E
    has_one_form = False
    recodes = True

    def encode(self, value: Any) -> bytes:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"no int: {value!r}")
        return minimal_bytes(value)

    def decode(self, data: bytes) -> int | None:
        check_length(data)
        return int.from_bytes(data, "big", signed=True) if data else None

    def validate(self, data: bytes) -> None:
        """All bytes are a varint, if there are not too many."""
        check_length(data)

    def recoded(self, data: bytes) -> bytes:
        return _minimal(data) if data else data

    def order_key(self, data: bytes) -> bytes:
        if not data:
            return ORDER_EMPTY
        if data[0] in (0x00, 0xFF):
            data = _minimal(data)
        length = len(data)
        if data[0] < 0x80:
            if length < _SHORT_LENGTH_MAX:
                return bytes((0x80 + length,)) + data
            return b"\xfd" + length.to_bytes(4, "big") + data
        if length < _SHORT_LENGTH_MAX:
            return bytes((0x7F - length,)) + data
        return b"\x02" + (0xFFFFFFFF - length).to_bytes(4, "big") + data

    def from_text(self, text: str) -> bytes:
        if not text:
            return b""
        try:
            return minimal_bytes(text_int(text))
        except NumberTooLong:
            raise
        except ValueError:
            raise MarshalError(f"unable to make int from '{text}'") from None

    def to_text(self, data: bytes) -> str:
        take_turns(data)
        return int_text(int.from_bytes(data, "big", signed=True)) if data else ""

    def to_json(self, data: bytes) -> str:
        return self.to_text(data) or '""'

    def from_json(self, value: Any) -> bytes:
        text = java_string(value)
        try:
            return minimal_bytes(text_int(text))
        except NumberTooLong:
            raise
        except ValueError:
            raise MarshalError(f"Value '{text}' is not a valid representation of a varint value") from None

    def masked_value(self) -> bytes:
        return b"\x00"


def _minimal(data: bytes) -> bytes:
    """The shortest bytes of the same number."""
    return minimal_bytes(int.from_bytes(data, "big", signed=True))


class DecimalType(NativeType):
    """`[i32 scale][varint unscaled]`. Trailing zeros are kept but don't count in comparisons."""

    __slots__ = ()
    name = "decimal"
    java_name = "DecimalType"
    option_id = 0x0006
    has_one_form = False
    recodes = True

    def encode(self, value: Any) -> bytes:
        """Of a Decimal, int, or float (its shortest digits, as BigDecimal.valueOf)."""
        if isinstance(value, bool) or not isinstance(value, Decimal | int | float):
            raise TypeError(f"no number: {value!r}")
        if isinstance(value, int):
            return bytes(4) + minimal_bytes(value)
        number = Decimal(double_text(value)) if isinstance(value, float) else value
        if not number.is_finite():
            raise ValueError(f"{value!r} is not finite")
        exponent = number.as_tuple().exponent
        assert isinstance(exponent, int)
        if not -(2**31) <= -exponent < 2**31:
            raise ValueError("the scale is out of range")
        unscaled = decimal_to_int(EXACT.scaleb(number, -exponent)) if number else 0
        return (-exponent).to_bytes(4, "big", signed=True) + minimal_bytes(unscaled)

    def decode(self, data: bytes) -> Decimal | None:
        check_length(data[4:])
        return _decimal(data) if data else None

    def validate(self, data: bytes) -> None:
        if data and len(data) < 4:
            raise MarshalError(f"Expected 0 or at least 4 bytes ({len(data)})")
        check_length(data[4:])

    def recoded(self, data: bytes) -> bytes:
        return data[:4] + _minimal(data[4:]) if data else data

    def order_key(self, data: bytes) -> bytes:
        """Header (negative 40, zero 80, positive C0), exponent, digits plus one, 00; negatives inverted."""
        if not data:
            return ORDER_EMPTY
        value = _decimal(data)
        if not value:
            return b"\x80"
        digits = bytes(value.as_tuple().digits).rstrip(b"\x00").translate(_PLUS_ONE)
        body = (value.adjusted() + (1 << 39)).to_bytes(5, "big") + digits + b"\x00"
        return b"\x40" + body.translate(_INVERTED) if value.is_signed() else b"\xc0" + body

    def from_text(self, text: str) -> bytes:
        if not text:
            return b""
        return self._parse(text, f"unable to make BigDecimal from '{text}'")

    def _parse(self, text: str, message: str) -> bytes:
        found = _DECIMAL.fullmatch(text)
        if found is None:
            raise MarshalError(message)
        if len(text) > DIGITS_MAX and len(_EXPONENT.sub("", text).replace(".", "").lstrip("+-0")) > DIGITS_MAX:
            raise NumberTooLong
        try:
            # ".5" and "5." are fine for both; sizes that only Java's int scale forbids end in ValueError.
            return self.encode(Decimal(text))
        except NumberTooLong:
            raise
        except (InvalidOperation, ValueError):
            raise MarshalError(message) from None

    def to_text(self, data: bytes) -> str:
        take_turns(data)
        return str(_decimal(data)) if data else ""

    def to_json(self, data: bytes) -> str:
        return self.to_text(data) or '""'

    def from_json(self, value: Any) -> bytes:
        text = java_string(value)
        return self._parse(text, f"Value '{text}' is not a valid representation of a decimal value") if text else b""

    def masked_value(self) -> bytes:
        return bytes(5)


def take_turns(data: bytes) -> None:
    """Before a number is worked on. Raises TooLong in a go of the loop if it is long."""
    if len(data) > LONG_NUMBER_BYTES:
        long_work()
        pause()


def _decimal(data: bytes) -> Decimal:
    unscaled = int_to_decimal(int.from_bytes(data[4:], "big", signed=True))
    scale = int.from_bytes(data[:4], "big", signed=True)
    return EXACT.scaleb(unscaled, -scale) if scale else unscaled
