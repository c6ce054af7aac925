"""Trials that repeat from a seed: a world with troubles, a workload, and what is wrong in the end.

python tests/simulation/trials.py --seed 17 [--trial conditional]      one seed: what was wrong, the hash of its trace
python tests/simulation/trials.py --count 1000 [--from 0]              many, the trials in turn: the seeds that failed,
                                                                       how often what happened, and the pace
"""

import argparse
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

if __name__ == "__main__":
    here = Path(__file__).resolve()
    sys.path[:0] = [str(here.parent.parent.parent), str(here.parent.parent)]

from simulation.batching import batched
from simulation.cluster_world import Bugs, World
from simulation.conditional import INITIAL, conditional
from simulation.counting import counted
from simulation.following import followed
from simulation.lapsing import lapsed
from simulation.linearizable import Undecided, is_linearizable
from simulation.moving import moved
from simulation.overwrites import overwritten
from simulation.scanning import scanned
from simulation.schema_changes import changed
from simulation.sets import elements

TELL_EVERY: Final = 100


@dataclass(frozen=True)
class Trial:
    """What a seed came to."""

    world: World
    faults: list[str]


def _overwrites(seed: int, bugs: Bugs | None = None) -> Trial:
    world, overwrites = overwritten(seed, bugs)
    return Trial(world, [fault for one in overwrites for fault in one.faults])


def _conditional(seed: int, bugs: Bugs | None = None) -> Trial:
    register = conditional(seed, bugs)
    try:
        is_fine = is_linearizable(register.history, INITIAL)
    except Undecided:
        is_fine = True
    return Trial(register.world, [] if is_fine else [f"not linearizable: {register.history}"])


def _counts(seed: int, bugs: Bugs | None = None) -> Trial:
    counts = counted(seed, bugs)
    return Trial(counts.world, counts.faults)


def _batches(seed: int, bugs: Bugs | None = None) -> Trial:
    batches = batched(seed, bugs)
    return Trial(batches.world, batches.faults)


def _schema(seed: int, bugs: Bugs | None = None) -> Trial:
    changes = changed(seed, bugs)
    return Trial(changes.world, changes.faults)


def _sets(seed: int, bugs: Bugs | None = None) -> Trial:
    added = elements(seed, bugs)
    try:
        is_fine = is_linearizable(added.history, INITIAL)
    except Undecided:
        is_fine = True
    return Trial(added.world, added.faults + ([] if is_fine else [f"not linearizable: {added.history}"]))


def _scans(seed: int, bugs: Bugs | None = None) -> Trial:
    scans = scanned(seed, bugs)
    return Trial(scans.world, scans.faults)


def _lapses(seed: int, bugs: Bugs | None = None) -> Trial:
    world, lapses = lapsed(seed, bugs)
    return Trial(world, [fault for one in lapses for fault in one.faults])


def _follows(seed: int, bugs: Bugs | None = None) -> Trial:
    world, searches = followed(seed, bugs)
    return Trial(world, [fault for one in searches for fault in one.faults])


def _moves(seed: int, bugs: Bugs | None = None) -> Trial:
    moving = moved(seed, bugs)
    return Trial(moving.world, moving.faults)


TRIALS: Final = MappingProxyType[str, Callable[..., Trial]](
    {
        "overwrites": _overwrites,
        "conditional": _conditional,
        "counts": _counts,
        "batches": _batches,
        "schema": _schema,
        "sets": _sets,
        "scans": _scans,
        "lapses": _lapses,
        "follows": _follows,
        "moves": _moves,
    }
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--until", help="HH:MM: no seed begins after that time of the day (UTC)")
    parser.add_argument("--trial", choices=list(TRIALS), action="append", help="these, in turn")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    names = options.trial or list(TRIALS)
    if options.seed is not None:
        # one by name, or the one whose turn it is
        turns = [(options.seed, name) for name in options.trial or [_whose_turn(options.seed, names)]]
    else:
        seeds = range(options.first, options.first + options.count)
        turns = [(seed, _whose_turn(seed, names)) for seed in seeds]
    tally = Tally()
    for seed, name in turns:
        if options.until is not None and time.strftime("%H:%M", time.gmtime()) >= options.until:
            break
        tally.run(seed, name)
        if options.seed is not None and tally.last is not None:
            print(f"{name} {seed}: trace {tally.last.world.schedule.trace}")
    tally.tell()
    return 1 if tally.failed else 0


def _whose_turn(seed: int, names: list[str]) -> str:
    return names[seed % len(names)]


class Tally:
    """What many trials came to: `happened` by what it was, `by_trial` how many of each."""

    def __init__(self) -> None:
        self.failed = 0
        self.simulated_s, self._began_s = 0.0, time.process_time()
        self.happened: Counter[str] = Counter()
        self.by_trial: Counter[str] = Counter()
        self.last: Trial | None = None

    def run(self, seed: int, name: str) -> None:
        self.last = None
        self.by_trial[name] += 1
        try:
            trial = TRIALS[name](seed)
        except Exception:  # noqa: BLE001 - a stop that nobody planned is a fault, too
            traceback.print_exc()
            print(f"{name} {seed}: stopped", flush=True)
            self.failed += 1
            return
        self.last, world = trial, trial.world
        self.simulated_s += world.schedule.now_s
        self.happened.update(world.happened)
        network = world.network
        self.happened.update(
            {"messages": network.delivered, "messages lost": network.lost, "messages doubled": network.doubled}
        )
        if trial.faults:
            self.failed += 1
            print(f"{name} {seed}: {trial.faults}", flush=True)
        if not sum(self.by_trial.values()) % TELL_EVERY:
            self.tell()

    def tell(self) -> None:
        spent_s = time.process_time() - self._began_s
        count, pace = sum(self.by_trial.values()), self.simulated_s / max(spent_s, 0.001)
        print(f"{count} seeds, {self.failed} failed; {self.simulated_s:.0f} s simulated, {pace:.0f} a second")
        for counts in (self.by_trial, self.happened):
            print("    " + ", ".join(f"{name}: {number:,}" for name, number in sorted(counts.items())), flush=True)


if __name__ == "__main__":
    sys.exit(main())
