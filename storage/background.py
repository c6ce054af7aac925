"""Work that runs beside requests: flushes, compactions, removals. One place has them all, for whoever lists or stops them.

Each is a plain function in a strand (storage/environment/strands.py): it pauses now and then, and waits for the disk
`beside` the loop. There are lanes, one task of each lane under way at once: a flush does not wait for a compaction.
What fails is logged with its traceback and remembered as failed; it harms nobody else.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from storage.environment.environment import Workers
from storage.environment.errands import Errand
from storage.environment.strands import Abandoned, InlineWorkers, Strand, beside, is_interruptible, pause

log = logging.getLogger("cqlserver.background")

FINISHED_MAX: Final = 100
"""Of the tasks that have ended this many are remembered."""


class Lane(Enum):
    FLUSH = "flush"
    COMPACTION = "compaction"
    SNAPSHOT = "snapshot"
    REMOVAL = "removal"
    VALIDATION = "validation"
    VIEW_BUILD = "view build"
    INDEX_BUILD = "index build"
    STREAM = "stream"
    ARCHIVE = "archive"
    PEERS = "peers"
    ROW_CACHE = "row cache"


class TaskState(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cancelled(Exception):
    """The task was told to stop."""


@dataclass(eq=False, slots=True)
class Task:
    """A piece of work. `completed` of `total` (in `unit`) is up to the function; it calls `point` where others may run."""

    lane: Lane
    kind: str
    subject: str
    function: Callable[["Task"], None]
    unit: str = "bytes"
    id: str = ""
    """Of the compaction that it does just now; `sstables` go into it, and `target` is the folder of what comes out."""
    sstables: int = 0
    target: str = ""
    total: int = 0
    completed: int = 0
    state: TaskState = TaskState.WAITING
    is_paused: bool = False
    is_cancelled: bool = False
    is_hurried: bool = False
    """Somebody waits for it, and nothing else goes on."""
    waits_for: Callable[[], bool] | None = None
    error: BaseException | None = None
    ended_s: float = 0.0
    """By the clock's monotonic time."""
    on_end: list[Callable[[], None]] = field(default_factory=list)

    @property
    def has_ended(self) -> bool:
        return self.state not in (TaskState.WAITING, TaskState.RUNNING)

    def point(self) -> None:
        """Others may run here. Raises Cancelled."""
        pause()
        if self.is_cancelled:
            raise Cancelled

    def wait(self, condition: Callable[[], bool], force: Callable[[], object]) -> None:
        """Until `condition` holds; `force` is called where nobody else would see to it."""
        self.waits_for = condition
        try:
            while not condition():
                if self.is_hurried or not is_interruptible():
                    force()
                    if condition() or not is_interruptible():
                        return
                    beside(lambda: None)  # it is for another lane to do
                self.point()
        finally:
            self.waits_for = None

    def cancel(self) -> None:
        self.is_cancelled = True


class _Ended(Errand[None]):
    """Nobody does it: it is done with the last of some tasks."""

    def __init__(self, background: "Background", tasks: Sequence[Task]) -> None:
        super().__init__(lambda: None)
        self._background = background
        self._left = [task for task in tasks if not task.has_ended]
        for task in self._left:
            task.on_end.append(lambda task=task: self._one_ended(task))  # type: ignore[misc]
        if not self._left:
            self.run()

    def _one_ended(self, task: Task) -> None:
        self._left.remove(task)
        if not self._left:
            self.run()

    def wait(self) -> None:
        if not self.is_done:
            self._background.finish()


class Background:
    """See the module. `clock` gives seconds; `on_wanted` is called when there is something to do again; `tallies` count
    the tasks that have ended, `total_done` what those that are done had to do, in their unit."""

    def __init__(self, workers: Workers, clock: Callable[[], float]) -> None:
        self._workers, self._clock = workers, clock
        self.tallies: Counter[tuple[Lane, TaskState]] = Counter()
        self.total_done: Counter[Lane] = Counter()
        self._waiting: dict[Lane, deque[Task]] = {lane: deque() for lane in Lane}
        self._running: dict[Lane, tuple[Task, Strand[None]]] = {}
        self.finished: deque[Task] = deque(maxlen=FINISHED_MAX)
        self.on_wanted: Callable[[], None] = lambda: None

    def add(self, task: Task) -> Task:
        self._waiting[task.lane].append(task)
        self.on_wanted()
        return task

    @property
    def tasks(self) -> list[Task]:
        """Under way, and waiting."""
        return [task for task, _ in self._running.values()] + [task for lane in Lane for task in self._waiting[lane]]

    def waiting(self, lane: Lane) -> list[Task]:
        """What has not begun."""
        return list(self._waiting[lane])

    def ended(self, tasks: Sequence[Task]) -> Errand[None]:
        """An errand that is done when all of these tasks have ended."""
        return _Ended(self, tasks)

    @property
    def is_idle(self) -> bool:
        return not self._running and not any(self._waiting.values())

    def is_idle_in(self, lane: Lane) -> bool:
        return lane not in self._running and not self._waiting[lane]

    def step(self, until: float) -> bool:
        """Gives each lane a turn, until a time of the clock together; whether any of them had something to do just now."""
        worked = False
        for lane in Lane:
            if lane not in self._running and self._waiting[lane]:
                self._begin(self._waiting[lane].popleft())
            found = self._running.get(lane)
            if found is None:
                continue
            task, strand = found
            if strand.is_beside or (task.is_paused and not task.is_cancelled):
                continue
            if task.waits_for is not None and not (task.is_hurried or task.is_cancelled or task.waits_for()):
                continue
            worked = True
            if strand.resume(until):
                del self._running[lane]
                self._end(task, strand)
        return worked

    def finish(self) -> None:
        """Does everything now, for callers without a loop."""
        workers, self._workers = self._workers, InlineWorkers()
        try:
            while not self.is_idle:
                for task in self.tasks:
                    task.is_hurried = True
                self.step(float("inf"))
        finally:
            self._workers = workers

    def stop(self) -> None:
        """Gives everything up."""
        for task in self.tasks:
            task.cancel()
        for task, strand in self._running.values():
            strand.abandon()
            task.state = TaskState.CANCELLED
        self._running.clear()
        for waiting in self._waiting.values():
            waiting.clear()

    def _begin(self, task: Task) -> None:
        task.state = TaskState.RUNNING
        self._running[task.lane] = task, self._workers.background(lambda: task.function(task))

    def _end(self, task: Task, strand: Strand[None]) -> None:
        try:
            strand.take_result()
        except (Cancelled, Abandoned):
            task.state = TaskState.CANCELLED
        except Exception as error:
            task.state, task.error = TaskState.FAILED, error
            log.error("%s of %s has failed: %s", task.kind, task.subject, error, exc_info=error)
            error.__traceback__ = None  # which has the frames, and all that they hold
        else:
            task.state = TaskState.DONE
            self.total_done[task.lane] += task.total
        self.tallies[task.lane, task.state] += 1
        task.ended_s = self._clock()
        self.finished.append(task)
        for callback in task.on_end:
            try:
                callback()
            except Exception as error:  # the others hear of it nevertheless
                log.error("what follows %s of %s has failed: %s", task.kind, task.subject, error, exc_info=error)
                error.__traceback__ = None
