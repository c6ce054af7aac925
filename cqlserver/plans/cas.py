"""Compare-and-set: INSERT, UPDATE, DELETE and batches with IF (cql3/statements/CQL3CasRequest.java).

The conditions of all statements on one partition are gathered, the rows that they speak of are read, and either all
changes are applied or the current rows are returned. The coordinator makes reading and applying one step among the
replicas; where the local node is the only one, that step is simply not interrupted. Where it would be long, it is prepared
with pauses and takes place if nothing has changed meanwhile.

What is read is part of what clients see: only the rows that have conditions, and of the static row only what conditions
or changes speak of, are there for the answer and for operations on list items.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, overload

from cqlserver.guarding import guarding
from cqlserver.java_order import elements_hash_ordered
from cqlserver.metrics.meters import Kind, RequestMeter
from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.plans.conditions import BoundCondition, ColumnCondition
from cqlserver.plans.fast.cas import fast_insert_if_not_exists
from cqlserver.plans.fast.packed import PackedWrite, maybe_packed_write
from cqlserver.plans.fast.write import maybe_fast_row
from cqlserver.plans.modification import STATIC_ROW, Modification, Updates
from cqlserver.plans.operations import WriteContext
from cqlserver.plans.plan import FastPath
from cqlserver.plans.write import built_updates, guard_write
from cqlserver.state import ClientState, RequestTrace
from cqlserver.system.tracing import READING_FOR_CAS
from cqlserver.terms.binding import column_spec
from cqlserver.terms.bound_terms import LiteralTerm
from cqlserver.terms.terms import Values
from protocol.errors import InvalidRequest, ServerError
from protocol.requests import QueryOptions
from protocol.responses import ColumnSpec, Result, ResultMetadata, RowsResult
from protocol.types import BOOLEAN
from storage.environment.strands import is_interruptible, undisturbed
from storage.memtable.drafts import ATTEMPTS_MAX, Seen
from storage.mutation import LIVE, NO_TIMESTAMP, ComplexColumn, Deletion, PartitionUpdate, Row
from storage.projection import PartitionProjector
from storage.reads import EVERYTHING, PartitionView, TableStore
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata

if TYPE_CHECKING:
    from cluster.coordination.plans import Deciders

EXISTS, NOT_EXISTS = "exists", "not exists"
RowConditions = str | list[BoundCondition]
_TRUE, _FALSE = b"\x00\x00\x00\x01\x01", b"\x00\x00\x00\x01\x00"


class CasShape:
    """What is the same for all executions of the statements: what to read and what to show."""

    def __init__(self, node: Node, modifications: Sequence[Modification], is_batch: bool) -> None:
        table = modifications[0].table
        self.table, self.modifications, self.is_batch = table, tuple(modifications), is_batch
        self.store: TableStore = node.engine.stores[table.id]
        conditional = [modification for modification in modifications if modification.has_conditions]
        self.reads_regulars = any(modification.updates_regular_rows for modification in modifications)
        statics = [column for column in table.columns if column.kind is ColumnKind.STATIC]
        if not any(modification.updates_static_row for modification in conditional):
            wanted = {c.column.name for m in conditional for c in _columns_of(m)}
            wanted |= {o.name for m in conditional for o in m.static if o.requires_read}
            statics = [column for column in statics if column.name in wanted]
        self.statics = frozenset(column.name for column in statics)

    @cached_property
    def packed(self) -> PackedWrite | None:
        """The short way of applying a statement that stands alone."""
        return None if self.is_batch else maybe_packed_write(self.modifications[0], self.store)

    @cached_property
    def applied(self) -> Result:
        metadata = ResultMetadata((_applied_spec(self.table),))
        return RowsResult(metadata, 1, _TRUE)

    @cached_property
    def refused(self) -> Result:
        """The answer where there is no row to show."""
        return RowsResult(ResultMetadata((_applied_spec(self.table),)), 1, _FALSE)

    @cached_property
    def shown(self) -> list[ColumnMetadata]:
        """The columns of the rows that are returned when the conditions do not hold."""
        table, columns = self.table, dict[str, ColumnMetadata]()
        if self.is_batch:
            columns = {column.name: column for column in (*table.partition_key, *table.clustering)}
        for modification in self.modifications:
            if isinstance(modification.conditions, str):
                return list(table.visible_columns)  # as soon as existence is asked for, whole rows are returned
            columns |= {condition.column.name: condition.column for condition in _columns_of(modification)}
        return list(columns.values())

    @cached_property
    def projector(self) -> PartitionProjector:
        return self.store.partition_projector(self.shown)

    @cached_property
    def metadata(self) -> ResultMetadata:
        return ResultMetadata((_applied_spec(self.table), *(column_spec(self.table, column) for column in self.shown)))


@dataclass(frozen=True, eq=False)
class CasPlan:
    """One statement with IF. Its result's columns hang on the outcome, so PREPARED reports none."""

    node: Node
    modification: Modification
    bind_specs: tuple[ColumnSpec, ...]
    partition_key_indexes: tuple[int, ...]
    literals: tuple[LiteralTerm, ...] = ()
    """Those that the shape cache cut out: where nothing is applied, nobody has looked at them all."""
    result_metadata: ResultMetadata | None = None
    tables: tuple[tuple[str, str], ...] = field(default=())

    def meters(self, level: int) -> tuple[RequestMeter, ...]:
        return self._meters

    @cached_property
    def _meters(self) -> tuple[RequestMeter, ...]:
        return (self.node.metering.meter(self.modification.table, Kind.CAS_WRITE),)

    def execute(self, state: ClientState, options: QueryOptions) -> "Result | Pending[Result]":
        modification = self.modification
        guarded = guarding.get()
        if guarded is not None:
            guard_write(guarded, self.node, (modification,), options, minds_disks=False)
        request = CasRequest(self.node, self.shape, options)
        request.add(modification, modification.with_json(options.values))
        result = request.execute(state.trace)
        if result is not self.shape.applied:
            for literal in self.literals:
                literal.bind(options.values)
        return result

    @cached_property
    def shape(self) -> CasShape:
        return CasShape(self.node, (self.modification,), False)

    def maybe_fast(self, version: int) -> FastPath | None:
        member = self.node.maybe_member(self.modification.table)
        if member is not None:
            from cqlserver.plans.fast.deciding import replicated_cas

            return replicated_cas(self.node, member, self, version)
        packed = self.shape.packed if self.modification.conditions == NOT_EXISTS else None
        row = maybe_fast_row(packed, self.bind_specs) if packed is not None else None
        return fast_insert_if_not_exists(self.node, row, self.shape.applied, version) if row is not None else None


