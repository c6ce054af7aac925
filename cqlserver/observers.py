"""Who hears of what sessions serve: the query log, the audit log, the full query log. Mostly nobody."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cqlserver.connections.session import Session
    from protocol.frames import Envelope


class Observer(Protocol):
    def served(
        self,
        session: "Session",
        envelopes: "Sequence[Envelope]",
        answers: Sequence[bytes],
        seconds: float,
    ) -> None:
        """Called by sessions behind each go, before its answers leave; neither sequence is to be kept. `seconds`: what
        all took together. Must not raise."""
        ...


class Observers:
    """Several, as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def served(
        self,
        session: "Session",
        envelopes: "Sequence[Envelope]",
        answers: Sequence[bytes],
        seconds: float,
    ) -> None:
        for observer in self._observers:
            observer.served(session, envelopes, answers, seconds)


def as_one(observers: Sequence[Observer]) -> Observer | None:
    """None: nobody has to be told."""
    if len(observers) > 1:
        return Observers(observers)
    return observers[0] if observers else None
