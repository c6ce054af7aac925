"""Work that is too long for one go of an event loop, and that can't be written as a generator: strands.

A `Strand` is a function in a thread of its own that runs only while somebody waits in `resume`, so at any moment either
the loop or one strand runs, never two. It hands the turn back where the function calls `pause` and the turn's time
is over. So code far below, which knows neither loop nor threads, can be long and yet hold nobody up, and everything
between two calls of `pause` is as little interrupted as if it ran on the loop. No data needs a lock.

(A thread that runs beside the loop does not do: whoever computes keeps the interpreter for a switch interval each time
that the loop reads or writes a socket. Measured with 32 busy clients: stalls of 10 ms at the shortest useful interval, and a
tenth of the requests.)

What runs knows whose turn it is (protocol/types/turns.py, which the types' loops use too).
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Generic, Protocol, TypeVar, cast

from protocol.errors import RequestError
from protocol.types.turns import (
    ITEMS_PER_GO_MAX,
    TooLong,
    in_go,
    in_turns,
    long_work,
    pause,
    paused,
    sorted_in_turns,
    sorting,
    turn,
)
from storage.environment.errands import Awaited, Errand, Errands
from storage.environment.remains import chained, let_go, remains_of

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)
Returned = TypeVar("Returned")
Result = TypeVar("Result", covariant=True)  # noqa: PLC0105

__all__ = [
    "ITEMS_PER_GO_MAX",
    "Abandoned",
    "InlineStrand",
    "InlineWorkers",
    "Overtaken",
    "Strand",
    "ThreadStrand",
    "ThreadWorkers",
    "TooLong",
    "beside",
    "commit",
    "in_go",
    "in_turns",
    "is_interruptible",
    "let_go_later",
    "let_go_piecewise",
    "let_go_wholly",
    "long_work",
    "pause",
    "paused",
    "sorted_in_turns",
    "sorting",
    "undisturbed",
    "wait_for",
]

STRANDS_MAX = 32
"""Strands at work at once; what comes then waits until one of them has ended."""
WAITING_STRANDS_MAX = 1_024
"""Beside them such as wait for other nodes."""
LONG_STRANDS_MAX = 24
"""Of these such as are longer than SHORT_BYTES."""
STRAND_MEMORY_MAX = 144 << 20
"""What the requests of all strands under way may take, as reckoned by `reckoned_memory`, unless it is just one."""
SHORT_BYTES = 8 << 10
"""Requests that are no longer don't count there: those who work on megabytes never keep them waiting."""
TEXT_FACTOR = 350
"""Measured: selected columns of one letter take so much; markers 470, sums of these columns 750, literals and statements of
batches 50 to 170."""
TOKENS_MEMORY = 140 << 20
"""What a statement of the most tokens takes (grammar/parser.py)."""
_LET_GO = 63
"""Objects that are dropped between two pauses."""


def reckoned_memory(size: int) -> int:
    """What a request of that length may take while it is worked on: a compiled text may be TEXT_FACTOR times as large, up
    to as many tokens as the parser takes; long values are there a few times: as a message, bound, as a record of the log."""
    return min(TEXT_FACTOR * size, TOKENS_MEMORY) + 4 * size


def strand_memory_max() -> int:
    """What all strands under way may take, those for short requests too."""
    return STRAND_MEMORY_MAX + STRANDS_MAX * reckoned_memory(SHORT_BYTES)


class Overtaken(BaseException):
    """What a strand relied on has changed while it paused: it must begin again."""


class Abandoned(BaseException):
    """Nobody waits for this strand any more."""


def without_frames(error: E) -> E:
    """The error, without the frames that it and those behind it came through. Frames hold what a request had, and where
    one of them holds the error in turn nothing is let go: only a full collection would find that."""
    for one in chained(error):
        one.__traceback__ = None
    return error


def let_go_later(*sequences: Sequence[object]) -> None:
    """These will be dropped soon, and dropping a hundred thousand objects at once takes a while: a strand lets them go
    one by one when its work is done."""
    current = turn.get()
    if isinstance(current, ThreadStrand):
        current.buried += [_copied(sequence) for sequence in sequences if len(sequence) > _LET_GO]


def let_go_wholly(one: object) -> None:
    """The same of what many objects hang on: what only it holds."""
    current = turn.get()
    if isinstance(current, ThreadStrand):
        current.remains.append(one)


def _copied(sequence: Sequence[object]) -> Iterator[list[object]]:
    items = [*sequence]
    del sequence
    yield items


def let_go_piecewise(pieces: Iterator[list[object]]) -> None:
    """The same of lists that are made when it is their turn."""
    current = turn.get()
    if isinstance(current, ThreadStrand):
        current.buried.append(pieces)


def is_interruptible() -> bool:
    """Whether a strand runs, and may pause."""
    return isinstance(turn.get(), ThreadStrand)


