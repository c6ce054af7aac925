"""INSERT, UPDATE and DELETE, compiled: what one execution changes in which partitions (cql3/statements/
ModificationStatement.java, UpdateStatement, DeleteStatement).

A `Modification` knows how to turn values into `PartitionUpdate`s; who applies them is the plan around it (write.py,
cas.py, batch.py). Compiling checks everything in Cassandra's order, with its messages.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from cqlserver.plans.conditions import ColumnCondition, compile_condition
from cqlserver.plans.operations import (
    EXPIRY_MAX_S,
    Operation,
    RowChange,
    Set,
    WriteContext,
    compile_assignment,
    compile_deletion,
    compile_set_value,
    existing_column,
    set_operation,
)
from cqlserver.restrictions.combinations import check_combinations
from cqlserver.restrictions.ranges import Interval
from cqlserver.restrictions.restrictions import Restrictions, compile_restrictions
from cqlserver.terms.binding import BindContext
from cqlserver.terms.json_values import JsonRow, compile_json
from cqlserver.terms.terms import Constant, Term, Values, compile_term
from grammar import tree
from protocol.errors import InvalidRequest, ServerError
from protocol.primitives import UNSET
from protocol.responses import ColumnSpec
from protocol.types import BIGINT, INT
from storage.environment.strands import long_work, paused
from storage.mutation import LIVE, NO_LIVENESS, Cell, ComplexColumn, Deletion, PartitionUpdate, RangeTombstone, Row
from storage.reconcile import Resolve, merge_rows, resolver
from storage.schema.metadata import ColumnKind, TableMetadata

TTL_MAX_S = 20 * 365 * 24 * 60 * 60

ReadRow = Callable[[bytes, bytes], Row | None]
"""(partition key, order key or STATIC_ROW) -> the live row before."""
Increment = Callable[[TableMetadata, bytes, bytes, Mapping[str, int], WriteContext], Mapping[str, Cell | ComplexColumn]]
"""(table, key, order key or STATIC_ROW, column -> delta, context): the cells to write for counter increments."""
Places = list[Interval] | list[tuple[bytes, tuple[bytes, ...]]]
"""What a statement changes in a partition: intervals of rows (ranges that are deleted), or (order key, clustering)."""
STATIC_ROW = b"\x00static"
"""Stands for the static row where an order key is asked for; no order key begins with 00."""
ROWS_PER_GO = 200
"""Of a change of more rows others must be able to interrupt the work."""
_NO_CLUSTERING: tuple[bytes, tuple[bytes, ...]] = (b"", ())


@dataclass(frozen=True, slots=True)
class Modification:
    """One compiled INSERT, UPDATE or DELETE. `conditions`: None without IF, else "exists", "not exists" or a list."""

    verb: str
    table: TableMetadata
    regular: tuple[Operation, ...]
    static: tuple[Operation, ...]
    restrictions: Restrictions
    timestamp: Term | None
    ttl: Term | None
    conditions: str | tuple[ColumnCondition, ...] | None
    json: JsonRow | None = None
    applies_only_to_static: bool = False
    resolve: Resolve = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "resolve", resolver(self.table))

    @property
    def has_conditions(self) -> bool:
        return self.conditions is not None

    @property
    def requires_read(self) -> bool:
        return any(operation.requires_read for operation in (*self.regular, *self.static))

    @property
    def updates_regular_rows(self) -> bool:
        return not self.table.clustering or self.restrictions.has_clustering

    @property
    def updates_static_row(self) -> bool:
        return bool(self.static)

    def with_json(self, values: Values) -> Values:
        """The values of one execution; of INSERT JSON those that the document holds stand behind them."""
        return values if self.json is None else self.json.extend(values)

    def keys(self, values: Values) -> list[bytes]:
        """The partitions. Raises InvalidRequest for keys that can't be."""
        return self.restrictions.keys(values)

    def timestamp_us(self, values: Values, default_us: int) -> int:
        return default_us if self.timestamp is None else bound_timestamp(self.timestamp, values, default_us)

    def ttl_s(self, values: Values, clock_s: int) -> int:
        """cql3/Attributes.java, getTimeToLive. `clock_s`: the server's time, whatever time the client says it is."""
        default_s = self.table.params.default_time_to_live
        if self.ttl is None:
            return self._within_time(default_s, clock_s, True) if default_s else 0
        value = self.ttl.bind(values)
        if value is None or value == b"":
            return 0
        if value is UNSET:
            return default_s
        assert isinstance(value, bytes)
        ttl_s = int.from_bytes(value, "big", signed=True)
        if ttl_s < 0:
            raise InvalidRequest(f"A TTL must be greater or equal to 0, but was {ttl_s}")
        if ttl_s > TTL_MAX_S:
            raise InvalidRequest(f"ttl is too large. requested ({ttl_s}) maximum ({TTL_MAX_S})")
        return self._within_time(ttl_s, clock_s, False)

    def _within_time(self, ttl_s: int, clock_s: int, is_default: bool) -> int:
        """Refuses what would expire after the last second that a cell can hold (ExpirationDateOverflowHandling)."""
        if ttl_s and clock_s + ttl_s > EXPIRY_MAX_S:
            raise InvalidRequest(
                f"Request on table {self.table.keyspace}.{self.table.name} with {'default ' if is_default else ''}ttl of "
                f"{ttl_s} seconds exceeds maximum supported expiration date of 2038-01-19T03:14:06+00:00. "
                "In order to avoid this use a lower TTL, change the expiration date overflow policy or upgrade to a version "
                "where this limitation is fixed. See CASSANDRA-14092 and CASSANDRA-14227 for more details."
            )
        return ttl_s

    @property
    def deletes_ranges(self) -> bool:
        return self.verb == "DELETE" and self.restrictions.has_clustering and self.restrictions.is_range

    def places(self, values: Values) -> Places:
        """Of one execution; none: there is nothing to do. Raises InvalidRequest."""
        if not self.restrictions.has_clustering:
            return [_NO_CLUSTERING]
        if self.deletes_ranges:
            return self.restrictions.intervals(values)
        return self.restrictions.clusterings(values)

    def add_to(
        self, updates: "Updates", keys: Sequence[bytes], places: Places, context: WriteContext, read_row: ReadRow
    ) -> None:
        """Adds the changes of one execution (ModificationStatement.addUpdates)."""
        if not places:
            return
        check_combinations(len(keys) * len(places))
        if len(keys) * len(places) > ROWS_PER_GO:
            long_work()
        if self.deletes_ranges:
            if self.regular or self.static:
                raise InvalidRequest("Range deletions are not supported for specific columns")
            for key in paused(keys):
                tombstones = updates.of(self.table, key).tombstones
                for interval in paused(places):
                    assert isinstance(interval, Interval)
                    tombstones.append(
                        RangeTombstone(
                            interval.start,
                            interval.end,
                            context.deletion(),
                            interval.start_values,
                            interval.end_values,
                        )
                    )
            return
        deletes_rows = self.verb == "DELETE" and not self.regular and not self.static
        for key in paused(keys):
            update = updates.of(self.table, key)
            for ck, clustering in paused(cast("list[tuple[bytes, tuple[bytes, ...]]]", places)):
                if deletes_rows:
                    self._delete_rows(update, ck, clustering, context)
                else:
                    self._change_row(update, ck, clustering, context, read_row)

    def _delete_rows(self, update: "UpdateBuilder", ck: bytes, clustering: tuple[bytes, ...], context: WriteContext) -> None:
        deletion = context.deletion()
        if not clustering:
            update.delete(deletion)
        elif len(clustering) == len(self.table.clustering):
            self._check_clustering(clustering)
            update.put(ck, Row(clustering, NO_LIVENESS, deletion, {}))
        else:
            update.tombstones.append(RangeTombstone(ck, ck + b"\xff", deletion, clustering, clustering))

    def _change_row(
        self,
        update: "UpdateBuilder",
        ck: bytes,
        clustering: tuple[bytes, ...],
        context: WriteContext,
        read_row: ReadRow,
    ) -> None:
        key, is_delete = update.key, self.verb == "DELETE"
        if self.updates_regular_rows if not is_delete else self.regular:
            if is_delete and not clustering and self.table.clustering:
                raise InvalidRequest("Range deletions are not supported for specific columns")
            self._check_clustering(clustering)
            existing = read_row(key, ck) if _reads(self.regular) else None
            change = RowChange(context, existing)
            for operation in self.regular or self._compact_value():
                operation.apply(change)
            columns = change.columns(self.resolve.identities)
            if change.increments:
                update.add_increments(ck, clustering, change)
            liveness = NO_LIVENESS
            if self.verb == "INSERT" and not self.table.is_compact:
                liveness = context.liveness()
            if columns or not change.increments:
                update.put(ck, Row(clustering, liveness, LIVE, columns))
        if self.static:
            existing = read_row(key, STATIC_ROW) if _reads(self.static) else None
            change = RowChange(context, existing)
            for operation in self.static:
                operation.apply(change)
            columns = change.columns(self.resolve.identities)
            if change.increments:
                update.add_increments(STATIC_ROW, (), change)
            if columns or not change.increments:
                update.put_static(Row((), NO_LIVENESS, LIVE, columns))

    def _check_clustering(self, clustering: tuple[bytes, ...]) -> None:
        if self.table.needs_clustering_value and not clustering[0]:
            raise InvalidRequest(f"Invalid empty or null value for column {self.table.clustering[0].name}")

    def _compact_value(self) -> tuple[Operation, ...]:
        """What a row of a compact table holds, if nothing is said of it: a row without a value is none. Raises."""
        if not self.table.is_compact:
            return ()
        value = self.table.regulars[0]
        if value.name not in self.table.hidden_columns:
            raise InvalidRequest(f"Column {value.name} is mandatory for this COMPACT STORAGE table")
        return (Set(value, Constant(b"", value.type)),)


