"""Disks in memory: one that just works, and one that fails and forgets on command.

Both know what a real disk would have kept: per file how much of it was synced, per folder which names were. A crash
leaves that, and of what was not synced any prefix (FaultyDisk.crash chooses).
"""

import errno
import os
import posixpath
from collections.abc import Callable, Iterable, Sequence

from protocol.errors import StorageError
from storage.environment.environment import AppendFile, FolderLock, ReadFile, Space


class _Contents:
    """A file's bytes, and how many of them a crash would leave."""

    __slots__ = ("data", "synced")

    def __init__(self, data: bytes = b"", synced: bool = False) -> None:
        self.data = bytearray(data)
        self.synced = len(data) if synced else 0


class MemoryAppendFile:
    __slots__ = ("_contents", "_disk", "_generation", "path")

    def __init__(self, disk: "MemoryDisk", path: str, contents: _Contents) -> None:
        self._disk, self.path, self._contents = disk, path, contents
        self._generation = disk.generation

    def write(self, data: bytes) -> None:
        self._check()
        self._disk.before_write(self._contents.data, data, self.path)
        self._contents.data += data

    def sync(self) -> None:
        self._check()
        contents = self._contents
        try:
            self._disk.before("sync", self.path)
        except OSError:
            # as Linux does it: the pages are dropped, and the next sync would say that all is well
            del contents.data[contents.synced :]
            raise
        contents.synced = len(contents.data)

    def leave_cache(self) -> None:
        self._disk.before("leave_cache", self.path)

    def close(self) -> None:
        pass

    def _check(self) -> None:
        if self._generation != self._disk.generation:
            raise OSError(errno.EBADF, "the machine has crashed since this file was opened", self.path)


