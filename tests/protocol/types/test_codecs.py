"""Values to bytes and back, null against empty, names, options, and numbers too large for Python's own conversions."""

import struct
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import ip_address
from typing import Any
from uuid import UUID as Uuid

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
    DURATION,
    FLOAT,
    INET,
    INT,
    LEGACY_TIMEUUID,
    NATIVE_TYPES,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    TINYINT,
    UUID,
    VARINT,
    CqlType,
    CustomType,
    Duration,
    ListType,
    MapType,
    MarshalError,
    SetType,
    TupleType,
    UserType,
    VectorType,
    parse_java,
    quoted_identifier,
    vints,
)
from protocol.types.big_integers import BYTES_MAX, DIGITS_MAX, NumberTooLong

_POINT = UserType("ks", "Point", ("x", "Y"), (INT, TEXT))


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (ASCII, "abc"),
        (BIGINT, -(2**63)),
        (BLOB, b"\x00\xff"),
        (BOOLEAN, True),
        (DATE, -5_000_000),
        (DECIMAL, Decimal("-1.500")),
        (DECIMAL, Decimal("1E+2147483647")),
        (DOUBLE, -0.1),
        (DURATION, Duration(-1, -2, -3)),
        (FLOAT, 1.5),
        (INET, ip_address("::1")),
        (INT, -1),
        (SMALLINT, 32767),
        (TEXT, "é"),
        (TIME, 86_399_999_999_999),
        (TIMESTAMP, -1),
        (TIMEUUID, Uuid("550e8400-e29b-11d4-a716-446655440000")),
        (TINYINT, -128),
        (UUID, Uuid("550e8400-e29b-41d4-a716-446655440000")),
        (VARINT, -(2**200)),
        (ListType(INT), [3, 1, 3]),
        (SetType(TEXT), {"a", "b"}),
        (MapType(TEXT, ListType(INT, True)), {"a": [1], "b": []}),
        (TupleType((INT, TEXT)), (1, None)),
        (_POINT, {"x": None, "Y": "y"}),
        (VectorType(FLOAT, 3), [1.0, 2.0, -0.5]),
        (VectorType(TEXT, 2), ["a" * 200, ""]),
        (VectorType(SMALLINT, 2), [1, 2]),
    ],
)
def test_values_survive_their_bytes(type_: CqlType, value: Any) -> None:
    data = type_.encode(value)
    type_.validate(data)
    assert type_.decode(data) == value


def test_datetimes_are_taken_where_they_are_friendly() -> None:
    assert TIMESTAMP.decode(TIMESTAMP.encode(datetime(1970, 1, 2, tzinfo=UTC))) == 86_400_000
    assert DATE.decode(DATE.encode(date(1969, 12, 31))) == -1


@pytest.mark.parametrize(
    ("type_", "value"), [(INT, "1"), (INT, True), (TEXT, 1), (BOOLEAN, 1), (DECIMAL, "1"), (ListType(INT), 5), (UUID, 3)]
)
def test_encoding_what_is_no_value_is_a_type_error(type_: CqlType, value: Any) -> None:
    with pytest.raises(TypeError):
        type_.encode(value)


@pytest.mark.parametrize(
    ("type_", "value"), [(INT, 2**31), (TINYINT, 128), (TIME, -1), (DECIMAL, Decimal("NaN")), (_POINT, {"z": 1})]
)
def test_encoding_what_does_not_fit_is_a_value_error(type_: CqlType, value: Any) -> None:
    with pytest.raises(ValueError):
        type_.encode(value)


def test_some_types_have_no_empty_value() -> None:
    refused = []
    for name, type_ in NATIVE_TYPES.items():
        try:
            type_.validate(b"")
        except MarshalError:
            refused.append(name)
    assert sorted(refused) == ["date", "duration", "smallint", "time", "tinyint"]


def test_empty_values_that_mean_nothing_decode_to_none() -> None:
    nothing = {name for name, t in NATIVE_TYPES.items() if t.empty_is_null and t.decode(b"") is None}
    assert "int" in nothing
    assert not nothing & {"text", "blob", "ascii"}


