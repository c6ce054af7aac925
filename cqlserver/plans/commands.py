"""What the read commands of one execution of a SELECT are called, in warnings and in the log: made when one is told of.

A command is of one partition that is asked for by key, or of a page of a scan; where replicas hold parts of the ring, of the
page's part (db/SinglePartitionReadCommand.java, db/PartitionRangeReadCommand.java).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from cqlserver.paging import NO_LIMIT, PagingState
from cqlserver.plans.command_text import Conditions, Limits, command_text, end_text, start_text
from cqlserver.restrictions.restrictions import TOKEN_MIN, Restrictions
from cqlserver.restrictions.stated import Clusterings, stated_clusterings
from cqlserver.terms.binding import Values
from protocol.requests import QueryOptions
from storage.row_filter import FilterExpression
from storage.schema.metadata import ColumnMetadata, TableMetadata
from storage.token import token

if TYPE_CHECKING:
    from cqlserver.plans.select import SelectPlan
    from cqlserver.plans.select_run import ReadShape

GROUPED_ROWS: Final = 10_000
"""Read at once for groups where the client names no page size (SelectStatement.DEFAULT_PAGE_SIZE)."""

LastRow = Callable[[bytes, bytes], tuple[bytes, ...] | None]
"""(partition key, order key): the clustering of the row that a page ended with, where it is there still."""


class Commands:
    """Of one execution. `columns`: those that are selected; `groups`: rows are grouped, `is_aggregate`: all are one group;
    `last_row`: finds what a paging state names."""

    __slots__ = (
        "_expressions", "_fetched", "_groups", "_is_aggregate", "_last_row", "_page_size", "_restrictions", "_shape",
        "_table", "_values",
    )  # fmt: skip

    def __init__(
        self,
        table: TableMetadata,
        columns: Sequence[ColumnMetadata],
        restrictions: Restrictions,
        values: Values,
        expressions: Sequence[FilterExpression],
        shape: "ReadShape",
        page_size: int,
        groups: bool,
        is_aggregate: bool,
        last_row: LastRow,
    ) -> None:
        self._table, self._expressions = table, expressions
        self._fetched = columns
        self._restrictions, self._values, self._shape = restrictions, values, shape
        self._page_size, self._groups, self._is_aggregate = page_size, groups, is_aggregate
        self._last_row = last_row

    def of_partition(self, key: bytes, counted: int = 0) -> str:
        """`counted`: rows of the page that other partitions gave."""
        shape = self._shape
        clusterings = self._clusterings
        keys, state = shape.keys, shape.state
        if state is not None and (state.key == key or (keys is not None and len(keys) == 1)):
            clusterings = self._behind(clusterings, key, state)
        where = Conditions(self._table, clusterings, self._expressions, shape.reverse).of_partition(key)
        return command_text(self._table, self._columns, where, self._limits(counted))

    def of_range(self, start: int | None = None, end: int | None = None) -> str:
        """Of the page's partitions, or of those with start < token <= end: None where the page begins, or ends."""
        table = self._table
        first, last = self._bounds()
        if start is not None:
            first = start_text(table, start, inclusive=False)
        if end is not None:
            last = end_text(table, end, inclusive=True)
        conditions = Conditions(table, self._clusterings, self._expressions, self._shape.reverse)
        where = conditions.of_range([bound for bound in (first, last) if bound])
        return command_text(table, self._columns, where, self._limits(0))

    def tokens(self, key: bytes | None, start: int | None = None, end: int | None = None) -> str:
        """Of a partition, or of a range, as for `of_range` (ReadCommand.loggableTokens)."""
        if key is not None:
            return f"token={token(key)}"
        first = last = TOKEN_MIN
        state, is_left = self._shape.state, False
        if self._restrictions.token is not None:
            low, _, high, _ = self._restrictions.token_bounds(self._values)
            first, last = TOKEN_MIN if low is None else low, TOKEN_MIN if high is None else high
        if state is not None and state.key is not None:
            first, is_left = token(state.key), _is_within(state)
        if start is not None:
            first, is_left = start, False
        return f"token range: {'[' if is_left else '('}{first}, {last if end is None else end}]"

    @property
    def _columns(self) -> Sequence[ColumnMetadata]:
        """Those that are filtered by are read, too."""
        return tuple(dict.fromkeys((*self._fetched, *(expression.column for expression in self._expressions))))

    @property
    def _clusterings(self) -> Clusterings:
        return Clusterings() if self._shape.is_distinct else stated_clusterings(self._restrictions, self._values)

    def _behind(self, clusterings: Clusterings, key: bytes, state: PagingState) -> Clusterings:
        last = None if state.clustering is None else self._last_row(key, state.clustering)
        return clusterings if last is None else clusterings.behind(self._table, last, self._shape.reverse)

    def _bounds(self) -> tuple[str, str]:
        """Of the page; nothing where the ring has its end."""
        table, state = self._table, self._shape.state
        first = last = ""
        if self._restrictions.token is not None:
            start, includes_start, end, includes_end = self._restrictions.token_bounds(self._values)
            first = "" if start in (None, TOKEN_MIN) else start_text(table, start, includes_start)
            last = "" if end in (None, TOKEN_MIN) else end_text(table, end, includes_end)
        if state is not None and state.key is not None:
            first = start_text(table, state.key, _is_within(state))
        return first, last

    def _limits(self, counted: int) -> Limits:
        shape, page_size = self._shape, self._page_size
        is_grouped = self._groups and not shape.is_distinct
        is_paged = self._groups or self._is_aggregate or 0 < page_size < shape.row_limit
        rows = shape.row_limit
        if is_paged:
            left = shape.row_limit if shape.state is None else shape.state.remaining
            rows = min(page_size, left) if page_size > 0 else left
            rows -= counted if rows != NO_LIMIT else 0
        per_partition = NO_LIMIT if self._is_aggregate and not shape.is_distinct else shape.per_partition_limit
        read = (page_size if page_size > 0 else GROUPED_ROWS) if is_grouped else None
        are_told = is_paged or rows != NO_LIMIT or per_partition != NO_LIMIT
        return Limits(rows, per_partition, read, are_told)


def commands_of(
    plan: "SelectPlan", expressions: Sequence[FilterExpression], shape: "ReadShape", options: QueryOptions
) -> Commands:
    """Of an execution of the plan."""
    grouping = plan.grouping
    is_aggregate = grouping is not None and grouping.is_everything

    def last_row(key: bytes, ck: bytes) -> tuple[bytes, ...] | None:
        store = plan.node.read_store(plan.table)
        partition = store.maybe_stored(key)
        row = None if partition is None else partition.get(ck)
        return None if row is None else store.clustering(row)

    return Commands(
        plan.table, plan.selection.fetched, plan.restrictions, options.values, expressions, shape, options.page_size,
        grouping is not None and not is_aggregate, is_aggregate, last_row,
    )  # fmt: skip


def _is_within(state: PagingState) -> bool:
    """Whether the last partition of the page before is read on."""
    return state.clustering is not None and state.remaining_in_partition > 0
