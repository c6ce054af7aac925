"""What nodes say to each other about streams, as values and as bytes (docs/formats/internode.md)."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple
from uuid import UUID

from cluster.internode.texts import decode_texts, encode_texts
from cluster.streaming.ranges import Interval, TokenRange
from protocol.errors import PeerError
from storage.memtable.memtable import Position
from storage.sstable.copied import CopiedRun

_RANGES = struct.Struct(">qq")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_PLANNED = struct.Struct(">IQQ")
NO_ID: Final = b""


class Reason(Enum):
    """streaming/StreamOperation.java, by what nodetool netstats calls them."""

    BOOTSTRAP = "Bootstrap"
    DECOMMISSION = "Unbootstrap"
    RESTORE_REPLICA_COUNT = "Restore replica count"
    RELOCATION = "Relocation"
    REBUILD = "Rebuild"
    REPAIR = "Repair"


@dataclass(frozen=True, slots=True)
class TableRanges:
    """What is streamed of a table."""

    table_id: UUID
    ranges: tuple[TokenRange, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a session is about. `pending_repair`: of SSTables that are of this repair alone."""

    session_id: UUID
    reason: Reason
    tasks: tuple[TableRanges, ...]
    pending_repair: UUID | None = None


class Planned(NamedTuple):
    """About what a table has in the ranges: SSTables (and one for memtables), bytes of these ranges; `keys`: partitions."""

    files: int
    size: int
    keys: int


class Cursor(NamedTuple):
    """What comes next: the partition at `position` or the first one behind it; of one that is cut, rows from `ck` on."""

    position: Position
    ck: bytes = b""


@dataclass(frozen=True, slots=True)
class Pull:
    """A chunk of a table, from `cursor` on. `accepts`: how SSTables have to be written so that partitions come as bytes
    (`accepted`), empty: all as mutations. `known`: the lanes whose statistics the target has."""

    session_id: UUID
    table_id: UUID
    cursor: Cursor
    intervals: tuple[Interval, ...]
    accepts: bytes
    known: tuple[bytes, ...] = ()
    pending_repair: UUID | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """`cursor`: of the pull that it answers; `following`: of the next one, None behind the last. `runs`: by lane, which is
    an SSTable of the source, in the order of positions; `lanes`: the statistics of those that the target did not know."""

    cursor: Cursor
    following: Cursor | None
    mutations: tuple[bytes, ...]
    runs: tuple[tuple[bytes, CopiedRun], ...]
    lanes: Mapping[bytes, bytes]

    @property
    def size(self) -> int:
        """Bytes of data in it."""
        return sum(map(len, self.mutations)) + sum(len(run.data) for _, run in self.runs)


# --- bytes ------------------------------------------------------------------------------------------------------------


def encode_offer(offer: Offer) -> bytes:
    texts = [offer.session_id.bytes, offer.reason.value.encode(), _maybe_id(offer.pending_repair)]
    for task in offer.tasks:
        texts += (task.table_id.bytes, b"".join(_RANGES.pack(*piece) for piece in task.ranges))
    return encode_texts(texts)


def decode_offer(body: bytes) -> Offer:
    """Raises PeerError."""
    try:
        session, reason, pending, *texts = decode_texts(body)
        tasks = tuple(
            TableRanges(UUID(bytes=table_id), tuple(TokenRange(*pair) for pair in _RANGES.iter_unpack(ranges)))
            for table_id, ranges in zip(texts[::2], texts[1::2], strict=True)
        )
        return Offer(UUID(bytes=session), Reason(reason.decode()), tasks, _read_id(pending))
    except (ValueError, struct.error) as error:
        raise PeerError(f"an offer of a stream that can't be read: {error}") from None


def encode_plan(planned: Sequence[Planned]) -> bytes:
    return b"".join(_PLANNED.pack(*each) for each in planned)


def decode_plan(body: bytes) -> list[Planned]:
    """Raises PeerError."""
    if len(body) % _PLANNED.size:
        raise PeerError(f"a plan of a stream of {len(body)} bytes")
    return [Planned(*each) for each in _PLANNED.iter_unpack(body)]


def encode_pull(pull: Pull) -> bytes:
    known = b"".join(pull.known)
    texts = [pull.session_id.bytes, pull.table_id.bytes, *pull.cursor, pull.accepts, known, _maybe_id(pull.pending_repair)]
    for start, end in pull.intervals:
        texts += (start, end or b"")
    return encode_texts(texts)


