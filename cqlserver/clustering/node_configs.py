"""The configurations of nodes that are started together on this machine, each with a loopback address of its own."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cqlserver.program.config import Config, ConfigError

if TYPE_CHECKING:
    from cqlserver.audit.options import AuditLogOptions

NODES_MAX: Final = 100
PORT_TRIES: Final = 20


def datacenters_of(text: str) -> list[str]:
    """Of `dc1:3,dc2:2` each node's. Raises ConfigError."""
    found: list[str] = []
    for part in text.split(","):
        name, colon, count = part.strip().partition(":")
        if not name or not colon or not count.isdecimal():
            raise ConfigError(f"--dcs {text}: write datacenters and how many nodes each has, like dc1:3,dc2:2")
        found += [name] * int(count)
    return found


def node_configs(config: Config, count: int, datacenters: Sequence[str] = ()) -> list[Config]:
    """Of nodes on 127.0.0.1, 127.0.0.2, ... with one port, and folders of their own; `datacenters`: of each, where they have
    several. Raises ConfigError."""
    if not 1 <= count <= NODES_MAX:
        raise ConfigError(f"--nodes {count}: a process has 1 to {NODES_MAX} nodes")
    prefix, _, last = config.host.rpartition(".")
    if not prefix.startswith("127.") or not last.isdecimal():
        raise ConfigError(f"--host {config.host}: nodes of one process are on loopback addresses, like 127.0.0.1")
    hosts = [f"{prefix}.{int(last) + number}" for number in range(count)]
    port = config.port or _free_port(hosts)
    return [
        replace(
            config,
            host=host,
            port=port,
            control_port=config.control_port if number == 1 or config.control_port is None else 0,
            data=None if config.data is None else config.data / f"node{number}",
            audit_log=audit_log_of(config, f"node{number}"),
            datacenter=datacenters[number - 1] if datacenters else config.datacenter,
        )
        for number, host in enumerate(hosts, 1)
    ]


def audit_log_of(config: Config, name: str, is_beside: bool = False) -> "AuditLogOptions | None":
    """With a folder of that name in the one that the nodes have together, or `is_beside` the one that is another's."""
    options = config.audit_log
    if options is None or not options.audit_logs_dir:
        return options
    folder = Path(options.audit_logs_dir)
    return replace(options, audit_logs_dir=str(folder.with_name(name) if is_beside else folder / name))


def _free_port(hosts: Sequence[str]) -> int:
    """One that is free at all these addresses. Raises ConfigError."""
    for _ in range(PORT_TRIES):
        port = 0
        with ExitStack() as stack:
            try:
                for host in hosts:
                    sock = stack.enter_context(socket.socket())
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    sock.bind((host, port))
                    port = sock.getsockname()[1]
            except OSError:
                continue
            return port
    raise ConfigError(f"no port is free at all of {', '.join(hosts)}; choose one with --port")
