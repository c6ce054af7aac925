"""A request of a session that is under way in steps, and those that were answered and may have to be answered again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from cqlserver.connections.apart import encoded_apart
from cqlserver.connections.bounds import TURN_S
from cqlserver.metrics.meters import RequestMeter
from cqlserver.pending import Pending, Steps
from cqlserver.state import ClientState, ReadWork
from cqlserver.system.tracing import Trace
from protocol.frames import Encoder, Envelope, Refusal
from protocol.responses import Response
from storage.environment.errands import Awaited
from storage.environment.strands import Overtaken, Strand

if TYPE_CHECKING:
    from cqlserver.node import Node


WorkOn = Callable[["Unanswered"], Response | bytes | Pending[Response]]
Finished = Callable[[Pending[Response], "Unanswered"], Response | bytes | Pending[Response]]


class Served(NamedTuple):
    """Requests and refused bytes that were answered, and the keyspace that was in use before the first of them."""

    keyspace: str | None
    messages: Sequence[Envelope | Refusal]


@dataclass(slots=True, eq=False)
class Unanswered:
    """A request that is under way in steps, with what its answer will need. `keyspace`: what was in use when it came;
    `wrote`: a log write stands behind it; `began`: when, by the node's clock; `spent_s`: for how long it has had turns;
    `meters` count it, `rows`: as many are in its answer; `read_work`: what it has read; `error_name`: that of its error;
    `answer` is encoded apart."""

    envelope: Envelope
    keyspace: str | None
    trace: Trace | None = None
    warnings: list[str] = field(default_factory=list)
    pending: Pending[Response | bytes] | None = None
    strand: Strand[object] | None = None
    wrote: bool = False
    began: float = 0.0
    spent_s: float = 0.0
    meters: tuple[RequestMeter, ...] = ()
    rows: int | None = None
    read_work: ReadWork | None = None
    error_name: str | None = None
    answer: bytes | None = None

    def take_place(self, state: ClientState) -> tuple[list[str], str | None]:
        """Its own in the connection's state, for a step; what `give_back` wants, behind it."""
        others = state.warnings, state.keyspace
        state.warnings, state.keyspace, state.trace = self.warnings, self.keyspace, self.trace
        state.meters, state.read_work = self.meters, self.read_work
        return others

    def give_back(self, state: ClientState, others: tuple[list[str], str | None]) -> None:
        self.meters, self.read_work, self.warnings = state.meters, state.read_work, state.warnings
        state.warnings, state.trace = others[0], None
        if state.keyspace == self.keyspace:  # it was no USE
            state.keyspace = others[1]

    def count(self, node: "Node") -> None:
        """It is answered."""
        node.metering.served(self.envelope[3], self.meters, self.began, self.rows, self.error_name, is_timed=True)
        if self.read_work is not None:
            node.note_read(self.envelope, self.began, self.read_work)

    @property
    def awaited(self) -> Awaited | None:
        """What must be done before the next step is."""
        return self.pending.awaited if self.pending is not None else None

    def begin_turns(self, node: "Node", work_on: WorkOn, finished: Finished, forget: Callable[[], None]) -> None:
        """It is done in turns from now on."""
        self.pending = Pending(self._turns(node, work_on, finished, forget))

    def _turns(
        self, node: "Node", work_on: WorkOn, finished: Finished, forget: Callable[[], None]
    ) -> Steps[Response | bytes]:
        """Has a strand do the work, a turn at each step, and what is `finished` when an errand is done. What was compiled
        against one schema must not meet another: where the schema changes before anything is done, it is forgotten and begun
        again, with longer turns, so there is an end."""
        workers, clock, turn_s = node.environment.workers, node.environment.clock.monotonic, TURN_S
        work: Callable[[], Response | bytes | Pending[Response]] = partial(work_on, self)
        while True:
            strand = workers.maybe_strand(work, node.unchanged_schema(), len(self.envelope[4]))
            if strand is None:
                yield None
                continue
            self.strand = strand
            try:
                while not strand.resume(clock() + turn_s):
                    yield strand.awaited
                outcome = strand.take_result()
            except Overtaken:
                forget()
                turn_s *= 2
                continue
            finally:
                self.strand = None
                strand.abandon()
            if not isinstance(outcome, Pending):
                return outcome
            yield outcome.awaited
            work = partial(finished, outcome, self)

    def encode_apart(self, node: "Node", encoder: Encoder, answer: bytes) -> None:
        """It is answered; what is left is to encode that."""
        self.answer = answer
        self.pending = Pending(encoded_apart(node, encoder, answer))
        self.pending.step()  # it has begun: the answer counts

    def maybe_encoded(self) -> bytes | None:
        """What `encode_apart` began, when it is done. Raises what that raised."""
        pending = self.pending
        assert pending is not None
        encoded = pending.result if pending.step() else None
        assert encoded is None or isinstance(encoded, bytes)
        return encoded

    def leave(self, until: float) -> bool:
        """Nobody waits for it any more: gives it up, and lets go of what it had until that time; whether it has."""
        if self.strand is not None:
            self.strand.leave()
            if not self.strand.resume(until):
                return False
        self.close()
        return True

    def close(self) -> None:
        """Gives it up at once."""
        pending, self.pending = self.pending, None
        if pending is not None:
            pending.close()
