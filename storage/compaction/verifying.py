"""nodetool verify: looks whether the SSTables of a table are whole (io/sstable/format/SortedTableVerifier.java)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from protocol.errors import CorruptionError, StorageError
from storage.background import Task
from storage.environment.environment import Disk
from storage.environment.strands import beside
from storage.files.table_files import TableFiles
from storage.memtable.memtable import Position
from storage.sstable.reader import SSTableReader
from storage.sstable.verify import verify_digest, verify_index, verify_owned, verify_partitions


class OtherVersion(StorageError):
    """An SSTable is whole, and of another version than what is written."""


class VerifyOptions(NamedTuple):
    """`is_extended`: each row is decoded; `is_quick`: Data.db is not read; `checks_version`: it is the one that is written;
    `ranges`: what lies in none of them (first and last position) is not the node's, None for no matter whose it is;
    `unmarks_damaged`: one that is not whole counts as not repaired from then on, so that a repair looks at it."""

    is_extended: bool = False
    is_quick: bool = False
    checks_version: bool = False
    ranges: tuple[tuple[Position, Position], ...] | None = None
    unmarks_damaged: bool = False


def verify_table(disk: Disk, files: TableFiles, options: VerifyOptions, task: Task) -> None:
    """One SSTable after the other. Raises CorruptionError at the first one that is not whole, OtherVersion."""
    files.assure_whole()
    readers = files.readers
    task.total = sum(reader.data_bytes for reader in readers)
    for reader in readers:
        before = task.completed
        _verify(disk, files, reader, options, task)
        task.completed = before + reader.data_bytes


def _verify(disk: Disk, files: TableFiles, reader: SSTableReader, options: VerifyOptions, task: Task) -> None:
    if options.checks_version and reader.descriptor.version != files.version:
        raise OtherVersion(f"{reader.path} is not the latest version, run upgradesstables")
    with _unmarked_if_damaged(disk, reader, options):
        _verify_index(reader, task)
    if options.ranges is not None:
        _verify_owned(reader, options.ranges, task)
    if not options.is_quick:
        with _unmarked_if_damaged(disk, reader, options):
            _verify_data(disk, files, reader, options, task)


@contextmanager
def _unmarked_if_damaged(disk: Disk, reader: SSTableReader, options: VerifyOptions) -> Iterator[None]:
    try:
        yield
    except CorruptionError:
        if options.unmarks_damaged and reader.repaired_at_ms:
            reader.mark(disk, 0, reader.pending_repair)
        raise


def _verify_index(reader: SSTableReader, task: Task) -> None:
    before = task.completed
    for place in verify_index(reader):
        task.completed = before + place
        task.point()


def _verify_data(disk: Disk, files: TableFiles, reader: SSTableReader, options: VerifyOptions, task: Task) -> None:
    has_digest = beside(lambda: verify_digest(disk, files.folder, reader))
    if has_digest and not options.is_extended:
        return
    for _ in verify_partitions(reader):
        task.point()


def _verify_owned(reader: SSTableReader, ranges: Sequence[tuple[Position, Position]], task: Task) -> None:
    for _ in verify_owned(reader, ranges):
        task.point()
