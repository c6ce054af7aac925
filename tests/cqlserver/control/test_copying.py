"""Clones and dumps: another server with the same data."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import cqlserver

pytestmark = pytest.mark.slow
SCHEMA = """
CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
CREATE TYPE ks.pair (a int, b text);
CREATE TABLE ks.t (k int, c int, s text static, v text, p frozen<pair>, l list<int>, PRIMARY KEY (k, c));
CREATE TABLE ks.counts (k int PRIMARY KEY, n counter);
CREATE TABLE ks."Odd" (k int PRIMARY KEY, "V" decimal);
INSERT INTO ks.t (k, c, s, v, p, l) VALUES (1, 1, 's', 'it''s', {a: 1, b: 'x'}, [1, 2]) USING TIMESTAMP 1000;
INSERT INTO ks.t (k, c, v) VALUES (1, 2, 'dies') USING TTL 10000;
INSERT INTO ks.t (k, s) VALUES (2, 'alone');
DELETE FROM ks.t USING TIMESTAMP 2000 WHERE k = 1 AND c > 5 AND c < 9;
UPDATE ks.counts SET n = n + 7 WHERE k = 1;
INSERT INTO ks."Odd" (k, "V") VALUES (1, 1.10)
"""
SELECTS = (
    "SELECT k, c, s, v, p, l, writetime(v) FROM ks.t",
    "SELECT * FROM ks.counts",
    'SELECT * FROM ks."Odd"',
)


@pytest.fixture(scope="module", params=["memory", "disk"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[cqlserver.Server]:
    data = tmp_path_factory.mktemp("data") if request.param == "disk" else None
    with cqlserver.start(data=data) as server:
        server.execute(SCHEMA.replace("frozen<pair>", "frozen<ks.pair>"))
        if data is not None:
            server.call("flush", keyspace="ks", tables=["t"])
        server.execute("; ".join(f"INSERT INTO ks.t (k, c, v) VALUES (3, {c}, 'x')" for c in range(1_200)))
        yield server


def test_a_clone_has_it_all_and_goes_its_own_way(server: cqlserver.Server) -> None:
    with server.clone() as clone:
        assert clone.pid != server.pid
        for select in SELECTS:
            assert clone.execute(select) == server.execute(select)
        ttl = clone.execute("SELECT ttl(v) FROM ks.t WHERE k = 1 AND c = 2")[0]["ttl(v)"]
        assert isinstance(ttl, int)
        # the range tombstone came too, and covers what is older
        clone.execute("INSERT INTO ks.t (k, c) VALUES (1, 6) USING TIMESTAMP 1500")
        assert clone.execute("SELECT c FROM ks.t WHERE k = 1 AND c = 6") == []
        clone.snapshot("it keeps nothing on disk")
        clone.reset(schema=True)
    assert len(server.execute("SELECT k FROM ks.t")) == 1_203


def test_a_dump_is_a_seed(server: cqlserver.Server, tmp_path: Path) -> None:
    assert server.dump("ks", tmp_path / "dump") == 1_205
    assert sorted(file.name for file in (tmp_path / "dump").iterdir()) == [
        "1-schema.cql", '2-ks.Odd.json', "2-ks.counts.json", "2-ks.t.json"
    ]  # fmt: skip
    with cqlserver.start(init=tmp_path / "dump") as other:
        for select in (SELECTS[0].replace(", writetime(v)", ""), *SELECTS[1:]):
            assert other.execute(select) == server.execute(select)
    with pytest.raises(cqlserver.ControlError, match="is not empty: give a new folder"):
        server.dump("ks", tmp_path / "dump")
    with pytest.raises(cqlserver.ControlError, match="there is no keyspace 'nope'"):
        server.dump("nope", tmp_path / "other")


def test_a_copy_of_a_cluster_has_what_its_nodes_have(tmp_path: Path) -> None:
    """Rows are on one node each; a single server and another cluster start from the copy."""
    with cqlserver.start(nodes=3, data=tmp_path / "data") as server:
        server.execute(SCHEMA.replace("frozen<pair>", "frozen<ks.pair>"))
        server.execute("; ".join(f"INSERT INTO ks.t (k, c, v) VALUES ({k}, {k}, 'x')" for k in range(10, 60)))
        server.nodes[1].nodetool("flush")
        wanted = [sorted(map(repr, server.execute(select))) for select in SELECTS]
        assert server.dump("ks", tmp_path / "dump") == len(server.execute("SELECT k FROM ks.t")) + 2
        server.call("export", path=str(tmp_path / "copy"))
    for nodes in (1, 3):
        with cqlserver.start(nodes=nodes, copy_of=tmp_path / "copy") as copy:
            assert [sorted(map(repr, copy.execute(select))) for select in SELECTS] == wanted
            copy.execute("UPDATE ks.counts SET n = n + 1 WHERE k = 1")
            assert copy.execute("SELECT n FROM ks.counts") == [{"n": 8}]
