"""Flushes and compactions of both servers, in the middle of their statements, whose answers must not depend on where rows
are."""

import subprocess
import threading
from pathlib import Path
from typing import Final, Protocol

from cqlserver.control.client import ControlClient

HERE: Final = Path(__file__).parent
FLUSH, COMPACT = "flush", "compact"


class StorageRefused(Exception):
    """A server could not do it."""


class Storage(Protocol):
    def do(self, what: str, keyspace: str, table: str) -> None:
        """`what`: FLUSH or COMPACT; answers when it is done. Raises StorageRefused."""


class OurStorage:
    """Through the control port."""

    def __init__(self, host: str, port: int) -> None:
        self._client = ControlClient(host, port)

    def do(self, what: str, keyspace: str, table: str) -> None:
        self._client.call(what, {"keyspace": keyspace, "tables": [table]})


class CassandraStorage:
    """Through JMX, by a Java process that many threads share."""

    def __init__(self, jmx_port: int) -> None:
        command = ["java", "-Xmx64M", "-XX:+UseSerialGC", str(HERE / "Storing.java"), str(jmx_port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._in_use = threading.Lock()
        self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)

    def do(self, what: str, keyspace: str, table: str) -> None:
        with self._in_use:
            assert self._process.stdin is not None
            self._process.stdin.write(f"{what} {keyspace} {table}\n")
            self._process.stdin.flush()
            self._answer()

    def _answer(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if line != ".":
            raise StorageRefused(line or "the Java process ended")
