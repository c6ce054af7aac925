"""What a replica is asked to read: a range of partitions, slices of their rows, up to so many live rows.

One partition is the range that holds just its position, so there is one kind of command. Whoever reads asks again from
where an answer ended, until he has enough: pages, short reads and limits are the same thing.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple
from uuid import UUID

from cluster.internode.texts import decode_texts, encode_texts
from cluster.reading.criteria import Criteria, decode_criteria, encode_criteria
from protocol.errors import PeerError
from storage.memtable.memtable import Position, position_of
from storage.reads import EVERYTHING, Slice
from storage.schema.metadata import TableMetadata

FORMAT_VERSION: Final = 1
AFTER_ROW: Final = b"\xff"
_REVERSED: Final = 1
_BOUNDED: Final = 2
_SIFTED: Final = 4
_GOES_ON: Final = 8
_OF_FIRST_ROWS: Final = 16
_HEAD = struct.Struct(">BB16sqI")
_COUNT = struct.Struct(">I")
ALL_ROWS: Final = 0xFFFFFFFF
"""Version, flags, table, now, limit."""


class Boundary(NamedTuple):
    """Where an answer ended: behind the row `ck` of the partition at `position`, behind the whole partition where that is
    None."""

    position: Position
    ck: bytes | None


@dataclass(frozen=True, slots=True)
class ReadCommand:
    """Partitions with start <= position < end (None: to the end of the ring), their rows within `slices`, which are disjoint
    and ascend; `reverse`: in each partition the last rows first. An answer ends behind the `limit`-th live row of those that
    the `criteria` take. Of each partition so many rows as `partition_limit` will be wanted: what is passed over behind these
    is of no interest."""

    table_id: UUID
    start: Position
    end: Position | None
    now_s: int
    limit: int
    slices: tuple[Slice, ...] = EVERYTHING
    reverse: bool = False
    criteria: Criteria | None = None
    partition_limit: int = ALL_ROWS

    @classmethod
    def of_partition(
        cls,
        table_id: UUID,
        key: bytes,
        now_s: int,
        limit: int,
        slices: tuple[Slice, ...] = EVERYTHING,
        reverse: bool = False,
        criteria: Criteria | None = None,
    ) -> "ReadCommand":
        position = position_of(key)
        return cls(table_id, position, position + b"\0", now_s, limit, slices, reverse, criteria)

    @property
    def is_of_partition(self) -> bool:
        return self.end == self.start + b"\0" and len(self.start) > _TOKEN_BYTES

    @property
    def key(self) -> bytes:
        """Of the one partition."""
        return self.start[_TOKEN_BYTES:]

    def behind(self, boundary: Boundary) -> "ReadCommand":
        """What is left behind where an answer ended; of a partition that was cut, the rest of that one alone."""
        position, ck = boundary
        if ck is None:
            return replace(self, start=position + b"\0")
        return replace(self, start=position, end=position + b"\0", slices=slices_behind(self.slices, ck, self.reverse))


_TOKEN_BYTES: Final = 8


def slices_behind(slices: tuple[Slice, ...], ck: bytes, reverse: bool) -> tuple[Slice, ...]:
    """What of the slices comes behind a row, in the order of reading."""
    if reverse:
        left = (Slice(start, min(end, ck)) for start, end in slices)
    else:
        left = (Slice(max(start, ck + AFTER_ROW), end) for start, end in slices)
    return tuple(piece for piece in left if piece.start < piece.end)


def encode_command(command: ReadCommand, passed: int = 0) -> bytes:
    """`passed`: tombstones that whoever is asked has passed over in the parts of the command before this one."""
    flags = (_REVERSED if command.reverse else 0) | (_BOUNDED if command.end is not None else 0)
    texts = [command.start, *([command.end] if command.end is not None else ())]
    if command.criteria is not None:
        flags |= _SIFTED
        texts.append(encode_criteria(command.criteria))
    for piece in command.slices:
        texts += piece
    counts = b""
    if passed:
        flags |= _GOES_ON
        counts = _COUNT.pack(passed)
    if command.partition_limit < ALL_ROWS:
        flags |= _OF_FIRST_ROWS
        counts += _COUNT.pack(command.partition_limit)
    head = _HEAD.pack(FORMAT_VERSION, flags, command.table_id.bytes, command.now_s, command.limit)
    return head + counts + encode_texts(texts)


def decode_command(data: bytes, table_of: Callable[[UUID], TableMetadata]) -> tuple[ReadCommand, int]:
    """And how many tombstones were passed over before. Raises PeerError; KeyError where `table_of` does, or the table has no
    column that the criteria are about."""
    if len(data) < _HEAD.size:
        raise PeerError(f"a read command of {len(data)} bytes")
    version, flags, table_id, now_s, limit = _HEAD.unpack_from(data)
    if version != FORMAT_VERSION or flags & ~(_REVERSED | _BOUNDED | _SIFTED | _GOES_ON | _OF_FIRST_ROWS):
        raise PeerError(f"a read command of version {version} with flags {flags:#x}")
    at, counts = _HEAD.size, {_GOES_ON: 0, _OF_FIRST_ROWS: ALL_ROWS}
    for flag in counts:
        if flags & flag:
            if len(data) < at + _COUNT.size:
                raise PeerError(f"a read command of {len(data)} bytes")
            counts[flag] = _COUNT.unpack_from(data, at)[0]
            at += _COUNT.size
    start, *texts = decode_texts(data, at) or [b""]
    end = texts.pop(0) if flags & _BOUNDED and texts else None
    criteria = texts.pop(0) if flags & _SIFTED and texts else None
    if len(texts) % 2 or len(start) < _TOKEN_BYTES:
        raise PeerError("a read command whose bounds do not go together")
    slices = tuple(Slice(texts[i], texts[i + 1]) for i in range(0, len(texts), 2))
    table = UUID(bytes=table_id)
    wanted = None if criteria is None else decode_criteria(criteria, table_of(table))
    is_reverse, partition_limit = bool(flags & _REVERSED), counts[_OF_FIRST_ROWS]
    command = ReadCommand(table, start, end, now_s, limit, slices, is_reverse, wanted, partition_limit)
    return command, counts[_GOES_ON]
