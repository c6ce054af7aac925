"""Clients at every bound at once: what happens at each, what it takes in memory, and that all of it is given back."""

import json
import re
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import bounded_server
import pytest
from bounded_server import AGAIN, COMBINATIONS_MAX, SETTINGS, STRANDS_MAX, TOKENS_MAX, UNSENT_TOTAL_MAX

from cqlserver.launcher import Server, launch
from cqlserver.statements import PLANS_BYTES_MAX
from protocol import requests, responses
from protocol.client import Connection, connect
from protocol.compression import Lz4Compressor
from protocol.envelopes import EnvelopeDecoder, pack_envelope
from protocol.errors import Overloaded, PeerError, Unprepared
from protocol.requests import Execute, Prepare, Query, QueryOptions, Request, Startup
from protocol.responses import Error, PreparedResult, Response

pytestmark = pytest.mark.slow

VERSION = 4
MIB = 1 << 20
TIMEOUT_S = 120.0
ALLOCATOR_BYTES, GROWN_BYTES = 32 * MIB, 12 * MIB
"""What the process may keep for itself when all are gone, beside cached plans: pages that are not quite empty."""
MESSAGE = Query(f"SELECT key FROM system.local /* {'x' * 1_000_000} */")
ROUNDS = 2
WAITING = 6
PATIENCE_S = 15
"""Of a client that reads nothing: longer than the server's."""
ERRORS = "thrown 2", "thrown 3", "tokens", "combinations", "read"
"""Kinds of clients that are refused something."""
VALUE_CHARS = 2_000_000
SCHEMA = (
    "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE k.t (k int PRIMARY KEY, v text)",
    "CREATE TABLE k.p (a int, b int, c int, PRIMARY KEY ((a, b), c))",
    f"INSERT INTO k.t (k, v) VALUES (1, '{'x' * VALUE_CHARS}')",
)


def numbers(count: int) -> str:
    return ",".join(map(str, range(count)))


LONG = Query(f"SELECT v FROM k.t WHERE k IN ({numbers(9_000)}) AND v = 'x' ALLOW FILTERING")
SHORT = Query(f"SELECT v FROM k.t WHERE k IN ({numbers(1_500)}) AND v = 'x' ALLOW FILTERING")
TOKENS = Query(f"SELECT v FROM k.t WHERE k IN ({','.join(['1'] * TOKENS_MAX)})")
COMBINATIONS = Query(f"DELETE FROM k.p WHERE a IN ({numbers(200)}) AND b IN ({numbers(200)})")


@dataclass
class Attack:
    """Clients at one port, each in a thread; what they were answered."""

    port: int
    ended: threading.Event = field(default_factory=threading.Event)
    streams: list[socket.socket] = field(default_factory=list)
    errors: dict[str, set[str]] = field(default_factory=dict)
    threads: list[threading.Thread] = field(default_factory=list)

    def hello(self, host: int, buffer_bytes: int = 0, **options: str) -> socket.socket:
        """A connection from 127.0.0.`host`. Raises OSError where it is refused."""
        stream = socket.socket()
        self.streams.append(stream)
        try:
            if buffer_bytes:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            stream.settimeout(TIMEOUT_S)
            stream.bind((f"127.0.0.{host}", 0))
            stream.connect(("127.0.0.1", self.port))
            stream.sendall(requests.encode(Startup({"CQL_VERSION": "3.0.0", **options}), VERSION, 0))
            if self.ended.is_set() or not stream.recv(100):
                raise ConnectionError("refused")
        except BaseException:
            stream.close()
            raise
        return stream

    def begin(self, action: Callable[[], None], times: int = 1) -> None:
        def run() -> None:
            while not self.ended.is_set():
                with suppress(OSError, PeerError):
                    action()

        for _ in range(times):
            thread = threading.Thread(target=run, daemon=True)
            self.threads.append(thread)
            thread.start()

    def ask(self, stream: socket.socket, request: Request) -> Response:
        stream.sendall(requests.encode(request, VERSION, 1))
        return answered(stream)

    def note(self, kind: str, response: Response) -> None:
        if isinstance(response, Error):
            self.errors.setdefault(kind, set()).add(f"{type(response.error).__name__}: {response.error.message}")

    def end(self) -> None:
        self.ended.set()
        for stream in self.streams:
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
            stream.close()
        for thread in self.threads:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()


