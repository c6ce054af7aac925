"""Trials that repeat from a seed: a world with troubles, a workload, and what is wrong in the end.

    python tests/simulation/trials.py --seed 17 [--trial conditional]      one seed: what was wrong, the hash of its trace
    python tests/simulation/trials.py --count 1000 [--from 0]              many: the seeds that failed, and the pace
"""

import argparse
import sys
import time
import traceback
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
from simulation.linearizable import Undecided, is_linearizable
from simulation.overwrites import overwritten
from simulation.schema_changes import changed


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


TRIALS: Final = MappingProxyType[str, Callable[..., Trial]](
    {
        "overwrites": _overwrites,
        "conditional": _conditional,
        "counts": _counts,
        "batches": _batches,
        "schema": _schema,
    }
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--trial", choices=list(TRIALS), action="append")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.count) if options.seed is None else [options.seed]
    failed = 0
    simulated_s, began_s = 0.0, time.process_time()
    for seed in seeds:
        for name in options.trial or TRIALS:
            try:
                trial = TRIALS[name](seed)
            except Exception:  # noqa: BLE001 - a stop that nobody planned is a fault, too
                traceback.print_exc()
                print(f"{name} {seed}: stopped", flush=True)
                failed += 1
                continue
            simulated_s += trial.world.schedule.now_s
            if trial.faults:
                failed += 1
                print(f"{name} {seed}: {trial.faults}", flush=True)
            if options.seed is not None:
                print(f"{name} {seed}: trace {trial.world.schedule.trace}")
    spent_s = time.process_time() - began_s
    print(f"{len(seeds)} seeds, {failed} failed; {simulated_s:.0f} s simulated, {simulated_s / spent_s:.0f} a second")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
