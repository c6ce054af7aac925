"""SELECT: compiled against the schema, executed against the store (cql3/statements/SelectStatement.java).

Compiling keeps Cassandra's order of checks, because a statement with several faults gets the message of the first.
An execution binds what depends on values (limits, keys, slices, filter), then reads one page (select_run.py) into a sink
(select_rows.py). What takes more than one step becomes a `Pending`.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from struct import Struct
from typing import TYPE_CHECKING, Any

from cluster.consistency import SERIAL_LEVELS, Consistency
from cqlserver.functions.model import client_warn, signature_type
from cqlserver.guarding import guarding
from cqlserver.metrics.meters import Kind, RequestMeter
from cqlserver.paging import NO_LIMIT, decode_paging_state
from cqlserver.pending import Pending
from cqlserver.plans.commands import Commands, commands_of
from cqlserver.plans.fast.read import maybe_fast_read
from cqlserver.plans.index_lookup import maybe_lookup
from cqlserver.plans.nearest import NearestReading, check_limit, check_nearest, vector_index, wanted_vector
from cqlserver.plans.plan import FastPath, ReadNode
from cqlserver.plans.read_trace import note_refused_scan, read_trace
from cqlserver.plans.select_rows import (
    ComputeSink,
    CopySink,
    Grouping,
    GroupSink,
    OrderKey,
    Sink,
    Sorting,
    SortKey,
    SortSink,
)
from cqlserver.plans.select_run import Reading, ReadShape
from cqlserver.plans.tombstones import Thresholds, TombstoneGuard
from cqlserver.restrictions.filters import requires_filtering
from cqlserver.restrictions.relations import AnnRestriction, existing_column
from cqlserver.restrictions.restrictions import Restrictions, TokenRange, check_not_empty, compile_restrictions
from cqlserver.selection.fetched import Fetched
from cqlserver.selection.masks import Masking
from cqlserver.selection.selectables import CallSelectable, ColumnSelectable, selectable
from cqlserver.selection.selection import Selectables, Selection, compile_selection, selects_only_statics
from cqlserver.selection.selectors import CallSelector, ColumnSelector, Selector
from cqlserver.state import ClientState, ReadWork
from cqlserver.terms.binding import BindContext, Values, column_spec
from cqlserver.terms.terms import Term, compile_term
from grammar import tree
from protocol.errors import InvalidRequest, Unavailable
from protocol.primitives import UNSET
from protocol.requests import QueryOptions
from protocol.responses import ColumnSpec, Result, ResultMetadata, RowsResult
from protocol.types import INT, quoted_identifier
from storage.environment.strands import let_go_later, long_work, pause, paused
from storage.indexes.reading import IndexedStore
from storage.keys import NULL, component_order_key
from storage.memtable.packed import Layouts
from storage.projection import PartitionProjector
from storage.reads import EVERYTHING, Slice, TableStore
from storage.row_filter import FilterExpression, RowFilter
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata, is_system_keyspace

if TYPE_CHECKING:
    from cqlserver.guardrails import Guarded

_INT = Struct(">i")
_MONOTONIC = frozenset(("to_date", "todate", "to_timestamp", "totimestamp", "to_unix_timestamp", "tounixtimestamp", "floor"))
GROUP_ORDER = "Group by currently only support groups of columns following their declared order in the PRIMARY KEY"

_OF_ONE_REPLICA = (Consistency.ONE, Consistency.LOCAL_ONE, Consistency.NODE_LOCAL)
COPIED_BYTES_MAX = 1 << 20
"""Longer content is put together, and copied into its message, in steps of their own."""


@dataclass(frozen=True, slots=True)
class Order:
    """ORDER BY. `reverse`: against the clustering order; `columns`: what several partitions are sorted by."""

    columns: tuple[ColumnMetadata, ...]
    reverse: bool


@dataclass(frozen=True, eq=False)
class SelectPlan:
    """A SELECT on one table. `masking`: what those get who may not see its masked columns."""

    node: ReadNode
    table: TableMetadata
    selection: Selection
    restrictions: Restrictions
    grouping: Grouping | None
    order: Order | None
    is_distinct: bool
    limit: Term | None
    per_partition_limit: Term | None
    bind_specs: tuple[ColumnSpec, ...]
    partition_key_indexes: tuple[int, ...]
    function_tables: tuple[tuple[str, str], ...] = ()
    may_take_long: bool = False
    """Of a single row, because of the user's functions."""
    masking: Masking | None = None
    sorts_json: bool = False
    """SELECT JSON * without GROUP BY and masks."""

    @property
    def result_metadata(self) -> ResultMetadata:
        return self.selection.metadata

    @property
    def tables(self) -> tuple[tuple[str, str], ...]:
        return ((self.table.keyspace, self.table.name), *self.function_tables)

    def maybe_fast(self, version: int) -> FastPath | None:
        return maybe_fast_read(self, version) if self.masking is None else None

    # --- execution -----------------------------------------------------------------------------------------------------

    @property
    def _sorts(self) -> bool:
        """needsPostQueryOrdering: rows of several partitions come in an order of their own."""
        return self.order is not None and self.restrictions.key_is_in_relation

    def meters(self, level: int) -> tuple[RequestMeter, ...]:
        if self.restrictions.is_key_range:
            return self._meters_of(Kind.RANGE)
        return self._meters_of(Kind.CAS_READ if level in SERIAL_LEVELS else Kind.READ)

    def _meters_of(self, kind: Kind) -> tuple[RequestMeter, ...]:
        return () if self.table.is_virtual else (self.node.metering.meter(self.table, kind),)

    def execute(self, state: ClientState, options: QueryOptions) -> "Result | Pending[Result]":
        masking = self.masking
        plan = masking.plan if masking is not None and masking.is_for(state) else self
        if plan.may_take_long:
            return plan._run_in_turns(state, options)
        steps = plan.run(state, options)
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        return Pending(steps)

    def _run_in_turns(self, state: ClientState, options: QueryOptions) -> Result:
        """As a strand: functions pause in the midst of a row."""
        long_work()
        token = client_warn.set(state.warn)
        try:
            steps = self.run(state, options)
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    result: Result = end.value
                    return result
                pause()
        finally:
            client_warn.reset(token)

    def run(self, state: ClientState, options: QueryOptions) -> Generator[None, None, Result]:
        """All of it, with a pause between steps."""
        guarded = guarding.get()
        if guarded is not None:
            self._guard(guarded, options)
        unavailable = self._maybe_unavailable(options.consistency)  # told where there is something to read
        values = options.values
        now_s = options.now_s if options.now_s is not None else self.node.now_s()
        user_limit = _limit_value(self.limit, values)
        partition_limit = _limit_value(self.per_partition_limit, values)
        nearest = self.restrictions.nearest
        if nearest is not None:
            is_aggregate = self.grouping is not None
            level, page_size = options.consistency, options.page_size
            level = check_nearest(level, page_size, user_limit, partition_limit, is_aggregate, state)
            options = options._replace(page_size=-1, paging_state=None, consistency=level)
            unavailable = self._maybe_unavailable(level)
        wanted = min(user_limit, options.page_size) if options.page_size > 0 else user_limit
        is_scan = self.restrictions.is_key_range
        if not is_scan and self.grouping is None:
            wanted = min(wanted, 1 if self.is_distinct else partition_limit)
        store = self.node.source(self.table, options.consistency, wanted, is_scan)
        sink = self._sink(store, values, now_s, user_limit)
        if self.grouping is not None and self.grouping.fault is not None:
            raise InvalidRequest(self.grouping.fault)
        vector = wanted_vector(nearest, values) if nearest is not None else b""
        expressions = self.restrictions.row_filter(values)
        if guarded is not None and expressions:
            self._guard_intersection(guarded, expressions, options.consistency)
        shape = self._shape(values, options, now_s, user_limit, partition_limit, state, unavailable)
        row_filter = RowFilter(store, expressions) if expressions else None
        if shape is None:
            yield from sink.finish()
            return RowsResult(self.selection.metadata, sink.row_count, b"".join(sink.parts))
        if unavailable is not None:
            note_refused_scan(state.trace, shape)
            raise unavailable
        if nearest is not None:
            check_limit(user_limit)
            yield from self._nearest(store, shape, sink, expressions, nearest, vector, user_limit, values)
            return RowsResult(self.selection.metadata, sink.row_count, b"".join(sink.parts))
        if self.table.is_virtual and shape.keys is not None and self.table.name == "settings":
            from cqlserver.system.settings import warn_of_names

            warn_of_names(shape.keys, state.warn)
        commands = commands_of(self, expressions, shape, options)
        if shape.token_range is not None and expressions and store.indexes is not None:
            self._check_referenced(store, shape.token_range, commands, options, state)
        source, trace = self._sought(store, expressions, values, shape, state, commands), None
        if state.trace is not None and not self.table.is_virtual:
            trace = read_trace(state.trace, store, source, self.restrictions, values, shape, self.selection.fetched)
        reading = Reading(source, shape, sink, row_filter, trace, self._maybe_guard(store, shape, commands, options, state))
        yield from self.node.gathered.bounded(reading.steps(), lambda: sink.gathered)
        following = reading.paging_state
        content = b"".join(sink.parts)
        if len(content) > COPIED_BYTES_MAX:
            sink.parts.clear()
            yield  # what comes now copies it again
        return RowsResult(
            self.selection.metadata,
            sink.row_count,
            content,
            None if following is None or not self._is_paged(options, shape.row_limit) else following.encode(),
        )

    def _maybe_unavailable(self, level: int) -> Unavailable | None:
        """Why the level can't be met. Raises InvalidRequest where it won't do."""
        try:
            self.node.check_read_consistency(self.table, level, self.restrictions.is_key_range)
        except Unavailable as error:
            return error
        return None

    def _nearest(
        self,
        store: TableStore,
        shape: ReadShape,
        sink: Sink,
        expressions: list[FilterExpression],
        nearest: AnnRestriction,
        wanted: bytes,
        limit: int,
        values: Values,
    ) -> Generator[None, None, None]:
        index = vector_index(self.node.read_store(self.table), nearest)
        if self.node.maybe_member(self.table) is None:
            row_filter = RowFilter(store, expressions) if expressions else None
            candidates = self.restrictions.indexed_values(values)
            found = None if store.indexes is None else maybe_lookup(store.indexes, candidates, shape.now_s)
            return NearestReading(store, shape, sink, row_filter, limit, found and found[1]).steps(index, wanted)
        from cqlserver.clustering.nearest import read_nearest

        return read_nearest(store, shape, sink, expressions, index, wanted, limit)

    def _sought(
        self,
        store: TableStore,
        expressions: Sequence[FilterExpression],
        values: Values,
        shape: ReadShape,
        state: ClientState,
        commands: Commands,
    ) -> TableStore | IndexedStore:
        """Where to read what meets the expressions: through an index where there is one that helps, and by the replicas
        where others have a say."""
        restrictions, node, now_s = self.restrictions, self.node, shape.now_s
        candidates = restrictions.indexed_values(values)
        if not expressions or node.maybe_member(self.table) is None or self.table.is_virtual:
            found = None if store.indexes is None else maybe_lookup(store.indexes, candidates, now_s)
            return store if found is None else IndexedStore(store, found[1], restrictions.is_key_range, found[0].index)
        from cqlserver.clustering.seeking import ProtectionGuard, seek

        text = commands.of_range if shape.keys is None else partial(commands.of_partition, shape.keys[0])
        guard = ProtectionGuard(node.protection_thresholds, state.warn, text, restrictions.is_key_range)
        seek(store, node.read_store(self.table), expressions, candidates, restrictions.is_key_range, now_s, guard)
        return store

    def _check_referenced(
        self,
        store: TableStore,
        wanted: TokenRange,
        commands: Commands,
        options: QueryOptions,
        state: ClientState,
    ) -> None:
        """Indexes of many SSTables are told, or refused, where they are not asked within a partition."""
        node = self.node
        if len(store.flushed) <= min(node.referenced_thresholds):
            return
        from cqlserver.plans.referenced_indexes import check_referenced

        candidates = self.restrictions.indexed_values(options.values)
        thresholds, level = node.referenced_thresholds, options.consistency
        check_referenced(store, wanted, commands.of_range, candidates, thresholds, node.ring_node, level, state.warn)

    def _maybe_guard(
        self, store: TableStore, shape: ReadShape, commands: Commands, options: QueryOptions, state: ClientState
    ) -> TombstoneGuard | None:
        """None where any number of tombstones may be passed over."""
        if self.table.is_virtual or is_system_keyspace(self.table.keyspace):
            return None
        node, level = self.node, options.consistency
        thresholds = Thresholds(*node.tombstone_thresholds, node.tracks_reads)
        minding = None
        if node.maybe_member(self.table) is not None:
            from cqlserver.clustering.minding import minding_of

            minding = minding_of(store, commands, thresholds, state.warn, shape)
        state.read_work = work = ReadWork()
        guard = TombstoneGuard(
            self.table, commands, thresholds, node.ring_node, level, state.warn, self.meters(level), work, minding
        )
        if node.profile:
            guard.sample(node.profile)
        return guard

    def _is_paged(self, options: QueryOptions, row_limit: int) -> bool:
        return self.grouping is not None or (options.page_size > 0 and row_limit > options.page_size)

    def _sink(self, store: TableStore, values: Values, now_s: int, user_limit: int) -> Sink:
        sorting = self._sorting(store, user_limit) if self._sorts else None
        if self.grouping is not None:
            return GroupSink(store, self.selection, self.grouping, values, now_s, sorting)
        sink: Sink
        if self.selection.is_plain:
            sink = CopySink(self._projector(store))
        else:
            sink = ComputeSink(store, self.selection, values, now_s)
        return sink if sorting is None else SortSink(sink, sorting)

    def _sorting(self, store: TableStore, limit: int) -> Sorting:
        """Where SELECT JSON takes all columns, Cassandra compares the texts of JSON by the type of the first column."""
        order = self.order
        assert order is not None
        if self.sorts_json:
            return Sorting(lambda row, wire: wire[_INT.size :], order.reverse is not order.columns[0].reversed, limit)
        return Sorting(_sort_key(store, order.columns), order.reverse, limit)

    def _projector(self, store: TableStore) -> PartitionProjector:
        """Made once for a table that is stored; a virtual one has a new store each time."""
        known: tuple[Layouts, PartitionProjector] | None = self.__dict__.get("known_projector")
        if known is None or known[0] is not store.layouts:
            known = store.layouts, store.partition_projector(self.selection.plain_columns)
            self.__dict__["known_projector"] = known
        return known[1]

    @cached_property
    def _fetches_statics(self) -> bool:
        """Whether static columns are read: where only keys are selected, Cassandra reads all columns."""
        kinds = {column.kind for column in self.selection.fetched}
        if not kinds & {ColumnKind.STATIC, ColumnKind.REGULAR}:
            kinds = {column.kind for column in self.table.columns}
        return ColumnKind.STATIC in kinds

    def _shape(
        self,
        values: Values,
        options: QueryOptions,
        now_s: int,
        user_limit: int,
        partition_limit: int,
        state: ClientState,
        unavailable: Unavailable | None,
    ) -> ReadShape | None:
        """None: nothing can match. Raises `unavailable` where statics are read nevertheless, without any row."""
        restrictions = self.restrictions
        is_everything = self.grouping is not None and self.grouping.is_everything
        row_limit = NO_LIMIT if is_everything or self._sorts else user_limit
        keys = None if restrictions.is_key_range else restrictions.unchecked_keys(values)
        guarded = guarding.get()
        if guarded is not None and keys is not None and restrictions.key_is_in_relation:
            guarded.keys(self.table.name, len(keys))
        slices: tuple[Slice, ...] = EVERYTHING
        if keys != [] and restrictions.has_clustering and not self.is_distinct:
            slices = tuple(Slice(i.start, i.end) for i in paused(restrictions.intervals(values)))
            let_go_later(slices)
        is_empty = keys == [] or not slices
        has_statics = self._fetches_statics
        token_range = restrictions.token_range(values) if keys is None and (slices or has_statics) else None
        if keys and not is_empty:
            check_not_empty(keys)
        is_empty = is_empty or (keys is None and token_range is None)
        # statics are read without any row, but not by key where there is only an impossible range
        is_read = not is_empty or (keys != [] and has_statics and (keys is None or not restrictions.is_range))
        is_paged = self.grouping is not None or (is_read and self._is_paged(options, row_limit))
        page_limit = row_limit
        paging_state = None
        if is_paged:
            if guarded is not None:
                guarded.page(self.table.name, options.page_size)
            self._warn(state)
            if options.page_size > 0 and self._sorts:
                raise InvalidRequest(
                    "Cannot page queries with both ORDER BY and a IN restriction on the partition key;"
                    " you must either remove the ORDER BY or the IN and sort client side, or disable paging for this query"
                )
            is_whole = is_everything or self._groups_in_one_page(keys, options.page_size)
            if options.page_size > 0 and not is_whole:
                page_limit = min(options.page_size, row_limit)
            if options.paging_state is not None:
                paging_state = decode_paging_state(options.paging_state)
        if is_empty and not is_read:
            return None
        if not is_paged and keys is not None and len(keys) > 1 and options.consistency in SERIAL_LEVELS:
            raise InvalidRequest("SERIAL/LOCAL_SERIAL consistency may only be requested for one partition at a time")
        if is_empty:
            if unavailable is not None:
                raise unavailable
            return None
        return ReadShape(
            keys,
            token_range,
            slices,
            self.order is not None and self.order.reverse,
            now_s,
            restrictions.returns_static_content,
            1 if self.is_distinct else partition_limit,
            row_limit,
            page_limit,
            paging_state,
            self.is_distinct,
            self.grouping is None,
        )

    def _groups_in_one_page(self, keys: list[bytes] | None, page_size: int) -> bool:
        """Where Cassandra's pager of groups does not stop at the page's size."""
        if self.grouping is None:
            return False
        is_one_row_each = page_size == 1 and keys is not None and len(keys) > 1 and not self.table.clustering
        return self.is_distinct or is_one_row_each

    def _guard(self, guarded: "Guarded", options: QueryOptions) -> None:
        if self.grouping is not None and not self.grouping.is_everything:
            guarded.groups()
        if self.restrictions.allow_filtering:
            guarded.filters()
        guarded.read(options.consistency)
        if self.restrictions.uses_index and not self.restrictions.has_partition_key_restrictions:
            guarded.reads_by_index()

    def _guard_intersection(self, guarded: "Guarded", expressions: Sequence[FilterExpression], level: int) -> None:
        """Where several replicas may each have a part of what makes a row a match (SelectStatement.getRowFilter)."""
        from cluster.reading.criteria import Criteria

        is_merged = level not in _OF_ONE_REPLICA and self.node.replication_factor(self.table) > 1
        if is_merged and self.restrictions.needs_filtering and not Criteria(tuple(expressions)).is_of_one_column:
            guarded.intersects()

    def _warn(self, state: ClientState) -> None:
        if self.grouping is None:
            return
        if not self.restrictions.has_partition_key_restrictions:
            state.warn("Aggregation query used without partition key")
        elif self.restrictions.key_is_in_relation:
            state.warn("Aggregation query used on multiple partition keys (IN restriction)")


