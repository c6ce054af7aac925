"""The messages that a server sends (native_protocol_v5.spec, section 4.2), as frozen values, encoded and decoded.

`encode(...)` gives a whole envelope, `decode(...)` is the client's half. The prefixes of a body that the envelope's
flags announce (tracing id, warnings, custom payload, in this order) belong to the envelope, not to the message: see
`Reply`. `void_envelope` and `rows_envelope` are the short way for the two answers that a server sends most.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar, Final, TypeAlias
from uuid import UUID

from protocol import primitives
from protocol.envelopes import (
    BETA_VERSION,
    CUSTOM_PAYLOAD,
    RESPONSE_BIT,
    TRACING,
    USE_BETA,
    VERSIONS,
    WARNING,
    Refusal,
    pack_envelope,
)
from protocol.error_messages import decode_error, encode_error
from protocol.errors import ProtocolError, RequestError
from protocol.metadata import (
    EMPTY_METADATA,
    ColumnSpec,
    PreparedMetadata,
    ResultMetadata,
    in_one_table,
    prepared_id,
    read_result_metadata,
)
from protocol.primitives import Inet, Reader

__all__ = [
    "EMPTY_METADATA", "AuthChallenge", "AuthSuccess", "Authenticate", "ColumnSpec", "Error", "Event", "EventMessage",
    "PreparedMetadata", "PreparedResult", "Ready", "Reply", "Response", "ResultMetadata", "RowsResult", "SchemaChange",
    "SchemaChangeResult", "SetKeyspaceResult", "StatusChange", "Supported", "TopologyChange", "VoidResult", "decode",
    "encode", "encode_refusal", "in_one_table", "prepared_id", "rows_envelope", "void_envelope",
]  # fmt: skip

ERROR: Final = 0x00
READY: Final = 0x02
AUTHENTICATE: Final = 0x03
SUPPORTED: Final = 0x06
RESULT: Final = 0x08
EVENT: Final = 0x0C
AUTH_CHALLENGE: Final = 0x0E
AUTH_SUCCESS: Final = 0x10

EVENT_STREAM: Final = -1  # the stream of messages that no one asked for

VOID: Final = 0x0001
ROWS: Final = 0x0002
SET_KEYSPACE: Final = 0x0003
PREPARED: Final = 0x0004
SCHEMA_CHANGE: Final = 0x0005

CustomPayload: TypeAlias = Mapping[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Error:
    """ERROR; what an old version does not know is said in its words."""

    opcode: ClassVar[int] = ERROR
    error: RequestError

    def encode(self, version: int) -> bytes:
        return encode_error(self.error, version)


@dataclass(frozen=True, slots=True)
class Ready:
    opcode: ClassVar[int] = READY

    def encode(self, version: int) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE; `authenticator` is the name of a Java class, by which drivers know what to do."""

    opcode: ClassVar[int] = AUTHENTICATE
    authenticator: str

    def encode(self, version: int) -> bytes:
        return primitives.string(self.authenticator)


@dataclass(frozen=True, slots=True)
class AuthChallenge:
    opcode: ClassVar[int] = AUTH_CHALLENGE
    token: bytes | None

    def encode(self, version: int) -> bytes:
        return primitives.value(self.token)


@dataclass(frozen=True, slots=True)
class AuthSuccess:
    opcode: ClassVar[int] = AUTH_SUCCESS
    token: bytes | None = None

    def encode(self, version: int) -> bytes:
        return primitives.value(self.token)


@dataclass(frozen=True, slots=True)
class Supported:
    opcode: ClassVar[int] = SUPPORTED
    options: Mapping[str, Sequence[str]]

    def encode(self, version: int) -> bytes:
        return primitives.string_multimap(self.options)


@dataclass(frozen=True, slots=True)
class VoidResult:
    opcode: ClassVar[int] = RESULT

    def encode(self, version: int) -> bytes:
        return _KIND(VOID)


