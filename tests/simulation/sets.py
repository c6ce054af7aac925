"""A workload: a set, to which clients add elements by compare-and-set of the whole; what was acknowledged is in it in the
end."""

from simulation.cluster_world import Bugs, World
from simulation.conditional import INITIAL, LWT_JUMP_S, Attempt, Register
from simulation.network import Weather
from simulation.storms import Storm


class Elements(Register):
    """Each operation adds an element of its own."""

    def __init__(self, world: World, clients: int) -> None:
        super().__init__(world, clients)
        self.faults: list[str] = []

    def new_value(self, seen: str, operation: str) -> str:
        return f"{seen} {operation}"

    def judge(self) -> None:
        """After healing, by a last read."""
        self.is_over = True
        self.world.run(5)
        last = Attempt(self, self.world.nodes[0], None, None)
        last.begin(is_fast=False)
        self.world.run(2)
        found = (last.found or INITIAL).split(" ")
        if not last.is_told or len(set(found)) < len(found):
            self.faults.append(f"in the end it is {found}")
        for operation in self.history:
            if operation.new is not None and (applied := operation.applied) is not None:
                element = operation.new.split(" ")[-1]
                if applied != (element in found):
                    self.faults.append(f"{element} was {'' if applied else 'not '}added, and in the end it is {found}")


def elements(seed: int, bugs: Bugs | None = None, seconds: float = 8.0) -> Elements:
    """Three clients in a storm."""
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03, duplicate=0.02), bugs)
    added = Elements(world, 3)
    Storm(world, world.schedule.now_s + seconds, jump_s=LWT_JUMP_S)
    world.run(seconds)
    world.heal(4)
    added.judge()
    return added
