"""The hot path of `INSERT ... IF NOT EXISTS`: prepared, of plain values (fast_write.py), for a row that is not there.

Nothing comes between reading and writing, as in the general path (cas.py). That one answers where the row exists, and where
it is not yet known that the local node decides alone.
"""

from struct import Struct

from cluster.coordinator import RequestKind
from cqlserver.metrics.meters import Kind
from cqlserver.node import Node
from cqlserver.plans.fast.values import NO_PAGE, plain_heads, values_offset
from cqlserver.plans.fast.write import FastRow
from cqlserver.plans.plan import OPTIONS_AT, FastPath
from protocol.requests import SERIAL
from protocol.responses import Result, encode

_STREAM_END = 4
"""Where an envelope's opcode stands."""
_pack_long = Struct(">q").pack


def fast_insert_if_not_exists(node: Node, row: FastRow, applied: Result, version: int) -> FastPath:
    """The fast path of EXECUTE for one protocol version. `applied`: the answer."""
    table, store = row.store.table, row.store
    meter = node.metering.meter(table, Kind.CAS_WRITE)
    heads = plain_heads(node.local_levels(table, RequestKind.CAS_COMMIT), row.value_count, version)
    options_at = OPTIONS_AT[version]
    values_at = values_offset(options_at, version)
    answer = encode(applied, version, 0)[_STREAM_END:]
    take, write, clock = row.take, node.engine.packed_writer(store, row.layout), node.environment.clock
    coordinator, commit_log = node.coordinator, node.engine.commit_log

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
        serial = SERIAL if head.serial_at < 0 else body[end + head.serial_at] << 8 | body[end + head.serial_at + 1]
        if not coordinator.cas_is_local(node.keyspace_of(table), serial, body[options_at + 1]):
            return None
        if commit_log is not None and commit_log.failure is not None:
            return None
        if store.row_at(key, ck, clock.now_s()) is not None:
            return None
        write(key, ck, _pack_long(clock.wall_us()), wire_values)
        meter.count += 1
        return answer

    return fast
