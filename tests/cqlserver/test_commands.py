"""`cqlserver run` and `cqlserver diff` as a shell has them."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

import cqlserver

pytestmark = pytest.mark.slow
HOME = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-P", "-m", "cqlserver"]
SHOW = (
    "import os, sys; names = ('CASSANDRA_CONTACT_POINTS', 'CASSANDRA_LOCAL_DC', 'CASSANDRA_KEYSPACE', 'CQLSH_HOST',"
    " 'SPRING_CASSANDRA_KEYSPACENAME'); print(*[os.environ[name] for name in names]); sys.exit(3)"
)


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=300, check=False, env=environment
    )


def test_run_tells_the_command_of_its_server_and_exits_as_it_does() -> None:
    done = run("run", "--keyspace", "shop", "--set", "num_tokens=4", "--", sys.executable, "-c", SHOW)
    assert (done.returncode, done.stdout, done.stderr) == (3, "127.0.0.1 datacenter1 shop 127.0.0.1 shop\n", "")
    done = run("run", "--keyspace", "Shop", "--dc", "eu", "--", sys.executable, "-c", SHOW)
    assert (done.returncode, done.stdout, done.stderr) == (3, "127.0.0.1 eu shop 127.0.0.1 shop\n", "")


def test_run_makes_what_a_file_without_a_keyspace_says_in_the_commands(tmp_path: Path) -> None:
    (tmp_path / "schema.cql").write_text("CREATE TABLE t (k int PRIMARY KEY);\nINSERT INTO t (k) VALUES (7);\n")
    script = (
        "import os, cqlserver; server = cqlserver.attach(int(os.environ['CQLSERVER_CONTROL_PORT']));"
        "print(server.execute('SELECT * FROM shop.t'))"
    )
    init = f"--init={tmp_path / 'schema.cql'}"
    done = run("run", "--keyspace", "shop", init, "--", sys.executable, "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[{'k': 7}]\n", "")


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--memory"], 2, "what to run comes behind --"),
        (["--ready-file", "x", "--", "true"], 2, "--ready-file is not for it"),
        (["--set", "nope=1", "--", "true"], 1, "cassandra.yaml knows no nope"),
        (["--init", "missing.cql", "--", "true"], 1, "/missing.cql: No such file or directory"),
        (["--init", "--", "true"], 2, "argument --init: expected one argument"),
        (["--", "/dev/null"], 126, "cqlserver run: /dev/null: Permission denied"),
        (["--", "no-such-program"], 127, "cqlserver run: no-such-program: No such file or directory"),
    ],
)
def test_what_run_can_not_do_is_told(arguments: list[str], status: int, told: str) -> None:
    done = run("run", *arguments)
    assert done.returncode == status
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_run_passes_signals_on_and_leaves_nothing_behind(number: signal.Signals) -> None:
    script = (
        "import os, signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: (print('told', flush=True), sys.exit(5)))\n"
        "print(os.getppid(), flush=True)\ntime.sleep(600)"
    )
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    with subprocess.Popen(
        [*COMMAND, "run", "--", sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(number)
        assert process.stdout.read() == "told\n"
        assert process.wait(60) == 5


def test_diff_shows_where_answers_differ(tmp_path: Path) -> None:
    file = tmp_path / "s.cql"
    file.write_text("CREATE TABLE t (k int PRIMARY KEY);\nSELECT * FROM t;\nSELECT cluster_name FROM system.local;\n")
    with cqlserver.start(settings={"cluster_name": "Other"}) as other:
        done = run("diff", other.contact, str(file))
        assert done.returncode == 1, done.stderr
        assert f'{file}:3: SELECT cluster_name FROM system.local\n    cqlserver: {{"columns"' in done.stdout
        assert done.stdout.endswith("3 statements, 1 answers differ\n")
        file.write_text("SELECT * FROM nope")
        assert run("diff", other.contact, str(file)).stdout == "1 statements, 0 answers differ\n"
        keyspaces = [row["keyspace_name"] for row in other.execute("SELECT keyspace_name FROM system_schema.keyspaces")]
        assert all(name.startswith("system") for name in keyspaces)
    nobody = run("diff", other.contact, str(file))
    assert nobody.returncode == 2
    assert "Connection refused" in nobody.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("INSERT INTO theirs.t (k) VALUES (2)", "the keyspaces theirs are there already"),
        ("BEGIN BATCH INSERT INTO theirs.t (k) VALUES (2) APPLY BATCH", "the keyspaces theirs are there already"),
        ("USE theirs; TRUNCATE t", "the keyspaces theirs are there already"),
        ("DROP KEYSPACE theirs", "the keyspaces theirs are there already"),
        ("CREATE ROLE other", "roles are not a run's own"),
    ],
)
def test_diff_touches_nothing_of_others(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "s.cql").write_text(f"CREATE TABLE t (k int PRIMARY KEY);\n{text};\n")
    made = "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    (tmp_path / "own.cql").write_text(f"CREATE KEYSPACE made {made};\nCREATE TABLE made.t (k int PRIMARY KEY);\n")
    with cqlserver.start() as other:
        other.execute(f"CREATE KEYSPACE theirs {made}; CREATE TABLE theirs.t (k int PRIMARY KEY)")
        other.execute("INSERT INTO theirs.t (k) VALUES (1)")
        done = run("diff", other.contact, str(tmp_path / "s.cql"))
        assert (done.returncode, done.stdout) == (2, "")
        assert told in done.stderr
        done = run("diff", other.contact, str(tmp_path / "own.cql"))
        assert (done.returncode, done.stdout, done.stderr) == (0, "2 statements, 0 answers differ\n", "")
        assert other.execute("SELECT * FROM theirs.t") == [{"k": 1}]
        keyspaces = [row["keyspace_name"] for row in other.execute("SELECT keyspace_name FROM system_schema.keyspaces")]
        assert [name for name in keyspaces if not name.startswith("system")] == ["theirs"]


def test_diff_says_so_where_nobody_answers(tmp_path: Path) -> None:
    (tmp_path / "s.cql").write_text("SELECT key FROM system.local;")
    with cqlserver.start() as server:
        contact = server.contact
    done = run("diff", contact, str(tmp_path / "s.cql"))
    assert (done.returncode, done.stderr) == (2, f"cqlserver diff: no Cassandra answers at {contact}: Connection refused\n")


ASKING = """\
import json
import os
from protocol.client import connect

