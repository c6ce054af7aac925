"""What the query log costs a server over sockets: its processor time a request with the log off and on, in turns.

    python benchmarks/query_log.py [--rounds 20] [--requests 12000] [--data DIR] [WORKLOAD:CONNECTIONSxDEPTH ...]

Two servers, whose rounds alternate, so that both have the same minutes of the machine; the one's log is full before it
counts. The least of all rounds counts. `share`: what is left of the rate, as far as the processor decides it.
"""

import argparse
import itertools
import random
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cqlserver
from benchmarks import requests as single
from protocol import requests, responses
from protocol.client import Connection, connect
from protocol.frames import EnvelopeDecoder

DEFAULT = ["insert:4x32", "read:4x32", "simple:4x32", "batch:4x8", "insert:64x2", "read:64x2", "insert:1x1", "read:1x1"]
CHUNKS = 200
"""Different ones, sent again and again."""
FILLING = 60_000
"""Requests that fill the log, and the tables."""
RECEIVE_BYTES = 1 << 18


class Bench:
    """What the workloads of requests.py ask of theirs, of a server behind a socket."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.rng = random.Random(single.SEED)
        self.value = self.rng.randbytes(100)

    def ask(self, request: requests.Request) -> responses.Response:
        return self._connection.request(request).response

    def prepare(self, text: str) -> bytes:
        prepared = self.ask(requests.Prepare(text))
        assert isinstance(prepared, responses.PreparedResult), prepared
        return prepared.statement_id


class Load:
    """So many connections with so many requests in flight each."""

    def __init__(self, server: cqlserver.Server, bench: Bench, name: str, connections: int, depth: int) -> None:
        build = single.WORKLOADS[name](bench)  # type: ignore[arg-type]
        self._depth = depth
        self._chunks = itertools.cycle(
            [
                b"".join([requests.encode(build(), single.VERSION, stream) for stream in range(depth)])
                for _ in range(max(CHUNKS, CHUNKS * 32 // depth))
            ]
        )
        self._sockets = [socket.create_connection((server.host, server.port)) for _ in range(connections)]
        self._decoders = [EnvelopeDecoder(single.VERSION, responses=True) for _ in self._sockets]
        for one in self._sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.sendall(requests.encode(requests.Startup({"CQL_VERSION": "3.0.0"}), single.VERSION, 0))
        self._wait(1)

    def run(self, count: int) -> int:
        """About so many requests; how many it were."""
        per_turn = self._depth * len(self._sockets)
        turns = max(1, count // per_turn)
        for _ in range(turns):
            for one in self._sockets:
                one.sendall(next(self._chunks))
            self._wait(self._depth)
        return turns * per_turn

    def _wait(self, answers: int) -> None:
        for one, decoder in zip(self._sockets, self._decoders, strict=True):
            left = answers
            while left:
                envelopes = decoder.receive_data(one.recv(RECEIVE_BYTES))
                assert all(envelope[3] != responses.ERROR for envelope in envelopes), envelopes
                left -= len(envelopes)

    def close(self) -> None:
        for one in self._sockets:
            one.close()


def processor_s(pid: int) -> float:
    """That a process has had."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def measure(sides: Sequence["Side"], workload: str, rounds: int, count: int) -> list[float]:
    """Microseconds a request, of each."""
    name, _, shape = workload.partition(":")
    connections, depth = map(int, (shape or "4x32").split("x"))
    loads = [Load(side.server, side.bench, name, connections, depth) for side in sides]
    least = [float("inf") for _ in sides]
    for load in loads:
        load.run(FILLING)
    for _ in range(rounds):
        for index, (side, load) in enumerate(zip(sides, loads, strict=True)):
            before = processor_s(side.server.pid)
            done = load.run(count)
            least[index] = min(least[index], 1e6 * (processor_s(side.server.pid) - before) / done)
    for load in loads:
        load.close()
    return least


class Side:
    """A server with the tables."""

    def __init__(self, stack: ExitStack, has_log: bool, data: str | None) -> None:
        folder = None if data is None else f"{data}/{'on' if has_log else 'off'}"
        self.server = stack.enter_context(cqlserver.start(data=folder, query_log=has_log))
        self.bench = Bench(stack.enter_context(connect(self.server.host, self.server.port, single.VERSION)))
        for statement in single.SCHEMA:
            self.bench.ask(requests.Query(statement))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=12_000, help="in a round")
    parser.add_argument("--data", help="a folder; in memory where there is none")
    parser.add_argument("workloads", nargs="*", default=DEFAULT)
    options = parser.parse_args()
    print(f"{'workload':16}{'off, us':>10}{'on, us':>10}{'share':>8}")
    with ExitStack() as stack:
        sides = [Side(stack, has_log, options.data) for has_log in (False, True)]
        for workload in options.workloads:
            off, on = measure(sides, workload, options.rounds, options.requests)
            print(f"{workload:16}{off:10.2f}{on:10.2f}{off / on:8.3f}", flush=True)


if __name__ == "__main__":
    main()
