"""The nearest vectors, beside a twin that compares each in full."""

import random
from array import array
from itertools import pairwise
from math import fsum, sqrt
from struct import pack

import pytest

from storage.indexes import vector_scores
from storage.indexes.vector_scores import COSINE, DOT_PRODUCT, EUCLIDEAN, ranked, scores_of


class Given:
    def __init__(self, dimension: int, rows: list[list[float]]) -> None:
        self.dimension = dimension
        self.floats = array("f", [number for row in rows for number in row])
        self.lengths = array("d")

    def row(self, number: int) -> list[float]:
        return list(self.floats[number * self.dimension : (number + 1) * self.dimension])


def score(similarity: str, a: list[float], b: list[float]) -> float:
    if similarity == EUCLIDEAN:
        return 1 / (1 + fsum((x - y) ** 2 for x, y in zip(a, b, strict=True)))
    dot = fsum(x * y for x, y in zip(a, b, strict=True))
    if similarity == DOT_PRODUCT:
        return (1 + dot) / 2
    lengths = sqrt(fsum(x * x for x in a)) * sqrt(fsum(x * x for x in b))
    return (1 + dot / lengths) / 2 if lengths else 0.5


@pytest.mark.parametrize("has_numpy", [True, False])
@pytest.mark.parametrize("similarity", [COSINE, DOT_PRODUCT, EUCLIDEAN])
def test_vectors_come_in_the_order_of_their_scores(
    similarity: str, has_numpy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among them equal ones, ones of zeros, ones that single precision can't tell apart, and huge ones."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    monkeypatch.setattr(vector_scores, "BATCH", 20)
    if not has_numpy:
        monkeypatch.setattr(vector_scores, "_maybe_numpy", lambda: None)
    for reach in (1.0, 1e-20, 1e30):
        dimension = rng.randrange(1, 40)
        wanted = list(array("f", [rng.uniform(-1, 1) for _ in range(dimension)]))
        rows = [[reach * rng.uniform(-1, 1) for _ in range(dimension)] for _ in range(rng.randrange(1, 200))]
        rows += [[0.0] * dimension, rng.choice(rows), rng.choice(rows)]
        rows += [[number * (1 + rng.uniform(-1e-7, 1e-7)) for number in rows[0]] for _ in range(30)]
        rng.shuffle(rows)
        given = Given(dimension, rows)
        for numbers in (None, sorted(rng.sample(range(len(rows)), len(rows) // 2))):
            count = len(rows) if numbers is None else len(numbers)
            scores = scores_of(given, similarity, pack(f">{dimension}f", *wanted), numbers)
            for _ in scores.steps():
                pass
            batches = list(ranked(scores, count))
            assert sorted(index for batch in batches for _, index in batch) == list(range(count))
            found = [one for batch in batches for one in sorted(batch, reverse=True)]
            for told, index in found:
                expected = score(similarity, given.row(index if numbers is None else numbers[index]), wanted)
                assert told == pytest.approx(expected, rel=1e-9, abs=1e-12)
            assert [told for told, _ in found] == sorted((told for told, _ in found), reverse=True)
            for before, after in pairwise(batches):
                if before and after:
                    assert min(before)[0] > max(after)[0]


def test_memory_of_vectors_may_grow_between_steps() -> None:
    """NumPy's views of an array forbid that it grows."""
    given = Given(2, [[1.0, 2.0]] * 3)
    scores = scores_of(given, COSINE, pack(">2f", 1, 1))
    for _ in scores.steps():
        given.floats.extend([3.0, 4.0])
        given.lengths.append(5.0)
    batches = ranked(scores, 3)
    for _ in batches:
        given.floats.extend([3.0, 4.0])
