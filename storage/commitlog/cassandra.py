"""The commit log of a Cassandra that was not drained, replayed by the server that takes its data folder over
(db/commitlog/CommitLogReplayer.java).

What SSTables of that node say to have of its log is left out, and what lies before a TRUNCATE; all else is applied, schema
first. Nothing of it goes into a log of ours: once all is in SSTables its segments are removed, and a start that ends before
does it again. What a Cassandra would not replay either, it would not replay here: the end of a section that was not synced.

A segment that is damaged, or compressed, refuses the start, naming it; after --ignore-replay-errors its rest is left out.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple
from uuid import UUID

from protocol.errors import CorruptionError, StorageError
from storage.cdc.format import ENTRY_OVERHEAD_BYTES, MARKER_BYTES, maybe_segment_id, read_segment
from storage.cdc.reading import MutationDecoder, UnknownTable
from storage.commitlog.format import POSITION_SHIFT, is_foreign_segment
from storage.commitlog.records import Truncation
from storage.environment.environment import Disk
from storage.mutation import PartitionUpdate
from storage.reads import TableStore
from storage.schema.definitions import schema_tables
from storage.schema.metadata import TableMetadata, is_system_keyspace
from storage.sstable.constants import DAMAGE

log = logging.getLogger("cqlserver.commitlog")

_COMPRESSION: Final = b'"compressionClass"'
_ENCRYPTION: Final = b'"encCipher"'
UPDATES_BETWEEN_LOOKS: Final = 1_000
"""At memtables, which a Cassandra lets grow larger than ours."""
_TABLE_ID: Final = slice(1, 17)
"""Of the first update of a mutation of fewer than 128."""

Interval = tuple[int, int]
"""Positions (segment << 32 | offset) that an SSTable, or a TRUNCATE, covers, both included."""


class Entry(NamedTuple):
    """`position`: the one behind it; `segment`: the name of its file."""

    position: int
    mutation: bytes
    segment: str


class CassandraLog:
    """The segments in `folder`. `covered` tells by table, of those that there are by then, what SSTables have of them."""

    def __init__(
        self, disk: Disk, folder: str, ignore_errors: bool, covered: Callable[[], Mapping[UUID, Sequence[Interval]]]
    ) -> None:
        self._disk, self._folder, self._ignore_errors, self._covered = disk, folder, ignore_errors, covered
        found = ((maybe_segment_id(name), name) for name in disk.list(folder) if is_foreign_segment(name))
        self.names = [name for _, name in sorted((number or 0, name) for number, name in found)]

    # -- reading ------------------------------------------------------------------------------------------------------

    def entries(self) -> Iterator[Entry]:
        """Raises CorruptionError, OSError."""
        for name in self.names:
            data = self._disk.read_file(f"{self._folder}/{name}")
            contents = read_segment(data)
            if _COMPRESSION in contents.parameters or _ENCRYPTION in contents.parameters:
                self._refuse(name, "it is compressed or encrypted, which is not read here")
            elif not contents.version:
                if any(data) and name != self._last:
                    self._refuse(name, "its header is damaged")
            else:
                begin = contents.start
                for section in contents.sections:
                    at = begin + MARKER_BYTES
                    for mutation in section.mutations:
                        at += len(mutation) + ENTRY_OVERHEAD_BYTES
                        yield Entry(contents.segment_id << POSITION_SHIFT | at, mutation, name)
                    begin = section.end
                if any(data[begin : begin + MARKER_BYTES]) and name != self._last:
                    self._refuse(name, f"it is damaged behind offset {begin}")

    @cached_property
    def _last(self) -> str:
        """The one that was written to when the Cassandra stopped: those behind it stood ready, with nothing in them."""
        for name in reversed(self.names):
            data = self._disk.read_file(f"{self._folder}/{name}")
            if any(data[read_segment(data).start :]):
                return name
        return ""

    def _refuse(self, name: str, what: str) -> None:
        text = f"{self._folder}/{name}, a segment of Apache Cassandra's commit log, can't be replayed: {what}"
        if not self._ignore_errors:
            raise CorruptionError(
                f"{text}. Run nodetool drain there first, or start once with --ignore-replay-errors to go on without it"
            )
        log.error("%s: skipped for good, as ignore-replay-errors says", text)

    # -- replaying ----------------------------------------------------------------------------------------------------

    def replay_schema(self, stores: Mapping[UUID, TableStore]) -> None:
        """What it says of the schema: a Cassandra has that in SSTables at once, unless it was told otherwise."""
        own = {table.id: stores[table.id].table for table in schema_tables().values()}
        raw_ids = {table_id.bytes for table_id in own}
        decoder, covered = MutationDecoder(own.get), self._covered()
        for position, mutation, segment in self.entries():
            if mutation[_TABLE_ID] in raw_ids:
                for update in self._decoded(decoder, mutation, own, segment):
                    if not _is_covered(covered.get(update.table_id, ()), position):
                        stores[update.table_id].apply(update)

    def replay(
        self,
        stores: Mapping[UUID, TableStore],
        truncations: Mapping[UUID, Truncation],
        make_room: Callable[[], None],
    ) -> None:
        """All else, into the memtables of the tables that there are, but for what was truncated; from time to time somebody
        is asked to `make_room` there. Raises CorruptionError, OSError."""
        schema_ids = {table.id for table in schema_tables().values()}
        tables: dict[UUID, TableMetadata] = {table_id: store.table for table_id, store in stores.items()}
        decoder, covered = MutationDecoder(tables.get), self._covered()
        replayed = skipped = 0
        log.info("Replaying %d segments of Apache Cassandra's commit log in %s", len(self.names), self._folder)
        for position, mutation, segment in self.entries():
            updates = self._decoded(decoder, mutation, tables, segment)
            skipped += not updates
            for update in updates:
                table_id = update.table_id
                truncated = truncations.get(table_id)
                is_gone = truncated is not None and position <= truncated.position
                if table_id not in schema_ids and not is_gone and not _is_covered(covered.get(table_id, ()), position):
                    stores[table_id].apply(update)
                    replayed += 1
                    if not replayed % UPDATES_BETWEEN_LOOKS:
                        make_room()
        log.info("Log replay complete, %d replayed mutations", replayed)
        if skipped:
            log.info("Skipped %d mutations of tables that are not there", skipped)

    def _decoded(
        self, decoder: MutationDecoder, mutation: bytes, tables: Mapping[UUID, TableMetadata], name: str
    ) -> list[PartitionUpdate]:
        """Nothing of tables that are not there; nor of Cassandra's own where they have what ours have not."""
        try:
            return decoder.decode(mutation)
        except UnknownTable:
            return []
        except DAMAGE as error:
            table = tables.get(UUID(bytes=mutation[_TABLE_ID]))
            what = f"a mutation of {'an unknown table' if table is None else table}: {error}"
            if table is None or not is_system_keyspace(table.keyspace):
                self._refuse(name, what)
            else:
                log.warning("%s is skipped", what)
            return []

    # -- the end ------------------------------------------------------------------------------------------------------

    def remove(self) -> None:
        """Everything is in SSTables. Raises StorageError."""
        try:
            for name in self.names:
                self._disk.unlink(f"{self._folder}/{name}")
            self._disk.sync_folder(self._folder)
        except OSError as error:
            raise StorageError(f"the commit log of Apache Cassandra in {self._folder} can't be removed: {error}") from error


def _is_covered(intervals: Sequence[Interval], position: int) -> bool:
    return any(low <= position <= high for low, high in intervals)
