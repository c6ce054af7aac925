"""Indexes, views, functions and long reads: this server and another one side by side, in turns.

    python benchmarks/indexed.py --ours HOST:PORT:PID --peer HOST:PORT:PID [--rows 1000000] [--vectors 100000] [CASE ...]

Both are filled at once, each by a process; with a million rows that takes some five minutes, and what is there from an
earlier run is taken as it is. Of each case it prints what a request takes of the server's processor time (microseconds), and
of the clock's: the least of the rounds, then how many times as much it is on the other server, and how many times as much it
should be. Of Cassandra processor time includes what it compiles and collects beside; each case is warmed up before it is
measured. Views need `materialized_views_enabled`, functions `user_defined_functions_enabled` there.
"""

import argparse
import multiprocessing
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from protocol.client import Connection, connect
from protocol.requests import Execute, QueryOptions
from protocol.responses import Error, PreparedResult, RowsResult

KEYSPACE: Final = "indexed"
IN_FLIGHT: Final = 32
DIMENSIONS: Final = 384
SCHEMA: Final = (
    "CREATE KEYSPACE IF NOT EXISTS {ks} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE IF NOT EXISTS {ks}.plain (k bigint PRIMARY KEY, a int, b int, v blob)",
    "CREATE TABLE IF NOT EXISTS {ks}.derived (k bigint PRIMARY KEY, a int, b int, v blob)",
    "CREATE INDEX IF NOT EXISTS derived_a ON {ks}.derived (a)",
    "CREATE INDEX IF NOT EXISTS derived_b ON {ks}.derived (b) USING 'sai'",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS {ks}.derived_view AS SELECT * FROM {ks}.derived WHERE a IS NOT NULL AND "
    "k IS NOT NULL PRIMARY KEY (a, k)",
    "CREATE TABLE IF NOT EXISTS {ks}.built_in (k bigint PRIMARY KEY, a int, b int, v blob)",
    "CREATE INDEX IF NOT EXISTS built_in_a ON {ks}.built_in (a)",
    "CREATE TABLE IF NOT EXISTS {ks}.attached (k bigint PRIMARY KEY, a int, b int, v blob)",
    "CREATE INDEX IF NOT EXISTS attached_a ON {ks}.attached (a) USING 'sai'",
    "CREATE INDEX IF NOT EXISTS attached_b ON {ks}.attached (b) USING 'sai'",
    "CREATE TABLE IF NOT EXISTS {ks}.vectors (k bigint PRIMARY KEY, v vector<float, 384>)",
    "CREATE INDEX IF NOT EXISTS vectors_v ON {ks}.vectors (v) USING 'sai'",
    "CREATE TABLE IF NOT EXISTS {ks}.wide (k int, c int, a int, PRIMARY KEY (k, c))",
    "CREATE OR REPLACE FUNCTION {ks}.twice (n int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS "
    "'int m = n; if (m > 100) { m = m % 100; } return m * 2;'",
)  # fmt: skip
WIDE_ROWS: Final = 100_000
VALUE: Final = bytes(100)


class Place(NamedTuple):
    """A server, and its process."""

    host: str
    port: int
    pid: int

    @classmethod
    def parse(cls, text: str) -> "Place":
        host, port, pid = text.split(":")
        return cls(host, int(port), int(pid))

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


Values = tuple[bytes, ...]


class Case(NamedTuple):
    """`values(random, number)` of the n-th request; `least`: how many times Cassandra's rate is expected."""

    statement: str
    values: Callable[[random.Random, int], Values]
    requests: int
    least: float
    in_flight: int = IN_FLIGHT


def _int(number: int) -> bytes:
    return pack(">i", number)


def _row(spread: int) -> Callable[[random.Random, int], Values]:
    return lambda rng, number: (pack(">q", number), _int(number % spread), _int(number), VALUE)


def _vector(rng: random.Random) -> bytes:
    return pack(f">{DIMENSIONS}f", *(rng.uniform(-1, 1) for _ in range(DIMENSIONS)))


