"""Tracing of single requests: what a client gets to read in system_traces (tracing/Tracing.java).

A request with the tracing flag gets a session id; its session and events are rows like any others, kept for a day. Events
are told in Cassandra's words, where they are true here: there are no stages, no messages to oneself. Who works for a request
finds its trace in the ClientState; untraced requests pay for a look at it, fast paths not even that. What reads tell:
plans/read_trace.py.

A request decides how much there is to tell of it, so a trace has bounds: so many events, so much of a text. It is written
in pieces that any commit log takes; what the log refuses is lost, with a warning, and the request is answered all the same.
Passwords of roles are left out, which Cassandra writes down.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import NamedTuple
from uuid import UUID

from cqlserver.password_obfuscator import obfuscated
from cqlserver.state import ClientState
from protocol.errors import RequestError, StorageError
from protocol.primitives import Value
from protocol.requests import CONSISTENCY_NAMES, Batch, Execute, Prepare, Query, QueryOptions, Request
from protocol.responses import ColumnSpec
from protocol.types import INET, INT, TEXT, TIMESTAMP
from storage.engine import Engine
from storage.environment.environment import Clock, TimeUuidSource
from storage.mutation import LIVE, Cell, ComplexColumn, Deletion, Liveness, PartitionUpdate, Row
from storage.schema.metadata import TableMetadata

TTL_S = 24 * 60 * 60
"""trace_type_query_ttl."""
BOUND_TEXT_MAX = 1000
BOUND_TEXTS_MAX = 100_000
"""Characters of all bound values; those behind are not told."""
LITERAL_BYTES_MAX = 10_000
"""A longer value is told in hexadecimal: its literal can take a while, and of it so much is cut."""
TEXT_MAX = 16_384
"""Characters of a text that a trace tells: the statement comes up in it twice."""
EVENTS_MAX = 1_000
"""Events of one trace: of a request for many partitions there are some for each of them."""
EVENTS_PER_RECORD = 100
_THREAD = "Native-Transport-Requests-1"


REPLICAS_FOR_MUTATION = "Determining replicas for mutation"
REPLICAS_FOR_BATCH = "Determining replicas for atomic batch"
UNAVAILABLE = "Unavailable"
READING_FOR_CAS = "Reading existing values for CAS precondition"
_PARSING = "Parsing "

log = logging.getLogger("cqlserver")


class TracedStatement(NamedTuple):
    """What is told of a prepared statement."""

    text: str
    bind_specs: Sequence[ColumnSpec]


class TracedNode(NamedTuple):
    """What traces need of their node: its time, where they are kept, who it is, and the statement of an EXECUTE's id."""

    clock: Clock
    engine: Engine
    timeuuids: TimeUuidSource
    address: str
    port: int
    statement: Callable[[bytes], TracedStatement | None]


