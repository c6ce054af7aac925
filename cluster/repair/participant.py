"""A replica's side of a repair: it builds trees of what it has, and gets and gives what differs.

Both take a while. The work goes on in the background; whoever asked is told that it does, and what came of it when it ended.
Who asks again, because an answer was lost, gets the same one as long as the session is known.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import Final
from uuid import UUID

from cluster.coordination.outcome import Outcome, all_of
from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Message
from cluster.internode.verbs import FailureReason, Verb
from cluster.repair.asking import RepairFailed
from cluster.repair.messages import PaxosRepair, Stepping, Synchronisation, Validation, encode_trees
from cluster.repair.paxos import Begin, Finishing
from cluster.repair.sessions import LocalSessions, State
from cluster.repair.tree import MerkleTree
from cluster.repair.validation import Looked, looked_at, trees_of
from cluster.ring import Node
from cluster.rounds import Rounds
from cluster.streaming.messages import Reason, TableRanges
from cluster.streaming.ranges import holds, intervals
from cluster.streaming.streams import Streams
from protocol.errors import PeerError
from storage.background import Lane, Task, TaskState
from storage.engine import Engine

log = logging.getLogger("cqlserver.repair")

SESSIONS_MAX: Final = 64
"""Of those whose end was never told the oldest are forgotten."""
Answer = tuple[Verb, bytes]
_FAILED: Final[Answer] = (Verb.FAILED, FailureReason.UNKNOWN.to_bytes(2, "big"))


class Participant:
    """See the module. `send(node, verb, id, body)` answers; `member` finds a node by its endpoint."""

    def __init__(
        self,
        engine: Engine,
        streams: Streams,
        send: Callable[[Node, int, int, bytes], None],
        member: Callable[[Endpoint], Node | None],
        rounds: Rounds,
        begin_round: Begin,
    ) -> None:
        self._rounds, self._begin_round = rounds, begin_round
        self._engine, self._streams, self._send = engine, streams, send
        self._member = member
        self._sessions: OrderedDict[UUID, dict[bytes, Outcome[Answer]]] = OrderedDict()
        self.left_over: list[UUID] = []
        """Incremental repairs that this node's start has ended; whoever coordinates them tells the others."""

    # --- for others ----------------------------------------------------------------------------------------------------

    def receive(self, sender: Node, message: Message) -> None:
        """A message with one of REPAIR_VERBS. Raises PeerError for what no node sends."""
        match message.verb:
            case Verb.REPAIR_VALIDATE:
                validation = Validation.decode(message.body)
                self._work(sender, message, validation.session_id, lambda: self._validated(validation))
            case Verb.REPAIR_SYNC:
                sync = Synchronisation.decode(message.body)
                self._work(sender, message, sync.session_id, lambda: self._synchronised(sync))
            case Verb.REPAIR_STEP:
                stepping = Stepping.decode(message.body)
                self._work(sender, message, stepping.session_id, lambda: self._stepped(stepping))
            case Verb.PAXOS_REPAIR:
                paxos = PaxosRepair.decode(message.body)
                self._work(sender, message, paxos.session_id, lambda: _answered(self.repair_paxos(paxos)))
            case Verb.REPAIR_STATUS:
                session = self.sessions.all.get(_session_id(message.body))
                state = State.FAILED if session is None else session.state
                self._send(sender, Verb.DONE, message.id, bytes((state,)))
            case _:
                self.forget(_session_id(message.body))

    def forget(self, session_id: UUID) -> None:
        """A session is over."""
        self._sessions.pop(session_id, None)

    def _work(
        self, sender: Node, message: Message, session_id: UUID, begin: Callable[[], Outcome[Answer]]
    ) -> None:
        works = self._sessions.setdefault(session_id, {})
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        outcome = works.get(message.body)
        is_new = outcome is None
        if outcome is None:
            outcome = works[message.body] = begin()
        if outcome.is_done or is_new:
            outcome.when_done(lambda: self._answer(sender, message.id, outcome))
        if not outcome.is_done:
            self._send(sender, Verb.REPAIR_GOES, message.id, b"")

    def _answer(self, sender: Node, message_id: int, outcome: Outcome[Answer]) -> None:
        self._send(sender, outcome.result[0], message_id, outcome.result[1])

    def _validated(self, validation: Validation) -> Outcome[Answer]:
        answer: Outcome[Answer] = Outcome()
        trees = self.validate(validation)
        trees.when_done(
            lambda: answer.settle(
                _FAILED if trees.error is not None else (Verb.REPAIR_TREES, encode_trees(trees.result))
            )
        )
        return answer

    def _stepped(self, stepping: Stepping) -> Outcome[Answer]:
        return _answered(self.step(stepping))

    def _synchronised(self, sync: Synchronisation) -> Outcome[Answer]:
        return _answered(self.synchronise(sync))

    # --- here ----------------------------------------------------------------------------------------------------------

    def validate(self, validation: Validation) -> Outcome[list[MerkleTree]]:
        """Fails with RepairFailed."""
        outcome: Outcome[list[MerkleTree]] = Outcome()
        store = self._engine.stores.get(validation.table_id)
        if store is None:
            outcome.fail(RepairFailed(f"there is no table {validation.table_id} here"))
            return outcome
        trees: list[MerkleTree] = []
        if validation.looked is Looked.PENDING:
            self.sessions.repairing(validation.session_id)

        def build(task: Task) -> None:
            sources = looked_at(store, validation.looked, validation.session_id)
            now_s, depth_max = validation.now_s, validation.depth_max
            trees.extend(trees_of(store, sources, validation.ranges, now_s, task.point, depth_max))

        def ended() -> None:
            if task.state is TaskState.DONE:
                outcome.settle(trees)
            else:
                outcome.fail(RepairFailed(f"Validation of {store.table} failed: {task.error or task.state.value}"))

        task = Task(Lane.VALIDATION, "Validation", str(store.table), build)
        task.on_end.append(ended)
        self._engine.background.add(task)
        return outcome

    def repair_paxos(self, repair: PaxosRepair) -> Outcome[None]:
        """Fails with RepairFailed."""
        outcome: Outcome[None] = Outcome()
        pieces, keys = intervals(repair.ranges), list[bytes]()

        def look(task: Task) -> None:
            store = self._rounds.store
            keys.extend(store.unfinished(repair.table_id, lambda position: holds(pieces, position), task.point))

        def looked() -> None:
            if task.state is not TaskState.DONE:
                outcome.fail(RepairFailed(f"Paxos repair failed: {task.error or task.state.value}"))
                return
            finishing = Finishing(repair.table_id, keys, self._begin_round, self._rounds)
            finishing.outcome.when_done(lambda: _pass_on(finishing.outcome, outcome))
            finishing.start()

        task = Task(Lane.VALIDATION, "Paxos repair", str(repair.table_id), look)
        task.on_end.append(looked)
        self._engine.background.add(task)
        return outcome

    def step(self, stepping: Stepping) -> Outcome[None]:
        """Fails with RepairFailed."""
        return self.sessions.step(stepping)

    @cached_property
    def sessions(self) -> LocalSessions:
        """Of incremental repairs."""
        sessions = LocalSessions(self._engine)
        self.left_over = sessions.go_on()
        return sessions

    def synchronise(self, sync: Synchronisation) -> Outcome[None]:
        """Fails with RepairFailed, StreamFailed."""
        peer = self._member(sync.peer)
        if peer is None:
            outcome: Outcome[None] = Outcome()
            outcome.fail(RepairFailed(f"{sync.peer} is no member of the ring"))
            return outcome
        tasks = (TableRanges(sync.table_id, sync.ranges),)
        pending = sync.session_id if sync.is_pending else None
        under_way = []
        if sync.fetches:
            under_way.append(self._streams.fetch(peer, tasks, Reason.REPAIR, pending).outcome)
        if sync.pushes:
            under_way.append(self._streams.push(peer, tasks, Reason.REPAIR, pending).outcome)
        return all_of(under_way)


def _session_id(body: bytes) -> UUID:
    """Raises PeerError."""
    try:
        return UUID(bytes=body)
    except ValueError:
        raise PeerError(f"a repair's id of {len(body)} bytes") from None


def _pass_on(done: Outcome[None], to: Outcome[None]) -> None:
    if done.error is None:
        to.settle(None)
    else:
        to.fail(done.error)


def _answered(done: Outcome[None]) -> Outcome[Answer]:
    answer: Outcome[Answer] = Outcome()
    done.when_done(lambda: answer.settle(_FAILED if done.error is not None else (Verb.DONE, b"")))
    return answer
