"""Snapshots that the log orders: of what a TRUNCATE or DROP takes away. They are taken beside requests, later.

The record of the removal comes with one that orders the snapshot (records.SnapshotOrder), and TRUNCATE is answered then:
what the table had is in the log, and in SSTables that nobody removes yet. Of a memtable an SSTable is made in the snapshot's
folder, SSTables are linked there. What is written for many snapshots is made durable at once: files first, then the names
of their manifests, so that a manifest says that all else is there. Last comes a record that says so; when that is durable,
the log and the SSTables are free.

A start takes those that are ordered, and neither there nor said to be (`take_now`): storage/commitlog/replay.py gives it the
rows again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from storage.background import Background, Lane, Task
from storage.commitlog.format import POSITION_SHIFT, CommitLogPosition
from storage.commitlog.log import CommitLog
from storage.commitlog.records import SnapshotOrder, kept_record
from storage.environment.environment import Disk
from storage.environment.gathered import GatheredSyncs
from storage.environment.strands import beside, let_go_piecewise, undisturbed
from storage.files import snapshots
from storage.files.flush import write_memtable
from storage.files.folders import DataFolders
from storage.files.table_files import TableFiles
from storage.memtable.memtable import Memtable
from storage.memtable.packed import Layouts
from storage.schema.metadata import TableMetadata
from storage.sstable.constants import Version
from storage.sstable.descriptor import Descriptor, next_generation
from storage.sstable.reader import SSTableReader
from storage.sstable.writer import SSTableWriter, WriterOptions

log = logging.getLogger("cqlserver.snapshots")

TOGETHER_MAX: Final = 256
"""So many are made durable at once."""
WAITING_MAX: Final = 4_096
WAITING_BYTES_MAX: Final = 64 << 20
"""So many, and so much of memtables, may wait: then a TRUNCATE does, too."""
SHORT_BYTES: Final = 64 << 10
"""A memtable of no more is written in one piece: half a millisecond."""


@dataclass(eq=False, slots=True)
class OrderedSnapshot:
    """Of one table as it was. `memtables`: what of it is in no SSTable, the newest first; the log has it from `lower` on.
    `files`: where the SSTables come from; None where there are none."""

    order: SnapshotOrder
    table: TableMetadata
    layouts: Layouts
    memtables: Sequence[Memtable]
    readers: Sequence[SSTableReader]
    files: TableFiles | None
    lower: CommitLogPosition
    kept_at: CommitLogPosition | None = None
    """Behind the record that says that it is there."""
    on_kept: Callable[[], None] = lambda: None
    """Called when that is written."""

    @property
    def bytes(self) -> int:
        return sum(memtable.live_bytes for memtable in self.memtables)


class OrderedSnapshots:
    """See the module."""

    def __init__(
        self,
        disk: Disk,
        folders: DataFolders,
        commit_log: CommitLog,
        background: Background,
        version: Version,
        host_id: Callable[[], UUID | None],
    ) -> None:
        self._disk, self._folders, self._commit_log, self._background = disk, folders, commit_log, background
        self._version, self._host_id = version, host_id
        self._waiting: list[OrderedSnapshot] = []
        self._kept: list[OrderedSnapshot] = []  # but the record of it may not be durable
        self._taken: list[OrderedSnapshot] = []  # by a replay
        self._task: Task | None = None
        self.last_ms = 0
        """What the newest was named after."""

    def add(self, snapshot: OrderedSnapshot) -> None:
        """It has to be taken; what orders it is on its way into the log."""
        self._waiting.append(snapshot)
        self.begin()

    def begin(self) -> None:
        """Has those that wait taken, where nobody is at it: after a failure."""
        if self._waiting and self.task is None and self._commit_log.failure is None:
            self._task = self._background.add(Task(Lane.SNAPSHOT, "Snapshot", str(self._waiting[0].table), self._run))

    def begin_anew(self) -> bool:
        """The same where everything in the background was given up; whether there is anything to take."""
        self._task = None
        self.begin()
        return self._task is not None

    @property
    def task(self) -> Task | None:
        """What takes those that wait just now."""
        return self._task if self._task is not None and not self._task.has_ended else None

    @property
    def bytes(self) -> int:
        """What the memtables take that are not written yet."""
        return sum(snapshot.bytes for snapshot in self._waiting)

    @property
    def is_behind(self) -> bool:
        """So many wait that more should not come."""
        return len(self._waiting) >= WAITING_MAX or self.bytes >= WAITING_BYTES_MAX

    @property
    def needed_from(self) -> list[CommitLogPosition]:
        """From where on the log is needed, by each whose record is not durable."""
        synced = self._commit_log.synced_position
        self._kept = [one for one in self._kept if one.kept_at is not None and one.kept_at > synced]
        return [one.lower for one in (*self._waiting, *self._kept)]

    @property
    def are_taken(self) -> bool:
        return not self._waiting

    def is_kept(self, snapshot: OrderedSnapshot) -> bool:
        """Whether it is there whatever happens: what it was made of may go."""
        return snapshot.kept_at is not None and self._commit_log.synced_position >= snapshot.kept_at

    def is_there(self, order: SnapshotOrder) -> bool:
        folder = self._folders.maybe_folder(order.table_id)
        return folder is not None and snapshots.has_snapshot(self._disk, folder, order.name)

    # --- taking ----------------------------------------------------------------------------------------------------

    def _run(self, task: Task) -> None:
        try:
            while self._waiting:
                self._take(self._waiting[:TOGETHER_MAX], task)
                task.point()
        except OSError as error:
            log.error("snapshots can't be taken (%s): what they are to hold stays in the commit log", error)
            raise

    def _take(self, together: Sequence[OrderedSnapshot], task: Task) -> None:
        gathered = GatheredSyncs(self._disk)
        folders = []
        for snapshot in together:
            folders.append(self._write(snapshot, gathered, task))
            task.point()
        beside(gathered.sync)
        for folder in folders:
            snapshots.put_manifest_in_place(gathered, folder)
        beside(gathered.sync)
        commit_log = self._commit_log
        # whoever gathers also writes, and has to know whether that failed
        task.wait(lambda: not commit_log.gathered, commit_log.write)
        self._tell_kept(together)

    def _tell_kept(self, taken: Sequence[OrderedSnapshot]) -> None:
        commit_log = self._commit_log
        for snapshot in taken:
            commit_log.append(kept_record(snapshot.order))
        commit_log.write()
        for snapshot in taken:
            snapshot.kept_at = commit_log.written_position
            snapshot.on_kept()
            for memtable in snapshot.memtables:
                let_go_piecewise(memtable.pieces())
            snapshot.memtables = ()
        self._waiting = [snapshot for snapshot in self._waiting if snapshot.kept_at is None]
        self._kept += taken

    def _write(self, snapshot: OrderedSnapshot, disk: GatheredSyncs, task: Task) -> str:
        """All of it but that it is there; its folder."""
        files = snapshot.files
        if files is not None:
            task.wait(lambda: files.exchange is None, lambda: None)
        folder = f"{self._folders.name(snapshot.table)}/{snapshots.SNAPSHOTS}/{snapshot.order.name}"
        snapshots.remove(self._disk, folder)
        disk.mkdirs(folder)
        self._folders.add(snapshot.table)
        names = []
        for reader in snapshot.readers:
            snapshots.link(disk, reader, folder)
            names.append(reader.descriptor.file_name(""))
        generation = next_generation([f"{name}Data.db" for name in names])
        for number, memtable in enumerate(reversed(snapshot.memtables), generation):
            descriptor = Descriptor(self._version, number)
            if memtable.live_bytes > SHORT_BYTES:
                is_any = self._write_memtable(snapshot, memtable, descriptor, folder, disk, task)
            else:
                write = lambda m=memtable, d=descriptor: self._write_memtable(snapshot, m, d, folder, disk, task)  # noqa: E731
                is_any = undisturbed(write)
            if is_any:
                names.append(descriptor.file_name(""))
        order = snapshot.order
        snapshots.write_texts(disk, folder, order.cql, snapshots.manifest(names, order.created_ms, order.expires_ms))
        return folder

    def _write_memtable(
        self,
        snapshot: OrderedSnapshot,
        memtable: Memtable,
        descriptor: Descriptor,
        folder: str,
        disk: GatheredSyncs,
        task: Task,
    ) -> bool:
        """Whether there was anything to keep."""
        while not memtable.place_keys():
            task.point()
        interval = divmod(snapshot.lower, 1 << POSITION_SHIFT), divmod(snapshot.order.position, 1 << POSITION_SHIFT)
        options = WriterOptions(len(memtable), originating_host=self._host_id(), commit_log_intervals=(interval,))
        table, layouts = snapshot.table, snapshot.layouts
        writer = SSTableWriter(disk, folder, descriptor, table, layouts, options)
        write_memtable(writer, memtable, table, layouts, task, lambda: True)
        if writer.partition_count:
            writer.finish()
            return True
        writer.abort()
        return False

    # --- at a start ------------------------------------------------------------------------------------------------

    def take_now(self, snapshot: OrderedSnapshot) -> None:
        """Of what a replay has brought back. Raises OSError."""
        gathered = GatheredSyncs(self._disk)
        folder = self._write(snapshot, gathered, Task(Lane.SNAPSHOT, "Snapshot", str(snapshot.table), lambda task: None))
        gathered.sync()
        snapshots.put_manifest_in_place(gathered, folder)
        gathered.sync()
        self._taken.append(snapshot)
        log.info("Took the snapshot %s of %s, which was ordered before", snapshot.order.name, snapshot.table)

    def replayed(self) -> None:
        """The log takes records again."""
        if self._taken:
            self._tell_kept(self._taken)


__all__ = ["OrderedSnapshot", "OrderedSnapshots"]
