"""CompositeType and DynamicCompositeType: what texts mean, how values sort, what is refused."""

from random import Random

import pytest

from protocol.types import MarshalError, parse_java

PAIR = parse_java("CompositeType(UTF8Type, Int32Type)")
DOWN = parse_java("CompositeType(ReversedType(Int32Type),UTF8Type)")
DYNAMIC = parse_java("DynamicCompositeType(s=>UTF8Type, i=>Int32Type)")


def test_names_are_written_in_full_and_aliases_in_the_order_of_a_hash_map() -> None:
    package = "org.apache.cassandra.db.marshal."
    assert PAIR.java() == f"{package}CompositeType({package}UTF8Type,{package}Int32Type)"
    assert DYNAMIC.java() == f"{package}DynamicCompositeType(s=>{package}UTF8Type,i=>{package}Int32Type)"
    assert parse_java(PAIR.java()) == PAIR


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("abc", "000361626300"),
        ("abc:123", "00036162630000040000007b00"),
        (r"a\:b:5", "0003613a620000040000000500"),
        ("abc:!", "000361626301"),
        ("abc:_", "0003616263ff"),
    ],
)
def test_texts_are_cut_at_colons(text: str, value: str) -> None:
    assert PAIR.from_text(text).hex() == value
    PAIR.validate(bytes.fromhex(value))


def test_dynamic_components_say_what_they_are() -> None:
    assert DYNAMIC.from_text("s@abc:i@5").hex() == "8073000361626300806900040000000500"
    assert DYNAMIC.from_text("UTF8Type@abc").hex() == "00085554463854797065000361626300"
    with pytest.raises(MarshalError, match="alias 'z'"):
        DYNAMIC.from_text("z@abc")


def test_values_sort_component_by_component() -> None:
    rng = Random(7)
    pairs = [(rng.choice(["", "a", "ab", "b"]), rng.randrange(-300, 300)) for _ in range(100)]
    by_key = sorted(pairs, key=lambda pair: PAIR.order_key(PAIR.from_text(f"{pair[0]}:{pair[1]}")))
    assert by_key == sorted(pairs)
    downward = sorted(pairs, key=lambda pair: DOWN.order_key(DOWN.from_text(f"{pair[1]}:{pair[0]}")))
    assert downward == sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def test_the_begin_of_a_value_sorts_before_it_and_the_empty_one_first() -> None:
    in_order = [b"", *(PAIR.from_text(text) for text in ("a", "a:1", "b"))]
    mixed = [in_order[number] for number in (2, 0, 3, 1)]
    assert sorted(mixed, key=PAIR.order_key) == in_order


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("00", "value size of component 0"),
        ("00036162", "value of component 0"),
        ("0003616263", "end-of-component byte of component0"),
        ("00036162630100", "remaining after an end-of-component at component0"),
    ],
)
def test_values_that_are_cut_short_are_refused(value: str, message: str) -> None:
    with pytest.raises(MarshalError, match=message):
        PAIR.validate(bytes.fromhex(value))