class MemoryReadFile:
    __slots__ = ("_data", "size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def pread(self, offset: int, size: int) -> bytes:
        return self._data[offset : offset + size]

    def close(self) -> None:
        pass


class MemoryFolderLock:
    __slots__ = ("_folder", "_locked")

    def __init__(self, locked: set[str], folder: str) -> None:
        if folder in locked:
            raise StorageError(f"the data folder {folder} is in use by another server (pid {os.getpid()})")
        locked.add(folder)
        self._locked, self._folder = locked, folder

    def release(self) -> None:
        self._locked.discard(self._folder)


CAPACITY_BYTES = 1 << 40


class MemoryDisk:
    """Files in a dict. `generation` counts crashes."""

    def __init__(self) -> None:
        self.generation = 0
        self._files: dict[str, _Contents] = {}
        self._durable: dict[str, _Contents] = {}  # the names that a crash would leave
        self._folders: set[str] = {"/", "."}
        self._locked: set[str] = set()

    # what FaultyDisk overrides
    def before(self, operation: str, path: str) -> None:
        """Called before each operation; raises to make it fail."""

    def before_write(self, stored: bytearray, data: bytes, path: str) -> None:
        """Called before each write; may store a part and raise."""

    def mkdirs(self, folder: str, durably: bool = True) -> None:
        folder = posixpath.normpath(folder)
        while folder not in self._folders and folder:
            self._folders.add(folder)
            folder = posixpath.dirname(folder)

    def open_append(self, path: str) -> AppendFile:
        self.before("open", path)
        self._check_folder(path)
        return MemoryAppendFile(self, path, self._files.setdefault(posixpath.normpath(path), _Contents()))

    def open_read(self, path: str) -> ReadFile:
        return MemoryReadFile(self.read_file(path))

    def read_file(self, path: str) -> bytes:
        self.before("read", path)
        return bytes(self._of(path).data)

    def write_file_atomically(self, path: str, data: bytes) -> None:
        self.before("write", path)
        self._check_folder(path)
        path = posixpath.normpath(path)
        self._files[path] = self._durable[path] = _Contents(data, synced=True)

    def list(self, folder: str) -> list[str]:
        paths = _in_folder(folder, (*self._files, *self._folders))
        return sorted(posixpath.basename(path) for path in paths)

    def size(self, path: str) -> int:
        return len(self._of(path).data)

    def modified_ms(self, path: str) -> int:
        self._of(path)
        return 1_700_000_000_000

    def space(self, folder: str) -> Space:
        used = sum(len(file.data) for file in self._files.values())
        return Space(CAPACITY_BYTES, max(0, CAPACITY_BYTES - used))

    def exists(self, path: str) -> bool:
        path = posixpath.normpath(path)
        return path in self._files or path in self._folders

    def is_folder(self, path: str) -> bool:
        return posixpath.normpath(path) in self._folders

    def unlink(self, path: str) -> None:
        self.before("unlink", path)
        self._of(path)
        del self._files[posixpath.normpath(path)]

    def rename(self, old: str, new: str) -> None:
        self.before("rename", old)
        self._check_folder(new)
        old, new = posixpath.normpath(old), posixpath.normpath(new)
        if old in self._folders:
            for names in (self._files, self._durable):
                for path in [path for path in names if path.startswith(old + "/")]:
                    names[new + path[len(old) :]] = names.pop(path)
            moved = {path for path in self._folders if path == old or path.startswith(old + "/")}
            self._folders = self._folders - moved | {new + path[len(old) :] for path in moved}
            return
        self._files[new] = self._of(old)
        del self._files[old]

    def link(self, old: str, new: str) -> None:
        self.before("link", old)
        self._check_folder(new)
        new = posixpath.normpath(new)
        if new in self._files:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
        self._files[new] = self._of(old)

    def remove_folder(self, folder: str) -> None:
        self.before("remove_folder", folder)
        if self.list(folder):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), folder)
        if not self.is_folder(folder):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
        self._folders.discard(posixpath.normpath(folder))

    def truncate(self, path: str, size: int) -> None:
        self.before("truncate", path)
        contents = self._of(path)
        del contents.data[size:]
        contents.data += bytes(size - len(contents.data))
        contents.synced = size

    def sync_folder(self, folder: str) -> None:
        self.before("sync_folder", folder)
        for path in _in_folder(folder, self._durable):
            del self._durable[path]
        for path in _in_folder(folder, self._files):
            self._durable[path] = self._files[path]

    def sync_all(self, files: Sequence[str], folders: Sequence[str]) -> None:
        for path in files:
            self.before("sync", path)
            contents = self._of(path)
            contents.synced = len(contents.data)
        for folder in folders:
            self.sync_folder(folder)

    def lock(self, folder: str) -> FolderLock:
        return MemoryFolderLock(self._locked, posixpath.normpath(folder))

    def _of(self, path: str) -> _Contents:
        found = self._files.get(posixpath.normpath(path))
        if found is None and self.is_folder(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found

    def _check_folder(self, path: str) -> None:
        folder = posixpath.dirname(posixpath.normpath(path)) or "."
        if folder not in self._folders:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _in_folder(folder: str, paths: Iterable[str]) -> list[str]:
    """Those of normal paths that lie in a folder itself."""
    folder = posixpath.normpath(folder)
    if folder == ".":
        return [path for path in paths if "/" not in path and path != folder]
    start = folder if folder == "/" else folder + "/"
    length = len(start)
    return [path for path in paths if path.startswith(start) and path != folder and "/" not in path[length:]]


class FaultyDisk(MemoryDisk):
    """A disk that fails and forgets when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self._failures: dict[str, tuple[int, int]] = {}  # operation -> (calls that still succeed, errno)
        self.free_bytes: int | None = None
        """How much may still be written before ENOSPC; None: no limit."""

    def fail(self, operation: str, after: int = 0, code: int = errno.EIO) -> None:
        """Make an operation (open, write, sync, sync_folder, read, unlink, truncate, rename, link, remove_folder) fail,
        from its call number `after` (counted from now) on. A sync that fails loses what was not synced."""
        self._failures[operation] = (after, code)

    def heal(self) -> None:
        self._failures.clear()
        self.free_bytes = None

    def damage(self, path: str, offset: int, mask: int) -> None:
        """Flip the bits of `mask` in one byte."""
        self._of(path).data[offset] ^= mask

    def crash(self, keep: Callable[[int], int] = lambda unsynced: 0, names_kept: bool = False) -> None:
        """The machine stops and starts again: open files are dead, locks are free. Of each file's unsynced bytes the
        first `keep(how many there are)` survive. Names made, moved and removed since their folder was synced survive as
        they are with `names_kept`; else they are what they were, but that a new file survives if any of it does."""
        self.generation += 1
        self._locked.clear()
        known = {id(contents) for contents in self._durable.values()}
        names = dict(self._files) if names_kept else dict(self._durable)
        cut: set[int] = set()
        for path, contents in [*self._files.items(), *self._durable.items()]:
            if id(contents) not in cut:
                cut.add(id(contents))
                kept = keep(len(contents.data) - contents.synced)
                del contents.data[contents.synced + kept :]
                contents.synced = len(contents.data)
                if kept and id(contents) not in known:
                    names.setdefault(path, contents)
        self._files, self._durable = names, dict(names)

    def before(self, operation: str, path: str) -> None:
        failure = self._failures.get(operation)
        if failure is None:
            return
        left, code = failure
        if left:
            self._failures[operation] = (left - 1, code)
        else:
            raise OSError(code, os.strerror(code), path)

    def before_write(self, stored: bytearray, data: bytes, path: str) -> None:
        self.before("write", path)
        if self.free_bytes is None:
            return
        if len(data) > self.free_bytes:
            stored += data[: self.free_bytes]
            self.free_bytes = 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        self.free_bytes -= len(data)
