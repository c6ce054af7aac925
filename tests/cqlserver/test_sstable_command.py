"""`cqlserver sstable`: SSTables that Cassandra wrote, looked into without a server."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cqlserver.commands import sstable

HOME = Path(__file__).parents[2]
SAMPLES = HOME / "tests" / "storage" / "sstable" / "samples"


@pytest.fixture(params=["nb", "oa", "da"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Data.db of a copy."""
    shutil.copytree(SAMPLES / request.param / "many", tmp_path / "many")
    (found,) = (tmp_path / "many").glob("*-Data.db")
    return found


def component(file: Path, name: str) -> Path:
    return file.with_name(file.name.replace("Data.db", name))


def test_a_dump_is_json_as_sstabledump_prints_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = [json.loads(line) for line in (file.parent / "dump.json").read_text().splitlines()]
    assert sstable.main("sstable", ["dump", "--raw-times", str(file)]) == 0
    whole = capsys.readouterr()
    assert json.loads(whole.out) == expected
    assert whole.err == ""
    assert sstable.main("sstable", ["dump", "--raw-times", "--lines", str(component(file, "TOC.txt"))]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == expected


def test_metadata_are_those_of_statistics(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sstable.main("sstable", ["metadata", str(file)]) == 0
    found = json.loads(capsys.readouterr().out)
    partitions = [json.loads(line) for line in (file.parent / "dump.json").read_text().splitlines()]
    assert found["partitions"] == len(partitions)
    assert found["rows"] == sum(len(partition["rows"]) for partition in partitions)
    assert found["partitioner"] == "org.apache.cassandra.dht.Murmur3Partitioner"


def test_verify_names_what_is_damaged(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sstable.main("sstable", ["verify", str(file)]) == 0
    assert capsys.readouterr().out.startswith(f"{file}: ")
    told_of = {"Data.db": "Digest.crc32"}  # one of the two is not what was written
    for name in ("Filter.db", "Summary.db", "Statistics.db", "Digest.crc32", "Data.db"):
        path = component(file, name)
        if not path.exists():  # a trie has no summary
            assert (name, file.name[:2]) == ("Summary.db", "da")
            continue
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert sstable.main("sstable", ["verify", str(file)]) == 1, name
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith(f"cqlserver sstable verify: Corrupted: {component(file, told_of.get(name, name))}: ")
        path.write_bytes(whole)


def test_what_is_no_sstable_is_said_and_the_next_one_looked_at(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = file.with_name("mc-1-big-Data.db")
    missing = file.with_name(file.name.replace("-1-", "-77-"))
    for wrong in (file.with_name("dump.json"), foreign, missing):
        assert sstable.main("sstable", ["metadata", str(wrong), str(file)]) == 1
        told = capsys.readouterr()
        assert wrong.name.rpartition("-")[0] in told.err
        assert json.loads(told.out)["partitions"]


def test_whoever_has_read_enough_hears_nothing_more(file: Path) -> None:
    command = [sys.executable, "-m", "cqlserver", "sstable", "dump", *[str(file)] * 40]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=HOME) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
