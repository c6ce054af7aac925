"""One conditional write, or one serial read, among the replicas: the proposer (paxos/proposer.py) with its messages.

The caller waits for `event`. A `Read` says that he has to read what the condition is about and to call `propose`; that may
come again, where others were faster. The last event is whether the change was applied, or the error that the client is
told.
"""

from collections import deque
from collections.abc import Callable, Sequence
from math import inf

from cluster.coordination.errors import cas_timeout, read_timeout
from cluster.coordination.outcome import Outcome
from cluster.coordination.plans import Deciders
from cluster.coordination.writing import Hints
from cluster.internode.frames import Message
from cluster.paxos.encoding import PaxosKey, encode_request, maybe_answer
from cluster.paxos.messages import Commit, PaxosAnswer, PaxosRequest
from cluster.paxos.proposer import Action, Decided, Proposer, Read, Send, TimedOut, Unknown
from cluster.ring import Node
from protocol.errors import CasWriteUnknown

Event = Read | Decided


class DecidingOperation:
    """See the module. `answer` is the local replica's; `is_read`: nothing but a serial read."""

    def __init__(
        self,
        operation_id: int,
        about: PaxosKey,
        deciders: Deciders,
        proposer: Proposer[Node],
        local: Node,
        answer: Callable[[PaxosKey, PaxosRequest], PaxosAnswer | None],
        ask: Callable[[Node, int, bytes], None],
        hints: Hints,
        is_read: bool = False,
    ) -> None:
        self.id = operation_id
        self._about, self._deciders, self._proposer, self._local = about, deciders, proposer, local
        self._answer, self._ask, self._hints, self._is_read = answer, ask, hints, is_read
        self.event: Outcome[Event] = Outcome()
        self.is_over = False

    @property
    def wake_s(self) -> float:
        return inf if self.is_over else self._proposer.wake_s

    @property
    def contentions(self) -> int:
        """See Proposer."""
        return self._proposer.contentions

    def start(self, now_s: float) -> None:
        self._act(self._proposer.start(), now_s)

    def abandon(self) -> None:
        """Nobody cares any more; to be called while it waits for what to propose: nothing is under way then."""
        self.is_over = True

    def propose(self, update: bytes | None, now_s: float) -> None:
        """What the condition leads to, which `event` asked for: an encoded mutation, or None."""
        if self.is_over:  # it failed meanwhile, which `event` says
            return
        self.event = Outcome()
        self._act(self._proposer.read(update), now_s)

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        answer = maybe_answer(message.verb, message.body)
        if answer is not None:
            self._act(self._proposer.receive(sender, answer, now_s), now_s)

    def tick(self, now_s: float) -> None:
        self._act(self._proposer.tick(now_s), now_s)

    def _act(self, actions: Sequence[Action[Node]], now_s: float) -> None:
        left = deque(actions)
        to_local: deque[PaxosRequest] = deque()
        while left or to_local:
            if not left:  # others first: they work meanwhile
                answer = self._answer(self._about, to_local.popleft())
                if answer is not None:
                    left.extend(self._proposer.receive(self._local, answer, now_s))
                continue
            match left.popleft():
                case Send(peers, message):
                    if self._tell(peers, message):
                        to_local.append(message)
                case Read() as read:
                    self.event.settle(read)
                case Decided() as decided:
                    self._end(decided)
                case TimedOut() as timed_out:
                    self._fail(self._timeout(timed_out))
                case Unknown(received, required, _):
                    message_text = f"CAS operation result is unknown - proposal accepted by {received} but not a quorum."
                    self._fail(CasWriteUnknown(message_text, self._deciders.level.value, received, required))

    def _tell(self, peers: tuple[Node, ...], message: PaxosRequest) -> bool:
        """Sends it to these; a commit to all voters to all replicas, too. Whether the local node is one of them."""
        encoded = encode_request(self._about, message)
        is_local = False
        for peer in peers:
            if peer == self._local:
                is_local = True
            else:
                self._ask(peer, *encoded)
        if isinstance(message, Commit) and peers == self._deciders.voters:
            for node in self._deciders.others:
                self._ask(node, *encoded)
            if message.proposal.update:
                for node in self._deciders.down:
                    self._hints.keep(node, (message.proposal.update,))
        return is_local

    def _timeout(self, told: TimedOut) -> Exception:
        deciders = self._deciders
        if self._is_read:
            return read_timeout(deciders.level, 0, told.required, False)  # StorageProxy.legacyReadWithPaxos
        level = deciders.commit_level if told.write_type == "SIMPLE" else deciders.level
        return cas_timeout(level, told.received, told.required, told.contentions, told.write_type)

    def _end(self, decided: Decided) -> None:
        self.is_over = True
        self.event.settle(decided)

    def _fail(self, error: Exception) -> None:
        self.is_over = True
        if self.event.is_done:  # while the caller was reading
            self.event = Outcome()
        self.event.fail(error)
