"""One change of the ring under way: steps, each of which waits for an outcome: a barrier, streams, a time.

The steps are a generator that yields what it waits for, so that they can be read one behind the other. Nothing waits in it:
it goes on when an outcome is settled, by a message or a tick.
"""

import logging
from collections.abc import Callable, Generator, Sequence
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Any, Final

from cluster.coordination.outcome import Outcome, all_of
from cluster.gossip.status import StatusValue
from cluster.internode.verbs import Verb
from cluster.movements.barrier import Barrier
from cluster.movements.mode import Mode
from cluster.movements.plans import Ranges, tasks
from cluster.replication import LocalStrategy, ReplicationStrategy
from cluster.ring import Node, Ring
from cluster.streaming.messages import Reason
from cluster.streaming.ranges import TokenRange, cut, owned_ranges
from cluster.streaming.session import FetchSession, Session
from cluster.topology import Member, Standing
from protocol.errors import CqlServerError, MovementRefused
from storage.schema.metadata import KeyspaceMetadata, is_system_keyspace

if TYPE_CHECKING:
    from cluster.node import ClusterNode

log = logging.getLogger("cqlserver.cluster")

Steps = Generator[Outcome[Any], None, None]
PAXOS_TRIES_MAX: Final = 11
PAXOS_RETRY_S: Final = 10
"""cassandra.paxos_repair_on_topology_change_retries and _retry_delay_seconds, which grows with each."""
_PAXOS_SKIPPED: Final = (
    "skipping paxos repair for %s. skip_paxos_repair_on_topology_change is set, or v2 paxos variant is not being used"
)
LOOK_S: Final = 0.1
"""How often a condition is looked at that nothing tells of."""


