"""What is looked up in an index, as values, and what answers it on one node.

Indexes that are asked for the same values give the same rows, in the same order; so a coordinator chooses one, and each
replica looks it up in its own.
"""

from dataclasses import dataclass
from typing import TypeAlias

from storage.indexes.attached import AttachedIndex
from storage.indexes.entries import entry_value
from storage.indexes.like import LikeLookup
from storage.indexes.reading import AttachedLookup, LocalLookup
from storage.indexes.sorted_terms import AFTER, behind
from storage.indexes.table_indexes import TableIndexes
from storage.indexes.vectors import VectorIndex
from storage.row_filter import Condition


@dataclass(frozen=True, slots=True)
class IndexedValue:
    """A value to be looked up in an index; `map_key`: of an index on entries."""

    index: str
    value: bytes
    map_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class IndexedRange:
    """Values between two ends, of which None is open."""

    index: str
    start: bytes | None
    start_inclusive: bool
    end: bytes | None
    end_inclusive: bool


@dataclass(frozen=True, slots=True)
class IndexedText:
    """What LIKE looks for, without its wildcards, which `condition` tells."""

    index: str
    condition: Condition
    text: bytes


Indexed: TypeAlias = IndexedValue | IndexedRange | IndexedText
IndexLookup: TypeAlias = LocalLookup | AttachedLookup | LikeLookup


def _maybe_attached(indexes: TableIndexes, name: str) -> AttachedIndex | None:
    found = indexes.attached.get(name)
    return None if found is None or found.is_let_go else found


def maybe_lookup_of(indexes: TableIndexes, wanted: Indexed, now_s: int) -> IndexLookup | None:
    """None where the table has no such index that can be asked for values."""
    if isinstance(wanted, IndexedRange):
        attached = _maybe_attached(indexes, wanted.index)
        if attached is None:
            return None
        start = b"" if wanted.start is None else attached.term(wanted.start)
        end = AFTER if wanted.end is None else attached.term(wanted.end)
        lower = (start,) if wanted.start is None or wanted.start_inclusive else behind(start)
        return AttachedLookup(indexes, wanted.index, lower, behind(end) if wanted.end_inclusive else (end,))
    if isinstance(wanted, IndexedText):
        attached = _maybe_attached(indexes, wanted.index)
        if attached is None:
            return None
        terms = (wanted.text,) if attached.analyze is None else attached.analyze(wanted.text)
        return LikeLookup(indexes, attached, wanted.condition, terms)
    value = wanted.value if wanted.map_key is None else entry_value(wanted.map_key, wanted.value)
    if wanted.index in indexes.local:
        return LocalLookup(indexes, wanted.index, value, now_s)
    attached = _maybe_attached(indexes, wanted.index)
    if attached is None or isinstance(attached, VectorIndex):
        return None
    exact = attached.term(value)
    return AttachedLookup(indexes, wanted.index, (exact,), behind(exact))
