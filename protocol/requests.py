"""The messages that a client sends (native_protocol_v5.spec, section 4.1), as frozen values, decoded and encoded.

`decode(version, flags, opcode, body)` is the server's half, `encode(...)` the client's. A body that is no valid
message raises ProtocolError with Cassandra's text. Bytes behind a message are ignored, as Cassandra does.

For the hot path a session need not build any of these values: `EXECUTE_HEAD` unpacks the fixed beginning of an
EXECUTE, and `read_values` walks bound values in place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from struct import Struct
from struct import error as StructError
from typing import ClassVar, Final, NamedTuple, TypeAlias

from protocol import primitives
from protocol.errors import ProtocolError
from protocol.primitives import UNSET, Reader, Value

STARTUP: Final = 0x01
OPTIONS: Final = 0x05
QUERY: Final = 0x07
PREPARE: Final = 0x09
EXECUTE: Final = 0x0A
REGISTER: Final = 0x0B
BATCH: Final = 0x0D
AUTH_RESPONSE: Final = 0x0F

# Envelope flags that a request's body depends on.
TRACING: Final = 0x02
CUSTOM_PAYLOAD: Final = 0x04

CONSISTENCY_NAMES: Final = (
    "ANY",
    "ONE",
    "TWO",
    "THREE",
    "QUORUM",
    "ALL",
    "LOCAL_QUORUM",
    "EACH_QUORUM",
    "SERIAL",
    "LOCAL_SERIAL",
    "LOCAL_ONE",
    "NODE_LOCAL",
)
ONE: Final = 0x0001
SERIAL: Final = 0x0008

# Flags of QueryOptions: one byte before v5 (the last two do not fit then: 0x80 does), four bytes since.
VALUES: Final = 0x0001
SKIP_METADATA: Final = 0x0002
PAGE_SIZE: Final = 0x0004
PAGING_STATE: Final = 0x0008
SERIAL_CONSISTENCY: Final = 0x0010
DEFAULT_TIMESTAMP: Final = 0x0020
NAMES_FOR_VALUES: Final = 0x0040
KEYSPACE: Final = 0x0080
NOW_IN_SECONDS: Final = 0x0100
_BEYOND_VALUES = 0x01FC  # any of these: there is more behind the values (names count, as in Cassandra)

_TIMESTAMP_MIN = -(2**63)
_TIMESTAMP_MAX = 2**63 - 1

CustomPayload: TypeAlias = Mapping[str, bytes | None]

# [short 16][id][consistency][flags][number of values], where flags are VALUES, perhaps with SKIP_METADATA.
EXECUTE_HEAD: Final[Mapping[int, Struct]] = {
    3: Struct(">H16sHBH"),
    4: Struct(">H16sHBH"),
    5: Struct(">H16sH16sHIH"),
    6: Struct(">H16sH16sHIH"),
}

_HEAD = Struct(">BBhBi").pack
_VALUE_LENGTH = Struct(">i").unpack_from


class QueryOptions(NamedTuple):
    """What QUERY, EXECUTE and BATCH say about the execution. A tuple, because every request makes one.

    `values` are bound in order, or by name when `names` is not None (then both have one length). `page_size` is -1
    when the client did not say, `timestamp_us` and `now_s` None likewise; `flags` are the bits as received and are
    computed anew by `encode`.
    """

    consistency: int = ONE
    values: tuple[Value, ...] = ()
    names: tuple[str, ...] | None = None
    flags: int = 0
    page_size: int = -1
    paging_state: bytes | None = None
    serial_consistency: int = SERIAL
    timestamp_us: int | None = None
    keyspace: str | None = None
    now_s: int | None = None

    @property
    def skip_metadata(self) -> bool:
        return bool(self.flags & SKIP_METADATA)

    @classmethod
    def decode(cls, reader: Reader, version: int) -> "QueryOptions":
        consistency = read_consistency(reader)
        flags = reader.unsigned_integer() if version >= 5 else reader.unsigned_byte()
        names: tuple[str, ...] | None = None
        values: tuple[Value, ...] = ()
        if flags & VALUES:
            if flags & NAMES_FOR_VALUES:
                pairs = [(reader.string(), reader.value(version)) for _ in range(reader.short())]
                names = tuple([name for name, _ in pairs])
                values = tuple([value for _, value in pairs])
            else:
                values = _values(reader, version)
        if not flags & _BEYOND_VALUES:
            return cls(consistency, values, names, flags)
        return cls(
            consistency,
            values,
            names,
            flags,
            reader.integer() if flags & PAGE_SIZE else -1,
            reader.nullable_bytes() if flags & PAGING_STATE else None,
            read_consistency(reader) if flags & SERIAL_CONSISTENCY else SERIAL,
            _timestamp(reader) if flags & DEFAULT_TIMESTAMP else None,
            reader.string() if flags & KEYSPACE else None,
            reader.unsigned_integer() if flags & NOW_IN_SECONDS else None,
        )

    def encode(self, version: int) -> bytes:
        """Everything that is set is written; before v5 `keyspace` and `now_s` have no place and are left out."""
        flags = self.flags & SKIP_METADATA
        parts = []
        if self.values:
            flags |= VALUES if self.names is None else VALUES | NAMES_FOR_VALUES
            parts.append(_encode_values(self.values, self.names))
        if self.page_size >= 0:
            flags |= PAGE_SIZE
            parts.append(primitives.integer(self.page_size))
        if self.paging_state is not None:
            flags |= PAGING_STATE
            parts.append(primitives.value(self.paging_state))
        if self.serial_consistency != SERIAL:
            flags |= SERIAL_CONSISTENCY
            parts.append(primitives.short(self.serial_consistency))
        if self.timestamp_us is not None:
            flags |= DEFAULT_TIMESTAMP
            parts.append(primitives.long(self.timestamp_us))
        if version >= 5:
            if self.keyspace is not None:
                flags |= KEYSPACE
                parts.append(primitives.string(self.keyspace))
            if self.now_s is not None:
                flags |= NOW_IN_SECONDS
                parts.append(self.now_s.to_bytes(4, "big"))
        head = primitives.short(self.consistency) + flags.to_bytes(4 if version >= 5 else 1, "big")
        return head + b"".join(parts)


def read_consistency(reader: Reader) -> int:
    """[consistency], checked to be a level that exists."""
    code = reader.short()
    if code >= len(CONSISTENCY_NAMES):
        raise ProtocolError(f"Unknown code {code} for a consistency level")
    return code


def _timestamp(reader: Reader) -> int:
    timestamp = reader.long()
    if timestamp == _TIMESTAMP_MIN:
        raise ProtocolError(f"Out of bound timestamp, must be in [{_TIMESTAMP_MIN + 1}, {_TIMESTAMP_MAX}] (got {timestamp})")
    return timestamp


def read_values(data: bytes, position: int, count: int, version: int) -> tuple[list[Value], int]:
    """`count` [value]s of `data` from `position` on, and the position behind them."""
    values: list[Value] = []
    append = values.append
    end = len(data)
    try:
        for _ in range(count):
            (length,) = _VALUE_LENGTH(data, position)
            position += 4
            if length >= 0:
                stop = position + length
                append(data[position:stop])
                position = stop
            elif version < 4 or length == -1:
                append(None)
            elif length == -2:
                append(UNSET)
            else:
                raise ProtocolError(f"Invalid ByteBuf length {length}")
    except StructError:
        raise ProtocolError(f"Not enough bytes to read {count} values") from None
    if position > end:
        raise ProtocolError(f"Not enough bytes to read {count} values")
    return values, position


def _values(reader: Reader, version: int) -> tuple[Value, ...]:
    count = reader.short()  # on a line of its own: it moves the position
    values, reader.position = read_values(reader.data, reader.position, count, version)
    return tuple(values)


def _encode_values(values: tuple[Value, ...], names: tuple[str, ...] | None) -> bytes:
    count = primitives.short(len(values))
    if names is None:
        return count + b"".join(map(primitives.value, values))
    pairs = zip(names, values, strict=True)
    return count + b"".join([primitives.string(name) + primitives.value(value) for name, value in pairs])


@dataclass(frozen=True, slots=True)
class Startup:
    """STARTUP. Keys of `options` are upper case."""

    opcode: ClassVar[int] = STARTUP
    options: Mapping[str, str]

    @classmethod
    def decode(cls, reader: Reader, version: int) -> "Startup":
        return cls({key.upper(): text for key, text in reader.string_map().items()})

    def encode(self, version: int) -> bytes:
        return primitives.string_map(self.options)

    def compression(self, version: int) -> str | None:
        """The algorithm that the client asks for: `lz4`, `snappy` or None. Raise ProtocolError for what can't be."""
        name = self.options.get("COMPRESSION")
        if name is None:
            return None
        name = name.lower()
        if name == "snappy" and version >= 5:
            raise ProtocolError("Snappy compression is not supported in protocol V5")
        if name not in ("lz4", "snappy"):
            raise ProtocolError(f"Unknown compression algorithm: {name}")
        return name


