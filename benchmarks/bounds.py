"""The server's memory when clients are at every bound at once.

    python benchmarks/bounds.py [--clients 40] [--seconds 20] [kind ...]

Against a server of its own (in memory, real sockets), at once: clients with almost all of a 16 MB message, LZ4 bombs, those
who ask for megabytes and never read, texts of the most tokens, IN x IN of the most combinations, and prepared statements
without end. Prints what the server told at start, and its peak.
"""

import argparse
import itertools
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cqlserver import launcher
from protocol import requests
from protocol.client import connect
from protocol.compression import Lz4Compressor
from protocol.envelopes import pack_envelope
from protocol.errors import PeerError
from protocol.requests import Prepare, Query, Request, Startup

VERSION = 4
MESSAGE_BYTES = 15_900_000
WIDE_COLUMNS = 2_000
SCHEMA = (
    "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE k.t (k int PRIMARY KEY, v text)",
    "CREATE TABLE k.p (a int, b int, c int, d int, v int, PRIMARY KEY ((a, b), c, d))",
    f"CREATE TABLE k.w (k int PRIMARY KEY, {','.join(f'c{number} int' for number in range(WIDE_COLUMNS))})",
)


def numbers(count: int) -> str:
    return ",".join(map(str, range(count)))


def hello(port: int, **options: str) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), 30)
    stream.sendall(requests.encode(Startup({"CQL_VERSION": "3.0.0", **options}), VERSION, 0))
    stream.recv(1000)
    return stream


def pushing(port: int, data: bytes, **options: str) -> None:
    """Sends all of `data` as far as the server takes it, and reads nothing."""
    with hello(port, **options) as stream:
        stream.settimeout(3600)
        stream.sendall(data)
        time.sleep(3600)


def asking(port: int, request: Callable[[int], Request]) -> None:
    with hello(port) as stream:
        stream.settimeout(3600)
        for number in itertools.count():
            stream.sendall(requests.encode(request(number), VERSION, 1))
            stream.recv(1 << 16)


def hostile(port: int) -> dict[str, Callable[[], None]]:
    """One client of each kind."""
    large = requests.encode(Query("SELECT " + "x" * MESSAGE_BYTES), VERSION, 1)
    bomb = pack_envelope(VERSION, 1, 1, 7, Lz4Compressor().compress(large[9:]))
    readers = requests.encode(Query("SELECT v FROM k.t WHERE k = 1"), VERSION, 1) * 100
    tokens = Query(f"SELECT v FROM k.t WHERE k IN ({','.join(['1'] * 190_000)})")
    rows = Query(f"UPDATE k.p SET v = 1 WHERE a IN ({numbers(700)}) AND b IN ({numbers(700)}) AND c = 1 AND d = 'x'")
    select = f"SELECT {','.join(['k'] * 50)} FROM k.t WHERE k = ?"
    return {
        "messages": lambda: pushing(port, large[:-1000]),
        "bombs": lambda: pushing(port, bomb * 20, COMPRESSION="lz4"),
        "readers": lambda: pushing(port, readers),
        "tokens": lambda: asking(port, lambda number: tokens),
        "rows": lambda: asking(port, lambda number: rows),
        "prepared": lambda: asking(port, lambda number: Prepare(f"{select} /* {number} */")),
        "prepared wide": lambda: asking(port, lambda number: Prepare(f"SELECT * FROM k.w WHERE k = ? /* {number} */")),
    }


def quietly(action: Callable[[], None]) -> None:
    with suppress(OSError, PeerError):
        action()


def memory_mb(pid: int, name: str) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=40, help="of each kind")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("kinds", nargs="*", help="only these")
    arguments = parser.parse_args()
    with launcher.start(log_level="info") as server:
        print(next(line for line in server.log.splitlines() if "Clients may take" in line))
        with connect("127.0.0.1", server.port, VERSION, timeout_s=60) as connection:
            for statement in SCHEMA:
                connection.query(statement)
            connection.query(f"INSERT INTO k.t (k, v) VALUES (1, '{'x' * 4_000_000}')")
            kinds = [action for name, action in hostile(server.port).items() if name in (arguments.kinds or [name])]
            print(f"before: {memory_mb(server.pid, 'VmRSS'):.0f} MB")
            for action in kinds * arguments.clients:
                threading.Thread(target=quietly, args=(action,), daemon=True).start()
            end = time.monotonic() + arguments.seconds
            while time.monotonic() < end:
                began = time.monotonic()
                connection.query("SELECT key FROM system.local")
                waited_ms = (time.monotonic() - began) * 1e3
                print(f"{memory_mb(server.pid, 'VmRSS'):.0f} MB, a tiny query {waited_ms:.0f} ms", flush=True)
                time.sleep(1)
            print(f"peak: {memory_mb(server.pid, 'VmHWM'):.0f} MB")


if __name__ == "__main__":
    main()
