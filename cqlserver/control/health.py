"""What probes and load balancers ask for: /health/live, /health/ready, /health/cluster. 200 where all is well, else 503;
both with JSON that says why."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from cqlserver.control.context import Control
from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.state import SYSTEM, ClientState
from protocol.errors import RequestError, StorageError
from protocol.frames import CURRENT_VERSION
from protocol.requests import QueryOptions

PAGES: Final = ("health/live", "health/ready", "health/cluster")
_QUERY: Final = "SELECT key FROM system.local"

Health = tuple[HTTPStatus, Mapping[str, object]]


async def health(control: Control, page: str) -> Health:
    """`page`: one of PAGES."""
    node = control.node
    match page:
        case "health/live":
            return HTTPStatus.OK, {"status": "up"}  # the loop goes round, or nobody would say so
        case "health/ready":
            return await _ready(control)
        case _:
            return _cluster(node)


async def _ready(control: Control) -> Health:
    """Whether a query is answered, and writes are taken."""
    node = control.node
    fault = None
    try:
        await control.in_turns(lambda: _ask(node))
    except (RequestError, StorageError, OSError) as error:
        fault = f"{type(error).__name__}: {error}"
    if fault is None and node.commit_log is not None and node.commit_log.failure is not None:
        fault = f"writes are refused: {node.commit_log.failure}"
    if fault is not None:
        return HTTPStatus.SERVICE_UNAVAILABLE, {"status": "down", "reason": fault}
    return HTTPStatus.OK, {"status": "up"}


def _ask(node: Node) -> "object | Pending[object]":
    state = ClientState("127.0.0.1", 0, None, CURRENT_VERSION, user=SYSTEM)
    return node.statements.query(state, _QUERY, QueryOptions())


def _cluster(node: Node) -> Health:
    """Whether all members are up and have one schema; `hints_for`: nodes that have writes coming that they missed."""
    cluster = node.member.cluster if node.member is not None else None
    peers = cluster.peers if cluster is not None else []
    live = cluster.live_peers if cluster is not None else []
    down = [f"{peer.address}:{peer.port}" for peer in peers if peer not in live]
    agrees = cluster is None or cluster.agrees_on_schema
    behind = [str(peer.host_id) for peer in peers if cluster is not None and cluster.hints.has_any(peer.host_id)]
    is_well = agrees and not down
    return HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE, {
        "status": "up" if is_well else "degraded",
        "schema_agreement": agrees,
        "members": 1 + len(peers),
        "members_up": 1 + len(live),
        "down": down,
        "hints_for": behind,
    }
