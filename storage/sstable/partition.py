"""One partition of an SSTable, read as far as is asked: a SourcePartition of storage/reads.py.

A narrow partition is one piece of Data.db. A wide one has an index, whose blocks are read one by one: block i is responsible
for what lies from its first row or bound up to the next block's. What deletion is open where a block begins stands in the
entry of the block before; where exactly it began is not looked for, so of a range tombstone that goes over several blocks
`range_tombstones` gives pieces, which touch. `tombstones`, for compaction, gives them whole.

What the partition's own deletions cover is left out: Cassandra's files may hold it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from protocol.errors import CorruptionError
from storage.memtable.packed import StoredRow, timestamp_of
from storage.memtable.range_tombstones import RangeTombstones, melted
from storage.mutation import LIVE, Deletion, RangeTombstone, Row
from storage.reconcile import uncovered_row
from storage.sstable.constants import DAMAGE, corrupted, named
from storage.sstable.decoder import Decoded, Placed, RowDecoder
from storage.sstable.index import Block
from storage.sstable.prefixes import place_of
from storage.sstable.unfiltered import Marker

ReadBytes = Callable[[int, int], bytes]
"""The plain bytes of Data.db between two positions."""
Chunk = tuple[list[bytes], list[StoredRow], bool]

PLACED_BYTES_MIN: Final = 512
"""Rows of fewer bytes are decoded together; of more, where each of them is is remembered."""
PLACED_ROWS_MAX: Final = 100_000
"""Of one file; each takes about 150 bytes."""
_UNKNOWN: Final = object()
_BEGIN: Final = b""
_END: Final = b"\xff"


class RowPlaces:
    """Where the rows of the pieces of Data.db are that were read last, by where the piece begins. Two generations, as
    caches.Generations."""

    __slots__ = ("_old", "_rows", "_young")

    def __init__(self) -> None:
        self._young: dict[int, Placed] = {}
        self._old: dict[int, Placed] = {}
        self._rows = 0

    def get(self, start: int) -> Placed | None:
        found = self._young.get(start)
        if found is None:
            found = self._old.pop(start, None)
            if found is not None:
                self.put(start, found)
        return found

    def put(self, start: int, placed: Placed) -> None:
        self._rows += len(placed.cks)
        if self._rows > PLACED_ROWS_MAX // 2:
            self._old, self._young, self._rows = self._young, {}, len(placed.cks)
        self._young[start] = placed


class RawPartition(NamedTuple):
    """A partition as it stands in the file. `rows_at`: where its rows begin in Data.db; each comes with its place there."""

    deletion: Deletion
    static: Row | None
    rows_at: int
    unfiltereds: Iterator[tuple[int, Row | Marker]]


class BlockIndex(Protocol):
    """The blocks of a wide partition, whichever index they come from. `data`: as a writer of that format takes them."""

    head_bytes: int

    @property
    def data(self) -> bytes: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Block: ...


class PartitionFile(Protocol):
    """What a partition needs of its SSTable."""

    @property
    def path(self) -> str: ...
    @property
    def decoder(self) -> RowDecoder: ...
    @property
    def places(self) -> RowPlaces: ...


class SSTablePartition:
    """See the module. `start` and `end`: where it lies in Data.db; `read` gives the bytes between two such positions."""

    __slots__ = (
        "_blocks", "_data", "_file", "_head", "_last", "_places", "_read", "_rows_at", "end", "key", "start"
    )  # fmt: skip

    def __init__(
        self, file: PartitionFile, key: bytes, start: int, end: int, promoted: BlockIndex | None, read: ReadBytes
    ) -> None:
        self._file, self.key, self.start, self.end = file, key, start, end
        self._blocks, self._read = promoted, read
        self._data = b""  # of a narrow partition, all of it
        self._head: tuple[Deletion, Row | None] | None = None
        self._rows_at = 0
        self._last: tuple[int, Decoded, list[RangeTombstone]] | None = None
        self._places: dict[int, bytes] = {}

    @property
    def deletion(self) -> Deletion:
        return (self._head or self.read_head())[0]

    @property
    def static(self) -> Row | None:
        return (self._head or self.read_head())[1]

    def get(self, ck: bytes) -> StoredRow | None:
        head = self._head or self.read_head()
        index = self._block_of(ck)
        try:
            if head[0] == LIVE and (self._last is None or self._last[0] != index):
                found = self._get_by_place(index, ck)
                if found is not _UNKNOWN:
                    return found  # type: ignore[return-value]
            cks, rows, _ = self._decoded(index)
        except DAMAGE as error:
            raise named(error, self._file.path) from None
        at = bisect_left(cks, ck)
        return rows[at] if at < len(cks) and cks[at] == ck else None

    def range_tombstones(self, start: bytes, end: bytes) -> Sequence[RangeTombstone]:
        """Those that touch [start, end), in order and disjoint; maybe cut into pieces, and a little beyond."""
        if not self._file.decoder.may_have_deletions:
            return ()
        found: list[RangeTombstone] = []
        for index in range(self._block_of(start), self._block_behind(end)):
            found += [piece for piece in self._pieces(index) if piece.end > start and piece.start < end]
        return found

    def chunks(self, start: bytes, end: bytes, reverse: bool) -> Iterator[Chunk]:
        indexes = range(self._block_of(start), self._block_behind(end))
        for index in reversed(indexes) if reverse else indexes:
            try:
                cks, rows, all_packed = self._decoded(index)
            except DAMAGE as error:
                raise named(error, self._file.path) from None
            low = bisect_left(cks, start) if cks and cks[0] < start else 0
            high = bisect_left(cks, end) if cks and cks[-1] >= end else len(cks)
            if low >= high:
                continue
            if low or high < len(cks):
                cks, rows = cks[low:high], rows[low:high]
            if reverse:
                cks, rows = cks[::-1], rows[::-1]
            yield cks, rows, all_packed

    # -- all of it, once, in order ------------------------------------------------------------------------------------

    def rows(self) -> Iterator[tuple[bytes, StoredRow]]:
        for cks, rows, _ in self.chunks(_BEGIN, _END, False):
            yield from zip(cks, rows, strict=True)

    @property
    def tombstones(self) -> Sequence[RangeTombstone]:
        """All range tombstones, whole."""
        if not self._file.decoder.may_have_deletions:
            return ()
        return melted(piece for index in range(self._block_count()) for piece in self._pieces(index))

    def raw(self) -> RawPartition:
        """All that the file says, also what its own deletions cover."""
        blocks = self._blocks
        try:
            head = self._read(self.start, self.end if blocks is None else self.start + blocks.head_bytes)
            _, deletion, static, rows_at = self._file.decoder.head(head, 0)
        except DAMAGE as error:
            raise named(error, self._file.path) from None
        return RawPartition(deletion, static, self.start + rows_at, self._raw_unfiltereds())

    def _raw_unfiltereds(self) -> Iterator[tuple[int, Row | Marker]]:
        if self._head is None:
            self.read_head()
        for index in range(self._block_count()):
            data, at = self._block_bytes(index)
            start = self.start + (self._blocks[index].offset if self._blocks is not None else 0)
            end = len(data) - self._is_closed(index, data)
            while at < end:
                try:
                    found, following = self._file.decoder.raw(data, at)
                except DAMAGE as error:
                    raise named(error, self._file.path) from None
                yield start + at, found
                at = following

    # -- inside -------------------------------------------------------------------------------------------------------

    def read_head(self) -> tuple[Deletion, Row | None]:
        """Raises CorruptionError where another partition stands there than the index says."""
        try:
            if self._blocks is None:
                data = self._data = self._read(self.start, self.end)
            else:
                data = self._read(self.start, min(self.start + self._blocks.head_bytes, self.end))
            key, deletion, static, self._rows_at = self._file.decoder.head(data, 0)
        except DAMAGE as error:
            raise named(error, self._file.path) from None
        if key != self.key:
            raise corrupted(self._file.path, f"another partition at {self.start} than the index says")
        if static is not None and deletion != LIVE:
            static = uncovered_row(static, deletion)
        self._head = deletion, static
        return self._head

    def _block_count(self) -> int:
        return 1 if self._blocks is None else len(self._blocks)

    def _place(self, index: int) -> bytes:
        """Where a block begins to be responsible."""
        place = self._places.get(index)
        if place is None:
            assert self._blocks is not None
            place = self._places[index] = place_of(self._blocks[index].first, self._file.decoder.order_key)
        return place

    def _block_of(self, place: bytes) -> int:
        """The block that is responsible for a place; the first one where it stands before all."""
        if self._blocks is None:
            return 0
        return max(bisect_right(range(len(self._blocks)), place, key=self._place) - 1, 0)

    def _block_behind(self, end: bytes) -> int:
        if self._blocks is None:
            return 1
        return max(bisect_left(range(len(self._blocks)), end, key=self._place), 1)

    def _open_deletion(self, index: int) -> Deletion:
        """What a block before has left open."""
        return self._blocks[index - 1].open_deletion if index and self._blocks is not None else LIVE

    def _block_bytes(self, index: int) -> tuple[bytes, int]:
        """The bytes that a block's rows are in, and where they begin."""
        blocks = self._blocks
        if blocks is None:
            return self._data, self._rows_at
        block = blocks[index]
        begin = self.start + block.offset
        end = begin + block.width
        if not self.start < begin < end <= self.end:
            raise CorruptionError(f"a block from {begin} to {end} in a partition from {self.start} to {self.end}")
        return self._read(begin, end), 0

    def _is_closed(self, index: int, data: bytes) -> bool:
        """Whether the byte that ends the partition stands behind a block. An index whose last cut fell on the last row
        leaves it out of all blocks."""
        blocks = self._blocks
        return blocks is None or (index + 1 == len(blocks) and self.start + blocks[index].offset + len(data) == self.end)

    def _get_by_place(self, index: int, ck: bytes) -> object:
        """A row without decoding those before it; _UNKNOWN where that can't be done: few rows, or a deletion over them."""
        data, at = self._block_bytes(index)
        if len(data) - at < PLACED_BYTES_MIN or self._open_deletion(index) != LIVE:
            return _UNKNOWN
        places = self._file.places
        key = self.start + (self._blocks[index].offset if self._blocks is not None else 0)
        placed = places.get(key)
        if placed is None:
            placed = self._file.decoder.places(data, at, len(data), self._is_closed(index, data))
            places.put(key, placed)
        if placed.has_markers:
            return _UNKNOWN
        found = bisect_left(placed.cks, ck)
        if found == len(placed.cks) or placed.cks[found] != ck:
            return None
        following = found + 1
        end = placed.offsets[following] if following < len(placed.offsets) else len(data) - self._is_closed(index, data)
        return self._file.decoder.one_row(data, placed.offsets[found], end)

    def _pieces(self, index: int) -> list[RangeTombstone]:
        if self._head is None:
            self.read_head()
        try:
            self._decoded(index)
        except DAMAGE as error:
            raise named(error, self._file.path) from None
        assert self._last is not None
        return self._last[2]

    def _decoded(self, index: int) -> Chunk:
        """A block's rows, of which nothing is left that its deletions cover; kept until another one is asked for."""
        last = self._last
        if last is not None and last[0] == index:
            return last[1].cks, last[1].rows, last[1].all_packed
        deletion = (self._head or self.read_head())[0]
        data, at = self._block_bytes(index)
        decoded = self._file.decoder.unfiltereds(data, at, len(data), self._is_closed(index, data))
        open_deletion = self._open_deletion(index)
        pieces: list[RangeTombstone] = []
        if decoded.markers or open_deletion != LIVE:
            pieces = pieces_between(decoded.markers, open_deletion, *self._edges(index))
        if pieces or deletion != LIVE:
            decoded = _uncovered(decoded, deletion, pieces)
        self._last = index, decoded, pieces
        return decoded.cks, decoded.rows, decoded.all_packed

    def _edges(self, index: int) -> "tuple[Edge, Edge]":
        """What a block is responsible for."""
        blocks = self._blocks
        if blocks is None:
            return (_BEGIN, ()), (_END, ())
        begin = self._place(index), blocks[index].first.values
        if index + 1 < len(blocks):
            return begin, (self._place(index + 1), blocks[index + 1].first.values)
        return begin, (_END, ())


