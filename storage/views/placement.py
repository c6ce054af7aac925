"""Where the rows of views go. Where every node has everything, they stay where their base rows are: one record, one change.
Else each replica of a base row has one replica of the view's row to write to (cluster/paired_views.py); what is not here is
kept in the batch log, in the same record, until it is there.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from storage.mutation import PartitionUpdate


class Placed(NamedTuple):
    """What rows of views become: changes of this node's views; what remembers the others, to be logged and applied with
    these; what sends them, to be called when that is done."""

    here: Sequence[PartitionUpdate]
    kept: Sequence[PartitionUpdate] = ()
    send: Callable[[], None] = lambda: None


class Placement(Protocol):
    def has_others(self) -> bool:
        """Whether there are other nodes, which may bring rows of views here."""
        ...

    def is_here(self, keyspace: str) -> bool:
        """Whether every node has all of the keyspace, and no other is about to."""
        ...

    def is_owner(self, keyspace: str, key: bytes) -> bool:
        """Whether this node is a replica of a partition of the keyspace's."""
        ...

    def place(self, keyspace: str, key: bytes, rows: Sequence[PartitionUpdate]) -> Placed:
        """Of what follows from a change of the partition `key`."""
        ...
