"""The hot path of INSERT and UPDATE: a prepared statement whose bound values become a packed row as they are.

Fits: every value is a bind marker of its own, bound in its place, all columns are single cells, there is no TTL, no
condition, no static column, and the local node alone decides. Then key, order key and row are slices of the request; a
codec runs only where a type's values must be checked. Whatever is not plain (null, unset, a failed check, odd flags)
makes the fast path return None before anything is done, and the general path answers it.
"""

from dataclasses import dataclass
from struct import Struct

from cluster.coordinator import RequestKind
from cqlserver.bound_terms import MarkerTerm
from cqlserver.node import Node
from cqlserver.plans.fast_taker import VALUES_MAX, Taker, compile_taker
from cqlserver.plans.fast_values import plain_heads, value_check, values_offset
from cqlserver.plans.modification import Modification
from cqlserver.plans.operations import Set
from cqlserver.plans.plan import OPTIONS_AT, FastPath
from protocol.responses import ColumnSpec
from storage.keys import component_order_keys, key_composer
from storage.packed import Layout
from storage.reads import TableStore
from storage.schema import ColumnKind

VOID_TAIL = b"\x08\x00\x00\x00\x04\x00\x00\x00\x01"
"""RESULT, length 4, kind VOID."""
TIMESTAMP_MIN = b"\x80\0\0\0\0\0\0\0"
_pack_long = Struct(">q").pack


@dataclass(frozen=True, slots=True)
class FastRow:
    """How the bound values of a prepared statement, as they stand in a request, are a packed row of `layout`."""

    take: Taker
    value_count: int
    store: TableStore
    layout: Layout


def maybe_fast_row(node: Node, modification: Modification, specs: tuple[ColumnSpec, ...]) -> FastRow | None:
    """None where the statement does not fit."""
    bound = _maybe_bound_columns(modification)
    if bound is None or len(bound) != len(specs) or len(bound) > VALUES_MAX:
        return None
    table = modification.table
    regular = [name for name in bound if table.by_name[name].kind is ColumnKind.REGULAR]
    store = node.engine.stores[table.id]
    layout = store.layouts.maybe_layout(tuple(regular), modification.verb == "INSERT")
    if layout is None or (modification.verb == "UPDATE" and not regular):
        return None
    places = {name: place for place, name in enumerate(bound)}
    clustering = [places[column.name] for column in table.clustering]
    take = compile_taker(
        [value_check(table.by_name[name].type) for name in bound],
        [places[column.name] for column in table.partition_key],
        key_composer(table),
        clustering,
        component_order_keys(table),
        clustering + [places[name] for name in regular],
    )
    return FastRow(take, len(bound), store, layout)


def fast_write(node: Node, row: FastRow, version: int) -> FastPath:
    """The fast path of EXECUTE for one protocol version."""
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
        timestamp_at = head.timestamp_at
        if timestamp_at < 0:
            write(key, ck, _pack_long(wall_us()) + wire_values)
            return VOID_TAIL
        timestamp = body[end + timestamp_at : end + timestamp_at + 8]
        if timestamp == TIMESTAMP_MIN:
            return None
        write(key, ck, timestamp + wire_values)
        return VOID_TAIL

    return fast


def _maybe_bound_columns(modification: Modification) -> list[str] | None:
    """The columns in the order of the markers, when each column has just one marker and all fits."""
    table = modification.table
    if (
        modification.verb == "DELETE"
        or modification.has_conditions
        or modification.static
        or modification.timestamp is not None
        or modification.ttl is not None
        or modification.json is not None
        or table.is_counter
        or table.is_virtual
        or table.params.default_time_to_live
    ):
        return None
    terms = modification.restrictions.equality_terms
    if terms is None or len(terms[1]) != len(table.clustering):
        return None
    by_marker: dict[int, str] = {}
    for column, term in zip((*table.partition_key, *table.clustering), (*terms[0], *terms[1]), strict=True):
        if not isinstance(term, MarkerTerm):
            return None
        by_marker[term.index] = column.name
    for operation in modification.regular:
        if not isinstance(operation, Set) or not isinstance(operation.term, MarkerTerm):
            return None
        by_marker[operation.term.index] = operation.name
    count = len(table.partition_key) + len(table.clustering) + len(modification.regular)
    if sorted(by_marker) != list(range(count)):
        return None
    return [by_marker[index] for index in range(count)]
