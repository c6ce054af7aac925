"""How commands find a server that runs: by its control port."""

import argparse
import os
import sys

from cqlserver.control.client import DEFAULT_PORT, PORT_VARIABLE


def add_control_port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--control-port",
        type=int,
        default=int(os.environ.get(PORT_VARIABLE) or DEFAULT_PORT),
        metavar="N",
        help=f"the running server's control port (default {PORT_VARIABLE}, or {DEFAULT_PORT})",
    )


def tell_no_server(name: str, port: int, error: Exception) -> None:
    """Says that nobody answers the command of that name, and what to do."""
    print(
        f"cqlserver {name}: no server answers on control port {port} ({error}); say which with --control-port or "
        f"{PORT_VARIABLE}",
        file=sys.stderr,
    )
