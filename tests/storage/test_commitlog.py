"""The commit log: what comes back after a crash, and what is said about damage."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocol.errors import CorruptionError, StorageError
from storage.commitlog.format import POSITION_SHIFT, SEGMENT_HEADER_BYTES, segment_file_name
from storage.commitlog.log import (
    CommitLog,
    CommitLogFailed,
    CommitLogOptions,
    CommitLogPosition,
    RecordTooLarge,
    Replayed,
    SyncMode,
)
from storage.commitlog.losses import LOSSES_FILE_NAME
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk

FOLDER = "/d/commitlog"
SMALL = CommitLogOptions(segment_bytes=1024)


def open_log(disk: FaultyDisk, options: CommitLogOptions = SMALL) -> CommitLog:
    disk.mkdirs(FOLDER)
    return CommitLog(disk, ManualClock(), FOLDER, options)


def replay(disk: FaultyDisk, options: CommitLogOptions = SMALL) -> tuple[list[bytes], Replayed]:
    found: list[bytes] = []
    result = open_log(disk, options).replay(lambda records, position: found.extend(records))
    return found, result


def written(sections: Sequence[Sequence[bytes]], options: CommitLogOptions = SMALL) -> FaultyDisk:
    """A disk with a log of these sections, synced."""
    disk = FaultyDisk()
    log = open_log(disk, options)
    for records in sections:
        for record in records:
            log.append(record)
        log.write()
    log.close()
    return disk


def segment_paths(disk: FaultyDisk) -> list[str]:
    return [f"{FOLDER}/{name}" for name in disk.list(FOLDER)]


# --- writing and reading back ----------------------------------------------------------------------------------------


def test_records_come_back_in_order() -> None:
    sections = [[b"a"], [b"bb", b"", b"ccc"], [b"d" * 300]]
    found, result = replay(written(sections))
    assert found == [record for section in sections for record in section]
    assert (result.records, result.segments, result.torn_bytes) == (5, 1, 0)


def test_nothing_is_written_before_write() -> None:
    disk = FaultyDisk()
    log = open_log(disk)
    log.append(b"x")
    assert log.gathered == 1
    assert disk.list(FOLDER) == []
    log.write()
    assert log.gathered == 0
    assert replay(disk)[0] == [b"x"]


def test_a_full_segment_is_followed_by_another() -> None:
    records = [bytes([index]) * 200 for index in range(20)]
    disk = written([[record] for record in records])
    assert len(disk.list(FOLDER)) > 3
    assert replay(disk)[0] == records
    assert all(disk.size(path) <= 1024 for path in segment_paths(disk))


def test_one_write_larger_than_a_segment_takes_several() -> None:
    records = [bytes([index]) * 200 for index in range(20)]
    disk = written([records])
    assert len(disk.list(FOLDER)) > 3
    assert replay(disk)[0] == records


def test_a_record_of_half_a_segment_fits_and_more_does_not() -> None:
    log = open_log(disk := FaultyDisk())
    log.append(b"x" * 512)
    with pytest.raises(RecordTooLarge) as caught:
        log.append(b"x" * 513)
    assert (caught.value.size, caught.value.limit) == (513, 512)
    log.write()
    assert replay(disk)[0] == [b"x" * 512]


def test_positions_increase_and_replay_ends_where_writing_ended() -> None:
    disk = FaultyDisk()
    log = open_log(disk)
    positions = []
    for index in range(30):
        log.append(bytes([index]) * 100)
        log.write()
        positions.append(log.written_position)
    assert positions == sorted(set(positions))
    again = open_log(disk)
    replayed: list[CommitLogPosition] = []
    again.replay(lambda records, position: replayed.append(position))
    assert replayed == positions
    assert again.written_position == positions[-1]


def test_a_start_continues_in_a_new_segment() -> None:
    disk = written([[b"first"]])
    log = open_log(disk)
    log.replay(lambda records, position: None)
    log.append(b"second")
    log.write()
    log.close()
    found, result = replay(disk)
    assert found == [b"first", b"second"]
    assert result.segments == 2


def test_a_start_without_writes_makes_no_segment() -> None:
    disk = written([[b"first"]])
    for _ in range(3):
        log = open_log(disk)
        log.replay(lambda records, position: None)
        log.close()
    assert len(disk.list(FOLDER)) == 1


def test_segments_before_a_position_are_discarded() -> None:
    disk = FaultyDisk()
    log = open_log(disk)
    for index in range(20):
        log.append(bytes([index]) * 200)
        log.write()
    log.sync()
    position = log.written_position
    ids = [int(path.rsplit("-", 1)[1][:-4]) for path in segment_paths(disk)]
    assert log.discard_completed(CommitLogPosition(ids[2] << POSITION_SHIFT)) == ids[:2]
    assert log.discard_completed(position) == ids[2:-1]
    assert disk.list(FOLDER) == [segment_file_name(ids[-1]), LOSSES_FILE_NAME]
    log.close()
    assert [record[0] for record in replay(disk)[0]] == [16, 17, 18, 19]


def test_what_is_written_is_synced_once() -> None:
    log = open_log(FaultyDisk())
    assert log.synced_position == log.written_position
    log.append(b"x")
    log.write()
    assert log.synced_position < log.written_position
    assert log.sync() == log.written_position
    assert log.synced_position == log.written_position


class NotingDisk(FaultyDisk):
    def __init__(self) -> None:
        super().__init__()
        self.left_cache: list[str] = []

    def before(self, operation: str, path: str) -> None:
        super().before(operation, path)
        if operation == "leave_cache":
            self.left_cache.append(path)


def test_a_full_segment_is_told_of_and_leaves_the_cache_when_synced() -> None:
    disk = NotingDisk()
    log = open_log(disk, CommitLogOptions(segment_bytes=1 << 10))
    told = []
    for number in range(6):
        log.append(bytes([number]) * 300)
        told.append(log.write())
    assert told == [False, False, False, True, False, False]
    assert not disk.left_cache
    log.sync()
    first, second = disk.list(FOLDER)
    assert disk.left_cache == [f"{FOLDER}/{first}"]
    assert second


def test_options_follow_cassandra() -> None:
    assert CommitLogOptions().mutation_bytes_max == 16 << 20
    assert not CommitLogOptions().sync_before_reply
    assert CommitLogOptions(sync=SyncMode.GROUP).sync_before_reply
    with pytest.raises(ValueError, match="at least twice the size of max_mutation_size"):
        CommitLogOptions(segment_bytes=4096, mutation_bytes_max=3000)


# --- damage ----------------------------------------------------------------------------------------------------------

TAIL = [[b"one", b"two"], [b"three"], [b"four", b"five" * 5]]


def test_truncation_at_every_byte_loses_only_the_section_that_was_cut() -> None:
    whole = written(TAIL).read_file(segment_paths(written(TAIL))[0])
    log = open_log(FaultyDisk())
    ends = [SEGMENT_HEADER_BYTES]
    for section in TAIL:
        for record in section:
            log.append(record)
        log.write()
        ends.append(log.written_position & 0xFFFFFFFF)
    assert ends[-1] == len(whole)
    for size in range(len(whole) + 1):
        disk = written(TAIL)
        path = segment_paths(disk)[0]
        disk.truncate(path, size)
        found, result = replay(disk)
        complete = sum(1 for end in ends[1:] if end <= size)
        assert found == [record for section in TAIL[:complete] for record in section], size
        kept = max((end for end in ends if end <= size), default=0)
        assert result.torn_bytes == size - kept
        # what was cut off is gone: the next start finds nothing to complain about
        assert replay(disk)[1].torn_bytes == 0


def test_a_torn_tail_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    disk = written(TAIL)
    path = segment_paths(disk)[0]
    disk.truncate(path, disk.size(path) - 7)
    replay(disk)
    assert re.search(rf"{path} ends within a section at offset \d+ .*: the last \d+ bytes are ignored", caplog.text)


def test_zeros_behind_the_last_section_are_a_torn_tail() -> None:
    disk = written(TAIL)
    path = segment_paths(disk)[0]
    disk.truncate(path, disk.size(path) + 100)
    found, result = replay(disk)
    assert len(found) == 5
    assert result.torn_bytes == 100


def test_flipped_bits_never_give_a_wrong_record_nor_lose_one_silently() -> None:
    """In the last section a flip may look like a torn write, which is said; anywhere else the start is refused."""
    size = written(TAIL).size(segment_paths(written(TAIL))[0])
    expected = [record for section in TAIL for record in section]
    outcomes = set()
    for offset in range(size):
        disk = written(TAIL)
        path = segment_paths(disk)[0]
        disk.damage(path, offset, 1 << offset % 8)
        try:
            found, result = replay(disk)
        except CorruptionError as error:
            assert re.search(rf"{path} is damaged at offset \d+: .*--ignore-replay-errors", str(error))  # noqa: PT017
            outcomes.add("refused")
        else:
            assert found == expected[: len(found)]
            assert result.torn_bytes > 0
            assert len(found) == 3, f"byte {offset} lost more than the last section"
            outcomes.add("torn")
    assert outcomes == {"refused", "torn"}


def test_damage_in_an_older_segment_refuses_the_start_even_at_its_end() -> None:
    for cut in (1, 250):
        disk = written([[bytes([index]) * 200] for index in range(10)])
        path = segment_paths(disk)[0]
        disk.truncate(path, disk.size(path) - cut)
        with pytest.raises(CorruptionError, match=path):
            replay(disk)


def test_a_segment_without_a_header_does_not_make_a_torn_one_older() -> None:
    """The machine stopped right after a segment was opened: the one before it may be torn as a newest one may."""
    disk = written([[b"kept"], [b"torn"]])
    path = segment_paths(disk)[0]
    disk.truncate(path, disk.size(path) - 2)
    disk.write_file_atomically(f"{FOLDER}/CommitLog-1-1999999999999.log", b"CQ")
    found, result = replay(disk)
    assert found == [b"kept"]
    assert result.torn_bytes > 0
    assert segment_paths(disk) == [path]


def test_an_older_segment_cut_between_two_sections_refuses_the_start() -> None:
    disk = written([[bytes([index]) * 200] for index in range(10)])
    path = segment_paths(disk)[0]
    sections = (disk.size(path) - SEGMENT_HEADER_BYTES) // 4
    disk.truncate(path, disk.size(path) - sections)
    with pytest.raises(CorruptionError, match=rf"{path} is cut off at offset \d+ of \d+"):
        replay(disk)


def test_ignoring_errors_skips_the_rest_of_the_damaged_segment(caplog: pytest.LogCaptureFixture) -> None:
    records = [bytes([index]) * 200 for index in range(10)]
    disk = written([[record] for record in records])
    disk.damage(segment_paths(disk)[0], SEGMENT_HEADER_BYTES + 250, 1)
    found, _ = replay(disk, CommitLogOptions(segment_bytes=1024, ignore_replay_errors=True))
    assert found == records[:1] + records[4:]
    assert "skipped for good, as ignore-replay-errors says" in caplog.text


def test_a_segment_under_another_name_is_refused() -> None:
    disk = written([[b"x"]])
    path = segment_paths(disk)[0]
    disk.write_file_atomically(f"{FOLDER}/CommitLog-1-7.log", disk.read_file(path))
    with pytest.raises(CorruptionError, match="the header is that of segment"):
        replay(disk)


def test_a_log_of_cassandra_is_refused_with_advice() -> None:
    disk = FaultyDisk()
    disk.mkdirs(FOLDER)
    disk.write_file_atomically(f"{FOLDER}/CommitLog-7-1700000000000.log", b"")
    with pytest.raises(CorruptionError, match="run nodetool drain there first"):
        replay(disk)


# --- failing disks ---------------------------------------------------------------------------------------------------


def test_a_full_disk_is_final_and_keeps_what_was_acknowledged() -> None:
    disk = written([[b"before"]])
    log = open_log(disk)
    log.replay(lambda records, position: None)
    log.append(b"acknowledged")
    log.write()
    disk.free_bytes = 10
    log.append(b"x" * 100)
    with pytest.raises(CommitLogFailed, match="No space left on device"):
        log.write()
    disk.heal()
    for refused in (lambda: log.append(b"later"), log.sync):
        with pytest.raises(CommitLogFailed, match="takes no writes until it is restarted"):
            refused()
    assert log.failure is not None
    log.close()
    assert replay(disk)[0] == [b"before", b"acknowledged"]


def test_a_failed_sync_is_final() -> None:
    disk = FaultyDisk()
    log = open_log(disk)
    log.append(b"x")
    log.write()
    disk.fail("sync")
    with pytest.raises(CommitLogFailed, match="could not be synced"):
        log.sync()
    disk.heal()
    with pytest.raises(CommitLogFailed):
        log.sync()
    with pytest.raises(CommitLogFailed):
        log.append(b"y")


def test_a_segment_that_can_not_be_opened_is_final() -> None:
    disk = FaultyDisk()
    log = open_log(disk)
    log.append(b"x")
    disk.fail("open")
    with pytest.raises(CommitLogFailed):
        log.write()
    with pytest.raises(CommitLogFailed):
        log.append(b"y")


def test_what_a_killed_process_had_not_synced_is_synced_by_the_next() -> None:
    """Without it, a machine's crash minutes after the restart would still lose it, against commitlog_sync_period."""
    disk = FaultyDisk()
    log = open_log(disk)
    log.append(b"x")
    log.write()
    again = open_log(disk)
    again.replay(lambda records, position: None)
    assert again.synced_position < again.written_position
    again.sync()
    disk.crash()
    assert replay(disk)[0] == [b"x"]


