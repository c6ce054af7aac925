"""count, sum, avg, min and max (functions/AggregateFcts.java).

sum wraps like the type's addition. avg of integers rounds towards zero and is exact where the sum would overflow; that of
floats adds up with Kahan's compensation, as Cassandra does, error for error. Without any row sum and avg are zero, min
and max null.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from cqlserver.functions.arithmetic import (
    BITS,
    ArithmeticFailure,
    add_exactly,
    decoded,
    divide_at_scale,
    encode_number,
    scale_of,
    truncated,
    wrap,
)
from cqlserver.functions.factories import ANY_OR_RECEIVER, NUMERIC_TYPES, FunctionFactory
from cqlserver.functions.model import Aggregate, AggregateFunction, Arguments, Function
from protocol.errors import ServerError
from protocol.types import BIGINT, BLOB, DECIMAL, DOUBLE, FLOAT, CqlType
from protocol.types.big_integers import EXACT
from protocol.types.java_floats import double_text
from protocol.types.java_text import to_float32


class CountRows:
    """Every row counts; `count(x)` leaves out nulls."""

    def __init__(self, skip_nulls: bool) -> None:
        self.skip_nulls = skip_nulls

    def start(self) -> int:
        return 0

    def add(self, state: int, arguments: Arguments) -> int:
        return state if self.skip_nulls and arguments[0] is None else state + 1

    def add_values(self, state: int, values: Sequence[bytes | None]) -> int:
        return state + len(values) - (values.count(None) if self.skip_nulls else 0)

    def result(self, state: int) -> bytes:
        return state.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class Extreme:
    """min and max: the serialised value that the type puts first, or last."""

    type: CqlType
    sign: int

    def start(self) -> bytes | None:
        return None

    def add(self, state: bytes | None, arguments: Arguments) -> bytes | None:
        value = arguments[0]
        if value is None:
            return state
        return value if state is None or self.type.compare(value, state) * self.sign > 0 else state

    def add_values(self, state: bytes | None, values: Sequence[bytes | None]) -> bytes | None:
        known = [value for value in (state, *values) if value is not None]
        if len(known) < 2:
            return known[0] if known else None
        return (max if self.sign > 0 else min)(known, key=self.type.sort_key)  # of equal ones the first

    def result(self, state: bytes | None) -> bytes | None:
        return state


@dataclass(frozen=True, slots=True)
class IntegerSum:
    """sum of integers; their width doesn't matter before the end."""

    type: CqlType

    def start(self) -> int:
        return 0

    def add(self, state: int, arguments: Arguments) -> int:
        data = arguments[0]
        return state + int.from_bytes(data, "big", signed=True) if data else state

    def add_values(self, state: int, values: Sequence[bytes | None]) -> int:
        return state + sum([int.from_bytes(data, "big", signed=True) for data in values if data])

    def result(self, state: int) -> bytes:
        bits = BITS.get(self.type)
        return self.type.encode(state if bits is None else wrap(state, bits))


@dataclass(frozen=True, slots=True)
class IntegerAverage:
    type: CqlType

    def start(self) -> tuple[int, int]:
        return 0, 0

    def add(self, state: tuple[int, int], arguments: Arguments) -> tuple[int, int]:
        data = arguments[0]
        return (state[0] + int.from_bytes(data, "big", signed=True), state[1] + 1) if data else state

    def add_values(self, state: tuple[int, int], values: Sequence[bytes | None]) -> tuple[int, int]:
        numbers = [int.from_bytes(data, "big", signed=True) for data in values if data]
        return state[0] + sum(numbers), state[1] + len(numbers)

    def result(self, state: tuple[int, int]) -> bytes:
        total, count = state
        return self.type.encode(truncated(total, count) if count else 0)


class DecimalSum:
    def start(self) -> Decimal:
        return Decimal(0)

    def add(self, state: Decimal, arguments: Arguments) -> Decimal:
        data = arguments[0]
        if not data:
            return state
        try:
            return add_exactly(state, decoded(DECIMAL, data))
        except ArithmeticFailure as failure:
            raise _failed(failure) from None

    def result(self, state: Decimal) -> bytes:
        return _encode_decimal(state)


class DecimalAverage:
    """A running mean: each step rounds half to even at the scale of the difference."""

    def start(self) -> tuple[Decimal, int]:
        return Decimal(0), 0

    def add(self, state: tuple[Decimal, int], arguments: Arguments) -> tuple[Decimal, int]:
        data = arguments[0]
        if not data:
            return state
        mean, count = state[0], state[1] + 1
        try:
            difference = add_exactly(decoded(DECIMAL, data), mean.copy_negate())
            step = divide_at_scale(difference, Decimal(count), scale_of(difference), half_even=True)
            return add_exactly(mean, step), count
        except ArithmeticFailure as failure:
            raise _failed(failure) from None

    def result(self, state: tuple[Decimal, int]) -> bytes:
        return _encode_decimal(state[0])


