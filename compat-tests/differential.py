"""Sends the same random statements to this server and to another (a real Cassandra), and reports where they differ.

    python compat-tests/differential.py --ours 127.0.0.1:9042 --peer 127.0.0.1:9142 --seed 1 --statements 20000

It goes in rounds, each with an area, a seed and keyspaces `differ_<area>_<seed>` of its own, which are dropped at the
end; some at a time. `--area select --seed 17 --lanes 1 --statements 1` is one of them again, `--list` prints its statements.
Each kind of difference is printed when it is first found, made small, and all kinds at the end, with how often they came.
With `--storage OUR_CONTROL_PORT:PEER_JMX_PORT` both flush and compact in between. SIGTERM has it stop and tell.
The exit code is 1 where something differs, or where what an area is about hardly ever succeeded.
"""

import argparse
import signal
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness.runner import Address  # noqa: E402
from twins.areas import AREAS, WEIGHTS  # noqa: E402
from twins.roles import make_role  # noqa: E402
from twins.rounds import Pair, Rounds, statements_of  # noqa: E402
from twins.statement import StorageWork  # noqa: E402
from twins.storing import CassandraStorage, OurStorage, Storage  # noqa: E402


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--ours", type=Address.parse, default=Address("127.0.0.1", 9042))
    parser.add_argument("--peer", type=Address.parse, default=Address("127.0.0.1", 9142))
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next has the next")
    parser.add_argument("--statements", type=int, default=10_000)
    parser.add_argument("--round-statements", type=int, default=4000, help="about how many a round has")
    parser.add_argument("--area", choices=sorted(AREAS), action="append", help="repeatable; default: all but roles")
    parser.add_argument("--lanes", type=int, default=6, help="rounds at a time")
    parser.add_argument("--storage", metavar="PORT:PORT", help="our control port and the peer's JMX port")
    parser.add_argument("--as", dest="role", metavar="ROLE:PASSWORD", help="who sends, where clients log in")
    parser.add_argument("--examples", type=int, default=1, help="how many differences of a kind are printed at the end")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after that time")
    parser.add_argument("--list", action="store_true", help="send nothing; print the statements of the area's round")
    given = parser.parse_args(arguments)
    if given.list:
        for number, each in enumerate(statements_of(given.area[0], given.seed, given.round_statements), 1):
            print(number, each if isinstance(each, StorageWork) else each.describe())
        return 0
    weights = dict.fromkeys(given.area, 1) if given.area else WEIGHTS
    storages: tuple[Storage, ...] = ()
    java = None
    if given.storage:
        ours, _, peer = given.storage.partition(":")
        java = CassandraStorage(int(peer))
        storages = OurStorage(given.ours.host, int(ours)), java
    role = None
    if given.role:
        name, _, password = given.role.partition(":")
        role = name, password
        for address in (given.ours, given.peer):
            make_role(address, *role)
    rounds = Rounds(Pair(given.ours, given.peer, storages, role), weights, given.seed, given.round_statements)
    signal.signal(signal.SIGTERM, lambda number, frame: rounds.stop())
    try:
        rounds.run(given.statements, given.seconds, given.lanes, told=30.0)
    finally:
        if java is not None:
            java.close()
    report = rounds.report
    print("\n".join(report.outcomes.lines()))
    for kind, count in report.counts.most_common():
        print(f"== {count} x {kind}")
        for place, difference in report.found[kind][: given.examples]:
            print(f"  {place}\n{difference.report()}")
    unlucky = report.outcomes.unlucky()
    print(*(f"hardly ever a success: {each}" for each in unlucky), sep="\n")
    seeds = f"{given.seed} to {given.seed + report.rounds - 1}"
    print(
        f"{report.outcomes.total} statements in {report.rounds} rounds, seeds {seeds},"
        f" {sum(report.counts.values())} differences, {report.slips} explained,"
        f" {len(report.broken)} rounds broken, {dict(report.storage_work)}"
    )
    return 1 if report.counts or report.broken or unlucky else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