def _sort_key(store: TableStore, columns: Sequence[ColumnMetadata]) -> SortKey:
    """By the ordered columns, in clustering order; a row without clustering comes first."""
    parts = [(column.position, component_order_key(column)) for column in columns]

    def key(row: Any, wire: bytes) -> bytes:
        if row is None:
            return b""
        clustering = store.clustering(row)
        return b"".join([order_key(clustering[at]) if at < len(clustering) else NULL for at, order_key in parts])

    return key


def _limit_value(term: Term | None, values: Values) -> int:
    if term is None:
        return NO_LIMIT
    value = term.bind(values)
    if value is None:
        raise InvalidRequest("Invalid null value of limit")
    if value is UNSET:
        return NO_LIMIT
    if len(value) != _INT.size:
        raise InvalidRequest("Invalid limit value")
    limit: int = _INT.unpack(value)[0]
    if limit <= 0:
        raise InvalidRequest("LIMIT must be strictly positive")
    return limit


# --- compiling -----------------------------------------------------------------------------------------------------------


def compile_select(node: ReadNode, statement: tree.Select, context: BindContext) -> SelectPlan:
    """On the context's table. Raises InvalidRequest."""
    table = context.table
    selectables = Selectables(statement, context)
    only_static = selects_only_statics(selectables, table)
    ordered: dict[str, ColumnMetadata] = {}
    ann_term = None
    for ordering in statement.order_by:
        ordered[ordering.column] = existing_column(table, ordering.column)
        if ordering.ann_of is not None:
            ann_term = compile_term(ordering.ann_of, column_spec(table, ordered[ordering.column]), context)
    restrictions = compile_restrictions(
        statement.where,
        context,
        "SELECT",
        only_static=only_static,
        allow_filtering=statement.allow_filtering,
        orderings=statement.order_by,
        ann_term=ann_term,
    )
    selection = compile_selection(statement, selectables, context)
    if statement.is_distinct:
        if statement.per_partition_limit is not None:
            raise InvalidRequest("PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries")
        _check_distinct(table, selection, restrictions, ordered.values())
    grouping = _compile_grouping(statement, selection, restrictions, context)
    if grouping is not None and grouping.is_everything and statement.per_partition_limit is not None:
        raise InvalidRequest("PER PARTITION LIMIT is not allowed with aggregate queries.")
    is_by_clustering = ordered and restrictions.nearest is None
    order = _compile_order(statement, table, restrictions, ordered) if is_by_clustering else None
    _check_filtering(statement, table, restrictions)
    limit = _compile_limit(statement.limit, "[limit]", context)
    per_partition = _compile_limit(statement.per_partition_limit, "[per_partition_limit]", context)
    return SelectPlan(
        node,
        table,
        selection,
        restrictions,
        grouping,
        order,
        statement.is_distinct,
        limit,
        per_partition,
        context.specs,
        context.partition_key_indexes,
        context.function_tables,
        context.may_take_long,
        sorts_json=statement.is_json and not statement.selectors and not statement.group_by and not table.has_masks,
    )


