"""A replica reads by criteria: it tests rows itself, and finds them in its own indexes where the command says so
(db/ReadCommand.java, executeLocally; index/Index.java, Searcher).

What is told of a row is all of it, with what is deleted over it, so that it can be reconciled; of other rows nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from typing import Final

from cluster.reading.answer import DataAnswer
from cluster.reading.command import ReadCommand
from cluster.reading.criteria import Criteria, Nearest
from cluster.reading.execution import Reading, clipped, encoded_partition, told
from cluster.reading.passing import Counting
from storage.environment.strands import long_work, pause, undisturbed
from storage.indexes.lookups import maybe_lookup_of
from storage.indexes.reading import Hit
from storage.indexes.table_indexes import TableIndexes
from storage.keys import row_end
from storage.memtable.memtable import Position
from storage.memtable.packed import StoredRow
from storage.merged import SourcePartition
from storage.mutation import RangeTombstone, Row
from storage.passed_over import hides
from storage.projection import BoundProjector
from storage.reads import EVERYTHING, Slice, TableStore
from storage.reconcile import live_row
from storage.row_filter import Test, test_of
from storage.schema.metadata import ColumnKind

ROWS_PER_GO: Final = 500
"""Looked at in a go of a loop; where there are more, they are in turns with others."""
_TOKEN_BYTES: Final = 8
_position = itemgetter(0)
Tests = list[tuple[int, Test]]
Part = tuple[Position, SourcePartition, Iterable[Slice]]
"""A partition, and where in it wanted rows may be, in the order of reading."""


def sift(store: TableStore, command: ReadCommand, counting: Counting | None = None) -> DataAnswer:
    """The answer of this store to a command with criteria. Raises KeyError where it has not the index that is asked for,
    TooManyTombstones where `counting` allows no more."""
    assert command.criteria is not None
    reading = Sifting(store, command, counting)
    parts = _all(store, command) if command.criteria.lookup is None else _found(store, command, command.criteria)
    return told(reading, command, ((at, reading.part(at[_TOKEN_BYTES:], whole, pieces)) for at, whole, pieces in parts))


class Sieve:
    """Criteria at work on the rows of a store, partition by partition."""

    def __init__(self, store: TableStore, criteria: Criteria) -> None:
        expressions = criteria.sifted(store.table)
        columns = list(dict.fromkeys(expression.column for expression in expressions))

        def tests(kind: ColumnKind) -> Tests:
            return [(columns.index(e.column), test_of(e, store.table)) for e in expressions if e.column.kind is kind]

        self._projector = store.partition_projector(columns)
        self._keys, self._clusterings = tests(ColumnKind.PARTITION_KEY), tests(ColumnKind.CLUSTERING)
        self._statics, self._regulars = tests(ColumnKind.STATIC), tests(ColumnKind.REGULAR)
        self._is_strict = criteria.is_strict
        self._bound: BoundProjector | None = None
        self._meets_static = False

    @property
    def has_statics(self) -> bool:
        """Whether a static row may decide for the rows of its partition."""
        return bool(self._statics)

    def partition(self, key: bytes, static: Row | None) -> bool:
        """Whether any of it may be wanted; `static` is live. `row` is about this one then."""
        self._bound = self._projector.bind(key, static)
        if not self._keys and not self._statics:
            return True
        values = self._bound.values(None)
        met = [_meets(values, test) for test in self._statics]
        self._meets_static = (all(met) if self._is_strict else any(met)) and bool(met)
        if not all(_meets(values, test) for test in self._keys):
            return False
        return self._meets_static or not met or (not self._is_strict and bool(self._regulars))

    def tells_all(self, key: bytes, static: Row | None) -> bool:
        """Whether the static row decides, alone, for all rows of its partition."""
        return bool(self._statics) and self.partition(key, static) and self._meets_static

    @property
    def tells_static(self) -> bool:
        """Whether the partition is wanted where none of its rows is."""
        if not self._is_strict and self._meets_static:
            return True
        return not self._clusterings and not self._regulars

    def row(self, row: StoredRow) -> bool:
        """Whether a live row is wanted."""
        assert self._bound is not None
        values = self._bound.values(row)
        if not all(_meets(values, test) for test in self._clusterings):
            return False
        regulars = self._regulars
        if self._is_strict or not regulars:
            return all(_meets(values, test) for test in regulars)
        return self._meets_static or any(_meets(values, test) for test in regulars)


def _meets(values: Sequence[bytes | None], test: tuple[int, Test]) -> bool:
    value = values[test[0]]
    return value is not None and test[1](value)


class Sifting(Reading):
    """See the module."""

    def __init__(self, store: TableStore, command: ReadCommand, counting: Counting | None = None) -> None:
        super().__init__(store, command, counting)
        assert command.criteria is not None
        self._sieve = Sieve(store, command.criteria)
        self._begun_with = self._rows_left

    def part(
        self, key: bytes, partition: SourcePartition, pieces: Iterable[Slice], tells_static: bool = True
    ) -> bytes | None:
        """What the partition has within the pieces, as a mutation; None where none of it is wanted; `tells_static`: a static
        row may be wanted alone."""
        store, sieve, purger = self._store, self._sieve, self._purger
        self._rows_left -= 1
        if self._begun_with - self._rows_left > ROWS_PER_GO:
            long_work()
        self._counting.key = key
        self._stop_at = self.live_left - self._command.partition_limit
        static = partition.static
        live = None if static is None else live_row(static, self._command.now_s, self._dropped_us)
        purged, _ = self._static(partition)
        if not sieve.partition(key, live):
            return None
        rows: list[tuple[bytes, StoredRow]] = []
        tombstones: list[RangeTombstone] = []
        for piece in pieces:
            self._sift(partition, piece, rows, tombstones)
            if self.cut_at is not None:
                break
        if not rows:
            if live is None or not tells_static or not sieve.tells_static:
                return None
            self.live_left -= 1
        if self._command.reverse:
            rows.reverse()
            tombstones.reverse()
        update = encoded_partition(store, key, purger.deletion(partition.deletion), purged, rows, tombstones)
        self._bytes_left -= len(update or b"")
        return update

    def _sift(
        self,
        partition: SourcePartition,
        piece: Slice,
        rows: list[tuple[bytes, StoredRow]],
        tombstones: list[RangeTombstone],
    ) -> None:
        store, now_s, sieve, purger = self._store, self._command.now_s, self._sieve, self._purger
        counting = self._counting
        has_tombstones = bool(self._told_of(piece, partition.range_tombstones(piece.start, piece.end)))
        for cks, found, _ in partition.chunks(piece.start, piece.end, self._command.reverse):
            for ck, stored in zip(cks, found, strict=True):
                live = store.live(stored, now_s)
                self._rows_left -= 1
                if self.live_left <= self._stop_at:
                    counting = Counting()
                if not isinstance(stored, bytes) and hides(stored, live):
                    counting.add_row(purger.row(stored), live is not None)
                counting.rows += live is not None
                if live is not None and sieve.row(live):
                    row = stored if isinstance(stored, bytes) else purger.row(stored)
                    assert row is not None, ck
                    rows.append((ck, row))
                    self.live_left -= 1
                    if has_tombstones:
                        over = Slice(ck, row_end(ck))
                        found_over = partition.range_tombstones(*over)
                        tombstones += purger.tombstones(clipped(tombstone, over) for tombstone in found_over)
                if self.is_full:
                    self.cut_at = ck
                    return
            if self._begun_with - self._rows_left > ROWS_PER_GO:
                long_work()
                pause()


def _in_order(command: ReadCommand) -> Iterable[Slice]:
    return command.slices[::-1] if command.reverse else command.slices


def _all(store: TableStore, command: ReadCommand) -> Iterator[Part]:
    pieces = _in_order(command)
    if command.is_of_partition:
        found = store.maybe_stored(command.key)
        if found is not None:
            yield command.start, found, pieces
        return
    for position, partition in store.stored_partitions(command.start, command.end):
        yield position, partition, pieces


def _found(store: TableStore, command: ReadCommand, criteria: Criteria) -> Iterator[Part]:
    """By an index, in the same order."""
    assert criteria.lookup is not None
    assert not isinstance(criteria.lookup, Nearest)
    lookup = None if store.indexes is None else maybe_lookup_of(store.indexes, criteria.lookup, command.now_s)
    if lookup is None:
        raise KeyError(criteria.lookup.index)
    assert store.indexes is not None
    build(store.indexes, criteria.lookup.index)
    if command.is_of_partition:
        hits = lookup.hits_in(command.start, command.slices, criteria.takes_statics) if command.slices else iter(())
    else:
        hits = lookup.hits(command.start, command.end)
    has_clustering = bool(store.table.clustering)
    for position, group in groupby(hits, _position):
        partition = store.maybe_stored(position[_TOKEN_BYTES:])
        if partition is None:
            continue
        rest = iter(group)
        first = next(rest)
        if has_clustering and not first[1]:
            yield position, partition, _in_order(command)
        else:
            pieces = _rows(chain((first,), rest), command.slices)
            yield position, partition, reversed(list(pieces)) if command.reverse else pieces


def build(indexes: TableIndexes, name: str) -> None:
    """Builds an index that is not built yet. Raises TooLong in a go of the loop."""
    if name not in indexes.unbuilt:
        return
    long_work()
    while not undisturbed(partial(indexes.build_step, name)):
        pause()


def _rows(hits: Iterable[Hit], slices: Sequence[Slice]) -> Iterator[Slice]:
    """Those of the hits that lie within the slices, each once."""
    last: bytes | None = None
    for _, ck in hits:
        if ck != last:
            last = ck
            if slices == EVERYTHING or any(start <= ck < end for start, end in slices):
                yield Slice(ck, row_end(ck))
