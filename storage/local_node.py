"""Who this node is: host id, tokens, cluster name, kept as data in the row 'local' of system.local.

A node keeps its host id and tokens for life: others know its data by them. So they are read before they are made, and
a data folder of another cluster is refused, as Cassandra does (SystemKeyspace.checkHealth).
"""

import struct
from dataclasses import dataclass
from uuid import UUID

from protocol.errors import ConfigurationError
from protocol.types import TEXT
from storage.commitlog.records import Truncation
from storage.engine import Engine
from storage.mutation import LIVE, Cell, ComplexColumn, Deletion, Liveness, PartitionUpdate, Row
from storage.schema.metadata import TableMetadata
from storage.stored_values import stored_values

LOCAL_KEY = b"local"
_TRUNCATION = struct.Struct(">qiq")  # segment, offset, milliseconds


@dataclass(frozen=True, slots=True)
class LocalNode:
    host_id: UUID
    tokens: tuple[int, ...]
    cluster_name: str


def maybe_local_node(engine: Engine, cluster_name: str) -> LocalNode | None:
    """What the data folder says of this node; None when it is a new one.

    Raises ConfigurationError when the data belongs to a cluster of another name."""
    store = engine.stores[_local_table(engine).id]
    for values in stored_values(store, engine.environment.clock.now_s()):
        host_id, name, tokens = values["host_id"], values["cluster_name"], values["tokens"]
        if values["key"] != LOCAL_KEY or host_id is None or name is None or tokens is None:
            continue
        saved = name.decode()
        if saved != cluster_name:
            raise ConfigurationError(f"Saved cluster name {saved} != configured name {cluster_name}")
        texts = store.table.by_name["tokens"].type.decode(tokens)
        return LocalNode(UUID(bytes=host_id), tuple(sorted(int(text) for text in texts)), saved)
    return None


def stored_generation(engine: Engine) -> int:
    """What system.local has of the node's life before; 0 where there was none."""
    for values in stored_values(engine.stores[_local_table(engine).id], engine.environment.clock.now_s()):
        generation = values.get("gossip_generation")
        if generation is not None:
            return int.from_bytes(generation, "big")
    return 0


def stored_place(engine: Engine) -> tuple[str | None, str | None]:
    """(datacenter, rack) of the node's life before."""
    for values in stored_values(engine.stores[_local_table(engine).id], engine.environment.clock.now_s()):
        datacenter, rack = values.get("data_center"), values.get("rack")
        return None if datacenter is None else datacenter.decode(), None if rack is None else rack.decode()
    return None, None


def stored_truncations(engine: Engine) -> dict[UUID, Truncation]:
    """What system.local says of TRUNCATE, of tables that there are."""
    store = engine.stores[_local_table(engine).id]
    found: dict[UUID, Truncation] = {}
    for values in stored_values(store, engine.environment.clock.now_s()):
        data = values.get("truncated_at")
        truncations = store.table.by_name["truncated_at"].type.decode(data) if data is not None else {}
        for table_id, packed in truncations.items():
            if table_id in engine.stores and len(packed) == _TRUNCATION.size:
                segment, offset, truncated_ms = _TRUNCATION.unpack(packed)
                found[table_id] = Truncation(segment, offset, truncated_ms * 1000)
    return found


def save_local_node(engine: Engine, node: LocalNode) -> None:
    """Write it down; durable when the commit log is written and synced."""
    timestamp_us = engine.environment.clock.wall_us()

    def cell(value: bytes) -> Cell:
        return Cell(timestamp_us, value)

    tokens = {TEXT.encode(str(token)): cell(b"") for token in node.tokens}
    before = Deletion(timestamp_us - 1, timestamp_us // 1_000_000)
    row = Row(
        (),
        Liveness(timestamp_us),
        LIVE,
        {
            "cluster_name": cell(node.cluster_name.encode()),
            "host_id": cell(node.host_id.bytes),
            "tokens": ComplexColumn(before, tokens),
        },
    )
    engine.apply(PartitionUpdate(_local_table(engine).id, LOCAL_KEY, rows={b"": row}))


def _local_table(engine: Engine) -> TableMetadata:
    table = engine.schema.maybe_table("system", "local")
    assert table is not None, "system.local is built in"
    return table
