"""`cqlserver run [options of the server] -- COMMAND`: a server for as long as a command runs.

The command finds the server by its environment: under the names that programs have come to use, and those that Spring,
Quarkus, the Java driver's configuration and cqlsh read by themselves. It exits as the command does.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Final

from cqlserver.control.client import ControlError
from cqlserver.launcher import Server, StartError, launch

DEFAULT_KEYSPACE: Final = "test"
NOT_FOUND: Final = 127
"""What a shell exits with where there is no such command."""
NOT_EXECUTABLE: Final = 126
"""And where it can't be executed."""
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_USAGE: Final = """\
usage: cqlserver run [--keyspace NAME] [--init PATH] [--record DIR] [options of the server] -- COMMAND [ARGUMENT ...]

Starts a server (in memory, on a free port, unless the options say otherwise), runs COMMAND, stops the server, and exits as
COMMAND did. COMMAND finds it by CASSANDRA_CONTACT_POINTS, CASSANDRA_PORT, CASSANDRA_LOCAL_DC and CASSANDRA_KEYSPACE, by what
Spring, Quarkus, the Java driver and cqlsh read, and the control port by CQLSERVER_CONTROL_PORT.

  --keyspace NAME   made where it isn't there yet (default test)
  --init PATH       a file of CQL or rows, or a folder of them, in that keyspace where they name none; repeatable
  --record DIR      a new folder for what clients ask, with all values: for `cqlserver diff` and `cqlserver fql`
  the server's own options: cqlserver --help
"""
_NOT_FOR_IT: Final = ("--ready-file", "--until-stdin-ends")


def main(name: str, arguments: list[str]) -> int:
    if arguments[:1] in (["--help"], ["-h"]):
        print(_USAGE, end="")
        return 0
    if "--" not in arguments or arguments[-1] == "--":
        print(f"cqlserver run: what to run comes behind --\n{_USAGE}", end="", file=sys.stderr)
        return 2
    at = arguments.index("--")
    options, command = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--keyspace", default=DEFAULT_KEYSPACE)
    parser.add_argument("--init", action="append", default=[])
    parser.add_argument("--record", type=Path)
    try:
        own, options = parser.parse_known_args(options)
    except argparse.ArgumentError as error:
        print(f"cqlserver run: {error}\n{_USAGE}", end="", file=sys.stderr)
        return 2
    used = [option for option in options if option.split("=")[0] in _NOT_FOR_IT]
    if used or not own.keyspace:
        print(f"cqlserver run: {used[0] if used else '--keyspace'} is not for it\n{_USAGE}", end="", file=sys.stderr)
        return 2
    try:
        server = launch(_server_command(options))
    except StartError as error:
        print(f"cqlserver run: {error}", end="", file=sys.stderr)
        return 1
    keyspace = own.keyspace if own.keyspace.startswith('"') else own.keyspace.lower()  # as CQL has names
    with server:
        at_work = f"--keyspace {keyspace}: "
        try:
            make_keyspace(server, keyspace)
            at_work = "--init "
            for path in own.init:
                server.load(path, keyspace=keyspace)
            if own.record is not None:
                at_work = "--record "
                _record(server, own.record)
        except ControlError as error:
            print(f"cqlserver run: {at_work}{error.message}", file=sys.stderr)
            return 1
        status = _run(command, environment(server, keyspace))
        if not server.is_running:
            print(f"cqlserver run: the server ended before the command. Its log:\n{server.log}", file=sys.stderr)
            return status or 1
    return status


def _record(server: Server, folder: Path) -> None:
    """Raises ControlError."""
    if folder.exists():
        raise ControlError("Refused", f"{folder} is there already")
    server.call("enable_full_query_log", path=str(folder.resolve()))


def _server_command(options: list[str]) -> list[str]:
    given = {option.split("=")[0] for option in options}
    command = [sys.executable, "-P", "-m", "cqlserver", *options, "--ready-file", "-", "--until-stdin-ends"]
    for needed, defaults in (
        ({"--port", "--config"}, ["--port", "0"]),
        ({"--control-port"}, ["--control-port", "0"]),
        ({"--memory", "--data", "--config"}, ["--memory"]),
        ({"--seeds"}, ["--seeds", ""]),  # whatever its --config says: it is a server for one command
        ({"--log-level"}, ["--log-level", "warning"]),
    ):
        if not needed & given:
            command += defaults
    return command


def make_keyspace(server: Server, name: str) -> None:
    server.execute(
        f"CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    )


def environment(server: Server, keyspace: str) -> dict[str, str]:
    """What a command is told of its server."""
    host, port = server.host, str(server.port)
    datacenter = str(server.execute("SELECT data_center FROM system.local")[0]["data_center"])
    spring = {"CONTACTPOINTS": host, "PORT": port, "LOCALDATACENTER": datacenter, "KEYSPACENAME": keyspace}
    java = "CONFIG_FORCE_datastax__java__driver_basic_"  # typesafe config, with -Dconfig.override_with_env_vars=true
    return {
        "CASSANDRA_CONTACT_POINTS": host,
        "CASSANDRA_HOST": host,
        "CASSANDRA_PORT": port,
        "CASSANDRA_LOCAL_DC": datacenter,
        "CASSANDRA_KEYSPACE": keyspace,
        **{f"SPRING_CASSANDRA_{name}": value for name, value in spring.items()},
        **{f"SPRING_DATA_CASSANDRA_{name}": value for name, value in spring.items()},
        "QUARKUS_CASSANDRA_CONTACT_POINTS": server.contact,
        "QUARKUS_CASSANDRA_LOCAL_DATACENTER": datacenter,
        "QUARKUS_CASSANDRA_KEYSPACE": keyspace,
        f"{java}contact__points_0": server.contact,
        f"{java}load__balancing__policy_local__datacenter": datacenter,
        f"{java}session__keyspace": keyspace,
        "CQLSH_HOST": host,
        "CQLSH_PORT": port,
        "CQLSERVER_CONTROL_PORT": str(server.control_port),
        **server.access.variables(),
        **_tls_environment(server.tls),
    }


def _tls_environment(tls: dict[str, str] | None) -> dict[str, str]:
    """What a command is told of certificates that the server made; cqlsh reads SSL_CERTFILE."""
    if tls is None:
        return {}
    factory = "CONFIG_FORCE_datastax__java__driver_advanced_ssl__engine__factory_"
    return {
        "CASSANDRA_TLS_CA": tls["ca"],
        "CASSANDRA_TLS_CLIENT": tls["client"],
        "SSL_CERTFILE": tls["ca"],
        f"{factory}class": "DefaultSslEngineFactory",
        f"{factory}truststore__path": tls["truststore"],
        f"{factory}truststore__password": tls["password"],
        f"{factory}keystore__path": tls["keystore"],
        f"{factory}keystore__password": tls["password"],
    }


def _run(command: list[str], variables: dict[str, str]) -> int:
    """The command's exit status, as a shell has it; signals that come meanwhile are the command's."""
    try:
        process = subprocess.Popen(command, env={**os.environ, **variables})
    except OSError as error:
        print(f"cqlserver run: {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_EXECUTABLE if isinstance(error, PermissionError) else NOT_FOUND

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    # Ctrl-C and Ctrl-\ go to the command without our help, since it is in the terminal's foreground with us: we only
    # outlive them
    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    for number in (signal.SIGINT, signal.SIGQUIT):
        before[number] = signal.signal(number, pass_on if not sys.stdin.isatty() else lambda *_: None)
    try:
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - status if status < 0 else status
