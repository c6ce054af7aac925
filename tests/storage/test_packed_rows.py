"""Rows records that are cut all rows at once, against those that are cut row by row."""

from struct import pack
from uuid import UUID

import pytest

from protocol.errors import CorruptionError
from storage.commitlog.packed_rows import RowsCutter
from storage.commitlog.records import rows_record, split_rows
from storage.environment.environment import Rng
from storage.mutation import packed_prefix

KEY, TIMESTAMP = b"key", bytes(8)


def record(clustering_count: int, names: tuple[str, ...], rows: list[list[bytes]]) -> bytes:
    prefix = packed_prefix(UUID(int=1), clustering_count, names, True)
    wire = [b"".join(pack(">I", len(value)) + value for value in row) for row in rows]
    return rows_record(prefix, KEY, TIMESTAMP, wire)


def as_split(data: bytes) -> tuple[bytes, bytes, list[tuple[bytes, ...]], list[bytes]]:
    _, key, timestamp, rows = split_rows(data)
    return key, timestamp, [values for values, _ in rows], [row for _, row in rows]


@pytest.mark.parametrize("seed", range(60))
def test_rows_are_cut_as_one_by_one(seed: int) -> None:
    rng = Rng(seed.to_bytes(2, "big"))
    cutter = RowsCutter()
    for _ in range(20):
        clustering_count, others, count = rng.int_below(3), rng.int_below(3), rng.int_below(5) + 1
        lengths = [rng.int_below(4) for _ in range(clustering_count + others)]
        rows = [[rng.bytes(length) for length in lengths] for _ in range(count)]
        if lengths and rng.float() < 0.4:  # one is not like the others
            rows[rng.int_below(count)][rng.int_below(len(lengths))] = rng.bytes(rng.int_below(4))
        if not lengths:
            rows = rows[:1]
        data = record(clustering_count, tuple(f"c{number}" for number in range(others)), rows)
        found = cutter.cut(data, clustering_count, clustering_count + others)
        clusterings = list(zip(*found.clusterings, strict=True)) if clustering_count else [()] * len(found.rows)
        assert (found.key, found.timestamp, clusterings, found.rows) == as_split(data), f"seed {seed}"


def test_rows_of_equal_length_whose_values_are_not_are_told_apart() -> None:
    data = record(1, ("v",), [[b"a", b"bb"], [b"aa", b"b"]])
    found = RowsCutter().cut(data, 1, 2)
    assert found.clusterings == [(b"a", b"aa")]


def test_truncated_rows_are_refused() -> None:
    data = record(1, ("v",), [[b"a", b"bb"], [b"b", b"cc"]])
    cutter = RowsCutter()
    cutter.cut(data, 1, 2)
    whole = len(data)
    for end in range(whole - 20, whole):
        if end != whole - 11:  # the first row alone
            with pytest.raises(CorruptionError):
                cutter.cut(data[:end], 1, 2)
