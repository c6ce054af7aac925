"""What a replica says to a read command: partitions as mutations, deletions included, so that answers can be reconciled; or
their digest, which is equal where they are.

Nothing in it hangs on how the replica stores a row: the columns of a row come by name.
"""

import struct
from dataclasses import dataclass
from hashlib import md5
from typing import Final

from cluster.internode.texts import decode_texts, encode_texts
from cluster.reading.command import Boundary
from cluster.reading.passing import NONE, PassedOver
from protocol.errors import PeerError

FORMAT_VERSION: Final = 1
_COMPLETE, _BEHIND_PARTITION, _BEHIND_ROW = 0, 1, 2
_COUNTED: Final = 4
_HEAD = struct.Struct(">BB")
_PASSED = struct.Struct(">BI")
DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class DataAnswer:
    """`partitions`: encoded mutations (storage/mutation.py), by position; `end`: where it ended before the command did."""

    partitions: tuple[bytes, ...]
    end: Boundary | None = None

    @property
    def digest(self) -> bytes:
        return md5(encode_answer(self), usedforsecurity=False).digest()


def encode_answer(answer: DataAnswer, passed: PassedOver = NONE) -> bytes:
    """`passed` is no part of what a digest is of: replicas that have the same may come to it by other ways."""
    end_kind, texts = _COMPLETE, answer.partitions
    if answer.end is not None:
        position, ck = answer.end
        end_kind = _BEHIND_PARTITION if ck is None else _BEHIND_ROW
        texts = (position, *texts) if ck is None else (position, ck, *texts)
    if not passed.tombstones:
        return _HEAD.pack(FORMAT_VERSION, end_kind) + encode_texts(texts)
    return _HEAD.pack(FORMAT_VERSION, end_kind | _COUNTED) + encode_passed(passed) + encode_texts(texts)


def encode_passed(passed: PassedOver) -> bytes:
    """Nothing where there were none."""
    return _PASSED.pack(passed.is_warning, passed.tombstones) if passed.tombstones else b""


def decode_passed(data: bytes, at: int) -> PassedOver:
    """Raises PeerError."""
    if len(data) < at + _PASSED.size:
        raise PeerError(f"a count of tombstones at {at} of {len(data)} bytes")
    is_warning, tombstones = _PASSED.unpack_from(data, at)
    return PassedOver(tombstones, bool(is_warning))


def decode_answer(data: bytes) -> tuple[DataAnswer, PassedOver]:
    """Raises PeerError; what the mutations hold is checked when they are decoded."""
    if len(data) < _HEAD.size:
        raise PeerError(f"an answer to a read of {len(data)} bytes")
    version, end_kind = _HEAD.unpack_from(data)
    at, passed = _HEAD.size, NONE
    if end_kind & _COUNTED:
        passed = decode_passed(data, at)
        at += _PASSED.size
        end_kind &= ~_COUNTED
    texts = decode_texts(data, at)
    if version != FORMAT_VERSION or end_kind > _BEHIND_ROW or len(texts) < end_kind:
        raise PeerError(f"an answer to a read of version {version}, with an end of kind {end_kind}")
    end = None
    if end_kind != _COMPLETE:
        end = Boundary(texts[0], texts[1] if end_kind == _BEHIND_ROW else None)
    return DataAnswer(tuple(texts[end_kind:]), end), passed


def decode_digest(data: bytes) -> tuple[bytes, PassedOver]:
    """Raises PeerError."""
    digest = data[:DIGEST_BYTES]
    return digest, NONE if len(data) <= DIGEST_BYTES else decode_passed(data, DIGEST_BYTES)
