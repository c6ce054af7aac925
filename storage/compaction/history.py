"""What the node keeps of the compactions that were, for a week: system.compaction_history
(SystemKeyspace.updateCompactionHistory)."""

from typing import TYPE_CHECKING, Final

from protocol.types import BIGINT, INT, TEXT, TIMESTAMP, MapType
from storage.compaction.compaction import Compacted
from storage.environment.environment import Clock
from storage.mutation import LIVE, Cell, ComplexColumn, Deletion, Liveness, PartitionUpdate, Row
from storage.schema.metadata import TableMetadata

if TYPE_CHECKING:
    from storage.engine import Engine

TABLE: Final = ("system", "compaction_history")
_UNTOLD: Final = frozenset({"Cleanup", "Scrub"})
"""Of these Cassandra keeps nothing: they are no CompactionTask."""
_PROPERTIES: Final = MapType(TEXT, TEXT, True)


def remember(engine: "Engine", compacted: Compacted) -> None:
    """Writes it down, in a program that has the table, while the log takes anything."""
    table, commit_log = engine.schema.maybe_table(*TABLE), engine.commit_log
    if table is None or commit_log is None or commit_log.failure is not None:
        return
    entry = maybe_entry(table, compacted, engine.environment.clock)
    if entry is None:
        return
    is_nobodys_go = not commit_log.gathered
    engine.apply_plain([entry])
    if is_nobodys_go:
        commit_log.write()


def maybe_entry(table: TableMetadata, compacted: Compacted, clock: Clock) -> PartitionUpdate | None:
    """A row of `table`; None for what is not told, among it the compactions of that table, which would make more of them."""
    subject = compacted.table
    if compacted.kind in _UNTOLD or (subject.keyspace, subject.name) == TABLE:
        return None
    now_us = clock.wall_us()
    ttl_s = table.params.default_time_to_live
    expires_s = now_us // 1_000_000 + ttl_s

    def cell(value: bytes) -> Cell:
        return Cell(now_us, value, ttl_s, expires_s)

    columns: dict[str, Cell | ComplexColumn] = {
        "keyspace_name": cell(TEXT.encode(subject.keyspace)),
        "columnfamily_name": cell(TEXT.encode(subject.name)),
        "compacted_at": cell(TIMESTAMP.encode(now_us // 1000)),
        "bytes_in": cell(BIGINT.encode(compacted.bytes_in)),
        "bytes_out": cell(BIGINT.encode(compacted.bytes_out)),
        "rows_merged": ComplexColumn(
            Deletion(now_us - 1, now_us // 1_000_000),
            {INT.encode(versions): cell(BIGINT.encode(count)) for versions, count in compacted.merged.items()},
        ),
        "compaction_properties": cell(_PROPERTIES.encode({"compaction_type": compacted.kind})),
    }
    row = Row((), Liveness(now_us, ttl_s, expires_s), LIVE, columns)
    return PartitionUpdate(table.id, compacted.id.bytes, rows={b"": row})