def undisturbed(function: Callable[[], Returned]) -> Returned:
    """Calls it without a pause: what it reads is still so when it writes."""
    current = turn.get()
    if not isinstance(current, ThreadStrand):
        return function()
    token = turn.set(None)
    try:
        return function()
    finally:
        turn.reset(token)
        current.commit()


def commit() -> None:
    """What follows is seen by others: from here on nothing is begun again. Pauses are allowed still."""
    current = turn.get()
    if current is not None:
        current.commit()


def beside(function: Callable[[], Returned]) -> Returned:
    """Calls what waits for the disk; a strand's loop goes on meanwhile. It may touch nothing that others see."""
    current = turn.get()
    if not isinstance(current, ThreadStrand):
        return function()
    token = turn.set(None)  # there is nobody to pause for
    try:
        return current.beside(function)
    finally:
        turn.reset(token)


def wait_for(awaited: Awaited) -> None:
    """Waits for what others do, of a strand whose loop goes on meanwhile; `long_work` has to come before. What the strand
    works on may be begun again here, unless it has committed."""
    if awaited.is_done:
        return
    strand = _strand.get()
    if strand is None:
        awaited.wait()
    else:
        strand.wait_for(awaited)


class Strand(Protocol[Result]):
    """A function under way."""

    def resume(self, until: float) -> bool:
        """Lets it go on until it pauses after that time (of the clock) or ends; whether it has ended."""

    @property
    def is_beside(self) -> bool:
        """Whether it waits for something (`beside`), and can't be resumed just now."""

    @property
    def awaited(self) -> Awaited | None:
        """What it waits for (`wait_for`): it is to be resumed when that is done."""

    def take_result(self) -> Result:
        """Once, when it has ended. Raises what the function raised."""

    def leave(self) -> None:
        """Nobody waits for it any more: it ends where it stands when it is resumed, and lets go in turns of what it had."""

    def abandon(self) -> None:
        """Ends it at once where it stands, if it has not ended."""


class ThreadStrand(Generic[T]):
    """A strand in a thread. `still_valid` is asked after each pause before `commit`: if not, Overtaken is raised there.
    `on_end` is called in the caller's thread, `on_wait` with 1 when it begins to wait for others and with -1 when it has.
    `is_long`: what it makes is so much that it is let go of in turns where an error, or the caller, ends it."""

    def __init__(
        self,
        clock: Callable[[], float],
        function: Callable[[], T],
        still_valid: Callable[[], bool],
        on_end: Callable[[], None],
        on_wait: Callable[[int], None],
        is_long: bool = True,
    ) -> None:
        self._clock, self._function, self._still_valid, self._on_end = clock, function, still_valid, on_end
        self._on_wait, self._is_long = on_wait, is_long
        self.awaited: Awaited | None = None
        self._until = 0.0
        self._its_turn, self._our_turn = threading.Lock(), threading.Lock()
        self._its_turn.acquire()
        self._our_turn.acquire()
        self._abandoned = self._committed = self._ended = self.is_beside = False
        self._lets_go = self._hurries = False
        self._error: BaseException | None = None
        self._result: object = None
        self.buried: list[Iterator[list[object]]] = []
        self.remains: list[object] = []

    # --- for the loop ----------------------------------------------------------------------------------------------

    def resume(self, until: float) -> bool:
        self._until = until
        self._its_turn.release()
        self._our_turn.acquire()
        if self._ended:
            self._on_end()
        return self._ended

    def take_result(self) -> T:
        result, error = self._result, self._error
        self._result = self._error = None
        try:
            if error is not None:
                raise error
            return cast(T, result)
        finally:
            del error  # which has this frame

    def leave(self) -> None:
        self._result = self._error = None
        self._abandoned = True

    def abandon(self) -> None:
        self.leave()
        if not self._ended:
            self._hurries = True
            self._its_turn.release()
            self._our_turn.acquire()
            self._on_end()

    # --- for the thread --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """All of it."""
        self._its_turn.acquire()
        token = turn.set(self)
        _strand.set(self)
        try:
            if not self._abandoned:
                self._result = self._function()
                self._committed = True
        except Abandoned as error:
            self._take_remains(error)
        except RequestError as error:  # an answer: nobody wants to know where it was raised
            self._take_remains(error)
            self._error = error
        except BaseException as error:  # noqa: BLE001 - raised by `take_result`
            self._error = error
        finally:
            self._lets_go = True
            del self._function
            self._let_go()
            turn.reset(token)
            _strand.set(None)
            self._ended = True
            self._our_turn.release()

    def _take_remains(self, error: BaseException) -> None:
        if self._is_long and not self._hurries:
            self.remains += remains_of(error)
        else:
            without_frames(error)

    def _let_go(self) -> None:
        for _ in let_go(self.remains):
            self.pause()
        while self.buried:
            for items in self.buried.pop():
                while items:
                    del items[-_LET_GO:]
                    self.pause()
                self.pause()

    def pause(self) -> None:
        if self._lets_go:
            if not self._hurries and self._clock() >= self._until:
                self._switch()
            return
        if self._abandoned or self._clock() < self._until:
            return  # what cleans up behind Abandoned is not interrupted
        self._switch()
        if self._abandoned:
            raise Abandoned
        if not self._committed and not self._still_valid():
            raise Overtaken

    def _switch(self) -> None:
        self._our_turn.release()
        self._its_turn.acquire()

    def beside(self, function: Callable[[], Returned]) -> Returned:
        self.is_beside = True
        self._our_turn.release()
        try:
            return function()
        finally:
            self.is_beside = False
            self._its_turn.acquire()
            if self._abandoned:
                raise Abandoned

    def wait_for(self, awaited: Awaited) -> None:
        if self._abandoned:
            return
        self.awaited = awaited
        self._on_wait(1)
        self._our_turn.release()
        self._its_turn.acquire()
        self._on_wait(-1)
        self.awaited = None
        if self._abandoned:
            raise Abandoned
        if not self._committed and not self._still_valid():
            raise Overtaken

    def long_work(self) -> None:
        pass

    def commit(self) -> None:
        self._committed = True


