"""Casts, conversions to and from blobs, and JSON (functions/CastFcts, BytesConversionFcts, FromJsonFct, ToJsonFct.java)."""

from collections.abc import Callable, Sequence
from typing import Any

from cqlserver.functions.arithmetic import (
    BITS,
    ArithmeticFailure,
    cast_to_decimal,
    decoded,
    encode_number,
    to_double,
    to_float,
    to_integer,
)
from cqlserver.functions.factories import ANY, FIXED_TEXT, NUMERIC_TYPES, FunctionFactory
from cqlserver.functions.model import SYSTEM, Arguments, CallContext, Function, ScalarFunction
from cqlserver.functions.times import to_date_body, to_timestamp_body
from cqlserver.terms.now_texts import json_with_now, mentions_now
from cqlserver.terms.unreadable import UNREADABLE, unreadable
from protocol.errors import FunctionFailure, InvalidRequest, ServerError
from protocol.types import (
    ASCII,
    BIGINT,
    BLOB,
    BOOLEAN,
    DATE,
    DECIMAL,
    DOUBLE,
    FLOAT,
    INET,
    INT,
    LEGACY_TIMEUUID,
    NATIVE_TYPES,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    TINYINT,
    UUID,
    VARINT,
    CqlType,
    DurationError,
    MarshalError,
    NativeType,
)
from protocol.types.json_text import JsonError, parse_json

_CAST_TARGETS: tuple[NativeType, ...] = (TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL, VARINT)
_TEXT_SOURCES: tuple[NativeType, ...] = (INET, BOOLEAN, TIMEUUID, TIMESTAMP, DATE, TIME, UUID)


def cast_function_name(target: CqlType) -> str:
    """The function behind CAST(... AS target)."""
    return f"cast_as_{target.cql()}"


def _cast(source: NativeType, target: NativeType, body: Callable[[Arguments, CallContext], bytes | None]) -> list[Function]:
    def name_column(arguments: Sequence[str]) -> str:
        return f"cast({arguments[0]} as {target.name})"

    names = (f"cast_as_{target.name}", f"castAs{target.name.capitalize()}")
    return [ScalarFunction(n, (source,), target, name_column=name_column, body=body) for n in names]


def _number_cast(source: NativeType, target: NativeType) -> list[Function]:
    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        data = arguments[0]
        if not data:
            return None
        try:
            return encode_number(target, _convert(source, target, decoded(source, data)))
        except ArithmeticFailure as failure:
            raise ServerError(f"java.lang.NumberFormatException: {failure}") from None

    return _cast(source, target, body)


def _convert(source: CqlType, target: CqlType, value: Any) -> Any:
    bits = BITS.get(target)
    if bits is not None:
        return to_integer(value, bits)
    if target is FLOAT:
        return to_float(value)
    if target is DOUBLE:
        return to_double(value)
    if target is VARINT:
        return to_integer(value, 64)
    return cast_to_decimal(source, value)


def _text_cast(source: NativeType, target: NativeType) -> list[Function]:
    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        data = arguments[0]
        if data is None or (not data and source.empty_is_null):
            return None
        return source.literal_text(data).encode()

    return _cast(source, target, body)


def cast_functions() -> list[Function]:
    made: list[Function] = []
    for source in NUMERIC_TYPES:
        for target in _CAST_TARGETS:
            if source is not target:
                made.extend(_number_cast(source, target))
    for source in (*NUMERIC_TYPES, *_TEXT_SOURCES):
        made.extend(_text_cast(source, ASCII) + _text_cast(source, TEXT))
    made.extend(_cast(ASCII, TEXT, lambda arguments, context: arguments[0]))
    made.extend(_cast(TIMEUUID, DATE, to_date_body(TIMEUUID)))
    made.extend(_cast(TIMEUUID, TIMESTAMP, to_timestamp_body(TIMEUUID)))
    made.extend(_cast(TIMESTAMP, DATE, to_date_body(TIMESTAMP)))
    made.extend(_cast(DATE, TIMESTAMP, to_timestamp_body(DATE)))
    return made


