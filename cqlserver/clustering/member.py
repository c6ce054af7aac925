"""This server among the nodes of its cluster: what its plans ask of the others, and what these bring about here."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from uuid import UUID

from cluster.coordination.deciding import DecidingOperation
from cluster.coordination.outcome import all_of
from cluster.coordination.plans import Deciders, WritePlan
from cluster.coordination.proxy import COUNTER, Timeouts
from cluster.coordination.scores import Scores
from cluster.coordinator import READ_LEVELS, DecidersByToken, Levels, ReplicaPlan, RequestKind
from cluster.gossip.endpoint import ApplicationState, Endpoint, Generation
from cluster.hints import Hints
from cluster.membership import MemberDown, MemberEvent, MemberJoined, MemberLeft, MemberMoved, MemberUp, Warned
from cluster.movements.mode import BootstrapState
from cluster.movements.tokens import TokensWanted
from cluster.node import ClusterNode, ClusterOptions
from cluster.owner import Owner
from cluster.paxos.encoding import PaxosKey
from cluster.paxos.options import PaxosOptions
from cluster.paxos.proposer import Decided
from cluster.reading.passing import Thresholds
from cluster.ring import Node as RingNode
from cluster.streaming.ranges import TokenRange
from cqlserver.clustering.late_answers import HeldAnswers, Late, LateAnswers
from cqlserver.clustering.minding import log_passed
from cqlserver.clustering.schema_events import schema_events
from cqlserver.clustering.store import ReplicatedStore
from cqlserver.clustering.traffic import Traffic
from cqlserver.node import Node
from cqlserver.plans.schema_plans import forget
from cqlserver.program.cluster_settings import ClusterSettings
from cqlserver.program.config import Config
from cqlserver.program.ring_settings import RingSettings
from cqlserver.system.gossip import facts
from cqlserver.system.movements import bootstrap_update, received_removals, received_update, tokens_update
from cqlserver.system.peers import PeerFacts, peer_removal, peer_updates, saved_peers
from protocol.frames import Envelope
from protocol.primitives import Inet
from protocol.responses import StatusChange, TopologyChange
from storage.engine import DROPPED
from storage.environment.strands import commit, undisturbed, wait_for
from storage.mutation import PartitionUpdate
from storage.reads import TableStore
from storage.schema.changes import changed_tables
from storage.schema.metadata import Schema, TableMetadata
from storage.schema.writes import SchemaWrite
from storage.token import token

if TYPE_CHECKING:
    from cqlserver.connections.session import Session

Condition = Callable[[TableStore, int], bytes | None]
CAS_ROWS: Final = 32
"""Read at once for a condition."""

log = logging.getLogger("cqlserver.cluster")

Mutation = tuple[TableMetadata, bytes, bytes]
"""(table, key, encoded mutation)."""


class Member(Owner):
    """See the module. What waits is for strands, which have said `long_work` before. `traffic`: messages to others."""

    def __init__(self, node: Node, seeds: Sequence[Endpoint]) -> None:
        self._node = node
        ring_node = node.ring_node
        generation = Generation(node.generation)
        saved = saved_peers(node.engine)
        ring = node.config.ring
        is_joining = node.bootstrapped != BootstrapState.COMPLETED.value
        options = ClusterOptions(
            node.local.cluster_name,
            seeds,
            _timeouts(node.config),
            generation,
            facts(node),
            saved,
            is_joining,
            is_joining and ring.replaces == ring_node.address,
            TokensWanted(ring.initial_tokens, node.config.num_tokens, ring.local_replication_factor),
            ring.ring_delay_ms / 1000,
            ring.is_movement_consistent,
            ring.phi_convict_threshold,
            ring.stream_bytes_per_s,
            node.config.cluster.transfer_hints_on_decommission,
            _paxos(node.config.cluster, ring),
        )
        self.cluster = ClusterNode(node.coordinator, node.engine, options, self)
        self.cluster.replica.thresholds = lambda: Thresholds(*node.tombstone_thresholds)
        self.cluster.replica.told = log_passed
        node.coordinator.minority_refuses_writes = node.config.cluster.minority_refuses_writes
        _set_hints(self.cluster.hints, node.config.cluster)
        _set_scores(self.cluster.scores, node.config.cluster)
        self.held_answers = HeldAnswers() if node.sync_before_reply else None
        self.late_answers = self.held_answers or LateAnswers()
        self.traffic = Traffic()
        self.cluster.bundles.waiting = self.late_answers
        node.member = self
        node.is_alone = not self.cluster.peers

    def answer_later(self, session: "Session", envelope: Envelope, keyspace: str | None) -> int:
        """The request that a fast path has just left to others is answered there. How many bytes it holds until then."""
        bundles = self.cluster.bundles
        size = len(envelope[4]) + bundles.last_answer_bytes
        bundles.claim(Late(session, envelope, keyspace, size))
        return size

    def levels(self, table: TableMetadata, kind: RequestKind) -> Levels:
        """Who has to answer, by level; to be kept by a plan until the schema changes."""
        return self.cluster.coordinator.levels(self._node.keyspace_of(table), kind, table.name)

    def deciders(self, table: TableMetadata, serial: int, commit: int) -> DecidersByToken:
        """Who decides about conditional writes, by token; anew for each request."""
        return self.cluster.coordinator.deciders(self._node.keyspace_of(table), serial, commit)

    def serial_readers(self, table: TableMetadata, serial: int) -> DecidersByToken:
        """The same of serial reads."""
        return self.cluster.coordinator.readers(self._node.keyspace_of(table), serial)

    # --- what plans ask --------------------------------------------------------------------------------------------------

    def store(self, table: TableMetadata, plans: ReplicaPlan, rows: int, serial: int | None = None) -> TableStore:
        """The table as its replicas have it; `rows`: about how many will be wanted; `serial`: the level at which is made
        sure, before a partition is read, that nothing of it is half decided."""

        settle = None if serial is None else partial(self._settle, table, serial)
        return ReplicatedStore(self._node.engine.stores[table.id], self.cluster.proxy, plans, rows, settle)

    def _settle(self, table: TableMetadata, serial: int, key: bytes) -> None:
        node, cluster = self._node, self.cluster
        deciders = cluster.coordinator.serial_readers(node.keyspace_of(table), serial, token(key))
        operation = undisturbed(lambda: cluster.rounds.decide(PaxosKey(table.id.bytes, key), deciders, is_read=True))
        try:
            while True:
                wait_for(event := operation.event)
                if isinstance(event.result, Decided):
                    return
                undisturbed(lambda: cluster.rounds.propose(operation, None))
        finally:
            self._note_contentions(table, key, operation)

    def _note_contentions(self, table: TableMetadata, key: bytes, operation: DecidingOperation) -> None:
        """However it ended: who gave up met others, too (service/StorageProxy.java, recordCasContention)."""
        if self._node.profile:
            self._node.profile.contended(table, key, operation.contentions)

    def decide(
        self, table: TableMetadata, key: bytes, deciders: Deciders, condition: Condition, ck: bytes | None
    ) -> bool:
        """A conditional write, to be called undisturbed: whether it was applied. `condition` is asked with a store to read
        from and the ballot's time: what to write, or None; again, where others were faster. `ck`: of the row that it is
        about, where that is one. Raises RequestError."""
        node, cluster = self._node, self.cluster
        level = READ_LEVELS[deciders.level]
        plans = cluster.coordinator.levels(node.keyspace_of(table), RequestKind.READ)[level]
        assert plans is not None, table
        among_replicas = self.store(table, plans, CAS_ROWS)
        commit()
        operation = cluster.rounds.decide(PaxosKey(table.id.bytes, key), deciders, ck=ck)
        try:
            while True:
                wait_for(event := operation.event)
                if isinstance(event.result, Decided):
                    return event.result.was_applied
                is_known = cluster.local in event.result.agreeing
                store = node.engine.stores[table.id] if is_known else among_replicas
                cluster.rounds.propose(operation, condition(store, event.result.ballot.timestamp_us))
        finally:
            self._note_contentions(table, key, operation)

    def write(self, mutations: Iterable[Mutation], level: int, write_type: str) -> None:
        """Has the replicas take what one request changes, and waits for as many as the level wants. Raises RequestError."""
        coordinator, node = self.cluster.coordinator, self._node
        if write_type == COUNTER:
            self._count(mutations, level)
            return
        if write_type == "BATCH":
            self.cluster.assure_batchlog(level)
        together: dict[tuple[str, bytes], list[bytes]] = {}
        for table, key, mutation in mutations:
            together.setdefault((table.keyspace, key), []).append(mutation)
        commit()
        writes: list[tuple[WritePlan, Sequence[bytes]]] = []
        for (keyspace, key), found in together.items():
            # what a statement may not ask for was refused when it began, and of a batch nothing is
            plans = coordinator.levels(node.engine.schema.keyspaces[keyspace], RequestKind.BATCH)[level]
            assert plans is not None, keyspace
            writes.append((plans.to_write(token(key)), found))
        if write_type == "BATCH":
            outcome = self.cluster.write_batch(writes)
        else:
            outcome = self.cluster.proxy.write_all(writes, write_type)
        wait_for(outcome)
        outcome.result  # noqa: B018 - raises what it came to

    def _count(self, mutations: Iterable[Mutation], level: int) -> None:
        together: dict[tuple[str, bytes], list[bytes]] = {}
        for table, key, mutation in mutations:
            together.setdefault((table.keyspace, key), []).append(mutation)
        commit()
        count = self.cluster.count
        wait_for(outcome := all_of([count(name, token(key), found, level) for (name, key), found in together.items()]))
        outcome.result  # noqa: B018 - raises what it came to

    def truncate(self, table: TableMetadata) -> None:
        """On all nodes. Raises TruncateError."""
        commit()
        wait_for(outcome := self.cluster.truncate(table.id))
        outcome.result  # noqa: B018 - raises what it came to
        self._node.truncated()

    def spread_schema(self, writes: Sequence[SchemaWrite], timestamp_us: int) -> None:
        """Tells the others of a change of the schema, and waits until those that are up have it."""
        wait_for(self.cluster.schema_changed(writes, timestamp_us))

    # --- what others bring about -----------------------------------------------------------------------------------------

    def install_schema(self, schema: Schema, writes: Sequence[PartitionUpdate]) -> None:
        node, before = self._node, self._node.schema
        dropped = changed_tables(before, schema).dropped
        wanted = node.engine.wanted_before(dropped, DROPPED)
        node.engine.change_schema(schema, writes, wanted)
        node.engine.indexed.build_all_beside()
        for change in schema_events(before, schema):
            forget(node, change, before)
            node.publish(change)

    def members_changed(self, events: Sequence[MemberEvent]) -> None:
        node = self._node
        was_alone = node.is_alone
        node.is_alone = not self.cluster.peers
        if was_alone != node.is_alone:  # what was compiled to be done here alone no longer is, or the other way round
            for keyspace in node.schema.keyspaces:
                node.statements.schema_changed(keyspace, None)
        for event in events:
            match event:
                case MemberJoined(member) if member != self.cluster.local:
                    log.info("Node /%s:%d state jump to NORMAL", member.address, member.port)
                    self.peer_changed(member)
                    node.publish(TopologyChange("NEW_NODE", self._inet(member)))
                    if self.cluster.is_alive(member):  # it was up before it was a member
                        node.publish(StatusChange("UP", self._inet(member)))
                case MemberLeft(member):
                    now_us = node.environment.clock.wall_us()
                    node.engine.apply_all(peer_removal(member, now_us))
                    node.publish(TopologyChange("REMOVED_NODE", self._inet(member)))
                case MemberMoved(member):
                    node.publish(TopologyChange("MOVED_NODE", self._inet(member)))
                case MemberUp(member):
                    if self._is_in_ring(member):
                        self.peer_changed(member)
                        node.publish(StatusChange("UP", self._inet(member)))
                case MemberDown(member):
                    if self._is_in_ring(member):
                        node.publish(StatusChange("DOWN", self._inet(member)))
                case Warned(text):
                    node.border.warn(text)
                case _:
                    pass

    def _is_in_ring(self, node: RingNode) -> bool:
        """Clients hear of nodes when these have joined."""
        return self.cluster.membership.is_member(Endpoint(node.address, node.port))

    # --- its own way into the ring, and out of it ----------------------------------------------------------------------

    def tokens_changed(self, node: RingNode) -> None:
        own, now_us = self._node, self._node.environment.clock.wall_us()
        own.ring_node = node
        own.local = replace(own.local, tokens=node.tokens)
        own.engine.apply(tokens_update(node.tokens, now_us))

    def bootstrap_is(self, state: BootstrapState) -> None:
        node, now_us = self._node, self._node.environment.clock.wall_us()
        node.bootstrapped = state.value
        removals = [] if state is BootstrapState.IN_PROGRESS else received_removals(node.engine, now_us)
        node.engine.apply_all([bootstrap_update(state, now_us), *removals])

    def ranges_received(self, keyspace: str, ranges: Sequence[TokenRange]) -> None:
        now_us = self._node.environment.clock.wall_us()
        self._node.engine.apply(received_update(keyspace, ranges, now_us))

    def peer_changed(self, node: RingNode) -> None:
        if node == self.cluster.local:
            return
        address, port = self._native(node)
        state = self.cluster.gossiper.maybe_state(Endpoint(node.address, node.port))
        version = None if state is None else state.get(ApplicationState.SCHEMA)
        facts = PeerFacts(node, address, port, None if version is None else UUID(version))
        self._node.engine.apply_all(peer_updates(facts, self._node.environment.clock.wall_us()))

    def load_bytes(self) -> int:
        files = self._node.engine.maybe_files
        if files is None:
            return 0
        return sum(reader.disk_bytes for table_id in self._node.engine.stores for reader in files.readers_of(table_id))

    def _inet(self, node: RingNode) -> Inet:
        address, port = self._native(node)
        return ip_address(address).packed, port

    def _native(self, node: RingNode) -> tuple[str, int]:
        """Where clients reach it."""
        state = self.cluster.gossiper.maybe_state(Endpoint(node.address, node.port))
        told = None if state is None else state.get(ApplicationState.NATIVE_ADDRESS_AND_PORT)
        if told is None:
            return node.address, self._node.port
        address, _, port = told.rpartition(":")
        return address, int(port)


def _set_hints(hints: Hints, settings: ClusterSettings) -> None:
    hints.is_enabled, hints.window_s = settings.hinted_handoff_enabled, settings.max_hint_window_ms / 1000
    hints.bytes_per_s = settings.hinted_handoff_throttle_bytes


def _paxos(settings: ClusterSettings, ring: RingSettings) -> PaxosOptions:
    return PaxosOptions(
        settings.paxos_variant.startswith("v2"),
        settings.paxos_repair_enabled,
        ring.skips_paxos_repair,
        ring.paxos_unrepaired_keyspaces,
        settings.paxos_state_purging == "legacy",
    )


def _set_scores(scores: Scores, settings: ClusterSettings) -> None:
    scores.is_enabled, scores.badness_threshold = settings.dynamic_snitch, settings.dynamic_snitch_badness_threshold
    scores.update_s = settings.dynamic_snitch_update_interval_ms / 1000
    scores.reset_s = settings.dynamic_snitch_reset_interval_ms / 1000


def _timeouts(config: Config) -> Timeouts:
    return Timeouts(
        config.read_timeout_ms / 1000,
        config.range_timeout_ms / 1000,
        config.write_timeout_ms / 1000,
        config.counter_write_timeout_ms / 1000,
        config.cas_contention_timeout_ms / 1000,
        config.truncate_timeout_ms / 1000,
    )
