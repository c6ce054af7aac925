"""Incremental repairs that a node takes part in (repair/consistent/LocalSessions.java): what was never repaired is set apart
for a session, and is repaired, or as before, at its end.

    PREPARING --set apart--> PREPARED --trees are built--> REPAIRING --promised--> FINALIZE_PROMISED --committed--> FINALIZED
        any of these --failed--> FAILED

Each state is a row of system.repairs, so a node that starts again knows what its SSTables wait for. What it had not promised
has failed then. What was promised waits for the others: whoever hears nothing of a session for long asks them how it ended,
and gives up in the end.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from ipaddress import ip_address
from typing import Any, Final
from uuid import UUID

from cluster.coordination.outcome import Outcome
from cluster.gossip.endpoint import Endpoint
from cluster.repair.asking import RepairFailed
from cluster.repair.messages import Step, Stepping
from cluster.repair.repaired import Section, sections
from cluster.repair.rows import columns_of
from cluster.streaming.ranges import TokenRange, contains, intervals
from storage.background import Task, TaskState
from storage.compaction.compaction import Apart
from storage.engine import Engine
from storage.mutation import Deletion, Liveness, PartitionUpdate, Row
from storage.schema.metadata import TableMetadata
from storage.sstable.reader import SSTableReader
from storage.stored_values import stored_values

log = logging.getLogger("cqlserver.repair")

_RANGE_BYTES: Final = 8
ASKED_AFTER_S: Final = 3600
"""cassandra.repair_status_check_timeout_seconds: of a session of which nothing has become for as long others are asked."""
FAILED_AFTER_S: Final = 86_400
"""cassandra.repair_fail_timeout_seconds."""
FORGOTTEN_AFTER_S: Final = 86_400
"""cassandra.repair_delete_timeout_seconds: of those that are over."""
LOOKED_AT_S: Final = 600.0
"""cassandra.repair_cleanup_interval_seconds: how often."""


class State(IntEnum):
    """By Cassandra's numbers."""

    PREPARING = 0
    PREPARED = 1
    REPAIRING = 2
    FINALIZE_PROMISED = 3
    FINALIZED = 4
    FAILED = 5

    @property
    def is_over(self) -> bool:
        return self in (State.FINALIZED, State.FAILED)


@dataclass(frozen=True, slots=True)
class LocalSession:
    """`stepping`: as the coordinator told of it first."""

    stepping: Stepping
    state: State
    started_ms: int
    updated_ms: int

    @property
    def id(self) -> UUID:
        return self.stepping.session_id


