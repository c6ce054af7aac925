"""What bin/cassandra runs: finds out of its options and of the environment how the server is to be started, and becomes it.

The options are those of the script (-p, -f, -R, -D, ...); properties (-Dcassandra.NAME=VALUE) also come from JVM_OPTS,
JVM_EXTRA_OPTS and the files jvm*-server.options. The server's command line holds the log folder and the name of Cassandra's
main class, by which tools find it among the processes.
"""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

MAIN_CLASS: Final = "org.apache.cassandra.service.CassandraDaemon"
_ROOT_LEVEL: Final = re.compile(r"""<root\s+level=["'](\w+)["']""")
_LEVELS: Final = {"TRACE": "debug", "DEBUG": "debug", "INFO": "info", "WARN": "warning", "ERROR": "error", "OFF": "error"}
_DIRECTORIES: Final = re.compile(r"^data_file_directories\s*:", re.MULTILINE)
_LOG_FOLDER: Final = "cassandra.logdir"


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cassandra", allow_abbrev=False)
    parser.add_argument("-f", dest="foreground", action="store_true", help="stay in the foreground")
    parser.add_argument("-p", dest="pid_file", type=Path, metavar="FILE", help="write the process id there")
    parser.add_argument("-D", dest="properties", action="append", default=[], metavar="NAME=VALUE", help="a property")
    parser.add_argument("-R", dest="root", action="store_true", help="may be run by root, as always")
    parser.add_argument("-q", dest="quiet", action="store_true", help="as always")
    parser.add_argument("-v", dest="version", action="store_true", help="print the version")
    for name, what in (("-H", "heap dumps"), ("-E", "error files")):
        parser.add_argument(name, metavar="FILE", help=f"{what}; there are none")
    return parser


def properties_of(words: Iterable[str]) -> list[str]:
    """NAME=VALUE of those that begin with -D and are Cassandra's."""
    return [word[2:] for word in words if word.startswith("-Dcassandra.")]


def _collected(conf: Path, given: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """All properties; of two with one name the later one counts."""
    lines = [line for path in sorted(conf.glob("jvm*-server.options")) for line in path.read_text().split("\n")]
    words = [*lines, *shlex.split(environment.get("JVM_OPTS", "")), *shlex.split(environment.get("JVM_EXTRA_OPTS", ""))]
    return [*properties_of(words), *given]


def server_command(home: Path, conf: Path, properties: Iterable[str], control_port: str) -> list[str]:
    """How the server of this folder is started."""
    yaml, logback = conf / "cassandra.yaml", conf / "logback.xml"
    command = [sys.executable, "-P", "-m", "cqlserver", "--config", str(yaml), "--control-port", control_port]
    if _DIRECTORIES.search(yaml.read_text()) is None:
        command += ["--data", str(home / "data" / "data")]
    level = _ROOT_LEVEL.search(logback.read_text()) if logback.is_file() else None
    if level is not None:
        command += ["--log-level", _LEVELS.get(level[1].upper(), "info")]
    command += [f"-D{text}" for text in properties]
    return [*command, f"-Dcqlserver.instead_of={MAIN_CLASS}"]


def main() -> int:
    options = _arguments().parse_args()
    if options.version:
        from cqlserver.install_folder.writing import VERSION

        print(VERSION)
        return 0
    environment = os.environ
    conf = Path(environment["CASSANDRA_CONF"])
    properties = _collected(conf, options.properties, environment)
    home = Path(environment["CASSANDRA_HOME"])
    told = [text.partition("=")[2] for text in properties if text.startswith(f"{_LOG_FOLDER}=")]
    logs = Path(told[-1] if told else environment.get("CASSANDRA_LOG_DIR") or home / "logs")
    if not told:
        properties.append(f"{_LOG_FOLDER}={logs}")
    command = server_command(home, conf, properties, environment.get("JMX_PORT") or "7199")
    logs.mkdir(parents=True, exist_ok=True)
    if options.foreground:
        _note_pid(options.pid_file, os.getpid())
        os.execv(command[0], command)
    return _in_background(command, logs, options.pid_file)


def _in_background(command: list[str], logs: Path, pid_file: Path | None) -> int:
    """Starts it in a session of its own; it goes on when this process has ended."""
    debug = logs / "debug.log"
    if not debug.exists():
        debug.symlink_to("system.log")
    pid = os.fork()
    if pid:
        _note_pid(pid_file, pid)
        return 0
    os.setsid()
    for name, number, flags in (
        (Path(os.devnull), 0, os.O_RDONLY),
        (Path(os.devnull), 1, os.O_WRONLY),
        (logs / "system.log", 2, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        os.dup2(os.open(name, flags, 0o644), number)
    os.execv(command[0], command)


def _note_pid(pid_file: Path | None, pid: int) -> None:
    if pid_file is not None:
        pid_file.write_text(f"{pid}\n")


if __name__ == "__main__":
    sys.exit(main())
