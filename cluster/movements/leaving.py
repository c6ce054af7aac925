"""Decommission: a node gives its ranges to who will hold them, and leaves the ring (StorageService.java, decommission).

    LEAVING      all others write to the new replicas too, and know that
    streaming    to who gains a range; batches that it keeps are written, hints are handed over
    LEFT         nobody reads from it; others forget it
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cluster.coordination.outcome import Outcome
from cluster.coordination.plans import nearest_first
from cluster.gossip.status import Status, StatusValue
from cluster.hint_transfer import HintTransfer
from cluster.movements.mode import BootstrapState, Mode
from cluster.movements.movement import Movement, Steps, Timers
from cluster.movements.plans import to_push, without
from cluster.replication import NetworkTopologyStrategy
from cluster.ring import Node
from cluster.streaming.messages import Reason
from cluster.topology import Standing
from protocol.errors import CqlServerError, MovementRefused

if TYPE_CHECKING:
    from cluster.node import ClusterNode

log = logging.getLogger("cqlserver.cluster")

RETRY_S: Final = 10.0
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
        yield from self.said(StatusValue(Status.LEAVING, (token,)))
        self._set_mode(mode, "replaying batch log and streaming data to other nodes")
        ring = cluster.coordinator.ring
        yield from self.paxos_repaired("decommission", ring)
        cluster.batchlog.replay(0.0)
        yield self.pushed(to_push(self.strategies, ring, without(ring, cluster.local), cluster.local), Reason.DECOMMISSION)
        if cluster.transfers_hints:
            self._set_mode(mode, "streaming hints to other nodes")
            yield from self._transfer_hints()
        else:
            self._set_mode(mode, "pausing dispatch and deleting hints")
            cluster.hints.is_enabled, cluster.hints.is_paused = False, True
            for host_id in list(cluster.hints.host_ids()):
                cluster.hints.forget(host_id)
        cluster.owner.bootstrap_is(BootstrapState.NEEDS_BOOTSTRAP)
        expires_ms = cluster.engine.environment.clock.now_s() * 1000 + EXPIRES_MS
        log.info("Announcing that I have left the ring for %dms", delay_ms)
        yield from self.said(StatusValue(Status.LEFT, (token, str(expires_ms))))
        cluster.owner.bootstrap_is(BootstrapState.DECOMMISSIONED)
        self._set_mode(Mode.DECOMMISSIONED, "")

    def _transfer_hints(self) -> Steps:
        """To the nearest who stays; once more, maybe to another one, where that fails."""
        cluster = self.cluster
        for is_last in (False, True):
            if next(cluster.hints.host_ids(), None) is None:
                return
            leaving = [member.node for member in self.others_moving().get(Standing.LEAVING, ())]
            candidates = [node for node in cluster.live_peers if node not in leaving]
            if not candidates:
                log.warning("Unable to stream hints since no live endpoints seen")
                raise MovementRefused("Unable to stream hints since no live endpoints seen")
            target = nearest_first(candidates, cluster.local)[0]
            log.info("Transferring all hints to /%s:%d: %s", target.address, target.port, target.host_id)
            try:
                yield self._hints_taken_by(target)
                return
            except MovementRefused:
                told = f"Failed to transfer all hints to /{target.address}:{target.port}: {target.host_id}"
                if is_last:
                    log.error("%s", told)
                    raise
                log.warning("%s; will retry in %d seconds", told, RETRY_S)
            yield self.after(RETRY_S)

    def _hints_taken_by(self, target: Node) -> Outcome[None]:
        cluster = self.cluster
        operation_id = cluster.requests.next_id()
        transfer = HintTransfer(cluster.hints, cluster.requests, target, operation_id)
        transfer.start(self.now_s)
        cluster.requests.begun(operation_id, transfer)
        return transfer.outcome

    def failed(self, error: CqlServerError) -> None:
        self._set_mode(Mode.DECOMMISSION_FAILED, "")
        log.error("Error while decommissioning node: %s", error)
