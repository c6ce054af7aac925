"""--log-file: the log in a file that is rolled by size and by day, as Cassandra's logback.xml has its system.log.

    system.log                  what is written now
    system.log.2026-11-28.0     the first file of that day, rolled because it was full or the day was over

Each line is written at once. A disk that is full, or a folder that can't be had again, ends nothing: lines go to standard
error as they always do, which says so once, and the file is tried again every RETRY_S; how many it lacks is told there. One
that somebody moved or removed (logrotate, `rm -r`) is made anew, with its folder. Only imported where it is asked for.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

RETRY_S: Final = 10.0
"""How often a file that can't be written is tried again, and one that can is looked for."""
_LINE_BREAK: Final = b"\n"


@dataclass(frozen=True, slots=True)
class LogFile:
    """Which file, and what is kept of it. `bytes_max`: of one file; `days_max`: rolled ones that are older go;
    `total_bytes_max`: of all that were rolled: the oldest go."""

    path: Path
    bytes_max: int = 50 << 20
    days_max: int = 7
    total_bytes_max: int = 5 << 30


class RollingFile(logging.Handler):
    """Raises OSError where the file can't be opened at first; later nothing."""

    def __init__(self, options: LogFile) -> None:
        super().__init__()
        self.options = options
        self._lost_count = 0
        self._looked_s = 0.0
        self._day = date.min  # of what is in the file
        self._file = -1
        self._size = 0
        self._open()
        self._remove_old(date.today())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode(errors="backslashreplace") + _LINE_BREAK
            self._assure_file(record.created)
            if self._file < 0:
                self._lost_count += 1
                return
            day = date.fromtimestamp(record.created)
            if self._size and (self._size + len(line) > self.options.bytes_max or day != self._day):
                self._roll()
                self._remove_old(day)
            self._day = day
            self._write(line)
        except OSError as error:
            self._fail(error, record.created)
        except Exception:  # noqa: BLE001 - what logging does with a call that can't be formatted
            self.handleError(record)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        super().close()

    def _open(self) -> None:
        """Goes on with what is there."""
        self.options.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.options.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o644)
        status = os.fstat(self._file)
        self._size = status.st_size
        self._day = date.fromtimestamp(status.st_mtime)

    def _write(self, line: bytes) -> None:
        written = os.write(self._file, line)
        self._size += written
        if written < len(line):  # the disk is full: the rest says how
            self._size += os.write(self._file, line[written:])

    def _fail(self, error: OSError, now_s: float) -> None:
        """Until it is tried again, lines are on standard error alone."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if not self._lost_count:
            print(
                f"cqlserver: --log-file {self.options.path}: {error.strerror or error}. The log goes on here; the file is "
                f"tried again every {RETRY_S:.0f} s",
                file=sys.stderr,
            )
        self._lost_count += 1
        self._looked_s = now_s

    def _assure_file(self, now_s: float) -> None:
        """Opens it again where it failed, or is not there any more."""
        if 0 <= now_s - self._looked_s < RETRY_S:
            return
        self._looked_s = now_s
        if self._file >= 0 and not self._is_there():
            os.close(self._file)
            self._file = -1
        if self._file < 0:
            self._open()
        if self._lost_count:
            self._write(f"{self._lost_count} lines of the log could not be written here\n".encode())
            self._lost_count = 0

    def _is_there(self) -> bool:
        try:
            named, ours = os.stat(self.options.path), os.fstat(self._file)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)

    # --- rolled files ------------------------------------------------------------------------------------------------------

    def _roll(self) -> None:
        path = self.options.path
        numbers = [number for _, day, number in self._rolled() if day == self._day]
        os.close(self._file)
        self._file = -1
        path.rename(path.with_name(f"{path.name}.{self._day.isoformat()}.{max(numbers, default=-1) + 1}"))
        self._open()

    def _rolled(self) -> Iterator[tuple[Path, date, int]]:
        pattern = re.compile(re.escape(self.options.path.name) + r"\.(\d{4}-\d\d-\d\d)\.(\d+)")
        for path in self.options.path.parent.iterdir():
            match = pattern.fullmatch(path.name)
            if match is not None:
                with suppress(ValueError):  # looks like one, and is no day
                    yield path, date.fromisoformat(match[1]), int(match[2])

    def _remove_old(self, today: date) -> None:
        oldest = today - timedelta(days=self.options.days_max)
        kept = 0
        for path, day, _ in sorted(self._rolled(), key=lambda rolled: rolled[1:], reverse=True):
            kept += path.stat().st_size
            if day < oldest or kept > self.options.total_bytes_max:
                path.unlink()
