"""Plans of statements that are executed as they stand: DDL, USE, TRUNCATE, DESCRIBE."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cluster.consistency import Consistency, validate_for_query
from cluster.ring import Node as RingNode
from cqlserver.ddl.apply import apply_ddl
from cqlserver.ddl.context import AGGREGATE, DROPPED, KEYSPACE, TABLE, TYPE, UPDATED, DdlContext
from cqlserver.ddl.tables import check_shape
from cqlserver.describe import ClusterFacts, describe, describe_page
from cqlserver.guarding import guarding
from cqlserver.metrics.meters import RequestMeter
from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.plans.plan import FastPath
from cqlserver.state import ClientState
from grammar import tree
from protocol.errors import InvalidRequest
from protocol.requests import QueryOptions
from protocol.responses import (
    ColumnSpec,
    Result,
    ResultMetadata,
    RowsResult,
    SchemaChange,
    SchemaChangeResult,
    SetKeyspaceResult,
    VoidResult,
)
from storage.projection import wire_values
from storage.schema.elements import differences
from storage.schema.metadata import Schema, TableMetadata

VIEW_BUILD_S: Final = 1.0
"""How long CREATE MATERIALIZED VIEW waits for the view: clients wait for ten seconds."""


@dataclass(frozen=True, eq=False)
class ImmediatePlan:
    """A statement without bind markers. `validate`: what PREPARE checks already; raises RequestError."""

    run: Callable[[ClientState, QueryOptions], "Result | Pending[Result]"]
    bind_specs: tuple[ColumnSpec, ...] = ()
    partition_key_indexes: tuple[int, ...] = ()
    result_metadata: ResultMetadata | None = None
    tables: tuple[tuple[str, str], ...] = ()
    validate: Callable[[ClientState], object] | None = None

    def meters(self, level: int) -> tuple[RequestMeter, ...]:
        return ()

    def execute(self, state: ClientState, options: QueryOptions) -> "Result | Pending[Result]":
        if options.consistency == Consistency.NODE_LOCAL:
            validate_for_query(Consistency.NODE_LOCAL)
        return self.run(state, options)

    def maybe_fast(self, version: int) -> FastPath | None:
        return None


def use_plan(node: Node, statement: tree.Use) -> ImmediatePlan:
    def run(state: ClientState, options: QueryOptions) -> Result:
        if statement.keyspace not in node.schema.keyspaces:
            raise InvalidRequest(f"Keyspace '{statement.keyspace}' does not exist")
        state.keyspace = statement.keyspace
        return SetKeyspaceResult(statement.keyspace)

    return ImmediatePlan(run)


_REMOVING = (tree.DropKeyspace, tree.DropTable, tree.DropMaterializedView)
"""Statements that remove rows, which a snapshot keeps."""


def truncate_plan(node: Node, table: TableMetadata) -> ImmediatePlan:
    def run(state: ClientState, options: QueryOptions) -> "Result | Pending[Result]":
        if table.is_view:
            raise InvalidRequest("Cannot TRUNCATE materialized view directly; must truncate base table instead")
        guarded = guarding.get()
        if guarded is not None:
            guarded.drops_tables()
        node.coordinator.assure_truncate()
        return _when_not_behind(node, truncate)

    def truncate() -> Result:
        node.truncate(table)
        return VoidResult()

    return ImmediatePlan(run, tables=((table.keyspace, table.name),))


def ddl_plan(node: Node, statement: tree.Statement, keyspace: str | None) -> ImmediatePlan:
    """CREATE, ALTER, DROP of keyspaces, tables and types."""

    if isinstance(statement, tree.CreateTable):
        check_shape(statement, keyspace)
    held = [statement]

    def validate(state: ClientState) -> None:
        """PREPARE of one who is guarded: what is ignored then is not there when it is executed."""
        guarded = guarding.get()
        if guarded is not None:
            from cqlserver.ddl.guards import guard_statement

            held[0] = guard_statement(guarded, statement, node.schema, node.config.memtables)

    def run(state: ClientState, options: QueryOptions) -> "Result | Pending[Result]":
        node.assure_schema_changes()
        guarded, asked = guarding.get(), held[0]
        if guarded is not None:
            from cqlserver.ddl.guards import guard_statement

            asked = guard_statement(guarded, asked, node.schema, node.config.memtables)
        context = DdlContext(
            keyspace,
            node.environment.clock.wall_us,
            node.new_timeuuid,
            Counter(member.datacenter for member in node.coordinator.ring.nodes),
            state.warn,
            node.config.default_keyspace_rf,
            node.config.dynamic_data_masking_enabled,
            node.config.drop_compact_storage_enabled,
            node.config.sasi_indexes_enabled,
            node.config.user_defined_functions_enabled,
            node.config.materialized_views_enabled,
            node.config.cdc.enabled,
            node.calls.user_functions,
            guarded,
            node.config.cluster.transient_replication_enabled,
            node.config.num_tokens,
            node.config.memtables,
        )
        if not isinstance(asked, _REMOVING):
            return change_schema(state, asked, context)
        return _when_not_behind(node, lambda: change_schema(state, asked, context))

    def change_schema(state: ClientState, asked: tree.Statement, context: DdlContext) -> "Result | Pending[Result]":
        before = node.schema
        schema, change = apply_ddl(before, asked, context)
        if change is None:
            return VoidResult()
        node.change_schema(schema, keeps=isinstance(asked, _REMOVING))
        if node.guard is not None:
            node.access.schema_changed(before, change, state.user)
        forget(node, change, before)
        if change.target == AGGREGATE and change.change != DROPPED:
            node.calls.user_functions(schema.keyspaces[change.keyspace], change.name)  # what it holds on to
        node.publish(change)
        for following in _following(before, schema, change):
            node.publish(following)
        if isinstance(statement, tree.CreateIndex):
            return Pending.begun(_building(node, change))
        if isinstance(statement, tree.CreateMaterializedView):
            return Pending.begun(_building_view(node, change))
        return SchemaChangeResult(change)

    return ImmediatePlan(run, validate=validate)


def _when_not_behind(node: Node, then: Callable[[], "Result | Pending[Result]"]) -> "Result | Pending[Result]":
    """`then()`, at once or when not too many snapshots have to be taken."""
    if node.engine.maybe_files is None:
        return then()
    from cqlserver.snapshots import when_not_behind

    return when_not_behind(node, then)


def _building(node: Node, change: SchemaChange) -> Generator[None, None, Result]:
    """The index that was made is there when the client hears of it. If nobody waits for it, its first reader builds it."""
    table = node.schema.maybe_table(change.keyspace, change.name)
    store = node.engine.stores.get(table.id) if table is not None else None
    while store is not None and store.indexes is not None and store.indexes.unbuilt:
        if not store.indexes.build_step(store.indexes.unbuilt[0]):
            yield
    return SchemaChangeResult(change)


def _building_view(node: Node, change: SchemaChange) -> Generator[None, None, Result]:
    """A view that is built in a moment is there when the client hears of it; what is left then is built beside requests,
    as it is when nobody waits for it."""
    view = node.schema.keyspaces[change.keyspace].views[change.name]
    views = node.engine.stores[view.base_table_id].views
    build = views.builds.get(view.name) if views is not None else None
    clock = node.environment.clock.monotonic
    until = clock() + VIEW_BUILD_S
    while build is not None and not build.step() and clock() < until:
        yield
    return SchemaChangeResult(change)


def forget(node: Node, change: SchemaChange, before: Schema) -> None:
    """Has the node forget what it knew of what changed since `before`."""
    table = change.name if change.target == TABLE else None
    node.statements.schema_changed(change.keyspace, table)
    if table is not None:
        for other in _views_and_bases(change.keyspace, table, (before, node.schema)):
            node.statements.schema_changed(change.keyspace, other)
    if change.change == DROPPED:
        if table is not None:
            node.coordinator.forget_table(change.keyspace, table)
        elif change.target == KEYSPACE:
            node.coordinator.forget_keyspace(change.keyspace)


def _following(before: Schema, after: Schema, change: SchemaChange) -> Iterator[SchemaChange]:
    """What a change of a table or type changes, too, and clients are told: tables with the type, views."""
    if change.change != UPDATED or change.target not in (TABLE, TYPE):
        return
    old, new = before.keyspaces[change.keyspace], after.keyspaces[change.keyspace]
    tables = [name for name in differences(old.tables, new.tables) if old.tables.get(name) != new.tables.get(name)]
    views = [name for name in differences(old.views, new.views) if old.views.get(name) != new.views.get(name)]
    for name in (*tables, *views):
        if change.target == TYPE or name != change.name:
            yield SchemaChange(UPDATED, TABLE, change.keyspace, name)


def _views_and_bases(keyspace: str, table: str, schemas: Sequence[Schema]) -> set[str]:
    """The names of a table's views, and of a view's table."""
    found = [schema.keyspaces[keyspace].views.values() for schema in schemas if keyspace in schema.keyspaces]
    pairs = [(view.name, view.base_table_name) for views in found for view in views]
    return {one for one, other in (*pairs, *[pair[::-1] for pair in pairs]) if other == table}


def describe_plan(node: Node, statement: tree.Describe, keyspace: str | None) -> ImmediatePlan:
    """DESCRIBE, paged as SELECT is."""

    def run(state: ClientState, options: QueryOptions) -> Result:
        found = describe(node.schema, statement, keyspace, cluster_facts(node))
        page, paging_state = describe_page(found.rows, options.page_size, options.paging_state, node.schema.version)
        content = b"".join([wire_values(row) for row in page])
        return RowsResult(ResultMetadata(found.columns), len(page), content, paging_state)

    return ImmediatePlan(run)


def cluster_facts(node: Node) -> ClusterFacts:
    def range_ownership(keyspace: str) -> dict[str, list[str]]:
        coordinator = node.coordinator
        strategy = coordinator.strategy(node.schema.keyspaces[keyspace])
        return {
            str(end): [_endpoint(replica) for replica in strategy.replicas(end, coordinator.ring, coordinator.local)]
            for _, end, _ in coordinator.ring.ranges()
        }

    return ClusterFacts(node.local.cluster_name, range_ownership)


def _endpoint(replica: RingNode) -> str:
    """As Java prints an address: with the name in front that it was looked up by."""
    return f"{'localhost' if replica.address == '127.0.0.1' else ''}/{replica.address}:{replica.port}"
