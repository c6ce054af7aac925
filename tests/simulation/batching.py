"""A workload: logged batches over several partitions, through nodes that crash in the midst of them."""

from cluster.consistency import Consistency
from protocol.errors import RequestError
from simulation.cluster_world import Bugs, World, WorldNode, value_of
from simulation.network import Weather
from simulation.overwrites import put
from simulation.storms import Storm

PARTS = 3
QUORUM, ALL = Consistency.QUORUM, Consistency.ALL


class Batches:
    """`whole`: so many are there with all their parts in the end."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng.fork("batches")
        self.begun = self.whole = 0
        self.is_over = False
        self.faults: list[str] = []
        world.schedule.after(0.1, self._write)

    def _write(self) -> None:
        self.world.schedule.after(0.05 + self.rng.float() * 0.2, self._write)
        node = self.world.any_up(self.rng)
        if node is None or self.is_over:
            return
        self.begun += 1
        try:
            node.write_batch([put(self._key(self.begun, part), b"v", self.begun) for part in range(PARTS)], QUORUM)
        except RequestError:
            return
        if self.rng.float() < 0.3:  # in the midst of it
            self.world.schedule.after(self.rng.float() * 0.04, lambda: self._crash(node))

    def _crash(self, node: WorldNode) -> None:
        if node.is_up:
            self.world.happened["crash in a batch"] += 1
            node.crash()
            self.world.schedule.after(0.5, lambda: None if node.is_up else node.start())

    def _key(self, number: int, part: int) -> bytes:
        return b"%d %d" % (number, part)

    def judge(self) -> None:
        """After healing, and the time that a batch is kept: one key of it is there if all are."""
        for number in range(1, self.begun + 1):
            there = sum(self._is_there(self._key(number, part)) for part in range(PARTS))
            self.whole += there == PARTS
            if there not in (0, PARTS):
                self.faults.append(f"of batch {number} there are {there} parts")

    def _is_there(self, key: bytes) -> bool:
        node = self.world.nodes[0]
        outcome = node.read(key, ALL)
        self.world.run(0.1)
        return value_of(outcome.result, key, node.clock.now_s()) is not None


def batched(seed: int, bugs: Bugs | None = None, seconds: float = 8.0) -> Batches:
    world = World(seed, Weather(delay_s_max=0.02, loss=0.4), bugs, count=5)  # of which each key has three
    batches = Batches(world)
    Storm(world, world.schedule.now_s + seconds)
    world.run(seconds)
    batches.is_over = True
    world.heal(60)
    batches.judge()
    return batches
