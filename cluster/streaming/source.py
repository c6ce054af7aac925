"""The side of a stream that has the data: reads a chunk of a table, from a position on.

All sources of the table go forward together, so a position says what the target has, whatever is flushed or compacted
meanwhile. SSTables are lanes, whose partitions go as bytes where the target writes the same; what memtables have goes as
mutations, and of what is too large for a chunk so many rows as fit. Where the last chunk ended is remembered as long as the
table's sources stay the same; who has forgotten it looks the position up.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import md5
from itertools import repeat
from operator import itemgetter
from typing import Final
from uuid import UUID

from cluster.reading.command import AFTER_ROW
from cluster.reading.execution import encoded_partition
from cluster.streaming.messages import LANE_BYTES, Chunk, Cursor, Planned, Pull
from cluster.streaming.ranges import Interval, left_from
from storage.batches import Batch, Item, in_order
from storage.memtable.memtable import Memtable, Position, SingleRow, split_single
from storage.memtable.packed import StoredRow
from storage.memtable.partition import Partition, estimated_bytes
from storage.merged import SourcePartition
from storage.mutation import LIVE
from storage.reads import Source, Stored, TableStore
from storage.sstable import statistics
from storage.sstable.copied import CopiedRun, accepted
from storage.sstable.reader import SSTableReader
from storage.sstable.stretch import Stretch

CHUNK_BYTES: Final = 256 << 10
"""About so much is in a chunk: to read it takes a few milliseconds of the loop's time."""
PARTITION_BYTES_MAX: Final = 4 << 20
"""A larger partition goes by its rows."""
_END_OF_ROWS: Final = b"\xff"
_BEHIND: Final = b"\0"
_TOKENS: Final = 1 << 64
_position = itemgetter(0)

Place = tuple[Stretch, int]
"""A partition in an SSTable: the number of it in a stretch."""
Content = Place | Stored


class TableSource:
    """Reads one table for one target, which takes partitions as bytes that are written as `accepts` says."""

    def __init__(self, store: TableStore, accepts: bytes, pending_repair: UUID | None) -> None:
        self._store, self._accepts, self._pending_repair = store, accepts, pending_repair
        self._lanes: dict[Source, _Lane] = {}
        self._walk: _Walk | None = None

    def is_for(self, store: TableStore, pull: Pull) -> bool:
        """Whether it is what such a pull is read from."""
        return self._store is store and self._accepts == pull.accepts and self._pending_repair == pull.pending_repair

    def read(self, pull: Pull) -> Chunk:
        """Raises CorruptionError."""
        cursor = pull.cursor
        taken = _Taken(self._store, pull.known)
        following: Cursor | None = None
        if cursor.ck:
            following = self._part(cursor, taken)
        else:
            for piece in left_from(pull.intervals, cursor.position):
                following = self._take(piece, taken)
                if following is not None:
                    break
        return taken.chunk(cursor, following)

    def _sources(self) -> list[Source]:
        found = (self._store.memtable, *self._store.flushed)
        return [source for source in found if self._pending_repair is None or self._is_of_repair(source)]

    def _is_of_repair(self, source: Source) -> bool:
        return isinstance(source, SSTableReader) and source.statistics.stats.pending_repair == self._pending_repair

    def _take(self, piece: Interval, taken: "_Taken") -> Cursor | None:
        """Of an interval what still fits; where it goes on, None behind its end."""
        sources = self._sources()
        walk, self._walk = self._walk, None
        if walk is None or walk.sources != sources or not walk.skip_to(piece.start):
            self._lanes = {
                source: self._lanes.get(source) or _Lane(source, self._accepts)
                for source in sources
                if isinstance(source, SSTableReader)
            }
            walk = _Walk(sources, [self._lanes.get(source) for source in sources], piece.start)
        while True:
            walk.take_plain(piece.end, taken)
            items = walk.next()
            if items is None:
                return None
            position = items[0][0]
            if piece.end is not None and position >= piece.end:
                walk.put_back(items)
                self._walk = walk  # the next interval may begin in what was read for this one
                return None
            if taken.size >= CHUNK_BYTES:
                walk.put_back(items)
                self._walk = walk
                return Cursor(position)
            if walk.size_of(items) > PARTITION_BYTES_MAX:
                return Cursor(position) if taken else self._part(Cursor(position), taken)
            walk.take(items, taken)

    def _part(self, cursor: Cursor, taken: "_Taken") -> Cursor:
        """Rows of one partition, of all sources together."""
        found = [partition for source in self._sources() if (partition := source.maybe_partition(cursor.position[8:]))]
        ck = taken.part(cursor, self._store.merged(found)) if found else None
        return Cursor(cursor.position + _BEHIND) if ck is None else Cursor(cursor.position, ck)

    def planned(self, pieces: Sequence[Interval]) -> Planned:
        """About what there is in these intervals."""
        files = size = keys = 0
        for source in self._sources():
            if isinstance(source, SSTableReader):
                share = _share(pieces, source.first_position, source.last_position)
                of_it, count = source.data_bytes, source.key_count
            elif isinstance(source, Memtable):
                share = _share(pieces, _BEHIND * 8, _END_OF_ROWS * 8)
                of_it, count = source.live_bytes, len(source)
            else:
                continue
            if share and count:
                files += 1
                size += round(of_it * share)
                keys += round(count * share)
        return Planned(files, size, keys)


