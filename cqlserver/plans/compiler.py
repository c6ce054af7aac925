"""Statement tree -> plan: which kind of plan each statement gets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from cqlserver.ddl.apply import is_ddl, not_supported
from cqlserver.functions.model import Function
from cqlserver.guarding import guarding
from cqlserver.node import Node
from cqlserver.plan_size import SMALL_COLUMNS
from cqlserver.plans.batch import BatchPlan, validate_batch
from cqlserver.plans.cas import CasPlan
from cqlserver.plans.fast.batch import fast_batch
from cqlserver.plans.fast.query import fast_query, learn_twin
from cqlserver.plans.modification import Modification, compile_modification, compile_using, validate_modification
from cqlserver.plans.plan import FastPath, KnownShapes, Plan, QueryPath
from cqlserver.plans.schema_plans import ImmediatePlan, ddl_plan, describe_plan, truncate_plan, use_plan
from cqlserver.plans.select import compile_select
from cqlserver.plans.write import WritePlan
from cqlserver.selection.masks import Masking
from cqlserver.state import ClientState
from cqlserver.terms.binding import BindContext
from grammar import tree
from protocol.errors import InvalidRequest
from protocol.requests import BATCH_TYPES, Batch
from protocol.responses import VoidResult
from storage.environment.strands import let_go_later, paused
from storage.schema.metadata import Schema, TableMetadata

ROLE_STATEMENTS = frozenset(
    (
        tree.AddIdentity,
        tree.AlterRole,
        tree.CreateRole,
        tree.DropIdentity,
        tree.DropRole,
        tree.Grant,
        tree.GrantRole,
        tree.ListPermissions,
        tree.ListRoles,
        tree.ListUsers,
        tree.Revoke,
        tree.RevokeRole,
    )
)
_Calls = list[list[Function]]
"""The user functions that a statement calls; of a batch, those of each of its statements."""
NO_KEYSPACE = "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename"


def find_table(schema: Schema, name: tree.QualifiedName, keyspace: str | None) -> TableMetadata:
    """The table (or view) that a statement names. Raises InvalidRequest (Schema.validateTable)."""
    of = name.keyspace if name.keyspace is not None else keyspace
    if of is None:
        raise InvalidRequest(NO_KEYSPACE)
    if of not in schema.keyspaces:
        raise InvalidRequest(f"keyspace {of} does not exist")
    table = schema.maybe_table(of, name.name)
    if table is None:
        raise InvalidRequest(f"table {name.name} does not exist")
    return table


class Compiler:
    """Compiles against the schema that the node has at that moment."""

    def __init__(self, node: Node) -> None:
        self._node = node
        modification = self._modification
        self._compilers: Mapping[type[tree.Statement], Callable[[Any, str | None, bool, _Calls], Plan]] = MappingProxyType(
            {
                tree.Select: self._select,
                tree.Insert: modification,
                tree.InsertJson: modification,
                tree.Update: modification,
                tree.Delete: modification,
                tree.Batch: self._batch,
                tree.Use: lambda statement, keyspace, shaped, called: use_plan(node, statement),
                tree.Truncate: self._truncate,
                tree.Describe: lambda statement, keyspace, shaped, called: describe_plan(node, statement, keyspace),
            }
        )

    def compile(self, statement: tree.Statement, text: str, state: ClientState, keyspace: str | None, shaped: bool) -> Plan:
        """Raises RequestError."""
        called: _Calls = []
        plan = self._compile(statement, text, state, keyspace, shaped, called)
        guard = self._node.guard
        if guard is not None:
            guard.learn(plan, statement, keyspace, called)
        return plan

    def _compile(
        self, statement: tree.Statement, text: str, state: ClientState, keyspace: str | None, shaped: bool, called: _Calls
    ) -> Plan:
        if state.trace is not None:
            state.trace.preparing()
        compiler = self._compilers.get(type(statement))
        if compiler is not None:
            return compiler(statement, keyspace, shaped, called)
        if is_ddl(statement):
            name = getattr(statement, "table" if isinstance(statement, tree.CreateIndex) else "name", None)
            if isinstance(name, tree.QualifiedName) and name.keyspace is None and keyspace is None:
                raise InvalidRequest(NO_KEYSPACE)
            if isinstance(statement, tree.CreateMaterializedView) and statement.markers:
                raise InvalidRequest("Bind variables are not allowed in CREATE MATERIALIZED VIEW statements")
            return ddl_plan(self._node, statement, keyspace)
        if type(statement) in ROLE_STATEMENTS:
            from cqlserver.auth.statements import role_plan

            return role_plan(self._node, statement, text)
        raise not_supported(statement)

    @property
    def check(self) -> Callable[[ClientState, Plan], None] | None:
        return self._node.guard.check if self._node.guard is not None else None

    def check_prepared(self, plan: Plan, state: ClientState) -> None:
        """What PREPARE checks beside compiling. Raises RequestError."""
        if isinstance(plan, ImmediatePlan) and plan.validate is not None:
            plan.validate(state)

    def has_small_tables(self, plan: Plan) -> bool:
        """Whether its tables have few columns."""
        schema = self._node.schema
        tables = [schema.maybe_table(keyspace, name) for keyspace, name in plan.tables]
        return sum(len(table.columns) for table in tables if table is not None) <= SMALL_COLUMNS

    def check_keyspace(self, name: str) -> None:
        """Raises InvalidRequest when there is no keyspace of that name (ClientState.setKeyspace)."""
        if name not in self._node.schema.keyspaces:
            raise InvalidRequest(f"Keyspace '{name}' does not exist")

    def batch_of_message(self, request: Batch, plans: Sequence[Plan]) -> BatchPlan:
        """A BATCH message of statements that are compiled already. Raises InvalidRequest."""
        modifications = []
        for plan in paused(plans):
            if not isinstance(plan, WritePlan | CasPlan):
                raise InvalidRequest("Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
            modifications.append(plan.modification)
        kind = BATCH_TYPES[request.type]
        validate_batch(kind, modifications, None, None)
        batch = BatchPlan(self._node, kind, tuple(modifications), None, True)
        if self._node.guard is not None:
            self._node.guard.learn_batch(batch, plans)
        return batch

    def fast_query(
        self, plan_of_shape: Callable[[tuple[str | None, str]], Plan | None], known: KnownShapes, version: int
    ) -> QueryPath:
        return fast_query(self._node, plan_of_shape, known, version)

    def learn_twin(
        self,
        known: KnownShapes,
        plan: Plan,
        keyspace: str | None,
        key: str,
        compile_text: Callable[[str], Plan | None],
        version: int,
    ) -> None:
        if not plan.bind_specs and not (isinstance(plan, WritePlan) and plan.packed is not None):
            learn_twin(known, keyspace, key, compile_text, version)

    def fast_batch(self, plan_of_id: Callable[[bytes], Plan | None], version: int) -> FastPath:
        return fast_batch(self._node, plan_of_id, version)

    def _context(
        self, table: TableMetadata, statement: tree.Statement, shaped: bool, shows_masks: bool = False
    ) -> BindContext:
        return BindContext(table, self._node.schema, statement.markers, self._node.calls, shaped, shows_masks)

    def _select(self, statement: tree.Select, keyspace: str | None, shaped: bool, called: _Calls) -> Plan:
        table = find_table(self._node.schema, statement.table, keyspace)
        guarded = guarding.get()
        if guarded is not None and statement.group_by:
            guarded.groups()
        context = self._context(table, statement, shaped)
        called.append(context.called)
        plan = compile_select(self._node, statement, context)
        if guarded is not None and statement.allow_filtering:
            guarded.filters()
        guard = self._node.guard
        if guard is None or not self._node.config.dynamic_data_masking_enabled or not table.has_masks:
            return plan
        context = self._context(table, statement, shaped, shows_masks=True)
        masking = Masking(compile_select(self._node, statement, context), guard.masks(table))
        return replace(plan, masking=masking)

    def _modification(
        self,
        statement: tree.Insert | tree.InsertJson | tree.Update | tree.Delete,
        keyspace: str | None,
        shaped: bool,
        called: _Calls,
    ) -> Plan:
        table = find_table(self._node.schema, statement.table, keyspace)
        context = self._context(table, statement, shaped)
        called.append(context.called)
        modification = compile_modification(statement, context)
        validate_modification(modification)
        _guard_timestamp(modification)
        tables = ((table.keyspace, table.name), *context.function_tables)
        if modification.has_conditions:
            literals = tuple(context.literal_terms)
            return CasPlan(self._node, modification, context.specs, context.partition_key_indexes, literals, tables=tables)
        return WritePlan(self._node, modification, context.specs, context.partition_key_indexes, tables=tables)

    def _batch(self, statement: tree.Batch, keyspace: str | None, shaped: bool, called: _Calls) -> Plan:
        node = self._node
        if not statement.statements:
            return ImmediatePlan(lambda state, options: VoidResult())
        first = find_table(node.schema, statement.statements[0].table, keyspace)
        context = self._context(first, statement, shaped)
        modifications = []
        for part in paused(statement.statements):
            table = find_table(node.schema, part.table, keyspace)
            context_of_part = context.for_table(table)
            called.append(context_of_part.called)
            modifications.append(compile_modification(part, context_of_part))
        tables = [modification.table for modification in modifications]
        let_go_later(statement.statements, modifications)
        timestamp, ttl = compile_using(statement.using, context, "[batch]", "[batch]")
        validate_batch(statement.kind.value, modifications, timestamp, ttl)
        for modification in paused(modifications):
            validate_modification(modification)
            _guard_timestamp(modification)
        one_table = len({table.id for table in tables}) == 1
        return BatchPlan(
            node,
            statement.kind.value,
            tuple(modifications),
            timestamp,
            False,
            context.specs,
            context.partition_key_indexes if one_table else (),
            tables=(
                *{table.id: (table.keyspace, table.name) for table in paused(tables)}.values(),
                *context.function_tables,
            ),
        )

    def _truncate(self, statement: tree.Truncate, keyspace: str | None, shaped: bool, called: _Calls) -> ImmediatePlan:
        table = find_table(self._node.schema, statement.table, keyspace)
        return truncate_plan(self._node, table)


def _guard_timestamp(modification: Modification) -> None:
    guarded = guarding.get()
    if guarded is not None and modification.timestamp is not None:
        guarded.user_timestamps()
