"""What a partition of an SSTable is made of: values between whoever has rows and whoever knows their bytes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from storage.memtable.packed import StoredRow
from storage.mutation import Deletion, RangeTombstone, Row
from storage.sstable.constants import BoundKind


class PartitionData(NamedTuple):
    """A partition to be written: range tombstones sorted and disjoint, rows in clustering order; both are gone through
    once."""

    deletion: Deletion
    static: Row | None
    tombstones: Iterable[RangeTombstone]
    rows: Iterable[tuple[bytes, StoredRow]]


class Marker(NamedTuple):
    """A bound of a range tombstone, or a boundary between two that touch. `place` is the bound as an order key; `closing`
    is the deletion that ends here, `opening` the one that begins."""

    place: bytes
    kind: BoundKind
    values: tuple[bytes, ...]
    closing: Deletion | None
    opening: Deletion | None


Unfiltered = tuple[bytes, StoredRow | Marker]
OrderKeyOf = Callable[[Sequence[bytes]], bytes]
"""Values of the first few clustering columns -> order key."""


def markers(tombstones: Iterable[RangeTombstone], order_key: OrderKeyOf) -> Iterator[Marker]:
    """The bounds of range tombstones; where two touch, one boundary."""
    before: RangeTombstone | None = None
    for tombstone in tombstones:
        is_inclusive = tombstone.start == order_key(tombstone.start_values)
        if before is None:
            kind = BoundKind.INCL_START if is_inclusive else BoundKind.EXCL_START
            yield Marker(tombstone.start, kind, tombstone.start_values, None, tombstone.deletion)
        elif before.end == tombstone.start:
            kind = BoundKind.EXCL_END_INCL_START if is_inclusive else BoundKind.INCL_END_EXCL_START
            yield Marker(tombstone.start, kind, tombstone.start_values, before.deletion, tombstone.deletion)
        else:
            yield _end(before, order_key)
            kind = BoundKind.INCL_START if is_inclusive else BoundKind.EXCL_START
            yield Marker(tombstone.start, kind, tombstone.start_values, None, tombstone.deletion)
        before = tombstone
    if before is not None:
        yield _end(before, order_key)


def _end(tombstone: RangeTombstone, order_key: OrderKeyOf) -> Marker:
    is_exclusive = tombstone.end == order_key(tombstone.end_values)
    kind = BoundKind.EXCL_END if is_exclusive else BoundKind.INCL_END
    return Marker(tombstone.end, kind, tombstone.end_values, tombstone.deletion, None)


def interleaved(
    rows: Iterable[tuple[bytes, StoredRow]], tombstones: Iterable[RangeTombstone], order_key: OrderKeyOf
) -> Iterator[Unfiltered]:
    """Rows and bounds in clustering order. No bound's place is a row's: a bound behind a row is its key and a byte more,
    a bound before it stands before it."""
    bounds = markers(tombstones, order_key)
    bound = next(bounds, None)
    for ck, row in rows:
        while bound is not None and bound.place <= ck:
            yield bound.place, bound
            bound = next(bounds, None)
        yield ck, row
    while bound is not None:
        yield bound.place, bound
        bound = next(bounds, None)

