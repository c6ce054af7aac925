"""Snapshots that go by themselves: those whose manifest says until when they are kept
(service/snapshot/SnapshotManager.java)."""

from collections.abc import Callable
from typing import Final

from storage.background import Background, Lane, Task
from storage.environment.environment import Clock, Disk
from storage.environment.strands import beside
from storage.files import snapshots
from storage.files.folders import DataFolders

FIRST_LOOK_S: Final = 5.0
LOOK_S: Final = 60.0
"""How often is looked for some that have expired, and how long after the start first: Cassandra's."""
_NEVER_MS: Final = 1 << 62


class ExpiringSnapshots:
    """See the module. `remove` is called beside the loop."""

    def __init__(
        self, disk: Disk, clock: Clock, folders: DataFolders, background: Background, remove: Callable[[str], None]
    ) -> None:
        self._disk, self._clock, self._folders, self._background, self._remove = disk, clock, folders, background, remove
        self._look_at = clock.monotonic() + FIRST_LOOK_S
        self._next_ms = 0
        """Nothing expires before."""

    def add(self, expires_ms: int | None) -> None:
        """There is one more."""
        if expires_ms is not None:
            self._next_ms = min(self._next_ms, expires_ms)

    def tick(self) -> None:
        now = self._clock.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_S
        if 1000 * self._clock.now_s() >= self._next_ms:
            self._background.add(Task(Lane.SNAPSHOT, "Expire snapshots", "all", self._expire))

    def _expire(self, task: Task) -> None:
        self._next_ms = _NEVER_MS  # `add` may lower it meanwhile
        now_ms = 1000 * self._clock.now_s()
        for folder, expires_ms in beside(self._found):
            if expires_ms <= now_ms:
                beside(lambda folder=folder: self._remove(folder))  # type: ignore[misc]
            else:
                self.add(expires_ms)
            task.point()

    def _found(self) -> list[tuple[str, int]]:
        """Those that expire: where they are, and when."""
        disk = self._disk
        found = []
        for table_folder in self._folders.paths:
            for name in disk.list(f"{table_folder}/{snapshots.SNAPSHOTS}"):
                folder = f"{table_folder}/{snapshots.SNAPSHOTS}/{name}"
                path = f"{folder}/{snapshots.MANIFEST}"
                if disk.exists(path):
                    expires_ms = snapshots.told(disk.read_file(path))[1]
                    if expires_ms is not None:
                        found.append((folder, expires_ms))
        return found