def test_sets_and_maps_are_sorted_and_distinct() -> None:
    assert SetType(INT).split(SetType(INT).encode([3, -1, 3])) == [INT.encode(-1), INT.encode(3)]
    assert MapType(INT, TEXT).decode(MapType(INT, TEXT).encode([(1, "a"), (0, "b"), (1, "c")])) == {0: "b", 1: "c"}


@pytest.mark.parametrize(
    ("type_", "cql", "java"),
    [
        (INT, "int", "Int32Type"),
        (ListType(INT), "list<int>", "ListType(Int32Type)"),
        (ListType(INT, True), "frozen<list<int>>", "FrozenType(ListType(Int32Type))"),
        (
            MapType(TEXT, ListType(INT)).frozen_form(),
            "frozen<map<text, frozen<list<int>>>>",
            "FrozenType(MapType(UTF8Type,ListType(Int32Type)))",
        ),
        (
            MapType(TEXT, ListType(INT, True)),
            "map<text, frozen<list<int>>>",
            "MapType(UTF8Type,FrozenType(ListType(Int32Type)))",
        ),
        (TupleType((INT, SetType(TEXT))), "frozen<tuple<int, frozen<set<text>>>>", "TupleType(Int32Type,SetType(UTF8Type))"),
        (VectorType(FLOAT, 3), "vector<float, 3>", "VectorType(FloatType , 3)"),
        (_POINT, '"Point"', "UserType(ks,506f696e74,78:Int32Type,59:UTF8Type)"),
        (_POINT.frozen_form(), 'frozen<"Point">', "FrozenType(UserType(ks,506f696e74,78:Int32Type,59:UTF8Type))"),
        (CustomType("x.Y(a=b)"), "'x.Y(a=b)'", "x.Y(a=b)"),
    ],
)
def test_names(type_: CqlType, cql: str, java: str) -> None:
    assert type_.cql() == cql
    assert type_.java().replace("org.apache.cassandra.db.marshal.", "") == java
    assert parse_java(type_.java()) == type_
    assert hash(parse_java(type_.java())) == hash(type_)


@pytest.mark.parametrize(
    "text", ["ListType(", "ListType(Int32Type", "MapType(Int32Type)", "UserType(ks,zz)", "a)", "ListType(" * 500]
)
def test_broken_java_names_are_value_errors(text: str) -> None:
    with pytest.raises(ValueError):
        parse_java(text)


def test_reversed_is_dropped_from_java_names() -> None:
    assert parse_java("org.apache.cassandra.db.marshal.ReversedType(org.apache.cassandra.db.marshal.LongType)") is BIGINT


def test_options_of_types_that_a_version_lacks_are_custom() -> None:
    assert INT.option(3) == b"\x00\x09"
    assert DATE.option(4) == b"\x00\x11"
    assert DATE.option(3) == b"\x00\x00\x00\x2eorg.apache.cassandra.db.marshal.SimpleDateType"
    assert DURATION.option(4).startswith(b"\x00\x00")
    assert DURATION.option(5) == b"\x00\x15"
    assert MapType(TEXT, INT).option(4) == b"\x00\x21\x00\x0d\x00\x09"
    assert TupleType((INT, TEXT)).option(4) == b"\x00\x31\x00\x02\x00\x09\x00\x0d"
    assert _POINT.option(4) == b"\x00\x30\x00\x02ks\x00\x05Point\x00\x02\x00\x01x\x00\x09\x00\x01Y\x00\x0d"
    assert LEGACY_TIMEUUID == TIMEUUID
    assert LEGACY_TIMEUUID.option(4) != TIMEUUID.option(4)


def test_tuples_may_miss_components_but_have_none_left_over() -> None:
    pair = TupleType((INT, INT))
    assert pair.decode(b"\x00\x00\x00\x04\x00\x00\x00\x01") == (1, None)
    with pytest.raises(MarshalError, match="Invalid remaining data after end of tuple value"):
        pair.validate(pair.encode((1, 2)) + b"\x00")
    with pytest.raises(MarshalError, match="Not enough bytes to read 1th component"):
        pair.validate(pair.encode((1, 2))[:-1])