def cases(rows: int) -> dict[str, Case]:
    spread = max(1, rows // 10)

    def none(rng: random.Random, number: int) -> Values:
        return ()

    def one_of_many(rng: random.Random, number: int) -> Values:
        return (_int(rng.randrange(spread)),)

    insert = "INSERT INTO {ks}.%s (k, a, b, v) VALUES (?, ?, ?, ?)"
    return {
        "insert": Case(insert % "plain", _row(spread), 20_000, 2.0),
        "insert_derived": Case(insert % "derived", _row(spread), 20_000, 1.5),
        "equal_built_in": Case("SELECT * FROM {ks}.built_in WHERE a = ?", one_of_many, 2_000, 1.0),
        "equal_attached": Case("SELECT * FROM {ks}.attached WHERE a = ?", one_of_many, 2_000, 1.0),
        "range_attached": Case(
            "SELECT * FROM {ks}.attached WHERE b > ? LIMIT 100", lambda r, _: (_int(r.randrange(rows // 2)),), 300, 1.0
        ),
        "nearest": Case(
            "SELECT k FROM {ks}.vectors ORDER BY v ANN OF ? LIMIT 10", lambda r, _: (_vector(r),), 60, 0.1, in_flight=1
        ),
        "group_by": Case("SELECT k, max(a) FROM {ks}.wide GROUP BY k", none, 5, 1.0, 1),
        "filtering": Case("SELECT count(*) FROM {ks}.wide WHERE a < 500 ALLOW FILTERING", none, 5, 1.0, 1),
        "function": Case("SELECT max({ks}.twice(a)) FROM {ks}.wide", none, 5, 0.1, 1),
    }


class Client:
    """A connection to one server."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.connection: Connection = connect(place.host, place.port, version=4)
        self._known: dict[str, PreparedResult] = {}

    def do(self, cql: str) -> None:
        response = self.connection.query(cql.replace("{ks}", KEYSPACE)).response
        if isinstance(response, Error):
            sys.exit(f"{self.place}: {cql}: {response}")

    def has(self, table: str, key: bytes) -> bool:
        prepared = self._prepared(f"SELECT * FROM {KEYSPACE}.{table} WHERE k = ?")
        response = self.connection.execute(prepared, (key,)).response
        return isinstance(response, RowsResult) and bool(list(response.rows()))

    def _prepared(self, cql: str) -> PreparedResult:
        if cql not in self._known:
            response = self.connection.prepare(cql.replace("{ks}", KEYSPACE)).response
            assert isinstance(response, PreparedResult), response
            self._known[cql] = response
        return self._known[cql]

    def run(self, statement: str, values: Iterator[Values], in_flight: int) -> None:
        """Executes a statement with each of these, so many at a time."""
        statement_id, connection = self._prepared(statement).statement_id, self.connection
        options = (QueryOptions(values=one, page_size=5_000) for one in values)
        while chunk := [Execute(statement_id, None, of) for _, of in zip(range(in_flight), options, strict=False)]:
            for stream in connection.send_many(chunk):
                response = connection.receive(stream).response
                if isinstance(response, Error):
                    sys.exit(f"{self.place}: {statement}: {response}")

    def fill(self, rows: int, vectors: int) -> None:
        for cql in SCHEMA:
            self.do(cql)
        insert = "INSERT INTO {ks}.%s (k, a, b, v) VALUES (?, ?, ?, ?)"
        make = _row(max(1, rows // 10))
        for table in ("built_in", "attached"):
            if not self.has(table, pack(">q", rows - 1)):
                self.run(insert % table, (make(random.Random(0), number) for number in range(rows)), 256)
        if not self.has("wide", _int(999)):
            wide = ((_int(n % 1000), _int(n), _int(n % 1013)) for n in range(WIDE_ROWS))
            self.run("INSERT INTO {ks}.wide (k, c, a) VALUES (?, ?, ?)", wide, 256)
        if not self.has("vectors", pack(">q", vectors - 1)):
            rng = random.Random(1)
            given = ((pack(">q", number), _vector(rng)) for number in range(vectors))
            self.run("INSERT INTO {ks}.vectors (k, v) VALUES (?, ?)", given, 64)

    def measure(self, case: Case, rng: random.Random) -> tuple[float, float]:
        """(processor time, time) in microseconds of each request."""
        cpu_s, began_s = self.place.cpu_s(), time.monotonic()
        self.run(case.statement, (case.values(rng, number) for number in range(case.requests)), case.in_flight)
        took = self.place.cpu_s() - cpu_s, time.monotonic() - began_s
        return took[0] * 1e6 / case.requests, took[1] * 1e6 / case.requests


def _fill(place: Place, rows: int, vectors: int) -> None:
    began_s = time.monotonic()
    Client(place).fill(rows, vectors)
    print(f"{place}: filled in {time.monotonic() - began_s:.1f} s", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True, type=Place.parse)
    parser.add_argument("--peer", type=Place.parse)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("case", nargs="*")
    options = parser.parse_args()
    places = [place for place in (options.ours, options.peer) if place is not None]
    fills = [multiprocessing.Process(target=_fill, args=(place, options.rows, options.vectors)) for place in places]
    for fill in fills:
        fill.start()
    for fill in fills:
        fill.join()
        if fill.exitcode:
            sys.exit(fill.exitcode)
    clients = [Client(place) for place in places]
    known = cases(options.rows)
    for name in options.case or known:
        case, found = known[name], [[(0.0, 0.0)] * 0 for _ in clients]
        for round_ in range(options.rounds + 1):
            for client, took in zip(clients, found, strict=True):
                measured = client.measure(case, random.Random(round_))
                if round_:  # the first one warms up
                    took.append(measured)
        cpu_us, wall_us = ([min(one[which] for one in took) for took in found] for which in (0, 1))
        ratios = f"   {cpu_us[1] / cpu_us[0]:6.2f} {wall_us[1] / wall_us[0]:6.2f}  {case.least}" if len(clients) > 1 else ""
        told = "  ".join(f"{cpu:12,.1f} {wall:12,.1f}" for cpu, wall in zip(cpu_us, wall_us, strict=True))
        print(f"{name:16}{told}{ratios}", flush=True)


if __name__ == "__main__":
    main()