def _reads(operations: Sequence[Operation]) -> bool:
    return any(operation.requires_read for operation in operations)


class UpdateBuilder:
    """Gathers what one or more statements change in one partition. Counter increments are added up first and taken when
    the whole is built: a statement that fails behind them leaves no trace."""

    __slots__ = ("_increments", "_resolve", "deletion", "key", "rows", "static", "table", "tombstones")

    def __init__(self, table: TableMetadata, key: bytes) -> None:
        self.table, self.key = table, key
        self.deletion: Deletion = LIVE
        self.static: Row | None = None
        self.rows: dict[bytes, Row] = {}
        self.tombstones: list[RangeTombstone] = []
        self._increments: dict[bytes, tuple[tuple[bytes, ...], dict[str, int], WriteContext]] = {}
        self._resolve: Resolve | None = None

    def delete(self, deletion: Deletion) -> None:
        self.deletion = max(self.deletion, deletion)

    def put(self, ck: bytes, row: Row) -> None:
        """Statements of one batch that meet in a row are merged as writes are (at equal timestamps, too)."""
        before = self.rows.get(ck)
        self.rows[ck] = row if before is None else self._merged(before, row)

    def put_static(self, row: Row) -> None:
        self.static = row if self.static is None else self._merged(self.static, row)

    def _merged(self, before: Row, row: Row) -> Row:
        if self._resolve is None:
            self._resolve = resolver(self.table)
        return merge_rows(before, row, LIVE, self._resolve) or row

    def add_increments(self, ck: bytes, clustering: tuple[bytes, ...], change: RowChange) -> None:
        known = self._increments.get(ck)
        if known is None:
            self._increments[ck] = (clustering, change.increments, change.context)
            return
        for name, delta in change.increments.items():
            known[1][name] = known[1].get(name, 0) + delta

    def build(self, increment: Increment) -> PartitionUpdate:
        for ck, (clustering, deltas, context) in self._increments.items():
            deleted = self.static if ck == STATIC_ROW else self.rows.get(ck)
            if deleted is not None and deleted.deletion != LIVE:
                continue  # a row that a batch deletes, or a column of it, is not counted up
            gone = deleted.columns if deleted is not None else {}
            counted = {name: delta for name, delta in deltas.items() if name not in gone} if gone else deltas
            row = Row(clustering, columns=increment(self.table, self.key, ck, counted, context))
            if ck == STATIC_ROW:
                self.put_static(row)
            else:
                self.put(ck, row)
        return PartitionUpdate(self.table.id, self.key, self.deletion, self.static, self.rows, tuple(self.tombstones))