with connect(os.environ["CASSANDRA_HOST"], int(os.environ["CASSANDRA_PORT"])) as connection:
    for text in ("USE test", "INSERT INTO t (k) VALUES (1)", "SELECT release_version, host_id FROM system.local",
                 "CREATE KEYSPACE made WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
                 "CREATE TABLE made.u (k int PRIMARY KEY)", "SELECT k, writetime(v) FROM t"):
        connection.query(text)
    prepared = connection.prepare("UPDATE t SET v = ? WHERE k = ?").response
    connection.execute(prepared, (b"x", (1).to_bytes(4, "big")))
    for text in EXTRA:
        connection.query(text)
    connection.query("SELECT k, v, writetime(v) FROM t")
"""


def recorded(folder: Path, *extra: str) -> str:
    (folder / "schema.cql").write_text("CREATE TABLE t (k int PRIMARY KEY, v text)")
    script = ASKING.replace("EXTRA", repr(extra))
    recording = folder / f"recording-{len(extra)}"
    words = ["--record", str(recording), "--init", str(folder / "schema.cql")]
    done = run("run", *words, "--", sys.executable, "-c", script)
    assert (done.returncode, done.stderr) == (0, "")
    again = run("run", "--record", str(recording), "--", "true")
    assert (again.returncode, again.stderr) == (1, f"cqlserver run: --record {recording} is there already\n")
    return str(recording)


def test_diff_compares_what_a_run_asked_in_keyspaces_of_its_own(tmp_path: Path) -> None:
    plain, odd = recorded(tmp_path), recorded(tmp_path, "SELECT now() FROM t")
    words = ["--keyspace", "test", str(tmp_path / "schema.cql")]
    with cqlserver.start() as other:
        done = run("diff", other.contact, *words, plain)
        assert (done.returncode, done.stdout, done.stderr) == (0, "8 statements, 0 answers differ\n", "")
        done = run("diff", other.contact, *words, odd)
        assert done.returncode == 1, done.stderr
        assert f"{odd}, statement 8: SELECT now() FROM t\n    cqlserver: " in done.stdout
        assert done.stdout.endswith("9 statements, 1 answers differ\n")
        keyspaces = other.execute("SELECT keyspace_name FROM system_schema.keyspaces")
        assert all(row["keyspace_name"].startswith("system") for row in keyspaces), "what they made is gone"
        other.execute("CREATE KEYSPACE made WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        done = run("diff", other.contact, *words, plain)
        told = "cqlserver diff: the keyspaces made are there already, and not this run's: nothing was done\n"
        assert (done.returncode, done.stderr) == (2, told)


def free_port(*addresses: str) -> int:
    """At all of them."""
    while True:
        with ExitStack() as stack:
            port = 0
            try:
                for address in addresses:
                    sock = stack.enter_context(socket.socket())
                    sock.bind((address, port))
                    port = sock.getsockname()[1]
            except OSError:
                continue
            return port


def test_nodes_of_a_cluster_have_log_files_of_their_own(tmp_path: Path) -> None:
    hosts = ("127.0.0.61", "127.0.0.62")
    ports = ["--port", str(free_port(*hosts)), "--storage-port", str(free_port(*hosts)), "--control-port", "0"]
    command = [*COMMAND, "cluster", "--nodes", "2", "--memory", "--host", hosts[0], *ports, "--ready-file", "-"]
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    with subprocess.Popen(
        [*command, "--log-file", str(tmp_path / "system.log")], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert len(json.loads(process.stdout.readline())["nodes"]) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["system-1.log", "system-2.log"]
    for number, host in enumerate(hosts, 1):
        assert f"Starting listening for CQL clients on {host}:" in (tmp_path / f"system-{number}.log").read_text()
