"""nodetool import and refresh: what Cassandra wrote, and this server before, is taken up; damage is named and refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import cqlserver
from cqlserver.launcher import ClusterNode
from cqlserver.nodetool import program

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "storage" / "sstable" / "samples"
KEYSPACE = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
WIDE = (
    "CREATE TABLE ks.wide (k int, c int, s text static, v text, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)"
)
TABLE = "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
VERSIONS = ("nb", "oa", "da")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(data: Path) -> Iterator[cqlserver.Server]:
    with cqlserver.start(data=data) as server:
        server.execute(f"{KEYSPACE}; {WIDE}; {TABLE}; CREATE INDEX by_v ON ks.t (v)")
        yield server


def nodetool(server: cqlserver.Server | ClusterNode, *words: str) -> int:
    return program.main(["-p", str(server.control_port), *words])


def sample(version: str, folder: Path) -> Path:
    shutil.copytree(SAMPLES / version / "wide", folder, ignore=shutil.ignore_patterns("dump.json"))
    return folder


def count(server: cqlserver.Server, table: str) -> int:
    return len(server.execute(f"SELECT * FROM ks.{table}"))


def own_files(data: Path, table: str) -> list[str]:
    return sorted(path.name for path in data.glob(f"data/ks/{table}-*/*-Data.db"))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_cassandra_wrote_is_taken_up_and_stays(version: str, data: Path, tmp_path: Path) -> None:
    source = sample(version, tmp_path / "source")
    names = sorted(path.name for path in source.iterdir())
    with cqlserver.start(data=data) as server:
        server.execute(f"{KEYSPACE}; {WIDE}")
        server.execute("INSERT INTO ks.wide (k, c, v) VALUES (9, 9, 'in the log')")
        assert nodetool(server, "import", "-e", "--copy-data", "ks", "wide", str(source)) == 0
        assert sorted(path.name for path in source.iterdir()) == names
        rows = count(server, "wide")
        assert rows > 100
        server.kill()
    with cqlserver.start(data=data) as server:
        assert count(server, "wide") == rows
        assert nodetool(server, "import", "ks", "wide", str(source)) == 0
        assert not list(source.iterdir())
        assert count(server, "wide") == rows  # they are the same
        server.execute("TRUNCATE ks.wide")
        server.kill()
    with cqlserver.start(data=data) as server:
        assert count(server, "wide") == 0
    assert not list((data / "adoptions").iterdir())


def test_a_snapshot_of_its_own_comes_back_behind_a_truncate(server: cqlserver.Server, data: Path) -> None:
    """Its SSTables speak of this node's log before the TRUNCATE, which a start would have had remove them."""
    server.execute("; ".join(f"INSERT INTO ks.t (k, v) VALUES ({k}, 'x')" for k in range(5)))
    assert nodetool(server, "snapshot", "-t", "kept", "ks") == 0
    server.execute("TRUNCATE ks.t; INSERT INTO ks.t (k, v) VALUES (7, 'y')")
    (folder,) = data.glob("data/ks/t-*/snapshots/kept")
    assert nodetool(server, "import", "-p", "ks", "t", str(folder)) == 0
    assert count(server, "t") == 6
    assert len(server.execute("SELECT * FROM ks.t WHERE v = 'x'")) == 5
    server.kill()
    with cqlserver.start(data=data) as again:
        assert count(again, "t") == 6
        assert again.call("compact", keyspace="ks", tables=["t"]) == {}
        again.kill()
    with cqlserver.start(data=data) as again:
        assert count(again, "t") == 6


def test_refresh_takes_what_lies_in_the_tables_folder(server: cqlserver.Server, data: Path, tmp_path: Path) -> None:
    server.execute("INSERT INTO ks.wide (k, c, v) VALUES (9, 9, 'x')")
    server.call("flush", keyspace="ks", tables=["wide"])
    (folder,) = data.glob("data/ks/wide-*")
    for number in (2, 77):  # one has the number that the next one of the table would have
        for path in sample("nb", tmp_path / f"source{number}").iterdir():
            shutil.copy(path, folder / path.name.replace("nb-1-", f"nb-{number}-"))
    assert nodetool(server, "refresh", "ks", "wide") == 0
    rows = count(server, "wide")
    assert rows > 100
    names = own_files(data, "wide")
    assert len(names) == 3
    assert not {"nb-2-big-Data.db", "nb-77-big-Data.db"} & set(names)
    assert nodetool(server, "refresh", "ks", "wide") == 0
    assert count(server, "wide") == rows
    assert len(own_files(data, "wide")) == 3


def test_damage_and_strangers_are_refused_and_named(
    server: cqlserver.Server, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = sample("nb", tmp_path / "damaged")
    file = damaged / "nb-1-big-Data.db"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    half = sample("oa", tmp_path / "half")
    (half / "oa-1-big-Statistics.db").unlink()
    whole = sample("nb", tmp_path / "whole")
    folders = [str(folder) for folder in (damaged, half, whole)]
    assert nodetool(server, "import", "ks", "wide", *folders) == 1
    assert capsys.readouterr().err.splitlines() == [
        "Some directories failed to import, check server logs for details:",
        str(damaged),
        str(half),
    ]
    assert f"{damaged}/nb-1-big-" in server.log
    assert "oa-1-big-Statistics.db is missing" in server.log
    assert file.exists()
    assert len(own_files(data, "wide")) == 1
    assert nodetool(server, "import", "ks", "t", str(sample("nb", tmp_path / "other"))) == 1  # of another table
    assert own_files(data, "t") == []


def test_files_of_sai_indexes_are_required_where_that_is_asked_for(
    server: cqlserver.Server, data: Path, tmp_path: Path
) -> None:
    server.execute("CREATE CUSTOM INDEX attached ON ks.wide (v) USING 'StorageAttachedIndex'")
    source = sample("nb", tmp_path / "source")
    command = ("import", "-ri", "-p", "ks", "wide", str(source))
    assert nodetool(server, *command) == 1
    assert f"Missing SAI index to import for SSTable {source}/nb-1-big- on ks.wide" in server.log
    (source / "nb-1-big-SAI+aa+GroupComplete.db").touch()
    assert nodetool(server, *command) == 1
    assert "Missing SAI index to import for index attached on ks.wide" in server.log
    assert own_files(data, "wide") == []
    (source / "nb-1-big-SAI+aa+attached+ColumnComplete.db").touch()
    assert nodetool(server, *command) == 0
    assert len(own_files(data, "wide")) == 1
    assert nodetool(server, "import", "-ri", "ks", "t", str(tmp_path)) == 0  # its index is no attached one


def test_keys_of_other_nodes_are_taken_only_where_nobody_looks(tmp_path: Path) -> None:
    """Two nodes, each of which has some half of the ring."""
    source = sample("nb", tmp_path / "source")
    with cqlserver.start(nodes=2, data=tmp_path / "data") as first:
        first.execute(f"{KEYSPACE}; {WIDE}")
        command = ("import", "-p", "ks", "wide", str(source))
        # tokens are drawn: one of them may have all the keys
        other, *_ = [node for node in first.nodes if nodetool(node, *command) == 1]
        assert "is not this node's" in first.log
        assert nodetool(other, "import", "-t", *command[1:]) == 0
        assert nodetool(other, "verify", "-f", "-e", "ks", "wide") == 0
        assert nodetool(other, "verify", "-f", "-e", "-t", "ks", "wide") == 2
