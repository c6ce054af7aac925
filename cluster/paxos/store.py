"""What a replica has promised and accepted, kept in system.paxos (db/SystemKeyspace.java, savePaxos*).

The row is read, answered from, and written with the change that a commit brings as one record of the log. All of its cells
get one timestamp, above those that are there: a row never mixes two states, whatever the clock does.
"""

from collections.abc import Mapping
from typing import Final

from cluster.paxos.encoding import PaxosKey, decode_ballot, encode_ballot
from cluster.paxos.messages import Commit, PaxosAnswer, PaxosRequest
from cluster.paxos.replica import answered
from cluster.paxos.state import UNTOUCHED, PaxosState, Proposal
from storage.engine import Engine
from storage.keys import clustering_order_key
from storage.mutation import Cell, ComplexColumn, Liveness, PartitionUpdate, Row
from storage.reads import TableStore

TTL_S_MIN: Final = 3 * 3600
"""A round is remembered for as long, or for the table's gc_grace where that is longer (paxosTtlSec)."""
_IN_PROGRESS, _PROPOSED, _PROPOSAL = "in_progress_ballot", "proposal_ballot", "proposal"
_COMMITTED, _COMMIT = "most_recent_commit_at", "most_recent_commit"


class PaxosStore:
    """One node's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        table = engine.schema.maybe_table("system", "paxos")
        assert table is not None, "system.paxos is built in"
        self._table, self._order_key = table, clustering_order_key(table)

    def answer(self, about: PaxosKey, request: PaxosRequest) -> PaxosAnswer:
        """Once the log is written, what is answered holds. Raises KeyError (the table is not known), StorageError,
        CorruptionError."""
        base = self._engine.stores[about.table_id]
        ck = self._order_key((about.table_id.bytes,))
        columns = self._columns(about.key, ck)
        before = _state(columns)
        state, answer = answered(before, request)
        changes = []
        if isinstance(request, Commit) and request.proposal.update:
            change = PartitionUpdate.decode(request.proposal.update)
            truncation = self._engine.truncations.get(change.table_id)
            if truncation is None or truncation.timestamp_us < request.proposal.ballot.timestamp_us:
                changes.append(change)
        if state is not before:
            changes.append(self._update(about, ck, state, columns, base))
        if changes:
            self._engine.apply_all(changes)
        return answer

    def _columns(self, key: bytes, ck: bytes) -> Mapping[str, Cell | ComplexColumn]:
        store: TableStore = self._engine.stores[self._table.id]
        found = store.row_at(key, ck, self._engine.environment.clock.now_s())
        return {} if found is None else store.layouts.explode(found).columns

    def _update(
        self,
        about: PaxosKey,
        ck: bytes,
        state: PaxosState,
        before: Mapping[str, Cell | ComplexColumn],
        base: TableStore,
    ) -> PartitionUpdate:
        clock = self._engine.environment.clock
        latest = max((cell.timestamp_us for cell in before.values() if isinstance(cell, Cell)), default=0)
        timestamp_us = max(clock.wall_us(), latest + 1)
        ttl_s = max(TTL_S_MIN, base.table.params.gc_grace_seconds)
        expires_s = clock.now_s() + ttl_s
        values = {
            _IN_PROGRESS: encode_ballot(state.promised),
            _PROPOSED: encode_ballot(state.accepted.ballot),
            _PROPOSAL: state.accepted.update,
            _COMMITTED: encode_ballot(state.committed.ballot),
            _COMMIT: state.committed.update,
        }
        columns: dict[str, Cell | ComplexColumn] = {}
        for name, value in values.items():
            if value:
                columns[name] = Cell(timestamp_us, value, ttl_s, expires_s)
            elif name in before:  # an empty proposal took the place of a change, which must not come back
                columns[name] = Cell(timestamp_us, None, 0, clock.now_s())
        row = Row((about.table_id.bytes,), Liveness(timestamp_us, ttl_s, expires_s), columns=columns)
        return PartitionUpdate(self._table.id, about.key, rows={ck: row})


def _state(columns: Mapping[str, Cell | ComplexColumn]) -> PaxosState:
    if not columns:
        return UNTOUCHED

    def value(name: str) -> bytes:
        cell = columns.get(name)
        return cell.value or b"" if isinstance(cell, Cell) else b""

    accepted = Proposal(decode_ballot(value(_PROPOSED)), value(_PROPOSAL))
    committed = Proposal(decode_ballot(value(_COMMITTED)), value(_COMMIT))
    return PaxosState(decode_ballot(value(_IN_PROGRESS)), accepted, committed)