@dataclass(frozen=True, slots=True)
class Options:
    opcode: ClassVar[int] = OPTIONS

    @classmethod
    def decode(cls, reader: Reader, version: int) -> "Options":
        return cls()

    def encode(self, version: int) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class Query:
    opcode: ClassVar[int] = QUERY
    query: str
    options: QueryOptions = field(default_factory=QueryOptions)

    @classmethod
    def decode(cls, reader: Reader, version: int) -> "Query":
        return cls(reader.long_string(), QueryOptions.decode(reader, version))

    def encode(self, version: int) -> bytes:
        return primitives.long_string(self.query) + self.options.encode(version)


@dataclass(frozen=True, slots=True)
class Prepare:
    """PREPARE; a `keyspace` of its own only since v5."""

    opcode: ClassVar[int] = PREPARE
    query: str
    keyspace: str | None = None

    @classmethod
    def decode(cls, reader: Reader, version: int) -> "Prepare":
        query = reader.long_string()
        if version >= 5 and reader.unsigned_integer() & 0x01:
            return cls(query, reader.string())
        return cls(query)

    def encode(self, version: int) -> bytes:
        query = primitives.long_string(self.query)
        if version < 5:
            return query
        if self.keyspace is None:
            return query + primitives.integer(0)
        return query + primitives.integer(1) + primitives.string(self.keyspace)