def bound_timestamp(term: Term, values: Values, default_us: int) -> int:
    """The value of USING TIMESTAMP (Attributes.getTimestamp)."""
    value = term.bind(values)
    if value is None:
        raise InvalidRequest("Invalid null value of timestamp")
    if not isinstance(value, bytes):
        return default_us
    if not value:
        raise ServerError(
            'java.lang.NullPointerException: Cannot invoke "java.lang.Long.longValue()" because the return value of '
            '"org.apache.cassandra.db.marshal.LongType.compose(java.nio.ByteBuffer)" is null'
        )
    return int.from_bytes(value, "big", signed=True)


class Updates:
    """The partitions that an execution (of a statement, or a batch) changes, in the order in which they appear."""

    __slots__ = ("_builders",)

    def __init__(self) -> None:
        self._builders: dict[tuple[bytes, bytes], UpdateBuilder] = {}

    def of(self, table: TableMetadata, key: bytes) -> UpdateBuilder:
        place = (table.id.bytes, key)
        found = self._builders.get(place)
        if found is None:
            found = self._builders[place] = UpdateBuilder(table, key)
        return found

    def builders(self) -> list[UpdateBuilder]:
        return list(self._builders.values())

    def pieces(self) -> tuple[list[object], list[object]]:
        """All that is kept, for `let_go_later`."""
        return [*self._builders], [*self._builders.values()]

    def build(self, increment: Increment) -> list[PartitionUpdate]:
        return [builder.build(increment) for builder in paused(self._builders.values())]


