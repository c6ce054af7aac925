"""abs, exp, log, log10 and round, each on every numeric type and with that type as result (functions/MathFcts.java)."""

from collections.abc import Callable
from functools import partial
from typing import Any

from cqlserver.functions import arithmetic
from cqlserver.functions.arithmetic import ArithmeticFailure, decoded, encode_number
from cqlserver.functions.factories import NUMERIC_TYPES
from cqlserver.functions.model import Arguments, CallContext, Function, ScalarFunction
from protocol.errors import ServerError
from protocol.types import CqlType

_COMPUTATIONS: dict[str, Callable[[CqlType, Any], Any]] = {
    "abs": arithmetic.absolute,
    "exp": partial(arithmetic.transcendental, "exp"),
    "log": partial(arithmetic.transcendental, "log"),
    "log10": partial(arithmetic.transcendental, "log10"),
    "round": arithmetic.round_half_up,
}


def _function(name: str, type_: CqlType, compute: Callable[[CqlType, Any], Any]) -> ScalarFunction:
    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        data = arguments[0]
        if not data:
            return None
        try:
            return encode_number(type_, compute(type_, decoded(type_, data)))
        except ArithmeticFailure as failure:
            raise ServerError(f"java.lang.ArithmeticException: {failure}") from None

    return ScalarFunction(name, (type_,), type_, body=body)


def math_functions() -> list[Function]:
    return [_function(name, t, compute) for t in NUMERIC_TYPES for name, compute in _COMPUTATIONS.items()]
