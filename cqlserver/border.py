"""The border of a request, of a connection, of a task: what is raised within ends there, is told once, and leaves nothing.

Every exception becomes one of three things. A session makes an ERROR message of it (`answer_to`): it ends one request.
Where no answer can be made the listener closes the connection (`attempt`). And what belongs to nobody ends one round of a
task of the loop, which goes on (`forever`). Errors that clients may see are not told; bugs of ours are told with their
traceback, each place once in a while, so that a client who found one can't fill the disk with it.

An error holds the frames that it came through, and these whatever the request had: its text, its tree, half an answer. They
mostly hold the error in turn, so that nothing but a full collection, which this server does without (garbage.py), would
let go of them. So whoever keeps an error beyond its `except` gives up its frames (`without_frames`).
"""

import logging
from collections.abc import Awaitable, Callable
from typing import ParamSpec

import trio

from protocol.errors import RequestError, ServerError, StorageError
from storage.environment.strands import without_frames

log = logging.getLogger("cqlserver")

P = ParamSpec("P")

TOLD_AGAIN_S = 60.0
"""How long a bug of one place is only counted after it has been told."""
PLACES_MAX = 1_000
"""Places that are remembered."""
TASK_PAUSE_S = 0.1
"""How long a task rests after a round that raised: if every round does, the others have the processor meanwhile."""


class Border:
    """One node's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.bug_count = 0
        self._told: dict[tuple[type[BaseException], str, int], tuple[float, int]] = {}
        """Where a bug was raised -> when it was told, and how often it came since."""
        self._warned: dict[str, float] = {}

    def answer_to(self, error: Exception) -> RequestError:
        """What the client of a request gets to hear of what its request raised. The error's frames are given up."""
        if isinstance(error, RequestError):
            return without_frames(error)
        if isinstance(error, RecursionError):
            without_frames(error)
            return ServerError("java.lang.StackOverflowError")  # Cassandra's answer to what is nested too deep
        self.tell(error)
        return ServerError(str(error) if isinstance(error, StorageError) else f"{type(error).__name__}: {error}")

    def tell(self, error: BaseException) -> None:
        """Logs what nobody else will hear of. The error's frames are given up."""
        if isinstance(error, StorageError | RequestError):
            log.error("%s", error)
        else:
            self._tell_bug(error)
        without_frames(error)

    def _tell_bug(self, error: BaseException) -> None:
        self.bug_count += 1
        place, now = _place(error), self._clock()
        told_at, count = self._told.get(place, (now - TOLD_AGAIN_S, 0))
        if now - told_at < TOLD_AGAIN_S:
            self._told[place] = told_at, count + 1
            return
        if len(self._told) >= PLACES_MAX:
            self._told.clear()
        self._told[place] = now, 0
        again = f" ({count} more since it was last told)" if count else ""
        log.error("a bug in this server: %s%s", error, again, exc_info=error)

    def warn(self, message: str) -> None:
        """Logs it, unless that was done lately: clients can cause it as often as they like."""
        now = self._clock()
        if now - self._warned.get(message, now - TOLD_AGAIN_S) >= TOLD_AGAIN_S:
            if len(self._warned) >= PLACES_MAX:
                self._warned.clear()
            self._warned[message] = now
            log.error("%s", message)

    def attempt(self, action: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> bool:
        """Does it; whether it ended well. What it raised is told."""
        try:
            action(*arguments, **named)
        except Exception as error:  # noqa: BLE001 - told
            self.tell(error)
            return False
        return True

    async def forever(self, task: Callable[[], Awaitable[None]]) -> None:
        """A task of the loop, begun again whenever it raises."""
        while True:
            try:
                await task()
            except Exception as error:  # noqa: BLE001 - told
                self.tell(error)
            await trio.sleep(TASK_PAUSE_S)


def _place(error: BaseException) -> tuple[type[BaseException], str, int]:
    """Where it was raised."""
    trace = error.__traceback__
    if trace is None:
        return type(error), "", 0
    while trace.tb_next is not None:
        trace = trace.tb_next
    return type(error), trace.tb_frame.f_code.co_filename, trace.tb_lineno