# --- compiling -------------------------------------------------------------------------------------------------------


def compile_modification(
    statement: tree.Insert | tree.InsertJson | tree.Update | tree.Delete, context: BindContext
) -> Modification:
    """Raises InvalidRequest with Cassandra's text."""
    timestamp, ttl = _compile_attributes(statement, context)
    conditions = _compile_conditions(statement, context, timestamp)
    called_last = context.called.copy()
    context.called.clear()
    match statement:
        case tree.Insert():
            compiled = _compile_insert(statement, context, timestamp, ttl, conditions)
        case tree.InsertJson():
            compiled = _compile_insert_json(statement, context, timestamp, ttl, conditions)
        case tree.Update():
            compiled = _compile_update(statement, context, timestamp, ttl, conditions)
        case tree.Delete():
            compiled = _compile_delete(statement, context, timestamp, conditions)
    context.called.extend(called_last)
    if conditions is not None:
        if context.table.is_counter:
            raise InvalidRequest("Conditional updates are not supported on counter tables")
        if timestamp is not None:
            raise InvalidRequest("Cannot provide custom timestamp for conditional updates")
    return compiled


def validate_modification(modification: Modification) -> None:
    """What a statement is checked for behind its compilation, by itself or in a batch (ModificationStatement.validate)."""
    table = modification.table
    if table.is_counter and modification.timestamp is not None:
        raise InvalidRequest("Cannot provide custom timestamp for counter updates")
    if table.is_counter and modification.ttl is not None:
        raise InvalidRequest("Cannot provide custom TTL for counter updates")
    if table.is_view:
        raise InvalidRequest("Cannot directly modify a materialized view")
    if table.is_virtual and modification.timestamp is not None:
        raise InvalidRequest("Custom timestamp is not supported by virtual tables")
    if table.is_virtual and modification.ttl is not None:
        raise InvalidRequest("Expiring columns are not supported by virtual tables")
    if table.is_virtual and modification.has_conditions:
        raise InvalidRequest("Conditional updates are not supported by virtual tables")


