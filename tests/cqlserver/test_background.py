"""The task that gives the background its turns."""

from collections.abc import Callable
from itertools import groupby
from types import SimpleNamespace

import trio
import trio.testing

from cqlserver.connections.background import (
    FULL_SOON,
    HELD_UP_S,
    HURRIED_BACKLOG,
    HURRIED_TURN_S,
    LOOK_S,
    TICK_S,
    TURN_S,
    work_forever,
)
from storage.background import Background, Lane
from storage.environment.strands import InlineWorkers


class Engine:
    """Whose backlog is another one each time it is asked."""

    def __init__(self, backlogs: list[float]) -> None:
        self._backlogs = iter(backlogs)
        self.environment = SimpleNamespace(clock=SimpleNamespace(monotonic=trio.current_time))
        self.commit_log = None
        self.background: Background | Turns = Background(InlineWorkers(), trio.current_time)
        self.asked = self.ticks = 0

    @property
    def backlog(self) -> float:
        self.asked += 1
        return next(self._backlogs, 0.0)

    def tick(self) -> None:
        self.ticks += 1


def test_clients_are_held_up_the_more_the_further_behind_flushes_are() -> None:
    backlogs = [0.0, 1.0, *(least for least, _ in reversed(HELD_UP_S)), 9.0, 0.5]
    held: list[float] = []

    async def main() -> None:
        engine = Engine(backlogs)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work_forever, engine, lambda seconds: None, lambda: None, held.append)
            while engine.asked < len(backlogs):
                await trio.sleep(LOOK_S)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert held[: len(backlogs)] == [0.0, 0.0, *(seconds for _, seconds in reversed(HELD_UP_S)), HELD_UP_S[0][1], 0.0]
    assert sorted(held[2:5]) == held[2:5]
    assert held[2] > 0


def test_a_flush_begins_as_soon_as_memtables_are_full_and_not_at_the_next_tick() -> None:
    async def main() -> None:
        engine = Engine([FULL_SOON, FULL_SOON, 1.01])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work_forever, engine, lambda seconds: None, lambda: None, lambda seconds: None)
            while engine.asked < 3:
                await trio.sleep(LOOK_S / 4)
            assert engine.ticks == 1
            assert trio.current_time() < 3 * LOOK_S
            while engine.asked < 5:  # from the fourth time on there is room: nobody looks before the next tick
                await trio.sleep(LOOK_S / 4)
            assert engine.ticks == 2
            assert trio.current_time() > TICK_S
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(rate=0, autojump_threshold=0))


class Turns:
    """A background that always has something to do: how long each of its turns may take."""

    is_idle = False

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.on_wanted: Callable[[], None] = lambda: None

    def is_idle_in(self, lane: Lane) -> bool:
        return lane is not Lane.FLUSH

    def step(self, until: float) -> bool:
        self.seconds.append(round(until - trio.current_time(), 6))
        return False  # it waits for the disk


def test_turns_are_longer_only_where_holding_clients_up_is_not_enough() -> None:
    turns = Turns()

    async def main() -> None:
        engine = Engine([0.0, 2.9, HURRIED_BACKLOG])
        engine.background = turns
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work_forever, engine, lambda seconds: None, lambda: None, lambda seconds: None)
            while engine.asked < 4:
                await trio.sleep(LOOK_S)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    lengths = [length for length, _ in groupby(turns.seconds)]
    assert lengths[:2] == [TURN_S, HURRIED_TURN_S]
    assert turns.seconds.count(TURN_S) > turns.seconds.count(HURRIED_TURN_S) > 10
