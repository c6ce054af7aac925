"""What of a request must not be kept, and is left out before the log has it: passwords.

A request whose text has one is decoded and encoded again, with its answer where that is a syntax error, which quotes from
the text. Of a login nothing is kept.
"""

from dataclasses import replace
from typing import Final

from cqlserver.password_obfuscator import obfuscated, obfuscated_message
from protocol.errors import CqlServerError, CqlSyntaxError, ProtocolError, RequestError, ServerError
from protocol.frames import COMPRESSED, ENVELOPE_HEAD_LENGTH, TRACING, Envelope
from protocol.requests import AUTH_RESPONSE, Batch, Prepare, Query, Request
from protocol.requests import decode as decode_request
from protocol.requests import encode as encode_request
from protocol.responses import ERROR, Error
from protocol.responses import decode as decode_response
from protocol.responses import encode as encode_response

_BEFORE_PARSING: Final = (CqlSyntaxError, ProtocolError, ServerError)
"""Errors of statements of which nobody may know what they are."""


def without_secrets(envelope: Envelope, answer: bytes) -> tuple[Envelope, bytes]:
    """A request and its answer, as they may be kept."""
    version, flags, stream, opcode, body = envelope
    if opcode == AUTH_RESPONSE:
        return (version, flags, stream, opcode, b""), answer
    error = _maybe_error(answer)
    try:
        request, _ = decode_request(version, flags & ~COMPRESSED, opcode, body)
    except CqlServerError:
        return (version, flags, stream, opcode, b""), answer
    texts = _texts(request)
    kept = _with_texts(request, [obfuscated(text, is_unparsed=isinstance(error, _BEFORE_PARSING)) for text in texts])
    if kept == request:
        return envelope, answer
    if isinstance(error, CqlSyntaxError):
        message = obfuscated_message(error.message, " ".join(texts))
        answer = encode_response(Error(CqlSyntaxError(message)), version, stream)
    return (version, flags & TRACING, stream, opcode, encode_request(kept, version, stream)[ENVELOPE_HEAD_LENGTH:]), answer


def _maybe_error(answer: bytes) -> RequestError | None:
    version, flags, opcode = answer[0], answer[1], answer[4]
    if opcode != ERROR:
        return None
    response = decode_response(version, flags, opcode, answer[ENVELOPE_HEAD_LENGTH:]).response
    return response.error if isinstance(response, Error) else None


def _texts(request: Request) -> list[str]:
    match request:
        case Query() | Prepare():
            return [request.query]
        case Batch():
            return [entry.statement for entry in request.entries if isinstance(entry.statement, str)]
    return []


def _with_texts(request: Request, texts: list[str]) -> Request:
    match request:
        case Query() | Prepare():
            return replace(request, query=texts[0])
        case Batch():
            given = iter(texts)
            entries = request.entries
            return replace(
                request,
                entries=tuple(e._replace(statement=next(given)) if isinstance(e.statement, str) else e for e in entries),
            )
    return request