def _encode_decimal(value: Decimal) -> bytes:
    try:
        return encode_number(DECIMAL, value)
    except ArithmeticFailure as failure:
        raise _failed(failure) from None


def _failed(failure: ArithmeticFailure) -> ServerError:
    return ServerError(f"java.lang.ArithmeticException: {failure}")


class _Kahan:
    """A compensated sum, Cassandra's way: the compensation is added in the end (so it counts twice, and is kept)."""

    __slots__ = ("big", "compensation", "count", "plain", "total")

    def __init__(self) -> None:
        self.total = self.compensation = self.plain = 0.0
        self.count = 0
        self.big: Decimal | None = None

    def add(self, value: float) -> None:
        self.plain += value
        adjusted = value - self.compensation
        rounded = self.total + adjusted
        self.compensation = (rounded - self.total) - adjusted
        self.total = rounded

    def sum(self) -> float:
        result = self.total + self.compensation
        return self.plain if math.isnan(result) and math.isinf(self.plain) else result


@dataclass(frozen=True, slots=True)
class FloatSum:
    type: CqlType

    def start(self) -> _Kahan:
        return _Kahan()

    def add(self, state: _Kahan, arguments: Arguments) -> _Kahan:
        data = arguments[0]
        if data:
            state.add(self.type.decode(data))
        return state

    def result(self, state: _Kahan) -> bytes:
        return _encode_float(self.type, state.sum())


@dataclass(frozen=True, slots=True)
class FloatAverage:
    """Where the sum overflows, it goes on in decimal."""

    type: CqlType

    def start(self) -> _Kahan:
        return _Kahan()

    def add(self, state: _Kahan, arguments: Arguments) -> _Kahan:
        data = arguments[0]
        if not data:
            return state
        value = self.type.decode(data)
        state.count += 1
        if state.big is not None:
            state.big = EXACT.add(state.big, Decimal(double_text(value)))
            return state
        before = state.total
        state.add(value)
        if math.isinf(state.total) and not math.isinf(value) and math.isfinite(before):
            state.big = EXACT.add(Decimal(double_text(before)), Decimal(double_text(value)))
        return state

    def result(self, state: _Kahan) -> bytes:
        if not state.count:
            return _encode_float(self.type, 0.0)
        if state.big is not None:
            mean = divide_at_scale(state.big, Decimal(state.count), scale_of(state.big), half_even=True)
            return _encode_float(self.type, float(mean))
        return _encode_float(self.type, state.sum() / state.count)


def _encode_float(type_: CqlType, value: float) -> bytes:
    return type_.encode(to_float32(value) if type_ is FLOAT else value)


def sum_of(type_: CqlType) -> Aggregate:
    if type_ is DECIMAL:
        return DecimalSum()
    return FloatSum(type_) if type_ in (FLOAT, DOUBLE) else IntegerSum(type_)


def average_of(type_: CqlType) -> Aggregate:
    if type_ is DECIMAL:
        return DecimalAverage()
    return FloatAverage(type_) if type_ in (FLOAT, DOUBLE) else IntegerAverage(type_)


def extreme_of(type_: CqlType, sign: int) -> Aggregate:
    return Extreme(type_, sign)


def aggregate_functions() -> list[Function]:
    made: list[Function] = []
    for name in ("count_rows", "countRows"):
        made.append(AggregateFunction(name, (), BIGINT, name_column=_count_column, aggregate=CountRows(False)))
    for type_ in NUMERIC_TYPES:
        made.append(AggregateFunction("sum", (type_,), type_, aggregate=sum_of(type_)))
        made.append(AggregateFunction("avg", (type_,), type_, aggregate=average_of(type_)))
    made.append(AggregateFunction("count", (BLOB,), BIGINT, aggregate=CountRows(True)))
    return made


def _count_column(arguments: Sequence[str]) -> str:
    return "count"


def _extreme_maker(name: str, sign: int) -> Callable[[list[CqlType], CqlType | None], Function]:
    def make(types: list[CqlType], receiver: CqlType | None) -> Function:
        (type_,) = types
        return AggregateFunction(name, (type_,), type_, made_by_factory=True, aggregate=extreme_of(type_, sign))

    return make


def aggregate_factories() -> list[FunctionFactory]:
    return [
        FunctionFactory("max", (ANY_OR_RECEIVER,), _extreme_maker("max", 1)),
        FunctionFactory("min", (ANY_OR_RECEIVER,), _extreme_maker("min", -1)),
    ]
