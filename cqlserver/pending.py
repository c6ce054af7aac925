"""Results that are not there yet."""

from collections.abc import Callable, Generator
from typing import Generic, TypeVar

import trio

Outcome = TypeVar("Outcome", covariant=True)
Changed = TypeVar("Changed")


class Pending(Generic[Outcome]):
    """Work that is too long for one go of the loop, cut into steps: a generator that yields where others may run and
    returns the result. Other requests of the same connection are served meanwhile, as the protocol allows."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Generator[None, None, Outcome]) -> None:
        self._steps = steps

    async def wait(self) -> Outcome:
        """Does the work, a step at a time."""
        while True:
            try:
                next(self._steps)
            except StopIteration as end:
                result: Outcome = end.value
                return result
            await trio.lowlevel.checkpoint()

    def finish(self) -> Outcome:
        """Does all the work now, for callers that have nobody to yield to."""
        while True:
            try:
                next(self._steps)
            except StopIteration as end:
                result: Outcome = end.value
                return result

    def map(self, change: Callable[[Outcome], Changed]) -> "Pending[Changed]":
        """The same work, its result put through `change`."""

        def steps() -> Generator[None, None, Changed]:
            return change((yield from self._steps))

        return Pending(steps())
