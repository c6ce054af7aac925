"""The stall table (benchmarks/stall_cases.py), smaller than life: what lies between two pauses of a request is short.

Every turn ends at its first pause, so that turns are as short as they can be; the collector is off. What counts is processor
time, and of several runs the shortest: a busy machine makes neither much longer. One that is slower by itself, for hours,
does: so a loop is timed beside, and what it takes more than usual the turns may, too.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator

import pytest

from benchmarks.stall_cases import KINDS, Sizes
from benchmarks.stalls import Bench, measured
from protocol.requests import Query
from storage.environment.environment import Environment, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import ThreadWorkers
from storage.memtable import memtable
from tests.cqlserver.test_long_requests import HastyClock

SCALES = {
    "texts": 0.05, "columns": 0.3, "numbers": 0.3, "collections": 0.1, "products": 0.1, "freed": 0.1, "scans": 0.05,
    "schemas": 0.1, "derived": 0.1,
}  # fmt: skip
"""So that what was a tenth of a second is more than LONGEST_S still."""
LONGEST_S = 0.01
ATTEMPTS = 5
USUAL_S = (0.015, 0.006)
"""What `_counting` and `_filling` take on the machine that LONGEST_S is for."""


def slowness() -> float:
    """How many times as long as that this machine takes now; 1 at least."""
    return max(1.0, *(_middle(work) / usual_s for work, usual_s in zip((_counting, _filling), USUAL_S, strict=True)))


def _counting() -> None:
    total = 0
    for number in range(500_000):
        total += number


def _filling() -> None:
    """Memory that is new costs what the machine's host makes of it."""
    assert len([bytes(1_000) for _ in range(20_000)]) == 20_000


def _middle(work: Callable[[], None]) -> float:
    """Of some runs, in seconds of this thread."""
    taken = []
    for _ in range(5):
        began = time.thread_time()
        work()
        taken.append(time.thread_time() - began)
    return statistics.median(taken)


@pytest.fixture(autouse=True)
def _no_collections() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def slow(kind: str, attempts: int = ATTEMPTS) -> dict[str, int]:
    """The cases that hold the loop for longer each time: milliseconds."""
    found: dict[str, int] | None = None
    for _ in range(attempts):
        before = slowness()
        clock = HastyClock()
        bench = Bench(Environment(clock, Rng(b"stalls"), FaultyDisk(), ThreadWorkers(clock.monotonic)))
        bench.ask(Query("nothing"))  # what explains syntax errors is imported
        longest = {name: turn.processor_s for name, _, turn in measured(bench, Sizes(SCALES[kind]), [kind])}
        assert len(longest) > 5
        longest_s = LONGEST_S * max(before, slowness())
        too_long = {name: round(seconds * 1000) for name, seconds in longest.items() if seconds > longest_s}
        found = too_long if found is None else {name: found[name] for name in too_long if name in found}
        if not found:
            break
    assert found is not None
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_request_of_the_table_holds_the_loop_for_long(kind: str) -> None:
    assert slow(kind) == {}


@pytest.mark.slow
def test_a_stall_that_comes_back_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows were merged into a draft without a pause."""
    monkeypatch.setattr(memtable, "paused", iter)
    assert "update IN x IN of rows" in slow("products", attempts=1)
