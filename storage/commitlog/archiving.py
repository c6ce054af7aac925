"""Segments of the commit log are archived by a command of the user's, and brought back by another
(db/commitlog/CommitLogArchiver.java; commitlog_archiving.properties).

A segment is archived once it is full and synced; what is needed no more is removed after that. What a start finds is
archived before it is read (an `ln` that finds its link made already has failed, and is told only). At a drain the last
segment is, too.
A command that fails is told and run again later; until then its segment stays on the disk.

Invariant: no segment that this process has written is removed before its command has succeeded.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from protocol.errors import StorageError
from storage.background import Background, Lane, Task
from storage.commitlog.format import is_foreign_segment, maybe_segment_id, segment_file_name, segment_predecessor
from storage.commitlog.losses import load_losses
from storage.commitlog.recovery import RecordHandler
from storage.commitlog.restore_point import RestorePoint
from storage.environment.environment import Environment
from storage.environment.strands import beside

log = logging.getLogger("cqlserver.commitlog")

RETRY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class ArchivingOptions:
    """`archive_command` has %path and %name, `restore_command` %from and %to; empty: nothing is done."""

    archive_command: str = ""
    restore_command: str = ""
    restore_folders: tuple[str, ...] = ()
    point: RestorePoint | None = None


class Archiver:
    """Of the segments in `folder`. `is_own`: whether a table is one of the program's own. `segment_ended` may be called from
    another thread."""

    def __init__(
        self, environment: Environment, folder: str, options: ArchivingOptions, is_own: Callable[[UUID], bool]
    ) -> None:
        self._disk, self._run = environment.disk, environment.run_command
        self._folder, self._options, self._is_own = folder, options, is_own
        self._waiting: dict[int, None] = {}  # segments that are full and not archived yet
        self._released: set[int] = set()  # of these such as nobody else needs
        self._retry_at = 0.0

    # --- at a start --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Before the log is read. Raises StorageError, OSError."""
        self._archive_found()
        self._restore()

    def _archive_found(self) -> None:
        """What a start finds, some of which may be archived already."""
        for segment_id in self._found_ids() if self._options.archive_command else ():
            try:
                self._archive(segment_id)
            except OSError as error:
                log.warning(
                    "Archiving file %s failed, file may have already been archived: %s", self._path(segment_id), error
                )

    @property
    def has_point(self) -> bool:
        """Whether the log is replayed up to a point, and what is behind it has to go."""
        return self._options.point is not None

    def wanted(self, handler: RecordHandler) -> RecordHandler:
        """A handler that gives another the records that are to be replayed."""
        point = self._options.point
        return handler if point is None else point.only_wanted(handler, self._is_own)

    def _restore(self) -> None:
        """Brings back the archived segments that are not there."""
        restored = [
            found
            for folder in self._options.restore_folders
            for found in map(self._maybe_restored, self._archived(folder))
            if found
        ]
        if not restored:
            return
        losses = load_losses(self._disk, self._folder)
        oldest = min(self._found_ids())
        if losses.freed >= min(restored) or oldest in restored:
            # what is older than all that there is need not be there
            losses.freed = segment_predecessor(self._disk.read_file(self._path(oldest)))
            losses.save(self._disk, self._folder)

    def _archived(self, folder: str) -> list[str]:
        return [f"{folder}/{name}" for name in self._disk.list(folder)]

    def _maybe_restored(self, path: str) -> int | None:
        name = path.rpartition("/")[2]
        segment_id = maybe_segment_id(name)
        if segment_id is None:
            why = (
                "it is Apache Cassandra's, which is not read here" if is_foreign_segment(name) else "that is no name of one"
            )
            raise StorageError(f"Cannot restore the segment {path}: {why}. Move it out of the restore_directories")
        if self._disk.exists(self._path(segment_id)):
            return None
        command = self._options.restore_command.replace("%from", path).replace("%to", self._path(segment_id))
        try:
            self._run(command.split())
        except OSError as error:
            raise StorageError(f"restore_command ({command}) has failed: {error}") from error
        if not self._disk.exists(self._path(segment_id)):
            raise StorageError(f"restore_command ({command}) has not made {self._path(segment_id)}")
        return segment_id

    def _found_ids(self) -> list[int]:
        return sorted(found for name in self._disk.list(self._folder) if (found := maybe_segment_id(name)) is not None)

    # --- while the node runs -----------------------------------------------------------------------------------------

    def segment_ended(self, segment_id: int) -> None:
        """It is full, and durable."""
        if self._options.archive_command:
            self._waiting[segment_id] = None

    def holds(self, segment_id: int) -> bool:
        """Whether a segment that nobody needs any more stays until it is archived, and is removed then."""
        if segment_id not in self._waiting:
            return False
        self._released.add(segment_id)
        return True

    def tick(self, background: Background, now_s: float) -> None:
        """From time to time: begins to archive what waits."""
        if not self._waiting or now_s < self._retry_at:
            return
        if any(task.lane is Lane.ARCHIVE for task in background.tasks):
            return
        background.add(Task(Lane.ARCHIVE, "Archive", self._folder, lambda task: self._work(task, now_s), unit="segments"))

    def _work(self, task: Task, now_s: float) -> None:
        self._retry_at = now_s + RETRY_S
        waiting = sorted(self._waiting)
        task.total = len(waiting)
        for segment_id in waiting:
            try:
                beside(lambda segment_id=segment_id: self._archive_waiting(segment_id))  # type: ignore[misc]
            except OSError:  # told
                return
            task.completed += 1
            task.point()
        self._retry_at = 0.0

    def archive_all(self, segment_ids: Sequence[int]) -> None:
        """Archives these, as the log ends with them. Raises StorageError."""
        for segment_id in segment_ids:
            self.segment_ended(segment_id)
        try:
            for segment_id in sorted(self._waiting):
                self._archive_waiting(segment_id)
        except OSError as error:
            raise StorageError(f"not all of the commit log could be archived, so it stays: {error}") from error

    def _archive_waiting(self, segment_id: int) -> None:
        try:
            self._archive(segment_id)
        except OSError as error:
            log.error("Archiving %s failed, it stays and is tried again: %s", self._path(segment_id), error)
            raise
        del self._waiting[segment_id]
        if segment_id in self._released:
            self._released.discard(segment_id)
            self._disk.unlink(self._path(segment_id))

    def _archive(self, segment_id: int) -> None:
        path, name = self._path(segment_id), segment_file_name(segment_id)
        self._run(self._options.archive_command.replace("%name", name).replace("%path", path).split())

    def _path(self, segment_id: int) -> str:
        return f"{self._folder}/{segment_file_name(segment_id)}"
