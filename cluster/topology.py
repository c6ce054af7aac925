"""Who owns what, and who is about to: the ring as it is, and as it will be once those who join, leave and move are done.

Reads go by the ring as it is. Writes go to the pending replicas too, who will hold a token later: whoever waits for its data
must not miss what is written meanwhile (TokenMetadata.calculatePendingRanges). And when a range has changed hands, writes
go to who held it before for a while longer: not all have heard of it, and who has not reads there. Immutable: a change
makes a new one.
"""

from bisect import bisect_left
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
    """See the module. `former`: rings of a while ago, from which somebody may read still. Raises ValueError where two
    members own the same token."""

    def __init__(self, members: Iterable[Member], former: Iterable[Ring] = ()) -> None:
        self.members = tuple(members)
        self._former = tuple(former)
        self.ring = Ring(member.node for member in self.members if member.standing is not Standing.JOINING)

    def remembering(self, former: Iterable[Ring]) -> "Topology":
        return Topology(self.members, former)

    def has_arrived(self, before: "Topology") -> bool:
        """Whether somebody reads from a node now of whom it was told before that he joins or moves."""
        coming = {member.node for member in before.members if member.standing in (Standing.JOINING, Standing.MOVING)}
        return any(member.node in coming and member.standing is Standing.NORMAL for member in self.members)

    @cached_property
    def is_stable(self) -> bool:
        """Whether nobody is about to own anything, or has come to just now."""
        return not self._former and all(member.standing is Standing.NORMAL for member in self.members)

    @cached_property
    def _ends(self) -> list[int]:
        rings = (self.ring, self._left_ring, *self._arrivals, *self._former)
        return sorted({token for ring in rings for token in ring.tokens})

    def range_index(self, token: int) -> int:
        """Which of the ranges holds a token within which nobody gains or loses anything, in the order of their ends."""
        return bisect_left(self._ends, token) % len(self._ends)

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

    def former(self, token: int, strategy: ReplicationStrategy, local: Node) -> tuple[Node, ...]:
        """Who held the token a while ago and is still a member."""
        found = (replica for ring in self._former for replica in strategy.replicas(token, ring, local))
        members = {member.node for member in self.members}
        return tuple(node for node in dict.fromkeys(found) if node in members)
