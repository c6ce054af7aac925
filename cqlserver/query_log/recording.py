"""Requests and answers as bytes, the newest QUERY_BYTES_MAX of them.

A session tells its observer of each go what it served: a list of envelopes, and as many answers. Nothing is decoded here;
the one thing that is looked at is PREPARE, since a statement's text may be forgotten before somebody asks for it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from protocol.requests import PREPARE

if TYPE_CHECKING:
    from cqlserver.connections.session import Session
    from protocol.frames import Envelope

QUERY_BYTES_MAX: Final = 32 << 20
"""Of requests and answers; beyond that the oldest go."""
GO_BYTES: Final = 500
"""About what a go takes beside the bytes."""
PREPARED_MAX: Final = 10_000

_OPCODE: Final = 3


class Go(NamedTuple):
    """What a session served in one go. `number`: of its first request; `at_s`: by the clock for deadlines; `seconds`: what
    all of them took together."""

    number: int
    at_s: float
    seconds: float
    client: str
    driver: str
    keyspace: str | None
    version: int
    envelopes: "Sequence[Envelope]"
    answers: Sequence[bytes]
    size: int


class QueryLog:
    """See the module. `next_number`: what the next request will have."""

    def __init__(self, prepared: dict[bytes, str], now: Callable[[], float]) -> None:
        self.prepared = prepared
        self.next_number = 0
        self._now = now
        self._goes: deque[Go] = deque()
        self._size = 0

    def served(self, session: "Session", envelopes: "Sequence[Envelope]", answers: Sequence[bytes], seconds: float) -> None:
        """Called by sessions; neither sequence changes any more."""
        size = GO_BYTES
        for envelope, answer in zip(envelopes, answers, strict=False):
            size += len(envelope[4]) + len(answer)
            if envelope[_OPCODE] == PREPARE:
                self._remember(envelope, answer)
        state = session.state
        go = Go(
            self.next_number,
            self._now(),
            seconds,
            f"{state.address}:{state.port}",
            state.driver,
            state.keyspace,
            state.version,
            envelopes,
            answers,
            size,
        )
        self.next_number += len(envelopes)
        self._goes.append(go)
        self._size += size
        while self._size > QUERY_BYTES_MAX and len(self._goes) > 1:
            self._size -= self._goes.popleft().size

    def _remember(self, envelope: "Envelope", answer: bytes) -> None:
        from cqlserver.query_log.entries import prepared_text

        pair = prepared_text(envelope, answer)
        if pair is not None:
            if len(self.prepared) >= PREPARED_MAX:
                del self.prepared[next(iter(self.prepared))]
            self.prepared[pair[0]] = pair[1]

    def goes(self, since: int) -> list[Go]:
        """Those with requests of this number and later."""
        found = []
        for go in reversed(self._goes):
            if go.number + len(go.envelopes) <= since:
                break
            found.append(go)
        return found[::-1]

    @property
    def first_number(self) -> int:
        """Of the oldest request that is still there."""
        first = next(islice(self._goes, 1), None)
        return first.number if first is not None else self.next_number

