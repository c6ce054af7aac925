"""auto_snapshot, and snapshots on command: what is on disk then, and what nodetool says of it."""

import json
import re
from pathlib import Path

import pytest

import cqlserver
from cqlserver.nodetool import program
from protocol.client import connect
from protocol.responses import Error

pytestmark = pytest.mark.slow

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
    "CREATE TYPE ks.unused (a int); CREATE TYPE ks.inner (no int);"
    "CREATE TYPE ks.address (street text, inner frozen<inner>);"
    "CREATE TABLE ks.t (k int, c int, v text, a frozen<address>, d int, PRIMARY KEY (k, c));"
    "ALTER TABLE ks.t DROP d; CREATE INDEX by_v ON ks.t (v); INSERT INTO ks.t (k, c, v) VALUES (1, 2, 'x')"
)


def snapshots(data: Path) -> list[str]:
    return sorted(re.sub(r"\d{13}", "<ms>", path.name) for path in data.glob("data/ks/*/snapshots/*"))


def test_what_is_truncated_or_dropped_has_a_snapshot(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server, connect(server.host, server.port) as client:
        server.execute(SCHEMA)
        for statement in (
            "TRUNCATE ks.t",
            "TRUNCATE ks.t",  # which is empty
            "INSERT INTO ks.t (k, c, v) VALUES (1, 2, 'x')",
            "DROP TABLE ks.t",
            "CREATE TABLE ks.empty (k int PRIMARY KEY)",
            "CREATE TABLE ks.u (k int PRIMARY KEY)",
            "CREATE TABLE ks.not_kept (k int PRIMARY KEY) WITH allow_auto_snapshot = false",
            "INSERT INTO ks.u (k) VALUES (1)",
            "INSERT INTO ks.not_kept (k) VALUES (1)",
            "DROP KEYSPACE ks",
        ):
            response = client.query(statement).response
            assert not isinstance(response, Error), (statement, response)
    assert snapshots(tmp_path) == ["dropped-<ms>-t", "dropped-<ms>-u", "truncated-<ms>-t"]


def test_nothing_is_kept_where_auto_snapshot_is_off(tmp_path: Path) -> None:
    config = tmp_path / "cassandra.yaml"
    config.write_text("auto_snapshot: false\n")
    with cqlserver.start(data=tmp_path / "data", config=config) as server:
        server.execute(f"{SCHEMA}; TRUNCATE ks.t; INSERT INTO ks.t (k, c, v) VALUES (1, 2, 'x'); DROP TABLE ks.t")
    assert snapshots(tmp_path / "data") == []


def test_a_snapshot_says_what_it_is_and_goes_on_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with cqlserver.start(data=tmp_path) as server:

        def nodetool(*words: str) -> str:
            assert program.main(["-p", str(server.control_port), *words]) == 0
            return capsys.readouterr().out

        assert nodetool("listsnapshots") == "Snapshot Details: \nThere are no snapshots\n"
        server.execute(SCHEMA)
        nodetool("snapshot", "-t", "one", "ks")
        nodetool("snapshot", "-t", "later", "--ttl", "2h", "-cf", "t", "ks")
        (folder,) = tmp_path.glob("data/ks/t-*/snapshots/one")
        manifest = json.loads((folder / "manifest.json").read_text())
        assert list(manifest) == ["files", "created_at", "expires_at", "ephemeral"]
        assert manifest["files"] == ["nb-1-big-Data.db"]
        schema = (folder / "schema.cql").read_text()
        assert [line.partition(" (")[0] for line in schema.splitlines() if line.startswith(("CREATE", "ALTER"))] == [
            "CREATE TYPE IF NOT EXISTS ks.inner",
            "CREATE TYPE IF NOT EXISTS ks.address",
            "CREATE TABLE IF NOT EXISTS ks.t",
            next(line for line in schema.splitlines() if line.startswith("ALTER TABLE ks.t DROP d USING TIMESTAMP ")),
            "CREATE INDEX IF NOT EXISTS by_v ON ks.t",
        ]
        lines = nodetool("listsnapshots").splitlines()
        head = "Snapshot name Keyspace name Column family name True size Size on disk Creation time Expiration time"
        assert lines[1].split() == head.split()
        assert [line.split()[:3] for line in lines[2:4]] == [["later", "ks", "t"], ["one", "ks", "t"]]
        assert lines[-2].startswith("Total TrueDiskSpaceUsed: ")
        assert "later" not in nodetool("listsnapshots", "-nt")
        assert "Space used by snapshots (total): 0\n" not in nodetool("tablestats", "ks.t")
        nodetool("clearsnapshot", "-t", "one", "ks")
        assert snapshots(tmp_path) == ["later"]
        nodetool("clearsnapshot", "--all")
        assert not list(tmp_path.glob("data/ks/*/snapshots"))
