"""The program as a child process: start, readiness, ports, data folder, signals, --init, --config."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cqlserver
from cqlserver.launcher import StartError
from protocol.client import connect
from protocol.responses import Error, RowsResult

pytestmark = pytest.mark.slow
HOME = Path(__file__).resolve().parents[2]
KEYSPACE = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The program until it ends by itself."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "cqlserver", *arguments],
        env={**os.environ, "PYTHONPATH": str(HOME), **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_help_shows_examples() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert "--ready-file FILE" in shown.stdout
    assert "cqlserver --memory --port 0" in shown.stdout


def test_a_second_server_on_the_port_says_so() -> None:
    with cqlserver.start() as server:
        second = run("--memory", "--port", str(server.port))
    assert second.returncode == 1
    assert f"can't listen on 127.0.0.1:{server.port}: Address already in use" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_second_server_on_the_data_folder_says_so(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path / "data") as server:
        second = run("--data", str(tmp_path / "data"), "--port", "0")
        assert second.returncode == 1
        assert f"is in use by another server (pid {server.pid})" in second.stderr
        assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--memory", "--host", "192.0.2.1"),
            "can't listen on 192.0.2.1:0: Cannot assign requested address. Give an address",
        ),
        (("--memory", "--init", "missing.cql"), "--init missing.cql: No such file or directory"),
        (("--memory", "--config", "missing.yaml"), "can't read the configuration missing.yaml: No such file or directory"),
        (("--data", __file__), f"the data folder {__file__}: Not a directory; choose another with --data"),
    ],
    ids=["host", "init", "config", "data"],
)
def test_what_can_not_be_used_is_named(arguments: tuple[str, ...], said: str) -> None:
    ended = run("--port", "0", *arguments)
    assert ended.returncode in (1, 2)
    assert f"cqlserver: {said}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_start_says_where_the_data_is_and_where_clients_connect(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path / "data", log_level="info") as server:
        assert [line.split("cqlserver ", 1)[1] for line in server.log.splitlines()] == [
            f"Data is kept in {tmp_path / 'data'}",
            f"Starting listening for CQL clients on 127.0.0.1:{server.port} (unencrypted)...",
            "Startup complete",
        ]
    with cqlserver.start(log_level="info") as server:
        assert "Data is kept in memory alone" in server.log


def test_more_clients_than_the_soft_limit_of_open_files() -> None:
    """Many systems start programs with 1,024 files at most, and let them have more."""
    command = f"ulimit -S -n 64; exec {sys.executable} -P -m cqlserver --memory --port 0"
    with subprocess.Popen(
        ["sh", "-c", command], env={**os.environ, "PYTHONPATH": str(HOME)}, stderr=subprocess.PIPE
    ) as server:
        try:
            assert server.stderr is not None
            told = (re.search(rb"CQL clients on 127.0.0.1:(\d+)", line) for line in server.stderr)
            port = next(int(match[1]) for match in told if match is not None)
            idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
            with connect("127.0.0.1", port, timeout_s=5) as connection:
                assert isinstance(connection.query("SELECT key FROM system.local").response, RowsResult)
            for sock in idle:
                sock.close()
        finally:
            server.terminate()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_at_once_with_connections_and_a_scan(signal_number: int) -> None:
    with cqlserver.start(log_level="info") as server, connect(server.host, server.port) as connection:
        for text in (KEYSPACE[:-1], "CREATE TABLE ks.t (k int PRIMARY KEY, v int)"):
            assert not isinstance(connection.query(text).response, Error)
        from protocol.requests import Query

        inserts = [Query(f"INSERT INTO ks.t (k, v) VALUES ({k}, 1)") for k in range(2000)]
        for stream in connection.send_many(inserts):
            connection.receive(stream)
        idle = [socket.create_connection((server.host, server.port)) for _ in range(200)]
        connection.send_many([Query("SELECT sum(v) FROM ks.t")] * 500)
        began = time.monotonic()
        server.process.send_signal(signal_number)
        assert server.process.wait(5) == 0
        took_s = time.monotonic() - began
        log = server.log
        for sock in idle:
            sock.close()
    assert took_s < 0.5  # 0.1 on a machine of one's own
    assert "Stopped" in log
    assert "The longest stall of the loop was" in log
    assert "Traceback" not in log


def test_a_ready_file_of_a_dead_server_is_not_believed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.write_text("stale")
    refused = run("--memory", "--port", "0", "--ready-file", str(ready), "--init", str(tmp_path / "missing.cql"))
    assert refused.returncode == 1
    assert not ready.exists()


def test_a_ready_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    refused = run("--memory", "--port", "0", "--ready-file", str(tmp_path / "none" / "ready"))
    assert refused.returncode == 1
    assert "--ready-file" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_init_files_run_before_anyone_connects(tmp_path: Path) -> None:
    file = tmp_path / "schema.cql"
    file.write_text(f"{KEYSPACE}\n-- a comment; with a semicolon\nCREATE TABLE ks.t (k int PRIMARY KEY, v text);\n"
                    "BEGIN BATCH INSERT INTO ks.t (k, v) VALUES (1, 'a;b'); APPLY BATCH;\n")  # fmt: skip
    with cqlserver.start(init=[file]) as server, connect(server.host, server.port) as connection:
        response = connection.query("SELECT v FROM ks.t").response
        assert isinstance(response, RowsResult)
        assert b"a;b" in response.content


def test_an_error_in_an_init_file_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "schema.cql"
    file.write_text(f"{KEYSPACE}\n\nCREATE TABLE ks.t (k int);\n")
    with pytest.raises(StartError) as caught:
        cqlserver.start(init=[file])
    assert f"{file}:3: No PRIMARY KEY specifed for table 'ks.t' (exactly one required)" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_an_init_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "schema.cql"
    file.write_bytes(b"\xff\xfe\x00")
    refused = run("--memory", "--port", "0", "--init", str(file))
    assert refused.returncode == 1
    assert str(file) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_cassandra_yaml_is_taken_and_told_what_is_wrong_in_it(tmp_path: Path) -> None:
    file = tmp_path / "cassandra.yaml"
    file.write_text("cluster_name: Mine\nnum_tokens: 4\ncommitlog_sync: batch\n")
    with cqlserver.start(config=file, data=tmp_path / "data") as server, connect(server.host, server.port) as connection:
        response = connection.query("SELECT cluster_name FROM system.local").response
        assert isinstance(response, RowsResult)
        assert b"Mine" in response.content
    file.write_text("cluster_nam: Mine\n")
    refused = run("--config", str(file), "--memory")
    assert refused.returncode == 2
    assert "Please remove properties [cluster_nam]" in refused.stderr


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    server = cqlserver.start(data=tmp_path / "data")
    with connect(server.host, server.port) as connection:
        for text in (KEYSPACE[:-1], "CREATE TABLE ks.t (k int PRIMARY KEY)", "INSERT INTO ks.t (k) VALUES (7)"):
            assert not isinstance(connection.query(text).response, Error)
    server.kill()
    with cqlserver.start(data=tmp_path / "data") as again, connect(again.host, again.port) as connection:
        response = connection.query("SELECT k FROM ks.t").response
        assert isinstance(response, RowsResult)
        assert response.row_count == 1
