"""Bootstrap: a node comes into the ring, alone or in the place of one that is dead, with the data that is to be its own
(service/StorageService.java, joinTokenRing; dht/BootStrapper.java).

    waiting for ring information      somebody is up, and the schema is his; the others are met
    BOOT or BOOT_REPLACE              all others write to it what it will hold, and know that
    streaming                         from who loses a range, or who has it; what is complete is remembered (`resume`)
    NORMAL                            it is read from
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

from cluster.gossip.status import HIBERNATING, Status, StatusValue
from cluster.movements.mode import BootstrapState, Mode
from cluster.movements.movement import LOOK_S, Movement, Steps, Timers
from cluster.movements.plans import Ranges, having, to_fetch, without
from cluster.movements.tokens import bootstrap_tokens
from cluster.ring import Node
from cluster.streaming.messages import Reason
from cluster.streaming.ranges import TokenRange
from cluster.topology import Standing
from protocol.errors import CqlServerError, MovementRefused

if TYPE_CHECKING:
    from cluster.node import ClusterNode

log = logging.getLogger("cqlserver.cluster")

SETTLE_S: Final = 5.0
_GONE: Final = Node(UUID(int=0), "")
"""Who had the tokens of a node that comes in its own place: somebody else, whom nothing can be had from."""
_NOT_FORWARDED: Final = (
    "Writes will not be forwarded to this node during replacement because it has the same address as the node to be "
    "replaced (/%s). If the previous node has been down for longer than max_hint_window, repair must be run after the "
    "replacement process in order to make this node consistent."
)


class Joining(Movement):
    """See the module. `wanted`: what the node is told of its tokens; `replaced`: the address of the node whose place it
    takes."""

    def __init__(
        self,
        cluster: "ClusterNode",
        timers: Timers,
        set_mode: Callable[[Mode, str], None],
        replaced: str | None,
        received: dict[str, list[TokenRange]],
    ) -> None:
        super().__init__(cluster, timers, set_mode)
        self.replaced = replaced
        self._has_begun = False
        self._received = received
        """What is complete, by keyspace: filled as it comes, asked by the next attempt."""

    def run(self) -> Steps:
        cluster, mode = self.cluster, Mode.JOINING
        cluster.owner.bootstrap_is(BootstrapState.IN_PROGRESS)
        self._set_mode(mode, "waiting for ring information")
        yield from self._until(lambda: cluster.agrees_on_schema)
        yield from self._met()
        self._set_mode(mode, "schema complete, ready to bootstrap")
        self._check_others()
        dead = None
        if self._is_at_its_place:
            log.warning(_NOT_FORWARDED, cluster.local.address)
            dead = replace(_GONE, tokens=cluster.local.tokens, datacenter=cluster.local.datacenter, rack=cluster.local.rack)
            status = HIBERNATING
        elif self.replaced is None:
            self._set_mode(mode, "getting bootstrap token")
            cluster.take_tokens(bootstrap_tokens(cluster.tokens_wanted, cluster.coordinator.ring, cluster.local))
            status = StatusValue(Status.BOOTSTRAPPING, (str(cluster.local.tokens[0]),))
        else:
            log.info("Gathering node replacement information for /%s", self.replaced)
            yield self.after(min(cluster.ring_delay_s, SETTLE_S))  # if it lives, that is heard by then
            dead = self._dead(self.replaced)
            cluster.take_tokens(dead.tokens)
            status = StatusValue(Status.BOOTSTRAPPING_REPLACE, (dead.address,))
        delay_ms = round(cluster.ring_delay_s * 1000)
        self._set_mode(mode, f"sleeping {delay_ms} ms for pending range setup")
        yield from self.said(status)
        self._check_others()  # who began at the same time
        yield from self._stream(dead)

    @property
    def _is_at_its_place(self) -> bool:
        """Whether it takes the place of the node that was at its own address, as whom the others know it still."""
        return self.replaced == self.cluster.local.address

    def _stream(self, dead: Node | None) -> Steps:
        cluster = self.cluster
        self._has_begun = True
        self._set_mode(Mode.JOINING, "Starting to bootstrap...")
        before = cluster.coordinator.ring
        if self._is_at_its_place:
            assert dead is not None
            before = having(before, dead)
        after = having(before if dead is None else without(before, dead), cluster.local)
        yield from self.paxos_repaired("bootstrap", after)
        strategies = self.strategies
        is_strict = dead is None and cluster.is_movement_consistent
        plan = to_fetch(strategies, before, after, cluster.local, self._is_source, is_strict)
        yield self.fetched(self._left(plan), Reason.BOOTSTRAP, self._took)
        log.info("Bootstrap completed for tokens %s", sorted(cluster.local.tokens))
        self._set_mode(Mode.JOINING, "Finish joining ring")
        cluster.owner.bootstrap_is(BootstrapState.COMPLETED)
        cluster.say_status(StatusValue(Status.NORMAL, (str(cluster.local.tokens[0]),)))
        if dead is not None and not self._is_at_its_place:
            cluster.replaced(dead)
        self._set_mode(Mode.NORMAL, "")

    def failed(self, error: CqlServerError) -> None:
        if not self._has_begun:
            return  # whoever asked is told
        log.error("Error while waiting on bootstrap to complete. Bootstrap will have to be restarted. %s", error)
        self._set_mode(Mode.JOINING_FAILED, "")
        log.warning("Some data streaming failed. Use nodetool to check bootstrap state and resume. IN_PROGRESS")

    def _until(self, condition: Callable[[], bool]) -> Steps:
        deadline_s = self.now_s + self.cluster.ring_delay_s
        while not condition():
            if self.now_s >= deadline_s:
                raise MovementRefused("Unable to gossip with any peers")
            yield self.after(LOOK_S)

    def _met(self) -> Steps:
        """Who is known by hearsay alone is met, too: data is to come from him. A Cassandra waits for the ring delay."""
        deadline_s = self.now_s + self.cluster.ring_delay_s
        while self.now_s < deadline_s and not all(
            self.cluster.is_alive(node) for node in self.cluster.peers if node.address != self.replaced
        ):
            yield self.after(LOOK_S)

    def _check_others(self) -> None:
        moving = self.others_moving()
        if not moving or not self.cluster.is_movement_consistent:
            return

        def told(standing: Standing) -> str:
            if standing is Standing.JOINING:
                return ",".join(str(token) for member in moving.get(standing, ()) for token in member.node.tokens)
            if standing is Standing.MOVING:
                return ",".join(str(token) for member in moving.get(standing, ()) for token in member.new_tokens)
            return ",".join(f"/{member.node.address}:{member.node.port}" for member in moving.get(standing, ()))

        raise MovementRefused(
            "Other bootstrapping/leaving/moving nodes detected, cannot bootstrap while cassandra.consistent.rangemovement "
            f"is true. Nodes detected, bootstrapping: {told(Standing.JOINING)}; leaving: {told(Standing.LEAVING)}; moving: "
            f"{told(Standing.MOVING)};"
        )

    def _dead(self, address: str) -> Node:
        """The member at an address. Raises MovementRefused."""
        cluster = self.cluster
        for member in cluster.membership.topology.members:
            if member.node.address == address and member.standing is not Standing.JOINING:
                if cluster.is_alive(member.node):
                    raise MovementRefused("Cannot replace a live node... ")
                return member.node
        raise MovementRefused(f"Cannot replace_address /{address} because it doesn't exist in gossip")

    def _is_source(self, node: Node) -> bool:
        return node not in (self.cluster.local, _GONE) and self.cluster.is_alive(node)

    # --- what is complete ------------------------------------------------------------------------------------------------

    def _left(self, plan: dict[Node, Ranges]) -> dict[Node, Ranges]:
        """The plan without what is complete."""
        left: dict[Node, Ranges] = {}
        for node, ranges in plan.items():
            for keyspace, found in ranges.items():
                done = self._received.get(keyspace, [])
                lacking = [piece for piece in found if piece not in done]
                if lacking:
                    left.setdefault(node, {})[keyspace] = lacking
        return left

    def _took(self, ranges: Ranges) -> None:
        for keyspace, found in ranges.items():
            self._received.setdefault(keyspace, []).extend(found)
            self.cluster.owner.ranges_received(keyspace, found)
