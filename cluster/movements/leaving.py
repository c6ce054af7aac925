"""Decommission: a node gives its ranges to who will hold them, and leaves the ring (StorageService.java, decommission).

    LEAVING      all others write to the new replicas too, and know that
    streaming    to who gains a range; batches that it keeps are written
    LEFT         nobody reads from it; others forget it
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cluster.gossip.status import Status, StatusValue
from cluster.movements.mode import BootstrapState, Mode
from cluster.movements.movement import Movement, Steps, Timers
from cluster.movements.plans import to_push, without
from cluster.replication import NetworkTopologyStrategy
from cluster.streaming.messages import Reason
from cluster.topology import Standing
from protocol.errors import CqlServerError, MovementRefused

if TYPE_CHECKING:
    from cluster.node import ClusterNode

log = logging.getLogger("cqlserver.cluster")

EXPIRES_MS: Final = 3 * 86_400_000
"""How long others tell each other that a node has left (Gossiper.aVeryLongTime)."""


class Decommission(Movement):
    def __init__(
        self, cluster: "ClusterNode", timers: Timers, set_mode: Callable[[Mode, str], None], is_forced: bool
    ) -> None:
        super().__init__(cluster, timers, set_mode)
        self._is_forced = is_forced

    def check(self) -> None:
        cluster, local = self.cluster, self.cluster.local
        ring = cluster.coordinator.ring
        if local not in ring.nodes:
            raise MovementRefused("local node is not a member of the token ring yet")
        left = without(ring, local, *(member.node for member in self.others_moving().get(Standing.LEAVING, ())))
        if not left.nodes:
            raise MovementRefused("no other normal nodes in the ring; decommission would be pointless")
        if self.others_moving() and cluster.is_movement_consistent:
            raise MovementRefused("data is currently moving to this node; unable to leave the ring")
        if self._is_forced:
            return
        for keyspace, strategy in self.strategies.items():
            if isinstance(strategy, NetworkTopologyStrategy):
                factor = strategy.factors.get(local.datacenter, 0)
                count = sum(1 for node in ring.nodes if node.datacenter == local.datacenter)
            else:
                factor, count = strategy.replication_factor, len(ring.nodes)
            if count <= factor:
                raise MovementRefused(
                    f"Not enough live nodes to maintain replication factor in keyspace {keyspace} (RF = {factor}, "
                    f"N = {count}). Perform a forceful decommission to ignore."
                )

    def run(self) -> Steps:
        cluster, mode = self.cluster, Mode.LEAVING
        token = str(cluster.local.tokens[0])
        delay_ms = round(cluster.ring_delay_s * 1000)
        self._set_mode(mode, f"sleeping {delay_ms} ms for batch processing and pending range setup")
        yield self.said(StatusValue(Status.LEAVING, (token,)))
        yield self.after(cluster.proxy.timeouts.write_s)
        self._set_mode(mode, "replaying batch log and streaming data to other nodes")
        cluster.batchlog.replay(0.0)
        ring = cluster.coordinator.ring
        yield self.pushed(to_push(self.strategies, ring, without(ring, cluster.local), cluster.local), Reason.DECOMMISSION)
        cluster.owner.bootstrap_is(BootstrapState.NEEDS_BOOTSTRAP)
        expires_ms = cluster.engine.environment.clock.now_s() * 1000 + EXPIRES_MS
        log.info("Announcing that I have left the ring for %dms", delay_ms)
        yield self.said(StatusValue(Status.LEFT, (token, str(expires_ms))))
        cluster.owner.bootstrap_is(BootstrapState.DECOMMISSIONED)
        self._set_mode(Mode.DECOMMISSIONED, "")

    def failed(self, error: CqlServerError) -> None:
        self._set_mode(Mode.DECOMMISSION_FAILED, "")
        log.error("Error while decommissioning node: %s", error)
