"""commitlog_archiving.properties, as Cassandra has it beside its cassandra.yaml (db/commitlog/CommitLogArchiver.java)."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cqlserver.program.properties import parse_properties
from storage.commitlog.archiving import ArchivingOptions
from storage.commitlog.format import POSITION_SHIFT, CommitLogPosition
from storage.commitlog.restore_point import RestorePoint

_PRECISIONS_US: Final = {
    "MICROSECONDS": 1,
    "MILLISECONDS": 1_000,
    "SECONDS": 1_000_000,
    "MINUTES": 60_000_000,
    "HOURS": 3_600_000_000,
    "DAYS": 86_400_000_000,
}
_TIME: Final = re.compile(r"(\d{4}:\d\d:\d\d \d\d:\d\d:\d\d)(?:\.(\d{6}|\d{3})?)?")


def read_archiving(path: Path) -> ArchivingOptions | None:
    """None where the file asks for nothing. Makes the restore_directories that are not there. Raises OSError, ValueError."""
    properties = parse_properties(path.read_text())
    folders = tuple(folder for folder in properties.get("restore_directories", "").split(",") if folder)
    for folder in folders:
        Path(folder).mkdir(exist_ok=True)
    precision = properties.get("precision", "MICROSECONDS")
    if precision == "NANOSECONDS":
        raise ValueError("NANOSECONDS level precision is not supported.")
    if precision not in _PRECISIONS_US:
        raise ValueError(f"Unable to parse precision of value {precision}")
    time, position = properties.get("restore_point_in_time", ""), properties.get("snapshot_commitlog_position", "")
    point = None
    if time or position:
        time_us = _microseconds(time) if time else None
        point = RestorePoint(time_us, _PRECISIONS_US[precision], _position(position) if position else CommitLogPosition(0))
    found = ArchivingOptions(properties.get("archive_command", ""), properties.get("restore_command", ""), folders, point)
    if folders and not found.restore_command:
        raise ValueError("restore_directories without a restore_command")
    return found if found != ArchivingOptions() else None


def _microseconds(text: str) -> int:
    """Since 1970, of 2026:11:27 21:00:00, .123 or .123456 behind it; of Greenwich."""
    found = _TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        seconds = datetime.strptime(found[1], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"Unable to parse restore target time {text}: write it as 2026:11:27 21:00:00") from None
    return int(seconds.timestamp()) * 1_000_000 + int((found[2] or "0").ljust(6, "0"))


def _position(text: str) -> CommitLogPosition:
    """Of `segment id, offset`."""
    try:
        segment, offset = (int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"Unable to parse snapshot commit log position {text}") from None
    return CommitLogPosition(segment << POSITION_SHIFT | offset)
