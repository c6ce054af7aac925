"""The hot path of INSERT and UPDATE: a prepared statement whose bound values become a packed row as they are.

Fits: what fits packed_write.py, where every value is a bind marker of its own, the timestamp is not the statement's, and the
local node alone decides. Then key, order key and row are slices of the request; a codec runs only where a type's values must
be checked. Whatever is not plain (null, unset, a failed check, odd flags)
makes the fast path return None before anything is done, and the general path answers it.
"""

from dataclasses import dataclass
from struct import Struct

from cluster.coordinator import RequestKind
from cqlserver.metrics.meters import Kind
from cqlserver.node import Node
from cqlserver.plans.fast.packed import PackedWrite
from cqlserver.plans.fast.rows import RowsTaker, maybe_rows_taker
from cqlserver.plans.fast.taker import VALUES_MAX, Taker, compile_taker
from cqlserver.plans.fast.values import NO_PAGE, TIMESTAMP_MIN, VOID_TAIL, plain_heads, value_check, values_offset
from cqlserver.plans.plan import OPTIONS_AT, FastPath
from cqlserver.terms.bound_terms import MarkerTerm
from protocol.responses import ColumnSpec
from storage.keys import component_order_keys, key_composer
from storage.memtable.packed import Layout
from storage.reads import TableStore

_pack_long = Struct(">q").pack


@dataclass(frozen=True, slots=True)
class FastRow:
    """How the bound values of a prepared statement, as they stand in a request, are a packed row of `layout`. `take_rows`
    takes several rows of a batch, where they are alike."""

    take: Taker
    take_rows: RowsTaker | None
    value_count: int
    store: TableStore
    layout: Layout


def maybe_fast_row(packed: PackedWrite, specs: tuple[ColumnSpec, ...]) -> FastRow | None:
    """None where not every value is a marker of its own."""
    places = [term.index for term in packed.terms if isinstance(term, MarkerTerm)]
    if len(places) != len(packed.terms) or sorted(places) != list(range(len(specs))) or len(places) > VALUES_MAX:
        return None
    table = packed.store.table
    keys, clusterings = len(table.partition_key), len(table.clustering)
    checks = {place: value_check(column.type) for place, column in zip(places, packed.columns, strict=True)}
    in_order = [checks[place] for place in range(len(places))]
    key_places, ck_places, wire_places = places[:keys], places[keys : keys + clusterings], places[keys:]
    order_keys = component_order_keys(table)
    take = compile_taker(in_order, key_places, key_composer(table), ck_places, order_keys, wire_places)
    take_rows = maybe_rows_taker(in_order, key_places, ck_places, order_keys, wire_places, take)
    return FastRow(take, take_rows, len(places), packed.store, packed.layout)


def fast_write(node: Node, row: FastRow, version: int) -> FastPath | None:
    """The fast path of EXECUTE for one protocol version."""
    member = node.maybe_member(row.store.table)
    if member is not None:
        from cqlserver.plans.fast.replicated import replicated_write

        return replicated_write(node, member, row, version)
    meter = node.metering.meter(row.store.table, Kind.WRITE)
    heads = plain_heads(node.local_levels(row.store.table, RequestKind.WRITE), row.value_count, version)
    options_at = OPTIONS_AT[version]
    values_at = values_offset(options_at, version)
    take, write = row.take, node.engine.packed_writer(row.store, row.layout)
    wall_us = node.environment.clock.wall_us

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
        timestamp_at = head.timestamp_at
        if timestamp_at < 0:
            write(key, ck, _pack_long(wall_us()), wire_values)
            meter.count += 1
            return VOID_TAIL
        timestamp = body[end + timestamp_at : end + timestamp_at + 8]
        if timestamp == TIMESTAMP_MIN:
            return None
        write(key, ck, timestamp, wire_values)
        meter.count += 1
        return VOID_TAIL

    return fast
