"""Whether a history of one register is linearizable: Wing and Gong's search, with Lowe's memory of what was tried.

An operation is known by when it began, when it ended (infinity: nobody knows, it may take effect at any time or never),
and what it saw or did. The dumbest search there is, and so the judge of everything cleverer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Operation:
    """`expected` None: a read that saw `found`. Otherwise a compare-and-set to `new`; `applied` None: outcome unknown;
    False: it found `found`."""

    began: float
    ended: float
    expected: str | None
    new: str | None
    applied: bool | None
    found: str | None = None


def _after(state: str, operation: Operation) -> list[str]:
    """The states in which the register may be once the operation has taken effect; none: it can't have here."""
    if operation.expected is None:
        return [state] if operation.applied is None or operation.found == state else []
    assert operation.new is not None
    met = state == operation.expected
    if operation.applied is True:
        return [operation.new] if met else []
    if operation.applied is False:
        return [state] if not met and operation.found == state else []
    return [operation.new] if met else [state]


TRIED_MAX = 20_000


class Undecided(Exception):
    """Too many ways to try: a history of fewer operations, or of fewer unknown ones, is needed."""


def is_linearizable(history: Sequence[Operation], initial: str) -> bool:
    operations = sorted(history, key=lambda operation: operation.began)
    everything = (1 << len(operations)) - 1
    must = sum(1 << index for index, operation in enumerate(operations) if operation.ended != inf)
    tried: set[tuple[int, str]] = set()
    stack = [(0, initial)]
    while stack:
        done, state = stack.pop()
        if done & must == must:
            return True
        if (done, state) in tried:
            continue
        tried.add((done, state))
        if len(tried) > TRIED_MAX:
            raise Undecided
        first_end = min(
            (operation.ended for index, operation in enumerate(operations) if not done >> index & 1), default=inf
        )
        for index, operation in enumerate(operations):
            if operation.began > first_end:
                break
            if not done >> index & 1:
                stack += [(done | 1 << index, after) for after in _after(state, operation)]
    return everything == 0
