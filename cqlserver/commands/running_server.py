"""How commands find a server that runs: by its control port."""

import argparse
import os
import sys

from cqlserver.control.client import (
    CA_VARIABLE,
    CERTIFICATE_VARIABLE,
    DEFAULT_PORT,
    PORT_VARIABLE,
    TOKEN_FILE_VARIABLE,
    Access,
    ControlClient,
)


def add_control_port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--control-port",
        type=int,
        default=int(os.environ.get(PORT_VARIABLE) or DEFAULT_PORT),
        metavar="N",
        help=f"the running server's control port (default {PORT_VARIABLE}, or {DEFAULT_PORT})",
    )
    parser.add_argument("--control-host", default="127.0.0.1", metavar="X", help="where that is (default 127.0.0.1)")
    parser.add_argument(
        "--control-token-file", metavar="FILE", help=f"has its token, where it asks for one (default {TOKEN_FILE_VARIABLE})"
    )
    parser.add_argument(
        "--control-ca",
        metavar="FILE",
        help=f"PEM; whose certificates to believe, where it is encrypted (default {CA_VARIABLE}; to show one, too: "
        f"{CERTIFICATE_VARIABLE})",
    )


def client_of(options: argparse.Namespace) -> ControlClient:
    """A client of the server that the options of `add_control_port` name."""
    access = Access.of_environment(options.control_token_file, options.control_ca)
    return ControlClient(options.control_host, options.control_port, access)


def tell_no_server(name: str, port: int, error: Exception) -> None:
    """Says that nobody answers the command of that name, and what to do."""
    print(
        f"cqlserver {name}: no server answers on control port {port} ({error}); say which with --control-port or "
        f"{PORT_VARIABLE}",
        file=sys.stderr,
    )
