"""`cqlserver top`: what a running server does, second by second (top/)."""

import argparse
import sys
import time
from importlib.util import find_spec
from typing import Final

from cqlserver.commands.running_server import add_control_port, client_of, tell_no_server
from cqlserver.control.client import ControlError
from cqlserver.top.picture import picture, plain
from cqlserver.top.samples import SORTS, taken

ROWS_MAX: Final = 50


def main(name: str, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="cqlserver top",
        description="Operations by table with rates and latencies, the slowest statements, compactions, memory, stalls.",
        epilog="Keys: r, p, t sort by rate, 99 % latency, table; / filters by table; space holds; q quits.",
    )
    add_control_port(parser)
    parser.add_argument("--once", action="store_true", help="plain text of one period, then end")
    parser.add_argument("--period", type=float, default=1.0, metavar="S", help="of --once, in seconds (1)")
    parser.add_argument("--sort", choices=tuple(SORTS), default="rate", help="what comes first (rate)")
    parser.add_argument("--filter", default="", metavar="TEXT", help="tables alone whose name has this in it")
    options = parser.parse_args(arguments)
    client = client_of(options)
    try:
        if options.once:
            before = taken(client, time.monotonic())
            time.sleep(options.period)
            print(plain(picture(before, taken(client, time.monotonic()), options.sort, options.filter, ROWS_MAX)), end="")
            return 0
        if find_spec("rich") is None:
            print("cqlserver top: the view needs rich: pip install 'cqlserver[top]'; --once does without", file=sys.stderr)
            return 1
        if not sys.stdin.isatty():
            print("cqlserver top: this is no terminal; use --once", file=sys.stderr)
            return 1
        from cqlserver.top.terminal import Terminal

        Terminal(lambda: taken(client, time.monotonic()), options.sort, options.filter).run()
        return 0
    except ControlError as error:
        print(f"cqlserver {name}: {error.message}", file=sys.stderr)
        return 1
    except OSError as error:
        tell_no_server(name, options.control_port, error)
        return 1
    finally:
        client.close()
