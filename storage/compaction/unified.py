"""Unified compaction (db/compaction/UnifiedCompactionStrategy.java, unified/Controller.java): levels by density, which is
size by the share of the ring that an SSTable spans; in a level those that overlap are compacted once they are as many as
the scaling parameter says; what comes out is cut at shards of the ring, the more the denser it is.

A scaling parameter w is `Tn` (w = n - 2: a fanout and a threshold of n), `Ln` (w = 2 - n: a fanout of n, a threshold of 2),
`N` (0), or the number. This node spans the whole ring.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, Generic, NamedTuple

from storage.compaction.choices import Choice, S, Situation, size_of, total_bytes
from storage.compaction.tombstones import long_expired
from storage.memtable.memtable import Position, token_position

BASE_SHARDS: Final = 4
SCALING_PARAMETERS: Final = "T4"
MIN_SSTABLE_SIZE: Final = "100MiB"
TARGET_SSTABLE_SIZE: Final = "1GiB"
SSTABLE_GROWTH: Final = 0.333
_SHARD_SHIFT_MAX: Final = 20
_RING: Final = 1 << 64
_SPAN_MIN: Final = 2.0**-48


class Level(NamedTuple, Generic[S]):
    number: int
    members: list[S]


def next_to_compact(sstables: Sequence[S], situation: Situation) -> Choice[S] | None:
    options = situation.options
    expired = long_expired(sstables, situation)
    rest = [sstable for sstable in sstables if sstable not in expired]
    best: tuple[int, Sequence[S]] = 0, ()
    for level in levels(rest, options, situation.flush_bytes):
        threshold = _threshold(_parameter(level.number, options))
        groups = [(_overlap(group), group) for group in groups_of(level.members)]
        overlap, group = max(groups, key=lambda found: found[0], default=(0, []))
        if overlap >= threshold and overlap > best[0]:
            best = overlap, _limited(group, overlap, level.number, options)
    inputs = [*best[1], *expired]
    return Choice(inputs, shards=shards(inputs, options)) if inputs else None


def major(sstables: Sequence[S], options: Mapping[str, str]) -> list[Choice[S]]:
    """Those that overlap, together."""
    return [Choice(group, shards=shards(group, options)) for group in groups_of(sstables)]


# -- levels -----------------------------------------------------------------------------------------------------------


def levels(sstables: Sequence[S], options: Mapping[str, str], flush_bytes: int) -> list[Level[S]]:
    """Those that are not empty, by density."""
    flush = size_of(options.get("flush_size_override", "0MiB")) or flush_bytes
    fanout = _fanout(_parameter(0, options))
    most = math.floor(max(1 << 20, flush) * (1 - 0.9 / fanout) * fanout)
    found: list[Level[S]] = []
    number = 0
    for sstable in sorted(sstables, key=lambda sstable: density([sstable])):
        while density([sstable]) >= most:
            number += 1
            most = math.floor(most * _fanout(_parameter(number, options)))
        if not found or found[-1].number != number:
            found.append(Level(number, []))
        found[-1].members.append(sstable)
    return found


def density(sstables: Sequence[S]) -> float:
    first = min(sstable.first_position for sstable in sstables)
    last = max(sstable.last_position for sstable in sstables)
    span = (_token(last) + 1 - _token(first)) / _RING
    return total_bytes(sstables) / (span if span >= _SPAN_MIN else 1.0)


def groups_of(sstables: Sequence[S]) -> list[list[S]]:
    """SSTables that overlap, directly or through others."""
    found: list[list[S]] = []
    last: Position = b""
    for sstable in sorted(sstables, key=lambda sstable: sstable.first_position):
        if not found or sstable.first_position > last:
            found.append([])
        found[-1].append(sstable)
        last = max(last, sstable.last_position)
    return found


def _overlap(group: Sequence[S]) -> int:
    """How many lie over one place, at most."""
    bounds = [(sstable.first_position, 0) for sstable in group] + [(sstable.last_position, 1) for sstable in group]
    most = here = 0
    for _, is_end in sorted(bounds):
        here += -1 if is_end else 1
        most = max(most, here)
    return most


def _limited(group: Sequence[S], overlap: int, level: int, options: Mapping[str, str]) -> Sequence[S]:
    """Where the level is so full that what it gives would skip the next: the oldest, so many as one compaction takes."""
    fanout = _fanout(_parameter(level, options))
    most = max(fanout, int(options.get("max_sstables_to_compact", "0")) or _RING)
    count = overlap
    if overlap > fanout * _fanout(_parameter(level + 1, options)) and most != fanout:
        step, limit, number = fanout, min(most, overlap), level
        while step <= limit:
            count, number = step, number + 1
            step *= _fanout(_parameter(number, options))
        if _parameter(level, options) < 0:
            count *= limit // count
    elif overlap > fanout:
        count = min(most, overlap)
    oldest = sorted(group, key=lambda sstable: sstable.max_timestamp_us)
    taken: list[S] = []
    for sstable in oldest:
        if _overlap([*taken, sstable]) > count:
            break
        taken.append(sstable)
    return taken


# -- shards -----------------------------------------------------------------------------------------------------------


def shards(sstables: Sequence[S], options: Mapping[str, str]) -> int:
    """Into how many pieces of the ring what comes of these is cut."""
    return shards_of(density(sstables) if sstables else 0.0, options)


def shards_of(dense: float, options: Mapping[str, str]) -> int:
    """The same, of a density; 0: it is not known (Controller.getNumShards)."""
    base = int(options.get("base_shard_count", BASE_SHARDS))
    least = size_of(options.get("min_sstable_size", MIN_SSTABLE_SIZE))
    if least > 0 and dense / least < base:
        return min(_highest_bit(int(dense / least) | 1), base & -base)
    growth = _growth(options)
    target = size_of(options.get("target_sstable_size", TARGET_SSTABLE_SIZE))
    if growth == 1:
        return base
    if growth == 0:
        return base * _highest_bit(int(min(dense / (target * math.sqrt(0.5) * base), 2.0**_SHARD_SHIFT_MAX)) | 1)
    count = dense / (target * base)
    power = math.log2(count) * (1 - growth) + 0.5 if count > 0 else 0.0
    return base << min(max(int(power), 0), _SHARD_SHIFT_MAX)


def boundaries(count: int) -> list[Position]:
    """Where each shard but the first begins."""
    return [token_position(_RING * number // count - (_RING >> 1) + 1) for number in range(1, count)]


def _growth(options: Mapping[str, str]) -> float:
    text = options.get("sstable_growth")
    if text is None:
        return SSTABLE_GROWTH
    return float(text.rstrip("% ")) / 100 if "%" in text else float(text)


def _highest_bit(number: int) -> int:
    return 1 << number.bit_length() - 1


def _parameter(level: int, options: Mapping[str, str]) -> int:
    parameters = options.get("scaling_parameters", SCALING_PARAMETERS).split(",")
    text = parameters[min(level, len(parameters) - 1)].strip()
    if text[:1] == "T":
        return int(text[1:]) - 2
    if text[:1] == "L":
        return 2 - int(text[1:])
    return 0 if text == "N" else int(text)


def _fanout(parameter: int) -> int:
    return 2 - parameter if parameter < 0 else 2 + parameter


def _threshold(parameter: int) -> int:
    return 2 if parameter <= 0 else 2 + parameter


def _token(position: Position) -> int:
    return int.from_bytes(position[:8], "big")
