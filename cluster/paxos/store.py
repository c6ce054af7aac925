"""What a replica has promised and accepted, kept in system.paxos (db/SystemKeyspace.java, savePaxos*).

The row is read, answered from, and written with the change that a commit brings as one record of the log. It is written
as a whole: a packed row of all five columns, empty where there is nothing, with a timestamp above that of the row before, so
a row never mixes two states, whatever the clock does.

There is no TTL in it, as Cassandra writes it with paxos_state_purging: gc_grace. What a TTL would have ended is not read any
more: the row's timestamp is this node's own time, whatever the ballots say. A sweep, a few partitions at a time, deletes it.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from struct import Struct
from typing import Final, NamedTuple
from uuid import UUID

from cluster.paxos.encoding import PaxosKey
from cluster.paxos.messages import Commit, PaxosAnswer, PaxosRequest
from cluster.paxos.replica import answered
from cluster.paxos.state import UNTOUCHED, Ballot, PaxosState, Proposal
from storage.engine import Engine
from storage.keys import clustering_order_key
from storage.memtable.memtable import Position, single
from storage.memtable.packed import VALUES, Layout, StoredRow, timestamp_of
from storage.mutation import (
    NO_TIMESTAMP,
    Cell,
    ComplexColumn,
    Deletion,
    PartitionUpdate,
    Row,
    packed_record,
)
from storage.packed_records import RecordTaker
from storage.reads import FIRST_POSITION, TableStore
from storage.schema.metadata import Schema

TTL_S_MIN: Final = 3 * 3600
"""A round is remembered for as long, or for the table's gc_grace where that is longer (legacyPaxosTtlSec)."""
COLUMNS: Final = ("in_progress_ballot", "most_recent_commit", "most_recent_commit_at", "proposal", "proposal_ballot")
"""By name, as they come from SSTables."""
SWEPT_PARTITIONS: Final = 500
"""Looked at in one go of the sweep: some two milliseconds."""
_TABLE_ID: Final = Struct(">i16s")
"""The clustering, as a wire value."""
_TOKEN_BYTES: Final = 8
_unpack_timestamp = Struct(">q").unpack_from
_pack_timestamp = Struct(">q").pack
_unpack_length = Struct(">i").unpack_from
_pack_length = Struct(">i").pack


class _Base(NamedTuple):
    """A table that rounds are about: order key of its rows in system.paxos, and how they begin; how long they count."""

    ck: bytes
    clustering: bytes
    ttl_us: int


