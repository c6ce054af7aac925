"""BigInteger, BigDecimal, and how decimals are rounded."""

import math
from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Decimal,
    InvalidOperation,
    localcontext,
)
from typing import Any, Final

from cqlserver.java.classes import ClassSource
from cqlserver.java.errors import thrown
from cqlserver.java.library.boxes import radix_text
from cqlserver.java.types import DOUBLE, FLOAT, INT, LONG, RANGES, Type
from cqlserver.java.values import (
    INT_MAX,
    INT_MIN,
    BigInteger,
    JavaObject,
    big_text,
    compare,
    decimal_text,
    to_string,
)
from protocol.types.java_text import to_float32

DIGITS_MAX: Final = 20_000
"""Of a BigDecimal or BigInteger that a function makes: a multiplication of two such takes a millisecond."""


# --- big numbers -------------------------------------------------------------------------------------------------------


def checked_big(value: int) -> BigInteger:
    if value.bit_length() > DIGITS_MAX * 4:
        raise thrown("ArithmeticException", "BigInteger would overflow supported range")
    return BigInteger(value)


def _checked_operand(*values: Any) -> None:
    for value in values:
        if value is None:
            raise thrown("NullPointerException")


def _big(operation: Callable[[int, int], int]) -> Callable[[int, int], BigInteger]:
    def run(a: int, b: int) -> BigInteger:
        _checked_operand(b)
        return checked_big(operation(int(a), int(b)))

    return run


def _big_quotient(a: int, b: int) -> int:
    if b == 0:
        raise thrown("ArithmeticException", "BigInteger divide by zero")
    found = abs(a) // abs(b)
    return found if (a < 0) == (b < 0) else -found


def _big_remainder(a: int, b: int) -> int:
    return a - _big_quotient(a, b) * b


def _big_mod(a: int, b: int) -> int:
    if b <= 0:
        raise thrown("ArithmeticException", "BigInteger: modulus not positive")
    return a % b


def _big_power(value: int, exponent: int) -> BigInteger:
    if exponent < 0:
        raise thrown("ArithmeticException", "Negative exponent")
    if value.bit_length() * exponent > DIGITS_MAX * 4:
        raise thrown("ArithmeticException", "BigInteger would overflow supported range")
    return BigInteger(int(value) ** exponent)


def _shifted(value: int, by: int) -> BigInteger:
    if by > DIGITS_MAX * 4:
        raise thrown("ArithmeticException", "BigInteger would overflow supported range")
    return checked_big(int(value) << by if by >= 0 else int(value) >> -by)


def _parse_big(text: str, radix: int = 10) -> BigInteger:
    from protocol.types.big_integers import text_int

    _checked_operand(text)
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits:
        raise thrown("NumberFormatException", "Zero length BigInteger")
    try:
        if not digits.isalnum() or len(digits) > DIGITS_MAX:
            raise ValueError
        return BigInteger(text_int(text) if radix == 10 else int(text, radix))
    except ValueError:
        raise thrown("NumberFormatException", f'For input string: "{text}"') from None


def decimal_to(value: Any, target: Type) -> Any:
    """BigInteger's and BigDecimal's intValue() and so on."""
    if target in (FLOAT, DOUBLE):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf if value > 0 else -math.inf
        return to_float32(found) if target == FLOAT else found
    number = int(value)
    low, high = RANGES[target]
    return (number - low) % (high - low + 1) + low


def _narrow(target: Type) -> Callable[[Any], Any]:
    return lambda value: decimal_to(value, target)


_VALUES: Final = {f"{t} {t}Value()": _narrow(t) for t in (INT, LONG, FLOAT, DOUBLE)}


def _exact_value(target: Type, kind: str) -> Callable[[Any], int]:
    low, high = RANGES[target]

    def run(value: Any) -> int:
        if isinstance(value, Decimal) and value != value.to_integral_value():
            raise thrown("ArithmeticException", "Rounding necessary")
        if not low <= value <= high:
            raise thrown("ArithmeticException", "Overflow" if kind == "BigDecimal" else f"BigInteger out of {target} range")
        return int(value)

    return run


