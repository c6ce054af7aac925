"""The functions written for statements take what a plain loop over the values takes."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from cqlserver.plans.fast_taker import Taker, compile_taker
from cqlserver.plans.fast_values import Check
from storage.keys import compose_key

Statement = tuple[list[Check], list[int], list[int], list[int]]

FIXED, ANY, ASCII = (4, None), (-1, None), (-1, bytes.isascii)


def upper(value: bytes) -> bytes:
    return value.upper() + b"\x01"


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    checks: list[Check] = draw(st.lists(st.sampled_from([FIXED, FIXED, ANY, ASCII]), min_size=1, max_size=7))
    places = draw(st.permutations(range(len(checks))))
    keys = draw(st.integers(1, len(checks)))
    clusterings = draw(st.integers(0, len(checks) - keys))
    wire = draw(st.one_of(st.just(list(range(keys, len(checks)))), st.lists(st.sampled_from(places), unique=True)))
    return checks, list(places[:keys]), list(places[keys : keys + clusterings]), wire


def wire_value(value: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if value is None else struct.pack(">i", len(value)) + value


def taker_of(checks: list[Check], keys: list[int], clusterings: list[int], wire: list[int]) -> Taker:
    def compose(values: object) -> bytes:
        assert isinstance(values, tuple)
        return compose_key(values)

    return compile_taker(checks, keys, compose, clusterings, [upper] * len(clusterings), wire)


def is_plain(check: Check, value: bytes | None) -> bool:
    length, test = check
    return value is not None and length in (-1, len(value)) and (test is None or test(value))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(statements(), st.data())
def test_it_takes_what_a_loop_takes(statement: Statement, data: st.DataObject) -> None:
    checks, keys, clusterings, wire = statement
    some = st.one_of(st.none(), st.binary(max_size=6), st.just(b"four"), st.just(b"four"), st.just("é".encode()))
    values = [data.draw(some) for _ in checks]
    before, behind = data.draw(st.binary(max_size=3)), data.draw(st.binary(max_size=3))
    request = before + b"".join(map(wire_value, values))
    taken = taker_of(checks, keys, clusterings, wire)(request + behind, len(before))
    key = compose_key([values[place] or b"" for place in keys])
    if not all(map(is_plain, checks, values)) or not key:
        assert taken is None
        return
    order_key = b"".join(upper(values[place] or b"") for place in clusterings)
    assert taken == (len(request), key, order_key, b"".join(wire_value(values[place]) for place in wire))


def test_what_is_cut_off_is_not_taken() -> None:
    take = taker_of([FIXED, ASCII, FIXED], [0], [], [1, 2])
    request = b"".join(map(wire_value, (b"four", b"text", b"four")))
    assert take(request, 0) is not None
    for length in range(len(request)):
        assert take(request[:length], 0) is None
