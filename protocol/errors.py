"""Every error of the project, in four families; a leaf module.

- `RequestError`: the client's request can't be served. Carries the protocol's error code and every field that the
  ERROR message of that code has (native_protocol_v5.spec, section 9). The message text is Cassandra's.
- `PeerError`: the other side of a connection broke the protocol; that connection closes.
- `StorageError`: this node's disk gave back something else than was written, or refuses to write.
- `InternalError`: a bug of ours. Logged with its traceback, answered as SERVER_ERROR.

Errors are turned into ERROR messages in one place, at the border (protocol/responses.py).
"""

from typing import ClassVar


class CqlServerError(Exception):
    """The root of all errors raised by these packages."""


class PeerError(CqlServerError):
    """The peer's bytes are no valid frame or message: answered with PROTOCOL_ERROR, then the connection closes."""


class StorageError(CqlServerError):
    """The disk failed, or holds bytes that are not what was written."""


class CorruptionError(StorageError):
    """Bytes on disk do not match their checksum or their format."""


class StreamFailed(CqlServerError):
    """Data could not be moved from a node to another one: one of them stopped, or its disk failed."""


class MovementRefused(CqlServerError):
    """The ring can't change like that now; the text is Cassandra's, for whoever asked."""


class InternalError(CqlServerError):
    """A bug of this server."""


class RequestError(CqlServerError):
    """The root of everything that is answered with an ERROR message; `code` is the protocol's."""

    code: ClassVar[int]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ServerError(RequestError):
    code = 0x0000


class ProtocolError(RequestError):
    code = 0x000A


class BadCredentials(RequestError):
    code = 0x0100


class Unavailable(RequestError):
    """Too few live replicas for the consistency level (a number of section 3 of the protocol's specification)."""

    code = 0x1000

    def __init__(self, message: str, consistency: int, required: int, alive: int) -> None:
        super().__init__(message)
        self.consistency, self.required, self.alive = consistency, required, alive


class Overloaded(RequestError):
    code = 0x1001


class IsBootstrapping(RequestError):
    code = 0x1002


class TruncateError(RequestError):
    code = 0x1003


class WriteTimeout(RequestError):
    """`write_type`: SIMPLE, BATCH, UNLOGGED_BATCH, COUNTER, BATCH_LOG, CAS, VIEW or CDC; `contentions`: CAS only."""

    code = 0x1100

    def __init__(
        self, message: str, consistency: int, received: int, block_for: int, write_type: str, contentions: int = 0
    ) -> None:
        super().__init__(message)
        self.consistency, self.received, self.block_for = consistency, received, block_for
        self.write_type, self.contentions = write_type, contentions


class CasWriteTimeout(WriteTimeout):
    """Of a conditional write, whose commit is SIMPLE; older versions of the protocol are told CAS."""


class ReadTimeout(RequestError):
    code = 0x1200

    def __init__(self, message: str, consistency: int, received: int, block_for: int, data_present: bool) -> None:
        super().__init__(message)
        self.consistency, self.received, self.block_for, self.data_present = (
            consistency,
            received,
            block_for,
            data_present,
        )


class ReadFailure(RequestError):
    """`reasons`: address of the replica (packed bytes) -> failure code; v3 and v4 send only how many there are."""

    code = 0x1300

    def __init__(
        self,
        message: str,
        consistency: int,
        received: int,
        block_for: int,
        reasons: dict[bytes, int],
        data_present: bool,
    ) -> None:
        super().__init__(message)
        self.consistency, self.received, self.block_for = consistency, received, block_for
        self.reasons, self.data_present = reasons, data_present


class FunctionFailure(RequestError):
    code = 0x1400

    def __init__(self, message: str, keyspace: str, function: str, argument_types: tuple[str, ...]) -> None:
        super().__init__(message)
        self.keyspace, self.function, self.argument_types = keyspace, function, argument_types


class WriteFailure(RequestError):
    code = 0x1500

    def __init__(
        self,
        message: str,
        consistency: int,
        received: int,
        block_for: int,
        reasons: dict[bytes, int],
        write_type: str,
    ) -> None:
        super().__init__(message)
        self.consistency, self.received, self.block_for = consistency, received, block_for
        self.reasons, self.write_type = reasons, write_type


class CdcWriteFailure(RequestError):
    code = 0x1600


class CasWriteUnknown(RequestError):
    code = 0x1700

    def __init__(self, message: str, consistency: int, received: int, block_for: int) -> None:
        super().__init__(message)
        self.consistency, self.received, self.block_for = consistency, received, block_for


class CqlSyntaxError(RequestError):
    code = 0x2000


class Unauthorized(RequestError):
    code = 0x2100


class InvalidRequest(RequestError):
    code = 0x2200


class ConfigurationError(RequestError):
    code = 0x2300


class AlreadyExists(RequestError):
    """`table` is empty when a keyspace exists already."""

    code = 0x2400

    def __init__(self, message: str, keyspace: str, table: str = "") -> None:
        super().__init__(message)
        self.keyspace, self.table = keyspace, table


class Unprepared(RequestError):
    code = 0x2500

    def __init__(self, message: str, statement_id: bytes) -> None:
        super().__init__(message)
        self.statement_id = statement_id
