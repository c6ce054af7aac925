"""A small blocking client over the codecs of this package, for tests and tools.

It sends what it is told and gives back what came, decoded, errors included: `query` of a wrong statement returns an
ERROR reply, it does not raise. No pooling, no retries, no reconnection. The server never imports this module; it is
the only one of the package that meets a socket, and it opens one only in `connect`.

    with connect("127.0.0.1", 9042, version=5, compression="lz4") as connection:
        reply = connection.query("SELECT * FROM system.local")
        for row in reply.response.rows(): ...
"""

import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from protocol import requests, responses
from protocol.compression import compressor
from protocol.errors import PeerError
from protocol.frames import (
    Decoder,
    Encoder,
    Envelope,
    EnvelopeDecoder,
    EnvelopeEncoder,
    encoder,
    negotiated,
    raise_refusal,
)
from protocol.primitives import Value
from protocol.requests import Batch, BatchEntry, Execute, Prepare, Query, QueryOptions, Register, Request, Startup
from protocol.responses import Authenticate, Event, EventMessage, PreparedResult, Ready, Reply

RECEIVE_BYTES_MAX = 1 << 16
RESPONSE_BYTES_MAX = 256 << 20  # as drivers have it
CQL_VERSION = "3.0.0"  # what drivers send


class Stream(Protocol):
    """What the client needs of a socket."""

    def sendall(self, data: bytes, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def close(self) -> None: ...


class Connection:
    """One connection, past STARTUP. Requests go out one by one; `send` and `receive` pipeline by hand.

    Every method raises PeerError when the server closes the connection or sends what is no message, and TimeoutError
    when it says nothing for `timeout_s`.
    """

    def __init__(
        self,
        stream: Stream,
        version: int = 5,
        compression: str | None = None,
        credentials: tuple[str, str] | None = None,
        startup_options: Mapping[str, str] | None = None,
    ) -> None:
        self.version = version
        self.closed = False
        self._stream = stream
        made = compressor(compression) if compression and version < 5 else None
        first = EnvelopeDecoder(compression=made, responses=True, size_max=RESPONSE_BYTES_MAX)
        self._decoder: Decoder = first
        self._encoder: Encoder = EnvelopeEncoder()
        self._next_stream = 0
        self._replies: dict[int, Reply] = {}
        self._events: deque[Event] = deque()
        self._start(first, compression, credentials, startup_options or {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True
        self._stream.close()

    # Requests that wait for their reply.

    def query(self, cql: str, options: QueryOptions | None = None, tracing: bool = False) -> Reply:
        return self.request(Query(cql, options or QueryOptions()), tracing)

    def prepare(self, cql: str, keyspace: str | None = None, tracing: bool = False) -> Reply:
        """The reply holds a PreparedResult, or an Error."""
        return self.request(Prepare(cql, keyspace), tracing)

    def execute(
        self,
        prepared: PreparedResult,
        values: Sequence[Value] = (),
        options: QueryOptions | None = None,
        tracing: bool = False,
    ) -> Reply:
        """Execute with `values` bound in order, or with those of `options` when there are none."""
        options = options or QueryOptions()
        if values:
            options = options._replace(values=tuple(values), names=None)
        return self.request(Execute(prepared.statement_id, prepared.result_metadata_id, options), tracing)

    def batch(
        self,
        entries: Sequence[BatchEntry],
        batch_type: int = 0,
        options: QueryOptions | None = None,
        tracing: bool = False,
    ) -> Reply:
        return self.request(Batch(batch_type, tuple(entries), options or QueryOptions()), tracing)

    def register(self, *event_types: str) -> Reply:
        return self.request(Register(event_types))

    def options(self) -> Reply:
        return self.request(requests.Options())

    def request(self, request: Request, tracing: bool = False, payload: requests.CustomPayload | None = None) -> Reply:
        return self.receive(self.send(request, tracing, payload))

    # Pipelining and bare bytes.

    def send(self, request: Request, tracing: bool = False, payload: requests.CustomPayload | None = None) -> int:
        """Send without waiting; return the stream id to `receive` on."""
        stream = self._next_stream
        self._next_stream = (stream + 1) & 0x7FFF
        self.send_envelopes(requests.encode(request, self.version, stream, tracing, payload))
        return stream

    def send_many(self, pending: Sequence[Request]) -> list[int]:
        """Send all in one piece; return their stream ids."""
        first = self._next_stream
        streams = [(first + index) & 0x7FFF for index in range(len(pending))]
        self._next_stream = (first + len(pending)) & 0x7FFF
        envelopes = [
            requests.encode(request, self.version, stream) for request, stream in zip(pending, streams, strict=True)
        ]
        self.send_envelopes(*envelopes)
        return streams

    def send_envelopes(self, *envelopes: bytes) -> None:
        """Send whole envelopes, as segments where the version has them."""
        self._stream.sendall(self._encoder.encode(envelopes))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are, for tests of what servers do with wrong ones."""
        self._stream.sendall(data)

    def receive(self, stream: int) -> Reply:
        """Wait for the reply on `stream`."""
        while stream not in self._replies:
            self._receive_some()
        return self._replies.pop(stream)

    def next_event(self, timeout_s: float | None = None) -> Event | None:
        """The next event that was registered for; None when none comes within `timeout_s` (None: wait for ever)."""
        self._stream.settimeout(timeout_s)
        try:
            while not self._events:
                self._receive_some()
        except TimeoutError:
            return None
        finally:
            if not self.closed:
                self._stream.settimeout(None)
        return self._events.popleft()

    def _receive_some(self) -> None:
        data = self._stream.recv(RECEIVE_BYTES_MAX)
        if not data:
            self.closed = True
            raise PeerError("The server closed the connection")
        self._take(self._decoder.receive_data(data))

    def _take(self, envelopes: Sequence[Envelope]) -> None:
        for version, flags, stream, opcode, body in envelopes:
            reply = responses.decode(version, flags, opcode, body)
            if isinstance(reply.response, EventMessage):
                self._events.append(reply.response.event)
            else:
                self._replies[stream] = reply
        if self._decoder.refusals:
            raise_refusal(self._decoder.refusals.pop(0))

    def _start(
        self,
        first: EnvelopeDecoder,
        compression: str | None,
        credentials: tuple[str, str] | None,
        startup_options: Mapping[str, str],
    ) -> None:
        options = {"CQL_VERSION": CQL_VERSION, **startup_options}
        if compression:
            options["COMPRESSION"] = compression
        reply = self.request(Startup(options))
        if isinstance(reply.response, responses.Error):
            raise reply.response.error
        self._decoder = negotiated(first, self.version, compression)
        self._encoder = encoder(self.version, compression)
        self._take(self._decoder.receive_data(b""))
        if isinstance(reply.response, Authenticate):
            self._authenticate(credentials or ("cassandra", "cassandra"))
        elif not isinstance(reply.response, Ready):
            raise PeerError(f"Unexpected answer to STARTUP: {reply.response}")

    def _authenticate(self, credentials: tuple[str, str]) -> None:
        name, password = credentials
        reply = self.request(requests.AuthResponse(b"\x00" + name.encode() + b"\x00" + password.encode()))
        if isinstance(reply.response, responses.Error):
            raise reply.response.error


def connect(
    host: str = "127.0.0.1",
    port: int = 9042,
    version: int = 5,
    compression: str | None = None,
    credentials: tuple[str, str] | None = None,
    timeout_s: float | None = None,
) -> Connection:
    """Open a connection and send STARTUP; raise OSError, or the error with which the server answered."""
    import socket

    stream = socket.create_connection((host, port), timeout=timeout_s)
    try:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Connection(stream, version, compression, credentials)
    except BaseException:
        with contextlib.suppress(OSError):
            stream.close()
        raise
