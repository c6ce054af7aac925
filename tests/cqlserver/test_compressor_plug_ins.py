"""Compressors that packages bring: found by their entry points, used by flushes, reads and starts; with the example of
docs/examples/compressor, installed as pip does it."""

import importlib
import random
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kept_node import Kept

from cqlserver.state import SYSTEM, ClientState
from protocol.errors import ConfigurationError
from protocol.requests import QueryOptions
from protocol.responses import RowsResult
from storage.environment.memory import FaultyDisk
from storage.sstable.compressor_plug_ins import GROUP, maybe_factory

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "compressor"
KEYSPACE = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
TABLE = "CREATE TABLE ks.{} (sensor int, at timestamp, value double, PRIMARY KEY (sensor, at)) WITH compression = {}"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder with what tells Python that the example, and a package that can't be imported, are installed."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = tmp_path / "timeseries_compressor-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    named = {**project["entry-points"][GROUP], "com.example.Broken": "no_such_module:make"}
    lines = "".join(f"{name} = {value}\n" for name, value in named.items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    maybe_factory.cache_clear()
    yield info
    maybe_factory.cache_clear()
    sys.modules.pop("timeseries_compressor", None)


def rows(kept: Kept, text: str) -> list[tuple[bytes | None, ...]]:
    answer = kept.node.statements.query(ClientState("127.0.0.1", 0, version=5, user=SYSTEM), text, QueryOptions())
    answer = answer.finish() if hasattr(answer, "finish") else answer
    assert isinstance(answer, RowsResult), answer
    return list(answer.rows())


def fill(kept: Kept, table: str) -> None:
    """Three hours of a sensor, every ten seconds."""
    rng, value = random.Random(1), 20.0
    for number in range(1_000):
        value += rng.gauss(0, 0.1)
        kept.ask(
            f"INSERT INTO ks.{table} (sensor, at, value) VALUES (1, {1_700_000_000_000 + 10_000 * number}, {value:.2f})"
            f" USING TIMESTAMP {1_700_000_000_000_000 + 10_000_000 * number}"
        )


def disk_bytes(kept: Kept, table: str) -> int:
    found = kept.node.schema.maybe_table("ks", table)
    assert found is not None
    folder = f"{kept.node.engine.options.data}/data/ks/{table}-{found.id.hex}"
    return sum(kept.disk.size(f"{folder}/{name}") for name in kept.disk.list(folder) if name.endswith("-Data.db"))


def test_a_table_is_compressed_by_a_package(installed: Path) -> None:
    disk = FaultyDisk()
    kept = Kept(disk)
    kept.ask(KEYSPACE, TABLE.format("t", "{'class': 'TimeSeriesCompressor', 'compression_level': '5'}"))
    kept.ask(TABLE.format("u", "{'class': 'LZ4Compressor'}"))
    for table in "tu":
        fill(kept, table)
    kept.flush()
    assert 2 * disk_bytes(kept, "t") < disk_bytes(kept, "u")
    wanted = rows(kept, "SELECT * FROM ks.u")
    assert len(wanted) == 1_000
    assert rows(kept, "SELECT * FROM ks.t") == wanted
    kept.node.engine.close()
    kept = Kept(disk)
    assert rows(kept, "SELECT * FROM ks.t") == wanted
    described = rows(kept, "DESCRIBE TABLE ks.t")[0][3] or b""
    assert b"{'chunk_length_in_kb': '16', 'class': 'TimeSeriesCompressor', 'compression_level': '5'}" in described
    kept.node.engine.close()


def test_what_is_not_installed_any_more_is_told(installed: Path) -> None:
    disk = FaultyDisk()
    kept = Kept(disk)
    kept.ask(KEYSPACE, TABLE.format("t", "{'class': 'TimeSeriesCompressor'}"))
    fill(kept, "t")
    kept.flush()
    kept.node.engine.close()
    (installed / "entry_points.txt").write_text("")
    maybe_factory.cache_clear()
    kept = Kept(disk)
    with pytest.raises(Exception, match="compressed by TimeSeriesCompressor, which is not known here"):
        rows(kept, "SELECT * FROM ks.t")
    kept.node.engine.close()


@pytest.mark.parametrize(
    ("compression", "message"),
    [
        ("{'class': 'Nowhere'}", "Could not create Compression for type org.apache.cassandra.io.compress.Nowhere"),
        ("{'class': 'com.example.Nowhere'}", "Could not create Compression for type com.example.Nowhere"),
        (
            "{'class': 'com.example.Broken'}",
            r"com.example.Broken.create\(\) threw an error: ValueError no_such_module:make can't be imported: No module",
        ),
        (
            "{'class': 'TimeSeriesCompressor', 'level': 3}",
            r"TimeSeriesCompressor.create\(\) threw an error: ValueError unknown options level",
        ),
        ("{'class': 'TimeSeriesCompressor', 'compression_level': 99}", "is from 1 to 22, not 99"),
    ],
)
def test_what_a_package_does_not_take_is_refused(installed: Path, compression: str, message: str) -> None:
    kept = Kept(FaultyDisk())
    kept.ask(KEYSPACE)
    with pytest.raises(ConfigurationError, match=message):
        kept.ask(TABLE.format("t", compression))
    kept.node.engine.close()


@pytest.fixture(scope="module")
def timeseries() -> Iterator[ModuleType]:
    sys.path.insert(0, str(EXAMPLE))
    yield importlib.import_module("timeseries_compressor")
    sys.path.remove(str(EXAMPLE))


@given(
    st.binary(min_size=1, max_size=60), st.integers(1, 60), st.lists(st.tuples(st.integers(0, 59), st.integers(0, 255)))
)
@example(b"a row of a table", 50, [])
def test_the_examples_chunks_come_back(
    timeseries: ModuleType, row: bytes, count: int, changed: list[tuple[int, int]]
) -> None:
    """Of rows that are alike but for some bytes, and of anything else."""
    compress, decompress = timeseries.make({})
    data = bytearray(row * count)
    for place, value in changed:
        data[place % len(data)] = value
    chunk = bytes(data)
    assert decompress(compress(chunk), len(chunk)) == chunk
