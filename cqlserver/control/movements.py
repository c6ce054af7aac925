"""What nodetool asks for that changes the ring: decommission, removenode, assassinate, move, rebuild, bootstrap resume; and
what it tells of it (netstats)."""

from collections.abc import Awaitable, Callable, Sequence
from re import Pattern, compile
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from cqlserver.clustering.traffic import Traffic
from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.node import Node
from protocol.errors import MovementRefused, StreamFailed

if TYPE_CHECKING:
    from cluster.coordination.outcome import Outcome
    from cluster.movements.movements import Movements
    from cluster.node import ClusterNode
    from cluster.streaming.ranges import TokenRange
    from cluster.streaming.session import TableProgress

T = TypeVar("T")
_RANGE: Final[Pattern[str]] = compile(r"\(\s*(-?\d+)\s*,\s*(-?\d+)\s*\]")


class Impossible(Refused):
    """The ring can't change so now; the text is Cassandra's."""

    code = "Impossible"


class Failed(Refused):
    """It was begun, and came to nothing."""

    code = "Failed"


async def decommission(control: Control, *, force: bool, node: int | None) -> object:
    """A node that is told so by its number ends, too; by its own port it stays, and does nothing."""
    cluster = control.cluster
    if cluster is not None and node is not None:
        if not 1 <= node <= len(cluster.parts):
            raise BadArgument(f"there is no node {node}; there are 1 to {len(cluster.parts)}")
        await _refusing(lambda: cluster.decommission(node - 1, force))
    else:
        await _ended(lambda: _movements(control, node).decommission(force))
    return {}


async def removenode(control: Control, *, host_id: str, node: int | None) -> object:
    try:
        wanted = UUID(host_id)
    except ValueError:
        raise BadArgument(f"Invalid UUID string: {host_id}") from None
    await _ended(lambda: _movements(control, node).remove(wanted))
    return {}


async def removenode_status(control: Control, *, node: int | None) -> object:
    return {"status": _movements(control, node).removal_status}


async def removenode_force(control: Control, *, node: int | None) -> object:
    movements = _movements(control, node)
    status = movements.removal_status
    movements.force_removal()
    return {"status": status}


async def assassinate(control: Control, *, address: str, node: int | None) -> object:
    await _ended(lambda: _movements(control, node).assassinate(address))
    return {}


async def move(control: Control, *, token: str, node: int | None) -> object:
    try:
        wanted = int(token)
    except ValueError:
        raise BadArgument(f'For input string: "{token}"') from None
    await _ended(lambda: _movements(control, node).move(wanted))
    return {}


async def rebuild(
    control: Control,
    *,
    source_dc: str | None,
    keyspace: str | None,
    tokens: str | None,
    sources: list[str],
    exclude_local_dc: bool,
    node: int | None,
) -> object:
    ranges = _ranges(tokens)
    movements = _movements(control, node)
    await _ended(lambda: movements.rebuild(source_dc, keyspace, ranges, sources, exclude_local_dc))
    return {}


async def bootstrap_resume(control: Control, *, node: int | None) -> object:
    """`resumed`: whether there was anything to go on with."""
    movements = _movements(control, node)
    outcome = movements.resume()
    if outcome is not None:
        await _ended(lambda: outcome)
    return {"resumed": outcome is not None}


async def netstats(control: Control, *, node: int | None) -> object:
    """`mode`, and the streams under way: of each who with, why, and by table how much of it is done, in both directions;
    `mismatches`: reads that had replicas repaired; `pools`: messages to other nodes."""
    found = _node(control, node)
    if found.member is None:
        return {"mode": "NORMAL", "sessions": [], "mismatches": 0, "pools": _pools(Traffic(), 0)}
    cluster = found.member.cluster
    mode = cluster.movements.mode.value if "movements" in cluster.__dict__ else "NORMAL"
    pools = _pools(found.member.traffic, cluster.gossip_sent)
    return {"mode": mode, "sessions": _sessions(found, cluster), "mismatches": cluster.proxy.mismatches, "pools": pools}


def _pools(traffic: Traffic, gossip: int) -> list[dict[str, object]]:
    return [pool._asdict() for pool in traffic.pools(gossip)]


def _sessions(found: Node, cluster: "ClusterNode") -> list[dict[str, object]]:
    if "streams" not in cluster.__dict__:
        return []
    streams = cluster.streams
    sessions = [
        _session(found, session.offer.session_id, session.offer.reason.value, session.peer, "receiving", session.progress)
        for session in streams.fetching
    ]
    sessions += [
        _session(found, sending.offer.session_id, sending.offer.reason.value, sending.peer, "sending", sending.progress)
        for sending in streams.sending.values()
    ]
    return sessions


def _session(
    node: Node, session_id: UUID, reason: str, peer: Any, direction: str, progress: Sequence["TableProgress"]
) -> dict[str, object]:
    stores = node.engine.stores
    return {
        "id": str(session_id),
        "reason": reason,
        "peer": peer.address,
        "port": peer.port,
        "direction": direction,
        "tables": [
            {
                "table": str(stores[one.table_id].table) if one.table_id in stores else str(one.table_id),
                "files": one.files,
                "files_done": one.files if one.is_complete else 0,
                "bytes": max(one.size, one.done),
                "bytes_done": one.done,
            }
            for one in progress
        ],
    }


def _node(control: Control, number: int | None) -> Node:
    """The one that is asked: of a cluster in this process by its number."""
    if control.cluster is None or number is None:
        return control.node
    parts = control.cluster.parts
    if not 1 <= number <= len(parts) or (found := parts[number - 1].node) is None:
        raise BadArgument(f"there is no node {number}, or it does not run")
    return found


def _movements(control: Control, number: int | None) -> "Movements":
    node = _node(control, number)
    if node.member is None:
        raise Impossible("no other normal nodes in the ring; decommission would be pointless")
    return node.member.cluster.movements


def _ranges(text: str | None) -> "tuple[TokenRange, ...]":
    from cluster.streaming.ranges import TokenRange

    if text is None:
        return ()
    if rest := _RANGE.sub("", text).strip(" ,"):
        raise BadArgument(f"Unexpected string: {rest}")
    return tuple(TokenRange(int(start), int(end)) for start, end in _RANGE.findall(text))


async def _ended(begin: Callable[[], "Outcome[T]"]) -> T:
    from cqlserver.clustering.joining import ended

    return await _refusing(lambda: ended(begin()))


async def _refusing(act: Callable[[], Awaitable[T]]) -> T:
    try:
        return await act()
    except MovementRefused as error:
        raise Impossible(str(error)) from error
    except StreamFailed as error:
        raise Failed(str(error)) from error
