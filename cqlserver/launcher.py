"""Starts a server as a child process and stops it again; only the standard library, so that any program can import it.

The child runs with `python -P`: a module of the user's own that is called `storage` or `protocol` can't get in its way.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.005
_READY, _LOG = "ready.json", "log"


class StartError(RuntimeError):
    """The server did not come up; the message carries what it said."""


class Server:
    """A running server. `host` and `port` are where clients connect; leaving the `with` block stops it."""

    def __init__(self, process: "subprocess.Popen[bytes]", host: str, port: int, folder: Path) -> None:
        self.process, self.host, self.port, self._folder = process, host, port, folder

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        """What the server has written to its log until now; empty once it is stopped."""
        return _log_text(self._folder)

    @property
    def contact(self) -> str:
        return f"{self.host}:{self.port}"

    def stop(self) -> None:
        """Asks the server to stop and waits until it has; what it acknowledged is on disk as commitlog_sync says."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self) -> None:
        """Ends the server at once, as a crash would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    *,
    data: str | os.PathLike[str] | None = None,
    memory: bool | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    config: str | os.PathLike[str] | None = None,
    init: Sequence[str | os.PathLike[str]] = (),
    log_level: str = "warning",
    ready_timeout_s: float = READY_TIMEOUT_S,
) -> Server:
    """Starts a server and returns when a client would succeed. Without `data` everything is kept in memory.

    Raises StartError, with what the server said, when it ends early or isn't ready within `ready_timeout_s`.
    """
    folder = Path(tempfile.mkdtemp(prefix="cqlserver-"))
    command = [sys.executable, "-P", "-m", "cqlserver", "--host", host, "--port", str(port)]
    command += ["--ready-file", str(folder / _READY), "--log-level", log_level]
    if memory or (memory is None and data is None):
        command.append("--memory")
    if data is not None:
        command += ["--data", os.fspath(data)]
    if config is not None:
        command += ["--config", os.fspath(config)]
    for file in init:
        command += ["--init", os.fspath(file)]
    process = None
    try:
        with (folder / _LOG).open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=_environment()
            )
        address = _wait_ready(process, folder, ready_timeout_s)
    except BaseException:
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Server(process, address["host"], int(address["port"]), folder)


def _environment() -> dict[str, str]:
    """The child's environment: the folder that this package was imported from comes first on its path, so that it
    runs the same code, installed or not."""
    home = str(Path(__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": home + (os.pathsep + inherited if inherited else "")}


def _wait_ready(process: "subprocess.Popen[bytes]", folder: Path, timeout_s: float) -> dict[str, str]:
    deadline = time.monotonic() + timeout_s
    ready = folder / _READY
    while not ready.exists():
        if process.poll() is not None:
            raise StartError(f"the server ended with status {process.returncode}:\n{_log_text(folder)}")
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise StartError(f"the server was not ready after {timeout_s} s:\n{_log_text(folder)}")
        time.sleep(_POLL_S)
    address: dict[str, str] = json.loads(ready.read_text())
    return address


def _log_text(folder: Path) -> str:
    try:
        return (folder / _LOG).read_text(errors="replace")
    except FileNotFoundError:
        return ""
