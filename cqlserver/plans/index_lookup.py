"""Which index a SELECT goes through, if any: of those that answer a part of it the one with the fewest entries
(index/SecondaryIndexManager.java, getBestIndexQueryPlanFor). All give the same rows, in the same order."""

from cqlserver.restrictions.indexed import IndexedRange, IndexedValue
from cqlserver.restrictions.restrictions import Restrictions
from cqlserver.terms.binding import Values
from storage.indexes.entries import entry_value
from storage.indexes.reading import AFTER, AttachedLookup, LocalLookup, Lookup
from storage.indexes.table_indexes import TableIndexes
from storage.indexes.vectors import VectorIndex
from storage.reads import TableStore


def maybe_lookup(store: TableStore, restrictions: Restrictions, values: Values, now_s: int) -> Lookup | None:
    """None: the table itself is read. Raises InvalidRequest for values that no index can have."""
    indexes = store.indexes
    if indexes is None or not restrictions.uses_index:
        return None
    lookups = []
    for wanted in restrictions.indexed_values(values):
        lookup = _lookup(indexes, wanted, now_s)
        if lookup is not None:
            lookups.append(lookup)
    best = min(lookups, key=lambda lookup: lookup.count, default=None)
    return None if isinstance(best, AttachedLookup) and best.is_wide else best


def _lookup(indexes: TableIndexes, wanted: IndexedValue | IndexedRange, now_s: int) -> LocalLookup | AttachedLookup | None:
    if isinstance(wanted, IndexedRange):
        term = indexes.attached[wanted.index].term
        start = b"" if wanted.start is None else term(wanted.start)
        end = b"\xff" if wanted.end is None else term(wanted.end)
        lower = (start,) if wanted.start is None or wanted.start_inclusive else (start, AFTER)
        return AttachedLookup(indexes, wanted.index, lower, (end, AFTER) if wanted.end_inclusive else (end,))
    value = wanted.value if wanted.map_key is None else entry_value(wanted.map_key, wanted.value)
    if wanted.index in indexes.local:
        return LocalLookup(indexes, wanted.index, value, now_s)
    attached = indexes.attached.get(wanted.index)
    if attached is None or isinstance(attached, VectorIndex):
        return None
    exact = attached.term(value)
    return AttachedLookup(indexes, wanted.index, (exact,), (exact, AFTER))
