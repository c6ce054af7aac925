"""Texts, JSON, order and messages against what Cassandra 5.0.8 answered (recorded_*.json were never written by hand)."""

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from protocol.types import DECIMAL, DurationError, MarshalError, NativeType, parse_java
from protocol.types.big_integers import text_int
from protocol.types.json_text import JsonError, parse_json

_HERE = Path(__file__).parent


def _recorded(name: str) -> Any:
    return json.loads((_HERE / name).read_text())


def test_texts_of_literals_mean_the_same_bytes() -> None:
    """Rows: type, text, then the error or the bytes with their JSON and their text."""
    for java, text, outcome in _recorded("recorded_literals.json"):
        type_ = parse_java(java)
        assert isinstance(type_, NativeType)
        if isinstance(outcome, str):
            with pytest.raises(MarshalError) as caught:
                type_.validate(type_.from_text(text))
            assert str(caught.value) == outcome, (java, text)
            continue
        data = type_.from_text(text)
        assert [data.hex(), type_.to_json(data), type_.literal_text(data)] == outcome, (java, text)


def test_json_means_the_same_bytes_and_comes_back_as_the_same_text() -> None:
    """Rows: type, JSON, then the error or the bytes and what to_json() makes of them."""
    prefix = "0x1400 org.apache.cassandra.serializers.MarshalException: "
    for java, text, outcome in _recorded("recorded_json.json"):
        type_ = parse_java(java)
        value = json.loads(text, parse_float=Decimal, parse_int=text_int)
        if isinstance(outcome, str):
            with pytest.raises(MarshalError) as caught:
                type_.from_json(value)
            shown = "0x2200 " if isinstance(caught.value, DurationError) else prefix
            assert shown + str(caught.value) == outcome, (java, text)
            continue
        data = type_.from_json(value)
        assert data.hex() == outcome[0], (java, text)
        if data or not type_.empty_is_null:
            assert type_.to_json(data) == outcome[1], (java, text)


@pytest.mark.parametrize(("java", "order", "values"), _recorded("recorded_order.json"), ids=lambda v: str(v)[:40])
def test_clusterings_come_in_the_order_of_the_order_keys(java: str, order: str, values: list[str]) -> None:
    type_ = parse_java(java)
    keys = [type_.order_key(bytes.fromhex(value)) for value in values]
    assert keys == sorted(set(keys), reverse=order == "desc")
    for left, right in pairwise(values):
        compared = type_.compare(bytes.fromhex(left), bytes.fromhex(right))
        assert compared > 0 if order == "desc" else compared < 0


def test_equal_decimals_of_different_scale_have_one_order_key() -> None:
    assert DECIMAL.order_key(DECIMAL.encode(Decimal("1.0"))) == DECIMAL.order_key(DECIMAL.encode(Decimal("1.000")))


def test_broken_json_is_told_in_jacksons_words() -> None:
    """Rows: text, and what Cassandra says of it: exception, message, place."""
    for text, message in _recorded("recorded_json_errors.json"):
        with pytest.raises(JsonError) as caught:
            parse_json(text)
        assert f"{caught.value.java_class}: {caught.value}" == message, text


def test_json_behind_the_first_value_is_not_read() -> None:
    assert parse_json(' {"a": 1.50} x') == {"a": Decimal("1.50")}
    assert parse_json("1 2") == 1


def test_json_too_deep_for_the_stack_is_an_error() -> None:
    with pytest.raises(JsonError):
        parse_json("[" * 100_000)
