"""The data folder of a node whose data is kept: every table's SSTables, flushes, and what of the commit log is needed still.

The log holds what memtables hold. Of each table it is known since which position of the log its memtable has writes; of a
memtable that is being flushed likewise; and files that a TRUNCATE or DROP leaves to be removed hold the log at their record,
so that a start that finds them removes them. What lies before all of these is freed.

A start opens the SSTables (of the schema's tables first), then replays of the log what no SSTable has.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from protocol.errors import StorageError
from storage.background import Background, Lane, Task
from storage.commitlog.durable_mark import DurableMark
from storage.commitlog.format import POSITION_SHIFT, CommitLogPosition
from storage.commitlog.log import CommitLog
from storage.commitlog.records import SnapshotOrder
from storage.compaction.compactions import Compactions
from storage.environment.environment import Environment
from storage.environment.strands import beside
from storage.files import snapshots
from storage.files.adoptions import Adopted, Adoption, Adoptions
from storage.files.expiring_snapshots import ExpiringSnapshots
from storage.files.flush import Flush
from storage.files.folders import DataFolders
from storage.files.log_holders import LogHolder, worth_flushing
from storage.files.ordered_snapshots import OrderedSnapshot, OrderedSnapshots
from storage.files.received import ReceivedTable
from storage.files.table_files import TableFiles, sstables_in
from storage.files.transaction import Transaction, clean_up, left
from storage.files.truncations import UntoldTruncations
from storage.memtable.memtable import PLACE_BYTES, Memtable
from storage.reads import TableStore
from storage.schema.metadata import TableMetadata
from storage.sstable.caches import Caches
from storage.sstable.constants import DATA, VERSIONS
from storage.sstable.descriptor import Descriptor
from storage.sstable.reader import SSTableReader
from storage.sstable.statistics import LogPosition
from storage.sstable.writer import PartitionWritten

if TYPE_CHECKING:
    from storage.files.row_loads import RowLoads

log = logging.getLogger("cqlserver.flush")

CONSIDER_S: Final = 60.0
"""How often is looked whether time alone makes SSTables worth a compaction."""
SAVED: Final = "saved"
"""In the data folder: links to what a process keeps for as long as it runs."""
RETRY_S: Final = 10.0
"""After a flush or a removal has failed (a full disk), before the next attempt."""


@dataclass(frozen=True, slots=True)
class FlushOptions:
    """`memtable_bytes`: what all memtables may take together (memtable_heap_space); `log_bytes`: commitlog_total_space;
    `cache_bytes`: file_cache_size; `key_cache_bytes`: key_cache_size;
    `row_cache_bytes`: row_cache_size; `loads_rows`: it is filled before anybody reads (row_cache_save_period);
    `version`: of SSTables that are written;
    `compaction_bytes_per_s`: compaction_throughput; `keeps_backups`: incremental_backups; `column_index_bytes`:
    column_index_size. Their defaults are EngineOptions'."""

    memtable_bytes: int
    log_bytes: int
    cache_bytes: int
    key_cache_bytes: int
    row_cache_bytes: int
    version: str
    compaction_bytes_per_s: int
    keeps_backups: bool
    column_index_bytes: int | None
    loads_rows: bool


class _Removal(NamedTuple):
    """Files that a TRUNCATE or DROP left to be removed; its record of the log ends at or behind `position`. `snapshot`: what
    is made of them before."""

    files: TableFiles
    readers: tuple[SSTableReader, ...]
    position: CommitLogPosition
    snapshot: OrderedSnapshot | None


