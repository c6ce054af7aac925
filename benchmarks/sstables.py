"""What SSTables cost: flushes, scans, point reads and major compactions, in microseconds of processor time a row.

    .venv/bin/python benchmarks/sstables.py [--rows 100000] [--rounds 3] [--profile STEP] [shape ...]

Rows as the comparison with Cassandra has them (k bigint, c int, v blob of 100 bytes of which half can be compressed, s text
of 11), in process and without sockets, in a folder that is removed in the end. Shapes: `memory`: nothing is flushed;
`disjoint`: two SSTables, each with half of the keys; `overlapping`: two with the same keys; `deletions`: the same, and the
second deletes every tenth partition; `wide`: two, rows of 100 partitions in both. The least of several rounds counts.

With --stalls flushes and compactions run as they do in a server, in turns of two milliseconds, and the longest turns are
shown, in milliseconds of processor time.
"""

import argparse
import cProfile
import pstats
import random
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cqlserver.connections.session import Session
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder
from storage.environment.disk import RealDisk
from storage.environment.environment import Environment, Rng, SystemClock
from storage.environment.strands import InlineWorkers, ThreadWorkers

VERSION = 4
PAGE_ROWS = 5_000
READS = 20_000
TURN_S = 0.002
WIDE_PARTITIONS = 100
DELETED_EVERY = 10
SCHEMA = (
    "CREATE KEYSPACE load WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE load.t (k bigint, c int, v blob, s text, PRIMARY KEY (k, c))",
)
SHAPES = ("memory", "disjoint", "overlapping", "deletions", "wide")


