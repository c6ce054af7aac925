"""SSTables from elsewhere that become tables' own: all of an adoption, or none of it.

They get numbers of their own in the tables' folders, as links where that goes; only Statistics.db is written anew: whose log
they speak of, and up to where they have it. Which they are stands in a file before any of them is there:

    DIR/adoptions/<id>    a line an SSTable: how its files begin, from DIR/data on

What decides is a record of the log with that id. A start that finds the file looks for the record: without it the SSTables
go. The file goes when the record is durable; until then the log is kept.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from storage.background import Background, Lane, Task
from storage.commitlog.format import CommitLogPosition
from storage.commitlog.log import CommitLog
from storage.commitlog.records import adopted_record
from storage.environment.environment import Disk
from storage.environment.gathered import GatheredSyncs
from storage.environment.strands import beside
from storage.files.transaction import remove_files
from storage.sstable import statistics
from storage.sstable.constants import STATISTICS
from storage.sstable.descriptor import Descriptor
from storage.sstable.reader import components_of
from storage.sstable.statistics import LogPosition

FOLDER: Final = "adoptions"
COPY_BYTES: Final = 1 << 20


class Adopted(NamedTuple):
    """One SSTable: the folder that it is in, and `folder` (of a table of ours) in which it is to be `made`. `level` and
    `repaired_at_ms` None: as it says."""

    source: str
    descriptor: Descriptor
    folder: str
    made: Descriptor
    level: int | None = None
    repaired_at_ms: int | None = None


@dataclass(eq=False, slots=True)
class Adoption:
    """`end`: up to where its SSTables have the log."""

    id: UUID
    end: LogPosition
    sstables: Sequence[Adopted]
    at: CommitLogPosition = field(default=CommitLogPosition(0))
    """Where its record is, when it has one."""


class Adoptions:
    """Of the data folder `root`; tables' folders are in `data`."""

    def __init__(self, disk: Disk, root: str, data: str, commit_log: CommitLog, background: Background) -> None:
        self._disk, self._folder, self._data = disk, f"{root}/{FOLDER}", data
        self._commit_log, self._background = commit_log, background
        self._unsettled: list[Adoption] = []
        self.tasks: list[Task] = []
        """What waits for the records of adoptions to be durable."""

    def prepare(self, adoption: Adoption, host_id: UUID | None, copies: bool = False) -> None:
        """Puts its SSTables where they are to be, durably; they do not count yet. `copies`: no links. May run beside the
        loop. Raises OSError, CorruptionError; then nothing of it is left."""
        disk = self._disk
        disk.mkdirs(self._folder)
        lines = [f"{one.folder}/{one.made.file_name('')}\n".removeprefix(f"{self._data}/") for one in adoption.sstables]
        disk.write_file_atomically(self._path(adoption), "".join(lines).encode())
        try:
            gathered = GatheredSyncs(disk)
            for one in adoption.sstables:
                self._place(one, adoption.end, host_id, gathered, copies)
            gathered.sync()
        except BaseException:
            with suppress(OSError):  # the next start does it
                self.abandon(adoption)
            raise

    def _place(
        self, one: Adopted, end: LogPosition, host_id: UUID | None, disk: GatheredSyncs, copies: bool
    ) -> None:
        disk.mkdirs(one.folder)
        for component in components_of(self._disk, one.source, one.descriptor):
            old = f"{one.source}/{one.descriptor.file_name(component)}"
            new = f"{one.folder}/{one.made.file_name(component)}"
            if component == STATISTICS:
                self._write(disk, new, self._restamped(one, old, end, host_id))
            elif copies:
                self._copy(disk, old, new)
            else:
                try:
                    disk.link(old, new)
                except (FileNotFoundError, FileExistsError):
                    raise
                except OSError:  # another file system
                    self._copy(disk, old, new)

    def _restamped(self, one: Adopted, path: str, end: LogPosition, host_id: UUID | None) -> bytes:
        version = one.descriptor.version
        found = statistics.decode(self._disk.read_file(path), version, path)
        stats = found.stats._replace(originating_host=host_id, commit_log_intervals=((end, end),))
        if one.level is not None:
            stats = stats._replace(level=one.level)
        if one.repaired_at_ms is not None:
            stats = stats._replace(repaired_at_ms=one.repaired_at_ms, pending_repair=None, is_transient=False)
        return statistics.encode(found._replace(stats=stats), version)

    def _write(self, disk: GatheredSyncs, path: str, data: bytes) -> None:
        file = disk.open_append(path)
        try:
            file.write(data)
        finally:
            file.close()

    def _copy(self, disk: GatheredSyncs, old: str, new: str) -> None:
        source = self._disk.open_read(old)
        try:
            file = disk.open_append(new)
            try:
                for at in range(0, source.size, COPY_BYTES):
                    file.write(source.pread(at, COPY_BYTES))
            finally:
                file.close()
        finally:
            source.close()

    def abandon(self, adoption: Adoption) -> None:
        """Nothing of it is to be left. Raises OSError."""
        for one in adoption.sstables:
            self._remove(one.folder, one.made.file_name(""))
        self._forget(self._path(adoption))

    def _remove(self, folder: str, prefix: str) -> None:
        if self._disk.exists(folder):
            remove_files(self._disk, folder, [prefix])

    def decide(self, adoption: Adoption) -> None:
        """Its record is gathered with what else is: from here on its SSTables count."""
        self._commit_log.append(adopted_record(adoption.id))
        adoption.at = self._commit_log.written_position
        self._unsettled.append(adoption)
        task = Task(Lane.REMOVAL, "Adopt", "SSTables", lambda task: self._settle(adoption, task))
        self.tasks = [*(one for one in self.tasks if not one.has_ended), self._background.add(task)]

    def _settle(self, adoption: Adoption, task: Task) -> None:
        commit_log = self._commit_log
        commit_log.is_sync_wanted = True
        task.wait(lambda: commit_log.synced_position > adoption.at, self._sync_log)
        beside(lambda: self._forget(self._path(adoption)))
        self._unsettled.remove(adoption)

    def _sync_log(self) -> None:
        self._commit_log.write()
        self._commit_log.sync()

    @property
    def needed_from(self) -> list[CommitLogPosition]:
        """From where on the log is needed, by each whose record may not be durable."""
        return [adoption.at for adoption in self._unsettled]

    def settle(self, decided: Collection[UUID]) -> None:
        """At a start: those that the log has a record of count, of others nothing is left. Raises OSError."""
        for name in self._disk.list(self._folder):
            path = f"{self._folder}/{name}"
            if not _is_id(name) or UUID(name) not in decided:
                for line in self._disk.read_file(path).decode().splitlines():
                    folder, _, prefix = line.rpartition("/")
                    self._remove(f"{self._data}/{folder}", prefix)
            self._forget(path)

    def _path(self, adoption: Adoption) -> str:
        return f"{self._folder}/{adoption.id}"

    def _forget(self, path: str) -> None:
        """Durably: the log may forget it then, too."""
        if self._disk.exists(path):
            self._disk.unlink(path)
        self._disk.sync_folder(self._folder)


def _is_id(name: str) -> bool:
    try:
        return bool(UUID(name))
    except ValueError:
        return False
