"""The clusterings that a WHERE clause asks for, as values: what a command is called by in warnings (db/Slices.java,
db/filter/ClusteringIndexNamesFilter.java). Made when somebody tells of them; who reads has order keys."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from cqlserver.restrictions.restrictions import Restrictions
from cqlserver.terms.binding import Values
from storage.keys import after, before, clustering_order_key, row_order_key
from storage.schema.metadata import TableMetadata


class Slice(NamedTuple):
    """Values of the first clustering columns, and whether rows that begin with them belong to it; none: it is open there."""

    start: tuple[bytes, ...] = ()
    includes_start: bool = True
    end: tuple[bytes, ...] = ()
    includes_end: bool = True


@dataclass(frozen=True, slots=True)
class Clusterings:
    """`rows`: named one by one; None: `slices`, of which there are none where everything is asked for."""

    rows: tuple[tuple[bytes, ...], ...] | None = None
    slices: tuple[Slice, ...] = ()

    @property
    def are_all(self) -> bool:
        return self.rows is None and not self.slices

    def behind(self, table: TableMetadata, last: tuple[bytes, ...], reverse: bool) -> "Clusterings":
        """What is left behind a row that was read, in the order of reading."""
        order_key = clustering_order_key(table)
        at = row_order_key(table)(last)
        if self.rows is not None:
            left = (row for row in self.rows if (order_key(row) < at if reverse else order_key(row) > at))
            return replace(self, rows=tuple(left))
        slices = []
        for slice_ in self.slices or (Slice(),):
            start, end = _ends(order_key(slice_.start), order_key(slice_.end), slice_)
            if reverse and start < at:
                slices.append(slice_._replace(end=last, includes_end=False) if end > at else slice_)
            elif not reverse and end > after(at):
                slices.append(slice_._replace(start=last, includes_start=False) if start <= at else slice_)
        return replace(self, slices=tuple(slices))


def _ends(start: bytes, end: bytes, slice_: Slice) -> tuple[bytes, bytes]:
    return (
        before(start) if slice_.includes_start else after(start),
        after(end) if slice_.includes_end else before(end),
    )


def stated_clusterings(restrictions: Restrictions, values: Values) -> Clusterings:
    if not restrictions.is_range:
        return Clusterings(tuple(row for _, row in restrictions.clusterings(values)))
    if not restrictions.has_clustering:
        return Clusterings()
    order_key = clustering_order_key(restrictions.table)
    found: list[Slice] = []
    for start, end, start_values, end_values in restrictions.intervals(values):
        includes_start = start == before(order_key(start_values))
        includes_end = end != before(order_key(end_values))
        found.append(Slice(start_values, includes_start, end_values, includes_end))
    return Clusterings(slices=() if found == [Slice()] else tuple(found))
