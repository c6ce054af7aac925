"""One client connection: bytes in, requests served, bytes out. Synchronous; it knows no socket.

The way of a request: `receive` -> envelopes -> `_serve`. An EXECUTE whose plan has a fast path is answered there and
then; everything else goes through `_answer`, which decodes the message and runs its handler. Every error is turned into
an ERROR message here, in one place (`_failure`).

`take_output` hands over what is to be sent. Until the listener has written (and where commitlog_sync says so, synced) the
commit log, the envelopes behind that output are kept, so that `serve_again` can answer them anew if the log fails.
"""

import logging
from collections.abc import Callable
from struct import Struct

from cqlserver.node import Client, Node
from cqlserver.pending import Pending
from cqlserver.state import ClientState
from cqlserver.tracing import Trace
from protocol.compression import ALGORITHMS
from protocol.errors import ProtocolError, RequestError, ServerError, StorageError
from protocol.frames import (
    COMPRESSED,
    RESPONSE_BIT,
    TRACING,
    Decoder,
    Encoder,
    Envelope,
    EnvelopeDecoder,
    EnvelopeEncoder,
    Refusal,
    encoder,
    negotiated,
)
from protocol.requests import (
    EXECUTE,
    OPTIONS,
    STARTUP,
    Batch,
    Execute,
    Options,
    Prepare,
    Query,
    Register,
    Request,
    Startup,
    decode,
)
from protocol.responses import (
    EVENT_STREAM,
    Error,
    Event,
    EventMessage,
    Ready,
    Response,
    Supported,
    encode,
    encode_refusal,
)

log = logging.getLogger("cqlserver")

_HEAD = Struct(">BBh").pack
_OPCODE_NAMES = {0x01: "STARTUP", 0x05: "OPTIONS", 0x07: "QUERY", 0x09: "PREPARE", 0x0A: "EXECUTE", 0x0B: "REGISTER",
                 0x0D: "BATCH", 0x0F: "AUTH_RESPONSE"}  # fmt: skip