Edge = tuple[bytes, tuple[bytes, ...]]


def pieces_between(markers: Iterable[Marker], deletion: Deletion, begin: Edge, end: Edge) -> list[RangeTombstone]:
    """The range tombstones that markers bound, of which `deletion` is open at the begin; what is open at the end is cut
    there."""
    found = []
    opened = begin
    for marker in markers:
        here = (marker.place, marker.values)
        if deletion != LIVE and opened[0] < here[0]:
            found.append(RangeTombstone(opened[0], here[0], deletion, opened[1], here[1]))
        deletion = marker.opening or LIVE
        opened = here
    if deletion != LIVE and opened[0] < end[0]:
        found.append(RangeTombstone(opened[0], end[0], deletion, opened[1], end[1]))
    return found


def _uncovered(decoded: Decoded, deletion: Deletion, pieces: list[RangeTombstone]) -> Decoded:
    tombstones = RangeTombstones(pieces) if pieces else None
    cks: list[bytes] = []
    rows: list[StoredRow] = []
    all_packed = True
    for ck, row in zip(decoded.cks, decoded.rows, strict=True):
        covering = deletion if tombstones is None else max(deletion, tombstones.covering(ck))
        kept: StoredRow | None
        if type(row) is bytes:
            kept = row if timestamp_of(row) > covering.timestamp_us else None
        else:
            assert isinstance(row, Row)
            kept = uncovered_row(row, covering)
            all_packed &= kept is None
        if kept is not None:
            cks.append(ck)
            rows.append(kept)
    return Decoded(cks, rows, decoded.markers, all_packed)
