"""The rows of system_auth, read and written as Cassandra does it: by statements of the server itself.

Among several nodes they are read and written at levels that settings say, those of the default superuser at QUORUM
(CassandraRoleManager.java, consistencyForRoleRead): whoever calls is in a strand then, or is asked again by one.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from cluster.consistency import Consistency
from cqlserver.guarding import guarding
from cqlserver.pending import Pending
from cqlserver.state import SYSTEM, ClientState
from protocol.requests import QueryOptions
from protocol.responses import RowsResult
from protocol.types import BOOLEAN, TEXT, SetType

if TYPE_CHECKING:
    from cqlserver.node import Node

DEFAULT_SUPERUSER: Final = "cassandra"
_TEXTS = SetType(TEXT, frozen=True)


class AuthTables:
    """Statements in the name of the server. `changes` counts those that write."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self.changes = 0
        self._read_level = Consistency[node.config.auth.read_level]
        self._write_level = Consistency[node.config.auth.write_level]
        self._state = ClientState("127.0.0.1", 0, version=5, user=SYSTEM)

    def rows(self, cql: str, *values: str) -> Iterator[dict[str, Any]]:
        """The rows of a SELECT, as Python values by name."""
        result = self._run(cql, values, self._read_level)
        assert isinstance(result, RowsResult)
        columns = result.metadata.columns
        for row in result.rows():
            yield {
                spec.name: None if value is None else spec.type.decode(value)
                for spec, value in zip(columns, row, strict=True)
            }

    def maybe_row(self, cql: str, *values: str) -> dict[str, Any] | None:
        return next(self.rows(cql, *values), None)

    def write(self, cql: str, *values: str | bool | frozenset[str]) -> None:
        self.changes += 1
        self._run(cql, values, self._write_level)

    def _run(self, cql: str, values: tuple[str | bool | frozenset[str], ...], level: Consistency) -> object:
        if self._node.is_alone:
            level = Consistency.ONE
        elif DEFAULT_SUPERUSER in values:
            level = Consistency.QUORUM
        options = QueryOptions(consistency=level, values=tuple(map(_encoded, values)))
        token = guarding.set(None)  # it may be in the midst of a client's request
        try:
            outcome = self._node.statements.query(self._state, cql, options)
            return outcome.finish() if isinstance(outcome, Pending) else outcome
        finally:
            guarding.reset(token)


def _encoded(value: str | bool | frozenset[str]) -> bytes:
    if isinstance(value, bool):
        return BOOLEAN.encode(value)
    if isinstance(value, str):
        return TEXT.encode(value)
    return _TEXTS.encode(sorted(value))
