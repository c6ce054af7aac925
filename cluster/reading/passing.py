"""Tombstones that replicas pass over for a read: each counts its own, tells how many there were, and refuses to go on where
there are more than tombstone_failure_threshold (db/ReadCommand.java, service/reads/thresholds/).

Cassandra counts by command. Here a command is asked in parts (execution.py says where an answer ends), so who asks for the
next part says how many the replica has passed over until then.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from math import inf
from typing import Final, Generic, NamedTuple, TypeVar

from storage.mutation import Row
from storage.passed_over import passed_over

Peer = TypeVar("Peer", bound=Hashable)
COUNT_MAX: Final = 0xFFFFFFFF


class Thresholds(NamedTuple):
    """More are told, more are refused."""

    warn: float = inf
    fail: float = inf


NO_THRESHOLDS: Final = Thresholds()


class TooManyTombstones(Exception):
    """The reading that raises it knows how many there were."""


class PassedOver(NamedTuple):
    """What a replica tells: tombstones of this part of a command and of those before, and whether that is more than it is to
    warn of."""

    tombstones: int = 0
    is_warning: bool = False


NONE: Final = PassedOver()


@dataclass(slots=True)
class Counting:
    """One reading of a replica. `rows`: live ones; `statics`: of these, static rows of partitions that have others, too;
    `key`: of the partition that is read, or was read last."""

    thresholds: Thresholds = NO_THRESHOLDS
    tombstones: int = 0
    rows: int = 0
    statics: int = 0
    key: bytes = b""

    def add(self, count: int) -> None:
        """Raises TooManyTombstones."""
        self.tombstones += count
        if self.tombstones > self.thresholds.fail:
            self.tombstones = int(self.thresholds.fail) + 1  # at which Cassandra stops
            raise TooManyTombstones

    def add_row(self, row: Row | None, is_live: bool) -> None:
        """`row`: what is left of one when what any replica may have purged is left out."""
        count = passed_over(row, is_live)
        if count:
            self.add(count)

    @property
    def passed(self) -> PassedOver:
        return PassedOver(min(self.tombstones, COUNT_MAX), self.tombstones > self.thresholds.warn)


@dataclass(slots=True)
class Passing(Generic[Peer]):
    """What the replicas passed over for one command, over all of its parts. `before`: by replica, until now; `warned`,
    `aborted`: the most of those who warn, and of those who refused. `here`: what this node's own store had; `is_alone`: no
    other replica was asked."""

    before: dict[Peer, int] = field(default_factory=dict)
    warned: dict[Peer, int] = field(default_factory=dict)
    aborted: dict[Peer, int] = field(default_factory=dict)
    here: "Counting | None" = None
    is_alone: bool = True

    def heard(self, peer: Peer, passed: PassedOver) -> None:
        if passed.is_warning:
            self.warned[peer] = max(passed.tombstones, self.warned.get(peer, 0))

    def refused(self, peer: Peer, tombstones: int) -> None:
        self.aborted[peer] = max(tombstones, self.aborted.get(peer, 0))

    def read_here(self, counting: Counting) -> None:
        """This node read a part; its count goes on from that of the parts before."""
        if self.here is not None:
            counting.rows += self.here.rows
            counting.statics += self.here.statics
            counting.key = counting.key or self.here.key
        self.here = counting

    def add_earlier(self, other: "Passing[Peer]") -> None:
        """What was read by the same command before."""
        for peer, tombstones in other.warned.items():
            self.warned[peer] = tombstones + self.warned.get(peer, 0)
        if other.here is not None and self.here is not None:
            self.here.tombstones += other.here.tombstones
            self.here.rows += other.here.rows
            self.here.statics += other.here.statics
            self.here.key = self.here.key or other.here.key
        else:
            self.here = self.here or other.here