def _share(pieces: Sequence[Interval], first: Position, last: Position) -> float:
    """Of the tokens between two positions those in the intervals."""
    low, high = int.from_bytes(first[:8], "big"), int.from_bytes(last[:8], "big") + 1
    within = 0
    for start, end in pieces:
        begin = int.from_bytes(start[:8], "big")
        stop = _TOKENS if end is None else int.from_bytes(end[:8], "big")
        within += max(0, min(high, stop) - max(low, begin))
    return within / (high - low)


class _Lane:
    """An SSTable on its way."""

    def __init__(self, reader: SSTableReader, accepts: bytes) -> None:
        version = reader.descriptor.version
        self.reader = reader
        self.read = reader.read_through()
        self.statistics = statistics.encode(reader.statistics, version)
        name = reader.path.encode() + self.statistics
        self.id = md5(name, usedforsecurity=False).digest()[:LANE_BYTES]
        self.can_copy = reader.is_current and accepted(reader.table, version) == accepts

    def places(self, start: Position) -> Iterator[Batch[Content]]:
        for stretch in self.reader.stretches(start):
            yield stretch.positions, list(zip(repeat(stretch), range(len(stretch.positions)), strict=False))


@dataclass(slots=True)
class _Run:
    """Neighbours of an SSTable, from number `first` of a stretch up to `last` (exclusive)."""

    lane: _Lane
    stretch: Stretch
    first: int
    last: int


class _Walk:
    """Goes through all that some sources have from a position on. `lanes`: of those that are SSTables."""

    def __init__(self, sources: list[Source], lanes: list[_Lane | None], start: Position) -> None:
        self.sources, self.at = sources, start
        self._lanes = lanes
        self._lists = in_order(
            [
                source.batches(start) if lane is None else lane.places(start)
                for source, lane in zip(sources, lanes, strict=True)
            ]
        )
        self._items: list[Item[Content]] = []
        self._number = 0

    def skip_to(self, start: Position) -> bool:
        """Goes on there, where it has got there, or has read so far."""
        if start == self.at:
            return True
        items = self._items
        if start < self.at or not items or items[-1][0] < start:
            return False
        self._number = bisect_left(items, start, self._number, key=_position)
        self.at = start
        return True

    def next(self) -> Sequence[Item[Content]] | None:
        """What the sources have at the next position; None behind the last."""
        if self._number == len(self._items):
            found = next(self._lists, None)
            if found is None:
                return None
            self._items, self._number = found, 0
        items, first = self._items, self._number
        position = items[first][0]
        last = first + 1
        while last < len(items) and items[last][0] == position:
            last += 1
        self._number = last
        return items[first:last]

    def take_plain(self, end: Position | None, taken: "_Taken") -> None:
        """Of the list that is being gone through what can be copied, up to where something else comes, or the chunk is full:
        what `next` and `take` do, for the most that there is."""
        items, number, lanes = self._items, self._number, self._lanes
        last = len(items) - 1
        size, runs, opened = taken.size, taken.runs, taken.opened
        while number < last and size < CHUNK_BYTES:
            position, source, content = items[number]
            lane = lanes[source]
            if lane is None or not lane.can_copy or items[number + 1][0] == position:
                break
            if end is not None and position >= end:
                break
            place: Place = content  # type: ignore[assignment]
            stretch, at = place
            width = stretch.starts[at + 1] - stretch.starts[at]
            if width > PARTITION_BYTES_MAX:
                break
            size += width
            run = opened.get(source)
            if run is not None and run.stretch is stretch and run.last == at:
                run.last = at + 1
            else:
                opened[source] = run = _Run(lane, stretch, at, at + 1)
                runs.append(run)
            number += 1
        self._number, taken.size = number, size

    def put_back(self, items: Sequence[Item[Content]]) -> None:
        """The last that `next` gave."""
        self._number -= len(items)
        self.at = items[0][0]

    def size_of(self, items: Sequence[Item[Content]]) -> int:
        return sum(_size(content) for _, _, content in items)

    def take(self, items: Sequence[Item[Content]], taken: "_Taken") -> None:
        for position, number, content in items:
            lane = self._lanes[number]
            if lane is None:
                taken.mutation(position, content)  # type: ignore[arg-type]  # no place
                continue
            place: Place = content  # type: ignore[assignment]
            if lane.can_copy:
                taken.copy(number, lane, *place)
            else:
                taken.mutation(position, lane.reader.alone(*place))


