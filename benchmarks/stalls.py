"""How long a long request holds everybody up, for each kind of request (stall_cases.py).

    python benchmarks/stalls.py [--scale 1.0] [--kind KIND] [name ...]     in process: the longest turn
    python benchmarks/stalls.py --server ...              a server: the longest wait of somebody else

In process: the longest of the turns in which a request is served, in milliseconds of processor time, which a busy machine
disturbs little; how much time it takes in all; how many turns; and the answer. With --server: a second connection sends a
tiny query every 5 ms meanwhile, and the longest wait for its answer counts, in milliseconds of the clock; beside it the
longest turn that the server noted itself.
"""

import argparse
import gc
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.stall_cases import KINDS, SCHEMA, Sizes, cases
from cqlserver.connections import garbage
from cqlserver.connections.session import TURN_S, Session
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder
from protocol.requests import Query, Request, Startup

VERSION = 4
PROBE_PERIOD_S = 0.005
ANSWER_BYTES_MAX = 1 << 30


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
        output: list[bytes] = []
        self._timed(lambda: output.append(session.take_later() + session.take_output()))
        session.forget_served()
        ((version, flags, _, opcode, body),) = EnvelopeDecoder(
            VERSION, responses=True, size_max=ANSWER_BYTES_MAX
        ).receive_data(output[0])
        return responses.decode(version, flags, opcode, body).response

    @property
    def longest_s(self) -> float:
        return max(self.turns)

    def _timed(self, turn: Callable[[], object]) -> object:
        began = time.process_time()
        result = turn()
        self.turns.append(time.process_time() - began)
        return result


def shown(response: responses.Response) -> str:
    return str(response.error) if isinstance(response, responses.Error) else type(response).__name__


def in_process(sizes: Sizes, kinds: Sequence[str], wanted: Callable[[str], bool]) -> None:
    bench = Bench()
    garbage.set_up()
    print(f"{'request':45} {'longest ms':>10} {'all ms':>8} {'turns':>6}  answer")
    for name, request in cases(bench.ask, sizes, kinds):
        if not wanted(name):
            continue
        response = bench.ask(request)
        turns = bench.turns
        print(
            f"{name[:45]:45} {max(turns) * 1e3:10.1f} {sum(turns) * 1e3:8.0f} {len(turns):6}  {shown(response)[:50]}",
            flush=True,
        )
        del request, response
        gc.collect()


class Probe:
    """Asks something tiny every few milliseconds, on a connection of its own, and notes the longest wait."""

    def __init__(self, host: str, port: int) -> None:
        from protocol.client import connect

        self._connection = connect(host, port, VERSION)
        prepared = self._connection.prepare("SELECT v FROM load.one WHERE k = 1").response
        assert isinstance(prepared, responses.PreparedResult), prepared
        self._prepared = prepared
        self.longest_s = 0.0
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._running:
            began = time.perf_counter()
            self._connection.execute(self._prepared)
            self.longest_s = max(self.longest_s, time.perf_counter() - began)
            time.sleep(PROBE_PERIOD_S)

    def stop(self) -> None:
        self._running = False
        self._thread.join()
        self._connection.close()


def with_server(sizes: Sizes, kinds: Sequence[str], wanted: Callable[[str], bool]) -> None:
    from cqlserver import launcher
    from protocol.client import connect

    with launcher.start(memory=True) as server:
        connection = connect(server.host, server.port, VERSION)
        for statement in SCHEMA:
            connection.query(statement)
        print(f"{'request':45} {'longest wait ms':>15} {'all ms':>8}  answer")
        for name, request in cases(lambda asked: connection.request(asked).response, sizes, kinds):
            if not wanted(name):
                continue
            probe = Probe(server.host, server.port)
            time.sleep(4 * PROBE_PERIOD_S)
            probe.longest_s = 0.0
            began = time.perf_counter()
            response = connection.request(request).response
            took = time.perf_counter() - began
            time.sleep(4 * PROBE_PERIOD_S)
            probe.stop()
            print(f"{name[:45]:45} {probe.longest_s * 1e3:15.1f} {took * 1e3:8.0f}  {shown(response)[:50]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--server", action="store_true")
    parser.add_argument("--kind", action="append", default=[], choices=list(KINDS))
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()

    def wanted(name: str) -> bool:
        return not arguments.names or any(part in name for part in arguments.names)

    (with_server if arguments.server else in_process)(Sizes(arguments.scale), arguments.kind, wanted)


if __name__ == "__main__":
    main()
