"""ERROR bodies (native_protocol_v5.spec, section 9): errors of protocol/errors.py <-> bytes, for every code.

What an older version does not know is said in its words, as Cassandra does: failures become timeouts in v3, an unknown
outcome of a compare-and-set becomes a write timeout before v5.
"""

from collections.abc import Callable
from typing import Any, Final

from protocol import primitives
from protocol.errors import (
    AlreadyExists,
    BadCredentials,
    CasWriteTimeout,
    CasWriteUnknown,
    CdcWriteFailure,
    ConfigurationError,
    CqlSyntaxError,
    FunctionFailure,
    InvalidRequest,
    IsBootstrapping,
    Overloaded,
    ProtocolError,
    ReadFailure,
    ReadTimeout,
    RequestError,
    ServerError,
    TruncateError,
    Unauthorized,
    Unavailable,
    Unprepared,
    WriteFailure,
    WriteTimeout,
)
from protocol.primitives import Reader

_CODE_NAMES: Final = {FunctionFailure.code: "FUNCTION_FAILURE", CdcWriteFailure.code: "CDC_WRITE_FAILURE"}


def encode_error(error: RequestError, version: int) -> bytes:
    """The body of an ERROR message."""
    error = _in_words_of(version, error)
    head = primitives.integer(error.code) + primitives.string(error.message)
    fields = _FIELDS.get(error.code)
    return head if fields is None else head + fields(error, version)


def decode_error(reader: Reader, version: int) -> RequestError:
    """The error of an ERROR body; raise ProtocolError for a code that does not exist."""
    code = reader.integer()
    message = reader.string()
    plain = _PLAIN.get(code)
    if plain is not None:
        return plain(message)
    decode = _DECODERS.get(code)
    if decode is None:
        raise ProtocolError(f"Unknown error code {code}")
    return decode(reader, version, message)


def _in_words_of(version: int, error: RequestError) -> RequestError:
    if version >= 5:
        return error
    if version < 4:
        if isinstance(error, ReadFailure):
            return ReadTimeout(
                _timeout(error.received), error.consistency, error.received, error.block_for, error.data_present
            )
        if isinstance(error, WriteFailure):
            return WriteTimeout(
                _timeout(error.received), error.consistency, error.received, error.block_for, error.write_type
            )
        if error.code in _CODE_NAMES:
            return InvalidRequest(f"ERROR {_CODE_NAMES[error.code]}: {error.message}")
    if isinstance(error, CasWriteUnknown | CasWriteTimeout):
        return WriteTimeout(_timeout(error.received), error.consistency, error.received, error.block_for, "CAS")
    return error


def _timeout(received: int) -> str:
    return f"Operation timed out - received only {received} responses."


def _counts(error: Any) -> bytes:
    return primitives.short(error.consistency) + primitives.integer(error.received) + primitives.integer(error.block_for)


def _reasons(error: Any, version: int) -> bytes:
    count = primitives.integer(len(error.reasons))
    if version < 5:
        return count
    pairs = [primitives.address(replica) + primitives.short(code) for replica, code in error.reasons.items()]
    return count + b"".join(pairs)


def _unavailable(error: Any, version: int) -> bytes:
    return primitives.short(error.consistency) + primitives.integer(error.required) + primitives.integer(error.alive)


def _write_timeout(error: Any, version: int) -> bytes:
    fields = _counts(error) + primitives.string(error.write_type)
    if version >= 5 and error.write_type == "CAS":
        fields += primitives.short(error.contentions)
    return fields


def _read_timeout(error: Any, version: int) -> bytes:
    return _counts(error) + bytes((error.data_present,))


def _read_failure(error: Any, version: int) -> bytes:
    return _counts(error) + _reasons(error, version) + bytes((error.data_present,))


def _write_failure(error: Any, version: int) -> bytes:
    return _counts(error) + _reasons(error, version) + primitives.string(error.write_type)


def _function_failure(error: Any, version: int) -> bytes:
    names = primitives.string(error.keyspace) + primitives.string(error.function)
    return names + primitives.string_list(error.argument_types)


def _cas_write_unknown(error: Any, version: int) -> bytes:
    return _counts(error)


