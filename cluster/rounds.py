"""One node's part in Paxos: rounds that begin here, and its vote in all."""

import logging
from collections.abc import Callable
from math import inf

from cluster.coordination.deciding import DecidingOperation
from cluster.coordination.plans import Deciders
from cluster.coordination.proxy import Proxy
from cluster.coordination.writing import Hints
from cluster.internode.frames import Message
from cluster.paxos.encoding import TAIL_BYTES, PaxosKey, decode_request, encode_answer
from cluster.paxos.messages import PaxosAnswer, PaxosRequest, Prepare, Promise
from cluster.paxos.proposer import Proposer, Quorums
from cluster.paxos.state import Ballot
from cluster.paxos.store import PaxosStore
from cluster.ring import Node
from protocol.errors import StorageError
from storage.engine import Engine
from storage.environment.environment import Rng

log = logging.getLogger("cqlserver.cluster")


class Rounds:
    """See the module. `clock` is the monotonic one."""

    def __init__(self, engine: Engine, proxy: Proxy, hints: Hints, clock: Callable[[], float], rng: Rng) -> None:
        self._wall_us, self._clock, self._rng = engine.environment.clock.wall_us, clock, rng
        self._proxy, self._hints = proxy, hints
        self.store = PaxosStore(engine)

    def decide(
        self,
        about: PaxosKey,
        deciders: Deciders,
        is_read: bool = False,
        ck: bytes | None = None,
        deadline_s: float = inf,
    ) -> DecidingOperation:
        """Begins a conditional write, or makes sure that a serial read sees all that was decided. `ck`: of the row that the
        condition is about, where it is one."""
        proxy, requests = self._proxy, self._proxy.requests
        deadline_s = min(deadline_s, self._clock() + proxy.timeouts.cas_contention_s)
        quorums = Quorums(deciders.quorum, deciders.committed)
        asked = ck if deciders.are_settled else None
        proposer = Proposer(deciders.voters, quorums, self._next_ballot, self._rng, deadline_s, asked)
        operation_id = requests.next_id()

        def ask(node: Node, verb: int, body: bytes) -> None:
            requests.send(node, verb, operation_id, body)

        operation = DecidingOperation(
            operation_id, about, deciders, proposer, proxy.local, self.vote, ask, self._hints, is_read
        )
        with requests.beginning(operation_id, operation, deciders.ring_number):
            operation.start(self._clock())
        return operation

    def _next_ballot(self, least: Ballot) -> Ballot:
        return Ballot.of(max(self._wall_us(), least.timestamp_us + 1), self._rng.bytes(TAIL_BYTES))

    def propose(self, operation: DecidingOperation, update: bytes | None) -> None:
        """What the condition of a write leads to, which the operation's `event` asked for."""
        operation.propose(update, self._clock())
        self._proxy.requests.wake(operation.id)

    def vote(self, about: PaxosKey, request: PaxosRequest) -> PaxosAnswer | None:
        """None: it can't."""
        try:
            answer = self.store.answer(about, request)
            if isinstance(request, Prepare) and request.ck is not None and isinstance(answer, Promise):
                now_s = request.ballot.timestamp_us // 1_000_000  # of all replicas the same
                digest = self._proxy.replica.row_digest(about.table_id, about.key, request.ck, now_s)
                return answer._replace(digest=digest)
            return answer
        except (KeyError, StorageError) as error:
            log.warning("a message of Paxos is not answered: %s", error)
            return None

    def maybe_answer(self, message: Message) -> Message | None:
        """To a message of another node. Raises PeerError."""
        answer = self.vote(*decode_request(message.verb, message.body))
        if answer is None:
            return None
        verb, body = encode_answer(answer)
        return Message(verb, message.id, body)
