"""Replication strategies: which nodes hold a token's partitions, as locator/*Strategy.java chooses them.

A strategy may say more copies than there are nodes: the replicas are then fewer than the replication factor, and the
consistency levels still count by the factor (consistency.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cluster.ring import Node, Ring
from protocol.errors import ConfigurationError

_PACKAGE = "org.apache.cassandra.locator."


class ReplicationStrategy(Protocol):
    @property
    def java_class(self) -> str: ...

    @property
    def replication_factor(self) -> int:
        """Copies over all datacenters."""

    def replicas(self, token: int, ring: Ring, local: Node) -> tuple[Node, ...]:
        """The nodes that hold a token, in the ring's order. `local` is who asks."""


@dataclass(frozen=True, slots=True)
class SimpleStrategy:
    """The next nodes on the ring, wherever they stand."""

    replication_factor: int
    java_class: str = _PACKAGE + "SimpleStrategy"

    def replicas(self, token: int, ring: Ring, local: Node) -> tuple[Node, ...]:
        found: dict[Node, None] = {}
        for node in ring.walk(token):
            if len(found) >= self.replication_factor:
                break
            found[node] = None
        return tuple(found)


@dataclass(frozen=True, slots=True)
class NetworkTopologyStrategy:
    """So many copies per datacenter, in as many racks as there are."""

    factors: Mapping[str, int]
    java_class: str = _PACKAGE + "NetworkTopologyStrategy"

    @property
    def replication_factor(self) -> int:
        return sum(self.factors.values())

    def replicas(self, token: int, ring: Ring, local: Node) -> tuple[Node, ...]:
        wanted = {name: _Datacenter(name, factor, ring) for name, factor in self.factors.items() if factor > 0}
        open_count = sum(1 for datacenter in wanted.values() if datacenter.missing > 0)
        found: dict[Node, None] = {}
        for node in ring.walk(token):
            if not open_count:
                break
            datacenter = wanted.get(node.datacenter)
            if datacenter is not None and node not in found and datacenter.takes(node):
                found[node] = None
                open_count -= datacenter.missing == 0
        return tuple(found)


class _Datacenter:
    """What is still missing in one datacenter while the ring is walked."""

    __slots__ = ("missing", "racks", "repeats")

    def __init__(self, name: str, factor: int, ring: Ring) -> None:
        nodes = [node for node in ring.nodes if node.datacenter == name and node.tokens]
        self.missing = min(factor, len(nodes))
        # a rack that has a copy already gets another only where there are more copies than racks
        self.repeats = factor - len({node.rack for node in nodes})
        self.racks: set[str] = set()

    def takes(self, node: Node) -> bool:
        if not self.missing:
            return False
        if node.rack not in self.racks:
            self.racks.add(node.rack)
        elif self.repeats > 0:
            self.repeats -= 1
        else:
            return False
        self.missing -= 1
        return True


@dataclass(frozen=True, slots=True)
class LocalStrategy:
    """Each node keeps its own: system and system_schema."""

    replication_factor: int = 1
    java_class: str = _PACKAGE + "LocalStrategy"

    def replicas(self, token: int, ring: Ring, local: Node) -> tuple[Node, ...]:
        return (local,)


def strategy_of(replication: Mapping[str, str]) -> ReplicationStrategy:
    """The strategy of KeyspaceParams.replication, whose options DDL has validated."""
    name = replication["class"].rsplit(".", 1)[-1]
    if name == "SimpleStrategy":
        return SimpleStrategy(int(replication["replication_factor"]))
    if name == "NetworkTopologyStrategy":
        return NetworkTopologyStrategy({dc: int(factor) for dc, factor in replication.items() if dc != "class"})
    if name == "LocalStrategy":
        return LocalStrategy()
    raise ConfigurationError(f"Unable to find replication strategy class '{replication['class']}'")
