"""The client against a server made of the same codecs, over a socket that is two byte strings."""

from collections.abc import Callable

import pytest

from protocol import requests, responses, types
from protocol.client import Connection
from protocol.errors import InvalidRequest, PeerError, ProtocolError
from protocol.frames import Decoder, EnvelopeDecoder, EnvelopeEncoder, encoder, negotiated
from protocol.primitives import UNSET
from protocol.requests import BatchEntry, Execute, Query, QueryOptions, Register, Request, Startup
from protocol.responses import (
    ColumnSpec,
    Error,
    EventMessage,
    PreparedMetadata,
    PreparedResult,
    Ready,
    Response,
    ResultMetadata,
    RowsResult,
    SchemaChange,
    VoidResult,
)

CHANGE = SchemaChange("CREATED", "KEYSPACE", "ks")
COLUMN = ColumnSpec("ks", "t", "a", types.INT)


class ServerStream:
    """A socket whose other end answers at once, with `answer(request)`, a few bytes at a time."""

    def __init__(self, answer: Callable[[Request], Response], piece: int = 7) -> None:
        self.answer, self.piece = answer, piece
        self.decoder: Decoder = EnvelopeDecoder()
        self.encoder = encoder(4)
        self.outgoing = b""
        self.closed = False

    def sendall(self, data: bytes, /) -> None:
        for version, flags, stream, opcode, body in self.decoder.receive_data(data):
            request, _ = requests.decode(version, flags, opcode, body)
            answer = self.answer(request)
            if isinstance(request, Startup) and isinstance(self.decoder, EnvelopeDecoder):
                compression = request.compression(version)
                self.decoder = negotiated(self.decoder, version, compression)
                self.encoder = encoder(version, compression)
                early = self.encoder if version < 5 else EnvelopeEncoder()
                self.outgoing += early.encode([responses.encode(answer, version, stream)])
                continue
            self.outgoing += self.encoder.encode([responses.encode(answer, version, stream, None, warned(request, version))])
            if isinstance(request, Register):
                self.outgoing += self.encoder.encode([responses.encode(EventMessage(CHANGE), version, -1)])

    def recv(self, size: int, /) -> bytes:
        piece, self.outgoing = self.outgoing[: self.piece], self.outgoing[self.piece :]
        return piece

    def settimeout(self, seconds: float | None, /) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def warned(request: Request, version: int) -> list[str]:
    return ["careful"] if isinstance(request, Query) and request.query == "warn" and version >= 4 else []


def answer(request: Request) -> Response:
    if isinstance(request, Query) and request.query == "wrong":
        return Error(InvalidRequest("no"))
    if isinstance(request, requests.Prepare):
        return PreparedResult(b"i" * 16, PreparedMetadata((COLUMN,), (0,)), ResultMetadata((COLUMN,)))
    if isinstance(request, Execute):
        value = request.options.values[0]
        return RowsResult(ResultMetadata((COLUMN,)), 1, responses.primitives.value(None if value is UNSET else value))
    if isinstance(request, Startup | Register):
        return Ready()
    return VoidResult()


MODES = [(3, None), (3, "lz4"), (4, None), (4, "snappy"), (4, "lz4"), (5, None), (5, "lz4"), (6, None)]


@pytest.mark.parametrize(("version", "compression"), MODES)
def test_every_kind_of_request_has_its_reply(version: int, compression: str | None) -> None:
    with Connection(ServerStream(answer), version, compression) as connection:
        assert connection.query("fine").response == VoidResult()
        assert connection.query("warn").warnings == (("careful",) if version >= 4 else ())
        wrong = connection.query("wrong").response
        assert isinstance(wrong, Error)
        assert wrong.error.message == "no"
        prepared = connection.prepare("SELECT").response
        assert isinstance(prepared, PreparedResult)
        rows = connection.execute(prepared, [b"\x00\x00\x00\x07"], QueryOptions(page_size=5)).response
        assert isinstance(rows, RowsResult)
        assert rows.rows() == [(b"\x00\x00\x00\x07",)]
        assert rows.metadata.columns == (COLUMN,)
        assert connection.batch([BatchEntry("a"), BatchEntry(b"i" * 16, (None,))]).response == VoidResult()
        assert connection.register("SCHEMA_CHANGE").response == Ready()
        assert connection.next_event() == CHANGE


def test_pipelined_requests_are_matched_by_stream() -> None:
    connection = Connection(ServerStream(answer), 5)
    streams = connection.send_many([Query("fine"), Query("wrong"), Query("fine")])
    assert isinstance(connection.receive(streams[1]).response, Error)
    assert connection.receive(streams[2]).response == VoidResult()
    assert connection.receive(streams[0]).response == VoidResult()


def test_closed_connection_is_a_peer_error() -> None:
    connection = Connection(ServerStream(answer), 5)
    with pytest.raises(PeerError, match="closed"):
        connection.receive(99)


def test_refused_startup_raises_the_servers_error() -> None:
    with pytest.raises(ProtocolError, match="refused"):
        Connection(ServerStream(lambda request: Error(ProtocolError("refused"))), 4)
