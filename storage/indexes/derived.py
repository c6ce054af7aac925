"""A large change of one partition of a table with indexes or views, prepared in turns and made in one piece.

What follows from it takes longer than the change itself: each row has entries in the indexes, and rows in the views. So it
is found out beside a draft of the partition (storage/memtable/drafts.py): if the partition is another when all is ready, all
is found out anew.

Readers ask the base row whether an index's entry is right, so entries may come before the rows that they name, and go
after the others have gone, with pauses. One goes only if the row, as it is then, has it no more; so do those that came for a
change that was not made, because its client left or it had to be found out anew. What views show changes
after the base, as in Cassandra: none of their memtables is flushed before (TableStore.awaited), so that a flush has all
that the log had before it; and it does change, though its client leaves.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from storage.environment.strands import is_interruptible, let_go_later, let_go_piecewise, long_work, pause, paused
from storage.indexes.attached import Change
from storage.indexes.local import LocalIndex, apply_entries, forget_entry
from storage.indexes.table_indexes import stored_row
from storage.memtable.drafts import ATTEMPTS_MAX, Draft, Seen, is_large, maybe_update_draft
from storage.memtable.memtable import Memtable, SingleRow
from storage.mutation import LIVE, PartitionUpdate, Row
from storage.views.placement import Placed

if TYPE_CHECKING:
    from storage.engine import Engine
    from storage.indexes.table_indexes import TableIndexes
    from storage.reads import TableStore

_UPDATES_PER_PAUSE = 64


def maybe_applied(engine: "Engine", updates: Sequence[PartitionUpdate], seen: Seen | None) -> bool | None:
    """Logs and applies an update in turns, if what was `seen` is current; whether it was. None where it is to be done at
    once. Raises TooLong in a go of the loop, InvalidRequest, CommitLogFailed."""
    if len(updates) != 1:
        return None
    (update,) = updates
    store = engine.stores[update.table_id]
    if store.layouts.are_counters or not is_large(store, update):
        return None
    long_work()
    if not is_interruptible():
        return None
    for _ in range(ATTEMPTS_MAX):
        if type(store.memtable) is not Memtable:
            return None
        change = _DerivedChange(engine, store, update)
        if not change.is_current:
            continue
        change.prepare()
        if seen is not None and not seen.is_current:
            return False
        if change.is_current:
            change.make()
            return True
    return None


class _DerivedChange:
    """See the module. No pause may lie between `is_current` and `make`."""

    def __init__(self, engine: "Engine", store: "TableStore", update: PartitionUpdate) -> None:
        self._engine, self._store, self._update = engine, store, update
        self._indexes, self._views = store.indexes, store.views
        self._begun = _begun(store.indexes)
        self._draft = Draft(store, update.key)
        self._entries: list[PartitionUpdate] = []
        self._placed = Placed(())
        self._attached: list[Change] = []
        self._record: bytes | None = None
        self._is_made = False

    def prepare(self) -> None:
        """All that nobody sees, and the entries that come."""
        update, now_s = self._update, self._engine.environment.clock.now_s()
        if self._indexes is not None:
            self._entries, self._attached = self._indexes.changes(update, now_s)
        if self._views is not None:
            changes = self._views.changes(update, now_s)
            self._placed = self._engine.indexed.placed(self._store, update.key, changes)
        here, kept, _ = self._placed
        let_go_later(self._entries, here, self._attached)
        self._record = self._engine.maybe_record([update, *self._entries, *here, *kept])
        self._draft.update(update)
        stores = self._engine.stores
        let_go_piecewise(self._taken_back())
        for entries in paused(self._entries):
            come = [(ck, row) for ck, row in paused(entries.rows.items()) if row.deletion == LIVE]
            _apply(stores[entries.table_id], replace(entries, rows=dict(come)))
        for index, key, ck, _, terms in paused(self._attached):
            index.apply(key, ck, (), terms)

    @property
    def is_current(self) -> bool:
        store = self._store
        return (
            store.indexes is self._indexes
            and store.views is self._views
            and _begun(store.indexes) == self._begun
            and self._draft.is_current
        )

    def make(self) -> None:
        """The change itself, and then, with pauses, what follows from it."""
        self._engine.log_record(self._record, [self._update])
        self._draft.take_place()
        self._is_made = True
        for kept in self._placed.kept:
            self._engine.stores[kept.table_id].apply(kept)
        self._change_views()
        self._placed.send()
        if self._indexes is not None:
            self._forget_entries(self._indexes)
        for update in paused([*self._entries, *self._placed.here]):
            let_go_later([*update.rows.values()])

    def _change_views(self) -> None:
        if self._views is None:
            return
        engine = self._engine
        stores = [store for _, store in self._views.views.values()]
        truncations = {store.table.id: engine.truncations.get(store.table.id) for store in stores}
        left = deque(self._placed.here)

        def change(rows: PartitionUpdate) -> None:
            store = engine.stores.get(rows.table_id)
            if store is not None and engine.truncations.get(rows.table_id) is truncations[rows.table_id]:
                _apply(store, rows)

        for store in stores:
            store.awaited += 1
        try:
            while left:
                change(left[0])
                left.popleft()
                if not len(left) % _UPDATES_PER_PAUSE:
                    pause()
        finally:
            for rows in left:  # its client has left
                change(rows)
            for store in stores:
                store.awaited -= 1

    def _forget_entries(self, indexes: "TableIndexes") -> None:
        of_table = {index.table.id: index for index, _ in indexes.local.values()}
        for entries in paused(self._entries):
            index = of_table[entries.table_id]
            gone = [(ck, row) for ck, row in paused(entries.rows.items()) if row.deletion != LIVE]
            for start in range(0, len(gone), _UPDATES_PER_PAUSE):
                hidden = self._engine.stores.get(entries.table_id)
                if hidden is None:
                    return  # it was dropped meanwhile
                rows = gone[start : start + _UPDATES_PER_PAUSE]
                left = {ck: row for ck, row in rows if not self._still_has(index, entries.key, row)}
                apply_entries(hidden, replace(entries, rows=left))
                pause()
        for attached, key, ck, gone_terms, _ in paused(self._attached):
            if gone_terms:
                attached.apply(key, ck, gone_terms - attached.terms(key, self._row_now(ck)), ())

    def _taken_back(self) -> Iterator[list[object]]:
        """Where the change was not made: has the entries go that came for it, a few at a time, when a strand lets go of
        what it had. There is nothing in the pieces."""
        indexes = self._indexes
        if self._is_made or indexes is None:
            return
        of_table = {index.table.id: index for index, _ in indexes.local.values()}
        for entries in self._entries:
            index = of_table[entries.table_id]
            for number, (ck, row) in enumerate(entries.rows.items(), 1):
                hidden = self._engine.stores.get(entries.table_id)
                if hidden is not None and row.deletion == LIVE and not self._still_has(index, entries.key, row):
                    forget_entry(hidden, entries.key, ck)
                if not number % _UPDATES_PER_PAUSE:
                    yield []
        for number, (attached, key, ck, _, terms) in enumerate(self._attached, 1):
            if terms:
                attached.apply(key, ck, terms - attached.terms(key, self._row_now(ck)), ())
            if not number % _UPDATES_PER_PAUSE:
                yield []

    def _still_has(self, index: LocalIndex, value: bytes, entry: Row) -> bool:
        _, ck, *path = entry.clustering
        return index.has_entry(self._update.key, self._row_now(ck), (value, path[0] if path else b""))

    def _row_now(self, ck: bytes) -> Row | None:
        store, key = self._store, self._update.key
        found = store.maybe_stored(key) if store.flushed else store.memtable.get(key)
        if not ck and store.table.clustering and not isinstance(found, bytes | SingleRow):
            return None if found is None else found.static
        row = stored_row(found, ck)
        return None if row is None else store.layouts.explode(row)


def _apply(store: "TableStore", update: PartitionUpdate) -> None:
    """What may be seen early, in turns where it is long."""
    if not update.rows:
        return
    draft = maybe_update_draft(store, update)
    if draft is not None:
        draft.take_place()
    else:
        store.apply(update)


def _begun(indexes: "TableIndexes | None") -> Sequence[bool]:
    return [] if indexes is None else [index.is_begun for index in indexes.attached.values()]
