"""Vectors of an attached index, and the nearest of them: exact, because every one is looked at.

The vectors lie one behind the other in one array of floats. With NumPy at hand a chunk of them is a matrix, and comparing is
a product; without it each is a sum of products in C (`sum(map(mul, ...))`), which takes ten microseconds for 384 floats.

Scores are Cassandra's (jvector's VectorSimilarityFunction): (1 + cosine) / 2, (1 + dot product) / 2, 1 / (1 + distance²).
"""

import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from heapq import nsmallest
from importlib import import_module
from math import sqrt
from operator import mul, sub
from typing import Any, Final

from protocol.types import FLOAT, VectorType
from storage.indexes.attached import AttachedIndex, Postings
from storage.indexes.target import IndexTarget
from storage.schema.metadata import IndexMetadata, TableMetadata

SIMILARITY: Final = "similarity_function"
COSINE, DOT_PRODUCT, EUCLIDEAN = "COSINE", "DOT_PRODUCT", "EUCLIDEAN"
ROWS_PER_STEP: Final = 150
ROWS_PER_MATRIX: Final = 4_000
CANDIDATES_MIN: Final = 500
"""Put in order at first, where fewer rows are wanted: some of them may not pass a filter."""
Scored = tuple[float, bytes, bytes]
"""(minus the score, position, order key): the nearest is the least, and of those as near the first in a scan."""


def is_vector(target: IndexTarget) -> bool:
    type_ = target.column.type
    return isinstance(type_, VectorType) and type_.elements == FLOAT


def floats(value: bytes) -> "array[float]":
    """Of a serialised vector."""
    made = array("f", value)
    if sys.byteorder == "little":
        made.byteswap()
    return made


class VectorPostings:
    """Vectors by the place of their row: the last one put there counts."""

    __slots__ = ("_free", "_numbers", "dimension", "floats", "lengths", "places", "size")

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.floats = array("f")
        self.lengths = array("d")  # of the vectors: half of what comparing by cosine would compute
        self.places: list[tuple[bytes, bytes] | None] = []
        self._numbers: dict[tuple[bytes, bytes], int] = {}
        self._free: list[int] = []
        self.size = 0

    def add(self, entry: tuple[bytes, bytes, bytes]) -> None:
        value, place = floats(entry[0]), entry[1:]
        number = self._numbers.get(place)
        if number is None:
            self.size += 1
            if self._free:
                number = self._free.pop()
                self.places[number] = place
            else:
                self._numbers[place] = len(self.places)
                self.places.append(place)
                self.floats.extend(value)
                self.lengths.append(_length_of(value))
                return
            self._numbers[place] = number
        start = number * self.dimension
        self.floats[start : start + self.dimension] = value
        self.lengths[number] = _length_of(value)

    def discard(self, entry: tuple[bytes, bytes, bytes]) -> None:
        """Only where it is this vector that is there."""
        place = entry[1:]
        number = self._numbers.get(place)
        if number is None:
            return
        start = number * self.dimension
        if self.floats[start : start + self.dimension] == floats(entry[0]):
            del self._numbers[place]
            self.places[number] = None
            self._free.append(number)
            self.size -= 1


