"""A large change of one partition, made beside what readers see and put in its place at once.

Readers must never see half of what one request changes in a partition, and merging tens of thousands of rows or cells, or
deleting them, takes a tenth of a second. So a strand copies the partition, changes the copy with pauses, and swaps: the swap
is what takes place between two pauses. If somebody else has changed the partition meanwhile, the draft is thrown away and
made anew; after ATTEMPTS_MAX of them the change is made at once, and others wait.

Copying is copying lists of references. Whether the partition is still what it was is seen by comparing them, which costs
nothing where nobody drafts. What the change leaves behind is let go of in turns, too.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from operator import is_
from typing import TYPE_CHECKING

from storage.environment.strands import is_interruptible, let_go_later, long_work, pause, paused
from storage.memtable.memtable import Memtable, SingleRow
from storage.memtable.packed import StoredRow
from storage.memtable.partition import Partition
from storage.mutation import LIVE, ComplexColumn, PartitionUpdate, RangeTombstone, Row

if TYPE_CHECKING:
    from storage.reads import TableStore

ROWS_MIN = 1_000
"""Fewer rows or cells than this are changed at once: in two milliseconds or so."""
ATTEMPTS_MAX = 3
_LOOKED_AT_MAX = 4
"""Rows of an update that are asked for their cells: one of many rows is drafted for these."""


class Draft:
    """A partition to be. No pause may lie between `is_current` and `take_place`."""

    def __init__(self, store: "TableStore", key: bytes) -> None:
        self._store, self._key = store, key
        self._memtable = memtable = store.memtable
        self._before = memtable.get(key)
        if isinstance(self._before, Partition):
            self._seen, self._partition = _copies(self._before)
        else:
            self._seen, self._partition = Partition(), memtable.widened_copy(self._before)

    def put(self, rows: Iterable[tuple[bytes, StoredRow]]) -> None:
        self._memtable.put_into(self._partition, rows)

    def update(self, update: PartitionUpdate) -> None:
        self._memtable.update_into(self._partition, update)

    def cover_ranges(self, tombstones: Iterable[RangeTombstone]) -> None:
        """Memtable.cover_ranges."""
        for tombstone in tombstones:
            self._partition.cover_range(tombstone, pause)

    @property
    def is_current(self) -> bool:
        """Whether the partition is still the one that was copied."""
        if self._store.memtable is not self._memtable:
            return False
        found = self._memtable.get(self._key)
        return found is self._before and (not isinstance(found, Partition) or _same(found, self._seen))

    def take_place(self) -> None:
        self._memtable.replace(self._key, self._partition)
        for partition in (self._seen, self._before):
            if isinstance(partition, Partition):
                let_go_later([*partition.rows, *partition.cks])


class Seen:
    """What a store has of some rows of a partition, or (`cks` None) of all: who has decided something by it, with pauses,
    asks before writing whether it still `is_current`."""

    def __init__(self, store: "TableStore", key: bytes, cks: Sequence[bytes] | None) -> None:
        self._store, self._key, self._cks = store, key, cks
        self._looked_at = self._look()

    @property
    def is_current(self) -> bool:
        then, now = self._looked_at, self._look()
        return len(then) == len(now) and all(map(is_, then, now))

    def _look(self) -> list[object]:
        """Of objects that nobody changes."""
        store = self._store
        found = store.memtable.get(self._key)
        seen: list[object] = [store.memtable, store.flushed, found]
        if isinstance(found, Partition):
            seen += (found.static, found.deletion, *(found.tombstones or ()))
            if self._cks is None:
                seen += chain.from_iterable(found.rows)
            else:
                seen += map(found.get, self._cks)
        return seen


def maybe_draft(store: "TableStore", key: bytes, rows: Sequence[tuple[bytes, StoredRow]]) -> Draft | None:
    """A current draft with these rows merged in; None where they are to be merged at once."""
    if len(rows) < ROWS_MIN or not is_interruptible():
        return None
    return _drafted(store, key, lambda draft: draft.put(paused(rows)))


def maybe_update_draft(store: "TableStore", update: PartitionUpdate) -> Draft | None:
    """The same of an update. Raises TooLong in a go of the loop."""
    if store.layouts.are_counters or not is_large(store, update):
        return None
    long_work()
    return _drafted(store, update.key, lambda draft: draft.update(update)) if is_interruptible() else None


def _drafted(store: "TableStore", key: bytes, change: Callable[[Draft], None]) -> Draft | None:
    for _ in range(ATTEMPTS_MAX):
        if type(store.memtable) is not Memtable:
            return None
        draft = Draft(store, key)
        if not draft.is_current:
            continue
        change(draft)
        if draft.is_current:
            return draft
    return None


def is_large(store: "TableStore", update: PartitionUpdate) -> bool:
    """Whether the change, or what it meets, has many rows or cells."""
    if len(update.rows) >= ROWS_MIN:
        return True
    found = store.memtable.get(update.key)
    partition = found if isinstance(found, Partition) else None
    if partition is not None and (update.deletion != LIVE or update.range_tombstones):
        if update.deletion != LIVE and partition.rows_between(b"", b"\xff") >= ROWS_MIN:
            return True
        if sum(partition.rows_between(tombstone.start, tombstone.end) for tombstone in update.range_tombstones) >= ROWS_MIN:
            return True
    rows: list[StoredRow | None] = [update.static, *islice(update.rows.values(), _LOOKED_AT_MAX)]
    if partition is not None:
        rows += (partition.static, *[partition.get(ck) for ck in islice(update.rows, _LOOKED_AT_MAX)])
    elif isinstance(found, SingleRow):
        rows.append(found.row)
    return sum(map(_cell_count, rows)) >= ROWS_MIN


def _cell_count(row: StoredRow | None) -> int:
    if not isinstance(row, Row):
        return 0
    return sum([len(data.cells) for data in row.columns.values() if type(data) is ComplexColumn])


def _copies(partition: Partition) -> tuple[Partition, Partition]:
    """Two copies. What is changed while they are made is seen by whoever compares."""
    made = Partition(), Partition()
    for copy in made:
        copy.static, copy.deletion = partition.static, partition.deletion
        copy.tombstones = partition.tombstones.copy() if partition.tombstones is not None else None
        copy.guarded, copy.live_bytes = partition.guarded, partition.live_bytes
    firsts, fulls = partition.firsts[:], partition.fulls[:]
    blocks = [(cks[:], rows[:]) for cks, rows in paused(list(zip(partition.cks, partition.rows, strict=True)))]
    for copy in made:
        copy.firsts, copy.fulls = firsts[:], fulls[:]
        copy.cks, copy.rows = [], []
        for cks, rows in paused(blocks):
            copy.cks.append(cks[:])
            copy.rows.append(rows[:])
    return made


def _same(left: Partition, right: Partition) -> bool:
    """References are compared first, so of equal lists this costs a few nanoseconds a row."""
    return (
        left.static is right.static
        and left.deletion is right.deletion
        and list(left.tombstones or ()) == list(right.tombstones or ())
        and left.cks == right.cks
        and left.rows == right.rows
    )
