"""--log-file: what is rolled and what goes, and a folder that is full, gone, or somebody else's."""

import errno
import logging
import os
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from cqlserver.program import log_files
from cqlserver.program.log_files import RETRY_S, LogFile, RollingFile
from cqlserver.program.logs import LineFormatter

NOON = datetime.now().replace(hour=12).timestamp()
TODAY = date.today()


def record(message: str, at_s: float = NOON) -> logging.LogRecord:
    made = logging.LogRecord("cqlserver", logging.INFO, "/x/server.py", 1, message, (), None)
    made.created = at_s
    return made


def opened(path: Path, **options: int) -> RollingFile:
    handler = RollingFile(LogFile(path, **options))
    handler.setFormatter(LineFormatter())
    return handler


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_rolled_where_it_would_be_too_large(tmp_path: Path) -> None:
    log = opened(tmp_path / "made/system.log", bytes_max=200)
    for number in range(7):
        log.emit(record(f"line {number} " + "x" * 30))
    assert names(tmp_path / "made") == ["system.log", *(f"system.log.{TODAY}.{number}" for number in range(3))]
    texts = [(tmp_path / f"made/system.log.{TODAY}.{number}").read_text() for number in range(3)]
    told = "".join([*texts, (tmp_path / "made/system.log").read_text()])
    assert [int(line.split(" - line ")[1][0]) for line in told.splitlines()] == list(range(7))
    assert all(len(text) <= 200 for text in texts)
    log.close()
    again = opened(tmp_path / "made/system.log", bytes_max=10)
    again.emit(record("a start goes on with the file that is there"))
    assert f"system.log.{TODAY}.3" in names(tmp_path / "made")
    again.close()


def test_a_file_is_rolled_when_the_day_is_over_and_goes_when_it_is_old(tmp_path: Path) -> None:
    log = opened(tmp_path / "system.log", days_max=2)
    for day in range(5):
        log.emit(record(f"day {day}", NOON + day * 86_400))
    days = [TODAY + timedelta(days=day) for day in (2, 3)]
    assert names(tmp_path) == ["system.log", *(f"system.log.{day}.0" for day in days)]
    assert (tmp_path / f"system.log.{days[0]}.0").read_text().endswith("day 2\n")
    log.close()


def test_the_oldest_go_where_all_are_too_large(tmp_path: Path) -> None:
    (tmp_path / "system.log.no-day.0").write_text("not ours")
    (tmp_path / "system.log.9999-13-77.0").write_text("nor this")
    log = opened(tmp_path / "system.log", bytes_max=100, total_bytes_max=250)
    for number in range(9):
        log.emit(record(f"line {number} " + "x" * 30))
    kept = [f"system.log.{TODAY}.{number}" for number in (6, 7)]
    assert names(tmp_path) == ["system.log", *kept, "system.log.9999-13-77.0", "system.log.no-day.0"]
    log.close()


def test_a_full_disk_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = opened(tmp_path / "system.log")
    log.emit(record("before"))
    is_full, write = True, os.write

    def write_if_there_is_room(file: int, data: bytes) -> int:
        if is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(log_files.os, "write", write_if_there_is_room)
    for second in range(3 * int(RETRY_S)):
        log.emit(record("lost", NOON + second))
    told = capsys.readouterr().err
    assert told == (
        f"cqlserver: --log-file {tmp_path / 'system.log'}: No space left on device. The log goes on here; the file is tried "
        "again every 10 s\n"
    )
    is_full = False
    log.emit(record("after", NOON + 4 * RETRY_S))
    lines = (tmp_path / "system.log").read_text().splitlines()
    assert [line.split(" - ")[-1] for line in lines] == ["before", "30 lines of the log could not be written here", "after"]
    log.close()


def test_a_file_or_folder_that_somebody_removed_is_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = opened(tmp_path / "log/system.log")
    log.emit(record("gone"))
    (tmp_path / "log").rename(tmp_path / "moved")
    log.emit(record("still there", NOON + 1))
    log.emit(record("new", NOON + 2 * RETRY_S))
    assert (tmp_path / "log/system.log").read_text().endswith(" - new\n")
    (tmp_path / "log/system.log").unlink()
    (tmp_path / "log").rmdir()
    (tmp_path / "log").write_text("in the way")
    log.emit(record("lost", NOON + 4 * RETRY_S))
    assert "File exists. The log goes on here" in capsys.readouterr().err
    (tmp_path / "log").unlink()
    log.emit(record("back", NOON + 6 * RETRY_S))
    text = (tmp_path / "log/system.log").read_text()
    assert text.startswith("1 lines of the log could not be written here\n")
    assert text.endswith(" - back\n")
    log.close()


def test_a_start_says_where_it_can_t_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from cqlserver.__main__ import main

    (tmp_path / "file").write_text("")
    assert main(["--memory", "--log-file", str(tmp_path / "file/system.log")]) == 2
    assert capsys.readouterr().err.startswith(f"cqlserver: --log-file {tmp_path / 'file'}")
    for wrong in (["--log-file-size", "many"], ["--log-file-size", "0"], ["--log-file-days", "-1"]):
        assert main(["--memory", "--log-file", str(tmp_path / "x.log"), *wrong]) == 2
    assert not (tmp_path / "x.log").exists()
