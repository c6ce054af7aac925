"""What the log's bytes say: a `Query` for each request, as the control port answers it.

Nothing here has to be fast: it is for tests that ask, and for the report of one that failed.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cqlserver.query_log.recording import Go, QueryLog
from grammar import tree
from grammar.errors import CqlSyntaxError
from grammar.parser import parse
from protocol.envelopes import COMPRESSED, ENVELOPE_HEAD_LENGTH, Envelope, unpack_head
from protocol.errors import CqlServerError
from protocol.primitives import UNSET, Value
from protocol.requests import CONSISTENCY_NAMES, SERIAL, Batch, Execute, Prepare, Query, QueryOptions, Request
from protocol.requests import decode as decode_request
from protocol.responses import ColumnSpec, Error, PreparedResult, Reply, RowsResult
from protocol.responses import decode as decode_response
from storage.schema.metadata import Schema, is_system_keyspace

TEXT_CHARS_MAX: Final = 10_000
VALUE_CHARS_MAX: Final = 200
"""Of a value as it is shown; longer ones are cut."""
KINDS: Final[Mapping[type, str]] = {Query: "QUERY", Execute: "EXECUTE", Batch: "BATCH", Prepare: "PREPARE"}


@dataclass(frozen=True, slots=True)
class Part:
    """A statement with its values: the whole of a request, or an entry of its batch. `statement`: None where the text is no
    CQL."""

    text: str
    values: Sequence[Value]
    statement: tree.Statement | None
    is_prepared: bool
    names: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A request and its answer."""

    number: int
    go: Go
    envelope: Envelope
    request: Request
    reply: Reply | None
    parts: tuple[Part, ...]

    @property
    def options(self) -> QueryOptions | None:
        request = self.request
        return request.options if isinstance(request, Query | Execute | Batch) else None

    @property
    def keyspace(self) -> str | None:
        options = self.options
        return (options.keyspace if options is not None else None) or self.go.keyspace

    @property
    def read_work(self) -> tuple[int, int] | None:
        """Live rows that a SELECT has read, with those that a filter threw away, and tombstones that it passed over. Where
        nobody counted, it read what it answered. None of a SELECT that was refused, and of all else."""
        counted = self.go.reads.get(self.envelope[2])
        if counted is not None:
            return counted
        is_select = len(self.parts) == 1 and isinstance(self.parts[0].statement, tree.Select)
        if not is_select or self.reply is None or not isinstance(self.reply.response, RowsResult):
            return None
        return self.reply.response.row_count, 0

    def tables(self) -> list[tuple[str, str]]:
        """(keyspace, table) of all its statements, each once."""
        found = [table for part in self.parts for table in tables_of(part.statement, self.keyspace)]
        return list(dict.fromkeys(found))

    @property
    def is_of_the_system(self) -> bool:
        """Whether it is a driver's own business: it reads what the server knows of itself."""
        tables = self.tables()
        return bool(tables) and all(is_system_keyspace(keyspace) for keyspace, _ in tables)


def tables_of(statement: tree.Statement | None, keyspace: str | None) -> Iterator[tuple[str, str]]:
    if isinstance(statement, tree.Batch):
        for part in statement.statements:
            yield from tables_of(part, keyspace)
        return
    name = getattr(statement, "table", None)
    if isinstance(name, tree.QualifiedName):
        yield name.keyspace or keyspace or "", name.name


def entries(log: QueryLog, since: int) -> Iterator[Entry]:
    """Of this number and later; requests that carry statements, no others."""
    prepared = log.prepared()
    for go in log.goes(since):
        for index, (envelope, answer) in enumerate(go.exchanges):
            if go.number + index >= since:
                entry = _entry(prepared, go, go.number + index, envelope, answer)
                if entry is not None:
                    yield entry


def _entry(prepared: Mapping[bytes, str], go: Go, number: int, envelope: Envelope, answer: bytes) -> Entry | None:
    version, flags, _, opcode, body = envelope
    try:
        request, _ = decode_request(version, flags & ~COMPRESSED, opcode, body)
    except CqlServerError:
        return None  # it was no request: the answer says so, and there is nothing to show
    if type(request) not in KINDS:
        return None
    return Entry(number, go, envelope, request, _reply(answer), tuple(_parts(prepared, request)))


def _parts(prepared: Mapping[bytes, str], request: Request) -> Iterator[Part]:
    match request:
        case Query():
            yield Part(request.query, request.options.values, _parsed(request.query), False, request.options.names)
        case Prepare():
            yield Part(request.query, (), _parsed(request.query), True)
        case Execute():
            text = _prepared(prepared, request.statement_id)
            yield Part(text, request.options.values, _parsed(text), True, request.options.names)
        case Batch():
            for entry in request.entries:
                is_prepared = isinstance(entry.statement, bytes)
                text = _prepared(prepared, entry.statement) if isinstance(entry.statement, bytes) else entry.statement
                yield Part(text, entry.values, _parsed(text), is_prepared)


def _prepared(prepared: Mapping[bytes, str], statement_id: bytes) -> str:
    return prepared.get(statement_id, f"(the prepared statement {statement_id.hex()})")


def _parsed(text: str) -> tree.Statement | None:
    try:
        return parse(text) if len(text) <= TEXT_CHARS_MAX else None
    except CqlSyntaxError:
        return None


def _reply(answer: bytes) -> Reply | None:
    version, flags, _, opcode, _ = unpack_head(answer)
    try:
        return decode_response(version, flags, opcode, answer[ENVELOPE_HEAD_LENGTH:])
    except CqlServerError:
        return None


