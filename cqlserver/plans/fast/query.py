"""The hot path of QUERY: a text whose shape is known, without bind markers.

The literals of one that writes a plain row are cut out of the text and bound as the plan of the shape says, in one of two
ways. The first text that comes here with a shape is scanned (grammar/shape.py, packed_write.py). That also makes the
shape's pattern, and the texts after it are matched with that (grammar/shape_pattern.py, literal_write.py), for a fraction
of the time.

All other texts, and every shape's first, take the general path. That makes patterns too: of shapes whose texts can be
answered as an EXECUTE of the same statement with bind markers (`learn_twin`): reads, increments, INSERT IF NOT EXISTS.
"""

from collections.abc import Callable, Sequence
from struct import Struct

from cqlserver.metrics.meters import NO_LEVEL, RequestMeter
from cqlserver.node import Node
from cqlserver.plans.fast.literals import maybe_literal_reader, maybe_literal_writer
from cqlserver.plans.fast.values import NO_PAGE, TIMESTAMP_MIN, VOID_TAIL, PlainOptions, plain_heads
from cqlserver.plans.plan import PATTERNS_TOTAL_MAX, KnownShape, KnownShapes, Plan, QueryPath
from cqlserver.plans.write import WritePlan
from grammar.shape import LENGTH_MAX, shape
from grammar.shape_pattern import maybe_pattern, text_with_markers
from protocol.requests import VALUES

PlanOfShape = Callable[[tuple[str | None, str]], Plan | None]
"""By keyspace and shape; None for unknown ones."""

BEGINNING = 24
"""Bytes of a text by which its patterns are found; it may have its first literal behind them."""
PATTERNS_MAX = 8
"""For texts of one beginning, tried one after the other. More shapes than that are scanned for literals each time."""

_WRITES = frozenset((b"I", b"i", b"U", b"u"))
"""How texts begin that may write one plain row."""
_pack_long, _unpack_long = Struct(">q").pack, Struct(">q").unpack


def fast_query(node: Node, plan_of_shape: PlanOfShape, known: KnownShapes, version: int) -> QueryPath:
    """The fast path of QUERY for one protocol version. `known` is filled here, and emptied when the schema changes."""
    options_length = 2 + (4 if version >= 5 else 1)
    heads = plain_query_heads(version)
    wall_us, metering = node.environment.clock.wall_us, node.metering
    beginning_end = 4 + BEGINNING

    def fast(body: bytes, keyspace: str | None) -> bytes | None:
        end = 4 + int.from_bytes(body[:4], "big")
        options_end = end + options_length
        head = heads.get(body[end:options_end])
        if head is None or options_end + head.behind != len(body) or end > LENGTH_MAX:
            return None
        if head.page_size_at >= 0 and body[options_end : options_end + 4] == NO_PAGE:
            return None
        if head.timestamp_at < 0:
            timestamp = _pack_long(wall_us())
        else:
            at = options_end + head.timestamp_at
            timestamp = body[at : at + 8]
            if timestamp == TIMESTAMP_MIN:
                return None
        for match_text, plan, meter, local_levels, write, execute in known.get((keyspace, body[4:beginning_end]), ()):
            match = match_text(body, 4, end)
            if match is not None:
                if execute is not None:
                    answer = execute(match.groups(), body[end:options_end], body[options_end:])
                    if answer is not None:
                        metering.last = plan
                        metering.text_count += 1
                    return answer
                if body[end + 1] not in local_levels or not write(match.groups(), timestamp):
                    return None
                metering.last = plan
                metering.text_count += 1
                meter.count += 1
                return VOID_TAIL
        return scanned(body[4:end], body[end + 1], timestamp, keyspace)

    def scanned(text: bytes, level: int, timestamp: bytes, keyspace: str | None) -> bytes | None:
        if text[:1] not in _WRITES:
            return None
        try:
            cut = shape(text.decode())
        except UnicodeDecodeError:
            return None
        plan = plan_of_shape((keyspace, cut[0])) if cut is not None else None
        if cut is None or not isinstance(plan, WritePlan) or plan.packed is None or plan.bind_specs:
            return None
        if level not in plan.local_levels or plan.modification.timestamp is not None:
            return None
        write = plan.packed.maybe_write(cut[1], _unpack_long(timestamp)[0])
        if write is None:
            return None
        learn((keyspace, text[:BEGINNING]), cut[0], plan)
        node.engine.apply_packed_all((write,))
        metering.last = plan
        metering.text_count += 1
        meter_of(plan).count += 1
        return VOID_TAIL

    def learn(beginning: tuple[str | None, bytes], key: str, plan: WritePlan) -> None:
        patterns = maybe_room(known, beginning, key)
        if patterns is not None and plan.packed is not None:
            pattern = maybe_pattern(key)
            write = maybe_literal_writer(node.engine, plan.packed, pattern[1]) if pattern is not None else None
            match = pattern[0].fullmatch if pattern is not None and write is not None else _no_match
            patterns.append(KnownShape(match, plan, meter_of(plan), plan.local_levels, write or _not_written))

    return fast


def learn_twin(
    known: KnownShapes, keyspace: str | None, key: str, compile_text: Callable[[str], Plan | None], version: int
) -> None:
    """Makes a pattern for a shape that is no plain write, if its twin (literal_write.py) has a fast path."""
    patterns = maybe_room(known, (keyspace, key.encode()[:BEGINNING]), key)
    pattern = maybe_pattern(key) if patterns is not None else None
    if patterns is None or pattern is None:
        return
    twin = compile_text(text_with_markers(key))
    execute = maybe_literal_reader(twin, pattern[1], version) if twin is not None else None
    if twin is not None and execute is not None:
        patterns.append(KnownShape(pattern[0].fullmatch, twin, meter_of(twin), frozenset(), _not_written, execute))


def meter_of(plan: Plan) -> RequestMeter:
    return plan.meters(NO_LEVEL)[0]


def maybe_room(known: KnownShapes, beginning: tuple[str | None, bytes], key: str) -> list[KnownShape] | None:
    """The patterns for texts of one beginning, if one more may be among them."""
    if len(key.partition("\0")[0]) < BEGINNING:
        return None
    patterns = known.get(beginning, [])
    if len(patterns) >= PATTERNS_MAX or sum(map(len, known.values())) >= PATTERNS_TOTAL_MAX:
        return None
    known[beginning] = patterns
    return patterns


def _no_match(body: bytes, start: int, end: int) -> None:
    """Of a shape that has no pattern: it is not tried to make one again."""


def _not_written(literals: Sequence[bytes], timestamp: bytes) -> bool:
    return False


def plain_query_heads(version: int) -> dict[bytes, PlainOptions]:
    """`[consistency][flags]` of all plain options without values -> how they end."""
    heads = {}
    for with_values, plain in plain_heads(range(11), 0, version).items():
        flags = int.from_bytes(with_values[2:-2], "big") & ~VALUES
        heads[with_values[:2] + flags.to_bytes(len(with_values) - 4, "big")] = plain
    return heads
