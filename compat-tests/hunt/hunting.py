"""What all fuzzers share: cases by seed, until time is up; what is found is shrunk, and printed with its seed.

A fuzzer makes a case of a random stream: a list of parts (messages, statements). `fault` tells what is wrong with the server
that was given them, None if nothing is. All runs in this process, without sockets, by a clock that stands still: a case goes
the same way each time, and smaller lists of parts can be tried.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")
SHRINK_S = 60.0


@dataclass
class Fuzzer(Generic[T]):
    name: str
    case: Callable[[Random], list[T]]
    fault: Callable[[Sequence[T]], str | None]


@dataclass
class Found(Generic[T]):
    seed: int
    parts: Sequence[T]
    fault: str

    def __str__(self) -> str:
        parts = "\n".join(f"    {part!r}" for part in self.parts)
        return f"seed {self.seed}: {self.fault}\n{parts}"


def hunt(fuzzer: Fuzzer[T], first_seed: int, seconds: float) -> tuple[int, Found[T] | None]:
    """How many cases were tried, and the first that found something, shrunk."""
    end = time.monotonic() + seconds
    seed = first_seed
    while time.monotonic() < end:
        parts = fuzzer.case(Random(seed))
        fault = fuzzer.fault(parts)
        if fault is not None:
            parts, fault = shrunk(fuzzer, parts, fault)
            return seed - first_seed + 1, Found(seed, parts, fault)
        seed += 1
    return seed - first_seed, None


def shrunk(fuzzer: Fuzzer[T], parts: Sequence[T], fault: str) -> tuple[Sequence[T], str]:
    """Fewer parts that are at fault still: leaves out halves, quarters, ... as long as that helps."""
    end = time.monotonic() + SHRINK_S
    size = len(parts) // 2
    while size and time.monotonic() < end:
        for start in range(0, len(parts), size):
            fewer = [*parts[:start], *parts[start + size :]]
            still = fuzzer.fault(fewer) if fewer else None
            if still is not None:
                parts, fault = fewer, still
                break
        else:
            size //= 2
        size = min(size, len(parts) // 2) or min(size, 1)
    return parts, fault


class _Bugs(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())


@contextmanager
def told_bugs() -> Iterator[list[str]]:
    """What the server logs as errors meanwhile."""
    log, handler = logging.getLogger("cqlserver"), _Bugs()
    propagated, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield handler.told
    finally:
        log.removeHandler(handler)
        log.propagate = propagated


def main(fuzzers: Sequence[Fuzzer[T]]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Looks for faults; see compat-tests/README.md.")
    parser.add_argument("--seconds", type=float, default=60, help="of each fuzzer")
    parser.add_argument("--seed", type=int, help="the first one; without it another at each run")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else time.time_ns() // 1000 % 1_000_000_000
    has_found = False
    for fuzzer in fuzzers:
        if arguments.names and fuzzer.name not in arguments.names:
            continue
        print(f"{fuzzer.name}: from seed {seed}", flush=True)
        count, found = hunt(fuzzer, seed, arguments.seconds)
        print(f"{fuzzer.name}: {count} cases, {found or 'nothing found'}", flush=True)
        has_found = has_found or found is not None
    sys.exit(has_found)