def _compile_limit(expression: tree.Expression | None, name: str, context: BindContext) -> Term | None:
    if expression is None:
        return None
    return compile_term(expression, ColumnSpec(context.table.keyspace, context.table.name, name, INT), context)


def _check_distinct(
    table: TableMetadata, selection: Selection, restrictions: Restrictions, ordered: Iterable[ColumnMetadata]
) -> None:
    others = restrictions.filtered_columns
    is_static_only = all(c.kind in (ColumnKind.STATIC, ColumnKind.PARTITION_KEY) for c in others)
    if restrictions.has_clustering or not is_static_only:
        raise InvalidRequest(
            "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns."
        )
    sorted_by = ordered if restrictions.key_is_in_relation else ()  # they are read, too
    for column in (*selection.fetched, *sorted_by):
        if column.kind not in (ColumnKind.PARTITION_KEY, ColumnKind.STATIC):
            raise InvalidRequest(
                f"SELECT DISTINCT queries must only request partition key columns and/or static columns (not {column.name})"
            )
    if not restrictions.is_key_range:
        return
    for column in table.partition_key:
        if column not in selection.fetched:
            raise InvalidRequest(
                f"SELECT DISTINCT queries must request all the partition key columns (missing {column.name})"
            )


def _check_filtering(statement: tree.Select, table: TableMetadata, restrictions: Restrictions) -> None:
    is_scan = restrictions.is_key_range or restrictions.uses_index
    if not statement.allow_filtering and is_scan and not table.is_virtual:  # noqa: SIM102
        if restrictions.needs_filtering:
            raise requires_filtering()