def blob_functions() -> list[Function]:
    """int_as_blob, blob_as_int, their names of before 5.0, and so on for every native type, varchar too."""
    made: list[Function] = []
    for name, native in NATIVE_TYPES.items():
        type_ = LEGACY_TIMEUUID if native is TIMEUUID else native
        if type_ is not BLOB:
            for to_blob in (f"{name}_as_blob", f"{name}asblob"):
                made.append(ScalarFunction(to_blob, (type_,), BLOB, body=lambda arguments, context: arguments[0]))
            for from_blob in (f"blob_as_{name}", f"blobas{name}"):
                made.append(_from_blob(from_blob, name, type_))
    return made


def _from_blob(function: str, name: str, type_: CqlType) -> ScalarFunction:
    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        data = arguments[0]
        if data is not None:
            try:
                type_.validate(data)
            except MarshalError:
                raise InvalidRequest(
                    f"In call to function {SYSTEM}.{function}, value 0x{data.hex()} is not a valid "
                    f"binary representation for type {name}"
                ) from None
        return data

    return ScalarFunction(function, (BLOB,), type_, body=body)


# --- JSON -------------------------------------------------------------------------------------------------------------


def json_factories() -> list[FunctionFactory]:
    made = [FunctionFactory(name, (ANY,), _to_json_maker(name)) for name in ("to_json", "tojson")]
    made.extend(FunctionFactory(name, (FIXED_TEXT,), _from_json_maker(name)) for name in ("from_json", "fromjson"))
    return made


def _to_json_maker(name: str) -> Callable[[list[CqlType], CqlType | None], Function]:
    def make(types: list[CqlType], receiver: CqlType | None) -> Function:
        (type_,) = types

        def body(arguments: Arguments, context: CallContext) -> bytes:
            data = arguments[0]
            if data is None or (not data and type_.empty_is_null):
                return b"null"
            try:
                return type_.to_json(data).encode()
            except UNREADABLE:
                raise unreadable() from None

        return ScalarFunction(name, (type_,), TEXT, made_by_factory=True, body=body)

    return make


def _from_json_maker(name: str) -> Callable[[list[CqlType], CqlType | None], Function]:
    def make(types: list[CqlType], receiver: CqlType | None) -> Function:
        if receiver is None:
            raise InvalidRequest(f"{name}() cannot be used in the selection clause of a SELECT statement")

        def body(arguments: Arguments, context: CallContext) -> bytes | None:
            if arguments[0] is None:
                return None
            value = from_json(name, receiver, arguments[0].decode(), context)
            if value == b"" and not receiver.allows_empty:
                # "" is the empty value for all numbers, even where that is no value.
                raise ServerError(
                    f"java.lang.RuntimeException: Return of function {function} () "
                    f"is not a valid value for its declared return type {receiver.cql()}"
                )
            return value

        function = ScalarFunction(name, (TEXT,), receiver, made_by_factory=True, body=body)
        return function

    return make


def from_json(name: str, type_: CqlType, text: str, context: CallContext) -> bytes | None:
    """The value of a JSON text; FunctionFailure if it is no JSON, or no value of the type."""
    try:
        value = parse_json(text)
    except JsonError as error:
        raise FunctionFailure(
            f"execution of '{SYSTEM}.{name}[text]' failed: "
            f"Could not decode JSON string '{text}': {error.java_class}: {error}",
            SYSTEM,
            name,
            ("text",),
        ) from None
    if value is None:
        return None
    if mentions_now(text):
        value = json_with_now(value, type_, context)
    try:
        return type_.from_json(value)
    except DurationError as error:
        raise InvalidRequest(str(error)) from None
    except MarshalError as error:
        message = f"org.apache.cassandra.serializers.MarshalException: {error}"
        raise FunctionFailure(message, SYSTEM, name, ("text",)) from None
