"""Several sources of batches in one order, against sorting them all."""

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from storage.batches import Batch, in_order

Source = list[tuple[list[bytes], list[str]]]


def random_sources(rng: random.Random, count: int) -> list[Source]:
    """Of few positions, so that many are in several; some sources are empty, some batches too."""
    found = []
    for number in range(count):
        positions = sorted(rng.sample(range(300), rng.choice((0, 1, 3, 40))))
        batches: Source = []
        while positions:
            size = rng.randrange(8)
            batch, positions = positions[:size], positions[size:]
            keys = [position.to_bytes(2, "big") for position in batch]
            batches.append((keys, [f"{number}: {position}" for position in batch]))
        found.append(batches)
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 5, 100])
def test_all_come_in_order_and_those_of_one_position_together(count: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(20):
        sources = random_sources(rng, count)
        expected = sorted(
            (position, number, content)
            for number, source in enumerate(sources)
            for positions, contents in source
            for position, content in zip(positions, contents, strict=True)
        )
        lists = [list(items) for items in in_order([iter(source) for source in sources])]
        assert [item for items in lists for item in items] == expected
        assert all(lists)
        for items, following in pairwise(lists):
            assert items[-1][0] < following[0][0]


def test_each_source_is_only_asked_for_its_next_batch_when_the_one_before_is_used_up() -> None:
    asked: list[int] = []

    def source(number: int) -> Iterator[Batch[int]]:
        for batch in range(3):
            asked.append(number)
            yield [bytes((batch, number))], [number]

    found = []
    for items in in_order([source(number) for number in range(10)]):
        found += items
        assert len(asked) <= len(found) + 10
    assert len(found) == len(asked) == 30