def answered(stream: socket.socket) -> Response:
    decoder = EnvelopeDecoder(VERSION, responses=True)
    while True:
        data = stream.recv(1 << 16)
        if not data:
            raise ConnectionError("closed")
        for version, flags, _, opcode, body in decoder.receive_data(data):
            return responses.decode(version, flags, opcode, body).response


def begin_all(attack: Attack) -> None:
    """Everything but the clients that wait with a message, and the connections beyond the bounds."""
    large = requests.encode(MESSAGE, VERSION, 1)
    bomb = pack_envelope(VERSION, 1, 1, 7, Lz4Compressor().compress(large[9:]))
    readers = requests.encode(Query("SELECT v FROM k.t WHERE k = 1"), VERSION, 1) * 40
    prepared = count()

    def throw(host: int) -> None:
        with attack.hello(host, THROW_ON_OVERLOAD="1") as stream:
            while True:
                attack.note(f"thrown {host}", attack.ask(stream, MESSAGE))

    def push(host: int, data: bytes, buffer_bytes: int, **options: str) -> None:
        with attack.hello(host, buffer_bytes, **options) as stream:
            stream.sendall(data)
            closed = select.poll()
            closed.register(stream, select.POLLRDHUP)
            for _ in range(PATIENCE_S * 10):  # who has been answered with errors begins again
                if attack.ended.is_set() or closed.poll(100):
                    return

    def ask(kind: str, host: int, request: Callable[[], Request]) -> None:
        with attack.hello(host) as stream:
            while True:
                attack.note(kind, attack.ask(stream, request()))

    attack.begin(lambda: throw(2))
    attack.begin(lambda: throw(3))
    attack.begin(lambda: push(4, readers, 4096), times=12)
    attack.begin(lambda: push(8, readers, 4096), times=12)
    attack.begin(lambda: push(9, bomb * 20, 0, COMPRESSION="lz4"), times=2)
    attack.begin(lambda: ask("long", 5, lambda: LONG), times=6)
    attack.begin(lambda: ask("short", 5, lambda: SHORT), times=4)
    attack.begin(lambda: ask("tokens", 5, lambda: TOKENS))
    attack.begin(lambda: ask("combinations", 5, lambda: COMBINATIONS))
    attack.begin(lambda: ask("prepared", 5, lambda: Prepare(f"SELECT v FROM k.t WHERE k = ? LIMIT {next(prepared) + 1}")))
    attack.begin(lambda: ask("read", 5, lambda: Query("SELECT v FROM k.t WHERE k = 1")))


def wait_with_messages(attack: Attack) -> None:
    """Most of a message each: three have room for their address, one more for all; the others have to wait."""
    streams = [attack.hello(host) for host in (2, 2, 2, 3, 2, 3)]
    assert len(streams) == WAITING
    data = requests.encode(MESSAGE, VERSION, 1)
    for stream in streams[:4]:
        stream.sendall(data[:-1000])
    for stream in streams[4:]:
        stream.setblocking(False)
        stream.send(data[:-1000])


def fill_connections(attack: Attack) -> None:
    for host in (6, 7, 10, 11):
        with pytest.raises(OSError):
            for _ in range(int(str(SETTINGS["native_transport_max_concurrent_connections"])) + 1):
                attack.hello(host)


class Watched:
    """What the server saw of its clients."""

    def __init__(self, file: Path, connection: Connection) -> None:
        self._file, self._connection = file, connection

    def look(self) -> dict[str, dict[str, int]]:
        self._connection.query("SELECT key FROM system.local")  # others are served all the time
        return json.loads(self._file.read_text())  # type: ignore[no-any-return]

    def begin_again(self) -> None:
        again = self._file.with_suffix(AGAIN)
        again.touch()
        self.until(lambda seen: not again.exists())

    def until(self, holds: Callable[[dict[str, dict[str, int]]], bool]) -> dict[str, dict[str, int]]:
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            seen = self.look()
            if holds(seen):
                return seen
        raise AssertionError(f"after {TIMEOUT_S} s: {seen}")


