"""Processor time per request, in process: what a session does between bytes in and bytes out, without sockets.

    python benchmarks/requests.py [--count 20000] [--query-log] [--profile] [workload ...]

The workloads are those of a typical load generator: four columns, 100-byte values, keys at random. The figures are
process CPU time, so that a busy machine disturbs them little.
"""

import argparse
import cProfile
import itertools
import pstats
import random
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cqlserver.connections import garbage
from cqlserver.connections.session import Session
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from cqlserver.query_log.recording import QueryLog
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder

VERSION = 4
CHUNK = 64
"""Requests that arrive in one wake-up."""
SEED = 1
INSERT = "INSERT INTO load.t (k, c, v, s) VALUES (?, ?, ?, ?)"
SCHEMA = (
    "CREATE KEYSPACE load WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE load.t (k bigint, c int, v blob, s text, PRIMARY KEY (k, c))",
    "CREATE TABLE load.wide (k bigint, c int, v blob, s text, PRIMARY KEY (k, c))",
    "CREATE TABLE load.hits (k bigint PRIMARY KEY, n counter)",
)


class Bench:
    """A node in memory with one session."""

    def __init__(self) -> None:
        self.node = node = open_node(Config(data=None))
        node.describe_itself()
        self.session = Session(node, "127.0.0.1", 1)
        self.rng = random.Random(SEED)
        self.value = self.rng.randbytes(100)
        self.ask(requests.Startup({"CQL_VERSION": "3.0.0"}))
        for statement in SCHEMA:
            self.ask(requests.Query(statement))

    def ask(self, request: requests.Request) -> bytes:
        self.session.receive(requests.encode(request, VERSION, 0))
        self.session.finish()
        self.session.forget_served()
        return self.session.take_output()

    def prepare(self, text: str) -> bytes:
        version, flags, _, opcode, body = EnvelopeDecoder(VERSION, responses=True).receive_data(
            self.ask(requests.Prepare(text))
        )[0]
        prepared = responses.decode(version, flags, opcode, body).response
        assert isinstance(prepared, responses.PreparedResult), prepared
        return prepared.statement_id

    def serve(self, chunks: list[bytes]) -> None:
        session, query_log = self.session, self.node.query_log
        for chunk in chunks:
            session.receive(chunk)
            if query_log is not None:
                query_log.seal()
            session.take_output()
            session.forget_served()

    def serve_connections(self, chunks: list[bytes]) -> None:
        """Each chunk on a connection of its own."""
        for chunk in chunks:
            session = Session(self.node, "127.0.0.1", 1)
            self.node.sessions[session] = None
            session.receive(chunk)
            session.take_later()
            session.take_output()
            session.forget_served()
            del self.node.sessions[session]
            session.close()


def bigint(number: int) -> bytes:
    return struct.pack(">q", number)


def integer(number: int) -> bytes:
    return struct.pack(">i", number)


def execute(statement_id: bytes, *values: bytes, flags: int = 0) -> requests.Execute:
    return requests.Execute(statement_id, None, requests.QueryOptions(values=values, flags=flags))


def insert(bench: Bench) -> Callable[[], requests.Request]:
    statement_id, rng = bench.prepare(INSERT), bench.rng
    return lambda: execute(statement_id, bigint(rng.randrange(100_000)), integer(1), bench.value, b"hello world")


def viewed(bench: Bench) -> Callable[[], requests.Request]:
    """An insert into a table with a view, whose key has a column that changes: half of the rows were there before."""
    bench.ask(requests.Query("CREATE TABLE load.based (k bigint, c int, v blob, s text, PRIMARY KEY (k, c))"))
    where = "s IS NOT NULL AND k IS NOT NULL AND c IS NOT NULL"
    bench.ask(
        requests.Query(f"CREATE MATERIALIZED VIEW load.by_s AS SELECT * FROM load.based WHERE {where} PRIMARY KEY (s, k, c)")
    )
    statement_id, rng = bench.prepare(INSERT.replace("load.t", "load.based")), bench.rng
    return lambda: execute(
        statement_id, bigint(rng.randrange(10_000)), integer(1), bench.value, b"hello %d" % rng.randrange(1000)
    )


def read(bench: Bench) -> Callable[[], requests.Request]:
    statement_id, rng = bench.prepare("SELECT k, c, v, s FROM load.t WHERE k = ? AND c = ?"), bench.rng
    return lambda: execute(statement_id, bigint(rng.randrange(100_000)), integer(1), flags=requests.SKIP_METADATA)


def append(bench: Bench) -> Callable[[], requests.Request]:
    statement_id, rng = bench.prepare(INSERT.replace("load.t", "load.wide")), bench.rng
    return lambda: execute(
        statement_id, bigint(rng.randrange(100)), integer(rng.randrange(1 << 30)), bench.value, b"hello world"
    )