def _big_integers() -> ClassSource:
    return ClassSource(
        "java.math.BigInteger : Number, Comparable<BigInteger>",
        {
            **_VALUES,
            "new(String)": _parse_big,
            "new(String,int)": _parse_big,
            "static BigInteger valueOf(long)": BigInteger,
            "BigInteger add(BigInteger)": _big(lambda a, b: a + b),
            "BigInteger subtract(BigInteger)": _big(lambda a, b: a - b),
            "BigInteger multiply(BigInteger)": _big(lambda a, b: a * b),
            "BigInteger divide(BigInteger)": _big(_big_quotient),
            "BigInteger remainder(BigInteger)": _big(_big_remainder),
            "BigInteger mod(BigInteger)": _big(_big_mod),
            "BigInteger gcd(BigInteger)": _big(math.gcd),
            "BigInteger and(BigInteger)": _big(lambda a, b: a & b),
            "BigInteger or(BigInteger)": _big(lambda a, b: a | b),
            "BigInteger xor(BigInteger)": _big(lambda a, b: a ^ b),
            "BigInteger max(BigInteger)": _big(max),
            "BigInteger min(BigInteger)": _big(min),
            "BigInteger pow(int)": _big_power,
            "BigInteger negate()": lambda value: BigInteger(-int(value)),
            "BigInteger abs()": lambda value: BigInteger(abs(int(value))),
            "BigInteger not()": lambda value: BigInteger(~int(value)),
            "BigInteger shiftLeft(int)": _shifted,
            "BigInteger shiftRight(int)": lambda value, by: _shifted(value, -by),
            "BigInteger sqrt()": lambda value: BigInteger(math.isqrt(value)),
            "int signum()": lambda value: (value > 0) - (value < 0),
            "int bitLength()": lambda value: (int(value) if value >= 0 else ~int(value)).bit_length(),
            "int bitCount()": lambda value: (int(value) if value >= 0 else ~int(value)).bit_count(),
            "boolean testBit(int)": lambda value, bit: bool(int(value) >> bit & 1),
            "int intValueExact()": _exact_value(INT, "BigInteger"),
            "long longValueExact()": _exact_value(LONG, "BigInteger"),
            "int compareTo(BigInteger)": compare,
            "String toString()": big_text,
            "String toString(int)": lambda value, radix: radix_text(int(value), radix),
            "static BigInteger ZERO": BigInteger(0),
            "static BigInteger ONE": BigInteger(1),
            "static BigInteger TWO": BigInteger(2),
            "static BigInteger TEN": BigInteger(10),
        },
        lambda value: isinstance(value, BigInteger),
    )


class RoundingMode(JavaObject):
    __slots__ = ("name", "number")
    java_class = "java.math.RoundingMode"

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number

    def to_string(self) -> str:
        return self.name


class MathContext(JavaObject):
    __slots__ = ("mode", "precision")
    java_class = "java.math.MathContext"

    def __init__(self, precision: int, mode: RoundingMode) -> None:
        self.precision, self.mode = precision, mode

    def to_string(self) -> str:
        return f"precision={self.precision} roundingMode={self.mode.name}"


_MODES: Final = ("UP", "DOWN", "CEILING", "FLOOR", "HALF_UP", "HALF_DOWN", "HALF_EVEN", "UNNECESSARY")
ROUNDING: Final = {name: RoundingMode(name, number) for number, name in enumerate(_MODES)}
_PYTHON: Final = {
    "UP": ROUND_UP,
    "DOWN": ROUND_DOWN,
    "CEILING": ROUND_CEILING,
    "FLOOR": ROUND_FLOOR,
    "HALF_UP": ROUND_HALF_UP,
    "HALF_DOWN": ROUND_HALF_DOWN,
    "HALF_EVEN": ROUND_HALF_EVEN,
}
UNLIMITED: Final = MathContext(0, ROUNDING["HALF_UP"])


