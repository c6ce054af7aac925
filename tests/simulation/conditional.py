"""A workload: registers that are set to something new if they are what a client saw last, and read at SERIAL."""

from collections.abc import Callable
from functools import partial
from math import inf

from cluster.consistency import Consistency
from cluster.coordination.decisions import Decision
from cluster.paxos.encoding import PaxosKey
from cluster.paxos.proposer import Decided, Read
from protocol.errors import RequestError, Unavailable
from simulation.cluster_world import KEYSPACE, VALUES, Bugs, World, WorldNode, stored_value, value_of
from simulation.linearizable import Operation
from simulation.network import Weather
from simulation.overwrites import put
from simulation.storms import Storm
from storage.token import token

INITIAL = "-"
LEVELS = (KEYSPACE, Consistency.SERIAL, Consistency.QUORUM)
FAST_SHARE = 0.6
"""So many of the conditional writes go as prepared statements do."""
LWT_JUMP_S = 100.0
"""How far clocks are off; ballots are times."""
PATIENCE_S = 3.0
"""After that a client takes the node for gone."""


class Attempt:
    """One operation of a client at one node: what it found, and how it ended."""

    def __init__(self, register: "Register", node: WorldNode, expected: str | None, new: str | None) -> None:
        self.register, self.node, self.expected, self.new = register, node, expected, new
        self.life, self.began, self.found = node.life, register.now_s, None if expected is None else INITIAL
        self.is_told = False
        self.done: Callable[[str | None], None] = lambda found: None

    def begin(self, is_fast: bool) -> None:
        register, node = self.register, self.node
        try:
            deciders = node.coordinator.assure_cas(*LEVELS, token(register.key))
        except Unavailable:
            self.is_told = True
            self.done(None)
            return
        assert deciders is not None
        about = PaxosKey(VALUES.id.bytes, register.key)
        if is_fast and self.expected is not None:
            node.cluster.bundles.add_decision(Decision(about, deciders, b"", self._decide))
            node.cluster.bundles.claim(self)
        else:
            self._go_on(about)
        node.settle()
        register.world.schedule.after(PATIENCE_S, partial(self.told, None))

    def told(self, applied: bool | None) -> None:
        """None: nobody knows."""
        if self.is_told:
            return
        self.is_told = True
        if self.expected is not None or applied is not None:
            ended = inf if applied is None else self.register.now_s
            self.register.history.append(Operation(self.began, ended, self.expected, self.new, applied, self.found))
        self.done(self.new if applied and self.new is not None else self.found)

    # --- as prepared statements go -----------------------------------------------------------------------------------

    def _decide(self, ballot_us: int) -> tuple[bytes | None, bytes]:
        self.register.fast += 1
        store = self.node.engine.stores[VALUES.id]
        value = stored_value(store, self.register.key, self.node.clock.now_s())
        self.found = INITIAL if value is None else value.decode()
        if self.expected != self.found or self.new is None:
            return None, b"no"
        return put(self.register.key, self.new.encode(), ballot_us).encode(), b"yes"

    def answered(self, answer: bytes) -> None:
        self.node.tell(partial(self.told, answer == b"yes"))

    def refused(self, error: Exception) -> None:
        assert isinstance(error, RequestError), error
        self.told(None)

    def again(self) -> None:
        self.register.slow += 1
        self._go_on(PaxosKey(VALUES.id.bytes, self.register.key))

    # --- the general way ---------------------------------------------------------------------------------------------

    def _go_on(self, about: PaxosKey) -> None:
        node = self.node
        try:
            deciders = node.coordinator.assure_cas(*LEVELS, token(self.register.key))
        except Unavailable:
            self.told(None)
            return
        assert deciders is not None
        operation = node.cluster.rounds.decide(about, deciders, is_read=self.expected is None)

        def follow() -> None:
            event = operation.event

            def happened() -> None:
                if event.error is not None:
                    self.told(None)
                elif isinstance(event.result, Decided):
                    was_applied = event.result.was_applied if self.expected is not None else True
                    node.tell(partial(self.told, was_applied))
                else:
                    condition(event.result)

            event.when_done(happened)

        def condition(read: Read) -> None:
            try:
                outcome = node.read(self.register.key, Consistency.QUORUM)
            except Unavailable:
                self.told(None)
                return

            def was_read() -> None:
                if not node.is_up or node.life != self.life or outcome.error is not None:
                    self.told(None)
                    return
                value = value_of(outcome.result, self.register.key, node.clock.now_s())
                self.found = INITIAL if value is None else value.decode()
                update = None
                if self.expected == self.found and self.new is not None:
                    update = put(self.register.key, self.new.encode(), read.ballot.timestamp_us).encode()
                node.cluster.rounds.propose(operation, update)
                follow()
                node.settle()

            outcome.when_done(was_read)

        follow()


class Register:
    """One register and its clients, each of which goes through any node. `fast`: conditions asked with the promises;
    `slow`: attempts that began so and went the general way."""

    def __init__(self, world: World, clients: int) -> None:
        self.world, self.key, self.history = world, b"register", list[Operation]()
        self.fast = self.slow = 0
        self.is_over = False
        for number in range(clients):
            self._client(number)

    @property
    def now_s(self) -> float:
        return self.world.schedule.now_s

    def new_value(self, seen: str, operation: str) -> str:
        """What a client that saw something sets it to."""
        return operation

    def _client(self, number: int) -> None:
        rng, schedule = self.world.rng.fork(f"client {number}"), self.world.schedule
        seen, count = INITIAL, 0

        def again(found: str | None) -> None:
            nonlocal seen
            seen = found if found is not None else seen
            schedule.after(rng.float() * 0.3, operate)

        def operate() -> None:
            nonlocal count
            if self.is_over:
                return
            count += 1
            node = self.world.any_up(rng)
            if node is None:
                again(None)
                return
            reads = rng.float() < 0.4
            new = self.new_value(seen, f"{number}.{count}")
            attempt = Attempt(self, node, None if reads else seen, None if reads else new)
            attempt.done = again
            attempt.begin(rng.float() < FAST_SHARE)

        schedule.after(rng.float(), operate)


def conditional(seed: int, bugs: Bugs | None = None, seconds: float = 8.0) -> Register:
    """Three clients in a storm."""
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03, duplicate=0.02), bugs)
    register = Register(world, 3)
    Storm(world, world.schedule.now_s + seconds, jump_s=LWT_JUMP_S)
    world.run(seconds)
    world.heal(4)
    return register
