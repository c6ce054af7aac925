"""Several replicas' answers to one command as one, and what each of them lacks (service/reads/DataResolver.java).

An answer says nothing of what lies behind its end. So what is known of all is known up to the first end only: what some told
from behind it is left out, and whoever reads goes on from there. That is short-read protection, as a matter of course.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from cluster.reading.answer import DataAnswer
from cluster.reading.command import Boundary, ReadCommand
from cluster.reading.execution import by_column_name
from storage.environment.strands import paused
from storage.memtable.memtable import Position, position_of
from storage.memtable.merging import memtable_of
from storage.memtable.packed import Layouts
from storage.memtable.range_tombstones import RangeTombstones
from storage.merged import SourcePartition
from storage.mutation import LIVE, PartitionUpdate, RangeTombstone, Row
from storage.reads import TableStore
from storage.reconcile import resolver, uncovered_row
from storage.schema.metadata import TableMetadata

Peer = TypeVar("Peer", bound=Hashable)


class Page:
    """What a command found, as a store of its own; `end`: where it has to be gone on from, None: that was all. The store is
    made when somebody reads it, who may pause."""

    __slots__ = ("_store", "_updates", "end")

    def __init__(self, store: TableStore, end: Boundary | None, updates: Sequence[bytes] = ()) -> None:
        self._store, self._updates, self.end = store, updates, end

    @property
    def store(self) -> TableStore:
        """Raises CorruptionError."""
        updates, self._updates = self._updates, ()
        for encoded in paused(updates):
            self._store.memtable.apply(PartitionUpdate.decode(encoded))
        return self._store


@dataclass(frozen=True, slots=True)
class Merged(Generic[Peer]):
    """`repairs`: by replica, what it lacks of `page`, as mutations."""

    page: Page
    repairs: Mapping[Peer, list[PartitionUpdate]]


def page_of(answer: DataAnswer, table: TableMetadata, layouts: Layouts) -> Page:
    """Of one replica's answer, or of one that the others agree with."""
    return Page(_empty_store(table, layouts), answer.end, answer.partitions)


def merged(answers: Mapping[Peer, DataAnswer], command: ReadCommand, table: TableMetadata, layouts: Layouts) -> Merged[Peer]:
    """Of two answers or more. Raises CorruptionError."""
    end = _first_end([answer.end for answer in answers.values() if answer.end is not None], command.reverse)
    told = {peer: _known(answer, end, command.reverse) for peer, answer in answers.items()}
    store = _empty_store(table, layouts)
    for partitions in told.values():
        for update in partitions.values():
            store.memtable.apply(update)
    repairs: dict[Peer, list[PartitionUpdate]] = {}
    for position, partition in store.stored_partitions():
        key = position[8:]
        for peer, partitions in told.items():
            lacking = _lacking(store, key, partition, partitions.get(position))
            if lacking is not None:
                repairs.setdefault(peer, []).append(lacking)
    return Merged(Page(store, end), repairs)


def _empty_store(table: TableMetadata, layouts: Layouts) -> TableStore:
    """With the layouts of the table's own store, so that what was compiled for that one works with it."""
    store = TableStore(table)
    store.layouts = layouts
    store.memtable = memtable_of(layouts, resolver(table))
    return store


def _first_end(ends: Sequence[Boundary], reverse: bool) -> Boundary | None:
    if not ends:
        return None
    position = min(end.position for end in ends)
    cks = [end.ck for end in ends if end.position == position and end.ck is not None]
    if not cks:
        return Boundary(position, None)
    return Boundary(position, max(cks) if reverse else min(cks))


def _known(answer: DataAnswer, end: Boundary | None, reverse: bool) -> dict[Position, PartitionUpdate]:
    """An answer's partitions by position, up to the end that counts."""
    known: dict[Position, PartitionUpdate] = {}
    for encoded in answer.partitions:
        update = PartitionUpdate.decode(encoded)
        position = position_of(update.key)
        if end is not None and position > end.position:
            break
        if end is not None and position == end.position and end.ck is not None:
            update = _up_to(update, end.ck, reverse)
        known[position] = update
    return known


def _up_to(update: PartitionUpdate, ck: bytes, reverse: bool) -> PartitionUpdate:
    """Without what comes behind a row, in the order of reading."""
    behind = ck + b"\xff"
    rows = {at: row for at, row in update.rows.items() if (at >= ck if reverse else at <= ck)}
    tombstones = []
    for tombstone in update.range_tombstones:
        start, end = (max(tombstone.start, ck), tombstone.end) if reverse else (tombstone.start, min(tombstone.end, behind))
        if start < end:
            start_values = tombstone.start_values if start == tombstone.start else ()
            end_values = tombstone.end_values if end == tombstone.end else ()
            tombstones.append(RangeTombstone(start, end, tombstone.deletion, start_values, end_values))
    return PartitionUpdate(update.table_id, update.key, update.deletion, update.static, rows, tuple(tombstones))


def _lacking(
    store: TableStore, key: bytes, whole: SourcePartition, told: PartitionUpdate | None
) -> PartitionUpdate | None:
    """What a replica must be told so that it has all of a partition that there is; None where it has."""
    known_deletion = LIVE if told is None else told.deletion
    deletion = whole.deletion if whole.deletion > known_deletion else LIVE
    known_static = None if told is None else told.static
    static = whole.static
    if static is not None and known_static is not None and _same(static, known_static):
        static = None
    rows: dict[bytes, Row] = {}
    explode = store.layouts.explode
    for cks, stored, _ in whole.chunks(b"", b"\xff", False):
        for ck, row in zip(cks, stored, strict=True):
            known = None if told is None else told.rows.get(ck)
            exploded = explode(row)
            if known is None or not _same(exploded, known):
                rows[ck] = exploded
    known_tombstones = RangeTombstones(() if told is None else told.range_tombstones)
    tombstones = tuple(
        tombstone for tombstone in whole.range_tombstones(b"", b"\xff") if not _is_covered(tombstone, known_tombstones)
    )
    if deletion == LIVE and static is None and not rows and not tombstones:
        return None
    return PartitionUpdate(store.table.id, key, deletion, static, rows, tombstones)


def _is_covered(tombstone: RangeTombstone, known: RangeTombstones) -> bool:
    """Whether a replica knows all of it."""
    at = tombstone.start
    for other in known.overlapping(tombstone.start, tombstone.end):
        if other.start > at or other.deletion < tombstone.deletion:
            return False
        at = max(at, other.end)
    return at >= tombstone.end


def _same(one: Row, other: Row) -> bool:
    """Whether two versions of a row say the same; what a version's own deletion covers it does not say."""
    left, right = uncovered_row(one), uncovered_row(other)
    if left is None or right is None:
        return left is right
    return by_column_name(left)[1:] == by_column_name(right)[1:]
