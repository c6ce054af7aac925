"""Whether anything of a request outlives its answer: the server's memory after very many long requests of each kind.

    python benchmarks/soak.py [--count 10000] [--abandoned 1000] [kind ...]

For each kind a server of its own (in memory, real sockets): the process's resident memory after a tenth of the requests
and after all of them, and what one request leaves behind. `abandoned`: the client closes its socket while the request is
under way. What the server does at its leisure is waited for.
"""

import argparse
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cqlserver import launcher
from protocol import requests
from protocol.client import Connection, connect
from protocol.envelopes import EnvelopeDecoder
from protocol.requests import Batch, BatchEntry, Prepare, Query, QueryOptions, Request

VERSION = 4
SCHEMA = (
    "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE k.l (k int PRIMARY KEY, f frozen<list<int>>, m map<int, int>)",
    "CREATE TABLE k.p (a int, b int, c int, d int, v int, PRIMARY KEY ((a, b), c, d))",
)
NONE = QueryOptions()
WINDOW = 16
"""Requests that are sent ahead of their answers."""
ABANDON_AFTER_S = 0.004
SETTLE_S = 1.5
"""The collector looks once in a second."""


def numbers(count: int) -> str:
    return ",".join(map(str, range(count)))


REFUSED: dict[str, Request] = {
    "wrong literal": Query(f"INSERT INTO k.l (k,f) VALUES (1,[{numbers(1000)},'x'])"),
    "wrong value": Query(f"INSERT INTO k.l (k,m) VALUES (1,{{{','.join(f'{n}:1' for n in range(600))},99999999999:1}})"),
    "unknown table": Query(f"INSERT INTO k.nothing (k,f) VALUES (1,[{numbers(1000)}])"),
    "syntax error": Query(f"INSERT INTO k.l (k,f) VALUES (1,[{numbers(1000)}"),
    "prepare": Prepare(f"SELECT {','.join('x' for _ in range(2000))} FROM k.l"),
    "batch": Batch(1, tuple(BatchEntry(f"INSERT INTO k.l (k{n // 149}) VALUES ({n})", ()) for n in range(150)), NONE),
    "message": Query("SELECT * FROM k.l", QueryOptions(values=tuple(b"x" * 100 for _ in range(40)))),
    "IN x IN": Query(f"SELECT * FROM k.p WHERE a IN ({numbers(900)}) AND b IN ({numbers(100)}) AND c IN (1, 2) AND d = 'x'"),
}  # fmt: skip
FINISHED: dict[str, Request] = {
    "write": Query(f"INSERT INTO k.l (k,f) VALUES (1,[{numbers(1000)}])"),
    "read": Query(f"SELECT * FROM k.p WHERE a IN ({numbers(1000)}) AND b = 1"),
    "traced read": Query(f"SELECT * FROM k.p WHERE a IN ({numbers(1000)}) AND b = 2"),
}
ABANDONED: dict[str, Request] = {
    "IN of keys": Query(f"SELECT * FROM k.p WHERE a IN ({numbers(20000)}) AND b = 1"),
    "IN x IN": Query("DELETE FROM k.p WHERE a IN ({0}) AND b IN ({0}) AND c IN ({0}) AND d IN ({0})".format(numbers(60))),
    "list": Query(f"INSERT INTO k.l (k,f) VALUES (1,[{numbers(20000)}])"),
}


@dataclass
class Kind:
    name: str
    count: int
    run: Callable[[int, int], None]
    """(port, how many)"""


def kinds(count: int, abandoned: int) -> Iterator[Kind]:
    for name, request in (REFUSED | FINISHED).items():
        yield Kind(("refused: " if name in REFUSED else "finished: ") + name, count, _asking(request, name == "traced read"))
    for name, request in ABANDONED.items():
        yield Kind(f"abandoned: {name}", abandoned, _leaving(request))


def _asking(request: Request, tracing: bool) -> Callable[[int, int], None]:
    def run(port: int, count: int) -> None:
        data = requests.encode(request, VERSION, 1, tracing)
        with connect("127.0.0.1", port, VERSION) as connection:
            stream, decoder, waited = connection._stream, EnvelopeDecoder(VERSION, responses=True), 0
            for sent in range(count + WINDOW):
                if sent < count:
                    stream.sendall(data)
                while sent + 1 - waited >= WINDOW and waited < count:
                    waited += len(decoder.receive_data(stream.recv(1 << 16)))

    return run


def _leaving(request: Request) -> Callable[[int, int], None]:
    def run(port: int, count: int) -> None:
        data = requests.encode(request, VERSION, 1)
        hello = requests.encode(requests.Startup({"CQL_VERSION": "3.0.0"}), VERSION, 0)
        for _ in range(count):
            with socket.create_connection(("127.0.0.1", port)) as stream:
                stream.sendall(hello)
                stream.recv(100)
                stream.sendall(data)
                time.sleep(ABANDON_AFTER_S)

    return run


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def settled_mb(pid: int, port: int) -> float:
    """Once the server has done all that it owes to nobody."""
    with connect("127.0.0.1", port, VERSION) as connection:
        for _ in range(3):
            connection.query("SELECT key FROM system.local")
            time.sleep(SETTLE_S / 3)
    return resident_mb(pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--abandoned", type=int, default=1_000)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    print(f"{'kind':30} {'count':>7} {'start':>8} {'tenth':>8} {'all MB':>8} {'grown by':>8} {'each B':>8} {'ms each':>8}")
    for kind in kinds(arguments.count, arguments.abandoned):
        if arguments.names and not any(name in kind.name for name in arguments.names):
            continue
        with launcher.start() as server:
            with connect("127.0.0.1", server.port, VERSION) as connection:
                _prepare(connection)
            start = settled_mb(server.pid, server.port)
            tenth = kind.count // 10
            kind.run(server.port, tenth)
            before, began = settled_mb(server.pid, server.port), time.monotonic()
            kind.run(server.port, kind.count - tenth)
            each_ms = (time.monotonic() - began) * 1e3 / (kind.count - tenth)
            after = settled_mb(server.pid, server.port)
        each = (after - before) * 1e6 / (kind.count - tenth)
        sizes = f"{start:8.1f} {before:8.1f} {after:8.1f} {after - before:8.1f}"
        print(f"{kind.name:30} {kind.count:7} {sizes} {each:8.0f} {each_ms:8.2f}", flush=True)


def _prepare(connection: Connection) -> None:
    for statement in SCHEMA:
        connection.query(statement)


if __name__ == "__main__":
    main()
