"""What a SASI index has for LIKE: the rows of terms that begin or end with a term, contain it, or are it.

A text that the analyzer cuts into several terms is met by rows with one of them, in partitions that have all of them:
Cassandra intersects what its index has of each, which are partitions, and then tests rows (index/sasi/plan/Operation.java).
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from storage.indexes.attached import AttachedIndex
from storage.indexes.reading import Hit, terms_of
from storage.indexes.sorted_terms import AFTER, Entry, SortedTerms, behind
from storage.indexes.table_indexes import TableIndexes
from storage.memtable.memtable import Position
from storage.reads import Slice
from storage.row_filter import Condition

ENTRIES_PER_STEP: Final = 5_000
_TERM_END: Final = 2
"""Bytes behind a text in its order key."""


class LikeLookup:
    """`terms`: what the analyzer makes of what is looked for."""

    __slots__ = ("_condition", "_gathering", "_hits", "_index", "_indexes", "_terms")

    def __init__(self, indexes: TableIndexes, index: AttachedIndex, condition: Condition, terms: Sequence[bytes]) -> None:
        self._indexes, self._index, self._condition, self._terms = indexes, index, condition, terms
        self._hits: list[Hit] = []
        self._gathering: Iterator[bool] | None = None

    @property
    def count(self) -> int:
        """How many entries are reckoned with: none where all terms have to be met, which only this lookup sees to, more
        than any index has where there is nothing to look for."""
        if len(self._terms) != 1:
            return -1 if self._terms else 1 << 62
        return self._postings.count(*self._bounds(self._terms[0]))

    @property
    def _postings(self) -> SortedTerms:
        return terms_of(self._index)

    def prepare(self) -> bool:
        if not self._indexes.build_step(self._index.metadata.name):
            return False
        if self._gathering is None:
            self._gathering = self._gather()
        return next(self._gathering, True)

    def hits(self, start: Position, end: Position | None) -> Iterator[Hit]:
        first = bisect_left(self._hits, (start, b""))
        return islice(self._hits, first, None if end is None else bisect_left(self._hits, (end, b"")))

    def hits_in(self, position: Position, slices: Sequence[Slice], takes_statics: bool) -> Iterator[Hit]:
        return self.hits(position, position + b"\0")

    def _gather(self) -> Iterator[bool]:
        """Gives False after each step."""
        found: list[set[Hit]] = []
        for term in self._terms:
            hits: set[Hit] = set()
            start, end = self._bounds(term)
            while entries := list(islice(self._postings.between(start, end), ENTRIES_PER_STEP)):
                hits.update(self._met(entries, term))
                last_term, position, ck = entries[-1]
                start = (last_term, position, ck + b"\0")
                yield False
            found.append(hits)
        if len(found) > 1:
            common = set.intersection(*({position for position, _ in hits} for hits in found))
            self._hits = sorted({hit for hits in found for hit in hits if hit[0] in common})
        else:
            self._hits = sorted(*found) if found else []

    def _bounds(self, term: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        key = self._index.type.order_key(term)
        if self._condition is Condition.LIKE_MATCHES:
            return (key,), behind(key)
        if self._condition is Condition.LIKE_PREFIX:
            return (key[:-_TERM_END],), (key[:-_TERM_END] + AFTER,)
        return (b"",), (AFTER,)

    def _met(self, entries: Sequence[Entry], term: bytes) -> Iterator[Hit]:
        if self._condition not in (Condition.LIKE_SUFFIX, Condition.LIKE_CONTAINS):
            return (entry[1:] for entry in entries)
        wanted = self._index.type.order_key(term)[1:]
        if self._condition is Condition.LIKE_SUFFIX:
            return (entry[1:] for entry in entries if entry[0].endswith(wanted))
        wanted = wanted[:-_TERM_END]
        return (entry[1:] for entry in entries if wanted in entry[0])
