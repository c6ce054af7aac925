"""How near vectors are to one that is wanted, and which of many are the nearest.

Scores are Cassandra's (jvector's VectorSimilarityFunction): (1 + cosine) / 2, (1 + dot product) / 2, 1 / (1 + distance²).

With NumPy all vectors are compared in single precision, and those that come out best once more in double precision: 100,000
vectors of 384 floats take four milliseconds. `einsum`, not `@`: BLAS would start threads, and give equal vectors unequal
products. Without NumPy each comparison is a sum of products in C, which takes ten microseconds.
"""

import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from heapq import nlargest
from importlib import import_module
from math import inf, isfinite, sqrt
from operator import mul, sub
from typing import Any, Final, Protocol

from storage.environment.strands import beside, long_work

COSINE, DOT_PRODUCT, EUCLIDEAN = "COSINE", "DOT_PRODUCT", "EUCLIDEAN"
FLOATS_PER_STEP: Final = 1_500_000
PLAIN_FLOATS_PER_STEP: Final = 60_000
BATCH: Final = 100
"""Put in order at a time."""
_ROUNDING: Final = 2.0**-24
"""Of a float, relative to it."""


def floats(value: bytes) -> "array[float]":
    """Of a serialised vector."""
    made = array("f", value)
    if sys.byteorder == "little":
        made.byteswap()
    return made


def length_of(value: "array[float]") -> float:
    return sqrt(sum(map(mul, value, value)))


class Vectors(Protocol):
    """Vectors of one dimension, one behind the other."""

    dimension: int
    floats: "array[float]"
    lengths: "array[float]"
    """Of the first ones of them: those that were compared once."""


class Scores(Protocol):
    """The scores of some vectors, by their index among these; steps() have to come first."""

    margin: float
    """By how much a rough score may be wrong."""

    def steps(self) -> Iterator[None]: ...
    def best(self, count: int) -> list[int]:
        """Those with the best rough scores, in any order."""

    def order(self) -> list[int]:
        """All, the best rough score first."""

    def rough(self, index: int) -> float: ...
    def exact(self, indexes: Sequence[int]) -> list[float]: ...


def scores_of(vectors: Vectors, similarity: str, wanted: bytes, numbers: Sequence[int] | None = None) -> Scores:
    """Of those with these numbers, or of all that there are now."""
    numpy = _maybe_numpy()
    if numpy is None:
        return PlainScores(vectors, similarity, wanted, numbers)
    return MatrixScores(numpy, vectors, similarity, wanted, numbers)


def ranked(scores: Scores, count: int) -> Iterator[list[tuple[float, int]]]:
    """(score, index), the nearest first: what is in one list is nearer than all in the next, in a list is no order."""
    indexes = scores.best(BATCH) if count > BATCH else list(range(count))
    done, order = len(indexes), indexes
    # what is not among the best at first is no nearer than the roughest of them
    limit = min((scores.rough(index) for index in indexes), default=0.0)
    waiting: list[tuple[float, int]] = []
    while True:
        waiting += zip(scores.exact(indexes), indexes, strict=True)
        if done >= count:
            yield waiting
            return
        sure = [found for found in waiting if found[0] > limit + scores.margin]
        waiting = [found for found in waiting if not found[0] > limit + scores.margin]
        yield sure
        if done <= BATCH:
            seen = set(indexes)
            order = indexes + [index for index in scores.order() if index not in seen]
        indexes = order[done : done + BATCH]
        done += len(indexes)
        limit = scores.rough(order[done]) if done < count else -inf


def _maybe_numpy() -> Any:
    if "numpy" not in sys.modules:
        long_work()  # fifty milliseconds, once
    try:
        return beside(lambda: import_module("numpy"))
    except ImportError:
        return None


