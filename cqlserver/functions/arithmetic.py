"""Numbers as Java computes with them: fixed widths wrap, floats round to 32 bits, decimals have scales.

Numbers are Python values here: int for the integer types, float for float and double, Decimal for decimal. The functions
are those of db/marshal's NumberType: `add(type, left, right)` converts both to the result's type first. ArithmeticFailure
carries the text of Java's exception.
"""

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from cqlserver.functions.logarithms import decimal_logarithm, exponential, natural_logarithm
from protocol.types import (
    BIGINT,
    COUNTER,
    DECIMAL,
    DOUBLE,
    FLOAT,
    INT,
    SMALLINT,
    TINYINT,
    VARINT,
    CqlType,
)
from protocol.types.big_integers import DIGITS_MAX, EXACT, NumberTooLong, decimal_to_int, int_to_decimal
from protocol.types.big_numbers import take_turns
from protocol.types.java_floats import double_text, float_text
from protocol.types.java_text import parse_java_float, to_float32

BITS: dict[CqlType, int] = {TINYINT: 8, SMALLINT: 16, INT: 32, BIGINT: 64, COUNTER: 64}
# DecimalType's limits of a quotient's scale, and of the digits of sums and products.
_MIN_SCALE = 32
_MAX_SCALE = 1000
_DIGITS_MAX = 10_000
_LIMITED = Context(prec=_DIGITS_MAX, rounding=ROUND_HALF_UP, Emax=EXACT.Emax, Emin=EXACT.Emin, traps=[])

OVERFLOW = "BigInteger would overflow supported range"
"""What becomes of numbers with more digits than DIGITS_MAX. Java says so of more than two billion bits, and spends minutes
and gigabytes on what is shorter."""
_INT_MAX = (1 << 31) - 1
_JAVA_POWER_MAX = 715_827_882
"""BigInteger.pow refuses greater powers of ten."""


class ArithmeticFailure(ArithmeticError):
    """What Java throws as ArithmeticException or NumberFormatException; the text is Java's."""


def wrap(value: int, bits: int) -> int:
    """Two's complement of that many bits."""
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half


def saturate(value: float, bits: int) -> int:
    """Java's cast of a floating number to int or long."""
    if math.isnan(value):
        return 0
    limit = 1 << (bits - 1)
    if value >= limit:
        return limit - 1
    return -limit if value <= -limit else int(value)


def to_integer(value: Any, bits: int) -> int:
    """Number.byteValue, shortValue, intValue or longValue of any number."""
    if isinstance(value, float):
        return wrap(saturate(value, max(bits, 32)), bits)
    if isinstance(value, Decimal):
        return wrap(_low_bits(value), bits)
    return wrap(value, bits)


def _low_bits(value: Decimal) -> int:
    """The integral part of a decimal, or what is left of it in its lowest 64 bits."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if exponent >= 64 or value.adjusted() < 0:
        return 0
    whole = value.to_integral_value("ROUND_DOWN", EXACT)
    return decimal_to_int(whole.quantize(Decimal(1), context=EXACT))


def to_double(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def to_float(value: Any) -> float:
    """Number.floatValue."""
    if isinstance(value, float):
        return to_float32(value)
    if (value.copy_abs() if isinstance(value, Decimal) else abs(value)) >= 1 << 130:
        return math.inf if value > 0 else -math.inf
    return parse_java_float(str(value))


def to_decimal(value: Any) -> Decimal:
    """DecimalType.toBigDecimal: numbers of a fixed width take the way over double, with its digits."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return int_to_decimal(value)
    number = float(value)
    if math.isnan(number):
        raise ArithmeticFailure("A NaN cannot be converted into a decimal")
    if math.isinf(number):
        raise ArithmeticFailure("An infinite number cannot be converted into a decimal")
    return Decimal(double_text(number))


