"""Has this server execute what seeding reads (cqlserver/seeding).

A million rows of a file are one statement with other values: its plan is made once for each list of columns that rows have,
and what fromJson would do with the values is done here. Whatever does not fit, and whatever is wrong, goes the way of its
text, which knows the error to tell.
"""

import json
from collections.abc import Iterator
from typing import Final, NamedTuple

from cqlserver.node import Node
from cqlserver.pending import Pending, Steps
from cqlserver.plans.plan import FastPath, Plan
from cqlserver.seeding.errors import SeedError
from cqlserver.seeding.files import Row, Statement
from cqlserver.seeding.tables import TableName, quoted
from cqlserver.state import ClientState
from protocol.errors import CqlSyntaxError, RequestError, StorageError
from protocol.requests import EXECUTE_HEAD, ONE, VALUES, QueryOptions
from protocol.responses import Response, VoidResult
from protocol.types import CqlType
from protocol.types.json_text import parse_json
from storage.environment.strands import TooLong

PLANS_MAX: Final = 1_000
TURN_ROWS: Final = 64
"""Statements between two looks at the clock."""


_VERSION: Final = 4
_NO_ID: Final = bytes(16)
_WRITTEN: Final = VoidResult()


class _Insert(NamedTuple):
    """`head`: how the EXECUTE that it stands for begins."""

    plan: Plan
    types: tuple[CqlType, ...]
    fast: FastPath | None
    head: bytes


class Seeder:
    """Executes statements one after the other; `count`: how many it has. `take_turn` is repeated where it raises TooLong,
    and goes on with the same statement then."""

    def __init__(self, node: Node, state: ClientState, statements: Iterator[Statement]) -> None:
        self._node, self._state, self._statements = node, state, statements
        self._current: Statement | None = None
        self._is_long = False
        self._schema = node.schema
        self._inserts: dict[tuple[TableName, tuple[str, ...]], _Insert | None] = {}
        self.count = 0

    def take_turn(self, seconds: float) -> bool | Pending[bool]:
        """Executes statements for about so long; whether there may be more. Raises SeedError, OSError."""
        clock = self._node.environment.clock.monotonic
        until = clock() + seconds
        while True:
            statement = self._current or next(self._statements, None)
            if statement is None:
                return False
            self._current = statement
            try:
                outcome = self._execute(statement)
            except RequestError as error:
                raise _failed(statement, error) from error
            except TooLong:
                self._is_long = True
                raise
            if isinstance(outcome, Pending):
                return Pending(self._rest_of(outcome, statement))
            self._done()
            if self._is_long or (self.count % TURN_ROWS == 0 and clock() > until):
                self._is_long = False
                return True

    def _execute(self, statement: Statement) -> Response | Pending[Response]:
        row = statement.source
        written = self._maybe_write(row) if isinstance(row, Row) else None
        if written is not None:
            return written
        return self._node.statements.query(self._state, statement.text, QueryOptions())

    def _rest_of(self, outcome: Pending[Response], statement: Statement) -> Steps[bool]:
        try:
            yield from outcome.steps()
        except RequestError as error:
            raise _failed(statement, error) from error
        self._done()
        return True

    def _done(self) -> None:
        self.count += 1
        self._current = None

    def _maybe_write(self, row: Row) -> Response | Pending[Response] | None:
        """None, and nothing done: where it is for its text."""
        if self._node.schema is not self._schema or len(self._inserts) > PLANS_MAX:
            self._schema = self._node.schema
            self._inserts.clear()
        key = row.table, tuple(row.values)
        try:
            insert = self._inserts[key]
        except KeyError:
            insert = self._inserts[key] = self._maybe_insert(*key)
        if insert is None:
            return None
        try:
            values = tuple([_value(type_, value) for type_, value in zip(insert.types, row.values.values(), strict=True)])
            if insert.fast is not None:
                parts = [part for value in values for part in (len(value).to_bytes(4, "big"), value)]
                if insert.fast(b"".join((insert.head, *parts))):
                    return _WRITTEN
            return insert.plan.execute(self._state, QueryOptions(values=values))
        except (RequestError, StorageError, ValueError):
            return None

    def _maybe_insert(self, table: TableName, names: tuple[str, ...]) -> _Insert | None:
        """None where there is no such table or column, and for counters."""
        state, node = self._state, self._node
        found = node.schema.maybe_table(table.keyspace or state.keyspace or "", table.name)
        if found is None:
            return None
        types = {column.name: column.type for column in found.columns}
        text = f"INSERT INTO {table.cql} ({', '.join(map(quoted, names))}) VALUES ({', '.join('?' * len(names))})"
        try:
            plan = node.statements.compile(state, text, state.keyspace)
        except RequestError:
            return None
        fast = plan.maybe_fast(_VERSION) if node.is_alone else None
        head = EXECUTE_HEAD[_VERSION].pack(len(_NO_ID), _NO_ID, ONE, VALUES, len(names))
        return _Insert(plan, tuple([types[name] for name in names]), fast, head)


def _value(type_: CqlType, value: object) -> bytes:
    """What fromJson makes of it. Raises ValueError."""
    return type_.from_json(value if type(value) is str else parse_json(json.dumps(value, ensure_ascii=False, default=str)))


def _failed(statement: Statement, error: RequestError) -> SeedError:
    return statement.failed(error.message, is_unparsed=isinstance(error, CqlSyntaxError))
