"""What befalls a simulated world: crashes, power cuts, partitions, pauses, clocks that jump, disks that are full or slow,
bad weather; at random times, and undone after a while. What happened is counted (`World.happened`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from simulation.cluster_world import SKEW_S, World, WorldNode
from simulation.network import Weather

JUMP_S: Final = 1.5
"""How far a clock jumps at most, where what is checked depends on clocks."""
FAULTS_AT_ONCE: Final = 2
FREE_BYTES_MAX: Final = 4_000
"""Of a disk that is about to be full."""
SYNC_S_MAX: Final = 0.3

Undo = Callable[[], None]


@dataclass(frozen=True)
class Fault:
    """`share`: how often it is chosen, beside the others; `begin(storm, victim)` gives what undoes it."""

    name: str
    share: float
    begin: Callable[["Storm", WorldNode], Undo]


class Storm:
    """From now until `until_s`. `pace`: so much longer is each fault left alone; `jump_s`: how far clocks may be off."""

    def __init__(self, world: World, until_s: float, pace: float = 1.0, jump_s: float = JUMP_S) -> None:
        self.world, self.until_s, self.pace, self.jump_s = world, until_s, pace, jump_s
        self.rng = world.rng.fork("trouble")
        self._undo: list[Undo] = []
        self._shares = sum(fault.share for fault in FAULTS)
        world.schedule.after(self.rng.float(), self._strike)

    def _strike(self) -> None:
        is_over = self.world.schedule.now_s >= self.until_s
        if is_over or len(self._undo) >= FAULTS_AT_ONCE or self.rng.float() < 0.7:
            self._end_all()
        if is_over:
            return
        nodes = self.world.nodes
        victim = nodes[self.rng.int_below(len(nodes))]
        fault = self._choose()
        if not victim.has_left:
            self.world.happened[fault.name] += 1
            self._undo.append(fault.begin(self, victim))
        self.world.schedule.after(self.pace * (0.2 + self.rng.float() * 1.5), self._strike)

    def _end_all(self) -> None:
        undo, self._undo = self._undo, []
        for end in reversed(undo):
            end()
        for node in self.world.nodes:
            if not node.is_up and not node.has_left:  # one that a full disk has stopped, too
                node.disk.heal()
                node.start()

    def _choose(self) -> Fault:
        luck = self.rng.float() * self._shares
        for fault in FAULTS:
            luck -= fault.share
            if luck < 0:
                return fault
        return FAULTS[-1]

    # --- faults ----------------------------------------------------------------------------------------------------------

    def crash(self, victim: WorldNode) -> Undo:
        victim.crash()
        return _nothing

    def restart(self, victim: WorldNode) -> Undo:
        victim.crash()
        victim.disk.heal()
        victim.start()
        return _nothing

    def lose_power(self, victim: WorldNode) -> Undo:
        victim.lose_power()
        return _nothing

    def blink(self, victim: WorldNode) -> Undo:
        victim.lose_power()
        victim.disk.heal()
        victim.start()
        return _nothing

    def cut_off(self, victim: WorldNode) -> Undo:
        others = [node.endpoint for node in self.world.nodes if node is not victim]
        self.world.network.partition([victim.endpoint], others)
        return self.world.network.heal

    def mute(self, victim: WorldNode) -> Undo:
        others = [node.endpoint for node in self.world.nodes if node is not victim]
        self.world.network.partition([victim.endpoint], others, one_way=True)
        return self.world.network.heal

    def deafen(self, victim: WorldNode) -> Undo:
        others = [node.endpoint for node in self.world.nodes if node is not victim]
        self.world.network.partition(others, [victim.endpoint], one_way=True)
        return self.world.network.heal

    def halve(self, victim: WorldNode) -> Undo:
        """Two parts; where there are two datacenters, these."""
        own = [node for node in self.world.nodes if node.node.datacenter == victim.node.datacenter]
        if len(own) == len(self.world.nodes):
            own = [node for node in own if node is victim or self.rng.float() < 0.5]
        others = [node.endpoint for node in self.world.nodes if node not in own]
        self.world.network.partition([node.endpoint for node in own], others)
        return self.world.network.heal

    def pause(self, victim: WorldNode) -> Undo:
        if not victim.is_up:
            return _nothing
        victim.pause()
        life = victim.life
        return lambda: victim.resume() if victim.life == life and victim.is_paused else None

    def jump(self, victim: WorldNode) -> Undo:
        """It stays so."""
        victim.clock.jump((self.rng.float() - 0.5) * (SKEW_S + 2 * self.jump_s))
        return _nothing

    def fill_disk(self, victim: WorldNode) -> Undo:
        victim.disk.free_bytes = self.rng.int_below(FREE_BYTES_MAX)
        return victim.disk.heal

    def break_disk(self, victim: WorldNode) -> Undo:
        victim.disk.fail(("sync", "write")[self.rng.int_below(2)], self.rng.int_below(20))
        return victim.disk.heal

    def slow_disk(self, victim: WorldNode) -> Undo:
        victim.sync_s = self.rng.float() * SYNC_S_MAX
        return partial(setattr, victim, "sync_s", 0.0)

    def worsen(self, victim: WorldNode) -> Undo:
        """The weather, for all."""
        network = self.world.network
        before = network.weather
        worse = Weather(before.delay_s_max * (1 + self.rng.float() * 10), before.loss + self.rng.float() * 0.3, 0.2)
        network.weather = worse

        def end() -> None:
            if network.weather is worse:
                network.weather = before

        return end

    def flush(self, victim: WorldNode) -> Undo:
        """No fault, but something that happens."""
        if victim.is_up and not victim.is_paused:
            victim.flush()
        return _nothing


def _nothing() -> None:
    pass


FAULTS: Final = (
    Fault("crash", 0.15, Storm.crash),
    Fault("restart", 0.15, Storm.restart),
    Fault("power cut", 0.1, Storm.lose_power),
    Fault("power cut and back", 0.1, Storm.blink),
    Fault("cut off", 0.12, Storm.cut_off),
    Fault("one way out cut", 0.08, Storm.mute),
    Fault("one way in cut", 0.08, Storm.deafen),
    Fault("halves", 0.06, Storm.halve),
    Fault("pause", 0.1, Storm.pause),
    Fault("clock jump", 0.1, Storm.jump),
    Fault("full disk", 0.05, Storm.fill_disk),
    Fault("broken disk", 0.05, Storm.break_disk),
    Fault("slow disk", 0.08, Storm.slow_disk),
    Fault("bad weather", 0.08, Storm.worsen),
    Fault("flush", 0.06, Storm.flush),
)
