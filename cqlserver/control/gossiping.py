"""What a node hears of the others, and what it keeps for those that are down: gossip and hints, looked at and switched."""

from typing import Final
from uuid import UUID

from cluster.gossip.endpoint import ApplicationState
from cluster.hints import WINDOW_S, Hints
from cluster.node import ClusterNode
from cluster.ring import Node as RingNode
from cqlserver.control.cluster_facts import topology_of
from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.system.gossip import heard_of

MS_PER_S: Final = 1_000
KIB: Final = 1 << 10


class NoCluster(Refused):
    code = "NoCluster"


def cluster_of(control: Control) -> ClusterNode:
    """Raises NoCluster."""
    member = control.node.member
    if member is None:
        raise NoCluster("this is a single node; `cqlserver cluster --nodes 3` starts several")
    return member.cluster


# --- gossip ----------------------------------------------------------------------------------------------------------


async def gossip_info(control: Control) -> object:
    """What each node says of itself, with versions, by the numbers of the states."""
    found = [
        {
            "address": heard.endpoint.address,
            "port": heard.endpoint.port,
            "generation": heard.generation,
            "heartbeat": heard.heartbeat,
            "is_up": heard.is_up,
            "states": [
                {"name": ApplicationState(key).name, "version": value.version, "value": value.value}
                for key, value in sorted(heard.states.items())
            ],
        }
        for heard in heard_of(control.node)
    ]
    return {"nodes": found}


async def failure_detector(control: Control) -> object:
    """How sure it is that others are down."""
    member = control.node.member
    if member is None:
        return {"nodes": []}
    gossiper, now_s = member.cluster.gossiper, control.node.environment.clock.monotonic()
    others = [endpoint for endpoint in gossiper.endpoints if endpoint != gossiper.local]
    return {
        "nodes": [
            {"address": other.address, "port": other.port, "phi": gossiper.detector.phi(other, now_s)} for other in others
        ]
    }


async def gossip(control: Control, *, on: bool) -> object:
    """Has the node say what it is, and hear of others, or no more: then they take it for down."""
    cluster = cluster_of(control)
    await control.exclusively(cluster.start_gossip if on else cluster.shut_down)
    return {}


# --- hints -----------------------------------------------------------------------------------------------------------


def _maybe_hints(control: Control) -> Hints | None:
    member = control.node.member
    return None if member is None else member.cluster.hints


async def hinted_handoff(control: Control) -> object:
    hints = _maybe_hints(control)
    window_s = hints.window_s if hints is not None else WINDOW_S
    return {"is_enabled": hints is None or hints.is_enabled, "window_ms": int(window_s * MS_PER_S)}


async def set_hinted_handoff(
    control: Control, *, on: bool | None, paused: bool | None, window_ms: int | None, throttle_kib: int | None
) -> object:
    """Until the next start; what is not named stays."""
    if min(window_ms or 0, throttle_kib or 0) < 0:
        raise BadArgument("neither the window nor the throttle may be less than 0")
    hints = _maybe_hints(control)
    if hints is None:
        return {}
    if on is not None:
        hints.is_enabled = on
    if paused is not None:
        hints.is_paused = paused
    if window_ms is not None:
        hints.window_s = window_ms / MS_PER_S
    if throttle_kib is not None:
        hints.bytes_per_s = throttle_kib * KIB
    return {}


async def pending_hints(control: Control) -> object:
    """Of each node that some wait for; the times in milliseconds since 1970."""
    hints, node = _maybe_hints(control), control.node
    if hints is None:
        return {"nodes": []}
    members = {member.node.host_id: member.node for member in topology_of(node).members}
    return {
        "nodes": [
            {
                "host_id": str(pending.host_id),
                **_place(members.get(pending.host_id)),
                "is_up": pending.host_id in members and node.coordinator.is_alive(members[pending.host_id]),
                "count": pending.hint_count,
                "oldest_ms": pending.oldest_us // MS_PER_S,
                "newest_ms": pending.newest_us // MS_PER_S,
            }
            for pending in hints.pending()
        ]
    }


def _place(node: RingNode | None) -> dict[str, object]:
    if node is None:
        return {"address": None, "port": None, "datacenter": None, "rack": None}
    return {"address": node.address, "port": node.port, "datacenter": node.datacenter, "rack": node.rack}


async def truncate_hints(control: Control, *, address: str | None) -> object:
    """Of one node, or of all."""
    hints = _maybe_hints(control)
    if hints is not None:
        chosen = [pending.host_id for pending in hints.pending()]
        if address is not None:
            members = [member.node for member in topology_of(control.node).members]
            there = [node.host_id for node in members if node.address == address]
            chosen = [host_id for host_id in chosen if host_id in there]
        await control.exclusively(lambda: _forget(hints, chosen))
    return {}


def _forget(hints: Hints, host_ids: list[UUID]) -> None:
    for host_id in host_ids:
        hints.forget(host_id)
