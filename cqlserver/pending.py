"""Results that are not there yet."""

from collections.abc import Callable, Generator
from typing import Generic, TypeAlias, TypeVar, cast

from storage.environment.errands import Awaited

Outcome = TypeVar("Outcome", covariant=True)  # noqa: PLC0105
Changed = TypeVar("Changed")
Steps: TypeAlias = Generator[Awaited | None, None, Changed]
"""Work in steps: yields None where others may run, an errand or the like where nothing is to be done before that is."""


class Pending(Generic[Outcome]):
    """Work that is too long for one go of the loop, cut into steps: a generator that yields where others may run and
    returns the result. Other requests of the same connection are served meanwhile, as the protocol allows. `awaited`: no
    step is to be done before that is."""

    __slots__ = ("_result", "_steps", "awaited")

    def __init__(self, steps: Steps[Outcome]) -> None:
        self._steps = steps
        self.awaited: Awaited | None = None
        self._result: object = None

    @classmethod
    def begun(cls, steps: Steps[Changed]) -> "Changed | Pending[Changed]":
        """The result, where the first step is the last one."""
        pending: Pending[Changed] = Pending(steps)
        return pending.result if pending.step() else pending

    def step(self) -> bool:
        """Does the next step; whether that was the last, so that `result` is there. Raises what the work raises."""
        if self.awaited is not None and not self.awaited.is_done:
            return False
        try:
            self.awaited = next(self._steps)
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
            if self.awaited is not None:
                self.awaited.wait()
        return self.result

    def steps(self) -> Steps[Outcome]:
        """For work that this is a part of."""
        if self.awaited is not None:
            yield self.awaited
        return (yield from self._steps)

    def finish_in_turns(self, pause: Callable[[], None]) -> "Outcome | Pending[Outcome]":
        """Does all the work now, with a pause behind each step; what is left of it where that waits for an errand."""
        while not self.step():
            if self.awaited is not None:
                return self
            pause()
        return self.result

    def close(self) -> None:
        """Gives the work up: nobody waits for it any more."""
        self._steps.close()

    def map(self, change: Callable[[Outcome], Changed]) -> "Pending[Changed]":
        """The same work, its result put through `change`."""

        def steps() -> Steps[Changed]:
            return change((yield from self.steps()))

        return Pending(steps())
