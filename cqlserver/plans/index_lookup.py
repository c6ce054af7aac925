"""Which index a SELECT goes through, if any: of those that answer a part of it the one with the fewest entries
(index/SecondaryIndexManager.java, getBestIndexQueryPlanFor). All give the same rows, in the same order."""

from collections.abc import Iterable

from storage.indexes.lookups import Indexed, maybe_lookup_of
from storage.indexes.reading import AttachedLookup, Lookup
from storage.indexes.table_indexes import TableIndexes


def maybe_lookup(indexes: TableIndexes, candidates: Iterable[Indexed], now_s: int) -> tuple[Indexed, Lookup] | None:
    """What to look up, and what does it here. None: the table itself is read."""
    lookups = []
    for wanted in candidates:
        lookup = maybe_lookup_of(indexes, wanted, now_s)
        if lookup is not None:
            lookups.append((wanted, lookup))
    best = min(lookups, key=lambda found: found[1].count, default=None)
    return None if best is None or (isinstance(best[1], AttachedLookup) and best[1].is_wide) else best