class Session(Client):
    """See the module's text. `closing`: close once the output is sent; `wrote`: output that a log write stands behind."""

    def __init__(self, node: Node, address: str, port: int) -> None:
        self.node = node
        self.state = ClientState(address, port)
        self.closing = False
        self.wrote = False
        self.receiving = False
        self.events: frozenset[str] = frozenset()
        self.on_push: Callable[[], None] = _nothing
        self._ready = False
        self._decoder: Decoder = EnvelopeDecoder(size_max=node.config.frame_bytes_max)
        self._encoder: Encoder = EnvelopeEncoder()
        self._next: tuple[Decoder, Encoder] | None = None
        self._answers: list[bytes] = []
        self._sent_before_switch = b""
        self._pending: list[tuple[int, Pending[Response]]] = []
        self._served: list[Envelope] = []
        self._fast = node.statements.fast_paths(0)

    # --- bytes ---------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Serves every request that `data` completes; the answers are for `take_output`."""
        self.receiving = True
        commit_log = self.node.commit_log
        gathered = commit_log.gathered if commit_log is not None else 0
        while True:
            decoder = self._decoder
            envelopes = decoder.receive_data(data)
            if envelopes:
                self._served += envelopes
                self._serve(envelopes)
            if decoder.refusals:
                self._refuse(decoder.refusals)
            if self._ready and decoder is self._decoder or not envelopes:
                break
            data = b""  # a decoder stops behind STARTUP
        if commit_log is not None and commit_log.gathered != gathered:
            self.wrote = True
        self.receiving = False

    def take_output(self) -> bytes:
        """What is to be sent now."""
        answers = self._answers
        if not answers:
            output, self._sent_before_switch = self._sent_before_switch, b""
            return output
        self._answers = []
        output = self._encoder.encode(answers)
        if self._sent_before_switch:
            output, self._sent_before_switch = self._sent_before_switch + output, b""
        return output

    def take_pending(self) -> list[tuple[int, "Pending[Response]"]]:
        """Requests that wait for something, with the streams to answer on."""
        if not self._pending:
            return self._pending
        pending, self._pending = self._pending, []
        return pending

    def forget_served(self) -> None:
        """The promises behind all output until now hold."""
        self._served.clear()

    def serve_again(self) -> None:
        """The commit log failed under output that has not left: answer the same requests anew."""
        self._answers.clear()
        self._pending.clear()
        again = [envelope for envelope in self._served if envelope[3] != STARTUP]
        self._served.clear()
        self._serve(again)
        self.wrote = False

    def push(self, event: Event) -> None:
        """Sends an event to the client, if it registered for its kind."""
        if event.kind in self.events and not self.closing:
            self._answers.append(encode(EventMessage(event), self.state.version, EVENT_STREAM))
            self.on_push()

    def close(self) -> None:
        self._pending.clear()
        self.events = frozenset()

    # --- requests --------------------------------------------------------------------------------------------------------

    def _serve(self, envelopes: list[Envelope]) -> None:
        fast_paths = self._fast
        for version, flags, stream, opcode, body in envelopes:
            if opcode == EXECUTE and not flags & ~COMPRESSED and self._ready:
                fast = fast_paths.get(body[2:18])
                if fast is not None:
                    try:
                        tail = fast(body)
                    except StorageError:
                        tail = None  # the general path knows which error that is to the client
                    except Exception as error:  # noqa: BLE001 - logged and answered by _failure
                        self._answers.append(encode(self._failure(error), version, stream))
                        continue
                    if tail is not None:
                        self._answers.append(_HEAD(version | RESPONSE_BIT, 0, stream) + tail)
                        continue
            self._answer(version, flags, stream, opcode, body)

    def _answer(self, version: int, flags: int, stream: int, opcode: int, body: bytes) -> None:
        """One request, the general way."""
        state = self.state
        state.warnings.clear()
        if not state.version:
            state.version = version
        trace: Trace | None = None
        try:
            self._check_stage(opcode)
            request, _ = decode(version, flags & ~COMPRESSED, opcode, body)
            if flags & TRACING:
                trace = self.node.tracing.begin(state, request)
            outcome = self._handle(request)
        except Exception as error:  # noqa: BLE001 - logged and answered by _failure
            outcome = self._failure(error)
            self.closing = self.closing or (isinstance(error, ProtocolError) and not self._ready)
        if isinstance(outcome, Pending):
            self._pending.append((stream, outcome))
            return
        if trace is not None:
            trace.end()
        tracing_id = trace.id if trace is not None else None
        self._answers.append(encode(outcome, version, stream, tracing_id, tuple(state.warnings)))
        if self._next is not None:
            self._switch()

    async def finish(self, stream: int, pending: "Pending[Response]") -> None:
        """Waits for a request that could not be answered at once, then answers it."""
        try:
            response: Response = await pending.wait()
        except Exception as error:  # noqa: BLE001 - logged and answered by _failure
            response = self._failure(error)
        self._answers.append(encode(response, self.state.version, stream))

    def _check_stage(self, opcode: int) -> None:
        """Which messages may come before and after STARTUP (transport/ServerConnection.java)."""
        if self._ready:
            if opcode == STARTUP:
                raise ProtocolError("Unexpected message STARTUP, the connection is already initialized")
        elif opcode not in (STARTUP, OPTIONS):
            raise ProtocolError(f"Unexpected message {_OPCODE_NAMES.get(opcode, opcode)}, expecting STARTUP or OPTIONS")

    def _handle(self, request: Request) -> "Response | Pending[Response]":
        statements, state = self.node.statements, self.state
        match request:
            case Execute():
                return statements.execute(state, request)
            case Query():
                return statements.query(state, request.query, request.options)
            case Prepare():
                return statements.prepare(state, request.query, request.keyspace)
            case Batch():
                return statements.batch(state, request)
            case Startup():
                return self._start_up(request)
            case Options():
                return Supported(self.node.supported)
            case Register():
                self.events = self.events | frozenset(request.event_types)
                return Ready()
        raise ProtocolError("Unexpected message AUTH_RESPONSE: this server asks nobody to authenticate")

    def _failure(self, error: Exception) -> Error:
        """The border: every exception becomes an ERROR message; a bug of ours is logged with its traceback."""
        if isinstance(error, RequestError):
            return Error(error)
        if isinstance(error, StorageError):
            log.error("%s", error)
            return Error(ServerError(str(error)))
        log.error("a bug in this server: %s", error, exc_info=error)
        return Error(ServerError(f"{type(error).__name__}: {error}"))

    # --- the connection --------------------------------------------------------------------------------------------------

    def _start_up(self, request: Startup) -> Response:
        """transport/messages/StartupMessage.java."""
        options = {name.upper(): value for name, value in request.options.items()}
        cql_version = options.get("CQL_VERSION")
        if cql_version is None:
            raise ProtocolError("Missing value CQL_VERSION in STARTUP message")
        major = cql_version.split(".", 1)[0]
        if not major.isdigit():
            raise ProtocolError(f"Invalid version value: {cql_version}")
        if int(major) < 3 and not cql_version.startswith("2.99"):
            raise ProtocolError(
                f"CQL version {cql_version} is not supported by the binary protocol (supported version are >= 3.0.0)"
            )
        compression = options.get("COMPRESSION")
        if compression is not None:
            compression = compression.lower()
            if compression not in ALGORITHMS:
                raise ProtocolError(f"Unknown compression algorithm: {compression}")
            if compression == "snappy" and self.state.version >= 5:
                raise ProtocolError("Snappy compression is not supported in protocol V5")
        self.state.options = options
        version = self.state.version
        self._fast = self.node.statements.fast_paths(version)
        assert isinstance(self._decoder, EnvelopeDecoder)
        self._next = (negotiated(self._decoder, version, compression), encoder(version, compression))
        self._ready = True
        return Ready()

    def _switch(self) -> None:
        """From READY on both directions speak as agreed; in v5 it is itself the last message in the form of before."""
        assert self._next is not None
        if self.state.version >= 5:
            self._sent_before_switch += self._encoder.encode(self._answers)
            self._answers = []
        (self._decoder, self._encoder), self._next = self._next, None

    def _refuse(self, refusals: list[Refusal]) -> None:
        """Answers bytes that were no acceptable message."""
        for refusal in refusals:
            self._answers.append(encode_refusal(refusal))
            self.closing = self.closing or refusal.fatal
        refusals.clear()


def _nothing() -> None:
    pass
