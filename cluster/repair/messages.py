"""What nodes ask of each other for a repair, as values and as bytes (docs/formats/internode.md).

Whoever asks does so again until he is answered. A request is known by its bytes: who is asked twice works once.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from cluster.gossip.endpoint import Endpoint
from cluster.internode.texts import decode_texts, encode_texts
from cluster.repair.tree import MerkleTree
from cluster.repair.validation import Looked
from cluster.streaming.ranges import TokenRange
from protocol.errors import PeerError

_VALIDATION = struct.Struct(">16s16sqBB")
_SYNC = struct.Struct(">16s16sBH")
_RANGE = struct.Struct(">qq")
_STEPPING = struct.Struct(">16sBq")
_FETCHES, _PUSHES, _PENDING = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Validation:
    """Trees of a table are wanted, one for each range, as of `now_s`. `session_id`: of the whole repair."""

    session_id: UUID
    table_id: UUID
    now_s: int
    looked: Looked
    depth_max: int
    ranges: tuple[TokenRange, ...]

    def encode(self) -> bytes:
        head = _VALIDATION.pack(
            self.session_id.bytes, self.table_id.bytes, self.now_s, self.looked.value, self.depth_max
        )
        return encode_texts((head, *_packed(self.ranges)))

    @classmethod
    def decode(cls, data: bytes) -> "Validation":
        """Raises PeerError."""
        head, *ranges = decode_texts(data) or [b""]
        try:
            session_id, table_id, now_s, looked, depth_max = _VALIDATION.unpack(head)
            kind = Looked(looked)
        except (struct.error, ValueError) as error:
            raise PeerError(f"no validation: {error}") from None
        return cls(UUID(bytes=session_id), UUID(bytes=table_id), now_s, kind, depth_max, _unpacked(ranges))


@dataclass(frozen=True, slots=True)
class Synchronisation:
    """The receiver is to fetch from `peer` what it has in these ranges of a table, to push what it has itself, or both.
    `is_pending`: of what the session set apart alone."""

    session_id: UUID
    table_id: UUID
    peer: Endpoint
    fetches: bool
    pushes: bool
    is_pending: bool
    ranges: tuple[TokenRange, ...]

    def encode(self) -> bytes:
        flags = (_FETCHES if self.fetches else 0) | (_PUSHES if self.pushes else 0) | (_PENDING if self.is_pending else 0)
        head = _SYNC.pack(self.session_id.bytes, self.table_id.bytes, flags, self.peer.port)
        return encode_texts((head, self.peer.address.encode(), *_packed(self.ranges)))

    @classmethod
    def decode(cls, data: bytes) -> "Synchronisation":
        """Raises PeerError."""
        texts = decode_texts(data)
        try:
            session_id, table_id, flags, port = _SYNC.unpack(texts[0])
            peer = Endpoint(texts[1].decode(), port)
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise PeerError(f"no synchronisation: {error}") from None
        fetches, pushes, is_pending = (bool(flags & flag) for flag in (_FETCHES, _PUSHES, _PENDING))
        ranges = _unpacked(texts[2:])
        return cls(UUID(bytes=session_id), UUID(bytes=table_id), peer, fetches, pushes, is_pending, ranges)


@dataclass(frozen=True, slots=True)
class PaxosRepair:
    """What of a table the receiver has half decided in these ranges is to be finished. `session_id`: of the whole repair."""

    session_id: UUID
    table_id: UUID
    ranges: tuple[TokenRange, ...]

    def encode(self) -> bytes:
        return encode_texts((self.session_id.bytes + self.table_id.bytes, *_packed(self.ranges)))

    @classmethod
    def decode(cls, data: bytes) -> "PaxosRepair":
        """Raises PeerError."""
        ids, *ranges = decode_texts(data) or [b""]
        try:
            return cls(UUID(bytes=ids[:16]), UUID(bytes=ids[16:]), _unpacked(ranges))
        except ValueError as error:
            raise PeerError(f"no repair of Paxos: {error}") from None


class Step(Enum):
    """What a participant of an incremental repair is told to do (repair/consistent/ConsistentSession.java)."""

    PREPARE = 0
    """Set apart what was never repaired."""
    PROPOSE = 1
    """Promise that it can be finished."""
    COMMIT = 2
    """It is repaired."""
    FAIL = 3
    """It is as it was before."""


@dataclass(frozen=True, slots=True)
class Stepping:
    """A step of a session: of these tables and ranges, among these nodes. `repaired_at_ms`: what is finished is marked with
    it; 0 where somebody was left out, for then nothing is."""

    session_id: UUID
    step: Step
    coordinator: Endpoint
    repaired_at_ms: int
    tables: tuple[UUID, ...]
    participants: tuple[Endpoint, ...]
    ranges: tuple[TokenRange, ...]

    def encode(self) -> bytes:
        head = _STEPPING.pack(self.session_id.bytes, self.step.value, self.repaired_at_ms)
        tables = b"".join(table.bytes for table in self.tables)
        endpoints = encode_texts(_place(endpoint) for endpoint in (self.coordinator, *self.participants))
        return encode_texts((head, tables, endpoints, *_packed(self.ranges)))

    @classmethod
    def decode(cls, data: bytes) -> "Stepping":
        """Raises PeerError."""
        try:
            head, tables, endpoints, *ranges = decode_texts(data)
            session_id, step, repaired_at_ms = _STEPPING.unpack(head)
            coordinator, *participants = (_endpoint(text) for text in decode_texts(endpoints))
            ids = tuple(UUID(bytes=tables[at : at + 16]) for at in range(0, len(tables), 16))
            kind = Step(step)
        except (struct.error, ValueError) as error:
            raise PeerError(f"no step of a repair: {error}") from None
        return cls(
            UUID(bytes=session_id), kind, coordinator, repaired_at_ms, ids, tuple(participants), _unpacked(ranges)
        )


def _place(endpoint: Endpoint) -> bytes:
    return endpoint.port.to_bytes(2, "big") + endpoint.address.encode()


def _endpoint(text: bytes) -> Endpoint:
    return Endpoint(text[2:].decode(), int.from_bytes(text[:2], "big"))


def encode_trees(trees: list[MerkleTree]) -> bytes:
    return encode_texts(tree.encode() for tree in trees)


def decode_trees(data: bytes) -> list[MerkleTree]:
    """Raises PeerError."""
    return [MerkleTree.decode(text) for text in decode_texts(data)]


def _packed(ranges: tuple[TokenRange, ...]) -> list[bytes]:
    return [_RANGE.pack(*range_) for range_ in ranges]


def _unpacked(texts: list[bytes]) -> tuple[TokenRange, ...]:
    try:
        return tuple(TokenRange(*_RANGE.unpack(text)) for text in texts)
    except struct.error as error:
        raise PeerError(f"no token range: {error}") from None
