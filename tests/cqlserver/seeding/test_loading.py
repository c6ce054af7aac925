"""Seeds in a server: at its start, while it runs, and what it says about wrong ones."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import cqlserver
from cqlserver import ControlError, StartError
from protocol.client import connect

pytestmark = pytest.mark.slow
SCHEMA = """
CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
CREATE TABLE shop.orders (id int PRIMARY KEY, item text, tags set<text>, price decimal, "Note" text);
CREATE TABLE shop.visits (page text PRIMARY KEY, n counter);
"""
ROWS = 30_000
SELECT = 'SELECT id, item, tags, price, "Note" FROM shop.orders'


@pytest.fixture(scope="module")
def server() -> Iterator[cqlserver.Server]:
    with cqlserver.start() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "1-schema.cql").write_text(SCHEMA)
    (tmp_path / "2-shop.orders.csv").write_text('id,item,tags,price,Note\n1,tea,"[""hot"", ""wet""]",1.10,x\n2,,,,\n')
    (tmp_path / "3-shop.visits.json").write_text('{"page": "/", "n": 5}\n{"page": "/", "n": 2}\n')
    return tmp_path


def test_a_folder_at_the_start_and_later(server: cqlserver.Server, folder: Path) -> None:
    with cqlserver.start(init=folder, log_level="info") as started:
        server.reset(schema=True)
        assert server.load(folder) == 7
        for one in (started, server):
            assert one.execute(SELECT) == [
                {"id": 1, "item": "tea", "tags": ["hot", "wet"], "price": 1.10, "Note": "x"},
                {"id": 2, "item": None, "tags": None, "price": None, "Note": None},
            ]
            assert one.execute("SELECT n FROM shop.visits") == [{"n": 7}]
        (folder / "x.sh").write_text("echo")
        assert f"{folder}/2-shop.orders.csv: 2 statements" in started.log


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("s.cql", "\n\nCREATE TABLE shop.t (k int);", ":3: No PRIMARY KEY specifed for table 'shop.t' (exactly"),
        ("shop.orders.csv", "id,itme\n1,tea\n", ":2: Undefined column name itme in table shop.orders"),
        ("shop.orders.csv", "id\n1\nx\n", ":3: org.apache.cassandra.serializers.MarshalException: Unable to make int from"),
        ("shop.order.csv", "id\n1\n", ":2: table order does not exist"),
        ("orders.csv", "id\n1\n", ":2: No keyspace has been specified."),
    ],
)
def test_faults_name_file_line_and_statement(
    server: cqlserver.Server, tmp_path: Path, name: str, text: str, told: str
) -> None:
    server.reset(schema=True)
    server.execute(SCHEMA)
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(ControlError) as caught:
        server.load(file)
    assert caught.value.code == "BadSeed"
    assert str(caught.value).startswith(f"{file}{told}")
    assert "\n  in " in str(caught.value)
    schema = tmp_path / "0.cql"
    schema.write_text(SCHEMA)
    with pytest.raises(StartError) as failed:
        cqlserver.start(init=[schema, file])
    assert f"cqlserver: --init {file}{told}" in str(failed.value)


def test_a_long_file_says_how_far_it_is(server: cqlserver.Server, tmp_path: Path) -> None:
    """On the command line, and by the operation of that name; clients are served meanwhile."""
    server.reset(schema=True)
    server.execute(SCHEMA)
    file = tmp_path / "shop.orders.csv"
    with file.open("w") as stream:
        stream.write("id,item\n")
        stream.writelines(f"{k},tea\n" for k in range(ROWS))
    told, answers = [], 0
    with connect(server.host, server.port) as client, ThreadPoolExecutor(1) as threads:
        loaded = threads.submit(server.load, file)
        while not loaded.done():
            told.append(server.call("loading"))
            client.query("SELECT item FROM shop.orders WHERE id = 1")
            answers += 1
    assert loaded.result() == ROWS
    counts = [one["statements"] for one in told if one]
    assert counts == sorted(counts)
    assert 0 < counts[-1] < ROWS
    assert answers > 2
    assert server.execute("SELECT count(*) FROM shop.orders") == [{"count": ROWS}]
    assert server.call("loading") == {}


def test_names_without_a_keyspace_go_where_they_are_told(server: cqlserver.Server, tmp_path: Path) -> None:
    server.reset(schema=True)
    server.execute(SCHEMA)
    (tmp_path / "orders.yaml").write_text("- {id: 7, item: tea}\n")
    assert server.load(tmp_path / "orders.yaml", keyspace="shop") == 1
    assert server.execute("SELECT item FROM orders", keyspace="shop") == [{"item": "tea"}]
