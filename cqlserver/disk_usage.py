"""How full nodes' disks are, as far as guardrails ask for it: data_disk_usage_percentage_warn_threshold and _fail_threshold
(service/disk/usage/DiskUsageMonitor.java, DiskUsageBroadcaster.java).

A node looks at its own disk now and then, and tells the others by gossip. A write of somebody who is guarded is warned of,
or refused, where the disk of one of its replicas is beyond. Tables that are held in memory alone (`--memory`) are on a disk
of data_disk_usage_max_disk_size.
"""

import logging
from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING, Final

from cluster.gossip.endpoint import ApplicationState, Endpoint
from cqlserver.guardrails import LOCAL_DISK, Guarded, bounds_of, decorated
from cqlserver.system.storage_views import readers
from protocol.errors import InvalidRequest
from storage.schema.metadata import TableMetadata
from storage.token import token

if TYPE_CHECKING:
    from cqlserver.node import Node

log = logging.getLogger("cqlserver.guardrails")

TELLS_EVERY_S: Final = 1800.0
"""A full disk is told once in that time: to the log, and to a client; writes are refused as long as it is full."""
_PARTS: Final = 100_000
_REPLICA: Final = "Guardrail replica_disk_usage violated: "
_WARNING: Final = f"{_REPLICA}Replica disk usage exceeds warning threshold"
_FAILURE: Final = f"{_REPLICA}Write request failed because disk usage exceeds failure threshold"


class DiskUsageState(Enum):
    """By the name that gossip tells; the value is what messages say."""

    NOT_AVAILABLE = "Not Available"
    SPACIOUS = "Spacious"
    STUFFED = "Stuffed"
    FULL = "Full"


class DiskUsage:
    """One node's, and what it has heard of the others'."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self.state = DiskUsageState.NOT_AVAILABLE
        self._told_s: dict[str, float] = {}

    # --- the own disk --------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Finds out how full it is, and tells the others where that has changed."""
        bounds = bounds_of(self._node.config.guardrails, LOCAL_DISK)
        percentage = None if bounds is None else self._percentage()
        if bounds is None or percentage is None:
            state = DiskUsageState.NOT_AVAILABLE
        else:
            warn, fail = bounds
            is_full, is_stuffed = 0 < fail < percentage, 0 < warn < percentage
            state = DiskUsageState.SPACIOUS
            if is_full or is_stuffed:
                state = DiskUsageState.FULL if is_full else DiskUsageState.STUFFED
                self._log(percentage, fail if is_full else warn, state)
        if state is not self.state:
            self.state = state
            if self._node.member is not None:
                self._node.member.cluster.gossiper.say({ApplicationState.DISK_USAGE: state.name})

    def _percentage(self) -> int | None:
        """What is used of what could be, rounded up; None where there is no disk."""
        engine, config = self._node.engine, self._node.config
        held = sum(store.memtable.live_bytes for store in engine.stores.values())
        used, total = 0, None
        if config.data is not None:
            used = sum(reader.disk_bytes for store in engine.stores.values() for reader in readers(store.flushed))
            total = used + self._node.environment.disk.space(str(config.data)).usable_bytes
        most = config.guardrails.get("data_disk_usage_max_disk_size", -1)
        if isinstance(most, int) and most > 0:
            total = most if total is None else min(total, most)
        if not total:
            return None
        share = -(-(used + held) * _PARTS // total)
        return -(-share * 100 // _PARTS)

    def _log(self, percentage: int, bound: int, state: DiskUsageState) -> None:
        is_warning = state is DiskUsageState.STUFFED
        if self._may_tell("log", is_warning):
            message = decorated(LOCAL_DISK, LOCAL_DISK.words(is_warning, state.value, percentage, bound))
            log.log(logging.WARNING if is_warning else logging.ERROR, "%s", message)

    # --- writes ----------------------------------------------------------------------------------------------------------

    def check(self, guarded: Guarded, table: TableMetadata, keys: Iterable[bytes]) -> None:
        """Of a write to these partitions. Raises InvalidRequest where a replica's disk is full."""
        if not self._is_any_stuffed():
            return
        coordinator = self._node.coordinator
        strategy = coordinator.strategy(self._node.keyspace_of(table))
        for key in keys:
            place = token(key)
            natural = strategy.replicas(place, coordinator.ring, coordinator.local)
            for replica in (*natural, *coordinator.pending(strategy, place, natural)):
                self._guard(guarded, self._state_of(Endpoint(replica.address, replica.port)))

    def _guard(self, guarded: Guarded, state: DiskUsageState) -> None:
        if state is DiskUsageState.FULL:
            if self._may_tell("client", False):
                guarded.warn(_FAILURE)
            raise InvalidRequest(_FAILURE)
        if state is DiskUsageState.STUFFED and self._may_tell("client", True):
            guarded.warn(_WARNING)

    def _is_any_stuffed(self) -> bool:
        known = self._known()
        return any(self._state_of(endpoint) in (DiskUsageState.STUFFED, DiskUsageState.FULL) for endpoint in known)

    def _known(self) -> Iterable[Endpoint]:
        member, local = self._node.member, self._node.ring_node
        return (Endpoint(local.address, local.port),) if member is None else member.cluster.gossiper.endpoints

    def _state_of(self, endpoint: Endpoint) -> DiskUsageState:
        member, local = self._node.member, self._node.ring_node
        if member is None or (endpoint.address, endpoint.port) == (local.address, local.port):
            return self.state
        told = member.cluster.gossiper.maybe_state(endpoint)
        name = None if told is None else told.get(ApplicationState.DISK_USAGE)
        return DiskUsageState.__members__.get(name or "", DiskUsageState.NOT_AVAILABLE)

    def _may_tell(self, whom: str, is_warning: bool) -> bool:
        """Once in a while, of each kind."""
        now_s, what = self._node.environment.clock.monotonic(), f"{whom} {is_warning}"
        told_s = self._told_s.get(what)
        if told_s is not None and now_s - told_s < TELLS_EVERY_S:
            return False
        self._told_s[what] = now_s
        return True
