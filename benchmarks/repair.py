"""A full repair of three nodes, a share of whose rows differs: how long it takes, and the processor time of all three.

    python benchmarks/repair.py [--rows 100000] [--percent 1]                  three nodes in one process
    python benchmarks/repair.py --beside 127.0.0.1:9142 --pids 11,22,33 --tool 'oracle tool nodetool -p 7199' \\
        --tool 'oracle tool nodetool -p 7200' --tool 'oracle tool nodetool -p 7201'
                                                                               the same, then that of three nodes that run

Rows are of about 100 bytes. The third node is cut off by `nodetool disablegossip` while the rows that differ are written,
and nobody keeps hints; everything lies in SSTables then. A repair is asked for twice: the second one finds nothing. The time
of nodetool itself (of Java's, a second or two) is measured by `nodetool version` and taken off.
"""

import argparse
import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cqlserver
from protocol.client import Connection, connect
from protocol.requests import Execute, QueryOptions
from protocol.responses import Error, PreparedResult

IN_FLIGHT = 128
VALUE_BYTES = 80
INSERT = "INSERT INTO repair_bench.t (k, v) VALUES (?, ?)"
SCHEMA = (
    "DROP KEYSPACE IF EXISTS repair_bench",
    "CREATE KEYSPACE repair_bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
    "CREATE TABLE repair_bench.t (k bigint PRIMARY KEY, v blob)",
)
CONVICTED_S = 30.0
"""By then a node that gossips no more is taken for down."""


class Side(NamedTuple):
    """Three nodes: the first one's address, `nodetool` of each by its index, the processes that they are."""

    name: str
    host: str
    port: int
    nodetool: Callable[..., str]
    pids: Sequence[int]

    def processor_s(self) -> float:
        return sum(map(processor_s, self.pids))


def write(connection: Connection, keys: list[int], rng: random.Random) -> None:
    prepared = connection.prepare(INSERT).response
    assert isinstance(prepared, PreparedResult), prepared
    for start in range(0, len(keys), IN_FLIGHT):
        some = keys[start : start + IN_FLIGHT]
        values = [(key.to_bytes(8, "big"), rng.randbytes(VALUE_BYTES)) for key in some]
        wanted = [
            Execute(prepared.statement_id, prepared.result_metadata_id, QueryOptions(values=value)) for value in values
        ]
        for stream in connection.send_many(wanted):
            response = connection.receive(stream).response
            assert not isinstance(response, Error), response


def processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(side: Side, rows: int, percent: float) -> None:
    rng = random.Random(1)
    keys = list(range(rows))
    different = rng.sample(keys, int(rows * percent / 100))
    with connect(side.host, side.port, timeout_s=120) as connection:
        for statement in SCHEMA:
            response = connection.query(statement).response
            assert not isinstance(response, Error), response
        for index in range(3):
            side.nodetool(index, "disablehandoff")
        write(connection, keys, rng)
        cut_off(side)
        write(connection, different, rng)
    side.nodetool(2, "enablegossip")
    wait(lambda: "DN" not in states(side), "the third node is up")
    for index in range(3):
        side.nodetool(index, "enablehandoff")
        side.nodetool(index, "flush")
    began = time.monotonic()
    side.nodetool(0, "version")
    tool_s = time.monotonic() - began
    for what in (f"{percent} % of them different", "equal"):
        processor, wall = side.processor_s(), time.monotonic()
        side.nodetool(0, "repair", "-full", "repair_bench")
        processor, wall = side.processor_s() - processor, time.monotonic() - wall - tool_s
        print(f"{side.name}: {rows} rows, {what}: {wall:.1f} s, {processor:.1f} s of processor time", flush=True)


def cut_off(side: Side) -> None:
    side.nodetool(2, "disablegossip")
    wait(lambda: "DN" in states(side), "the third node is taken for down")


def states(side: Side) -> list[str]:
    return [line.split()[0] for line in side.nodetool(0, "status").splitlines() if line[:2] in ("UN", "DN")]


def wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + CONVICTED_S
    while not condition():
        assert time.monotonic() < deadline, f"it takes too long until {what}"
        time.sleep(0.2)


def beside(contact: str, pids: str, tools: Sequence[str]) -> Side:
    host, _, port = contact.rpartition(":")

    def nodetool(index: int, *words: str) -> str:
        return subprocess.run([*shlex.split(tools[index]), *words], check=True, capture_output=True, text=True).stdout

    return Side("beside", host, int(port), nodetool, [int(pid) for pid in pids.split(",")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--percent", type=float, default=1.0)
    parser.add_argument("--beside", metavar="HOST:PORT", help="the first of three nodes that run")
    parser.add_argument("--pids", help="theirs, with commas between")
    parser.add_argument("--tool", action="append", help="nodetool of each of them, in their order")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, cqlserver.start(nodes=3, data=folder) as server:
        nodes = server.nodes

        def nodetool(index: int, *words: str) -> str:
            return nodes[index].nodetool(*words)

        side = Side("cqlserver", nodes[0].host, nodes[0].port, nodetool, [server.pid])
        measure(side, options.rows, options.percent)
    if options.beside is not None:
        if options.pids is None or len(options.tool or ()) != 3:
            parser.error("--beside needs --pids and three of --tool")
        measure(beside(options.beside, options.pids, options.tool), options.rows, options.percent)


main()