LANE_BYTES: Final = 8


def decode_pull(body: bytes) -> Pull:
    """Raises PeerError."""
    try:
        session, table, position, ck, accepts, known, pending, *bounds = decode_texts(body)
        pieces = tuple(Interval(start, end or None) for start, end in zip(bounds[::2], bounds[1::2], strict=True))
        lanes = tuple(known[at : at + LANE_BYTES] for at in range(0, len(known), LANE_BYTES))
        cursor = Cursor(position, ck)
        return Pull(UUID(bytes=session), UUID(bytes=table), cursor, pieces, accepts, lanes, _read_id(pending))
    except ValueError as error:
        raise PeerError(f"a request of a stream that can't be read: {error}") from None


_LAST, _NOT_LAST = b"\0", b"\1"
_MUTATION, _RUN, _LANE = 0, 1, 2


def encode_chunk(chunk: Chunk) -> bytes:
    head = [*chunk.cursor, *((_NOT_LAST, *chunk.following) if chunk.following is not None else (_LAST, b"", b""))]
    lanes = [bytes((_LANE,)) + lane + statistics for lane, statistics in chunk.lanes.items()]
    runs = [bytes((_RUN,)) + lane + _encode_run(run) for lane, run in chunk.runs]
    return encode_texts([*head, *lanes, *runs, *(bytes((_MUTATION,)) + mutation for mutation in chunk.mutations)])


def decode_chunk(body: bytes) -> Chunk:
    """Raises PeerError; what it holds is checked where it is used."""
    position, ck, more, next_position, next_ck, *texts = _five(decode_texts(body))
    lanes: dict[bytes, bytes] = {}
    runs: list[tuple[bytes, CopiedRun]] = []
    mutations: list[bytes] = []
    for text in texts:
        match text[:1]:
            case b"\0":
                mutations.append(text[1:])
            case b"\1":
                runs.append((text[1 : 1 + LANE_BYTES], _decode_run(text, 1 + LANE_BYTES)))
            case b"\2":
                lanes[text[1 : 1 + LANE_BYTES]] = text[1 + LANE_BYTES :]
            case _:
                raise PeerError("a chunk of a stream has something that is not known")
    following = Cursor(next_position, next_ck) if more == _NOT_LAST else None
    return Chunk(Cursor(position, ck), following, tuple(mutations), tuple(runs), lanes)


def _five(texts: list[bytes]) -> list[bytes]:
    if len(texts) < 5:
        raise PeerError(f"a chunk of a stream of {len(texts)} texts")
    return texts


def _encode_run(run: CopiedRun) -> bytes:
    """`[u32 n][u32 x n sizes][u32 m]`, m of `[u32 number][u32 length][index]`, the partitions."""
    wide = b"".join(_U32.pack(number) + _U32.pack(len(index)) + index for number, index in run.wide.items())
    sizes = struct.pack(f">{len(run.sizes)}I", *run.sizes)
    return b"".join((_U32.pack(len(run.sizes)), sizes, _U32.pack(len(run.wide)), wide, run.data))


def _decode_run(text: bytes, at: int) -> CopiedRun:
    try:
        count = _U32.unpack_from(text, at)[0]
        sizes = struct.unpack_from(f">{count}I", text, at + 4)
        at += 4 + 4 * count
        wide_count = _U32.unpack_from(text, at)[0]
        at += 4
        wide: dict[int, bytes] = {}
        for _ in range(wide_count):
            number, length = _U32.unpack_from(text, at)[0], _U32.unpack_from(text, at + 4)[0]
            wide[number] = text[at + 8 : at + 8 + length]
            at += 8 + length
    except struct.error:
        raise PeerError("a chunk of a stream with partitions that are cut off") from None
    if sum(sizes) != len(text) - at:
        raise PeerError(f"a chunk of a stream with partitions of {sum(sizes)} bytes where {len(text) - at} are left")
    return CopiedRun(sizes, text[at:], wide)


def _maybe_id(found: UUID | None) -> bytes:
    return NO_ID if found is None else found.bytes


def _read_id(text: bytes) -> UUID | None:
    return None if text == NO_ID else UUID(bytes=text)
