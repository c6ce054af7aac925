"""Which SSTables of a table to compact next, by the table's strategy: pure functions over what SSTables say of themselves.

SizeTiered (db/compaction/SizeTieredCompactionStrategy.java): SSTables of about the same size, once there are
`min_threshold` of them, those that are read most first. TimeWindow (TimeWindowCompactionStrategy.java): by the window of
their newest timestamp, in the newest window as SizeTiered, of older ones all that there are; and whatever has expired.
Leveled: leveled.py, Unified: unified.py. Where there is nothing else to do, an SSTable of many old tombstones is compacted
alone: tombstones.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from storage.compaction import leveled, unified
from storage.compaction.choices import Choice, S, Situation, class_name, thresholds, total_bytes
from storage.compaction.tombstones import long_expired, maybe_droppable

LEVELED: Final = "LeveledCompactionStrategy"
UNIFIED: Final = "UnifiedCompactionStrategy"
MIN_SSTABLE_BYTES: Final = 50 << 20
SMALLEST_PART_BYTES: Final = 50_000_000
PARTS_MAX: Final = 20
_UNIT_S: Final = {"MINUTES": 60, "HOURS": 3_600, "DAYS": 86_400}
_RESOLUTION_US: Final = {"MICROSECONDS": 1, "MILLISECONDS": 1_000, "SECONDS": 1_000_000}
_TOMBSTONE_OPTIONS: Final = ("tombstone_threshold", "tombstone_compaction_interval", "unchecked_tombstone_compaction")


def is_enabled(options: Mapping[str, str]) -> bool:
    return options.get("enabled", "true").lower() != "false"


def next_to_compact(sstables: Sequence[S], situation: Situation) -> Choice[S] | None:
    """None where there is nothing to do."""
    options = situation.options
    if not sstables or not is_enabled(options):
        return None
    name = class_name(options)
    if name == LEVELED:
        return leveled.next_to_compact(sstables, situation)
    if name == UNIFIED:
        return unified.next_to_compact(sstables, situation)
    if name == "TimeWindowCompactionStrategy":
        expired = long_expired(sstables, situation)
        rest = [sstable for sstable in sstables if sstable not in expired]
        inputs = [*time_window(rest, options), *expired]
        has_options = any(option in options for option in _TOMBSTONE_OPTIONS)
        droppable = maybe_droppable(rest, situation, min) if not inputs and has_options else None
    else:
        inputs = list(size_tiered(sstables, options))
        droppable = maybe_droppable(sstables, situation, max) if not inputs else None
    if droppable is not None:
        inputs = [droppable]
    return Choice(inputs) if inputs else None


def major(sstables: Sequence[S], situation: Situation, splits: bool = False) -> list[Choice[S]]:
    """All of them, in one compaction or in several that have nothing to do with each other. `splits`: SizeTiered makes
    several SSTables, each of half of what is left."""
    if not sstables:
        return []
    name = class_name(situation.options)
    if name == LEVELED:
        return [leveled.major(sstables, situation.options)]
    if name == UNIFIED:
        return unified.major(sstables, situation.options)
    if splits and name != "TimeWindowCompactionStrategy":
        return [Choice(sstables, output_bytes=halves(total_bytes(sstables)))]
    return [Choice(sstables)]


def halves(size: int) -> tuple[int, ...]:
    """A half, a quarter, an eighth, ..., until one would be small; what is behind them is the last one
    (db/compaction/writers/SplittingSizeTieredCompactionWriter.java)."""
    found: list[int] = []
    part = size / 2
    while part >= SMALLEST_PART_BYTES and len(found) < PARTS_MAX - 1:
        found.append(round(part))
        part /= 2
    return tuple(found)


def together(sstables: Sequence[S], options: Mapping[str, str]) -> Choice[S]:
    """Those, whatever the strategy would take (a user-defined compaction)."""
    name = class_name(options)
    if name == UNIFIED:
        return Choice(sstables, shards=unified.shards(sstables, options))
    if len(sstables) == 1 and sstables[0].level and name == LEVELED:
        return Choice(sstables, sstables[0].level, leveled.sstable_bytes(options))
    return Choice(sstables)


def size_tiered(sstables: Sequence[S], options: Mapping[str, str]) -> Sequence[S]:
    """Of the buckets with enough SSTables the one that is read most, of it those that are; where nothing is read, the one
    of the smallest."""
    low, high = float(options.get("bucket_low", 0.5)), float(options.get("bucket_high", 1.5))
    small = float(options.get("min_sstable_size", MIN_SSTABLE_BYTES))
    least, most = thresholds(options)
    found = [_hottest(bucket, most) for bucket in buckets(sstables, low, high, small) if len(bucket) >= least]
    return max(found, key=lambda bucket: sum(sstable.heat for sstable in bucket), default=())


def _hottest(bucket: Sequence[S], most: int) -> Sequence[S]:
    return sorted(bucket, key=lambda sstable: -sstable.heat)[:most]


def buckets(sstables: Iterable[S], low: float, high: float, small: float) -> list[list[S]]:
    """SSTables of about the same size together, the smallest first."""
    found: list[list[S]] = []
    for sstable in sorted(sstables, key=lambda sstable: sstable.data_disk_bytes):
        size = sstable.data_disk_bytes
        for bucket in found:
            average = sum(other.data_disk_bytes for other in bucket) / len(bucket)
            if low * average < size < high * average or (size < small and average < small):
                bucket.append(sstable)
                break
        else:
            found.append([sstable])
    return found


def time_window(sstables: Sequence[S], options: Mapping[str, str]) -> Sequence[S]:
    """Of the newest window what SizeTiered takes, else of an older one all that there are."""
    unit_s = _UNIT_S[options.get("compaction_window_unit", "DAYS").upper()]
    resolution_us = _RESOLUTION_US[options.get("timestamp_resolution", "MICROSECONDS").upper()]
    width = int(options.get("compaction_window_size", 1)) * unit_s * 1_000_000 // resolution_us
    windows: dict[int, list[S]] = {}
    for sstable in sstables:
        windows.setdefault(sstable.max_timestamp_us // width, []).append(sstable)
    newest = max(windows, default=0)
    for window in sorted(windows, reverse=True):
        found = windows[window]
        chosen = size_tiered(found, options) if window == newest else found[: thresholds(options)[1]]
        if len(chosen) > 1:
            return chosen
    return ()
