"""Executing INSERT, UPDATE and DELETE without conditions: values -> updates -> the coordinator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from cluster.consistency import Consistency
from cluster.coordinator import RequestKind
from cqlserver.guarding import guarding, minds_disk
from cqlserver.metrics.meters import Kind, RequestMeter
from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.plans.fast.counter import FastIncrement, fast_counter, maybe_fast_increment
from cqlserver.plans.fast.packed import PackedWrite, maybe_packed_write
from cqlserver.plans.fast.write import FastRow, fast_write, maybe_fast_row
from cqlserver.plans.modification import STATIC_ROW, Increment, Modification, ReadRow, Updates
from cqlserver.plans.operations import WriteContext
from cqlserver.plans.plan import FastPath
from cqlserver.plans.read_trace import traced_reader
from cqlserver.state import ClientState, RequestTrace
from cqlserver.system.tracing import REPLICAS_FOR_MUTATION, UNAVAILABLE
from cqlserver.terms.terms import Values
from protocol.errors import InvalidRequest, Unavailable
from protocol.requests import QueryOptions
from protocol.responses import ColumnSpec, Result, ResultMetadata, VoidResult
from storage.counters.writes import incremented_row
from storage.environment.strands import let_go_later, pause, undisturbed
from storage.mutation import NO_TIMESTAMP, Cell, ComplexColumn, PartitionUpdate, Row
from storage.reads import EVERYTHING
from storage.schema.metadata import TableMetadata

if TYPE_CHECKING:
    from cqlserver.guardrails import Guarded

VOID = VoidResult()


@dataclass(frozen=True, eq=False)
class WritePlan:
    """A modification without IF, by itself."""

    node: Node
    modification: Modification
    bind_specs: tuple[ColumnSpec, ...]
    partition_key_indexes: tuple[int, ...]
    result_metadata: ResultMetadata | None = None
    tables: tuple[tuple[str, str], ...] = field(default=())

    def meters(self, level: int) -> tuple[RequestMeter, ...]:
        return self._meters

    @cached_property
    def _meters(self) -> tuple[RequestMeter, ...]:
        table = self.modification.table
        return () if table.is_virtual else (self.node.metering.meter(table, Kind.WRITE),)

    def execute(self, state: ClientState, options: QueryOptions) -> "Result | Pending[Result]":
        node, modification = self.node, self.modification
        table = modification.table
        trace = state.trace
        guarded = guarding.get()
        if guarded is not None:
            guard_write(guarded, node, (modification,), options)
        try:
            node.check_write_consistency(table, options.consistency)
        except Unavailable as error:
            self._updates(options, error)  # what is wrong with the values is told first
            if trace is not None:
                trace.note(REPLICAS_FOR_MUTATION)
                trace.note(UNAVAILABLE)
            raise
        if self.packed is not None and guarded is None:
            packed = self.packed.maybe_write(options.values, timestamp_us(node, modification, options))
            if packed is not None:
                if trace is not None:
                    trace.note(REPLICAS_FOR_MUTATION)
                node.write_packed((packed,), table, options.consistency, "SIMPLE")
                if trace is not None:
                    trace.wrote((table,))
                return VOID
        updates = self._updates(options, trace=trace)
        is_told = trace is not None and bool(updates.builders())
        if trace is not None and is_told:
            trace.note(REPLICAS_FOR_MUTATION)
        count = apply(node, updates, table, options.consistency)
        if trace is not None and is_told:
            trace.wrote([table] * count)
        return VOID

    def _updates(
        self, options: QueryOptions, unavailable: Unavailable | None = None, trace: RequestTrace | None = None
    ) -> Updates:
        """Raises `unavailable` where rows are to be read."""
        node, modification, level = self.node, self.modification, options.consistency
        values = modification.with_json(options.values)
        keys = modification.keys(values)
        places = modification.places(values)
        if modification.requires_read:
            check_read_before_write(level)
            if unavailable is not None:
                raise unavailable
        updates = Updates()
        context = write_context(node, modification, values, options)
        let_go_later(keys, places)
        read_row = row_reader(node, modification.table, context.now_s, level)
        if trace is not None:
            read_row = traced_reader(trace, node.engine.stores[modification.table.id], read_row)
        modification.add_to(updates, keys, places, context, read_row)
        return updates

    @cached_property
    def packed(self) -> PackedWrite | None:
        """The short way, where the statement fits it."""
        table = self.modification.table
        return None if table.is_virtual else maybe_packed_write(self.modification, self.node.engine.stores[table.id])

    def maybe_fast(self, version: int) -> FastPath | None:
        if self.fast_increment is not None:
            return fast_counter(self.node, self.fast_increment, version)
        row = self.fast_row
        return fast_write(self.node, row, version) if row is not None else None

    @cached_property
    def fast_increment(self) -> FastIncrement | None:
        """How values in a request increment counters, where the statement fits."""
        return maybe_fast_increment(self.node, self.modification, self.bind_specs)

    @cached_property
    def local_levels(self) -> frozenset[int]:
        """The consistency levels at which the local node goes ahead alone."""
        return frozenset(self.node.local_levels(self.modification.table, RequestKind.WRITE))

    @cached_property
    def fast_row(self) -> FastRow | None:
        """How values in a request are a packed row, where the statement fits."""
        if self.packed is None or self.modification.timestamp is not None:
            return None
        return maybe_fast_row(self.packed, self.bind_specs)


PARTITIONS_PER_TURN = 200


def apply(node: Node, updates: Updates, table: TableMetadata, level: int) -> int:
    """Applies a statement's changes; how many partitions they are. Those of several are not one piece, in Cassandra
    neither."""
    if table.is_counter:  # what was read must still hold when it is written

        def increment() -> int:
            built = built_updates(node, updates)
            node.write(built, table, level, "COUNTER")
            return len(built)

        return undisturbed(increment)
    built = built_updates(node, updates)
    let_go_later(built, *updates.pieces())
    if len(built) == 1:
        let_go_later([*built[0].rows.values()])
        node.write(built, table, level, "SIMPLE")
        return 1
    for start in range(0, len(built), PARTITIONS_PER_TURN):
        if table.id in node.engine.stores:  # it may be dropped between two turns
            undisturbed(partial(node.write, built[start : start + PARTITIONS_PER_TURN], table, level, "UNLOGGED_BATCH"))
            pause()
    return len(built)


def built_updates(node: Node, updates: Updates) -> list[PartitionUpdate]:
    """What is to be written. Raises InvalidRequest where guardrails refuse what indexes would have of it."""
    built = updates.build(incrementer(node))
    guarded = guarding.get()
    if guarded is not None:
        from cqlserver.plans.guarded_terms import guard_terms

        guard_terms(guarded, node.engine.stores, built)
    return built


def timestamp_us(node: Node, modification: Modification, options: QueryOptions) -> int:
    """USING TIMESTAMP before the client's timestamp before the clock."""
    default_us = options.timestamp_us if options.timestamp_us is not None else node.environment.clock.wall_us()
    return checked_timestamp(modification.timestamp_us(options.values, default_us))


