"""Nodes of a cluster that scripts take down and have back: of ours, or of a Cassandra through a command."""

import shlex
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Final

from harness.runner import Address
from protocol.client import connect
from protocol.errors import RequestError, Unavailable
from protocol.requests import QueryOptions
from protocol.responses import Error, RowsResult

ALL: Final = 5
PATIENCE_S: Final = 300.0
PROBE: Final = "harness_probe"


class Nodes:
    """All are up at the start. What `_stop`, `_start`, `_pause` and `_resume` do is for those who know the nodes."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.addresses = tuple(addresses)
        self._down: frozenset[int] = frozenset()
        self._paused: frozenset[int] = frozenset()
        self._changing = threading.Lock()
        replication = f"{{'class': 'SimpleStrategy', 'replication_factor': {len(self.addresses)}}}"
        with connect(self.addresses[0].host, self.addresses[0].port, timeout_s=60) as connection:
            connection.query(f"CREATE KEYSPACE IF NOT EXISTS {PROBE} WITH replication = {replication}")
            connection.query(f"CREATE TABLE IF NOT EXISTS {PROBE}.t (k int PRIMARY KEY)")
        self._wait_seen()

    def set_down(self, numbers: frozenset[int]) -> None:
        """Has these nodes (the first is 1) down and all others up, and waits until those that are up know it."""
        with self._changing:
            if numbers == self._down:
                return
            for number in sorted(self._down - numbers):
                self._start(number)
            for number in sorted(numbers - self._down):
                self._stop(number)
            self._down = numbers
            self._wait_seen()
            self.wait_agreed()

    def set_paused(self, numbers: frozenset[int]) -> None:
        """Has these nodes fall silent, which the others find out after a while, and all others be heard of."""
        with self._changing:
            if numbers == self._paused:
                return
            for number in sorted(self._paused - numbers):
                self._resume(number)
            self._paused &= numbers
            for number in sorted(numbers - self._paused):
                self._pause(number)
            self._paused = numbers
            if not numbers:
                self._wait_seen()

    def _stop(self, number: int) -> None:
        raise NotImplementedError

    def _start(self, number: int) -> None:
        raise NotImplementedError

    def _pause(self, number: int) -> None:
        raise NotImplementedError

    def _resume(self, number: int) -> None:
        raise NotImplementedError

    @property
    def up(self) -> list[Address]:
        return [address for number, address in enumerate(self.addresses, 1) if number not in self._down]

    def wait_agreed(self) -> None:
        """Until those that are up have the same schema, as drivers wait after each change of it."""
        until = time.monotonic() + PATIENCE_S
        while len({_schema_version(address) for address in self.up}) > 1:
            if time.monotonic() > until:
                raise TimeoutError("the nodes do not agree on a schema")
            time.sleep(0.05)

    def _wait_seen(self) -> None:
        up = self.up
        until = time.monotonic() + PATIENCE_S
        for address in up:
            while (seen := _seen_alive(address, len(self.addresses))) != len(up):
                if time.monotonic() > until:
                    raise TimeoutError(f"{address} sees {seen} nodes up, there are {len(up)}")
                time.sleep(0.05)


def _seen_alive(address: Address, count: int) -> int | None:
    """How many of all nodes one takes for up; None where it does not know the probe yet."""
    with connect(address.host, address.port, timeout_s=60) as connection:
        asked = QueryOptions(consistency=ALL)
        try:
            response = connection.query(f"SELECT k FROM {PROBE}.t WHERE k = 1", asked).response
        except RequestError:
            return None
    if isinstance(response, Error):
        return response.error.alive if isinstance(response.error, Unavailable) else None
    return count


def _schema_version(address: Address) -> object:
    with connect(address.host, address.port, timeout_s=60) as connection:
        response = connection.query("SELECT schema_version FROM system.local").response
    # an error: it has too much to do to tell
    return response.rows()[0][0] if isinstance(response, RowsResult) else object()


class CommandedNodes(Nodes):
    """Of a Cassandra: `command` is called with `stop`, `start`, `pause` or `resume` and the last number of the node's
    address."""

    def __init__(self, addresses: Sequence[Address], command: str) -> None:
        self._command = shlex.split(command)
        super().__init__(addresses)

    def _stop(self, number: int) -> None:
        self._call("stop", number)

    def _start(self, number: int) -> None:
        self._call("start", number)

    def _pause(self, number: int) -> None:
        self._call("pause", number)

    def _resume(self, number: int) -> None:
        self._call("resume", number)

    def _call(self, verb: str, number: int) -> None:
        last = self.addresses[number - 1].host.rpartition(".")[2]
        subprocess.run([*self._command, verb, last], check=True, stdout=subprocess.DEVNULL)