def operand(type_: CqlType, result: CqlType, data: bytes) -> Any:
    """An operand of an operation with that result, converted as NumberType's methods do it."""
    value = decoded(type_, data)
    if result is DECIMAL:
        return int_to_decimal(value) if type_ is VARINT else to_decimal(value)
    if result is DOUBLE:
        return to_double(value)
    if result is FLOAT:
        return to_float(value)
    return value


def encode_number(type_: CqlType, value: Any) -> bytes:
    """A number in its type, with what doesn't fit cut off."""
    bits = BITS.get(type_)
    if bits is not None:
        return type_.encode(wrap(value, bits))
    if type_ is DECIMAL:
        _check_scale(scale_of(value))
    try:
        return type_.encode(value)
    except NumberTooLong:
        raise ArithmeticFailure(OVERFLOW) from None


def _check_scale(scale: int) -> None:
    """BigDecimal.checkScale."""
    if not -_INT_MAX - 1 <= scale <= _INT_MAX:
        raise ArithmeticFailure("Underflow" if scale > 0 else "Overflow")


def decoded(type_: CqlType, data: bytes) -> Any:
    """A number of that type. What is computed of a long one takes its time: others have their turn before."""
    take_turns(data)
    try:
        return type_.decode(data)
    except NumberTooLong:
        raise ArithmeticFailure(OVERFLOW) from None


def add_values(type_: CqlType, left: bytes, right: bytes) -> bytes:
    """The sum of two values of one type."""
    return encode_number(type_, add(type_, operand(type_, type_, left), operand(type_, type_, right)))


def add(type_: CqlType, left: Any, right: Any) -> Any:
    return _LIMITED.add(left, right) if type_ is DECIMAL else left + right


def subtract(type_: CqlType, left: Any, right: Any) -> Any:
    return _LIMITED.subtract(left, right) if type_ is DECIMAL else left - right


def multiply(type_: CqlType, left: Any, right: Any) -> Any:
    return _LIMITED.multiply(left, right) if type_ is DECIMAL else left * right


def divide(type_: CqlType, left: Any, right: Any) -> Any:
    if type_ is DECIMAL:
        return divide_decimals(left, right)
    if type_ is DOUBLE or type_ is FLOAT:
        return _divide_floats(left, right)
    if not right:
        raise ArithmeticFailure("BigInteger divide by zero" if type_ is VARINT else "/ by zero")
    return truncated(left, right)


