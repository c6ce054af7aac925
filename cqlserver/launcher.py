"""Starts a server as a child process and stops it again; only the standard library, so that any program can import it.

The child runs with `python -P`: a module of the user's own that is called `storage` or `protocol` can't get in its way. It
ends when its standard input does, so it lives no longer than this process, however that ends; and it leaves nothing behind:
it says on its standard output where it listens, and logs to a file without a name.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from cqlserver.control.client import Access
from cqlserver.running import HOST, Running, ServerDied, StrPath

if TYPE_CHECKING:
    import ssl

READY_TIMEOUT_S = 60.0
"""A start takes a quarter of a second; a machine that is busy with other things may take a hundred times that."""
STOP_TIMEOUT_S = 10.0
LOG_BYTES_MAX = 1 << 20
"""Of a long log the end is shown."""


class StartError(RuntimeError):
    """The server did not come up; the message carries what it said."""


class NodetoolError(RuntimeError):
    """nodetool ended with another `status` than 0; the message is what it printed."""

    def __init__(self, status: int, printed: str) -> None:
        super().__init__(printed)
        self.status = status


class ClusterNode:
    """One node of a cluster that was started with `nodes=`; `number` counts from 1, clients connect to `host` and `port`."""

    def __init__(self, server: "Server", number: int, told: Mapping[str, object]) -> None:
        self._server, self.number = server, number
        self.host, self.port, self.control_port = str(told["host"]), _port(told["port"]), _port(told["control_port"])
        self.access = _access(told) if "control_token_file" in told else server.access

    def __repr__(self) -> str:
        return f"<node {self.number} at {self.host}:{self.port}>"

    @property
    def contact(self) -> str:
        return f"{self.host}:{self.port}"

    def stop(self) -> None:
        """Takes it down; the others are told."""
        self._server.stop_node(self.number)

    def kill(self) -> None:
        """Takes it down without a word: the others find out after some seconds, and wait for it until then."""
        self._server.stop_node(self.number, kill=True)

    def start(self) -> None:
        """Has it back after `stop` or `kill`; returns when the others see it."""
        self._server.start_node(self.number)

    def nodetool(self, *arguments: str) -> str:
        """What `nodetool` prints of this node. Raises NodetoolError where it does not end with status 0."""
        command = [sys.executable, "-P", "-m", "cqlserver", "nodetool", "-p", str(self.control_port), *arguments]
        variables = {**_environment(), **self.access.variables()}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NodetoolError(done.returncode, done.stdout + done.stderr)
        return done.stdout

    def pause(self) -> None:
        """Has it hear and say nothing until `resume`."""
        self._server.pause_node(self.number)

    def resume(self) -> None:
        self._server.resume_node(self.number)

    def decommission(self, *, force: bool = False) -> None:
        """Has it give its data to the others and leave for good; `force`: also where fewer are left than copies."""
        self._server.call("decommission", node=self.number, force=force)


class Server(Running):
    """A running server. `host` and `port` are where clients connect, `control_port` is where the verbs (`reset`, ...) go;
    `tls`: the files that clients need where it made its own certificates (`ca`, `client` with key and certificate, in PEM;
    `truststore`, `keystore` and their `password` for Java); `nodes`: of a cluster;
    `access`: what its control port asks for. Leaving the `with` block stops it."""

    def __init__(self, process: "subprocess.Popen[bytes]", told: Mapping[str, object], log: int) -> None:
        self.access = _access(told)
        control_host = str(told.get("control_host", HOST))
        control_host = {"0.0.0.0": HOST, "::": "::1"}.get(control_host, control_host)  # everywhere, so here
        super().__init__(str(told["host"]), _port(told["port"]), _port(told["control_port"]), control_host, self.access)
        nodes = told.get("nodes", [])
        assert isinstance(nodes, list), nodes
        self.nodes = [ClusterNode(self, number, node) for number, node in enumerate(nodes, 1)]
        self.process, self._log = process, log
        weakref.finalize(self, os.close, log)
        tls, temporary = told.get("tls"), told.get("temporary", [])
        assert tls is None or isinstance(tls, dict), tls
        assert isinstance(temporary, list), temporary
        self.tls: dict[str, str] | None = tls
        self._end = weakref.finalize(self, _end, process, temporary)

    def __repr__(self) -> str:
        status = self.process.poll()
        state = "running" if status is None else f"ended with status {status}"
        return f"<cqlserver.Server {self.contact}, {state}, pid {self.pid}, control port {self.control_port}>"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def log(self) -> str:
        """What the server has written to its log until now (or until it ended); of a long one the end."""
        return _log_text(self._log)

    def ssl_context(self) -> "ssl.SSLContext":
        """For a driver's connections to a server that was started with `tls` or `mtls`. Raises ValueError for others."""
        if self.tls is None:
            raise ValueError("the server made no certificates: start it with tls=True or mtls=True")
        import ssl

        context = ssl.create_default_context(cafile=self.tls["ca"])
        context.load_cert_chain(self.tls["client"])
        return context

    def check_alive(self) -> None:
        """Raises ServerDied where it has ended."""
        if self.process.poll() is not None:
            raise ServerDied(self._obituary(None))

    def _obituary(self, error: OSError | None) -> str:
        try:
            status: int | None = self.process.wait(0.5 if error is not None else 0)
        except subprocess.TimeoutExpired:
            status = None
        if status is None:
            return f"the server at {self.contact} (pid {self.pid}) does not answer on its control port: {error}"
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return f"the server at {self.contact} (pid {self.pid}) {how}. Its log:\n{self.log or '(empty)'}"

    # --- a cluster: the verbs behind `nodes` -----------------------------------------------------------------------------

    def stop_node(self, number: int, *, kill: bool = False) -> None:
        self.call("stop_node", node=number, kill=kill)

    def start_node(self, number: int) -> None:
        self.call("start_node", node=number)

    def pause_node(self, number: int) -> None:
        self.call("pause_node", node=number)

    def resume_node(self, number: int) -> None:
        self.call("resume_node", node=number)


    def add_node(self) -> ClusterNode:
        """Starts one more, which is there when it has its data."""
        told = self.call("add_node")
        node = ClusterNode(self, _port(told["node"]), told)
        self.nodes.append(node)
        return node

    def partition(self, one: "Iterable[ClusterNode]", other: "Iterable[ClusterNode]") -> None:
        """Lets nothing pass between these nodes and those, until `heal`."""
        self.call("partition", one=_numbers(one), other=_numbers(other))

    def heal(self) -> None:
        self.call("heal")

    # --- the end ---------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Asks the server to stop and waits until it has; what it acknowledged is on disk as commitlog_sync says."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._ended()

    def kill(self) -> None:
        """Ends the server at once, as a crash would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)
        self._ended()

    def _ended(self) -> None:
        self.close()
        self._end()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def start(
    *,
    data: StrPath | None = None,
    memory: bool | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    config: StrPath | None = None,
    settings: Mapping[str, object] | None = None,
    init: StrPath | Iterable[StrPath] = (),
    copy_of: StrPath | None = None,
    query_log: bool = False,
    control_writes: bool = False,
    control_auth: bool = False,
    tls: bool = False,
    mtls: bool = False,
    nodes: int | None = None,
    dcs: str | None = None,
    log_level: str = "warning",
    ready_timeout_s: float = READY_TIMEOUT_S,
) -> Server:
    """Starts a server and returns when a client would succeed. Without `data` everything is kept in memory.

    `init`: files of CQL or rows, or folders of them, that are executed first, one or several; `settings`: names and values
    of cassandra.yaml; `copy_of`: a folder that `export` made, to begin with what is in it; `query_log`: what clients ask is
    recorded, for `queries`; `control_writes`: the control port's page may change data; `control_auth`: it asks for a token
    (which this object knows, and tools find in `access.token_file`); `tls`: connections are encrypted,
    with certificates that the server makes (its clients take `ssl_context()`); `mtls`: clients must show theirs; `nodes`: so
    many are started, which are one cluster, on `host` and the addresses behind it (`server.nodes`); `dcs`: the same in
    datacenters, like "dc1:3,dc2:2".
    Raises StartError, with what the server said, when it ends early or isn't ready within `ready_timeout_s`.
    """
    command = [sys.executable, "-P", "-m", "cqlserver"]
    if dcs is not None:
        command += ["cluster", "--in-process", "--dcs", dcs]
    elif nodes is not None:
        command += ["cluster", "--in-process", "--nodes", str(nodes)]
    command += ["--host", host, "--port", str(port), "--control-port", "0"]
    command += ["--ready-file", "-", "--until-stdin-ends", "--log-level", log_level]
    if memory or (memory is None and data is None):
        command.append("--memory")
    if copy_of is not None:
        command += ["--copy-of", os.fspath(copy_of)]
    if query_log:
        command.append("--query-log")
    if control_writes:
        command.append("--control-writes")
    if control_auth:
        command.append("--control-auth")
    if mtls:
        command.append("--mtls")
    elif tls:
        command += ["--tls", "auto"]
    if data is not None:
        command += ["--data", os.fspath(data)]
    if config is not None:
        command += ["--config", os.fspath(config)]
        if "seed_provider" not in (settings or {}):
            command += ["--seeds", ""]  # the file's are those of another cluster than the one that is started here
    for name, value in (settings or {}).items():
        command += ["--set", f"{name}={json.dumps(value)}"]
    for file in [init] if isinstance(init, str | os.PathLike) else init:
        command += ["--init", os.fspath(file)]
    return launch(command, ready_timeout_s)


def launch(command: list[str], ready_timeout_s: float = READY_TIMEOUT_S) -> Server:
    """Runs a command that is a server's, with --ready-file - and --until-stdin-ends. Raises as `start`."""
    return launch_all([command], ready_timeout_s)[0]


