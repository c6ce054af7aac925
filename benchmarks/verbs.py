"""How long the verbs of a test double take: reset, snapshot, restore of 50 tables with 10,000 rows under an open connection.

    python benchmarks/verbs.py [ROUNDS]

The median, the best and the worst of each, in milliseconds, the way over the control port included.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cqlserver
from protocol.client import connect

TABLES, ROWS = 50, 200


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    began = time.perf_counter()
    with cqlserver.start() as server, connect(server.host, server.port) as connection:
        print(f"{'start':<10} {(time.perf_counter() - began) * 1000:8.1f}")
        server.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        for table in range(TABLES):
            server.execute(f"CREATE TABLE ks.t{table} (k int, c int, v text, PRIMARY KEY (k, c))")
            rows = [f"INSERT INTO ks.t{table} (k, c, v) VALUES ({n // 3}, {n % 3}, 'a value')" for n in range(ROWS)]
            server.execute("; ".join(rows))
        server.snapshot("full")
        steps: dict[str, Callable[[], None]] = {
            "snapshot": lambda: server.snapshot("other"),
            "reset": server.reset,
            "restore": lambda: server.restore("full"),
        }
        took: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(rounds):
            for name, step in steps.items():
                began = time.perf_counter()
                step()
                took[name].append((time.perf_counter() - began) * 1000)
            connection.query("SELECT * FROM ks.t0 WHERE k = 0")
        for name, times in took.items():
            print(f"{name:<10} {statistics.median(times):8.1f} {min(times):8.1f} {max(times):8.1f}")


if __name__ == "__main__":
    main()
