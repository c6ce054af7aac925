"""What operators do meanwhile: they have clients listened to, look at metrics and logs, keep the state and bring it back."""

from collections.abc import Callable
from typing import Final, TypeVar

import trio

from cqlserver.audit.logs import audit_logs_of
from cqlserver.audit.options import LOGGERS, AuditLogOptions, FullQueryLogOptions
from cqlserver.control import verbs
from cqlserver.control.context import Control
from cqlserver.metrics.exposition import pieces
from cqlserver.node import Node
from cqlserver.query_log.entries import described, entries
from cqlserver.query_log.habits import findings
from cqlserver.query_log.recording import QueryLog

T = TypeVar("T")

OBSERVED: Final = "-- what clients ask is logged"
LOOK: Final = "look at metrics and logs"
SNAPSHOT, RESTORE, RESTORE_ROWS, RESET = "snapshot", "restore", "restore without schema", "reset"
VERBS: Final = (SNAPSHOT, RESTORE, RESTORE_ROWS, RESET)
"""Parts of cases that are no statements."""
_LOG_BYTES: Final = 1 << 16
"""Of the files of one log: the oldest of them go now and then."""
_NAME: Final = "kept"


def observe(node: Node) -> None:
    """Has the query log, the audit log and the full query log written."""
    node.record(QueryLog({}))
    logs = audit_logs_of(node)
    logger = LOGGERS[node.durable]  # binary, or lines
    logs.enable_audit(AuditLogOptions(enabled=True, logger=logger, audit_logs_dir="/audit", max_log_size=_LOG_BYTES))
    logs.enable_full_query(FullQueryLogOptions(log_dir="/queries", max_log_size=_LOG_BYTES))


def look(node: Node) -> None:
    """At everything there is to be seen."""
    for _ in pieces(node):
        pass
    if node.query_log is not None:
        found = list(entries(node.query_log, 0))
        for entry in found:
            described(entry, node.schema)
        findings(found, node.schema)


class Operator:
    """Of one node in one life: what it keeps goes with the process."""

    def __init__(self, node: Node) -> None:
        self._node, self._control = node, Control(node, _Alone())

    def do(self, what: str) -> None:
        """One of `VERBS`."""
        if what not in (SNAPSHOT, RESET) and _NAME not in self._control.snapshots:
            return
        trio.run(self._do, what)

    async def _do(self, what: str) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._work_forever)
            match what:
                case "snapshot":
                    await verbs.snapshot(self._control, name=_NAME, keyspace=None)
                case "reset":
                    await verbs.reset(self._control, schema=False, keyspace=None)
                    await self._control.settle()
                case _:
                    await verbs.restore(self._control, name=_NAME, schema=what == RESTORE)
            nursery.cancel_scope.cancel()

    async def _work_forever(self) -> None:
        while True:
            self._node.engine.background.finish()
            await trio.lowlevel.checkpoint()


class _Alone:
    """Nobody else asks anything."""

    takes_clients = True

    async def exclusively(self, action: Callable[[], T]) -> T:
        return action()

    def turn_away(self) -> None:
        pass

    def take_again(self) -> None:
        pass
