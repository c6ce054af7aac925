"""A node takes another token, or has its data anew (StorageService.java, move and rebuild).

    MOVING       all others write to who will hold a range, and know that
    streaming    what it gains comes from who loses it, what it loses goes to who gains it
    NORMAL       with the new token
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cluster.coordination.outcome import all_of
from cluster.coordination.plans import nearest_first
from cluster.gossip.status import Status, StatusValue
from cluster.movements.mode import Mode
from cluster.movements.movement import Movement, Steps, Timers
from cluster.movements.plans import Ranges, having, to_fetch, to_push
from cluster.ring import Node
from cluster.streaming.messages import Reason
from cluster.streaming.ranges import TokenRange, contains, owned_ranges
from protocol.errors import CqlServerError, MovementRefused

if TYPE_CHECKING:
    from cluster.node import ClusterNode

log = logging.getLogger("cqlserver.cluster")


class Move(Movement):
    def __init__(
        self, cluster: "ClusterNode", timers: Timers, set_mode: Callable[[Mode, str], None], token: int
    ) -> None:
        super().__init__(cluster, timers, set_mode)
        self._token = token

    def check(self) -> None:
        cluster = self.cluster
        if self._token in cluster.coordinator.ring.tokens:
            raise MovementRefused(f"target token {self._token} is already owned by another node.")
        if len(cluster.local.tokens) > 1:
            log.error("Invalid request to move(Token); This node has more than one token and cannot be moved thusly.")
            raise MovementRefused("This node has more than one token and cannot be moved thusly.")
        if self.others_moving() and cluster.is_movement_consistent:
            raise MovementRefused("data is currently moving to this node; unable to leave the ring")

    def run(self) -> Steps:
        cluster, mode, local = self.cluster, Mode.MOVING, self.cluster.local
        self._set_mode(mode, f"Moving /{cluster.endpoint} from {local.tokens[0]} to {self._token}.")
        delay_ms = round(cluster.ring_delay_s * 1000)
        self._set_mode(mode, f"Sleeping {delay_ms} ms before start streaming/fetching ranges")
        yield from self.said(StatusValue(Status.MOVING, (str(self._token),)))
        before, strategies = cluster.coordinator.ring, self.strategies
        after = having(before, replace(local, tokens=(self._token,)))
        yield from self.paxos_repaired("move", before, after)

        def is_source(node: Node) -> bool:
            return node != local and cluster.is_alive(node)

        fetches = to_fetch(strategies, before, after, local, is_source, cluster.is_movement_consistent)
        pushes = to_push(strategies, before, after, local)
        if fetches or pushes:
            self._set_mode(mode, "fetching new ranges and streaming old ranges")
            fetched = self.fetched(fetches, Reason.RELOCATION, lambda ranges: None)
            yield all_of([fetched, self.pushed(pushes, Reason.RELOCATION)])
        else:
            self._set_mode(mode, "No ranges to fetch/stream")
        cluster.take_tokens((self._token,))
        cluster.say_status(StatusValue(Status.NORMAL, (str(self._token),)))
        self._set_mode(Mode.NORMAL, "")

    def failed(self, error: CqlServerError) -> None:
        log.error("Interrupted while waiting for stream/fetch ranges to finish: %s", error)
        self.cluster.say_status(StatusValue(Status.NORMAL, (str(self.cluster.local.tokens[0]),)))
        self._set_mode(Mode.NORMAL, "")


class Rebuild(Movement):
    """Of what this node owns, from nodes of a datacenter, or of any."""

    def __init__(
        self,
        cluster: "ClusterNode",
        timers: Timers,
        set_mode: Callable[[Mode, str], None],
        datacenter: str | None = None,
        keyspace: str | None = None,
        ranges: Sequence[TokenRange] = (),
        sources: Sequence[str] = (),
        excludes_local_datacenter: bool = False,
    ) -> None:
        super().__init__(cluster, timers, set_mode)
        self._datacenter, self._keyspace, self._ranges, self._sources = datacenter, keyspace, ranges, sources
        self._excludes_local = excludes_local_datacenter

    def check(self) -> None:
        ring, local = self.cluster.coordinator.ring, self.cluster.local
        if self._datacenter is not None and self._datacenter == local.datacenter and self._excludes_local:
            raise MovementRefused(
                "Cannot set source data center to be local data center, when excludeLocalDataCenter flag is set"
            )
        if self._datacenter is not None and self._datacenter not in ring.datacenters:
            raise MovementRefused(
                f"Provided datacenter '{self._datacenter}' is not a valid datacenter, available datacenters are: "
                + ",".join(ring.datacenters)
            )
        if self._keyspace is None and self._ranges:
            raise MovementRefused("Cannot specify tokens without keyspace.")
        if local.address in self._sources:
            raise MovementRefused(
                "This host was specified as a source for rebuilding. Sources for a rebuild can only be other nodes in the "
                "cluster."
            )

    def run(self) -> Steps:
        every = "(All tokens)" if not self._ranges else ", ".join(map(str, self._ranges))
        keyspace = self._keyspace or "(All keyspaces)"
        log.info("rebuild from dc: %s, %s, %s", self._datacenter or "(any dc)", keyspace, every)
        yield from self.paxos_repaired("rebuild", self.cluster.coordinator.ring)
        yield self.fetched(self._plan(), Reason.REBUILD, lambda ranges: None)

    def _plan(self) -> dict[Node, Ranges]:
        cluster, local = self.cluster, self.cluster.local
        ring = cluster.coordinator.ring
        found: dict[Node, Ranges] = {}
        for name, strategy in self.strategies.items():
            if self._keyspace not in (None, name):
                continue
            owned = owned_ranges(strategy, ring, local)
            for piece in self._of_these(owned):
                replicas = nearest_first(strategy.replicas(piece.end, ring, local), local)
                source = next((node for node in replicas if self._is_source(node)), None)
                if source is None:
                    raise MovementRefused(
                        f"Unable to find sufficient sources for streaming range {piece} in keyspace {name}"
                        + (
                            " with RF=1. Ensure this keyspace contains replicas in the source datacenter."
                            if strategy.replication_factor == 1
                            else ""
                        )
                    )
                found.setdefault(source, {}).setdefault(name, []).append(piece)
        return found

    def _of_these(self, owned: Sequence[TokenRange]) -> Sequence[TokenRange]:
        for piece in self._ranges:
            if not any(contains(one, piece.end) and _from(one, piece.start) <= _from(one, piece.end) for one in owned):
                raise MovementRefused(
                    f"The specified range {piece} is not a range that is owned by this node. Please ensure that all token "
                    "ranges specified to be rebuilt belong to this node."
                )
        return self._ranges or owned

    def _is_source(self, node: Node) -> bool:
        local = self.cluster.local
        return (
            node != local
            and self.cluster.is_alive(node)
            and self._datacenter in (None, node.datacenter)
            and not (self._excludes_local and node.datacenter == local.datacenter)
            and (not self._sources or node.address in self._sources)
        )

    def failed(self, error: CqlServerError) -> None:
        log.error("Error while rebuilding node: %s", error)


def _from(one: TokenRange, token: int) -> int:
    """How far a token lies behind where a range starts."""
    return (token - one.start) % (1 << 64)
