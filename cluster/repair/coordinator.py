"""One command of repair, from its first line to its last (repair/RepairCoordinator.java, repair/RepairSession.java).

Ranges that the same nodes have are a session; each table of a session is a job (job.py). As many jobs as were asked for go
on at once. What a user is told meanwhile are `lines`; what has to be remembered is told to a `Watcher`.

    begun --nobody to repair with--> over
          --somebody is down--> over, failed
          --all are asked--> jobs --all ended--> over

An incremental one has all participants set apart what was never repaired before its jobs, and promise and commit after them;
whatever fails, all are told.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID

from cluster.coordination.outcome import Outcome, all_of
from cluster.gossip.endpoint import Endpoint
from cluster.paxos.options import PaxosOptions
from cluster.repair.asking import RepairFailed
from cluster.repair.job import Flow, JobOptions, RepairJob, Replicas
from cluster.repair.messages import PaxosRepair, Step, Stepping
from cluster.repair.options import Preview, RepairOptions
from cluster.repair.ranges import CommonRange, without_dead
from cluster.repair.validation import Looked
from cluster.ring import Node
from cluster.streaming.ranges import TokenRange
from storage.schema.metadata import TableMetadata

log = logging.getLogger("cqlserver.repair")


class LineKind(Enum):
    """utils/progress/ProgressEventType.java."""

    START = "START"
    PROGRESS = "PROGRESS"
    NOTIFICATION = "NOTIFICATION"
    ERROR = "ERROR"
    SUCCESS = "SUCCESS"
    COMPLETE = "COMPLETE"


@dataclass(frozen=True, slots=True)
class Line:
    kind: LineKind
    text: str
    time_ms: int


@dataclass(eq=False, slots=True)
class Session:
    """`jobs_left`: tables that are not done yet."""

    id: UUID
    common: CommonRange
    jobs_left: int
    flows: dict[str, tuple[Flow, ...]] = field(default_factory=dict)
    error: Exception | None = None


class Watcher:
    """Is told what system_distributed keeps of repairs."""

    def command_began(self, command: "RepairCommand") -> None:
        pass

    def command_ended(self, command: "RepairCommand") -> None:
        """`command.error` says how."""

    def session_began(self, command: "RepairCommand", session: Session) -> None:
        pass

    def job_ended(self, command: "RepairCommand", session: Session, table: TableMetadata, error: Exception | None) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a command needs of its node. `new_id` makes timeuuids; `now_ms` is the wall clock, `now_s` its seconds."""

    local: Node
    replicas: Replicas
    new_id: Callable[[], UUID]
    now_ms: Callable[[], int]
    is_alive: Callable[[Node], bool]
    tree_depth_max: int
    has_sstables: bool
    """Without them nothing can be set apart: an incremental repair is a full one."""
    paxos: PaxosOptions = PaxosOptions()  # noqa: RUF009 - frozen


