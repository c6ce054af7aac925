"""A server that gets more rows than its memtables may hold: rows a second, processor time a row, memory, stalls of the loop.

    .venv/bin/python benchmarks/filling.py [--rows 600000] [--connections 4] [--depth 32] [--memtables 64MiB] [--fills 1]

A server of its own, in a folder that is removed in the end. Rows as the comparison with Cassandra has them, every key once,
in a random order; each further fill writes the same keys again. Then point reads while the last memtables are still being
flushed, and a whole scan. Processor time is the server's own, its flushes and compactions included, those too that go on
behind the last row.
"""

import argparse
import os
import random
import re
import selectors
import shutil
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cqlserver import launcher
from protocol import requests, responses
from protocol.client import connect

VERSION = 4
HEADER_BYTES = 9
PAGE_ROWS = 5_000
SETTLED_S = 1.0
SCHEMA = (
    "CREATE KEYSPACE load WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE load.t (k bigint, c int, v blob, s text, PRIMARY KEY (k, c))",
)
Envelopes = Callable[[int], bytes]
"""The n-th request, as bytes."""


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def settled_cpu_s(pid: int) -> float:
    """When the server has nothing to do any more."""
    before = cpu_s(pid)
    while True:
        time.sleep(SETTLED_S)
        now = cpu_s(pid)
        if now - before < SETTLED_S / 10:
            return now
        before = now


class Pipe:
    """A connection with requests in flight."""

    def __init__(self, port: int) -> None:
        self.stream = socket.create_connection(("127.0.0.1", port), 30)
        self.stream.sendall(requests.encode(requests.Startup({"CQL_VERSION": "3.0.0"}), VERSION, 0))
        self.stream.recv(1000)
        self._rest = b""

    def answers(self) -> int:
        """How many have come."""
        data = self._rest + self.stream.recv(1 << 18)
        at = count = 0
        while at + HEADER_BYTES <= len(data):
            end = at + HEADER_BYTES + int.from_bytes(data[at + 5 : at + 9], "big")
            if end > len(data):
                break
            assert data[at + 4] == 8, data[at:end]
            at, count = end, count + 1
        self._rest = data[at:]
        return count


def load(port: int, envelope: Envelopes, count: int, options: argparse.Namespace) -> float:
    """Seconds that so many requests take."""
    pipes = [Pipe(port) for _ in range(options.connections)]
    chosen = selectors.DefaultSelector()
    for pipe in pipes:
        chosen.register(pipe.stream, selectors.EVENT_READ, pipe)
    sent = answered = 0
    began = time.perf_counter()
    for pipe in pipes:
        pipe.stream.sendall(b"".join(envelope(sent + n) for n in range(options.depth)))
        sent += options.depth
    while answered < sent:
        for key, _ in chosen.select():
            came = key.data.answers()
            answered += came
            more = min(came, count - sent)
            if more > 0:
                key.data.stream.sendall(b"".join([envelope(sent + n) for n in range(more)]))
                sent += more
    took = time.perf_counter() - began
    for pipe in pipes:
        pipe.stream.close()
    return took


def measure(server: launcher.Server, options: argparse.Namespace) -> None:
    connection = connect(server.host, server.port, VERSION)
    for statement in SCHEMA:
        connection.query(statement)

    def prepared(text: str) -> bytes:
        found = connection.prepare(text).response
        assert isinstance(found, responses.PreparedResult), found
        return found.statement_id

    rng = random.Random(1)
    keys = list(range(options.rows))
    insert = prepared("INSERT INTO load.t (k, c, v, s) VALUES (?, ?, ?, ?)")
    select = prepared("SELECT k, c, v, s FROM load.t WHERE k = ? AND c = ?")
    one, half = struct.pack(">i", 1), bytes(50)

    def row(number: int) -> bytes:
        values = struct.pack(">q", keys[number]), one, half + rng.randbytes(50), b"hello world"
        return requests.encode(requests.Execute(insert, None, requests.QueryOptions(values=values)), VERSION, 0)

    def read(number: int) -> bytes:
        values = struct.pack(">q", rng.randrange(options.rows)), one
        query = requests.QueryOptions(values=values, flags=requests.SKIP_METADATA)
        return requests.encode(requests.Execute(select, None, query), VERSION, 0)

    def told(what: str, count: int, took: float, cpu: float) -> None:
        print(f"{what:24} {count / took:10,.0f}/s {1e6 * cpu / count:8.1f} us of processor time", flush=True)

    for _ in range(options.fills):
        rng.shuffle(keys)
        before = cpu_s(server.pid)
        took = load(server.port, row, options.rows, options)
        meanwhile = cpu_s(server.pid)
        told("fill", options.rows, took, meanwhile - before)
        count = options.rows // 20
        told("reads while it flushes", count, load(server.port, read, count, options), cpu_s(server.pid) - meanwhile)
        told("fill, all that follows", options.rows, took, settled_cpu_s(server.pid) - before)
        print(f"{'memory, peak':24} {memory_mb(server.pid, 'VmRSS'):.0f} MB, {memory_mb(server.pid, 'VmHWM'):.0f} MB")
    before = cpu_s(server.pid)
    count = options.rows // 5
    told("reads", count, load(server.port, read, count, options), cpu_s(server.pid) - before)
    before, began = cpu_s(server.pid), time.perf_counter()
    rows, state = 0, None
    while True:
        query = requests.QueryOptions(page_size=PAGE_ROWS, paging_state=state)
        found = connection.query("SELECT k, c, v, s FROM load.t", query).response
        assert isinstance(found, responses.RowsResult), found
        rows, state = rows + found.row_count, found.paging_state
        if state is None:
            break
    assert rows == options.rows, rows
    told("scan", rows, time.perf_counter() - began, cpu_s(server.pid) - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=600_000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--memtables", default="64MiB")
    parser.add_argument("--fills", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="filling-"))
    try:
        settings = {"memtable_heap_space": options.memtables}
        with launcher.start(data=folder, settings=settings, log_level="debug") as server:
            measure(server, options)
        print(*re.findall("The longest stall.*", server.log), sep="\n")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
