"""Strands: who has the turn, and what happens to those who are overtaken or given up."""

import random
import weakref
from collections.abc import Callable, Iterator

import pytest

from protocol.errors import InvalidRequest
from storage.environment.environment import ManualClock
from storage.environment.strands import (
    LONG_STRANDS_MAX,
    SHORT_BYTES,
    STRAND_MEMORY_MAX,
    STRANDS_MAX,
    InlineWorkers,
    Overtaken,
    ThreadStrand,
    ThreadWorkers,
    TooLong,
    commit,
    in_go,
    let_go_later,
    long_work,
    pause,
    paused,
    reckoned_memory,
    sorted_in_turns,
    undisturbed,
)

NOW = -1.0
"""A turn that ends at the first pause."""


def begun(function: Callable[[], object], still_valid: Callable[[], bool] = lambda: True) -> ThreadStrand[object]:
    strand = ThreadWorkers(ManualClock().monotonic).maybe_strand(function, still_valid, 1)
    assert strand is not None
    return strand


def test_a_strand_runs_only_in_its_turns() -> None:
    done: list[int] = []

    def work() -> str:
        for number in range(3):
            done.append(number)
            pause()
        return "ended"

    strand = begun(work)
    assert done == []
    assert not strand.resume(NOW)
    assert done == [0]
    assert not strand.resume(NOW)
    assert done == [0, 1]
    assert strand.resume(1.0)  # the clock stands still, so this turn is long enough
    assert done == [0, 1, 2]
    assert strand.take_result() == "ended"


def test_an_error_is_that_of_the_result() -> None:
    def work() -> None:
        pause()
        raise ValueError("wrong")

    strand = begun(work)
    assert not strand.resume(NOW)
    assert strand.resume(NOW)
    with pytest.raises(ValueError, match="wrong"):
        strand.take_result()


def test_an_abandoned_strand_ends_where_it_stands() -> None:
    seen: list[str] = []

    def work() -> None:
        try:
            pause()
            seen.append("went on")
        finally:
            seen.append("cleaned up")

    strand = begun(work)
    strand.resume(NOW)
    strand.abandon()
    strand.abandon()
    assert seen == ["cleaned up"]
    begun(work).abandon()  # it has not begun
    assert seen == ["cleaned up"]


class Kept(list[object]):
    """What can be seen to be gone."""


def nested(count: int) -> Kept:
    """Objects in objects, as a parsed text is."""
    return Kept([[{"name": str(number), "parts": [(number, "x" * (number % 7))]}] for number in range(count)])


def long_strand(function: Callable[[], object]) -> ThreadStrand[object]:
    strand = ThreadWorkers(ManualClock().monotonic).maybe_strand(function, lambda: True, 10 * SHORT_BYTES)
    assert strand is not None
    return strand


def turns_of(strand: ThreadStrand[object]) -> int:
    turns = 1
    while not strand.resume(NOW):
        turns += 1
    return turns


def test_what_was_made_before_an_error_is_let_go_of_in_turns() -> None:
    gone: list[weakref.ref[Kept]] = []

    def work() -> None:
        made = nested(5_000)
        gone.append(weakref.ref(made))
        raise InvalidRequest(f"{len(made)} are too many")

    strand = long_strand(work)
    assert turns_of(strand) > 50
    assert gone[0]() is None
    with pytest.raises(InvalidRequest, match="5000 are too many"):
        strand.take_result()


def test_a_strand_that_is_left_lets_go_in_turns() -> None:
    gone: list[weakref.ref[Kept]] = []
    seen: list[str] = []

    def work() -> None:
        made = nested(5_000)
        gone.append(weakref.ref(made))
        try:
            inner(made)
        finally:
            seen.append("cleaned up")

    def inner(made: Kept) -> None:
        pause()
        seen.append("went on")

    strand = long_strand(work)
    assert not strand.resume(NOW)
    strand.leave()
    assert turns_of(strand) > 50
    assert gone[0]() is None
    assert seen == ["cleaned up"]
    strand = long_strand(work)
    strand.resume(NOW)
    strand.leave()
    assert not strand.resume(NOW)
    strand.abandon()  # does the rest at once
    assert gone[1]() is None


def test_what_others_hold_is_left_alone_when_a_strand_lets_go() -> None:
    kept = nested(300)
    before = repr(kept)

    def work() -> None:
        made = [kept, *kept]
        raise InvalidRequest(str(len(made)))

    turns_of(long_strand(work))
    assert repr(kept) == before


