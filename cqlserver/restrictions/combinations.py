"""What several IN restrictions make together: all combinations of their values, within limits."""

from collections.abc import Callable, Sequence
from math import prod

from cqlserver.guarding import guarding
from protocol.errors import InvalidRequest
from storage.environment.strands import let_go_later, long_work, paused, sorted_in_turns

COMBINATIONS_MAX = 500_000
"""Partitions and rows that one statement names: four short IN lists make a thousand million of them."""
COMBINATIONS_PER_GO = 300
"""Of the values of IN: more of them take more than a millisecond, and then others must be able to interrupt."""
Clustering = tuple[bytes, tuple[bytes, ...]]
"""Order key and values of a clustering, or of the first few columns of one."""


def sorted_distinct(rows: list[list[bytes]], order_keys: Sequence[Callable[[bytes], bytes]]) -> list[Clustering]:
    """Values by their order keys; of equal ones the last."""
    by_key = {}
    for row in paused(rows):
        by_key[b"".join([order_key(value) for order_key, value in zip(order_keys, row, strict=False)])] = tuple(row)
    return sorted_in_turns(list(by_key.items()))


def check_combinations(count: int) -> None:
    """Of values that IN restrictions name; in the words of Cassandra's guardrail, which is off there unless it is set."""
    if count > COMBINATIONS_MAX:
        raise InvalidRequest(
            f"The cartesian product of the IN restrictions produces {count} values, this exceeds fail threshold of "
            f"{COMBINATIONS_MAX}."
        )


def guard_product(what: str, parts: Sequence[Sequence[Clustering]]) -> None:
    """Raises InvalidRequest, or warns, where the request is guarded."""
    guarded = guarding.get()
    if guarded is not None:
        guarded.product(what, prod(map(len, parts)))


def product(parts: Sequence[Sequence[Clustering]]) -> list[Clustering]:
    """All combinations, in order if the parts are: order keys are prefix-free."""
    count = prod(map(len, parts))
    check_combinations(count)
    if count > COMBINATIONS_PER_GO:
        long_work()
    found: Sequence[Clustering] = [(b"", ())]
    for part in parts:
        if len(found) == 1:
            (key, row), found = found[0], part
            if key:
                found = [(key + right_key, row + right) for right_key, right in paused(part)]
        else:
            found = [(key + right_key, row + right) for key, row in paused(found) for right_key, right in paused(part)]
        let_go_later(found)
    return list(found)
