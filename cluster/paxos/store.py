"""What a replica has promised and accepted, kept in system.paxos (db/SystemKeyspace.java, savePaxos*).

The row is read, answered from, and written with the change that a commit brings as one record of the log. It is written
as a whole: a packed row of all five columns, empty where there is nothing, with a timestamp above that of the row before, so
a row never mixes two states, whatever the clock does.

There is no TTL in it, as Cassandra writes it with paxos_state_purging: gc_grace. What a TTL would have ended is not read any
more: the row's timestamp is this node's own time, whatever the ballots say.
"""

from collections.abc import Mapping
from struct import Struct
from typing import Final

from cluster.paxos.encoding import PaxosKey, decode_ballot, encode_ballot
from cluster.paxos.messages import Commit, PaxosAnswer, PaxosRequest
from cluster.paxos.replica import answered
from cluster.paxos.state import UNTOUCHED, PaxosState, Proposal
from storage.engine import Engine, PackedRowWrite, PackedWriter
from storage.keys import clustering_order_key
from storage.memtable.packed import VALUES, Layout, StoredRow
from storage.mutation import Cell, ComplexColumn, PartitionUpdate, maybe_packed, parse_packed_prefix
from storage.reads import TableStore
from storage.schema.metadata import TableMetadata

TTL_S_MIN: Final = 3 * 3600
"""A round is remembered for as long, or for the table's gc_grace where that is longer (paxosTtlSec)."""
COLUMNS: Final = ("in_progress_ballot", "proposal_ballot", "proposal", "most_recent_commit_at", "most_recent_commit")
_TABLE_ID: Final = Struct(">i16s")
"""The clustering, as a wire value."""
_unpack_timestamp = Struct(">q").unpack_from
_pack_timestamp = Struct(">q").pack
_unpack_length = Struct(">i").unpack_from
_pack_length = Struct(">i").pack


class PaxosStore:
    """One node's."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._clock = engine, engine.environment.clock
        table = engine.schema.maybe_table("system", "paxos")
        assert table is not None, "system.paxos is built in"
        self._table, self._order_key = table, clustering_order_key(table)
        self._bind(engine.stores[table.id])

    def _bind(self, store: TableStore) -> None:
        layout = store.layouts.maybe_layout(COLUMNS, True)
        assert layout is not None, "system.paxos has few layouts"
        self._store, self._layout = store, layout
        self._write: PackedWriter = self._engine.packed_writer(store, layout)

    def answer(self, about: PaxosKey, request: PaxosRequest) -> PaxosAnswer:
        """Once the log is written, what is answered holds. Raises KeyError (the table is not known), StorageError,
        CorruptionError."""
        engine = self._engine
        base = engine.stores[about.table_id]
        if engine.stores[self._table.id] is not self._store:
            self._bind(engine.stores[self._table.id])
        ck = self._order_key((about.table_id.bytes,))
        row = self._store.row_at(about.key, ck, self._clock.now_s())
        before, written_us = self._state(row, base.table)
        state, answer = answered(before, request)
        change = self._maybe_change(request)
        if change is None and state is before:
            return answer
        timestamp = _pack_timestamp(max(self._clock.wall_us(), written_us + 1))
        values = _values(about, state)
        if change is None:
            self._write(about.key, ck, timestamp, values)
        else:
            self._apply(change, PackedRowWrite(self._store, self._layout, about.key, ck, timestamp + values))
        return answer

    def _state(self, row: StoredRow | None, table: TableMetadata) -> tuple[PaxosState, int]:
        """And when it was written."""
        if row is None:
            return UNTOUCHED, 0
        if type(row) is not bytes or self._store.layouts.of(row) is not self._layout:
            return _state_of_columns(self._store.layouts.explode(row).columns)
        (written_us,) = _unpack_timestamp(row, 2)
        ttl_s = max(TTL_S_MIN, table.params.gc_grace_seconds)
        if written_us + ttl_s * 1_000_000 < self._clock.now_s() * 1_000_000:
            return UNTOUCHED, written_us
        return _state_of_row(row), written_us

    def _maybe_change(self, request: PaxosRequest) -> bytes | None:
        """What the table gets by it: nothing that a TRUNCATE came after."""
        if not isinstance(request, Commit) or not request.proposal.update:
            return None
        truncations = self._engine.truncations
        if truncations:
            truncation = truncations.get(PartitionUpdate.decode(request.proposal.update).table_id)
            if truncation is not None and truncation.timestamp_us >= request.proposal.ballot.timestamp_us:
                return None
        return request.proposal.update

    def _apply(self, change: bytes, state: PackedRowWrite) -> None:
        """Both as one record."""
        engine = self._engine
        packed = maybe_packed(change)
        if packed is not None:
            store = engine.stores[parse_packed_prefix(packed.prefix).table_id]
            layout: Layout | None = store.layouts.maybe_of_record(packed.prefix)
            if layout is not None:
                engine.apply_packed_all((PackedRowWrite(store, layout, packed.key, packed.ck, packed.body), state))
                return
        row = self._store.layouts.explode(state.row)
        engine.apply_all([PartitionUpdate.decode(change), PartitionUpdate(self._table.id, state.key, rows={state.ck: row})])


def _values(about: PaxosKey, state: PaxosState) -> bytes:
    """The row's wire values."""
    promised, (accepted, proposal), (committed, commit) = state
    parts = [_TABLE_ID.pack(16, about.table_id.bytes)]
    for value in (encode_ballot(promised), encode_ballot(accepted), proposal, encode_ballot(committed), commit):
        parts += (_pack_length(len(value)), value)
    return b"".join(parts)


def _state_of_row(row: bytes) -> PaxosState:
    at = VALUES + _TABLE_ID.size
    values = []
    for _ in COLUMNS:
        start = at + 4
        at = start + _unpack_length(row, at)[0]
        values.append(row[start:at])
    promised, accepted, proposal, committed, commit = values
    return PaxosState(
        decode_ballot(promised), Proposal(decode_ballot(accepted), proposal), Proposal(decode_ballot(committed), commit)
    )


def _state_of_columns(columns: Mapping[str, Cell | ComplexColumn]) -> tuple[PaxosState, int]:
    """Of a row that was written in another way; what has expired in it is not there any more."""
    cells = [columns.get(name) for name in COLUMNS]
    values = [cell.value or b"" if isinstance(cell, Cell) else b"" for cell in cells]
    promised, accepted, proposal, committed, commit = values
    state = PaxosState(
        decode_ballot(promised), Proposal(decode_ballot(accepted), proposal), Proposal(decode_ballot(committed), commit)
    )
    return state, max((cell.timestamp_us for cell in cells if isinstance(cell, Cell)), default=0)