def _compile_grouping(
    statement: tree.Select, selection: Selection, restrictions: Restrictions, context: BindContext
) -> Grouping | None:
    if not statement.group_by:
        return Grouping(-1) if selection.is_aggregate else None
    table = context.table
    remaining = [*table.partition_key, *table.clustering]
    prefix = 0
    function: tree.Expression | None = None
    evaluate = None
    fault = None
    for expression in statement.group_by:
        resolved = selectable(expression, context)
        if isinstance(resolved, CallSelectable):
            if resolved.function.is_aggregate:
                raise InvalidRequest(
                    f"Aggregate functions are not supported within the GROUP BY clause, got: {resolved.function.full_name}"
                )
            fetched = Fetched()
            selector = resolved.compile(None, fetched)
            column = _grouped_column(fetched.columns)
            function, evaluate = expression, selector.bind(())
            fault = _maybe_not_monotonic(selector)
        else:
            if not isinstance(resolved, ColumnSelectable):
                raise InvalidRequest(
                    f"Group by is currently only supported on the columns of the PRIMARY KEY, got {resolved}"
                )
            column = resolved.column
            if not column.is_primary_key:
                raise InvalidRequest(
                    f"Group by is currently only supported on the columns of the PRIMARY KEY, got {column.name}"
                )
            if function is not None:
                raise InvalidRequest("Functions are only supported on the last element of the GROUP BY clause")
        prefix += _skip_to(column, remaining, restrictions)
    if remaining and remaining[0].kind is ColumnKind.PARTITION_KEY:
        raise InvalidRequest("Group by is not supported on only a part of the partition key")
    if prefix and statement.is_distinct:
        raise InvalidRequest("Grouping on clustering columns is not allowed for SELECT DISTINCT queries")
    return Grouping(prefix, evaluate, tuple(map(_maybe_order_key, table.clustering[:prefix])), fault)


