"""What it costs to be looked at: metrics, the audit log, and /metrics of many tables; processor time.

    python benchmarks/watching.py metrics [--rounds 5]      requests with metrics, and with what counts them cut out
    python benchmarks/watching.py sockets [--rounds 5]      the same of two servers, with four connections x 32 in flight
    python benchmarks/watching.py audit [--rounds 5]        requests without audit log, and with all of its categories
    python benchmarks/watching.py scrape [--tables 200]     making the text of /metrics: in all, and at one go

Both sides of a comparison run in turns; of each the smallest time of all rounds counts, of `sockets` the median of pairs of
processes, of which each round has another. All but `sockets` is in process.
"""

import argparse
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(HOME), str(HOME / "benchmarks")]

import requests as workloads  # noqa: E402  - the module beside this one

from cqlserver.audit.logs import audit_logs_of  # noqa: E402
from cqlserver.audit.options import LOGGERS, AuditLogOptions  # noqa: E402
from cqlserver.connections import garbage  # noqa: E402
from cqlserver.metrics.exposition import pieces  # noqa: E402
from cqlserver.metrics.meters import Kind  # noqa: E402
from protocol import requests, responses  # noqa: E402
from protocol.client import connect  # noqa: E402

NAMES = ("insert", "read", "append", "slice", "simple", "batch", "lwt", "counter")
COUNT = 20_000
CONNECTIONS, IN_FLIGHT = 4, 32
TURN, TURNS = 10 * CONNECTIONS * IN_FLIGHT, 60
"""Requests of one server before the other has its turn: some milliseconds, in which a busy machine may leave it alone."""
SERVERS_CORE, LOADS_CORE = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
"""Both servers have the same core: neighbours of the machine make one slower than the other, for minutes."""
HEADER_BYTES = 9
COUNTING = re.compile(
    r"^ +(meter(_of\(plan\))?|row\.meter|options\.meter|metering|self\._metering)\.\w*count \+= .*$"
    r"|^ +metering\.last = .*$",
    re.MULTILINE,
)
TIMING = "timed = self._metering.choose(len(envelopes)) if began >= self._metering.next_sample_s else 0"
SCHEMA = "CREATE TABLE load.t%d (k bigint PRIMARY KEY, v blob)"


def copy(folder: Path) -> Path:
    """Of the program, so that both sides run from a place like the other's."""
    for package in ("cqlserver", "cluster", "storage", "grammar", "protocol", "benchmarks"):
        shutil.copytree(HOME / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def without_metrics(folder: Path) -> Path:
    """A copy in which nobody counts or times requests."""
    copy(folder)
    found = 0
    for path in [*(folder / "cqlserver/plans/fast").glob("*.py"), folder / "cqlserver/connections/session.py"]:
        text = path.read_text()
        less, count = COUNTING.subn(lambda match: re.sub(r"\S.*", "pass", match[0]), text)
        found += count
        path.write_text(less.replace(TIMING, "timed = 0"))
    assert found > 10, found
    assert TIMING not in (folder / "cqlserver/connections/session.py").read_text()
    return folder


def measured(home: Path) -> dict[str, float]:
    """Microseconds of a request, by workload."""
    command = [sys.executable, str(home / "benchmarks/requests.py"), "--count", str(COUNT), *NAMES]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True)
    return {name: float(number) for name, number in (line.split() for line in done.stdout.splitlines()[1:])}


def compare_metrics(rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="cqlserver-metrics-") as folder:
        one, other = without_metrics(Path(folder) / "off"), copy(Path(folder) / "on")
        with_them, without = [], []
        for _ in range(rounds):
            without.append(measured(one))
            with_them.append(measured(other))
    show({name: tuple(min(found[name] for found in side) for side in (without, with_them)) for name in NAMES})


def show(found: Mapping[str, Sequence[float]]) -> None:
    """Microseconds without and with metrics, by workload."""
    print(f"{'workload':12}{'without us':>12}{'with us':>12}{'share':>8}")
    for name, (off, on) in found.items():
        print(f"{name:12}{off:12.2f}{on:12.2f}{off / on:8.3f}")