class CasRequest:
    """The conditions and changes of one execution, on one partition."""

    def __init__(self, node: Node, shape: CasShape, options: QueryOptions) -> None:
        self._node, self._shape, self._options = node, shape, options
        self._key: bytes | None = None
        # by order key, STATIC_ROW for the static row, which is asked first
        self._conditions: dict[bytes, RowConditions] = {}
        self._changes: list[tuple[Modification, Values]] = []

    def add(self, modification: Modification, values: Values) -> None:
        """One statement of the request. Raises InvalidRequest for what can't be decided together."""
        restrictions = modification.restrictions
        word = "updates" if modification.verb == "UPDATE" else "deletions"
        keys = modification.keys(values)
        if restrictions.key_is_in_relation:
            if not self._shape.is_batch:
                raise InvalidRequest(f"IN on the partition key is not supported with conditional {word}")
            raise ServerError(
                "java.lang.IllegalArgumentException: Batch with conditions cannot span multiple partitions "
                "(you cannot use IN on the partition key)"
            )
        if self._key is None:
            self._key = keys[0]
        elif self._key != keys[0]:
            raise InvalidRequest("Batch with conditions cannot span multiple partitions")
        if restrictions.has_clustering_in:
            raise InvalidRequest(f"IN on the clustering key columns is not supported with conditional {word}")
        if modification.has_conditions:
            self._add_conditions(modification, values)
        self._changes.append((modification, values))

    def _add_conditions(self, modification: Modification, values: Values) -> None:
        conditions, row = modification.conditions, STATIC_ROW
        if not modification.applies_only_to_static or modification.restrictions.has_clustering:
            row = modification.restrictions.clusterings(values)[0][0]
        if isinstance(conditions, str):
            self._add_existence(row, conditions)
            return
        for condition in _columns_of(modification):
            place = STATIC_ROW if condition.column.kind is ColumnKind.STATIC else row
            bound = self._conditions.setdefault(place, [])
            if isinstance(bound, str):
                raise InvalidRequest("Cannot mix IF conditions and IF NOT EXISTS for the same row")
            bound.append(condition.bind(values))

    def _add_existence(self, row: bytes, wanted: str) -> None:
        previous = self._conditions.setdefault(row, wanted)
        if previous == wanted:
            return
        if isinstance(previous, str):
            raise InvalidRequest("Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row")
        negation = "NOT " if wanted == NOT_EXISTS else ""
        raise InvalidRequest(f"Cannot mix IF conditions and IF {negation}EXISTS for the same row")

    def execute(self, trace: RequestTrace | None = None) -> Result:
        """Decides and, if all conditions hold, applies."""
        node, options, table, key = self._node, self._options, self._shape.table, self._key
        assert key is not None
        deciders = node.check_cas_consistency(table, options.consistency, options.serial_consistency, key)
        if trace is not None:
            trace.note(READING_FOR_CAS)
        if deciders is not None:
            outcome = undisturbed(lambda: self._among_replicas(key, deciders))
        else:
            outcome = self._maybe_in_turns(key) or undisturbed(lambda: self._outcome(key))
        if trace is not None:
            trace.decided(table, outcome is self._shape.applied)
        return outcome

    def _maybe_in_turns(self, key: bytes) -> Result | None:
        """Decides and writes with pauses, in which others may change what it is about: then it is decided anew. None where
        that does not end, or where nobody would pause."""
        if not is_interruptible():
            return None
        cks = [ck for ck in self._conditions if ck != STATIC_ROW]
        for _ in range(ATTEMPTS_MAX):
            seen = Seen(self._shape.store, key, cks or None)
            outcome = self._outcome(key, seen)
            if outcome is not None:
                return outcome
        return None

    @overload
    def _outcome(self, key: bytes) -> Result: ...
    @overload
    def _outcome(self, key: bytes, seen: Seen) -> Result | None: ...
    def _outcome(self, key: bytes, seen: Seen | None = None) -> Result | None:
        """None if what was `seen` is not current any more; then nothing was written."""
        node, options, table = self._node, self._options, self._shape.table
        now_s = self._now_s
        if node.profile:
            node.profile.read_before_write(table, key)
        current = CurrentRows(key, now_s, self._shape, self._conditions, self._shape.store)
        if not current.all_hold():
            refusal = current.refusal()
            return refusal if seen is None or seen.is_current else None
        node.check_cas_commit(table, options.consistency, key)
        ballot_us = node.environment.clock.wall_us()
        if self._shape.packed is not None and guarding.get() is None:
            packed = self._shape.packed.maybe_write(self._changes[0][1], ballot_us)
            if packed is not None:
                write = partial(node.write_packed, (packed,), table, options.consistency, "CAS")
                return self._shape.applied if undisturbed(partial(_write_if, seen, write)) else None
        built = self._built(current, ballot_us, now_s)
        return self._shape.applied if node.write(built, table, options.consistency, "CAS", seen) else None

    @property
    def maybe_row(self) -> tuple[bytes, bytes] | None:
        """Key and order key of the row that all conditions are about; None where more is to be read."""
        if self._shape.statics or len(self._conditions) != 1 or self._key is None:
            return None
        (ck,) = self._conditions
        return None if ck == STATIC_ROW else (self._key, ck)

    @property
    def _now_s(self) -> int:
        return self._options.now_s if self._options.now_s is not None else self._node.environment.clock.now_s()

    def _built(self, current: "CurrentRows", ballot_us: int, now_s: int) -> list[PartitionUpdate]:
        """What is to be written, where the conditions hold."""
        node = self._node
        updates = Updates()
        paths = node.list_paths
        for modification, values in self._changes:
            ttl_s = modification.ttl_s(values, node.environment.clock.now_s())
            context = WriteContext(ballot_us, ttl_s, now_s, values, paths.next, paths.before, guarding.get())
            modification.add_to(updates, [current.key], modification.places(values), context, current.reader)
        return [_before_ballot(update, ballot_us) for update in built_updates(node, updates)]

    def _among_replicas(self, key: bytes, deciders: "Deciders") -> Result:
        """The same, decided by Paxos."""
        member, row = self._node.member, self.maybe_row
        assert member is not None
        answer = self._shape.refused

        def condition(store: TableStore, ballot_us: int) -> bytes | None:
            nonlocal answer
            update, answer = self.on_ballot(store, ballot_us)
            return update

        member.decide(self._shape.table, key, deciders, condition, None if row is None else row[1])
        return answer

    def on_ballot(self, store: TableStore, ballot_us: int) -> tuple[bytes | None, Result]:
        """What is to be written at a ballot's time, as a mutation; None where the conditions do not hold. And the answer
        when that has been decided. Raises RequestError."""
        node, shape, key = self._node, self._shape, self._key
        assert key is not None
        now_s = self._now_s
        current = CurrentRows(key, now_s, shape, self._conditions, store)
        if not current.all_hold():
            return None, current.refusal()
        node.check_cas_commit(shape.table, self._options.consistency, key)
        if shape.packed is not None and guarding.get() is None:
            packed = shape.packed.maybe_write(self._changes[0][1], ballot_us)
            if packed is not None:
                return packed.record, shape.applied
        built = self._built(current, ballot_us, now_s)
        return (built[0] if built else PartitionUpdate(shape.table.id, key)).encode(), shape.applied


