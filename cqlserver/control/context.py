"""What operations work on: the node, its listener, the snapshots; and how they take turns with the clients."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, TypeAlias, TypeVar

import trio

from cqlserver.control.saved_state import SavedState
from cqlserver.node import Node
from cqlserver.pending import Pending, Steps
from protocol.errors import CqlServerError
from storage.environment.errands import Awaited
from storage.environment.strands import Overtaken, TooLong, commit, in_go, pause

if TYPE_CHECKING:
    from cqlserver.clustering.in_process import LocalCluster
    from cqlserver.clustering.saved import KeptCluster, SavedCluster
    from cqlserver.control.kept_state import KeptState

T = TypeVar("T")
Snapshot: TypeAlias = "SavedState | KeptState | SavedCluster | KeptCluster"
"""Of a node or a cluster, in memory or on disk."""

TURN_S = 0.002
"""As long as a strand of a session has (connections/session.py)."""


class Refused(CqlServerError):
    """An operation is not done, and the message says why and what to do."""

    code: ClassVar[str] = "Refused"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadArgument(Refused):
    code = "BadArgument"


class Exclusive(Protocol):
    async def exclusively(self, action: Callable[[], T]) -> T:
        """Runs `action` while no client's request is under way."""
        ...

    @property
    def takes_clients(self) -> bool:
        """Whether anybody may connect."""
        ...

    def turn_away(self) -> None:
        """Ends all clients' connections and takes no new ones."""
        ...

    def take_again(self) -> None:
        """Takes connections again where it did before `turn_away`. Raises OSError."""
        ...


class Loading(NamedTuple):
    """How far a load is: the file, statements of it, statements of all files until now."""

    file: str
    in_file: int
    statements: int


class Control:
    """Operations run one at a time, but for those that only wait for work in the background, or tell of it. `cluster`:
    of the nodes of this process."""

    def __init__(self, node: Node, listener: Exclusive, cluster: "LocalCluster | None" = None) -> None:
        self._node, self.cluster = node, cluster
        self.snapshots: dict[str, Snapshot] = {}
        self.sampling_jobs: dict[str, bool] = {}
        """By what they are about; False: to end soon."""
        self.loading: Loading | None = None
        self.lock = trio.Lock()
        self._listener = listener

    @property
    def node(self) -> Node:
        """Of a cluster, whose nodes may be stopped and started, as it runs now."""
        return self._node if self.cluster is None else self.cluster.current(self._node)

    def turn_clients_away(self) -> None:
        """To be called in an action that runs exclusively."""
        self._listener.turn_away()

    @property
    def takes_clients(self) -> bool:
        return self._listener.takes_clients

    def take_clients_again(self) -> None:
        """To be called in an action that runs exclusively. Raises OSError."""
        self._listener.take_again()

    async def exclusively(self, action: Callable[[], T], settles: bool = True) -> T:
        """Runs `action` between the clients' requests: those that are under way are answered before it, and the next ones
        begin after it. What it wrote is as safe as commitlog_sync says when this returns, where it `settles`."""
        result = await self._listener.exclusively(action)
        self._end_turn()
        if settles:
            await self.settle()
        return result

    async def in_turns(self, work: Callable[[], T | Pending[T]], size: int = 0) -> T:
        """Does work that may be long in turns with the clients (storage/environment/strands.py); `size`: of what it is
        about, in bytes."""
        try:
            outcome = in_go(lambda _: work(), None)
        except TooLong:
            pending: Pending[T] = Pending(self._strand_turns(work, size))
        else:
            if not isinstance(outcome, Pending):
                self._end_turn()
                return outcome
            pending = outcome
        try:
            await self._finish(pending)
        except TooLong:  # in the midst of it: all is read again, by a strand
            pending.close()
            pending = Pending(self._strand_turns(work, size))
            await self._finish(pending)
        finally:
            pending.close()
            self._end_turn()
        return pending.result

    def _end_turn(self) -> None:
        """The log has what the turn wrote, and what it has for other nodes leaves: nobody else may do anything for a while.
        Raises StorageError, but where the log had failed before: who only reads is answered, the others hear of it from
        `settle`."""
        commit_log = self.node.commit_log
        if commit_log is not None and commit_log.failure is None and commit_log.gathered:
            commit_log.write()
        if self.node.after_turn is not None:
            self.node.after_turn()

    async def _finish(self, pending: Pending[T]) -> None:
        """Raises TooLong where steps of the loop can't do it."""
        while not in_go(lambda going: going.step(), pending):
            self._end_turn()  # a flush that it waits for waits for the log
            if pending.awaited is None:
                await trio.lowlevel.checkpoint()
            else:
                await _end_of(pending.awaited)

    def _strand_turns(self, work: Callable[[], T | Pending[T]], size: int) -> Steps[T]:
        node, turn_s = self.node, TURN_S
        clock, workers = node.environment.clock.monotonic, node.environment.workers
        task: Callable[[], T | Pending[T]] = partial(_worked_on, work)
        while True:
            schema = node.schema
            strand = workers.maybe_strand(task, lambda schema=schema: node.schema is schema, size)  # type: ignore[misc]
            if strand is None:
                yield None
                continue
            try:
                while not strand.resume(clock() + turn_s):
                    yield strand.awaited
                outcome = strand.take_result()
            except Overtaken:
                turn_s *= 2
                continue
            finally:
                strand.abandon()
            if not isinstance(outcome, Pending):
                return outcome
            yield outcome.awaited
            task = partial(outcome.finish_in_turns, pause)

    async def settle(self) -> None:
        """Has the commit log keep what was written. Raises StorageError."""
        await settle(self.node)


async def settle(node: Node) -> None:
    """The same of any node."""
    await trio.lowlevel.checkpoint()
    commit_log = node.commit_log
    if commit_log is None:
        return
    commit_log.write()
    if node.sync_before_reply:
        await trio.to_thread.run_sync(commit_log.sync)


def _worked_on(work: Callable[[], T | Pending[T]]) -> T | Pending[T]:
    """What a strand does: all of it, or as much as there is to do before an errand is done."""
    outcome = work()
    if not isinstance(outcome, Pending):
        return outcome
    commit()  # what is read from now on is read as it is then
    return outcome.finish_in_turns(pause)


async def _end_of(awaited: Awaited) -> None:
    token, ended = trio.lowlevel.current_trio_token(), trio.Event()
    awaited.when_done(lambda: token.run_sync_soon(ended.set))
    await ended.wait()
