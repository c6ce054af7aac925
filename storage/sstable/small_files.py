"""Files of an SSTable that are read now and then: open, or, where they are small, held in memory.

An open file takes one of a limited number; a node with ten thousand small SSTables would take twenty thousand.
"""

from typing import Final

from storage.environment.environment import Disk, ReadFile

SMALL_BYTES: Final = 4096


class SmallFile:
    """A file's bytes."""

    __slots__ = ("_data", "size")

    def __init__(self, data: bytes) -> None:
        self._data, self.size = data, len(data)

    def pread(self, offset: int, size: int) -> bytes:
        return self._data[offset : offset + size]

    def close(self) -> None:
        """There is nothing to close."""


def open_read(disk: Disk, path: str) -> ReadFile:
    """Raises OSError."""
    file = disk.open_read(path)
    if file.size > SMALL_BYTES:
        return file
    try:
        return SmallFile(file.pread(0, file.size))
    finally:
        file.close()