def test_a_strand_is_overtaken_until_it_commits() -> None:
    seen: list[str] = []

    def work() -> None:
        pause()
        seen.append("not overtaken")

    strand = begun(work, lambda: False)
    strand.resume(NOW)
    assert strand.resume(NOW)
    with pytest.raises(Overtaken):
        strand.take_result()

    def committed() -> None:
        commit()
        work()

    strand = begun(committed, lambda: False)
    strand.resume(NOW)
    assert strand.resume(NOW)
    assert seen == ["not overtaken"]


def test_what_is_undisturbed_does_not_pause() -> None:
    def work() -> str:
        return undisturbed(lambda: [pause() for _ in range(5)] and "whole")

    strand = begun(work)
    assert strand.resume(NOW)
    assert strand.take_result() == "whole"


def test_long_work_is_refused_in_a_go_of_the_loop_alone() -> None:
    def work(result: str) -> str:
        long_work()
        pause()
        return result

    assert work("nobody else waits") == "nobody else waits"
    with pytest.raises(TooLong):
        in_go(work, "")
    assert work("the go is over") == "the go is over"
    strand = begun(lambda: work("a strand"))
    assert not strand.resume(NOW)
    assert strand.resume(NOW)
    assert strand.take_result() == "a strand"


def test_a_long_loop_pauses() -> None:
    def work() -> list[int]:
        return [number * 2 for number in paused(iter(range(1_000)))]

    strand = begun(work)
    turns = 1
    while not strand.resume(NOW):
        turns += 1
    assert turns > 10
    assert strand.take_result() == work()


@pytest.mark.parametrize("count", [0, 1, 1024, 1025, 10_000])
def test_sorting_in_turns_sorts(count: int) -> None:
    rng = random.Random(count)
    items = [rng.randrange(count) for _ in range(count)]
    strand = begun(lambda: sorted_in_turns(items))
    while not strand.resume(NOW):
        pass
    assert strand.take_result() == sorted(items) == sorted_in_turns(items)


def test_strands_under_way_are_bounded_in_number_and_size() -> None:
    workers = ThreadWorkers(ManualClock().monotonic)

    def strands(size: int) -> Iterator[ThreadStrand[None]]:
        while (strand := workers.maybe_strand(pause, lambda: True, size)) is not None:
            yield strand

    small = list(strands(1))
    assert len(small) == STRANDS_MAX
    for strand in small:
        strand.abandon()
    (large,) = strands(STRAND_MEMORY_MAX * 2)  # alone it may be of any size
    short = next(strands(SHORT_BYTES))  # and is in nobody's way who is short
    for strand in (large, short):
        assert not strand.resume(NOW)
        assert strand.resume(NOW)
    assert len(list(strands(SHORT_BYTES + 1))) == LONG_STRANDS_MAX
    assert len(list(strands(1))) == STRANDS_MAX - LONG_STRANDS_MAX


def test_strands_under_way_are_bounded_in_memory() -> None:
    workers = ThreadWorkers(ManualClock().monotonic)
    size = STRAND_MEMORY_MAX // 1200
    assert reckoned_memory(size) * 3 < STRAND_MEMORY_MAX < reckoned_memory(size) * 4
    strands = [workers.maybe_strand(pause, lambda: True, size) for _ in range(5)]
    assert [strand is not None for strand in strands] == [True, True, True, False, False]


def test_inline_workers_do_all_at_the_first_turn() -> None:
    strand = InlineWorkers().maybe_strand(lambda: [pause(), 7], lambda: False, 1)
    assert strand is not None
    assert strand.resume(NOW)
    assert strand.take_result() == [None, 7]


def test_what_is_let_go_later_is_let_go_in_turns() -> None:
    class Item:
        living = 0

        def __init__(self) -> None:
            Item.living += 1

        def __del__(self) -> None:
            Item.living -= 1

    def work() -> str:
        items = tuple(Item() for _ in range(1_000))
        let_go_later(items)
        return "done"

    strand = begun(work)
    living = []
    while not strand.resume(NOW):
        living.append(Item.living)
    assert len(living) > 10
    assert living == sorted(living, reverse=True)
    assert Item.living == 0
    assert strand.take_result() == "done"
