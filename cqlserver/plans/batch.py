"""BATCH, as a statement and as a message (cql3/statements/BatchStatement.java)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from typing import Any

from cluster.consistency import Consistency, validate_for_query
from cqlserver.guarding import guarding
from cqlserver.java_order import texts_hash_ordered
from cqlserver.metrics.meters import COUNTER, LOGGED, UNLOGGED, Kind, RequestMeter
from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.plans.cas import CasRequest, CasShape
from cqlserver.plans.fast.packed import PackedWrite, maybe_packed_write
from cqlserver.plans.modification import Modification, Updates, bound_timestamp
from cqlserver.plans.plan import FastPath
from cqlserver.plans.write import VOID, built_updates, check_read_before_write, guard_write, row_reader, write_context
from cqlserver.state import ClientState, RequestTrace
from cqlserver.terms.terms import Term, Values
from protocol.errors import InvalidRequest, Unavailable
from protocol.requests import QueryOptions
from protocol.responses import ColumnSpec, Result, ResultMetadata
from storage.environment.strands import let_go_later, long_work, paused, undisturbed
from storage.mutation import NO_TIMESTAMP, ComplexColumn, PartitionUpdate, Row
from storage.packed_writes import PackedRowWrite
from storage.schema.metadata import TableMetadata

SIZE_WARN_BYTES = 5 * 1024
"""batch_size_warn_threshold."""
SIZE_FAIL_BYTES = 50 * 1024
"""batch_size_fail_threshold."""
STATEMENTS_PER_GO = 200
"""Of a batch with more of them others must be able to interrupt the work."""
UNLOGGED_PARTITIONS_WARN = 10
"""unlogged_batch_across_partitions_warn_threshold."""


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """`values_apart`: the execution's values come as one tuple per statement (a BATCH message)."""

    node: Node
    kind: str
    modifications: tuple[Modification, ...]
    timestamp: Term | None
    values_apart: bool
    bind_specs: tuple[ColumnSpec, ...] = ()
    partition_key_indexes: tuple[int, ...] = ()
    result_metadata: ResultMetadata | None = None
    tables: tuple[tuple[str, str], ...] = field(default=())
    _packed_cache: "list[list[tuple[Modification, PackedWrite]] | None]" = field(default_factory=list)

    def maybe_fast(self, version: int) -> FastPath | None:
        return None

    def meters(self, level: int) -> tuple[RequestMeter, ...]:
        return self._meters

    @cached_property
    def _meters(self) -> tuple[RequestMeter, ...]:
        kind = Kind.CAS_WRITE if any(m.has_conditions for m in self.modifications) else Kind.WRITE
        return tuple(self.node.metering.meter(table, kind) for table in self._written_tables if not table.is_virtual)

    def execute(self, state: ClientState, options: QueryOptions) -> "Result | Pending[Result]":
        if not self.modifications:
            return VOID
        default_us = self._timestamp_us(options)
        if len(self.modifications) > STATEMENTS_PER_GO:
            long_work()
        guarded = guarding.get()
        if guarded is not None:
            guard_write(guarded, self.node, self.modifications, options, self.values_apart)
        if any(modification.has_conditions for modification in paused(self.modifications)):
            return self._compare_and_set(options, state.trace)
        node = self.node
        if options.consistency == Consistency.NODE_LOCAL and not self.values_apart:
            validate_for_query(Consistency.NODE_LOCAL)
        try:
            for table in self._written_tables:
                node.check_batch_consistency(table, options.consistency)
        except Unavailable as error:
            updates = self._updates(options, default_us, error)  # what is wrong with the values is told first
            if state.trace is not None:
                state.trace.note_unavailable(self._write_type(len(updates.builders())))
            raise
        self._warn_of_gc_grace(state)
        packed = self._maybe_packed(options, default_us) if guarded is None else None
        if packed is not None:
            partitions = {(write.store.table.id.bytes, write.key): write.store.table for write in paused(packed)}
            let_go_later(packed, [*partitions])
            count = 1
            if len(partitions) > 1:
                count = self._check_partitions(partitions, packed_size(packed, len(partitions)), state)
            write_type = self._write_type(count)
            self._count_partitions(count)
            node.write_packed(packed, packed[0].store.table, options.consistency, write_type)
            if state.trace is not None:
                state.trace.note_batch(write_type, partitions.values())
            return VOID
        updates = self._updates(options, default_us)
        if self.modifications[0].table.is_counter:
            write_type = undisturbed(lambda: self._write(updates, options, state))
        else:
            write_type = self._write(updates, options, state)
        if state.trace is not None:
            state.trace.note_batch(write_type, [builder.table for builder in updates.builders()])
        return VOID

    def _updates(self, options: QueryOptions, default_us: int, unavailable: Unavailable | None = None) -> Updates:
        """Raises `unavailable` where rows are to be read."""
        given = [
            (modification, values, modification.keys(values)) for modification, values in paused(self._with_values(options))
        ]
        let_go_later(given)
        updates = Updates()
        for modification, values, keys in paused(given):
            places = modification.places(values)
            if modification.requires_read:
                check_read_before_write(options.consistency)
                if unavailable is not None:
                    raise unavailable
            context = write_context(self.node, modification, values, options, default_us)
            read_row = row_reader(self.node, modification.table, context.now_s, options.consistency)
            modification.add_to(updates, keys, places, context, read_row)
        return updates

    def _write(self, updates: Updates, options: QueryOptions, state: ClientState) -> str:
        built = built_updates(self.node, updates)
        let_go_later(built, *updates.pieces(), *[[*update.rows.values()] for update in built[:1]])
        count = len(built)
        if count > 1:
            partitions = {(builder.table.id.bytes, builder.key): builder.table for builder in paused(updates.builders())}
            count = self._check_partitions(partitions, sum(map(data_size, paused(built))), state)
        write_type = self._write_type(count)
        self._count_partitions(count)
        self.node.write(built, self.modifications[0].table, options.consistency, write_type)
        return write_type

    def _count_partitions(self, count: int) -> None:
        is_counter = self.kind == "COUNTER" or self.modifications[0].table.is_counter
        kind = COUNTER if is_counter else LOGGED if self.kind == "LOGGED" else UNLOGGED
        self.node.metering.count_batch(kind, count)

    @cached_property
    def _written_tables(self) -> tuple[TableMetadata, ...]:
        return tuple({modification.table.id: modification.table for modification in self.modifications}.values())

    def _packed(self) -> "list[tuple[Modification, PackedWrite]] | None":
        """All statements' short way, if they all have one."""
        cache = self._packed_cache
        if not cache:  # no cached_property: it would hold a lock during the pauses
            cache.append(self._find_packed())
        return cache[0]

    def _find_packed(self) -> "list[tuple[Modification, PackedWrite]] | None":
        found = []
        for modification in paused(self.modifications):
            packed = maybe_packed_write(modification, self.node.read_store(modification.table))
            if packed is None:
                return None
            found.append((modification, packed))
        return found

    def _maybe_packed(self, options: QueryOptions, default_us: int) -> list[PackedRowWrite] | None:
        """The packed rows of this execution, if all of it is that plain."""
        packed_writes = self._packed()
        if packed_writes is None:
            return None
        given: Any = options.values if self.values_apart else repeat(options.values)
        writes = []
        for (modification, packed), values in paused(zip(packed_writes, given, strict=False)):
            timestamp_us = modification.timestamp_us(values, default_us) if modification.timestamp else default_us
            if timestamp_us == NO_TIMESTAMP:
                return None
            write = packed.maybe_write(values, timestamp_us)
            if write is None:
                return None
            writes.append(write)
        if len(writes) > 1 and packed_size(writes, len(writes)) > SIZE_WARN_BYTES and _rows_meet(writes):
            return None
        return writes

    def _with_values(self, options: QueryOptions) -> list[tuple[Modification, Values]]:
        given: Sequence[Values] = (
            options.values if self.values_apart else [options.values] * len(self.modifications)  # type: ignore[assignment]
        )
        return [(m, m.with_json(values)) for m, values in paused(zip(self.modifications, given, strict=True))]

    def _timestamp_us(self, options: QueryOptions) -> int:
        clock_us = options.timestamp_us
        if clock_us is None:
            clock_us = self.node.environment.clock.wall_us()
        if self.timestamp is None:
            return clock_us
        return bound_timestamp(self.timestamp, options.values, clock_us)

    def _write_type(self, partition_count: int) -> str:
        if self.kind == "COUNTER" or self.modifications[0].table.is_counter:
            return "COUNTER"
        if self.kind == "LOGGED" and partition_count > 1:
            return "BATCH"
        return "UNLOGGED_BATCH" if partition_count > 1 else "SIMPLE"

    def _compare_and_set(self, options: QueryOptions, trace: RequestTrace | None) -> Result:
        request = CasRequest(self.node, self._cas_shape, options)
        for modification, values in paused(self._with_values(options)):
            request.add(modification, values)
        return request.execute(trace)

    @cached_property
    def _cas_shape(self) -> CasShape:
        return CasShape(self.node, self.modifications, True)

    def _check_partitions(
        self, partitions: Mapping[tuple[bytes, bytes], TableMetadata], size: int, state: ClientState
    ) -> int:
        """Warns of, or refuses, batches of more than one mutation that are large, or not logged and wide
        (verifyBatchSize, verifyBatchType). `partitions`: (table id, key) -> table; `size` in bytes. How many mutations
        they are: the tables of one keyspace share those of a key."""
        count = len({(table.keyspace, key) for (_, key), table in paused(partitions.items())})
        if count == 1 or (size <= SIZE_WARN_BYTES and (self.kind == "LOGGED" or count <= UNLOGGED_PARTITIONS_WARN)):
            return count
        distinct = {id(table): table for table in paused(partitions.values())}
        tables = texts_hash_ordered(map(str, distinct.values()))
        names = ", ".join(tables)
        if size > SIZE_FAIL_BYTES:
            raise InvalidRequest("Batch too large")
        if size > SIZE_WARN_BYTES:
            state.warn(
                f"Batch for [{names}] is of size {size}, exceeding specified threshold of {SIZE_WARN_BYTES} by "
                f"{size - SIZE_WARN_BYTES}."
            )
        keys = len({key for _, key in paused(partitions)})
        if self.kind != "LOGGED" and keys > UNLOGGED_PARTITIONS_WARN:
            state.warn(
                f"Unlogged batch covering {keys} partitions detected against table{'s' if len(tables) > 1 else ''} "
                f"[{names}]. You should use a logged batch for atomicity, or asynchronous writes for performance."
            )
        return count

    def _warn_of_gc_grace(self, state: ClientState) -> None:
        if self.kind != "LOGGED":
            return
        tables = texts_hash_ordered(str(table) for table in self._written_tables if not table.params.gc_grace_seconds)
        if tables:
            several = "s" if len(tables) > 1 else ""
            state.warn(
                f"Executing a LOGGED BATCH on table{several} [{', '.join(tables)}], configured with a gc_grace_seconds of "
                "0. The gc_grace_seconds is used to TTL batchlog entries, so setting gc_grace_seconds too low on tables "
                "involved in an atomic batch might cause batchlog entries to expire before being replayed."
            )


