"""Answers to requests that a fast path left to other nodes (plans/plan.py, LATER): who waits for them, told many at once."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from cqlserver.plans.fast.values import VOID_TAIL
from protocol.frames import Envelope

if TYPE_CHECKING:
    from cqlserver.connections.session import Session

class Late(NamedTuple):
    """A request that is to be answered later. `keyspace`: what was in use when it came; `size`: bytes that it holds."""

    session: "Session"
    envelope: Envelope
    keyspace: str | None
    size: int


class LateAnswers:
    """One node's (cluster/coordination/write_bundle.py, Waiting)."""

    def __init__(self) -> None:
        self._touched: dict[Session, None] = {}

    def written(self, waiters: Sequence[object]) -> None:
        for late in self._taken(waiters):
            late.session.answer_late(late, VOID_TAIL)

    def read(self, waiters: Sequence[object], answers: Sequence[bytes]) -> None:
        touched = self._touched
        for waiter, answer in zip(waiters, answers, strict=True):
            if waiter is not None:
                late = cast(Late, waiter)
                late.session.answer_late(late, answer)
                touched[late.session] = None

    def refused(self, waiters: Sequence[object], error: Exception) -> None:
        for late in self._taken(waiters):
            late.session.refuse_late(late, error)

    def again(self, waiters: Sequence[object]) -> None:
        for late in self._taken(waiters):
            late.session.go_on_late(late)

    def _taken(self, waiters: Sequence[object]) -> Iterator[Late]:
        touched = self._touched
        for waiter in waiters:
            if waiter is not None:
                late = cast(Late, waiter)
                touched[late.session] = None
                yield late

    def send(self) -> None:
        """What was told since the last time; the log is written."""
        if self._touched:
            touched, self._touched = self._touched, {}
            for session in touched:
                session.on_push()
