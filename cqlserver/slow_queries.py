"""Slow queries: SELECTs on users' tables that took slow_query_log_timeout and longer (db/monitoring/MonitoringTask.java).

They are told every few seconds, what came more than once with how often and how long; OPERATIONS_MAX texts at most, the rest
as a number. The lines are Cassandra's, behind them what the query read: live rows, and tombstones. Cassandra tells them at
level DEBUG, for its debug.log, and at INFO that there were some; here there is one log, and they are told at INFO. Only
imported with the first that was slow.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap, zip_longest
from math import inf
from typing import TYPE_CHECKING, Final

from cqlserver.state import ReadWork
from protocol.errors import CqlServerError
from protocol.frames import COMPRESSED, Envelope
from protocol.primitives import Value
from protocol.requests import Execute, Query
from protocol.requests import decode as decode_request
from protocol.types import CqlType

if TYPE_CHECKING:
    from cqlserver.statements import Statements

log = logging.getLogger("cqlserver.slow")

OPERATIONS_MAX: Final = 50
TEXT_CHARS_MAX: Final = 2_000
"""Of a statement as it is told."""
VALUE_BYTES_MAX: Final = 200
"""Of a longer value its length is told."""


@dataclass(slots=True)
class Slow:
    """One statement since it was told last; seconds of all, of the quickest, of the slowest."""

    times: int = 0
    total_s: float = 0.0
    min_s: float = inf
    max_s: float = 0.0
    rows: int = 0
    tombstones: int = 0

    def add(self, seconds: float, work: ReadWork) -> None:
        self.times += 1
        self.total_s += seconds
        self.min_s, self.max_s = min(self.min_s, seconds), max(self.max_s, seconds)
        self.rows += work.rows
        self.tombstones += work.tombstones

    def line(self, text: str, timeout_ms: int) -> str:
        read = f"read {self.rows} live rows and {self.tombstones} tombstone cells"
        if self.times == 1:
            return f"<{text}>, time {_ms(self.total_s)} msec - slow timeout {timeout_ms} msec, {read}"
        times = f"{_ms(self.total_s / self.times)}/{_ms(self.min_s)}/{_ms(self.max_s)}"
        return f"<{text}>, was slow {self.times} times: avg/min/max {times} msec - slow timeout {timeout_ms} msec, {read}"


class SlowQueries:
    """Of one node. `now_s`: when it began, by the node's clock."""

    def __init__(self, timeout_ms: int, statements: "Statements", now_s: float) -> None:
        self._timeout_ms, self._statements = timeout_ms, statements
        self._told_s = now_s
        self._found: dict[str, Slow] = {}
        self._dropped_count = 0

    def note(self, envelope: Envelope, seconds: float, work: ReadWork) -> None:
        """A request took so long."""
        text = self._text(envelope)
        slow = self._found.get(text)
        if slow is None:
            if len(self._found) >= OPERATIONS_MAX:
                self._dropped_count += 1
                return
            slow = self._found[text] = Slow()
        slow.add(seconds, work)

    def tell(self, now_s: float) -> None:
        """To be called every few seconds."""
        elapsed_s, self._told_s = now_s - self._told_s, now_s
        if not self._found:
            return
        lines = [slow.line(text, self._timeout_ms) for text, slow in self._found.items()]
        count = len(lines) + self._dropped_count
        if self._dropped_count:
            lines.append(f"... ({self._dropped_count} were dropped)")
        self._found, self._dropped_count = {}, 0
        log.info("%d operations were slow in the last %d msecs:\n%s", count, _ms(elapsed_s), "\n".join(lines))

    def _text(self, envelope: Envelope) -> str:
        """What the client asked, with the values of its bind markers."""
        version, flags, _, opcode, body = envelope
        try:
            request, _ = decode_request(version, flags & ~COMPRESSED, opcode, body)
        except CqlServerError:
            return "?"
        types: Sequence[CqlType] = ()
        if isinstance(request, Query):
            text, values = request.query, request.options.values
        elif isinstance(request, Execute):
            prepared = self._statements.maybe_prepared(request.statement_id)
            text, values = prepared.text if prepared is not None else "?", request.options.values
            types = [spec.type for spec in prepared.plan.bind_specs] if prepared is not None else ()
        else:
            return "?"
        shown = ", ".join(starmap(_shown, zip_longest(values, types[: len(values)])))
        return (f"{text} [{shown}]" if values else text)[:TEXT_CHARS_MAX]


def _shown(value: Value, cql_type: CqlType | None) -> str:
    if not isinstance(value, bytes):
        return "null"
    if len(value) > VALUE_BYTES_MAX:
        return f"({len(value)} bytes)"
    return cql_type.to_literal(value) if cql_type is not None else f"0x{value.hex()}"


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
