"""Whose turn it is, for code that may take long and knows neither loops nor threads: where others may run in between.

A context variable knows: a strand's turn (storage/environment/strands.py), where `pause` means something; a go of a loop,
in which `long_work` raises TooLong before anything is done, so that the caller can begin again as a strand; or nobody's
(tests, tools, the start), where neither does anything. What others see must be changed in one piece: there nobody pauses,
which `strands.undisturbed` sees to.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextvars import ContextVar
from itertools import chain
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Sortable = TypeVar("Sortable", bound="_Ordered")
Argument = TypeVar("Argument")
Returned = TypeVar("Returned")

ITEMS_PER_GO_MAX = 1_000
"""Elements of one value, cells of one row: what more of them take is no matter for a go of the loop."""
_PAUSE_MASK = 0x3F
"""Of the number of an item: there is a pause at each 64th."""
_RUN_ITEMS = 1_024


class _Ordered(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


class TooLong(Exception):
    """This is too long for a go of the loop; nothing has been done yet."""


class Turn(Protocol):
    def pause(self) -> None: ...
    def long_work(self) -> None: ...
    def commit(self) -> None: ...


class _Go:
    """The turn of a loop that has others to serve."""

    def pause(self) -> None:
        pass

    def long_work(self) -> None:
        raise TooLong

    def commit(self) -> None:
        pass


_GO = _Go()
turn: ContextVar[Turn | None] = ContextVar("turn", default=None)


def pause() -> None:
    """Others may run here. Raises Overtaken and Abandoned, which nobody but the strand itself catches."""
    current = turn.get()
    if current is not None:
        current.pause()


def paused(items: Iterable[T]) -> Iterable[T]:
    """The items, in a strand with a pause now and then: for loops that may be long."""
    current = turn.get()
    return items if current is None or current is _GO else _paused(items, current)


def _paused(items: Iterable[T], current: Turn) -> Iterator[T]:
    for index, item in enumerate(items):
        if not index & _PAUSE_MASK:
            current.pause()
        yield item


def long_work() -> None:
    """What follows may take milliseconds, and pauses in between. Raises TooLong in a go of the loop."""
    current = turn.get()
    if current is not None:
        current.long_work()


def in_turns(items: Collection[T]) -> Iterable[T]:
    """As `paused`, of what is short as a rule: where it is not, `long_work`."""
    if len(items) <= ITEMS_PER_GO_MAX:
        return items
    long_work()
    return paused(items)


def sorted_in_turns(items: list[Sortable]) -> list[Sortable]:
    """Sorts a list that may be long, with pauses."""
    if len(items) <= _RUN_ITEMS or turn.get() in (None, _GO):
        return sorted(items)
    steps = sorting(items)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: list[Sortable] = end.value
            return result
        pause()


def sorting(items: list[Sortable]) -> Generator[None, None, list[Sortable]]:
    """Sorts a list that may be long, in steps: runs first, which are then merged two by two."""
    if len(items) <= _RUN_ITEMS:
        return sorted(items)
    runs = []
    for start in range(0, len(items), _RUN_ITEMS):
        runs.append(sorted(items[start : start + _RUN_ITEMS]))
        yield
    while len(runs) > 1:
        merged = []
        for index in range(0, len(runs), 2):
            merged.append((yield from _merging(*runs[index : index + 2])))
        runs = merged
    return runs[0]


def _merging(left: list[Sortable], right: Sequence[Sortable] = ()) -> Generator[None, None, list[Sortable]]:
    """Two sorted lists as one, piece by piece; what is equal stays in this order."""
    merged: list[Sortable] = []
    at = 0
    for start in range(0, len(left), _RUN_ITEMS):
        end = start + _RUN_ITEMS
        until = bisect_left(right, left[end], at) if end < len(left) else len(right)
        merged += sorted(chain(left[start:end], right[at:until]))  # of two runs this is a merge
        at = until
        yield
    return merged


def in_go(function: Callable[[Argument], Returned], argument: Argument) -> Returned:
    """Calls it in the turn of a loop: `long_work` raises TooLong."""
    token = turn.set(_GO)
    try:
        return function(argument)
    finally:
        turn.reset(token)
