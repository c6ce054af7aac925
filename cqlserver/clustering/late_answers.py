"""Answers to requests that a fast path left to other nodes (plans/plan.py, LATER): who waits for them, told many at once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

from cqlserver.plans.fast.values import VOID_TAIL
from protocol.frames import Envelope

if TYPE_CHECKING:
    from cqlserver.connections.session import Session

Waiter: TypeAlias = "tuple[Session, Envelope]"


class LateAnswers:
    """One node's."""

    def __init__(self) -> None:
        self._touched: dict[Session, None] = {}

    def tell(self, waiters: Sequence[object], error: Exception | None) -> None:
        """The writes that these wait for have come to an end."""
        touched = self._touched
        answer: bytes | Exception = VOID_TAIL if error is None else error
        for waiter in waiters:
            if waiter is not None:
                session, envelope = cast("Waiter", waiter)
                session.answer_late(envelope, answer)
                touched[session] = None

    def send(self) -> None:
        """What was told since the last time; the log is written."""
        if self._touched:
            touched, self._touched = self._touched, {}
            for session in touched:
                session.on_push()
