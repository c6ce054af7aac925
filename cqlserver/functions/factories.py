"""Functions whose types depend on the arguments of the call: min, to_json, map_keys, ... (functions/FunctionFactory.java).

A factory has parameters. Each infers the type of its argument (from the argument itself, from the receiver of the call,
from another argument) and checks it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cqlserver.functions.model import SYSTEM, Function
from cqlserver.terms.assignment import Assignable, Match, match_type
from protocol.errors import InvalidRequest
from protocol.types import (
    ASCII,
    BIGINT,
    COUNTER,
    DECIMAL,
    DOUBLE,
    FLOAT,
    INT,
    LEGACY_TIMEUUID,
    SMALLINT,
    TEXT,
    TIMEUUID,
    TINYINT,
    VARINT,
    CqlType,
    ListType,
    MapType,
    NativeType,
    SetType,
    UserType,
    VectorType,
)

NUMERIC_TYPES: tuple[NativeType, ...] = (TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL, VARINT, COUNTER)


class Parameter:
    """An argument of any type."""

    def __init__(self, infer_from_receiver: bool = False) -> None:
        self.infer_from_receiver = infer_from_receiver

    optional = False

    def infer(
        self, argument: Assignable, receiver: CqlType | None, inferred: Sequence[CqlType | None] | None
    ) -> CqlType | None:
        """`inferred`: what all parameters said in a first pass, None during it."""
        found = argument.maybe_compatible_type()
        return receiver if found is None and self.infer_from_receiver else found

    def check(self, function: str, argument: Assignable, type_: CqlType) -> None:
        """Raises InvalidRequest."""

    def __str__(self) -> str:
        return "any"


class FixedParameter(Parameter):
    """One of a few types; the first if the argument doesn't say."""

    def __init__(self, *types: CqlType, names: str) -> None:
        super().__init__()
        self.types, self.names = types, names

    def infer(
        self, argument: Assignable, receiver: CqlType | None, inferred: Sequence[CqlType | None] | None
    ) -> CqlType | None:
        return argument.maybe_compatible_type() or self.types[0]

    def check(self, function: str, argument: Assignable, type_: CqlType) -> None:
        if all(match_type(type_, t) is Match.NONE for t in self.types):
            raise InvalidRequest(
                f"Function {function} requires an argument of type {self}, "
                f"but found argument {argument} of type {type_.cql()}"
            )

    def __str__(self) -> str:
        return self.names


class CheckedParameter(Parameter):
    """An argument whose type passes a test; `wanted` is what messages call it."""

    def __init__(self, test: Callable[[CqlType], bool], wanted: str, name: str) -> None:
        super().__init__()
        self.test, self.wanted, self.name = test, wanted, name

    def check(self, function: str, argument: Assignable, type_: CqlType) -> None:
        if not self.test(type_) or getattr(argument, "is_reversed", False):
            raise InvalidRequest(
                f"Function {function} requires a {self.wanted} argument, but found argument {argument} of type {type_.cql()}"
            )

    def __str__(self) -> str:
        return self.name


class FloatVectorParameter(CheckedParameter):
    """A vector of floats; a bare literal `[1, 2]` (it has an `array_size`) is one of its own size."""

    def __init__(self) -> None:
        super().__init__(_is_float_vector, "float vector", "vector<float, n>")

    def infer(
        self, argument: Assignable, receiver: CqlType | None, inferred: Sequence[CqlType | None] | None
    ) -> CqlType | None:
        size = getattr(argument, "array_size", None)
        if size is not None:
            if not size:
                raise InvalidRequest("vectors may only have positive dimensions; given 0")
            return VectorType(FLOAT, size)
        return argument.maybe_compatible_type() or receiver


class SameAs(Parameter):
    """As another parameter, where this one doesn't know; `prefer_other`: also where it does."""

    def __init__(self, index: int, prefer_other: bool, parameter: Parameter) -> None:
        super().__init__()
        self.index, self.prefer_other, self.parameter = index, prefer_other, parameter

    def infer(
        self, argument: Assignable, receiver: CqlType | None, inferred: Sequence[CqlType | None] | None
    ) -> CqlType | None:
        other = inferred[self.index] if inferred is not None else None
        if self.prefer_other:
            return other or self.parameter.infer(argument, receiver, inferred)
        return self.parameter.infer(argument, receiver, inferred) or other

    def check(self, function: str, argument: Assignable, type_: CqlType) -> None:
        self.parameter.check(function, argument, type_)

    def __str__(self) -> str:
        return str(self.parameter)