@dataclass(frozen=True, slots=True)
class Execute:
    """EXECUTE; `result_metadata_id` is what the client holds for current, None before v5."""

    opcode: ClassVar[int] = EXECUTE
    statement_id: bytes
    result_metadata_id: bytes | None = None
    options: QueryOptions = field(default_factory=QueryOptions)

    @classmethod
    def decode(cls, reader: Reader, version: int) -> "Execute":
        statement_id = reader.short_bytes()
        result_metadata_id = reader.short_bytes() if version >= 5 else None
        return cls(statement_id, result_metadata_id, QueryOptions.decode(reader, version))

    def encode(self, version: int) -> bytes:
        ids = primitives.short_bytes(self.statement_id)
        if version >= 5:
            ids += primitives.short_bytes(self.result_metadata_id or b"")
        return ids + self.options.encode(version)


class BatchEntry(NamedTuple):
    """One statement of a batch: CQL text, or the id of a prepared statement, and its values (positional only)."""

    statement: str | bytes
    values: tuple[Value, ...] = ()


BATCH_TYPES: Final = ("LOGGED", "UNLOGGED", "COUNTER")


@dataclass(frozen=True, slots=True)
class Batch:
    """BATCH; `type` indexes BATCH_TYPES."""

    opcode: ClassVar[int] = BATCH
    type: int
    entries: tuple[BatchEntry, ...]
    options: QueryOptions = field(default_factory=QueryOptions)

    @classmethod
    def decode(cls, reader: Reader, version: int) -> "Batch":
        batch_type = reader.byte()
        entries = []
        for index in range(reader.short()):
            if not index & _PAUSE_MASK and reader.pause is not None:
                reader.pause()
            kind = reader.byte()
            if kind not in (0, 1):
                raise ProtocolError(f"Invalid query kind in BATCH messages. Must be 0 or 1 but got {kind}")
            statement = reader.short_bytes() if kind else reader.long_string()
            entries.append(BatchEntry(statement, _values(reader, version)))
        options = QueryOptions.decode(reader, version)
        if not 0 <= batch_type < len(BATCH_TYPES):
            raise ProtocolError(f"Invalid BATCH message type {batch_type}")
        return cls(batch_type, tuple(entries), options)

    def encode(self, version: int) -> bytes:
        parts = [self.type.to_bytes(1, "big"), primitives.short(len(self.entries))]
        for entry in self.entries:
            if isinstance(entry.statement, str):
                parts += [b"\x00", primitives.long_string(entry.statement)]
            else:
                parts += [b"\x01", primitives.short_bytes(entry.statement)]
            parts.append(_encode_values(entry.values, None))
        parts.append(self.options.encode(version))
        return b"".join(parts)


