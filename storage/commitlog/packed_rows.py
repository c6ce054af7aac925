"""Rows records taken apart by who knows what their prefix says: rows of one shape all at once.

A batch mostly has rows whose values have the same lengths. Then a `struct` cuts all of them, and its lengths are compared
column by column; rows of several lengths are cut one by one (records.split_rows).
"""

from collections.abc import Sequence
from struct import Struct
from struct import error as StructError
from typing import Final, NamedTuple

from protocol.errors import CorruptionError
from storage.commitlog.records import split_rows

SHAPES_MAX: Final = 256
"""Lengths of rows that are remembered."""
_TIMESTAMP_BYTES: Final = 8
_unpack_length = Struct(">I").unpack_from


class PackedRows(NamedTuple):
    """`clusterings`: by clustering column, its values in all rows; `rows`: the wire values of each."""

    key: bytes
    timestamp: bytes
    clusterings: Sequence[Sequence[bytes]]
    rows: list[bytes]


class _Shape(NamedTuple):
    """Of rows with values of the same lengths: `parts` gives the lengths, and clustering values behind theirs; `expected`:
    by its place there, each length."""

    parts: Struct
    expected: tuple[tuple[int, int], ...]
    clusterings: tuple[int, ...]
    row: Struct


class RowsCutter:
    """See the module. `cut` raises CorruptionError when the values do not fill the record."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[int, tuple[int, ...]], _Shape] = {}

    def cut(self, record: bytes, clustering_count: int, value_count: int) -> PackedRows:
        """Of a prefix with so many clustering values, and values in all."""
        key_at = 3 + (record[3] << 8 | record[4])
        key_end = key_at + (record[key_at - 2] << 8 | record[key_at - 1])
        rows_at = key_end + _TIMESTAMP_BYTES
        try:
            rows = self._maybe_alike(record[rows_at:], clustering_count, value_count)
        except StructError:
            raise CorruptionError(f"rows record: rows do not end at {len(record)}") from None
        if rows is None:
            _, key, timestamp, found = split_rows(record)
            clusterings = list(zip(*(values for values, _ in found), strict=True))
            return PackedRows(key, timestamp, clusterings, [row for _, row in found])
        return PackedRows(record[key_at:key_end], record[key_end:rows_at], *rows)

    def _maybe_alike(
        self, data: bytes, clustering_count: int, value_count: int
    ) -> tuple[list[Sequence[bytes]], list[bytes]] | None:
        """What of PackedRows is about rows, where all are like the first one."""
        if not clustering_count:
            return None
        at = 0
        found = []
        for _ in range(value_count):
            length: int = _unpack_length(data, at)[0]
            found.append(length)
            at += 4 + length
        count, rest = divmod(len(data), at)
        if rest or count < 2:
            return None
        lengths = tuple(found)
        shape = self._shapes.get((clustering_count, lengths)) or self._learn(clustering_count, lengths)
        columns = list(zip(*shape.parts.iter_unpack(data), strict=True))
        for place, expected in shape.expected:
            if columns[place].count(expected) != count:
                return None
        return [columns[place] for place in shape.clusterings], [row for (row,) in shape.row.iter_unpack(data)]

    def _learn(self, clustering_count: int, lengths: tuple[int, ...]) -> _Shape:
        if len(self._shapes) >= SHAPES_MAX:
            self._shapes.clear()
        kept = [f"I{length}s" for length in lengths[:clustering_count]]
        others = [f"I{length}x" for length in lengths[clustering_count:]]
        places = [*range(0, 2 * len(kept), 2), *range(2 * len(kept), 2 * len(kept) + len(others))]
        shape = _Shape(
            Struct(">" + "".join(kept + others)),
            tuple(zip(places, lengths, strict=True)),
            tuple(range(1, 2 * len(kept), 2)),
            Struct(f"{sum(4 + length for length in lengths)}s"),
        )
        self._shapes[clustering_count, lengths] = shape
        return shape
