"""The hot path of QUERY: a text whose shape is known, without bind markers, that writes one plain row.

The literals are cut out of the text (grammar/shape.py) and bound as the plan of the shape says (packed_write.py). Every
other text, and every shape's first, takes the general path.
"""

from collections.abc import Callable
from struct import Struct

from cqlserver.node import Node
from cqlserver.plans.fast_values import PlainOptions, plain_heads
from cqlserver.plans.fast_write import TIMESTAMP_MIN, VOID_TAIL
from cqlserver.plans.plan import Plan, QueryPath
from cqlserver.plans.write import WritePlan
from grammar.shape import shape
from protocol.requests import VALUES

_unpack_long = Struct(">q").unpack_from


def fast_query(node: Node, plan_of_shape: Callable[[tuple[str | None, str]], Plan | None], version: int) -> QueryPath:
    """The fast path of QUERY for one protocol version. `plan_of_shape`: by keyspace and shape, None for unknown ones."""
    options_length = 2 + (4 if version >= 5 else 1)
    heads = plain_query_heads(version)
    wall_us = node.environment.clock.wall_us

    def fast(body: bytes, keyspace: str | None) -> bytes | None:
        end = 4 + int.from_bytes(body[:4], "big")
        head = heads.get(body[end : end + options_length])
        if head is None or end + options_length + head.behind != len(body):
            return None
        try:
            cut = shape(body[4:end].decode())
        except UnicodeDecodeError:
            return None
        plan = plan_of_shape((keyspace, cut[0])) if cut is not None else None
        if cut is None or not isinstance(plan, WritePlan) or plan.packed is None or plan.bind_specs:
            return None
        if (body[end] << 8 | body[end + 1]) not in plan.local_levels or plan.modification.timestamp is not None:
            return None
        if head.timestamp_at < 0:
            timestamp_us = wall_us()
        else:
            at = end + options_length + head.timestamp_at
            if body[at : at + 8] == TIMESTAMP_MIN:
                return None
            timestamp_us = _unpack_long(body, at)[0]
        write = plan.packed.maybe_write(cut[1], timestamp_us)
        if write is None:
            return None
        node.engine.apply_packed_all((write,))
        return VOID_TAIL

    return fast


def plain_query_heads(version: int) -> dict[bytes, PlainOptions]:
    """`[consistency][flags]` of all plain options without values -> how they end."""
    heads = {}
    for with_values, plain in plain_heads(list(range(11)), 0, version).items():
        flags = int.from_bytes(with_values[2:-2], "big") & ~VALUES
        heads[with_values[:2] + flags.to_bytes(len(with_values) - 4, "big")] = plain
    return heads