def slice_100(bench: Bench) -> Callable[[], requests.Request]:
    statement_id, rng = bench.prepare("SELECT c, v, s FROM load.wide WHERE k = ? LIMIT 100"), bench.rng
    return lambda: execute(statement_id, bigint(rng.randrange(100)), flags=requests.SKIP_METADATA)


def simple(bench: Bench) -> Callable[[], requests.Request]:
    rng, value = bench.rng, bench.value[:50].hex()
    return lambda: requests.Query(
        f"INSERT INTO load.t (k, c, v, s) VALUES ({rng.randrange(100_000)}, 1, 0x{value}, 'hello {rng.randrange(1000)}')"
    )


def batch(bench: Bench) -> Callable[[], requests.Request]:
    statement_id, rng = bench.prepare(INSERT), bench.rng

    def build() -> requests.Request:
        key = bigint(rng.randrange(100_000))
        return requests.Batch(
            1,
            tuple(requests.BatchEntry(statement_id, (key, integer(row), bench.value, b"hello world")) for row in range(10)),
        )

    return build


def lwt(bench: Bench) -> Callable[[], requests.Request]:
    statement_id, rng = bench.prepare(INSERT + " IF NOT EXISTS"), bench.rng
    return lambda: execute(statement_id, bigint(rng.randrange(1 << 40)), integer(1), bench.value, b"hello world")


def counter(bench: Bench) -> Callable[[], requests.Request]:
    statement_id, rng = bench.prepare("UPDATE load.hits SET n = n + 1 WHERE k = ?"), bench.rng
    return lambda: execute(statement_id, bigint(rng.randrange(100_000)))


def in_turn(*texts: str) -> Callable[[], requests.Request]:
    """These texts, one after the other, with the number of the round in place of %."""
    step = itertools.count()

    def build() -> requests.Request:
        number, index = divmod(next(step), len(texts))
        return requests.Query(texts[index].replace("%", str(number)))

    return build


def ddl(bench: Bench) -> Callable[[], requests.Request]:
    """A table made, used and dropped."""
    return in_turn(
        "CREATE TABLE load.d% (k int PRIMARY KEY, v int)",
        "INSERT INTO load.d% (k, v) VALUES (1, 1)",
        "DROP TABLE load.d%",
    )


def truncate(bench: Bench) -> Callable[[], requests.Request]:
    bench.ask(requests.Query("CREATE TABLE load.seq (k int PRIMARY KEY, v int)"))
    return in_turn("INSERT INTO load.seq (k, v) VALUES (1, 1)", "TRUNCATE load.seq")


def connect(bench: Bench) -> Callable[[], requests.Request]:
    """What a connection of its own begins with."""
    startup = requests.Startup({"CQL_VERSION": "3.0.0"})
    pair: tuple[requests.Request, ...] = (startup, requests.Query("SELECT release_version FROM system.local"))
    turns = itertools.cycle(pair)
    return lambda: next(turns)


WORKLOADS = {
    "insert": insert,
    "viewed": viewed,
    "read": read,
    "append": append,
    "slice": slice_100,
    "simple": simple,
    "batch": batch,
    "lwt": lwt,
    "counter": counter,
    "ddl": ddl,
    "truncate": truncate,
    "connect": connect,
}
REQUESTS_PER_CONNECTION = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--query-log", action="store_true", help="with the query log on")
    parser.add_argument("--profile", action="store_true", help="and show where the time goes")
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS))
    options = parser.parse_args()
    print(f"{'workload':12}{'us of CPU per request':>24}")
    bench = Bench()
    garbage.set_up()
    if options.query_log:
        bench.node.sessions[bench.session] = None
        bench.node.record(QueryLog({}))
    for name in options.workloads:
        build = WORKLOADS[name](bench)
        encoded = [requests.encode(build(), VERSION, stream % 128) for stream in range(options.count)]
        size, serve = CHUNK, bench.serve
        if name == "connect":
            size, serve = REQUESTS_PER_CONNECTION, bench.serve_connections
        chunks = [b"".join(encoded[at : at + size]) for at in range(0, len(encoded), size)]
        warm = max(1, len(chunks) // 10)
        serve(chunks[:warm])
        measured = chunks[warm:]
        profile = cProfile.Profile() if options.profile else None
        if profile:
            profile.enable()
        began = time.process_time()
        serve(measured)
        elapsed = time.process_time() - began
        if profile:
            profile.disable()
        print(f"{name:12}{1e6 * elapsed / (len(measured) * size):24.2f}")
        if profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(15)


if __name__ == "__main__":
    main()