def launch_all(commands: Iterable[list[str]], ready_timeout_s: float = READY_TIMEOUT_S) -> list[Server]:
    """The same of several at once: all of them, or none."""
    begun: list[tuple[subprocess.Popen[bytes], int]] = []
    servers: list[Server] = []
    try:
        for command in commands:
            begun.append(_begun(command))
        for process, log in begun:
            servers.append(Server(process, _wait_ready(process, log, ready_timeout_s), log))
    except BaseException:
        for process, log in begun[len(servers) :]:
            process.kill()
            _end(process, ())
            os.close(log)
        for server in servers:
            server.kill()
        raise
    return servers


def _begun(command: list[str]) -> "tuple[subprocess.Popen[bytes], int]":
    """Its process, and the log that it writes."""
    with tempfile.TemporaryFile(prefix="cqlserver-log-") as file:
        log = os.dup(file.fileno())
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=_environment(),
        process_group=0,  # Ctrl-C is for this process, which may want to look at the server before it stops it
    )
    return process, log


def _end(process: "subprocess.Popen[bytes]", temporary: "Iterable[str]") -> None:
    """Lets go of a server: where it still runs, that tells it to stop. The folders that it left, if it was killed, go."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for folder in temporary:
        shutil.rmtree(folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    """The child's environment: the folder that this package was imported from comes first on its path, so that it
    runs the same code, installed or not."""
    home = str(Path(__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": home + (os.pathsep + inherited if inherited else "")}


def _wait_ready(process: "subprocess.Popen[bytes]", log: int, timeout_s: float) -> dict[str, object]:
    """What the server says on its standard output when it is ready."""
    output = process.stdout
    assert output is not None
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda: lines.append(output.readline()), daemon=True)  # Windows can't wait for pipes
    began = time.monotonic()
    reader.start()
    reader.join(timeout_s)
    if lines and lines[0]:
        told: dict[str, object] = json.loads(lines[0])
        return told
    if lines:
        status = process.wait(max(0.1, timeout_s - (time.monotonic() - began)))
        raise StartError(f"the server ended with status {status}:\n{_log_text(log)}")
    process.kill()
    reader.join()
    raise StartError(f"the server was not ready after {timeout_s} s:\n{_log_text(log)}")


def _log_text(log: int) -> str:
    """The server writes at the file's end all the time: the place to read from is not the file's own."""
    size = os.fstat(log).st_size
    return os.pread(log, LOG_BYTES_MAX, max(0, size - LOG_BYTES_MAX)).decode(errors="replace")


def _numbers(nodes: "Iterable[ClusterNode]") -> str:
    return ",".join(str(node.number) for node in nodes)


def _access(told: Mapping[str, object]) -> Access:
    """What the control port of a server or a node asks for."""
    token_file, ca = told.get("control_token_file"), told.get("control_ca")
    return Access.of_environment(str(token_file) if token_file else None, str(ca) if ca else None)


def _port(told: object) -> int:
    assert isinstance(told, int), told
    return told
