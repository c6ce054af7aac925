"""The hot path of BATCH: a message of prepared statements that write plain rows into one partition.

The rows are taken out of the request as the hot path of EXECUTE takes them (fast_write.py) and logged as one record. Batches
over several partitions, which may have to be warned of or refused, and everything else, are left to the general path.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import TypeAlias

from cluster.coordinator import RequestKind
from cqlserver.metrics.meters import Kind, RequestMeter
from cqlserver.node import Node
from cqlserver.plans.fast.rows import RowsTaker
from cqlserver.plans.fast.taker import Taker
from cqlserver.plans.fast.values import TIMESTAMP_MIN, VOID_TAIL
from cqlserver.plans.fast.write import FastRow
from cqlserver.plans.plan import FastPath, Plan
from cqlserver.plans.write import WritePlan
from protocol.requests import DEFAULT_TIMESTAMP, SERIAL_CONSISTENCY
from storage.environment.strands import paused
from storage.memtable.packed import Layout
from storage.packed_writes import PackedRun
from storage.reads import TableStore

RunsWriter: TypeAlias = Callable[[bytes, bytes, bytes, list[PackedRun]], bytes | None]
"""(level, key, timestamp, rows) -> what a FastPath gives."""
LOGGED, UNLOGGED = 0, 1
PLANS_MAX = 100
"""Statements remembered; such as have left the cache, or are of before a change of the schema, are among them until then."""
ALIKE_MIN = 3
"""Fewer rows are taken as fast one by one."""
ALIKE_MAX = 1_000
"""More rows are taken one by one, so that others have their turn meanwhile."""
OPTIONS_BYTES_MAX = 2 + 4 + 2 + 8
"""Consistency, flags (v5), serial consistency, timestamp."""
_HEAD_BYTES = 3
_PREPARED = b"\x01\x00\x10"
"""A prepared statement whose id is 16 bytes long."""
_ENTRY_BYTES = len(_PREPARED) + 16 + 2
"""What stands before an entry's values: that it is prepared, its id, the number of values."""
_pack_long = Struct(">q").pack


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A statement of such batches. `levels`: consistency levels, as two bytes, that the local node meets alone; or `write`
    has them written at any level, on other nodes too."""

    take: Taker
    take_rows: RowsTaker | None
    value_count: bytes
    store: TableStore
    layout: Layout
    levels: frozenset[bytes]
    may_be_logged: bool
    plan: Plan
    meter: RequestMeter
    write: "RunsWriter | None" = None


Taken: TypeAlias = tuple[int, bytes, BatchRow, list[PackedRun]]
"""(where the options begin, the partition, a statement of the batch, the rows)."""


def maybe_batch_row(node: Node, plan: Plan) -> BatchRow | None:
    """None where the statement does not fit."""
    row: FastRow | None = plan.fast_row if isinstance(plan, WritePlan) else None
    if row is None:
        return None
    table = row.store.table
    write = None
    member = node.maybe_member(table)
    if member is not None:
        from cqlserver.plans.fast.replicated import runs_writer

        write = runs_writer(node, member, row.store)
    levels = frozenset(code.to_bytes(2, "big") for code in node.local_levels(table, RequestKind.BATCH))
    count = row.value_count.to_bytes(2, "big")
    # Cassandra warns of logged batches on tables that forget deletions at once
    may_be_logged = table.params.gc_grace_seconds > 0
    meter = node.metering.meter(table, Kind.WRITE)
    return BatchRow(row.take, row.take_rows, count, row.store, row.layout, levels, may_be_logged, plan, meter, write)


def fast_batch(node: Node, plan_of_id: Callable[[bytes], Plan | None], version: int) -> FastPath:
    """The fast path of BATCH for one protocol version."""
    known: dict[Plan, BatchRow | None] = {}

    def row_of(entry: bytes) -> BatchRow | None:
        """The statement of an entry that begins like this."""
        if not entry.startswith(_PREPARED):
            return None
        plan = plan_of_id(entry[len(_PREPARED) : -2])
        if plan is None:
            return None
        if plan not in known:
            if len(known) >= PLANS_MAX:
                known.clear()
            known[plan] = maybe_batch_row(node, plan)
        row = known[plan]
        return row if row is not None and entry[-2:] == row.value_count else None

    flags_end = 2 + (4 if version >= 5 else 1)
    tails = {}
    for flags, behind, timestamp_at in (
        (0, 0, -1),
        (SERIAL_CONSISTENCY, 2, -1),
        (DEFAULT_TIMESTAMP, 8, 0),
        (SERIAL_CONSISTENCY | DEFAULT_TIMESTAMP, 10, 2),
    ):
        tails[flags.to_bytes(flags_end - 2, "big")] = (behind, timestamp_at)
    wall_us, write, metering = node.environment.clock.wall_us, node.engine.apply_packed_runs, node.metering
    singles = metering.single_partition_batches

    def taken_alike(body: bytes, count: int) -> Taken | None:
        """All rows at once."""
        if not ALIKE_MIN <= count <= ALIKE_MAX:
            return None
        row = row_of(body[_HEAD_BYTES : _HEAD_BYTES + _ENTRY_BYTES])
        if row is None or row.take_rows is None:
            return None
        rows = row.take_rows(body, _HEAD_BYTES, _ENTRY_BYTES, count, OPTIONS_BYTES_MAX)
        if rows is None:
            return None
        end, key, cks, values = rows
        return end, key, row, [PackedRun(row.layout, cks, values)]

    def taken_each(body: bytes, count: int) -> Taken | None:
        """Row by row."""
        at, partition = _HEAD_BYTES, b""
        first: BatchRow | None = None
        runs: list[PackedRun] = []
        last_entry: bytes | None = None
        for _ in paused(range(count)):
            entry = body[at : at + _ENTRY_BYTES]
            if entry != last_entry:  # mostly they are all the same
                row = row_of(entry)
                if row is None:
                    return None
                if first is None:
                    first = row
                elif row.store is not first.store:
                    return None
                take, last_entry = row.take, entry
                cks: list[bytes] = []
                values: list[bytes] = []
                runs.append(PackedRun(row.layout, cks, values))
            taken = take(body, at + _ENTRY_BYTES)
            if taken is None:
                return None
            at, key, ck, wire_values = taken
            if key != partition:
                if partition:
                    return None
                partition = key
            cks.append(ck)
            values.append(wire_values)
        return (at, partition, first, runs) if first is not None else None

    def fast(body: bytes) -> bytes | None:
        if len(body) < _HEAD_BYTES or (kind := body[0]) > UNLOGGED:
            return None
        count = body[1] << 8 | body[2]
        taken = taken_alike(body, count) or taken_each(body, count)
        if taken is None:
            return None
        at, partition, row, runs = taken
        if kind == LOGGED and not row.may_be_logged:
            return None
        tail = tails.get(body[at + 2 : at + flags_end])
        level = body[at : at + 2]
        if tail is None or (row.write is None and level not in row.levels):
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
        if row.write is not None:
            answer = row.write(level, partition, timestamp, runs)
            if answer is None:
                return None
        else:
            write(row.store, partition, timestamp, runs)
            answer = VOID_TAIL
        row.meter.count += 1
        metering.last = row.plan
        metering.batch_count += 1
        singles[kind] += 1
        return answer

    return fast
