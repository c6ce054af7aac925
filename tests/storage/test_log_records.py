"""The commit log's own records: what goes in comes out, and damage is said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import CorruptionError
from storage.log_records import group_record, rows_record, rows_table, split_group, split_rows
from storage.mutation import packed_prefix
from storage.schema import system_table_id

TABLE_ID = system_table_id("ks", "t")
PREFIX = packed_prefix(TABLE_ID, 1, ("v", "w"), True)
TIMESTAMP = (7).to_bytes(8, "big")
ROWS = st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=300)), min_size=1, max_size=5)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.binary(min_size=1, max_size=300), ROWS)
def test_rows_come_out_as_they_went_in(key: bytes, rows: list[tuple[bytes, bytes]]) -> None:
    record = rows_record(PREFIX, key, TIMESTAMP, rows)
    assert rows_table(record) == TABLE_ID.bytes
    assert split_rows(record) == (PREFIX, key, TIMESTAMP, rows)


def test_a_cut_rows_record_is_refused() -> None:
    record = rows_record(PREFIX, b"key", TIMESTAMP, [(b"ck", b"values"), (b"dl", b"others")])
    whole = {len(rows_record(PREFIX, b"key", TIMESTAMP, rows)) for rows in ([], [(b"ck", b"values")])}
    for length in range(1, len(record)):
        if length not in whole:
            with pytest.raises(CorruptionError):
                split_rows(record[:length])


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=50), max_size=5))
def test_groups_come_out_as_they_went_in(records: list[bytes]) -> None:
    assert split_group(group_record(records)) == records