def scale_of(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent


def unscaled(value: Decimal) -> int:
    sign, digits, _ = value.as_tuple()
    number = int("".join(map(str, digits))) if len(digits) < 4_000 else int(value.scaleb(scale_of(value)))
    return -number if sign else number


def precision_of(value: Decimal) -> int:
    return len(value.as_tuple().digits)


def _exactly(digits: int, operation: Callable[[], Decimal]) -> Decimal:
    if digits > DIGITS_MAX:
        raise thrown("ArithmeticException", "Overflow")
    with localcontext() as context:
        context.prec = max(digits, 1) + 5
        context.Emax, context.Emin = 999_999_999, -999_999_999
        try:
            found = operation()
        except (InvalidOperation, OverflowError):
            raise thrown("ArithmeticException", "Overflow") from None
    return found if found else abs(found)  # Java has no -0


def _span(*values: Decimal) -> int:
    """Digits that hold the sum of the values."""
    top = max(value.adjusted() for value in values)
    return top + max(map(scale_of, values)) + 3


def _sum(a: Decimal, b: Decimal) -> Decimal:
    _checked_operand(b)
    return _exactly(max(_span(a, b), 1), lambda: a + b)


def _difference(a: Decimal, b: Decimal) -> Decimal:
    _checked_operand(b)
    return _exactly(max(_span(a, b), 1), lambda: a - b)


def _product(a: Decimal, b: Decimal) -> Decimal:
    _checked_operand(b)
    return _exactly(precision_of(a) + precision_of(b), lambda: a * b)


def scaled(value: Decimal, scale: int, mode: RoundingMode) -> Decimal:
    """BigDecimal.setScale."""
    digits = max(value.adjusted() + scale + 2, precision_of(value), 1) + 2

    def run() -> Decimal:
        unit = Decimal((0, (1,), -scale))
        found = value.quantize(unit, _PYTHON.get(mode.name, ROUND_DOWN))
        if mode.name == "UNNECESSARY" and found != value:
            raise thrown("ArithmeticException", "Rounding necessary")
        return found

    return _exactly(digits, run)


def _rounded(value: Decimal, context: MathContext) -> Decimal:
    extra = precision_of(value) - context.precision
    if context.precision == 0 or extra <= 0:
        return value
    found = scaled(value, scale_of(value) - extra, context.mode)
    return found if precision_of(found) <= context.precision else _rounded(found, context)


def _divided_at(a: Decimal, b: Decimal, scale: int, mode: RoundingMode) -> Decimal:
    _checked_operand(b)
    if not b:
        raise thrown("ArithmeticException", "/ by zero")
    shift = scale - scale_of(a) + scale_of(b)
    if abs(shift) > DIGITS_MAX:
        raise thrown("ArithmeticException", "Overflow")
    top, bottom = unscaled(a), unscaled(b)
    if shift >= 0:
        top *= 10**shift
    else:
        bottom *= 10**-shift
    quotient, rest = divmod(abs(top), abs(bottom))
    is_negative = (top < 0) != (bottom < 0)
    if rest:
        if mode.name == "UNNECESSARY":
            raise thrown("ArithmeticException", "Rounding necessary")
        quotient += _goes_up(mode.name, quotient, rest, abs(bottom), is_negative)
    number = -quotient if is_negative else quotient
    return decimal_of(number, scale)


def decimal_of(number: int, scale: int) -> Decimal:
    text = big_text(abs(number))
    return Decimal((1 if number < 0 else 0, tuple(map(int, text)), -scale))


def _goes_up(mode: str, quotient: int, rest: int, bottom: int, is_negative: bool) -> int:
    twice = (2 * rest > bottom) - (2 * rest < bottom)
    match mode:
        case "UP":
            return 1
        case "DOWN":
            return 0
        case "CEILING":
            return 0 if is_negative else 1
        case "FLOOR":
            return 1 if is_negative else 0
        case "HALF_UP":
            return int(twice >= 0)
        case "HALF_DOWN":
            return int(twice > 0)
    return int(twice > 0 or (twice == 0 and quotient % 2 == 1))


def _divided(a: Decimal, b: Decimal) -> Decimal:
    """Exactly, or not at all."""
    _checked_operand(b)
    if not b:
        raise thrown("ArithmeticException", "Division undefined" if not a else "Division by zero")
    preferred = scale_of(a) - scale_of(b)
    if not a:
        return Decimal((0, (0,), -max(min(preferred, INT_MAX), INT_MIN)))
    digits = min(precision_of(a) + math.ceil(10.0 * precision_of(b) / 3.0), DIGITS_MAX)
    found = _divided_with(a, b, MathContext(digits, ROUNDING["UNNECESSARY"]), is_exact=True)
    return scaled(found, preferred, ROUNDING["UNNECESSARY"]) if preferred > scale_of(found) else found


def _divided_with(a: Decimal, b: Decimal, context: MathContext, is_exact: bool = False) -> Decimal:
    if context.precision == 0:
        return _divided(a, b)
    _checked_operand(b)
    if not b:
        raise thrown("ArithmeticException", "Division undefined" if not a else "Division by zero")
    preferred = scale_of(a) - scale_of(b)
    if not a:
        return Decimal((0, (0,), -preferred))
    scale = context.precision - (a.adjusted() - b.adjusted())
    try:
        found = _divided_at(a, b, scale, context.mode if not is_exact else ROUNDING["UNNECESSARY"])
    except Exception as error:
        if is_exact and "Rounding" in str(getattr(getattr(error, "throwable", None), "message", "")):
            raise thrown(
                "ArithmeticException", "Non-terminating decimal expansion; no exact representable decimal result."
            ) from None
        raise
    found = _rounded_again(a, b, found, context)
    return _stripped_to(found, preferred) if _is_quotient(found, a, b) else found


def _rounded_again(a: Decimal, b: Decimal, found: Decimal, context: MathContext) -> Decimal:
    """One digit too many was computed: once more, at the right scale."""
    extra = precision_of(found) - context.precision
    return found if extra <= 0 else _divided_at(a, b, scale_of(found) - extra, context.mode)


def _is_quotient(found: Decimal, a: Decimal, b: Decimal) -> bool:
    """Whether it was not rounded: then alone zeros at its end say nothing."""
    shift = scale_of(found) + scale_of(b) - scale_of(a)
    product = unscaled(found) * unscaled(b)
    return bool(product == unscaled(a) * 10**shift if shift >= 0 else product * 10**-shift == unscaled(a))


def _stripped_to(value: Decimal, preferred: int) -> Decimal:
    number, scale = unscaled(value), scale_of(value)
    while scale > preferred and number % 10 == 0:
        number //= 10
        scale -= 1
    return decimal_of(number, scale)


def _stripped(value: Decimal) -> Decimal:
    return _stripped_to(value, -(1 << 31)) if value else Decimal(0)


def _remainder(a: Decimal, b: Decimal) -> Decimal:
    return _difference(a, _product(_integral_quotient(a, b), b))


def _integral_quotient(a: Decimal, b: Decimal) -> Decimal:
    _checked_operand(b)
    if not b:
        raise thrown("ArithmeticException", "Division undefined" if not a else "Division by zero")
    preferred = scale_of(a) - scale_of(b)
    found = _divided_at(a, b, 0, ROUNDING["DOWN"])
    found = _stripped_to(found, preferred)
    return scaled(found, preferred, ROUNDING["UNNECESSARY"]) if scale_of(found) < preferred else found


def _decimal_power(value: Decimal, exponent: int) -> Decimal:
    if not 0 <= exponent <= 999_999_999:
        raise thrown("ArithmeticException", "Invalid operation")
    if precision_of(value) * exponent > DIGITS_MAX:
        raise thrown("ArithmeticException", "Overflow")
    return decimal_of(unscaled(value) ** exponent, scale_of(value) * exponent)


def _plain_text(value: Decimal) -> str:
    if value.adjusted() > DIGITS_MAX or scale_of(value) > DIGITS_MAX:
        raise thrown("ArithmeticException", "Overflow")
    return format(value if value else abs(value), "f")


def _parse_decimal(text: str) -> Decimal:
    _checked_operand(text)
    if not text or not all(c in "0123456789.eE+-" for c in text) or len(text) > DIGITS_MAX:
        raise thrown("NumberFormatException") if not text else _unreadable(text)
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise _unreadable(text) from None
    return found if found else abs(found)


def _unreadable(text: str) -> Exception:
    for char in text:
        if char not in "0123456789.eE+-":
            return thrown(
                "NumberFormatException",
                f'Character {char} is neither a decimal digit number, decimal point, nor "e" notation exponential mark.',
            )
    return thrown("NumberFormatException")


def _of_double(value: float) -> Decimal:
    if not math.isfinite(value):
        raise thrown("NumberFormatException", "Infinite or NaN")
    found = Decimal(value)
    return found if found else Decimal(0)


def _value_of_double(value: float) -> Decimal:
    if not math.isfinite(value):
        raise _unreadable(to_string(value))
    return Decimal(to_string(value))


def _mode(number: int) -> RoundingMode:
    if not 0 <= number < len(_MODES):
        raise thrown("IllegalArgumentException", "Invalid rounding mode")
    return ROUNDING[_MODES[number]]


def _moved(value: Decimal, places: int) -> Decimal:
    found = decimal_of(unscaled(value), scale_of(value) - places)
    return scaled(found, 0, ROUNDING["UNNECESSARY"]) if scale_of(found) < 0 else found


def _big_decimals() -> ClassSource:
    members: dict[str, Any] = {
        **_VALUES,
        "new(String)": _parse_decimal,
        "new(int)": Decimal,
        "new(long)": Decimal,
        "new(double)": _of_double,
        "new(BigInteger)": lambda value: decimal_of(int(value), 0),
        "new(BigInteger,int)": lambda value, scale: decimal_of(int(value), scale),
        "static BigDecimal valueOf(long)": Decimal,
        "static BigDecimal valueOf(double)": _value_of_double,
        "static BigDecimal valueOf(long,int)": decimal_of,
        "BigDecimal add(BigDecimal)": _sum,
        "BigDecimal subtract(BigDecimal)": _difference,
        "BigDecimal multiply(BigDecimal)": _product,
        "BigDecimal add(BigDecimal,MathContext)": lambda a, b, context: _rounded(_sum(a, b), context),
        "BigDecimal subtract(BigDecimal,MathContext)": lambda a, b, context: _rounded(_difference(a, b), context),
        "BigDecimal multiply(BigDecimal,MathContext)": lambda a, b, context: _rounded(_product(a, b), context),
        "BigDecimal divide(BigDecimal)": _divided,
        "BigDecimal divide(BigDecimal,MathContext)": _divided_with,
        "BigDecimal divide(BigDecimal,RoundingMode)": lambda a, b, mode: _divided_at(a, b, scale_of(a), mode),
        "BigDecimal divide(BigDecimal,int,RoundingMode)": _divided_at,
        "BigDecimal divide(BigDecimal,int,int)": lambda a, b, scale, mode: _divided_at(a, b, scale, _mode(mode)),
        "BigDecimal divide(BigDecimal,int)": lambda a, b, mode: _divided_at(a, b, scale_of(a), _mode(mode)),
        "BigDecimal divideToIntegralValue(BigDecimal)": _integral_quotient,
        "BigDecimal remainder(BigDecimal)": _remainder,
        "BigDecimal pow(int)": _decimal_power,
        "BigDecimal negate()": lambda value: decimal_of(-unscaled(value), scale_of(value)),
        "BigDecimal abs()": lambda value: decimal_of(abs(unscaled(value)), scale_of(value)),
        "BigDecimal plus()": lambda value: value,
        "BigDecimal round(MathContext)": _rounded,
        "BigDecimal setScale(int)": lambda value, scale: scaled(value, scale, ROUNDING["UNNECESSARY"]),
        "BigDecimal setScale(int,RoundingMode)": scaled,
        "BigDecimal setScale(int,int)": lambda value, scale, mode: scaled(value, scale, _mode(mode)),
        "BigDecimal stripTrailingZeros()": _stripped,
        "BigDecimal movePointLeft(int)": lambda value, places: _moved(value, -places),
        "BigDecimal movePointRight(int)": _moved,
        "BigDecimal scaleByPowerOfTen(int)": lambda value, places: decimal_of(unscaled(value), scale_of(value) - places),
        "BigDecimal max(BigDecimal)": lambda a, b: a if a >= b else b,
        "BigDecimal min(BigDecimal)": lambda a, b: a if a <= b else b,
        "int signum()": lambda value: (value > 0) - (value < 0),
        "int scale()": scale_of,
        "int precision()": precision_of,
        "BigInteger unscaledValue()": lambda value: BigInteger(unscaled(value)),
        "BigInteger toBigInteger()": lambda value: BigInteger(int(value)),
        "int intValueExact()": _exact_value(INT, "BigDecimal"),
        "long longValueExact()": _exact_value(LONG, "BigDecimal"),
        "int compareTo(BigDecimal)": compare,
        "String toString()": decimal_text,
        "String toPlainString()": _plain_text,
        "static BigDecimal ZERO": Decimal(0),
        "static BigDecimal ONE": Decimal(1),
        "static BigDecimal TEN": Decimal(10),
    }
    members |= {f"static int ROUND_{name}": number for number, name in enumerate(_MODES)}
    return ClassSource(
        "java.math.BigDecimal : Number, Comparable<BigDecimal>", members, lambda value: isinstance(value, Decimal)
    )


def sources() -> list[ClassSource]:
    return [
        _big_integers(),
        _big_decimals(),
        ClassSource(
            "java.math.RoundingMode : Comparable<RoundingMode>",
            {
                "String name()": lambda mode: mode.name,
                "int ordinal()": lambda mode: mode.number,
                **{f"static RoundingMode {name}": mode for name, mode in ROUNDING.items()},
            },
            lambda value: isinstance(value, RoundingMode),
            is_abstract=True,
        ),
        ClassSource(
            "java.math.MathContext",
            {
                "new(int)": lambda precision: MathContext(precision, ROUNDING["HALF_UP"]),
                "new(int,RoundingMode)": MathContext,
                "int getPrecision()": lambda context: context.precision,
                "RoundingMode getRoundingMode()": lambda context: context.mode,
                "static MathContext UNLIMITED": UNLIMITED,
                "static MathContext DECIMAL32": MathContext(7, ROUNDING["HALF_EVEN"]),
                "static MathContext DECIMAL64": MathContext(16, ROUNDING["HALF_EVEN"]),
                "static MathContext DECIMAL128": MathContext(34, ROUNDING["HALF_EVEN"]),
            },
            lambda value: isinstance(value, MathContext),
        ),
    ]
