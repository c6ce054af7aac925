"""Removing a node that is dead: the others make up for its copies, then it is told of as gone (StorageService.removeNode,
Gossiper.assassinateEndpoint).

    removing     all others write to the new replicas too; each fetches what it gains from those who have it still
    removed      others forget the node
"""

import logging
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final
from uuid import UUID

from cluster.coordination.outcome import Outcome
from cluster.gossip.endpoint import ApplicationState, Endpoint
from cluster.gossip.status import Status, StatusValue
from cluster.internode.frames import Message
from cluster.internode.verbs import Verb
from cluster.movements.leaving import EXPIRES_MS
from cluster.movements.mode import Mode
from cluster.movements.movement import LOOK_S, Movement, Steps, Timers
from cluster.movements.plans import Ranges, changes, to_fetch, without
from cluster.ring import Node
from cluster.streaming.messages import Reason
from cluster.topology import Standing
from protocol.errors import CqlServerError, MovementRefused

if TYPE_CHECKING:
    from cluster.node import ClusterNode

log = logging.getLogger("cqlserver.cluster")

ASK_S: Final = 5.0
ASSASSINATION_S: Final = 4.0


class Order:
    """Has other nodes restore what a dead one had, until all have, or are down."""

    def __init__(
        self, nodes: list[Node], ask: Callable[[Node], None], is_alive: Callable[[Node], bool], now_s: float
    ) -> None:
        self.left = dict.fromkeys(nodes)
        self.outcome: Outcome[None] = Outcome()
        self.wake_s = now_s
        self._ask, self._is_alive = ask, is_alive

    @property
    def is_over(self) -> bool:
        return self.outcome.is_done

    def tick(self, now_s: float) -> None:
        self.left = {node: None for node in self.left if self._is_alive(node)}
        if not self.left:
            self.end()
            return
        self.wake_s = now_s + ASK_S
        for node in self.left:
            self._ask(node)

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if message.verb == Verb.DONE:
            self.left.pop(sender, None)
            if not self.left:
                self.wake_s = now_s

    def end(self) -> None:
        self.wake_s = inf
        self.outcome.settle(None)


class Removal(Movement):
    """Of the node with a host id, which is down."""

    def __init__(
        self, cluster: "ClusterNode", timers: Timers, set_mode: Callable[[Mode, str], None], host_id: UUID
    ) -> None:
        super().__init__(cluster, timers, set_mode)
        self._host_id = host_id
        self.order: Order | None = None
        self.dead: Node | None = None

    def check(self) -> None:
        cluster = self.cluster
        member = next((m for m in cluster.membership.topology.members if m.node.host_id == self._host_id), None)
        if member is None:
            raise MovementRefused("Host ID not found.")
        if member.standing is Standing.JOINING:
            raise MovementRefused("Node to be removed is not a member of the token ring")
        node = member.node
        if node == cluster.local:
            raise MovementRefused("Cannot remove self")
        if cluster.is_alive(node):
            raise MovementRefused(
                f"Node /{node.address}:{node.port} is alive and owns this ID. Use decommission command to remove it from "
                "the ring"
            )
        if member.standing is Standing.LEAVING:
            log.warning("Node /%s:%d is already being removed, continuing removal anyway", node.address, node.port)
        self.dead = node

    def run(self) -> Steps:
        cluster, dead = self.cluster, self.dead
        assert dead is not None
        endpoint = Endpoint(dead.address, dead.port)
        log.info("Removing host: %s", dead.host_id)
        delay_s = min(cluster.ring_delay_s, ASSASSINATION_S)
        log.info("Sleeping for %dms to ensure /%s does not change", delay_s * 1000, endpoint)
        yield from unchanged(self, endpoint, delay_s, f"Endpoint /{endpoint} generation changed while trying to remove it")
        log.info("Advertising removal for /%s", endpoint)
        cluster.speak_for(
            endpoint,
            {
                ApplicationState.STATUS_WITH_PORT: str(StatusValue(Status.REMOVING, (str(dead.host_id),))),
                ApplicationState.REMOVAL_COORDINATOR: f"REMOVER,{cluster.local.host_id}",
            },
        )
        yield self.after(delay_s + cluster.proxy.timeouts.write_s)
        order = self.order = self._ordered(dead)
        here = cluster.movements.restored(dead)
        yield order.outcome
        if not self.is_forced:
            yield here
        self.advertise_removed()

    is_forced = False

    def force(self) -> None:
        """Whoever has not made up for it will not."""
        self.is_forced = True
        if self.order is not None:
            left = ",".join(f"/{node.address}:{node.port}" for node in self.order.left)
            log.warning("Removal not confirmed for for %s", left)
            self.order.end()

    def advertise_removed(self) -> None:
        cluster, dead = self.cluster, self.dead
        assert dead is not None
        endpoint = Endpoint(dead.address, dead.port)
        log.info("Completing removal of /%s", endpoint)
        log.info("Removing tokens %s for /%s", sorted(dead.tokens), endpoint)
        expires_ms = cluster.engine.environment.clock.now_s() * 1000 + EXPIRES_MS
        status = StatusValue(Status.REMOVED, (str(dead.host_id), str(expires_ms)))
        cluster.speak_for(endpoint, {ApplicationState.STATUS_WITH_PORT: str(status)})

    def _ordered(self, dead: Node) -> Order:
        cluster = self.cluster
        ring = cluster.coordinator.ring
        nodes: dict[Node, None] = {}
        for strategy in self.strategies.values():
            if strategy.replication_factor > 1:  # of a single copy there is nothing to restore it from
                for change in changes(strategy, ring, without(ring, dead), cluster.local):
                    nodes.update(dict.fromkeys(change.gaining))
        nodes.pop(cluster.local, None)
        for node in nodes:
            if not cluster.is_alive(node):
                log.warning(
                    "Endpoint /%s:%d is down and will not receive data for re-replication of /%s",
                    node.address, node.port, dead.address,
                )  # fmt: skip
        operation_id = cluster.requests.next_id()

        def ask(node: Node) -> None:
            cluster.requests.send(node, Verb.RESTORE, operation_id, dead.host_id.bytes)

        order = Order(list(nodes), ask, cluster.is_alive, self.now_s)
        cluster.requests.begun(operation_id, order)
        return order

    @property
    def status(self) -> str:
        """nodetool removenode status."""
        if self.dead is None or self.outcome.is_done:
            return "No token removals in process."
        left = ",".join(f"/{node.address}" for node in (self.order.left if self.order is not None else ()))
        return f"Removing token ({min(self.dead.tokens)}). Waiting for replication confirmation from [{left}]."

    def failed(self, error: CqlServerError) -> None:
        log.error("%s", error)