def _maybe_not_monotonic(selector: Selector) -> str | None:
    """Why rows can't be grouped by that, if so: what an execution answers (Selector.validateForGroupBy)."""
    if isinstance(selector, ColumnSelector):
        return None
    if not isinstance(selector, CallSelector):
        return "Only column names and monotonic scalar functions are supported in the GROUP BY clause."
    function = selector.function
    constant = [child.is_constant for child in selector.children]
    if function.name not in _MONOTONIC or (function.name == "floor" and (constant[0] or not all(constant[1:]))):
        shown = str(function)
        if any(constant):
            pairs = zip(function.argument_types, constant, strict=True)
            types = ", ".join(signature_type(type_) + ("(constant)" if fixed else "") for type_, fixed in pairs)
            shown = f"{function.full_cql_name} : ({types}) -> {function.return_type.cql()}"
        return f"Only monotonic functions are supported in the GROUP BY clause. Got: {shown} "
    faults = (_maybe_not_monotonic(child) for child in selector.children if not child.is_constant)
    return next((fault for fault in faults if fault is not None), None)


def _maybe_order_key(column: ColumnMetadata) -> OrderKey | None:
    """What tells values apart that are equal in other bytes (1.0 and 1.00), None where the bytes do."""
    return None if column.type.has_one_form else column.type.order_key


