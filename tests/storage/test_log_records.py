"""The commit log's own records: what goes in comes out, and damage is said."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import CorruptionError
from storage.commitlog.format import CommitLogPosition
from storage.commitlog.records import (
    SnapshotOrder,
    group_record,
    kept_record,
    rows_record,
    rows_table,
    snapshot_record,
    split_group,
    split_kept,
    split_rows,
    split_snapshot,
)
from storage.memtable.packed import join_wire_values
from storage.mutation import packed_prefix
from storage.schema.metadata import system_table_id

TABLE_ID = system_table_id("ks", "t")
PREFIX = packed_prefix(TABLE_ID, 1, ("v", "w"), True)
TIMESTAMP = (7).to_bytes(8, "big")
VALUES = st.lists(st.binary(max_size=300), min_size=3, max_size=3)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.binary(min_size=1, max_size=300), st.lists(VALUES, min_size=1, max_size=5))
def test_rows_come_out_as_they_went_in(key: bytes, rows: list[list[bytes]]) -> None:
    record = rows_record(PREFIX, key, TIMESTAMP, map(join_wire_values, rows))
    assert rows_table(record) == TABLE_ID.bytes
    expected = [((values[0],), join_wire_values(values)) for values in rows]
    assert split_rows(record) == (PREFIX, key, TIMESTAMP, expected)


def test_a_row_of_nothing_but_its_key_comes_out() -> None:
    prefix = packed_prefix(TABLE_ID, 0, (), True)
    assert split_rows(rows_record(prefix, b"key", TIMESTAMP, [b"", b""])).rows == [((), b"")]


def test_a_cut_rows_record_is_refused() -> None:
    rows = [join_wire_values([b"ck", b"v", b"w"]), join_wire_values([b"dl", b"others", b""])]
    record = rows_record(PREFIX, b"key", TIMESTAMP, rows)
    whole = {len(rows_record(PREFIX, b"key", TIMESTAMP, rows[:count])) for count in range(2)}
    for length in range(1, len(record)):
        if length not in whole:
            with pytest.raises(CorruptionError):
                split_rows(record[:length])


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=50), max_size=5))
def test_groups_come_out_as_they_went_in(records: list[bytes]) -> None:
    assert split_group(group_record(records)) == records


@pytest.mark.parametrize("expires_ms", [None, 1_800_000_000_000])
def test_an_order_of_a_snapshot_comes_back(expires_ms: int | None) -> None:
    position = CommitLogPosition(3 << 32 | 77)
    order = SnapshotOrder(UUID(int=7), position, "one", 1_700_000_000_000, expires_ms, "CREATE ...", (b"a", b"bc"))
    record = snapshot_record(order)
    assert split_snapshot(record) == order
    assert split_kept(kept_record(order)) == order.key
    for length in range(record.index(b"CREATE")):
        with pytest.raises(CorruptionError):
            split_snapshot(record[:length])
    with pytest.raises(CorruptionError):
        split_kept(kept_record(order)[:16])