def _already_exists(error: Any, version: int) -> bytes:
    return primitives.string(error.keyspace) + primitives.string(error.table)


def _unprepared(error: Any, version: int) -> bytes:
    return primitives.short_bytes(error.statement_id)


_FIELDS: Final[dict[int, Callable[[Any, int], bytes]]] = {
    Unavailable.code: _unavailable,
    WriteTimeout.code: _write_timeout,
    ReadTimeout.code: _read_timeout,
    ReadFailure.code: _read_failure,
    FunctionFailure.code: _function_failure,
    WriteFailure.code: _write_failure,
    CasWriteUnknown.code: _cas_write_unknown,
    AlreadyExists.code: _already_exists,
    Unprepared.code: _unprepared,
}


def _read_unavailable(reader: Reader, version: int, message: str) -> RequestError:
    return Unavailable(message, reader.short(), reader.integer(), reader.integer())


def _read_counts(reader: Reader) -> tuple[int, int, int]:
    return reader.short(), reader.integer(), reader.integer()


def _read_reasons(reader: Reader, version: int) -> dict[bytes, int]:
    """v4 says only how many failed; they get numbers for addresses, and reason 0 (unknown)."""
    count = reader.integer()
    if version >= 5:
        return {reader.address(): reader.short() for _ in range(count)}
    if not 0 <= count <= _FAILURES_MAX:
        raise ProtocolError(f"Invalid number of failures {count}")
    return {number.to_bytes(4, "big"): 0 for number in range(count)}


_FAILURES_MAX = 0xFFFF  # a claimed count that takes memory without taking bytes


def _read_write_timeout(reader: Reader, version: int, message: str) -> RequestError:
    counts = _read_counts(reader)
    write_type = reader.string()
    contentions = reader.short() if version >= 5 and write_type == "CAS" else 0
    return WriteTimeout(message, *counts, write_type, contentions)


def _read_read_timeout(reader: Reader, version: int, message: str) -> RequestError:
    return ReadTimeout(message, *_read_counts(reader), reader.byte() != 0)


def _read_read_failure(reader: Reader, version: int, message: str) -> RequestError:
    return ReadFailure(message, *_read_counts(reader), _read_reasons(reader, version), reader.byte() != 0)


def _read_write_failure(reader: Reader, version: int, message: str) -> RequestError:
    return WriteFailure(message, *_read_counts(reader), _read_reasons(reader, version), reader.string())


def _read_function_failure(reader: Reader, version: int, message: str) -> RequestError:
    return FunctionFailure(message, reader.string(), reader.string(), reader.string_list())


def _read_cas_write_unknown(reader: Reader, version: int, message: str) -> RequestError:
    return CasWriteUnknown(message, *_read_counts(reader))


def _read_already_exists(reader: Reader, version: int, message: str) -> RequestError:
    return AlreadyExists(message, reader.string(), reader.string())


def _read_unprepared(reader: Reader, version: int, message: str) -> RequestError:
    return Unprepared(message, reader.short_bytes())


_PLAIN: Final[dict[int, Callable[[str], RequestError]]] = {
    ServerError.code: ServerError,
    ProtocolError.code: ProtocolError,
    BadCredentials.code: BadCredentials,
    Overloaded.code: Overloaded,
    IsBootstrapping.code: IsBootstrapping,
    TruncateError.code: TruncateError,
    CdcWriteFailure.code: CdcWriteFailure,
    CqlSyntaxError.code: CqlSyntaxError,
    Unauthorized.code: Unauthorized,
    InvalidRequest.code: InvalidRequest,
    ConfigurationError.code: ConfigurationError,
}

_DECODERS: Final[dict[int, Callable[[Reader, int, str], RequestError]]] = {
    Unavailable.code: _read_unavailable,
    WriteTimeout.code: _read_write_timeout,
    ReadTimeout.code: _read_read_timeout,
    ReadFailure.code: _read_read_failure,
    FunctionFailure.code: _read_function_failure,
    WriteFailure.code: _read_write_failure,
    CasWriteUnknown.code: _read_cas_write_unknown,
    AlreadyExists.code: _read_already_exists,
    Unprepared.code: _read_unprepared,
}
