"""Partition keys and clustering order keys."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_tables import bigint_value, column, int_value, narrow_table

from protocol.errors import CorruptionError, InvalidRequest
from protocol.types import BIGINT, INT, TEXT
from storage.keys import (
    after,
    before,
    clustering_order_key,
    compose_key,
    key_composer,
    row_end,
    row_order_key,
    split_key,
)
from storage.schema.metadata import ColumnKind, TableMetadata

TABLE = TableMetadata(
    "ks",
    "t",
    UUID(int=1),
    (
        column("k", ColumnKind.PARTITION_KEY, BIGINT, 0),
        column("a", ColumnKind.CLUSTERING, TEXT, 0),
        column("b", ColumnKind.CLUSTERING, INT, 1, reversed=True),
    ),
)
ORDER_KEY = clustering_order_key(TABLE)
clusterings = st.tuples(st.text("a\0\1\xff", max_size=3), st.integers(-3, 3))


def values_of(clustering: tuple[str, int]) -> tuple[bytes, bytes]:
    return clustering[0].encode(), int_value(clustering[1])


def test_single_column_key_is_the_value() -> None:
    assert compose_key([b"abc"]) == b"abc"
    assert split_key(b"abc", 1) == (b"abc",)
    assert key_composer(narrow_table())([bigint_value(1)]) == bigint_value(1)


def test_composite_key_bytes_are_cassandras() -> None:
    assert compose_key([b"ab", b"", b"c"]) == b"\0\2ab\0" + b"\0\0\0" + b"\0\1c\0"


@given(st.lists(st.binary(max_size=20), min_size=2, max_size=4))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_composite_key_splits_back(values: list[bytes]) -> None:
    assert split_key(compose_key(values), len(values)) == tuple(values)


@pytest.mark.parametrize("damaged", [b"", b"\0", b"\0\2a", b"\0\1a", b"\0\1a\0", b"\0\1a\0\0\1b\0x"])
def test_damaged_composite_key_is_corruption(damaged: bytes) -> None:
    with pytest.raises(CorruptionError):
        split_key(damaged, 2)


@pytest.mark.parametrize(
    ("values", "length"),
    [
        ([bytes(65536)], 65536),
        ([bytes(65536), b""], 65536),
        ([bytes(40000)] * 2, 80000),
        ([bytes(32767), bytes(32766)], 65539),
    ],
)
def test_key_over_65535_bytes_is_refused_with_cassandras_text(values: list[bytes], length: int) -> None:
    with pytest.raises(InvalidRequest) as error:
        compose_key(values)
    assert error.value.message == f"Key length of {length} is longer than maximum of 65535"


@given(clusterings, clusterings)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_order_keys_compare_as_the_clustering_order(a: tuple[str, int], b: tuple[str, int]) -> None:
    left, right = ORDER_KEY(values_of(a)), ORDER_KEY(values_of(b))
    assert (left < right) == ((a[0].encode(), -a[1]) < (b[0].encode(), -b[1]))
    assert (left == right) == (a == b)
    assert not left.startswith(right) or left == right


@given(clusterings, st.text("a\0\1\xff", max_size=3))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_prefix_bounds_hold_just_the_rows_of_the_prefix(clustering: tuple[str, int], prefix: str) -> None:
    ck = ORDER_KEY(values_of(clustering))
    bound = ORDER_KEY((prefix.encode(),))
    assert (before(bound) <= ck < after(bound)) == (clustering[0] == prefix)
    assert before(b"") <= ck < after(b"")
    assert ck < row_end(ck)


@given(clusterings, st.text("a\0\1\xff", max_size=3))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_clustering_without_its_last_values_comes_before_all_that_begin_so(clustering: tuple[str, int], text: str) -> None:
    ck, short = row_order_key(TABLE)(values_of(clustering)), row_order_key(TABLE)((text.encode(),))
    bound = ORDER_KEY((text.encode(),))
    assert ck == ORDER_KEY(values_of(clustering))
    assert before(bound) <= short < row_end(short) < after(bound)
    assert (short < ck) == (text.encode() <= clustering[0].encode())
    assert not short <= ck < row_end(short)
    assert row_order_key(TABLE)(()) < short
