"""A log in files, one for each roll cycle: what is full is archived, or goes when all take too much.

A file begins with MAGIC; a record is `[u32 length][u32 CRC-32 of the rest][u8 kind][payload]`. A torn record at the end is
what a crash, or a full disk, left of the last write: readers end there, so nothing comes behind it. Who opens the log again
within a cycle begins another file, `..._0001`, which sorts behind. Nothing is synced: like Cassandra's these logs survive
the process's death, not the machine's.
"""

import errno
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from struct import Struct
from typing import Final

from cqlserver.audit.options import ROLL_CYCLES, BinLogOptions
from protocol.crc32 import crc32
from storage.environment.commands import RunCommand, run_command
from storage.environment.environment import AppendFile, Environment
from storage.environment.errands import Errand

log = logging.getLogger("cqlserver.audit")

MAGIC: Final = b"cqlbin1\n"
SUFFIX: Final = ".binlog"
RETRY_S: Final = 300.0
"""Between two attempts to archive a file (utils/binlog/ExternalArchiver.java)."""
_HEAD: Final = Struct(">II")
_LENGTH_MAX: Final = 1 << 30

class BinLogDamaged(Exception):
    """A file has something else than records; the message names it."""


def framed(kind: int, payload: bytes) -> bytes:
    rest = bytes((kind,)) + payload
    return _HEAD.pack(len(rest), crc32(rest)) + rest


def records(data: bytes, name: str) -> Iterator[tuple[int, bytes]]:
    """(kind, payload) of a file's contents. Raises BinLogDamaged."""
    if data[: len(MAGIC)] != MAGIC:
        if MAGIC.startswith(data):
            return
        raise BinLogDamaged(f"{name} is no such log: it begins with {data[: len(MAGIC)]!r}")
    position = len(MAGIC)
    while position + _HEAD.size < len(data):
        length, checksum = _HEAD.unpack_from(data, position)
        rest = data[position + _HEAD.size : position + _HEAD.size + length]
        if len(rest) < length:
            return  # being written, or cut by a crash
        if not 0 < length <= _LENGTH_MAX or crc32(rest) != checksum:
            raise BinLogDamaged(f"{name} is damaged at offset {position}: what follows is not read")
        yield rest[0], rest[1:]
        position += _HEAD.size + length


class BinLog:
    """See the module. Every method may raise OSError, after which nothing more is to be written. `suffix`: of the files'
    names; `head`: what each begins with."""

    def __init__(
        self,
        folder: str,
        options: BinLogOptions,
        environment: Environment,
        suffix: str = SUFFIX,
        head: bytes = MAGIC,
        run: RunCommand = run_command,
    ) -> None:
        self.folder, self.options = folder, options
        self._environment, self._disk, self._clock = environment, environment.disk, environment.clock
        self._suffix, self._head, self._run = suffix, head, run
        self._cycle_s, self._pattern = ROLL_CYCLES[options.roll_cycle.upper()]
        self._file: AppendFile | None = None
        self._cycle = -1
        self._looked_s = -1
        """When it was last looked whether the file is still there."""
        self._waiting: dict[str, tuple[float, int]] = {}
        """Paths to be archived: when, and after how many attempts."""
        self._under_way: dict[str, tuple[Errand[None], int]] = {}
        self._disk.mkdirs(folder)
        for path in self._paths():
            self._archive_later(path)

    def append(self, data: bytes) -> None:
        """Whole records."""
        now_s = self._clock.now_s()
        cycle = now_s // self._cycle_s
        if cycle != self._cycle or self._file is None:
            self._roll(cycle)
        elif now_s != self._looked_s:
            self._looked_s = now_s
            if not self._disk.exists(self._file.path):
                raise FileNotFoundError(errno.ENOENT, "it was removed", self._file.path)
            self._tend()
        assert self._file is not None
        self._file.write(data)

    def _roll(self, cycle: int) -> None:
        self._end_file()
        self._cycle = cycle
        began = datetime.fromtimestamp(cycle * self._cycle_s, UTC)
        path = self._free_path(f"{self.folder}/{began.strftime(self._pattern)}")
        self._waiting.pop(path, None)  # an empty one from before a restart
        self._file = self._disk.open_append(path)
        if self._head:
            self._file.write(self._head)
        self._tend()
        self._shrink()

    def _free_path(self, stem: str) -> str:
        """Of a file in which nothing is yet."""
        path, number = f"{stem}{self._suffix}", 0
        while self._disk.exists(path) and self._disk.size(path):
            number += 1
            path = f"{stem}_{number:04}{self._suffix}"
        return path

    def _end_file(self) -> None:
        if self._file is not None:
            path = self._file.path
            self._file.close()
            self._file = None
            self._archive_later(path)

    def _paths(self) -> list[str]:
        """All files, the oldest first."""
        return [f"{self.folder}/{name}" for name in self._disk.list(self.folder) if name.endswith(self._suffix)]

    def _shrink(self) -> None:
        """Where nobody archives, the oldest go (utils/binlog/DeletingArchiver.java)."""
        if self.options.archive_command:
            return
        paths = self._paths()
        size = sum(map(self._disk.size, paths))
        for path in paths[:-1]:
            if size <= self.options.max_log_size:
                return
            size -= self._disk.size(path)
            try:
                self._disk.unlink(path)
            except OSError as error:  # as long as it can be written to, the log goes on
                log.error("Could not remove %s, though all files take more than max_log_size: %s", path, error)
                continue
            log.info("Removed %s: all files take more than max_log_size, which is %d", path, self.options.max_log_size)

    def _archive_later(self, path: str) -> None:
        if self.options.archive_command:
            self._waiting[path] = (0.0, 0)

    def _tend(self) -> None:
        """Has archived what is due, again where it failed."""
        for path, (errand, tried) in list(self._under_way.items()):
            if errand.is_done:
                del self._under_way[path]
                self._archived(path, errand, tried)
        now = self._clock.monotonic()
        for path, (due_s, tried) in list(self._waiting.items()):
            if due_s <= now:
                del self._waiting[path]
                words = [word.replace("%path", path) for word in self.options.archive_command.split(" ")]
                self._under_way[path] = (self._environment.workers.errand(partial(self._run, words)), tried)

    def _archived(self, path: str, errand: Errand[None], tried: int) -> None:
        try:
            errand.result  # noqa: B018 - raises what went wrong
        except OSError as error:
            if tried < self.options.max_archive_retries:
                log.error("Got error archiving %s, retrying in %d minutes: %s", path, RETRY_S // 60, error)
                self._waiting[path] = (self._clock.monotonic() + RETRY_S, tried + 1)
            else:
                log.error("Max retries %d reached for %s, leaving on disk: %s", tried, path, error)

    def abandon(self) -> None:
        """It can't be written to any more: lets go of the file as it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def close(self) -> None:
        """Archives what there is, the last file too, and waits for that."""
        self._end_file()
        self._waiting = {path: (0.0, tried) for path, (_, tried) in self._waiting.items()}
        self._tend()
        for errand, _ in self._under_way.values():
            errand.wait()
        self._waiting.clear()
        self._tend()
