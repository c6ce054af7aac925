"""Answers to requests that a fast path left to other nodes (plans/plan.py, LATER): who waits for them, told many at once."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, cast

from cqlserver.plans.fast.values import VOID_TAIL
from protocol.frames import Envelope

if TYPE_CHECKING:
    from cqlserver.connections.session import Session

P = ParamSpec("P")


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
            _attempt(late.session, late.session.answer_late, late, VOID_TAIL)

    def read(self, waiters: Sequence[object], answers: Sequence[bytes]) -> None:
        touched = self._touched
        for waiter, answer in zip(waiters, answers, strict=True):
            if waiter is not None:
                late = cast(Late, waiter)
                touched[late.session] = None
                _attempt(late.session, late.session.answer_late, late, answer)

    def decided(self, waiters: Sequence[object], answers: Sequence[bytes]) -> None:
        self.read(waiters, answers)

    def refused(self, waiters: Sequence[object], error: Exception) -> None:
        for late in self._taken(waiters):
            _attempt(late.session, late.session.refuse_late, late, error)

    def again(self, waiters: Sequence[object]) -> None:
        for late in self._taken(waiters):
            _attempt(late.session, late.session.go_on_late, late)

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
                session.node.border.attempt(session.on_push)


class Told(NamedTuple):
    """What became of requests; `tell` says it."""

    waiters: Sequence[object]
    tell: Callable[[], None]


class HeldAnswers(LateAnswers):
    """The same where nothing may leave before the log is synced: what is told waits to be taken (station.py)."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[Told] = []

    @property
    def has_told(self) -> bool:
        return bool(self._held)

    def written(self, waiters: Sequence[object]) -> None:
        self._held.append(Told(waiters, partial(super().written, waiters)))

    def decided(self, waiters: Sequence[object], answers: Sequence[bytes]) -> None:
        self._held.append(Told(waiters, partial(super().decided, waiters, answers)))

    def take_told(self) -> list[Told]:
        told, self._held = self._held, []
        return told


def _attempt(session: "Session", action: Callable[P, None], *arguments: P.args, **named: P.kwargs) -> None:
    """What goes wrong with one client's answer closes its connection, and concerns nobody else."""
    if not session.node.border.attempt(action, *arguments, **named):
        session.closing = True