class VectorIndex(AttachedIndex):
    """An attached index on a column of vectors of floats."""

    __slots__ = ("similarity",)

    def __init__(self, base: TableMetadata, metadata: IndexMetadata, target: IndexTarget) -> None:
        super().__init__(base, metadata, target)
        self.similarity = metadata.options.get(SIMILARITY, COSINE).upper()

    def _empty(self) -> Postings:
        assert isinstance(self.target.column.type, VectorType)
        return VectorPostings(self.target.column.type.dimension)

    def term(self, value: bytes) -> bytes:
        return value

    def scores(self, wanted: bytes) -> Iterator[list[Scored]]:
        """Of all vectors, in chunks, each a step's work."""
        assert isinstance(self.postings, VectorPostings)
        return _scores(self.postings, self.similarity, wanted)

    def nearest(self, wanted: bytes, count: int, is_wanted: Callable[[Scored], bool]) -> Iterator[Scored | None]:
        """The wanted ones in order, the nearest first; about so many will be looked at. None after each step of work."""
        best: list[Scored] = []
        total = 0
        for chunk in self.scores(wanted):
            inside = [found for found in chunk if is_wanted(found)]
            total += len(inside)
            best = nsmallest(count, best + inside)
            yield None
        yield from best
        if total > len(best):
            rest: list[Scored] = []
            seen = set(best)
            for chunk in self.scores(wanted):
                rest += [found for found in chunk if found not in seen and is_wanted(found)]
                yield None
            rest.sort()
            yield from rest

    def scored(self, wanted: bytes, vectors: Sequence[tuple[bytes, bytes, bytes]]) -> list[Scored]:
        """How near vectors are that are given with their places: (vector, position, order key)."""
        assert isinstance(self.postings, VectorPostings)
        given = VectorPostings(self.postings.dimension)
        for entry in vectors:
            given.add(entry)
        return [found for chunk in _scores(given, self.similarity, wanted) for found in chunk]


def _scores(postings: VectorPostings, similarity: str, wanted: bytes) -> Iterator[list[Scored]]:
    query = floats(wanted)
    numpy = _maybe_numpy()
    rows = ROWS_PER_STEP if numpy is None else ROWS_PER_MATRIX
    score = _scorer(similarity, query) if numpy is None else None
    dimension = postings.dimension
    for start in range(0, len(postings.places), rows):
        places = postings.places[start : start + rows]
        chunk = postings.floats[start * dimension : (start + len(places)) * dimension]
        if score is None:
            found = _matrix_scores(numpy, similarity, query, chunk, dimension)
        else:
            lengths = postings.lengths[start : start + len(places)]
            values = [chunk[at : at + dimension] for at in range(0, len(chunk), dimension)]
            found = list(map(score, values, lengths))
        yield [(-value, *place) for value, place in zip(found, places, strict=True) if place is not None]


def _length_of(value: "array[float]") -> float:
    return sqrt(sum(map(mul, value, value)))


def _maybe_numpy() -> Any:
    try:
        return import_module("numpy")
    except ImportError:
        return None


def _scorer(similarity: str, query: "array[float]") -> Callable[["array[float]", float], float]:
    """(vector, its length) -> score."""
    if similarity == EUCLIDEAN:

        def euclidean(value: "array[float]", _: float) -> float:
            apart = list(map(sub, query, value))
            return 1 / (1 + float(sum(map(mul, apart, apart))))

        return euclidean
    if similarity == DOT_PRODUCT:
        return lambda value, _: (1 + float(sum(map(mul, query, value)))) / 2
    length = _length_of(query)

    def cosine(value: "array[float]", other: float) -> float:
        if not length or not other:
            return 0.5
        return (1 + float(sum(map(mul, query, value))) / (length * other)) / 2

    return cosine


def _matrix_scores(numpy: Any, similarity: str, query: "array[float]", chunk: "array[float]", dimension: int) -> list[float]:
    matrix = numpy.frombuffer(chunk, dtype=numpy.float32).reshape(-1, dimension)
    wanted = numpy.frombuffer(query, dtype=numpy.float32)
    if similarity == EUCLIDEAN:
        apart = matrix - wanted
        found = 1 / (1 + numpy.einsum("ij,ij->i", apart, apart))
    elif similarity == DOT_PRODUCT:
        found = (1 + matrix @ wanted) / 2
    else:
        lengths = numpy.sqrt(numpy.einsum("ij,ij->i", matrix, matrix)) * sqrt(float(wanted @ wanted))
        with numpy.errstate(divide="ignore", invalid="ignore"):
            found = numpy.where(lengths > 0, (1 + (matrix @ wanted) / lengths) / 2, 0.5)
    scores: list[float] = found.tolist()
    return scores