@dataclass(frozen=True, slots=True)
class RowsResult:
    """Rows: `content` has `row_count` times one wire value for each column, row after row.

    `paging_state` is None on the last page. `skip_metadata`: the client asked to leave the columns out;
    `metadata_changed`: they are not those that it knows (v5, never together with a skip on the wire).
    """

    opcode: ClassVar[int] = RESULT
    metadata: ResultMetadata
    row_count: int
    content: bytes
    paging_state: bytes | None = None
    skip_metadata: bool = False
    metadata_changed: bool = False
    new_metadata_id: bytes | None = field(default=None, compare=False)

    def encode(self, version: int) -> bytes:
        return self.encode_head(version) + self.content

    def encode_head(self, version: int) -> bytes:
        """What comes before the content."""
        head = self.metadata.head(version, self.skip_metadata, self.paging_state, self.metadata_changed)
        return b"".join((_KIND(ROWS), head, _KIND(self.row_count)))

    def rows(self) -> list[tuple[bytes | None, ...]]:
        """The serialised values of each row. Raise ProtocolError where `content` is not what it should be."""
        reader = Reader(self.content)
        columns = range(self.metadata.column_count)
        return [tuple([reader.nullable_bytes() for _ in columns]) for _ in range(self.row_count)]


@dataclass(frozen=True, slots=True)
class SetKeyspaceResult:
    opcode: ClassVar[int] = RESULT
    keyspace: str

    def encode(self, version: int) -> bytes:
        return _KIND(SET_KEYSPACE) + primitives.string(self.keyspace)


@dataclass(frozen=True, slots=True)
class PreparedResult:
    """A prepared statement; `result_metadata_id` reaches clients of v5 only (empty: that of `result_metadata`)."""

    opcode: ClassVar[int] = RESULT
    statement_id: bytes
    metadata: PreparedMetadata
    result_metadata: ResultMetadata = EMPTY_METADATA
    result_metadata_id: bytes = b""

    def encode(self, version: int) -> bytes:
        ids = primitives.short_bytes(self.statement_id)
        if version >= 5:
            ids += primitives.short_bytes(self.result_metadata_id or self.result_metadata.id)
        return _KIND(PREPARED) + ids + self.metadata.encode(version) + self.result_metadata.encoded(version)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """What happened to the schema, as an event and as the result of DDL.

    `change`: CREATED, UPDATED or DROPPED. `target`: KEYSPACE (then `name` is empty), TABLE, TYPE, FUNCTION or
    AGGREGATE; only the last two have `argument_types`.
    """

    kind: ClassVar[str] = "SCHEMA_CHANGE"
    change: str
    target: str
    keyspace: str
    name: str = ""
    argument_types: tuple[str, ...] = ()

    def encode(self, version: int) -> bytes:
        string = primitives.string
        function = self.target in _FUNCTION_TARGETS
        if function and version < 4:  # not known yet: the keyspace has changed, somehow
            return string("UPDATED") + string("KEYSPACE") + string(self.keyspace) + string("")
        data = string(self.change) + string(self.target) + string(self.keyspace)
        if self.target != "KEYSPACE":
            data += string(self.name)
        return data + primitives.string_list(self.argument_types) if function else data

    @classmethod
    def decode(cls, reader: Reader) -> "SchemaChange":
        change = _one_of(reader, ("CREATED", "UPDATED", "DROPPED"), "Change")
        target = _one_of(reader, ("KEYSPACE", "TABLE", "TYPE", *_FUNCTION_TARGETS), "Target")
        keyspace = reader.string()
        name = "" if target == "KEYSPACE" else reader.string()
        argument_types = reader.string_list() if target in _FUNCTION_TARGETS else ()
        return cls(change, target, keyspace, name, argument_types)


_FUNCTION_TARGETS = ("FUNCTION", "AGGREGATE")


@dataclass(frozen=True, slots=True)
class SchemaChangeResult:
    opcode: ClassVar[int] = RESULT
    change: SchemaChange

    def encode(self, version: int) -> bytes:
        return _KIND(SCHEMA_CHANGE) + self.change.encode(version)


