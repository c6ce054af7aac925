"""Executing INSERT, UPDATE and DELETE without conditions: values -> updates -> the coordinator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.plans.fast_write import maybe_fast_write
from cqlserver.plans.modification import STATIC_ROW, Increment, Modification, ReadRow, Updates
from cqlserver.plans.operations import RowChange, WriteContext
from cqlserver.plans.packed_write import PackedWrite, maybe_packed_write
from cqlserver.plans.plan import FastPath
from cqlserver.state import ClientState
from cqlserver.terms import Values
from protocol.requests import QueryOptions
from protocol.responses import ColumnSpec, Result, ResultMetadata, VoidResult
from storage.counter_writes import incremented_row
from storage.mutation import Cell, ComplexColumn, Row
from storage.reads import EVERYTHING, TableStore
from storage.schema import TableMetadata

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

    def execute(self, state: ClientState, options: QueryOptions) -> "Result | Pending[Result]":
        node, modification = self.node, self.modification
        table = modification.table
        node.check_write_consistency(table, options.consistency)
        if self.packed is not None:
            packed = self.packed.maybe_write(options.values, timestamp_us(node, modification, options))
            if packed is not None:
                node.write_packed((packed,), table, options.consistency, "SIMPLE")
                return VOID
        values = modification.with_json(options.values)
        keys = modification.keys(values)
        updates = Updates()
        context = write_context(node, modification, values, options, state.warn)
        modification.add_to(updates, keys, context, row_reader(node, table.id.bytes, context.now_s), incrementer(node))
        write_type = "COUNTER" if table.is_counter else "SIMPLE"
        node.write([b.build() for b in updates.builders()], table, options.consistency, write_type)
        return VOID

    @cached_property
    def packed(self) -> PackedWrite | None:
        """The short way, where the statement fits it."""
        table = self.modification.table
        return None if table.is_virtual else maybe_packed_write(self.modification, self.node.engine.stores[table.id])

    def maybe_fast(self, version: int) -> FastPath | None:
        return maybe_fast_write(self.node, self.modification, self.bind_specs, version)


def timestamp_us(node: Node, modification: Modification, options: QueryOptions) -> int:
    """USING TIMESTAMP before the client's timestamp before the clock."""
    default_us = options.timestamp_us if options.timestamp_us is not None else node.environment.clock.wall_us()
    return modification.timestamp_us(options.values, default_us)


def write_context(
    node: Node,
    modification: Modification,
    values: Values,
    options: QueryOptions,
    warn: Callable[[str], None],
    default_us: int | None = None,
) -> WriteContext:
    """The times of one execution: USING before the client's timestamp before the clock."""
    clock = node.environment.clock
    now_s = options.now_s if options.now_s is not None else clock.now_s()
    if default_us is None:
        default_us = options.timestamp_us if options.timestamp_us is not None else clock.wall_us()
    return WriteContext(
        modification.timestamp_us(values, default_us),
        modification.ttl_s(values, now_s, warn),
        now_s,
        values,
        node.list_paths.next,
        node.list_paths.before,
    )


def incrementer(node: Node) -> Increment:
    """Takes counter increments on this node."""

    def increment(table: TableMetadata, key: bytes, ck: bytes, change: RowChange) -> Mapping[str, Cell | ComplexColumn]:
        context = change.context
        return incremented_row(
            node.engine.stores[table.id],
            node.counter_id,
            key,
            None if ck == STATIC_ROW else ck,
            (),
            change.increments,
            context.timestamp_us,
            node.environment.clock.wall_us(),
            context.now_s,
        ).columns

    return increment


def row_reader(node: Node, table_id: bytes, now_s: int) -> ReadRow:
    """Reads the live row before a write, for operations that need it."""
    from uuid import UUID

    store: TableStore = node.engine.stores[UUID(bytes=table_id)]

    def read(key: bytes, ck: bytes) -> Row | None:
        if ck == STATIC_ROW:
            view = store.read(key, EVERYTHING, now_s)
            return view.static if view is not None else None
        found = store.row_at(key, ck, now_s)
        return store.layouts.explode(found) if found is not None else None

    return read
