"""Compare-and-set: INSERT, UPDATE, DELETE and batches with IF (cql3/statements/CQL3CasRequest.java).

The conditions of all statements on one partition are gathered, the rows that they speak of are read, and either all
changes are applied or the current rows are returned. The coordinator makes reading and applying one step among the
replicas; where the local node is the only one, that step is simply not interrupted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cqlserver.binding import column_spec
from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.plans.conditions import BoundCondition, ColumnCondition
from cqlserver.plans.modification import STATIC_ROW, Modification, Updates
from cqlserver.plans.plan import FastPath
from cqlserver.plans.write import incrementer, write_context
from cqlserver.state import ClientState
from cqlserver.terms import Values
from protocol.errors import InvalidRequest
from protocol.requests import QueryOptions
from protocol.responses import ColumnSpec, Result, ResultMetadata, RowsResult
from protocol.types import BOOLEAN
from storage.keys import clustering_order_key
from storage.mutation import Row
from storage.reads import EVERYTHING, TableStore
from storage.schema import ColumnKind, ColumnMetadata, TableMetadata

EXISTS, NOT_EXISTS = "exists", "not exists"
_TRUE, _FALSE = b"\x00\x00\x00\x01\x01", b"\x00\x00\x00\x01\x00"


@dataclass(frozen=True, eq=False)
class CasPlan:
    """One statement with IF. Its result's columns hang on the outcome, so PREPARED reports none."""

    node: Node
    modification: Modification
    bind_specs: tuple[ColumnSpec, ...]
    partition_key_indexes: tuple[int, ...]
    result_metadata: ResultMetadata | None = None
    tables: tuple[tuple[str, str], ...] = field(default=())

    def execute(self, state: ClientState, options: QueryOptions) -> "Result | Pending[Result]":
        modification = self.modification
        values = modification.with_json(options.values)
        request = CasRequest(self.node, modification.table, options, state)
        request.add(modification, values)
        return request.execute(is_batch=False)

    def maybe_fast(self, version: int) -> FastPath | None:
        return None


class CasRequest:
    """The conditions and changes of one execution, on one partition."""

    def __init__(self, node: Node, table: TableMetadata, options: QueryOptions, state: ClientState) -> None:
        self._node, self._table, self._options, self._state = node, table, options, state
        self._order_key = clustering_order_key(table)
        self._key: bytes | None = None
        # by order key, STATIC_ROW for the static row: EXISTS, NOT_EXISTS or conditions on columns
        self._conditions: dict[bytes, str | list[BoundCondition]] = {}
        self._changes: list[tuple[Modification, Values]] = []
        self._shown: dict[str, ColumnMetadata] | None = {}

    def add(self, modification: Modification, values: Values) -> None:
        """One statement of the request. Raises InvalidRequest for what can't be decided together."""
        restrictions = modification.restrictions
        word = "updates" if modification.verb in ("INSERT", "UPDATE") else "deletions"
        keys = modification.keys(values)
        if restrictions.key_is_in_relation:
            raise InvalidRequest(f"IN on the partition key is not supported with conditional {word}")
        if self._key is None:
            self._key = keys[0]
        elif self._key != keys[0]:
            raise InvalidRequest("Batch with conditions cannot span multiple partitions")
        if restrictions.has_clustering_in:
            raise InvalidRequest(f"IN on the clustering key columns is not supported with conditional {word}")
        if modification.has_conditions:
            row = STATIC_ROW
            if restrictions.has_clustering:
                row = restrictions.clusterings(values)[0][0]
            elif modification.updates_regular_rows or not _is_static_only(modification):
                row = b""
            self._add_conditions(row, modification, values)
        self._changes.append((modification, values))

    def _add_conditions(self, row: bytes, modification: Modification, values: Values) -> None:
        conditions = modification.conditions
        previous = self._conditions.get(row)
        if isinstance(conditions, str):
            self._shown = None  # as soon as existence is asked for, whole rows are returned
            if previous is None:
                self._conditions[row] = conditions
            elif previous != conditions:
                if isinstance(previous, str):
                    raise InvalidRequest("Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row")
                negation = "NOT " if conditions == NOT_EXISTS else ""
                raise InvalidRequest(f"Cannot mix IF conditions and IF {negation}EXISTS for the same row")
            return
        if isinstance(previous, str):
            raise InvalidRequest("Cannot mix IF conditions and IF NOT EXISTS for the same row")
        bound = self._conditions.setdefault(row, [])
        assert isinstance(bound, list)
        assert conditions is not None
        bound += [condition.bind(values) for condition in conditions]
        if self._shown is not None:
            self._shown |= {condition.column.name: condition.column for condition in conditions}

    def execute(self, is_batch: bool) -> Result:
        """Decides and, if all conditions hold, applies."""
        node, options, table = self._node, self._options, self._table
        assert self._key is not None
        node.check_cas_consistency(table, options.consistency, options.serial_consistency, self._key)
        now_s = options.now_s if options.now_s is not None else node.environment.clock.now_s()
        store = node.engine.stores[table.id]
        current = CurrentRows(store, self._key, now_s, len(table.clustering) > 0)
        if not all(_holds(current, row, condition) for row, condition in self._conditions.items()):
            return self._refused(current, is_batch)
        updates = Updates()
        ballot_us = node.environment.clock.wall_us()
        for modification, values in self._changes:
            context = write_context(node, modification, values, options, self._state.warn, ballot_us)
            context.timestamp_us = ballot_us
            modification.add_to(updates, [self._key], context, current.reader, incrementer(node))
        node.write([b.build() for b in updates.builders()], table, options.consistency, "CAS")
        return _result((_applied_spec(table),), [_TRUE])

    def _refused(self, current: "CurrentRows", is_batch: bool) -> Result:
        """[applied] false, and the rows that the conditions were held against, as far as there are any."""
        table = self._table
        if self._shown is None:
            columns = list(table.columns)
        else:
            columns = list(self._shown.values())
            if is_batch:
                columns = [*table.partition_key, *table.clustering, *(c for c in columns if not c.is_primary_key)]
        assert self._key is not None
        rows = current.rows_to_show(self._conditions)
        if not rows:
            return _result((_applied_spec(table),), [_FALSE])
        project = current.store.partition_projector(columns).bind(self._key, current.static)
        specs = (_applied_spec(table), *(column_spec(table, column) for column in columns))
        return _result(specs, [_FALSE + project.wire(row) for row in rows])


