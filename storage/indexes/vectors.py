"""Vectors of an attached index, and the nearest of them: exact, because every one is looked at (vector_scores.py).

The vectors lie one behind the other in one array of floats.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from protocol.errors import InvalidRequest
from protocol.types import FLOAT, VectorType
from storage.indexes.attached import AttachedIndex, Postings, TermKind
from storage.indexes.target import IndexTarget
from storage.indexes.vector_scores import COSINE, floats, length_of, ranked, scores_of
from storage.memtable.memtable import Position
from storage.schema.metadata import IndexMetadata, TableMetadata

SIMILARITY: Final = "similarity_function"
PLACES_PER_STEP: Final = 5_000
PLACE_BYTES: Final = 248
"""What a vector takes beside its floats and its place's bytes: a tuple, two objects' heads, a dict's and a list's entry."""
FLOAT_BYTES: Final = 5
"""Four, and what an array that grows has in reserve."""
Scored = tuple[float, bytes, bytes]
"""(minus the score, position, order key): the nearest is the least, and of those as near the first in a scan."""


def is_vector(target: IndexTarget) -> bool:
    type_ = target.column.type
    return isinstance(type_, VectorType) and type_.elements == FLOAT


class VectorPostings:
    """Vectors by the place of their row: the last one put there counts."""

    __slots__ = ("_free", "_numbers", "dimension", "floats", "held_bytes", "lengths", "places", "size")

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.floats = array("f")
        self.lengths = array("d")
        self.places: list[tuple[bytes, bytes] | None] = []
        self._numbers: dict[tuple[bytes, bytes], int] = {}
        self._free: list[int] = []
        self.size = self.held_bytes = 0

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
                self.held_bytes += PLACE_BYTES + len(place[0]) + len(place[1]) + self.dimension * FLOAT_BYTES
                return
            self._numbers[place] = number
        start = number * self.dimension
        self.floats[start : start + self.dimension] = value
        if number < len(self.lengths):
            self.lengths[number] = length_of(value)

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

    def __init__(
        self, base: TableMetadata, metadata: IndexMetadata, target: IndexTarget, bytes_max: Mapping[TermKind, int]
    ) -> None:
        super().__init__(base, metadata, target, bytes_max)
        self.similarity = metadata.options.get(SIMILARITY, COSINE).upper()

    def _empty(self) -> Postings:
        assert isinstance(self.target.column.type, VectorType)
        return VectorPostings(self.target.column.type.dimension)

    def term(self, value: bytes) -> bytes:
        return value

    def nearest(self, wanted: bytes, is_wanted: Callable[[Position], bool] | None) -> Iterator[Scored | None]:
        """Those at wanted positions (None: at any), the nearest first. None after each step of work. Raises InvalidRequest
        where the index was let go."""
        if self.is_let_go:
            raise InvalidRequest(
                f"The index {self.metadata.name} holds no vectors: they would take more memory than all indexes may "
                "(sai_options.segment_write_buffer_size)"
            )
        postings = self.postings
        assert isinstance(postings, VectorPostings)
        numbers: list[int] | None = None
        if is_wanted is not None:
            numbers = []
            for start in range(0, len(postings.places), PLACES_PER_STEP):
                places = enumerate(postings.places[start : start + PLACES_PER_STEP], start)
                numbers += [number for number, place in places if place is not None and is_wanted(place[0])]
                yield None
        count = len(postings.places) if numbers is None else len(numbers)
        scores = scores_of(postings, self.similarity, wanted, numbers)
        for _ in scores.steps():
            yield None
        for batch in ranked(scores, count):
            numbered = batch if numbers is None else [(score, numbers[index]) for score, index in batch]
            yield from sorted(
                (-score, *place) for score, number in numbered if (place := postings.places[number]) is not None
            )
            yield None

    def scored(self, wanted: bytes, vectors: Sequence[tuple[bytes, bytes, bytes]]) -> list[Scored]:
        """How near vectors are that are given with their places: (vector, position, order key)."""
        assert isinstance(self.postings, VectorPostings)
        given = VectorPostings(self.postings.dimension)
        for entry in vectors:
            given.add(entry)
        scores = scores_of(given, self.similarity, wanted)
        for _ in scores.steps():
            pass
        found = zip(scores.exact(range(len(given.places))), given.places, strict=True)
        return [(-score, *place) for score, place in found if place is not None]
