"""Archiving and restoring with real servers and real commands (commitlog_archiving.properties beside cassandra.yaml)."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

import cqlserver
from cqlserver.control.client import ControlClient, ControlError
from cqlserver.nodetool import program
from cqlserver.program.archiving_settings import parse_properties, read_archiving
from storage.commitlog.archiving import ArchivingOptions
from storage.commitlog.format import CommitLogPosition
from storage.commitlog.restore_point import RestorePoint

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
    "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
)


def test_properties_are_read_as_java_does(tmp_path: Path) -> None:
    text = (
        "# no\n! no\narchive_command = cp %path \\\n   /a/%name\nrestore_command:cp\\ %from %to\n"
        " precision MILLISECONDS \n\nempty=\n"
    )
    assert parse_properties(text) == {
        "archive_command": "cp %path /a/%name",
        "restore_command": "cp %from %to",
        "precision": "MILLISECONDS ",
        "empty": "",
    }
    file = tmp_path / "commitlog_archiving.properties"
    file.write_text("archive_command=\nrestore_point_in_time=\n")
    assert read_archiving(file) is None
    text = "restore_point_in_time=2026\\:11\\:27 21\\:00\\:00.123\nprecision=SECONDS\nsnapshot_commitlog_position=2, 7\n"
    file.write_text(text)
    time_us = int(datetime(2026, 11, 27, 21, tzinfo=UTC).timestamp()) * 1_000_000 + 123_000
    position = CommitLogPosition(2 << 32 | 7)
    assert read_archiving(file) == ArchivingOptions(point=RestorePoint(time_us, 1_000_000, position))
    for wrong in ("precision=NANOSECONDS", "precision=x", "restore_point_in_time=now", "snapshot_commitlog_position=7"):
        file.write_text(wrong)
        with pytest.raises(ValueError, match=r"precision|time|position"):
            read_archiving(file)


def settings(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "commitlog_archiving.properties").write_text(text)
    config = folder / "cassandra.yaml"
    config.write_text("commitlog_segment_size: 1MiB\n")
    return config


@pytest.mark.slow
def test_a_dropped_table_comes_back_from_the_archive(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    config = settings(tmp_path / "conf", f"archive_command=cp %path {archive}/%name\n")
    with cqlserver.start(data=tmp_path / "data", config=config) as server:
        server.execute(SCHEMA)
        for k in range(40):
            server.execute(f"INSERT INTO ks.t (k, v) VALUES ({k}, '{'x' * 100_000}')")
        (row,) = server.execute("SELECT writetime(v) AS w FROM ks.t WHERE k = 39")
        server.execute("DELETE FROM ks.t WHERE k = 0; DROP TABLE ks.t")
        assert program.main(["-p", str(server.control_port), "drain"]) == 0
    assert len(list(archive.iterdir())) > 3
    point = datetime.fromtimestamp(row["w"] / 1_000_000, UTC).strftime("%Y\\:%m\\:%d %H\\:%M\\:%S.%f")
    text = f"restore_command=cp %from %to\nrestore_directories={archive}\nrestore_point_in_time={point}\n"
    with cqlserver.start(data=tmp_path / "restored", config=settings(tmp_path / "other", text)) as server:
        assert len(server.execute("SELECT k FROM ks.t")) == 40
    with cqlserver.start(data=tmp_path / "restored") as server:
        assert len(server.execute("SELECT k FROM ks.t")) == 40


@pytest.mark.slow
def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    assert shutil.which("false") is not None
    config = settings(tmp_path / "conf", "archive_command=false %path\n")
    data = tmp_path / "data"
    with cqlserver.start(data=data, config=config) as server:
        server.execute(f"{SCHEMA}; INSERT INTO ks.t (k) VALUES (1)")
        client = ControlClient("127.0.0.1", server.control_port)
        with pytest.raises(ControlError, match="be archived, so it stays"):
            client.call("drain", {})
        client.close()
        assert list((data / "commitlog").glob("CommitLog-*"))
    with cqlserver.start(data=data) as server:
        assert server.execute("SELECT k FROM ks.t") == [{"k": 1}]
