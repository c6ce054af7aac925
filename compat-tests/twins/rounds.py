"""Rounds: each an area and a seed, with keyspaces of its own on both servers; many at a time, each in a thread."""

import itertools
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from harness.runner import Address

from protocol.responses import Response
from twins.areas import AREAS
from twins.comparison import Difference, Twins
from twins.outcomes import Outcomes
from twins.statement import Statement, StorageWork
from twins.storing import Storage

TOGETHER_MAX: Final = 16
"""Reads that are under way at the same time on one connection."""
DIFFERENCES_MAX: Final = 25
"""After so many a round ends: what both hold is not the same any more."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Where both are, and how they are told to flush (none: they are not). `role`: name and password of who sends what
    does not say another, where clients log in."""

    ours: Address
    peer: Address
    storages: tuple[Storage, ...] = ()
    role: tuple[str, str] | None = None


@dataclass(slots=True)
class Report:
    """Of rounds: what was found, by kind, with the seed; `broken`: rounds that ended in an exception of this program's."""

    outcomes: Outcomes = field(default_factory=Outcomes)
    found: dict[str, list[tuple[str, Difference]]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    storage_work: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    rounds: int = 0
    slips: int = 0


Shrink = Callable[[Difference], Difference]


class Round:
    def __init__(self, pair: Pair, area: str, seed: int, statements: int) -> None:
        self.area, self.seed, self._count = area, seed, statements
        self.is_over = False
        self.keyspace = _keyspace(area, seed)
        self._pair = pair
        self._twins = Twins(pair.ours, pair.peer, self.keyspace)
        self._twins.heard = self._hear
        self.outcomes = Outcomes()
        self.differences = 0
        self.number = 0
        """Of the last statement that was sent, as `listed` counts."""
        self.storage_work: Counter[str] = Counter()

    @property
    def slips(self) -> int:
        return self._twins.slips

    def run(self, is_late: Callable[[], bool], told: Callable[["Round", Difference, Shrink], None]) -> None:
        """`is_late`: whether to stop. `told`: hears of each difference."""
        try:
            for group in _groups(statements_of(self.area, self.seed, self._count)):
                if isinstance(group, StorageWork):
                    self.number += 1
                    self._store(group)
                    continue
                self.number += len(group)
                for found in self._twins.differences([self._sent(each) for each in group]):
                    self.differences += 1
                    told(self, found, self._twins.smallest)
                if self._twins.parted:
                    self._twins.rejoin()
                if self.differences >= DIFFERENCES_MAX or is_late():
                    break
        finally:
            self.is_over = True
            for suffix in ("", "_b"):
                for server in (self._twins.ours, self._twins.peer):
                    server.query(f"DROP KEYSPACE IF EXISTS {self.keyspace}{suffix}")
            self._twins.close()

    def _sent(self, each: Statement) -> Statement:
        return each if self._pair.role is None or each.role is not None else replace(each, role=self._pair.role)

    def _hear(self, statement: Statement, response: Response) -> None:
        if not self.is_over:
            self.outcomes.add(self.area, statement, response)

    def _store(self, work: StorageWork) -> None:
        for storage in self._pair.storages:
            storage.do(work.what, work.keyspace, work.table)
        if self._pair.storages:
            self.storage_work[work.what] += 1


def statements_of(area: str, seed: int, count: int) -> Iterator[Statement | StorageWork]:
    """Of a round."""
    return AREAS[area](Random(f"{area} {seed}"), _keyspace(area, seed), count)


def _keyspace(area: str, seed: int) -> str:
    return f"differ_{area}_{seed}"


def _groups(statements: Iterator[Statement | StorageWork]) -> Iterator[Sequence[Statement] | StorageWork]:
    """Reads that follow each other together, everything else alone."""
    reads: list[Statement] = []
    for each in statements:
        if isinstance(each, Statement) and each.reads:
            reads.append(each)
            if len(reads) < TOGETHER_MAX:
                continue
            yield reads
        else:
            if reads:
                yield reads
            yield each if isinstance(each, StorageWork) else [each]
        reads = []
    if reads:
        yield reads


class Rounds:
    """Rounds until `statements` were sent, or `seconds` are over, from `seed` on; areas by their weights."""

    def __init__(self, pair: Pair, weights: Mapping[str, int], seed: int, round_statements: int) -> None:
        self._pair, self._round_statements = pair, round_statements
        self._turns = itertools.cycle([area for area, weight in weights.items() for _ in range(weight)])
        self._seeds = itertools.count(seed)
        self._lock = threading.Lock()
        self._running: list[Round] = []
        self._until = 0.0
        self.report = Report()

    @property
    def _sent(self) -> int:
        """Those of rounds that are under way, too."""
        return self.report.outcomes.total + sum(each.outcomes.total for each in tuple(self._running))

    def run(self, statements: int, seconds: float, lanes: int, told: float) -> None:
        """`told`: seconds between two lines about how far it is."""
        began = time.monotonic()
        self._until = began + seconds

        def lane() -> None:
            while not self._is_late() and self._sent < statements:
                self._one()

        threads = [threading.Thread(target=lane) for _ in range(lanes)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(told / lanes)
            self._tell(time.monotonic() - began)

    def stop(self) -> None:
        """Rounds that are under way end where they are."""
        self._until = 0.0

    def _is_late(self) -> bool:
        return time.monotonic() > self._until

    def _one(self) -> None:
        with self._lock:
            made = Round(self._pair, next(self._turns), next(self._seeds), self._round_statements)
            self._running.append(made)
        broken = ""
        try:
            made.run(self._is_late, self._found)
        except Exception:  # noqa: BLE001 - reported, the next goes on
            broken = f"{made.area} {made.seed}: {traceback.format_exc()}"
        with self._lock:
            self._running.remove(made)
            self._add(made, broken)

    def _add(self, made: Round, broken: str) -> None:
        report = self.report
        report.rounds += 1
        report.slips += made.slips
        report.outcomes.merge(made.outcomes)
        report.storage_work.update(made.storage_work)
        if broken:
            report.broken.append(broken)
            print(broken, flush=True)

    def _found(self, of: Round, found: Difference, smallest: Shrink) -> None:
        kind = found.kind()
        with self._lock:
            self.report.counts[kind] += 1
            is_new = kind not in self.report.found
            examples = self.report.found.setdefault(kind, [])
        small = smallest(found) if is_new else found
        with self._lock:
            examples.append((f"{of.area} {of.seed}", small))
        if is_new:
            print(f"== {of.area} {of.seed}, up to {of.number}: {kind}\n{small.report()}", flush=True)

    def _tell(self, seconds: float) -> None:
        report, total = self.report, self._sent
        print(
            f"-- {total} statements in {report.rounds} rounds, {seconds:.0f} s, {total / max(seconds, 1):.0f} a second,"
            f" {sum(report.counts.values())} differences of {len(report.counts)} kinds, {report.slips} explained,"
            f" {dict(report.storage_work)}",
            flush=True,
        )
