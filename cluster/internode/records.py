"""Many records in one message, and what became of each: the bodies of MUTATE_EACH and DONE_BUT."""

import struct
from collections.abc import Sequence

from cluster.internode.verbs import FailureReason
from protocol.errors import PeerError

_COUNT = struct.Struct(">I")
_FAILURE = struct.Struct(">IH")


def encode_records(records: Sequence[bytes]) -> bytes:
    """`[u32 n]`, n times `[u32 length]`, then the records."""
    return struct.pack(f">{len(records) + 1}I", len(records), *map(len, records)) + b"".join(records)


def decode_records(body: bytes) -> list[bytes]:
    """Raises PeerError."""
    try:
        (count,) = _COUNT.unpack_from(body)
        lengths = struct.unpack_from(f">{count}I", body, _COUNT.size)
    except struct.error as error:
        raise PeerError(f"records without their lengths: {error}") from None
    at = _COUNT.size * (count + 1)
    if at + sum(lengths) != len(body):
        raise PeerError(f"records of {sum(lengths)} bytes where {len(body) - at} are left")
    records = []
    for length in lengths:
        records.append(body[at : at + length])
        at += length
    return records


def encode_failures(failures: Sequence[tuple[int, FailureReason]]) -> bytes:
    return b"".join([_FAILURE.pack(index, reason) for index, reason in failures])


def decode_failures(body: bytes) -> dict[int, int]:
    """By index of the record the reason. Raises PeerError."""
    if len(body) % _FAILURE.size:
        raise PeerError(f"failures of {len(body)} bytes")
    return dict(_FAILURE.iter_unpack(body))
