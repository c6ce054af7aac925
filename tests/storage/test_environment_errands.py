"""Errands run beside the loop, two at a time, and tell when they are done."""

import threading

import pytest

from storage.environment.errands import AT_ONCE, Errand, Errands

TIMEOUT_S = 10.0


def test_results_and_errors_are_handed_over() -> None:
    errands = Errands()
    good, bad = errands.begin(lambda: 7), errands.begin(lambda: 1 // 0)
    good.wait()
    bad.wait()
    assert (good.is_done, good.result) == (True, 7)
    with pytest.raises(ZeroDivisionError):
        _ = bad.result


def test_no_more_than_so_many_at_once() -> None:
    errands, gate, begun = Errands(), threading.Event(), list[int]()

    def work(number: int) -> int:
        begun.append(number)
        assert gate.wait(TIMEOUT_S)
        return number

    all_of_them = [errands.begin(lambda number=number: work(number)) for number in range(5)]
    gate.set()
    for errand in all_of_them:
        errand.wait()
    assert sorted(begun) == [errand.result for errand in all_of_them] == [0, 1, 2, 3, 4]
    assert AT_ONCE == 2


def test_who_waits_is_told_once_and_at_once_where_it_is_done() -> None:
    told = list[str]()
    errand = Errand(lambda: None)
    errand.when_done(lambda: told.append("later"))
    assert told == []
    errand.run()
    assert told == ["later"]
    errand.when_done(lambda: told.append("at once"))
    assert told == ["later", "at once"]
