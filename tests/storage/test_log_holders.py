"""Which memtables are flushed because of the log that they hold."""

import random
from uuid import UUID

from storage.commitlog.format import CommitLogPosition
from storage.files.log_holders import FLUSH_BYTES, FREED_BYTES_PER_BYTE, LogHolder, worth_flushing

EMPTY_BYTES = FREED_BYTES_PER_BYTE * FLUSH_BYTES
"""What a flush of a memtable with nothing in it has to free."""
SEGMENT_BYTES = 32 << 20


def holder(number: int, since: int, size: int = 0, is_leaving: bool = False) -> LogHolder:
    return LogHolder(UUID(int=number), CommitLogPosition(since), size, is_leaving)


def flushed(holders: list[LogHolder], others: int, segment_bytes: int = 1, start: int = 0) -> list[int]:
    """The numbers of those of which it is said, where the log is cut at every multiple of `segment_bytes`, and begins at
    `start`."""
    found = worth_flushing(holders, CommitLogPosition(others), lambda at: at // segment_bytes * segment_bytes - start)
    return [table_id.int for table_id in found]


def test_a_memtable_is_flushed_when_the_log_that_it_holds_is_worth_it() -> None:
    assert flushed([holder(1, 0)], EMPTY_BYTES - 1) == []
    assert flushed([holder(1, 0)], EMPTY_BYTES) == [1]
    assert flushed([holder(1, 0, 1000)], EMPTY_BYTES + 1000 * FREED_BYTES_PER_BYTE - 1) == []
    assert flushed([holder(1, 0, 1000)], EMPTY_BYTES + 1000 * FREED_BYTES_PER_BYTE) == [1]


def test_what_would_free_no_segment_stays() -> None:
    assert flushed([holder(1, 0)], 3 * EMPTY_BYTES, 4 * EMPTY_BYTES) == []
    assert flushed([holder(1, 0)], 4 * EMPTY_BYTES, 4 * EMPTY_BYTES) == [1]


def test_small_old_ones_go_with_a_large_one_and_cost_what_they_cost() -> None:
    large = holder(9, 500, 100 << 20, True)
    assert flushed([large, holder(1, 100), holder(2, 600)], 2 * EMPTY_BYTES + 700) == [1, 9, 2]
    assert flushed([large, holder(1, 100), holder(2, 600)], 2 * EMPTY_BYTES - 1) == []
    large_that_stays = holder(9, 500, 100 << 20)
    assert flushed([large_that_stays, holder(1, 100), holder(2, 600)], 2 * EMPTY_BYTES + 700) == []


def test_those_behind_one_that_is_too_dear_stay_because_it_holds_the_log() -> None:
    dear = holder(2, EMPTY_BYTES, 100 << 20)
    assert flushed([holder(1, 0), dear, holder(3, EMPTY_BYTES + 1)], 9 * EMPTY_BYTES) == [1]


def test_what_others_need_is_not_reckoned_to_be_freed() -> None:
    assert flushed([holder(1, 0), holder(2, 5)], EMPTY_BYTES) == []
    assert flushed([holder(1, 0), holder(2, 5)], 2 * EMPTY_BYTES) == [1, 2]


def test_a_thousand_tables_make_no_more_sstables_than_the_log_has_megabytes() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    written = freed = flushes = held_max = 0
    since: dict[int, int] = {}
    for _ in range(1000):
        since |= {number: written for number in rng.sample(range(1000), 20) if number not in since}
        written += rng.randrange(SEGMENT_BYTES)
        freed = min(since.values(), default=written) // SEGMENT_BYTES * SEGMENT_BYTES
        holders = [holder(number, at, 4096) for number, at in since.items()]
        for number in flushed(holders, written, SEGMENT_BYTES, freed):
            del since[number]
            flushes += 1
        held_max = max(held_max, written - freed)
    assert flushes > 1000
    assert flushes * (EMPTY_BYTES + FREED_BYTES_PER_BYTE * 4096) <= written
    assert held_max < 1000 * (EMPTY_BYTES + FREED_BYTES_PER_BYTE * 4096) + 2 * SEGMENT_BYTES
