"""What nodes say of themselves, for system_views.gossip_info and nodetool gossipinfo (db/virtual/GossipInfoTable.java).

A node that is alone has nobody to gossip with; it shows what it would say.
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cluster.gossip.endpoint import ApplicationState, Endpoint, Version, VersionedValue
from cluster.gossip.status import Status, StatusValue
from cqlserver.system.tables import RELEASE_VERSION

if TYPE_CHECKING:
    from cqlserver.node import Node

_LOOPBACK: Final = "127.0.0.1"


class Heard(NamedTuple):
    """Of one node, as far as it is known here."""

    endpoint: Endpoint
    generation: int
    heartbeat: int
    is_up: bool
    states: Mapping[ApplicationState, VersionedValue]


def facts(node: "Node") -> dict[ApplicationState, str]:
    """What a node says of itself that does not depend on the ring."""
    ring_node = node.ring_node
    found = {
        ApplicationState.RELEASE_VERSION: RELEASE_VERSION,
        ApplicationState.NATIVE_ADDRESS_AND_PORT: f"{node.native_address}:{node.port}",
        ApplicationState.RPC_READY: "true",
    }
    if node.listen_address != ring_node.address:
        found[ApplicationState.INTERNAL_ADDRESS_AND_PORT] = f"{node.listen_address}:{ring_node.port}"
    return found


def heard_of(node: "Node") -> Iterator[Heard]:
    """Of all that are known, the local one first."""
    if node.member is None:
        yield _alone(node)
        return
    gossiper = node.member.cluster.gossiper
    for endpoint in gossiper.endpoints:
        state = gossiper.maybe_state(endpoint)
        assert state is not None, endpoint
        is_up = gossiper.is_alive(endpoint)
        yield Heard(endpoint, state.generation, state.heartbeat, is_up, state.states)


def _alone(node: "Node") -> Heard:
    from cluster.membership import own_states

    ring_node = node.ring_node
    said = {
        **facts(node),
        ApplicationState.SCHEMA: str(node.engine.schema.version),
        **own_states(ring_node, StatusValue(Status.NORMAL, (str(ring_node.tokens[0]),))),
    }
    if "disk_usage" in node.__dict__:
        said[ApplicationState.DISK_USAGE] = node.disk_usage.state.name
    states = {key: VersionedValue(value, Version(number)) for number, (key, value) in enumerate(said.items(), 1)}
    heartbeat = max(node.environment.clock.now_s() - node.generation, 0) + len(states)
    return Heard(Endpoint(ring_node.address, ring_node.port), node.generation, heartbeat, True, states)


def gossip_rows(node: "Node") -> Iterator[Mapping[str, Any]]:
    """Of gossip_info."""
    for heard in heard_of(node):
        address = heard.endpoint.address
        row: dict[str, Any] = {
            "address": ip_address(address),
            "port": heard.endpoint.port,
            "hostname": "localhost" if address == _LOOPBACK else address,
            "generation": heard.generation,
            "heartbeat": heard.heartbeat,
        }
        for key, value in heard.states.items():
            if key is not ApplicationState.TOKENS:
                row[key.name.lower()] = value.value
            row[f"{key.name.lower()}_version"] = value.version
        yield row
