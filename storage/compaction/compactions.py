"""When tables are compacted: after a flush and from time to time, if their strategy says so, and on command."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from uuid import UUID

from protocol.types import VectorType
from storage.background import Background, Lane, Task
from storage.compaction.choices import Choice, Situation, class_name, total_bytes
from storage.compaction.compaction import USUAL, Apart, Compacted, Compaction, Rules
from storage.compaction.leveled import LEVELS, is_of_high_levels
from storage.compaction.strategies import LEVELED, UNIFIED, major, next_to_compact, together
from storage.compaction.unified import shards_of
from storage.compaction.verifying import VerifyOptions, verify_table
from storage.environment.environment import Environment, TimeUuidSource
from storage.files.table_files import TableFiles
from storage.indexes.target import maybe_target
from storage.memtable.memtable import Position
from storage.schema.metadata import IndexMetadata, TableMetadata
from storage.sstable.compression import maybe_params
from storage.sstable.reader import SSTableReader

FLUSH_WEIGHT: Final = 0.0046
"""Of the latest flush in the average of what a flush writes (utils/ExpMovingAverage.decayBy1000)."""
_MIB: Final = 1 << 20

Choose = Callable[[TableFiles], Sequence[Choice[SSTableReader]]]


class Compactions:
    """Those of one node. `are_automatic` may be switched off, for all tables or, in `not_automatic`, for some (nodetool
    disableautocompaction). `bytes_per_s`: how fast they may read (compaction_throughput), 0 as fast as they can;
    `on_compacted` is told of each that is done; `thresholds` are set by table (nodetool setcompactionthreshold)."""

    def __init__(
        self,
        environment: Environment,
        background: Background,
        bytes_per_s: int,
        host_id: Callable[[], UUID | None],
    ) -> None:
        self._host_id = host_id
        self._disk, self._clock, self._background = environment.disk, environment.clock, background
        self._new_id = TimeUuidSource(environment.clock, environment.rng.fork("compactions")).timeuuid
        self.are_automatic = True
        self.not_automatic: set[UUID] = set()
        self.bytes_per_s = bytes_per_s
        self.on_compacted: Callable[[Compacted], None] = lambda compacted: None
        self.thresholds: dict[UUID, tuple[int, int]] = {}
        self._flush_bytes: dict[UUID, float] = {}
        self._told_flush_bytes: dict[UUID, int] = {}
        self._passed_by: dict[UUID, Counter[int]] = {}  # by table, see Situation

    def flushed(self, files: TableFiles, readers: Sequence[SSTableReader]) -> None:
        """A table has new SSTables."""
        size = total_bytes(readers)
        before = self._flush_bytes.get(files.store.table.id, size)
        self._flush_bytes[files.store.table.id] = before + FLUSH_WEIGHT * (size - before)
        self.consider(files)

    def flush_shards(self, table: TableMetadata) -> int:
        """At how many pieces of the ring the SSTables of a flush are cut."""
        options = table.params.compaction
        if class_name(options) != UNIFIED or any(_is_of_vectors(table, index) for index in table.indexes.values()):
            return 1
        return shards_of(self._flush_bytes.get(table.id, 0.0), options)

    def consider(self, files: TableFiles) -> None:
        """The SSTables of a table have changed, or what its strategy is, or some time has gone by."""
        now_s = self._clock.monotonic()
        for reader in files.readers:
            reader.note_reads(now_s)
        if self._may_begin(files) and not self._is_planned(files) and self._next(files):
            self._add(files, "Compaction", self._taken)

    def compact(self, tables: Iterable[TableFiles], splits: bool = False) -> list[Task]:
        """All SSTables of each together (a major compaction). `splits`: into several where the strategy makes one."""

        def choose(files: TableFiles) -> Sequence[Choice[SSTableReader]]:
            groups = repair_groups(files.readers)
            return [choice for readers in groups for choice in major(readers, self._situation(files), splits)]

        return self._on_command(tables, "Major compaction", choose)

    def compact_these(self, files: TableFiles, readers: Sequence[SSTableReader]) -> Task:
        """Those together, whatever the strategy says (a user-defined compaction)."""
        return self.compact_such(files, readers.__contains__)

    def compact_such(self, files: TableFiles, is_wanted: Callable[[SSTableReader], bool]) -> Task:
        """The same, of all that are there when it begins."""

        def choose(files: TableFiles) -> Sequence[Choice[SSTableReader]]:
            readers = [reader for reader in files.readers if is_wanted(reader)]
            return [together(readers, files.store.table.params.compaction)] if readers else ()

        return self._add(files, "Compaction", choose)

    def verify(self, tables: Iterable[TableFiles], options: VerifyOptions) -> list[Task]:
        """Looks whether their SSTables are whole: a task fails where one is not."""
        return [self._add_verification(files, options) for files in tables]

    def _add_verification(self, files: TableFiles, options: VerifyOptions) -> Task:
        def run(task: Task) -> None:
            task.id = str(self._new_id())
            verify_table(self._disk, files, options, task)

        return self._background.add(Task(Lane.COMPACTION, "Verify", str(files.store.table), run))

    def upgrade(
        self, tables: Iterable[TableFiles], includes_current: bool = False, before_ms: int | None = None
    ) -> list[Task]:
        """Writes those again that are of another version than what is written now; of them those made before a time."""

        def choose(files: TableFiles) -> Sequence[Choice[SSTableReader]]:
            found = [r for r in files.readers if includes_current or r.descriptor.version != files.version]
            return _each([reader for reader in found if before_ms is None or reader.created_ms < before_ms])

        return self._on_command(tables, "Upgrade sstables", choose, Rules(purges=False))

    def recompress(self, tables: Iterable[TableFiles]) -> list[Task]:
        """Writes those again that are compressed otherwise than their table wants it now."""

        def choose(files: TableFiles) -> Sequence[Choice[SSTableReader]]:
            wanted = maybe_params(files.store.table.params.compression)
            return _each([reader for reader in files.readers if reader.compression != wanted])

        return self._on_command(tables, "Upgrade sstables", choose, Rules(purges=False))

    def scrub(self, tables: Iterable[TableFiles], skips_counters: bool = False, validates: bool = True) -> list[Task]:
        """Writes each again, without the partitions that can't be read (`validates`: or have what are no values of their
        types); a table of counters, which would count too little then, only if that is wanted. Where an index can't be read
        Data.db is enough."""

        def choose(files: TableFiles) -> Sequence[Choice[SSTableReader]]:
            files.do_without_index()
            return _each(files.readers)

        tasks: list[Task] = []
        for files in tables:
            skips_damaged = skips_counters or not files.store.table.is_counter
            rules = Rules(purges=False, skips_damaged=skips_damaged, validates=validates)
            tasks += self._on_command([files], "Scrub", choose, rules, files.has_damaged)
        return tasks

    def open_by_data(self, tables: Iterable[TableFiles]) -> list[Task]:
        """What of their SSTables could not be opened is read by Data.db alone."""

        def opening(files: TableFiles) -> Task:
            return Task(Lane.COMPACTION, "Scrub", str(files.store.table), lambda task: files.open_by_data())

        return [self._background.add(opening(files)) for files in tables if files.has_damaged]

    def clean_up(self, tables: Iterable[TableFiles], ranges: Sequence[tuple[Position, Position]]) -> list[Task]:
        """Writes those again, without what is in none of the ranges (first and last position), that have something there."""

        def choose(files: TableFiles) -> Sequence[Choice[SSTableReader]]:
            return _each([r for r in files.readers if not _is_within(r, ranges)])

        return self._on_command(tables, "Cleanup", choose, Rules(ranges=tuple(ranges)))

    def set_apart(self, files: TableFiles, apart: Apart) -> Task:
        """Anticompaction: of what was never repaired, what lies in a session's ranges comes into SSTables of its own. Those
        that lie there wholly are marked, not written again."""

        def choose(files: TableFiles) -> Sequence[Choice[SSTableReader]]:
            found = [r for r in files.readers if not r.repaired_at_ms and r.pending_repair is None]
            for reader in found:
                if apart.has_all_of(reader):
                    reader.mark(self._disk, 0, apart.session_id)
            return _each([r for r in found if r.pending_repair is None and apart.has_some_of(r)])

        return self._add(files, "Anticompaction", choose, Rules(purges=False, apart=apart))

    def end_session(self, files: TableFiles, session_id: UUID, repaired_at_ms: int) -> Task:
        """What was set apart for a session is repaired, or, where that is 0, it is as it was before."""

        def mark(task: Task) -> None:
            for reader in files.readers:
                if reader.pending_repair == session_id:
                    reader.mark(self._disk, repaired_at_ms, None)
            self.consider(files)

        return self._background.add(Task(Lane.COMPACTION, "Mark repaired", str(files.store.table), mark))

    def collect_garbage(self, tables: Iterable[TableFiles], by_cells: bool = False) -> list[Task]:
        """Writes each again, without what is deleted in others (`by_cells`: or overwritten), the oldest data first."""

        def choose(files: TableFiles) -> Sequence[Choice[SSTableReader]]:
            return _each(sorted(files.readers, key=lambda reader: reader.max_timestamp_us))

        return self._on_command(tables, "Remove deleted data", choose, Rules(removes_covered=True, by_cells=by_cells))

    def _on_command(
        self, tables: Iterable[TableFiles], kind: str, choose: Choose, rules: Rules = USUAL, even_if_none: bool = False
    ) -> list[Task]:
        found = [files for files in tables if (files.readers or even_if_none) and not files.is_stuck]
        return [self._add(files, kind, choose, rules) for files in found]

    def _add(self, files: TableFiles, kind: str, choose: Choose, rules: Rules = USUAL) -> Task:
        def run(task: Task) -> None:
            for choice in _unmixed(choose(files)):
                if all(reader in files.readers for reader in choice.inputs):
                    own = self._rules(files, choice) if rules is USUAL else rules
                    now_s, pace = self._clock.now_s(), _Pace(self).pace
                    compaction = Compaction(
                        self._disk, files, choice, now_s, self._new_id(), self._host_id(), kind, own, pace
                    )
                    done = compaction.run(task)
                    if done is not None:
                        self.on_compacted(done)
            self.consider(files)

        return self._background.add(Task(Lane.COMPACTION, kind, str(files.store.table), run))

    def _rules(self, files: TableFiles, choice: Choice[SSTableReader]) -> Rules:
        """A table may want that each of its compactions looks for deletions elsewhere (provide_overlapping_tombstones)."""
        wanted = files.store.table.params.compaction.get("provide_overlapping_tombstones", "NONE").upper()
        return Rules(removes_covered=wanted != "NONE", by_cells=wanted == "CELL")

    def _may_begin(self, files: TableFiles) -> bool:
        return self.are_automatic and not files.is_stuck and files.store.table.id not in self.not_automatic

    def _is_planned(self, files: TableFiles) -> bool:
        table = str(files.store.table)
        waiting = self._background.waiting(Lane.COMPACTION)
        return any(task.kind == "Compaction" and task.subject == table for task in waiting)

    def _next(self, files: TableFiles) -> Sequence[Choice[SSTableReader]]:
        if not self._may_begin(files):
            return ()
        for readers in repair_groups(files.readers):
            choice = next_to_compact(readers, self._situation(files))
            if choice is not None:
                return (choice,)
        return ()

    def _taken(self, files: TableFiles) -> Sequence[Choice[SSTableReader]]:
        """The same; it is compacted now."""
        choices = self._next(files)
        for choice in choices:
            if class_name(files.store.table.params.compaction) == LEVELED and is_of_high_levels(choice):
                passed_by = self._passed_by.setdefault(files.store.table.id, Counter())
                passed_by.update(range(1, LEVELS))
                passed_by[choice.level] = 0
        return choices

    def _situation(self, files: TableFiles) -> Situation:
        table = files.store.table
        now_s = self._clock.now_s()
        flush_bytes = self._flush_bytes_told(table.id)
        options = table.params.compaction
        if table.id in self.thresholds:
            least, most = self.thresholds[table.id]
            options = {**options, "min_threshold": str(least), "max_threshold": str(most)}
        passed_by = self._passed_by.get(table.id, Counter())
        return Situation(options, 1000 * now_s, now_s - table.params.gc_grace_seconds, flush_bytes, passed_by)

    def _flush_bytes_told(self, table_id: UUID) -> int:
        """What a flush writes, in whole MiB; it stays what it was until it is half off (Controller.getFlushSizeBytes)."""
        told, found = self._told_flush_bytes.get(table_id, 0), self._flush_bytes.get(table_id, 0.0)
        if found and abs(1 - told / found) > 0.5:
            told = self._told_flush_bytes[table_id] = math.ceil(found / _MIB) * _MIB
        return told

    @property
    def monotonic(self) -> Callable[[], float]:
        return self._clock.monotonic


def _is_of_vectors(table: TableMetadata, index: IndexMetadata) -> bool:
    target = maybe_target(table, index)
    return target is not None and isinstance(target.column.type, VectorType)


class _Pace:
    """Of one compaction: what it has read so far was allowed from its begin on."""

    def __init__(self, compactions: Compactions) -> None:
        self._compactions, self._clock = compactions, compactions.monotonic
        self._seen, self._due_s = 0, self._clock()

    def pace(self, task: Task, done: int) -> None:
        rate = self._compactions.bytes_per_s
        if rate <= 0 or done == self._seen:
            return
        self._due_s = max(self._due_s, self._clock() - 1) + (done - self._seen) / rate
        self._seen = done
        if self._clock() < self._due_s and not task.is_hurried:
            due_s = self._due_s
            task.wait(lambda: self._clock() >= due_s, lambda: None)


def repair_groups(readers: Sequence[SSTableReader]) -> list[list[SSTableReader]]:
    """What was repaired, what was not, and what a repair has set apart, by session: these are never compacted together."""
    groups: dict[tuple[bool, UUID | None], list[SSTableReader]] = {}
    for reader in readers:
        groups.setdefault((reader.repaired_at_ms > 0, reader.pending_repair), []).append(reader)
    return list(groups.values())


def _unmixed(choices: Sequence[Choice[SSTableReader]]) -> list[Choice[SSTableReader]]:
    return [choice._replace(inputs=group) for choice in choices for group in repair_groups(choice.inputs)]


def _each(readers: Iterable[SSTableReader]) -> list[Choice[SSTableReader]]:
    """Each by itself, its level kept."""
    return [Choice([reader], reader.level) for reader in readers]


def _is_within(reader: SSTableReader, ranges: Sequence[tuple[Position, Position]]) -> bool:
    return any(first <= reader.first_position and reader.last_position <= last for first, last in ranges)
