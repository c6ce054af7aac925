"""Reads of a table through an index: the rows that it names, in the order in which a scan gives them.

`IndexedStore` stands in for the table's store where partitions are read: by key, or scanned from a position on. It gives
what the store would give, but only where the index has an entry. Whether a row still has the value is for the reader's
row filter to see: an entry may be stale.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice
from typing import Final, Protocol

from protocol.errors import Overloaded
from storage.indexes.attached import AttachedIndex
from storage.indexes.local import blob_key
from storage.indexes.sorted_terms import SortedTerms, behind
from storage.indexes.table_indexes import TableIndexes
from storage.keys import row_end
from storage.memtable.memtable import Position, position_of, split_single
from storage.memtable.packed import StoredRow
from storage.reads import EVERYTHING, FIRST_POSITION, Chunk, PartitionView, Singles, Slice, TableStore

ROWS_AT_ONCE: Final = 64
AFTER: Final = b"\xff"
WIDE_MIN: Final = 2_000
WIDE_PART: Final = 5
Hit = tuple[Position, bytes]
"""A base partition's position, and the order key of a row in it; an empty one in a table that has clustering columns: all
of the partition."""


class Lookup(Protocol):
    """Finds what an index has for a condition."""

    def prepare(self) -> bool:
        """A step of what has to be done first; whether that was the last."""
        ...

    def hits(self, start: Position, end: Position | None) -> Iterator[Hit]:
        """In order, from the position `start` on and before `end`. One may come more than once."""
        ...

    def hits_in(self, position: Position, slices: Sequence[Slice], takes_statics: bool) -> Iterator[Hit]:
        """Of one partition, within the slices; and its static row's, or only where the slices are everything."""
        ...


COUNTED_CHUNKS_MAX: Final = 64
"""Of entries in SSTables; behind that they are many."""


class LocalLookup:
    """What an index of the built-in kind has for one value."""

    __slots__ = ("_hidden", "_indexes", "_key", "_name", "_now_s")

    def __init__(self, indexes: TableIndexes, name: str, hidden_key: bytes, now_s: int) -> None:
        self._indexes, self._name, self._key, self._now_s = indexes, name, hidden_key, now_s
        self._hidden = indexes.local[name][1]

    @property
    def count(self) -> int:
        """About how many entries there are."""
        hidden = self._hidden
        if not hidden.flushed:
            partition = hidden.memtable.maybe_partition(self._key)
            return 0 if partition is None else partition.row_count()
        stored = hidden.maybe_stored(self._key)
        chunks = () if stored is None else stored.chunks(b"", AFTER, False)
        return sum(len(cks) for cks, _, _ in islice(chunks, COUNTED_CHUNKS_MAX))

    def prepare(self) -> bool:
        return self._indexes.build_step(self._name)

    def hits(self, start: Position, end: Position | None) -> Iterator[Hit]:
        return self._read((Slice(blob_key(start) if start else b"", AFTER if end is None else blob_key(end)),))

    def hits_in(self, position: Position, slices: Sequence[Slice], takes_statics: bool) -> Iterator[Hit]:
        if not slices:  # a page ended with the last row that they had
            return iter(())
        prefix = blob_key(position)
        if slices == EVERYTHING:
            return self._read((Slice(prefix, prefix + AFTER),))
        hidden = [Slice(prefix + blob_key(start), prefix + blob_key(end)) for start, end in slices]
        statics = Slice(prefix + blob_key(b""), prefix + blob_key(b"") + AFTER)
        return self._read((statics, *hidden) if takes_statics and slices[0].start else hidden)

    def _read(self, slices: Sequence[Slice]) -> Iterator[Hit]:
        view = self._hidden.read(self._key, slices, self._now_s)
        if view is None:
            return
        clustering = self._hidden.layouts.clustering
        for _, rows in view.chunks():
            for row in rows:
                position, ck, *_ = clustering(row)
                yield position, ck


def terms_of(index: AttachedIndex) -> SortedTerms:
    """Raises Overloaded where the index was let go while it was read: who asks again reads without it."""
    if index.is_let_go:
        raise Overloaded(f"The index {index.metadata.name} has just become too large to be held in memory; ask again")
    assert isinstance(index.postings, SortedTerms), index.postings
    return index.postings


class AttachedLookup:
    """What an attached index has between two terms; of one term where they are the same."""

    __slots__ = ("_end", "_index", "_indexes", "_start")

    def __init__(self, indexes: TableIndexes, name: str, start: tuple[bytes, ...], end: tuple[bytes, ...]) -> None:
        self._indexes, self._index = indexes, indexes.attached[name]
        self._start, self._end = start, end

    @property
    def _terms(self) -> SortedTerms:
        return terms_of(self._index)

    @property
    def is_of_one_term(self) -> bool:
        return len(self._start) == 1 and self._end == behind(self._start[0])

    @property
    def count(self) -> int:
        """About how many entries there are."""
        return self._terms.count(self._start, self._end)

    @property
    def is_wide(self) -> bool:
        """Whether the whole table is read as fast."""
        count = self.count
        return not self.is_of_one_term and count > WIDE_MIN and count * WIDE_PART > self._terms.size

    def prepare(self) -> bool:
        return self._indexes.build_step(self._index.metadata.name)

    def hits(self, start: Position, end: Position | None) -> Iterator[Hit]:
        if self.is_of_one_term:
            term = self._start[0]
            found = self._terms.between((term, start), behind(term) if end is None else (term, end))
            return ((position, ck) for _, position, ck in found)
        between = self._terms.between(self._start, self._end)
        hits = [(position, ck) for _, position, ck in between if start <= position and (end is None or position < end)]
        hits.sort()
        return iter(hits)

    def hits_in(self, position: Position, slices: Sequence[Slice], takes_statics: bool) -> Iterator[Hit]:
        if self.is_of_one_term:
            term = self._start[0]
            return (entry[1:] for entry in self._terms.between((term, position), (term, position + b"\0")))
        return self.hits(position, position + b"\0")


