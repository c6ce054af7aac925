"""When a table was truncated is in the log first, and in system.local before the log is freed."""

import contextlib

import pytest
from kept_node import OPERATIONS, Kept, insert
from small_server import KEYSPACE, TABLE

from storage.commitlog.records import Truncation
from storage.environment.memory import FaultyDisk


def truncated(disk: FaultyDisk) -> tuple[Kept, Truncation, str]:
    """A node after a TRUNCATE whose record is in a segment that nothing else needs any more, and that segment's path."""
    kept = Kept(disk)
    kept.ask(KEYSPACE, TABLE, insert(1, "a"))
    kept.node.engine.flush()
    kept.finish()
    kept.log.begin_segment()
    kept.ask("TRUNCATE ks.t")
    segment = kept.log.segment
    kept.log.begin_segment()
    kept.ask(insert(2, "b"))
    kept.finish()
    kept.log.sync()
    files = kept.node.engine.files
    files.flush(list(kept.node.engine.stores))  # as one does that began before, or because there is too much
    kept.finish()
    files.free_log()
    (truncation,) = kept.node.engine.truncations.values()
    return kept, truncation, next(f"/data/commitlog/{name}" for name in disk.list("/data/commitlog") if str(segment) in name)


def told_ms(kept: Kept) -> list[int]:
    """When tables were truncated, by a node that has started."""
    return [truncation.timestamp_us // 1000 for truncation in kept.node.engine.truncations.values()]


def test_the_record_of_a_truncation_stays_until_system_local_tells_of_it() -> None:
    """A segment was freed by a flush that began by itself, and with it went when the table had been truncated."""
    disk = FaultyDisk()
    kept, truncation, path = truncated(disk)
    assert disk.exists(path)
    disk.crash(lambda unsynced: unsynced)
    assert told_ms(Kept(disk)) == [truncation.timestamp_us // 1000]
    disk = FaultyDisk()
    kept, truncation, path = truncated(disk)
    kept.node.engine.tick()
    kept.finish()
    kept.node.engine.files.free_log()
    assert disk.exists(path), "what tells of it is not durable yet"
    kept.log.sync()
    kept.node.engine.files.free_log()
    assert not disk.exists(path)
    disk.crash(lambda unsynced: unsynced)
    assert told_ms(Kept(disk)) == [truncation.timestamp_us // 1000]


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_power_cut_at_any_step_keeps_when_a_table_was_truncated(operation: str) -> None:
    for after in range(100):
        disk = FaultyDisk()
        kept, truncation, path = truncated(disk)
        disk.fail(operation, after)
        with contextlib.suppress(Exception):  # whatever: the machine stops
            kept.node.engine.tick()
            kept.finish()
            kept.log.sync()
            kept.node.engine.files.free_log()
        disk.heal()
        is_freed = not disk.exists(path)
        disk.crash()
        assert told_ms(Kept(disk)) == [truncation.timestamp_us // 1000], (operation, after)
        if is_freed:
            break
    else:
        pytest.fail("the segment was never freed")
    assert after >= {"write": 2, "sync": 1, "unlink": 1}.get(operation, 0)