IN_FLIGHT, PER_IP = 4 * MIB, 3 * MIB
MET: dict[str, tuple[int, int]] = {
    # from where on a bound has been met, and what is beyond it
    "connections": (70, 80),
    "in_flight": (IN_FLIGHT - 300_000, IN_FLIGHT),
    "in_flight_of_one_address": (PER_IP - 300_000, PER_IP),
    "unsent": (UNSENT_TOTAL_MAX, UNSENT_TOTAL_MAX + 3 * MIB),  # the answer for which there was room still, and short ones
    "strands": (STRANDS_MAX, STRANDS_MAX),
    "strand_memory": (14 * MIB, 24 * MIB),
    "prepared": (MIB // 2, MIB),
    "stalled": (2, 80),
}


@contextmanager
def serving(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    file = tmp_path / "seen.json"
    command = [sys.executable, bounded_server.__file__, str(file), "--host", "127.0.0.1", "--port", "0"]
    command += ["--control-port", "0", "--memory", "--ready-file", "-", "--until-stdin-ends", "--log-level", "info"]
    for name, value in SETTINGS.items():
        command += ["--set", f"{name}={json.dumps(value)}"]
    with launch(command) as server:
        yield server, file


def test_every_bound_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, file), connect("127.0.0.1", server.port, VERSION, timeout_s=TIMEOUT_S) as connection:
        for statement in SCHEMA:
            connection.query(statement)
        first = connection.prepare("SELECT v FROM k.t WHERE k = ?").response
        assert isinstance(first, PreparedResult)
        watched = Watched(file, connection)
        before = watched.look()["now"]["resident"]
        peaks, behind = [], []
        for _ in range(ROUNDS):
            peak, after = _attacked(server, connection, watched, first.statement_id)
            peaks.append(peak - before)
            behind.append(after - before)
        print(f"resident: {before}, at most {peaks} more, behind {behind}; told: {told_bytes(watched)}")
        assert max(peaks) <= told_bytes(watched)
        assert max(behind) <= PLANS_BYTES_MAX + ALLOCATOR_BYTES, "what clients took is given back"
        assert behind[-1] <= behind[0] + GROWN_BYTES, "and used again"


def _attacked(server: Server, connection: Connection, watched: Watched, first_id: bytes) -> tuple[int, int]:
    """The memory with all at their bounds, and behind them."""
    watched.begin_again()
    attack = Attack(server.port)
    wait_with_messages(attack)
    watched.until(lambda seen: seen["now"]["stalled"] >= 2)
    begin_all(attack)
    watched.until(lambda seen: set(ERRORS) <= attack.errors.keys() and seen["most"]["unsent"] >= UNSENT_TOTAL_MAX)
    fill_connections(attack)
    seen = watched.until(lambda seen: all(seen["most"][name] >= least for name, (least, _) in MET.items()))
    try:
        assert all(seen["most"][name] <= most for name, (_, most) in MET.items()), seen
        _check_what_was_answered(attack, connection, first_id, server.log)
    finally:
        attack.end()
    watched.until(lambda seen: seen["now"]["connections"] == 1)
    held = "in_flight", "unsent", "strands", "stalled"
    after = watched.until(lambda seen: not any(seen["now"][name] for name in held))
    return seen["most"]["resident"], after["now"]["resident"]


def told_bytes(watched: Watched) -> int:
    """What the server told at start that so many connections take."""
    found = re.match(r"Clients may take up to (\d+) MiB .* and each connection (\d+) KiB", str(watched.look()["told"]))
    assert found is not None
    return int(found[1]) * MIB + MET["connections"][1] * int(found[2]) * 1024


def _check_what_was_answered(attack: Attack, connection: Connection, first_id: bytes, log: str) -> None:
    """At each bound what its setting says."""
    errors = attack.errors
    for host, what in ((2, f"/{PER_IP} bytes of endpoint limit"), (3, f"/{IN_FLIGHT} bytes of global limit")):
        assert any(what in error and error.startswith(Overloaded.__name__) for error in errors[f"thrown {host}"])
    assert any(f"/{UNSENT_TOTAL_MAX} bytes" in error and error.startswith(Overloaded.__name__) for error in errors["read"])
    assert any(f"has more than {TOKENS_MAX} words" in error for error in errors["tokens"])
    assert any(f"this exceeds fail threshold of {COMBINATIONS_MAX}" in error for error in errors["combinations"])
    assert not errors.get("long")
    assert not errors.get("short")
    unprepared = connection.request(Execute(first_id, None, QueryOptions(values=(b"\0\0\0\1",)))).response
    assert isinstance(unprepared, Error)
    assert isinstance(unprepared.error, Unprepared)
    assert "Exceeded maximum native connection limit of 80" in log
    assert "Exceeded maximum native connection limit per ip of 20" in log
    assert "read no answers" in log
    assert "a bug in this server" not in log
