"""--init: files of CQL and rows (cqlserver/seeding) that are executed before the port opens."""

import logging
from pathlib import Path

from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.seeding.errors import SeedError
from cqlserver.seeding.files import files_of, statements_of
from cqlserver.seeding.tables import TableName
from cqlserver.state import SYSTEM, ClientState
from protocol.errors import CqlSyntaxError, RequestError
from protocol.requests import QueryOptions
from protocol.types import COUNTER

log = logging.getLogger("cqlserver")


def run_path(node: Node, path: Path) -> None:
    """Executes all statements of a file, or of a folder's files. Raises SeedError, OSError."""
    if path.is_dir():
        for script in sorted(path.glob("*.sh")):
            log.warning("%s is not run: only CQL and rows are", script)
    for file in files_of(path):
        count = 0
        state = ClientState("127.0.0.1", 0, version=5, user=SYSTEM)
        for statement in statements_of(file, lambda table, column, state=state: is_counter(node, state, table, column)):  # type: ignore[misc]
            try:
                outcome = node.statements.query(state, statement.text, QueryOptions())
                if isinstance(outcome, Pending):
                    outcome.finish()
            except RequestError as error:
                raise statement.failed(error.message, is_unparsed=isinstance(error, CqlSyntaxError)) from error
            count += 1
        log.info("%s: %d statements", file, count)


def is_counter(node: Node, state: ClientState, table: TableName, column: str) -> bool:
    """Whether it is a counter; of what does not exist the server will say so when the statement comes."""
    found = node.schema.maybe_table(table.keyspace or state.keyspace or "", table.name)
    return found is not None and any(known.name == column and known.type == COUNTER for known in found.columns)


__all__ = ["SeedError", "is_counter", "run_path"]
