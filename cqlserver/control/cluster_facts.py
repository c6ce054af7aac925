"""What a node knows of its cluster: the ring, what each node owns of it, and where data is."""

from typing import Final

from cluster.gossip.endpoint import ApplicationState, Endpoint
from cluster.replication import LocalStrategy, ReplicationStrategy
from cluster.ring import Node as RingNode
from cluster.ring import Ring
from cluster.topology import Member, Standing, Topology
from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.control.parts import key_of_text
from cqlserver.control.storing import readers
from cqlserver.node import Node
from cqlserver.system.tables import RELEASE_VERSION
from storage.schema.metadata import KeyspaceMetadata, is_system_keyspace
from storage.token import token

_LOCAL: Final = "Ownership values for keyspaces with LocalStrategy are meaningless"
_DIFFERENT: Final = (
    "Non-system keyspaces don't have the same replication settings, effective ownership information is meaningless"
)
_WITHOUT_USERS: Final = "system_traces"
"""The keyspace that the ring is shown by where users have none."""
_TOKENS: Final = 1 << 64
_SNITCHES: Final = "org.apache.cassandra.locator"
PARTITIONER: Final = "org.apache.cassandra.dht.Murmur3Partitioner"


class NoSuchRing(Refused):
    """The cluster was asked for as a keyspace has it that there isn't."""

    code = "NoSuchRing"


# --- the ring --------------------------------------------------------------------------------------------------------


def topology_of(node: Node) -> Topology:
    return node.coordinator.topology or Topology((Member(node.ring_node, Standing.NORMAL),))


async def ring(control: Control, *, keyspace: str | None) -> object:
    """`owns`: the share of the data that a node has a replica of; null where `note` says why it means nothing; `load_bytes`:
    null where it is not known."""
    node = control.node
    note, by = _shown_by(node, keyspace)
    topology = topology_of(node)
    owned = _owned(topology.ring, node.coordinator.strategy(by), node.ring_node) if by is not None else {}
    return {
        "note": note,
        "nodes": [
            {
                "address": member.node.address,
                "port": member.node.port,
                "datacenter": member.node.datacenter,
                "rack": member.node.rack,
                "host_id": str(member.node.host_id),
                "is_up": node.coordinator.is_alive(member.node),
                "state": member.standing.value,
                "load_bytes": _load_bytes(node, member.node),
                "tokens": [str(token) for token in member.node.tokens],
                "owns": None if note is not None else owned.get(member.node, 0.0),
            }
            for member in topology.members
        ],
    }


def _shown_by(node: Node, keyspace: str | None) -> tuple[str | None, KeyspaceMetadata | None]:
    """Why it means nothing what nodes own, and the keyspace that says what they do. Raises NoSuchRing."""
    keyspaces = node.schema.keyspaces
    if keyspace is not None:
        found = keyspaces.get(keyspace)
        if found is None or found.is_virtual:
            raise NoSuchRing(f"The keyspace {keyspace}, does not exist")
        return (_LOCAL, None) if isinstance(node.coordinator.strategy(found), LocalStrategy) else (None, found)
    users = [found for name, found in keyspaces.items() if not is_system_keyspace(name)]
    if any(found.params.replication != users[0].params.replication for found in users):
        return _DIFFERENT, None
    return None, users[0] if users else keyspaces[_WITHOUT_USERS]


def _owned(ring: Ring, strategy: ReplicationStrategy, local: RingNode) -> dict[RingNode, float]:
    owned: dict[RingNode, int] = {}
    for start, end, _ in ring.ranges():
        width = (end - start) % _TOKENS or _TOKENS
        for replica in strategy.replicas(end, ring, local):
            owned[replica] = owned.get(replica, 0) + width
    return {node: width / _TOKENS for node, width in owned.items()}


def _load_bytes(node: Node, other: RingNode) -> int | None:
    if other == node.ring_node:
        return load_bytes(node)
    told = gossiped(node, other, ApplicationState.LOAD)
    return None if told is None else int(float(told))


def load_bytes(node: Node) -> int:
    return sum(reader.disk_bytes for reader in readers(node.engine))