def prepared_text(envelope: Envelope, answer: bytes) -> tuple[bytes, str] | None:
    """Id and text of what a PREPARE prepared."""
    version, flags, _, opcode, body = envelope
    try:
        request, _ = decode_request(version, flags & ~COMPRESSED, opcode, body)
    except CqlServerError:
        return None
    reply = _reply(answer)
    if not isinstance(request, Prepare) or reply is None or not isinstance(reply.response, PreparedResult):
        return None
    return reply.response.statement_id, request.query


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are wanted; None: any."""

    keyspace: str | None = None
    table: str | None = None
    matching: str | None = None
    kind: str | None = None
    client: str | None = None
    errors: bool = False
    system: bool = False

    def takes(self, entry: Entry) -> bool:
        if self.kind is not None and KINDS[type(entry.request)] != self.kind.upper():
            return False
        if self.client is not None and not entry.go.client.startswith(self.client):
            return False
        if self.errors and not (entry.reply is not None and isinstance(entry.reply.response, Error)):
            return False
        if self.matching is not None:
            pattern = re.compile(self.matching, re.IGNORECASE)
            if not any(pattern.search(part.text) for part in entry.parts):
                return False
        if not self.system and entry.is_of_the_system:
            return False
        if self.keyspace is None and self.table is None:
            return True
        keyspace, _, table = (self.table or "").rpartition(".")
        keyspace = keyspace or (self.keyspace or "")
        return any((not keyspace or k == keyspace) and (not table or t == table) for k, t in entry.tables())


def described(entry: Entry, schema: Schema) -> dict[str, object]:
    """An entry as JSON has it."""
    options, reply = entry.options, entry.reply
    error = reply.response.error if reply is not None and isinstance(reply.response, Error) else None
    rows = reply.response if reply is not None and isinstance(reply.response, RowsResult) else None
    work = entry.read_work
    statements = [
        {"cql": part.text[:TEXT_CHARS_MAX], "values": _values(part, entry.keyspace, schema), "prepared": part.is_prepared}
        for part in entry.parts
    ]
    told: dict[str, object] = {
        "number": entry.number,
        "kind": KINDS[type(entry.request)],
        "cql": "; ".join(part.text for part in entry.parts)[:TEXT_CHARS_MAX],
        "statements": statements,
        "tables": [f"{keyspace}.{table}" for keyspace, table in entry.tables()],
        "keyspace": entry.keyspace,
        "client": entry.go.client,
        "driver": entry.go.driver,
        "duration_us": round(entry.go.seconds * 1e6 / len(entry.go.exchanges)),
        "rows": rows.row_count if rows is not None else None,
        "rows_read": work[0] if work is not None else None,
        "tombstones": work[1] if work is not None else None,
        "has_more_pages": rows is not None and rows.paging_state is not None,
        "warnings": list(reply.warnings) if reply is not None else [],
        "error": {"code": type(error).__name__, "message": error.message} if error is not None else None,
    }
    if options is not None:
        told["consistency"] = CONSISTENCY_NAMES[options.consistency]
        serial = options.serial_consistency
        told["serial_consistency"] = CONSISTENCY_NAMES[serial] if serial != SERIAL else None
        told["page_size"] = options.page_size if options.page_size > 0 else None
        told["is_next_page"] = options.paging_state is not None
        told["timestamp_us"] = options.timestamp_us
    return told


def _values(part: Part, keyspace: str | None, schema: Schema) -> list[object]:
    """Bound values as JSON has them, as far as their columns are known; bytes in hexadecimal otherwise."""
    specs = _specs(part, keyspace, schema)
    return [_value(value, specs.get(index)) for index, value in enumerate(part.values)]


def _specs(part: Part, keyspace: str | None, schema: Schema) -> dict[int, ColumnSpec]:
    """What the bind markers are for, where the statement says so plainly: by their number."""
    statement = part.statement
    name = getattr(statement, "table", None)
    if not part.values or not isinstance(name, tree.QualifiedName):
        return {}
    table = schema.maybe_table(name.keyspace or keyspace or "", name.name)
    if table is None:
        return {}
    columns = {column.name: column for column in table.columns}
    found: dict[int, ColumnSpec] = {}
    for column_name, value in bound_columns(statement):
        column = columns.get(column_name)
        if isinstance(value, tree.Marker) and column is not None:
            found[value.index] = ColumnSpec(table.keyspace, table.name, column.name, column.type)
    return found


def bound_columns(statement: tree.Statement | None) -> Iterator[tuple[str, tree.Expression]]:
    """(column, what it is set to or compared with) of an INSERT, UPDATE, DELETE or SELECT, where it is one value."""
    if isinstance(statement, tree.Insert):
        yield from zip(statement.columns, statement.values, strict=False)
    if isinstance(statement, tree.Update):
        for assignment in statement.assignments:
            if isinstance(assignment, tree.SetValue):
                yield assignment.column, assignment.value
    where = getattr(statement, "where", None)
    if isinstance(where, tree.WhereClause):
        for relation in where.relations:
            if isinstance(relation, tree.ColumnRelation):
                yield relation.column, relation.value


def _value(value: Value, spec: ColumnSpec | None) -> object:
    if value is None:
        return None
    if value is UNSET or not isinstance(value, bytes):
        return "(unset)"
    if spec is not None:
        try:
            spec.type.validate(value)
            text = spec.type.to_json(value)
            return json.loads(text) if len(text) <= VALUE_CHARS_MAX else text[:VALUE_CHARS_MAX] + "..."
        except (CqlServerError, ValueError):
            pass  # a value that its column refused: shown as it came
    return "0x" + value[: VALUE_CHARS_MAX // 2].hex()
