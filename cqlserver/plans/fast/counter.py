"""The hot path of counters: an UPDATE that increments counters of one row, on the node that counts.

What is written is a packed row of contexts, each the node's own shard with a higher clock (storage/counters/contexts.py).
Where the row is stored packed by the same columns, which is so when the same statement wrote it, clock and count are read
and written at their offsets. All else, deletions above all, is for the general path (operations.Increment,
storage/counters/writes.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct

from cluster.coordinator import RequestKind
from cqlserver.metrics.meters import Kind
from cqlserver.node import Node
from cqlserver.plans.fast.taker import VALUES_MAX, Taker, compile_taker
from cqlserver.plans.fast.values import NO_PAGE, TIMESTAMP_MIN, VOID_TAIL, Check, plain_heads, value_check, values_offset
from cqlserver.plans.modification import Modification
from cqlserver.plans.operations import Increment
from cqlserver.plans.plan import OPTIONS_AT, FastPath
from cqlserver.terms.bound_terms import Constant, MarkerTerm
from protocol.responses import ColumnSpec
from storage.counters.contexts import ONE_GLOBAL, increment
from storage.counters.writes import maybe_undeleted
from storage.keys import component_order_keys, key_composer
from storage.memtable.packed import VALUES, Layout, join_wire_values
from storage.mutation import Cell, ComplexColumn
from storage.reads import TableStore

DELTA: Check = (8, None)
DELTA_BYTES = 12
"""Of a bound delta, as a wire value."""
CONTEXT_BYTES = 40
"""Of a context of one shard, as a wire value."""
ONE_SHARD = (CONTEXT_BYTES - 4).to_bytes(4, "big") + ONE_GLOBAL
"""How such a wire value begins."""
LONG_MAX = (1 << 63) - 1
_pack_long = Struct(">q").pack
_unpack_delta = Struct(">4xq").unpack_from

Delta = tuple[int, int, int]
"""What a column is incremented by: (sign, offset of the bound delta or -1, signed delta if it stands in the statement)."""
Contexts = Callable[[bytes, bytes, bytes, int], bytes | None]
"""(key, order key, wire values, microseconds of now) -> contexts to write, as wire values; None: not plain."""


@dataclass(frozen=True, slots=True)
class FastIncrement:
    """How the bound values of a prepared statement increment the columns of `layout`. Of what `take` gives as wire values,
    the first are the bound deltas, the others the clustering."""

    take: Taker
    value_count: int
    store: TableStore
    layout: Layout
    deltas: tuple[Delta, ...]

    @property
    def clustering_at(self) -> int:
        return DELTA_BYTES * sum(at >= 0 for _, at, _ in self.deltas)


def maybe_fast_increment(node: Node, modification: Modification, specs: tuple[ColumnSpec, ...]) -> FastIncrement | None:
    """None where the statement does not fit."""
    table = modification.table
    terms = modification.restrictions.equality_terms
    if not table.is_counter or table.needs_clustering_value or terms is None or len(terms[1]) != len(table.clustering):
        return None
    operations = [operation for operation in modification.regular if isinstance(operation, Increment)]
    names = tuple(operation.name for operation in operations)
    if modification.static or not names or len(operations) < len(modification.regular) or len(set(names)) < len(names):
        return None
    checks: dict[int, Check] = {}
    for term, column in zip((*terms[0], *terms[1]), (*table.partition_key, *table.clustering), strict=True):
        if not isinstance(term, MarkerTerm):
            return None
        checks[term.index] = value_check(column.type)
    bound = [operation.term.index for operation in operations if isinstance(operation.term, MarkerTerm)]
    checks |= dict.fromkeys(bound, DELTA)
    deltas = [_maybe_delta(operation, bound) for operation in operations]
    store = node.engine.stores[table.id]
    layout = store.layouts.maybe_layout(names, False)
    if None in deltas or layout is None or sorted(checks) != list(range(len(specs))) or len(specs) > VALUES_MAX:
        return None
    key_places, ck_places = ([term.index for term in of if isinstance(term, MarkerTerm)] for of in terms)
    take = compile_taker(
        [checks[place] for place in range(len(specs))],
        key_places,
        key_composer(table),
        ck_places,
        component_order_keys(table),
        [*bound, *ck_places],
    )
    return FastIncrement(take, len(specs), store, layout, tuple(delta for delta in deltas if delta is not None))


def _maybe_delta(operation: Increment, bound: Sequence[int]) -> Delta | None:
    term, sign = operation.term, operation.sign
    if isinstance(term, MarkerTerm):
        return sign, bound.index(term.index) * DELTA_BYTES, 0
    if isinstance(term, Constant) and isinstance(term.value, bytes) and len(term.value) == 8:
        delta = sign * int.from_bytes(term.value, "big", signed=True)
        return (sign, -1, delta) if delta <= LONG_MAX else None
    return None


def fast_counter(node: Node, fast_increment: FastIncrement, version: int) -> FastPath | None:
    """The fast path of EXECUTE for one protocol version."""
    member = node.maybe_member(fast_increment.store.table)
    if member is not None:
        from cqlserver.plans.fast.replicated import replicated_counter

        return replicated_counter(node, member, fast_increment, version)
    store, take, clustering_at = fast_increment.store, fast_increment.take, fast_increment.clustering_at
    meter = node.metering.meter(store.table, Kind.WRITE)
    levels = node.local_levels(store.table, RequestKind.COUNTER)
    heads = plain_heads(levels, fast_increment.value_count, version)
    options_at = OPTIONS_AT[version]
    values_at = values_offset(options_at, version)
    write, wall_us = node.engine.packed_writer(store, fast_increment.layout), node.environment.clock.wall_us
    contexts_of = incrementer(fast_increment, node.counter_id)

    def fast(body: bytes) -> bytes | None:
        head = heads.get(body[options_at:values_at])
        if head is None:
            return None
        taken = take(body, values_at)
        if taken is None:
            return None
        end, key, ck, values = taken
        if end + head.behind != len(body):
            return None
        if head.page_size_at >= 0 and body[end : end + 4] == NO_PAGE:
            return None
        now_us = wall_us()
        if head.timestamp_at < 0:
            timestamp = _pack_long(now_us)
        else:
            timestamp = body[end + head.timestamp_at : end + head.timestamp_at + 8]
            if timestamp == TIMESTAMP_MIN:
                return None
        contexts = contexts_of(key, ck, values, now_us)
        if contexts is None:
            return None
        write(key, ck, timestamp, values[clustering_at:] + contexts)
        meter.count += 1
        return VOID_TAIL

    return fast


def incrementer(fast: FastIncrement, node_id: bytes) -> Contexts:
    """What the node of that id writes for an increment."""
    store, names, tag, deltas = fast.store, fast.layout.columns, fast.layout.row_prefix, fast.deltas
    contexts_bytes = CONTEXT_BYTES * len(names)
    others_bytes = VALUES - fast.clustering_at + contexts_bytes
    nothing = (None,) * len(names)

    def contexts_of(key: bytes, ck: bytes, values: bytes, now_us: int) -> bytes | None:
        row = maybe_undeleted(store, key, ck)
        if row is None or (store.counter_cache and _is_cached(store, key, ck, names)):
            return None
        currents: Sequence[bytes | None] = nothing
        if type(row) is bytes and row[:2] == tag and len(row) == others_bytes + len(values):
            places = range(len(row) - contexts_bytes, len(row), CONTEXT_BYTES)
            currents = [row[at + 4 : at + CONTEXT_BYTES] for at in places if row[at : at + 8] == ONE_SHARD]
            if len(currents) < len(names):
                return None
        elif row:
            columns = store.layouts.explode(row).columns
            currents = [_maybe_context(columns.get(name)) for name in names]
        contexts = []
        for current, (sign, delta_at, constant) in zip(currents, deltas, strict=True):
            delta = constant if delta_at < 0 else sign * _unpack_delta(values, delta_at)[0]
            if delta > LONG_MAX:
                return None
            contexts.append(increment(current, node_id, delta, now_us))
        return join_wire_values(contexts)

    return contexts_of


def _is_cached(store: TableStore, key: bytes, ck: bytes, names: Sequence[str]) -> bool:
    return any(store.counter_cache.get((key, ck, name)) is not None for name in names)


def _maybe_context(data: Cell | ComplexColumn | None) -> bytes | None:
    return data.value if type(data) is Cell else None
