"""The stall table (benchmarks/stall_cases.py), smaller than life: what lies between two pauses of a request is short.

Every turn ends at its first pause, so that turns are as short as they can be; the collector is off. What counts is processor
time, and of several runs the shortest: a busy machine makes neither much longer.
"""

import gc
from collections.abc import Iterator

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
ATTEMPTS = 3


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
        clock = HastyClock()
        bench = Bench(Environment(clock, Rng(b"stalls"), FaultyDisk(), ThreadWorkers(clock.monotonic)))
        bench.ask(Query("nothing"))  # what explains syntax errors is imported
        longest = {name: turn.processor_s for name, _, turn in measured(bench, Sizes(SCALES[kind]), [kind])}
        assert len(longest) > 5
        too_long = {name: round(seconds * 1000) for name, seconds in longest.items() if seconds > LONGEST_S}
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