@dataclass(frozen=True, slots=True)
class TopologyChange:
    """`change`: NEW_NODE, REMOVED_NODE or MOVED_NODE."""

    kind: ClassVar[str] = "TOPOLOGY_CHANGE"
    change: str
    node: Inet

    def encode(self, version: int) -> bytes:
        return primitives.string(self.change) + primitives.inet(self.node)

    @classmethod
    def decode(cls, reader: Reader) -> "TopologyChange":
        return cls(_one_of(reader, ("NEW_NODE", "REMOVED_NODE", "MOVED_NODE"), "Change"), reader.inet())


@dataclass(frozen=True, slots=True)
class StatusChange:
    """`change`: UP or DOWN."""

    kind: ClassVar[str] = "STATUS_CHANGE"
    change: str
    node: Inet

    def encode(self, version: int) -> bytes:
        return primitives.string(self.change) + primitives.inet(self.node)

    @classmethod
    def decode(cls, reader: Reader) -> "StatusChange":
        return cls(_one_of(reader, ("UP", "DOWN"), "Status"), reader.inet())


Event: TypeAlias = TopologyChange | StatusChange | SchemaChange


@dataclass(frozen=True, slots=True)
class EventMessage:
    """EVENT; goes out on EVENT_STREAM to those who registered for its kind."""

    opcode: ClassVar[int] = EVENT
    event: Event

    def encode(self, version: int) -> bytes:
        return primitives.string(self.event.kind) + self.event.encode(version)


Result: TypeAlias = VoidResult | RowsResult | SetKeyspaceResult | PreparedResult | SchemaChangeResult
Response: TypeAlias = Error | Ready | Authenticate | AuthChallenge | AuthSuccess | Supported | Result | EventMessage


@dataclass(frozen=True, slots=True)
class Reply:
    """A response and what came before it in its envelope."""

    response: Response
    tracing_id: UUID | None = None
    warnings: tuple[str, ...] = ()
    payload: CustomPayload | None = None


_KIND = Struct(">i").pack
_RESULT_HEAD = Struct(">BBhBii").pack
_INT = Struct(">i").pack


def encode(
    response: Response,
    version: int,
    stream: int,
    tracing_id: UUID | None = None,
    warnings: Sequence[str] = (),
    payload: CustomPayload | None = None,
) -> bytes:
    """The whole envelope. Warnings and payload are left out before v4, which does not know them."""
    # what may be megabytes is copied once
    content = b""
    if isinstance(response, RowsResult):
        body, content = response.encode_head(version), response.content
    else:
        body = response.encode(version)
    flags = USE_BETA if version == BETA_VERSION else 0
    if version >= 4:
        if payload is not None:
            flags |= CUSTOM_PAYLOAD
            body = primitives.bytes_map(payload) + body
        if warnings:
            flags |= WARNING
            body = primitives.string_list(warnings) + body
    if tracing_id is not None:
        flags |= TRACING
        body = tracing_id.bytes + body
    return pack_envelope(version | RESPONSE_BIT, flags, stream, response.opcode, body, content)


def encode_refusal(refusal: Refusal) -> bytes:
    """The whole ERROR envelope for a refusal; v1 and v2 have a stream of one byte."""
    if refusal.version >= VERSIONS[0]:
        return encode(Error(refusal.error), refusal.version, refusal.stream)
    body = encode_error(refusal.error, refusal.version)
    return bytes((refusal.version | RESPONSE_BIT, 0, 0, ERROR)) + _INT(len(body)) + body


def void_envelope(version: int, stream: int) -> bytes:
    """A VOID result without tracing, warnings or payload."""
    return _RESULT_HEAD(version | RESPONSE_BIT, USE_BETA if version == BETA_VERSION else 0, stream, RESULT, 4, VOID)


def rows_envelope(version: int, stream: int, metadata: bytes, row_count: int, content: bytes) -> bytes:
    """A ROWS result without tracing, warnings or payload; `metadata` is what `ResultMetadata.encoded` gives."""
    length = 8 + len(metadata) + len(content)
    flags = USE_BETA if version == BETA_VERSION else 0
    head = _RESULT_HEAD(version | RESPONSE_BIT, flags, stream, RESULT, length, ROWS)
    return b"".join((head, metadata, _INT(row_count), content))