class LocalSessions:
    """One node's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._table = engine.schema.keyspaces["system"].tables["repairs"]
        self._looked_s = engine.environment.clock.monotonic()
        self.all: dict[UUID, LocalSession] = {}
        for session in _stored(engine, self._table):
            self.all[session.id] = session

    def step(self, stepping: Stepping) -> Outcome[None]:
        """Fails with RepairFailed."""
        match stepping.step:
            case Step.PREPARE:
                return self._prepare(stepping)
            case Step.PROPOSE:
                return self._propose(stepping.session_id)
            case Step.COMMIT:
                return self._end(stepping.session_id, State.FINALIZED)
            case Step.FAIL:
                return self._end(stepping.session_id, State.FAILED)

    # --- steps -----------------------------------------------------------------------------------------------------------

    def _prepare(self, stepping: Stepping) -> Outcome[None]:
        done: Outcome[None] = Outcome()
        for other in self.all.values():
            if other.id != stepping.session_id and not other.state.is_over and _overlap(other.stepping, stepping):
                if other.stepping.coordinator != stepping.coordinator:
                    done.fail(
                        RepairFailed(
                            f"Prepare phase for incremental repair session {stepping.session_id} was unable to anticompact "
                            f"what session {other.id} has set apart"
                        )
                    )
                    return done
                self._end(other.id, State.FAILED)  # its coordinator knows nothing of it any more
        now_ms = self._now_ms
        self._note(LocalSession(stepping, State.PREPARING, now_ms, now_ms))
        pieces = tuple((piece.start, piece.end) for piece in intervals(stepping.ranges))
        apart = Apart(stepping.session_id, pieces)
        tables = [table_id for table_id in stepping.tables if table_id in self._engine.stores]

        def flushed(error: BaseException | None) -> None:
            if error is not None:
                self._failed(stepping.session_id, done, error)
                return
            files = self._engine.maybe_files
            tasks = (
                []
                if files is None
                else [
                    files.compactions.set_apart(files.files_of(self._engine.stores[table_id]), apart)
                    for table_id in tables
                    if files.readers_of(table_id)
                ]
            )
            _when_ended(tasks, set_apart)

        def set_apart(error: BaseException | None) -> None:
            if error is not None:
                self._failed(stepping.session_id, done, error)
                return
            session = self.all[stepping.session_id]
            if session.state.is_over:  # it was given up meanwhile
                self._mark(session, 0)
                done.fail(RepairFailed(f"Session {session.id} is {session.state.name}"))
                return
            self._become(session.id, State.PREPARED)
            done.settle(None)

        _when_ended(self._engine.flush(tables), flushed)
        return done

    def _failed(self, session_id: UUID, done: Outcome[None], error: BaseException) -> None:
        self._end(session_id, State.FAILED)
        done.fail(RepairFailed(f"Prepare phase for incremental repair session {session_id} failed: {error}"))

    def _propose(self, session_id: UUID) -> Outcome[None]:
        done: Outcome[None] = Outcome()
        session = self.all.get(session_id)
        if session is None or session.state not in _PROMISABLE:
            state = "unknown" if session is None else session.state.name
            done.fail(RepairFailed(f"Session {session_id} is {state}, and can't be finished"))
            return done
        self._become(session_id, State.FINALIZE_PROMISED)
        done.settle(None)
        return done

    def _end(self, session_id: UUID, state: State) -> Outcome[None]:
        done: Outcome[None] = Outcome()
        session = self.all.get(session_id)
        if session is None or session.state.is_over:
            done.settle(None)
            return done
        if state is State.FINALIZED and session.state is not State.FINALIZE_PROMISED:
            done.fail(RepairFailed(f"Session {session_id} is {session.state.name}, and was not promised"))
            return done
        repaired_at_ms = session.stepping.repaired_at_ms if state is State.FINALIZED else 0
        self._become(session_id, state)  # what is not marked before a crash is marked at the next start
        _when_ended(self._mark(session, repaired_at_ms), lambda error: done.settle(None))
        return done

    def _mark(self, session: LocalSession, repaired_at_ms: int) -> list[Task]:
        return self._mark_tables(session.id, session.stepping.tables, repaired_at_ms)

    def _mark_tables(self, session_id: UUID, tables: Iterable[UUID], repaired_at_ms: int) -> list[Task]:
        files = self._engine.maybe_files
        if files is None:
            return []
        return [
            files.compactions.end_session(files.files_of(self._engine.stores[table_id]), session_id, repaired_at_ms)
            for table_id in tables
            if table_id in self._engine.stores and files.readers_of(table_id)
        ]

    def came_for(self, session_id: UUID, tables: Iterable[UUID]) -> None:
        """Others have streamed data here that waits for a session's end: where that was before, it waits no longer."""
        session = self.all.get(session_id)
        if session is None or session.state is State.FAILED:
            self._mark_tables(session_id, tables, 0)
        elif session.state is State.FINALIZED:
            self._mark_tables(session_id, tables, session.stepping.repaired_at_ms)

    def repairing(self, session_id: UUID) -> None:
        """Its data is looked at."""
        session = self.all.get(session_id)
        if session is not None and session.state is State.PREPARED:
            self._become(session_id, State.REPAIRING)

    def go_on(self) -> list[UUID]:
        """After a start: what sessions that are over have set apart still is marked; those that were not promised are over.
        Gives these."""
        failed = [session.id for session in self.all.values() if session.state < State.FINALIZE_PROMISED]
        for session in self.all.values():
            if session.state.is_over:
                self._mark_again(session)
        for session_id in failed:
            self._end(session_id, State.FAILED)
        return failed

    def _mark_again(self, session: LocalSession) -> list[Task]:
        return self._mark(session, session.stepping.repaired_at_ms if session.state is State.FINALIZED else 0)

    def tick(self, ask: Callable[[LocalSession], None]) -> None:
        """From time to time: `ask` is called with those that others are to be asked about."""
        monotonic_s = self._engine.environment.clock.monotonic()
        if monotonic_s - self._looked_s < LOOKED_AT_S:
            return
        self._looked_s, now_ms = monotonic_s, self._now_ms
        for session in tuple(self.all.values()):
            idle_s = (now_ms - session.updated_ms) // 1_000
            if not session.state.is_over:
                if idle_s > FAILED_AFTER_S:
                    log.warning("Auto failing timed out repair session %s", session.id)
                    self._end(session.id, State.FAILED)
                elif idle_s > ASKED_AFTER_S:
                    ask(session)
            elif idle_s > FORGOTTEN_AFTER_S:
                self._forget(session)

    def told(self, session_id: UUID, state: State) -> None:
        """Another participant has a session in this state: how it ended it has ended here, too."""
        if state.is_over:
            self._end(session_id, state)

    def _forget(self, session: LocalSession) -> None:
        """What it has repaired is known as repaired for as long as no later session has repaired it."""
        if session.state is State.FINALIZED and not self._is_superseded(session):
            return
        if self._has_data(session):
            log.warning("Skipping delete of LocalSession %s because it still contains sstables", session.id)
            self._mark_again(session)
            return
        del self.all[session.id]
        now_us = self._engine.environment.clock.wall_us()
        gone = Deletion(now_us, now_us // 1_000_000)
        self._engine.apply(PartitionUpdate(self._table.id, session.id.bytes, gone))

    def _is_superseded(self, session: LocalSession) -> bool:
        stepping = session.stepping
        if not stepping.repaired_at_ms:
            return True
        there = [table_id for table_id in stepping.tables if table_id in self._engine.stores]
        return all(
            section.repaired_at_ms > stepping.repaired_at_ms
            for table_id in there
            for section in self.repaired(table_id, stepping.ranges)
        )

    def _has_data(self, session: LocalSession) -> bool:
        return any(self.pending_readers(table_id, session.id) for table_id in session.stepping.tables)

    def fail(self, session_id: UUID) -> Outcome[None]:
        return self._end(session_id, State.FAILED)

    # --- what nodetool asks ----------------------------------------------------------------------------------------------

    def repaired(self, table_id: UUID, ranges: Sequence[TokenRange]) -> list[Section]:
        """Since when what of the ranges is; nothing where no session has ever repaired the table."""
        finished = [
            (session.stepping.ranges, session.stepping.repaired_at_ms)
            for session in self.all.values()
            if session.state is State.FINALIZED and session.stepping.repaired_at_ms and table_id in session.stepping.tables
        ]
        return sections(finished, ranges) if finished else []

    def of_table(self, table_id: UUID, ranges: Sequence[TokenRange]) -> list[LocalSession]:
        """Those that have something to do with ranges of a table."""
        return [
            session
            for session in self.all.values()
            if table_id in session.stepping.tables and meet(session.stepping.ranges, ranges)
        ]

    def pending_readers(self, table_id: UUID, session_id: UUID) -> list[SSTableReader]:
        """SSTables that wait for a session's end."""
        files = self._engine.maybe_files
        readers = () if files is None else files.readers_of(table_id)
        return [reader for reader in readers if reader.pending_repair == session_id]

    def release(self, session: LocalSession, table_id: UUID) -> bool:
        """Of a session that is over: hands back what it has set apart of a table still; whether there was any."""
        if not self.pending_readers(table_id, session.id):
            return False
        self._mark_again(session)
        return True

    # --- what is kept ----------------------------------------------------------------------------------------------------

    @property
    def _now_ms(self) -> int:
        return self._engine.environment.clock.wall_us() // 1_000

    def _become(self, session_id: UUID, state: State) -> None:
        self._note(replace(self.all[session_id], state=state, updated_ms=self._now_ms))

    def _note(self, session: LocalSession) -> None:
        self.all[session.id] = session
        self._engine.apply(_update(self._table, session, self._engine.environment.clock.wall_us()))


_PROMISABLE: Final = (State.PREPARED, State.REPAIRING, State.FINALIZE_PROMISED)


def _overlap(one: Stepping, other: Stepping) -> bool:
    return bool(set(one.tables) & set(other.tables)) and meet(one.ranges, other.ranges)


def meet(some: Sequence[TokenRange], others: Sequence[TokenRange]) -> bool:
    return any(contains(a, b.end) or contains(b, a.end) for a in some for b in others)


def _when_ended(tasks: Sequence[Task], then: Callable[[BaseException | None], None]) -> None:
    """Calls when all have ended, with what went wrong with the first that failed."""
    left = [task for task in tasks if not task.has_ended]

    def look() -> None:
        if any(not task.has_ended for task in tasks):
            return
        failed = [task for task in tasks if task.state is not TaskState.DONE]
        then((failed[0].error or InterruptedError(f"{failed[0].kind} was stopped")) if failed else None)

    if not left:
        look()
        return
    counted = len(left)

    def one_ended() -> None:
        nonlocal counted
        counted -= 1
        if not counted:
            look()

    for task in left:
        task.on_end.append(one_ended)


# --- rows of system.repairs ------------------------------------------------------------------------------------------------


def _update(table: TableMetadata, session: LocalSession, timestamp_us: int) -> PartitionUpdate:
    stepping = session.stepping
    values: dict[str, Any] = {
        "cfids": set(stepping.tables),
        "coordinator": ip_address(stepping.coordinator.address),
        "coordinator_port": stepping.coordinator.port,
        "last_update": session.updated_ms,
        "participants": {ip_address(each.address) for each in stepping.participants},
        "participants_wp": {str(each) for each in stepping.participants},
        "ranges": {_range_bytes(range_) for range_ in stepping.ranges},
        "repaired_at": stepping.repaired_at_ms,
        "started_at": session.started_ms,
        "state": int(session.state),
    }
    columns = columns_of(table, values, timestamp_us)
    return PartitionUpdate(table.id, session.id.bytes, rows={b"": Row((), Liveness(timestamp_us), columns=columns)})


def _stored(engine: Engine, table: TableMetadata) -> list[LocalSession]:
    found = []
    for row in stored_values(engine.stores[table.id], engine.environment.clock.now_s()):
        values = {name: table.by_name[name].type.decode(value) for name, value in row.items() if value is not None}
        ranges = tuple(TokenRange(*_tokens(data)) for data in sorted(values.get("ranges", ())))
        stepping = Stepping(
            values["parent_id"],
            Step.PREPARE,
            Endpoint(str(values["coordinator"]), values["coordinator_port"]),
            _ms(values["repaired_at"]),
            tuple(sorted(values.get("cfids", ()))),
            tuple(_endpoint(text) for text in sorted(values.get("participants_wp", ()))),
            ranges,
        )
        state = State(values["state"])
        found.append(LocalSession(stepping, state, _ms(values["started_at"]), _ms(values["last_update"])))
    return found


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _ms(value: Any) -> int:
    return value if isinstance(value, int) else (value - _EPOCH) // timedelta(milliseconds=1)


def _endpoint(text: str) -> Endpoint:
    address, _, port = text.rpartition(":")
    return Endpoint(address, int(port))


def _range_bytes(range_: TokenRange) -> bytes:
    return b"".join(token.to_bytes(_RANGE_BYTES, "big", signed=True) for token in range_)


def _tokens(data: bytes) -> tuple[int, int]:
    start, end = data[:_RANGE_BYTES], data[_RANGE_BYTES:]
    return int.from_bytes(start, "big", signed=True), int.from_bytes(end, "big", signed=True)
