"""How long a long request holds everybody up: the longest turn, in process, without sockets.

    python benchmarks/stalls.py [--size 1000000] [name ...]

For each kind of request of some `size` bytes: the longest of the turns in which it is served, in milliseconds of process
time, which a busy machine disturbs little; how much time it takes in all; how many turns; and the answer.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cqlserver.connections import garbage
from cqlserver.connections.session import TURN_S, Session
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder
from protocol.requests import Batch, BatchEntry, Prepare, Query, QueryOptions, Request, Startup

VERSION = 4
SCHEMA = (
    "CREATE KEYSPACE load WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "USE load",
    "CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))",
    "CREATE TABLE l (k int PRIMARY KEY, f frozen<list<int>>, l list<int>, m map<int, int>, s set<int>, t text, i varint)",
    "CREATE TABLE p (a int, b int, c int, d int, v int, PRIMARY KEY ((a, b), c, d))",
)
INSERT = "INSERT INTO t (k, c, v) VALUES ({}, {}, 'x')"


class Bench:
    """A node in memory with one session, served as the listener serves it."""

    def __init__(self) -> None:
        node = open_node(Config(data=None))
        node.describe_itself()
        self.session = Session(node, "127.0.0.1", 1)
        self.clock = node.environment.clock.monotonic
        self.turns: list[float] = []
        self.ask(Startup({"CQL_VERSION": "3.0.0"}))
        for statement in SCHEMA:
            self.ask(Query(statement))

    def ask(self, request: Request) -> responses.Response:
        """The answer; `turns` are the seconds of processor time that it took, turn by turn."""
        session, self.turns = self.session, []
        data = requests.encode(request, VERSION, 1)
        self._timed(lambda: session.receive(data, self.clock() + TURN_S))
        pending = session.take_pending()
        while pending:
            if self._timed(lambda: session.step(pending[0])):
                pending.pop()
        output = session.take_later() + session.take_output()
        session.forget_served()
        ((version, flags, _, opcode, body),) = EnvelopeDecoder(VERSION, responses=True, size_max=1 << 30).receive_data(
            output
        )
        return responses.decode(version, flags, opcode, body).response

    def _timed(self, turn: Callable[[], object]) -> object:
        began = time.process_time()
        result = turn()
        self.turns.append(time.process_time() - began)
        return result


def cases(bench: Bench, size: int) -> Iterator[tuple[str, Request]]:
    """Requests of some `size` bytes."""

    def numbers(text: str = "{}") -> str:
        return ",".join(text.format(number) for number in range(size // (len(text.format(size)))))

    def square() -> str:
        return ",".join(map(str, range(int(size**0.5) // 3)))

    def batch(text: str) -> str:
        return f"BEGIN UNLOGGED BATCH {numbers(text + ';').replace(';,', ';')} APPLY BATCH"

    columns = f"SELECT {','.join('k' for _ in range(size // 2))} FROM t WHERE k = 1 AND c = 1"
    same, other = INSERT.format(1, "{0}"), INSERT.format("{0}", 1)
    prepared = bench.ask(Prepare("INSERT INTO t (k, c, v) VALUES (?, ?, 'x')"))
    assert isinstance(prepared, responses.PreparedResult)

    def entries(key: Callable[[int], int]) -> tuple[BatchEntry, ...]:
        count = min(65_535, size // 16)
        return tuple(
            BatchEntry(prepared.statement_id, (key(n).to_bytes(4, "big"), n.to_bytes(4, "big"))) for n in range(count)
        )

    yield "frozen list", Query(f"INSERT INTO l (k, f) VALUES (1, [{numbers()}])")
    yield "list", Query(f"INSERT INTO l (k, l) VALUES (2, [{numbers()}])")
    yield "set", Query(f"INSERT INTO l (k, s) VALUES (3, {{{numbers()}}})")
    yield "map", Query(f"INSERT INTO l (k, m) VALUES (4, {{{numbers('{0}:{0}')}}})")
    yield "columns", Query(columns)
    yield "prepare columns", Prepare(columns)
    yield "batch text", Query(batch(same))
    yield "batch text of partitions", Query(batch(other))
    yield "prepare batch text", Prepare(batch(same))
    yield "batch message", Batch(1, entries(lambda n: 1), QueryOptions())
    yield "batch message of partitions", Batch(1, entries(lambda n: n), QueryOptions())
    texts = tuple(BatchEntry(same.format(n), ()) for n in range(min(65_535, size // len(same))))
    yield "batch message of texts", Batch(1, texts, QueryOptions())
    yield "IN", Query(f"SELECT * FROM t WHERE k IN ({numbers()})")
    yield "IN x IN of keys", Query(f"SELECT * FROM p WHERE a IN ({square()}) AND b IN ({square()})")
    yield "IN x IN of rows", Query(f"SELECT * FROM p WHERE a = 1 AND b = 1 AND c IN ({square()}) AND d IN ({square()})")
    yield (
        "update IN x IN of keys",
        Query(f"UPDATE p SET v = 1 WHERE a IN ({square()}) AND b IN ({square()}) AND c=1 AND d=1"),
    )
    yield (
        "update IN x IN of rows",
        Query(f"UPDATE p SET v = 1 WHERE a=1 AND b=1 AND c IN ({square()}) AND d IN ({square()})"),
    )
    yield "string", Query(f"INSERT INTO l (k, t) VALUES (5, '{'x' * size}')")
    yield "string of quotes", Query(f"INSERT INTO l (k, t) VALUES (6, '{chr(39) * (size // 2 * 2)}')")
    yield "varint", Query(f"INSERT INTO l (k, i) VALUES (7, {'7' * (size // 10)})")
    yield "syntax error at the end", Query(f"INSERT INTO l (k, f) VALUES (8, [{numbers()}")
    yield "wrong value at the end", Query(f"INSERT INTO l (k, f) VALUES (9, [{numbers()},'x'])")
    yield "relations", Query(f"SELECT * FROM t WHERE {' AND '.join('k = 1' for _ in range(size // 10))}")
    yield "arguments", Query(f"SELECT nothing({numbers()}) FROM t")
    yield "create table", Query(f"CREATE TABLE w ({numbers('c{} int')}, PRIMARY KEY (c1))")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    bench = Bench()
    garbage.set_up()
    print(f"{'request':30} {'longest ms':>10} {'all ms':>8} {'turns':>6}  answer")
    for name, request in cases(bench, arguments.size):
        if arguments.names and not any(wanted in name for wanted in arguments.names):
            continue
        response = bench.ask(request)
        turns = bench.turns
        answer = str(response.error) if isinstance(response, responses.Error) else type(response).__name__
        print(f"{name:30} {max(turns) * 1e3:10.1f} {sum(turns) * 1e3:8.0f} {len(turns):6}  {answer[:60]}", flush=True)
        del request, response
        gc.collect()


if __name__ == "__main__":
    main()
