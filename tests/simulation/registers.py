"""Compare-and-set registers on simulated replicas: proposers on any node, clients that compete, nodes that crash.

Clients are content with consistency level ANY for the commit: what was accepted must hold without it. A register's value
is a text, an update its bytes. Replicas keep their Paxos state and the register durably before they answer; a crash forgets
everything else, the proposers above all. `Bugs` plants faults, to see that the checker sees them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from cluster.paxos.messages import Commit, PaxosAnswer, PaxosRequest, Promise, Propose
from cluster.paxos.proposer import Action, Decided, Proposer, Quorums, Read, Send, TimedOut, Unknown
from cluster.paxos.replica import answered
from cluster.paxos.state import NO_BALLOT, UNTOUCHED, Ballot, PaxosState
from simulation.linearizable import Operation
from simulation.network import Network, Weather
from simulation.schedule import Schedule
from storage.environment.environment import Rng

KEY_INITIAL = "0"
REPLICAS = 3
TIMEOUT_S = 1.0
RESTART = 0.2
"""How often a replica restarts behind an answer: what it said must hold."""


@dataclass(frozen=True)
class Bugs:
    promises_are_forgotten: bool = False
    accepted_is_forgotten: bool = False
    quorum_is_too_small: bool = False
    unfinished_rounds_are_ignored: bool = False
    reads_only_look: bool = False
    """They don't make sure that nothing is under way."""
    timeouts_are_failures: bool = False
    promises_bind_nobody: bool = False


@dataclass(frozen=True)
class Request:
    id: int
    message: PaxosRequest | None
    """None: the register is to be read."""


@dataclass(frozen=True, order=True)
class Stored:
    """A replica's register: the ballot it was last set at, and its value."""

    ballot: Ballot
    value: str


@dataclass(frozen=True)
class Answer:
    id: int
    answer: PaxosAnswer | Stored


class Replica:
    def __init__(self, forgives: bool) -> None:
        self.forgives = forgives
        self.paxos: PaxosState = UNTOUCHED
        self.ballot, self.value = NO_BALLOT, KEY_INITIAL

    def answer(self, message: PaxosRequest | None) -> PaxosAnswer | Stored:
        if message is None:
            return Stored(self.ballot, self.value)
        if isinstance(message, Commit) and message.proposal.ballot > self.ballot:
            self.ballot, self.value = message.proposal.ballot, message.proposal.update.decode()
        if self.forgives and isinstance(message, Propose):
            self.paxos = PaxosState(NO_BALLOT, UNTOUCHED.accepted, self.paxos.committed)
        self.paxos, answer = answered(self.paxos, message)
        return answer


@dataclass
class Attempt:
    """One operation of a client, at one node."""

    node: int
    expected: str | None
    new: str | None
    began: float
    proposer: Proposer[int]
    done: Callable[[str | None], None]
    read: dict[int, Stored] = field(default_factory=dict)
    found: str | None = None


