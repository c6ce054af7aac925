"""A few seconds of each fuzzer, and that they find what there is to find."""

from random import Random

import pytest
from hunt import histories, messages, statements
from hunt.hunting import Fuzzer, hunt

SECONDS = 8.0
SEED = 1
"""The same cases at each run: nobody fails by what another one left. `python -m hunt` looks where nobody has looked."""
FUZZERS: list[Fuzzer[object]] = [*messages.FUZZERS, *statements.FUZZERS, *histories.FUZZERS]  # type: ignore[list-item]


@pytest.mark.slow
@pytest.mark.parametrize("fuzzer", FUZZERS, ids=lambda fuzzer: fuzzer.name)
def test_nothing_is_found(fuzzer: Fuzzer[object]) -> None:
    count, found = hunt(fuzzer, SEED, SECONDS)
    assert count
    assert found is None, f"{found}"


def test_what_is_found_is_shrunk() -> None:
    def case(rng: Random) -> list[int]:
        return [rng.randrange(100) for _ in range(30)]

    fuzzer = Fuzzer("numbers", case, lambda parts: "it has a 7" if 7 in parts else None)
    _, found = hunt(fuzzer, 1, 10)
    assert found is not None
    assert found.parts == [7]
    assert 7 in case(Random(found.seed))
