"""Processor time of a full repair of three nodes in one process, a share of whose rows differs: the process's own, by the
system's account.

    python benchmarks/repair.py [--rows 100000] [--percent 1]

Rows are of about 100 bytes. One node is down while the rows that differ are written; everything lies in SSTables then.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cqlserver
from protocol.client import Connection, connect
from protocol.requests import Execute, QueryOptions
from protocol.responses import Error, PreparedResult

IN_FLIGHT = 128
VALUE_BYTES = 80
INSERT = "INSERT INTO ks.t (k, v) VALUES (?, ?)"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--percent", type=float, default=1.0)
    options = parser.parse_args()
    rng = random.Random(1)
    keys = list(range(options.rows))
    different = rng.sample(keys, int(options.rows * options.percent / 100))
    with tempfile.TemporaryDirectory() as folder, cqlserver.start(nodes=3, data=folder) as server:
        first, _, third = server.nodes
        server.execute(
            "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3};"
            "CREATE TABLE ks.t (k bigint PRIMARY KEY, v blob)"
        )
        for node in server.nodes:
            node.nodetool("disablehandoff")
        with connect(first.host, first.port, timeout_s=120) as connection:
            write(connection, keys, rng)
            third.stop()
            write(connection, different, rng)
        third.start()
        for node in server.nodes:
            node.nodetool("flush")
        for what in (f"{options.percent} % of them different", "equal"):
            processor, wall = processor_s(server.pid), time.monotonic()
            first.nodetool("repair", "-full", "ks")
            processor, wall = processor_s(server.pid) - processor, time.monotonic() - wall
            print(f"{options.rows} rows, {what}: {processor:.1f} s of processor time, {wall:.1f} s")


main()