def guard_write(
    guarded: "Guarded",
    node: Node,
    modifications: Sequence[Modification],
    options: QueryOptions,
    apart: bool = False,
    minds_disks: bool = True,
) -> None:
    """What guardrails say to a request that writes. `apart`: values come as one tuple a statement; `minds_disks`: whether
    disks of replicas may be full. Raises InvalidRequest."""
    now_us = node.environment.clock.wall_us()
    default_us = options.timestamp_us if options.timestamp_us is not None else now_us
    times = []
    for index, modification in enumerate(modifications):
        if modification.timestamp is not None:
            guarded.user_timestamps()
        values: Any = options.values[index] if apart else options.values
        times.append((modification.table.name, modification.timestamp_us(values, default_us)))
    guarded.write(options.consistency, options.serial_consistency, times, now_us)
    if minds_disks and (node.member is not None or minds_disk(node.config.guardrails)):
        for index, modification in enumerate(modifications):
            if not modification.table.is_virtual:
                values = options.values[index] if apart else options.values
                node.disk_usage.check(guarded, modification.table, modification.keys(modification.with_json(values)))


def checked_timestamp(timestamp_us: int) -> int:
    """Raises InvalidRequest for the one timestamp that means: none (UpdateParameters)."""
    if timestamp_us == NO_TIMESTAMP:
        raise InvalidRequest("Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807]")
    return timestamp_us


def check_read_before_write(level: int) -> None:
    """Raises InvalidRequest where a write that must read first can't read (ModificationStatement.readRequiredLists)."""
    if level == Consistency.ANY:
        raise InvalidRequest("Write operation require a read but consistency ANY is not supported on reads")


def write_context(
    node: Node, modification: Modification, values: Values, options: QueryOptions, default_us: int | None = None
) -> WriteContext:
    """The times of one execution: USING before the client's timestamp before the clock."""
    clock = node.environment.clock
    clock_s = clock.now_s()
    if default_us is None:
        default_us = options.timestamp_us if options.timestamp_us is not None else clock.wall_us()
    timestamp_us = modification.timestamp_us(values, default_us)
    ttl_s = modification.ttl_s(values, clock_s)
    now_s = options.now_s if options.now_s is not None else clock_s
    paths = node.list_paths
    return WriteContext(
        checked_timestamp(timestamp_us), ttl_s, now_s, values, paths.next, paths.before, guarding.get()
    )


def incrementer(node: Node) -> Increment:
    """Takes counter increments on this node, or leaves them to the leader among the replicas."""

    def increment(
        table: TableMetadata, key: bytes, ck: bytes, deltas: Mapping[str, int], context: WriteContext
    ) -> Mapping[str, Cell | ComplexColumn]:
        if not node.is_kept_here(table):
            from cluster.counters import delta_cell

            return {name: delta_cell(context.timestamp_us, delta) for name, delta in deltas.items()}
        return incremented_row(
            node.engine.stores[table.id],
            node.counter_id,
            key,
            None if ck == STATIC_ROW else ck,
            (),
            deltas,
            context.timestamp_us,
            node.environment.clock.wall_us(),
            context.now_s,
        ).columns

    return increment


def row_reader(node: Node, table: TableMetadata, now_s: int, level: int) -> ReadRow:
    """Reads the live row before a write, for operations that need it, at the level at which it will be written."""

    def read(key: bytes, ck: bytes) -> Row | None:
        store = node.source(table, level, 1)
        if node.profile:
            node.profile.read_before_write(table, key)
        if ck == STATIC_ROW:
            view = store.read(key, EVERYTHING, now_s)
            return view.static if view is not None else None
        found = store.row_at(key, ck, now_s)
        return store.layouts.explode(found) if found is not None else None

    return read
