"""A workload: values that expire, and values that are deleted: a row, all of a partition, a range; read at QUORUM. What was
deleted does not come back, what has expired is gone, and what has not is there."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cluster.consistency import Consistency
from protocol.errors import RequestError
from simulation.agreement import disagreements
from simulation.cluster_world import SKEW_S, VALUES, Bugs, World, WorldNode
from simulation.network import Weather
from simulation.overwrites import put
from simulation.storms import JUMP_S, Storm
from storage.mutation import LIVE, NO_LIVENESS, Cell, Deletion, Liveness, PartitionUpdate, RangeTombstone, Row

QUORUM: Final = Consistency.QUORUM
TTL_S_MAX: Final = 6
CLOCKS_S: Final = SKEW_S + 2 * JUMP_S + 1.1
"""So far apart are the clocks of who writes and who reads, at most; they count seconds."""


class Kind(Enum):
    PUT = "put"
    EXPIRING = "expiring"
    DELETE_ROW = "delete row"
    DELETE_PARTITION = "delete partition"
    DELETE_RANGE = "delete range"


@dataclass(frozen=True)
class Change:
    """`expires_s`: in the time of the world; None: never, or there is nothing to expire."""

    number: int
    kind: Kind
    expires_s: float | None = None

    def may_be_seen(self, now_s: float) -> bool:
        if self.kind is Kind.PUT:
            return True
        return self.expires_s is not None and now_s <= self.expires_s + CLOCKS_S

    def may_be_unseen(self, now_s: float) -> bool:
        if self.kind is Kind.PUT:
            return False
        return self.expires_s is None or now_s >= self.expires_s - CLOCKS_S


class Lapses:
    """One key; its changes have growing timestamps. `found` and `missed`: reads that saw a value, and none."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.key = world, b"lapse %d" % number
        self.rng = world.rng.fork(f"lapses {number}")
        self.changes: list[Change] = []
        self.acknowledged = self.seen = 0
        self.found = self.missed = 0
        self.is_over = False
        self.faults: list[str] = []
        world.schedule.after(self.rng.float() * 0.1, self._change)
        for _ in range(2):
            world.schedule.after(self.rng.float() * 0.1, self._read)

    def _later(self, action: Callable[[], None], pace: float = 0.2) -> None:
        self.world.schedule.after(0.01 + self.rng.float() * pace, action)

    def _change(self) -> None:
        # now and then something is left alone for long enough to expire
        self._later(self._change, 0.3 if self.rng.float() < 0.97 else 2 * TTL_S_MAX)
        node = self.world.any_up(self.rng)
        if node is None or self.is_over:
            return
        change, update = self._chosen(node)
        self.changes.append(change)
        self.world.happened[change.kind.value] += 1
        try:
            outcome = node.write(update, QUORUM)
        except RequestError:
            return

        def done() -> None:
            if outcome.error is None:
                self.acknowledged = max(self.acknowledged, change.number)

        node.tell_when(outcome, done)

    def _chosen(self, node: WorldNode) -> tuple[Change, PartitionUpdate]:
        number, kind = len(self.changes) + 1, list(Kind)[self.rng.int_below(len(Kind))]
        value, now_s = b"%d" % number, node.clock.now_s()
        deletion = Deletion(number, now_s)
        match kind:
            case Kind.PUT:
                return Change(number, kind), put(self.key, value, number)
            case Kind.EXPIRING:
                ttl_s = 1 + self.rng.int_below(TTL_S_MAX)
                expiry = ttl_s, now_s + ttl_s
                row = Row((), Liveness(number, *expiry), columns={"v": Cell(number, value, *expiry)})
                change = Change(number, kind, self.world.schedule.now_s + ttl_s)
                return change, PartitionUpdate(VALUES.id, self.key, rows={b"": row})
            case Kind.DELETE_ROW:
                row = Row((), NO_LIVENESS, deletion)
                return Change(number, kind), PartitionUpdate(VALUES.id, self.key, rows={b"": row})
            case Kind.DELETE_PARTITION:
                return Change(number, kind), PartitionUpdate(VALUES.id, self.key, deletion)
            case Kind.DELETE_RANGE:
                everything = RangeTombstone(b"", b"\xff", deletion)
                return Change(number, kind), PartitionUpdate(VALUES.id, self.key, LIVE, range_tombstones=(everything,))

    def _read(self) -> None:
        if self.is_over:
            return
        self._later(self._read)
        node = self.world.any_up(self.rng)
        if node is not None:
            self._read_through(node)

    def _read_through(self, node: WorldNode) -> None:
        at_least, began_s = max(self.acknowledged, self.seen), self.world.schedule.now_s
        try:
            outcome = (node.read_plain if self.rng.float() < 0.5 else node.read_value)(self.key, QUORUM)
        except RequestError:
            return

        def done() -> None:
            if outcome.error is None:
                self._judge_read(outcome.result, at_least, began_s)

        node.tell_when(outcome, done)

    def _judge_read(self, value: bytes, at_least: int, began_s: float) -> None:
        now_s = self.world.schedule.now_s
        if value:
            self.found += 1
            change = self.changes[int(value) - 1]
            self.seen = max(self.seen, change.number)
            if change.number < at_least or not change.may_be_seen(began_s):
                self.faults.append(f"{self.key!r} at {began_s} is {change}, after {self.changes[at_least - 1]}")
            return
        self.missed += 1
        can_be = self.changes[max(0, at_least - 1) :]
        if at_least and not any(change.may_be_unseen(now_s) for change in can_be):
            self.faults.append(f"{self.key!r} at {now_s} is nothing, after {can_be}")

    def judge(self) -> None:
        """After healing."""
        for node in self.world.nodes:
            self._read_through(node)
        self.world.run(2)


def lapsed(seed: int, bugs: Bugs | None = None, seconds: float = 10.0) -> tuple[World, list[Lapses]]:
    """Two keys in a storm; then the nodes are repaired, and what they have is made one."""
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03, duplicate=0.02), bugs)
    lapses = [Lapses(world, number) for number in range(2)]
    Storm(world, world.schedule.now_s + seconds)
    world.run(seconds)
    for one in lapses:
        one.is_over = True
    world.heal(5)
    lapses[0].faults += disagreements(world, VALUES)
    for node in world.nodes:
        node.flush()
        node.engine.compact([VALUES.id])
        node.settle()
    for one in lapses:
        one.judge()
    return world, lapses
