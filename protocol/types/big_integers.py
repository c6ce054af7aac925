"""Integers of any size between Python's int, text and decimal, in less than quadratic time.

Python refuses texts of more than 4,300 digits because its conversions are quadratic; values come from clients and have
no such limit in Cassandra. Beyond a few thousand digits these functions divide and conquer over decimal's fast
multiplication.

Ours is the limit that nobody meets but who means harm: DIGITS_MAX digits, so that no single operation on a number (a
product, a quotient, a text) takes more than a few milliseconds. Every number that comes in, or is computed, passes
`minimal_bytes`, `text_int` or `check_length`.
"""

import re
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal

from protocol.types.base import MarshalError

DIGITS_MAX = 20_000
"""Of a varint, and of a decimal's unscaled value (whose scale is any of 32 bits)."""
BYTES_MAX = 8_305
"""As many as the largest of them takes, with its sign."""

# Wide enough that no operation on a value that fits into memory rounds.
EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

_DIRECT_BITS = 12_000
_DIRECT_DIGITS = 3_600
_BITS_MAX = 8 * BYTES_MAX - 1
_DIGITS = re.compile(r"[+-]?[0-9]+")


class NumberTooLong(MarshalError):
    """A number of more than DIGITS_MAX digits."""

    def __init__(self) -> None:
        super().__init__(f"Numbers of more than {DIGITS_MAX} digits are not supported")


def check_length(data: bytes) -> None:
    """Of a varint that came from a client. Raises NumberTooLong."""
    if len(data) > BYTES_MAX:
        raise NumberTooLong


def int_text(value: int) -> str:
    if -(1 << _DIRECT_BITS) < value < 1 << _DIRECT_BITS:
        return str(value)
    return str(int_to_decimal(value))


def text_int(text: str) -> int:
    """BigInteger(text); ValueError if it is no integer, NumberTooLong if it has too many digits."""
    if not _DIGITS.fullmatch(text):
        raise ValueError("no integer")
    if len(text) > DIGITS_MAX:
        sign, text = text[0].strip("0123456789"), text.lstrip("+-").lstrip("0") or "0"
        if len(text) > DIGITS_MAX:
            raise NumberTooLong
        text = sign + text
    if len(text) <= _DIRECT_DIGITS:
        return int(text)
    magnitude = _digits_int(text.lstrip("+-"))
    return -magnitude if text[0] == "-" else magnitude


def _digits_int(digits: str) -> int:
    if len(digits) <= _DIRECT_DIGITS:
        return int(digits)
    low = len(digits) // 2
    scale: int = 10**low
    high_part, low_part = digits[:-low], digits[-low:]
    return _digits_int(high_part) * scale + _digits_int(low_part)


def int_to_decimal(value: int) -> Decimal:
    bits = value.bit_length()
    if bits <= _DIRECT_BITS:
        return Decimal(value)
    if value < 0:
        return int_to_decimal(-value).copy_negate()  # -x would round to the context's digits
    powers: dict[int, Decimal] = {}

    def power(width: int) -> Decimal:
        found = powers.get(width)
        if found is None:
            if width <= _DIRECT_BITS:
                found = Decimal(1 << width)
            else:
                found = EXACT.multiply(power(width >> 1), power(width - (width >> 1)))
            powers[width] = found
        return found

    def convert(part: int, width: int) -> Decimal:
        if width <= _DIRECT_BITS:
            return Decimal(part)
        half = width >> 1
        high = part >> half
        return EXACT.fma(convert(high, width - half), power(half), convert(part - (high << half), half))

    return convert(value, bits)


def decimal_to_int(value: Decimal) -> int:
    """The integer of an integral decimal with exponent 0."""
    text = format(value.copy_abs(), "f")
    magnitude = int(text) if len(text) <= _DIRECT_DIGITS else _digits_int(text)
    return -magnitude if value.is_signed() else magnitude


def minimal_bytes(value: int) -> bytes:
    """Two's complement in as few bytes as hold it, at least one (BigInteger.toByteArray). Raises NumberTooLong."""
    bits = value.bit_length() if value >= 0 else (~value).bit_length()
    if bits > _BITS_MAX:
        raise NumberTooLong
    return value.to_bytes(bits // 8 + 1, "big", signed=True)
