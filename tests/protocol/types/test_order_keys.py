"""Order keys against slow comparisons written from Cassandra's rules, and their two promises: prefix-free, 01..FE."""

import math
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.types import (
    ASCII,
    BIGINT,
    BLOB,
    BOOLEAN,
    DATE,
    DECIMAL,
    DOUBLE,
    FLOAT,
    INET,
    INT,
    SMALLINT,
    TEXT,
    TIMESTAMP,
    TIMEUUID,
    TINYINT,
    UUID,
    VARINT,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    VectorType,
)


def _floats(value: float) -> Any:
    """Double.compare: -0.0 below 0.0, NaN above all."""
    return (math.isnan(value), 0.0 if math.isnan(value) else value, math.copysign(1, value) if value == 0 else 0)


def _uuid_rank(data: bytes) -> Any:
    version = data[6] >> 4
    high = int.from_bytes(data[:8], "big")
    if version == 1:
        high = (high & 0xFFFF) << 48 | (high >> 16 & 0xFFFF) << 32 | high >> 32
    return version, high, data[8:]


def _timeuuid_rank(data: bytes) -> Any:
    return _uuid_rank(data)[1], [b - 256 if b > 127 else b for b in data[8:]]


def _number(width: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=width, max_size=width)


_UUIDS = st.binary(min_size=16, max_size=16)
_TIMEUUIDS = _UUIDS.map(lambda b: b[:6] + bytes((0x10 | b[6] & 15,)) + b[7:])
_DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(lambda d: abs(d.adjusted()) < 50)

# Type, strategy for its bytes, and what Python orders as the type does.
_RANKS: list[tuple[CqlType, st.SearchStrategy[bytes], Callable[[bytes], Any]]] = [
    (BOOLEAN, st.sampled_from([b"\x00", b"\x01"]), lambda b: b),
    *((t, _number(n), t.decode) for t, n in ((TINYINT, 1), (SMALLINT, 2), (INT, 4), (BIGINT, 8), (TIMESTAMP, 8))),
    (DATE, _number(4), lambda b: b),
    (FLOAT, _number(4), lambda b: _floats(FLOAT.decode(b))),
    (DOUBLE, _number(8), lambda b: _floats(DOUBLE.decode(b))),
    (VARINT, st.binary(min_size=1, max_size=300) | st.integers().map(VARINT.encode), VARINT.decode),
    (DECIMAL, _DECIMALS.map(DECIMAL.encode), DECIMAL.decode),
    (UUID, _UUIDS | _TIMEUUIDS, _uuid_rank),
    (TIMEUUID, _TIMEUUIDS, _timeuuid_rank),
    (INET, _number(4) | _number(16), lambda b: b),
    (TEXT, st.text("a\x00\x01b~é\uffff😀", max_size=5).map(str.encode), lambda b: b),
    (ASCII, st.text("ab\x00\x01~", max_size=5).map(str.encode), lambda b: b),
    (BLOB, st.binary(max_size=5), lambda b: b),
]
_LISTS = ListType(INT, True)
_TUPLE = TupleType((INT, TEXT))
_COMPOSED: list[tuple[CqlType, st.SearchStrategy[bytes], Callable[[bytes], Any]]] = [
    (_LISTS, st.lists(st.integers(-3, 3), max_size=3).map(_LISTS.encode), _LISTS.decode),
    (
        SetType(TEXT, True),
        st.sets(st.text("ab", max_size=2)).map(SetType(TEXT).encode),
        lambda b: sorted(SetType(TEXT).decode(b)),
    ),
    (
        MapType(TEXT, INT, True),
        st.dictionaries(st.text("ab", max_size=2), st.integers(-2, 2), max_size=3).map(MapType(TEXT, INT).encode),
        lambda b: list(MapType(TEXT, INT).decode(b).items()),
    ),
    (
        _TUPLE,
        st.tuples(st.none() | st.integers(-2, 2), st.none() | st.text("ab", max_size=2)).map(_TUPLE.encode),
        lambda b: [(c is not None, c) if c is not None else (False,) for c in _TUPLE.decode(b)],
    ),
    (VectorType(FLOAT, 2), st.binary(min_size=8, max_size=8), lambda b: list(map(_floats, VectorType(FLOAT, 2).decode(b)))),
    (
        VectorType(TEXT, 2),
        st.lists(st.text("ab", max_size=2), min_size=2, max_size=2).map(VectorType(TEXT, 2).encode),
        VectorType(TEXT, 2).decode,
    ),
]


@pytest.mark.parametrize(("type_", "values", "rank"), _RANKS + _COMPOSED, ids=[case[0].cql() for case in _RANKS + _COMPOSED])
def test_order_keys_compare_as_the_type_does(
    type_: CqlType, values: st.SearchStrategy[bytes], rank: Callable[[bytes], Any]
) -> None:
    @given(st.lists(values, min_size=2, max_size=12))
    @settings(derandomize=True, max_examples=15, deadline=None, database=None)
    def check(data: list[bytes]) -> None:
        by_rank = sorted(data, key=rank)
        keys = [type_.order_key(d) for d in by_rank]
        assert keys == sorted(keys)
        for (a, left), (b, right) in pairwise(zip(by_rank, keys, strict=True)):
            assert (rank(a) == rank(b)) == (left == right)
            assert left == right or not right.startswith(left)
            assert (type_.sort_key(a) < type_.sort_key(b)) == (type_.compare(a, b) < 0) == (left < right)
            assert (type_.sort_key(a) == type_.sort_key(b)) == (type_.compare(a, b) == 0)
        assert all(0x01 <= key[0] <= 0xFE for key in keys)
        if type_.empty_is_null:
            assert type_.order_key(b"") < keys[0]

    check()


def test_numbers_far_apart_in_size_are_in_order() -> None:
    sizes = [1, 99, 100, 101, 300]
    numbers = [-(256**n) for n in reversed(sizes)] + [-1, 0, 1] + [256**n for n in sizes]
    keys = [VARINT.order_key(VARINT.encode(n)) for n in numbers]
    assert keys == sorted(keys)
    decimals = [Decimal(s) for s in ("-1E+2000000000", "-1E-2000000000", "0", "1E-2000000000", "9", "1E+2000000000")]
    keys = [DECIMAL.order_key(DECIMAL.encode(d)) for d in decimals]
    assert keys == sorted(keys)
