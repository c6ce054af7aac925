"""The indexes of one table, at work: what a write changes in them, and how they come to hold what was there before them.

`changes(update)` is asked before the update is applied, with no pause in between (how a large one is, says derived.py): it
compares each row as the memtable has it with what the row becomes. That the memtable may not have all of the row does not
matter: entries that nobody removed are stale, and readers see that they are.

An index that was made on a table with rows has to be built. Whoever needs it does so, in steps: the statement that makes it
and every read that goes through it before it is done. Meanwhile writes are followed as always, so where the build has got
to does not matter to them.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from storage.environment.strands import paused
from storage.indexes.attached import AttachedIndex, Change
from storage.indexes.local import LocalIndex
from storage.memtable.memtable import SingleRow, StoredPartition
from storage.memtable.packed import StoredRow
from storage.merged import SourcePartition
from storage.mutation import LIVE, PartitionUpdate, Row
from storage.reconcile import merge_rows, uncovered_row

if TYPE_CHECKING:
    from storage.reads import TableStore

NO_EXPIRY_S: Final = -(1 << 62)
"""A time at which nothing has expired."""
BUILD_STEP_ROWS: Final = 64
"""Rows looked at between two steps: two milliseconds or so."""
Apply = Callable[[Sequence[PartitionUpdate]], None]
Changes = dict[bytes, dict[bytes, Row]]


class TableIndexes:
    """See the module. By the index's name `local`: those of the built-in kind, with the stores of their hidden tables, and
    `attached`."""

    __slots__ = ("_begins", "_builds", "_store", "attached", "local")

    def __init__(
        self, store: "TableStore", local: dict[str, tuple[LocalIndex, "TableStore"]], attached: dict[str, AttachedIndex]
    ) -> None:
        self._store, self.local, self.attached = store, local, attached
        self._builds: dict[str, Iterator[bool]] = {}
        self._begins: dict[str, Callable[[], Iterator[bool]]] = {}

    # -- writing ------------------------------------------------------------------------------------------------------

    def changes(self, update: PartitionUpdate, now_s: int) -> tuple[list[PartitionUpdate], list[Change]]:
        """What the update, once applied, changes in the hidden tables, and in attached indexes. Raises InvalidRequest."""
        store = self._store
        found: StoredPartition | SourcePartition | None
        found = store.maybe_stored(update.key) if store.flushed else store.memtable.get(update.key)
        by_index: list[tuple[LocalIndex, Changes]] = [(index, {}) for index, _ in self.local.values()]
        attached: list[Change] = []
        if update.static is not None:
            before = None if found is None or isinstance(found, bytes | SingleRow) else found.static
            self._follow(by_index, attached, update.key, b"", (before, update.static), now_s, is_static=True)
        for ck, row in paused(update.rows.items()):
            self._follow(by_index, attached, update.key, ck, (self._stored(found, ck), row), now_s, is_static=False)
        return [made for index, changes in by_index for made in index.updates(changes)], attached

    def _stored(self, found: StoredPartition | SourcePartition | None, ck: bytes) -> Row | None:
        row = stored_row(found, ck)
        return None if row is None else self._store.layouts.explode(row)

    def _follow(
        self,
        by_index: Sequence[tuple[LocalIndex, Changes]],
        attached: list[Change],
        key: bytes,
        ck: bytes,
        rows: tuple[Row | None, Row],
        now_s: int,
        is_static: bool,
    ) -> None:
        before, written = rows
        after = uncovered_row(written) if before is None else merge_rows(before, written, LIVE, self._store.resolve)
        for index, changes in by_index:
            if index.holds(is_static):
                index.add_changes(changes, key, ck, (before, after), now_s)
        for other in self.attached.values():
            if other.is_begun and other.holds(is_static):
                attached.append(other.change(key, ck, (before, after)))

    def reset(self) -> None:
        """The table has other rows at once; hidden tables have theirs by the same way."""
        for index in self.attached.values():
            index.reset()
        self._builds = {name: begin() for name, begin in self._begins.items() if name in self._builds}

    # -- building -----------------------------------------------------------------------------------------------------

    @property
    def unbuilt(self) -> list[str]:
        wanted = (name for name, index in self.attached.items() if not index.is_built and not index.is_let_go)
        return [*self._builds, *wanted]

    def begin_build(self, name: str, apply: Apply, done: Callable[[], None], now_s: int) -> None:
        """From now on the index is one that has to be built. `apply` logs and applies entries."""
        self._begins[name] = partial(self._build, self.local[name][0], apply, done, now_s)
        self._builds[name] = self._begins[name]()

    def take_builds(self, before: "TableIndexes") -> None:
        """Those of indexes that are still there, when a change of the table made these of `before`."""
        self._builds = {name: build for name, build in before._builds.items() if name in self.local}
        self._begins = {name: begin for name, begin in before._begins.items() if name in self.local}
        for name, index in before.attached.items():
            made = self.attached.get(name)
            if made is not None and index.is_built:
                made.postings, made.is_begun, made.is_built = index.postings, True, True
            elif made is not None:
                made.is_let_go = index.is_let_go

    def build_step(self, name: str) -> bool:
        """A step of building the index; whether it is built."""
        build = self._builds.get(name)
        if build is None:
            attached = self.attached.get(name)
            if attached is None or attached.is_built or attached.is_let_go:
                return True
            attached.is_begun = True
            build = self._builds[name] = self._attach(attached)
        if next(build, True):
            self._builds.pop(name, None)
            self._begins.pop(name, None)
            return True
        return False

    def _attach(self, index: AttachedIndex) -> Iterator[bool]:
        """Gives False after each step of filling an attached index."""
        while not self._store.prepare_scan():
            yield False
        explode = self._store.layouts.explode
        work = 0
        for view in self._store.scan(NO_EXPIRY_S):
            if view.static is not None and index.holds(True):
                index.apply(view.key, b"", (), index.terms(view.key, view.static))
            if index.holds(False):
                for cks, rows in view.chunks():
                    for ck, row in zip(cks, rows, strict=True):
                        index.apply(view.key, ck, (), index.terms(view.key, explode(row)))
                    work += len(rows)
                    if index.is_let_go:
                        return
                    if work >= BUILD_STEP_ROWS:
                        work = 0
                        yield False
            work += 1
            if work >= BUILD_STEP_ROWS:
                work = 0
                yield False
        index.is_built = True

    def _build(self, index: LocalIndex, apply: Apply, done: Callable[[], None], now_s: int) -> Iterator[bool]:
        """Gives False after each step."""
        while not self._store.prepare_scan():
            yield False
        work = 0
        for view in self._store.scan(now_s):
            changes: Changes = {}
            if view.static is not None and index.holds(True):
                index.add_changes(changes, view.key, b"", (None, view.static), now_s)
            if index.holds(False):
                for cks, rows in view.chunks():
                    for ck, row in zip(cks, rows, strict=True):
                        after = self._store.layouts.explode(row)
                        index.add_changes(changes, view.key, ck, (None, after), now_s)
                    work += len(rows)
                    if work >= BUILD_STEP_ROWS:
                        apply(index.updates(changes))
                        changes, work = {}, 0
                        yield False
            apply(index.updates(changes))
            work += 1
            if work >= BUILD_STEP_ROWS:
                work = 0
                yield False
        done()


def stored_row(found: StoredPartition | SourcePartition | None, ck: bytes) -> StoredRow | None:
    """A row as it is stored, dead or alive."""
    if found is None:
        return None
    if isinstance(found, bytes):
        return found[2 + len(ck) :] if found.startswith(ck, 2) else None
    if isinstance(found, SingleRow):
        return found.row if found.ck == ck else None
    return found.get(ck)
