"""A workload: registers are written and read while nodes join and leave; what was written before is never written again."""

from collections.abc import Callable

from cluster.consistency import Consistency
from cluster.movements.mode import Mode
from cluster.replication import SimpleStrategy
from protocol.errors import MovementRefused, RequestError
from simulation.cluster_world import VALUES, Bugs, World, WorldNode, stored_value
from simulation.network import Weather
from simulation.overwrites import Overwrites, put
from simulation.storms import Storm
from storage.token import token

STORM = Weather(delay_s_max=0.02, loss=0.03, duplicate=0.02)
CALM = Weather(delay_s_max=0.005)
STORM_S = 60.0
PATIENCE_S = 120.0
"""A storm may keep a node from joining as long as it lasts; then nothing does."""
LOADS = 2


class Moving:
    """A world in which nodes come and go. `loads` are registers that are written and read meanwhile; keys that were written
    before are never written again, so that only streams bring them to who is new."""

    def __init__(self, seed: int, weather: Weather = CALM, bugs: Bugs | None = None, count: int = 4) -> None:
        self.world = World(seed, CALM, bugs, count)
        self.rng = self.world.rng.fork("moving")
        self.old = [b"old %d" % number for number in range(60)]
        written = []
        for number, key in enumerate(self.old):
            written.append(self.world.nodes[number % count].write(put(key, b"v", 1), Consistency.ALL))
            if number in (20, 40):
                self.world.run(0.2)
                for node in self.world.nodes[:2]:
                    node.flush()
        self.world.run(0.2)
        assert all(outcome.is_done and outcome.error is None for outcome in written)
        self.world.network.weather = weather
        self.loads = [Overwrites(self.world, number, moves=True) for number in range(LOADS)]
        self.once: list[bytes] = []  # written once, and acknowledged
        self.world.schedule.after(0.01, self._write_once)

    def _write_once(self) -> None:
        """New keys, one after the other."""
        self.world.schedule.after(0.05, self._write_once)
        node = self.world.any_up(self.rng)
        key = b"once %d" % int(self.world.schedule.now_s * 1_000)
        if node is None:
            return
        try:
            outcome = node.write(put(key, b"v", 1), Consistency.QUORUM)
        except RequestError:
            return
        outcome.when_done(lambda: self.once.append(key) if outcome.error is None else None)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        end_s = self.world.schedule.now_s + PATIENCE_S
        while not condition():
            self.world.run(0.2)
            assert self.world.schedule.now_s < end_s, f"it takes too long until {what}"

    def join(self, stream_bytes_per_s: int = 0) -> WorldNode:
        node = self.world.add_node()
        node.cluster.streams.bytes_per_s = stream_bytes_per_s
        self.until(lambda: node.is_up and node.cluster.movements.mode is Mode.NORMAL, "a node has joined")
        self.world.happened["node joined"] += 1
        return node

    def leave(self, node: WorldNode) -> None:
        """Begun again as often as it is in vain: the node may crash, or somebody else."""

        def begin() -> None:
            if node.has_left:
                return
            if node.takes_clients and node.cluster.movements.mode is not Mode.LEAVING:
                try:
                    node.cluster.movements.decommission()
                    node.settle()
                except MovementRefused:
                    pass
            self.world.schedule.after(1.0, begin)

        begin()
        self.until(lambda: node.has_left and self.is_forgotten(node), "a node has left")
        self.world.take_away(node)
        self.world.happened["node left"] += 1

    def is_forgotten(self, node: WorldNode) -> bool:
        """It may have crashed before all had heard that it left."""
        return all(node.node not in other.coordinator.ring.nodes for other in self.world.nodes if other.is_up)

    @property
    def faults(self) -> list[str]:
        """What was read wrong meanwhile, and what is missing now: from any replica of what all had, from too many of what a
        quorum had."""
        faults = [fault for load in self.loads for fault in load.faults]
        faults += [f"{key!r} is not on {where}" for key in self.old if (where := self.lacking(key))]
        return faults + [f"{key!r} is not on {where}" for key in self.once if len(where := self.lacking(key)) > 1]

    def lacking(self, key: bytes) -> list[str]:
        """The replicas that lack it."""
        return [
            str(node.endpoint)
            for node in self.replicas(key)
            if stored_value(node.engine.stores[VALUES.id], key, node.clock.now_s()) is None
        ]

    def stale(self) -> list[str]:
        """Replicas that lack the last that was acknowledged; where nothing is lost on the way, there are none."""
        found = [f"{key!r} is not on {where}" for key in self.once if (where := self.lacking(key))]
        for load in self.loads:
            for node in self.replicas(load.key):
                value = stored_value(node.engine.stores[VALUES.id], load.key, node.clock.now_s())
                if int(value or b"0") < load.acknowledged:
                    found.append(f"{load.key!r} is {value!r} on {node.endpoint}, not {load.acknowledged}")
        return found

    def replicas(self, key: bytes) -> list[WorldNode]:
        some = next(node for node in self.world.nodes if node.takes_clients)
        held = SimpleStrategy(3).replicas(token(key), some.coordinator.ring, some.node)
        return [node for node in self.world.nodes if node.node in held]


def stormy(seed: int, bugs: Bugs | None = None) -> Moving:
    """Nodes that crash and are cut off, while one joins and another one leaves."""
    moving = Moving(seed, STORM, bugs)
    world = moving.world
    Storm(world, world.schedule.now_s + STORM_S, pace=3.0)
    moving.join()
    leaving = [node for node in world.nodes if node.takes_clients]
    if leaving:
        moving.leave(leaving[moving.rng.int_below(len(leaving))])
    moving.join()
    world.heal(10)
    return moving


def moved(seed: int, bugs: Bugs | None = None) -> Moving:
    """One joins or one leaves, as the seed has it, in a storm."""
    moving = Moving(seed, STORM, bugs, 4)
    world = moving.world
    Storm(world, world.schedule.now_s + STORM_S, pace=1.5)
    if seed % 2:
        moving.join()
    else:
        moving.leave(world.nodes[moving.rng.int_below(len(world.nodes))])
    for load in moving.loads:
        load.is_over = True
    world.heal(5)
    return moving
