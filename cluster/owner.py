"""Whoever owns a node of a cluster, as the node sees it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cluster.membership import MemberEvent
from cluster.ring import Node
from storage.mutation import PartitionUpdate
from storage.schema.metadata import Schema

if TYPE_CHECKING:
    from cluster.movements.mode import BootstrapState
    from cluster.streaming.ranges import TokenRange


class Owner:
    """What a cluster's node asks of whoever owns it."""

    def install_schema(self, schema: Schema, writes: Sequence[PartitionUpdate]) -> None:
        """Another node made this the schema; `writes` are what system_schema gets by it."""
        raise NotImplementedError

    def members_changed(self, events: Sequence[MemberEvent]) -> None:
        """The ring, or who of it is up."""
        raise NotImplementedError

    def peer_changed(self, node: Node) -> None:
        """A member said something new of itself that clients are told, too."""
        raise NotImplementedError

    def load_bytes(self) -> int:
        """What the node keeps on disk."""
        raise NotImplementedError

    def tokens_changed(self, node: Node) -> None:
        """The local node has other tokens from now on."""
        raise NotImplementedError

    def bootstrap_is(self, state: "BootstrapState") -> None:
        """How far the local node has come into the ring, or out of it: to be kept."""
        raise NotImplementedError

    def ranges_received(self, keyspace: str, ranges: "Sequence[TokenRange]") -> None:
        """Of a bootstrap: to be kept."""
        raise NotImplementedError
