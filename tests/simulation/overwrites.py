"""A workload: registers that are overwritten with growing numbers at QUORUM, and read; and what is wrong with what was
read."""

from collections.abc import Callable

from cluster.consistency import Consistency
from protocol.errors import RequestError
from simulation.cluster_world import VALUES, World
from storage.mutation import Cell, Liveness, PartitionUpdate, Row

QUORUM = Consistency.QUORUM


def put(key: bytes, value: bytes, timestamp_us: int) -> PartitionUpdate:
    row = Row((), Liveness(timestamp_us), columns={"v": Cell(timestamp_us, value)})
    return PartitionUpdate(VALUES.id, key, rows={b"": row})


class Overwrites:
    """One client writes growing numbers to a key, at QUORUM through any node; others read it."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.key = world, b"key %d" % number
        self.rng = world.rng.fork(f"overwrites {number}")
        self.acknowledged = self.attempted = self.seen = 0
        self.reads = 0
        self.faults: list[str] = []
        world.schedule.after(self.rng.float() * 0.1, self._write)
        for _ in range(2):
            world.schedule.after(self.rng.float() * 0.1, self._read)

    def _later(self, action: Callable[[], None]) -> None:
        self.world.schedule.after(0.01 + self.rng.float() * 0.2, action)

    def _write(self) -> None:
        node = self.world.any_up(self.rng)
        self._later(self._write)
        if node is None:
            return
        self.attempted += 1
        value = self.attempted
        try:
            # a client's timestamps: the clocks of nodes say nothing of what came first
            write = node.write_plain if self.rng.float() < 0.7 else node.write
            outcome = write(put(self.key, b"%d" % value, value), QUORUM)
        except RequestError:
            return

        def done() -> None:
            if outcome.error is None:
                self.acknowledged = max(self.acknowledged, value)

        outcome.when_done(done)

    def _read(self) -> None:
        node = self.world.any_up(self.rng)
        self._later(self._read)
        if node is None:
            return
        at_least = max(self.acknowledged, self.seen)
        is_plain = self.rng.float() < 0.7
        try:
            outcome = node.read_plain(self.key, QUORUM) if is_plain else node.read_value(self.key, QUORUM)
        except RequestError:
            return

        def done() -> None:
            if outcome.error is not None:
                return
            found = int(outcome.result or b"0")
            self.reads += 1
            self.seen = max(self.seen, found)
            if found < at_least:
                self.faults.append(f"{self.key!r} was {at_least} and is {found} at {self.world.schedule.now_s}")

        outcome.when_done(done)
