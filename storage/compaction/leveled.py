"""Leveled compaction (db/compaction/LeveledManifest.java, LeveledCompactionStrategy.java): from level 1 on the SSTables of a
level lie side by side, and each level may have ten times the bytes of the one below. What is flushed is level 0.

The highest level that has too much gives one SSTable to the next, with what that overlaps there. Level 0 goes into level 1
together with what it overlaps, once it has a whole SSTable's worth; where there are more than 32 of it, they are first
compacted among themselves, by size. Which SSTable of a level was given last is seen from the newest one of the next.
Where many such compactions have passed the highest level by, one SSTable of it comes down with each: else a level that
shrank (a cleanup, another size of SSTables) would never be compacted again, and keep what is deleted.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from storage.compaction import strategies
from storage.compaction.choices import UNLIMITED, Choice, S, Situation, overlapping, thresholds, total_bytes
from storage.compaction.tombstones import is_worth_dropping

SSTABLE_MIB: Final = 160
FANOUT: Final = 10
LEVELS: Final = 9
LEVEL_0_MAX: Final = 32
PASSED_BY_MAX: Final = 25
_FULL: Final = 1.001


def next_to_compact(sstables: Sequence[S], situation: Situation) -> Choice[S] | None:
    options = situation.options
    size = sstable_bytes(options)
    found = levels(sstables)
    by_size = _by_size(found[0], options) if len(found[0]) > LEVEL_0_MAX else ()
    for level in range(LEVELS - 2, 0, -1):
        if total_bytes(found[level]) <= _FULL * level_bytes(level, options):
            continue
        if by_size:
            return Choice(by_size)
        chosen = _one_of(found[level], found[level + 1])
        inputs = [chosen, *overlapping([chosen], found[level + 1])]
        return Choice([*inputs, *_starved(inputs, level + 1, found, situation.passed_by)], level + 1, size)
    inputs = _of_level_0(found, options)
    if inputs:
        return Choice(inputs, _next_level(inputs, size), size)
    if by_size:
        return Choice(by_size)
    for members in reversed(found):
        worth = [sstable for sstable in members if is_worth_dropping(sstable, sstables, situation)]
        if worth:
            chosen = max(worth, key=lambda sstable: sstable.droppable_ratio(situation.gc_before_s))
            return Choice([chosen], chosen.level, size if chosen.level else UNLIMITED)
    return None


def major(sstables: Sequence[S], options: Mapping[str, str]) -> Choice[S]:
    """From level 1 on, each level full before the next one begins."""
    capacities = tuple(level_bytes(level, options) for level in range(1, LEVELS))
    return Choice(sstables, 1, sstable_bytes(options), level_bytes=capacities)


def sstable_bytes(options: Mapping[str, str]) -> int:
    return int(options.get("sstable_size_in_mb", SSTABLE_MIB)) << 20


def level_bytes(level: int, options: Mapping[str, str]) -> int:
    """As many may be in a level."""
    size = sstable_bytes(options)
    return int(options.get("fanout_size", FANOUT)) ** level * size if level else 4 * size


def levels(sstables: Sequence[S]) -> list[list[S]]:
    """By level. What says that it is of a level, and overlaps others there, is of level 0."""
    found: list[list[S]] = [[] for _ in range(LEVELS)]
    for sstable in sorted(sstables, key=lambda sstable: sstable.first_position):
        level = min(sstable.level, LEVELS - 1)
        if level and found[level] and found[level][-1].last_position >= sstable.first_position:
            level = 0
        found[level].append(sstable)
    return found


def is_of_high_levels(choice: Choice[S]) -> bool:
    """Whether it takes from one level, but 0, to the next."""
    return 0 < min(sstable.level for sstable in choice.inputs) < choice.level


def _starved(inputs: Sequence[S], target: int, found: Sequence[Sequence[S]], passed_by: Mapping[int, int]) -> list[S]:
    """Of the highest level that there is, where it was passed by too often, one that lies within what is compacted: so
    nothing overlaps in the target's level."""
    highest = max(level for level, members in enumerate(found) if members)
    if highest == target or passed_by.get(highest, 0) < PASSED_BY_MAX:
        return []
    first = min(sstable.first_position for sstable in inputs)
    last = max(sstable.last_position for sstable in inputs)
    within = (s for s in found[highest] if first <= s.first_position < s.last_position <= last and s not in inputs)
    return list(islice(within, 1))


def _by_size(level_0: Sequence[S], options: Mapping[str, str]) -> Sequence[S]:
    return strategies.size_tiered(level_0, options)


def _one_of(members: Sequence[S], following: Sequence[S]) -> S:
    """The one behind that which was given to the next level last, in the order of the ring."""
    if following:
        last = max(following, key=lambda sstable: sstable.created_ms).last_position
        for sstable in members:
            if sstable.first_position > last:
                return sstable
    return members[0]


def _of_level_0(found: Sequence[Sequence[S]], options: Mapping[str, str]) -> list[S]:
    """The oldest, with those that they overlap; from a whole SSTable on with what they overlap in level 1."""
    most = thresholds(options)[1]
    remaining = sorted(found[0], key=lambda sstable: sstable.max_timestamp_us)
    inputs: list[S] = []
    while remaining and len(inputs) <= most:
        together = overlapping(remaining[:1], remaining)
        inputs += together
        remaining = [sstable for sstable in remaining if sstable not in together]
    inputs = sorted(inputs, key=lambda sstable: sstable.max_timestamp_us)[:most]
    if total_bytes(inputs) > sstable_bytes(options):
        inputs += overlapping(inputs, found[1])
    return inputs if len(inputs) > 1 else []


def _next_level(inputs: Sequence[S], size: int) -> int:
    lowest, highest = min(sstable.level for sstable in inputs), max(sstable.level for sstable in inputs)
    if not highest and total_bytes(inputs) < size:
        return 0
    return highest + 1 if lowest == highest else highest
