"""A shape's pattern takes only texts that the scan cuts into the same shape and the same literals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammar.shape import shape
from grammar.shape_pattern import maybe_pattern

INSERT = "INSERT INTO ks.t (k, c, v) VALUES ({}, {}, {})"
PIECES = (
    "INSERT INTO t (a) VALUES (", "UPDATE t SET a = ", " WHERE k=", ", ", ")", " AND b IN (",
    "+", "-", "'", " ", "0x", "--", "é", "(",
)  # fmt: skip
LITERALS = (
    "1", "-5", "007", "1.5", "-1.e3", "2E9", "1e999", "0xaB", "0X", "''", "'it''s'", "'ü'", "'1'", "' 5'", "1d",
    "1y2mo", "9x", "a132b130-ae79-11e4-ab27-0800200c9a66", "9" * 300, "'\0'", "true",
)  # fmt: skip


def _unquoted(literals: tuple[bytes, ...], kinds: str) -> list[str]:
    return [
        text.decode().replace("''", "'") if kind == "S" else text.decode()
        for text, kind in zip(literals, kinds, strict=True)
    ]


@pytest.mark.parametrize("one", LITERALS)
@pytest.mark.parametrize("other", LITERALS)
def test_pattern_of_one_text_cuts_another_as_the_scan_does(one: str, other: str) -> None:
    cut = shape(INSERT.format("1", one, "'x'"))
    made = maybe_pattern(cut[0]) if cut is not None else None
    if cut is None or made is None:
        return
    text = INSERT.format("-22", other, "'it''s'")
    found = made[0].fullmatch(text.encode())
    if found is not None:
        assert shape(text) == (cut[0], _unquoted(found.groups(), made[1]))
    if one == other and len(one) < 200:
        assert found is not None


_texts = st.lists(st.sampled_from((*PIECES, *LITERALS)), min_size=1, max_size=8).map("".join)


@given(_texts, st.lists(st.sampled_from(LITERALS), min_size=8, max_size=8))
def test_texts_that_a_pattern_takes_have_its_shape(tail: str, others: list[str]) -> None:
    cut = shape("INSERT INTO t (a) VALUES (" + tail)
    made = maybe_pattern(cut[0]) if cut is not None else None
    if cut is None or made is None:
        return
    *chunks, last = cut[0].split("\0")
    leads = last[: len(chunks) - 1]
    parts = [chunk + lead + other for chunk, lead, other in zip(chunks, leads, others, strict=False)]
    text = "".join([*parts, *chunks[len(parts) :]])
    found = made[0].fullmatch(text.encode())
    if found is not None:
        assert shape(text) == (cut[0], _unquoted(found.groups(), made[1])), text


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t (a) VALUES (now())",
        "INSERT INTO t (a) VALUES (1) USING TTL 5",
        "INSERT INTO t (a) VALUES (1h)",
        "UPDATE t SET a = a+'x' WHERE k = 1",
    ],
)
def test_shapes_without_literals_or_with_odd_ones_have_no_pattern(text: str) -> None:
    cut = shape(text)
    assert cut is not None
    assert maybe_pattern(cut[0]) is None
