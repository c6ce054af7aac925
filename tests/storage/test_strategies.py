"""What each strategy compacts next."""

import random
from dataclasses import dataclass

import pytest

from storage.compaction import leveled, unified
from storage.compaction.choices import Choice, Situation, size_of
from storage.compaction.strategies import halves, major, next_to_compact
from storage.memtable.memtable import Position, token_position

MB = 1 << 20
RING = 1 << 64
DAY_US = 86_400_000_000
DAY_S = 86_400
SIZE_TIERED = {"class": "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy"}
WINDOWS = {"class": "TimeWindowCompactionStrategy", "compaction_window_unit": "DAYS", "compaction_window_size": "1"}
LEVELED = {"class": "LeveledCompactionStrategy"}
UNIFIED = {"class": "UnifiedCompactionStrategy"}
NEVER_S = 1 << 62


@dataclass(eq=False)
class Told:
    """What an SSTable says of itself; it spans the ring from one share to another."""

    data_disk_bytes: int
    max_timestamp_us: int = 0
    first: float = 0.0
    last: float = 1.0
    level: int = 0
    created_ms: int = 0
    min_timestamp_us: int = 0
    max_local_deletion_s: int = NEVER_S
    ratio: float = 0.0
    heat: float = 0.0

    @property
    def first_position(self) -> Position:
        return token_position(min(int(self.first * RING), RING - 1) - RING // 2)

    @property
    def last_position(self) -> Position:
        return token_position(min(int(self.last * RING), RING - 1) - RING // 2)

    def droppable_ratio(self, gc_before_s: int) -> float:
        return self.ratio


def chosen(sstables: list[Told], options: dict[str, str], now_s: int = 0, flush_bytes: int = 0) -> list[Told]:
    choice = choice_of(sstables, options, now_s, flush_bytes)
    return [] if choice is None else list(choice.inputs)


def choice_of(
    sstables: list[Told], options: dict[str, str], now_s: int = 0, flush_bytes: int = 0
) -> Choice[Told] | None:
    return next_to_compact(sstables, Situation(options, now_s * 1000, now_s - 10 * DAY_S, flush_bytes))


def test_size_tiered_takes_what_is_alike() -> None:
    small = [Told(MB), Told(2 * MB), Told(40 * MB)]
    large = [Told(size * MB) for size in (100, 110, 120, 130)]
    assert chosen([*small, *large], SIZE_TIERED) == large
    assert chosen([*small, *large[:3]], SIZE_TIERED) == []
    assert chosen([*small, *large[:3]], {**SIZE_TIERED, "min_threshold": "3"}) == small
    assert chosen(large, {**SIZE_TIERED, "enabled": "false"}) == []
    assert len(chosen([Told(MB) for _ in range(100)], SIZE_TIERED)) == 32
    assert len(chosen([Told(MB) for _ in range(100)], {**SIZE_TIERED, "max_threshold": "7"})) == 7


def test_size_tiered_takes_what_is_read_most() -> None:
    small = [Told(MB) for _ in range(6)]
    large = [Told(size * MB) for size in (100, 110, 120, 130)]
    assert chosen([*small, *large], SIZE_TIERED) == small
    large[1].heat = 0.1
    assert chosen([*small, *large], SIZE_TIERED) == [large[1], large[0], *large[2:]]
    small[5].heat = small[3].heat = 0.06
    options = {**SIZE_TIERED, "max_threshold": "4"}
    assert chosen([*small, *large], options) == [small[3], small[5], small[0], small[1]]


def test_time_windows_are_compacted_apart() -> None:
    old = [Told(MB, DAY_US + number) for number in range(2)]
    new = [Told(MB, 5 * DAY_US + number) for number in range(3)]
    assert chosen([*old, *new], WINDOWS) == old
    assert chosen(new, WINDOWS) == []
    assert len(chosen([*new, Told(MB, 5 * DAY_US)], WINDOWS)) == 4


def test_what_has_expired_goes_whole_where_it_hides_nothing() -> None:
    now_s = 100 * DAY_S
    expired = Told(MB, 50, max_local_deletion_s=80 * DAY_S)
    newer, older = Told(MB, 10 * DAY_US, min_timestamp_us=60), Told(MB, 10 * DAY_US, min_timestamp_us=50)
    assert chosen([expired, newer], WINDOWS, now_s) == [expired]
    assert chosen([expired, older], WINDOWS, now_s) == []
    assert chosen([expired, newer], SIZE_TIERED, now_s) == []
    fresh = Told(MB, 50, max_local_deletion_s=80 * DAY_S, created_ms=1000 * (now_s - 60))
    assert chosen([fresh, newer], WINDOWS, now_s) == []
    kept = Told(MB, 50, max_local_deletion_s=95 * DAY_S)
    assert chosen([kept, newer], WINDOWS, now_s) == []


def test_an_sstable_of_tombstones_is_compacted_alone_when_it_is_a_day_old() -> None:
    now_s = 100 * DAY_S
    full, other = Told(MB, ratio=0.3), Told(300 * MB, first=0.5)
    apart = Told(300 * MB, ratio=0.25, first=0.2, last=0.4)
    assert chosen([full, other], SIZE_TIERED, now_s) == []  # 0.3 of half of it
    assert chosen([full, other], {**SIZE_TIERED, "tombstone_threshold": "0.1"}, now_s) == [full]
    assert chosen([full, other], {**SIZE_TIERED, "unchecked_tombstone_compaction": "true"}, now_s) == [full]
    assert chosen([apart, other], SIZE_TIERED, now_s) == [apart]
    assert chosen([Told(MB, ratio=0.2)], SIZE_TIERED, now_s) == []
    assert chosen([Told(MB, ratio=0.3, created_ms=1000 * (now_s - DAY_S + 1))], SIZE_TIERED, now_s) == []
    young = {**SIZE_TIERED, "tombstone_compaction_interval": "100"}
    assert len(chosen([Told(MB, ratio=0.3, created_ms=1000 * (now_s - DAY_S + 1))], young, now_s)) == 1
    assert chosen([full], WINDOWS, now_s) == []
    assert chosen([full], {**WINDOWS, "tombstone_threshold": "0.2"}, now_s) == [full]


# -- leveled ----------------------------------------------------------------------------------------------------------


def test_level_0_stays_together_until_it_is_a_whole_sstables_worth() -> None:
    above = [Told(150 * MB, level=1, first=n / 4, last=n / 4 + 0.2) for n in range(4)]
    few = [Told(MB, n, first=0.3, last=0.4) for n in range(3)]
    choice = choice_of([*few, *above], LEVELED)
    assert choice is not None
    assert (list(choice.inputs), choice.level) == (few, 0)
    many = [Told(80 * MB, n, first=0.3, last=0.4) for n in range(3)]
    choice = choice_of([*many, *above], LEVELED)
    assert choice is not None
    assert (list(choice.inputs), choice.level, choice.sstable_bytes) == ([*many, above[1]], 1, 160 * MB)
    assert chosen([many[0], *above], LEVELED) == []


def test_a_level_with_too_much_gives_the_next_one_in_the_order_of_the_ring() -> None:
    level_1 = [Told(160 * MB, level=1, first=n / 20, last=n / 20 + 0.04) for n in range(11)]
    level_2 = [Told(160 * MB, level=2, first=n / 10, last=n / 10 + 0.09, created_ms=10 * (n == 1) + n) for n in range(5)]
    choice = choice_of([*level_1, *level_2], LEVELED)
    assert choice is not None
    assert (list(choice.inputs), choice.level) == ([level_1[4], level_2[2]], 2)
    assert chosen([*level_1[:10], *level_2], LEVELED) == []
    assert chosen([*level_1[:10], *level_2], {**LEVELED, "fanout_size": "5"})[0] is level_1[4]


def test_a_level_that_was_passed_by_too_often_comes_down_by_and_by() -> None:
    level_1 = [Told(160 * MB, level=1, first=n / 20, last=n / 20 + 0.04) for n in range(11)]
    level_2 = [Told(160 * MB, level=2, first=n / 20, last=n / 20 + 0.049) for n in range(5)]
    single = Told(MB, level=4, first=0.055, last=0.055)
    within, across = Told(MB, level=4, first=0.06, last=0.07), Told(MB, level=4, first=0.08, last=0.3)
    sstables = [*level_1, *level_2, single, across, within]

    def inputs(passed_by: dict[int, int]) -> list[Told]:
        choice = next_to_compact(sstables, Situation(LEVELED, 0, 0, passed_by=passed_by))
        assert choice is not None
        assert choice.level == 2
        assert leveled.is_of_high_levels(choice)
        return list(choice.inputs)

    usual = inputs({})
    assert inputs({4: 24, 3: 99}) == usual
    assert single.first_position == single.last_position
    assert inputs({4: 25}) == [*usual, within]
    sstables.remove(within)
    assert inputs({4: 25}) == usual


def test_very_many_of_level_0_are_compacted_by_size_first() -> None:
    level_1 = [Told(160 * MB, level=1, first=n / 20, last=n / 20 + 0.04) for n in range(11)]
    many = [Told(MB, n) for n in range(33)]
    choice = choice_of([*level_1, *many], LEVELED)
    assert choice is not None
    assert (len(choice.inputs), choice.level) == (32, 0)
    assert not set(choice.inputs) & set(level_1)


def test_what_overlaps_in_a_level_is_of_level_0() -> None:
    overlapping = [Told(MB, level=2, first=0.1, last=0.5), Told(MB, level=2, first=0.4, last=0.6)]
    assert [len(level) for level in leveled.levels(overlapping)][:3] == [1, 0, 1]


def test_a_major_compaction_fills_level_by_level() -> None:
    (choice,) = major([Told(MB), Told(MB)], Situation({**LEVELED, "sstable_size_in_mb": "10"}, 0, 0))
    assert (choice.level, choice.sstable_bytes) == (1, 10 * MB)
    assert choice.level_bytes[:2] == (100 * MB, 1000 * MB)


# -- unified ----------------------------------------------------------------------------------------------------------


def test_a_split_output_halves_until_a_part_would_be_small() -> None:
    """As ratios are found in SplittingSizeTieredCompactionWriter: the one that would be below 50 MB is the rest."""
    assert halves(99_000_000) == ()
    assert halves(100_000_000) == (50_000_000,)
    assert halves(450_000_001) == (225_000_000, 112_500_000, 56_250_000)
    assert len(halves(1 << 60)) == 19


@pytest.mark.parametrize("options", [SIZE_TIERED, WINDOWS, LEVELED, UNIFIED])
def test_only_size_tiered_splits_its_output(options: dict[str, str]) -> None:
    (choice,) = major([Told(200 * MB), Told(200 * MB)], Situation(options, 0, 0), splits=True)
    assert bool(choice.output_bytes) == (options is SIZE_TIERED)


def test_unified_compacts_as_many_as_the_scaling_parameter_says() -> None:
    flushed = [Told(50 * MB, n) for n in range(3)]
    assert chosen(flushed, UNIFIED, flush_bytes=50 * MB) == []
    four = [*flushed, Told(50 * MB, 4)]
    assert chosen(four, UNIFIED, flush_bytes=50 * MB) == four
    assert len(chosen(four, {**UNIFIED, "scaling_parameters": "T8"}, flush_bytes=50 * MB)) == 0
    assert len(chosen(flushed[:2], {**UNIFIED, "scaling_parameters": "L4"}, flush_bytes=50 * MB)) == 2
    assert len(chosen(flushed[:2], {**UNIFIED, "scaling_parameters": "N"}, flush_bytes=50 * MB)) == 2
    apart = [Told(25 * MB, first=n / 4, last=n / 4 + 0.2) for n in range(4)]
    assert chosen(apart, UNIFIED, flush_bytes=50 * MB) == []


def test_denser_ones_are_of_higher_levels() -> None:
    sizes = (50, 60, 210, 1000, 200)
    found = unified.levels([Told(size * MB) for size in sizes], UNIFIED, 50 * MB)
    assert [(level.number, [told.data_disk_bytes // MB for told in level.members]) for level in found] == [
        (0, [50, 60]), (1, [200, 210]), (2, [1000])
    ]  # fmt: skip
    half = unified.levels([Told(100 * MB, last=0.5)], UNIFIED, 50 * MB)
    assert half[0].number == 1


@pytest.mark.parametrize(
    ("size", "options", "expected"),
    [
        ("10MiB", {}, 1),
        ("250MiB", {}, 2),
        ("350MiB", {}, 2),
        ("500MiB", {}, 4),
        ("100GiB", {}, 32),
        ("100GiB", {"sstable_growth": "0"}, 128),
        ("100GiB", {"sstable_growth": "1"}, 4),
        ("100GiB", {"sstable_growth": "33.3%"}, 32),
        ("100GiB", {"base_shard_count": "8", "target_sstable_size": "200MiB", "sstable_growth": "0.5"}, 64),
        ("1GiB", {"min_sstable_size": "0B", "base_shard_count": "3"}, 3),
    ],
)
def test_shards(size: str, options: dict[str, str], expected: int) -> None:
    assert unified.shards([Told(size_of(size))], options) == expected


def test_where_shards_begin() -> None:
    assert unified.boundaries(1) == []
    assert unified.boundaries(4) == [token_position(-(1 << 62) + 1), token_position(1), token_position((1 << 62) + 1)]


def test_a_unified_major_compaction_leaves_apart_what_does_not_overlap() -> None:
    left, right = [Told(MB, last=0.4), Told(MB, first=0.2, last=0.45)], [Told(MB, first=0.5)]
    assert [list(choice.inputs) for choice in major([*left, *right], Situation(UNIFIED, 0, 0))] == [left, right]


@pytest.mark.parametrize("options", [SIZE_TIERED, WINDOWS, LEVELED, {**LEVELED, "sstable_size_in_mb": "2"}, UNIFIED])
def test_compactions_come_to_an_end(options: dict[str, str]) -> None:
    """Of any SSTables: what comes out goes in again until there is nothing left to do."""
    rng = random.Random(5)
    for _ in range(20):
        tables = []
        for _ in range(rng.randrange(1, 60)):
            first = rng.random()
            tables.append(Told(rng.randrange(1, 9) * MB, rng.randrange(10 * DAY_US), first, rng.uniform(first, 1)))
        rounds = 0
        while (choice := choice_of(tables, options, flush_bytes=5 * MB)) is not None:
            rounds += 1
            assert rounds < 500
            size = sum(told.data_disk_bytes for told in choice.inputs)
            first = min(told.first for told in choice.inputs)
            last = max(told.last for told in choice.inputs)
            parts = max(choice.shards, -(-size // choice.sstable_bytes))
            newest = max(told.max_timestamp_us for told in choice.inputs)
            width = (last - first) / parts
            tables = [told for told in tables if told not in choice.inputs]
            for part in range(parts):
                begin = first + part * width
                tables.append(Told(size // parts, newest, begin, begin + width * 0.999, choice.level))
        assert rounds or len(tables) < 60