Statement = tree.Insert | tree.InsertJson | tree.Update | tree.Delete
Conditions = str | tuple[ColumnCondition, ...] | None


def _compile_attributes(statement: Statement, context: BindContext) -> tuple[Term | None, Term | None]:
    using = tree.Using(statement.timestamp) if isinstance(statement, tree.Delete) else statement.using
    return compile_using(using, context, context.table.keyspace, context.table.name)


def compile_using(using: tree.Using, context: BindContext, keyspace: str, table: str) -> tuple[Term | None, Term | None]:
    """USING TIMESTAMP and TTL."""
    timestamp = ttl = None
    if using.timestamp is not None:
        timestamp = compile_term(using.timestamp, ColumnSpec(keyspace, table, "[timestamp]", BIGINT), context)
    if using.ttl is not None:
        ttl = compile_term(using.ttl, ColumnSpec(keyspace, table, "[ttl]", INT), context)
    return timestamp, ttl


def _compile_conditions(statement: Statement, context: BindContext, timestamp: Term | None) -> Conditions:
    if isinstance(statement, tree.Insert | tree.InsertJson):
        return "not exists" if statement.if_not_exists else None
    if statement.if_exists:
        return "exists"
    if not statement.conditions:
        return None
    if timestamp is not None:
        raise InvalidRequest("Cannot provide custom timestamp for conditional updates")
    return tuple(compile_condition(condition, context) for condition in statement.conditions)


def _split(operations: Sequence[Operation]) -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
    static = tuple(o for o in operations if o.column.kind is ColumnKind.STATIC)
    return tuple(o for o in operations if o.column.kind is not ColumnKind.STATIC), static


def _only_static(verb: str, regular: Sequence[Operation], static: Sequence[Operation], conditions: Conditions) -> bool:
    """ModificationStatement.appliesOnlyToStaticColumns. A DELETE without columns is about all of them."""
    if verb == "DELETE" and not static:
        return False
    columns = conditions if isinstance(conditions, tuple) else ()
    regular_conditions = any(c.column.kind is not ColumnKind.STATIC for c in columns)
    static_conditions = any(c.column.kind is ColumnKind.STATIC for c in columns)
    return not regular and not regular_conditions and (bool(static) or static_conditions)


def _compile_insert(
    statement: tree.Insert, context: BindContext, timestamp: Term | None, ttl: Term | None, conditions: Conditions
) -> Modification:
    table = context.table
    if table.is_counter:
        raise InvalidRequest("INSERT statements are not allowed on counter tables, use UPDATE instead")
    if not statement.columns:
        raise InvalidRequest("No columns provided to INSERT")
    if len(statement.columns) != len(statement.values):
        raise InvalidRequest("Unmatched column names/values")
    if len(set(statement.columns)) != len(statement.columns):
        raise InvalidRequest("The column names contains duplicates")
    relations: list[tree.Relation] = []
    operations: list[Operation] = []
    has_clustering = False
    for name, value in zip(statement.columns, statement.values, strict=True):
        column = existing_column(context, name)
        has_clustering = has_clustering or column.kind is ColumnKind.CLUSTERING
        if column.is_primary_key:
            relations.append(tree.ColumnRelation(name, tree.Operator.EQ, value))
        else:
            operations.append(compile_set_value(column, value, context))
    regular, static = _split(operations)
    only_static = _only_static("INSERT", regular, static, conditions)
    where = tree.WhereClause(tuple(relations))
    restrictions = _compile_restrictions(where, context, "INSERT", only_static=only_static and not has_clustering)
    return Modification("INSERT", table, regular, static, restrictions, timestamp, ttl, conditions, None, only_static)


