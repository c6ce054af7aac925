"""The SSTables of one table: opened at the start, put in place of what they were made from, removed.

What is in place is what the TableStore reads: `flushed` there is the memtables that are being flushed, the newest first, and
behind them the SSTables, those with the newest data first. A reader that was removed lives on for whoever reads from it: its
files are unlinked while they are open.

An SSTable may know of columns of which the schema does not: at a start, as long as the log that added them is not replayed.
It counts, but nothing can be read from it before `set_table` has brought the schema that fits.
"""

import logging
from collections.abc import Callable, Container, Iterable, Iterator, Sequence

from protocol.errors import CorruptionError
from storage.background import Task
from storage.batches import Batch
from storage.environment.environment import Disk
from storage.environment.strands import pause, without_frames
from storage.files import transaction
from storage.files.folders import DataFolders
from storage.memtable.memtable import TIMESTAMP_MAX_US, Memtable, Position
from storage.merged import SourcePartition
from storage.reads import TableStore
from storage.sought import Sought
from storage.sstable.caches import Caches
from storage.sstable.constants import DATA, TOC, Version
from storage.sstable.descriptor import Descriptor, UnknownVersion, next_generation, parse_file_name
from storage.sstable.reader import SSTableReader
from storage.sstable.writer import PartitionWritten

log = logging.getLogger("cqlserver.sstables")


class DamagedSSTable:
    """One that can't be opened: what reads the table fails, everything else is served."""

    max_timestamp_us = TIMESTAMP_MAX_US

    def __init__(self, descriptor: Descriptor, error: CorruptionError) -> None:
        self.descriptor, self._error = descriptor, error

    def stored(self, sought: Sought) -> SourcePartition | None:
        raise self._error

    def maybe_partition(self, key: bytes) -> SourcePartition | None:
        raise self._error

    def batches(self, start: Position = b"") -> Iterator[Batch[SourcePartition]]:
        raise self._error