class RegisterWorld:
    def __init__(self, seed: int, weather: Weather, bugs: Bugs | None = None) -> None:
        self.rng = Rng(seed.to_bytes(8, "big"))
        self.bugs = bugs or Bugs()
        self.schedule = Schedule()
        self.network: Network[int, Request | Answer] = Network(self.schedule, self.rng.fork("network"), weather)
        self.replicas = [Replica(self.bugs.promises_bind_nobody) for _ in range(REPLICAS)]
        self.history: list[Operation] = []
        self.crashes = 0
        self._attempts: dict[int, Attempt] = {}
        self._ids = 0
        self._last_us = [0] * REPLICAS
        for node in range(REPLICAS):
            self.network.receivers[node] = self._receiver(node)

    def _receiver(self, node: int) -> Callable[[int, Request | Answer], None]:
        restarts = self.rng.fork(f"restarts {node}")

        def receive(sender: int, message: Request | Answer) -> None:
            if isinstance(message, Request):
                self.network.send(node, sender, Answer(message.id, self.replicas[node].answer(message.message)))
                if restarts.float() < RESTART:
                    self._restart_replica(node)
            else:
                self._receive(sender, message)

        return receive

    # --- clients -------------------------------------------------------------------------------------------------------

    def client(self, number: int, operations: int) -> None:
        """Reads, and sets what it has seen to something new, at random nodes, one operation after the other."""
        rng = self.rng.fork(f"client {number}")
        seen = KEY_INITIAL

        def next_operation(count: int) -> None:
            if count == operations:
                return
            reads = rng.float() < 0.4
            new = None if reads else f"{number}.{count}"
            self._begin(rng.int_below(REPLICAS), None if reads else seen, new, lambda found: went_on(count, found))

        def went_on(count: int, found: str | None) -> None:
            nonlocal seen
            seen = found if found is not None else seen
            self.schedule.after(rng.float() * 0.2, lambda: next_operation(count + 1))

        self.schedule.after(rng.float() * 0.2, lambda: next_operation(0))

    def _begin(self, node: int, expected: str | None, new: str | None, done: Callable[[str | None], None]) -> None:
        self._ids += 1
        number = self._ids
        rng = self.rng.fork(f"attempt {number}")
        quorum = REPLICAS // 2 + (0 if self.bugs.quorum_is_too_small else 1)
        deadline_s = self.schedule.now_s + TIMEOUT_S
        proposer = Proposer(
            range(REPLICAS), Quorums(quorum, 0), lambda least: self._ballot(node, least, rng), rng, deadline_s
        )
        self._attempts[number] = Attempt(node, expected, new, self.schedule.now_s, proposer, done)
        looks = expected is None and self.bugs.reads_only_look
        self._act(number, [Read(NO_BALLOT)] if looks else proposer.start())
        self._wake(number)

    def _ballot(self, node: int, least: Ballot, rng: Rng) -> Ballot:
        now_us = int(self.schedule.now_s * 1_000_000)
        now_us = max(now_us, self._last_us[node] + 1, least.timestamp_us + 1)
        self._last_us[node] = now_us
        return Ballot.of(now_us, bytes([node]) + rng.bytes(7))

    def _wake(self, number: int) -> None:
        attempt = self._attempts.get(number)
        if attempt is not None:
            self._act(number, attempt.proposer.tick(self.schedule.now_s))
            if number in self._attempts:
                self.schedule.at(max(attempt.proposer.wake_s, self.schedule.now_s + 0.001), lambda: self._wake(number))

    def _receive(self, sender: int, answer: Answer) -> None:
        attempt = self._attempts.get(answer.id)
        if attempt is None:
            return
        if isinstance(answer.answer, Stored):
            self._received_read(answer.id, attempt, sender, answer.answer)
            return
        told = answer.answer
        if self.bugs.unfinished_rounds_are_ignored and isinstance(told, Promise):
            told = Promise(told.ballot, told.committed, told.committed)
        self._act(answer.id, attempt.proposer.receive(sender, told, self.schedule.now_s))
        if answer.id in self._attempts:
            self.schedule.at(attempt.proposer.wake_s, lambda: self._wake(answer.id))

    def _received_read(self, number: int, attempt: Attempt, sender: int, read: Stored) -> None:
        attempt.read[sender] = read
        if len(attempt.read) != REPLICAS // 2 + 1:
            return
        attempt.found = max(attempt.read.values()).value
        if attempt.expected is None and self.bugs.reads_only_look:
            self._finished(number, True)
            return
        is_met = attempt.expected == attempt.found
        self._act(number, attempt.proposer.read(attempt.new.encode() if is_met and attempt.new is not None else None))

    def _act(self, number: int, actions: list[Action[int]]) -> None:
        attempt = self._attempts[number]
        for action in actions:
            match action:
                case Send(peers, message):
                    for peer in peers:
                        self.network.send(attempt.node, peer, Request(number, message))
                case Read():
                    attempt.read = {}
                    for peer in range(REPLICAS):
                        self.network.send(attempt.node, peer, Request(number, None))
                case Decided(was_applied):
                    self._finished(number, was_applied if attempt.expected is not None else True)
                case TimedOut() | Unknown():
                    self._finished(number, False if self.bugs.timeouts_are_failures else None)

    def _finished(self, number: int, applied: bool | None) -> None:
        attempt = self._attempts.pop(number)
        ended = inf if applied is None else self.schedule.now_s
        found = attempt.found if applied is not None else None
        if applied is not None or attempt.expected is not None:
            if self.bugs.timeouts_are_failures and found is None:
                found = KEY_INITIAL
            self.history.append(Operation(attempt.began, ended, attempt.expected, attempt.new, applied, found))
        attempt.done(attempt.new if applied and attempt.new is not None else found)

    # --- faults --------------------------------------------------------------------------------------------------------

    def crash(self, node: int) -> None:
        """Everything that the node did not keep is gone, its clients' operations too, and it is there again at once."""
        self.crashes += 1
        self._restart_replica(node)
        for number, attempt in list(self._attempts.items()):
            if attempt.node == node:
                self._finished(number, None)

    def _restart_replica(self, node: int) -> None:
        replica = self.replicas[node]
        if self.bugs.promises_are_forgotten:
            replica.paxos = PaxosState(NO_BALLOT, replica.paxos.accepted, replica.paxos.committed)
        if self.bugs.accepted_is_forgotten:
            replica.paxos = PaxosState(replica.paxos.promised, UNTOUCHED.accepted, replica.paxos.committed)

    def trouble(self, seconds: float) -> None:
        """Crashes and partitions, at random times."""
        rng = self.rng.fork("trouble")

        def strike() -> None:
            self.network.heal()
            luck = rng.float()
            if luck < 0.5:
                self.crash(rng.int_below(REPLICAS))
            elif luck < 0.75:
                alone = rng.int_below(REPLICAS)
                others = [node for node in range(REPLICAS) if node != alone]
                self.network.partition([alone], others, rng.float() < 0.3)
            self.schedule.after(rng.float() * 0.5, strike)

        self.schedule.after(rng.float() * seconds / 10, strike)

    def run(self, seconds: float) -> None:
        """What is under way at the end may have taken effect or not."""
        self.schedule.run_until(self.schedule.now_s + seconds)
        for number in list(self._attempts):
            self._finished(number, None)
