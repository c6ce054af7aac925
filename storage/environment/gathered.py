"""Many files that are made durable together: what is written goes to the system at once, and is synced when all is there.

For whoever has another copy of what is in them until then: a sync of each file is most of what small ones cost.
"""

from storage.environment.environment import AppendFile, Disk


class _UnsyncedFile:
    """`sync` is left to `GatheredSyncs.sync`."""

    __slots__ = ("_file", "close", "leave_cache", "path", "write")

    def __init__(self, file: AppendFile) -> None:
        self._file, self.path = file, file.path
        self.write, self.leave_cache, self.close = file.write, file.leave_cache, file.close

    def sync(self) -> None:
        pass


class GatheredSyncs:
    """What an SSTable's writer and a snapshot need of a disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._files: dict[str, None] = {}
        self._folders: dict[str, None] = {}
        self.exists, self.list = disk.exists, disk.list

    def mkdirs(self, folder: str) -> None:
        above = folder
        while above and not self._disk.exists(above):
            above = above.rpartition("/")[0]
            self.sync_folder(above)
        self._disk.mkdirs(folder, durably=False)

    def open_append(self, path: str) -> AppendFile:
        self._files[path] = None
        self.sync_folder(path.rpartition("/")[0])
        return _UnsyncedFile(self._disk.open_append(path))

    def link(self, old: str, new: str) -> None:
        self._disk.link(old, new)
        self.sync_folder(new.rpartition("/")[0])

    def rename(self, old: str, new: str) -> None:
        self._disk.rename(old, new)
        self.sync_folder(new.rpartition("/")[0])

    def unlink(self, path: str) -> None:
        self._disk.unlink(path)
        self._files.pop(path, None)
        self.sync_folder(path.rpartition("/")[0])

    def sync_folder(self, folder: str) -> None:
        self._folders[folder] = None

    def sync(self) -> None:
        """Makes durable what came since the last call. May run beside the loop. Raises OSError."""
        files, folders = list(self._files), list(self._folders)
        self._disk.sync_all(files, folders)
        self._files, self._folders = {}, {}
