"""What the server writes into the stored system tables about itself: system.local.

The row of system.local is data like any other: an update, so that one path serves writing, reading and replay. Peers
(system.peers, system.peers_v2: peers.py) have rows where there are other nodes.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from uuid import UUID

from cqlserver.system.definitions import stored_system_keyspaces
from protocol.types import TEXT
from storage.commitlog.records import Truncation
from storage.mutation import Cell, ComplexColumn, Deletion, Liveness, PartitionUpdate, Row
from storage.schema.metadata import TableMetadata

RELEASE_VERSION: Final = "5.0.8"
CQL_VERSION: Final = "3.4.7"
NATIVE_PROTOCOL_VERSION: Final = "5"
PARTITIONER: Final = "org.apache.cassandra.dht.Murmur3Partitioner"

_LOCAL_KEY: Final = b"local"
_TRUNCATION = struct.Struct(">qiq")


@dataclass(frozen=True, slots=True)
class LocalFacts:
    """What system.local tells of this node. `address`: where other nodes reach it, `native_address` where clients do;
    `generation`: seconds since 1970 of this start; `listen_address` None: `address`."""

    cluster_name: str
    host_id: UUID
    tokens: Sequence[int]
    schema_version: UUID
    address: str
    native_address: str
    native_port: int
    internode_port: int
    generation: int
    datacenter: str = "datacenter1"
    rack: str = "rack1"
    bootstrapped: str = "COMPLETED"
    listen_address: str | None = None


def local_table() -> TableMetadata:
    return stored_system_keyspaces()[0].tables["local"]


def local_update(facts: LocalFacts, timestamp_us: int) -> PartitionUpdate:
    """The whole row, as it is from `timestamp_us` on; tokens of before are gone."""
    address = ip_address(facts.address)
    values: dict[str, Any] = {
        "bootstrapped": facts.bootstrapped,
        "broadcast_address": address,
        "broadcast_port": facts.internode_port,
        "cluster_name": facts.cluster_name,
        "cql_version": CQL_VERSION,
        "data_center": facts.datacenter,
        "gossip_generation": facts.generation,
        "host_id": facts.host_id,
        "listen_address": address if facts.listen_address is None else ip_address(facts.listen_address),
        "listen_port": facts.internode_port,
        "native_protocol_version": NATIVE_PROTOCOL_VERSION,
        "partitioner": PARTITIONER,
        "rack": facts.rack,
        "release_version": RELEASE_VERSION,
        "rpc_address": ip_address(facts.native_address),
        "rpc_port": facts.native_port,
        "schema_version": facts.schema_version,
    }
    types = local_table().by_name
    columns: dict[str, Cell | ComplexColumn] = {
        name: Cell(timestamp_us, types[name].type.encode(value)) for name, value in values.items()
    }
    before = Deletion(timestamp_us - 1, timestamp_us // 1_000_000)
    tokens = {TEXT.encode(str(token)): Cell(timestamp_us, b"") for token in facts.tokens}
    columns["tokens"] = ComplexColumn(before, tokens)
    return local_columns(columns, timestamp_us)


def state_update(version: UUID, truncations: Mapping[UUID, Truncation], timestamp_us: int) -> PartitionUpdate:
    """What system.local tells of the schema and of TRUNCATE; what it told before is gone."""
    cells = {}
    for table_id, (segment, offset, truncated_us) in truncations.items():
        cells[table_id.bytes] = Cell(timestamp_us, _TRUNCATION.pack(segment, offset, truncated_us // 1000))
    before = Deletion(timestamp_us - 1, timestamp_us // 1_000_000)
    columns: dict[str, Cell | ComplexColumn] = {
        "schema_version": Cell(timestamp_us, version.bytes),
        "truncated_at": ComplexColumn(before, cells),
    }
    return local_columns(columns, timestamp_us)


def local_columns(columns: dict[str, Cell | ComplexColumn], timestamp_us: int) -> PartitionUpdate:
    row = Row((), Liveness(timestamp_us), columns=columns)
    return PartitionUpdate(local_table().id, _LOCAL_KEY, rows={b"": row})
