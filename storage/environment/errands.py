"""Work that needs a thread but not the interpreter, or that waits: hashing passwords, reading many files at once.

An errand runs beside the loop, unlike a strand (strands.py): what it calls lets go of the interpreter while it computes.
Whoever needs the result yields the errand from its steps (Pending), and is gone on with when it is done.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, cast

T = TypeVar("T")


class Awaited(Protocol):
    """What work waits for: an errand, other nodes."""

    @property
    def is_done(self) -> bool: ...
    def when_done(self, callback: Callable[[], None]) -> None:
        """Has `callback` called, in whatever thread brings the end, or at once where it has come. One callback only."""

    def wait(self) -> None:
        """For callers that have nobody else to serve."""


class Errand(Generic[T]):
    """A function that somebody else calls. `run` is for them."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function: Callable[[], T] | None = function
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._on_done: Callable[[], None] | None = None
        self._error: BaseException | None = None
        self._result: object = None

    def run(self) -> None:
        function = self._function
        assert function is not None
        try:
            self._result = function()
        except BaseException as error:  # noqa: BLE001 - raised by `result`
            self._error = error
        self._function = None
        with self._lock:
            self._done.set()
            on_done = self._on_done
        if on_done is not None:
            on_done()

    @property
    def is_done(self) -> bool:
        return self._done.is_set()

    @property
    def result(self) -> T:
        """When it is done. Raises what the function raised."""
        if self._error is not None:
            raise self._error
        return cast(T, self._result)

    def when_done(self, callback: Callable[[], None]) -> None:
        """Has `callback` called, in the thread of the errand, or at once where it is done. One callback only."""
        with self._lock:
            if not self._done.is_set():
                self._on_done = callback
                return
        callback()

    def wait(self) -> None:
        """For callers that have nobody else to serve."""
        self._done.wait()


AT_ONCE = 2
"""Threads where nobody says how many; what comes then waits its turn."""


class Errands:
    """Does errands, in threads that end when there is nothing to do."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._lock = threading.Lock()
        self._waiting: deque[Errand[Any]] = deque()
        self._threads = 0

    def begin(self, function: Callable[[], T]) -> Errand[T]:
        errand = Errand(function)
        with self._lock:
            self._waiting.append(errand)
            if self._threads == self._at_once:
                return errand
            self._threads += 1
        threading.Thread(target=self._run, name="errands", daemon=True).start()
        return errand

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                errand = self._waiting.popleft()
            errand.run()