class PlainScores:
    """Scores without NumPy: exact at once."""

    margin = 0.0

    def __init__(self, vectors: Vectors, similarity: str, wanted: bytes, numbers: Sequence[int] | None) -> None:
        self._vectors = vectors
        self._score = _scorer(similarity, floats(wanted))
        self._numbers = range(len(vectors.floats) // vectors.dimension) if numbers is None else numbers
        self._scores: list[float] = []

    def steps(self) -> Iterator[None]:
        vectors, dimension = self._vectors, self._vectors.dimension
        rows = max(1, PLAIN_FLOATS_PER_STEP // dimension)
        for start in range(0, len(self._numbers), rows):
            for number in self._numbers[start : start + rows]:
                vector = vectors.floats[number * dimension : (number + 1) * dimension]
                self._scores.append(self._score(vector, self._length(number, vector)))
            yield

    def _length(self, number: int, vector: "array[float]") -> float:
        lengths = self._vectors.lengths
        if number < len(lengths):
            return lengths[number]
        length = length_of(vector)
        if number == len(lengths):
            lengths.append(length)
        return length

    def best(self, count: int) -> list[int]:
        return nlargest(count, range(len(self._scores)), key=self._scores.__getitem__)

    def order(self) -> list[int]:
        return sorted(range(len(self._scores)), key=self._scores.__getitem__, reverse=True)

    def rough(self, index: int) -> float:
        return self._scores[index]

    def exact(self, indexes: Sequence[int]) -> list[float]:
        return [self._scores[index] for index in indexes]


def _scorer(similarity: str, query: "array[float]") -> Callable[["array[float]", float], float]:
    """(vector, its length) -> score."""
    if similarity == EUCLIDEAN:

        def euclidean(value: "array[float]", _: float) -> float:
            apart = list(map(sub, query, value))
            return 1 / (1 + float(sum(map(mul, apart, apart))))

        return euclidean
    if similarity == DOT_PRODUCT:
        return lambda value, _: (1 + float(sum(map(mul, query, value)))) / 2
    length = length_of(query)

    def cosine(value: "array[float]", other: float) -> float:
        if not length or not other:
            return 0.5
        return (1 + float(sum(map(mul, query, value))) / (length * other)) / 2

    return cosine


class MatrixScores:
    """Scores with NumPy. What looks at the vectors' memory is let go of within a step: it could not grow."""

    def __init__(
        self, numpy: Any, vectors: Vectors, similarity: str, wanted: bytes, numbers: Sequence[int] | None
    ) -> None:
        self._numpy, self._vectors, self._similarity = numpy, vectors, similarity
        self._wanted = numpy.frombuffer(wanted, dtype=">f4").astype(numpy.float32)
        self._numbers = None if numbers is None else numpy.array(numbers, dtype=numpy.int64)
        self._count = len(vectors.floats) // vectors.dimension if numbers is None else len(numbers)
        self._scores = numpy.zeros(self._count, dtype=numpy.float64)
        self.margin = 0.0

    def steps(self) -> Iterator[None]:
        vectors = self._vectors
        rows = max(1, FLOATS_PER_STEP // vectors.dimension)
        while len(vectors.lengths) * vectors.dimension < len(vectors.floats):
            self._measure(len(vectors.lengths), len(vectors.lengths) + rows)
            yield
        longest = 1.0
        for start in range(0, self._count, rows):
            longest = max(longest, self._compare(start, min(start + rows, self._count)))
            yield
        self._set_margin(longest)

    def _measure(self, start: int, end: int) -> None:
        new = self._matrix()[start:end].astype(self._numpy.float64)
        self._vectors.lengths.frombytes(self._numpy.sqrt(self._numpy.einsum("ij,ij->i", new, new)).tobytes())

    def _compare(self, start: int, end: int) -> float:
        """The longest one's length."""
        chosen = slice(start, end) if self._numbers is None else self._numbers[start:end]
        lengths = self._lengths()[chosen]
        self._scores[start:end] = self._compared(self._matrix()[chosen], lengths, self._wanted)
        return float(lengths.max(initial=0.0))

    def _set_margin(self, longest: float) -> None:
        numpy, self.margin = self._numpy, (self._vectors.dimension + 8) * _ROUNDING
        if self._similarity == DOT_PRODUCT:
            self.margin *= max(1.0, longest * _length(numpy, self._wanted))
        if not isfinite(self.margin) or not numpy.isfinite(self._scores).all():
            self.margin = inf

    def _matrix(self) -> Any:
        return self._numpy.frombuffer(self._vectors.floats, dtype=self._numpy.float32).reshape(-1, self._vectors.dimension)

    def _lengths(self) -> Any:
        return self._numpy.frombuffer(self._vectors.lengths, dtype=self._numpy.float64)

    def _compared(self, matrix: Any, lengths: Any, wanted: Any) -> Any:
        """In the precision of what is given."""
        numpy = self._numpy
        with numpy.errstate(all="ignore"):
            if self._similarity == EUCLIDEAN:
                apart = matrix - wanted
                return 1 / (1 + numpy.einsum("ij,ij->i", apart, apart))
            products = numpy.einsum("ij,j->i", matrix, wanted)
            if self._similarity == DOT_PRODUCT:
                return (1 + products) / 2
            reach = lengths * _length(numpy, wanted)
            return numpy.where(reach > 0, (1 + products / reach) / 2, 0.5)

    def best(self, count: int) -> list[int]:
        found: list[int] = self._numpy.argpartition(-self._scores, count - 1)[:count].tolist()
        return found

    def order(self) -> list[int]:
        found: list[int] = self._numpy.argsort(-self._scores, kind="stable").tolist()
        return found

    def rough(self, index: int) -> float:
        return float(self._scores[index])

    def exact(self, indexes: Sequence[int]) -> list[float]:
        numpy = self._numpy
        chosen = numpy.array(indexes, dtype=numpy.int64)
        if self._numbers is not None:
            chosen = self._numbers[chosen]
        doubles = numpy.float64
        found: list[float] = self._compared(
            self._matrix()[chosen].astype(doubles), self._lengths()[chosen], self._wanted.astype(doubles)
        ).tolist()
        return found


def _length(numpy: Any, vector: Any) -> float:
    doubles = vector.astype(numpy.float64)
    return sqrt(float(numpy.einsum("i,i->", doubles, doubles)))
