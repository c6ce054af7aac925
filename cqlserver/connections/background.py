"""Runs what the engine has to do beside requests (storage/background.py): a turn now and then, between other tasks."""

import logging
from collections.abc import Callable
from typing import Final

import trio

from protocol.errors import StorageError
from storage.background import Lane
from storage.commitlog.log import CommitLog
from storage.engine import Engine

log = logging.getLogger("cqlserver")

TICK_S: Final = 0.5
"""How often is looked what there is to do."""
TURN_S: Final = 0.002
HELD_UP_S: Final = ((2.0, 0.064), (1.75, 0.032), (1.5, 0.016), (1.1, 0.004))
"""How long clients wait after each of their turns (listener.py's TURN_S) while memtables take so many times what they
should: writes come faster than they are flushed, and clients are held up the more the further behind flushes are. So
memtables stay at about twice that, also where a flush waits for the disk, and turns stay short. The time is not lost:
flushes have it."""
HURRIED_BACKLOG: Final = 3.0
HURRIED_TURN_S: Final = 0.016
"""Of a turn while memtables take so many times what they should all the same, because other nodes write to them: those are
not held up."""
LOOK_S: Final = 0.05
"""How often is looked how far that is."""
FULL_SOON: Final = 0.75
"""Where memtables take so much of what they should, it is looked that often though there is nothing to do in the background:
in half a second they may grow by 20 MB."""
WAIT_S: Final = 0.002


async def work_forever(
    engine: Engine,
    note_stall: Callable[[float], None],
    want_sync: Callable[[], None],
    hold_up: Callable[[float], None],
) -> None:
    """Until cancelled. `note_stall` is told how long each turn took, in seconds; `want_sync` has the commit log synced;
    `hold_up` is told how long clients are to wait after each of their turns."""
    clock, background, commit_log = engine.environment.clock.monotonic, engine.background, engine.commit_log
    wanted, token = trio.Event(), trio.lowlevel.current_trio_token()

    def want() -> None:
        wanted.set()

    background.on_wanted = lambda: token.run_sync_soon(want)  # a strand may be who adds something
    next_tick = clock() + TICK_S
    next_look = next_wake = 0.0
    turn_s = TURN_S
    while True:
        now = clock()
        if now >= next_tick:
            next_tick = now + TICK_S
            engine.tick()
        if now >= next_look:
            next_look = now + LOOK_S
            backlog = engine.backlog
            turn_s = HURRIED_TURN_S if backlog >= HURRIED_BACKLOG else TURN_S
            hold_up(next((held_s for least, held_s in HELD_UP_S if backlog >= least), 0.0))
            if backlog > 1.0 and background.is_idle_in(Lane.FLUSH):
                engine.tick()
            next_wake = min(next_tick, next_look) if backlog >= FULL_SOON else next_tick
        if background.is_idle:
            wanted = trio.Event()
            with trio.move_on_after(max(next_wake - clock(), 0.0)):
                await wanted.wait()
            continue
        began = clock()
        has_worked = background.step(began + turn_s)
        if commit_log is not None and (_write(commit_log) or commit_log.is_sync_wanted):
            commit_log.is_sync_wanted = False
            want_sync()
        if has_worked:
            note_stall(clock() - began)
            await trio.lowlevel.checkpoint()
        else:
            await trio.sleep(WAIT_S)


def _write(commit_log: CommitLog) -> bool:
    """What a turn has logged; on an idle server nobody else would. Whether that made a segment full."""
    try:
        return commit_log.write()
    except (StorageError, OSError) as error:
        log.error("writes are refused from now on, reads go on: %s", error)
        return False
