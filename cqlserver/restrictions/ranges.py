"""Clustering restrictions as intervals of order keys.

Because order keys compare as the clustering order does, DESC included, every restriction is a union of half-open intervals
of bytes. `(a, b, c) > (1, 2, 3)` is, column by column: a beyond 1; or a = 1 and b beyond 2; or a = 1, b = 2 and c beyond 3.
For a DESC column "beyond" is the lower side.

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


class Bound(NamedTuple):
    """One side of a slice: values for the first of its columns; none, and inclusive, where that side is open."""

    values: Sequence[bytes | None] = ()
    inclusive: bool = True


OPEN = Bound()


def slice_intervals(
    prefix: bytes,
    prefix_values: tuple[bytes, ...],
    lower: Bound,
    upper: Bound,
    columns: Sequence[ColumnMetadata],
    order_keys: Sequence[OrderKey],
) -> list[Interval]:
    """Below `prefix`: the clusterings whose `columns` are, as tuples of values, behind `lower` and before `upper`.

    Columns of one direction are one interval. Where the direction changes there is another one, and what it begins and ends
    with is what Cassandra's slices do, also where a bound has fewer values than columns (`(a, b) > (1, 2) AND
    (a) < (3)`)."""

    def ends(is_start: bool) -> list[tuple[bytes, tuple[bytes, ...]]]:
        """Where intervals start, or end, in clustering order; of what values that was made."""
        runs = _runs(lower, upper, columns, is_start)
        found: dict[bytes, tuple[bytes, ...]] = {}
        for run, following in zip(runs, [*runs[1:], None], strict=True):
            parts = [BEFORE_VALUES if value is None else key(value) for key, value in zip(order_keys, run, strict=False)]
            here, values = prefix + b"".join(parts), (*prefix_values, *(value or b"" for value in run))
            side = lower if not run or is_start is not columns[len(run) - 1].reversed else upper
            inclusive = side.inclusive or not run
            found[here if inclusive is is_start else here + AFTER] = values
            if run and run == following and len(run) < len(columns):  # one interval ends where the next one starts
                found[here + AFTER if inclusive is is_start else here] = values
        return sorted(found.items())

    return union(
        Interval(start, end, start_values, end_values)
        for (start, start_values), (end, end_values) in zip(ends(True), ends(False), strict=False)
    )


def _runs(
    lower: Bound, upper: Bound, columns: Sequence[ColumnMetadata], is_start: bool
) -> list[tuple[bytes | None, ...]]:
    """The values of each bound: one more wherever the direction of the columns changes."""
    found: list[tuple[bytes | None, ...]] = []
    run: tuple[bytes | None, ...] = ()
    was_reversed = columns[0].reversed
    for index, column in enumerate(columns):
        side, other = (lower, upper) if is_start is not column.reversed else (upper, lower)
        if column.reversed is not was_reversed:
            was_reversed = column.reversed
            found.append(run)
            if len(side.values) > index:
                if len(other.values) > index:
                    found.append(run)
                run = tuple(side.values[:index])
        run += tuple(side.values[index : index + 1])
    found.append(run)
    return found


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