class StoredTables:
    """See the module. `stores` is the engine's, by table id."""

    def __init__(
        self,
        environment: Environment,
        root: str,
        commit_log: CommitLog,
        stores: Mapping[UUID, TableStore],
        background: Background,
        options: FlushOptions,
        host_id: Callable[[], UUID | None],
    ) -> None:
        self._host_id = host_id
        self.root = root
        self.options = options
        self.keeps_backups = options.keeps_backups
        self._disk, self._clock = environment.disk, environment.clock
        self._rng = environment.rng.fork("sstables")
        self._commit_log, self._stores, self._background = commit_log, stores, background
        self.compactions = Compactions(environment, background, options.compaction_bytes_per_s, host_id)
        self.folders = DataFolders(environment.disk, root)
        self.ordered = OrderedSnapshots(
            environment.disk, self.folders, commit_log, background, VERSIONS[options.version], host_id
        )
        self.adoptions = Adoptions(environment.disk, root, self.folders.root, commit_log, background)
        self.expiring = ExpiringSnapshots(
            environment.disk, environment.clock, self.folders, background, self.remove_snapshot
        )
        self.caches = Caches(options.cache_bytes, options.key_cache_bytes, options.row_cache_bytes)
        self._row_loads = _row_loads(background, self) if options.loads_rows else None
        self.switches: Counter[UUID] = Counter()
        """How often a table's memtable was flushed."""
        self._files: dict[UUID, TableFiles] = {}
        self._partition_written: PartitionWritten | None = None
        self._since: dict[UUID, CommitLogPosition] = {}  # from where on the log has what the memtable has
        self._first_position = commit_log.first_position  # for those of which nothing is known
        self._flushes: list[Flush] = []  # in their order
        self._removals: dict[int, CommitLogPosition] = {}
        self._failed_removals: list[_Removal] = []  # they are tried again
        self._leaving: set[tuple[UUID, Descriptor]] = set()  # they do not count any more, but their files are there still
        self._retry_at = 0.0
        self._held_bytes = 0  # of the log, by memtables and nobody else, when it was looked at
        self._seen_at: dict[UUID, float] = {}  # by table: when a tick first found something in its memtable
        self._consider_at = environment.clock.monotonic() + CONSIDER_S
        self._has_owner = self._is_replayed = False
        self._schema_mark = DurableMark(commit_log)
        self.truncations = UntoldTruncations(commit_log)

    # --- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Looks for the folders of tables, and ends what a crash left half done."""
        snapshots.remove(self._disk, f"{self.root}/{SAVED}")
        self.folders.find()
        for folder in self.folders.paths:
            clean_up(self._disk, folder)

    def install(self, store: TableStore) -> None:
        """A table is there, or has changed. Opens its SSTables. Raises CorruptionError for foreign versions."""
        table_id = store.table.id
        files = self._files.get(table_id)
        if files is not None and files.store is store:
            files.set_table()
            if self._is_replayed:
                files.tell_unfit()
            self.compactions.consider(files)
            return
        if not len(store.memtable):
            self._since.setdefault(table_id, self._commit_log.written_position)
        if self.folders.maybe_folder(table_id) is not None:
            files = self._files[table_id] = self._made(store)
            files.open_all({descriptor for leaving_id, descriptor in self._leaving if leaving_id == table_id})
            if self._is_replayed:
                files.tell_unfit()

    def schema_changed(self) -> None:
        """A change is on its way into the log."""
        self._schema_mark.set()

    def _assure_schema(self, task: Task) -> None:
        """Waits until the log has the schema durably: an SSTable that knows of columns which a power cut took from the log
        could not be read. That is seen to at once: a client may wait for the flush."""
        has_asked = False

        def is_durable() -> bool:
            nonlocal has_asked
            if self._schema_mark.is_durable():
                return True
            if self._schema_mark.waits_for_sync and not has_asked:
                has_asked = self._commit_log.is_sync_wanted = True
            return False

        task.wait(is_durable, self._sync_log)

    def written_until(self) -> dict[UUID, CommitLogPosition]:
        """By table: everything before is in its SSTables. For the replay."""
        found = {
            table_id: max((self._end_of(reader) for reader in files.opened), default=0)
            for table_id, files in self._files.items()
        }
        return {table_id: CommitLogPosition(end) for table_id, end in found.items() if end}

    def log_intervals(self) -> dict[UUID, list[tuple[int, int]]]:
        """By table: what its SSTables have of the log of this node, a Cassandra's included, from where to where."""
        hosts = (None, self._host_id())
        return {
            table_id: [
                (low[0] << POSITION_SHIFT | low[1], high[0] << POSITION_SHIFT | high[1])
                for reader in files.opened
                if reader.originating_host in hosts
                for low, high in reader.commit_log_intervals
            ]
            for table_id, files in self._files.items()
        }

    def _end_of(self, reader: SSTableReader) -> int:
        """Up to where an SSTable has the log: this one. Those of another node speak of its own, and say 0 here."""
        if reader.originating_host != self._host_id():
            return 0
        return max((segment << POSITION_SHIFT | offset for _, (segment, offset) in reader.commit_log_intervals), default=0)

    def replayed(self) -> None:
        """The log has been replayed: what memtables have may lie anywhere in it."""
        self._is_replayed = True
        self.ordered.replayed()
        for files in self._files.values():
            files.tell_unfit()
        self._tell_strangers()
        self._first_position = self._commit_log.first_position
        self._since.clear()

    def _tell_strangers(self) -> None:
        """Folders with SSTables that belong to no table of the schema: nobody reads them."""
        known = {table_id.hex for table_id in chain(self._stores, (table_id for table_id, _ in self._leaving))}
        for folder in self.folders.paths:
            if folder.rpartition("-")[2] in known:
                continue
            if any(name.endswith(f"-{DATA}") for name in self._disk.list(folder)):
                log.warning("%s belongs to no table of the schema: its SSTables are left alone", folder)

    # --- flushing --------------------------------------------------------------------------------------------------

    def files_of(self, store: TableStore) -> TableFiles:
        files = self._files.get(store.table.id)
        if files is None or files.store is not store:
            files = self._files[store.table.id] = self._made(store)
        return files

    def tell_partitions(self, written: PartitionWritten | None) -> None:
        """Who is told of each partition that flushes, compactions and streams write from now on; None: nobody."""
        self._partition_written = written
        for files in self._files.values():
            files.partition_written = written

    def set_row_cache_bytes(self, bytes_max: int) -> None:
        """How much the row cache may take, 0 for none."""
        self.caches.rows.resize(bytes_max)
        for files in self._files.values():
            files.set_table()

    def opened(self, store: TableStore, folder: str, descriptor: Descriptor) -> SSTableReader:
        """An SSTable for a table of ours. Raises CorruptionError."""
        return SSTableReader.open(self._disk, folder, descriptor, store.table, store.layouts, self.caches)

    def is_known(self, store: TableStore, descriptor: Descriptor) -> bool:
        """Whether an SSTable in the table's folder is one that it has, had, or is to have. Raises CorruptionError."""
        files = self.files_of(store)
        named = left(self._disk, files.folder).named
        is_named = descriptor.file_name("") in named or (store.table.id, descriptor) in self._leaving
        return is_named or files.has(descriptor)

    def readers_of(self, table_id: UUID) -> tuple[SSTableReader, ...]:
        """The SSTables that a table has."""
        files = self._files.get(table_id)
        return files.readers if files is not None else ()

    def _made(self, store: TableStore) -> TableFiles:
        version, block_bytes = VERSIONS[self.options.version], self.options.column_index_bytes
        made = TableFiles(self._disk, self.folders, store, self.caches, version, self._assure_schema, block_bytes)
        made.partition_written = self._partition_written
        if self._row_loads is not None:
            made.on_change = self._row_loads.consider
        return made

    def all_readers(self) -> Iterator[SSTableReader]:
        """Of all tables."""
        return chain.from_iterable(files.readers for files in self._files.values())

    def flush(self, table_ids: Iterable[UUID]) -> list[Task]:
        """Begins to flush what the memtables of these tables have now; before the first SSTable of all the one that says
        whose they are (`_end_of`)."""
        ids = [*self._owner_ids(), *table_ids]
        return [task for table_id in ids if (task := self._maybe_flush(table_id)) is not None]

    def make_room(self) -> None:
        """While nobody else asks anything: where memtables take more than they may, all go to SSTables at once."""
        if self.memtable_bytes > self.options.memtable_bytes:
            self.flush(list(self._stores))
            self._background.finish()

    def _owner_ids(self) -> list[UUID]:
        """Of system.local, where it has no SSTable yet."""
        if self._has_owner:
            return []
        found = [table_id for table_id, store in self._stores.items() if str(store.table) == "system.local"]
        self._has_owner = any(self.readers_of(table_id) for table_id in found)
        return [] if self._has_owner else found

    def _maybe_flush(self, table_id: UUID) -> Task | None:
        store = self._stores.get(table_id)
        if store is None or not len(store.memtable):
            return None
        task = Task(Lane.FLUSH, "Flush", str(store.table), lambda task: self._flush(store, task))
        task.total = store.memtable.live_bytes
        return self._background.add(task)

    def _flush(self, store: TableStore, task: Task) -> None:
        waiting = next((flush for flush in self._flushes if flush.files.store is store), None)
        if waiting is not None:  # one that failed: in their order
            self._run(waiting, task)
        commit_log = self._commit_log
        # whoever gathers also writes, and has to know whether that failed
        task.wait(lambda: not store.awaited and not commit_log.gathered, commit_log.write)
        if not len(store.memtable) or self._stores.get(store.table.id) is not store:
            return
        upper = commit_log.written_position
        lower = self._since_of(store)
        memtable, new_id = store.switch_memtable(), self._rng.uuid4
        shards = self.compactions.flush_shards(store.table)
        flush = Flush(self._disk, self.files_of(store), memtable, lower, upper, self._host_id(), new_id, shards)
        self.switches[store.table.id] += 1
        self._since[store.table.id] = upper
        self._seen_at.pop(store.table.id, None)
        self._flushes.append(flush)
        self._run(flush, task)

    def _run(self, flush: Flush, task: Task) -> None:
        try:
            readers = flush.run(task)
        except OSError as error:
            self._retry_at = self._clock.monotonic() + RETRY_S
            log.error("%s can't be flushed (%s): what it holds stays in memory and in the commit log", task.subject, error)
            raise
        if self.keeps_backups and flush.files.store.table.params.incremental_backups:
            for reader in readers:
                self._back_up(reader, task)
        self._flushes.remove(flush)
        gone = self._commit_log.take_completed(self._needed_from())
        beside(lambda: self._free(gone))
        if readers:
            self.compactions.flushed(flush.files, readers)

    def _back_up(self, reader: SSTableReader, task: Task) -> None:
        """The flush is done with or without it."""
        try:
            beside(lambda: snapshots.back_up(self._disk, reader))
        except OSError as error:
            log.error("%s: %s has no backup: %s", task.subject, reader.path, error)

    def adoption(self, found: Iterable[tuple[TableStore, str, Descriptor]], end: LogPosition) -> Adoption:
        """Of SSTables that are in some folder, for tables of ours, which get numbers for them. `end`: up to where those of
        this node's log that they have or stand in for reach."""
        adopted = []
        for store, folder, descriptor in found:
            files = self.files_of(store)
            if folder == files.folder:
                files.leave_out([descriptor.file_name("")])
            made = Descriptor(descriptor.version, files.next_descriptor().generation)
            adopted.append(Adopted(folder, descriptor, self.folders.name(store.table), made))
            self.folders.add(store.table)
        return Adoption(self._rng.uuid4(), end, adopted)

    def adopt(self, adoption: Adoption, readers: Iterable[tuple[TableStore, SSTableReader]]) -> None:
        """Its record is gathered; what it has is read from here on."""
        self.adoptions.decide(adoption)
        by_store: dict[UUID, list[SSTableReader]] = {}
        for store, reader in readers:
            by_store.setdefault(store.table.id, []).append(reader)
        for table_id, own in by_store.items():
            files = self.files_of(self._stores[table_id])
            files.replace((), own)
            files.set_table()
            self.compactions.consider(files)

    def written_before(self, table_id: UUID) -> CommitLogPosition:
        """What the log has of a table before is in its SSTables; behind its last TRUNCATE."""
        store = self._stores.get(table_id)
        flushing = [flush.lower for flush in self._flushes if flush.is_wanted and flush.files.store is store]
        if flushing:
            return min(flushing)
        if store is not None and not len(store.memtable) and not self._commit_log.gathered:
            return self._commit_log.written_position
        return self._since.get(table_id, self._first_position)

    def compact(self, table_ids: Iterable[UUID], splits: bool = False) -> list[Task]:
        """All SSTables of each table into one, or, where it `splits`, into several of halving sizes."""
        found = (self._files.get(table_id) for table_id in table_ids)
        return self.compactions.compact([files for files in found if files is not None], splits)

    @property
    def memtable_bytes(self) -> int:
        """Of all memtables, those that are being flushed included."""
        memtables = [flush.memtable for flush in self._flushes if flush.is_wanted]
        flushing = sum(memtable.live_bytes + PLACE_BYTES * len(memtable) for memtable in memtables)
        return flushing + self.ordered.bytes + sum(store.memtable.live_bytes for store in self._stores.values())

    def tick(self) -> None:
        """From time to time: flushes what is too large, holds the log too long, or is there too long."""
        self.expiring.tick()
        if self._clock.monotonic() < self._retry_at or any(task.lane is Lane.FLUSH for task in self._background.tasks):
            return
        failed, self._failed_removals = self._failed_removals, []
        for removal in failed:
            self._begin_removal(removal)
        self.free_log()
        stores = [store for store in self._stores.values() if len(store.memtable)]
        total = sum(store.memtable.live_bytes for store in stores)
        wanted = self._old_enough(stores)
        if total > self.options.memtable_bytes:
            for store in sorted(stores, key=lambda store: -store.memtable.live_bytes):
                wanted.append(store.table.id)
                total -= store.memtable.live_bytes
                if total < self.options.memtable_bytes // 4:
                    break
        elif self._commit_log.size > self.options.log_bytes:
            oldest = min((self._since_of(store) for store in stores), default=0) >> POSITION_SHIFT
            wanted += [store.table.id for store in stores if self._since_of(store) >> POSITION_SHIFT <= oldest]
        wanted += self._log_holders(stores, frozenset(wanted))
        self.ordered.begin()
        if self._clock.monotonic() >= self._consider_at:
            self._consider_at = self._clock.monotonic() + CONSIDER_S
            for files in self._files.values():
                self.compactions.consider(files)
        if self._flushes and not wanted:  # one that failed
            wanted = [self._flushes[0].files.store.table.id]
        self.flush(dict.fromkeys(wanted))

    def _log_holders(self, stores: Iterable[TableStore], leaving: Collection[UUID]) -> list[UUID]:
        """Whose memtables are worth a flush for the log that they hold, when those that are `leaving` go, too."""
        others = min((self._commit_log.written_position, *self._needed_beside_memtables()))
        held_bytes = self._commit_log.bytes_before(others)
        if held_bytes == self._held_bytes and not leaving:  # nothing to free that was not there before
            return []
        self._held_bytes = held_bytes
        holders = [
            LogHolder(store.table.id, self._since_of(store), store.memtable.live_bytes, store.table.id in leaving)
            for store in stores
        ]
        return worth_flushing(holders, others, self._commit_log.bytes_before)

    def _since_of(self, store: TableStore) -> CommitLogPosition:
        return self._since.get(store.table.id, self._first_position)

    def _old_enough(self, stores: Iterable[TableStore]) -> list[UUID]:
        """Whose memtables have had something in them for memtable_flush_period_in_ms."""
        now = self._clock.monotonic()
        seen, self._seen_at = self._seen_at, {}
        wanted = []
        for store in stores:
            period_ms = store.table.params.memtable_flush_period_in_ms
            if period_ms:
                since = self._seen_at[store.table.id] = seen.get(store.table.id, now)
                if 1000 * (now - since) >= period_ms:
                    wanted.append(store.table.id)
        return wanted

    # --- from other nodes ------------------------------------------------------------------------------------------

    def receive(self, store: TableStore) -> ReceivedTable:
        """For SSTables that are made of what another node has."""
        files = self.files_of(store)

        def is_wanted() -> bool:
            return self._files.get(store.table.id) is files

        end = divmod(self.written_before(store.table.id), 1 << POSITION_SHIFT)
        return ReceivedTable(self._disk, files, self._rng.uuid4, is_wanted, self._host_id(), end)

    def complete(self, received: ReceivedTable, when_ended: Callable[[Task], None]) -> Task:
        """Begins to have them count."""
        store = received.files.store

        def run(task: Task) -> None:
            if received.finish(task):
                self.compactions.consider(received.files)

        task = Task(Lane.STREAM, "Stream", str(store.table), run)
        task.on_end.append(lambda: when_ended(task))
        return self._background.add(task)

    # --- snapshots -------------------------------------------------------------------------------------------------

    def take_snapshot(self, store: TableStore, name: str, schema: str, created_ms: int, expires_ms: int | None) -> None:
        """Of the SSTables that a table has. May run beside the loop. Raises OSError."""
        snapshots.take(self._disk, self.files_of(store), name, schema, created_ms, expires_ms)
        self.expiring.add(expires_ms)

    def all_snapshots(self) -> list[snapshots.Snapshot]:
        """All that there are, of tables that are dropped too."""
        return [found for folder in self.folders.paths for found in snapshots.listed(self._disk, folder)]

    def snapshots_of(self, table_id: UUID) -> list[snapshots.Snapshot]:
        folder = self.folders.maybe_folder(table_id)
        return snapshots.listed(self._disk, folder) if folder is not None else []

    def has_snapshot(self, store: TableStore, name: str) -> bool:
        folder = self.folders.maybe_folder(store.table.id)
        return folder is not None and snapshots.has_snapshot(self._disk, folder, name)

    def remove_snapshot(self, folder: str) -> None:
        """May run beside the loop. Raises OSError."""
        snapshots.remove(self._disk, folder)
        above = folder.rpartition("/")[0]
        if not self._disk.list(above):
            self._disk.remove_folder(above)
        self._remove_folder_of_dropped(above.rpartition("/")[0])

    def _remove_folder_of_dropped(self, table_folder: str) -> None:
        """With that of its keyspace, where there is nothing in them any more."""
        if UUID(table_folder.rpartition("-")[2]) not in self._stores:
            self.folders.remove_if_empty(table_folder)

    # --- removing --------------------------------------------------------------------------------------------------

    def forget(self, table: TableMetadata, position: CommitLogPosition, order: SnapshotOrder | None = None) -> None:
        """The table is about to be truncated or dropped by a record of the log that ends at or behind `position`: its files
        go as soon as the record is durable, and where a snapshot is ordered with it, when that has them."""
        table_id = table.id
        flushing = [flush for flush in self._flushes if flush.files.store.table.id == table_id]
        self._flushes = [flush for flush in self._flushes if flush not in flushing]
        since = self._since.get(table_id, self._first_position)
        self._since[table_id] = CommitLogPosition(position + 1)
        files = self._files.pop(table_id, None)
        readers = files.forget() if files is not None else ()
        snapshot = None
        if order is not None:
            lower = min([since, *(flush.lower for flush in flushing)])
            snapshot = _snapshot_of(self._stores[table_id], order, readers, files, lower)
            self.ordered.add(snapshot)
            self.expiring.add(order.expires_ms)
        if files is None or not readers:
            return
        self._leaving |= {(table_id, reader.descriptor) for reader in readers}
        removal = _Removal(files, readers, position, snapshot)
        self._removals[id(removal)] = position
        if snapshot is None:
            self._begin_removal(removal)
        else:
            snapshot.on_kept = lambda: self._begin_removal(removal)

    def _begin_removal(self, removal: _Removal) -> None:
        task = Task(Lane.REMOVAL, "Remove", str(removal.files.store.table), lambda task: self._remove(removal, task))
        self._background.add(task)

    def _remove(self, removal: _Removal, task: Task) -> None:
        """While the files are there the log is held, and knows that they do not count."""
        files, readers, position, snapshot = removal
        folder = files.folder
        commit_log = self._commit_log
        if snapshot is not None:
            task.wait(lambda: self.ordered.is_kept(snapshot), self._sync_log)
        task.wait(lambda: commit_log.synced_position > position, self._sync_log)
        task.wait(lambda: files.exchange is None or files.is_stuck, lambda: None)
        if files.exchange is not None:  # whether those that went had gone is not known
            readers = (*files.exchange[0], *readers)
        try:
            beside(lambda: self._remove_now(folder, [reader.descriptor for reader in readers]))
        except OSError as error:
            self._failed_removals.append(removal)
            self._retry_at = self._clock.monotonic() + RETRY_S
            log.error("SSTables of %s, which do not count any more, can't be removed (%s): tried again", task.subject, error)
            raise
        del self._removals[id(removal)]
        self._leaving -= {(files.store.table.id, reader.descriptor) for reader in readers}
        self._remove_folder_of_dropped(folder)

    def _sync_log(self) -> None:
        self._commit_log.write()
        self._commit_log.sync()

    def _remove_now(self, folder: str, removed: Iterable[Descriptor]) -> None:
        transaction = Transaction(self._disk, folder, "unknown", self._rng.uuid4())
        transaction.remove([descriptor.file_name("") for descriptor in removed])
        transaction.commit()
        transaction.finish()

    def forget_replayed(self, table_id: UUID, position: CommitLogPosition) -> None:
        """The replay found that a table was truncated or dropped at a position: SSTables of what was before go."""
        files = self._files.get(table_id)
        if files is None:
            return
        old = [r for r in files.opened if 0 < self._end_of(r) <= position]
        files.replace(old, ())
        if old:
            self._remove_now(files.folder, [reader.descriptor for reader in old])

    def take_ordered(self, order: SnapshotOrder, store: TableStore) -> None:
        """The replay has come to where a snapshot was ordered; `store` has what of it the log holds. Raises OSError."""
        files = self._files.get(store.table.id)
        readers = [r for r in files.opened if self._end_of(r) <= order.position] if files is not None else []
        self.ordered.take_now(_snapshot_of(store, order, readers, files, CommitLogPosition(0)))

    def forget_dropped(self, table_id: UUID) -> None:
        """The replay found that a table was dropped, and is no more: its SSTables go."""
        self._files.pop(table_id, None)
        self._since.pop(table_id, None)
        folder = self.folders.maybe_folder(table_id)
        if folder is None:
            return
        found = sstables_in(folder, self._disk.list(folder))
        if found:
            self._remove_now(folder, found)
        self.folders.remove_if_empty(folder)

    # --- the log ---------------------------------------------------------------------------------------------------

    def free_log(self) -> None:
        """Removes the segments that nobody needs."""
        self._free(self._commit_log.take_completed(self._needed_from()))

    def _free(self, gone: list[int]) -> None:
        try:
            self._commit_log.remove_segments(gone)
        except OSError as error:
            log.error("segments of the commit log can't be removed (%s): nothing needs them, the next start does it", error)

    @property
    def holds_log(self) -> bool:
        """Whether anything is in the log alone."""
        flushing = any(flush.is_wanted for flush in self._flushes)
        is_taking = bool(self._removals) or not self.ordered.are_taken
        return flushing or is_taking or any(len(store.memtable) for store in self._stores.values())

    def empty_log(self, flush_all: Callable[[], object]) -> None:
        """Flushes everything, and leaves an empty log: the folder is then complete without it. Raises StorageError where
        something could not be flushed."""
        self.compactions.are_automatic = False  # what they tell of themselves would be in the log alone
        try:
            self._background.finish()
            self._commit_log.write()
            flush_all()
            self._background.finish()
            if self.holds_log:
                raise StorageError("not everything could be flushed: the commit log stays. The reason is told in the log")
            self._commit_log.empty()
        finally:
            self.compactions.are_automatic = True

    def _needed_from(self) -> CommitLogPosition:
        commit_log = self._commit_log
        needed = [commit_log.written_position, *self._needed_beside_memtables()]
        for table_id, store in self._stores.items():
            if len(store.memtable) or store.awaited:
                needed.append(self._since_of(store))
            elif not commit_log.gathered:
                self._since[table_id] = commit_log.written_position
        return min(needed)

    def _needed_beside_memtables(self) -> list[CommitLogPosition]:
        needed = [*self._removals.values(), *self.ordered.needed_from, *self.adoptions.needed_from]
        needed += self.truncations.needed_from
        needed += [flush.lower for flush in self._flushes if flush.is_wanted]
        return needed


def _snapshot_of(
    store: TableStore,
    order: SnapshotOrder,
    readers: Sequence[SSTableReader],
    files: TableFiles | None,
    lower: CommitLogPosition,
) -> OrderedSnapshot:
    """The table's memtable is another one from here on."""
    if len(store.memtable):
        store.switch_memtable()
    memtables = [source for source in store.flushed if isinstance(source, Memtable)]
    return OrderedSnapshot(order, store.table, store.layouts, memtables, readers, files, lower)


def _row_loads(background: Background, tables: StoredTables) -> "RowLoads":
    from storage.files.row_loads import RowLoads

    return RowLoads(background, tables.caches, tables.all_readers)
