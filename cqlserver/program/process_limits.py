"""What the system lets this process have, for the log: open files, connections, memory."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cqlserver.program.config import Config

_CGROUPS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_NO_LIMIT: Final = 1 << 60
"""The first version's word for it is a number of that size."""


def told(config: Config, cgroups: Iterable[Path] = _CGROUPS) -> str:
    parts = [f"Files and sockets may be open: {_named(_open_files_max())}", f"connections: {_connections(config)}"]
    memory = _memory(cgroups)
    if memory is not None:
        parts.append(f"memory there is: {memory >> 20} MiB")
    return "; ".join(parts)


def _open_files_max() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else None


def _connections(config: Config) -> str:
    of_all = config.connections_max if config.connections_max >= 0 else None
    of_one = config.connections_per_ip_max if config.connections_per_ip_max > 0 else None
    return f"{_named(of_all)}, from one address {_named(of_one)}"


def _named(limit: int | None) -> str:
    return "no limit" if limit is None else f"{limit} at most"


def _memory(cgroups: Iterable[Path]) -> int | None:
    """Of the machine, or of the group that the process is in, where that may have less; bytes."""
    found = []
    if sys.platform != "win32":
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        import resource

        of_addresses, _ = resource.getrlimit(resource.RLIMIT_AS)
        if of_addresses != resource.RLIM_INFINITY:
            found.append(of_addresses)
    for file in cgroups:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < _NO_LIMIT:
            found.append(int(text))
    return min(found, default=None)
