"""The audit log: a line for each statement, login and failure, in Cassandra's words (audit/AuditLogManager.java,
audit/AuditLogEntry.java, audit/AuditLogFilter.java).

What a prepared statement's line says is made once; of each execution it needs the time alone.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from cqlserver.audit.bin_log import BinLog, framed
from cqlserver.audit.options import BIN_LOGGER, AuditLogOptions
from cqlserver.audit.requests import maybe_batch_statements, maybe_query_text
from cqlserver.audit.statement_kinds import CATEGORY_OF, StatementKind, StatementKinds
from cqlserver.password_obfuscator import obfuscated, obfuscated_message
from protocol.errors import BadCredentials, CqlServerError, CqlSyntaxError, RequestError, Unauthorized
from protocol.frames import COMPRESSED, ENVELOPE_HEAD_LENGTH, Envelope
from protocol.requests import AUTH_RESPONSE, BATCH, CONSISTENCY_NAMES, EXECUTE, PREPARE, QUERY, Batch, Prepare, Query
from protocol.requests import decode as decode_request
from protocol.responses import AUTH_SUCCESS, ERROR, Error
from protocol.responses import decode as decode_response

if TYPE_CHECKING:
    from cqlserver.connections.session import Session
    from cqlserver.state import ClientState
    from cqlserver.statements import Statements

AUDIT_RECORD: Final = 1
"""Its payload is the line."""
PREPARED_MAX: Final = 10_000
_OPCODE: Final = 4
"""Of an answer's head."""
_LOGGED: Final = frozenset((QUERY, EXECUTE, BATCH, PREPARE, AUTH_RESPONSE))

Sides = tuple[str, str]
"""Of a line what comes before the batch's id, and what comes behind it; nothing at all where it is filtered out."""
_FILTERED: Final[Sides] = ("", "")


class Filter:
    """audit/AuditLogFilter.java."""

    def __init__(self, options: AuditLogOptions) -> None:
        def words(text: str) -> frozenset[str]:
            return frozenset(filter(None, text.split(",")))

        self._keyspaces = words(options.included_keyspaces), words(options.excluded_keyspaces)
        self._categories = words(options.included_categories), words(options.excluded_categories)
        self._users = words(options.included_users), words(options.excluded_users)

    def takes(self, keyspace: str | None, category: str) -> bool:
        return _is_in(keyspace, *self._keyspaces) and _is_in(category, *self._categories)

    def takes_user(self, user: str | None) -> bool:
        return _is_in(user, *self._users)


def _is_in(name: str | None, included: frozenset[str], excluded: frozenset[str]) -> bool:
    return name not in excluded and (not included or name in included)


