"""The hot path of BATCH: a message of prepared statements that write plain rows into one partition.

The rows are taken out of the request as the hot path of EXECUTE takes them (fast_write.py) and logged as one record. Batches
over several partitions, which may have to be warned of or refused, and everything else, are left to the general path.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct

from cluster.coordinator import RequestKind
from cqlserver.node import Node
from cqlserver.plans.fast_write import TIMESTAMP_MIN, VOID_TAIL, FastRow, RowTaker
from cqlserver.plans.plan import FastPath, Plan
from cqlserver.plans.write import WritePlan
from protocol.requests import DEFAULT_TIMESTAMP, SERIAL_CONSISTENCY
from storage.engine import PackedRowWrite
from storage.packed import Layout
from storage.reads import TableStore

LOGGED, UNLOGGED = 0, 1
PLANS_MAX = 1_000
"""Statements remembered; plans of before a change of the schema are among them until then."""
_HEAD_BYTES = 3
_PREPARED = b"\x01\x00\x10"
"""A prepared statement whose id is 16 bytes long."""
_pack_long = Struct(">q").pack


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A statement of such batches. `levels`: consistency levels, as two bytes, that the local node meets alone."""

    take: RowTaker
    value_count: bytes
    store: TableStore
    layout: Layout
    levels: frozenset[bytes]
    may_be_logged: bool


def maybe_batch_row(node: Node, plan: Plan) -> BatchRow | None:
    """None where the statement does not fit."""
    row: FastRow | None = plan.fast_row if isinstance(plan, WritePlan) else None
    if row is None:
        return None
    table = row.store.table
    levels = frozenset(code.to_bytes(2, "big") for code in node.local_levels(table, RequestKind.BATCH))
    count = row.value_count.to_bytes(2, "big")
    # Cassandra warns of logged batches on tables that forget deletions at once
    return BatchRow(row.take, count, row.store, row.layout, levels, table.params.gc_grace_seconds > 0)


def fast_batch(node: Node, plan_of_id: Callable[[bytes], Plan | None], version: int) -> FastPath:
    """The fast path of BATCH for one protocol version."""
    known: dict[Plan, BatchRow | None] = {}

    def row_of(statement_id: bytes) -> BatchRow | None:
        plan = plan_of_id(statement_id)
        if plan is None:
            return None
        if plan not in known:
            if len(known) >= PLANS_MAX:
                known.clear()
            known[plan] = maybe_batch_row(node, plan)
        return known[plan]

    flags_end = 2 + (4 if version >= 5 else 1)
    tails = {}
    for flags, behind, timestamp_at in (
        (0, 0, -1),
        (SERIAL_CONSISTENCY, 2, -1),
        (DEFAULT_TIMESTAMP, 8, 0),
        (SERIAL_CONSISTENCY | DEFAULT_TIMESTAMP, 10, 2),
    ):
        tails[flags.to_bytes(flags_end - 2, "big")] = (behind, timestamp_at)
    wall_us, write = node.environment.clock.wall_us, node.engine.apply_packed_all

    def fast(body: bytes) -> bytes | None:
        if len(body) < _HEAD_BYTES or (kind := body[0]) > UNLOGGED:
            return None
        at, partition = 3, b""
        table: TableStore | None = None
        levels: frozenset[bytes] = frozenset()
        rows: list[tuple[BatchRow, bytes, bytes]] = []
        row: BatchRow | None = None
        last_id = b""
        for _ in range(body[1] << 8 | body[2]):
            if body[at : at + 3] != _PREPARED:
                return None
            statement_id = body[at + 3 : at + 19]
            if statement_id != last_id:  # mostly they are all the same
                row, last_id = row_of(statement_id), statement_id
            if row is None or body[at + 19 : at + 21] != row.value_count:
                return None
            taken = row.take(body, at + 21)
            if taken is None:
                return None
            at, key, ck, wire_values = taken
            if table is None:
                table, partition, levels = row.store, key, row.levels
                if kind == LOGGED and not row.may_be_logged:
                    return None
            elif row.store is not table or key != partition:
                return None
            rows.append((row, ck, wire_values))
        tail = tails.get(body[at + 2 : at + flags_end])
        if tail is None or not rows or body[at : at + 2] not in levels:
            return None
        behind, timestamp_at = tail
        at += flags_end
        if at + behind != len(body):
            return None
        if timestamp_at < 0:
            timestamp = _pack_long(wall_us())
        else:
            timestamp = body[at + timestamp_at : at + timestamp_at + 8]
            if timestamp == TIMESTAMP_MIN:
                return None
        write([PackedRowWrite(row.store, row.layout, partition, ck, timestamp + values) for row, ck, values in rows])
        return VOID_TAIL

    return fast
