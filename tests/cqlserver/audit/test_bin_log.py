"""Files of the audit log and the full query log: rolled, bounded, archived."""

import pytest

from cqlserver.audit.bin_log import MAGIC, BinLog, BinLogDamaged, framed, records
from cqlserver.audit.options import ROLL_CYCLES, BinLogOptions
from storage.environment.environment import Environment, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_700_000_000

    def now_s(self) -> int:
        return self.seconds

    def wall_us(self) -> int:
        return self.seconds * 1_000_000

    def monotonic(self) -> float:
        return float(self.seconds)


class Files:
    def __init__(self, **options: object) -> None:
        self.disk, self.clock = FaultyDisk(), Clock()
        self.environment = Environment(self.clock, Rng(b"a"), self.disk, InlineWorkers())
        self.options = BinLogOptions(**{"roll_cycle": "MINUTELY", **options})  # type: ignore[arg-type]
        self.commands: list[str] = []
        self.failures = 0
        self.log = self.opened()

    def opened(self) -> BinLog:
        return BinLog("/audit", self.options, self.environment, run=self.run)

    def run(self, words: object) -> None:
        assert isinstance(words, list)
        self.commands.append(" ".join(words))
        if self.failures:
            self.failures -= 1
            raise OSError("exit status 1")

    def names(self) -> list[str]:
        return self.disk.list("/audit")


def test_records_come_back_until_where_a_crash_cut() -> None:
    files = Files()
    files.log.append(framed(1, b"one") + framed(2, b""))
    (name,) = files.names()
    assert name == "20231114-2213.binlog"
    data = files.disk.read_file(f"/audit/{name}")
    assert list(records(data, name)) == [(1, b"one"), (2, b"")]
    for cut in range(len(data)):
        found = list(records(data[:cut], name))
        assert found == [(1, b"one")] * (cut >= len(MAGIC) + 12)
    changed = data[: len(MAGIC) + 9] + b"X" + data[len(MAGIC) + 10 :]
    with pytest.raises(BinLogDamaged, match="offset 8"):
        list(records(changed, name))
    with pytest.raises(BinLogDamaged, match="no such log"):
        list(records(b"something else", name))


def test_a_file_for_each_cycle_and_the_oldest_go() -> None:
    files = Files(max_log_size=100)
    for _ in range(5):
        files.log.append(framed(1, b"x" * 40))
        files.clock.seconds += 60
    # a file has 57 bytes: of the two that are full one goes when the next begins
    assert files.names() == ["20231114-2216.binlog", "20231114-2217.binlog"]


def all_records(files: Files) -> list[bytes]:
    """Of all files, as readers go through them."""
    return [payload for name in files.names() for _, payload in records(files.disk.read_file(f"/audit/{name}"), name)]


def test_a_start_within_a_cycle_begins_another_file() -> None:
    files = Files()
    for number in range(12):
        files.opened().append(framed(1, b"%d" % number))
    assert files.names()[:3] == ["20231114-2213.binlog", "20231114-2213_0001.binlog", "20231114-2213_0002.binlog"]
    assert all_records(files) == [b"%d" % number for number in range(12)]


def test_what_comes_behind_a_torn_record_is_read() -> None:
    """It was appended to the same file, where readers took it for the torn record's rest, or for damage."""
    files = Files()
    files.log.append(framed(1, b"one"))
    files.disk.free_bytes = 5
    with pytest.raises(OSError, match="No space left"):
        files.log.append(framed(1, b"torn"))
    files.log.abandon()
    files.disk.heal()
    files.opened().append(framed(1, b"two"))
    assert all_records(files) == [b"one", b"two"]


def test_a_file_that_cant_be_removed_ends_no_log(caplog: pytest.LogCaptureFixture) -> None:
    files = Files(max_log_size=60)
    files.disk.fail("unlink")
    for number in range(4):
        files.log.append(framed(1, b"%d" % number * 30))
        files.clock.seconds += 60
    assert len(files.names()) == 4
    assert "Could not remove /audit/20231114-2213.binlog" in caplog.text
    files.disk.heal()
    files.log.append(framed(1, b"x"))
    assert files.names() == ["20231114-2216.binlog", "20231114-2217.binlog"]


def test_full_files_are_archived_and_tried_again() -> None:
    files = Files(archive_command="/bin/keep %path", max_archive_retries=2)
    files.failures = 1
    files.log.append(framed(1, b"one"))
    files.clock.seconds += 60
    files.log.append(framed(1, b"two"))  # rolls: the first is archived, and fails
    assert files.commands == ["/bin/keep /audit/20231114-2213.binlog"]
    files.log.append(framed(1, b"three"))  # the failure is seen
    assert len(files.commands) == 1
    files.clock.seconds += 400
    files.log.append(framed(1, b"four"))
    files.log.append(framed(1, b"five"))
    assert files.commands.count("/bin/keep /audit/20231114-2213.binlog") == 2
    assert files.commands.count("/bin/keep /audit/20231114-2214.binlog") == 1
    files.log.close()
    assert files.commands[-1] == "/bin/keep /audit/20231114-2221.binlog"
    assert len(files.commands) == 4


def test_a_file_that_is_gone_is_told_within_a_second() -> None:
    """It was written to for the rest of its cycle, and nobody knew that nothing was kept."""
    files = Files(roll_cycle="DAILY")
    files.log.append(framed(1, b"one"))
    (name,) = files.names()
    files.disk.unlink(f"/audit/{name}")
    files.clock.seconds += 1
    with pytest.raises(FileNotFoundError, match="it was removed"):
        files.log.append(framed(1, b"two"))


@pytest.mark.parametrize("cycle", ROLL_CYCLES)
def test_files_of_each_roll_cycle(cycle: str) -> None:
    files = Files(roll_cycle=cycle.lower())  # 22:13:20 of a Tuesday
    files.log.append(framed(1, b"one"))
    files.clock.seconds += ROLL_CYCLES[cycle][0]
    files.log.append(framed(1, b"two"))
    first, second = files.names()
    assert first < second
    assert first.startswith("20231114")


def test_what_a_crash_left_is_archived_at_the_next_start() -> None:
    files = Files(archive_command="keep %path")
    files.log.append(framed(1, b"one"))
    files.clock.seconds += 3_600
    files.opened().append(framed(1, b"two"))
    assert files.commands == ["keep /audit/20231114-2213.binlog"]
