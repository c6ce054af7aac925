"""The functions written for statements take what a plain loop over the values takes."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from cqlserver.plans.fast.rows import Rows, maybe_rows_taker
from cqlserver.plans.fast.taker import Taker, compile_taker
from cqlserver.plans.fast.values import Check
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


def rows_taken(statement: Statement, request: bytes, before: int, count: int) -> Rows | None:
    checks, keys, clusterings, wire = statement
    take = taker_of(checks, keys, clusterings, wire)
    take_rows = maybe_rows_taker(checks, keys, clusterings, [upper] * len(clusterings), wire, take)
    assert take_rows is not None
    for _ in range(2):  # with and without a remembered shape
        taken = take_rows(request, 1, before, count, 1)
        assert take_rows(request, 1, before, count, 1) == taken
    return taken


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_rows_that_are_alike_are_taken_as_each_of_them_is(data: st.DataObject) -> None:
    checks = data.draw(st.lists(st.sampled_from([FIXED, FIXED, ANY, ASCII]), min_size=2, max_size=6))
    keys = data.draw(st.integers(1, len(checks) - 1))
    clusterings = data.draw(st.integers(1, len(checks) - keys))
    places = list(range(len(checks)))
    statement = (checks, places[:keys], places[keys : keys + clusterings], places[keys:])
    lengths = [4 if check == FIXED else data.draw(st.integers(0, 5)) for check in checks]
    letters = st.sampled_from(b"ab" if data.draw(st.booleans()) else b"ab\xe9")
    key = [bytes(data.draw(st.lists(letters, min_size=n, max_size=n))) for n in lengths[:keys]]
    before, count = data.draw(st.binary(max_size=4)), data.draw(st.integers(1, 5))
    values = [
        key + [bytes(data.draw(st.lists(letters, min_size=n, max_size=n))) for n in lengths[keys:]] for _ in range(count)
    ]
    if data.draw(st.booleans()):  # one that differs
        row = data.draw(st.sampled_from(values))
        row[data.draw(st.sampled_from(places))] = data.draw(st.one_of(st.none(), st.binary(max_size=6)))
    entries = [before + b"".join(map(wire_value, row)) for row in values]
    taken = rows_taken(statement, b"!" + b"".join(entries) + b"?", len(before), count)
    take = taker_of(*statement)
    each = [take(entry, len(before)) for entry in entries]
    if taken is None:
        assert len(set(map(len, entries))) > 1 or None in each or len({row[1] for row in each if row}) > 1
        return
    assert taken[0] == 1 + sum(map(len, entries))
    for entry, single, ck, wire in zip(entries, each, taken[2], taken[3], strict=True):
        assert single == (len(entry), taken[1], ck, wire)


def test_rows_of_the_same_size_with_other_lengths_are_not_alike() -> None:
    statement: Statement = [ANY, ANY, ANY], [0], [1], [1, 2]
    entries = [b"".join(map(wire_value, (b"k", b"c" * n, b"v" * (4 - n)))) for n in (1, 1, 3)]
    assert rows_taken(statement, b"!" + entries[0] + entries[1], 0, 2) is not None
    assert rows_taken(statement, b"!" + b"".join(entries), 0, 3) is None
    assert rows_taken(statement, b"!" + entries[0] + entries[1][:-1], 0, 2) is None


def test_rows_without_order_keys_or_with_values_in_another_order_are_left() -> None:
    take = taker_of([FIXED, FIXED, FIXED], [0], [], [1, 2])
    assert maybe_rows_taker([FIXED, FIXED, FIXED], [0], [], [], [1, 2], take) is None
    assert maybe_rows_taker([FIXED, FIXED, FIXED], [0], [1], [upper], [2, 1], take) is None
