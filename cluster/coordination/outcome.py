"""What an operation comes to, once it does."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar, cast

from protocol.errors import InternalError

T = TypeVar("T")


class Outcome(Generic[T]):
    """Settled once, with a result or an error; later ones are not heard."""

    __slots__ = ("_callbacks", "_error", "_result", "is_done")

    def __init__(self) -> None:
        self.is_done = False
        self._error: Exception | None = None
        self._result: object = None
        self._callbacks: list[Callable[[], None]] = []

    def settle(self, result: T) -> None:
        self._end(result, None)

    def fail(self, error: Exception) -> None:
        self._end(None, error)

    def _end(self, result: T | None, error: Exception | None) -> None:
        if self.is_done:
            return
        self.is_done, self._result, self._error = True, result, error
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    @property
    def result(self) -> T:
        """When it is done. Raises what the operation failed with."""
        if self._error is not None:
            raise self._error
        return cast(T, self._result)

    def when_done(self, callback: Callable[[], None]) -> None:
        """Has `callback` called, at once where it is done."""
        if self.is_done:
            callback()
        else:
            self._callbacks.append(callback)

    @property
    def error(self) -> Exception | None:
        """What the operation failed with, when it is done."""
        return self._error

    def wait(self) -> None:
        raise InternalError("an answer of other nodes can't be waited for here: nothing would bring it")


def all_of(outcomes: Sequence[Outcome[None]]) -> Outcome[None]:
    """Settled when all are, failed as soon as one has."""
    if len(outcomes) == 1:
        return outcomes[0]
    whole: Outcome[None] = Outcome()
    left = len(outcomes)

    def one_done(outcome: Outcome[None]) -> None:
        nonlocal left
        left -= 1
        if outcome.error is not None:
            whole.fail(outcome.error)
        elif not left:
            whole.settle(None)

    for outcome in outcomes:
        outcome.when_done(partial(one_done, outcome))
    if not outcomes:
        whole.settle(None)
    return whole