_strand: ContextVar[ThreadStrand[Any] | None] = ContextVar("strand", default=None)
"""The one that runs, also where it is not to be disturbed."""


class InlineStrand(Generic[T]):
    """Does everything at the first turn, in the caller's thread."""

    is_beside = False
    awaited: Awaited | None = None

    def __init__(self, function: Callable[[], T]) -> None:
        self._function: Callable[[], T] | None = function
        self._error: BaseException | None = None
        self._result: object = None

    def resume(self, until: float) -> bool:
        function, self._function = self._function, None
        token = turn.set(None)  # whoever waits for it has others to serve, but not now
        try:
            if function is not None:
                self._result = function()
        except BaseException as error:  # noqa: BLE001 - raised by `take_result`
            self._error = error
        finally:
            turn.reset(token)
        return True

    def take_result(self) -> T:
        result, error = self._result, self._error
        self._result = self._error = None
        try:
            if error is not None:
                raise error
            return cast(T, result)
        finally:
            del error  # which has this frame

    def abandon(self) -> None:
        self._function = self._result = self._error = None

    leave = abandon


class ThreadWorkers:
    """Begins strands in threads, which it keeps for the next ones."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._idle: list[_Worker] = []
        self._at_work: dict[_Worker, int] = {}  # what the requests may take
        self._waiting = 0  # of those at work
        self._errands = Errands()

    def errand(self, function: Callable[[], T]) -> Errand[T]:
        """Begins a function that runs beside the loop."""
        return self._errands.begin(function)

    def maybe_strand(self, function: Callable[[], T], still_valid: Callable[[], bool], size: int) -> ThreadStrand[T] | None:
        """A strand that works on a request of `size` bytes; None while too many others are under way."""
        at_work = self._at_work
        memory = reckoned_memory(size) if size > SHORT_BYTES else 0
        if len(at_work) - self._waiting >= STRANDS_MAX or self._waiting >= WAITING_STRANDS_MAX:
            return None
        if memory:
            others = [taken for taken in at_work.values() if taken]
            if len(others) >= LONG_STRANDS_MAX or (others and sum(others) + memory > STRAND_MEMORY_MAX):
                return None
        worker = self._idle.pop() if self._idle else _Worker()
        at_work[worker] = memory

        def on_end() -> None:
            del at_work[worker]
            self._idle.append(worker)

        strand = ThreadStrand(self._clock, function, still_valid, on_end, self._count_waiting, bool(memory))
        worker.begin(strand.run)
        return strand

    def _count_waiting(self, change: int) -> None:
        self._waiting += change

    def background(self, function: Callable[[], T]) -> ThreadStrand[T]:
        """A strand that works for nobody's request."""
        worker = self._idle.pop() if self._idle else _Worker()
        strand = ThreadStrand(self._clock, function, lambda: True, lambda: self._idle.append(worker), lambda change: None)
        strand.commit()
        worker.begin(strand.run)
        return strand


class InlineWorkers:
    """Does each strand's work at its first turn, in the caller's thread, and errands at once."""

    __slots__ = ()

    def errand(self, function: Callable[[], T]) -> Errand[T]:
        errand = Errand(function)
        errand.run()
        return errand

    def maybe_strand(self, function: Callable[[], T], still_valid: Callable[[], bool], size: int) -> InlineStrand[T] | None:
        return InlineStrand(function)

    def background(self, function: Callable[[], T]) -> InlineStrand[T]:
        return InlineStrand(function)


class _Worker:
    """A thread that does one job after the other."""

    def __init__(self) -> None:
        self._wanted = threading.Lock()
        self._wanted.acquire()
        self._job: Callable[[], None] | None = None
        threading.Thread(target=self._run, name="strand", daemon=True).start()

    def begin(self, job: Callable[[], None]) -> None:
        self._job = job
        self._wanted.release()

    def _run(self) -> None:
        while True:
            self._wanted.acquire()
            job, self._job = self._job, None
            assert job is not None
            job()
            del job
