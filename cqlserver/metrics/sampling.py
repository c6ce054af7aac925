"""The one request in many that a session times, where a fast path answered it: whose it was, and what it read."""

from cqlserver.metrics.meters import NO_LEVEL, Measured
from cqlserver.node import Node
from cqlserver.plans.plan import OPTIONS_AT
from protocol.metadata import ResultMetadata
from protocol.requests import EXECUTE

_METADATA_AT = 9
"""Behind opcode, length and kind of a result."""


def time_fast(node: Node, opcode: int, body: bytes, version: int, tail: bytes, began: float) -> None:
    """A fast path answered this request with `tail`, and its meters have counted it."""
    metering = node.metering
    plan: Measured | None = metering.last
    level = NO_LEVEL
    if opcode == EXECUTE:
        prepared = node.statements.maybe_prepared(body[2:18])
        plan = prepared.plan if prepared is not None else None
        level = body[OPTIONS_AT[version] + 1]
    if plan is not None:
        metering.took(plan.meters(level), began, _maybe_row_count(plan.result_metadata, version, tail))


def _maybe_row_count(metadata: ResultMetadata | None, version: int, tail: bytes) -> int | None:
    """Of an answer; None where there are none in it."""
    if metadata is None:
        return None
    for skip in (True, False):
        head = metadata.encoded(version, skip)
        if tail.startswith(head, _METADATA_AT):
            at = _METADATA_AT + len(head)
            return int.from_bytes(tail[at : at + 4], "big")
    return None