def test_a_log_is_read_once() -> None:
    log = open_log(written([[b"x"]]))
    log.replay(lambda records, position: None)
    with pytest.raises(StorageError, match="read already"):
        log.replay(lambda records, position: None)


# --- crashes, at random ----------------------------------------------------------------------------------------------


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=300), max_size=8), max_size=12), st.integers(0, 1 << 16))
def test_a_crash_leaves_a_prefix_that_has_all_that_was_synced(sections: list[list[bytes]], seed: int) -> None:
    disk = FaultyDisk()
    log = open_log(disk)
    appended: list[bytes] = []
    synced = 0
    for index, records in enumerate(sections):
        for record in records:
            log.append(record)
        appended += records
        log.write()
        if (seed >> index) & 1:
            log.sync()
            synced = len(appended)
    if len(disk.list(FOLDER)) > 1:
        log.sync()  # with several segments unsynced the start may be refused, which is no loss in silence
        synced = len(appended)
    disk.crash(lambda unsynced: seed % (unsynced + 1))
    found, _ = replay(disk)
    assert found == appended[: len(found)]
    assert len(found) >= synced


class CommitLogMachine(RuleBasedStateMachine):
    """Appends, writes, syncs, process kills and machine crashes, against a list."""

    @initialize()
    def begin(self) -> None:
        self.disk = FaultyDisk()
        self.log = open_log(self.disk)
        self.log.replay(lambda records, position: None)
        self.written: list[bytes] = []
        self.gathered: list[bytes] = []
        self.synced = 0

    @rule(record=st.binary(max_size=60))
    def append(self, record: bytes) -> None:
        self.log.append(record)
        self.gathered.append(record)

    @rule()
    def write(self) -> None:
        self.log.write()
        self.written += self.gathered
        self.gathered = []

    @rule()
    def sync(self) -> None:
        self.log.sync()
        self.synced = len(self.written)

    @rule()
    def kill(self) -> None:
        """The process dies: what was written stays."""
        self._start()
        assert self.found == self.written

    @precondition(lambda self: len(self.disk.list(FOLDER)) <= 1 or self.synced == len(self.written))
    @rule(share=st.floats(0, 1))
    def crash(self, share: float) -> None:
        """The machine dies: what was synced stays."""
        self.disk.crash(lambda unsynced: int(unsynced * share))
        self._start()
        assert self.found == self.written[: len(self.found)]
        assert len(self.found) >= self.synced
        self.written = self.found
        self.synced = len(self.found)

    def _start(self) -> None:
        self.gathered = []
        self.found: list[bytes] = []
        self.log = open_log(self.disk)
        self.log.replay(lambda records, position: self.found.extend(records))

    @invariant()
    def positions_are_ordered(self) -> None:
        assert self.log.synced_position <= self.log.written_position


CommitLogMachine.TestCase.settings = settings(derandomize=True, max_examples=25, stateful_step_count=30, deadline=None)
TestCommitLogMachine = CommitLogMachine.TestCase


# --- the format's page -----------------------------------------------------------------------------------------------


def test_the_example_of_the_format_page_is_what_is_written() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats" / "commitlog.md").read_text()
    match = re.search(r"```hex\n(.*?)```", page, re.DOTALL)
    assert match
    example = bytes.fromhex("".join(line.split("|")[0] for line in match[1].splitlines()))
    disk = FaultyDisk()
    disk.mkdirs(FOLDER)
    log = CommitLog(disk, ManualClock(start_us=1_700_000_000_000_000), FOLDER, SMALL)
    log.append(b"hello")
    log.append(b"!")
    log.write()
    log.close()
    path = f"{FOLDER}/CommitLog-1-1700000000000.log"
    assert disk.read_file(path).hex(" ") == example.hex(" ")
    assert replay(disk)[0] == [b"hello", b"!"]
