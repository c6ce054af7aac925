"""The bytes of segments in cdc_raw: written and read back, damaged, cut off."""

import random

from hypothesis import given
from hypothesis import strategies as st

from storage.cdc.format import (
    index_name,
    index_text,
    is_completed,
    maybe_segment_id,
    read_segment,
    section,
    segment_header,
    segment_name,
)

ID = 1_700_000_000_123
MUTATIONS = [b"0123456789", b"another mutation", b"x" * 300, b"", b"the last one"]


def written(*groups: list[bytes]) -> bytes:
    data = segment_header(7, ID)
    for group in groups:
        data += section(ID, len(data), group)
    return data


@given(st.lists(st.lists(st.binary(max_size=40), max_size=4), max_size=4), st.integers(0, (1 << 63) - 1))
def test_what_is_written_is_read(groups: list[list[bytes]], segment_id: int) -> None:
    data = segment_header(8, segment_id)
    for group in groups:
        data += section(segment_id, len(data), group)
    for padding in (b"", bytes(7), bytes(100)):
        found = read_segment(data + padding)
        assert (found.version, found.segment_id, found.end) == (8, segment_id, len(data))
        assert [list(part.mutations) for part in found.sections] == groups


def test_a_segment_that_is_cut_off_has_its_whole_sections() -> None:
    data = written(MUTATIONS[:2], MUTATIONS[2:])
    ends = [part.end for part in read_segment(data).sections]
    start = len(segment_header(7, ID))
    for size in range(len(data)):
        found = read_segment(data[:size])
        assert found.end == max((end for end in (start, *ends) if end <= size), default=0), size
        assert found.mutations == MUTATIONS[: {0: 0, 1: 2}[len(found.sections)]]


def test_no_damage_gives_another_mutation() -> None:
    data = written(*([mutation] for mutation in MUTATIONS))
    rng = random.Random(1)
    for _ in range(2_000):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        found = read_segment(bytes(damaged)).mutations
        assert found == MUTATIONS[: len(found)]
        assert len(found) < len(MUTATIONS)


def test_sections_of_another_segment_or_place_are_not_taken() -> None:
    head = segment_header(7, ID)
    assert read_segment(head + section(ID + 1, len(head), MUTATIONS)).mutations == []
    assert read_segment(head + section(ID, len(head) + 1, MUTATIONS)).mutations == []


def test_names() -> None:
    name = segment_name(7, ID)
    assert name == "CommitLog-7-1700000000123.log"
    assert index_name(name) == "CommitLog-7-1700000000123_cdc.idx"
    assert maybe_segment_id(name) == ID
    assert maybe_segment_id(index_name(name)) is None
    assert maybe_segment_id(f"{name}.tmp") is None


def test_an_index() -> None:
    assert index_text(4711, is_completed=False) == b"4711"
    assert index_text(4711, is_completed=True) == b"4711\nCOMPLETED"
    assert is_completed(b"4711\nCOMPLETED")
    assert not is_completed(b"4711")
