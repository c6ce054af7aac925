"""Up to when the commit log is replayed: a point in time, and from where on (CommitLogReplayer.pointInTimeExceeded)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from storage.commitlog.format import CommitLogPosition
from storage.commitlog.records import (
    RECORD_DROP,
    RECORD_GROUP,
    RECORD_ROWS,
    RECORD_TRACKED,
    RECORD_TRUNCATE,
    rows_table,
    split_drop,
    split_group,
    split_rows,
    split_tracked,
    split_truncate,
)
from storage.commitlog.recovery import RecordHandler
from storage.mutation import FORMAT_VERSION, NO_TIMESTAMP, Cell, PartitionUpdate, Row, maybe_packed

MICROSECONDS: Final = 1
_BEGINNING: Final = CommitLogPosition(0)
_TABLE_ID: Final = slice(4, 20)
"""Of a packed record."""


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """What was written after `time_us` (None: no matter when) is left out: a record with all that is in it, where any of it
    was. `precision_us`: how many microseconds are one of the timestamps that clients give; the program's own tables have
    microseconds, whatever it is. What lies before or at `after` is in the SSTables."""

    time_us: int | None = None
    precision_us: int = MICROSECONDS
    after: CommitLogPosition = _BEGINNING

    def only_wanted(self, handler: RecordHandler, is_own: Callable[[UUID], bool]) -> RecordHandler:
        """A handler that gives another the records that are to be replayed; `is_own`: of a table, whether it is the
        program's."""

        def handle(records: list[bytes], position: CommitLogPosition) -> None:
            if position > self.after:
                wanted = [record for record in records if not self._is_later(record, is_own)]
                if wanted:
                    handler(wanted, position)

        return handle

    def _is_later(self, record: bytes, is_own: Callable[[UUID], bool]) -> bool:
        point = self.time_us
        return point is not None and any(
            timestamp * (MICROSECONDS if is_own(table_id) else self.precision_us) > point
            for table_id, timestamp in _timestamps(record)
        )


def _timestamps(record: bytes) -> list[tuple[UUID, int]]:
    """The newest of each table's part of a record. Raises CorruptionError."""
    kind = record[0]
    if kind == RECORD_GROUP:
        return [found for part in split_group(record) for found in _timestamps(part)]
    if kind == RECORD_TRACKED:
        return _timestamps(split_tracked(record)[1])
    if kind == RECORD_TRUNCATE:
        table_id, truncation = split_truncate(record)
        return [(table_id, truncation.timestamp_us)]
    if kind == RECORD_DROP:  # the rows of the schema that say so are in the same group
        return [(split_drop(record)[0], NO_TIMESTAMP)]
    if kind == RECORD_ROWS:
        return [(UUID(bytes=rows_table(record)), int.from_bytes(split_rows(record).timestamp, "big", signed=True))]
    if kind != FORMAT_VERSION:
        return []
    packed = maybe_packed(record)
    if packed is not None:
        return [(UUID(bytes=record[_TABLE_ID]), int.from_bytes(packed.body[:8], "big", signed=True))]
    update = PartitionUpdate.decode(record)
    return [(update.table_id, max_timestamp_us(update))]


def max_timestamp_us(update: PartitionUpdate) -> int:
    """PartitionUpdate.maxTimestamp."""
    rows = [*update.rows.values(), *([update.static] if update.static is not None else [])]
    deletions = [update.deletion, *(tombstone.deletion for tombstone in update.range_tombstones)]
    return max([d.timestamp_us for d in deletions] + [timestamp for row in rows for timestamp in _of_row(row)])


def _of_row(row: Row) -> list[int]:
    found = [row.liveness.timestamp_us, row.deletion.timestamp_us]
    for column in row.columns.values():
        if isinstance(column, Cell):
            found.append(column.timestamp_us)
        else:
            found += [column.deletion.timestamp_us, *(cell.timestamp_us for cell in column.cells.values())]
    return found
