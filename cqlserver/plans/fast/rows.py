"""Rows of a batch that are alike: of one statement and one partition, with values of the same lengths. Time series are
written like this.

What the first of them has where, the others have too. So struct takes all of them apart at once, and they are looked at
column by column, in less time than fast_taker.py's functions take row by row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import TypeAlias

from cqlserver.plans.fast.taker import Taker
from cqlserver.plans.fast.values import ASCII_PASSES, Check
from storage.keys import OrderKey

Rows: TypeAlias = tuple[int, bytes, list[bytes], list[bytes]]
"""(where the last row ends, the key, order keys, wire values)."""
RowsTaker: TypeAlias = Callable[[bytes, int, int, int, int], Rows | None]
"""(request, where the first row begins, bytes before a row's values, how many rows, how many bytes there may be behind
them); None: they are not alike, or not plain. What stands before the values is the same in all of them."""
SHAPES_MAX = 64
"""Remembered of a statement."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows of certain lengths of values. `lengths` unpacks these; `columns` unpacks what must not differ from row to row
    (it is at the indexes `same`) and the values that are looked at (`order`: those of the order key, `checked`);
    `wire` unpacks the wire values."""

    expected: tuple[int, ...]
    lengths: Struct
    columns: Struct
    same: tuple[int, ...]
    order: tuple[int, ...]
    checked: tuple[tuple[int, Callable[[bytes], bool]], ...]
    wire: Struct


def maybe_rows_taker(
    checks: Sequence[Check],
    key_places: Sequence[int],
    ck_places: Sequence[int],
    order_keys: Sequence[OrderKey],
    wire_places: Sequence[int],
    take: Taker,
) -> RowsTaker | None:
    """The arguments are those of `compile_taker`, `take` is what it made of them. None where rows have no order keys, or
    their wire values are not in the order in which they are bound."""
    if not ck_places or list(wire_places) != list(range(wire_places[0], wire_places[-1] + 1)):
        return None
    shapes: dict[tuple[int, int], Shape] = {}

    def shape_of(body: bytes, at: int, before: int, size: int) -> Shape:
        """Of the row at `at`, which has been taken before."""
        shape = shapes.get((before, size))
        if shape is None or shape.lengths.unpack_from(body, at) != shape.expected:
            if len(shapes) >= SHAPES_MAX:
                shapes.clear()
            lengths = _lengths(body, at + before, len(checks))
            shape = shapes[before, size] = _shape(before, lengths, checks, key_places, ck_places, wire_places)
        return shape

    def take_rows(body: bytes, at: int, before: int, count: int, behind_max: int) -> Rows | None:
        first = take(body, at + before)
        if first is None:
            return None
        size = first[0] - at
        end = at + size * count
        if not end <= len(body) <= end + behind_max:  # mostly this is how rows differ
            return None
        shape = shape_of(body, at, before, size)
        rows = body[at:end]
        columns = list(zip(*shape.columns.iter_unpack(rows), strict=True))
        for index in shape.same:
            column = columns[index]
            if column.count(column[0]) != count:
                return None
        for index, check in shape.checked:
            if not (check in ASCII_PASSES and b"".join(columns[index]).isascii()) and not all(map(check, columns[index])):
                return None
        parts = [map(order_key, columns[index]) for order_key, index in zip(order_keys, shape.order, strict=True)]
        cks = list(parts[0]) if len(parts) == 1 else list(map(b"".join, zip(*parts, strict=True)))
        return end, first[1], cks, [values for (values,) in shape.wire.iter_unpack(rows)]

    return take_rows


def _lengths(body: bytes, at: int, count: int) -> tuple[int, ...]:
    lengths = []
    for _ in range(count):
        length = int.from_bytes(body[at : at + 4], "big")
        lengths.append(length)
        at += 4 + length
    return tuple(lengths)


def _shape(
    before: int,
    lengths: tuple[int, ...],
    checks: Sequence[Check],
    key_places: Sequence[int],
    ck_places: Sequence[int],
    wire_places: Sequence[int],
) -> Shape:
    formats: list[str] = []
    same: list[int] = []
    index_of: dict[int, int] = {}
    run = before  # bytes that must not differ, since the last column
    for place, length in enumerate(lengths):
        run += 4
        if place in key_places:
            run += length
            continue
        same.append(len(same) + len(index_of))
        formats.append("i" if run == 4 else f"{run}s")
        run = 0
        if place in ck_places or checks[place][1] is not None:
            index_of[place] = len(same) + len(index_of)
            formats.append(f"{length}s")
        else:
            formats.append(f"{length}x")
    if run:
        same.append(len(same) + len(index_of))
        formats.append(f"{run}s")
    start = before + sum([4 + length for length in lengths[: wire_places[0]]])
    wire = sum([4 + lengths[place] for place in wire_places])
    rest = before + sum([4 + length for length in lengths]) - start - wire
    return Shape(
        lengths,
        Struct(f">{before}x" + "".join([f"i{length}x" for length in lengths])),
        Struct(">" + "".join(formats)),
        tuple(same),
        tuple(index_of[place] for place in ck_places),
        tuple((index_of[place], check) for place, (_, check) in enumerate(checks) if check and place in index_of),
        Struct(f">{start}x{wire}s{rest}x"),
    )
