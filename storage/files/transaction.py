"""SSTables that appear and disappear together, in the form of Cassandra's own transaction logs, so that its tools and a
Cassandra started on the folder understand one that a crash left (db/lifecycle/LogTransaction, LogFile, LogRecord).

A file `nb_txn_<kind>_<id>.log` beside the SSTables, a line a record: `TYPE:[path,modified_ms,files][checksum]`. ADD comes
before the first byte of a new SSTable, REMOVE names an old one, COMMIT decides. While there is no COMMIT the new files do
not count, with it the old ones don't. Whoever finds the log removes the files that do not count, and then the log.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple
from uuid import UUID

from protocol.crc32 import crc32
from protocol.errors import CorruptionError
from storage.environment.environment import Disk

_NAME: Final = re.compile(r"(?:(?:[a-z]+-)?.{2}_)?txn_(.*)_(.*)\.log")
_LINE: Final = re.compile(r"(ADD|REMOVE|COMMIT|ABORT):\[([^,]*),?([^,]*),?([^,]*)\]\[(\d*)\]", re.IGNORECASE)


class Record(NamedTuple):
    """`path`: of an SSTable's files, up to and with the dash before the component; empty for COMMIT and ABORT."""

    type: str
    path: str = ""
    modified_ms: int = 0
    files: int = 0

    def line(self) -> str:
        return f"{self.type}:[{self.path},{self.modified_ms},{self.files}][{self.checksum()}]\n"

    def checksum(self) -> int:
        numbers = (self.modified_ms & 0xFFFFFFFF, self.modified_ms >> 32, self.files)
        return crc32(b"".join(number.to_bytes(4, "big") for number in numbers), crc32(f"{self.path}{self.type}".encode()))


def maybe_record(line: str) -> Record | None:
    """None where a line is no record, or not a whole one."""
    found = _LINE.fullmatch(line)
    if found is None or not (found[3] or "0").isdigit() or not (found[4] or "0").isdigit():
        return None
    record = Record(found[1].upper(), found[2], int(found[3] or 0), int(found[4] or 0))
    return record if found[5] == str(record.checksum()) else None


class Transaction:
    """One under way in `folder`. Every method is durable when it returns."""

    def __init__(self, disk: Disk, folder: str, kind: str, transaction_id: UUID) -> None:
        self._disk, self._folder = disk, folder
        self.path = f"{folder}/nb_txn_{kind}_{transaction_id}.log"
        self._added: list[str] = []
        self._removed: list[str] = []
        self._file = disk.open_append(self.path)
        self._is_named = False

    def add(self, prefix: str) -> None:
        """A new SSTable, before anything of it is written; `prefix` as `nb-1-big-`."""
        self._write(Record("ADD", f"{self._folder}/{prefix}"))
        self._added.append(prefix)

    def remove(self, prefixes: Iterable[str]) -> None:
        """SSTables that go."""
        records = []
        by_prefix = _by_prefix(self._disk, self._folder)
        for prefix in prefixes:
            names = by_prefix.get(prefix, [])
            times = [self._disk.modified_ms(f"{self._folder}/{n}") for n in names if not n.endswith("-Statistics.db")]
            records.append(Record("REMOVE", f"{self._folder}/{prefix}", max(times, default=0), len(names)))
            self._removed.append(prefix)
        self._write(*records)

    def commit(self) -> None:
        """From here on the new files count, and the old ones don't."""
        self._write(Record("COMMIT"))

    def finish(self) -> None:
        """Removes what does not count after `commit`, then the log."""
        self._end(self._removed)

    def abort(self) -> None:
        """Removes what was added, then the log. That takes no room: on a full disk the record that says so is left out, for
        without COMMIT what was added does not count anyway."""
        with suppress(OSError):
            self._write(Record("ABORT"))
        self._end(self._added)

    def _end(self, prefixes: Sequence[str]) -> None:
        self._file.close()
        remove_files(self._disk, self._folder, prefixes)
        self._disk.unlink(self.path)
        self._disk.sync_folder(self._folder)

    def _write(self, *records: Record) -> None:
        self._file.write("".join(record.line() for record in records).encode())
        self._file.sync()
        if not self._is_named:
            self._disk.sync_folder(self._folder)
            self._is_named = True


def remove_files(disk: Disk, folder: str, prefixes: Iterable[str]) -> None:
    """All components of some SSTables, durably; TOC.txt first, so that what is left of one never looks whole."""
    by_prefix = _by_prefix(disk, folder)
    for prefix in prefixes:
        for name in sorted(by_prefix.get(prefix, ()), key=lambda name: not name.endswith("-TOC.txt")):
            disk.unlink(f"{folder}/{name}")
    disk.sync_folder(folder)


class Left(NamedTuple):
    """What the logs in a folder say, of transactions under way or such as could not remove all that they should: prefixes of
    SSTables that are `named`, and of those that do not count, `gone`."""

    named: frozenset[str]
    gone: frozenset[str]


def left(disk: Disk, folder: str) -> Left:
    """Raises CorruptionError, OSError."""
    named: set[str] = set()
    gone: set[str] = set()
    for path in _logs(disk, folder):
        try:
            records = _records(disk, path)
        except FileNotFoundError:  # it has just ended
            continue
        named.update(_prefix(record) for record in records if record.path)
        gone.update(_gone(records))
    return Left(frozenset(named), frozenset(gone))


def clean_up(disk: Disk, folder: str) -> None:
    """Ends the transactions that a crash left in a folder. Raises CorruptionError where a log makes no sense."""
    for path in _logs(disk, folder):
        remove_files(disk, folder, _gone(_records(disk, path)))
        disk.unlink(path)
        disk.sync_folder(folder)


def _logs(disk: Disk, folder: str) -> list[str]:
    return [f"{folder}/{name}" for name in disk.list(folder) if _NAME.fullmatch(name) is not None]


def _records(disk: Disk, path: str) -> list[Record]:
    """Of a log, whose last line may be torn. Raises CorruptionError."""
    lines = disk.read_file(path).decode("utf-8", "replace").split("\n")
    records = [maybe_record(line) for line in lines if line]
    whole = [record for record in records if record is not None]
    if len(whole) < len(records) - 1 or (records and records[-1] is not None and None in records):
        raise CorruptionError(
            f"{path} has lines that are no record: which SSTables count can't be told. Look at the files that it names, "
            "remove those that should not be there, then the log"
        )
    return whole


def _gone(records: Sequence[Record]) -> list[str]:
    gone = "REMOVE" if any(record.type == "COMMIT" for record in records) else "ADD"
    return [_prefix(record) for record in records if record.type == gone]


def _prefix(record: Record) -> str:
    return record.path.rpartition("/")[2]


def _by_prefix(disk: Disk, folder: str) -> dict[str, list[str]]:
    """The files of each SSTable: what stands before the component says whose they are."""
    found: dict[str, list[str]] = {}
    for name in disk.list(folder):
        found.setdefault(name[: name.rfind("-") + 1], []).append(name)
    return found
