"""Strands: who has the turn, and what happens to those who are overtaken or given up."""

import random
from collections.abc import Callable, Iterator

import pytest

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
    size = STRAND_MEMORY_MAX // 400
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