_ROW_BYTES, _CELL_BYTES, _UPDATE_BYTES = 21, 20, 29
"""What Cassandra counts for a row, a cell, an update (its deletion and its static row) apart from their values."""


def data_size(update: PartitionUpdate) -> int:
    """What Cassandra counts as an update's size (PartitionUpdate.dataSize)."""
    size = _UPDATE_BYTES + sum(map(_row_size, update.rows.values()))
    if update.static is not None:
        size += _row_size(update.static) - _ROW_BYTES
    if update.range_tombstones:
        size += 4
        for tombstone in update.range_tombstones:
            size += 12 + sum(map(len, tombstone.start_values)) + sum(map(len, tombstone.end_values))
    return size


def _row_size(row: Row) -> int:
    size = _ROW_BYTES + sum(map(len, row.clustering)) + (12 if row.liveness.ttl_s else 0)
    for data in row.columns.values():
        if isinstance(data, ComplexColumn):
            size += 12 + sum(_CELL_BYTES + len(path) + len(cell.value or b"") for path, cell in data.cells.items())
        else:
            size += _CELL_BYTES + len(data.value or b"")
    return size


def packed_size(writes: Sequence[PackedRowWrite], partition_count: int) -> int:
    """The same of packed rows, each in a place of its own."""
    size = partition_count * _UPDATE_BYTES + len(writes) * (_ROW_BYTES - 8)
    for write in paused(writes):
        # a body has a length before each value, and 8 bytes of timestamp
        columns = len(write.layout.columns)
        size += len(write.body) + (_CELL_BYTES - 4) * columns - 4 * len(write.store.table.clustering)
    return size


