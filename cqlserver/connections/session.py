"""One client connection: bytes in, requests served, bytes out. Synchronous; it knows no socket.

The way of a request: `receive` -> envelopes -> `_serve`. An EXECUTE whose plan has a fast path is answered there and
then; everything else goes through `_answer`, which decodes the message and runs its handler. Every error is turned into
an ERROR message here, in one place (`_refused`).

`take_output` hands over what is to be sent. What it answers, `take_served` hands over too, so that `serve_again` can
answer it anew if the commit log fails before that output leaves. `take_later` gives what no write stands behind:
events, and answers to requests that took several steps and only read.

Nothing here takes long or much: a go ends at the listener's deadline or at ANSWER_BYTES_MAX of answers, and the rest
waits in `waiting` for `resume`. A request that is long, or turns out to be (TooLong), is worked on by a strand
(storage/environment/strands.py), a turn for each `step`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from struct import Struct
from typing import TYPE_CHECKING

from cqlserver.connections.apart import is_for_apart
from cqlserver.connections.bounds import (
    ANSWER_BYTES_MAX,
    CHECK_PERIOD,
    FIRST_BYTES_MAX,
    LATE_BYTES_APART,
    LATE_MAX,
    LONG_ANSWER_BYTES,
    LONG_BATCH,
    LONG_BODY_BYTES,
    PENDING_BYTES_MAX,
    PENDING_MAX,
)
from cqlserver.connections.limits import UNSENT_SHARE
from cqlserver.connections.paths import paths_of
from cqlserver.connections.startup import check_stage, checked_options
from cqlserver.connections.unanswered import Served, Unanswered
from cqlserver.guarding import guarding
from cqlserver.metrics.sampling import time_fast
from cqlserver.node import Client, Node
from cqlserver.pending import Pending, Steps
from cqlserver.plans.plan import FastPaths
from cqlserver.state import ANONYMOUS, ClientState, ReadWork
from cqlserver.system.tracing import Trace
from protocol.errors import CqlSyntaxError, RequestError, ServerError, StorageError
from protocol.frames import (
    COMPRESSED,
    CURRENT_VERSION,
    GIVEN_BYTES_MAX,
    RESPONSE_BIT,
    TRACING,
    Decoder,
    Encoder,
    Envelope,
    EnvelopeDecoder,
    EnvelopeEncoder,
    Refusal,
    SegmentDecoder,
    encoder,
    negotiated,
)
from protocol.requests import (
    BATCH,
    EXECUTE,
    QUERY,
    AuthResponse,
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
    Authenticate,
    AuthSuccess,
    Error,
    Event,
    EventMessage,
    PreparedResult,
    Ready,
    Response,
    RowsResult,
    Supported,
    VoidResult,
    encode,
    encode_refusal,
)
from storage.environment.strands import TooLong, commit, in_go, pause, paused

if TYPE_CHECKING:
    from cqlserver.clustering.late_answers import Late

_HEAD = Struct(">BBh").pack


class Session(Client):
    """See the module's text. `closing`: close once the output is sent; `wrote`: output that has to wait for a log write;
    `waiting`: requests that have come but are not served yet; `pending_count`, `pending_bytes`: requests under way in steps;
    `late_count`: those that other nodes have, whose bytes are among `pending_bytes`;
    `reads`: what requests of a go have read, by stream, as `observer` wants to know;
    `is_odd`: there is more to look at than `take_output`, which is so after one go in thousands."""

    def __init__(self, node: Node, address: str, port: int) -> None:
        self.node = node
        self.state = ClientState(address, port, user=None if node.config.auth.requires_login else ANONYMOUS)
        self.closing = False
        self.wrote = False
        self._awaited_log = node.commit_log if node.sync_before_reply else None
        self.is_odd = False
        self.waiting: list[Envelope] = []
        self.pending_count = self.pending_bytes = self.late_count = 0
        self._put_off_now: list[int] = []
        self._claimed = self._waiting_bytes = self._accounted = 0
        self._throws_on_overload = False
        self.events: frozenset[str] = frozenset()
        self.on_push: Callable[[], None] = lambda: None
        self.observer, self.recorder, self.label = node.observer, node.recorder, b""
        self.reads: dict[int, ReadWork] = {}
        self._clock = node.environment.clock.monotonic
        self._metering = node.metering
        self._late_timed: tuple[Envelope, float] | None = None
        self._ready = self._has_begun = self._authenticates = False
        self._decoder: Decoder = EnvelopeDecoder(size_max=FIRST_BYTES_MAX)
        self._encoder: Encoder = EnvelopeEncoder()
        self._next: tuple[Decoder, Encoder] | None = None
        self._answers: list[bytes] = []
        self.request_count = 0
        self._ready_to_send: list[bytes] = []
        self._later: list[bytes] = []
        self._pending: list[Unanswered] = []
        self._served: list[Envelope | Refusal] = []
        self._served_keyspace: str | None = None
        self._fast: FastPaths = node.statements.fast_paths(0)
        self._fast_query = node.statements.fast_query(CURRENT_VERSION)
        self._fast_batch = node.statements.fast_batch(CURRENT_VERSION)

    # --- bytes ---------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, deadline: float = inf) -> None:
        """Serves the requests that `data` completes until `deadline` (of the node's clock); the answers are for
        `take_output`, the rest for `resume`. Not to be called while there is a rest."""
        log = self._awaited_log
        if log is None:
            self._receive(data, deadline)
            return
        gathered = log.gathered
        self._receive(data, deadline)
        self.wrote = self.wrote or log.gathered != gathered

    def resume(self, deadline: float = inf) -> None:
        """Goes on with what waits. Always serves one request at least."""
        log = self._awaited_log
        gathered = log.gathered if log is not None else 0
        waiting, self.waiting = self.waiting, []
        self._waiting_bytes = 0
        self._serve(waiting, deadline)
        if not self.waiting and not self.closing:
            self._receive(b"", deadline)
        self.wrote = self.wrote or (log is not None and log.gathered != gathered)

    def _receive(self, data: bytes, deadline: float) -> None:
        while True:
            decoder = self._decoder
            envelopes = decoder.receive_data(data)
            if decoder.claimed != self._claimed or decoder.has_more or decoder.stalls:
                self._claimed = decoder.claimed
                self.is_odd = True
            if envelopes:
                self._serve(envelopes, deadline, data if self.recorder is not None and decoder.is_whole else b"")
            if decoder.refusals:
                self._refuse(decoder.refusals)
            if self.waiting or self.closing or not envelopes or (self._ready and decoder is self._decoder):
                return
            data = b""  # a decoder stops behind STARTUP

    def take_output(self) -> bytes:
        """What is to be sent now, or when the log has what was written."""
        answers = self._answers
        if not answers:
            return b""
        self._answers = []
        return self._encoder.encode(answers)

    def take_later(self) -> bytes:
        """What is to be sent now, before all else."""
        if not self._later and not self._ready_to_send:
            return b""
        output = b"".join((*self._ready_to_send, self._encoder.encode(self._later)))
        self._ready_to_send, self._later = [], []
        return output

    @property
    def has_rest(self) -> bool:
        """Whether `resume` has something to do."""
        decoder = self._decoder
        return bool(self.waiting) or decoder.has_more or (decoder.stalls > 0 and self._has_room(decoder.stalls))

    @property
    def is_stalled(self) -> bool:
        """Its next message waits for room among those of all clients (limits.py)."""
        return self._decoder.stalls > 0

    @property
    def in_flight_bytes(self) -> int:
        """Of messages that have come, or begun to, and are not answered."""
        return self._decoder.claimed + self._waiting_bytes + self.pending_bytes

    def _has_room(self, size: int) -> bool:
        limits = self.node.limits
        return limits.has_room(self.state.address, limits.excess(size))

    def account(self, in_flight: int) -> int:
        """Tells the limits what this connection has in flight now; what that has changed."""
        limits = self.node.limits
        change = limits.excess(in_flight) - limits.excess(self._accounted)
        self._accounted = in_flight
        if change:
            limits.change(self.state.address, change)
        return change

    def _admit(self, size: int) -> RequestError | bool:
        if self._has_room(size):
            self.account(self.in_flight_bytes + size)  # at once: others ask in the same go
            self.is_odd = True
            return True
        return self.node.limits.overloaded(self.state.address) if self._throws_on_overload else False

    @property
    def is_busy(self) -> bool:
        """So much is under way that nothing more is taken on."""
        return (
            self.pending_count >= PENDING_MAX or self.pending_bytes >= PENDING_BYTES_MAX or self.late_count >= LATE_MAX
        )

    def take_pending(self) -> list[Unanswered]:
        """Requests that take more steps, for `step`."""
        if not self._pending:
            return self._pending
        pending, self._pending = self._pending, []
        return pending

    def take_served(self) -> Served:
        """What the output until now answers."""
        served = Served(self._served_keyspace, self._served)
        self._served, self._served_keyspace = [], self.state.keyspace
        return served

    def forget_served(self) -> None:
        """The promises behind all output until now hold."""
        self._served.clear()
        self._served_keyspace = self.state.keyspace

    def serve_again(self, served: Served) -> None:
        """The commit log failed under output that has not left and won't: answers the same requests anew."""
        keyspace, self.state.keyspace = self.state.keyspace, served.keyspace
        waiting, self.waiting = self.waiting, []
        for message in served.messages:
            if isinstance(message, Refusal):
                self._refuse([message])
            else:
                self._serve([message], inf)
        self.waiting = waiting
        self.state.keyspace, self.label = keyspace, b""
        self.forget_served()
        self.wrote = False

    def push(self, event: Event) -> None:
        """Sends an event to the client, if it registered for its kind. What goes wrong with it concerns nobody else."""
        if event.kind in self.events and not self.closing and not self.node.border.attempt(self._push, event):
            self.closing = True
            self.node.border.attempt(self.on_push)

    def _push(self, event: Event) -> None:
        self._later.append(encode(EventMessage(event), self.state.version, EVENT_STREAM))
        self.is_odd = True
        self.on_push()

    def close(self) -> None:
        pending, self._pending = self._pending, []
        self.waiting, self._answers, self._later = [], [], []
        self._decoder = EnvelopeDecoder(size_max=0)  # the one until now leads back here, and holds what had come
        self._served, self._ready_to_send = [], []
        self.events = frozenset()
        self.node.registered.pop(self, None)
        self.on_push = lambda: None  # it leads back here: nothing may hang on the garbage collector
        for unanswered in pending:
            self.node.border.attempt(unanswered.close)

    # --- requests --------------------------------------------------------------------------------------------------------

    def _serve(self, envelopes: list[Envelope], deadline: float, received: bytes = b"") -> None:
        """In a go of the loop: what turns out to be long is put off. `received`: all of them, for a recorder."""
        in_go(partial(self._serve_now, envelopes, received), deadline)

    def _serve_now(self, envelopes: list[Envelope], received: bytes, deadline: float) -> None:
        fast_paths, answers, clock = self._fast, self._answers, self._clock
        first, counted, size, observer = len(answers), 0, 0, self.observer
        began = before = clock()
        timed = self._metering.choose(len(envelopes)) if began >= self._metering.next_sample_s else 0
        look_at = timed - 1 or timed if timed else CHECK_PERIOD
        for index, (version, flags, stream, opcode, body) in enumerate(envelopes, 1):
            tail = None
            if flags <= COMPRESSED and self._ready:
                try:
                    if opcode == EXECUTE:
                        fast = fast_paths.get(body[2:18])
                        if fast is not None:
                            tail = fast(body)
                    elif opcode == QUERY:
                        tail = self._fast_query(body, self.state.keyspace)
                    elif opcode == BATCH and body[1:2] < LONG_BATCH:
                        tail = self._fast_batch(body)
                except (StorageError, TooLong):
                    pass  # the general path knows which error that is to the client, and what to do about length
                except Exception as error:  # noqa: BLE001 - logged, and told to the client
                    answers.append(self._refused(error, version, stream))
                    received = b""
                    continue
            if tail:
                answers.append(_HEAD(version | RESPONSE_BIT, 0, stream) + tail)
                if index != look_at and len(tail) < LONG_ANSWER_BYTES:
                    continue
                answers[-1] = self._with_room(answers[-1], version, stream)
                if is_for_apart(answers[-1], self._encoder):  # none that wrote is so long
                    self._encode_apart(envelopes[index - 1], answers.pop(), before)
                if index == timed:
                    time_fast(self.node, opcode, body, version, tail, before)
            elif tail is not None:  # LATER
                self._put_off(envelopes[index - 1])
                if index == timed:
                    self._late_timed = envelopes[index - 1], before
                if index != look_at:
                    continue
            else:
                self._answer((version, flags, stream, opcode, body))
                fast_paths, received = self._fast, b""
            size += sum(map(len, answers[counted:]))
            counted = len(answers)
            is_enough = size > ANSWER_BYTES_MAX or (size > UNSENT_SHARE and self.node.limits.is_full)
            look_at = timed if index == timed - 1 else max(look_at, index + CHECK_PERIOD) if index >= look_at else look_at
            before = clock()
            if is_enough or before > deadline or self.closing or self.is_busy:
                if index < len(envelopes):
                    self.waiting = [] if self.closing else envelopes[index:]
                    self._waiting_bytes = sum(len(envelope[4]) for envelope in self.waiting)
                    self.is_odd = True
                    envelopes, received = envelopes[:index], b""
                break
        self.request_count += len(envelopes)
        self._metering.native_count += len(envelopes)
        if self._pending or self._put_off_now:  # they are answered some other time
            streams = {unanswered.envelope[2] for unanswered in self._pending}
            streams.update(self._put_off_now)
            self._put_off_now.clear()
            envelopes, received = [envelope for envelope in envelopes if envelope[2] not in streams], b""
        self._served += envelopes
        if observer is not None:
            answered = answers[first:] if first else answers
            if received and self.recorder is not None:
                self.recorder.came(self, received, answered, clock() - began)
            else:
                observer.served(self, envelopes, answered, clock() - began)
                self.reads.clear()
        if self._next is not None:
            self._switch()

    def _answer(self, envelope: Envelope) -> None:
        """One request, the general way."""
        version, flags, stream, opcode, body = envelope
        state = self.state
        if state.warnings:
            state.warnings.clear()
        trace: Trace | None = None
        state.meters, state.read_work, rows, error_name, began = (), None, None, None, self._clock()
        appended = self._appended if self._encoder.compresses else 0
        try:
            check_stage(opcode, self._ready, self._authenticates)
            if not self._ready:
                state.version = version
            elif len(body) > LONG_BODY_BYTES:
                raise TooLong
            request, _ = decode(version, flags & ~COMPRESSED, opcode, body)
            if flags & TRACING:
                trace = self.node.tracing.begin(state, request)
            outcome = self._handle(request)
            if isinstance(outcome, Pending):
                unanswered = Unanswered(envelope, state.keyspace, trace, state.warnings, outcome)
                unanswered.meters, unanswered.read_work = state.meters, state.read_work
                self._await(unanswered, began)
                state.warnings = []
                return
            if isinstance(outcome, RowsResult):
                rows = outcome.row_count
            answer = self._encoded(outcome, version, stream, trace, state.warnings)
        except TooLong:
            self._await(Unanswered(envelope, state.keyspace, trace), began)
            return
        except Exception as error:  # noqa: BLE001 - told to the client
            if not self._has_begun:
                stream = 0  # InitialConnectionHandler.java forgets whom it answers
            error_name = type(error).__name__
            answer = self._refused(error, version, stream, trace, state.warnings)
        self._metering.served(opcode, state.meters, began, rows, error_name)
        answer = self._with_room(answer, version, stream)
        if is_for_apart(answer, self._encoder) and self._appended == appended:
            self._encode_apart(envelope, answer, began, state.read_work)
        else:
            self._answers.append(answer)
            if state.read_work is not None and self.observer is not None:
                self.reads[stream] = state.read_work

    def _put_off(self, envelope: Envelope) -> None:
        """A fast path left the request to other nodes."""
        assert self.node.member is not None
        self.pending_bytes += self.node.member.answer_later(self, envelope, self.state.keyspace)
        self._put_off_now.append(envelope[2])
        self.late_count += 1
        if self.pending_bytes > LATE_BYTES_APART:
            self.is_odd = True

    def answer_late(self, late: "Late", tail: bytes) -> None:
        """What it came to: the answer's envelope from the opcode on. It is found with `take_later`."""
        version, _, stream, _, _ = late.envelope
        if self._late_timed is not None and self._late_timed[0] is late.envelope:
            time_fast(self.node, *late.envelope[3:5], version, tail, self._late_timed[1])
        self._end_late(late, self._with_room(_HEAD(version | RESPONSE_BIT, 0, stream) + tail, version, stream))

    def refuse_late(self, late: "Late", error: Exception) -> None:
        version, _, stream, _, _ = late.envelope
        self._end_late(late, self._refused(error, version, stream))

    def go_on_late(self, late: "Late") -> None:
        """The fast path came to nothing, and nothing was promised: it is answered the general way."""
        self.late_count -= 1
        self.pending_bytes -= late.size
        self._await(Unanswered(late.envelope, late.keyspace), self._clock())

    def _end_late(self, late: "Late", answer: bytes) -> None:
        self.late_count -= 1
        self.pending_bytes -= late.size
        self._later.append(answer)
        self.is_odd = True
        if self.observer is not None:
            self.observer.served(self, [late.envelope], [answer], 0.0)

    def _with_room(self, answer: bytes, version: int, stream: int) -> bytes:
        """The answer, or an error where it is long and would have to wait with too many others (limits.py)."""
        if len(answer) <= UNSENT_SHARE:
            return answer
        limits = self.node.limits
        if limits.is_full:
            return self._refused(limits.refused_answer(), version, stream)
        limits.made += len(answer)
        return answer

    @property
    def _appended(self) -> int:
        """How much was written to the log so far."""
        return self.node.commit_log.appended if self.node.commit_log is not None else 0

    def _encode_apart(self, envelope: Envelope, answer: bytes, began: float, read_work: ReadWork | None = None) -> None:
        unanswered = Unanswered(envelope, self.state.keyspace, read_work=read_work)
        unanswered.encode_apart(self.node, self._encoder, answer)
        self._await(unanswered, began)

    def _await(self, unanswered: Unanswered, began: float) -> None:
        if unanswered.pending is None:
            self._begin_turns(unanswered)
        self.state.trace = None  # until its next step
        unanswered.began = began
        self._pending.append(unanswered)
        self.pending_count += 1
        self.pending_bytes += len(unanswered.envelope[4])
        self.is_odd = True

    def _begin_turns(self, unanswered: Unanswered) -> None:
        unanswered.begin_turns(self.node, self._work_on, self._finished, self.state.warnings.clear)

    def _work_on(self, unanswered: Unanswered) -> Response | bytes | Pending[Response]:
        """What a strand does for a request: all of it, or as much as there is to do before an errand is done."""
        version, flags, _, opcode, body = unanswered.envelope
        if opcode == BATCH and not flags & ~COMPRESSED:
            try:
                if self._fast_batch(body):
                    return VoidResult()
            except StorageError:
                pass  # see _serve
        request, _ = decode(version, flags & ~COMPRESSED, opcode, body, pause)
        if flags & TRACING and unanswered.trace is None:
            unanswered.trace = self.node.tracing.begin(self.state, request)
        return self._finished(self._handle(request), unanswered)

    def _finished(self, outcome: Response | Pending[Response], unanswered: Unanswered) -> bytes | Pending[Response]:
        version, _, stream, _, _ = unanswered.envelope
        if isinstance(outcome, Pending):
            commit()  # what is read from now on is read as it is then
            outcome = outcome.finish_in_turns(pause)
            if isinstance(outcome, Pending):
                return outcome
        if isinstance(outcome, RowsResult):
            outcome.metadata.make_ready(version, paused)
        elif isinstance(outcome, PreparedResult):
            outcome.result_metadata.make_ready(version, paused)
        commit()
        if isinstance(outcome, RowsResult):
            unanswered.rows = outcome.row_count
        return self._encoded(outcome, version, stream, unanswered.trace, self.state.warnings)

    def _encoded(self, response: Response, version: int, stream: int, trace: Trace | None, warnings: Sequence[str]) -> bytes:
        if trace is None:
            return encode(response, version, stream, None, tuple(warnings))
        is_unparsed = isinstance(response, Error) and isinstance(response.error, CqlSyntaxError | ServerError)
        self.node.border.attempt(trace.end, is_unparsed=is_unparsed)
        return encode(response, version, stream, trace.id, tuple(warnings))

    def _refused(
        self, error: Exception, version: int, stream: int, trace: Trace | None = None, warnings: Sequence[str] = ()
    ) -> bytes:
        """What is answered where a request raised, or its answer could not be made."""
        return self._encoded(Error(self.node.border.answer_to(error)), version, stream, trace, warnings)

    def finish(self) -> None:
        """Answers all that has come, for callers who serve nobody else."""
        while self._pending or self.waiting:
            for unanswered in self.take_pending():
                while not self.step(unanswered):
                    if unanswered.awaited is not None:
                        unanswered.awaited.wait()
            if self.waiting:
                self.resume()

    def step(self, unanswered: Unanswered) -> bool:
        """Goes on with a request, and answers it when that was the last step; whether it was. The answer is found with
        `take_later`, or with `take_output` if there was anything to write."""
        appended = self._appended
        is_apart = unanswered.answer is not None
        answer = self._maybe_encoded(unanswered) if is_apart else self._maybe_answer(unanswered)
        unanswered.wrote = unanswered.wrote or self._appended != appended
        if answer is None:
            return False
        if not is_apart:
            answer = self._with_room(answer, unanswered.envelope[0], unanswered.envelope[2])
            unanswered.count(self.node)
            if is_for_apart(answer, self._encoder) and not unanswered.wrote:
                unanswered.encode_apart(self.node, self._encoder, answer)
                return False
        self.pending_count -= 1
        self.pending_bytes -= len(unanswered.envelope[4])
        self.is_odd = True
        if self.observer is not None:
            if unanswered.read_work is not None:
                self.reads[unanswered.envelope[2]] = unanswered.read_work
            seconds = self._clock() - unanswered.began
            self.observer.served(self, [unanswered.envelope], [unanswered.answer or answer], seconds)
            self.reads.clear()
        if unanswered.wrote:
            self._answers.append(answer)
            self._served.append(unanswered.envelope)
            self.wrote = True
        else:
            (self._ready_to_send if unanswered.answer is not None else self._later).append(answer)
        return True

    def _maybe_encoded(self, unanswered: Unanswered) -> bytes | None:
        """An answer that is encoded apart, once it is."""
        try:
            return unanswered.maybe_encoded()
        except Exception as error:  # noqa: BLE001 - told to the client
            unanswered.answer = None
            return self._refused(error, unanswered.envelope[0], unanswered.envelope[2])

    def _maybe_answer(self, unanswered: Unanswered) -> bytes | None:
        """Does the next step, in the state in which the request came; the answer, if that was the last one."""
        assert unanswered.pending is not None
        state, (version, _, stream, _, _) = self.state, unanswered.envelope
        others = unanswered.take_place(state)
        try:
            if not in_go(Pending.step, unanswered.pending):
                return None
            response = unanswered.pending.result
            if isinstance(response, bytes):
                return response
            if isinstance(response, RowsResult):
                unanswered.rows = response.row_count
            return self._encoded(response, version, stream, unanswered.trace, state.warnings)
        except TooLong:  # a row takes long: all is read again, by a strand
            self._begin_turns(unanswered)
            return None
        except Exception as error:  # noqa: BLE001 - told to the client
            unanswered.error_name = type(error).__name__
            return self._refused(error, version, stream, unanswered.trace, state.warnings)
        finally:
            unanswered.give_back(state, others)

    def _handle(self, request: Request) -> "Response | Pending[Response]":
        guardrails = self.node.guardrails
        if guardrails is None:
            return self._served_by_kind(request)
        token = guarding.set(guardrails.of(self.state.user, self.state.warn))
        try:
            return self._served_by_kind(request)
        finally:
            guarding.reset(token)

    def _served_by_kind(self, request: Request) -> "Response | Pending[Response]":
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
                self.node.registered[self] = None
                return Ready()
            case AuthResponse():
                return self._log_in(request.token)

    # --- the connection --------------------------------------------------------------------------------------------------

    def _start_up(self, request: Startup) -> Response:
        """transport/messages/StartupMessage.java."""
        self._has_begun = True
        options, compression = checked_options(request, self.state.version)
        self.state.options = options
        version = self.state.version
        self.choose_paths()
        assert isinstance(self._decoder, EnvelopeDecoder)
        self._throws_on_overload = options.get("THROW_ON_OVERLOAD") == "1"
        logs_in = self.node.config.auth.requires_login
        if not logs_in:
            self._decoder.size_max = self.node.config.frame_bytes_max
        decoder = negotiated(self._decoder, version, compression)
        if isinstance(decoder, SegmentDecoder):
            decoder.single_segments_only = logs_in
        decoder.admit, decoder.given_max = self._admit, GIVEN_BYTES_MAX
        self._next = (decoder, encoder(version, compression))
        if logs_in:
            self._authenticates = True
            return Authenticate(self.node.access.authenticator.java_name)
        self._ready = True
        return Ready()

    def _log_in(self, token: bytes) -> "Response | Pending[Response]":
        """transport/messages/AuthResponse.java. Raises BadCredentials, and may be asked again."""
        node = self.node
        if not node.config.auth.requires_login:
            return AuthSuccess(None)  # nobody asked for it: Cassandra is content with anything

        def steps() -> Steps[Response]:
            user = yield from node.access.authenticator.user_of(token, self.state.peer())
            node.access.log_in(self.state, user)
            self._authenticates, self._ready = False, True
            if isinstance(self._decoder, SegmentDecoder):
                self._decoder.single_segments_only = False
            else:
                self._decoder.size_max = node.config.frame_bytes_max
            self.choose_paths()
            return AuthSuccess(None)

        return Pending.begun(steps())

    def choose_paths(self) -> None:
        """Who has logged in is checked, and somebody may look on (Node.profile)."""
        self._fast, self._fast_query, self._fast_batch = paths_of(self.node, self.state, self._ready)

    def _switch(self) -> None:
        """From READY on both directions speak as agreed; in v5 it is itself the last message in the form of before."""
        assert self._next is not None
        decoder, encoder = self._next
        first = self._encoder if self.state.version >= 5 else encoder
        self.is_odd = True
        self._ready_to_send.append(first.encode(self._answers))
        self._answers.clear()
        self._served.clear()
        self._decoder, self._encoder, self._next = decoder, encoder, None

    def _refuse(self, refusals: list[Refusal]) -> None:
        """Answers bytes that were no acceptable message."""
        self._answers += map(encode_refusal, refusals)
        self.closing = self.closing or any(refusal.fatal for refusal in refusals)
        self.is_odd = True
        self._served += refusals
        refusals.clear()