class Restoring(Movement):
    """What this node gains when another one is gone."""

    def __init__(self, cluster: "ClusterNode", timers: Timers, set_mode: Callable[[Mode, str], None], dead: Node) -> None:
        super().__init__(cluster, timers, set_mode)
        self._dead = dead

    def run(self) -> Steps:
        cluster, dead = self.cluster, self._dead
        ring = cluster.coordinator.ring
        strategies = {name: strategy for name, strategy in self.strategies.items() if strategy.replication_factor > 1}

        def is_source(node: Node) -> bool:
            return node not in (dead, cluster.local) and cluster.is_alive(node)

        plan = to_fetch(strategies, ring, without(ring, dead), cluster.local, is_source, is_strict=False)
        yield self.fetched(plan, Reason.RESTORE_REPLICA_COUNT, _nothing)

    def failed(self, error: CqlServerError) -> None:
        log.warning("what /%s had is not restored yet: %s", self._dead.address, error)


def _nothing(ranges: Ranges) -> None:
    pass


class Assassination(Movement):
    """Has all forget a node at once, without its data being made up for."""

    def __init__(
        self, cluster: "ClusterNode", timers: Timers, set_mode: Callable[[Mode, str], None], address: str
    ) -> None:
        super().__init__(cluster, timers, set_mode)
        self._address = address

    def run(self) -> Steps:
        cluster = self.cluster
        known = [endpoint for endpoint in cluster.gossiper.endpoints if endpoint.address == self._address]
        endpoint = known[0] if known else Endpoint(self._address, cluster.endpoint.port)
        log.warning("Assassinating /%s via gossip", endpoint)
        if known:
            delay_s = cluster.ring_delay_s
            log.info("Sleeping for %dms to ensure /%s does not change", delay_s * 1000, endpoint)
            alive = f"Endpoint still alive: /{endpoint} generation changed while trying to assassinate it"
            yield from unchanged(self, endpoint, delay_s, alive, alive.replace("generation", "heartbeat"))
        member = cluster.membership.maybe_member(endpoint)
        tokens = member.node.tokens if member is not None else ()
        if not tokens:
            log.warning(
                "Trying to assassinate an endpoint /%s that does not have any tokens assigned. This should not have "
                "happened, trying to continue with a random token.", endpoint,
            )  # fmt: skip
        expires_ms = cluster.engine.environment.clock.now_s() * 1000 + EXPIRES_MS
        status = StatusValue(Status.LEFT, (str(tokens[0] if tokens else 0), str(expires_ms)))
        cluster.speak_for(endpoint, {ApplicationState.STATUS_WITH_PORT: str(status)})
        yield self.after(ASSASSINATION_S)
        log.warning("Finished assassinating /%s", endpoint)

    def failed(self, error: CqlServerError) -> None:
        log.error("%s", error)


def unchanged(movement: Movement, endpoint: Endpoint, delay_s: float, changed: str, beat: str | None = None) -> Steps:
    """Raises MovementRefused with `changed` where a node begins another life meanwhile, or with `beat` goes on with its
    own."""
    gossiper = movement.cluster.gossiper
    before = gossiper.maybe_state(endpoint)
    end_s = movement.now_s + delay_s
    while movement.now_s < end_s:
        yield movement.after(min(LOOK_S, delay_s))
        now = gossiper.maybe_state(endpoint)
        if before is None or now is None:
            continue
        if now.generation != before.generation:
            raise MovementRefused(changed)
        if beat is not None and now.heartbeat != before.heartbeat:
            raise MovementRefused(beat)