def _write_if(seen: Seen | None, write: Callable[[], None]) -> bool:
    if seen is not None and not seen.is_current:
        return False
    write()
    return True


def _as_tested(conditions: list[BoundCondition]) -> Sequence[BoundCondition]:
    """Column by column in the order of Cassandra's hash map. A fault in one behind one that does not hold is never told."""
    if len(conditions) == 1:
        return conditions

    def key(bound: BoundCondition) -> tuple[str, bytes | None]:
        return bound.condition.column.name, bound.element if isinstance(bound.element, bytes) else None

    return elements_hash_ordered(conditions, key)


def _columns_of(modification: Modification) -> tuple[ColumnCondition, ...]:
    """The conditions on columns: on those of rows, then on static ones (ColumnConditions.getColumns)."""
    conditions = modification.conditions
    if not isinstance(conditions, tuple):
        return ()
    return tuple(sorted(conditions, key=lambda condition: condition.column.kind is ColumnKind.STATIC))


def _before_ballot(update: PartitionUpdate, ballot_us: int) -> PartitionUpdate:
    """Deletions of a compare-and-set are just older than what it writes beside them (PartitionUpdate.updateAllTimestamp)."""

    def earlier(deletion: Deletion) -> Deletion:
        return deletion if deletion is LIVE or deletion == LIVE else Deletion(ballot_us - 1, deletion.local_deletion_s)

    def row_of(row: Row) -> Row:
        columns = row.columns
        if any(type(data) is ComplexColumn for data in columns.values()):
            columns = {
                name: data._replace(deletion=earlier(data.deletion)) if isinstance(data, ComplexColumn) else data
                for name, data in columns.items()
            }
        elif row.deletion is LIVE:
            return row
        return row._replace(deletion=earlier(row.deletion), columns=columns)

    return PartitionUpdate(
        update.table_id,
        update.key,
        earlier(update.deletion),
        row_of(update.static) if update.static is not None else None,
        {ck: row_of(row) for ck, row in update.rows.items()},
        tuple(tombstone._replace(deletion=earlier(tombstone.deletion)) for tombstone in update.range_tombstones),
    )


