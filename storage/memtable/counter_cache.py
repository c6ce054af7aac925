"""The last contexts of counters that the data may not show any more.

Cassandra keeps the last clock and count of each counter in a cache, and asks the cache before the data
(db/CounterMutation.java). That is visible: a DELETE does not touch it, so an increment after the DELETE of a row goes on
from the count before it, for as long as the counter is cached. Cassandra's documentation calls this undefined; its users
see it, and ours see the same.

Where no deletion is or was, the data say what that cache would. So what is kept here are the counters that a deletion
hides or may hide: `remember` takes them out of the data before an update with deletions goes in, and an increment of
such a counter is put here besides (counter_writes.py). All goes with the process, and with TRUNCATE.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from storage.memtable.packed import StoredRow
from storage.merged import SourcePartition
from storage.mutation import LIVE, Cell, PartitionUpdate, Row

COUNTERS_MAX: Final = 100_000
"""Per table; beyond it the one that was put here longest ago goes. About 20 MB when full."""
ROWS_OF_DELETION_MAX: Final = 1_000
"""What one deletion hides beyond that is counted from 0 again: to look at all rows of a large partition takes long."""

Place = tuple[bytes, bytes | None, str]
"""(key, order key or None for the static row, column)"""


class CounterCache:
    """See the module. False where nothing is kept."""

    __slots__ = ("_contexts", "get")

    def __init__(self) -> None:
        self._contexts: dict[Place, bytes] = {}
        self.get: Callable[[Place], bytes | None] = self._contexts.get

    def __len__(self) -> int:
        return len(self._contexts)

    def clear(self) -> None:
        self._contexts.clear()

    def copy(self) -> "CounterCache":
        made = CounterCache()
        made._contexts.update(self._contexts)
        return made

    def put(self, place: Place, context: bytes) -> None:
        contexts = self._contexts
        if contexts.pop(place, None) is None and len(contexts) >= COUNTERS_MAX:
            del contexts[next(iter(contexts))]
        contexts[place] = context

    def remember(self, update: PartitionUpdate, before: SourcePartition | None, explode: Callable[[StoredRow], Row]) -> None:
        """Keeps what the deletions in an update may hide: counters of the partition as it is before, and those of the
        update itself."""
        key = update.key
        written = [*update.rows.items(), *([(None, update.static)] if update.static is not None else [])]
        for ck, row in written:
            for name, context in _contexts_of(row):
                self.put((key, ck, name), context)
        if before is None:
            return
        for ck, stored in islice(_hidden(update, before), ROWS_OF_DELETION_MAX):
            for name, context in _contexts_of(explode(stored)):
                if (key, ck, name) not in self._contexts:
                    self.put((key, ck, name), context)


def has_tombstones(row: Row) -> bool:
    """Whether a stored row holds any deletion."""
    return row.deletion != LIVE or any(type(data) is not Cell or data.value is None for data in row.columns.values())


def has_deletions(update: PartitionUpdate) -> bool:
    return (
        update.deletion != LIVE
        or bool(update.range_tombstones)
        or any(map(has_tombstones, update.rows.values()))
        or (update.static is not None and has_tombstones(update.static))
    )


def _contexts_of(row: Row) -> Iterator[tuple[str, bytes]]:
    for name, data in row.columns.items():
        if type(data) is Cell and data.value is not None:
            yield name, data.value


def _hidden(update: PartitionUpdate, before: SourcePartition) -> Iterator[tuple[bytes | None, StoredRow]]:
    """The stored rows that an update's deletions lie over, by order key; None is the static row's."""
    if before.static is not None and (update.deletion != LIVE or update.static is not None):
        yield None, before.static
    ranges: Iterable[tuple[bytes, bytes]] = [(tombstone.start, tombstone.end) for tombstone in update.range_tombstones]
    if update.deletion != LIVE:
        ranges = [(b"", b"\xff")]
    for start, end in ranges:
        for cks, rows, _ in before.chunks(start, end, False):
            yield from zip(cks, rows, strict=True)
    for ck in update.rows:
        stored = before.get(ck)
        if stored is not None:
            yield ck, stored