def _grouped_column(fetched: Sequence[ColumnMetadata]) -> ColumnMetadata:
    if not fetched:
        raise InvalidRequest("GROUP BY functions must have one clustering column name as parameter")
    if len(fetched) > 1:
        names = ",".join(quoted_identifier(column.name) for column in fetched)
        raise InvalidRequest(f"GROUP BY functions accept only one clustering column as parameter, got: {names}")
    if fetched[0].kind is not ColumnKind.CLUSTERING:
        raise InvalidRequest(f"Group by functions are only supported on clustering columns, got {fetched[0].name}")
    return fetched[0]


def _skip_to(column: ColumnMetadata, remaining: list[ColumnMetadata], restrictions: Restrictions) -> int:
    """Takes columns of the primary key off `remaining` up to `column`; how many clustering columns were among them."""
    count = 0
    while True:
        if not remaining:
            raise InvalidRequest(GROUP_ORDER)
        following = remaining.pop(0)
        count += following.kind is ColumnKind.CLUSTERING
        if following == column:
            return count
        if not restrictions.is_restricted_by_eq(following):
            raise InvalidRequest(GROUP_ORDER)


def _compile_order(
    statement: tree.Select,
    table: TableMetadata,
    restrictions: Restrictions,
    ordered: dict[str, ColumnMetadata],
) -> Order:
    if restrictions.uses_index:
        raise InvalidRequest("ORDER BY with 2ndary indexes is not supported, except for ANN queries.")
    if restrictions.is_key_range:
        raise InvalidRequest("ORDER BY is only supported when the partition key is restricted by an EQ or an IN.")
    descending = {ordering.column: ordering.descending for ordering in statement.order_by}
    reverses: list[bool] = []
    at = 0
    for name, column in ordered.items():
        if column.kind is not ColumnKind.CLUSTERING:
            raise InvalidRequest(
                f"Order by is currently only supported on the clustered columns of the PRIMARY KEY, got {column.name}"
            )
        while at != column.position:
            if at >= len(table.clustering) or not restrictions.is_restricted_by_eq(table.clustering[at]):
                raise InvalidRequest(
                    "Order by currently only supports the ordering of columns following their declared order in the "
                    "PRIMARY KEY"
                )
            at += 1
        at += 1
        reverses.append(descending[name] != column.reversed)
    if len(set(reverses)) > 1:
        raise InvalidRequest("Unsupported order by relation")
    return Order(tuple(ordered.values()), reverses[0])
