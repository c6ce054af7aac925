"""What the system tables keep of a node's way into the ring and out of it: system.local's `bootstrapped`,
system.available_ranges_v2 (db/SystemKeyspace.java)."""

import struct
from collections.abc import Sequence
from typing import Final

from cluster.movements.mode import BootstrapState
from cluster.streaming.ranges import TokenRange
from cqlserver.system.definitions import stored_system_keyspaces
from cqlserver.system.tables import local_columns
from protocol.types import TEXT
from storage.engine import Engine
from storage.mutation import LIVE, Cell, ComplexColumn, Deletion, Liveness, PartitionUpdate, Row
from storage.schema.metadata import TableMetadata
from storage.stored_values import stored_values

_KIND_OF_RANGE: Final = 0
_RANGE = struct.Struct(">iiqiq")
"""Kind, then each token with its length."""
_TOKEN_BYTES: Final = 8


def bootstrap_update(state: BootstrapState, timestamp_us: int) -> PartitionUpdate:
    return local_columns({"bootstrapped": Cell(timestamp_us, state.value.encode())}, timestamp_us)


def tokens_update(tokens: Sequence[int], timestamp_us: int) -> PartitionUpdate:
    before = Deletion(timestamp_us - 1, timestamp_us // 1_000_000)
    cells = {TEXT.encode(str(token)): Cell(timestamp_us, b"") for token in tokens}
    return local_columns({"tokens": ComplexColumn(before, cells)}, timestamp_us)


def maybe_bootstrap_state(engine: Engine) -> BootstrapState | None:
    """As it was kept; None in a new folder."""
    table = stored_system_keyspaces()[0].tables["local"]
    for values in stored_values(engine.stores[table.id], engine.environment.clock.now_s()):
        text = values.get("bootstrapped")
        if text is not None:
            return BootstrapState(text.decode())
    return None


def received_update(keyspace: str, ranges: Sequence[TokenRange], timestamp_us: int) -> PartitionUpdate:
    """Ranges of a keyspace that a bootstrap has."""
    cells = {_encoded(piece): Cell(timestamp_us, b"") for piece in ranges}
    row = Row((), Liveness(timestamp_us), columns={"full_ranges": ComplexColumn(LIVE, cells)})
    return PartitionUpdate(_received_table().id, TEXT.encode(keyspace), rows={b"": row})


def received_ranges(engine: Engine) -> dict[str, list[TokenRange]]:
    """What a bootstrap in a life before has received, by keyspace."""
    table = _received_table()
    found: dict[str, list[TokenRange]] = {}
    for values in stored_values(engine.stores[table.id], engine.environment.clock.now_s()):
        name, ranges = values["keyspace_name"], values.get("full_ranges")
        if name is not None and ranges is not None:
            texts = table.by_name["full_ranges"].type.decode(ranges)
            found[name.decode()] = [_decoded(text) for text in texts]
    return found


def received_removals(engine: Engine, timestamp_us: int) -> list[PartitionUpdate]:
    """Forgets all of it."""
    gone = Deletion(timestamp_us, timestamp_us // 1_000_000)
    return [PartitionUpdate(_received_table().id, TEXT.encode(name), gone) for name in received_ranges(engine)]


def _received_table() -> TableMetadata:
    return stored_system_keyspaces()[0].tables["available_ranges_v2"]


def _encoded(piece: TokenRange) -> bytes:
    return _RANGE.pack(_KIND_OF_RANGE, _TOKEN_BYTES, piece.start, _TOKEN_BYTES, piece.end)


def _decoded(text: bytes) -> TokenRange:
    _, _, start, _, end = _RANGE.unpack(text)
    return TokenRange(start, end)
