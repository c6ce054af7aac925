"""Clustering restrictions as intervals of order keys.

Because order keys compare as the clustering order does, DESC included, every restriction is a union of half-open
intervals of bytes, and AND is their intersection. `(a, b, c) > (1, 2, 3)` is, column by column: a beyond 1; or a = 1
and b beyond 2; or a = 1, b = 2 and c beyond 3. For a DESC column "beyond" is the lower side.

Each end keeps the values it was made of, because range tombstones want to know them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from storage.environment.strands import paused, sorted_in_turns
from storage.schema.metadata import ColumnMetadata

OrderKey = Callable[[bytes], bytes]
AFTER = b"\xff"
BEFORE_VALUES = b"\x00"
"""Stands for a null bound: below every component of an order key."""


class Interval(NamedTuple):
    """start <= ck < end; the values are the prefixes that the bounds were made from."""

    start: bytes
    end: bytes
    start_values: tuple[bytes, ...] = ()
    end_values: tuple[bytes, ...] = ()


EVERYTHING = Interval(b"", AFTER)


def prefix_interval(prefix: bytes, values: tuple[bytes, ...]) -> Interval:
    """All clusterings that begin with these values."""
    return Interval(prefix, prefix + AFTER, values, values)


def beyond(
    prefix: bytes,
    prefix_values: tuple[bytes, ...],
    bound: Sequence[bytes | None],
    inclusive: bool,
    greater: bool,
    columns: Sequence[ColumnMetadata],
    order_keys: Sequence[OrderKey],
) -> list[Interval]:
    """Below `prefix`: the clusterings whose `columns` are greater (or less) than `bound` as tuples of values."""
    found = []
    parts, values = [prefix], [*prefix_values]

    def add(whole: Interval, is_behind: bool) -> None:
        """What lies on one side of the columns until here, of all that begins as the first of them did."""
        here, here_values = b"".join(parts), tuple(values)
        if is_behind:
            found.append(Interval(here + AFTER, whole.end, here_values, whole.end_values))
        else:
            found.append(Interval(whole.start, here, whole.start_values, here_values))

    whole, was_behind = prefix_interval(prefix, prefix_values), True
    for index, (column, order_key, value) in enumerate(zip(columns, order_keys, bound, strict=False)):
        is_behind = greater is not column.reversed
        if index and is_behind is not was_behind:  # columns of one direction are one interval
            add(whole, was_behind)
            whole = prefix_interval(b"".join(parts), tuple(values))
        was_behind = is_behind
        parts.append(BEFORE_VALUES if value is None else order_key(value))
        values.append(value or b"")
    if len(parts) > 1:
        add(whole, was_behind)
    if len(bound) < len(columns) and len({column.reversed for column in columns}) > 1:
        inclusive = not greater  # as Cassandra's slices come out
    if inclusive:
        found.append(prefix_interval(b"".join(parts), tuple(values)))
    return union(found)


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Sorted, disjoint and not empty; touching ones are joined."""
    found: list[Interval] = []
    for interval in paused(sorted_in_turns(list(intervals))):
        if interval.start >= interval.end:
            continue
        if found and interval.start <= found[-1].end:
            last = found[-1]
            if interval.end > last.end:
                found[-1] = Interval(last.start, interval.end, last.start_values, interval.end_values)
        else:
            found.append(interval)
    return found


def intersect(left: Sequence[Interval], right: Sequence[Interval]) -> list[Interval]:
    """Of two sorted unions."""
    found = []
    i = j = 0
    while i < len(left) and j < len(right):
        a, b = left[i], right[j]
        low, high = (a if a.start >= b.start else b), (a if a.end <= b.end else b)
        if low.start < high.end:
            found.append(Interval(low.start, high.end, low.start_values, high.end_values))
        if a.end <= b.end:
            i += 1
        else:
            j += 1
    return found
