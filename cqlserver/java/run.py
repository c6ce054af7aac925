"""One execution of a body: what it has used up of its steps and memory, and who says when it took too long.

A frame is a list: the Run, the value that `return` gave, then parameters and locals. Loops count their rounds here, and
whatever makes something long (text, arrays, big numbers) says so before it does.
"""

from collections.abc import Callable
from typing import Any, Final

from cqlserver.java.errors import ExecutionLimit, thrown

ROUNDS_PER_LOOK: Final = 500
"""Rounds of loops between two looks at the clock: well under a millisecond."""
BYTES_MAX: Final = 64 << 20
"""Of all that one execution makes, dropped or not; Cassandra lets a function fill the heap."""
OBJECT_BYTES_MAX: Final = 16 << 20
"""Of one text, array or number."""

Frame = list[Any]
Look = Callable[["Run"], None]


class Run:
    """`look` is called now and then: others may run there, and it raises what a timeout is answered with. The deadlines
    are its own to keep: monotonic seconds, 0 before the first look."""

    __slots__ = ("_look", "_taken", "deadline_s", "now_ms", "rounds", "warning_s")

    def __init__(self, look: Look, now_ms: Callable[[], int]) -> None:
        self._look, self.now_ms = look, now_ms
        self.rounds = self._taken = 0
        self.deadline_s = self.warning_s = 0.0

    def tick(self, rounds: int) -> None:
        """A loop went round so often."""
        self.rounds += rounds
        if self.rounds >= ROUNDS_PER_LOOK:
            self.rounds = 0
            self._look(self)

    def take(self, size: int) -> None:
        """So many bytes are about to be made. Raises ExecutionLimit, or Java's OutOfMemoryError's stand-in."""
        self._taken += size
        if size > OBJECT_BYTES_MAX or self._taken > BYTES_MAX:
            raise ExecutionLimit("java.lang.OutOfMemoryError: Java heap space")
        self.tick(size >> 8)


def null_pointer(action: str, origin: str | None) -> Exception:
    """NullPointerException as Java 17 words it: 'Cannot invoke "String.length()" because "<local4>" is null'."""
    return thrown("NullPointerException", action if origin is None else f"{action} because {origin} is null")
