"""Process start to first answered query, and resident memory when idle.

    python benchmarks/start.py [--runs 10] [--data]

Each run starts a server, connects (plain protocol, no driver), and asks for release_version; the time is from before the
process is made until the answer is there. `--data`: with a data folder instead of --memory.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cqlserver
from protocol.client import connect


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--data", action="store_true", help="keep the data in a folder")
    options = parser.parse_args()
    seconds, resident_mb = [], []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            with cqlserver.start(data=folder if options.data else None) as server:
                connection = connect(server.host, server.port, 5)
                connection.query("SELECT release_version FROM system.local")
                seconds.append(time.perf_counter() - began)
                resident_mb.append(resident_kb(server.pid) / 1024)
    print(f"start to first answer: median {statistics.median(seconds):.3f} s, best {min(seconds):.3f} s")
    print(f"resident, idle: {statistics.median(resident_mb):.1f} MB")


def resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("the kernel tells no VmRSS")


if __name__ == "__main__":
    main()
