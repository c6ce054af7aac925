"""`cqlserver cluster --nodes N`: several nodes for tests and small machines."""

import argparse
import sys
from typing import Final

SUMMARY: Final = "Starts a cluster of several nodes in one process, on 127.0.0.1, 127.0.0.2, and so on."


def main(name: str, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="cqlserver cluster", description=SUMMARY, epilog="All other options are those of the server: cqlserver --help."
    )
    parser.add_argument("--nodes", type=int, default=3, help="how many (3)")
    parser.add_argument("--in-process", action="store_true", help="all nodes in this process, which is how it is done now")
    options, others = parser.parse_known_args(arguments)
    from cqlserver.__main__ import configure, set_up_logging
    from cqlserver.program.config import ConfigError

    try:
        config = configure(others)
    except ConfigError as error:
        print(f"cqlserver cluster: {error}", file=sys.stderr)
        return 2
    set_up_logging(config)
    from cqlserver.clustering.program import run
    from cqlserver.program.server import StartupError

    try:
        run(config, options.nodes)
    except StartupError as error:
        print(f"cqlserver cluster: {error}", file=sys.stderr)
        return 1
    return 0