def _is_static_only(modification: Modification) -> bool:
    conditions = modification.conditions if isinstance(modification.conditions, tuple) else ()
    regular = bool(modification.regular) or any(not _is_static(condition) for condition in conditions)
    return not regular and (bool(modification.static) or bool(conditions))


def _is_static(condition: ColumnCondition) -> bool:
    return condition.column.kind is ColumnKind.STATIC


class CurrentRows:
    """The live rows of one partition that a compare-and-set asks for, each read once."""

    def __init__(self, store: TableStore, key: bytes, now_s: int, has_clustering: bool) -> None:
        self.store, self._key, self._now_s = store, key, now_s
        self._rows: dict[bytes, Row | None] = {}
        view = store.read(key, EVERYTHING, now_s) if has_clustering else None
        self.static: Row | None = view.static if view is not None else None
        self._view = view

    def row(self, ck: bytes) -> Row | None:
        if ck == STATIC_ROW:
            return self.static
        if ck not in self._rows:
            found = self.store.row_at(self._key, ck, self._now_s)
            self._rows[ck] = self.store.layouts.explode(found) if found is not None else None
        return self._rows[ck]

    def reader(self, key: bytes, ck: bytes) -> Row | None:
        return self.row(ck)

    def with_statics(self, ck: bytes) -> Row | None:
        """The row, its partition's static columns among its own, for conditions on either."""
        row = self.row(ck)
        if self.static is None or ck == STATIC_ROW:
            return row
        columns = {**self.static.columns, **(row.columns if row is not None else {})}
        return Row(row.clustering if row is not None else (), columns=columns)

    def rows_to_show(self, conditions: dict[bytes, str | list[BoundCondition]]) -> "Sequence[Row | None]":
        """The rows behind the conditions in clustering order; just the static columns when nothing else is there."""
        cks = sorted(ck for ck in conditions if ck != STATIC_ROW)
        rows: list[Row | None] = [row for ck in cks if (row := self.row(ck)) is not None]
        if rows:
            return rows
        if not cks and self._view is not None:
            first = next(self._view.rows(), None)
            if first is not None:
                return [self.store.layouts.explode(first)]
        return [None] if self.static is not None else []


def _holds(current: CurrentRows, ck: bytes, condition: str | list[BoundCondition]) -> bool:
    if isinstance(condition, str):
        exists = current.row(ck) is not None
        return exists if condition == EXISTS else not exists
    row = current.with_statics(ck)
    return all(bound.applies_to(row) for bound in condition)


def _applied_spec(table: TableMetadata) -> ColumnSpec:
    return ColumnSpec(table.keyspace, table.name, "[applied]", BOOLEAN)


def _result(specs: tuple[ColumnSpec, ...], rows: list[bytes]) -> RowsResult:
    return RowsResult(ResultMetadata(specs), len(rows), b"".join(rows))