class PaxosStore:
    """One node's."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._clock = engine, engine.environment.clock
        table = engine.schema.maybe_table("system", "paxos")
        assert table is not None, "system.paxos is built in"
        self._table, self._order_key = table, clustering_order_key(table)
        self._records = RecordTaker(engine)
        self._schema: Schema | None = None
        self._bases: dict[bytes, _Base] = {}
        self._swept: Position = FIRST_POSITION
        self.keeps_three_hours = True
        """Where a table's gc_grace is shorter (paxos_state_purging: legacy)."""
        self._bind(engine.stores[table.id])

    def _bind(self, store: TableStore) -> None:
        layout = store.layouts.maybe_layout(COLUMNS, True)
        assert layout is not None, "system.paxos has few layouts"
        self._store: TableStore = store
        self._layout: Layout = layout
        self._write = self._engine.packed_writer(store, layout)

    def answer(self, about: PaxosKey, request: PaxosRequest) -> PaxosAnswer:
        """Once the log is written, what is answered holds. Raises KeyError (the table is not known), StorageError,
        CorruptionError."""
        if self._schema is not self._engine.schema:
            self._follow_schema()
        table_id, key = about
        base = self._bases.get(table_id)
        if base is None:
            base = self._bases[table_id] = self._base(table_id)
        row = self._store.row_at(key, base.ck, self._clock.now_s())
        before, written_us = (UNTOUCHED, 0) if row is None else self._state(row, base)
        state, answer = answered(before, request)
        change = self._maybe_change(request) if isinstance(request, Commit) else None
        if change is None and state is before:
            return answer
        timestamp = _pack_timestamp(max(self._clock.wall_us(), written_us + 1))
        values = base.clustering + _values(state)
        if change is None:
            self._write(key, base.ck, timestamp, values)
        else:
            self._apply(change, key, base.ck, timestamp + values)
        return answer

    def _follow_schema(self) -> None:
        self._schema = self._engine.schema
        self._bases.clear()
        store = self._engine.stores[self._table.id]
        if store is not self._store:
            self._bind(store)

    def _base(self, table_id: bytes) -> _Base:
        """Raises KeyError."""
        self._engine.stores[UUID(bytes=table_id)]
        clustering = _TABLE_ID.pack(len(table_id), table_id)
        return _Base(self._order_key((table_id,)), clustering, self._ttl_us(table_id))

    def _state(self, row: StoredRow, base: _Base) -> tuple[PaxosState, int]:
        """And when it was written."""
        if type(row) is bytes and row.startswith(self._layout.row_prefix):
            (written_us,) = _unpack_timestamp(row, 2)
            state = _state_of_row(row)
        else:
            state, written_us = _state_of_columns(self._store.layouts.explode(row).columns)
        if written_us + base.ttl_us < self._clock.now_s() * 1_000_000:
            return UNTOUCHED, written_us
        return state, written_us

    def _maybe_change(self, commit: Commit) -> bytes | None:
        """What the table gets by it: nothing that a TRUNCATE came after."""
        ballot, update = commit.proposal
        truncations = self._engine.truncations
        if update and truncations:
            truncation = truncations.get(PartitionUpdate.decode(update).table_id)
            if truncation is not None and truncation.timestamp_us >= ballot.timestamp_us:
                return None
        return update or None

    def _apply(self, change: bytes, key: bytes, ck: bytes, body: bytes) -> None:
        """Both as one record."""
        row = self._layout.row_prefix + body
        state = packed_record(self._layout.record_prefix, key, single(ck, row))
        if not self._records.take_with(change, state):
            update = PartitionUpdate(self._table.id, key, rows={ck: self._store.layouts.explode(row)})
            self._engine.apply_all([PartitionUpdate.decode(change), update])


    def sweep(self) -> int:
        """Deletes what has expired in the next partitions of the SSTables; how many rows. To be called every few seconds.
        (A memtable is in the order of their keys only when somebody asks for that, and what it has is not that old.)"""
        if not self._store.flushed:
            return 0
        now_s = self._clock.now_s()
        expired: list[PartitionUpdate] = []
        looked_at = 0
        for position, partition in islice(self._store.flushed_partitions(self._swept), SWEPT_PARTITIONS):
            looked_at, self._swept = looked_at + 1, position + b"\0"
            key, rows = position[_TOKEN_BYTES:], dict[bytes, Row]()
            for cks, stored, _ in partition.chunks(b"", b"\xff", False):
                for ck, row in zip(cks, stored, strict=True):
                    written_us = timestamp_of(row) if isinstance(row, bytes) else row.liveness.timestamp_us
                    (table_id,) = self._store.layouts.clustering(row)
                    if NO_TIMESTAMP < written_us < now_s * 1_000_000 - self._ttl_us(table_id):
                        rows[ck] = Row((table_id,), deletion=Deletion(written_us, now_s))
            if rows:
                expired.append(PartitionUpdate(self._table.id, key, rows=rows))
        if looked_at < SWEPT_PARTITIONS:
            self._swept = FIRST_POSITION
        for update in expired:
            self._engine.apply(update)
        return sum(len(update.rows) for update in expired)

    def unfinished(self, table_id: UUID, is_wanted: Callable[[Position], bool], pause: Callable[[], None]) -> list[bytes]:
        """Keys of a table at wanted positions of which something was accepted that is not known as decided; `pause` is
        called now and then. Raises KeyError, CorruptionError."""
        base, found = self._base(table_id.bytes), list[bytes]()
        now_s = self._clock.now_s()
        for number, (position, _) in enumerate(self._store.stored_partitions(), 1):
            if number % SWEPT_PARTITIONS == 0:
                pause()
            key = position[_TOKEN_BYTES:]
            row = self._store.row_at(key, base.ck, now_s) if is_wanted(position) else None
            if row is not None:
                _, (accepted, update), (committed, _) = self._state(row, base)[0]
                if update and accepted > committed:
                    found.append(key)
        return found

    def _ttl_us(self, table_id: bytes) -> int:
        store = self._engine.stores.get(UUID(bytes=table_id))
        if store is None:
            return TTL_S_MIN * 1_000_000
        grace_s = store.table.params.gc_grace_seconds
        return (max(TTL_S_MIN, grace_s) if self.keeps_three_hours else grace_s) * 1_000_000


def _values(state: PaxosState) -> bytes:
    """The row's wire values behind its clustering."""
    promised, (accepted, proposal), (committed, commit) = state
    parts: list[bytes] = []
    for value in (promised.timeuuid, commit, committed.timeuuid, proposal, accepted.timeuuid):
        parts += (_pack_length(len(value)), value)
    return b"".join(parts)


def _state_of_row(row: bytes) -> PaxosState:
    at = VALUES + _TABLE_ID.size
    values = []
    for _ in COLUMNS:
        start = at + 4
        at = start + _unpack_length(row, at)[0]
        values.append(row[start:at])
    return _state_of(values)


def _state_of(values: list[bytes]) -> PaxosState:
    of = Ballot.of_timeuuid
    promised, commit, committed, proposal, accepted = values
    return PaxosState(of(promised), Proposal(of(accepted), proposal), Proposal(of(committed), commit))


def _state_of_columns(columns: Mapping[str, Cell | ComplexColumn]) -> tuple[PaxosState, int]:
    """Of a row that was written in another way; what has expired in it is not there any more."""
    cells = [columns.get(name) for name in COLUMNS]
    state = _state_of([cell.value or b"" if isinstance(cell, Cell) else b"" for cell in cells])
    return state, max((cell.timestamp_us for cell in cells if isinstance(cell, Cell)), default=0)
