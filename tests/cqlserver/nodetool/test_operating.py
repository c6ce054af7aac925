"""What nodetool does to single SSTables, and what it stops, begins again and empties."""

import io
import json
import re
import subprocess
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

import cqlserver
from cqlserver.control.client import ControlClient, ControlError
from cqlserver.nodetool import program
from protocol.client import connect
from protocol.errors import PeerError

pytestmark = pytest.mark.slow

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
    "CREATE TABLE ks.t (k int PRIMARY KEY, v text); CREATE TABLE ks.u (a int, b text, PRIMARY KEY ((a, b)))"
)


def nodetool(server: cqlserver.Server, *words: str) -> str:
    """What it prints, an error included."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        program.main(["-p", str(server.control_port), *words])
    return out.getvalue()


def data_files(data: Path, table: str = "t") -> list[str]:
    return sorted(path.name for path in data.glob(f"data/ks/{table}-*/*-Data.db"))


def test_whoever_has_read_enough_is_told_of_no_connection() -> None:
    """As in `nodetool getlogginglevels | head -1`."""
    with cqlserver.start() as server:
        command = [sys.executable, "-P", "-m", "cqlserver", "nodetool", "-p", str(server.control_port), "getlogginglevels"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tool:
            assert tool.stdout is not None
            assert tool.stderr is not None
            tool.stdout.close()
            assert tool.stderr.read() == ""
        assert tool.returncode == 1


def test_parts_of_a_table(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server:
        server.execute(SCHEMA)
        for k in (1, 2, 3):
            server.execute(f"INSERT INTO ks.t (k, v) VALUES ({k}, 'one'); INSERT INTO ks.u (a, b) VALUES ({k}, 'b:c')")
            assert nodetool(server, "flush", "ks") == ""
        paths = [nodetool(server, "getsstables", "ks", "t", str(k)).strip() for k in (1, 2, 3)]
        assert [Path(path).name for path in paths] == [f"nb-{n}-big-Data.db" for n in (1, 2, 3)]
        assert nodetool(server, "getsstables", "-hf", "ks", "t", "00000002").strip() == paths[1]
        assert nodetool(server, "getsstables", "ks", "u", "2:b\\:c").endswith("nb-2-big-Data.db\n")
        assert nodetool(server, "compact", "--partition", "1", "ks", "t") == ""
        assert data_files(tmp_path) == [f"nb-{n}-big-Data.db" for n in (2, 3, 4)]
        # tokens of 1 and 3
        first, last = (server.execute(f"SELECT token(k) AS t FROM ks.t WHERE k = {k}")[0]["t"] for k in (1, 3))
        nodetool(server, "compact", "-st", str(first), "-et", str(first), "ks", "t")
        assert len(data_files(tmp_path)) == 3  # a range that is empty
        nodetool(server, "compact", "-st", str(first - 1), "-et", str(first), "ks", "t")
        assert data_files(tmp_path) == [f"nb-{n}-big-Data.db" for n in (2, 3, 5)]
        nodetool(server, "compact", "-st", str(min(first, last)), "-et", str(max(first, last)), "ks", "t")
        assert data_files(tmp_path) in (["nb-2-big-Data.db", "nb-6-big-Data.db"], ["nb-6-big-Data.db"])
        named = [nodetool(server, "getsstables", "ks", "u", f"{k}:b\\:c").strip() for k in (1, 3)]
        assert nodetool(server, "compact", "--user-defined", *named) == ""
        assert data_files(tmp_path, "u") == ["nb-2-big-Data.db", "nb-4-big-Data.db"]
        assert sorted(row["k"] for row in server.execute("SELECT k FROM ks.t")) == [1, 2, 3]
        history = server.execute("SELECT * FROM system.compaction_history")
        assert {row["columnfamily_name"] for row in history if row["keyspace_name"] == "ks"} == {"t", "u"}
        nodetool(server, "setcompactionthreshold", "ks", "t", "6", "10")
        assert "min = 6,  max = 10" in nodetool(server, "getcompactionthreshold", "ks", "t")
        assert nodetool(server, "verify", "-f", "-e", "-t", "ks") == ""


def test_a_damaged_sstable_is_found(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server:
        server.execute(f"{SCHEMA}; INSERT INTO ks.t (k, v) VALUES (1, 'one')")
        nodetool(server, "flush", "ks")
        (file,) = tmp_path.glob("data/ks/t-*/nb-1-big-Data.db")
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        assert nodetool(server, "verify", "-f", "-q", "ks") == ""
        for options in ((), ("-e",), ("-r",)):
            told = nodetool(server, "verify", "-f", *options, "ks")
            assert told.startswith("error: Verify of ks.t has failed")
            assert "nb-1-big" in told


def test_clients_are_sent_away_and_taken_again(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server:
        server.execute(SCHEMA)
        with connect(server.host, server.port) as client:
            assert nodetool(server, "statusbinary") == "running\n"
            assert nodetool(server, "disablebinary") == ""
            with pytest.raises(PeerError):
                client.query("SELECT * FROM ks.t")
        with pytest.raises(ConnectionRefusedError):
            connect(server.host, server.port)
        assert nodetool(server, "statusbinary") == "not running\n"
        assert "Native Transport active: false" in nodetool(server, "info")
        for _ in range(2):
            assert nodetool(server, "enablebinary") == ""
        with connect(server.host, server.port) as client:
            client.query("SELECT * FROM ks.t")
        assert "Native Transport active: true" in nodetool(server, "info")
        nodetool(server, "drain")
        assert "Native Transport active: false" in nodetool(server, "info")
        assert nodetool(server, "enablebinary") == (
            "error: Unable to start native transport because the node was drained.\n"
        )


def test_caches_and_estimates(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server:
        server.execute(SCHEMA)
        for k in range(100):
            server.execute(f"INSERT INTO ks.t (k, v) VALUES ({k}, 'one')")
        nodetool(server, "flush", "ks")
        server.execute("SELECT * FROM ks.t WHERE k = 1")
        told = r"Key Cache +: entries 1, size [1-9]\d* bytes, capacity 16 MiB, 0 hits, 1 requests"
        assert re.search(told, nodetool(server, "info"))
        nodetool(server, "setcachecapacity", "8", "0", "0")
        nodetool(server, "invalidatekeycache")
        assert "entries 0, size 0 bytes, capacity 8 MiB" in nodetool(server, "info")
        (row,) = server.execute("SELECT * FROM system_views.caches WHERE name = 'keys'")
        assert (row["capacity_bytes"], row["entry_count"]) == (8 << 20, 0)
        for _ in range(2):
            assert nodetool(server, "refreshsizeestimates") == ""
            rows = server.execute("SELECT * FROM system.size_estimates WHERE keyspace_name = 'ks' AND table_name = 't'")
            assert len(rows) > 1
            assert 80 <= sum(row["partitions_count"] for row in rows) <= 120, json.dumps(rows)
            others = server.execute("SELECT * FROM system.table_estimates WHERE keyspace_name = 'ks' AND table_name = 't'")
            assert len(others) == 2 * len(rows)


def test_the_row_cache_is_counted(tmp_path: Path) -> None:
    config = tmp_path / "cassandra.yaml"
    config.write_text("row_cache_size: 4MiB\n")
    caching = "{'keys': 'ALL', 'rows_per_partition': '10'}"
    with cqlserver.start(data=tmp_path / "data", config=config) as server:
        server.execute(f"{SCHEMA}; ALTER TABLE ks.t WITH caching = {caching}; INSERT INTO ks.t (k, v) VALUES (1, 'one')")
        nodetool(server, "flush", "ks")
        for _ in range(3):
            assert server.execute("SELECT v FROM ks.t WHERE k = 1") == [{"v": "one"}]
        told = r"Row Cache +: entries 1, size [1-9]\d* bytes, capacity 4 MiB, 2 hits, 3 requests, 0.667 recent hit rate"
        assert re.search(told, nodetool(server, "info"))
        (row,) = server.execute("SELECT * FROM system_views.caches WHERE name = 'rows'")
        assert (row["capacity_bytes"], row["entry_count"], row["hit_count"], row["request_count"]) == (4 << 20, 1, 2, 3)
        (row,) = server.execute("SELECT value FROM system_views.settings WHERE name = 'row_cache_size'")
        assert row["value"] == "4MiB"
        nodetool(server, "invalidaterowcache")
        assert "Row Cache              : entries 0, size 0 bytes" in nodetool(server, "info")
        nodetool(server, "setcachecapacity", "8", "0", "0")
        assert "capacity 0 bytes, 2 hits, 3 requests" in nodetool(server, "info")
        assert server.execute("SELECT v FROM ks.t WHERE k = 1") == [{"v": "one"}]


def test_what_goes_on_is_shown_and_stopped(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server:
        server.execute(SCHEMA)
        for first in range(0, 2_000, 100):
            rows = (f"INSERT INTO ks.t (k, v) VALUES ({k}, '{'x' * 4_000}')" for k in range(first, first + 100))
            server.execute("; ".join(rows))
        nodetool(server, "flush", "ks", "t")
        nodetool(server, "setcompactionthroughput", "1")  # it takes eight seconds
        told: list[str] = []

        def compact() -> None:
            client = ControlClient("127.0.0.1", server.control_port)
            with pytest.raises(ControlError) as raised:
                client.call("compact", {"keyspace": "ks", "tables": ["t"]})
            client.close()
            told.append(raised.value.message)

        for words in (["-id"], ["MAJOR_COMPACTION"]):
            thread = threading.Thread(target=compact)
            thread.start()
            while (row := re.search(r"(\S{36}) +Major compaction +ks +t ", nodetool(server, "compactionstats"))) is None:
                assert thread.is_alive()
            assert re.search(rf"ks +t +{row[1]} .* 1 +\d+ +bytes +/", nodetool(server, "compactionstats", "-V"))
            assert nodetool(server, "stop", "COMPACTION") == ""
            assert row[1] in nodetool(server, "compactionstats"), "it is of another kind"
            assert nodetool(server, "stop", *words, *([row[1]] if words == ["-id"] else [])) == ""
            thread.join()
        assert told == ["Major compaction of ks.t was stopped"] * 2
        assert data_files(tmp_path) == ["nb-1-big-Data.db"]
        assert server.execute("SELECT count(*) AS n FROM ks.t") == [{"n": 2_000}]


def test_compression_paths_and_views(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server:
        server.execute(f"{SCHEMA}; INSERT INTO ks.t (k, v) VALUES (1, 'one'); INSERT INTO ks.u (a, b) VALUES (1, 'b')")
        nodetool(server, "flush", "ks")
        assert nodetool(server, "recompress_sstables", "ks") == ""
        assert data_files(tmp_path) == ["nb-1-big-Data.db"]
        server.execute("ALTER TABLE ks.t WITH compression = {'class': 'DeflateCompressor', 'chunk_length_in_kb': 8}")
        for _ in range(2):
            assert nodetool(server, "recompress_sstables", "ks") == ""
            assert data_files(tmp_path) == ["nb-2-big-Data.db"]
        assert data_files(tmp_path, "u") == ["nb-1-big-Data.db"]
        (info,) = tmp_path.glob("data/ks/t-*/nb-2-big-CompressionInfo.db")
        assert b"DeflateCompressor" in info.read_bytes()
        assert server.execute("SELECT v FROM ks.t") == [{"v": "one"}]
        (folder,) = tmp_path.glob("data/ks/u-*")
        assert nodetool(server, "datapaths", "ks.u") == f"Keyspace: ks\n\tTable: u\n\tPaths:\n\t\t{folder.resolve()}\n\n"
        server.execute(
            "CREATE MATERIALIZED VIEW ks.by_v AS SELECT v, k FROM ks.t WHERE v IS NOT NULL AND k IS NOT NULL "
            "PRIMARY KEY (v, k)"
        )
        for _ in range(100):
            told = nodetool(server, "viewbuildstatus", "ks.by_v")
            if told.endswith("has finished building\n"):
                break
        assert told == "ks.by_v has finished building\n"
        assert "/127.0.0.1 UNKNOWN" in nodetool(server, "viewbuildstatus", "ks", "nosuch")


def test_what_is_believed_of_roles_is_forgotten(tmp_path: Path) -> None:
    config = tmp_path / "cassandra.yaml"
    config.write_text("authenticator: PasswordAuthenticator\nauthorizer: CassandraAuthorizer\n")
    with cqlserver.start(data=tmp_path / "data", config=config) as server:
        server.execute(f"{SCHEMA}; CREATE ROLE alice WITH PASSWORD = 'a' AND LOGIN = true; GRANT SELECT ON ks.t TO alice")

        def believed(cache: str) -> list[object]:
            return [row["role"] for row in server.execute(f"SELECT * FROM system_views.{cache}_cache_keys")]

        def ask() -> None:
            with connect(server.host, server.port, credentials=("alice", "a")) as client:
                client.query("SELECT * FROM ks.t")

        ask()
        assert "alice" in believed("permissions")
        assert "alice" in believed("roles")
        assert nodetool(server, "invalidatepermissionscache", "alice", "--keyspace", "ks", "--table", "u") == ""
        assert "alice" in believed("permissions")
        assert nodetool(server, "invalidatepermissionscache", "alice", "--keyspace", "ks", "--table", "t") == ""
        assert nodetool(server, "invalidaterolescache", "bob") == ""
        assert "alice" in believed("roles")
        assert nodetool(server, "invalidaterolescache", "alice") == ""
        assert "alice" not in believed("roles")
        for cache in ("permissions", "roles", "credentials", "networkpermissions"):
            assert nodetool(server, f"invalidate{cache}cache") == ""
        assert believed("permissions") == []


def test_verify_follows_the_disk_failure_policy_where_it_is_told_to(tmp_path: Path) -> None:
    config = tmp_path / "cassandra.yaml"
    for policy in ("stop", "stop_paranoid"):
        config.write_text(f"disk_failure_policy: {policy}\n")
        data = tmp_path / policy
        with cqlserver.start(data=data, config=config) as server:
            server.execute(SCHEMA)
            server.execute("INSERT INTO ks.t (k, v) VALUES (1, 'one')")
            nodetool(server, "flush", "ks")
            assert nodetool(server, "verify", "-f", "-d", "ks") == ""
            (file,) = data.glob("data/ks/t-*/*-Data.db")
            content = bytearray(file.read_bytes())
            content[-1] ^= 1
            file.write_bytes(content)
            assert "has failed" in nodetool(server, "verify", "-f", "ks")
            assert nodetool(server, "statusbinary") == "running\n"
            assert "has failed" in nodetool(server, "verify", "-f", "-d", "ks")
            assert nodetool(server, "statusbinary") == ("not running\n" if policy == "stop_paranoid" else "running\n")
            stopped = f"Stopping transports as disk_failure_policy is {policy}"
            assert (stopped in server.log) == (policy == "stop_paranoid")


def test_scrub_takes_a_snapshot_first_and_leaves_counters_alone_that_are_damaged(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server:
        server.execute(SCHEMA)
        server.execute("CREATE TABLE ks.n (k int PRIMARY KEY, n counter); INSERT INTO ks.t (k, v) VALUES (1, 'one')")
        for k in range(20):
            server.execute(f"UPDATE ks.n SET n = n + 1 WHERE k = {k}")
        nodetool(server, "flush", "ks")
        assert nodetool(server, "scrub", "-ns", "ks", "t") == ""
        assert "pre-scrub-" not in nodetool(server, "listsnapshots")
        assert nodetool(server, "scrub", "ks", "t") == ""
        (line,) = [line for line in nodetool(server, "listsnapshots").splitlines() if line.startswith("pre-scrub-")]
        assert line.split()[1:3] == ["ks", "t"]
    (file,) = tmp_path.glob("data/ks/n-*/*-Data.db")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with cqlserver.start(data=tmp_path) as server:
        before = data_files(tmp_path, "n")
        assert "has failed" in nodetool(server, "scrub", "-ns", "ks", "n")
        assert data_files(tmp_path, "n") == before
        assert nodetool(server, "scrub", "-ns", "-s", "ks", "n") == ""
        assert data_files(tmp_path, "n") != before


def test_scrub_reads_an_sstable_whose_index_is_gone(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server:
        server.execute(SCHEMA)
        for k in range(20):
            server.execute(f"INSERT INTO ks.t (k, v) VALUES ({k}, 'one')")
        nodetool(server, "drain")
    (index,) = tmp_path.glob("data/ks/t-*/*-Index.db")
    index.unlink()
    with cqlserver.start(data=tmp_path) as server:
        with pytest.raises(cqlserver.ControlError, match=r"TOC\.txt"):
            server.execute("SELECT * FROM ks.t")
        assert nodetool(server, "scrub", "ks", "t") == ""
        assert len(server.execute("SELECT * FROM ks.t")) == 20
    assert index.name not in {path.name for path in tmp_path.glob("data/ks/t-*/*")}
    (kept,) = tmp_path.glob("data/ks/t-*/snapshots/pre-scrub-*/*-Data.db")
    assert kept.name == index.name.replace("Index.db", "Data.db")


def test_upgradesstables_leaves_what_is_younger_than_it_is_told(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path) as server:
        server.execute(SCHEMA)
        server.execute("INSERT INTO ks.t (k, v) VALUES (1, 'one')")
        nodetool(server, "flush", "ks")
        (before,) = data_files(tmp_path)
        (file,) = tmp_path.glob("data/ks/t-*/*-Data.db")
        made_ms = file.stat().st_mtime_ns // 1_000_000
        assert nodetool(server, "upgradesstables", "-a", "-t", str(made_ms), "ks", "t") == ""
        assert data_files(tmp_path) == [before]
        assert nodetool(server, "upgradesstables", "-a", "-t", str(made_ms + 1), "ks", "t") == ""
        assert data_files(tmp_path) != [before]