class IndexedStore:
    """See the module. `is_scanned`: whether partitions are looked for, not given: then what a static row has counts for
    any rows of its partition, else only where all of them are asked for (in Cassandra so, too). `index`: its name."""

    __slots__ = ("_has_clustering", "_has_statics", "_is_scanned", "_lookup", "_store", "index")

    def __init__(self, store: TableStore, lookup: Lookup, is_scanned: bool, index: str = "") -> None:
        self.index = index
        self._store, self._lookup, self._is_scanned = store, lookup, is_scanned
        self._has_clustering, self._has_statics = bool(store.table.clustering), bool(store.table.statics)

    def prepare_scan(self) -> bool:
        """A step of what a read needs first; whether that was the last."""
        return self._lookup.prepare()

    def read(self, key: bytes, slices: Sequence[Slice], now_s: int, reverse: bool = False) -> PartitionView | None:
        hits = self._lookup.hits_in(position_of(key), slices, self._is_scanned)
        return self._view(key, hits, slices, now_s, reverse)

    def scan(
        self,
        now_s: int,
        start: Position = FIRST_POSITION,
        end: Position | None = None,
        slices: Sequence[Slice] = EVERYTHING,
        reverse: bool = False,
    ) -> Iterator[PartitionView]:
        for position, hits in groupby(self._lookup.hits(start, end), lambda hit: hit[0]):
            view = self._view(position[8:], hits, slices, now_s, reverse)
            if view is not None:
                yield view

    def scan_batches(
        self,
        now_s: int,
        start: Position = FIRST_POSITION,
        end: Position | None = None,
        slices: Sequence[Slice] = EVERYTHING,
        reverse: bool = False,
    ) -> Iterator[Singles | PartitionView]:
        """The same; partitions of one row each come together, if all of a partition is wanted."""
        if slices != EVERYTHING or not self._store.keeps_singles:
            yield from self.scan(now_s, start, end, slices, reverse)
            return
        get = self._store.memtable.get
        positions: list[Position] = []
        partitions: list[bytes] = []
        for position, found in groupby(self._lookup.hits(start, end), lambda hit: hit[0]):
            stored, hits = get(position[8:]), list(found)
            if type(stored) is bytes:
                if not self._has_clustering or any(ck in (b"", split_single(stored)[0]) for _, ck in hits):
                    positions.append(position)
                    partitions.append(stored)
                if len(partitions) < ROWS_AT_ONCE:
                    continue
            if partitions:
                yield Singles(positions, partitions)
                positions, partitions = [], []
            if type(stored) is not bytes:
                view = self._view(position[8:], iter(hits), slices, now_s, reverse)
                if view is not None:
                    yield view
        if partitions:
            yield Singles(positions, partitions)

    def _view(
        self, key: bytes, hits: Iterator[Hit], slices: Sequence[Slice], now_s: int, reverse: bool
    ) -> PartitionView | None:
        first = next(hits, None)
        if first is None:
            return None
        if self._has_clustering and not first[1]:
            return self._store.read(key, slices, now_s, reverse)
        static, dead = None, [0]
        if self._has_statics:
            whole = self._store.read(key, (), now_s)
            if whole is not None:
                static, dead[0] = whole.static, whole.tombstones
        cks = self._cks(first, hits, slices)
        if reverse:
            cks = reversed(list(cks))
        return PartitionView(key, static, self._chunks(key, cks, now_s, dead), dead)

    @staticmethod
    def _cks(first: Hit, hits: Iterator[Hit], slices: Sequence[Slice]) -> Iterator[bytes]:
        """Those of the hits that lie within the slices, each once."""
        last: bytes | None = None
        takes_all = slices == EVERYTHING
        for _, ck in chain((first,), hits):
            if ck != last:
                last = ck
                if takes_all or any(start <= ck < end for start, end in slices):
                    yield ck

    def _counted_row_at(self, key: bytes, ck: bytes, now_s: int, dead: list[int]) -> StoredRow | None:
        view = self._store.read(key, (Slice(ck, row_end(ck)),), now_s)
        if view is None:
            return None
        before = view.tombstones  # of the static row
        rows = list(view.rows())
        dead[0] += view.tombstones - before
        return rows[0] if rows else None

    def _chunks(self, key: bytes, cks: Iterator[bytes], now_s: int, dead: list[int]) -> Iterator[Chunk]:
        """`dead` hears how many tombstones are passed over."""
        row_at = self._store.clear_row_at
        found_cks: list[bytes] = []
        rows: list[StoredRow] = []
        for ck in cks:
            row = row_at(key, ck, now_s)
            if row == b"":
                row = self._counted_row_at(key, ck, now_s, dead)
            if row is not None:
                found_cks.append(ck)
                rows.append(row)
                if len(rows) >= ROWS_AT_ONCE:
                    yield found_cks, rows
                    found_cks, rows = [], []
        if rows:
            yield found_cks, rows