def decode(version: int, flags: int, opcode: int, body: bytes) -> Reply:
    """The response in an envelope's body; raise ProtocolError where there is none."""
    reader = Reader(body)
    tracing_id = reader.uuid() if flags & TRACING else None
    warnings = reader.string_list() if flags & WARNING else ()
    payload = reader.bytes_map() if flags & CUSTOM_PAYLOAD else None
    decoder = _DECODERS.get(opcode)
    if decoder is None:
        raise ProtocolError(f"Unknown opcode {opcode}")
    return Reply(decoder(reader, version & 0x7F), tracing_id, warnings, payload)


def _one_of(reader: Reader, names: Sequence[str], what: str) -> str:
    text = reader.string()
    if text.upper() not in names:
        raise ProtocolError(f"Invalid value '{text}' for {what}")
    return text.upper()


def _read_error(reader: Reader, version: int) -> Response:
    return Error(decode_error(reader, version))


def _read_ready(reader: Reader, version: int) -> Response:
    return Ready()


def _read_authenticate(reader: Reader, version: int) -> Response:
    return Authenticate(reader.string())


def _read_auth_challenge(reader: Reader, version: int) -> Response:
    return AuthChallenge(reader.nullable_bytes())


def _read_auth_success(reader: Reader, version: int) -> Response:
    return AuthSuccess(reader.nullable_bytes())


def _read_supported(reader: Reader, version: int) -> Response:
    return Supported(reader.string_multimap())


def _read_event(reader: Reader, version: int) -> Response:
    kind = _one_of(reader, tuple(_EVENTS), "Type")
    return EventMessage(_EVENTS[kind](reader))


def _read_result(reader: Reader, version: int) -> Response:
    kind = reader.integer()
    decoder = _RESULTS.get(kind)
    if decoder is None:
        raise ProtocolError(f"Unknown kind id {kind} in RESULT message")
    return decoder(reader, version)


def _read_void(reader: Reader, version: int) -> Response:
    return VoidResult()


def _read_rows(reader: Reader, version: int) -> Response:
    metadata, _, paging_state, new_id = read_result_metadata(reader)
    row_count = reader.integer()
    least = row_count * metadata.column_count * 4
    if row_count < 0 or least > reader.remaining or (row_count and not metadata.column_count):
        raise ProtocolError(f"Not enough bytes to read {row_count} rows")
    content = reader.take(reader.remaining)
    skipped = not metadata.columns
    return RowsResult(metadata, row_count, content, paging_state, skipped, new_id is not None, new_id)


def _read_set_keyspace(reader: Reader, version: int) -> Response:
    return SetKeyspaceResult(reader.string())


def _read_prepared(reader: Reader, version: int) -> Response:
    statement_id = reader.short_bytes()
    metadata_id = reader.short_bytes() if version >= 5 else b""
    metadata = PreparedMetadata.decode(reader, version)
    result_metadata, _, _, _ = read_result_metadata(reader)
    return PreparedResult(statement_id, metadata, result_metadata, metadata_id)


def _read_schema_change(reader: Reader, version: int) -> Response:
    return SchemaChangeResult(SchemaChange.decode(reader))


_Decode: TypeAlias = Callable[[Reader, int], Response]

_EVENTS: Final[dict[str, Callable[[Reader], Event]]] = {
    "TOPOLOGY_CHANGE": TopologyChange.decode,
    "STATUS_CHANGE": StatusChange.decode,
    "SCHEMA_CHANGE": SchemaChange.decode,
}
_RESULTS: Final[dict[int, _Decode]] = {
    VOID: _read_void,
    ROWS: _read_rows,
    SET_KEYSPACE: _read_set_keyspace,
    PREPARED: _read_prepared,
    SCHEMA_CHANGE: _read_schema_change,
}
_DECODERS: Final[dict[int, _Decode]] = {
    ERROR: _read_error,
    READY: _read_ready,
    AUTHENTICATE: _read_authenticate,
    SUPPORTED: _read_supported,
    RESULT: _read_result,
    EVENT: _read_event,
    AUTH_CHALLENGE: _read_auth_challenge,
    AUTH_SUCCESS: _read_auth_success,
}