class Timers:
    """Outcomes that are settled when their time comes."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Outcome[None]]] = []
        self._number = 0

    def at(self, time_s: float) -> Outcome[None]:
        outcome: Outcome[None] = Outcome()
        self._number += 1
        heappush(self._heap, (time_s, self._number, outcome))
        return outcome

    @property
    def wake_s(self) -> float:
        return self._heap[0][0] if self._heap else inf

    def tick(self, now_s: float) -> None:
        while self._heap and self._heap[0][0] <= now_s:
            heappop(self._heap)[2].settle(None)


class Movement:
    """What all have. `run` gives the steps; `outcome` is what they come to."""

    def __init__(self, cluster: "ClusterNode", timers: Timers, set_mode: Callable[[Mode, str], None]) -> None:
        self.cluster, self._timers, self._set_mode = cluster, timers, set_mode
        self.outcome: Outcome[None] = Outcome()
        self._steps: Steps | None = None

    def start(self) -> None:
        """Raises MovementRefused, where nothing was begun."""
        self.check()
        self._steps = self.run()
        self._go_on()

    def check(self) -> None:
        """Raises MovementRefused."""

    def run(self) -> Steps:
        raise NotImplementedError

    def failed(self, error: CqlServerError) -> None:
        """It has; before whoever waits is told."""

    def _go_on(self, awaited: Outcome[Any] | None = None) -> None:
        assert self._steps is not None
        try:
            if awaited is not None and awaited.error is not None:
                following = self._steps.throw(awaited.error)
            else:
                following = next(self._steps)
        except StopIteration:
            self.outcome.settle(None)
        except CqlServerError as error:
            self.failed(error)
            self.outcome.fail(error)
        else:
            following.when_done(lambda: self._go_on(following))

    # --- what steps wait for ---------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        return self.cluster.now_s

    def after(self, seconds: float) -> Outcome[None]:
        timer = self._timers.at(self.now_s + seconds)
        self.cluster.want_turn()
        return timer

    def said(self, status: StatusValue) -> Steps:
        """Says that this node has a status; over when all others know that, and all writes have ended that anybody planned
        before. Who has not answered when the ring delay is over is given the time that a write may take; who has, but is not
        known to be up yet, is known to be a moment later."""
        cluster = self.cluster
        told = self._told(status)
        yield told
        lacking, deadline_s = told.result, self.now_s + cluster.proxy.timeouts.write_s

        def is_settled() -> bool:
            are_known = all(cluster.is_alive(node) for node in cluster.peers if node not in lacking)
            return not lacking and are_known and cluster.has_written_all_older

        while not is_settled() and self.now_s < deadline_s:
            yield self.after(LOOK_S)

    def _told(self, status: StatusValue) -> Outcome[tuple[Node, ...]]:
        cluster = self.cluster
        cluster.say_status(status)
        operation_id = cluster.requests.next_id()
        body = str(status).encode()

        def ask(node: Node) -> None:
            cluster.requests.send(node, Verb.STATUS_KNOWN, operation_id, body)

        barrier = Barrier(cluster.peers, self.now_s, self.now_s + cluster.ring_delay_s, ask)
        cluster.requests.begun(operation_id, barrier)
        return barrier.outcome

    def fetched(self, plan: dict[Node, Ranges], reason: Reason, took: Callable[[Ranges], None]) -> Outcome[None]:
        """Gets ranges from nodes; `took` is called with what one of them had, when it is durable here."""

        def fetch(peer: Node, ranges: Ranges) -> FetchSession:
            session = self.cluster.streams.fetch(peer, self._tasks(ranges), reason)
            session.outcome.when_done(lambda: took(ranges) if session.outcome.error is None else None)
            return session

        return self._all([fetch(peer, ranges) for peer, ranges in plan.items()])

    def pushed(self, plan: dict[Node, Ranges], reason: Reason) -> Outcome[None]:
        """Has nodes get ranges from this one."""
        streams = self.cluster.streams
        return self._all([streams.push(peer, self._tasks(ranges), reason) for peer, ranges in plan.items()])

    def paxos_repaired(self, reason: str, *rings: Ring) -> Steps:
        """Where Paxos is to be repaired before the ring changes: who has ranges of this node in these rings finishes what he
        has half decided there (StorageService.java, repairPaxosForTopologyChange). Raises MovementRefused."""
        options = self.cluster.paxos
        if options.skips_topology_repair or not options.is_v2:
            log.info(_PAXOS_SKIPPED, reason)
            return
        log.info("repairing paxos for %s", reason)
        for tries in range(1, PAXOS_TRIES_MAX + 1):
            try:
                yield self._paxos_of_tables(rings)
                break
            except CqlServerError:
                if tries == PAXOS_TRIES_MAX:
                    raise
            delay_s = PAXOS_RETRY_S * tries
            log.info("Sleeping %d seconds before retrying paxos repair...", delay_s)
            yield self.after(delay_s)
            log.info("Retrying paxos repair for %s. Retry %d/%d", reason, tries, PAXOS_TRIES_MAX - 1)
        log.info("paxos repair for %s complete", reason)

    def _paxos_of_tables(self, rings: Sequence[Ring]) -> Outcome[None]:
        cluster, now = self.cluster, self.cluster.coordinator.ring
        repaired: list[Outcome[None]] = []
        for keyspace in self.distributed:
            strategy = cluster.coordinator.strategy(keyspace)
            if is_system_keyspace(keyspace.name) or keyspace.name in cluster.paxos.unrepaired_keyspaces:
                continue
            if not cluster.paxos.is_repaired:
                log.warning("Not running paxos repair for topology change because paxos repair has been disabled")
                continue
            if strategy.replication_factor < 2:
                continue
            by_node: dict[Node, list[TokenRange]] = {}
            owned = dict.fromkeys(found for ring in rings for found in owned_ranges(strategy, ring, cluster.local))
            for range_ in dict.fromkeys(cut(owned, now.tokens)):
                for node in strategy.replicas(range_.end, now, cluster.local):
                    if cluster.is_alive(node):
                        by_node.setdefault(node, []).append(range_)
            repaired += [cluster.repairs.repair_paxos_of(table.id, by_node) for table in keyspace.tables.values()]
        done: Outcome[None] = Outcome()
        if not repaired:
            done.settle(None)
            return done
        whole = all_of(repaired)
        whole.when_done(
            lambda: done.settle(None) if whole.error is None else done.fail(MovementRefused(str(whole.error)))
        )
        return done

    def _tasks(self, ranges: Ranges) -> Any:
        return tasks(self.cluster.engine.schema.keyspaces.values(), ranges)

    @staticmethod
    def _all(sessions: Sequence[Session]) -> Outcome[None]:
        """Settled when all have ended: one that fails ends no other."""
        whole: Outcome[None] = Outcome()
        left = len(sessions)
        first: list[Exception] = []

        def ended(session: Session) -> None:
            nonlocal left
            left -= 1
            if session.outcome.error is not None:
                first.append(session.outcome.error)
            if not left:
                if first:
                    whole.fail(first[0])
                else:
                    whole.settle(None)

        for session in sessions:
            session.outcome.when_done(lambda session=session: ended(session))  # type: ignore[misc]
        if not sessions:
            whole.settle(None)
        return whole

    # --- what they look at -----------------------------------------------------------------------------------------------

    @property
    def distributed(self) -> list[KeyspaceMetadata]:
        """The keyspaces whose data several nodes have."""
        coordinator = self.cluster.coordinator
        keyspaces = self.cluster.engine.schema.keyspaces.values()
        return [
            keyspace
            for keyspace in keyspaces
            if not keyspace.is_virtual and not isinstance(coordinator.strategy(keyspace), LocalStrategy)
        ]

    @property
    def strategies(self) -> dict[str, ReplicationStrategy]:
        return {keyspace.name: self.cluster.coordinator.strategy(keyspace) for keyspace in self.distributed}

    def others_moving(self) -> dict[Standing, list[Member]]:
        """The other members that join, leave or move, by which of it they do."""
        found: dict[Standing, list[Member]] = {}
        for member in self.cluster.membership.topology.members:
            if member.node != self.cluster.local and member.standing is not Standing.NORMAL:
                found.setdefault(member.standing, []).append(member)
        return found
