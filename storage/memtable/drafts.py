"""A large change of one partition, made beside what readers see and put in its place at once.

Readers must never see half of what one request changes in a partition, and merging tens of thousands of rows takes a tenth
of a second. So a strand copies the partition, merges the rows into the copy with pauses, and swaps: the swap is what takes
place between two pauses. If somebody else has changed the partition meanwhile, the draft is thrown away and made anew;
after ATTEMPTS_MAX of them the change is merged at once, and others wait.

Copying is copying lists of references. Whether the partition is still what it was is seen by comparing them, which costs
nothing where nobody drafts.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from storage.environment.strands import is_interruptible, paused
from storage.memtable.memtable import Memtable
from storage.memtable.packed import StoredRow
from storage.memtable.partition import Partition, is_nothing
from storage.mutation import LIVE, PartitionUpdate

if TYPE_CHECKING:
    from storage.reads import TableStore

ROWS_MIN = 1_000
"""Fewer rows than this are merged at once: in two milliseconds or so."""
ATTEMPTS_MAX = 3


class Draft:
    """A partition to be. No pause may lie between `is_current` and `take_place`."""

    def __init__(self, memtable: Memtable, key: bytes) -> None:
        self._memtable, self._key = memtable, key
        self._before = memtable.get(key)
        if isinstance(self._before, Partition):
            self._seen, self._partition = self._before.copy(), self._before.copy()
        else:
            self._seen, self._partition = Partition(), memtable.widened_copy(self._before)

    def put(self, rows: Iterable[tuple[bytes, StoredRow]]) -> None:
        self._memtable.put_into(self._partition, rows)

    @property
    def is_current(self) -> bool:
        """Whether the partition is still the one that was copied."""
        found = self._memtable.get(self._key)
        return found is self._before and (not isinstance(found, Partition) or _same(found, self._seen))

    def take_place(self) -> None:
        self._memtable.replace(self._key, self._partition)


def maybe_draft(store: "TableStore", key: bytes, rows: Sequence[tuple[bytes, StoredRow]]) -> Draft | None:
    """A current draft with these rows merged in; None where they are to be merged at once."""
    if len(rows) < ROWS_MIN or not is_interruptible():
        return None
    for _ in range(ATTEMPTS_MAX):
        memtable = store.memtable
        before = memtable.get(key)
        if type(memtable) is not Memtable or (isinstance(before, Partition) and before.tombstones is not None):
            return None
        draft = Draft(memtable, key)
        draft.put(paused(rows))
        if draft.is_current and store.memtable is memtable:
            return draft
    return None


def maybe_update_draft(store: "TableStore", update: PartitionUpdate) -> Draft | None:
    """The same of an update."""
    if len(update.rows) < ROWS_MIN or update.deletion != LIVE or update.static is not None or update.range_tombstones:
        return None
    return maybe_draft(store, update.key, [(ck, row) for ck, row in paused(update.rows.items()) if not is_nothing(row)])


def _same(left: Partition, right: Partition) -> bool:
    """References are compared first, so of equal lists this costs a few nanoseconds a row."""
    return (
        left.static is right.static
        and left.deletion is right.deletion
        and left.tombstones is right.tombstones
        and left.cks == right.cks
        and left.rows == right.rows
    )
