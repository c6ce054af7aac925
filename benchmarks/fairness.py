"""How long a short request takes beside others that are long, in process, without sockets.

    python benchmarks/fairness.py [--clients 9] [--size 1000000]

Clients with requests of `size` bytes under way, served as the listener serves them (connections/turns.py); beside them one
query of 4 kB after the other. In milliseconds of process time, which a busy machine disturbs little: until the 4 kB query is
answered, and how long the turns are, after each of which tiny queries have theirs.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cqlserver.connections import garbage
from cqlserver.connections.bounds import TURN_S
from cqlserver.connections.session import Session
from cqlserver.connections.turns import Turns
from cqlserver.connections.unanswered import Unanswered
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests
from protocol.requests import Query, Startup

VERSION = 4
ROUNDS = 20
SCHEMA = (
    "CREATE KEYSPACE load WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE load.t (k int PRIMARY KEY, v int)",
)


def numbers(count: int) -> str:
    return ",".join(map(str, range(count)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=9)
    parser.add_argument("--size", type=int, default=1_000_000)
    arguments = parser.parse_args()
    node = open_node(Config(data=None))
    turns: Turns[Session, Unanswered] = Turns()
    clock, process_time = node.environment.clock.monotonic, time.process_time

    def session() -> Session:
        made = Session(node, "127.0.0.1", 1)
        ask(made, Startup({"CQL_VERSION": "3.0.0"}))
        return made

    def ask(session: Session, request: requests.Request) -> None:
        session.receive(requests.encode(request, VERSION, 1), clock() + TURN_S)
        for unanswered in session.take_pending():
            turns.add(session, unanswered, 0.0)

    def step() -> Session | None:
        """A turn; whose request is done with it."""
        session, unanswered = turns.next()
        began = clock()
        if session.step(unanswered):
            return session
        unanswered.spent_s += clock() - began
        turns.add(session, unanswered, unanswered.spent_s)
        return None

    first = session()
    for text in SCHEMA:
        ask(first, Query(text))
    garbage.set_up()
    long = Query(f"SELECT v FROM load.t WHERE k IN ({numbers(arguments.size // 7)})")
    busy = [session() for _ in range(arguments.clients)]
    for each in busy:
        ask(each, long)
    for _ in range(100):
        step()
    short = session()
    taken, waits = [], []
    for number in range(ROUNDS):
        began = process_time()
        ask(short, Query(f"SELECT v FROM load.t WHERE k IN ({numbers(900)}) /* {number} */"))
        while True:
            turn_began = process_time()
            done = step()
            waits.append(process_time() - turn_began)
            if done is short:
                break
            if done is not None:
                ask(done, long)
        taken.append(process_time() - began)
    print(f"4 kB: median {statistics.median(taken) * 1e3:.1f} ms, most {max(taken) * 1e3:.1f} ms")
    waits.sort()
    print(f"a turn: median {statistics.median(waits) * 1e3:.1f} ms, 99% {waits[-len(waits) // 100] * 1e3:.1f} ms, "
          f"most {waits[-1] * 1e3:.1f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
