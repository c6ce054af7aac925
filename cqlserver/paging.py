"""The paging state: where the next page of a SELECT goes on.

Clients carry it back unread, so its form is ours: a version byte, a checksum against damage and against states of
other servers, then the last partition and row that were returned and what the limits still allow.

    offset  size  field
    0       1     version, 1
    1       4     CRC-32 of everything behind it
    5       1     flags: 1 = a partition key follows, 2 = a row follows
    6       4     rows (groups with GROUP BY) that LIMIT still allows
    10      4     rows that PER PARTITION LIMIT still allows in the last partition
    14      4     length of the partition key, then the key
    ..      4     length of the clustering (order key), then the clustering

Integers are big-endian. What can't be read is answered as Cassandra does (service/pager/PagingState.java).
"""

from dataclasses import dataclass
from struct import Struct

from protocol.crc32 import crc32
from protocol.errors import ProtocolError

VERSION = 1
NO_LIMIT = 0x7FFFFFFF  # DataLimits.NO_LIMIT

_HAS_KEY = 1
_HAS_ROW = 2
_HEAD = Struct(">BI")
_BODY = Struct(">BII")
_LENGTH = Struct(">I")
DESCRIBE_PAGE = Struct(">H16sq")
"""The state of DESCRIBE, which is another: version, the schema's version, how many rows there were until then."""
DESCRIBE_VERSION = 1
_OF_DESCRIBE = DESCRIBE_VERSION.to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class PagingState:
    """`key`: the last partition (None: a single-partition query that knows it anyway); `clustering`: order key of the
    last row, None if the partition was not begun or gave only its static row; the limits that remain."""

    key: bytes | None
    clustering: bytes | None
    remaining: int
    remaining_in_partition: int

    def encode(self) -> bytes:
        flags = (_HAS_KEY if self.key is not None else 0) | (_HAS_ROW if self.clustering is not None else 0)
        key, clustering = self.key or b"", self.clustering or b""
        body = b"".join(
            (
                _BODY.pack(flags, self.remaining, self.remaining_in_partition),
                _LENGTH.pack(len(key)),
                key,
                _LENGTH.pack(len(clustering)),
                clustering,
            )
        )
        return _HEAD.pack(VERSION, crc32(body)) + body


def decode_paging_state(data: bytes) -> PagingState:
    """Raises ProtocolError for anything that `encode` did not write."""
    try:
        return _decode(data)
    except (ValueError, IndexError):
        raise ProtocolError("Invalid value for the paging state") from None


def check_paging_state(data: bytes | None) -> None:
    """Any request that brings one is asked for it, whatever it would do with it. Raises ProtocolError."""
    if data is not None and not (len(data) == DESCRIBE_PAGE.size and data.startswith(_OF_DESCRIBE)):
        decode_paging_state(data)


def _decode(data: bytes) -> PagingState:
    if len(data) < _HEAD.size + _BODY.size + 2 * _LENGTH.size:
        raise ValueError("too short")
    version, checksum = _HEAD.unpack_from(data)
    body = data[_HEAD.size :]
    if version != VERSION or checksum != crc32(body):
        raise ValueError("not one of ours")
    flags, remaining, remaining_in_partition = _BODY.unpack_from(body)
    key, offset = _field(body, _BODY.size)
    clustering, offset = _field(body, offset)
    if offset != len(body) or flags > (_HAS_KEY | _HAS_ROW):
        raise ValueError("trailing bytes or unknown flags")
    return PagingState(
        key if flags & _HAS_KEY else None,
        clustering if flags & _HAS_ROW else None,
        remaining,
        remaining_in_partition,
    )


def _field(body: bytes, offset: int) -> tuple[bytes, int]:
    if offset + _LENGTH.size > len(body):
        raise ValueError("truncated")
    (length,) = _LENGTH.unpack_from(body, offset)
    start = offset + _LENGTH.size
    if start + length > len(body):
        raise ValueError("truncated")
    return body[start : start + length], start + length
