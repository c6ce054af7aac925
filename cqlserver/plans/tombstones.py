"""Tombstones that a SELECT passes over: more than tombstone_warn_threshold are told, more than tombstone_failure_threshold
are a failure (db/ReadCommand.java). Cassandra counts by command: one for each partition that is asked for by key, one for a
page of a scan.

With read_thresholds_enabled the words are others: how many replicas warn or refuse, and of how many tombstones at most
(service/reads/thresholds/WarningsSnapshot.java). Where replicas are asked, these count (clustering/minding.py).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from cluster.consistency import Consistency
from cluster.ring import Node
from cqlserver.metrics.meters import RequestMeter
from cqlserver.plans.commands import Commands
from cqlserver.state import ReadWork
from protocol.errors import ReadFailure
from storage.keys import split_key
from storage.schema.metadata import TableMetadata
from storage.token import token

if TYPE_CHECKING:
    from cqlserver.metrics.profile import Profile

QUERY_CHARACTERS_MAX: Final = 512
log = logging.getLogger("cqlserver.reads")


class Thresholds(NamedTuple):
    """More are told, more are a failure. `are_tracked`: in the words of read_thresholds_enabled."""

    warn: float = inf
    fail: float = inf
    are_tracked: bool = False


class Words:
    """What the log and the client hear, in Cassandra's words. `query`: a command's text; `tokens`: of what it reads; `key`:
    of the partition that was read last."""

    __slots__ = ("_are_tracked", "_warn")

    def __init__(self, warn: Callable[[str], None], are_tracked: bool) -> None:
        self._warn, self._are_tracked = warn, are_tracked

    def passed(self, rows: int, tombstones: int, query: str, key: bytes) -> None:
        """This node's store passed over many."""
        told = (
            f"Read {rows} live rows and {tombstones} tombstone cells for query {query[:QUERY_CHARACTERS_MAX]}; "
            f"token {token(key)} (see tombstone_warn_threshold)"
        )
        log.warning(told)
        if not self._are_tracked:
            self._warn(told)

    def warned(self, nodes: int, tombstones: int, query: str, tokens: str) -> None:
        if self._are_tracked:
            self._say(
                f"{nodes} nodes scanned up to {tombstones} tombstones and issued tombstone warnings for query {query} "
                "(see tombstone_warn_threshold)",
                tokens,
            )

    def refused(self, failure: ReadFailure, nodes: int, tombstones: int, query: str, tokens: str) -> ReadFailure:
        """The failure, as the client hears of it."""
        if not self._are_tracked:
            return failure
        told = (
            f"{nodes} nodes scanned over {tombstones} tombstones and aborted the query {query} "
            "(see tombstone_failure_threshold)"
        )
        self._say(told, tokens)
        _, _, who = failure.message.partition(": ")  # who failed, and why
        level, received, required = failure.consistency, failure.received, failure.block_for
        return ReadFailure(
            f"Operation failed - {told}: {who}", level, received, required, failure.reasons, failure.data_present
        )

    def _say(self, told: str, tokens: str) -> None:
        log.warning(told)
        self._warn(f"{told} with {tokens}")


def log_refusal(table: TableMetadata, tombstones: int, query: str, key: bytes) -> None:
    """Of this node's store (db/filter/TombstoneOverwhelmingException.java)."""
    columns = table.partition_key
    pairs = zip(columns, split_key(key, len(columns)), strict=True)
    shown = ", ".join(column.type.to_text(value) for column, value in pairs)
    log.error(
        f"Scanned over {tombstones} tombstones during query '{query}' (last scanned row token was {token(key)} "
        f"and partion key was ({shown})); query aborted"
    )


@dataclass(slots=True)
class _Sampled:
    """What is told of the commands of a page: `began_s`: the one that goes on; `rows`: that it had before this partition."""

    profile: "Profile"
    began_s: float
    rows: int = 0

    def partition(self, table: TableMetadata, key: bytes, rows: int, tombstones: int, is_by_key: bool) -> None:
        if is_by_key:
            self.profile.read_by_key(table, key)
        self.profile.read(table, key, rows - self.rows, tombstones)
        self.rows = rows

    def command(self, table: TableMetadata, query: str) -> None:
        now_s = self.profile.clock()
        self.profile.read_took(table, query, now_s - self.began_s)
        self.began_s, self.rows = now_s, 0


