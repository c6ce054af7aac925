"""The engine: the tables of one node, their commit log, and the schema that says which tables there are.

Every change goes into the log first (unless the keyspace's durable_writes is false, or the node keeps nothing), then
into the memtable. The log is only gathered here: the listener writes it once per wake-up, and acknowledges after that.

The schema is data: a schema change is a set of mutations of system_schema's tables, logged as one record, so that a
start finds all of it or nothing. Stores are kept by table id: a table that is dropped and made again is another table.

The data folder:

    .lock                the owner's pid, held with flock
    commitlog/           docs/formats/commitlog.md
    data/                SSTables, as Cassandra has them (storage/files/)
"""

import gc
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from protocol.errors import CorruptionError, InvalidRequest
from storage.background import Background, Task
from storage.commitlog.format import POSITION_SHIFT
from storage.commitlog.log import CommitLog, CommitLogOptions, CommitLogPosition, RecordTooLarge, Replayed
from storage.commitlog.records import (
    RECORD_TRACKED,
    SnapshotOrder,
    Truncation,
    drop_record,
    group_record,
    rows_record,
    snapshot_record,
    truncate_record,
)
from storage.commitlog.replay import Ordered, Replay, SchemaReplay
from storage.commitlog.table_records import WantedSnapshot, orders_of, table_of_records
from storage.environment.environment import Environment, FolderLock
from storage.environment.strands import commit, let_go_later, long_work, paused
from storage.files.folders import DATA_FOLDER
from storage.indexes.indexed_tables import IndexedTables
from storage.memtable.drafts import ROWS_MIN as DRAFT_ROWS_MIN
from storage.memtable.drafts import Seen, maybe_draft, maybe_update_draft
from storage.memtable.memtable import CK_LENGTH_MAX, single
from storage.memtable.packed import Layout
from storage.mutation import PartitionUpdate, packed_record
from storage.oversized import oversized
from storage.packed_writes import U16_HEADS, PackedRowWrite, PackedRun, maybe_packed_draft
from storage.reads import TableStore
from storage.schema.changes import ChangedTables, changed_tables
from storage.schema.definitions import built_here_table, schema_tables
from storage.schema.loading import Values, load_schema
from storage.schema.metadata import KeyspaceMetadata, Schema, TableMetadata, is_system_keyspace
from storage.schema.writes import SchemaWrite, apply_schema_write, prepared, schema_record
from storage.stored_values import stored_values

if TYPE_CHECKING:
    from storage.cdc.capture import Capture
    from storage.cdc.segments import CdcOptions
    from storage.commitlog.archiving import ArchivingOptions
    from storage.commitlog.cassandra import CassandraLog
    from storage.files.tables import StoredTables

log = logging.getLogger("cqlserver.engine")

COMMIT_LOG_FOLDER = "commitlog"
TABLES_DROPPED_PER_GO = 100

PackedWriter = Callable[[bytes, bytes, bytes, bytes], None]
"""(key, ck, timestamp, wire values): logs and applies one packed row."""

TRUNCATED: Final = "truncated"
DROPPED: Final = "dropped"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """`data`: the data folder, None to keep nothing."""

    data: str | None = None
    commit_log: CommitLogOptions = field(default_factory=CommitLogOptions)
    memtable_bytes: int = 64 << 20
    """What all memtables may take together before some are flushed (memtable_heap_space)."""
    commit_log_bytes: int = 8 << 30
    """What the log may take (commitlog_total_space)."""
    cache_bytes: int = 64 << 20
    """Of chunks of SSTables (file_cache_size)."""
    key_cache_bytes: int = 16 << 20
    row_cache_bytes: int = 0
    """Of places of partitions in SSTables (key_cache_size), and of what they are (row_cache_size), which with
    `loads_row_cache` is there before anybody reads it (row_cache_save_period)."""
    sstable_version: str = "nb"
    """Of SSTables that are written."""
    compaction_bytes_per_s: int = 64 << 20
    """As fast may compactions read; 0: as they can (compaction_throughput)."""
    incremental_backups: bool = False
    """Whether what is flushed is kept in backups/, too."""
    archiving: "ArchivingOptions | None" = None
    """Who archives segments of the log, and what is brought back of such; None: nobody."""
    cdc: "CdcOptions | None" = None
    """Where the changes of tables with `cdc = true` are captured; None: nowhere (cdc_enabled is false)."""
    column_index_bytes: int | None = None
    """Of a wide partition as much lies between two entries of its index (column_index_size); None: as its format has it."""
    loads_row_cache: bool = False
    is_schema_shared: bool = False
    """Whether other nodes have the schema, too: what is deleted of it is kept for those who have not heard of it."""


