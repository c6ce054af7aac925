"""Rows of views among nodes: each replica of a base row writes to one replica of the view's row, so that all of these get it
once (db/view/ViewUtils.java, StorageProxy.mutateMV).

    the node is a replica of both           it writes to itself
    else, in its datacenter                 the n-th of those that hold the base row alone to the n-th of those that hold the
                                            view's row alone
    none is found                           the ring is changing: the batch log does it a while later

Nobody waits for it: the batch log of this node has what others are to get, in the record of the base row's change, and
forgets it when they have acknowledged. Nodes that are about to hold the view's row get it too.
"""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from cluster.batchlog import Batchlog
from cluster.consistency import Consistency
from cluster.coordination.outcome import Outcome
from cluster.coordination.plans import WritePlan
from cluster.coordinator import Coordinator
from cluster.replication import NetworkTopologyStrategy, ReplicationStrategy
from cluster.ring import Node
from storage.engine import Engine
from storage.environment.environment import TimeUuidSource
from storage.mutation import PartitionUpdate
from storage.token import token
from storage.views.placement import Placed


class Writes(Protocol):
    """cluster/coordination/proxy.py."""

    def write(self, plan: WritePlan, mutations: Sequence[bytes], write_type: str) -> Outcome[None]: ...


class PairedViews:
    """A storage/views/placement.py `Placement`. What it sends leaves with the output of the go."""

    def __init__(
        self,
        engine: Engine,
        coordinator: Coordinator,
        batchlog: Batchlog,
        writes: Writes,
        timeuuids: TimeUuidSource,
    ) -> None:
        self._engine, self._coordinator, self._batchlog = engine, coordinator, batchlog
        self._writes, self._timeuuids = writes, timeuuids

    def has_others(self) -> bool:
        topology = self._coordinator.topology
        return topology is not None and len(topology.members) > 1

    def is_here(self, keyspace: str) -> bool:
        topology, nodes = self._coordinator.topology, self._coordinator.ring.nodes
        if topology is not None and not topology.is_stable:
            return False
        strategy = self._strategy(keyspace)
        if isinstance(strategy, NetworkTopologyStrategy):
            return all(strategy.factors.get(node.datacenter, 0) >= _count(nodes, node.datacenter) for node in nodes)
        return strategy.replication_factor >= len(nodes)

    def is_owner(self, keyspace: str, key: bytes) -> bool:
        return self._coordinator.local in self._natural(self._strategy(keyspace), key)

    def place(self, keyspace: str, key: bytes, rows: Sequence[PartitionUpdate]) -> Placed:
        strategy, coordinator = self._strategy(keyspace), self._coordinator
        base = self._natural(strategy, key)
        here: list[PartitionUpdate] = []
        elsewhere: list[tuple[tuple[Node, ...], bytes]] = []
        for update in rows:
            natural = self._natural(strategy, update.key)
            paired = maybe_paired(strategy, base, natural, coordinator.local)
            pending = coordinator.pending(strategy, token(update.key), natural)
            if paired == coordinator.local:
                here.append(update)
                receivers = pending
            else:
                receivers = () if paired is None else (paired, *(node for node in pending if node != paired))
            if receivers or paired is None:
                elsewhere.append((receivers, update.encode()))
        if not elsewhere:
            return Placed(here)
        batch_id = self._timeuuids.bytes()
        kept = self._batchlog.update_of(batch_id, [mutation for _, mutation in elsewhere])
        return Placed(here, (kept,), lambda: self._send(strategy, batch_id, elsewhere))

    def _send(
        self, strategy: ReplicationStrategy, batch_id: bytes, elsewhere: Sequence[tuple[tuple[Node, ...], bytes]]
    ) -> None:
        left = len(elsewhere)

        def ended(outcome: Outcome[None]) -> None:
            nonlocal left
            left -= outcome.error is None
            if not left:
                self._batchlog.remove(batch_id)

        coordinator = self._coordinator
        for receivers, mutation in elsewhere:
            live = tuple(node for node in receivers if coordinator.is_alive(node))
            if receivers:
                datacenter = coordinator.local.datacenter
                # as many as there are: a hint counts for none
                required, number = len(receivers), coordinator.ring_number
                plan = WritePlan(Consistency.ALL, strategy, datacenter, required, receivers, live, ring_number=number)
                outcome = self._writes.write(plan, (mutation,), "BATCH")
                outcome.when_done(partial(ended, outcome))

    def _strategy(self, keyspace: str) -> ReplicationStrategy:
        return self._coordinator.strategy(self._engine.schema.keyspaces[keyspace])

    def _natural(self, strategy: ReplicationStrategy, key: bytes) -> tuple[Node, ...]:
        return strategy.replicas(token(key), self._coordinator.ring, self._coordinator.local)


def maybe_paired(strategy: ReplicationStrategy, base: Sequence[Node], view: Sequence[Node], local: Node) -> Node | None:
    """The replica of a view's row that the local node writes to, as a replica of the base row; None where it is none."""
    if local in view:
        return local

    def in_reach(node: Node) -> bool:
        return not isinstance(strategy, NetworkTopologyStrategy) or node.datacenter == local.datacenter

    givers = [node for node in base if node not in view and in_reach(node)]
    takers = [node for node in view if node not in base and in_reach(node)]
    place = givers.index(local) if local in givers else len(takers)
    return takers[place] if place < len(takers) else None


def _count(nodes: Sequence[Node], datacenter: str) -> int:
    return sum(node.datacenter == datacenter for node in nodes)
