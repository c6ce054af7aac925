"""What system.peers and system.peers_v2 tell of the other nodes: rows of this node's own, as gossip says they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from uuid import UUID

from cluster.ring import Node
from cqlserver.system.definitions import stored_system_keyspaces
from cqlserver.system.tables import RELEASE_VERSION
from protocol.types import INET, TEXT
from storage.engine import Engine
from storage.keys import clustering_order_key
from storage.mutation import Cell, ComplexColumn, Deletion, Liveness, PartitionUpdate, Row
from storage.schema.metadata import TableMetadata
from storage.stored_values import stored_values


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """Of one node. `native_address`, `native_port`: where its clients connect."""

    node: Node
    native_address: str
    native_port: int
    schema_version: UUID | None


def peer_updates(facts: PeerFacts, timestamp_us: int) -> list[PartitionUpdate]:
    """Its row in both tables, as it is from `timestamp_us` on."""
    node = facts.node
    shared: dict[str, Any] = {
        "data_center": node.datacenter,
        "host_id": node.host_id,
        "preferred_ip": ip_address(node.address),
        "rack": node.rack,
        "release_version": RELEASE_VERSION,
        "schema_version": facts.schema_version,
    }
    native = ip_address(facts.native_address)
    of_v2 = {"native_address": native, "native_port": facts.native_port, "preferred_port": node.port}
    peers, peers_v2 = _tables()
    return [
        _update(peers, node, (), {**shared, "rpc_address": native}, timestamp_us),
        _update(peers_v2, node, (node.port.to_bytes(4, "big"),), {**shared, **of_v2}, timestamp_us),
    ]


def saved_peers(engine: Engine) -> list[Node]:
    """The nodes that the tables tell of: those that a node was in a ring with in its life before."""
    table = _tables()[1]
    store = engine.stores[table.id]
    found = []
    for values in stored_values(store, engine.environment.clock.now_s()):
        decoded = {name: table.by_name[name].type.decode(value) for name, value in values.items() if value is not None}
        if not all(name in decoded for name in ("host_id", "data_center", "rack", "tokens")):
            continue
        tokens = tuple(sorted(int(text) for text in decoded["tokens"]))
        address, port = str(decoded["peer"]), decoded["peer_port"]
        found.append(Node(decoded["host_id"], address, decoded["data_center"], decoded["rack"], tokens, port))
    return found


def peer_removal(node: Node, timestamp_us: int) -> list[PartitionUpdate]:
    gone = Deletion(timestamp_us, timestamp_us // 1_000_000)
    return [PartitionUpdate(table.id, _key(node), gone) for table in _tables()]


def _update(
    table: TableMetadata, node: Node, clustering: tuple[bytes, ...], values: dict[str, Any], timestamp_us: int
) -> PartitionUpdate:
    types = table.by_name
    columns: dict[str, Cell | ComplexColumn] = {
        name: Cell(timestamp_us, types[name].type.encode(value)) for name, value in values.items() if value is not None
    }
    before = Deletion(timestamp_us - 1, timestamp_us // 1_000_000)
    columns["tokens"] = ComplexColumn(before, {TEXT.encode(str(token)): Cell(timestamp_us, b"") for token in node.tokens})
    ck = clustering_order_key(table)(clustering)
    return PartitionUpdate(
        table.id, _key(node), rows={ck: Row(clustering, Liveness(timestamp_us), columns=columns)}
    )


def _key(node: Node) -> bytes:
    return INET.encode(ip_address(node.address))


def _tables() -> Sequence[TableMetadata]:
    tables = stored_system_keyspaces()[0].tables
    return [tables[name] for name in _NAMES]


_NAMES: Final = ("peers", "peers_v2")
