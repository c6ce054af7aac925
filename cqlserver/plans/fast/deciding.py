"""The hot path of conditional writes that other nodes have a say in: prepared INSERT, UPDATE and DELETE with IF whose
condition is about one row (cluster/coordination/decisions.py). The answer comes when the replicas have decided.

What is odd in a request, and what is wrong with it, is for the general path (cas.py), which says so; and where replicas have
different rows.
"""

from typing import TYPE_CHECKING

from cluster.coordination.decisions import Decision
from cluster.paxos.encoding import PaxosKey
from cqlserver.metrics.meters import Kind
from cqlserver.node import Node
from cqlserver.plans.fast.replicated import LEVELS
from cqlserver.plans.fast.values import plain_heads, values_offset
from cqlserver.plans.plan import LATER, OPTIONS_AT, FastPath
from protocol.errors import RequestError
from protocol.primitives import Reader
from protocol.requests import QueryOptions
from protocol.responses import Result, encode
from storage.memtable.packed import StoredRow
from storage.mutation import ComplexColumn, Row
from storage.token import token

if TYPE_CHECKING:
    from cqlserver.clustering.member import Member
    from cqlserver.plans.cas import CasPlan

BODY_BYTES_MAX = 3_000
"""Longer requests are worked on in turns with others."""
_STREAM_END = 4
"""Where an envelope's opcode stands."""


def replicated_cas(node: Node, member: "Member", plan: "CasPlan", version: int) -> FastPath | None:
    """The fast path of EXECUTE for one protocol version, of a table that is not kept here alone."""
    from cqlserver.plans.cas import CasRequest

    shape, modification = plan.shape, plan.modification
    table, store, local = shape.table, shape.store, member.cluster.local
    heads = plain_heads(LEVELS, len(plan.bind_specs), version)
    options_at = OPTIONS_AT[version]
    values_at = values_offset(options_at, version)
    table_id = table.id.bytes
    meter, add = node.metering.meter(table, Kind.CAS_WRITE), member.cluster.bundles.add_decision
    now_s = node.environment.clock.now_s
    has_collections = any(column.type.is_multicell for column in table.columns)
    applied = encode(shape.applied, version, 0)[_STREAM_END:]

    def tail(answer: Result) -> bytes:
        return applied if answer is shape.applied else encode(answer, version, 0)[_STREAM_END:]

    def fast(body: bytes) -> bytes | None:
        if len(body) > BODY_BYTES_MAX or body[options_at:values_at] not in heads:
            return None
        try:
            options = QueryOptions.decode(Reader(body, options_at), version)
            request = CasRequest(node, shape, options)
            request.add(modification, modification.with_json(options.values))
            row = request.maybe_row
            if row is None or options.page_size == 0:
                return None
            key, ck = row
            deciders = member.deciders(table, options.serial_consistency, options.consistency).of(token(key))
        except RequestError:
            return None
        if deciders is None or local not in deciders.voters or not deciders.are_settled:
            return None
        if has_collections and _has_collections(store.row_at(key, ck, now_s())):
            return None

        def decide(ballot_us: int) -> tuple[bytes | None, bytes]:
            update, answer = request.on_ballot(store, ballot_us)
            return update, tail(answer)

        add(Decision(PaxosKey(table_id, key), deciders, ck, decide))
        meter.count += 1
        return LATER

    return fast


def _has_collections(row: StoredRow | None) -> bool:
    """Of many cells, maybe: that is worked on in turns with others."""
    return isinstance(row, Row) and any(isinstance(data, ComplexColumn) for data in row.columns.values())
