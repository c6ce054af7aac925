"""The full query log: every statement that was executed, with its values, so that it can be read and executed again
(fql/FullQueryLogger.java). `cqlserver fql` does so (commands/fql.py).

A record's payload is HEAD (protocol version, when it was executed in milliseconds, the time that a write gets in
microseconds, the same in seconds, length of the keyspace in use, 0xFFFF for none), the keyspace, and the body of a QUERY or
BATCH message in which prepared statements stand as texts. That of an EXECUTE is not decoded: its options are a QUERY's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Final

from cqlserver.audit.bin_log import BinLog, BinLogDamaged, framed, records
from cqlserver.audit.options import FullQueryLogOptions
from cqlserver.password_obfuscator import may_have_password, obfuscated
from protocol.errors import CqlServerError
from protocol.frames import COMPRESSED, Envelope
from protocol.requests import BATCH, EXECUTE, QUERY, Batch, Query
from protocol.requests import decode as decode_request
from protocol.responses import RESULT

if TYPE_CHECKING:
    from cqlserver.connections.session import Session
    from cqlserver.statements import Statements

SINGLE_QUERY: Final = 2
BATCHED: Final = 3
HEAD: Final = Struct(">BqqiH")
NO_KEYSPACE: Final = 0xFFFF
PREPARED_MAX: Final = 10_000
_OPCODE: Final = 4
"""Of an answer's head."""
_ID_END: Final = 18
_TEXT_LENGTH: Final = Struct(">I")


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """`started_ms`: when it was executed; `generated_us`: the time of what it wrote, unless its options have one."""

    version: int
    started_ms: int
    generated_us: int
    now_s: int
    keyspace: str | None
    request: Query | Batch


class FullQueryLog:
    """An observer of sessions; see AuditLog."""

    def __init__(
        self,
        options: FullQueryLogOptions,
        files: BinLog,
        statements: "Statements",
        now_us: Callable[[], int],
        on_failure: Callable[[OSError], None],
    ) -> None:
        self.options, self.files = options, files
        self._statements, self._now_us, self._on_failure = statements, now_us, on_failure
        self._prepared: dict[bytes, bytes] = {}
        """Their texts, as a QUERY begins with them."""

    def served(
        self,
        session: "Session",
        envelopes: Sequence[Envelope],
        answers: Sequence[bytes],
        seconds: float,
    ) -> None:
        now_us = self._now_us()
        keyspace = session.state.keyspace
        name = keyspace.encode() if keyspace is not None else b""
        size = len(name) if keyspace is not None else NO_KEYSPACE
        kept: list[bytes] = []
        for envelope, answer in zip(envelopes, answers, strict=False):
            if answer[_OPCODE] != RESULT:
                continue
            version, _, _, opcode, body = envelope
            found = None
            if opcode == EXECUTE:
                text = self._text(body[2:_ID_END])
                if text is not None:
                    end = _ID_END if version < 5 else _ID_END + 2 + int.from_bytes(body[_ID_END : _ID_END + 2], "big")
                    found = SINGLE_QUERY, text + body[end:]
            elif opcode in (QUERY, BATCH):
                found = self._unprepared(envelope)
            if found is not None:
                head = HEAD.pack(version, now_us // 1_000, now_us, now_us // 1_000_000, size)
                kept.append(framed(found[0], head + name + found[1]))
        if kept:
            try:
                self.files.append(b"".join(kept))
            except OSError as error:
                self._on_failure(error)

    def _text(self, statement_id: bytes) -> bytes | None:
        known = self._prepared.get(statement_id)
        if known is None:
            prepared = self._statements.maybe_prepared(statement_id)
            if prepared is None:
                return None  # forgotten by the very go that executed it
            if len(self._prepared) >= PREPARED_MAX:
                self._prepared.clear()
            text = obfuscated(prepared.text).encode()
            known = self._prepared[statement_id] = _TEXT_LENGTH.pack(len(text)) + text
        return known

    def _unprepared(self, envelope: Envelope) -> tuple[int, bytes] | None:
        version, flags, _, opcode, body = envelope
        if opcode == QUERY and not may_have_password(body):
            return SINGLE_QUERY, body
        try:
            request, _ = decode_request(version, flags & ~COMPRESSED, opcode, body)
        except CqlServerError:
            return None  # it was no request
        if isinstance(request, Query):
            return SINGLE_QUERY, replace(request, query=obfuscated(request.query)).encode(version)
        assert isinstance(request, Batch)
        entries = []
        for entry in request.entries:
            text = entry.statement
            if isinstance(text, bytes):
                known = self._text(text)
                text = known[_TEXT_LENGTH.size :].decode() if known is not None else "null"
            entries.append(entry._replace(statement=text))
        return BATCHED, replace(request, entries=tuple(entries)).encode(version)


def query_records(data: bytes, name: str) -> "Sequence[QueryRecord]":
    """Of a file's contents. Raises BinLogDamaged."""
    found = []
    for kind, payload in records(data, name):
        if kind not in (SINGLE_QUERY, BATCHED):
            raise BinLogDamaged(f"{name} is no full query log: a record is of kind {kind}; try `cqlserver auditlogviewer`")
        try:
            version, started_ms, generated_us, now_s, length = HEAD.unpack_from(payload)
            end = HEAD.size + (length if length != NO_KEYSPACE else 0)
            keyspace = payload[HEAD.size : end].decode() if length != NO_KEYSPACE else None
            request, _ = decode_request(version, 0, QUERY if kind == SINGLE_QUERY else BATCH, payload[end:])
        except (StructError, CqlServerError, UnicodeDecodeError) as error:
            raise BinLogDamaged(f"{name} has a record that nobody can read: {error}") from error
        assert isinstance(request, Query | Batch)
        found.append(QueryRecord(version, started_ms, generated_us, now_s, keyspace, request))
    return found
