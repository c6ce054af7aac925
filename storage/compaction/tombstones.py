"""SSTables worth a compaction for what may be dropped of them (db/compaction/AbstractCompactionStrategy.java
worthDroppingTombstones, CompactionController.java getFullyExpiredSSTables)."""

from collections.abc import Callable, Sequence
from typing import Final

from storage.compaction.choices import S, Situation, overlapping
from storage.memtable.memtable import Position

THRESHOLD: Final = 0.2
INTERVAL_S: Final = 86_400
EXPIRED_INTERVAL_S: Final = 600


def maybe_droppable(sstables: Sequence[S], situation: Situation, preferred: Callable[..., S]) -> S | None:
    """One to be compacted alone, for its tombstones: the largest or the smallest, as `preferred` (max, min) says."""
    found = [sstable for sstable in sstables if is_worth_dropping(sstable, sstables, situation)]
    return preferred(found, key=lambda sstable: sstable.data_disk_bytes) if found else None


def is_worth_dropping(sstable: S, all_of_table: Sequence[S], situation: Situation) -> bool:
    options, gc_before_s = situation.options, situation.gc_before_s
    threshold = float(options.get("tombstone_threshold", THRESHOLD))
    interval_s = int(options.get("tombstone_compaction_interval", INTERVAL_S))
    if situation.now_ms < sstable.created_ms + 1000 * interval_s:
        return False
    ratio = sstable.droppable_ratio(gc_before_s)
    if ratio <= threshold:
        return False
    if options.get("unchecked_tombstone_compaction", "false").lower() == "true":
        return True
    others = overlapping([sstable], [other for other in all_of_table if other is not sstable])
    if not others or fully_expired([sstable], gc_before_s, others):
        return True
    return ratio * _share_outside(sstable, others) > threshold


def long_expired(sstables: Sequence[S], situation: Situation) -> list[S]:
    """Those of all of a table's that are nothing but expired, and have not been looked at for a while."""
    interval_s = int(situation.options.get("expired_sstable_check_frequency_seconds", EXPIRED_INTERVAL_S))
    found = fully_expired(sstables, situation.gc_before_s)
    return [sstable for sstable in found if situation.now_ms >= sstable.created_ms + 1000 * interval_s]


def fully_expired(sstables: Sequence[S], gc_before_s: int, others: Sequence[S] = ()) -> list[S]:
    """Those in which everything has expired, and that hide nothing older that is elsewhere (in memtables: whoever compacts
    them looks)."""
    oldest_us = min((other.min_timestamp_us for other in others), default=1 << 63)
    candidates = []
    for sstable in sstables:
        if sstable.max_local_deletion_s < gc_before_s:
            candidates.append(sstable)
        else:
            oldest_us = min(oldest_us, sstable.min_timestamp_us)
    return [sstable for sstable in candidates if sstable.max_timestamp_us < oldest_us]


def _share_outside(sstable: S, others: Sequence[S]) -> float:
    """About which share of its partitions lies where no other has any."""
    first, last = _token(sstable.first_position), _token(sstable.last_position)
    covered, reached = 0, first
    for other in sorted(others, key=lambda other: other.first_position):
        begin, end = max(_token(other.first_position), reached), min(_token(other.last_position), last)
        if end >= begin:
            covered += end - begin + 1
            reached = end + 1
    return max(0.0, 1 - covered / (last - first + 1))


def _token(position: Position) -> int:
    return int.from_bytes(position[:8], "big")
