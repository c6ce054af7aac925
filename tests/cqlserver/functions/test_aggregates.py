"""Aggregates take many rows at once as they take them one by one."""

import random
import struct
from collections.abc import Callable
from decimal import Decimal

import pytest

from cqlserver.functions.aggregates import CountRows, average_of, extreme_of, sum_of
from cqlserver.functions.model import Aggregate, ColumnAggregate
from protocol.types import BIGINT, DECIMAL, INT, TEXT, VARINT, ListType

Make = Callable[[random.Random], bytes | None]


def _long(rng: random.Random) -> bytes | None:
    number = rng.choice((rng.randint(-1 << 63, (1 << 63) - 1), rng.randint(-2, 2)))
    return rng.choice((None, b"", struct.pack(">q", number)))


def _int(rng: random.Random) -> bytes | None:
    return rng.choice((None, b"", struct.pack(">i", rng.randint(-1 << 31, (1 << 31) - 1))))


def _decimal(rng: random.Random) -> bytes | None:
    return rng.choice((None, DECIMAL.encode(Decimal(rng.randint(-3, 3)).scaleb(-rng.randrange(3)) + Decimal("0.00"))))


def _text(rng: random.Random) -> bytes | None:
    return rng.choice((None, b"", rng.choice("ab\0").encode() * rng.randrange(3)))


def _list(rng: random.Random) -> bytes | None:
    return rng.choice((None, ListType(INT, True).encode([rng.randint(-2, 2) for _ in range(rng.randrange(3))])))


@pytest.mark.parametrize(
    ("aggregate", "make"),
    [
        (sum_of(BIGINT), _long),
        (sum_of(INT), _int),
        (sum_of(VARINT), _long),
        (average_of(BIGINT), _long),
        (average_of(INT), _int),
        (CountRows(True), _int),
        (CountRows(False), _int),
        *((extreme_of(type_, sign), make) for sign in (1, -1) for type_, make in (
            (BIGINT, _long), (INT, _int), (DECIMAL, _decimal), (TEXT, _text), (ListType(INT, True), _list)
        )),
    ],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(20))
def test_many_rows_at_once_are_as_one_by_one(aggregate: Aggregate, make: Make, seed: int) -> None:
    print(f"seed {seed}")
    rng = random.Random(seed)
    values = [make(rng) for _ in range(rng.randrange(12))]
    one_by_one = aggregate.start()
    for value in values:
        one_by_one = aggregate.add(one_by_one, [value])
    assert isinstance(aggregate, ColumnAggregate)
    at = rng.randrange(len(values) + 1)
    together = aggregate.add_values(aggregate.add_values(aggregate.start(), values[:at]), values[at:])
    assert aggregate.result(together) == aggregate.result(one_by_one)
