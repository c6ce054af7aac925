"""Closures for operators on primitive values, by operator and promoted type.

Each takes closures of its operands. What is often written is often run: a local variable or a constant as an operand is
read in place, without a call.
"""

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from cqlserver.java.errors import thrown
from cqlserver.java.run import Frame
from cqlserver.java.types import BOOLEAN, CHAR, DOUBLE, FLOAT, INT, LONG, NUMERIC, RANGES, Type
from cqlserver.java.values import INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, to_int, to_long
from protocol.types.java_text import to_float32

Closure = Callable[[Frame], Any]
Pure = Callable[[Any, Any], Any]

_DIVIDED_BY_ZERO = "/ by zero"


def _quotient(left: int, right: int) -> int:
    if right == 0:
        raise thrown("ArithmeticException", _DIVIDED_BY_ZERO)
    found = abs(left) // abs(right)
    return found if (left < 0) == (right < 0) else -found


def _remainder(left: int, right: int) -> int:
    if right == 0:
        raise thrown("ArithmeticException", _DIVIDED_BY_ZERO)
    found = abs(left) % abs(right)
    return -found if left < 0 else found


def float_quotient(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def float_remainder(left: float, right: float) -> float:
    if right == 0 or math.isinf(left) or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.fmod(left, right)


def _sum(low: int, high: int, wrap: Callable[[int], int], pure: Pure) -> Callable[[Closure, Closure], Closure]:
    def make(left: Closure, right: Closure) -> Closure:
        def run(f: Frame) -> int:
            value: int = pure(left(f), right(f))
            return value if low <= value <= high else wrap(value)

        return run

    return make


def _local_constant(low: int, high: int, wrap: Callable[[int], int], pure: Pure, slot: int, right: int) -> Closure:
    """`local op constant`."""

    def run(f: Frame) -> int:
        value: int = pure(f[slot], right)
        return value if low <= value <= high else wrap(value)

    return run


def _two_locals(low: int, high: int, wrap: Callable[[int], int], pure: Pure, left: int, right: int) -> Closure:
    def run(f: Frame) -> int:
        value: int = pure(f[left], f[right])
        return value if low <= value <= high else wrap(value)

    return run


_INTEGER: Final[dict[str, Pure]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "%": _remainder,
}
_FLOAT: Final[dict[str, Pure]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": float_quotient,
    "%": float_remainder,
}
_BITS: Final[dict[str, Pure]] = {"&": operator.and_, "|": operator.or_, "^": operator.xor}
COMPARISONS: Final[dict[str, Pure]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_SHIFTS: Final[dict[tuple[str, Type], Pure]] = {
    ("<<", INT): lambda a, b: to_int(a << (b & 31)),
    (">>", INT): lambda a, b: a >> (b & 31),
    (">>>", INT): lambda a, b: to_int((a & 0xFFFFFFFF) >> (b & 31)),
    ("<<", LONG): lambda a, b: to_long(a << (b & 63)),
    (">>", LONG): lambda a, b: a >> (b & 63),
    (">>>", LONG): lambda a, b: to_long((a & 0xFFFFFFFFFFFFFFFF) >> (b & 63)),
}
ARITHMETIC: Final = frozenset(_INTEGER)
BITS: Final = frozenset(_BITS)
SHIFTS: Final = frozenset(("<<", ">>", ">>>"))


def _float_sum(pure: Pure) -> Pure:
    return lambda a, b: to_float32(pure(a, b))


def pure_operation(sign: str, type_: Type) -> Pure:
    """The operation on values of the promoted type, result in its range."""
    if sign in SHIFTS:
        return _SHIFTS[sign, type_]
    if sign in COMPARISONS:
        return COMPARISONS[sign]
    if sign in BITS:
        return _BITS[sign]
    if type_ == DOUBLE:
        return _FLOAT[sign]
    if type_ == FLOAT:
        return _float_sum(_FLOAT[sign])
    if sign == "%":
        return _remainder
    wrap, pure = (to_int if type_ == INT else to_long), _INTEGER[sign]
    return lambda a, b: wrap(pure(a, b))


Operand = tuple[Closure, int | None, Any]
"""Closure, the slot of the local that it is, or the constant that it is in a list."""


def _remainder_by(left: Closure, constant: int) -> Closure:
    def run(f: Frame) -> int:
        value: int = left(f)
        return value % constant if value >= 0 else -(-value % constant)

    return run


def binary(sign: str, type_: Type, left: Operand, right: Operand) -> Closure:
    """`left sign right`, both of the promoted type (the right side of a shift: of its own)."""
    if sign in ("+", "-", "*") and type_ in (INT, LONG):
        bounds = (INT_MIN, INT_MAX, to_int) if type_ == INT else (LONG_MIN, LONG_MAX, to_long)
        pure = _INTEGER[sign]
        if left[1] is not None and right[2] is not None:
            return _local_constant(*bounds, pure, left[1], right[2][0])
        if left[1] is not None and right[1] is not None:
            return _two_locals(*bounds, pure, left[1], right[1])
        return _sum(*bounds, pure)(left[0], right[0])
    return _applied(pure_operation(sign, type_), left, right)


def _applied(pure: Pure, left: Operand, right: Operand) -> Closure:
    run_left, run_right = left[0], right[0]
    if right[2] is not None:
        constant = right[2][0]
        if pure is _remainder and constant > 0:
            return _remainder_by(run_left, constant)
        if left[1] is not None:
            slot = left[1]
            return lambda f: pure(f[slot], constant)
        return lambda f: pure(run_left(f), constant)
    if left[1] is not None and right[1] is not None:
        one, other = left[1], right[1]
        return lambda f: pure(f[one], f[other])
    return lambda f: pure(run_left(f), run_right(f))


# --- casts -------------------------------------------------------------------------------------------------------------


def _float_to(low: int, high: int) -> Callable[[float], int]:
    def cast(value: float) -> int:
        if math.isnan(value):
            return 0
        if value >= high:
            return high
        return low if value <= low else int(value)

    return cast


_FLOAT_TO_INT, _FLOAT_TO_LONG = _float_to(INT_MIN, INT_MAX), _float_to(LONG_MIN, LONG_MAX)


def _narrowed(target: Type) -> Callable[[int], int]:
    low, high = RANGES[target]
    span = high - low + 1

    def cast(value: int) -> int:
        return value if low <= value <= high else (value - low) % span + low

    return cast


def cast_function(source: Type, target: Type) -> Callable[[Any], Any] | None:
    """Between primitives; None: the value stays as it is."""
    if source == target:
        return None
    assert source in NUMERIC, source
    assert target in NUMERIC, target
    if target == DOUBLE:
        return None if source == FLOAT else float
    if target == FLOAT:
        return to_float32 if source == DOUBLE else lambda value: to_float32(float(value))
    if source in (FLOAT, DOUBLE):
        if target == LONG:
            return _FLOAT_TO_LONG
        if target == INT:
            return _FLOAT_TO_INT
        narrow = _narrowed(target)
        return lambda value: narrow(_FLOAT_TO_INT(value))
    source_low, source_high = RANGES[source]
    low, high = RANGES[target]
    return None if low <= source_low and source_high <= high else _narrowed(target)


def default_of(type_: Type) -> Any:
    """What an element of a new array is."""
    if type_ == BOOLEAN:
        return False
    if type_ in (FLOAT, DOUBLE):
        return 0.0
    return 0 if type_ in NUMERIC or type_ == CHAR else None
