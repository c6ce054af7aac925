"""The operators + - * / % and unary minus, as functions of the keyspace system (functions/OperationFcts.java).

The result of two numbers has the width of the wider one and is floating if one of them is; varint and decimal are wider
than all others. Timestamps and dates take durations, texts can be joined.
"""

from collections.abc import Callable, Sequence
from typing import Any

from cqlserver.functions import arithmetic
from cqlserver.functions.arithmetic import ArithmeticFailure, encode_number, operand
from cqlserver.functions.calendars import date_from_ms, date_to_ms, wrap_ms
from cqlserver.functions.factories import NUMERIC_TYPES
from cqlserver.functions.model import SYSTEM, Arguments, CallContext, Function, ScalarBody, ScalarFunction
from protocol.errors import FunctionFailure
from protocol.types import (
    ASCII,
    BIGINT,
    COUNTER,
    DATE,
    DECIMAL,
    DOUBLE,
    DURATION,
    FLOAT,
    INT,
    SMALLINT,
    TEXT,
    TIMESTAMP,
    TINYINT,
    VARINT,
    CqlType,
    Duration,
)
from protocol.types.temporal import add_duration

OPERATORS = {"_add": "+", "_substract": "-", "_multiply": "*", "_divide": "/", "_modulo": "%"}
"""Function name -> operator; the names are Cassandra's, spelling included."""

FUNCTION_OF_OPERATOR = {operator: name for name, operator in OPERATORS.items()}
NEGATION = "_negate"

_NUMERIC: dict[str, Callable[[CqlType, Any, Any], Any]] = {
    "_add": arithmetic.add,
    "_substract": arithmetic.subtract,
    "_multiply": arithmetic.multiply,
    "_divide": arithmetic.divide,
    "_modulo": arithmetic.modulo,
}
_WIDTHS: dict[CqlType, int] = {TINYINT: 1, SMALLINT: 2, INT: 4, FLOAT: 4, BIGINT: 8, DOUBLE: 8, COUNTER: 8}
_UNBOUNDED = 1 << 31
_FLOATING = (FLOAT, DOUBLE, DECIMAL)


def result_type(left: CqlType, right: CqlType) -> CqlType:
    width = max(_WIDTHS.get(left, _UNBOUNDED), _WIDTHS.get(right, _UNBOUNDED))
    if left in _FLOATING or right in _FLOATING:
        return {4: FLOAT, 8: DOUBLE}.get(width, DECIMAL)
    return {1: TINYINT, 2: SMALLINT, 4: INT, 8: BIGINT}.get(width, VARINT)


def operation_failure(name: str, types: Sequence[CqlType], detail: str) -> FunctionFailure:
    texts = tuple(t.cql() for t in types)
    message = f"the operation '{texts[0]} {OPERATORS[name]} {texts[1]}' failed: {detail}"
    return FunctionFailure(message, SYSTEM, name, texts)


def _operation(name: str, left: CqlType, right: CqlType, result: CqlType, body: ScalarBody) -> ScalarFunction:
    operator = OPERATORS[name]

    def name_column(arguments: Sequence[str]) -> str:
        return f"{arguments[0]} {operator} {arguments[1]}"

    return ScalarFunction(name, (left, right), result, name_column=name_column, body=body)


def _numeric(name: str, left: CqlType, right: CqlType) -> ScalarFunction:
    result = result_type(left, right)
    compute = _NUMERIC[name]

    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        a, b = arguments
        if not a or not b:
            return None
        try:
            return encode_number(result, compute(result, operand(left, result, a), operand(right, result, b)))
        except ArithmeticFailure as failure:
            raise operation_failure(name, (left, right), str(failure)) from None

    return _operation(name, left, right, result, body)


def _temporal(name: str, type_: CqlType) -> ScalarFunction:
    sign = 1 if name == "_add" else -1

    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        moment, data = arguments
        if moment is None or data is None or (not moment and type_.empty_is_null):
            return None
        duration = DURATION.decode(data)
        if duration is None:
            return None
        detail = _precision_failure(type_, duration)
        if detail is not None:
            raise operation_failure(name, (type_, DURATION), detail)
        start = date_to_ms(moment) if type_ is DATE else TIMESTAMP.decode(moment) or 0
        moved = add_duration(start, sign * duration.months, sign * duration.days, sign * duration.nanoseconds)
        return date_from_ms(moved) if type_ is DATE else TIMESTAMP.encode(wrap_ms(moved))

    return _operation(name, type_, DURATION, type_, body)


def _precision_failure(type_: CqlType, duration: Duration) -> str | None:
    if type_ is DATE:
        return f"The duration must have a day precision. Was: {duration}" if duration.nanoseconds else None
    if duration.nanoseconds % 1_000_000:
        return f"The duration must have a millisecond precision. Was: {duration}"
    return None


def _concatenation(left: CqlType, right: CqlType, result: CqlType) -> ScalarFunction:
    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        a, b = arguments
        return None if a is None or b is None else a + b

    return _operation("_add", left, right, result, body)


def _negation(type_: CqlType) -> ScalarFunction:
    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        data = arguments[0]
        return encode_number(type_, arithmetic.negate(type_, type_.decode(data))) if data else None

    def name_column(arguments: Sequence[str]) -> str:
        return f"-{arguments[0]}"

    return ScalarFunction(NEGATION, (type_,), type_, name_column=name_column, body=body)


def operation_functions() -> list[Function]:
    made: list[Function] = []
    for left in NUMERIC_TYPES:
        for right in NUMERIC_TYPES:
            made.extend(_numeric(name, left, right) for name in OPERATORS)
        made.append(_negation(left))
    for name in ("_add", "_substract"):
        made.extend((_temporal(name, TIMESTAMP), _temporal(name, DATE)))
    made.append(_concatenation(TEXT, TEXT, TEXT))
    made.append(_concatenation(ASCII, ASCII, ASCII))
    made.append(_concatenation(ASCII, TEXT, TEXT))
    made.append(_concatenation(TEXT, ASCII, TEXT))
    return made
