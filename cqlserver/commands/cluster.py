"""`cqlserver cluster --nodes N`: several nodes for tests and small machines, in one process or each in its own."""

import argparse
import json
import os
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cqlserver.launcher import Server
    from cqlserver.program.config import Config

SUMMARY: Final = "Starts a cluster of several nodes, on 127.0.0.1, 127.0.0.2, and so on."
_OWN: Final = (
    "--init", "--host", "--port", "--data", "--memory", "--seeds", "--listen-address", "--ready-file", "--control-port"
)  # fmt: skip


def main(name: str, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="cqlserver cluster",
        description=SUMMARY,
        epilog="All other options are those of the server: cqlserver --help.",
        allow_abbrev=False,
    )
    parser.add_argument("--nodes", type=int, default=3, help="how many (3)")
    parser.add_argument("--dcs", metavar="A:N,B:M", help="in datacenters of these names, so many in each, like dc1:3,dc2:2")
    parser.add_argument("--in-process", action="store_true", help="all nodes in this process, else one process each")
    options, others = parser.parse_known_args(arguments)
    from cqlserver.__main__ import configure
    from cqlserver.clustering.node_configs import datacenters_of, node_configs
    from cqlserver.launcher import StartError
    from cqlserver.program.config import ConfigError

    try:
        config = configure(others)
        datacenters = datacenters_of(options.dcs) if options.dcs is not None else []
        count = len(datacenters) or options.nodes
        if options.in_process:
            return _run_in_process(config, count, datacenters)
        run_processes(node_configs(config, count, datacenters), others)
    except (StartError, ConfigError) as error:
        print(f"cqlserver cluster: {error}", file=sys.stderr)
        return 1 if isinstance(error, StartError) else 2
    return 0


def _run_in_process(config: "Config", count: int, datacenters: list[str]) -> int:
    """The exit status. Raises ConfigError."""
    from cqlserver.clustering.program import run
    from cqlserver.program import logs
    from cqlserver.program.server import StartupError

    logs.set_up(config)
    try:
        run(config, count, datacenters)
    except StartupError as error:
        print(f"cqlserver cluster: {error}", file=sys.stderr)
        return 1
    return 0


def run_processes(configs: "list[Config]", arguments: list[str]) -> None:
    """One for each, until SIGTERM or SIGINT. Raises StartError."""
    from cqlserver.launcher import launch_all

    shared = _without_own(arguments)
    seeds = ",".join(config.host for config in configs[:2])
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stopped.set())
    commands = []
    together = [f"-Dcqlserver.nodes_together={len(configs)}"]
    if all(config.data is None or not config.data.exists() for config in configs):
        together += ["--set", "auto_bootstrap=false"]  # nobody has anything that others would have to get
    for index, config in enumerate(configs, 1):
        place = ["--host", config.host, "--port", str(config.port), "--seeds", seeds]
        place += ["--control-port", str(config.control_port or 0), "--dc", config.datacenter]
        place += ["--memory"] if config.data is None else ["--data", str(config.data)]
        if config.log_file is not None:  # each has its own: it rolls it
            path = config.log_file.path
            place += ["--log-file", str(path.with_name(f"{path.stem}-{index}{path.suffix}"))]
        if config is configs[-1]:  # it has all the others
            place += [word for path in config.init for word in ("--init", str(path))]
        command = [sys.executable, "-P", "-m", "cqlserver", *shared, *together, *place]
        commands.append([*command, "--ready-file", "-", "--until-stdin-ends"])
    with ExitStack() as stack:
        servers = launch_all(commands)
        for server in servers:
            stack.enter_context(server)
        nodes = [_told(server) for server in servers]
        _tell(configs[0].ready_file, {**nodes[0], "nodes": nodes})
        stopped.wait()


def _told(server: "Server") -> dict[str, object]:
    told: dict[str, object] = {
        "host": server.host, "port": server.port, "control_port": server.control_port, "pid": server.pid
    }  # fmt: skip
    if server.access.token_file is not None:
        told["control_token_file"] = server.access.token_file
    return told


def _without_own(arguments: list[str]) -> list[str]:
    """The options that are the same for all nodes."""
    kept: list[str] = []
    at = 0
    while at < len(arguments):
        name, equals, _ = arguments[at].partition("=")
        if name in _OWN:
            at += 1 if equals or name == "--memory" else 2
        else:
            kept.append(arguments[at])
            at += 1
    return kept


def _tell(ready_file: Path | None, told: dict[str, object]) -> None:
    text = json.dumps(told) + "\n"
    if ready_file is None:
        for node in told["nodes"]:  # type: ignore[attr-defined]
            print(f"{node['host']}:{node['port']}  pid {node['pid']}, control port {node['control_port']}", file=sys.stderr)
    elif str(ready_file) == "-":
        os.write(1, text.encode())
    else:
        ready_file.write_text(text)