class RepairCommand:
    """See the module. `number` counts the commands of a node. `common` may be empty only where there is an `error` already,
    or nothing to do."""

    def __init__(
        self, number: int, keyspace: str, options: RepairOptions, surroundings: Surroundings, watcher: Watcher
    ) -> None:
        self.number, self.keyspace, self.options = number, keyspace, options
        self.id = surroundings.new_id()
        self.tables: tuple[TableMetadata, ...] = ()
        self.ranges: tuple[TokenRange, ...] = ()
        self.sessions: list[Session] = []
        self.lines: list[Line] = []
        self.error: Exception | None = None
        self.successful: list[TokenRange] = []
        self.outcome: Outcome[None] = Outcome()
        self.on_line: list[Callable[[], object]] = []
        """Called with each line."""
        self._around, self._watcher = surroundings, watcher
        self._began_ms = surroundings.now_ms()
        self._queue: list[tuple[Session, TableMetadata]] = []
        self._under_way = 0

    @property
    def is_over(self) -> bool:
        return self.outcome.is_done

    @property
    def local(self) -> Node:
        return self._around.local

    @property
    def neighbours(self) -> list[Node]:
        found = dict.fromkeys(node for session in self.sessions for node in session.common.neighbours)
        return list(found)

    # --- begin -----------------------------------------------------------------------------------------------------------

    def start(
        self,
        tables: Sequence[TableMetadata],
        ranges: Sequence[TokenRange],
        common: Callable[[], Sequence[CommonRange]],
    ) -> None:
        """`common` says with whom; it raises RepairFailed."""
        self.tables, self.ranges = tuple(tables), tuple(ranges)
        told = self.options.told(len(self.ranges))
        text = f"Starting repair command #{self.number} ({self.id}), repairing keyspace {self.keyspace} with {told}"
        self._tell(LineKind.START, text)
        try:
            found = self._living(common())
        except RepairFailed as error:
            self.fail(error)
            return
        if not found:
            self._skip(
                f"Nothing to repair for [{', '.join(map(str, self.ranges))}] in {self.keyspace} - unreplicated keyspace is "
                "ignored since repair was called with --ignore-unreplicated-keyspaces"
            )
            return
        if not self.tables:
            self._skip(f"{self.id} Empty keyspace, skipping repair: {self.keyspace}")
            return
        self._watcher.command_began(self)
        for each in found:
            session = Session(self._around.new_id(), each, len(self.tables))
            self.sessions.append(session)
            self._queue += [(session, table) for table in self.tables]
            self._watcher.session_began(self, session)
        if self._is_incremental:
            self._step_all(Step.PREPARE, self._begin_jobs)
        else:
            self._begin_jobs()

    def _begin_jobs(self) -> None:
        for _ in range(self.options.job_threads):
            self._next()

    @property
    def _is_incremental(self) -> bool:
        return self.options.is_incremental and self.options.preview is Preview.NONE and self._around.has_sstables

    def _step_all(self, step: Step, then: Callable[[], None]) -> None:
        """All participants take a step of an incremental repair."""
        nodes = (self.local, *self.neighbours)
        is_short = any(session.common.is_short for session in self.sessions)
        stepping = Stepping(
            self.id,
            step,
            _endpoint(self.local),
            0 if is_short else self._began_ms,
            tuple(table.id for table in self.tables),
            tuple(_endpoint(node) for node in nodes),
            tuple(range_ for session in self.sessions for range_ in session.common.ranges),
        )
        whole = all_of([self._around.replicas.step(node, stepping) for node in nodes])

        def taken() -> None:
            if whole.error is None:
                then()
            elif step is not Step.FAIL:
                self._step_all(Step.FAIL, lambda: None)
                self.fail(whole.error)

        whole.when_done(taken)

    def _living(self, common: Sequence[CommonRange]) -> list[CommonRange]:
        """Raises RepairFailed where somebody is down who is not to be left out."""
        neighbours = dict.fromkeys(node for each in common for node in each.neighbours)
        alive = [node for node in neighbours if self._around.is_alive(node)]
        if len(alive) == len(neighbours):
            return list(common)
        if self.options.is_forced:
            return without_dead(common, alive)
        dead = next(node for node in neighbours if node not in alive)
        raise RepairFailed(f"Endpoint not alive: /{dead.address}:{dead.port}")

    # --- jobs ------------------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        if not self._queue or self.is_over:
            return
        session, table = self._queue.pop(0)
        options = self.options
        how = JobOptions(
            options.parallelism,
            Looked.PENDING if self._is_incremental else options.preview.looked,
            options.pulls,
            options.preview is Preview.NONE,
            options.optimises_streams and not options.pulls,
            self._around.tree_depth_max,
        )
        local, common = self._around.local, session.common
        nodes = (*common.neighbours, local)
        job = RepairJob(self.id, table.id, common.ranges, nodes, local, how, self._around.replicas)
        self._under_way += 1
        job.outcome.when_done(lambda: self._job_ended(session, table, job.outcome))
        known = self._around.paxos
        if not (known.is_repaired and (options.is_paxos_only or (options.repairs_paxos and known.is_v2))):
            if options.is_paxos_only:
                job.outcome.settle(())
            else:
                job.start(self._around.now_ms() // 1_000)
            return
        where = f"[repair #{session.id}] {self.keyspace}.{table.name}"
        log.info("%s starting paxos repair", where)
        paxos = PaxosRepair(self.id, table.id, common.ranges)
        repaired = all_of([self._around.replicas.repair_paxos(node, paxos) for node in nodes])

        def paxos_repaired() -> None:
            if repaired.error is not None:
                log.warning("%s paxos repair failed", where)
                job.outcome.fail(repaired.error)
                return
            log.info("%s paxos repair completed", where)
            if options.is_paxos_only:
                job.outcome.settle(())
            else:
                job.start(self._around.now_ms() // 1_000)

        repaired.when_done(paxos_repaired)

    def _job_ended(self, session: Session, table: TableMetadata, outcome: Outcome[tuple[Flow, ...]]) -> None:
        self._under_way -= 1
        session.jobs_left -= 1
        if outcome.error is None:
            session.flows[table.name] = outcome.result
        else:
            session.error = session.error or outcome.error
        self._watcher.job_ended(self, session, table, outcome.error)
        if not session.jobs_left:
            self._session_ended(session)
        self._next()
        if not self._queue and not self._under_way and not self.is_over:
            self._end()

    def _session_ended(self, session: Session) -> None:
        common = session.common
        if session.error is None:
            self._tell(LineKind.PROGRESS, f"Repair session {session.id} for range {common.told()} finished")
            if not common.is_short:
                self.successful += common.ranges
            return
        text = f"Repair session {session.id} for range {common.told()} failed with error {session.error}"
        self._tell(LineKind.PROGRESS, text)

    # --- the end ---------------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        failed = [session.error for session in self.sessions if session.error is not None]
        if failed:
            if self._is_incremental:
                self._step_all(Step.FAIL, lambda: None)
            self.error = RepairFailed("Some repair failed")
            self._tell(LineKind.COMPLETE, f"Repair command #{self.number} finished with error")
            self._over()
            return
        if self._is_incremental:
            self._step_all(Step.PROPOSE, lambda: self._step_all(Step.COMMIT, self._complete))
        else:
            self._complete()

    def _complete(self) -> None:
        text = "Repair completed successfully"
        if self.options.preview is not Preview.NONE:
            found = self._previewed()
            self._tell(LineKind.NOTIFICATION, found)
            text = f"Repair preview completed successfully; {found}"
        self._succeed(text)

    def _previewed(self) -> str:
        flows = {
            table.name: [flow for session in self.sessions for flow in session.flows.get(table.name, ())]
            for table in self.tables
        }
        is_of_repaired = self.options.preview is Preview.REPAIRED
        if not any(flows.values()):
            return "Repaired data is in sync" if is_of_repaired else "Previewed data was in sync"
        head = "Repaired data is inconsistent\n" if is_of_repaired else "Preview complete\n"
        return head + summary(self.keyspace, {name: found for name, found in flows.items() if found})

    def _skip(self, text: str) -> None:
        self._tell(LineKind.NOTIFICATION, f"Repair {self.id} skipped: {text}")
        self._succeed(text)

    def _succeed(self, text: str) -> None:
        self._tell(LineKind.SUCCESS, text)
        words = duration_words(self._around.now_ms() - self._began_ms)
        self._tell(LineKind.COMPLETE, f"Repair command #{self.number} finished in {words}")
        self._over()

    def fail(self, error: Exception) -> None:
        """It can't be done at all."""
        self.error = error
        self._tell(LineKind.ERROR, f"Repair command #{self.number} failed with error {error}")
        self._tell(LineKind.COMPLETE, f"Repair command #{self.number} finished with error")
        self._over()

    def _over(self) -> None:
        self._watcher.command_ended(self)
        self.outcome.settle(None)

    def _tell(self, kind: LineKind, text: str) -> None:
        self.lines.append(Line(kind, text, self._around.now_ms()))
        for callback in tuple(self.on_line):
            callback()


def _endpoint(node: Node) -> Endpoint:
    return Endpoint(node.address, node.port)


_RANGES_TOLD = 30


def summary(keyspace: str, flows: dict[str, list[Flow]]) -> str:
    """What a preview found, by table (repair/consistent/SyncStatSummary.java). What would be streamed is told in bytes of
    partitions: which SSTables these lie in is not looked at."""
    lines: list[str] = []
    for name, found in sorted(flows.items()):
        ranges = list(dict.fromkeys(range_ for flow in found for range_ in flow.ranges))
        size = sum(flow.size for flow in found)
        lines.append(f"{keyspace}.{name} - {len(ranges)} ranges, 0 sstables, {memory_text(size)} bytes")
        more = "..." if len(ranges) > _RANGES_TOLD else ""
        lines.append(f"    Mismatching ranges: {''.join(f'{range_},' for range_ in ranges[:_RANGES_TOLD])}{more}")
        for flow in found:
            ends = " -> ".join(f"/{node.address}:{node.port}" for node in (flow.source, flow.target))
            lines.append(f"    {ends}: {len(flow.ranges)} ranges, 0 sstables, {memory_text(flow.size)} bytes")
    everything = [flow for found in flows.values() for flow in found]
    ranges_in_all = dict.fromkeys(range_ for flow in everything for range_ in flow.ranges)
    size = sum(flow.size for flow in everything)
    head = f"Total estimated streaming: {len(ranges_in_all)} ranges, 0 sstables, {memory_text(size)} bytes"
    return "\n".join((head, *lines)) + "\n"


def memory_text(size: int) -> str:
    """FBUtilities.prettyPrintMemory."""
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3f}{name}"
    return f"{size}B"


def duration_words(duration_ms: int) -> str:
    """As commons-lang's formatDurationWords has it, without what is zero before and behind."""
    seconds = duration_ms // 1_000
    counts = [seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60, seconds % 60]
    words = [
        f"{count} {name}{'' if count == 1 else 's'}"
        for count, name in zip(counts, ("day", "hour", "minute", "second"), strict=True)
    ]
    held = [index for index, count in enumerate(counts) if count]
    return " ".join(words[held[0] : held[-1] + 1]) if held else words[-1]