class Remote:
    """A server in a process of its own, which the workloads take for a `requests.Bench`."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._tasks = Path(f"/proc/{process.pid}/task")
        self.rng = random.Random(workloads.SEED)
        self.value = self.rng.randbytes(100)
        self._client = connect("127.0.0.1", port, workloads.VERSION)
        for statement in workloads.SCHEMA:
            self.ask(requests.Query(statement))
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
        startup = requests.encode(requests.Startup({"CQL_VERSION": "3.0.0"}), workloads.VERSION, 0)
        for sock in self._sockets:
            sock.sendall(startup)
            _take_answers(sock, 1)
        self.builds = {name: workloads.WORKLOADS[name](self) for name in NAMES}  # type: ignore[arg-type]

    def ask(self, request: requests.Request) -> object:
        return self._client.request(request).response

    def prepare(self, text: str) -> bytes:
        prepared = self.ask(requests.Prepare(text))
        assert isinstance(prepared, responses.PreparedResult), prepared
        return prepared.statement_id

    def serve(self, name: str, count: int) -> float:
        """Microseconds of processor time of all of the server's threads, a request."""
        build = self.builds[name]
        chunks = [
            b"".join(requests.encode(build(), workloads.VERSION, stream) for stream in range(IN_FLIGHT))
            for _ in range(count // IN_FLIGHT)
        ]
        began = self._processor_ns()
        for at in range(0, len(chunks), CONNECTIONS):
            sent = list(zip(self._sockets, chunks[at : at + CONNECTIONS], strict=False))
            for sock, chunk in sent:
                sock.sendall(chunk)
            for sock, _ in sent:
                _take_answers(sock, IN_FLIGHT)
        return (self._processor_ns() - began) / 1_000 / (len(chunks) * IN_FLIGHT)

    def _processor_ns(self) -> int:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in self._tasks.iterdir())

    def close(self) -> None:
        self._client.close()
        for sock in self._sockets:
            sock.close()


def _take_answers(sock: socket.socket, count: int) -> None:
    data = bytearray()
    while count:
        data += sock.recv(1 << 20)
        at = 0
        while len(data) >= at + HEADER_BYTES:
            end = at + HEADER_BYTES + int.from_bytes(data[at + 5 : at + HEADER_BYTES], "big")
            if len(data) < end:
                break
            at, count = end, count - 1
        del data[:at]


