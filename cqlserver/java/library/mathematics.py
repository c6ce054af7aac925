"""java.lang.Math."""

import math
from collections.abc import Callable
from decimal import (
    Decimal,
)
from typing import Any

from cqlserver.java.classes import ClassSource
from cqlserver.java.errors import thrown
from cqlserver.java.library.boxes import java_max, java_min
from cqlserver.java.values import (
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    LONG_MIN,
    to_int,
    to_long,
)

# --- Math --------------------------------------------------------------------------------------------------------------


def _exact(low: int, high: int, word: str, operation: Callable[..., int]) -> Callable[..., int]:
    def run(*values: int) -> int:
        found = operation(*values)
        if not low <= found <= high:
            raise thrown("ArithmeticException", f"{word} overflow")
        return found

    return run


def _floor_div(a: int, b: int) -> int:
    if b == 0:
        raise thrown("ArithmeticException", "/ by zero")
    return a // b


def _floor_mod(a: int, b: int) -> int:
    if b == 0:
        raise thrown("ArithmeticException", "/ by zero")
    return a % b


def _guarded(function: Callable[..., float]) -> Callable[..., float]:
    """Python raises where Java gives NaN or an infinity."""

    def run(*values: float) -> float:
        try:
            return function(*values)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return run


def _log(function: Callable[[float], float]) -> Callable[[float], float]:
    def run(value: float) -> float:
        if value == 0:
            return -math.inf
        return math.nan if value < 0 or math.isnan(value) else function(value)

    return run


def _power(base: float, exponent: float) -> float:
    if exponent == 0:
        return 1.0
    if math.isnan(exponent) or math.isnan(base) or (abs(base) == 1 and math.isinf(exponent)):
        return math.nan
    try:
        return math.pow(base, exponent)
    except ValueError:
        if base == 0:
            is_odd = exponent == int(exponent) and int(exponent) % 2 == 1
            return math.copysign(math.inf, base) if is_odd else math.inf
        return math.nan
    except OverflowError:
        is_odd = base < 0 and exponent == int(exponent) and int(exponent) % 2 == 1
        return -math.inf if is_odd else math.inf


def _round(low: int, high: int) -> Callable[[float], int]:
    def run(value: float) -> int:
        if math.isnan(value):
            return 0
        if value >= high:
            return high
        return low if value <= low else math.floor(Decimal(value) + Decimal("0.5"))

    return run


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    def run(value: float) -> float:
        if not math.isfinite(value) or value == 0:
            return value
        return math.copysign(float(function(value)), value)

    return run


def _signum(value: float) -> float:
    return value if value == 0 or math.isnan(value) else math.copysign(1.0, value)


def _math() -> dict[str, Any]:
    members: dict[str, Any] = {"static double PI": math.pi, "static double E": math.e}
    for name, low, high, wrap, word in (
        ("int", INT_MIN, INT_MAX, to_int, "integer"),
        ("long", LONG_MIN, LONG_MAX, to_long, "long"),
    ):
        members |= {
            f"static {name} abs({name})": lambda value, wrap=wrap: wrap(abs(value)),
            f"static {name} max({name},{name})": max,
            f"static {name} min({name},{name})": min,
            f"static {name} floorDiv({name},{name})": lambda a, b, wrap=wrap: wrap(_floor_div(a, b)),
            f"static {name} floorMod({name},{name})": _floor_mod,
            f"static {name} addExact({name},{name})": _exact(low, high, word, lambda a, b: a + b),
            f"static {name} subtractExact({name},{name})": _exact(low, high, word, lambda a, b: a - b),
            f"static {name} multiplyExact({name},{name})": _exact(low, high, word, lambda a, b: a * b),
            f"static {name} incrementExact({name})": _exact(low, high, word, lambda a: a + 1),
            f"static {name} decrementExact({name})": _exact(low, high, word, lambda a: a - 1),
            f"static {name} negateExact({name})": _exact(low, high, word, lambda a: -a),
        }
    members["static int toIntExact(long)"] = _exact(INT_MIN, INT_MAX, "integer", lambda a: a)
    members["static int floorMod(long,int)"] = _floor_mod
    for name in ("float", "double"):
        members |= {
            f"static {name} abs({name})": abs,
            f"static {name} max({name},{name})": java_max,
            f"static {name} min({name},{name})": java_min,
            f"static {name} signum({name})": _signum,
            f"static {name} copySign({name},{name})": math.copysign,
        }
    members["static int round(float)"] = _round(INT_MIN, INT_MAX)
    members["static long round(double)"] = _round(LONG_MIN, LONG_MAX)
    one: dict[str, Callable[[float], float]] = {
        "sqrt": _guarded(math.sqrt),
        "cbrt": math.cbrt,
        "exp": _guarded(math.exp),
        "expm1": _guarded(math.expm1),
        "log": _log(math.log),
        "log10": _log(math.log10),
        "log1p": _guarded(math.log1p),
        "sin": _guarded(math.sin),
        "cos": _guarded(math.cos),
        "tan": _guarded(math.tan),
        "asin": _guarded(math.asin),
        "acos": _guarded(math.acos),
        "atan": math.atan,
        "sinh": _guarded(math.sinh),
        "cosh": _guarded(math.cosh),
        "tanh": math.tanh,
        "toRadians": lambda value: value * (math.pi / 180.0),
        "toDegrees": lambda value: value * (180.0 / math.pi),
        "floor": _whole(math.floor),
        "ceil": _whole(math.ceil),
        "rint": _whole(round),
        "ulp": math.ulp,
    }
    members |= {f"static double {name}(double)": function for name, function in one.items()}
    members |= {
        "static double pow(double,double)": _power,
        "static double atan2(double,double)": math.atan2,
        "static double hypot(double,double)": math.hypot,
    }
    return members


def sources() -> list[ClassSource]:
    members = _math()
    return [ClassSource(f"java.lang.{name}", members, is_abstract=True) for name in ("Math", "StrictMath")]