class CurrentRows:
    """The live rows of one partition that a compare-and-set reads (CQL3CasRequest.readCommand)."""

    def __init__(
        self, key: bytes, now_s: int, shape: CasShape, conditions: dict[bytes, RowConditions], store: TableStore
    ) -> None:
        self.key, self._shape, self._conditions = key, shape, conditions
        self._static: Row | None = None
        self._rows: dict[bytes, Row] = {}
        cks = sorted(ck for ck in conditions if ck != STATIC_ROW)
        view: PartitionView | None = None
        if shape.statics or not cks:
            view = store.read(key, EVERYTHING, now_s)
        if view is not None and view.static is not None:
            kept = {name: data for name, data in view.static.columns.items() if name in shape.statics}
            self._static = Row((), columns=kept) if kept else None
        explode = store.layouts.explode
        for ck in cks:
            found = store.row_at(key, ck, now_s)
            if found is not None:
                self._rows[ck] = explode(found)
        if not cks and view is not None:
            self._read_first(view)

    def _read_first(self, view: PartitionView) -> None:
        """With conditions on statics only, the first row is what tells a partition without any from none."""
        for ck, stored in view.items():
            row = self._shape.store.layouts.explode(stored)
            if not self._shape.reads_regulars:
                row = row._replace(columns={})
                if row.liveness.timestamp_us == NO_TIMESTAMP:
                    continue
            self._rows[ck] = row
            return

    def _row(self, ck: bytes) -> Row | None:
        return self._static if ck == STATIC_ROW else self._rows.get(ck)

    def reader(self, key: bytes, ck: bytes) -> Row | None:
        """For operations that need the row before: what was not read is not there."""
        return self._row(ck)

    def all_hold(self) -> bool:
        conditions = self._conditions
        if len(conditions) == 1:
            ck, condition = next(iter(conditions.items()))
            return self._holds(ck, condition)
        return all(self._holds(ck, condition) for ck, condition in sorted(conditions.items()))

    def _holds(self, ck: bytes, conditions: RowConditions) -> bool:
        row = self._row(ck)
        if isinstance(conditions, str):
            return (row is not None) == (conditions == EXISTS)
        return all(bound.applies_to(row) for bound in _as_tested(conditions))

    def refusal(self) -> Result:
        """[applied] false, and the rows that were read; just the static columns when nothing else is there."""
        shape = self._shape
        rows: list[Row | None] = [row for _, row in sorted(self._rows.items())]
        if not rows:
            if self._static is None:
                return shape.refused
            rows = [None]
        project = shape.projector.bind(self.key, self._static)
        return RowsResult(shape.metadata, len(rows), b"".join([_FALSE + project.wire(row) for row in rows]))


def _applied_spec(table: TableMetadata) -> ColumnSpec:
    return ColumnSpec(table.keyspace, table.name, "[applied]", BOOLEAN)
