"""Counter contexts: the value of a counter's cell, as Cassandra keeps it (db/context/CounterContext.java).

A counter is the sum of shards, one per node that ever took an increment of it; only that node changes its shard, and
raises the shard's clock when it does, so that replicas merge by taking, per node, the shard with the higher clock.

    offset  size      what
    0       2         number n of header elements, signed
    2       2n        per element: index of a shard + -32768: that shard is global
    2+2n    32 each   shards, sorted by node id: 16 bytes node id, i64 clock, i64 count

Since Cassandra 2.1 all new shards are global; the local and remote ones of older versions only come with old files:
a global shard wins over them, of two remote ones the higher clock. A write of `c = c + 1` becomes, where it is taken,
read the own shard, add, write the whole shard with a higher clock: `increment` (counter_writes.py does the reading).

What DELETE does to a counter: a tombstone in a counter's cell wins for ever against contexts (reconcile_counter); a
row or partition deletion covers contexts by timestamp, as everywhere.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from protocol.errors import CorruptionError

_SHARD = struct.Struct(">16sqq")
_CLOCK_AND_COUNT = struct.Struct(">qq")
_I16 = struct.Struct(">h")
_I64 = struct.Struct(">q")
_GLOBAL: Final = -32768
ONE_GLOBAL: Final = b"\x00\x01\x80\x00"


class Shard(NamedTuple):
    node_id: bytes
    clock: int
    amount: int
    is_global: bool = True


def increment(current: bytes | None, node_id: bytes, delta: int, now_us: int) -> bytes:
    """The context to write when `node_id` adds `delta` (wraps around as a Java long) to a counter whose merged context
    is `current` (None: no live cell): the node's own shard only, the others come in by merging."""
    clock, count = 0, 0
    if current is not None and len(current) == 36 and current.startswith(node_id, 4):
        _, clock, count = _SHARD.unpack_from(current, 4)
    elif current is not None:
        for shard in shards(current):
            if shard.node_id == node_id:
                clock, count = shard.clock, shard.amount
    return ONE_GLOBAL + _SHARD.pack(node_id, max(now_us, clock + 1), wrapped(count + delta))


def total(context: bytes) -> int:
    """The counter's value: the sum of all shards' counts."""
    if len(context) == 36:
        count: int = _I64.unpack_from(context, 28)[0]
        return count
    return wrapped(sum(shard.amount for shard in shards(context)))


def total_value(context: bytes) -> bytes:
    """The counter's value as the serialised bigint that clients get."""
    return context[28:] if len(context) == 36 else _I64.pack(total(context))


def shards(context: bytes) -> Iterator[Shard]:
    """Raises CorruptionError when the lengths do not fit."""
    if len(context) < 2:
        raise CorruptionError(f"counter context of {len(context)} bytes")
    count = abs(_I16.unpack_from(context)[0])
    start = 2 + 2 * count
    if len(context) < start or (len(context) - start) % _SHARD.size:
        raise CorruptionError("Invalid size for a counter context")
    elements = struct.unpack_from(f">{count}h", context, 2)
    global_indexes = {element - _GLOBAL for element in elements if element < 0}
    for index, (node_id, clock, value) in enumerate(_SHARD.iter_unpack(context[start:])):
        yield Shard(node_id, clock, value, index in global_indexes)


def context_of(merged: Iterable[Shard]) -> bytes:
    """The context of shards of different nodes, in any order."""
    ordered = sorted(merged)
    elements = [index + _GLOBAL for index, shard in enumerate(ordered) if shard.is_global]
    header = struct.pack(f">h{len(elements)}h", len(elements), *elements)
    return header + b"".join(_SHARD.pack(shard.node_id, shard.clock, shard.amount) for shard in ordered)


def merge_contexts(left: bytes, right: bytes) -> bytes:
    """Per node the shard that wins: global over not, then the higher clock, then the higher count."""
    if left == right:
        return left
    if len(left) == len(right) == 36 and left[:20] == right[:20]:  # the commonest: one node counts
        return left if _CLOCK_AND_COUNT.unpack_from(left, 20) > _CLOCK_AND_COUNT.unpack_from(right, 20) else right
    merged = {shard.node_id: shard for shard in shards(left)}
    for shard in shards(right):
        existing = merged.get(shard.node_id)
        if existing is None or _rank(shard) > _rank(existing):
            merged[shard.node_id] = shard
    return context_of(merged.values())


def _rank(shard: Shard) -> tuple[bool, int, int]:
    return shard.is_global, shard.clock, shard.amount


def wrapped(count: int) -> int:
    """As a Java long."""
    return (count + (1 << 63)) % (1 << 64) - (1 << 63)
