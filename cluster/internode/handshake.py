"""The first bytes of a connection between nodes: who calls, from where, how they will speak (docs/formats/internode.md).

The caller sends a Hello, the other one a Welcome or a Refusal, which says why in words for the caller's log. Only then come
frames. A connection has a kind: small messages never wait behind large ones.
"""

import struct
from enum import IntEnum
from typing import Final, NamedTuple
from uuid import UUID

from cluster.gossip.endpoint import Endpoint
from protocol.crc32 import crc32
from protocol.errors import PeerError

MAGIC: Final = b"CQLN"
VERSION: Final = 1
TEXT_BYTES_MAX: Final = 1024
_LENGTH = struct.Struct(">H")
_CRC = struct.Struct(">I")
_PREFIX = struct.Struct(">4sBH")
"""Magic, version, length of what follows, its checksum not counted."""


class Kind(IntEnum):
    SMALL = 0
    LARGE = 1


class Compression(IntEnum):
    NONE = 0
    LZ4 = 1


class Verdict(IntEnum):
    WELCOME = 0
    WRONG_CLUSTER = 1
    WRONG_VERSION = 2
    WRONG_ADDRESS = 3
    NOT_ENCRYPTED = 4


class Hello(NamedTuple):
    """`caller` and `callee`: storage addresses, so that one who was called by mistake can say so."""

    cluster_name: str
    host_id: UUID
    caller: Endpoint
    callee: Endpoint
    kind: Kind
    compression: Compression


class Answer(NamedTuple):
    """`reason` is empty in a welcome."""

    verdict: Verdict
    reason: str = ""


def encode_hello(hello: Hello) -> bytes:
    texts = (hello.cluster_name, hello.caller.address, hello.callee.address)
    ports = _LENGTH.pack(hello.caller.port) + _LENGTH.pack(hello.callee.port)
    fixed = bytes((hello.kind, hello.compression)) + hello.host_id.bytes + ports
    return _message(fixed + b"".join(map(_text, texts)))


def encode_answer(answer: Answer) -> bytes:
    return _message(bytes((answer.verdict,)) + _text(answer.reason))


def maybe_hello(data: bytes) -> tuple[Hello, int] | None:
    """The Hello that `data` begins with and where it ends; None if there is more to come. Raises PeerError where it is none,
    or one of another version: the latter can be answered (`version_of`)."""
    found = _maybe_body(data)
    if found is None:
        return None
    body, end = found
    try:
        kind, compression = Kind(body[0]), Compression(body[1])
        host_id = UUID(bytes=body[2:18])
        caller_port, callee_port = struct.unpack_from(">HH", body, 18)
        cluster_name, at = _read_text(body, 22)
        caller, at = _read_text(body, at)
        callee, at = _read_text(body, at)
    except (ValueError, IndexError, struct.error) as error:
        raise PeerError(f"no handshake of a node: {error}") from None
    if at != len(body):
        raise PeerError(f"a handshake with {len(body) - at} bytes too many")
    return Hello(cluster_name, host_id, Endpoint(caller, caller_port), Endpoint(callee, callee_port), kind, compression), end


def maybe_answer(data: bytes) -> tuple[Answer, int] | None:
    """The same for an answer."""
    found = _maybe_body(data)
    if found is None:
        return None
    body, end = found
    try:
        verdict = Verdict(body[0])
        reason, at = _read_text(body, 1)
    except (ValueError, IndexError, struct.error) as error:
        raise PeerError(f"no answer to a handshake: {error}") from None
    if at != len(body):
        raise PeerError(f"an answer to a handshake with {len(body) - at} bytes too many")
    return Answer(verdict, reason), end


def version_of(data: bytes) -> int | None:
    """What a peer speaks, if these are the first bytes of one of this kind."""
    return data[4] if len(data) > 4 and data[:4] == MAGIC else None


def judged(hello: Hello, cluster_name: str, local: Endpoint) -> Answer:
    """What a node answers to one that calls."""
    if hello.cluster_name != cluster_name:
        reason = f"this is cluster {cluster_name!r}, the caller at {hello.caller} is of {hello.cluster_name!r}"
        return Answer(Verdict.WRONG_CLUSTER, reason)
    if hello.callee != local:
        return Answer(Verdict.WRONG_ADDRESS, f"{hello.caller} calls {hello.callee}, this is {local}")
    return Answer(Verdict.WELCOME)


def not_encrypted(local: Endpoint) -> Answer:
    reason = f"{local} takes encrypted connections alone (server_encryption_options)"
    return Answer(Verdict.NOT_ENCRYPTED, reason)


def wrong_version(version: int) -> Answer:
    return Answer(Verdict.WRONG_VERSION, f"this node speaks version {VERSION} of the internode protocol, not {version}")


def _message(body: bytes) -> bytes:
    data = _PREFIX.pack(MAGIC, VERSION, len(body)) + body
    return data + _CRC.pack(crc32(data))


def _maybe_body(data: bytes) -> tuple[bytes, int] | None:
    if not MAGIC.startswith(data[:4]):
        raise PeerError(f"begins with {data[:4].hex()}, and is no node of this kind")
    if len(data) < _PREFIX.size:
        return None
    _, version, length = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise PeerError(f"speaks version {version} of the internode protocol, not {VERSION}")
    end = _PREFIX.size + length + _CRC.size
    if length > 4 * TEXT_BYTES_MAX:
        raise PeerError(f"a handshake of {length} bytes, at most are {4 * TEXT_BYTES_MAX}")
    if len(data) < end:
        return None
    if crc32(data[: end - _CRC.size]) != _CRC.unpack_from(data, end - _CRC.size)[0]:
        raise PeerError("the checksum of a handshake does not match")
    return data[_PREFIX.size : end - _CRC.size], end


def _text(text: str) -> bytes:
    data = text.encode()[:TEXT_BYTES_MAX]
    return _LENGTH.pack(len(data)) + data


def _read_text(body: bytes, at: int) -> tuple[str, int]:
    (length,) = _LENGTH.unpack_from(body, at)
    end = at + 2 + length
    if end > len(body):
        raise ValueError(f"a text of {length} bytes where {len(body) - at - 2} are left")
    return body[at + 2 : end].decode(), end