class Engine:
    """See the module. `built_in`: the keyspaces that the program defines (system, system_schema, ...), with tables;
    `hidden`: tables that it keeps something in, and that no schema tells of.

    Start before use. `schema` is replaced by `change_schema` only; `stores` holds a TableStore for every table and
    view that is not virtual, `truncations` the last one of each table that was ever truncated."""

    def __init__(
        self,
        environment: Environment,
        options: EngineOptions,
        built_in: Iterable[KeyspaceMetadata] = (),
        hidden: Iterable[TableMetadata] = (),
    ) -> None:
        self.environment, self.options = environment, options
        self.built_in, self._hidden = tuple(built_in), tuple(hidden)
        self.schema = Schema.of(self.built_in)
        self.stores: dict[UUID, TableStore] = {}
        self.truncations: dict[UUID, Truncation] = {}
        self.commit_log: CommitLog | None = None
        self._unlogged: set[UUID] = set()  # tables of keyspaces whose durable_writes is false
        self.indexed = IndexedTables(self)
        self._lock: FolderLock | None = None
        self.background = Background(environment.workers, environment.clock.monotonic)
        self.maybe_files: StoredTables | None = None
        self.before_flush: Callable[[], None] = lambda: None
        """What only the log knows has to be data before the log is freed: called when that may happen."""
        self.wanted_before: Callable[[Sequence[TableMetadata], str], Sequence[WantedSnapshot]] = lambda tables, why: ()
        """What is to be kept of tables that clients have TRUNCATED or DROPPED."""
        self.host_id: UUID | None = None
        """Under which SSTables say whose log they speak of."""
        self._started = False
        if options.data is not None:
            folder = f"{options.data}/{COMMIT_LOG_FOLDER}"
            self.commit_log = CommitLog(environment.disk, environment.clock, folder, options.commit_log)
            if options.archiving is not None:
                from storage.commitlog.archiving import Archiver

                self.commit_log.archiver = Archiver(environment, folder, options.archiving, self._is_own)
        self.capture = self._maybe_capture()
        self._taken_over: CassandraLog | None = None

    def _maybe_capture(self) -> "Capture | None":
        if self.options.cdc is None or self.commit_log is None:
            return None
        from storage.cdc.capture import Capture

        return Capture(self.environment, self.options.cdc, self.commit_log, self._maybe_logged)

    # --- life ------------------------------------------------------------------------------------------------------

    def start(self) -> Replayed | None:
        """Take the data folder and bring back what the log holds; what it found, None where nothing is kept.

        Raises StorageError (the folder is in use), CorruptionError (the log is damaged), OSError."""
        data = self.options.data
        if data is None or self.commit_log is None:
            self._install_built_in()
            self.indexed.started()
            return None
        disk = self.environment.disk
        disk.mkdirs(f"{data}/{COMMIT_LOG_FOLDER}")
        self._lock = disk.lock(data)
        collecting = gc.isenabled()
        gc.disable()  # millions of new objects, none of them garbage
        try:
            if self.commit_log.archiver is not None:
                self.commit_log.archiver.begin()
            if self.capture is not None:
                self.capture.start()
            if disk.exists(f"{data}/{DATA_FOLDER}"):
                self.files.start()
            self._install_built_in()
            replayed = self._replay(self.commit_log)
            self.indexed.started()
            self._started = True
            return replayed
        except BaseException:
            self._lock.release()
            raise
        finally:
            if collecting:
                gc.enable()

    def _install_built_in(self) -> None:
        self._install(self.schema, changed_tables(Schema.of(()), self.schema))
        for table in (*schema_tables().values(), built_here_table(), *self._hidden):
            if table.id not in self.stores:
                self._install_store(table)
        for table in schema_tables().values():
            self.stores[table.id].keeps_deletions = self.options.is_schema_shared

    def _stored_host_id(self) -> UUID | None:
        """Whose SSTables these are, by system.local."""
        table = self.schema.maybe_table("system", "local")
        rows = stored_values(self.stores[table.id], self.environment.clock.now_s()) if table is not None else ()
        return next((UUID(bytes=data) for row in rows if (data := row["host_id"]) is not None), None)

    @property
    def files(self) -> "StoredTables":
        """The SSTables. Only for nodes that keep their data; made when there are any, or are to be."""
        if self.maybe_files is None:
            from storage.compaction.history import remember
            from storage.files.tables import FlushOptions, StoredTables

            assert self.options.data is not None, "this node keeps nothing"
            assert self.commit_log is not None
            wanted = self.options
            options = FlushOptions(
                wanted.memtable_bytes, wanted.commit_log_bytes,
                wanted.cache_bytes, wanted.key_cache_bytes, wanted.row_cache_bytes,
                wanted.sstable_version,
                wanted.compaction_bytes_per_s, wanted.incremental_backups,
                wanted.column_index_bytes, wanted.loads_row_cache,
            )
            self.maybe_files = StoredTables(
                self.environment,
                self.options.data,
                self.commit_log,
                self.stores,
                self.background,
                options,
                lambda: self.host_id,
            )
            self.maybe_files.compactions.on_compacted = partial(remember, self)
            if self.truncations:
                self.maybe_files.truncations.add(CommitLogPosition(0))
        return self.maybe_files

    def _replay(self, commit_log: CommitLog) -> Replayed:
        clock = self.environment.clock.monotonic
        began = clock()
        misfit = commit_log.recovery.judge_record
        if self.maybe_files is not None:
            self.host_id = self._stored_host_id()
        self._taken_over = taken_over = self._maybe_taken_over(commit_log)
        of_schema = SchemaReplay(self.stores, misfit, self.maybe_files)
        commit_log.read_before_replay(of_schema.apply)
        if self.maybe_files is not None:
            self.maybe_files.adoptions.settle(of_schema.adopted)
        if taken_over is not None:
            taken_over.replay_schema(self.stores)
        self._reload()
        if taken_over is not None:
            from storage.local_node import stored_truncations

            taken_over.replay(self.stores, stored_truncations(self), self.files.make_room)
        ordered = self._ordered_snapshots(of_schema.ordered.values()) if of_schema.ordered else ()
        replay = Replay(self.stores, of_schema.dropped, self.truncations, misfit, self.maybe_files, ordered)
        completion = self.capture.completion(commit_log.recovery.settled_before) if self.capture is not None else None
        replayed = commit_log.replay(replay.apply if completion is None else completion.following(replay.apply))
        replay.finish()
        if completion is not None:
            completion.finish()
        if self.maybe_files is not None:
            if self.truncations:
                self.maybe_files.truncations.add(CommitLogPosition(0))
            self.maybe_files.replayed()
        if replayed.segments:
            log.info("Log replay complete, %d replayed mutations in %d ms", replayed.records, (clock() - began) * 1000)
        if replay.skipped:
            log.info("Skipped %d mutations of dropped tables", replay.skipped)
        if replay.unknown:
            ids = ", ".join(map(str, replay.unknown))
            count = sum(replay.unknown.values())
            log.warning("Skipped %d mutations of unknown tables, whose making the log does not hold: ids %s", count, ids)
        return replayed

    def _maybe_taken_over(self, commit_log: CommitLog) -> "CassandraLog | None":
        """What a Cassandra left of its log in the folder; None where there is none, or no data that it could be of."""
        data, recovery, files = self.options.data, commit_log.recovery, self.maybe_files
        if files is None or self.host_id is None or not recovery.has_foreign:
            return None
        from storage.commitlog.cassandra import CassandraLog

        recovery.leaves_foreign = True
        folder, ignores = f"{data}/{COMMIT_LOG_FOLDER}", commit_log.options.ignore_replay_errors
        return CassandraLog(self.environment.disk, folder, ignores, files.log_intervals)

    def _is_own(self, table_id: UUID) -> bool:
        """Whether a table is one of the program's own."""
        store = self.stores.get(table_id)
        return store is not None and is_system_keyspace(store.table.keyspace)

    def _ordered_snapshots(self, found: Iterable[tuple[int, SnapshotOrder]]) -> list[Ordered]:
        """Of those that the log orders, and does not say to be there, such as are not: to be taken by the replay."""
        files, ordered = self.files, []
        for number, order in found:
            if not files.ordered.is_there(order):
                store = TableStore(table_of_records(order.table_id, order.schema))
                if order.table_id not in self.stores:
                    files.install(store)
                ordered.append(Ordered(number, order, store))
        return ordered

    def keep_restored(self) -> None:
        """After a start up to a point: what was restored goes to SSTables, and what was left out is gone with the log. After
        one on the folder of a Cassandra that was not drained: its log goes the same way. Raises StorageError."""
        commit_log, taken_over = self.commit_log, self._taken_over
        if commit_log is not None and commit_log.archiver is not None and commit_log.archiver.has_point:
            self.files.empty_log(self.flush)
        if taken_over is not None:
            self.files.empty_log(self.flush)
            taken_over.remove()
            self._taken_over = None

    def _reload(self) -> None:
        """Take the schema from the rows of system_schema."""
        try:
            schema = load_schema(self._schema_rows, self.built_in)
        except CorruptionError as error:
            raise CorruptionError(
                f"{error}. The commit log in {self.options.data}/{COMMIT_LOG_FOLDER} does not hold the whole schema: "
                "restore the data folder from a copy"
            ) from error
        self._install(schema, changed_tables(self.schema, schema))

    def _schema_rows(self, table_name: str) -> Iterator[Values]:
        return stored_values(self.stores[schema_tables()[table_name].id], self.environment.clock.now_s())

    def keep_nothing(self) -> None:
        """From now on all is in memory alone: what was found in the data folder was only to begin with."""
        self.close()
        self.commit_log = self.capture = None

    def close(self) -> None:
        """Write and sync what is gathered, and release the folder. What the log has not is flushed."""
        try:
            self.background.stop()
            if self.maybe_files is not None and self.maybe_files.ordered.begin_anew():
                self.background.finish()
            self._flush_unlogged()
            if self.commit_log is not None:
                self.commit_log.close()
        finally:
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def is_logged(self, table_id: UUID) -> bool:
        """Whether the log takes a table's changes."""
        return self.commit_log is not None and table_id not in self._unlogged

    def captures(self, table: TableMetadata) -> bool:
        """Whether its changes go to cdc_raw, too."""
        return self.capture is not None and table.params.cdc

    def _maybe_logged(self, table_id: UUID) -> TableMetadata | None:
        """A table whose changes the log takes."""
        return self.stores[table_id].table if self.is_logged(table_id) else None

    # --- writing ---------------------------------------------------------------------------------------------------

    def apply(self, update: PartitionUpdate, seen: Seen | None = None) -> bool:
        """Log and apply one update. Raises InvalidRequest (too large), CommitLogFailed; then nothing was applied. With
        `seen`: only if that is current when all is prepared; whether it was."""
        if update.table_id in self.indexed.tables:
            return self.indexed.apply((update,), seen)
        store = self.stores[update.table_id]
        logged = self.commit_log is not None and update.table_id not in self._unlogged
        record = update.encode() if logged else b""
        draft = maybe_update_draft(store, update)
        if seen is not None and not seen.is_current:
            return False
        if logged:
            self._append(record, (update,))
        commit()
        if draft is not None:
            draft.take_place()
        else:
            store.apply(update)
        return True

    def apply_all(self, updates: Sequence[PartitionUpdate]) -> None:
        """Log several updates as one record, so that a start brings back all or none, and apply them."""
        if self.indexed.tables and self.indexed.any_of(update.table_id for update in updates):
            self.indexed.apply(updates)
            return
        self.apply_plain(updates)

    def apply_plain(self, updates: Sequence[PartitionUpdate]) -> None:
        """`apply_all` for updates that change no index."""
        self.log_updates(updates)
        stores = self.stores
        for update in updates:
            stores[update.table_id].apply(update)

    def log_updates(self, updates: Sequence[PartitionUpdate]) -> None:
        """Logs several updates as one record; what follows without a pause is the change itself."""
        self.log_record(self.maybe_record(updates), updates)

    def maybe_record(self, updates: Sequence[PartitionUpdate]) -> bytes | None:
        """Several updates as one record; None where nothing is logged."""
        records = [update.encode() for update in paused(updates) if self.is_logged(update.table_id)]
        if not records:
            return None
        record = records[0] if len(records) == 1 else group_record(records)
        return record if self.capture is None else self.capture.maybe_tracked(record, updates)

    def log_record(self, record: bytes | None, updates: Sequence[PartitionUpdate]) -> None:
        """What follows without a pause is the change itself."""
        if record is not None:
            self._append(record, updates)
        commit()

    def apply_packed_all(self, writes: Sequence[PackedRowWrite]) -> None:
        """Log several packed rows as one record and apply them. Raises what `apply_all` raises."""
        if self.indexed.tables and self.indexed.any_of(write.store.table.id for write in writes):
            self.indexed.apply_packed([(write.store, write.key, write.ck, write.row) for write in paused(writes)])
            return
        commit_log = self.commit_log
        records: list[bytes] = []
        if commit_log is not None:
            logged = [write for write in paused(writes) if write.store.table.id not in self._unlogged]
            records = [packed_record(w.layout.record_prefix, w.key, single(w.ck, w.row)) for w in paused(logged)]
            let_go_later(records)
        draft = maybe_packed_draft(writes) if len(writes) >= DRAFT_ROWS_MIN else None
        if commit_log is not None and records:
            try:
                commit_log.append(records[0] if len(records) == 1 else group_record(records))
            except RecordTooLarge as error:
                raise self._oversized(error, [PartitionUpdate(w.store.table.id, w.key) for w in logged]) from error
        commit()
        if draft is not None:
            draft.take_place()
            return
        for write in writes:
            write.store.apply_packed(write.key, write.ck, write.row)

    def apply_packed_runs(self, store: TableStore, key: bytes, timestamp: bytes, runs: Sequence[PackedRun]) -> None:
        """Log packed rows of one partition and one timestamp (8 bytes) as one record and apply them; the key is at most
        65,535 bytes long. Raises what `apply` raises."""
        if store.has_derived:
            rows = [(run.layout.row_prefix + timestamp, run) for run in runs]
            self.indexed.apply_packed(
                [(store, key, ck, head + row) for head, run in rows for ck, row in zip(run.cks, run.values, strict=True)]
            )
            return
        commit_log = self.commit_log
        logged = commit_log is not None and store.table.id not in self._unlogged
        records: list[bytes] = []
        if logged:
            records = [rows_record(run.layout.record_prefix, key, timestamp, run.values) for run in runs]
        draft = None
        if sum([len(run.cks) for run in runs]) >= DRAFT_ROWS_MIN:
            packed = [
                (ck, run.layout.row_prefix + timestamp + values)
                for run in runs
                for ck, values in paused(zip(run.cks, run.values, strict=True))
            ]
            draft = maybe_draft(store, key, packed)
        if commit_log is not None and logged:
            try:
                commit_log.append(records[0] if len(records) == 1 else group_record(records))
            except RecordTooLarge as error:
                raise self._oversized(error, (PartitionUpdate(store.table.id, key),)) from error
        commit()
        if draft is not None:
            draft.take_place()
            return
        for layout, cks, values in runs:
            store.memtable.apply_packed_rows(key, layout.row_prefix + timestamp, cks, values)

    def packed_writer(self, store: TableStore, layout: Layout) -> PackedWriter:
        """The hot path of writes: a function for one layout of one table, to be kept by a plan until the schema
        changes. Raises what `apply` raises."""
        if store.has_derived:
            return self.indexed.packed_writer(store, layout)
        row_prefix, heads, apply = layout.row_prefix, U16_HEADS, self.apply
        commit_log = self.commit_log
        if commit_log is None or store.table.id in self._unlogged:

            def write_unlogged(key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> None:
                if len(ck) < len(heads):
                    head = heads[len(ck)] + ck + row_prefix + timestamp
                    store.memtable.apply_packed(key, head, head + values)
                else:
                    store.memtable.apply_packed_rows(key, row_prefix + timestamp, [ck], [values])

            return write_unlogged

        append, record_prefix = commit_log.append, layout.record_prefix

        def write_long(key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> None:
            if len(ck) <= CK_LENGTH_MAX:
                self.apply_packed_all([PackedRowWrite(store, layout, key, ck, timestamp + values)])
            else:  # an order key longer than a packed record can say
                row = store.layouts.explode(row_prefix + timestamp + values)
                apply(PartitionUpdate(store.table.id, key, rows={ck: row}))

        def write(key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> None:
            try:
                head = heads[len(ck)] + ck + row_prefix + timestamp
                partition = head + values
                append(record_prefix + heads[len(key)] + key, partition)
            except IndexError:
                write_long(key, ck, timestamp, values)
                return
            except RecordTooLarge as error:
                raise self._oversized(error, (PartitionUpdate(store.table.id, key),)) from error
            store.memtable.apply_packed(key, head, partition)

        return write

    def _append(self, record: bytes, updates: Sequence[PartitionUpdate]) -> None:
        assert self.commit_log is not None
        try:
            if self.capture is not None and record[0] == RECORD_TRACKED:
                self.capture.append(record, self.stores[updates[0].table_id].table.keyspace)
            else:
                self.commit_log.append(record)
        except RecordTooLarge as error:
            raise self._oversized(error, updates) from error

    def _oversized(self, error: RecordTooLarge, updates: Sequence[PartitionUpdate]) -> InvalidRequest:
        return oversized(error, [(self.stores[update.table_id].table, update.key) for update in updates])

    def truncate(self, table: TableMetadata, timestamp_us: int) -> None:
        """Remove all rows of a table; a start does not bring them back. Raises CommitLogFailed."""
        self.truncate_all((table.id,), timestamp_us)

    def truncate_all(
        self, table_ids: Sequence[UUID], timestamp_us: int, wanted: Sequence[WantedSnapshot] = ()
    ) -> None:
        """The same of several tables, as one record: all of them are empty after a crash, or none. `wanted`: snapshots of
        what they have."""
        for table_id in table_ids:
            self.stores[table_id].assure_turns()
        commit()
        table_ids = self.indexed.with_derived(table_ids)
        truncation = Truncation(*divmod(self.log_position(), 1 << POSITION_SHIFT), timestamp_us)
        orders = self._orders(wanted)
        if self.commit_log is not None and table_ids:
            records = [snapshot_record(order) for order in orders.values()]
            records += [truncate_record(table_id, truncation) for table_id in table_ids]
            self.commit_log.append(records[0] if len(records) == 1 else group_record(records))
        files = self.files if orders else self.maybe_files
        if files is not None and self.commit_log is not None:
            files.truncations.add(truncation.position)
        for table_id in table_ids:
            store = self.stores[table_id]
            if files is not None:
                files.forget(store.table, truncation.position, orders.get(table_id))
            store.truncate()
            self.truncations[table_id] = truncation

    def _orders(self, wanted: Sequence[WantedSnapshot]) -> dict[UUID, SnapshotOrder]:
        return orders_of(wanted, self.log_position(), self.schema, self.stores) if wanted else {}

    # --- schema ----------------------------------------------------------------------------------------------------

    def assure_turns(self, new: Schema) -> None:
        """Before a change of the schema: raises TooLong in a go of the loop where it drops much at once."""
        dropped = changed_tables(self.schema, new).dropped
        if len(dropped) > TABLES_DROPPED_PER_GO:
            long_work()
        for table in paused(dropped):
            self.stores[table.id].assure_turns()

    def change_schema(
        self, new: Schema, writes: Sequence[SchemaWrite], wanted: Sequence[WantedSnapshot] = ()
    ) -> None:
        """Make `new` the schema. `writes` are the rows of system_schema that say so (schema_tables.schema_mutations);
        logged as one record, with the snapshots `wanted` of tables that are dropped. Raises CommitLogFailed, InvalidRequest
        (too large); then nothing changed. Pauses before that, never in it: a strand that is overtaken by another change
        begins again."""
        stores = self.stores
        changed = changed_tables(self.schema, new)
        records = []
        if self.commit_log is not None:
            records = [schema_record(write, stores[write.table_id]) for write in paused(writes)]
        following = prepared(writes, stores)
        commit()
        orders = self._orders(wanted)
        if self.commit_log is not None and writes:
            records[:0] = [snapshot_record(order) for order in orders.values()]
            records += [drop_record(table.id, self.log_position()) for table in changed.dropped]
            try:
                self.commit_log.append(records[0] if len(records) == 1 else group_record(records))
            except RecordTooLarge as error:
                raise self._oversized(error, [PartitionUpdate(write.table_id, write.key) for write in writes]) from error
        files = self.files if orders else self.maybe_files
        if files is not None:
            files.schema_changed()
            for table in changed.dropped:
                files.forget(table, self.log_position(), orders.get(table.id))
        for one in following:
            one.apply()
        old = self.schema
        let_go_later(changed.dropped, [self.stores.get(table.id) for table in changed.dropped])
        self._install(new, changed)
        self.indexed.schema_changed(old, new)

    def apply_unlogged(self, writes: Iterable[SchemaWrite]) -> None:
        """Rows that follow from the program, or from what is logged: the next start makes them again."""
        for write in writes:
            apply_schema_write(write, self.stores[write.table_id])

    def _install(self, new: Schema, changed: ChangedTables) -> None:
        """Drop, make and change stores."""
        for table in changed.dropped:
            dropped = self.stores.pop(table.id, None)
            if dropped is not None:
                dropped.let_go()
            self._unlogged.discard(table.id)
            self.truncations.pop(table.id, None)
        for table in changed.installed:
            store = self.stores.get(table.id)
            if store is None:
                self._install_store(table)
            elif store.table is not table:
                store.set_table(table)
                if self.maybe_files is not None:
                    self.maybe_files.install(store)
        self._unlogged -= {table.id for table in changed.durable}
        self._unlogged |= {table.id for table in changed.unlogged}
        self.indexed.install(changed, new)
        self.schema = new

    def _install_store(self, table: TableMetadata) -> None:
        self.stores[table.id] = store = TableStore(table)
        if self.maybe_files is not None:
            self.maybe_files.install(store)

    # --- flushing --------------------------------------------------------------------------------------------------

    def log_position(self) -> CommitLogPosition:
        """Everything applied and written so far lies before it."""
        return self.commit_log.written_position if self.commit_log is not None else CommitLogPosition(0)

    def flush(self, table_ids: Iterable[UUID] | None = None) -> list[Task]:
        """Begin to flush what the memtables of these tables, or of all, have now. Nothing for a node that keeps nothing."""
        if self.commit_log is None:
            return []
        self._tell_truncations(self.commit_log)
        return self.files.flush(list(self.stores) if table_ids is None else table_ids)

    def _tell_truncations(self, commit_log: CommitLog) -> None:
        is_nobodys_go = not commit_log.gathered
        self.before_flush()
        self.files.truncations.tell()
        if is_nobodys_go and commit_log.failure is None:
            commit_log.write()

    def tick(self) -> None:
        """From time to time: what has grown too large is flushed."""
        if self.commit_log is None:
            return
        if self.commit_log.archiver is not None:
            self.commit_log.archiver.tick(self.background, self.environment.clock.monotonic())
        if self.maybe_files is None:
            total = sum(store.memtable.live_bytes for store in self.stores.values())
            has_periods = any(
                store.table.params.memtable_flush_period_in_ms and not is_system_keyspace(store.table.keyspace)
                for store in self.stores.values()
            )
            is_small = total <= self.options.memtable_bytes
            log_bytes_max = min(self.options.memtable_bytes, self.options.commit_log_bytes)
            if is_small and self.commit_log.size <= log_bytes_max and not has_periods:
                return
        if self.files.truncations.holds_segments and self.commit_log.failure is None:
            self._tell_truncations(self.commit_log)
        self.files.tick()

    def compact(self, table_ids: Iterable[UUID] | None = None, splits: bool = False) -> list[Task]:
        """Begin to make one SSTable of all that each of these tables, or any, has; several where it `splits`."""
        if self.maybe_files is None:
            return []
        return self.maybe_files.compact(list(self.stores) if table_ids is None else table_ids, splits)

    @property
    def backlog(self) -> float:
        """How many times what they should memtables take, those that are being flushed included."""
        return 0.0 if self.maybe_files is None else self.maybe_files.memtable_bytes / self.options.memtable_bytes

    def drain(self) -> None:
        """Flush everything, and leave an empty log: the folder is then complete without it. Raises StorageError where
        something could not be flushed."""
        if self.commit_log is None:
            return
        self.indexed.hand_over()
        self.files.empty_log(self.flush)

    def _flush_unlogged(self) -> None:
        if not self._started:
            return
        unlogged = [table_id for table_id in self._unlogged if len(self.stores[table_id].memtable)]
        if unlogged and self.commit_log is not None and self.commit_log.failure is None:
            self.flush(unlogged)
            self.background.finish()
