"""One server: its environment, engine, coordinator, statement caches and sessions. Nothing here is global."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from uuid import UUID

from cluster.consistency import SERIAL_LEVELS
from cluster.coordinator import Coordinator, RequestKind
from cluster.ring import Node as RingNode
from cluster.ring import Ring
from cqlserver.border import Border
from cqlserver.calls import NodeCalls
from cqlserver.connections.limits import ClientLimits
from cqlserver.metrics.meters import Metering
from cqlserver.observers import as_one
from cqlserver.plans.gathered import Gathered
from cqlserver.program.config import Config
from cqlserver.statements import StatementCompiler, Statements
from cqlserver.system.tables import CQL_VERSION, LocalFacts, local_update, state_update
from cqlserver.system.tracing import TracedNode, TracedStatement, Tracing
from cqlserver.terms.list_paths import ListPaths
from protocol.compression import ALGORITHMS
from protocol.errors import RequestError, WriteFailure, WriteTimeout
from protocol.frames import VERSION_NAMES
from protocol.responses import Event
from storage.commitlog.log import CdcFull, CommitLog, CommitLogFailed
from storage.commitlog.table_records import WantedSnapshot
from storage.engine import DROPPED, TRUNCATED, Engine
from storage.environment.environment import Environment, TimeUuidSource
from storage.environment.strands import long_work
from storage.local_node import LocalNode, stored_generation
from storage.memtable.drafts import Seen
from storage.mutation import PartitionUpdate
from storage.packed_writes import PackedRowWrite
from storage.reads import TableStore
from storage.schema.changes import changed_tables
from storage.schema.metadata import (
    KeyspaceMetadata,
    Schema,
    TableMetadata,
    ViewMetadata,
    is_local_system_keyspace,
    is_system_keyspace,
)
from storage.schema.tables import schema_mutations
from storage.token import token

if TYPE_CHECKING:
    from cluster.coordination.plans import Deciders
    from cluster.coordinator import ReplicaPlan
    from cqlserver.audit.logs import AuditLogs
    from cqlserver.auth.access import Access
    from cqlserver.auth.guard import Guard
    from cqlserver.clustering.member import Member
    from cqlserver.disk_usage import DiskUsage
    from cqlserver.guardrails import Guardrails
    from cqlserver.metrics.profile import Profile
    from cqlserver.observers import Observer
    from cqlserver.query_log.recording import QueryLog
    from cqlserver.slow_queries import SlowQueries
    from cqlserver.state import ReadWork
    from protocol.frames import Envelope
    from storage.views.view import RowFilter

log = logging.getLogger("cqlserver")

BUILT_IN_TIMESTAMP_US = 1
KEPT_BY_EACH = frozenset(("system_distributed", "system_traces"))
"""Keyspaces that say that they are replicated, and are not yet."""


class Node:
    """What sessions and plans share. `port` is where clients connect, known once the listener has it."""

    def __init__(
        self,
        environment: Environment,
        config: Config,
        engine: Engine,
        local: LocalNode,
        compiler: Callable[["Node"], StatementCompiler],
    ) -> None:
        from cqlserver.system.virtual_tables import VirtualTables

        self.environment, self.config, self.engine, self.local = environment, config, engine, local
        self.started_s = environment.clock.monotonic()
        self.border = Border(environment.clock.monotonic)
        self.limits = ClientLimits(config)
        self.metering = Metering(environment.clock.monotonic)
        self.gathered = Gathered()
        self.port = config.port
        self.native_address = config.broadcast_rpc_address or (config.host if _is_ip(config.host) else "127.0.0.1")
        self.listen_address = config.listen_address or (config.host if _is_ip(config.host) else "127.0.0.1")
        address = config.broadcast_address or self.listen_address
        self.generation = max(environment.clock.now_s(), stored_generation(engine) + 1)
        place = config.datacenter, config.rack
        self.ring_node = RingNode(local.host_id, address, *place, local.tokens, config.storage_port)
        self.coordinator = Coordinator(self.ring_node, Ring((self.ring_node,)))
        self.member: Member | None = None
        """This node among others, where there may be any."""
        self.is_alone = True
        self.bootstrapped = "COMPLETED"
        """system.local's: IN_PROGRESS for a node that is to come into its ring yet."""
        self.before_turn: Callable[[], None] | None = None
        self.after_turn: Callable[[], None] | None = None
        """Called when requests have their turn, and when they had it."""
        self.want_sync: Callable[[], None] | None = None
        """Has the log synced soon; None while nobody does that in the background."""
        self.after_sync: Callable[[], None] | None = None
        """Called when that was done, or could not be."""
        self.timeuuids = TimeUuidSource(environment.clock, environment.rng.fork("timeuuids"))
        engine.before_flush = self._log_truncations
        engine.wanted_before = self._wanted_before
        engine.indexed.filter_of = self._view_filter
        engine.indexed.budget.bytes_max = config.storage.attached_index_bytes
        if config.guardrails:
            self._guard_storage()
        self._has_built_in_rows = self._has_superuser = False
        self._told_schema: Schema | None = None  # that system.local tells of
        self.calls = NodeCalls(
            environment.clock, self.timeuuids, environment.rng.fork("uuids"), lambda: engine.schema, config
        )
        self.list_paths = ListPaths(environment.clock, self.timeuuids)
        self.counter_id = local.host_id.bytes
        self.tracing = Tracing(
            TracedNode(
                environment.clock, engine, self.timeuuids, address, self.ring_node.port, self._traced
            )
        )
        self.sessions: dict[Client, None] = {}
        self.query_log: QueryLog | None = None
        self.slow_queries: SlowQueries | None = None
        """Once there was one."""
        self.audit_logs: AuditLogs | None = None
        """Once one of them was on."""
        self.profile: Profile | None = None
        """What is sampled of requests, once somebody has asked; most of the time nothing."""
        self.observer: Observer | None = None
        """Of what sessions serve: all logs that are on."""
        self.recorder: QueryLog | None = None
        """The query log, where no other is on: it has a short way."""
        self._audit_observers: Sequence[Observer] = ()
        self.turn_clients_away: Callable[[], None] = lambda: None
        """Soon, and takes no new ones."""
        self.registered: dict[Client, None] = {}  # those that want events
        self.statements = Statements(compiler(self), config.prepared_statements_bytes_max, self.border.warn)
        self.virtual_tables = VirtualTables(self)
        self.supported: Mapping[str, Sequence[str]] = {
            "CQL_VERSION": [CQL_VERSION],
            "COMPRESSION": list(ALGORITHMS),
            "PROTOCOL_VERSIONS": list(VERSION_NAMES),
        }

    @cached_property
    def access(self) -> "Access":
        """Who may do what; not so much as imported where nobody asks."""
        from cqlserver.auth.access import Access

        return Access(self)

    @cached_property
    def guard(self) -> "Guard | None":
        """What is asked before a plan is executed; None where everybody may do everything."""
        if not self.config.auth.checks:
            return None
        from cqlserver.auth.guard import Guard

        return Guard(self.access)

    @cached_property
    def guardrails(self) -> "Guardrails | None":
        """Of those who log in: nobody else is guarded, as in Cassandra."""
        if not self.config.auth.requires_login:
            return None
        from cqlserver.guardrails import Guardrails

        return Guardrails(self.config.guardrails, self.access.is_super)

    def set_guardrails(self, config: Config) -> None:
        """They are those of `config` from now on, which is this node's but for them."""
        self.config = config
        for kept in ("guardrails", "referenced_thresholds"):
            self.__dict__.pop(kept, None)
        self._guard_storage()
        self.disk_usage.look()
        self.choose_paths()

    def _guard_storage(self) -> None:
        """Of everybody: what indexes hold, and what the log is told of."""
        from cqlserver.guardrails import guard_partitions, limit_terms

        limit_terms(self.engine, self.config.guardrails)
        if self.config.data is not None:
            guard_partitions(self.engine, self.config.guardrails)

    def gossip_rows(self) -> Iterable[Mapping[str, Any]]:
        """Of system_views.gossip_info."""
        from cqlserver.system.gossip import gossip_rows

        return gossip_rows(self)

    @cached_property
    def disk_usage(self) -> "DiskUsage":
        """Of this node and the others, where guardrails ask for it."""
        from cqlserver.disk_usage import DiskUsage

        return DiskUsage(self)

    # --- what the listener asks --------------------------------------------------------------------------------------

    @property
    def commit_log(self) -> CommitLog | None:
        return self.engine.commit_log

    @property
    def durable(self) -> bool:
        return self.engine.commit_log is not None

    @property
    def sync_before_reply(self) -> bool:
        commit_log = self.engine.commit_log
        return commit_log is not None and commit_log.options.sync_before_reply

    @property
    def sync_period_s(self) -> float:
        """Between syncs; in group mode how long the first write waits for others; 0 in batch mode."""
        match self.config.commitlog_sync:
            case "periodic":
                return self.config.commitlog_sync_period_ms / 1000
            case "group":
                return self.config.commitlog_sync_group_window_ms / 1000
            case "batch":
                return 0.0

    def _traced(self, statement_id: bytes) -> TracedStatement | None:
        prepared = self.statements.maybe_prepared(statement_id)
        return None if prepared is None else TracedStatement(prepared.text, prepared.plan.bind_specs)

    def describe_itself(self) -> None:
        """Writes what system.local says of this node. To be called when the port is known."""
        clock, ring_node = self.environment.clock, self.ring_node
        facts = LocalFacts(
            self.local.cluster_name,
            ring_node.host_id,
            ring_node.tokens,
            self.schema.version,
            ring_node.address,
            self.native_address,
            self.port,
            ring_node.port,
            self.generation,
            ring_node.datacenter,
            ring_node.rack,
            self.bootstrapped,
            self.listen_address,
        )
        self.engine.apply(local_update(facts, clock.wall_us()))

    def record(self, query_log: "QueryLog | None") -> None:
        """Has all sessions, those to come too, tell it what they serve; None: nobody any more."""
        self.query_log = query_log
        self.metering.counts_each_read = query_log is not None
        self._observe()

    def note_read(self, envelope: "Envelope", began: float, work: "ReadWork") -> None:
        """A SELECT that began at that time, by the clock, and took steps is answered: it may have been slow."""
        now_s, timeout_ms = self.environment.clock.monotonic(), self.config.slow_query_log_timeout_ms
        if not 0 < timeout_ms <= (now_s - began) * 1000:
            return
        if self.slow_queries is None:
            from cqlserver.slow_queries import SlowQueries

            self.slow_queries = SlowQueries(timeout_ms, self.statements, now_s)
        self.border.attempt(self.slow_queries.note, envelope, now_s - began, work)

    def tick(self) -> None:
        """To be called every few seconds (metrics/rates.py)."""
        self.metering.tick(self.engine.stores)
        if self.engine.maybe_files is not None:
            self.metering.tick_caches(self.engine.maybe_files.caches.counts())
        if self.slow_queries is not None:
            self.slow_queries.tell(self.environment.clock.monotonic())

    def audit(self, observers: "Sequence[Observer]") -> None:
        """The same of the audit log and the full query log: those that are on."""
        self._audit_observers = observers
        self._observe()

    def choose_paths(self) -> None:
        """Sampling begins, or has ended: meanwhile sessions have no fast paths."""
        for session in self.sessions:
            session.choose_paths()

    def _observe(self) -> None:
        others = [self.query_log] if self.query_log is not None else []
        self.observer = as_one([*others, *self._audit_observers])
        self.recorder = self.query_log if not self._audit_observers else None
        for session in self.sessions:
            session.observer, session.recorder, session.label = self.observer, self.recorder, b""

    def publish(self, event: Event) -> None:
        """Tells every client that registered for it."""
        for session in list(self.registered):
            session.push(event)

    # --- what plans ask ------------------------------------------------------------------------------------------------

    @property
    def schema(self) -> Schema:
        return self.engine.schema

    def unchanged_schema(self) -> Callable[[], bool]:
        """Whether it is still the same."""
        schema = self.schema
        return lambda: self.schema is schema

    def keyspace_of(self, table: TableMetadata) -> KeyspaceMetadata:
        return self.engine.schema.keyspaces[table.keyspace]

    def check_write_consistency(self, table: TableMetadata, level: int) -> None:
        """Raises InvalidRequest or Unavailable where the level won't do."""
        kind = RequestKind.COUNTER if table.is_counter else RequestKind.WRITE
        self._go_ahead(table, level, kind)

    def check_batch_consistency(self, table: TableMetadata, level: int) -> None:
        self._go_ahead(table, level, RequestKind.BATCH)

    def _go_ahead(self, table: TableMetadata, level: int, kind: RequestKind) -> "ReplicaPlan | None":
        """None: the local node decides alone. Else what follows waits for others: raises TooLong in a go of the loop."""
        plan = self.coordinator.levels(self.keyspace_of(table), kind, table.name)[level]
        if plan is None or table.keyspace in KEPT_BY_EACH:
            return None
        long_work()
        return plan

    def is_kept_here(self, table: TableMetadata) -> bool:
        """Whether no other node has a say in it."""
        return self.is_alone or table.keyspace in KEPT_BY_EACH or is_local_system_keyspace(table.keyspace)

    def maybe_member(self, table: TableMetadata) -> "Member | None":
        """This node among the others, where these have a say in the table."""
        return None if self.member is None or self.is_kept_here(table) else self.member

    def check_cas_consistency(self, table: TableMetadata, commit: int, serial: int, key: bytes) -> "Deciders | None":
        """Who decides with this node; None: it does alone. Raises what the levels don't allow; TooLong in a go of the loop
        where others have to be waited for."""
        keyspace = self.keyspace_of(table)
        if self.engine.commit_log is not None and self.engine.commit_log.failure is not None:
            # the promise could not be kept; what the memtable holds of a write that failed is no basis for a decision
            raise self.coordinator.write_failure(keyspace, commit, "CAS")
        if self.coordinator.cas_is_local(keyspace, serial, commit):
            return None
        deciders = self.coordinator.assure_cas(keyspace, serial, commit, token(key))
        if deciders is None or self.is_kept_here(table):
            return None
        long_work()
        return deciders

    def check_cas_commit(self, table: TableMetadata, level: int, key: bytes) -> None:
        """Once the conditions hold: whether enough replicas are there for the commit."""
        plan = self._go_ahead(table, level, RequestKind.CAS_COMMIT)
        if plan is not None:
            plan.to_write(token(key))

    def replication_factor(self, table: TableMetadata) -> int:
        """As many nodes are to have each of its rows."""
        return self.coordinator.strategy(self.keyspace_of(table)).replication_factor

    def local_levels(self, table: TableMetadata, kind: RequestKind) -> tuple[int, ...]:
        """The consistency levels that the local node meets at once, alone."""
        return self.coordinator.local_levels(self.keyspace_of(table), kind, table.name)

    def write(
        self,
        updates: Sequence[PartitionUpdate],
        table: TableMetadata,
        level: int,
        write_type: str,
        seen: Seen | None = None,
    ) -> bool:
        """Applies what one request changes; all of it or, after a crash, nothing. With `seen`, a single update only if that
        is current; whether it was. Raises WriteFailure."""
        if table.is_virtual:
            self.virtual_tables.modify(table, updates)
            return True
        if self.profile:
            self.profile.wrote_all((self.engine.stores[update.table_id].table, update) for update in updates)
        if self.member is not None and not self.is_kept_here(table):
            tables = self.engine.stores
            mutations = [(tables[update.table_id].table, update.key, update.encode()) for update in updates]
            self.member.write(mutations, level, write_type)
            return True
        try:
            if len(updates) == 1:
                return self.engine.apply(updates[0], seen)
            if updates:
                self.engine.apply_all(updates)
            return True
        except (CommitLogFailed, CdcFull) as error:
            raise self._refused(error, table, level, write_type) from error

    def write_packed(self, writes: Sequence[PackedRowWrite], table: TableMetadata, level: int, write_type: str) -> None:
        """The same for packed rows."""
        if self.profile:
            for write in writes:
                self.profile.wrote_packed(write.store, write.key, write.row)
        if self.member is not None and not self.is_kept_here(table):
            self.member.write([(w.store.table, w.key, w.record) for w in writes], level, write_type)
            return
        try:
            self.engine.apply_packed_all(writes)
        except (CommitLogFailed, CdcFull) as error:
            raise self._refused(error, table, level, write_type) from error

    def _refused(
        self, error: CommitLogFailed | CdcFull, table: TableMetadata, level: int, write_type: str
    ) -> WriteFailure | WriteTimeout:
        """What a client gets for what the only replica did not take. Where that is for want of room in cdc_raw, Cassandra's
        counter leader says nothing, and conditional writes fail when they are committed."""
        keyspace = self.keyspace_of(table)
        if isinstance(error, CdcFull) and write_type == "COUNTER":
            return self.coordinator.write_timeout(keyspace, level, write_type)
        if isinstance(error, CdcFull) and write_type == "CAS":
            write_type = "SIMPLE"
        return self.coordinator.write_failure(keyspace, level, write_type)

    def source(self, table: TableMetadata, level: int, rows: int, is_scan: bool = False) -> TableStore:
        """Where a table's rows are read at a level: its store, or its replicas, of which about so many rows are wanted."""
        if self.member is None or table.is_virtual or self.is_kept_here(table):
            return self.read_store(table)
        plan = self._go_ahead(table, level, RequestKind.SCAN if is_scan else RequestKind.READ)
        assert plan is not None, table
        if table.keyspace == "system_auth" and not self._has_superuser:
            self.try_superuser()
        serial = level if level in SERIAL_LEVELS and not is_scan else None
        return self.member.store(table, plan, rows, serial)

    def truncate(self, table: TableMetadata) -> None:
        """Removes all rows of a table, and remembers that it did. Raises CommitLogFailed."""
        if table.is_virtual:
            self.virtual_tables.truncate(table)
            return
        if self.member is not None and not self.is_kept_here(table):
            long_work()
            self.member.truncate(table)
            return
        self.truncate_all((table.id,), self.engine.wanted_before((table,), TRUNCATED))

    def truncate_all(self, table_ids: Sequence[UUID], wanted: Sequence[WantedSnapshot] = ()) -> None:
        """The same of several, all of them or none, with snapshots of what they had. Raises CommitLogFailed."""
        self.engine.truncate_all(table_ids, self.environment.clock.wall_us(), wanted)
        self.truncated()

    def truncated(self) -> None:
        """system.local has to tell of it."""
        self._told_schema = None

    def _wanted_before(self, tables: Sequence[TableMetadata], why: str) -> Sequence[WantedSnapshot]:
        if self.engine.commit_log is None or not self.config.auto_snapshot or not tables:
            return ()
        from cqlserver.snapshots import wanted_before

        return wanted_before(self, tables, why)

    def _log_truncations(self) -> None:
        """They follow from the log's records, which will not be there for ever."""
        if self.engine.truncations:
            now_us = self.environment.clock.wall_us()
            self.engine.apply(state_update(self.schema.version, self.engine.truncations, now_us))

    def assure_schema_changes(self) -> None:
        """Raises CommitLogFailed where no change of the schema would be kept, be it needed or not; TooLong in a go of the
        loop where others have to be told."""
        if not self.is_alone:
            long_work()
        if self.engine.commit_log is not None and self.engine.commit_log.failure is not None:
            raise CommitLogFailed(self.engine.commit_log.failure)

    def change_schema(self, new: Schema, keeps: bool = False, spreads: bool = True) -> None:
        """Makes `new` the schema, durably; it `keeps` snapshots of what is dropped, and `spreads` it to other nodes, who are
        given it too, if not. Raises CommitLogFailed."""
        engine = self.engine
        engine.assure_turns(new)
        member = self.member
        changed_us = self.environment.clock.wall_us() if member is None else member.cluster.schema_change_us()
        writes = schema_mutations(engine.schema, new, changed_us)
        dropped = changed_tables(engine.schema, new).dropped if keeps else ()
        engine.change_schema(new, writes, engine.wanted_before(dropped, DROPPED))
        if member is None:
            return
        if spreads:
            member.spread_schema(writes, changed_us)
        else:
            member.cluster.say_schema(changed_us)

    @property
    def tombstone_thresholds(self) -> tuple[int, int]:
        """As many may a read pass over before it is told, and before it fails."""
        settings = self.config.storage
        return settings.tombstone_warn_threshold, settings.tombstone_failure_threshold

    @property
    def tracks_reads(self) -> bool:
        """Whether what replicas say of their reads is told in one line."""
        return self.config.storage.read_thresholds_enabled

    @cached_property
    def referenced_thresholds(self) -> tuple[int, int]:
        """Of more SSTables than the first are a read's indexes told, of more than the second refused."""
        from cqlserver.program.guardrail_settings import referenced_thresholds

        return referenced_thresholds(self.config.guardrails)

    @property
    def protection_thresholds(self) -> tuple[int, int]:
        """As many rows may be held to complete what replicas filtered before it is told, and before the read fails."""
        settings = self.config.storage
        return settings.protected_rows_warn_threshold, settings.protected_rows_fail_threshold

    def read_store(self, table: TableMetadata) -> TableStore:
        """Where a table's rows are read: its store, or what a virtual table has at this moment. Not to be kept for tables
        that each node has for itself."""
        if table.is_virtual:
            return self.virtual_tables.store(table)
        if table.keyspace == "system":
            if self._told_schema is not self.schema:
                self._tell()
        elif table.keyspace == "system_schema" and not self._has_built_in_rows:
            self._write_built_in_rows()
        elif table.keyspace == "system_auth" and not self._has_superuser:
            self.assure_superuser()
        return self.engine.stores[table.id]

    # What follows from the program or from the rest of the data is written when somebody first asks for it, and not logged.

    def _tell(self) -> None:
        """The schema's version and the truncations in system.local."""
        self._told_schema = self.schema
        hidden = self.engine.indexed.hidden
        truncations = {table_id: of for table_id, of in self.engine.truncations.items() if table_id not in hidden}
        update = state_update(self.schema.version, truncations, self.environment.clock.wall_us())
        self.engine.apply_unlogged([update])

    def _kept(self, keyspace: KeyspaceMetadata) -> KeyspaceMetadata:
        """As system_schema tells of it: with `cdc`, where there is any."""
        if self.config.cdc.enabled:
            for table in keyspace.tables.values():
                keyspace = keyspace.with_table(replace(table, params=replace(table.params, keeps_cdc=True)))
        return keyspace

    def _write_built_in_rows(self) -> None:
        """The rows of system_schema that tell of the program's own keyspaces: older than anything a client may have
        changed there."""
        self._has_built_in_rows = True
        built_in = [keyspace for keyspace in self.schema.keyspaces.values() if is_system_keyspace(keyspace.name)]
        stored = Schema.of(self._kept(keyspace) for keyspace in built_in if not keyspace.is_virtual)
        self.engine.apply_unlogged(schema_mutations(Schema.of(()), stored, BUILT_IN_TIMESTAMP_US))

    def assure_superuser(self) -> None:
        """Where there is no role at all, makes the default one: before anybody may log in; else when it may be seen."""
        self._has_superuser = True
        self.access.start()

    def try_superuser(self) -> None:
        """The same among other nodes, who have to be asked: where too few of them are up, another time."""
        try:
            self.assure_superuser()
        except RequestError as error:
            self._has_superuser = False
            log.warning("CassandraRoleManager skipped default role setup: some nodes were not ready (%s)", error)

    def _view_filter(self, view: ViewMetadata, base: TableMetadata) -> "RowFilter | None":
        from cqlserver.restrictions.view_filter import view_filter

        return view_filter(view, base, self.schema, self.calls)

    def now_s(self) -> int:
        return self.environment.clock.now_s()

    def check_read_consistency(self, table: TableMetadata, level: int, is_scan: bool) -> None:
        self._go_ahead(table, level, RequestKind.SCAN if is_scan else RequestKind.READ)

    def new_timeuuid(self) -> UUID:
        return self.timeuuids.timeuuid()

    @property
    def address(self) -> str:
        return self.ring_node.address


class Client:
    """What a node knows of its sessions. `observer`: hears of each go, but where `recorder` does; `label`: what the query
    log knows it by, empty where that may have changed."""

    observer: "Observer | None"
    recorder: "QueryLog | None"
    label: bytes

    def choose_paths(self) -> None:
        raise NotImplementedError

    @property
    def in_flight_bytes(self) -> int:
        raise NotImplementedError

    def push(self, event: Event) -> None:
        raise NotImplementedError


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
