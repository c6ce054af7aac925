"""Which of a header's columns a row has: the subset in front of its cells (db/Columns.java).

Fewer than 64 columns: a vint with a bit for each column that is missing. From 64 on: the vint number of missing ones,
then, as vints, the indexes of those that are present if these are less than half, else of those that are missing.
"""

from collections.abc import Sequence
from typing import Final

from protocol.errors import CorruptionError
from storage.sstable.vints import read_unsigned, unsigned

BITMAP_COLUMNS_MAX: Final = 63


def encode_subset(present: Sequence[int], count: int) -> bytes:
    """Of the ascending indexes of the columns that are there, out of `count`."""
    if len(present) == count:
        return b"\0"
    if count <= BITMAP_COLUMNS_MAX:
        missing = (1 << count) - 1
        for index in present:
            missing &= ~(1 << index)
        return unsigned(missing)
    named: Sequence[int] = present
    if len(present) >= count // 2:
        there = set(present)
        named = [index for index in range(count) if index not in there]
    return unsigned(count - len(present)) + b"".join(map(unsigned, named))


def decode_subset(data: bytes, at: int, count: int) -> tuple[tuple[int, ...], int]:
    """The indexes that are present, ascending, and where the subset ends. Raises IndexError, CorruptionError."""
    encoded, at = read_unsigned(data, at)
    if not encoded:
        return tuple(range(count)), at
    if count <= BITMAP_COLUMNS_MAX:
        if encoded >> count:
            raise CorruptionError(f"a subset of {count} columns: {encoded:x}")
        return tuple(index for index in range(count) if not encoded >> index & 1), at
    if encoded > count:
        raise CorruptionError(f"a subset without {encoded} of {count} columns")
    is_of_present = count - encoded < count // 2
    named = []
    for _ in range(count - encoded if is_of_present else encoded):
        index, at = read_unsigned(data, at)
        if index >= count:
            raise CorruptionError(f"column {index} of {count}")
        named.append(index)
    if is_of_present:
        return tuple(named), at
    missing = set(named)
    return tuple(index for index in range(count) if index not in missing), at
