"""The engine's side of change data capture: which tables are captured, and what goes to cdc_raw of what is written to them.

Captured is a table with `cdc = true` whose changes are logged. Its writes take the general way, as those of tables with
indexes do (IndexedTables), so that nobody else pays for it. What is for cdc_raw stands in the record of the commit log: that
is how a start knows, whatever has become of the table since (completion.py).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

from storage.cdc.completion import Completion
from storage.cdc.format import VERSION_50
from storage.cdc.mutations import UpdateEncoder, encode_mutation
from storage.cdc.packed_writer import CapturedWriter, PackedWriter
from storage.cdc.segments import CdcOptions, CdcSegments
from storage.commitlog.records import tracked_record
from storage.environment.environment import Environment
from storage.memtable.packed import Layout
from storage.mutation import PartitionUpdate
from storage.reads import TableStore
from storage.schema.metadata import TableMetadata

if TYPE_CHECKING:
    from storage.commitlog.log import CommitLog


ENCODERS_MAX: Final = 256
"""How many tables' encoders are kept; one is made anew in 20 us."""


class Capture:
    """See the module. `table_of`: by id, of tables that are logged; None for others."""

    def __init__(
        self,
        environment: Environment,
        options: CdcOptions,
        commit_log: "CommitLog",
        table_of: Callable[[UUID], TableMetadata | None],
    ) -> None:
        self.options = options
        self._disk, self._commit_log, self._table_of = environment.disk, commit_log, table_of
        self.segments = CdcSegments(environment.disk, environment.clock, options)
        self._encoders: dict[UUID, tuple[TableMetadata, UpdateEncoder]] = {}

    def start(self) -> None:
        """Raises OSError."""
        self._disk.mkdirs(self.options.folder)
        self._commit_log.follower = self.segments

    def completion(self, settled_before: int) -> Completion:
        """What a replay tells of the records that it reads."""
        return Completion(self._disk, self.options.folder, self.options.version, settled_before)

    def maybe_tracked(self, record: bytes, updates: Sequence[PartitionUpdate]) -> bytes:
        """The record of these updates; with what goes to cdc_raw, if any does: one mutation a key, as in Cassandra."""
        by_key: dict[tuple[str, bytes, bool], list[bytes]] = {}
        for update in updates:
            table = self._table_of(update.table_id)
            if table is not None and table.params.cdc:
                group = by_key.setdefault((table.keyspace, update.key, table.is_view), [])
                group.append(self._encoder(table).encode(update))
        return tracked_record([encode_mutation(group) for group in by_key.values()], record) if by_key else record

    def packed_writer(self, store: TableStore, layout: Layout, general: PackedWriter) -> PackedWriter:
        """A function that writes one packed row of a table whose rows nothing follows from but this."""
        if self._table_of(store.table.id) is None:
            return general
        return CapturedWriter(self, store, layout, general).write

    def append(self, record: bytes, keyspace: str) -> None:
        """Has the log take such a record. Raises CdcFull, RecordTooLarge, CommitLogFailed."""
        self.segments.admit(keyspace, self._commit_log.segment)
        self._commit_log.append_tracked(record)

    def _encoder(self, table: TableMetadata) -> UpdateEncoder:
        known = self._encoders.get(table.id)
        if known is None or known[0] is not table:
            if len(self._encoders) >= ENCODERS_MAX:  # of tables that are dropped, maybe
                self._encoders.clear()
            known = self._encoders[table.id] = table, UpdateEncoder(table, self.options.version >= VERSION_50)
        return known[1]
