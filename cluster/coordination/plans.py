"""Which replicas take part in a request, and how many of them must answer (locator/ReplicaPlans.java)."""

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.consistency import LOCAL_LEVELS, Consistency, quorum
from cluster.coordination.acknowledgements import Acknowledgements
from cluster.replication import NetworkTopologyStrategy, ReplicationStrategy
from cluster.ring import Node


@dataclass(frozen=True, slots=True, eq=False)
class WritePlan:
    """`replicas`: all of a token, those that are about to be ones too (`pending`); `live` those of them that are up;
    `has_local`: the coordinator is among these. `ring_number`: the coordinator's when the plan was made."""

    level: Consistency
    strategy: ReplicationStrategy
    datacenter: str
    required: int
    replicas: tuple[Node, ...]
    live: tuple[Node, ...]
    pending: tuple[Node, ...] = ()
    has_local: bool = False
    ring_number: int = 0

    def acknowledgements(self) -> Acknowledgements:
        return Acknowledgements(self.level, self.strategy, self.datacenter, self.required, self.replicas, self.pending)


@dataclass(frozen=True, slots=True, eq=False)
class ReadPlan:
    """`contacts` are asked, `spares` where those take too long, the nearest first; `required` must answer; `has_local`: the
    first of them is the coordinator."""

    level: Consistency
    required: int
    contacts: tuple[Node, ...]
    spares: tuple[Node, ...]
    has_local: bool = False


@dataclass(frozen=True, slots=True)
class Deciders:
    """Who decides about a partition: `voters` promise and accept, `quorum` of them; `level` is what the client calls that.
    `committed` of them must acknowledge a commit at `commit_level`; `others` get it too, `down` a hint. `are_settled`: no
    voter is about to become or to cease to be a replica, so that what a quorum of them has is what a read would find."""

    level: Consistency
    voters: tuple[Node, ...]
    quorum: int
    commit_level: Consistency
    committed: int
    others: tuple[Node, ...] = ()
    down: tuple[Node, ...] = ()
    are_settled: bool = False
    ring_number: int = 0
    """The coordinator's when they were chosen."""


def nearest_first(nodes: Sequence[Node], local: Node) -> list[Node]:
    """The coordinator, then those of its rack, of its datacenter, and the rest; else in the ring's order."""

    def distance(node: Node) -> int:
        if node == local:
            return 0
        if node.datacenter != local.datacenter:
            return 3
        return 1 if node.rack == local.rack else 2

    return sorted(nodes, key=distance)


def read_plan(
    level: Consistency, strategy: ReplicationStrategy, required: int, live: Sequence[Node], local: Node
) -> ReadPlan:
    """`live` replicas suffice for the level; the best come first."""
    candidates = list(live)
    if level in LOCAL_LEVELS:
        candidates = [node for node in candidates if node.datacenter == local.datacenter]
    if level is Consistency.EACH_QUORUM and isinstance(strategy, NetworkTopologyStrategy):
        left = {name: quorum(factor) for name, factor in strategy.factors.items()}
        contacts = []
        for node in candidates:
            if left.get(node.datacenter, 0) > 0:
                left[node.datacenter] -= 1
                contacts.append(node)
    else:
        contacts = candidates[:required]
    spares = tuple(node for node in candidates if node not in contacts)
    return ReadPlan(level, required, tuple(contacts), spares, bool(contacts) and contacts[0] == local)
