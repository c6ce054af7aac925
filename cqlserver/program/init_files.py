"""--init: files of CQL and rows (cqlserver/seeding) that are executed before the port opens."""

import logging
from functools import partial
from pathlib import Path
from typing import Final

from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.program.seeder import Seeder
from cqlserver.seeding.errors import SeedError
from cqlserver.seeding.files import files_of, statements_of
from cqlserver.seeding.tables import TableName
from cqlserver.state import SYSTEM, ClientState
from protocol.types import COUNTER

log = logging.getLogger("cqlserver")

PROGRESS_S: Final = 2.0


def run_path(node: Node, path: Path) -> None:
    """Executes all statements of a file, or of a folder's files. Raises SeedError, OSError."""
    if path.is_dir():
        for script in sorted(path.glob("*.sh")):
            log.warning("%s is not run: only CQL and rows are", script)
    for file in files_of(path):
        state = ClientState("127.0.0.1", 0, version=5, user=SYSTEM)
        seeder = Seeder(node, state, statements_of(file, partial(is_counter, node, state)))
        is_under_way: bool | Pending[bool] = True
        while is_under_way:
            is_under_way = seeder.take_turn(PROGRESS_S)
            if isinstance(is_under_way, Pending):
                is_under_way = is_under_way.finish()
            elif is_under_way:
                log.info("%s: %d statements until now", file, seeder.count)
            if node.commit_log is not None:
                node.commit_log.write()
        log.info("%s: %d statements", file, seeder.count)


def is_counter(node: Node, state: ClientState, table: TableName, column: str) -> bool:
    """Whether it is a counter; of what does not exist the server will say so when the statement comes."""
    found = node.schema.maybe_table(table.keyspace or state.keyspace or "", table.name)
    return found is not None and any(known.name == column and known.type == COUNTER for known in found.columns)


__all__ = ["SeedError", "is_counter", "run_path"]
