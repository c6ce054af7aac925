"""What stands between a user and a plan: whether all that the plan needs is granted, asked at each execution.

What was granted is remembered for a connection as long as the caches of roles and permissions are believed, and no
statement changed them on this node; so prepared statements keep their fast paths.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from cqlserver.auth.access import Access
from cqlserver.auth.needs import Called, Need, Needs, needs_of
from cqlserver.auth.resources import table
from cqlserver.connections.paths import nothing_fast
from cqlserver.plans.plan import FastPath, FastPaths, Plan, QueryPath
from cqlserver.program.guardrail_settings import TERM_BYTES
from cqlserver.state import ClientState
from grammar import tree
from storage.schema.metadata import TableMetadata

if TYPE_CHECKING:
    from cqlserver.node import Node
    from cqlserver.statements import Statements

CLEARED_MAX = 200
"""Plans remembered for one connection."""


class Guard:
    def __init__(self, access: Access) -> None:
        self._access, self._tables = access, access.tables
        self._needs: WeakKeyDictionary[Plan, Needs] = WeakKeyDictionary()
        self._believed_s = access.believed_s
        self._clock = access.clock

    def learn(self, plan: Plan, statement: tree.Statement, keyspace: str | None, called: Called) -> None:
        """A statement was compiled."""
        self._needs[plan] = needs_of(statement, self._access.schema, keyspace, called)

    def learn_batch(self, batch: Plan, plans: Iterable[Plan]) -> None:
        """Plans were put together."""
        needs: dict[Need, None] = {}
        for plan in plans:
            needs.update(dict.fromkeys(self._needs.get(plan, ())))
        self._needs[batch] = tuple(needs)

    def masks(self, of: TableMetadata) -> Callable[[ClientState], bool]:
        """Whether masks are what a client gets to see of a table."""
        access, resource = self._access, table(of.keyspace, of.name)
        return lambda state: not access.has(state, "UNMASK", resource)

    def check(self, state: ClientState, plan: Plan) -> None:
        """Raises RequestError where the plan is not to be executed."""
        user = state.user
        if user is not None and user.is_system:
            return
        access = self._access
        if self.is_clear(state, plan):
            return
        for need in self._needs.get(plan, ()):
            need.check(access, state)
        if self._believed_s:
            if state.cleared_at != access.tables.changes or len(state.cleared) >= CLEARED_MAX:
                state.cleared.clear()
                state.cleared_at = access.tables.changes
            state.cleared[plan] = self._clock() + self._believed_s

    def is_clear(self, state: ClientState, plan: Plan) -> bool:
        """It was checked a moment ago, and nothing changed."""
        until = state.cleared.get(plan)
        return until is not None and state.cleared_at == self._tables.changes and until > self._clock()


class GuardedPaths:
    """The fast paths of prepared statements, for one connection: those that were checked a moment ago."""

    def __init__(self, guard: Guard, node: "Node", state: ClientState) -> None:
        self._guard, self._node, self._state = guard, node, state
        self._statements: Statements = node.statements
        self._paths = self._statements.fast_paths(state.version)

    def get(self, statement_id: bytes) -> FastPath | None:
        fast = self._paths.get(statement_id)
        if fast is None:
            return None
        prepared = self._statements.maybe_prepared(statement_id)
        if prepared is None or not self._guard.is_clear(self._state, prepared.plan):
            return None
        return fast if not self._node.engine.indexed.tables else self._minding_terms(prepared.plan, fast)

    def _minding_terms(self, plan: Plan, fast: FastPath) -> FastPath:
        """Large values of columns with attached indexes go another way, where they are told of."""
        stores = self._node.engine.stores
        tables = (self._node.schema.maybe_table(*name) for name in plan.tables)
        indexes = [stores[table.id].indexes for table in tables if table is not None and table.id in stores]
        if not any(found is not None and found.attached for found in indexes):
            return fast
        return lambda body: fast(body) if len(body) <= TERM_BYTES[0] else None


def guarded_paths(node: "Node", state: ClientState) -> tuple[FastPaths, QueryPath, FastPath]:
    """The fast paths of EXECUTE, QUERY and BATCH for one who has logged in and is checked; guardrails leave none."""
    guard = node.guard
    paths: FastPaths = {} if guard is None or node.config.guardrails else GuardedPaths(guard, node, state)
    return paths, nothing_fast, nothing_fast
