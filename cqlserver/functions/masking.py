"""mask_default, mask_null, mask_replace, mask_hash, mask_inner and mask_outer (functions/masking/*.java)."""

import hashlib
from collections.abc import Callable

from cqlserver.functions.factories import (
    ANY,
    ANY_OR_RECEIVER,
    FIXED_INT,
    FIXED_TEXT,
    STRING,
    FunctionFactory,
    OptionalParameter,
    SameAs,
)
from cqlserver.functions.model import SYSTEM, Arguments, CallContext, Function, ScalarFunction
from protocol.errors import InvalidRequest
from protocol.types import BLOB, INT, TEXT, CqlType

# The algorithms that Java's standard providers know, by the names that Python's have.
_ALGORITHMS = {
    "MD5": "md5",
    "SHA": "sha1",
    "SHA1": "sha1",
    "SHA-1": "sha1",
    "SHA-224": "sha224",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
    "SHA-512/224": "sha512_224",
    "SHA-512/256": "sha512_256",
    "SHA3-224": "sha3_224",
    "SHA3-256": "sha3_256",
    "SHA3-384": "sha3_384",
    "SHA3-512": "sha3_512",
}


def masking_factories() -> list[FunctionFactory]:
    return [
        FunctionFactory("mask_null", (ANY,), _mask_null),
        FunctionFactory("mask_default", (ANY,), _mask_default),
        FunctionFactory("mask_replace", (ANY_OR_RECEIVER, SameAs(0, True, ANY_OR_RECEIVER)), _mask_replace),
        FunctionFactory("mask_hash", (ANY, OptionalParameter(FIXED_TEXT)), _mask_hash),
        _partial("mask_inner", lambda position, begin, end: begin <= position <= end),
        _partial("mask_outer", lambda position, begin, end: position < begin or position > end),
    ]


def _mask_null(types: list[CqlType], receiver: CqlType | None) -> Function:
    body = lambda arguments, context: None  # noqa: E731
    return ScalarFunction("mask_null", (types[0],), types[0], made_by_factory=True, body=body)


def _mask_default(types: list[CqlType], receiver: CqlType | None) -> Function:
    masked = types[0].masked_value()
    body = lambda arguments, context: masked  # noqa: E731
    return ScalarFunction("mask_default", (types[0],), types[0], made_by_factory=True, body=body)


def _mask_replace(types: list[CqlType], receiver: CqlType | None) -> Function:
    body = lambda arguments, context: arguments[1]  # noqa: E731
    return ScalarFunction("mask_replace", (types[0], types[1]), types[1], made_by_factory=True, body=body)


def _mask_hash(types: list[CqlType], receiver: CqlType | None) -> Function:
    def algorithm_of(arguments: Arguments) -> str:
        algorithm = "SHA-256"
        if len(arguments) > 1 and arguments[1] is not None:
            algorithm = arguments[1].decode()
        known = _ALGORITHMS.get(algorithm.upper())
        if known is None:
            raise InvalidRequest(f"Hash algorithm not found: {algorithm}")
        return known

    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        known = algorithm_of(arguments)
        return None if arguments[0] is None else hashlib.new(known, arguments[0], usedforsecurity=False).digest()

    arguments = (types[0],) if len(types) == 1 else (types[0], TEXT)
    return ScalarFunction(
        "mask_hash", arguments, BLOB, made_by_factory=True, body=body, check_constants=algorithm_of
    )


def _partial(name: str, is_masked: Callable[[int, int, int], bool]) -> FunctionFactory:
    """Characters are Java's: UTF-16 units."""

    def make(types: list[CqlType], receiver: CqlType | None) -> Function:
        def padding_of(arguments: Arguments) -> bytes:
            padding = "*"
            if len(arguments) > 3 and arguments[3] is not None:
                padding = arguments[3].decode()
                length = len(padding.encode("utf-16-be")) // 2
                if length != 1:
                    raise InvalidRequest(
                        f"The padding argument for function {SYSTEM}.{name} should be single-character, "
                        f"but '{padding}' has {length} characters."
                    )
            return padding.encode("utf-16-be")

        def body(arguments: Arguments, context: CallContext) -> bytes | None:
            pad = padding_of(arguments)
            value, begin, end = arguments[0], _int(arguments[1]), _int(arguments[2])
            if not value:
                return value
            units = value.decode().encode("utf-16-be")
            size = len(units) // 2
            masked = (pad if is_masked(i, begin, size - 1 - end) else units[2 * i : 2 * i + 2] for i in range(size))
            return b"".join(masked).decode("utf-16-be", "surrogatepass").encode(errors="replace")

        signature = (types[0], INT, INT, TEXT)[: len(types)]
        return ScalarFunction(
            name, signature, types[0], made_by_factory=True, body=body, check_constants=padding_of
        )

    return FunctionFactory(name, (STRING, FIXED_INT, FIXED_INT, OptionalParameter(FIXED_TEXT)), make)


def _int(data: bytes | None) -> int:
    return int.from_bytes(data, "big", signed=True) if data else 0
