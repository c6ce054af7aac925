"""Which SSTables of a table to compact next, by the table's strategy: pure functions over what SSTables say of themselves.

SizeTiered (db/compaction/SizeTieredCompactionStrategy.java): SSTables of about the same size, once there are
`min_threshold` of them. TimeWindow (TimeWindowCompactionStrategy.java): by the window of their newest timestamp, in the
newest window as SizeTiered, of older ones all that there are. Leveled and Unified are worked on as SizeTiered: what is read
stays the same, only its cost differs.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

MIN_THRESHOLD: Final = 4
MAX_THRESHOLD: Final = 32
MIN_SSTABLE_BYTES: Final = 50 << 20
_UNIT_S: Final = {"MINUTES": 60, "HOURS": 3_600, "DAYS": 86_400}
_RESOLUTION_US: Final = {"MICROSECONDS": 1, "MILLISECONDS": 1_000, "SECONDS": 1_000_000}


class Compactable(Protocol):
    """What is asked of an SSTable."""

    @property
    def data_bytes(self) -> int: ...
    @property
    def max_timestamp_us(self) -> int: ...


S = TypeVar("S", bound=Compactable)


def next_to_compact(sstables: Sequence[S], options: Mapping[str, str]) -> Sequence[S]:
    """`options`: the table's `compaction`. Empty where there is nothing to do."""
    if options.get("enabled", "true").lower() == "false":
        return ()
    name = options.get("class", "").rpartition(".")[2]
    if name == "TimeWindowCompactionStrategy":
        return time_window(sstables, options)
    return size_tiered(sstables, options)


def size_tiered(sstables: Sequence[S], options: Mapping[str, str]) -> Sequence[S]:
    """The bucket of the smallest SSTables of which there are enough."""
    low, high = float(options.get("bucket_low", 0.5)), float(options.get("bucket_high", 1.5))
    small = float(options.get("min_sstable_size", MIN_SSTABLE_BYTES))
    least, most = _thresholds(options)
    for bucket in buckets(sstables, low, high, small):
        if len(bucket) >= least:
            return bucket[:most]
    return ()


def buckets(sstables: Iterable[S], low: float, high: float, small: float) -> list[list[S]]:
    """SSTables of about the same size together, the smallest first."""
    found: list[list[S]] = []
    for sstable in sorted(sstables, key=lambda sstable: sstable.data_bytes):
        size = sstable.data_bytes
        for bucket in found:
            average = sum(other.data_bytes for other in bucket) / len(bucket)
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
        chosen = size_tiered(found, options) if window == newest else found[: _thresholds(options)[1]]
        if len(chosen) > 1:
            return chosen
    return ()


def _thresholds(options: Mapping[str, str]) -> tuple[int, int]:
    return int(options.get("min_threshold", MIN_THRESHOLD)), int(options.get("max_threshold", MAX_THRESHOLD))
