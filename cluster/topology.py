"""Who owns what, and who is about to: the ring as it is, and as it will be once those who join, leave and move are done.

Reads go by the ring as it is. Writes go to the pending replicas too, who will hold a token later: whoever waits for its data
must not miss what is written meanwhile (TokenMetadata.calculatePendingRanges). Immutable: a change makes a new one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from cluster.replication import ReplicationStrategy
from cluster.ring import Node, Ring


class Standing(Enum):
    JOINING = "joining"
    NORMAL = "normal"
    LEAVING = "leaving"
    MOVING = "moving"


@dataclass(frozen=True, slots=True)
class Member:
    """`node.tokens` are those that it owns, or will once it has joined; `new_tokens` those that it moves to. `replaces`: the
    node whose place it takes when it has joined."""

    node: Node
    standing: Standing
    new_tokens: tuple[int, ...] = ()
    replaces: Node | None = None


class Topology:
    """See the module. Raises ValueError where two members own the same token."""

    def __init__(self, members: Iterable[Member]) -> None:
        self.members = tuple(members)
        self.ring = Ring(member.node for member in self.members if member.standing is not Standing.JOINING)

    @cached_property
    def is_stable(self) -> bool:
        """Whether nobody is about to own anything."""
        return all(member.standing is Standing.NORMAL for member in self.members)

    @cached_property
    def _left(self) -> list[Node]:
        """Who is there when all that leave have left."""
        staying = (Standing.NORMAL, Standing.MOVING)
        return [member.node for member in self.members if member.standing in staying]

    @cached_property
    def _left_ring(self) -> Ring:
        return Ring(self._left)

    @cached_property
    def _arrivals(self) -> list[Ring]:
        """Of each that joins or moves the ring as it is when this one alone has arrived: what becomes of the others is
        not known yet."""
        arrivals = []
        for member in self.members:
            others = [node for node in self._left if node not in (member.node, member.replaces)]
            if member.standing is Standing.JOINING:
                arrivals.append(Ring([*others, member.node]))
            elif member.standing is Standing.MOVING:
                old = member.node
                moved = Node(old.host_id, old.address, old.datacenter, old.rack, member.new_tokens, old.port)
                arrivals.append(Ring([*others, moved]))
        return arrivals

    def replicas(self, token: int, strategy: ReplicationStrategy, local: Node) -> tuple[Node, ...]:
        return strategy.replicas(token, self.ring, local)

    def pending(self, token: int, strategy: ReplicationStrategy, local: Node) -> tuple[Node, ...]:
        """Who will hold the token and does not yet."""
        if self.is_stable:
            return ()
        now = self.replicas(token, strategy, local)
        later = (replica for ring in (self._left_ring, *self._arrivals) for replica in strategy.replicas(token, ring, local))
        return tuple(node for node in dict.fromkeys(later) if node not in now)