def _rows_meet(writes: Sequence[PackedRowWrite]) -> bool:
    """Whether there are several writes of one row: its size counts once."""
    places = {(write.store.table.id.bytes, write.key, write.ck) for write in paused(writes)}
    let_go_later([*places])
    return len(places) < len(writes)


def validate_batch(kind: str, modifications: Sequence[Modification], timestamp: Term | None, ttl: Term | None) -> None:
    """What a batch may hold (BatchStatement.validate). Raises InvalidRequest."""
    if ttl is not None:
        raise InvalidRequest("Global TTL on the BATCH statement is not supported.")
    has_conditions = any(modification.has_conditions for modification in paused(modifications))
    if timestamp is not None:
        if has_conditions:
            raise InvalidRequest("Cannot provide custom timestamp for conditional BATCH")
        if kind == "COUNTER":
            raise InvalidRequest("Cannot provide custom timestamp for counter BATCH")
        if any(modification.timestamp is not None for modification in paused(modifications)):
            raise InvalidRequest("Timestamp must be set either on BATCH or individual statements")
    counters = [modification.table.is_counter for modification in paused(modifications)]
    virtual = [modification.table.is_virtual for modification in paused(modifications)]
    if timestamp is not None and any(counters):
        raise InvalidRequest("Cannot provide custom timestamp for a BATCH containing counters")
    if kind == "COUNTER" and not all(counters):
        raise InvalidRequest("Cannot include non-counter statement in a counter batch")
    if any(counters) and not all(counters):
        raise InvalidRequest("Counter and non-counter mutations cannot exist in the same batch")
    if kind == "LOGGED" and any(counters):
        raise InvalidRequest("Cannot include a counter statement in a logged batch")
    if kind == "LOGGED" and any(virtual):
        raise InvalidRequest("Cannot include a virtual table statement in a logged batch")
    if any(virtual) and not all(virtual):
        raise InvalidRequest("Mutations for virtual and regular tables cannot exist in the same batch")
    if has_conditions and any(virtual):
        raise InvalidRequest("Conditional BATCH statements cannot include mutations for virtual tables")
    if has_conditions and len({modification.table.id for modification in modifications}) > 1:
        raise InvalidRequest("Batch with conditions cannot span multiple tables")
