"""similarity_cosine, similarity_euclidean and similarity_dot_product of float vectors (functions/VectorFcts.java).

Their last digits depend on the order in which floats are added: it is that of jvector 1.0.2 without the vector instructions,
as Cassandra uses it on Java 17."""

import math
import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from operator import mul, sub

from cqlserver.functions.factories import FLOAT_VECTOR, FunctionFactory, SameAs
from cqlserver.functions.model import SYSTEM, Arguments, CallContext, Function, ScalarFunction
from protocol.errors import InvalidRequest
from protocol.types import FLOAT, CqlType, VectorType
from protocol.types.java_text import to_float32

_Vector = Sequence[float]

_GROUP = 8
"""So many products are added up before they are added to the sum of the others."""


def _floats(values: Iterable[float]) -> Sequence[float]:
    """Each rounded to a float, infinite where it is too large: a C cast, as all arithmetic here has to end."""
    return array("f", values)


def _sum(terms: Iterable[float], start: float = 0.0) -> float:
    """One after the other, each sum a float."""
    result = array("f", (start,))
    for term in terms:
        result[0] += term
    return result[0]


def _dot(a: _Vector, b: _Vector) -> float:
    """jvector's DefaultVectorUtilSupport.dotProduct: what is left over first, then groups."""
    products = _floats(map(mul, a, b))
    rest = len(products) % _GROUP
    groups = range(rest, len(products), _GROUP)
    return _sum((_sum(products[at : at + _GROUP]) for at in groups), _sum(products[:rest]))


def _square_distance(a: _Vector, b: _Vector) -> float:
    """DefaultVectorUtilSupport.squareDistance: groups first."""
    differences = _floats(map(sub, a, b))
    squares = _floats(map(mul, differences, differences))
    rest = len(squares) - len(squares) % _GROUP
    return _sum(squares[rest:], _sum(_sum(squares[at : at + _GROUP]) for at in range(0, rest, _GROUP)))


def _cosine(a: _Vector, b: _Vector) -> float:
    dot, norms = _sum(_floats(map(mul, a, b))), _sum(_floats(map(mul, a, a))) * _sum(_floats(map(mul, b, b)))
    if norms:
        quotient = to_float32(dot / math.sqrt(norms))
    else:  # of vectors too small for floats
        quotient = math.copysign(math.inf, dot) if dot else math.nan
    return to_float32(1 + quotient) / 2


def _euclidean(a: _Vector, b: _Vector) -> float:
    return 1 / to_float32(1 + _square_distance(a, b))


def _dot_product(a: _Vector, b: _Vector) -> float:
    return to_float32(1 + _dot(a, b)) / 2


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