@pytest.mark.parametrize("type_", [ListType(INT), SetType(INT), MapType(INT, INT), ListType(TEXT, True)])
def test_truncated_values_are_marshal_errors(type_: CqlType) -> None:
    data = b"\x00\x00\x00\x02\x00\x00\x00\x04\x00\x00\x00\x01\x00"
    for end in range(1, len(data)):
        with pytest.raises(MarshalError):
            type_.validate(data[:end])


def test_text_is_not_quite_utf8() -> None:
    """Cassandra's automaton lets surrogates pass, and its decoder then fails."""
    TEXT.validate(b"\xed\xa0\x80")
    with pytest.raises(MarshalError, match="Invalid UTF-8 bytes eda080"):
        TEXT.decode(b"\xed\xa0\x80")
    for data in (b"\x80", b"\xc1\x80", b"\xe2\x82", b"\xff", b"\xf0\x80\x80\x80"):
        with pytest.raises(MarshalError, match="String didn't validate"):
            TEXT.validate(data)


def test_huge_numbers_take_no_quadratic_time() -> None:
    number = (1 << 66_000) - 12345
    started = time.process_time()
    data = VARINT.encode(number)
    text = VARINT.to_text(data)
    assert VARINT.from_text(text) == data
    assert DECIMAL.from_text(text[:-3] + "." + text[-3:])[4:] == data
    assert time.process_time() - started < 2


def test_numbers_have_as_many_digits_as_one_turn_can_do() -> None:
    longest = "-" + "0" * 50_000 + "9" * DIGITS_MAX
    assert VARINT.to_text(VARINT.from_text(longest)) == longest.replace("0", "")
    assert len(VARINT.from_text(longest)) == BYTES_MAX
    exponent = f"{longest}e-7"
    assert DECIMAL.to_text(DECIMAL.from_text(exponent)).replace(".", "") == longest.replace("0", "")
    small = "0." + "0" * 100_000 + "1"  # many zeros are no digits
    assert DECIMAL.from_text(small) == (100_001).to_bytes(4, "big") + b"\x01"
    started = time.process_time()
    for too_long in ("1" + "0" * DIGITS_MAX, "7" * 1_000_000):
        for refuse in (VARINT.from_text, DECIMAL.from_text, VARINT.from_json, DECIMAL.from_json):
            with pytest.raises(NumberTooLong):
                refuse(too_long)
    for data in (b"\x7f" * (BYTES_MAX + 1), bytes(1_000_000)):
        with pytest.raises(NumberTooLong):
            VARINT.validate(data)
        with pytest.raises(NumberTooLong):
            DECIMAL.validate(bytes(4) + data)
    with pytest.raises(NumberTooLong):
        VARINT.encode(1 << (8 * BYTES_MAX))
    assert time.process_time() - started < 2


@given(st.integers(0, 2**64 - 1))
@settings(derandomize=True, max_examples=200)
def test_unsigned_vints_survive(value: int) -> None:
    data = vints.encode_unsigned(value)
    assert vints.decode_unsigned(b"x" + data + b"y", 1) == (value, 1 + len(data))


@given(st.integers(-(2**63), 2**63 - 1))
@settings(derandomize=True, max_examples=200)
def test_signed_vints_survive(value: int) -> None:
    assert vints.decode_signed(vints.encode_signed(value), 0)[0] == value


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(derandomize=True, max_examples=300)
def test_printed_doubles_read_back(value: float) -> None:
    assert struct.pack(">d", DOUBLE.decode(DOUBLE.from_text(DOUBLE.to_text(DOUBLE.encode(value))))) == struct.pack(
        ">d", value
    )


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@settings(derandomize=True, max_examples=300)
def test_printed_floats_read_back(value: float) -> None:
    assert FLOAT.from_text(FLOAT.to_text(FLOAT.encode(value))) == FLOAT.encode(value)


def test_names_are_quoted_where_they_must_be() -> None:
    assert [quoted_identifier(n) for n in ("abc", "Abc", "select", 'a"b', "1a", "key")] == [
        "abc",
        '"Abc"',
        '"select"',
        '"a""b"',
        '"1a"',
        "key",
    ]
