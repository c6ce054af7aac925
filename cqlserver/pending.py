"""Results that are not there yet."""

from collections.abc import Callable, Generator
from typing import Generic, TypeVar, cast

Outcome = TypeVar("Outcome", covariant=True)  # noqa: PLC0105
Changed = TypeVar("Changed")


class Pending(Generic[Outcome]):
    """Work that is too long for one go of the loop, cut into steps: a generator that yields where others may run and
    returns the result. Other requests of the same connection are served meanwhile, as the protocol allows."""

    __slots__ = ("_result", "_steps")

    def __init__(self, steps: Generator[None, None, Outcome]) -> None:
        self._steps = steps
        self._result: object = None

    def step(self) -> bool:
        """Does the next step; whether that was the last, so that `result` is there. Raises what the work raises."""
        try:
            next(self._steps)
        except StopIteration as end:
            self._result = end.value
            return True
        return False

    @property
    def result(self) -> Outcome:
        return cast(Outcome, self._result)

    def finish(self) -> Outcome:
        """Does all the work now, for callers that have nobody to yield to."""
        while not self.step():
            pass
        return self.result

    def steps(self) -> Generator[None, None, Outcome]:
        """For work that this is a part of."""
        return self._steps

    def finish_in_turns(self, pause: Callable[[], None]) -> Outcome:
        """Does all the work now, with a pause behind each step."""
        while not self.step():
            pause()
        return self.result

    def close(self) -> None:
        """Gives the work up: nobody waits for it any more."""
        self._steps.close()

    def map(self, change: Callable[[Outcome], Changed]) -> "Pending[Changed]":
        """The same work, its result put through `change`."""

        def steps() -> Generator[None, None, Changed]:
            return change((yield from self._steps))

        return Pending(steps())