def _compile_insert_json(
    statement: tree.InsertJson,
    context: BindContext,
    timestamp: Term | None,
    ttl: Term | None,
    conditions: Conditions,
) -> Modification:
    table = context.table
    if table.is_counter:
        raise InvalidRequest("INSERT statements are not allowed on counter tables, use UPDATE instead")
    json, terms = compile_json(statement.value, context, statement.default_unset)
    operations = [set_operation(column, terms[column.name]) for column in table.columns if not column.is_primary_key]
    regular, static = _split(operations)
    only_static = _only_static("INSERT", regular, static, conditions)
    key_terms = {column.name: terms[column.name] for column in (*table.partition_key, *table.clustering)}
    restrictions = compile_restrictions(
        tree.WhereClause(),
        context,
        "INSERT",
        only_static=only_static and not table.clustering,
        equal_terms=key_terms,
    )
    return Modification("INSERT", table, regular, static, restrictions, timestamp, ttl, conditions, json, only_static)


def _compile_update(
    statement: tree.Update, context: BindContext, timestamp: Term | None, ttl: Term | None, conditions: Conditions
) -> Modification:
    operations = [compile_assignment(assignment, context, conditions is not None) for assignment in statement.assignments]
    regular, static = _split(operations)
    restrictions, only_static = _compile_where(statement.where, context, "UPDATE", regular, static, conditions)
    table = context.table
    return Modification("UPDATE", table, regular, static, restrictions, timestamp, ttl, conditions, None, only_static)


def _compile_where(
    where: tree.WhereClause,
    context: BindContext,
    verb: str,
    regular: Sequence[Operation],
    static: Sequence[Operation],
    conditions: Conditions,
) -> tuple[Restrictions, bool]:
    if where.expressions:
        raise InvalidRequest("Custom index expressions cannot be used in WHERE clauses for UPDATE or DELETE statements")
    only_static = _only_static(verb, regular, static, conditions)
    return _compile_restrictions(where, context, verb, only_static=only_static), only_static


def _compile_restrictions(where: tree.WhereClause, context: BindContext, verb: str, *, only_static: bool) -> Restrictions:
    """What they call is called first, though they are compiled behind the operations."""
    before = len(context.called)
    restrictions = compile_restrictions(where, context, verb, only_static=only_static)
    context.called[:] = (*context.called[before:], *context.called[:before])
    return restrictions


def _compile_delete(
    statement: tree.Delete, context: BindContext, timestamp: Term | None, conditions: Conditions
) -> Modification:
    table = context.table
    operations = [compile_deletion(deletion, context) for deletion in statement.deletions]
    regular, static = _split(operations)
    restrictions, only_static = _compile_where(statement.where, context, "DELETE", regular, static, conditions)
    if conditions is not None and not restrictions.has_whole_primary_key_equal:
        if table.is_virtual:
            raise InvalidRequest("DELETE statements must restrict all PRIMARY KEY columns with equality relations")
        if regular or not static:
            raise InvalidRequest(
                "DELETE statements must restrict all PRIMARY KEY columns with equality relations "
                "in order to delete non static columns"
            )
        columns = conditions if isinstance(conditions, tuple) else ()
        if any(c.column.kind is not ColumnKind.STATIC for c in columns):
            raise InvalidRequest(
                "DELETE statements must restrict all PRIMARY KEY columns with equality relations"
                " in order to use IF condition on non static columns"
            )
    return Modification("DELETE", table, regular, static, restrictions, timestamp, None, conditions, None, only_static)
