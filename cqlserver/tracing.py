"""Tracing of single requests: what a client gets to read in system_traces (tracing/Tracing.java).

A request with the tracing flag gets a session id; its session and events are rows like any others, kept for a day.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING
from uuid import UUID

from cqlserver.state import ClientState
from protocol.primitives import Value
from protocol.requests import CONSISTENCY_NAMES, Batch, Execute, Prepare, Query, Request
from protocol.responses import ColumnSpec
from protocol.types import INET, INT, TEXT, TIMESTAMP
from storage.mutation import LIVE, Cell, ComplexColumn, Deletion, Liveness, PartitionUpdate, Row
from storage.schema import TableMetadata

if TYPE_CHECKING:
    from cqlserver.node import Node

TTL_S = 24 * 60 * 60
"""trace_type_query_ttl."""
BOUND_TEXT_MAX = 1000
_THREAD = "Native-Transport-Requests-1"


class Trace:
    """One traced request. `note` adds an event; `end` writes the session and its events."""

    def __init__(self, node: "Node", trace_id: UUID, state: ClientState, request: Request) -> None:
        self.id = trace_id
        self._node, self._state = node, state
        self._described = described(node, request)
        self._began = node.environment.clock.monotonic()
        self._began_us = node.environment.clock.wall_us()
        self._events: list[tuple[bytes, str, int]] = []
        self.note(self._described[1])

    def note(self, activity: str) -> None:
        elapsed_us = int((self._node.environment.clock.monotonic() - self._began) * 1_000_000)
        self._events.append((self._node.timeuuids.bytes(), activity, elapsed_us))

    def end(self) -> None:
        self.note("Request complete")
        node = self._node
        schema = node.schema
        sessions, events = schema.maybe_table("system_traces", "sessions"), schema.maybe_table("system_traces", "events")
        assert sessions is not None
        assert events is not None
        node.engine.apply_all([self._session_row(sessions), self._event_rows(events)])

    def _cell(self, value: bytes) -> Cell:
        return Cell(self._began_us, value, TTL_S, self._began_us // 1_000_000 + TTL_S)

    def _liveness(self) -> Liveness:
        return Liveness(self._began_us, TTL_S, self._began_us // 1_000_000 + TTL_S)

    def _session_row(self, table: TableMetadata) -> PartitionUpdate:
        cell = self._cell
        command, request_text, parameters = self._described
        elapsed_us = self._events[-1][2]
        entries = {TEXT.encode(name): cell(TEXT.encode(value)) for name, value in parameters.items()}
        columns: dict[str, Cell | ComplexColumn] = {
            "client": cell(INET.encode(ip_address(self._state.address))),
            "command": cell(TEXT.encode(command)),
            "coordinator": cell(INET.encode(ip_address(self._node.address))),
            "coordinator_port": cell(INT.encode(self._node.ring_node.port)),
            "duration": cell(INT.encode(max(1, elapsed_us))),
            "parameters": ComplexColumn(Deletion(self._began_us - 1, self._began_us // 1_000_000), entries),
            "request": cell(TEXT.encode(request_text)),
            "started_at": cell(TIMESTAMP.encode(self._began_us // 1000)),
        }
        return PartitionUpdate(table.id, self.id.bytes, rows={b"": Row((), self._liveness(), LIVE, columns)})

    def _event_rows(self, table: TableMetadata) -> PartitionUpdate:
        from storage.keys import clustering_order_key

        order_key = clustering_order_key(table)
        cell = self._cell
        rows = {}
        for event_id, activity, elapsed_us in self._events:
            columns: dict[str, Cell | ComplexColumn] = {
                "activity": cell(TEXT.encode(activity)),
                "source": cell(INET.encode(ip_address(self._node.address))),
                "source_elapsed": cell(INT.encode(elapsed_us)),
                "source_port": cell(INT.encode(self._node.ring_node.port)),
                "thread": cell(TEXT.encode(_THREAD)),
            }
            rows[order_key((event_id,))] = Row((event_id,), self._liveness(), LIVE, columns)
        return PartitionUpdate(table.id, self.id.bytes, rows=rows)


def described(node: "Node", request: Request) -> tuple[str, str, dict[str, str]]:
    """Command, request and parameters of system_traces.sessions."""
    options = getattr(request, "options", None)
    parameters: dict[str, str] = {}
    if options is not None:
        if options.page_size > 0:
            parameters["page_size"] = str(options.page_size)
        parameters["consistency_level"] = CONSISTENCY_NAMES[options.consistency]
        parameters["serial_consistency_level"] = CONSISTENCY_NAMES[options.serial_consistency]
    match request:
        case Query(query=query):
            return "QUERY", "Execute CQL3 query", {"query": query, **parameters}
        case Prepare(query=query):
            return "QUERY", "Preparing CQL3 query", {"query": query}
        case Execute(statement_id=statement_id):
            prepared = node.statements.maybe_prepared(statement_id)
            if prepared is not None:
                parameters["query"] = prepared.text
                parameters |= _bound(prepared.plan.bind_specs, request.options.values)
            return "QUERY", "Execute CQL3 prepared query", parameters
        case Batch():
            return "QUERY", "Execute batch of CQL3 queries", parameters
    return "QUERY", type(request).__name__, {}


def _bound(specs: Sequence[ColumnSpec], values: Sequence[Value]) -> dict[str, str]:
    """The values of an EXECUTE as literals, the way that ExecuteMessage.java names and shortens them."""
    bound = {}
    for index, (spec, value) in enumerate(zip(specs, values, strict=False)):
        text = "null"
        if isinstance(value, bytes):
            try:
                text = spec.type.to_literal(value)
            except ValueError:
                text = "0x" + value.hex()  # it will be refused as a value
        if len(text) > BOUND_TEXT_MAX:
            text = text[:BOUND_TEXT_MAX] + "...'"
        bound[f"bound_var_{index}_{spec.name}"] = text
    return bound


class Tracing:
    """Begins traces for one node."""

    def __init__(self, node: "Node") -> None:
        self._node = node

    def begin(self, state: ClientState, request: Request) -> Trace:
        return Trace(self._node, self._node.new_timeuuid(), state, request)
