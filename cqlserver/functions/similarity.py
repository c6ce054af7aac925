"""similarity_cosine, similarity_euclidean and similarity_dot_product of float vectors (functions/VectorFcts.java)."""

import math
import struct
from collections.abc import Callable, Sequence

from cqlserver.functions.factories import FLOAT_VECTOR, FunctionFactory, SameAs
from cqlserver.functions.model import SYSTEM, Arguments, CallContext, Function, ScalarFunction
from protocol.errors import InvalidRequest
from protocol.types import FLOAT, CqlType, VectorType
from protocol.types.java_text import to_float32

_Vector = Sequence[float]


def _dot(a: _Vector, b: _Vector) -> float:
    """The sum as a float; where it is too large, infinite."""
    return _sum([x * y for x, y in zip(a, b, strict=True)])


def _sum(terms: Sequence[float]) -> float:
    try:
        return to_float32(math.fsum(terms))
    except ValueError:  # both infinities
        return math.nan


def _cosine(a: _Vector, b: _Vector) -> float:
    norms = math.sqrt(_dot(a, a) * _dot(b, b))
    if not norms:  # of vectors too small for floats
        return math.nan
    return (1 + _dot(a, b) / norms) / 2


def _euclidean(a: _Vector, b: _Vector) -> float:
    return 1 / (1 + _sum([(x - y) ** 2 for x, y in zip(a, b, strict=True)]))


def _dot_product(a: _Vector, b: _Vector) -> float:
    return (1 + _dot(a, b)) / 2


def similarity_factories() -> list[FunctionFactory]:
    return [
        _factory("similarity_cosine", _cosine, False),
        _factory("similarity_euclidean", _euclidean, True),
        _factory("similarity_dot_product", _dot_product, True),
    ]


def _factory(name: str, compare: Callable[[_Vector, _Vector], float], takes_zero: bool) -> FunctionFactory:
    def make(types: list[CqlType], receiver: CqlType | None) -> Function:
        first, second = types
        assert isinstance(first, VectorType), first
        assert isinstance(second, VectorType), second
        if first.dimension != second.dimension:
            raise InvalidRequest("All arguments must have the same vector dimensions")
        unpack = struct.Struct(f">{first.dimension}f").unpack

        def body(arguments: Arguments, context: CallContext) -> bytes | None:
            if arguments[0] is None or arguments[1] is None:
                return None
            a, b = unpack(arguments[0]), unpack(arguments[1])
            if not takes_zero and not (any(a) and any(b)):
                raise InvalidRequest(f"Function {SYSTEM}.{name} doesn't support all-zero vectors.")
            return FLOAT.encode(to_float32(compare(a, b)))

        return ScalarFunction(name, (first, first), FLOAT, made_by_factory=True, body=body)

    return FunctionFactory(name, (SameAs(1, False, FLOAT_VECTOR), SameAs(0, False, FLOAT_VECTOR)), make)
