"""Several replicas' answers to one command as one, and what each of them lacks (service/reads/DataResolver.java).

An answer says nothing of what lies behind its end. So what is known of all is known up to the first end only: what some told
from behind it is left out, and whoever reads goes on from there. That is short-read protection, as a matter of course.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
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
    made when somebody reads it, who may pause. `replicas`: so many filtered; `is_agreed`: all of them found the same."""

    __slots__ = ("_store", "_updates", "end", "is_agreed", "replicas")

    def __init__(
        self,
        store: TableStore,
        end: Boundary | None,
        updates: Sequence[bytes] = (),
        replicas: int = 0,
        is_agreed: bool = False,
    ) -> None:
        self._store, self._updates, self.end, self.replicas, self.is_agreed = store, updates, end, replicas, is_agreed

    def row_counts(self) -> Iterator[tuple[Position, int]]:
        """Of each partition."""
        for position, partition in self.store.stored_partitions():
            count = sum(len(cks) for cks, _, _ in partition.chunks(b"", b"\xff", False))
            yield position, count + (partition.static is not None)

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


def page_of(answer: DataAnswer, table: TableMetadata, layouts: Layouts, replicas: int = 0) -> Page:
    """Of one replica's answer, or of one that the others agree with."""
    return Page(_empty_store(table, layouts), answer.end, answer.partitions, replicas, is_agreed=True)


Known = Mapping[Position, PartitionUpdate]
"""What a replica told, by position, in order."""


def merged(answers: Mapping[Peer, DataAnswer], command: ReadCommand, table: TableMetadata, layouts: Layouts) -> Merged[Peer]:
    """Of two answers or more. Raises CorruptionError."""
    end = first_end([answer.end for answer in answers.values() if answer.end is not None], command.reverse)
    told = {peer: up_to(decoded(answer), end, command.reverse) for peer, answer in answers.items()}
    store = store_of(told.values(), table, layouts)
    return Merged(Page(store, end), lacking(store, told))


def lacking(store: TableStore, told: Mapping[Peer, Known]) -> dict[Peer, list[PartitionUpdate]]:
    """What each must be told so that it has all that the store of what all told has."""
    repairs: dict[Peer, list[PartitionUpdate]] = {}
    for position, partition in store.stored_partitions():
        key = position[8:]
        for peer, partitions in told.items():
            lacks = _lacking(store, key, partition, partitions.get(position))
            if lacks is not None:
                repairs.setdefault(peer, []).append(lacks)
    return repairs


def store_of(told: Iterable[Known], table: TableMetadata, layouts: Layouts) -> TableStore:
    """What they told together."""
    store = _empty_store(table, layouts)
    for partitions in told:
        for update in partitions.values():
            store.memtable.apply(update)
    return store


def _empty_store(table: TableMetadata, layouts: Layouts) -> TableStore:
    """With the layouts of the table's own store, so that what was compiled for that one works with it."""
    store = TableStore(table)
    store.layouts = layouts
    store.memtable = memtable_of(layouts, resolver(table))
    return store


def first_end(ends: Sequence[Boundary], reverse: bool) -> Boundary | None:
    if not ends:
        return None
    position = min(end.position for end in ends)
    cks = [end.ck for end in ends if end.position == position and end.ck is not None]
    if not cks:
        return Boundary(position, None)
    return Boundary(position, max(cks) if reverse else min(cks))


def decoded(answer: DataAnswer) -> dict[Position, PartitionUpdate]:
    """Raises CorruptionError."""
    updates = map(PartitionUpdate.decode, answer.partitions)
    return {position_of(update.key): update for update in updates}


def up_to(told: Known, end: Boundary | None, reverse: bool) -> Known:
    """What an answer told, up to the end that counts."""
    if end is None:
        return told
    known: dict[Position, PartitionUpdate] = {}
    for position, update in told.items():
        if position > end.position:
            break
        known[position] = update if position < end.position or end.ck is None else _up_to(update, end.ck, reverse)
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
