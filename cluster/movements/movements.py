"""The changes of the ring that a node takes part in: at most one of its own at a time."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from cluster.coordination.outcome import Outcome
from cluster.internode.frames import Message
from cluster.internode.verbs import FailureReason, Verb
from cluster.movements.joining import Joining
from cluster.movements.leaving import Decommission
from cluster.movements.mode import Mode
from cluster.movements.movement import Movement, Timers
from cluster.movements.moving import Move, Rebuild
from cluster.movements.removing import Assassination, Removal, Restoring
from cluster.ring import Node
from cluster.streaming.ranges import TokenRange
from protocol.errors import MovementRefused

if TYPE_CHECKING:
    from cluster.node import ClusterNode

log = logging.getLogger("cqlserver.cluster")


class Movements:
    """See the module. Each gives an outcome, and raises MovementRefused where it can't begin. `mode` is what nodetool
    tells."""

    def __init__(self, cluster: "ClusterNode", mode: Mode = Mode.NORMAL) -> None:
        self._cluster = cluster
        self._timers = Timers()
        self.mode = mode
        self._own: Movement | None = None
        self._removal: Removal | None = None
        self._rebuild: Rebuild | None = None
        self._joining: Joining | None = None
        self._received: dict[str, list[TokenRange]] = {}
        self._restorings: dict[UUID, Restoring] = {}

    @property
    def wake_s(self) -> float:
        return self._timers.wake_s

    def tick(self, now_s: float) -> None:
        self._timers.tick(now_s)

    def _set_mode(self, mode: Mode, text: str) -> None:
        self.mode = mode
        log.info("%s: %s", mode.value, text) if text else log.info("%s", mode.value)

    def _begin(self, movement: Movement) -> Outcome[None]:
        if self._own is not None and not self._own.outcome.is_done:
            raise MovementRefused(f"Node in {self.mode.value} state; wait for status to become normal or restart")
        movement.start()
        self._own = movement
        return movement.outcome

    # --- the node itself -------------------------------------------------------------------------------------------------

    def join(self, replaced: str | None = None) -> Outcome[None]:
        """Comes into the ring, in the place of the node at an address where one is given."""
        self._joining = Joining(self._cluster, self._timers, self._set_mode, replaced, self._received)
        self.mode = Mode.JOINING
        return self._begin(self._joining)

    def resume(self) -> Outcome[None] | None:
        """Goes on with a bootstrap that has failed, with what is not complete yet; None where there is none."""
        if self.mode is not Mode.JOINING_FAILED or self._joining is None:
            log.info("Resuming bootstrap is requested, but the node is already bootstrapped.")
            return None
        log.info("Resuming bootstrap...")
        outcome = self.join(self._joining.replaced)
        outcome.when_done(lambda: log.info("Resume complete") if outcome.error is None else None)
        return outcome

    def decommission(self, is_forced: bool = False) -> Outcome[None]:
        if self.mode is Mode.DECOMMISSIONED:
            log.info("This node was already decommissioned. There is no point in decommissioning it again.")
            return _done()
        if self.mode is Mode.LEAVING:
            log.info("This node is still decommissioning.")
            return _done()
        return self._begin(Decommission(self._cluster, self._timers, self._set_mode, is_forced))

    def move(self, token: int) -> Outcome[None]:
        return self._begin(Move(self._cluster, self._timers, self._set_mode, token))

    def rebuild(
        self,
        datacenter: str | None = None,
        keyspace: str | None = None,
        ranges: Sequence[TokenRange] = (),
        sources: Sequence[str] = (),
        excludes_local_datacenter: bool = False,
    ) -> Outcome[None]:
        if self._rebuild is not None and not self._rebuild.outcome.is_done:
            raise MovementRefused("Node is still rebuilding. Check nodetool netstats.")
        rebuild = Rebuild(
            self._cluster, self._timers, self._set_mode, datacenter, keyspace, ranges, sources, excludes_local_datacenter
        )
        rebuild.start()
        self._rebuild = rebuild
        return rebuild.outcome

    # --- others ----------------------------------------------------------------------------------------------------------

    def remove(self, host_id: UUID) -> Outcome[None]:
        if self._removal is not None and not self._removal.outcome.is_done:
            raise MovementRefused(
                "This node is already processing a removal. Wait for it to complete, or use 'removenode force' if this has "
                "failed."
            )
        removal = Removal(self._cluster, self._timers, self._set_mode, host_id)
        removal.start()
        self._removal = removal
        return removal.outcome

    def force_removal(self) -> None:
        if self._removal is None or self._removal.outcome.is_done:
            log.warning("No nodes to force removal on, call 'removenode' first")
        else:
            self._removal.force()

    @property
    def removal_status(self) -> str:
        return "No token removals in process." if self._removal is None else self._removal.status

    def assassinate(self, address: str) -> Outcome[None]:
        movement = Assassination(self._cluster, self._timers, self._set_mode, address)
        movement.start()
        return movement.outcome

    def restored(self, dead: Node) -> Outcome[None]:
        """Fetches what this node gains when another one is gone: once, however often that is asked for."""
        known = self._restorings.get(dead.host_id)
        if known is None or known.outcome.error is not None:
            known = self._restorings[dead.host_id] = Restoring(self._cluster, self._timers, self._set_mode, dead)
            known.start()
        return known.outcome

    def forget(self, node: Node) -> None:
        """It left the ring: should it come again, it is another one to be restored."""
        self._restorings.pop(node.host_id, None)

    def receive(self, sender: Node, message: Message, answer: Callable[[Message], None]) -> None:
        """RESTORE."""
        host_id = UUID(bytes=message.body)
        dead = next((m.node for m in self._cluster.membership.topology.members if m.node.host_id == host_id), None)
        outcome = _done() if dead is None else self.restored(dead)

        def tell() -> None:
            if outcome.error is None:
                answer(Message(Verb.DONE, message.id, b""))
            else:
                answer(Message(Verb.FAILED, message.id, FailureReason.UNKNOWN.to_bytes(2, "big")))

        if outcome.is_done:
            tell()
        else:
            answer(Message(Verb.STREAM_GOES, message.id, b""))  # it asks again


def _done() -> Outcome[None]:
    outcome: Outcome[None] = Outcome()
    outcome.settle(None)
    return outcome