class Minding(Protocol):
    """Tells what replicas said of the commands that were read since it was asked last; `counted`: rows that other partitions
    of the page gave."""

    def tell(self, counted: int) -> None: ...


class TombstoneGuard:
    """Of one page. `rows`: live ones that the command has read, `statics`: of its partitions; `counted`: those of the page
    that its commands before gave."""

    __slots__ = (
        "_commands", "_count", "_level", "_meters", "_minding", "_node", "_sampled", "_table",
        "_thresholds", "_words", "_work", "counted", "rows", "statics",
    )  # fmt: skip

    def __init__(
        self,
        table: TableMetadata,
        commands: Commands,
        thresholds: Thresholds,
        node: Node,
        level: int,
        warn: Callable[[str], None],
        meters: Sequence[RequestMeter],
        work: ReadWork,
        minding: Minding | None,
    ) -> None:
        """`meters`: that hear how many each command passed over; `work`: of the request, gathers what its commands read;
        `minding`: where replicas count."""
        self._table, self._commands = table, commands
        self._thresholds = thresholds if minding is None else Thresholds()
        self._node, self._level, self._words = node, level, Words(warn, thresholds.are_tracked)
        self._meters, self._work, self._minding = meters, work, minding
        self._sampled: _Sampled | None = None
        self._count = self.rows = self.statics = self.counted = 0

    @property
    def samples(self) -> bool:
        """Whether somebody wants to know what of each partition was read."""
        return self._sampled is not None

    def sample(self, profile: "Profile") -> None:
        """Has it told what each command reads."""
        self._sampled = _Sampled(profile, profile.clock())

    def check(self, key: bytes, count: int, is_by_key: bool) -> None:
        """The partition that is being read has so many until now. Raises ReadFailure."""
        if self._count + count > self._thresholds.fail:
            self._count = int(self._thresholds.fail) + 1  # at which Cassandra stops
            self._add_work()
            raise self._failure(key, is_by_key)

    def partition(self, key: bytes, count: int, is_by_key: bool) -> None:
        """One was read, and had so many. Raises ReadFailure."""
        self.check(key, count, is_by_key)
        self._count += count
        if self._sampled is not None:
            self._sampled.partition(self._table, key, self.rows, count, is_by_key)
        if is_by_key:
            self.end(key, is_by_key)

    def end(self, key: bytes | None, is_by_key: bool) -> None:
        """Of a command; `key` is the last partition's."""
        if self._count:
            for meter in self._meters:
                meter.tombstones.note(self._count)
        if self._minding is not None:
            self._minding.tell(self.counted)
        elif self._count > self._thresholds.warn and key is not None:
            self._tell(key, is_by_key)
        self._add_work()
        if self._sampled is not None:
            self._sampled.command(self._table, self._text(key if is_by_key else None))
        self._count = self.rows = self.statics = 0

    def finish(self, key: bytes | None, is_by_key: bool) -> None:
        """The page was read; `key` is the last partition's."""
        if not is_by_key:
            self.end(key, is_by_key)
        elif self._minding is not None:
            self._minding.tell(self.counted)

    def read_static(self) -> None:
        """The partition that is being read has a live static row."""
        self.statics += 1

    def _add_work(self) -> None:
        self._work.rows += self.rows
        self._work.tombstones += self._count

    def _text(self, key: bytes | None) -> str:
        return self._commands.of_range() if key is None else self._commands.of_partition(key, self.counted)

    def _tell(self, key: bytes, is_by_key: bool) -> None:
        query = self._text(key if is_by_key else None)
        self._words.passed(self.rows + self.statics, self._count, query, key)
        self._words.warned(1, self._count, query, self._commands.tokens(key if is_by_key else None))

    def _failure(self, key: bytes, is_by_key: bool) -> ReadFailure:
        from cluster.coordination.errors import read_failure
        from cluster.internode.verbs import FailureReason

        query = self._text(key if is_by_key else None)
        self._words.passed(self.rows + self.statics, self._count, query, key)
        log_refusal(self._table, self._count, query, key)
        reasons = {self._node: int(FailureReason.READ_TOO_MANY_TOMBSTONES)}
        failure = read_failure(Consistency(self._level), 0, 1, reasons, False)
        return self._words.refused(failure, 1, self._count, query, self._commands.tokens(key if is_by_key else None))