_PAUSE_MASK = 0x3F
"""Of the number of a batch's entry: there is a pause at each 64th."""
EVENT_TYPES: Final = ("TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE")


@dataclass(frozen=True, slots=True)
class Register:
    """REGISTER; each event type is one of EVENT_TYPES."""

    opcode: ClassVar[int] = REGISTER
    event_types: tuple[str, ...]

    @classmethod
    def decode(cls, reader: Reader, version: int) -> "Register":
        names = []
        for _ in range(reader.short()):
            name = reader.string()
            if name.upper() not in EVENT_TYPES:
                raise ProtocolError(f"Invalid value '{name}' for Type")
            names.append(name.upper())
        return cls(tuple(names))

    def encode(self, version: int) -> bytes:
        return primitives.string_list(self.event_types)


@dataclass(frozen=True, slots=True)
class AuthResponse:
    opcode: ClassVar[int] = AUTH_RESPONSE
    token: bytes

    @classmethod
    def decode(cls, reader: Reader, version: int) -> "AuthResponse":
        token = reader.nullable_bytes()
        if token is None:
            raise ProtocolError("Missing token in AUTH_RESPONSE message")
        return cls(token)

    def encode(self, version: int) -> bytes:
        return primitives.value(self.token)


Request: TypeAlias = Startup | Options | Query | Prepare | Execute | Batch | Register | AuthResponse

_DECODERS: Final[Mapping[int, Callable[[Reader, int], Request]]] = {
    STARTUP: Startup.decode,
    OPTIONS: Options.decode,
    QUERY: Query.decode,
    PREPARE: Prepare.decode,
    EXECUTE: Execute.decode,
    REGISTER: Register.decode,
    BATCH: Batch.decode,
    AUTH_RESPONSE: AuthResponse.decode,
}


def decode(
    version: int, flags: int, opcode: int, body: bytes, pause: Callable[[], None] | None = None
) -> tuple[Request, CustomPayload | None]:
    """The request in an envelope's body, and its custom payload. That it is traced stands in `flags`: TRACING. `pause` is
    called every now and then: a long batch takes a while."""
    reader = Reader(body)
    reader.pause = pause
    payload: CustomPayload | None = None
    if flags & CUSTOM_PAYLOAD:
        payload = reader.bytes_map()
        if version < 4:
            raise ProtocolError("Received frame with CUSTOM_PAYLOAD flag for native protocol version < 4")
    decoder = _DECODERS.get(opcode)
    if decoder is None:
        raise ProtocolError("Unsupported message")
    return decoder(reader, version), payload


def encode(
    request: Request, version: int, stream: int, tracing: bool = False, payload: CustomPayload | None = None
) -> bytes:
    """The whole envelope of a request."""
    body = request.encode(version)
    flags = TRACING if tracing else 0
    if version == 6:
        flags |= 0x10  # USE_BETA
    if payload is not None:
        flags |= CUSTOM_PAYLOAD
        body = primitives.bytes_map(payload) + body
    return _HEAD(version, flags, stream, request.opcode, len(body)) + body