def truncated(left: int, right: int) -> int:
    """The quotient, rounded towards zero."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def modulo(type_: CqlType, left: Any, right: Any) -> Any:
    if type_ is DECIMAL:
        return _decimal_remainder(left, right)
    if type_ is DOUBLE or type_ is FLOAT:
        if math.isnan(left) or math.isnan(right):
            return math.nan
        if math.isinf(left) or not right:
            return -math.nan
        return math.fmod(left, right)
    if not right:
        raise ArithmeticFailure("BigInteger divide by zero" if type_ is VARINT else "/ by zero")
    return left - truncated(left, right) * right


def _divide_floats(left: float, right: float) -> float:
    if right:
        return left / right
    if math.isnan(left) or math.isnan(right):
        return math.nan
    if not left:
        return -math.nan  # the sign is the processor's, and shows in the bytes
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def scale_of(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent


def unscaled(value: Decimal) -> int:
    return decimal_to_int(EXACT.scaleb(value, scale_of(value))) if value else 0


def decimal_of(unscaled_value: int, scale: int) -> Decimal:
    return EXACT.scaleb(int_to_decimal(unscaled_value), -scale)


def add_exactly(left: Decimal, right: Decimal) -> Decimal:
    """BigDecimal.add."""
    highest = max((value.adjusted() for value in (left, right) if value), default=0)
    if highest + max(scale_of(left), scale_of(right)) > DIGITS_MAX:
        raise ArithmeticFailure(OVERFLOW)
    return EXACT.add(left, right)


def divide_at_scale(left: Decimal, right: Decimal, scale: int, half_even: bool = False) -> Decimal:
    """BigDecimal.divide(right, scale, HALF_UP or HALF_EVEN)."""
    divisor = unscaled(right)
    if not divisor:
        raise ArithmeticFailure("BigInteger divide by zero")
    dividend = unscaled(left)
    if not dividend:
        return decimal_of(0, scale)
    left_scale, right_scale = scale_of(left), scale_of(right)
    digits = _precision(left) - _precision(right)
    if scale + right_scale > left_scale:
        _check_scale(scale + right_scale)
        shift = wrap(scale + right_scale - left_scale, 32)  # Java's int: what overflows is not shifted
        if digits + shift > DIGITS_MAX:
            raise ArithmeticFailure(OVERFLOW)
        dividend *= 10 ** max(shift, 0)
    else:
        _check_scale(left_scale - scale)
        shift = wrap(left_scale - scale - right_scale, 32)
        if shift > _JAVA_POWER_MAX:
            raise ArithmeticFailure(OVERFLOW)
        if shift > digits + 2:
            return decimal_of(0, scale)
        divisor *= 10 ** max(shift, 0)
    quotient, rest = divmod(abs(dividend), abs(divisor))
    twice = 2 * rest
    if twice > abs(divisor) or (twice == abs(divisor) and (not half_even or quotient & 1)):
        quotient += 1
    return decimal_of(quotient if (dividend < 0) == (divisor < 0) else -quotient, scale)


def divide_decimals(left: Decimal, right: Decimal) -> Decimal:
    """DecimalType.divide: at least 32 significant digits and 32 behind the point, at most 1000; no trailing zeros."""
    first_digit = (_precision(left) - scale_of(left)) - (_precision(right) - scale_of(right))
    scale = max(wrap(_MIN_SCALE - first_digit, 32), scale_of(left), scale_of(right), _MIN_SCALE)
    return strip_zeros(divide_at_scale(left, right, min(scale, _MAX_SCALE)))


def _precision(value: Decimal) -> int:
    return len(value.as_tuple().digits)


def strip_zeros(value: Decimal) -> Decimal:
    """BigDecimal.stripTrailingZeros."""
    return value.normalize(EXACT) if value else Decimal(0)


def _decimal_remainder(left: Decimal, right: Decimal) -> Decimal:
    """BigDecimal.remainder, down to the scale that it leaves."""
    if not right:
        raise ArithmeticFailure("Division undefined" if not left else "Division by zero")
    if left.adjusted() - right.adjusted() > DIGITS_MAX:
        raise ArithmeticFailure(OVERFLOW)
    left_scale, right_scale = scale_of(left), scale_of(right)
    if EXACT.compare(left.copy_abs(), right.copy_abs()) < 0:
        return left
    common = max(left_scale, right_scale)
    dividend: int = unscaled(left) * 10 ** (common - left_scale)
    divisor: int = unscaled(right) * 10 ** (common - right_scale)
    quotient = truncated(dividend, divisor)
    rest = dividend - quotient * divisor
    # The quotient's own scale: as near to the difference of the scales as its zeros allow.
    preferred, scale = left_scale - right_scale, 0
    if preferred > 0:
        scale = preferred
    if scale > preferred and quotient:
        zeros = -scale_of(int_to_decimal(quotient).normalize(EXACT))
        scale = max(scale - zeros, preferred)
    final = max(left_scale, scale + right_scale)
    return decimal_of(rest, common).quantize(Decimal((0, (1,), -final)), context=EXACT)


# --- functions of one number ------------------------------------------------------------------------------------------


def negate(type_: CqlType, value: Any) -> Any:
    return -value if type_ is not DECIMAL else (value.copy_negate() if value else value)


def absolute(type_: CqlType, value: Any) -> Any:
    return value.copy_abs() if type_ is DECIMAL else abs(value)


def round_half_up(type_: CqlType, value: Any) -> Any:
    """Whole numbers stay; floats go over Math.round, which saturates; decimals lose their digits."""
    if type_ is DECIMAL:
        if value and (value.adjusted() > DIGITS_MAX or scale_of(value) > _JAVA_POWER_MAX):
            raise ArithmeticFailure(OVERFLOW)
        return value.quantize(Decimal(1), rounding=ROUND_HALF_UP, context=EXACT)
    if type_ is FLOAT or type_ is DOUBLE:
        if value - value != 0:
            return float(saturate(value, 32 if type_ is FLOAT else 64))
        whole = math.floor(value)
        rounded = whole + (value - whole >= 0.5)  # exact: the difference needs no more bits than the value has
        number = float(max(min(rounded, 2 ** (31 if type_ is FLOAT else 63) - 1), -(2 ** (31 if type_ is FLOAT else 63))))
        return to_float32(number) if type_ is FLOAT else number
    return value


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _log_with(function: Callable[[float], float]) -> Callable[[float], float]:
    def apply(value: float) -> float:
        if value > 0:
            return function(value)
        if math.isnan(value):
            return value
        return -math.inf if value == 0 else -math.nan  # the sign is the processor's, and shows in the bytes

    return apply


_FLOATING: dict[str, Callable[[float], float]] = {
    "exp": _exp,
    "log": _log_with(math.log),
    "log10": _log_with(math.log10),
}
_ZERO_OR_LESS = {"log": "Natural log of number zero or less", "log10": "Log10 of number zero or less"}


def transcendental(name: str, type_: CqlType, value: Any) -> Any:
    """exp, log or log10. Integers are cut to their width; varint and decimal have at least 32 digits."""
    if type_ is not DECIMAL and type_ is not VARINT:
        floating = _FLOATING[name](float(value))
        if type_ is DOUBLE:
            return floating
        return to_float32(floating) if type_ is FLOAT else to_integer(floating, BITS[type_])
    number = value if isinstance(value, Decimal) else int_to_decimal(value)
    if name != "exp" and number <= 0:
        raise ArithmeticFailure(_ZERO_OR_LESS[name])
    if (name == "exp" and not number) or (name == "log" and number == 1):
        exact = Decimal(1 if name == "exp" else 0)
        return exact if type_ is DECIMAL else int(exact)
    result = _decimal_function(name, number, min(max(_MIN_SCALE, _precision(number)), _DIGITS_MAX))
    if type_ is DECIMAL:
        return result
    if result.adjusted() > DIGITS_MAX:
        raise ArithmeticFailure(OVERFLOW)
    return decimal_to_int(result.to_integral_value("ROUND_DOWN", EXACT).quantize(Decimal(1), context=EXACT))


_DECIMAL_FUNCTIONS: dict[str, Callable[[Decimal, int], Decimal]] = {
    "exp": exponential,
    "log": natural_logarithm,
    "log10": decimal_logarithm,
}


def _decimal_function(name: str, number: Decimal, digits: int) -> Decimal:
    """The function rounded half to even."""
    result = _DECIMAL_FUNCTIONS[name](number, digits)
    if name == "log10":
        return result
    if not result.is_finite() or abs(result.adjusted()) > 1 << 31 or not result:
        raise ArithmeticFailure(OVERFLOW if number.adjusted() > _JAVA_POWER_MAX else "Overflow")
    return result


def cast_to_decimal(type_: CqlType, value: Any) -> Decimal:
    """CAST(... AS decimal): integers exactly, floats by the digits that they print with."""
    if isinstance(value, int):
        return int_to_decimal(value)
    if not math.isfinite(value):
        first = "N" if math.isnan(value) else "I"
        raise ArithmeticFailure(
            f'Character {first} is neither a decimal digit number, decimal point, nor "e" notation exponential mark.'
        )
    return Decimal(float_text(value) if type_ is FLOAT else double_text(value))