def _size(content: Content) -> int:
    """In bytes, about."""
    if type(content) is tuple:
        place: Place = content  # type: ignore[assignment]
        stretch, number = place
        return stretch.starts[number + 1] - stretch.starts[number]
    if isinstance(content, bytes):
        return len(content)
    if isinstance(content, Partition):
        return content.live_bytes
    return estimated_bytes(content.row) if isinstance(content, SingleRow) else 0


class _Taken:
    """What goes into a chunk; the statistics of lanes that are not `known` go with it. True when there is anything."""

    def __init__(self, store: TableStore, known: Sequence[bytes]) -> None:
        self._store, self._known = store, known
        self._mutations: list[bytes] = []
        self.runs: list[_Run] = []
        self.opened: dict[int, _Run] = {}
        """By the number of a source its last run."""
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._mutations or self.runs)

    def copy(self, source: int, lane: _Lane, stretch: Stretch, number: int) -> None:
        """A partition of an SSTable, as bytes."""
        self.size += stretch.starts[number + 1] - stretch.starts[number]
        run = self.opened.get(source)
        if run is not None and run.stretch is stretch and run.last == number:
            run.last = number + 1
        else:
            self.opened[source] = run = _Run(lane, stretch, number, number + 1)
            self.runs.append(run)

    def mutation(self, position: Position, stored: Stored) -> None:
        """All of a partition."""
        if isinstance(stored, (bytes, SingleRow)):
            item: tuple[bytes, StoredRow] = split_single(stored) if isinstance(stored, bytes) else (stored.ck, stored.row)
            self._add(encoded_partition(self._store, position[8:], LIVE, None, [item], []))
            return
        rows = [pair for cks, rows, _ in stored.chunks(b"", _END_OF_ROWS, False) for pair in zip(cks, rows, strict=True)]
        tombstones = list(stored.range_tombstones(b"", _END_OF_ROWS))
        self._add(encoded_partition(self._store, position[8:], stored.deletion, stored.static, rows, tombstones))

    def part(self, cursor: Cursor, partition: SourcePartition) -> bytes | None:
        """Rows of a partition from `cursor` on, so many as fit; where the next ones begin, None behind the last."""
        rows: list[tuple[bytes, StoredRow]] = []
        size, following = 0, None
        for cks, found, _ in partition.chunks(cursor.ck, _END_OF_ROWS, False):
            rows += zip(cks, found, strict=True)
            size += sum(len(row) if isinstance(row, bytes) else estimated_bytes(row) for row in found)
            if size >= CHUNK_BYTES:
                following = cks[-1] + AFTER_ROW
                break
        tombstones = list(partition.range_tombstones(cursor.ck, following or _END_OF_ROWS))
        static = None if cursor.ck else partition.static
        key = cursor.position[8:]
        self._add(encoded_partition(self._store, key, partition.deletion, static, rows, tombstones))
        return following

    def _add(self, mutation: bytes | None) -> None:
        if mutation is not None:
            self._mutations.append(mutation)
            self.size += len(mutation)

    def chunk(self, cursor: Cursor, following: Cursor | None) -> Chunk:
        runs: list[tuple[bytes, CopiedRun]] = []
        lanes: dict[bytes, bytes] = {}
        for run in self.runs:
            lane = run.lane
            runs.append((lane.id, lane.reader.copied(run.stretch, run.first, run.last, lane.read)))
            if lane.id not in self._known:
                lanes[lane.id] = lane.statistics
        return Chunk(cursor, following, tuple(self._mutations), tuple(runs), lanes)
