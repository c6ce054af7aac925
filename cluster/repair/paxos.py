"""Unfinished rounds of Paxos, finished: what a replica has accepted, and does not know as decided, is decided, or will never
be (service/paxos/cleanup/PaxosCleanupLocalCoordinator.java, service/paxos/PaxosRepair.java).

Of each such partition the replica has a round like that of a serial read: it asks a quorum for promises, gets done what one
of them has accepted, or else has nothing decided, so that nothing from before can be any more. Where all replicas of a range
have done so, nothing in it is half decided that was begun before.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from cluster.consistency import Consistency
from cluster.coordination.deciding import DecidingOperation
from cluster.coordination.outcome import Outcome
from cluster.coordinator import Coordinator
from cluster.paxos.encoding import PaxosKey
from cluster.paxos.proposer import Decided
from cluster.repair.asking import RepairFailed
from cluster.rounds import Rounds
from protocol.errors import RequestError
from storage.engine import Engine
from storage.token import token

TRIES_MAX: Final = 3
"""Of one partition: a round may meet others, or a node that dies."""
Begin = Callable[[UUID, bytes], DecidingOperation]


def begin_round(engine: Engine, coordinator: Coordinator, rounds: Rounds, table_id: UUID, key: bytes) -> DecidingOperation:
    """Raises Unavailable."""
    keyspace = engine.schema.keyspaces[engine.stores[table_id].table.keyspace]
    deciders = coordinator.serial_readers(keyspace, Consistency.SERIAL.value, token(key))
    return rounds.decide(PaxosKey(table_id.bytes, key), deciders, is_read=True)


class Finishing:
    """Of some partitions of a table, one after the other. Fails with RepairFailed."""

    def __init__(self, table_id: UUID, keys: Sequence[bytes], begin: Begin, rounds: Rounds) -> None:
        self._table_id, self._left, self._begin, self._rounds = table_id, list(keys), begin, rounds
        self._tries = 0
        self.outcome: Outcome[None] = Outcome()

    def start(self) -> None:
        if not self._left:
            self.outcome.settle(None)
            return
        try:
            operation = self._begin(self._table_id, self._left[-1])
        except RequestError as error:
            self.outcome.fail(RepairFailed(str(error)))
            return
        operation.event.when_done(partial(self._happened, operation))

    def _happened(self, operation: DecidingOperation) -> None:
        error = operation.event.error
        if error is not None:
            self._tries += 1
            if self._tries < TRIES_MAX:
                self.start()
            else:
                self.outcome.fail(RepairFailed(str(error)))
        elif isinstance(operation.event.result, Decided):
            self._left.pop()
            self._tries = 0
            self.start()
        else:
            self._rounds.propose(operation, None)
            operation.event.when_done(partial(self._happened, operation))