@contextmanager
def started(home: Path) -> Iterator[Remote]:
    command = [sys.executable, "-P", "-m", "cqlserver", "--memory", "--port", "0", "--control-port", "0"]
    command += ["--ready-file", "-", "--until-stdin-ends"]
    environment = {**os.environ, "PYTHONPATH": str(home)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=home, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
        os.sched_setaffinity(process.pid, {SERVERS_CORE})
        remote = Remote(process, json.loads(process.stdout.readline())["port"])
        try:
            yield remote
        finally:
            remote.close()
            process.stdin.close()


def compare_servers(rounds: int, names: Sequence[str]) -> None:
    """Two processes of the same program differ by a few per cent all their lives: where their memory happens to lie. So each
    round has a pair of its own, and the median of the pairs counts; of a pair that of its turns, each beside the other's."""
    shares: dict[str, list[float]] = {name: [] for name in names}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    os.sched_setaffinity(0, {LOADS_CORE})
    with tempfile.TemporaryDirectory(prefix="cqlserver-metrics-") as folder:
        homes = without_metrics(Path(folder) / "off"), copy(Path(folder) / "on")
        for number in range(rounds):
            first = number % 2  # who is started first
            with started(homes[first]) as one, started(homes[1 - first]) as other:
                off, on = (other, one) if first else (one, other)
                for name in names:
                    turns = _in_turns(name, off, on)
                    times[name] += turns
                    shares[name].append(statistics.median(less / more for less, more in turns))
    print(f"{'workload':12}{'without us':>12}{'with us':>12}{'share':>8}{'pairs':>16}")
    for name, found in shares.items():
        numbers = "".join(f"{statistics.median(side):12.2f}" for side in zip(*times[name], strict=True))
        print(f"{name:12}{numbers}{statistics.median(found):8.3f}{f'{min(found):.3f} - {max(found):.3f}':>16}")


def _in_turns(name: str, off: Remote, on: Remote) -> list[tuple[float, float]]:
    """Microseconds a request of both, some milliseconds each; who is first changes."""
    for side in (off, on):
        side.serve(name, COUNT // 10)
    turns = []
    for number in range(TURNS):
        if number % 2:
            more = on.serve(name, TURN)
            turns.append((off.serve(name, TURN), more))
        else:
            turns.append((off.serve(name, TURN), on.serve(name, TURN)))
    return turns


def compare_audit(rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="cqlserver-audit-") as folder:
        print(f"{'workload':12}{'off us':>10}" + "".join(f"{logger:>20}{'share':>8}" for logger in LOGGERS[:2]))
        for name in NAMES:
            sides = [_served(name, None, folder), *(_served(name, logger, folder) for logger in LOGGERS[:2])]
            best = [min(times) for times in zip(*([side() for side in sides] for _ in range(rounds)), strict=True)]
            print(f"{name:12}{best[0]:10.2f}" + "".join(f"{one:20.2f}{best[0] / one:8.3f}" for one in best[1:]))


def _served(name: str, logger: str | None, folder: str) -> Callable[[], float]:
    """Serves requests each time that it is called; microseconds of one. `logger` None: nothing is logged."""
    bench = workloads.Bench()
    bench.node.sessions[bench.session] = None
    build = workloads.WORKLOADS[name](bench)
    if logger is not None:
        options = AuditLogOptions(logger=logger, audit_logs_dir=f"{folder}/{name}-{logger}", excluded_keyspaces="")
        audit_logs_of(bench.node).enable_audit(options)
    garbage.set_up()

    def serve() -> float:
        encoded = [requests.encode(build(), workloads.VERSION, stream % 128) for stream in range(COUNT)]
        chunks = [b"".join(encoded[at : at + workloads.CHUNK]) for at in range(0, COUNT, workloads.CHUNK)]
        bench.serve(chunks[:10])
        began = time.process_time()
        bench.serve(chunks[10:])
        return 1e6 * (time.process_time() - began) / (COUNT - 10 * workloads.CHUNK)

    return serve


def scrape(tables: int, rounds: int) -> None:
    bench = workloads.Bench()
    for number in range(tables):
        bench.ask(requests.Query(SCHEMA % number))
    metering = bench.node.metering
    for store in list(bench.node.engine.stores.values()):
        for kind in Kind:
            meter = metering.meter(store.table, kind)
            for us in range(100, 2_000, 50):
                meter.count += 7
                meter.took(us / 1e6, metering.clock(), us % 90)
    garbage.set_up()
    best, longest, size = float("inf"), float("inf"), 0
    for _ in range(rounds):
        began = before = time.thread_time()
        worst, size = 0.0, 0
        for piece in pieces(bench.node):
            size += len(piece)
            now = time.thread_time()
            worst, before = max(worst, now - before), now
        best, longest = min(best, time.thread_time() - began), min(longest, worst)
    print(f"{tables} tables: {1e3 * best:.1f} ms, {1e3 * longest:.2f} ms at one go, {size:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("metrics", "sockets", "audit", "scrape"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--workloads", nargs="+", choices=NAMES, default=NAMES, help="of `sockets`")
    options = parser.parse_args()
    match options.what:
        case "metrics":
            compare_metrics(options.rounds)
        case "sockets":
            compare_servers(options.rounds, options.workloads)
        case "audit":
            compare_audit(options.rounds)
        case _:
            scrape(options.tables, options.rounds)


if __name__ == "__main__":
    main()
