"""Sends the same random statements to this server and to another (a real Cassandra), and reports where they differ.

    python compat-tests/differential.py --ours 127.0.0.1:9042 --peer 127.0.0.1:9142 --seed 1 --statements 2000 --area select

Each difference is made small and printed once per kind, with how often it came. Keyspaces begin with `differ_` and are
dropped at the end. The exit code is 1 where something differs.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness.runner import Address  # noqa: E402
from twins.areas import AREAS  # noqa: E402
from twins.comparison import Difference, Twins  # noqa: E402


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--ours", type=Address.parse, required=True)
    parser.add_argument("--peer", type=Address.parse, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--statements", type=int, default=1000)
    parser.add_argument("--area", choices=sorted(AREAS), default="select")
    parser.add_argument("--shown", type=int, default=40, help="how many kinds are printed")
    parser.add_argument("--examples", type=int, default=1, help="how many differences of a kind are printed")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after that time")
    given = parser.parse_args(arguments)
    keyspace = f"differ_{given.area}_{given.seed}"
    twins = Twins(given.ours, given.peer, keyspace)
    found: dict[str, list[Difference]] = {}
    counts: Counter[str] = Counter()
    started = time.monotonic()
    try:
        for statement in AREAS[given.area](Random(given.seed), keyspace, given.statements):
            if time.monotonic() - started > given.seconds:
                break
            difference = twins.difference(statement)
            if difference is None:
                continue
            kind = difference.kind()
            counts[kind] += 1
            if len(found.setdefault(kind, [])) < given.examples:
                found[kind].append(twins.smallest(difference))
    finally:
        for suffix in ("", "_b"):
            for server in (twins.ours, twins.peer):
                server.drop(keyspace + suffix)
        twins.close()
    for kind, count in counts.most_common(given.shown):
        print(f"== {count} x {kind}")
        for difference in found[kind]:
            print(difference.report())
    seconds = time.monotonic() - started
    print(
        f"{twins.sent} requests, {twins.succeeded} without error, {sum(counts.values())} differences,"
        f" {twins.slips} where the peer failed in Java, {seconds:.0f} s"
    )
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