def gossiped(node: Node, other: RingNode, key: ApplicationState) -> str | None:
    """What another node says of itself."""
    if node.member is None:
        return None
    state = node.member.cluster.gossiper.maybe_state(Endpoint(other.address, other.port))
    return None if state is None else state.get(key)


async def cluster_facts(control: Control) -> object:
    """`schema_versions`, `release_versions`: nodes by what they have; `replication` of keyspaces: as text."""
    node = control.node
    members = [member.node for member in topology_of(node).members]
    by_schema: dict[str, list[str]] = {}
    by_release: dict[str, list[str]] = {}
    for other in members:
        is_local = other == node.ring_node
        version = str(node.schema.version) if is_local else gossiped(node, other, ApplicationState.SCHEMA)
        is_up = node.coordinator.is_alive(other)
        by_schema.setdefault(version if is_up and version is not None else "UNREACHABLE", []).append(_name(other))
        release = RELEASE_VERSION if is_local else gossiped(node, other, ApplicationState.RELEASE_VERSION)
        by_release.setdefault(release or "", []).append(_name(other))
    keyspaces = [keyspace for keyspace in node.schema.keyspaces.values() if not keyspace.is_virtual]
    return {
        "name": node.local.cluster_name,
        "snitch": f"{_SNITCHES}.{node.config.snitch}",
        "dynamic_snitch": node.config.cluster.dynamic_snitch,
        "partitioner": PARTITIONER,
        "schema_version": str(node.schema.version),
        "schema_versions": by_schema,
        "release_versions": by_release,
        "keyspaces": [{"name": found.name, "replication": _replication_text(found)} for found in keyspaces],
    }


def _name(node: RingNode) -> str:
    return str(Endpoint(node.address, node.port))


def _replication_text(keyspace: KeyspaceMetadata) -> str:
    options = dict(keyspace.params.replication)
    name = options.pop("class").rsplit(".", 1)[-1]
    return f"{name} {{{', '.join(f'{key}={value}' for key, value in options.items())}}}"


# --- where data is ---------------------------------------------------------------------------------------------------


async def endpoints(control: Control, *, keyspace: str, table: str, key: str) -> object:
    """The replicas of a partition, whose key is given as text, its columns with colons between them."""
    node = control.node
    found = node.schema.keyspaces.get(keyspace)
    if found is None or found.is_virtual:
        raise BadArgument(f"Unknown keyspace '{keyspace}'")
    metadata = found.tables.get(table)
    if metadata is None:
        raise BadArgument(f"Unknown table '{table}' in keyspace '{keyspace}'")
    replicas = topology_of(node).replicas(
        token(key_of_text(metadata, key)), node.coordinator.strategy(found), node.ring_node
    )
    return {"endpoints": [_place(replica) for replica in replicas]}


def _place(node: RingNode) -> dict[str, object]:
    return {"address": node.address, "port": node.port, "datacenter": node.datacenter, "rack": node.rack}


async def describe_ring(control: Control, *, keyspace: str) -> object:
    """The ranges of the ring, each with its replicas. Raises Refused."""
    node = control.node
    found = node.schema.keyspaces.get(keyspace)
    if found is None or found.is_virtual:
        raise Refused(f"No such keyspace: {keyspace}")
    strategy = node.coordinator.strategy(found)
    if isinstance(strategy, LocalStrategy):
        raise Refused(f"There is no ring for the keyspace: {keyspace}")
    ring = topology_of(node).ring
    return {
        "schema_version": str(node.schema.version),
        "ranges": [
            {
                "start": str(start),
                "end": str(end),
                "replicas": [_replica(node, replica) for replica in strategy.replicas(end, ring, node.ring_node)],
            }
            for start, end, _ in ring.ranges()
        ],
    }


def _replica(node: Node, replica: RingNode) -> dict[str, object]:
    native = gossiped(node, replica, ApplicationState.NATIVE_ADDRESS_AND_PORT)
    native_address = native.rpartition(":")[0] if native is not None else node.native_address
    return {**_place(replica), "native_address": native_address}
