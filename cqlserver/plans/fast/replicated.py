"""The hot path of writes that other nodes have a say in: rows as in `write` and `batch`, which go to their replicas as the
records that this node logs (cluster/coordination/bundles.py). The answer comes when enough of these have them.
"""

from struct import Struct
from typing import TYPE_CHECKING

from cluster.consistency import Consistency
from cluster.coordination.proxy import COUNTER
from cluster.coordinator import RequestKind
from cqlserver.metrics.meters import Kind
from cqlserver.node import Node
from cqlserver.plans.fast.counter import incrementer
from cqlserver.plans.fast.values import NO_PAGE, TIMESTAMP_MIN, plain_heads, values_offset
from cqlserver.plans.plan import LATER, OPTIONS_AT, FastPath
from protocol.errors import RequestError
from storage.commitlog.records import group_record, rows_record
from storage.environment.strands import is_interruptible
from storage.packed_records import record_maker, record_writer
from storage.packed_writes import PackedRun
from storage.reads import TableStore
from storage.token import token

if TYPE_CHECKING:
    from cqlserver.clustering.member import Member
    from cqlserver.plans.fast.batch import RunsWriter
    from cqlserver.plans.fast.counter import FastIncrement
    from cqlserver.plans.fast.write import FastRow

LEVELS = tuple(level.value for level in Consistency if level is not Consistency.ANY)
"""Those that are refused are so when they are looked up. At ANY a hint counts, which is for the general path."""
ROWS_MAX = 500
"""More rows of one partition are written by the general path, which has others take turns."""
_ANY = Consistency.ANY.to_bytes(2, "big")
_pack_long = Struct(">q").pack


def replicated_write(node: Node, member: "Member", row: "FastRow", version: int) -> FastPath | None:
    """The fast path of EXECUTE for one protocol version, of a table that is not kept here alone. None where the local node
    has more to change than the row."""
    if row.store.has_derived:
        return None
    heads, meter = plain_heads(LEVELS, row.value_count, version), node.metering.meter(row.store.table, Kind.WRITE)
    options_at = OPTIONS_AT[version]
    values_at = values_offset(options_at, version)
    level_at = options_at + 1
    levels = member.levels(row.store.table, RequestKind.WRITE)
    take, wall_us, add = row.take, node.environment.clock.wall_us, member.cluster.bundles.add_write
    write, make = record_writer(node.engine, row.store, row.layout), record_maker(row.layout)

    def fast(body: bytes) -> bytes | None:
        head = heads.get(body[options_at:values_at])
        if head is None:
            return None
        taken = take(body, values_at)
        if taken is None:
            return None
        end, key, ck, wire_values = taken
        if end + head.behind != len(body):
            return None
        if head.page_size_at >= 0 and body[end : end + 4] == NO_PAGE:
            return None
        plans = levels.get(body[level_at])
        if plans is None:  # not asked for yet, or refused
            return None
        try:
            plan = plans.to_write(token(key))
        except RequestError:
            return None
        timestamp_at = head.timestamp_at
        if timestamp_at < 0:
            timestamp = _pack_long(wall_us())
        else:
            timestamp = body[end + timestamp_at : end + timestamp_at + 8]
            if timestamp == TIMESTAMP_MIN:
                return None
        record = (write if plan.has_local else make)(key, ck, timestamp, wire_values)
        if record is None:
            return None
        add(plan, record)
        meter.count += 1
        return LATER

    return fast


def replicated_counter(node: Node, member: "Member", fast_increment: "FastIncrement", version: int) -> FastPath | None:
    """The same for increments of a row that this node leads: what it makes of its own shard is the record (counter.py)."""
    store, take, clustering_at = fast_increment.store, fast_increment.take, fast_increment.clustering_at
    if store.has_derived:
        return None
    heads, meter = plain_heads(LEVELS, fast_increment.value_count, version), node.metering.meter(store.table, Kind.WRITE)
    options_at = OPTIONS_AT[version]
    values_at = values_offset(options_at, version)
    level_at = options_at + 1
    levels = member.levels(store.table, RequestKind.COUNTER)
    wall_us, add, local = node.environment.clock.wall_us, member.cluster.bundles.add_write, member.cluster.local
    write = record_writer(node.engine, store, fast_increment.layout)
    contexts_of = incrementer(fast_increment, node.counter_id)

    def fast(body: bytes) -> bytes | None:
        head = heads.get(body[options_at:values_at])
        if head is None:
            return None
        taken = take(body, values_at)
        if taken is None:
            return None
        end, key, ck, values = taken
        plans = levels.get(body[level_at])
        if plans is None or end + head.behind != len(body):
            return None
        if head.page_size_at >= 0 and body[end : end + 4] == NO_PAGE:
            return None
        try:
            plan = plans.to_write(token(key))
        except RequestError:
            return None
        if not plan.has_local or local in plan.pending:  # somebody else leads
            return None
        now_us = wall_us()
        timestamp_at = head.timestamp_at
        timestamp = _pack_long(now_us) if timestamp_at < 0 else body[end + timestamp_at : end + timestamp_at + 8]
        if timestamp == TIMESTAMP_MIN:
            return None
        contexts = contexts_of(key, ck, values, now_us)
        record = None if contexts is None else write(key, ck, timestamp, values[clustering_at:] + contexts)
        if record is None:
            return None
        add(plan, record, COUNTER)
        meter.count += 1
        return LATER

    return fast


def runs_writer(node: Node, member: "Member", store: TableStore) -> "RunsWriter | None":
    """The same for rows of one partition of a batch."""
    if store.has_derived:
        return None
    engine, levels = node.engine, member.levels(store.table, RequestKind.BATCH)
    add = member.cluster.bundles.add_write

    def write(level: bytes, key: bytes, timestamp: bytes, runs: list[PackedRun]) -> bytes | None:
        plans = levels.get(level[1])
        if plans is None or level == _ANY or is_interruptible() or sum([len(run.cks) for run in runs]) > ROWS_MAX:
            return None
        try:
            plan = plans.to_write(token(key))
        except RequestError:
            return None
        if plan.has_local:
            engine.apply_packed_runs(store, key, timestamp, runs)
        records = [rows_record(run.layout.record_prefix, key, timestamp, run.values) for run in runs]
        add(plan, records[0] if len(records) == 1 else group_record(records))
        return LATER

    return write
