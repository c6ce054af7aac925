"""A commit log with a part missing or damaged: it is told, nothing is lost without a word, and a word is enough once."""

import re
from collections.abc import Callable
from random import Random

import pytest

from protocol.errors import CorruptionError
from storage.commitlog.format import POSITION_SHIFT, SEGMENT_HEADER_BYTES, CommitLogPosition, segment_file_name
from storage.commitlog.log import CommitLog, CommitLogOptions
from storage.commitlog.losses import LOSSES_FILE_NAME
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk

FOLDER = "/d/commitlog"
SEGMENTS = 4
IDS = [ManualClock().wall_us() // 1000 + number for number in range(SEGMENTS)]
RECORDS = [bytes([number]) * 200 for number in range(4 * SEGMENTS)]


def path(number: int) -> str:
    return f"{FOLDER}/{segment_file_name(IDS[number])}"


def open_log(disk: FaultyDisk, ignores: bool = False) -> CommitLog:
    return CommitLog(disk, ManualClock(), FOLDER, CommitLogOptions(segment_bytes=1024, ignore_replay_errors=ignores))


def numbers(disk: FaultyDisk, ignores: bool = False) -> list[int]:
    """The records that a start finds."""
    found: list[bytes] = []
    open_log(disk, ignores).replay(lambda records, position: found.extend(records))
    return [record[0] for record in found]


@pytest.fixture
def disk() -> FaultyDisk:
    """Four segments of four records each."""
    disk = FaultyDisk()
    disk.mkdirs(FOLDER)
    log = open_log(disk)
    for record in RECORDS:
        log.append(record)
        log.write()
    log.close()
    assert disk.list(FOLDER) == [segment_file_name(segment_id) for segment_id in IDS]
    return disk


def refused(disk: FaultyDisk, pattern: str) -> None:
    with pytest.raises(CorruptionError, match=pattern) as info:
        numbers(disk)
    assert "Restore" in str(info.value)
    assert "--ignore-replay-errors" in str(info.value)


@pytest.mark.parametrize("number", range(SEGMENTS - 1))
def test_a_missing_segment_is_missed(disk: FaultyDisk, number: int) -> None:
    disk.unlink(path(number))
    refused(disk, rf"{path(number)} is missing: {path(number + 1)} follows it")
    left = [record for record in range(16) if record // 4 != number]
    assert numbers(disk, ignores=True) == left
    assert numbers(disk) == left
    disk.unlink(path(2 if number != 2 else 0))
    refused(disk, "is missing")


def test_segments_that_were_freed_are_not_missed(disk: FaultyDisk) -> None:
    log = open_log(disk)
    log.replay(lambda records, position: None)
    assert log.discard_completed(CommitLogPosition(IDS[2] << POSITION_SHIFT)) == IDS[:2]
    assert numbers(disk) == list(range(8, 16))
    disk.unlink(path(2))
    refused(disk, rf"{path(2)} is missing")


@pytest.mark.parametrize("names_kept", [False, True])
def test_a_crash_while_segments_are_freed_brings_none_back(disk: FaultyDisk, names_kept: bool) -> None:
    log = open_log(disk)
    log.replay(lambda records, position: None)
    log.discard_completed(CommitLogPosition(IDS[2] << POSITION_SHIFT))
    disk.crash(names_kept=names_kept)
    assert (segment_file_name(IDS[0]) in disk.list(FOLDER)) is not names_kept
    assert numbers(disk) == list(range(8, 16))
    assert segment_file_name(IDS[0]) not in disk.list(FOLDER)


def flip(disk: FaultyDisk) -> None:
    disk.damage(path(1), SEGMENT_HEADER_BYTES + 250, 1)


def cut(disk: FaultyDisk) -> None:
    disk.truncate(path(1), disk.size(path(1)) - 300)


def cut_between_sections(disk: FaultyDisk) -> None:
    disk.truncate(path(1), disk.size(path(1)) - 3 * (disk.size(path(1)) - SEGMENT_HEADER_BYTES) // 4)


def other_header(disk: FaultyDisk) -> None:
    disk.write_file_atomically(path(1), disk.read_file(path(2)))


def folder_in_its_place(disk: FaultyDisk) -> None:
    disk.unlink(path(1))
    disk.mkdirs(path(1))


DAMAGES: dict[Callable[[FaultyDisk], None], list[int]] = {
    flip: [4],
    cut: [4, 5],
    cut_between_sections: [4],
    other_header: [],
    folder_in_its_place: [],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_that_was_given_up_does_not_hide_new_damage(disk: FaultyDisk, damage: Callable[[FaultyDisk], None]) -> None:
    left = [0, 1, 2, 3, *DAMAGES[damage], *range(8, 16)]
    damage(disk)
    before = None if disk.is_folder(path(1)) else disk.read_file(path(1))
    refused(disk, rf"{path(1)} is (damaged|cut off) at offset \d+")
    assert numbers(disk, ignores=True) == left
    assert numbers(disk) == left
    if damage is not cut_between_sections:
        assert disk.list(f"{FOLDER}/damaged") == [segment_file_name(IDS[1])]
        if before is not None:
            assert disk.read_file(f"{FOLDER}/damaged/{segment_file_name(IDS[1])}") == before
    disk.damage(path(2), SEGMENT_HEADER_BYTES + 250, 1)
    refused(disk, rf"{path(2)} is damaged at offset \d+")


def test_a_crash_while_a_segment_is_set_aside_asks_no_second_time(disk: FaultyDisk) -> None:
    flip(disk)
    crashes = 0
    for operation in ("write", "truncate"):
        for after in range(4):
            copy = FaultyDisk()
            copy.mkdirs(FOLDER)
            for name in disk.list(FOLDER):
                copy.write_file_atomically(f"{FOLDER}/{name}", disk.read_file(f"{FOLDER}/{name}"))
            copy.fail(operation, after)
            try:
                numbers(copy, ignores=True)
            except OSError:
                crashes += 1
                copy.heal()
                copy.crash()
                if copy.exists(f"{FOLDER}/{LOSSES_FILE_NAME}"):
                    assert numbers(copy) == [0, 1, 2, 3, 4, *range(8, 16)]
                else:
                    refused(copy, "is damaged")
    assert crashes >= 3


def test_a_number_that_no_segment_can_have_is_refused_and_set_aside(disk: FaultyDisk) -> None:
    name = "CommitLog-1-99999999999999999999999.log"
    disk.rename(path(3), f"{FOLDER}/{name}")
    refused(disk, re.escape(f"{FOLDER}/{name}") + " is damaged at offset 0: no segment has such a number")
    assert numbers(disk, ignores=True) == list(range(12))
    assert disk.list(f"{FOLDER}/damaged") == [name]
    assert numbers(disk) == list(range(12))


def test_losses_that_can_not_be_read_refuse_the_start(disk: FaultyDisk) -> None:
    disk.write_file_atomically(f"{FOLDER}/{LOSSES_FILE_NAME}", b"{")
    refused(disk, f"{FOLDER}/{LOSSES_FILE_NAME}")


def unsynced_log(written: int) -> tuple[FaultyDisk, CommitLog]:
    """A log that is being written, of which nothing was synced."""
    disk = FaultyDisk()
    disk.mkdirs(FOLDER)
    disk.sync_folder(FOLDER)
    log = open_log(disk)
    for record in RECORDS[:written]:
        log.append(record)
        log.write()
    return disk, log


@pytest.mark.parametrize("lost", [1, 100, 212, 213, 500, 823, 840])
def test_a_crash_may_cut_a_segment_that_was_not_synced_while_the_next_one_survives(
    lost: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The system writes pages in whatever order it likes: the start was refused. What is lost had never been promised."""
    disk, _ = unsynced_log(7)
    cut = disk.size(path(0))
    disk.crash(lambda unsynced: unsynced - lost if unsynced == cut else unsynced, names_kept=True)
    found = numbers(disk)
    whole = (cut - SEGMENT_HEADER_BYTES - lost) // ((cut - SEGMENT_HEADER_BYTES) // 4)
    assert found == [*range(max(0, whole)), 4, 5, 6]
    assert "were not acknowledged or not synced yet" in caplog.text
    for _ in range(2):  # and it is not missed later, when all that is left is durable
        assert numbers(disk)[: len(found)] == found
        log = open_log(disk)
        log.replay(lambda records, position: None)
        log.append(b"\xff")
        log.close()


def test_what_was_synced_is_missed() -> None:
    disk, log = unsynced_log(7)
    log.sync()
    log.append(RECORDS[7])
    log.write()  # which says so
    disk.truncate(path(0), disk.size(path(0)) - 100)
    refused(disk, "is damaged at offset|is cut off")


def test_a_log_that_was_closed_says_that_all_of_it_was_synced() -> None:
    disk, log = unsynced_log(7)
    log.close()
    disk.truncate(path(0), disk.size(path(0)) - 100)
    refused(disk, "is damaged at offset|is cut off")


def test_random_power_cuts_lose_no_synced_record_and_never_keep_the_log_from_starting() -> None:
    cuts = 0
    for seed in range(200):
        rng, disk = Random(seed), FaultyDisk()
        disk.mkdirs(FOLDER)
        disk.sync_folder(FOLDER)
        durable: set[int] = set()
        written: set[int] = set()
        for _ in range(4):
            log, found = open_log(disk), set[int]()

            def take(records: list[bytes], position: CommitLogPosition, found: set[int] = found) -> None:
                found.update(int.from_bytes(record[:4], "big") for record in records)

            log.replay(take)
            assert durable <= found <= written, f"seed {seed}"
            cuts += found != written
            written = found
            for _ in range(rng.randrange(30)):
                number = rng.randrange(1 << 31)  # no record begins with a byte of the log itself
                log.append(number.to_bytes(4, "big") + bytes(rng.randrange(200)))
                log.write()
                written.add(number)
                if rng.random() < 0.1:
                    log.sync()
                    durable = set(written)
            disk.crash(lambda unsynced, rng=rng: rng.randrange(unsynced + 1), names_kept=True)  # type: ignore[misc]
    assert cuts > 100
