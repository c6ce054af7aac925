"""The memtable of tables where a newer packed row can't just take the place of an older one.

That is so where clustering values may be equal in different bytes (decimals 1.0 and 1.00): a row keeps the clustering with
which it was first written, as in Cassandra. And where the values are counters, which are merged (counter_rows.py). There
each write goes the general way, where rows are merged (partition.merge_stored). All other tables have the plain Memtable.
"""

from storage.memtable.memtable import Memtable, split_single
from storage.memtable.packed import Layouts
from storage.reconcile import Resolve


class MergingMemtable(Memtable):
    """See the module."""

    __slots__ = ()

    def apply_packed(self, key: bytes, head: bytes, partition: bytes) -> None:
        self._apply_row(key, *split_single(partition))


def memtable_of(layouts: Layouts, resolve: Resolve) -> Memtable:
    """An empty memtable for a table."""
    merges = resolve.keeps_clustering or layouts.are_counters
    return (MergingMemtable if merges else Memtable)(layouts, resolve)
