"""What the query log adds to a go of a session, in process: goes of many sessions, each round with the log off and on.

    python benchmarks/goes.py [--sessions 64] [--depth 2] [--rounds 3000] [workload ...]

Off and on take turns every fraction of a millisecond, so that both have the same minutes of the machine and the same cache;
of all rounds a low quantile counts, which a busy machine moves by a few per cent, and both alike.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import requests as single
from cqlserver.connections import garbage
from cqlserver.connections.session import Session
from cqlserver.query_log.recording import QueryLog
from protocol import requests

QUANTILES = (0.05, 0.2, 0.4)
ROUNDS_KEPT = 16
"""Different ones, served again and again."""


def sessions_of(bench: single.Bench, count: int) -> list[Session]:
    sessions = [Session(bench.node, "127.0.0.1", 1_000 + number) for number in range(count)]
    for session in sessions:
        session.receive(requests.encode(requests.Startup({"CQL_VERSION": "3.0.0"}), single.VERSION, 0))
        session.take_later()
        bench.node.sessions[session] = None
    return sessions


def serve(sessions: Sequence[Session], chunks: Sequence[bytes], log: QueryLog | None) -> float:
    """One round, as the listener goes it; seconds of this thread."""
    for session in sessions:
        session.observer = session.recorder = log
    came = [bytes(bytearray(chunk)) for chunk in chunks]  # each time new bytes, as a socket gives them
    began = time.thread_time()
    for session, data in zip(sessions, came, strict=True):
        session.receive(data)
    if log is not None:
        log.seal()
    for session in sessions:
        session.take_output()
        session.forget_served()
    return time.thread_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=64)
    parser.add_argument("--depth", type=int, default=2, help="requests of a session in a go")
    parser.add_argument("--rounds", type=int, default=3_000)
    parser.add_argument("workloads", nargs="*", default=["insert", "read"])
    options = parser.parse_args()
    bench = single.Bench()
    sessions, log = sessions_of(bench, options.sessions), QueryLog({})
    print(f"{'workload':10}{'quantile':>10}{'off, us':>10}{'on, us':>10}{'share':>8}   a go of a session more, us")
    for name in options.workloads:
        build = single.WORKLOADS[name](bench)
        rounds = [
            [b"".join([requests.encode(build(), single.VERSION, s) for s in range(options.depth)]) for _ in sessions]
            for _ in range(ROUNDS_KEPT)
        ]
        garbage.set_up()
        found: dict[bool, list[float]] = {False: [], True: []}
        for number in range(options.rounds):
            for is_on in (False, True) if number % 2 else (True, False):
                chunks = rounds[(2 * number + is_on) % len(rounds)]
                found[is_on].append(1e6 * serve(sessions, chunks, log if is_on else None))
        for quantile in QUANTILES:
            off, on = (sorted(found[is_on])[int(quantile * options.rounds)] / options.sessions for is_on in (False, True))
            shown = f"{off / options.depth:10.2f}{on / options.depth:10.2f}{off / on:8.3f}{on - off:12.2f}"
            print(f"{name:10}{quantile:10}{shown}", flush=True)


if __name__ == "__main__":
    main()
