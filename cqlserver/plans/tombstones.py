"""Tombstones that a SELECT passes over: more than tombstone_warn_threshold are told, more than tombstone_failure_threshold
are a failure (db/ReadCommand.java). Cassandra counts by command: one for each partition that is asked for by key, one for a
page of a scan."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cluster.consistency import Consistency
from cluster.ring import Node
from cqlserver.metrics.meters import RequestMeter
from cqlserver.plans.command_text import command_text
from cqlserver.state import ReadWork
from protocol.errors import RequestError
from storage.row_filter import FilterExpression
from storage.schema.metadata import ColumnMetadata, TableMetadata
from storage.token import token

if TYPE_CHECKING:
    from cqlserver.metrics.profile import Profile

QUERY_CHARACTERS_MAX: Final = 512


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


class TombstoneGuard:
    """Of one page. `rows`: live ones that the command has read."""

    __slots__ = (
        "_columns", "_count", "_expressions", "_failure_from", "_groups", "_level", "_limit", "_meters", "_node", "_reverse",
        "_sampled", "_table", "_warn", "_warn_from", "_work", "rows",
    )  # fmt: skip

    def __init__(
        self,
        table: TableMetadata,
        columns: Sequence[ColumnMetadata],
        limit: int,
        thresholds: tuple[int, int],
        node: Node,
        level: int,
        warn: Callable[[str], None],
        meters: Sequence[RequestMeter],
        work: ReadWork,
        reverse: bool = False,
        groups: bool = False,
        expressions: Sequence[FilterExpression] = (),
    ) -> None:
        """`columns`: those that are read; `limit`: of rows in the page; the last three: as command_text has them;
        `thresholds`: more are told, more are a failure; `meters`: that hear how many each command passed over; `work`: of
        the request, gathers what its commands read."""
        self._table, self._columns, self._limit = table, columns, limit
        self._warn_from, self._failure_from = thresholds
        self._node, self._level, self._warn = node, level, warn
        self._meters, self._work = meters, work
        self._reverse, self._groups, self._expressions = reverse, groups, expressions
        self._sampled: _Sampled | None = None
        self._count = self.rows = 0

    @property
    def samples(self) -> bool:
        """Whether somebody wants to know what of each partition was read."""
        return self._sampled is not None

    def sample(self, profile: "Profile") -> None:
        """Has it told what each command reads."""
        self._sampled = _Sampled(profile, profile.clock())

    def check(self, key: bytes, count: int, is_by_key: bool) -> None:
        """The partition that is being read has so many until now. Raises ReadFailure."""
        if self._count + count > self._failure_from:
            self._count = self._failure_from + 1  # at which Cassandra stops
            self._add_work()
            self._tell(key, is_by_key)
            raise self._failure()

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
        if self._count > self._warn_from and key is not None:
            self._tell(key, is_by_key)
        self._add_work()
        if self._sampled is not None:
            self._sampled.command(self._table, self._text(key if is_by_key else None))
        self._count = self.rows = 0

    def _add_work(self) -> None:
        self._work.rows += self.rows
        self._work.tombstones += self._count

    def _text(self, key: bytes | None) -> str:
        return command_text(self._table, self._columns, self._limit, key, self._expressions, self._reverse, self._groups)

    def _tell(self, key: bytes, is_by_key: bool) -> None:
        query = self._text(key if is_by_key else None)[:QUERY_CHARACTERS_MAX]
        self._warn(
            f"Read {self.rows} live rows and {self._count} tombstone cells for query {query}; token {token(key)} "
            "(see tombstone_warn_threshold)"
        )

    def _failure(self) -> RequestError:
        from cluster.coordination.errors import read_failure
        from cluster.internode.verbs import FailureReason

        reasons = {self._node: int(FailureReason.READ_TOO_MANY_TOMBSTONES)}
        return read_failure(Consistency(self._level), 0, 1, reasons, False)