class TableFiles:
    """See the module. The folder is made when something is written to it."""

    def __init__(
        self,
        disk: Disk,
        folders: DataFolders,
        store: TableStore,
        caches: Caches,
        version: Version,
        assure_schema: Callable[[Task], None],
        index_block_bytes: int | None,
    ) -> None:
        self.store = store
        self.index_block_bytes = index_block_bytes
        self.partition_written: PartitionWritten | None = None
        self.assure_schema = assure_schema
        """To be called before a new SSTable counts: waits until the schema that it was written with is durable."""
        self.readers: tuple[SSTableReader, ...] = ()
        self.on_change: Callable[[TableFiles], None] = lambda files: None
        """Is told when other SSTables count, or their table has changed."""
        self.is_stuck = False
        """A compaction ended so that only the next start can tell which of its SSTables count."""
        self.exchange: tuple[Sequence[SSTableReader], Sequence[SSTableReader]] | None = None
        """While a compaction is being decided: those that go, and those that take their place."""
        self._disk, self._folders, self._caches = disk, folders, caches
        self.version = version
        self._damaged: tuple[DamagedSSTable, ...] = ()
        self._unfit: dict[SSTableReader, CorruptionError] = {}
        """SSTables that do not fit the schema, and why."""
        self._generation = 0

    @property
    def folder(self) -> str:
        return self._folders.make(self.store.table)

    def open_all(self, leaving: Container[Descriptor] = ()) -> None:
        """Opens what is there and not `leaving`. Damage is told in the log, and to whoever reads; of what does not fit the
        schema `tell_unfit` tells."""
        folder = self._folders.maybe_folder(self.store.table.id)
        if folder is None:
            return
        readers: list[SSTableReader] = []
        damaged: list[DamagedSSTable] = []
        min_index_interval = self.store.table.params.min_index_interval
        gone = transaction.left(self._disk, folder).gone
        for descriptor, components in sstables_in(folder, self._disk.list(folder)).items():
            if descriptor in leaving or descriptor.file_name("") in gone:
                continue
            if TOC not in components and DATA not in components:
                continue
            try:
                readers.append(
                    SSTableReader.open_without_schema(
                        self._disk, folder, descriptor, min_index_interval, self._caches, components
                    )
                )
            except CorruptionError as error:
                log.error("%s; reads of %s fail until it is repaired or removed", error, self.store.table)
                damaged.append(DamagedSSTable(descriptor, error))
        self.readers, self._damaged = tuple(readers), tuple(damaged)
        self.set_table()

    def assure_whole(self) -> None:
        """Raises CorruptionError where something can't be read at all."""
        for damaged in self._damaged:
            damaged.batches()
        for error in self._unfit.values():
            raise error

    def open(self, descriptor: Descriptor) -> SSTableReader:
        """Raises CorruptionError."""
        return SSTableReader.open(self._disk, self.folder, descriptor, self.store.table, self.store.layouts, self._caches)

    @property
    def has_damaged(self) -> bool:
        """Whether there are SSTables that could not be opened."""
        return bool(self._damaged)

    def open_by_data(self) -> None:
        """SSTables that can't be opened are read by their Data.db from here on, as far as that can be read; in a strand with
        pauses. What can't be read so either stays as it is."""
        for damaged in self._damaged:
            reader = self._maybe_by_data(damaged.descriptor)
            if reader is not None and damaged in self._damaged:
                self._damaged = tuple(one for one in self._damaged if one is not damaged)
                self.replace((), (reader,))

    def do_without_index(self) -> None:
        """The same, and those whose index can't be read to its end."""
        self.open_by_data()
        for reader in self.readers:
            if not reader.is_by_data and not _has_whole_index(reader):
                made = self._maybe_by_data(reader.descriptor)
                if made is not None and reader in self.readers:
                    self.replace((reader,), (made,))

    def _maybe_by_data(self, descriptor: Descriptor) -> SSTableReader | None:
        disk, folder, table, layouts = self._disk, self.folder, self.store.table, self.store.layouts
        try:
            reader = SSTableReader.open_by_data(disk, folder, descriptor, table, layouts, self._caches)
        except CorruptionError as error:
            log.error("%s", error)
            return None
        log.warning("%s is read without its index, which can't be read", reader.path)
        return reader

    def next_descriptor(self) -> Descriptor:
        """For a new SSTable. A transaction that could not remove an old one does so at the next start, by its name: that is
        not given again."""
        if not self._generation:
            named = transaction.left(self._disk, self.folder).named
            self._generation = next_generation((*self._disk.list(self.folder), *(prefix + DATA for prefix in named)))
        descriptor = Descriptor(self.version, self._generation)
        self._generation += 1
        return descriptor

    def leave_out(self, names: Iterable[str]) -> None:
        """The numbers in these names (as `nb-1-big-`) are taken: somebody else has put such files into the folder."""
        self.next_descriptor()
        self._generation = max(self._generation, next_generation(f"{name}{DATA}" for name in names))

    def set_table(self) -> None:
        """The table's schema changed."""
        fit: list[SSTableReader] = []
        readers, self._unfit = (*self.readers, *self._unfit), {}
        for reader in readers:
            try:
                reader.set_table(self.store.table, self.store.layouts)
                fit.append(reader)
            except CorruptionError as error:
                self._unfit[reader] = without_frames(error)
        self.readers = tuple(fit)
        self._put_in_place(())

    def tell_unfit(self) -> None:
        """Says in the log what can't be read, now that the schema is known."""
        for error in self._unfit.values():
            log.error("%s; reads of %s fail until it is repaired or removed", error, self.store.table)

    def replace(self, old: Sequence[SSTableReader | Memtable], new: Iterable[SSTableReader]) -> None:
        """New SSTables take the place of those, or of the memtables, whose data they have."""
        self.readers = (*(reader for reader in self.readers if reader not in old), *new)
        self._unfit = {reader: error for reader, error in self._unfit.items() if reader not in old}
        self._put_in_place(old)

    def forget(self) -> tuple[SSTableReader, ...]:
        """No SSTable counts any more; those that did."""
        readers = self.opened
        self.readers, self._damaged, self._unfit = (), (), {}
        if self.exchange is not None:
            going, coming = self.exchange
            return (*(reader for reader in readers if reader not in going), *coming)
        return readers

    @property
    def opened(self) -> tuple[SSTableReader, ...]:
        """Also those that do not fit the schema."""
        return (*self.readers, *self._unfit)

    def has(self, descriptor: Descriptor) -> bool:
        """Be it damaged, or not fit the schema."""
        damaged = (one.descriptor for one in self._damaged)
        return descriptor in damaged or any(reader.descriptor == descriptor for reader in self.opened)

    def _put_in_place(self, gone: Sequence[object]) -> None:
        memtables = [source for source in self.store.flushed if isinstance(source, Memtable) and source not in gone]
        readers = sorted(self.readers, key=lambda reader: -reader.max_timestamp_us)
        unfit = (DamagedSSTable(reader.descriptor, error) for reader, error in self._unfit.items())
        self.store.flushed = (*memtables, *self._damaged, *unfit, *readers)
        self.on_change(self)


def _has_whole_index(reader: SSTableReader) -> bool:
    last = b""
    try:
        for stretch in reader.stretches():
            last = stretch.positions[-1]
            pause()
    except CorruptionError as error:
        log.warning("%s", error)
        return False
    return last == reader.last_position


def sstables_in(folder: str, names: Iterable[str]) -> dict[Descriptor, list[str]]:
    """The SSTables in a folder with these files, and the components of each. Raises CorruptionError for one of a version
    that can't be read."""
    found: dict[Descriptor, list[str]] = {}
    for name in names:
        try:
            parsed = parse_file_name(name)
        except UnknownVersion as error:
            raise CorruptionError(f"{folder}/{error}. Let the Cassandra that wrote it upgrade it, or move it away") from None
        if parsed is not None:
            found.setdefault(parsed[0], []).append(parsed[1])
    return found
