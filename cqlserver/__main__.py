"""The command line of the server: `cqlserver --help`."""

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

from cqlserver.program.config import Config, ConfigError, read_yaml

_EPILOG = """\
examples:
  cqlserver                                   on 127.0.0.1:9042, data kept in ./cqlserver-data
  cqlserver --memory --port 0 --ready-file f  for a test: nothing kept, any free port, told in f as JSON
  cqlserver --init schema.cql                 runs the statements of schema.cql before the port opens
  cqlserver --config cassandra.yaml           settings as Cassandra names them

Ctrl-C or SIGTERM stops the server. Connect with any Cassandra driver, or `cqlsh 127.0.0.1 9042`.
"""


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cqlserver",
        description="A CQL server that Cassandra's drivers, cqlsh and tools use unchanged.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for any free one (default 9042)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data", type=Path, metavar="DIR", help="folder that keeps the data (default ./cqlserver-data)")
    where.add_argument("--memory", action="store_true", help="keep nothing on disk")
    parser.add_argument("--config", type=Path, metavar="FILE", help="a cassandra.yaml; the other options win over it")
    parser.add_argument(
        "--init",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="CQL to run before clients may connect; repeatable",
    )
    parser.add_argument(
        "--ready-file", type=Path, metavar="FILE", help="written when clients may connect: JSON with host, port and pid"
    )
    parser.add_argument(
        "--log-level", default="info", choices=("debug", "info", "warning", "error"), help="how much is logged (info)"
    )
    parser.add_argument(
        "--ignore-replay-errors",
        action="store_true",
        help="start although the commit log is damaged; what the damaged sections held is lost",
    )
    return parser


def configure(arguments: list[str]) -> Config:
    """The configuration that the command line (and the file that it names) asks for. Raises ConfigError."""
    options = _arguments().parse_args(arguments)
    config = Config()
    if options.config:
        config = read_yaml(config, options.config)
    if options.host is not None:
        config = replace(config, host=options.host)
    if options.port is not None:
        if not 0 <= options.port <= 65535:
            raise ConfigError(f"--port {options.port}: a port is 0 to 65535")
        config = replace(config, port=options.port)
    if options.data is not None:
        config = replace(config, data=options.data)
    if options.memory:
        config = replace(config, data=None)
    return replace(
        config,
        init=tuple(options.init),
        ready_file=options.ready_file,
        log_level=options.log_level,
        ignore_replay_errors=options.ignore_replay_errors,
    )


def main(arguments: list[str] | None = None) -> int:
    """Runs a server until it is told to stop; the process's exit status."""
    try:
        config = configure(sys.argv[1:] if arguments is None else arguments)
    except ConfigError as error:
        print(f"cqlserver: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=config.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)-5s %(name)s %(message)s",
    )
    from cqlserver.program.server import StartupError, run

    try:
        return run(config)
    except KeyboardInterrupt:  # before the server listens for signals: while it replays its log
        return 130
    except StartupError as error:
        print(f"cqlserver: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
