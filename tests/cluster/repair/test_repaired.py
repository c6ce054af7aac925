"""Since when which ranges are repaired: later sessions count, and gaps are told."""

from cluster.repair.repaired import Section, Span, sections, spans, without
from cluster.ring import TOKEN_MIN
from cluster.streaming.ranges import WHOLE_RING, TokenRange


def told(found: list[Section]) -> list[str]:
    return list(map(str, found))


def test_the_later_session_counts_and_gaps_have_no_time() -> None:
    sessions = [((TokenRange(0, 100),), 5), ((TokenRange(50, 150),), 7)]
    assert told(sections(sessions, [TokenRange(-10, 200)])) == [
        "(-10,0]=0",
        "(0,50]=5",
        "(50,150]=7",
        "(150,200]=0",
    ]


def test_ranges_may_go_around_the_rings_end() -> None:
    sessions = [((TokenRange(100, -100),), 3)]
    assert told(sections(sessions, [WHOLE_RING])) == [
        f"({TOKEN_MIN},-100]=3",
        "(-100,100]=0",
        f"(100,{TOKEN_MIN}]=3",
    ]


def test_ranges_that_touch_are_one() -> None:
    assert spans([TokenRange(5, 9), TokenRange(0, 5), TokenRange(7, 8), TokenRange(20, 30)]) == [Span(0, 9), Span(20, 30)]


def test_nothing_is_left_of_what_is_covered() -> None:
    assert without([Span(0, 10)], [Span(-5, 4), Span(4, 20)]) == []
    assert without([Span(0, 10)], [Span(2, 3), Span(10, 20)]) == [Span(0, 2), Span(3, 10)]


def test_nobody_repaired_anything() -> None:
    assert sections([], [TokenRange(0, 10)]) == [Section(Span(0, 10), 0)]