class OptionalParameter(SameAs):
    """May be left out."""

    optional = True

    def __init__(self, parameter: Parameter) -> None:
        super().__init__(0, False, parameter)

    def infer(
        self, argument: Assignable, receiver: CqlType | None, inferred: Sequence[CqlType | None] | None
    ) -> CqlType | None:
        return self.parameter.infer(argument, receiver, inferred)

    def __str__(self) -> str:
        return f"[{self.parameter}]"


def _is_of_reversed_type(parameter: Parameter, arguments: Sequence[Assignable]) -> bool:
    """Whether it takes its type from a DESC column: a ReversedType, which no literal of several values is assignable to."""
    if not isinstance(parameter, SameAs) or not parameter.prefer_other:
        return False
    return getattr(arguments[parameter.index], "is_reversed", False)


def type_error(argument: Assignable, index: int, function: str, type_: CqlType) -> InvalidRequest:
    return InvalidRequest(
        f"Type error: {argument} cannot be passed as argument {index} of function {function} of type {type_.cql()}"
    )


def _is_float_vector(type_: CqlType) -> bool:
    return isinstance(type_, VectorType) and type_.elements is FLOAT


STRING = FixedParameter(TEXT, ASCII, names="[text|varchar|ascii]")
FIXED_TEXT = FixedParameter(TEXT, names="text")
FIXED_INT = FixedParameter(INT, names="int")
ANY = Parameter()
ANY_OR_RECEIVER = Parameter(infer_from_receiver=True)
COLLECTION = CheckedParameter(lambda t: t.is_collection, "collection", "collection")
SET_OR_LIST = CheckedParameter(lambda t: isinstance(t, SetType | ListType), "set or list", "numeric_set_or_list")
NUMERIC_SET_OR_LIST = CheckedParameter(
    lambda t: isinstance(t, SetType | ListType) and t.elements in NUMERIC_TYPES,
    "numeric set/list",
    "numeric_set_or_list",
)
MAP = CheckedParameter(lambda t: isinstance(t, MapType | UserType), "map", "map")
FLOAT_VECTOR = FloatVectorParameter()


@dataclass(frozen=True, slots=True, eq=False)
class FunctionFactory:
    """`make(types, receiver)` gives the function, or None, or raises InvalidRequest."""

    name: str
    parameters: tuple[Parameter, ...]
    make: Callable[[list[CqlType], CqlType | None], Function | None]

    def __str__(self) -> str:
        return f"{SYSTEM}.{self.name}({', '.join(map(str, self.parameters))})"

    def function(self, arguments: Sequence[Assignable], receiver: CqlType | None) -> Function | None:
        """The function for a call with these arguments. Raises InvalidRequest."""
        mandatory = sum(not p.optional for p in self.parameters)
        if not mandatory <= len(arguments) <= len(self.parameters):
            raise InvalidRequest(f"Invalid number of arguments for function {self}")
        pairs = list(zip(arguments, self.parameters, strict=False))
        inferred: list[CqlType | None] = [p.infer(a, receiver, None) for a, p in pairs]
        types: list[CqlType] = []
        for i, (argument, parameter) in enumerate(pairs):
            type_ = parameter.infer(argument, receiver, inferred)
            if type_ is None:
                raise InvalidRequest(
                    f"Cannot infer type of argument {argument} in call to function {self}: use type casts to disambiguate"
                )
            name = f"{SYSTEM}.{self.name}"
            parameter.check(name, argument, type_)
            if _is_of_reversed_type(parameter, arguments) and getattr(argument, "needs_own_type", False):
                raise type_error(argument, i, name, type_)
            type_ = LEGACY_TIMEUUID if type_ == TIMEUUID else type_
            inferred[i] = type_
            types.append(type_)
        return self.make(types, receiver)
