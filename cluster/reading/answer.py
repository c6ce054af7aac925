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
from protocol.errors import PeerError

FORMAT_VERSION: Final = 1
_COMPLETE, _BEHIND_PARTITION, _BEHIND_ROW = 0, 1, 2
_HEAD = struct.Struct(">BB")


@dataclass(frozen=True, slots=True)
class DataAnswer:
    """`partitions`: encoded mutations (storage/mutation.py), by position; `end`: where it ended before the command did."""

    partitions: tuple[bytes, ...]
    end: Boundary | None = None

    @property
    def digest(self) -> bytes:
        return md5(encode_answer(self), usedforsecurity=False).digest()


def encode_answer(answer: DataAnswer) -> bytes:
    if answer.end is None:
        return _HEAD.pack(FORMAT_VERSION, _COMPLETE) + encode_texts(answer.partitions)
    position, ck = answer.end
    if ck is None:
        return _HEAD.pack(FORMAT_VERSION, _BEHIND_PARTITION) + encode_texts((position, *answer.partitions))
    return _HEAD.pack(FORMAT_VERSION, _BEHIND_ROW) + encode_texts((position, ck, *answer.partitions))


def decode_answer(data: bytes) -> DataAnswer:
    """Raises PeerError; what the mutations hold is checked when they are decoded."""
    if len(data) < _HEAD.size:
        raise PeerError(f"an answer to a read of {len(data)} bytes")
    version, end_kind = _HEAD.unpack_from(data)
    texts = decode_texts(data, _HEAD.size)
    if version != FORMAT_VERSION or end_kind > _BEHIND_ROW or len(texts) < end_kind:
        raise PeerError(f"an answer to a read of version {version}, with an end of kind {end_kind}")
    end = None
    if end_kind != _COMPLETE:
        end = Boundary(texts[0], texts[1] if end_kind == _BEHIND_ROW else None)
    return DataAnswer(tuple(texts[end_kind:]), end)
