"""The machine's disk behind the `Disk` protocol of environment.py.

Every durable change is: write a new file, sync it, rename it, sync the folder. Nothing here retries: an OSError goes to
the caller, who knows what is lost by it.
"""

import contextlib
import fcntl
import functools
import os
import sys
from collections.abc import Callable, Sequence

from protocol.errors import StorageError
from storage.environment.environment import AppendFile, FolderLock, ReadFile, Space

LOCK_FILE_NAME = ".lock"
TEMPORARY_SUFFIX = ".tmp"
SYNCED_SINGLY_MAX = 3
"""Files and folders; more of them are made durable together."""
_FILE_MODE = 0o644


class RealAppendFile:
    __slots__ = ("_descriptor", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _FILE_MODE)

    def write(self, data: bytes) -> None:
        written = os.write(self._descriptor, data)
        if written != len(data):  # a full disk, or more than the system takes in one call
            rest = memoryview(data)[written:]
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def sync(self) -> None:
        _fdatasync(self._descriptor)

    def leave_cache(self) -> None:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # it is only advice
                os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class RealReadFile:
    __slots__ = ("_descriptor", "size")

    def __init__(self, path: str) -> None:
        self._descriptor = -1
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._descriptor).st_size

    def pread(self, offset: int, size: int) -> bytes:
        data = os.pread(self._descriptor, size, offset)
        if len(data) < size:
            parts = [data]
            missing = size - len(data)
            while missing and (data := os.pread(self._descriptor, missing, offset + size - missing)):
                parts.append(data)
                missing -= len(data)
            return b"".join(parts)
        return data

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    __del__ = close  # a reader may outlive the table's use of the file: whoever is last closes it


class RealFolderLock:
    """An flock: it goes with the process, however that ends. The file holds the owner's pid for the message only."""

    __slots__ = ("_descriptor",)

    def __init__(self, folder: str) -> None:
        self._descriptor = os.open(os.path.join(folder, LOCK_FILE_NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise StorageError(f"the data folder {folder} is in use by another server (pid {owner})") from None
        except BaseException:
            self.release()
            raise
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class RealDisk:
    """The file system of this machine."""

    __slots__ = ()

    def mkdirs(self, folder: str, durably: bool = True) -> None:
        missing = []
        folder = os.path.abspath(folder)
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for path in reversed(missing):
            with contextlib.suppress(FileExistsError):
                os.mkdir(path)
            if durably:
                self.sync_folder(os.path.dirname(path))

    def open_append(self, path: str) -> AppendFile:
        return RealAppendFile(path)

    def open_read(self, path: str) -> ReadFile:
        return RealReadFile(path)

    def read_file(self, path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    def write_file_atomically(self, path: str, data: bytes) -> None:
        temporary = path + TEMPORARY_SUFFIX
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
        self.sync_folder(os.path.dirname(path))

    def list(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def size(self, path: str) -> int:
        return os.stat(path).st_size

    def modified_ms(self, path: str) -> int:
        return os.stat(path).st_mtime_ns // 1_000_000

    def space(self, folder: str) -> Space:
        found = os.statvfs(folder)
        return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def is_folder(self, path: str) -> bool:
        return os.path.isdir(path)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new)

    def link(self, old: str, new: str) -> None:
        os.link(old, new)

    def remove_folder(self, folder: str) -> None:
        os.rmdir(folder)

    def truncate(self, path: str, size: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_folder(self, folder: str) -> None:
        descriptor = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_all(self, files: Sequence[str], folders: Sequence[str]) -> None:
        sync = _maybe_sync_file_system() if len(files) + len(folders) > SYNCED_SINGLY_MAX else None
        if sync is None:
            for path in files:
                _sync_path(path)
            for folder in folders:
                self.sync_folder(folder)
            return
        for folder in {os.stat(folder).st_dev: folder for folder in folders}.values():
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                sync(descriptor)
            finally:
                os.close(descriptor)

    def lock(self, folder: str) -> FolderLock:
        return RealFolderLock(folder)


def _sync_path(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@functools.cache
def _maybe_sync_file_system() -> Callable[[int], None] | None:
    """Linux's syncfs, which Python's os has not: a whole file system in the time of two or three files."""
    if sys.platform != "linux":
        return None
    import ctypes  # ten milliseconds

    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):
        return None

    def sync(descriptor: int) -> None:
        if syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    return sync


def _fdatasync(descriptor: int) -> None:
    sync = getattr(os, "fdatasync", os.fsync)  # macOS has only fsync
    sync(descriptor)
