"""How long a long request holds everybody up, for each kind of request (stall_cases.py).

    python benchmarks/stalls.py [--scale 1.0] [--kind KIND] [name ...]      in process: the longest turn
    python benchmarks/stalls.py --server ...                                a server of its own: somebody else's longest wait
    python benchmarks/stalls.py --server 127.0.0.1:9042 --pid 1234 ...      one that runs

In process: the longest of the turns in which a request is served, in milliseconds of processor time, which a busy machine
disturbs little, and of the clock; how much processor time it takes in all; how many turns; and the answer. With --server: a
second connection sends a tiny query every 5 ms meanwhile, and the longest wait for its answer counts, in milliseconds of the
clock; beside it how much processor time the server's threads had in such a wait at most (Linux).
"""

import argparse
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.stall_cases import KINDS, SCHEMA, Sizes, cases
from cqlserver import launcher
from cqlserver.connections import garbage
from cqlserver.connections.bounds import TURN_S
from cqlserver.connections.session import Session
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.client import connect
from protocol.frames import EnvelopeDecoder
from protocol.requests import Query, Request, Startup
from storage.environment.environment import Environment

VERSION = 4
PROBE_PERIOD_S = 0.005
ANSWER_BYTES_MAX = 1 << 30


class Turn(NamedTuple):
    """In which a request was served: seconds of processor time, and of the clock."""

    processor_s: float
    wall_s: float


class Bench:
    """A node in memory with one session, served as the listener serves it. `environment`: of its own by default."""

    def __init__(self, environment: Environment | None = None) -> None:
        node = open_node(Config(data=None), environment)
        node.describe_itself()
        self.session = Session(node, "127.0.0.1", 1)
        self.clock = node.environment.clock.monotonic
        self.turns: list[Turn] = []
        self.ask(Startup({"CQL_VERSION": "3.0.0"}))
        for statement in SCHEMA:
            self.ask(Query(statement))

    def ask(self, request: Request) -> responses.Response:
        """The answer; `turns` is what it took."""
        session, self.turns = self.session, []
        data = requests.encode(request, VERSION, 1)
        self._timed(lambda: session.receive(data, self.clock() + TURN_S))
        pending = session.take_pending()
        while pending:
            if self._timed(lambda: session.step(pending[0])):
                pending.pop()
        output: list[bytes] = []
        self._timed(lambda: output.append(session.take_later() + session.take_output()))
        session.forget_served()
        session.node.limits.made = 0  # it has been sent
        ((version, flags, _, opcode, body),) = EnvelopeDecoder(
            VERSION, responses=True, size_max=ANSWER_BYTES_MAX
        ).receive_data(output[0])
        return responses.decode(version, flags, opcode, body).response

    @property
    def longest(self) -> Turn:
        return max(self.turns)

    def _timed(self, turn: Callable[[], object]) -> object:
        began, wall_began = time.process_time(), time.perf_counter()
        result = turn()
        self.turns.append(Turn(time.process_time() - began, time.perf_counter() - wall_began))
        return result


def measured(bench: Bench, sizes: Sizes, kinds: Sequence[str]) -> Iterator[tuple[str, responses.Response, Turn]]:
    """Name, answer and longest turn of each case."""
    for name, request in cases(bench.ask, sizes, kinds):
        response = bench.ask(request)
        del request
        yield name, response, bench.longest


def shown(response: responses.Response) -> str:
    return str(response.error) if isinstance(response, responses.Error) else type(response).__name__


def in_process(sizes: Sizes, kinds: Sequence[str], wanted: Callable[[str], bool]) -> None:
    bench = Bench()
    bench.ask(Query("nothing"))  # what explains syntax errors is imported
    garbage.set_up()
    print(f"{'request':45} {'longest ms':>10} {'wall ms':>8} {'all ms':>8} {'turns':>6}  answer")
    for name, request in cases(bench.ask, sizes, kinds):
        if not wanted(name):
            continue
        response = bench.ask(request)
        turns, longest = bench.turns, bench.longest
        total_s = sum(turn.processor_s for turn in turns)
        print(
            f"{name[:45]:45} {longest.processor_s * 1e3:10.1f} {max(turn.wall_s for turn in turns) * 1e3:8.1f} "
            f"{total_s * 1e3:8.0f} {len(turns):6}  {shown(response)[:50]}",
            flush=True,
        )
        del request, response
        gc.collect()


class Probe:
    """Asks something tiny every few milliseconds, on a connection of its own, and notes the longest wait, and the most
    processor time that the server had in one."""

    def __init__(self, host: str, port: int, pid: int | None) -> None:
        self._connection = connect(host, port, VERSION)
        prepared = self._connection.prepare("SELECT v FROM load.one WHERE k = 1").response
        assert isinstance(prepared, responses.PreparedResult), prepared
        self._prepared, self._pid = prepared, pid
        self.longest_s = self.processor_s = 0.0
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._running:
            processor_began, began = _processor_s(self._pid), time.perf_counter()
            self._connection.execute(self._prepared)
            self.longest_s = max(self.longest_s, time.perf_counter() - began)
            self.processor_s = max(self.processor_s, _processor_s(self._pid) - processor_began)
            time.sleep(PROBE_PERIOD_S)

    def forget(self) -> None:
        self.longest_s = self.processor_s = 0.0

    def stop(self) -> None:
        self._running = False
        self._thread.join()
        self._connection.close()


def _processor_s(pid: int | None) -> float:
    """Of all threads of a process, so far."""
    if pid is None:
        return 0.0
    total = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # the thread has ended
            total += int(file.read_text().split()[0])
    return total / 1e9


def with_server(
    host: str, port: int, pid: int | None, sizes: Sizes, kinds: Sequence[str], wanted: Callable[[str], bool]
) -> None:
    connection = connect(host, port, VERSION)
    connection.query("DROP KEYSPACE IF EXISTS load")
    for statement in SCHEMA:
        connection.query(statement)
    print(f"{'request':45} {'longest wait ms':>15} {'processor ms':>12} {'all ms':>8}  answer")
    for name, request in cases(lambda asked: connection.request(asked).response, sizes, kinds):
        if not wanted(name):
            continue
        probe = Probe(host, port, pid)
        time.sleep(4 * PROBE_PERIOD_S)
        probe.forget()
        began = time.perf_counter()
        response = connection.request(request).response
        took_s = time.perf_counter() - began
        time.sleep(4 * PROBE_PERIOD_S)
        probe.stop()
        waits = f"{probe.longest_s * 1e3:15.1f} {probe.processor_s * 1e3:12.1f}"
        print(f"{name[:45]:45} {waits} {took_s * 1e3:8.0f}  {shown(response)[:50]}", flush=True)
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--server", nargs="?", const="", metavar="HOST:PORT")
    parser.add_argument("--pid", type=int)
    parser.add_argument("--kind", action="append", default=[], choices=list(KINDS))
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()

    def wanted(name: str) -> bool:
        return not arguments.names or any(part in name for part in arguments.names)

    what = Sizes(arguments.scale), arguments.kind, wanted
    if arguments.server is None:
        in_process(*what)
    elif arguments.server:
        host, _, port = arguments.server.rpartition(":")
        with_server(host, int(port), arguments.pid, *what)
    else:
        with launcher.start(memory=True) as server:
            with_server(server.host, server.port, server.pid, *what)


if __name__ == "__main__":
    main()
