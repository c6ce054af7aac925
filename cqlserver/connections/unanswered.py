"""A request of a session that is under way in steps, and those that were answered and may have to be answered again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cqlserver.metrics.meters import Metering, RequestMeter
from cqlserver.pending import Pending
from cqlserver.system.tracing import Trace
from protocol.frames import Envelope, Refusal
from protocol.responses import Response
from storage.environment.errands import Awaited
from storage.environment.strands import Strand


class Served(NamedTuple):
    """Requests and refused bytes that were answered, and the keyspace that was in use before the first of them."""

    keyspace: str | None
    messages: Sequence[Envelope | Refusal]


@dataclass(slots=True, eq=False)
class Unanswered:
    """A request that is under way in steps, with what its answer will need. `keyspace`: what was in use when it came;
    `wrote`: a log write stands behind it; `began`: when, by the node's clock; `spent_s`: for how long it has had turns;
    `meters` count it, `rows`: as many are in its answer; `error_name`: that of its error."""

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
    error_name: str | None = None

    def count(self, metering: Metering) -> None:
        """It is answered."""
        metering.served(self.envelope[3], self.meters, self.began, self.rows, self.error_name, is_timed=True)

    @property
    def awaited(self) -> Awaited | None:
        """What must be done before the next step is."""
        return self.pending.awaited if self.pending is not None else None

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