class AuditLog:
    """An observer of sessions. `host`: this node among others, `address:port`; `on_failure` is told an OSError, after which
    this object must not be told anything."""

    def __init__(
        self,
        options: AuditLogOptions,
        files: BinLog,
        host: str,
        statements: "Statements",
        now_ms: Callable[[], int],
        batch_id: Callable[[], UUID],
        on_failure: Callable[[OSError], None],
    ) -> None:
        self.options, self.files = options, files
        self._host, self._statements, self._now_ms, self._batch_id = host, statements, now_ms, batch_id
        self._on_failure = on_failure
        self._filter = Filter(options)
        self._kinds = StatementKinds()
        self._prepared: dict[bytes, Sides] = {}
        self._is_binary = options.logger == BIN_LOGGER

    def filter_anew(self, options: AuditLogOptions) -> None:
        """Other lists; everything else stays as it is (AuditLogManager.enable)."""
        self.options, self._filter = options, Filter(options)
        self._prepared.clear()

    def served(
        self,
        session: "Session",
        envelopes: Sequence[Envelope],
        answers: Sequence[bytes],
        seconds: float,
    ) -> None:
        state = session.state
        user = state.user.name if state.user is not None else None
        if not self._filter.takes_user(user):
            return
        now_ms = self._now_ms()
        head = f"user:{user or 'null'}|host:{self._host}|source:/{state.address}|port:{state.port}|timestamp:{now_ms}"
        lines: list[str] = []
        for envelope, answer in zip(envelopes, answers, strict=False):
            if envelope[3] == EXECUTE and answer[_OPCODE] != ERROR:
                before, behind = self._prepared_sides(envelope[4][2:18])
                if before:
                    lines.append(f"{head}{before}{behind}")
            elif envelope[3] in _LOGGED:
                lines += [f"{head}{before}{behind}" for before, behind in self._sides(state, envelope, answer) if before]
        if lines:
            self._write(lines, now_ms)

    def _write(self, lines: list[str], now_ms: int) -> None:
        try:
            if self._is_binary:
                self.files.append(b"".join(framed(AUDIT_RECORD, line.encode()) for line in lines))
                return
            moment = datetime.fromtimestamp(now_ms / 1000, UTC)
            head = f"INFO  [cqlserver] {moment:%Y-%m-%dT%H:%M:%S},{now_ms % 1000:03} FileAuditLogger - "
            self.files.append("".join(f"{head}{line}\n" for line in lines).encode())
        except OSError as error:
            self._on_failure(error)

    # --- what a line says ------------------------------------------------------------------------------------------------

    def _prepared_sides(self, statement_id: bytes) -> Sides:
        sides = self._prepared.get(statement_id)
        if sides is None:
            text, keyspace = self._prepared_text(statement_id)
            sides = self._sides_of(self._kinds.of(text), keyspace, text)
            if len(self._prepared) >= PREPARED_MAX:
                self._prepared.clear()
            self._prepared[statement_id] = sides
        return sides

    def _prepared_text(self, statement_id: bytes) -> tuple[str, str | None]:
        prepared = self._statements.maybe_prepared(statement_id)
        return ("null", None) if prepared is None else (prepared.text, prepared.keyspace)

    def _sides_of(self, kind: StatementKind, used: str | None, operation: str, event: str | None = None) -> Sides:
        """`used`: the keyspace of names without one; `event`: in place of the statement's own type."""
        keyspace = kind.keyspace or used
        type_name = event or kind.type
        category = CATEGORY_OF.get(type_name, "DDL")
        if not self._filter.takes(keyspace, category):
            return _FILTERED
        about = f"|ks:{keyspace}" if keyspace else ""
        if kind.scope:
            about += f"|scope:{kind.scope}"
        return f"|type:{type_name}|category:{category}", f"{about}|operation:{obfuscated(operation)}"

    def _sides(self, state: "ClientState", envelope: Envelope, answer: bytes) -> list[Sides]:
        """Of one request, its failure too."""
        version, flags, _, opcode, body = envelope
        if opcode == AUTH_RESPONSE:
            return self._login(state, answer)
        error = _error(answer) if answer[_OPCODE] == ERROR else None
        if opcode == EXECUTE:
            assert error is not None
            text, keyspace = self._prepared_text(body[2:18])
            kind = self._kinds.of(text) if text != "null" else StatementKind("")
            return [self._failed(kind, keyspace or state.keyspace, text, error)]
        if error is None and not flags & ~COMPRESSED:
            found = self._plain_sides(state, version, opcode, body)
            if found is not None:
                return found
        try:
            request, _ = decode_request(version, flags & ~COMPRESSED, opcode, body)
        except CqlServerError:
            return []  # it was no request
        if isinstance(request, Batch):
            return self._batch(state, request, error)
        assert isinstance(request, Query | Prepare)
        if error is not None:
            return [self._failed(StatementKind(""), state.keyspace, request.query, error)]
        options = request.options if isinstance(request, Query) else request
        kind = self._kinds.of(request.query)
        event = "PREPARE_STATEMENT" if isinstance(request, Prepare) else None
        return [self._sides_of(kind, options.keyspace or state.keyspace, request.query, event)]

    def _plain_sides(self, state: "ClientState", version: int, opcode: int, body: bytes) -> list[Sides] | None:
        """Of a QUERY or BATCH that was answered well; None where all of it has to be decoded."""
        if opcode == QUERY:
            text = maybe_query_text(version, body)
            return None if text is None else [self._sides_of(self._kinds.of(text), state.keyspace, text)]
        if opcode != BATCH:
            return None
        statements = maybe_batch_statements(version, body)
        return None if statements is None else self._batch_sides(statements, state.keyspace)

    def _failed(self, kind: StatementKind, used: str | None, text: str, error: RequestError) -> Sides:
        message = (
            obfuscated_message(error.message, text)
            if isinstance(error, CqlSyntaxError)
            else obfuscated(error.message, is_unparsed=True)
        )
        operation = f"{obfuscated(text, is_unparsed=isinstance(error, CqlSyntaxError))}; {message}"
        return self._sides_of(kind, used, operation, _event(error))

    def _batch(self, state: "ClientState", request: Batch, error: RequestError | None) -> list[Sides]:
        size, used = len(request.entries), request.options.keyspace or state.keyspace
        if error is not None:
            level = CONSISTENCY_NAMES[request.options.consistency]
            operation = f"BATCH of {size} statements at consistency {level}; {error.message}"
            return [self._sides_of(StatementKind("BATCH"), used, operation, _event(error))]
        return self._batch_sides([entry.statement for entry in request.entries], used)

    def _batch_sides(self, statements: Sequence[str | bytes], used: str | None) -> list[Sides]:
        batch = str(self._batch_id())
        operation = f"BatchId:[{batch}] - BATCH of [{len(statements)}] statements"
        found = [self._sides_of(StatementKind("BATCH"), used, operation)]
        for statement in statements:
            if isinstance(statement, bytes):
                found.append(self._prepared_sides(statement))
            else:
                found.append(self._sides_of(self._kinds.of(statement), used, statement))
        of_batch = f"|batch:{batch}"
        return [(before + of_batch, behind) if before else _FILTERED for before, behind in found]

    def _login(self, state: "ClientState", answer: bytes) -> list[Sides]:
        if answer[_OPCODE] == AUTH_SUCCESS:
            return [self._sides_of(StatementKind("LOGIN_SUCCESS"), state.keyspace, "LOGIN SUCCESSFUL")]
        if answer[_OPCODE] != ERROR:
            return []
        return [self._sides_of(StatementKind("LOGIN_ERROR"), None, f"LOGIN FAILURE; {_error(answer).message}")]


def _event(error: RequestError) -> str:
    if isinstance(error, Unauthorized):
        return "UNAUTHORIZED_ATTEMPT"
    return "LOGIN_ERROR" if isinstance(error, BadCredentials) else "REQUEST_FAILURE"


def _error(answer: bytes) -> RequestError:
    response = decode_response(answer[0], answer[1], answer[_OPCODE], answer[ENVELOPE_HEAD_LENGTH:]).response
    assert isinstance(response, Error)
    return response.error
