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
from cqlserver.launcher import StartError, launch
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
        timeout=120,
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
        (
            ("--memory", "--set", "commitlog_sync_period=50ms"),
            "Missing required directive CommitLogSync: commitlog_sync_period is given, and commitlog_sync is not",
        ),
        (("--memory", "--set", "num_token=1"), "--set num_token=1: cassandra.yaml knows no num_token"),
        (("--memory", "--control-port", "x"), "--control-port x: a port is 0 to 65535, or none"),
        (("rest",), "there is no command 'rest'; there are: run, "),
        (("--memory", "--tls", "a.pem"), "--tls takes CERT:KEY, two PEM files, or auto"),
        (("--memory", "--tls", "a:b", "--mtls"), "--mtls goes with --tls auto"),
        (("--tls", "auto", "--data", __file__), f"{__file__}/tls: Not a directory; choose another folder with --data"),
        (("--data", __file__), f"the data folder {__file__}: Not a directory; choose another with --data"),
    ],
    ids=["host", "init", "config", "sync", "set", "control port", "command", "tls", "mtls", "certificates", "data"],
)
def test_what_can_not_be_used_is_named(arguments: tuple[str, ...], said: str) -> None:
    ended = run(*arguments) if arguments == ("rest",) else run("--port", "0", *arguments)
    assert ended.returncode in (1, 2)
    assert f"cqlserver: {said}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_start_says_where_the_data_is_and_where_clients_connect(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path / "data", log_level="info") as server:
        assert repr(server) == (
            f"<cqlserver.Server 127.0.0.1:{server.port}, running, pid {server.pid}, control port {server.control_port}>"
        )
        told = [line.split(" - ", 1)[1] for line in server.log.splitlines()]
        bounds = ("Clients may take up to ", "Files and sockets may be open: ")
        assert all(any(line.startswith(bound) for line in told) for bound in bounds)
        assert [line for line in told if not line.startswith(bounds)] == [
            f"Data is kept in {tmp_path / 'data'}",
            f"The control port is 127.0.0.1:{server.control_port}",
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
    with cqlserver.start(log_level="debug") as server, connect(server.host, server.port) as connection:
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
    for init in (str(file), file, [str(file)]):
        with cqlserver.start(init=init) as server:
            assert server.execute("SELECT v FROM ks.t") == [{"v": "a;b"}]


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
    with cqlserver.start(config=file, settings={"cluster_name": "Ours"}, data=tmp_path / "data") as server:
        assert server.execute("SELECT cluster_name FROM system.local") == [{"cluster_name": "Ours"}]
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


PARENT = """
import cqlserver, os, sys
server = cqlserver.start()
print(server.pid, server.port, flush=True)
{}
"""


@pytest.mark.parametrize("end", ["pass", "os.kill(os.getpid(), 9)", "os._exit(3)", "raise RuntimeError"])
def test_a_server_ends_with_the_process_that_started_it(end: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PARENT.format(end)],
        env={**os.environ, "PYTHONPATH": str(HOME), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    pid = int(ended.stdout.split()[0])
    deadline = time.monotonic() + 10
    while _is_running(pid):
        assert time.monotonic() < deadline, f"the server {pid} still runs"
        time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_what_a_server_that_died_said_is_told() -> None:
    with cqlserver.start(log_level="info") as server:
        server.process.kill()
        server.process.wait()
        with pytest.raises(cqlserver.ServerDied) as caught:
            server.reset()
        with pytest.raises(cqlserver.ServerDied):
            server.check_alive()
    assert "was killed by SIGKILL" in str(caught.value)
    assert "Startup complete" in str(caught.value)
    assert "ended with status -9" in repr(server)


def test_the_control_port_gives_way_and_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 7199))
            taken.listen()
        except OSError:
            pass  # somebody else has it, which is as good
        command = [sys.executable, "-P", "-m", "cqlserver", "--memory", "--port", "0"]
        ready = ["--ready-file", "-", "--until-stdin-ends"]
        with launch([*command, *ready]) as server:
            assert server.control_port != 7199
            assert f"The control port is 127.0.0.1:{server.control_port} (7199 is taken)" in server.log
            used = run("--memory", "--port", "0", "--control-port", str(server.control_port))
        assert used.returncode == 1
        assert "Choose another --control-port" in used.stderr


def test_commands_ask_a_running_server() -> None:
    with cqlserver.start() as server:
        port = str(server.control_port)
        assert run("snapshot", "empty", CQLSERVER_CONTROL_PORT=port).returncode == 0
        assert run("execute", KEYSPACE, "--control-port", port).returncode == 0
        shown = run("execute", "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = 'ks'",
                    CQLSERVER_CONTROL_PORT=port)  # fmt: skip
        assert '"keyspace_name": "ks"' in shown.stdout
        assert run("restore", "full", "--control-port", port).stderr == (
            "cqlserver restore: there is no snapshot 'full'; there are: empty. `snapshot` makes one\n"
        )
        assert run("reset", "--schema", "--control-port", port).returncode == 0
        assert server.execute("SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'ks'") == []
    nobody = run("reset", "--control-port", port)
    assert nobody.returncode == 1
    assert f"no server answers on control port {port}" in nobody.stderr
