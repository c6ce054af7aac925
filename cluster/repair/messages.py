"""What nodes ask of each other for a repair, as values and as bytes (docs/formats/internode.md).

Whoever asks does so again until he is answered. A request is known by its bytes: who is asked twice works once.
"""

import struct
from dataclasses import dataclass
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
