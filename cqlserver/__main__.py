"""The command line: `cqlserver` alone (with options) is the server, `cqlserver NAME` a command beside it (commands/)."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cqlserver.commands import COMMANDS
from cqlserver.program import logs
from cqlserver.program.auth_settings import check_together
from cqlserver.program.config import (
    Config,
    ConfigError,
    apply_property,
    apply_setting,
    check_tokens,
    parse_size_bytes,
    placed,
    read_yaml,
)
from cqlserver.program.control_settings import ControlSettings

if TYPE_CHECKING:
    from cqlserver.program.log_files import LogFile
    from cqlserver.program.tls_settings import TlsSettings

_EPILOG = """\
examples:
  cqlserver                                   on 127.0.0.1:9042, data kept in ./cqlserver-data
  cqlserver --memory --port 0 --ready-file f  for a test: nothing kept, any free port, told in f as JSON
  cqlserver --init schema.cql                 runs the statements of schema.cql before the port opens
  cqlserver --config cassandra.yaml           settings as Cassandra names them

commands (`cqlserver NAME --help` says more):
%s
Ctrl-C or SIGTERM stops the server. Connect with any Cassandra driver, or `cqlsh 127.0.0.1 9042`.
"""


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cqlserver",
        description="A CQL server that Cassandra's drivers, cqlsh and tools use unchanged.",
        epilog=_EPILOG % "".join(f"  cqlserver {name:<12}{command.summary}\n" for name, command in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for any free one (default 9042)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data", type=Path, metavar="DIR", help="folder that keeps the data (default ./cqlserver-data)")
    where.add_argument("--memory", action="store_true", help="keep nothing on disk")
    parser.add_argument("--config", type=Path, metavar="FILE", help="a cassandra.yaml; the other options win over it")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of cassandra.yaml; repeatable, and wins over --config",
    )
    parser.add_argument(
        "--control-port",
        default=None,
        metavar="N",
        help="port for nodetool, the verbs (reset, snapshot, ...) and a page for browsers, 0 for any free one, or none "
        "(default 7199, or a free one where that is taken)",
    )
    parser.add_argument(
        "--control-writes", action="store_true", help="let the control port's page (http://127.0.0.1:7199) change data too"
    )
    _add_control_options(parser)
    cluster = parser.add_argument_group("one node of a cluster")
    cluster.add_argument(
        "--seeds",
        metavar="A,B",
        help="other nodes (ADDRESS or ADDRESS:PORT) to be one cluster with; empty: none, whatever --config says",
    )
    cluster.add_argument("--listen-address", metavar="X", help="where other nodes reach it (default --host)")
    cluster.add_argument("--storage-port", type=int, metavar="N", help="at which port (default 7000)")
    cluster.add_argument("--dc", metavar="NAME", help="its datacenter (default what endpoint_snitch finds, datacenter1)")
    cluster.add_argument(
        "-D",
        dest="properties",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a property of Cassandra's: cassandra.replace_address_first_boot, cassandra.ring_delay_ms, ...",
    )
    cluster.add_argument("--rack", metavar="NAME", help="its rack (default the same, rack1)")
    parser.add_argument(
        "--init",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a file of CQL or rows (CSV, JSON, YAML), or a folder of them, to run before clients may connect; repeatable",
    )
    parser.add_argument(
        "--ready-file",
        type=Path,
        metavar="FILE",
        help="written when clients may connect: JSON with host, port, control_port and pid; - is standard output",
    )
    parser.add_argument(
        "--until-stdin-ends", action="store_true", help="stop when standard input ends, as it does when its writer dies"
    )
    parser.add_argument(
        "--log-level", default="info", choices=("debug", "info", "warning", "error"), help="how much is logged (info)"
    )
    parser.add_argument(
        "--log-format", default="plain", choices=("plain", "json"), help="lines as Cassandra has them, or of JSON (plain)"
    )
    _add_log_files(parser)
    parser.add_argument(
        "--copy-of", type=Path, metavar="DIR", help="begin with what `cqlserver export DIR` wrote; with --memory alone"
    )
    parser.add_argument("--query-log", action="store_true", help="record what clients ask, for `cqlserver queries`")
    parser.add_argument(
        "--ignore-replay-errors",
        action="store_true",
        help="start although the commit log is damaged; what the damaged sections held is lost",
    )
    parser.add_argument(
        "--auth",
        action="store_true",
        help="clients log in, and may do what their role was granted; there is a superuser cassandra, password cassandra",
    )
    parser.add_argument(
        "--user",
        metavar="NAME:PASSWORD",
        help="a superuser of this name instead of cassandra, where there is no role yet; means --auth",
    )
    parser.add_argument(
        "--tls",
        metavar="CERT:KEY",
        help="encrypt client connections with this certificate and key, two PEM files; "
        "auto makes certificates, which the ready file and the log tell",
    )
    parser.add_argument(
        "--mtls", action="store_true", help="clients must show a certificate, too: the one that --tls auto makes for them"
    )
    return parser


def _add_control_options(parser: argparse.ArgumentParser) -> None:
    control = parser.add_argument_group("who may use the control port")
    control.add_argument(
        "--control-host",
        metavar="X",
        help="address where it listens (default 127.0.0.1); beyond loopback it asks for a token",
    )
    control.add_argument("--control-auth", action="store_true", help="ask for the token on loopback, too")
    control.add_argument(
        "--control-token-file",
        type=Path,
        metavar="FILE",
        help="where the token stands, made where there is none (default control-token in the data folder)",
    )
    control.add_argument(
        "--control-tls",
        metavar="CERT:KEY",
        help="encrypt connections to it with this certificate and key, two PEM files; clients: as those of clients are",
    )


def _add_log_files(parser: argparse.ArgumentParser) -> None:
    files = parser.add_argument_group("the log in files")
    files.add_argument(
        "--log-file", type=Path, metavar="FILE", help="write the log to this file too; it is rolled by size and by day"
    )
    files.add_argument("--log-file-size", metavar="SIZE", default="50MiB", help="of one file at most (50MiB)")
    files.add_argument("--log-file-days", type=int, metavar="N", default=7, help="how long rolled files are kept (7)")
    files.add_argument("--log-files-size", metavar="SIZE", default="5GiB", help="of all rolled files at most (5GiB)")
    files.add_argument(
        "--log-table", action="store_true", help="keep the newest lines for system_views.system_logs (50,000, 16 MiB)"
    )


def _log_file(options: argparse.Namespace) -> "LogFile | None":
    """Raises ConfigError."""
    if options.log_file is None:
        return None
    from cqlserver.program.log_files import LogFile

    size = parse_size_bytes("--log-file-size", options.log_file_size)
    total = parse_size_bytes("--log-files-size", options.log_files_size)
    if size < 1 or options.log_file_days < 0:
        raise ConfigError("--log-file-size is 1B or more, --log-file-days 0 or more")
    return LogFile(options.log_file, size, options.log_file_days, total)


def configure(arguments: list[str]) -> Config:
    """The configuration that the command line (and the file that it names) asks for. Raises ConfigError."""
    options = _arguments().parse_args(arguments)
    config = Config()
    if options.config:
        config = read_yaml(config, options.config)
    for text in options.set:
        config = apply_setting(config, text)
    for text in options.properties:
        config = apply_property(config, text)
    if options.host is not None:
        config = replace(config, host=options.host)
    if options.port is not None:
        if not 0 <= options.port <= 65535:
            raise ConfigError(f"--port {options.port}: a port is 0 to 65535")
        config = replace(config, port=options.port)
    config = _placed(config, options)
    if options.control_port is not None:
        config = replace(config, control_port=_control_port(options.control_port))
    config = replace(config, control=_control(config, options))
    if options.data is not None:
        config = replace(config, data=options.data)
    if options.memory:
        config = replace(config, data=None)
    if options.copy_of is not None and config.data is not None:
        raise ConfigError("--copy-of works with --memory alone: a server that keeps data begins with its own")
    config = _secured(config, options)
    check_tokens(config)
    try:
        asks = config.requires_client_certificate or (config.tls is not None and config.tls.requires_client_certificate)
        check_together(config.auth, asks)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return replace(
        config,
        control_writes=options.control_writes,
        init=tuple(options.init),
        ready_file=options.ready_file,
        until_stdin_ends=options.until_stdin_ends,
        query_log=options.query_log,
        copy_of=options.copy_of,
        log_level=options.log_level,
        log_format=options.log_format,
        log_file=_log_file(options),
        log_table=options.log_table,
        ignore_replay_errors=options.ignore_replay_errors,
    )


def _secured(config: Config, options: argparse.Namespace) -> Config:
    """With what the options say of logins and encryption. Raises ConfigError."""
    if options.auth or options.user is not None:
        known = config.auth.authenticator if config.auth.requires_login else "PasswordAuthenticator"
        auth = replace(config.auth, authenticator=known, authorizer="CassandraAuthorizer")
        config = replace(config, auth=auth)
    if options.user is not None:
        name, colon, password = options.user.partition(":")
        if not name or not colon or not password:
            raise ConfigError("--user takes NAME:PASSWORD")
        config = replace(config, auth=replace(config.auth, first_user=(name, password)))
    if options.mtls and options.tls not in (None, "auto"):
        raise ConfigError("--mtls goes with --tls auto; client_encryption_options say whose certificates else are believed")
    if options.mtls or options.tls == "auto":
        return replace(config, own_certificates=True, requires_client_certificate=options.mtls)
    if options.tls is not None:
        config = replace(config, tls=_certificate("--tls", options.tls, "auto"))
    return config


def _certificate(option: str, text: str, other: str) -> "TlsSettings":
    """CERT:KEY of an option, which may also be `other`. Raises ConfigError."""
    from cqlserver.program.tls_settings import TlsSettings

    certificate, colon, key = text.partition(":")
    if not certificate or not colon or not key:
        raise ConfigError(f"{option} takes CERT:KEY, two PEM files, or {other}")
    return TlsSettings(Path(certificate), key_file=Path(key), option=option)


def _control(config: Config, options: argparse.Namespace) -> ControlSettings:
    """Who may use the control port. Raises ConfigError."""
    control = config.control
    if options.control_host is not None:
        control = replace(control, host=options.control_host)
    if options.control_tls == "clients":
        control = replace(control, tls=None, is_tls_as_clients=True)
    elif options.control_tls is not None:
        control = replace(control, tls=_certificate("--control-tls", options.control_tls, "clients"))
    return replace(control, asks_for_token=options.control_auth, token_file=options.control_token_file)


def _placed(config: Config, options: argparse.Namespace) -> Config:
    """With its place in a cluster. Raises ConfigError."""
    if options.seeds is not None:
        config = replace(config, seeds=tuple(seed.strip() for seed in options.seeds.split(",") if seed.strip()))
    given = {"listen_address": options.listen_address, "storage_port": options.storage_port}
    config = replace(config, **{name: value for name, value in given.items() if value is not None})
    return placed(config, options.dc, options.rack)


def _control_port(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdecimal() or int(text) > 65535:
        raise ConfigError(f"--control-port {text}: a port is 0 to 65535, or none")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Runs a server until it is told to stop, or a command; the process's exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and not arguments[0].startswith("-"):
        name, *rest = arguments
        command = COMMANDS.get(name)
        if command is None:
            known = ", ".join(COMMANDS)
            print(f"cqlserver: there is no command {name!r}; there are: {known}. See cqlserver --help.", file=sys.stderr)
            return 2
        return command.main(name, rest)
    try:
        config = configure(arguments)
        logs.set_up(config)
    except ConfigError as error:
        print(f"cqlserver: {error}", file=sys.stderr)
        return 2
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