class Trace:
    """One traced request. `note` adds an event; `end` writes the session and its events."""

    def __init__(self, node: TracedNode, trace_id: UUID, state: ClientState, request: Request) -> None:
        self.id = trace_id
        self._left_out = 0
        self._node, self._state = node, state
        self._described = described(node, request)
        self._began = node.clock.monotonic()
        self._began_us = node.clock.wall_us()
        self._events: list[tuple[bytes, str, int]] = []
        self._unprepared = isinstance(request, Query)
        if isinstance(request, Query):
            self.note(_PARSING + request.query)

    def note(self, activity: str) -> None:
        if len(self._events) >= EVENTS_MAX:
            self._left_out += 1
            return
        self._events.append((self._node.timeuuids.bytes(), _cut(activity), self._elapsed_us()))

    def _elapsed_us(self) -> int:
        return int((self._node.clock.monotonic() - self._began) * 1_000_000)

    def preparing(self) -> None:
        """A QUERY's statement is compiled, or its plan was found."""
        if self._unprepared:
            self._unprepared = False
            self.note("Preparing statement")

    def wrote(self, tables: Iterable[TableMetadata]) -> None:
        """Changes of one partition each went to the log, in one record, and to the memtables."""
        listed, engine = list(tables), self._node.engine
        if engine.commit_log is not None and any(engine.schema.keyspaces[t.keyspace].params.durable_writes for t in listed):
            self.note("Appending to commitlog")
        for table in listed:
            self.note(f"Adding to {table.name} memtable")

    def note_batch(self, write_type: str, tables: Iterable[TableMetadata]) -> None:
        """A batch was written: changes of one partition each."""
        listed = list(tables)
        if listed:
            self._note_replicas(write_type)
            self.wrote(listed)

    def note_unavailable(self, write_type: str) -> None:
        """A batch is not written: too few replicas are there."""
        self._note_replicas(write_type)
        self.note(UNAVAILABLE)

    def _note_replicas(self, write_type: str) -> None:
        self.note(REPLICAS_FOR_BATCH if write_type == "BATCH" else REPLICAS_FOR_MUTATION)

    def decided(self, table: TableMetadata, is_applied: bool) -> None:
        """What became of a compare-and-set."""
        if is_applied:
            self.wrote((table,))
            self.note("CAS applied successfully")
        else:
            self.note("CAS precondition does not match current values")

    def end(self, *, is_unparsed: bool = False) -> None:
        """`is_unparsed`: the request was refused before anybody knew what statement it is."""
        elapsed_us = self._elapsed_us()
        self._state.trace = None
        self._leave_out_passwords(is_unparsed)
        node = self._node
        schema = node.engine.schema
        sessions, events = schema.maybe_table("system_traces", "sessions"), schema.maybe_table("system_traces", "events")
        assert sessions is not None
        assert events is not None
        if self._left_out:
            log.warning("a trace is cut: it leaves out %d events", self._left_out)
            self._events.append((node.timeuuids.bytes(), f"{self._left_out} more events are not told", elapsed_us))
        try:
            node.engine.apply(self._session_row(sessions, elapsed_us))
            for start in range(0, len(self._events), EVENTS_PER_RECORD):
                node.engine.apply(self._event_rows(events, self._events[start : start + EVENTS_PER_RECORD]))
        except (StorageError, RequestError) as error:
            log.warning("a trace is lost: %s", error)

    def _leave_out_passwords(self, is_unparsed: bool) -> None:
        parameters = self._described[2]
        if "query" in parameters:
            parameters["query"] = obfuscated(_cut(parameters["query"]), is_unparsed=is_unparsed)
        if self._events and self._events[0][1].startswith(_PARSING):
            event_id, activity, elapsed_us = self._events[0]
            kept = _PARSING + obfuscated(activity.removeprefix(_PARSING), is_unparsed=is_unparsed)
            self._events[0] = event_id, kept, elapsed_us

    def _cell(self, value: bytes) -> Cell:
        return Cell(self._began_us, value, TTL_S, self._began_us // 1_000_000 + TTL_S)

    def _liveness(self) -> Liveness:
        return Liveness(self._began_us, TTL_S, self._began_us // 1_000_000 + TTL_S)

    def _session_row(self, table: TableMetadata, elapsed_us: int) -> PartitionUpdate:
        cell = self._cell
        command, request_text, parameters = self._described
        entries = {TEXT.encode(name): cell(TEXT.encode(_cut(value))) for name, value in parameters.items()}
        columns: dict[str, Cell | ComplexColumn] = {
            "client": cell(INET.encode(ip_address(self._state.address))),
            "command": cell(TEXT.encode(command)),
            "coordinator": cell(INET.encode(ip_address(self._node.address))),
            "coordinator_port": cell(INT.encode(self._node.port)),
            "duration": cell(INT.encode(max(1, elapsed_us))),
            "parameters": ComplexColumn(Deletion(self._began_us - 1, self._began_us // 1_000_000), entries),
            "request": cell(TEXT.encode(request_text)),
            "started_at": cell(TIMESTAMP.encode(self._began_us // 1000)),
        }
        return PartitionUpdate(table.id, self.id.bytes, rows={b"": Row((), self._liveness(), LIVE, columns)})

    def _event_rows(self, table: TableMetadata, events: Sequence[tuple[bytes, str, int]]) -> PartitionUpdate:
        from storage.keys import clustering_order_key

        order_key = clustering_order_key(table)
        cell = self._cell
        rows = {}
        for event_id, activity, elapsed_us in events:
            columns: dict[str, Cell | ComplexColumn] = {
                "activity": cell(TEXT.encode(activity)),
                "source": cell(INET.encode(ip_address(self._node.address))),
                "source_elapsed": cell(INT.encode(elapsed_us)),
                "source_port": cell(INT.encode(self._node.port)),
                "thread": cell(TEXT.encode(_THREAD)),
            }
            rows[order_key((event_id,))] = Row((event_id,), self._liveness(), LIVE, columns)
        return PartitionUpdate(table.id, self.id.bytes, rows=rows)


def described(node: TracedNode, request: Request) -> tuple[str, str, dict[str, str]]:
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
            prepared = node.statement(statement_id)
            if prepared is not None:
                parameters["query"] = prepared.text
                parameters |= _bound(prepared.bind_specs, request.options)
            return "QUERY", "Execute CQL3 prepared query", parameters
        case Batch():
            return "QUERY", "Execute batch of CQL3 queries", parameters
    return "QUERY", type(request).__name__, {}


def _bound(specs: Sequence[ColumnSpec], options: QueryOptions) -> dict[str, str]:
    """The values of an EXECUTE as literals, the way that ExecuteMessage.java names and shortens them."""
    values: Sequence[Value] = options.values
    if options.names is not None:  # of values with one name the first counts
        named = dict(zip(reversed(options.names), reversed(values), strict=True))
        values = [named.get(spec.name) for spec in specs]
    bound: dict[str, str] = {}
    told = 0
    for index, (spec, value) in enumerate(zip(specs, values, strict=False)):
        text = "null"
        if isinstance(value, bytes) and len(value) > LITERAL_BYTES_MAX:
            text = "0x" + value[:BOUND_TEXT_MAX].hex()
        elif isinstance(value, bytes):
            try:
                text = spec.type.to_literal(value)
            except ValueError:
                text = "0x" + value.hex()  # it will be refused as a value
        if len(text) > BOUND_TEXT_MAX:
            text = text[:BOUND_TEXT_MAX] + "...'"
        told += len(text) + len(spec.name)
        if told > BOUND_TEXTS_MAX:
            break
        bound[f"bound_var_{index}_{spec.name}"] = text
    return bound


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "..."


class Tracing:
    """Begins traces for one node."""

    def __init__(self, node: TracedNode) -> None:
        self._node = node

    def begin(self, state: ClientState, request: Request) -> Trace:
        """From now on `state` has it, until it ends."""
        trace = Trace(self._node, self._node.timeuuids.timeuuid(), state, request)
        state.trace = trace
        return trace
