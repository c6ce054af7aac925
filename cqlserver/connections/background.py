"""Runs what the engine has to do beside requests (storage/background.py): a turn now and then, between other tasks."""

from collections.abc import Callable
from typing import Final

import trio

from storage.engine import Engine

TICK_S: Final = 0.5
"""How often is looked whether memtables have grown too large: at the fastest they grow by some 20 MB meanwhile."""
TURN_S: Final = 0.002
HURRIED_TURN_S: Final = 0.008
"""Of a turn while memtables take twice what they should: writes come faster than they are flushed."""
WAIT_S: Final = 0.002


async def work_forever(engine: Engine, note_stall: Callable[[float], None]) -> None:
    """Until cancelled. `note_stall` is told how long each turn took, in seconds."""
    clock, background = engine.environment.clock.monotonic, engine.background
    wanted = trio.Event()

    def want() -> None:
        wanted.set()

    background.on_wanted = want
    next_tick = clock() + TICK_S
    turn_s = TURN_S
    while True:
        if clock() >= next_tick:
            next_tick = clock() + TICK_S
            engine.tick()
            turn_s = HURRIED_TURN_S if engine.is_behind else TURN_S
        if background.is_idle:
            wanted = trio.Event()
            with trio.move_on_after(next_tick - clock()):
                await wanted.wait()
            continue
        began = clock()
        if background.step(began + turn_s):
            note_stall(clock() - began)
            await trio.lowlevel.checkpoint()
        else:
            await trio.sleep(WAIT_S)
