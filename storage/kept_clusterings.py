"""The memtable of tables whose clustering values may be equal in different bytes (decimals 1.0 and 1.00).

There a row keeps the clustering with which it was first written, as in Cassandra. So a newer packed row can't just take
the place of an older one: each write goes the general way, where rows are merged (partition.merge_stored). All other
tables have the plain Memtable.
"""

from storage.memtable import Memtable
from storage.packed import Layouts
from storage.reconcile import Resolve


class KeptClusterings(Memtable):
    """See the module."""

    __slots__ = ()

    def apply_packed(self, key: bytes, ck: bytes, row: bytes) -> None:
        self._apply_row(key, ck, row)


def memtable_of(layouts: Layouts, resolve: Resolve) -> Memtable:
    """An empty memtable for a table."""
    return (KeptClusterings if resolve.keeps_clustering else Memtable)(layouts, resolve)
