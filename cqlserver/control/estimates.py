"""How large the partitions of each table are and how many, by range of tokens: system.size_estimates and
table_estimates, which tools read that split a table among them (db/SizeEstimatesRecorder.java)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from cqlserver.control.context import Control
from cqlserver.control.storing import readers
from cqlserver.node import Node
from protocol.types import BIGINT
from storage.keys import clustering_order_key
from storage.memtable.memtable import token_position
from storage.mutation import LIVE, Cell, Deletion, Liveness, PartitionUpdate, Row
from storage.schema.metadata import KeyspaceMetadata, is_local_system_keyspace
from storage.sstable.reader import SSTableReader
from storage.token import MAX_TOKEN, MIN_TOKEN

_TYPES: Final = ("primary", "local_primary")


async def refresh_size_estimates(control: Control) -> object:
    await control.exclusively(lambda: _refresh(control.node))
    return {}


def _refresh(node: Node) -> None:
    old, new = (node.schema.maybe_table("system", name) for name in ("size_estimates", "table_estimates"))
    assert old is not None, "they are built in"
    assert new is not None
    now_us = node.environment.clock.wall_us()
    before = Deletion(now_us - 1, now_us // 1_000_000)
    order_keys = {table.id: clustering_order_key(table) for table in (old, new)}
    rows: dict[tuple[object, bytes], dict[bytes, Row]] = {
        (table.id, view.key): {} for table in (old, new) for view in node.engine.stores[table.id].scan(node.now_s())
    }
    for keyspace in node.schema.keyspaces.values():
        if keyspace.is_virtual or is_local_system_keyspace(keyspace.name):
            continue
        key = keyspace.name.encode()
        for of in (old, new):
            rows[of.id, key] = {}
        for table, (start, end), cells in _estimates(node, keyspace, now_us):
            for of, head in ((old, (table,)), *((new, (table, kind.encode())) for kind in _TYPES)):
                clustering = (*head, str(start).encode(), str(end).encode())
                rows[of.id, key][order_keys[of.id](clustering)] = Row(clustering, Liveness(now_us), LIVE, dict(cells))
    node.engine.apply_all(
        [PartitionUpdate(table_id, key, before, rows=found) for (table_id, key), found in rows.items()]  # type: ignore[arg-type]
    )


def _estimates(
    node: Node, keyspace: KeyspaceMetadata, now_us: int
) -> Iterator[tuple[bytes, tuple[int, int], dict[str, Cell]]]:
    ranges = _primary_ranges(node.local.tokens)
    for table in (*keyspace.tables.values(), *(view.table for view in keyspace.views.values())):
        found = readers(node.engine, node.engine.stores[table.id])
        for start, end in ranges:
            within = [(reader, share) for reader in found if (share := _share(reader, start, end)) > 0]
            sizes = [reader.statistics.stats.partition_sizes for reader, _ in within]
            count = sum(histogram.count for histogram in sizes)
            mean = sum(histogram.mean() * histogram.count for histogram in sizes) // count if count else 0
            partitions = sum(round(reader.key_count * share) for reader, share in within)
            cells = {"mean_partition_size": mean, "partitions_count": partitions}
            yield table.name.encode(), (start, end), {n: Cell(now_us, BIGINT.encode(int(v))) for n, v in cells.items()}


def _primary_ranges(tokens: Sequence[int]) -> list[tuple[int, int]]:
    """Where there is one node: all between its tokens; none goes round the ring's end, which has the least token's name."""
    return list(pairwise((MIN_TOKEN, *sorted(tokens), MIN_TOKEN)))


def _share(reader: SSTableReader, start: int, end: int) -> float:
    """About how much of an SSTable lies in a range of tokens, as if they were even."""
    low, high = (int.from_bytes(p[:8], "big") for p in (reader.first_position, reader.last_position))
    first, last = (int.from_bytes(token_position(t), "big") for t in (start, end if end != MIN_TOKEN else MAX_TOKEN))
    overlap = min(high, last) - max(low, first + 1) + 1
    return max(0.0, min(1.0, overlap / (high - low + 1)))
