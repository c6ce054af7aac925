"""Both logs from nodetool on, and the commands that read them, against real servers."""

import io
import shutil
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

import cqlserver
from cqlserver.commands import COMMANDS
from cqlserver.nodetool import program
from protocol.client import connect
from protocol.requests import QueryOptions
from protocol.responses import PreparedResult, RowsResult

pytestmark = pytest.mark.slow

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
    "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
)
INSERT = "INSERT INTO ks.t (k, v) VALUES (?, ?)"


def command(name: str, *words: str) -> tuple[int, str]:
    """Exit status, and what it prints, errors too."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        status = program.main(list(words)) if name == "nodetool" else COMMANDS[name].main(name, list(words))
    return status, out.getvalue()


def test_audit_log(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    options = {"enabled": True, "audit_logs_dir": str(folder), "excluded_keyspaces": "system"}
    with cqlserver.start(settings={"audit_logging_options": options}) as server:
        port = str(server.control_port)
        told = dict(line.split(maxsplit=1) for line in command("nodetool", "-p", port, "getauditlog")[1].splitlines()[:3])
        assert told["enabled"].strip() == "true"
        assert told["audit_logs_dir"].strip() == str(folder)
        with connect(server.host, server.port) as client:
            client.query("SELECT cluster_name FROM system.local")
            client.query("CREATE ROLE r WITH PASSWORD = 'secret'")
            assert command("nodetool", "-p", port, "disableauditlog") == (0, "")
            client.query("SELECT * FROM nosuch.t")
        assert command("nodetool", "-p", port, "enableauditlog", "--roll-cycle", "WEEKLY")[0] == 2
        status, text = command("nodetool", "-p", port, "enableauditlog", "--archive-command", "x")
        assert status == 2
        assert "allow_nodetool_archive_command" in text
    status, text = command("auditlogviewer", str(folder))
    assert (status, text.count("Type: audit"), text.count("|operation:CREATE ROLE r")) == (0, 1, 1)
    assert "secret" not in text
    assert command("auditlogviewer", str(tmp_path / "nosuch"))[0] == 1


def test_full_query_log_replayed_on_two_servers(tmp_path: Path) -> None:
    log, results = tmp_path / "fql", tmp_path / "results"
    results.mkdir()
    with cqlserver.start() as server:
        server.execute(SCHEMA)
        port = str(server.control_port)
        assert command("nodetool", "-p", port, "enablefullquerylog")[0] == 2  # no path
        assert command("nodetool", "-p", port, "enablefullquerylog", "--path", str(log)) == (0, "")
        with connect(server.host, server.port) as client:
            client.query("USE ks")
            prepared = client.prepare(INSERT).response
            assert isinstance(prepared, PreparedResult)
            for k in range(5):
                client.execute(prepared, (k.to_bytes(4, "big"), b"x"))
            client.query("CREATE TABLE ks.made (k int PRIMARY KEY)")
            client.query("SELECT * FROM t", QueryOptions(page_size=2))
        assert command("nodetool", "-p", port, "disablefullquerylog") == (0, "")
    status, text = command("fql", "dump", str(log))
    assert status == 0
    assert text.count("Type: single-query") == 8
    assert f"Query: {INSERT}\nValues: \n00000000 00 00 00 04" in text
    with cqlserver.start() as one, cqlserver.start() as other:
        for server in (one, other):
            server.execute(SCHEMA)
        targets = [word for server in (one, other) for word in ("--target", f"{server.host}:{server.port}")]
        status, text = command("fql", "replay", str(log), *targets, "--results", str(results))
        assert (status, text) == (0, "7 queries, 0 answers differ\n")
        assert one.execute("SELECT count(*) AS n FROM ks.t")[0]["n"] == 5
        with connect(one.host, one.port) as client:
            written = client.query("SELECT writetime(v) FROM ks.t WHERE k = 1").response
        with connect(other.host, other.port) as client:
            again = client.query("SELECT writetime(v) FROM ks.t WHERE k = 1").response
        assert isinstance(written, RowsResult)
        assert written == again  # both have the time of the log
        other.execute("INSERT INTO ks.t (k, v) VALUES (9, 'more')")
        status, text = command("fql", "replay", str(log), *targets)
        assert status == 1
        assert "MISMATCH" in text
        assert text.endswith("7 queries, 1 answers differ\n")
        folders = [str(results / f"{server.host}_{server.port}") for server in (one, other)]
        assert command("fql", "compare", *folders) == (0, "7 results, 0 differ\n")
    assert command("fql", "compare", folders[0])[0] == 2
    assert command("fql", "replay", str(log), "--target", "127.0.0.1:1")[0] == 2


def wait_gone(server: cqlserver.Server, number: int) -> None:
    """Until this node's clients are turned away; a moment goes by until the log is found to be gone."""
    node = server.nodes[number]
    for _ in range(300):
        try:
            with connect(node.host, node.port) as client:
                client.query("SELECT cluster_name FROM system.local")
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("clients are served on")


def test_each_node_of_a_process_has_a_log_and_is_closed_without(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    options = {"enabled": True, "audit_logs_dir": str(folder), "logger": {"class_name": "FileAuditLogger"}}
    options["excluded_keyspaces"] = ""
    with cqlserver.start(nodes=2, settings={"audit_logging_options": options}) as server:
        for number, node in enumerate(server.nodes, 1):
            with connect(node.host, node.port) as client:
                client.query(f"SELECT cluster_name FROM system.local WHERE key = 'local' /* {number} */")
        texts = ["".join(file.read_text() for file in (folder / f"node{number}").iterdir()) for number in (1, 2)]
        assert [[f"/* {n} */" in text for n in (1, 2)] for text in texts] == [[True, False], [False, True]]
        assert "|host:/127.0.0.2:7000|" in texts[1]
        shutil.rmtree(folder / "node2")
        wait_gone(server, 1)
        assert "The audit log can't be written" in server.log
        with connect(server.nodes[0].host, server.nodes[0].port) as client:
            client.query("SELECT cluster_name FROM system.local")
        assert server.nodes[1].nodetool("statusbinary") == "not running\n"
        server.nodes[1].stop()
        server.nodes[1].start()  # as its settings say, again
        with connect(server.nodes[1].host, server.nodes[1].port) as client:
            client.query("SELECT cluster_name FROM system.local")
        assert (folder / "node2").exists()
        server.add_node()
        assert (folder / "node3").exists()


def test_files_are_beside_the_data_where_nothing_else_is_said(tmp_path: Path) -> None:
    """The log that settings alone began was written to the root of the file system."""
    with cqlserver.start(data=tmp_path / "data", settings={"audit_logging_options": {"enabled": True}}) as server:
        server.execute("CREATE ROLE r")
        with connect(server.host, server.port) as client:
            client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    (file,) = (tmp_path / "data" / "audit").iterdir()
    assert b"CREATE KEYSPACE ks" in file.read_bytes()
