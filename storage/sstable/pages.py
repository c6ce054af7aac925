"""Files that are read by the page of 4,096 bytes, each with a checksum of its own where there are some: Partitions.db and
Rows.db, to which Cassandra gives none (checksums.py)."""

from array import array
from typing import Final

from protocol.crc32 import crc32
from protocol.errors import CorruptionError
from storage.environment.environment import ReadFile

PAGE_BYTES: Final = 4096


class PagedFile:
    """`sums`: the checksums of the pages, None where there are none. Raises CorruptionError."""

    def __init__(self, file: ReadFile, sums: "array[int] | None") -> None:
        self._file, self._sums = file, sums
        self.size = file.size
        if sums is not None and len(sums) != -(-file.size // PAGE_BYTES):
            raise CorruptionError(f"{file.size} bytes, {len(sums)} checksums of pages")

    def page(self, number: int) -> bytes:
        data = self._file.pread(number * PAGE_BYTES, PAGE_BYTES)
        if self._sums is not None and crc32(data) != self._sums[number]:
            raise CorruptionError(f"the page at {number * PAGE_BYTES}: checksum does not match")
        return data

    def read(self, start: int, size: int) -> bytes:
        """From `start`; fewer at the file's end."""
        end = min(start + size, self.size)
        if not 0 <= start <= end:
            raise CorruptionError(f"a place of {start} in {self.size} bytes")
        first = start // PAGE_BYTES
        data = b"".join(self.page(number) for number in range(first, -(-end // PAGE_BYTES)))
        return data[start - first * PAGE_BYTES : end - first * PAGE_BYTES]

    def close(self) -> None:
        self._file.close()


class PageSums:
    """The checksums of pages as they are written."""

    def __init__(self) -> None:
        self._sums = array("I")
        self._rest = b""

    def add(self, data: bytes) -> None:
        data = self._rest + data
        end = len(data) // PAGE_BYTES * PAGE_BYTES
        for at in range(0, end, PAGE_BYTES):
            self._sums.append(crc32(data[at : at + PAGE_BYTES]))
        self._rest = data[end:]

    def complete(self) -> "array[int]":
        if self._rest:
            self._sums.append(crc32(self._rest))
            self._rest = b""
        return self._sums