class Bench:
    """A node that keeps its data, with one session."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.rows, self.profiled = options.rows, options.profile
        self.rng = random.Random(1)
        self.clock = clock = SystemClock()
        self.turns_ms: list[float] | None = [] if options.stalls else None
        workers = ThreadWorkers(clock.monotonic) if options.stalls else InlineWorkers()
        environment = Environment(clock, Rng.from_system(), RealDisk(), workers)
        self.node = open_node(Config(data=folder), environment)
        self.node.describe_itself()
        self.engine = self.node.engine
        self.session = Session(self.node, "127.0.0.1", 1)
        self.ask(requests.Startup({"CQL_VERSION": "3.0.0"}))
        for statement in SCHEMA:
            self.ask(requests.Query(statement))
        table = self.engine.schema.maybe_table("load", "t")
        assert table is not None
        self.table = table
        self.store = self.engine.stores[self.table.id]

    def ask(self, request: requests.Request) -> responses.Response:
        self.session.receive(requests.encode(request, VERSION, 0))
        self.session.finish()
        self.session.forget_served()
        ((version, flags, _, opcode, body),) = EnvelopeDecoder(VERSION, responses=True).receive_data(
            self.session.take_later() + self.session.take_output()
        )
        return responses.decode(version, flags, opcode, body).response

    @contextmanager
    def measured(self, step: str) -> Iterator[list[float]]:
        """Microseconds, when it is over."""
        profile = cProfile.Profile() if step == self.profiled else None
        took: list[float] = []
        if profile is not None:
            profile.enable()
        began = time.process_time()
        yield took
        took.append((time.process_time() - began) * 1e6)
        if profile is not None:
            profile.disable()
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)

    def insert(self, keys: list[int], rows_each: int = 1) -> None:
        prepared = self.ask(requests.Prepare("INSERT INTO load.t (k, c, v, s) VALUES (?, ?, ?, ?)"))
        assert isinstance(prepared, responses.PreparedResult), prepared
        half = bytes(50)
        for key in keys:
            for c in range(rows_each):
                values = (
                    struct.pack(">q", key), struct.pack(">i", c), half + self.rng.randbytes(50), b"hello world"
                )  # fmt: skip
                options = requests.QueryOptions(values=values)
                request = requests.Execute(prepared.statement_id, None, options)
                self.session.receive(requests.encode(request, VERSION, 0))
                self.session.take_later() + self.session.take_output()
                self.session.forget_served()
        assert self.engine.commit_log is not None
        self.engine.commit_log.write()

    def delete(self, keys: list[int]) -> None:
        for key in keys:
            self.ask(requests.Query(f"DELETE FROM load.t WHERE k = {key}"))

    def flush(self) -> float:
        rows = self.store.memtable.live_bytes
        assert rows
        with self.measured("flush") as took:
            self.engine.flush([self.table.id])
            self.work()
        return took[0]

    def work(self) -> None:
        """What goes on beside requests."""
        background, commit_log = self.engine.background, self.engine.commit_log
        assert commit_log is not None
        if self.turns_ms is None:
            background.finish()
            return
        while not background.is_idle:
            began = time.process_time()
            if background.step(self.clock.monotonic() + TURN_S):
                self.turns_ms.append((time.process_time() - began) * 1e3)
            else:
                commit_log.sync()  # as the server does beside it: a flush may wait for that
                time.sleep(TURN_S / 10)

    def pages(self) -> tuple[int, float]:
        """Rows of a whole scan in pages."""
        count, state = 0, None
        with self.measured("scan") as took:
            while True:
                options = requests.QueryOptions(page_size=PAGE_ROWS, paging_state=state)
                self.session.receive(requests.encode(requests.Query("SELECT k, c, v, s FROM load.t", options), VERSION, 0))
                self.session.finish()
                self.session.forget_served()
                ((version, flags, _, opcode, body),) = EnvelopeDecoder(VERSION, responses=True).receive_data(
                    self.session.take_later() + self.session.take_output()
                )
                self.session.node.limits.made = 0  # it has been sent
                found = responses.decode(version, flags, opcode, body).response
                assert isinstance(found, responses.RowsResult), found
                count, state = count + found.row_count, found.paging_state
                if state is None:
                    break
        return count, took[0]

    def count(self) -> float:
        with self.measured("count") as took:
            self.ask(requests.Query("SELECT count(*) FROM load.t"))
        return took[0]

    def reads(self, keys: int, rows_each: int) -> float:
        prepared = self.ask(requests.Prepare("SELECT k, c, v, s FROM load.t WHERE k = ? AND c = ?"))
        assert isinstance(prepared, responses.PreparedResult), prepared
        envelopes = []
        for _ in range(READS):
            values = struct.pack(">q", self.rng.randrange(keys)), struct.pack(">i", self.rng.randrange(rows_each))
            options = requests.QueryOptions(values=values, flags=requests.SKIP_METADATA)
            envelopes.append(requests.encode(requests.Execute(prepared.statement_id, None, options), VERSION, 0))
        with self.measured("reads") as took:
            for envelope in envelopes:
                self.session.receive(envelope)
                self.session.take_later() + self.session.take_output()
                self.session.forget_served()
        return took[0]

    def major(self) -> float:
        with self.measured("major") as took:
            (task,) = self.engine.compact([self.table.id])
            self.work()
        assert task.error is None, task.error
        return took[0]


def fill(bench: Bench, shape: str) -> dict[str, float]:
    """Microseconds a row of each flush."""
    rows = bench.rows
    if shape == "wide":
        keys, each = list(range(WIDE_PARTITIONS)), rows // WIDE_PARTITIONS
    else:
        keys, each = list(range(rows)), 1
    bench.engine.files.compactions.are_automatic = False
    halves = [keys, keys]
    if shape in ("memory", "disjoint"):
        halves = [keys[::2], keys[1::2]]
    took = 0.0
    for number, half in enumerate(halves):
        bench.insert(half, each)
        if number and shape == "deletions":
            bench.delete(keys[::DELETED_EVERY])
        if shape != "memory":
            took += bench.flush()
    return {"flush": took / (len(halves) * rows if shape not in ("memory", "disjoint") else rows)}


def measure(folder: Path, shape: str, options: argparse.Namespace) -> dict[str, float]:
    bench = Bench(folder, options)
    figures = fill(bench, shape)

    def least(name: str, rows: int, run: Callable[[], float]) -> None:
        figures[name] = min(run() for _ in range(options.rounds)) / rows

    expected = options.rows - (len(range(0, options.rows, DELETED_EVERY)) if shape == "deletions" else 0)
    keys, each = (WIDE_PARTITIONS, options.rows // WIDE_PARTITIONS) if shape == "wide" else (options.rows, 1)

    def scan() -> float:
        count, took = bench.pages()
        assert count == expected, (count, expected)
        return took

    least("scan", expected, scan)
    least("count", expected, bench.count)
    least("reads", READS, lambda: bench.reads(keys, each))
    if shape != "memory":
        figures["major"] = bench.major() / options.rows / (1 if shape == "disjoint" else 2)
        least("scan after", expected, scan)
    if bench.turns_ms is not None:
        longest = sorted(bench.turns_ms)[-5:]
        print(f"{shape:14}the longest turns: {', '.join(f'{turn:.1f}' for turn in longest)} ms, of {len(bench.turns_ms)}")
    bench.engine.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", default="", help="flush, scan, count, reads or major: show where the time goes")
    parser.add_argument("--stalls", action="store_true", help="show the longest turns")
    parser.add_argument("shapes", nargs="*", default=list(SHAPES))
    options = parser.parse_args()
    for shape in options.shapes:
        folder = Path(tempfile.mkdtemp(prefix="sstables-"))
        try:
            figures = measure(folder, shape, options)
        finally:
            shutil.rmtree(folder)
        print(f"{shape:14}" + "".join(f"{name} {value:.2f}  " for name, value in figures.items()), flush=True)


if __name__ == "__main__":
    main()
